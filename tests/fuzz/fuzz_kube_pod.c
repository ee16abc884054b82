/* What the API server says of pods: of one that ended, and of those that may be a driver. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "health/driver_clue.h"
#include "health/kube_pod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redactor *redactor;
	const struct driver_clue clue = {.executor = {"team-a", "etl-exec-3", "5ab0f1c2-1111-2222-3333-444455556666"}, .host = "10.1.2.3", .created_wall_us = 1795694400000000};
	struct event_pod pod = {0};
	struct pod_end end = {0};
	struct err e = {0};

	if (!redactor)
		redactor = redactor_new(REDACT_REGEX, &e);
	if (!redactor)
		return 0;
	if (kube_pod_end_read((const char *)data, size, clue.executor.uid, "spark-kubernetes-executor", redactor, &end, &e) == 0 &&
	    !(str_is_ended(end.reason, sizeof(end.reason)) && str_is_ended(end.disruption, sizeof(end.disruption)) && str_is_ended(end.message, sizeof(end.message))))
		abort();
	for (unsigned way = 0; way < DRIVER_WAY_MAX_; way++)
		if (driver_clue_read(&clue, (enum driver_way)way, (const char *)data, size, &pod, &e) > 0 && !event_pod_is_sound(&pod))
			abort();
	return 0;
}
