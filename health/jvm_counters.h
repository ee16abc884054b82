/* jvm_counters.h - what a JVM counts of itself in /tmp/hsperfdata_USER/PID (-XX:+UsePerfData, the default), which stays when it is killed. Pure.
 *
 * Of use for one question: did it collect its whole heap, for want of room and by no request, right before its end? It does so, twice, before it
 * throws an OutOfMemoryError, however little of the heap the next object may have left in use. Format: version 2.0, JDK 5 to 25. Foreign bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JVM_COUNTERS_BYTES 65536 /* 32 KiB by default */

struct jvm_counters {
	uint64_t begun_wall_us;		/* the JVM itself */
	uint64_t full_collection_wall_us; /* its last one of the whole heap ended; 0 = it made none */
	bool by_request;		/* System.gc() and the like was the cause of the last collection */
};

/* False: it is not that, or says too little. */
bool jvm_counters_read(const unsigned char *bytes, size_t length, struct jvm_counters *ret);
