/* run_jvm.h - what a JVM that stoker run has supervised left of its counters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* It collected its whole heap for want of room, by no request, right before it ended. False too where that is not known. */
bool run_jvm_collected_last(pid_t pid, uint64_t started_wall_us, uint64_t ended_wall_us);
