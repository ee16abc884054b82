/* monitor_stage.h - the set of watched filesystems, with a broker, a clock and a node object that the test plays. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/monitor.h"

#define S 1000000ULL

struct stage {
	struct monitor monitor;
	struct health health;
	struct config config;
	unsigned asked[CONFIG_WATCH_MAX];
	bool must_be_mounted[CONFIG_WATCH_MAX];
	unsigned published;
	bool broker_up;
	uint64_t now_us;
};

static inline bool stage_probe(struct monitor *m, uint32_t index, bool must_be_mounted)
{
	struct stage *s = m->owner;

	s->asked[index] += s->broker_up;
	s->must_be_mounted[index] = must_be_mounted;
	return s->broker_up;
}

static inline void stage_changed(struct monitor *m)
{
	struct stage *s = m->owner;

	s->published += monitor_publish(m, s->now_us + 1000 * S, &s->health);
}

static inline void stage_describe(struct monitor *m)
{
	(void)m;
}

static const struct monitor_ops ops = {stage_probe, stage_describe, stage_changed};

static inline int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	config_defaults(&s->config);
	strcpy(s->config.node, "n1");
	s->config.discover = CONFIG_DISCOVER_OFF;
	s->config.watch_count = 2;
	strcpy(s->config.watch[0].path, "/data");
	strcpy(s->config.watch[0].role, "scratch");
	strcpy(s->config.watch[1].path, "/var/lib/kubelet");
	strcpy(s->config.watch[1].role, "kubelet");
	s->broker_up = true;
	s->now_us = 1000 * S;
	monitor_init(&s->monitor, &ops, NULL, s);
	monitor_configure(&s->monitor, &s->config, s->now_us);
	*state = s;
	return 0;
}

static inline int stage_close(void **state)
{
	struct stage *s = *state;

	free(s);
	return 0;
}

/* A finding of watch `index` on device 7:device. */
static inline void find(struct stage *s, uint32_t index, unsigned device, bool mount_root, enum probe_step step, int errnum)
{
	const struct finding f = {
		.watch = index, .step = step, .errnum = errnum, .mount_id = 100 + device, .device_major = 7, .device_minor = device,
		.mount_root = mount_root, .started_wall_us = 5 * S, .duration_us = 500,
	};

	s->now_us += S;
	monitor_finding(&s->monitor, &f, s->now_us, s->now_us + 1000 * S);
}

static inline void good(struct stage *s, uint32_t index, unsigned device)
{
	find(s, index, device, true, PROBE_DONE, 0);
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, stage_open, stage_close)
