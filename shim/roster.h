/* roster.h - who lives here, where no runtime tells: containers of Spark from cgroupfs, their processes' command lines, and the names of
 * the pods' log directories.
 *
 * Less than NRI tells: no labels, no environment (so no app name beyond what the pod's name says, no local dirs), no exit codes, and
 * nothing can be set. What is not a pod of kubelet's is left out. Bounded in depth, directories, containers and processes; what is
 * beyond is said in `cut`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/executor.h"
#include "base/redact.h"

#define ROSTER_MAX 512

struct roster {
	uint32_t count;
	bool cut;
	struct executor executors[ROSTER_MAX];
};

/* Directories, open for reading: a hierarchy with kubelet's cgroups in it, /proc, and where pods' logs are (-1: not there). Only read
 * (read, openat, getdents64): it runs behind a closed filter. */
struct roster_places {
	int cgroups_fd, proc_fd, logs_fd;
};

/* Large: the caller allocates it. What a command line says of secrets is taken out before anything is taken from it. */
void roster_scan(const struct roster_places *places, const struct redactor *redactor, struct roster *ret);
