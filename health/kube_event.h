/* kube_event.h - the objects of events.k8s.io/v1 that say an Event about our node, or about a pod on it. Pure.
 *
 * Those of a pod lie in its namespace: who may view that finds them with `kubectl get events`, also when the pod is gone. Those of
 * the node lie in the namespace `default`, where the API server wants those of objects without a namespace. `regarding` names the
 * node as kubelet does, its name as uid: `kubectl describe node` asks for that and for the real uid, and only for Events whose
 * regarding.namespace is empty. */
#pragma once

#include <stdint.h>

#include "health/event.h"

#define KUBE_EVENT_NAMESPACE	  "default"
#define KUBE_EVENT_CONTROLLER	  STOKER_PREFIX "stokerd"
#define KUBE_EVENT_INSTANCE_BYTES 129 /* 128 and NUL */

/* The node's name; of a longer one the first 111 bytes, '-' and 16 hex digits of its FNV-1a hash. The admission policy has it too. */
void kube_event_instance(const char *node, char instance[static KUBE_EVENT_INSTANCE_BYTES]);

/* A name for the object: "NODE.HEX" or "POD.HEX", a DNS subdomain of at most 253 bytes. `number` makes it unique. */
void kube_event_name(const char *node, uint64_t wall_us, uint32_t number, char name[static EVENT_NAME_BYTES]);

/* The bodies of POST and of PATCH (merge); malloc'ed, NULL only when out of memory. */
char *kube_event_object(const char *node, const struct event_entry *entry);
char *kube_event_series_patch(const struct event_entry *entry);
