/* pod_end.h - what the API server tells of how a pod came to its end: who wanted it to go, and when. A plain value, part of records.
 *
 * Kubelet writes reason and message of an eviction only when all containers have ended, and tells the API server of an end some
 * tenths of a second after it, on a busy node some seconds; who preempts, drains or deletes a pod writes before the first signal. */
#pragma once

#include <stdint.h>

#define POD_END_WORD_BYTES 32

struct pod_end {
	uint32_t knows;		/* bool: it tells of the container's end */
	uint32_t over;		/* bool: phase Succeeded or Failed: kubelet will say no more */
	uint32_t deleted_first; /* bool: its deletion was asked for before the API server knew of the end: the end is no reason for it */
	uint64_t kill_wall_us;	/* deletionTimestamp, when its grace period is over; 0 = it is not being deleted */
	char reason[POD_END_WORD_BYTES];     /* status.reason: "Evicted" …; "" = none */
	char disruption[POD_END_WORD_BYTES]; /* of the condition DisruptionTarget: "PreemptionByScheduler" …; "" = none */
	char message[256];	/* kubelet's or that condition's; escaped, redacted */
};
