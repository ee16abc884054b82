/* health_make.h - a node with filesystems, at a time of its own. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health.h"

/* 2026-11-26T08:15:00Z */
#define NOON 1795680900ULL
#define AT(seconds) ((NOON + (seconds)) * US_PER_S)

static inline struct health *new_health(void)
{
	struct health *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	strcpy(h->node, "node-1");
	h->time_wall_us = AT(120) + 5;
	return h;
}

static inline struct health_filesystem *add(struct health *h, const char *path, enum verdict_state state, const char *reason, const char *message)
{
	struct health_filesystem *f = &h->filesystems[h->filesystem_count++];

	str_copy(f->path, sizeof(f->path), path);
	str_copy(f->mount_point, sizeof(f->mount_point), path);
	strcpy(f->fs_type, "ext4");
	snprintf(f->source, sizeof(f->source), "/dev/loop%u", h->filesystem_count - 1);
	snprintf(f->device, sizeof(f->device), "7:%u", h->filesystem_count - 1);
	strcpy(f->roles[f->role_count++], "scratch");
	f->state = state;
	str_copy(f->reason, sizeof(f->reason), reason);
	str_copy(f->message, sizeof(f->message), message);
	f->since_wall_us = AT(0);
	f->last_probe_wall_us = AT(119);
	f->last_probe_duration_us = 1340;
	f->last_probe_errnum = state == VERDICT_BAD ? EROFS : 0;
	f->kernel_errors = state == VERDICT_BAD ? 2 : 0;
	f->kernel_errors_wall_us = state == VERDICT_BAD ? f->last_probe_wall_us : 0;
	f->mounted = 1;
	return f;
}

static inline struct config *new_config(enum config_taint taint)
{
	struct config *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	strcpy(c->report.taint_key, STOKER_TAINT_KEY);
	c->report.taint_for = CONFIG_TAINT_FOR_STORAGE;
	c->report.taint = taint;
	return c;
}

/* Everything that JSON and table must keep apart, escape or leave out. */
static inline void fill_ugly(struct health *h)
{
	struct health_filesystem *f = add(h, "/data", VERDICT_BAD, "ReadOnlyFilesystem", "read-only: making a file failed with EROFS");
	struct health_input input = {"kmsg", "missing", "no \"broker\"\\x0a", AT(3)};

	strcpy(f->roles[f->role_count++], "kubelet");
	f->size_bytes = 64000000;
	f->available_bytes = 16000000;
	f->inodes = 2000;
	f->available_inodes = 3;
	f->space_full_low_s = 600;
	f->space_full_high_s = 930;
	f = add(h, "/a b\n\tc\\n\xff\xc3\xa9\x1b[31m", VERDICT_UNKNOWN, "WatchPathMissing", "the path does not exist (yet)");
	f->last_probe_wall_us = f->last_probe_duration_us = 0;
	f->mounted = 0;
	f->origin = TARGET_PATTERN;
	f->ignored = 1;
	f->since_wall_us += 123456;
	h->inputs[h->input_count++] = input;
	h->agent = (struct health_agent){AT(0), "0.1.0", 1, 2, 3, AT(4), 1, "b0071d"};
	h->filesystems[0].probes = (struct health_probes){3, 1, 2, 0, 5000, {1, 0, 0, 0, 2}};
	h->status = health_judge(h);
	h->taint_held = 1;
	h->taint_holder = HOLDER_PERSON;
	strcpy(h->taint_why, "no cluster");
	h->nri = (struct health_nri){.present = 1, .live = 1, .exit_codes = 1, .oom_score_adj = 1, .runtime = "containerd", .runtime_version = "v2.3.4", .nri_version = "0.12.0", .requests = 1, .late = 2, .refused = 3, .adjusted = 4, .reconnects = 5, .unverified = 6};
	h->volumes = (struct health_volumes){.present = 1, .registered = 1, .count = 1, .size_bytes = 2, .used_bytes = 3, .bounded = 4, .emptied = 5, .refused = 6,
					     .publish = 7, .unpublish = 8, .stats = 9, .failed = 10};
	h->executors.present = 1;
	h->executors.running[EXECUTOR_ROLE_EXECUTOR] = 2;
	executor_counts_add(&h->executors, "heap", "team-a");
	executor_counts_add(&h->executors, "heap", "team-a");
}
