#include "health/kube_event.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define INSTANCE_HEAD_BYTES 111
#define NAME_HEAD_BYTES	    220

void kube_event_instance(const char *node, char instance[static KUBE_EVENT_INSTANCE_BYTES])
{
	if (strlen(node) < KUBE_EVENT_INSTANCE_BYTES)
		str_copy(instance, KUBE_EVENT_INSTANCE_BYTES, node);
	else
		snprintf(instance, KUBE_EVENT_INSTANCE_BYTES, "%.*s-%016" PRIx64, INSTANCE_HEAD_BYTES, node, event_subject(node));
}

void kube_event_name(const char *node, uint64_t wall_us, uint32_t number, char name[static EVENT_NAME_BYTES])
{
	str_copy(name, NAME_HEAD_BYTES, node);
	/* A label must end with a letter or a digit. */
	for (size_t n = strlen(name); n > 0 && (name[n - 1] == '-' || name[n - 1] == '.'); n--)
		name[n - 1] = '\0';
	str_append(name, EVENT_NAME_BYTES, ".%016" PRIx64 "%04" PRIx32, wall_us, number & 0xffff);
}

char *kube_event_object(const char *node, const struct event_entry *entry)
{
	const struct event *event = &entry->event;
	scoped(json_drop) cJSON *object = cJSON_CreateObject();
	char time[CLOCK_TEXT_BYTES], instance[KUBE_EVENT_INSTANCE_BYTES];

	clock_format(event->wall_us, 6, time);
	kube_event_instance(node, instance);
	const struct event_pod *pod = &event->pod;
	bool about_pod = *pod->name;
	cJSON *metadata = cJSON_AddObjectToObject(object, "metadata"), *regarding = cJSON_AddObjectToObject(object, "regarding");
	bool ok = cJSON_AddStringToObject(object, "apiVersion", "events.k8s.io/v1") && cJSON_AddStringToObject(object, "kind", "Event") &&
		  cJSON_AddStringToObject(metadata, "name", entry->name) && cJSON_AddStringToObject(metadata, "namespace", about_pod ? pod->name_space : KUBE_EVENT_NAMESPACE) &&
		  cJSON_AddStringToObject(regarding, "apiVersion", "v1") && cJSON_AddStringToObject(regarding, "kind", about_pod ? "Pod" : "Node") &&
		  cJSON_AddStringToObject(regarding, "name", about_pod ? pod->name : node) && cJSON_AddStringToObject(regarding, "uid", about_pod ? pod->uid : node) &&
		  (!about_pod || cJSON_AddStringToObject(regarding, "namespace", pod->name_space)) &&
		  cJSON_AddStringToObject(object, "eventTime", time) && cJSON_AddStringToObject(object, "reportingController", KUBE_EVENT_CONTROLLER) &&
		  cJSON_AddStringToObject(object, "reportingInstance", instance) && cJSON_AddStringToObject(object, "action", event->action) &&
		  cJSON_AddStringToObject(object, "reason", event->reason) && cJSON_AddStringToObject(object, "note", event->note) &&
		  cJSON_AddStringToObject(object, "type", event->warning ? "Warning" : "Normal");
	return ok ? cJSON_PrintUnformatted(object) : NULL;
}

char *kube_event_series_patch(const struct event_entry *entry)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateObject();
	cJSON *series = cJSON_AddObjectToObject(patch, "series");
	char time[CLOCK_TEXT_BYTES];

	clock_format(entry->last_wall_us, 6, time);
	bool ok = cJSON_AddNumberToObject(series, "count", entry->count) && cJSON_AddStringToObject(series, "lastObservedTime", time);
	return ok ? cJSON_PrintUnformatted(patch) : NULL;
}
