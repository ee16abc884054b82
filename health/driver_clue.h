/* driver_clue.h - what an executor tells of its driver's pod, and how the API server is asked for it. Pure.
 *
 * Used when the driver is not among the pods of this node. Each way is exact or gives none: an Event on a wrong pod is worse than
 * none. Only the metadata of pods is asked for, so nothing of their environment comes here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"
#include "health/event.h"

enum driver_way {
	DRIVER_BY_OWNER,   /* ownerReferences of the executor's pod: spark.kubernetes.driver.pod.name is known to Spark */
	DRIVER_BY_ADDRESS, /* the address in SPARK_DRIVER_URL: Jupyter, Zeppelin, Connect, spark.kubernetes.executor.useDriverPodIP */
	DRIVER_BY_LABEL,   /* Spark's labels: behind NAME-driver-svc.NAMESPACE.svc is a driver in cluster mode, behind NAME-server kubeflow's Connect */
	DRIVER_BY_NAME,	   /* POD.SERVICE.NAMESPACE.svc: a pod of a StatefulSet */
	DRIVER_WAY_MAX_
};

struct driver_clue {
	struct event_pod executor;
	char host[NAME_NODE_BYTES]; /* of SPARK_DRIVER_URL: an address in the API's spelling, or a name; "" = none */
	char app_id[EXECUTOR_LABEL_BYTES], connect_name[EXECUTOR_LABEL_BYTES];
	uint64_t created_wall_us; /* of the executor: its driver is older; 0 = not known */
};

/* False if it tells nothing, or is no executor of Kubernetes. */
bool driver_clue_of(const struct executor *executor, uint64_t started_wall_us, struct driver_clue *ret);
bool driver_clue_is_sound(const struct driver_clue *clue); /* fit for a URL: it comes from another process */
uint64_t driver_clue_key(const struct driver_clue *clue);  /* of the driver: the same for all its executors */

/* What follows …/namespaces/ in the request. False if the clue does not give this way. */
bool driver_clue_target(const struct driver_clue *clue, enum driver_way way, char *target, size_t size);

/* From the answer to it. 1: found, 0: none, or not surely one. */
int driver_clue_read(const struct driver_clue *clue, enum driver_way way, const char *text, size_t length, struct event_pod *ret, struct err *e);
