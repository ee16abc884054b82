/* pod_text.h - pods and containers of tests, written down in a few lines, and executors shown in one. */
#pragma once

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/executor.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/text.h"
#include "shim/view.h"

struct built {
	char text[8192]; /* what the views point into */
	struct pod_view pod;
	struct container_view container;
};

static inline struct text_pair built_pair(struct text text)
{
	struct text rest = text, key;

	assert_true(text_next(&rest, '=', &key));
	return (struct text_pair){key, rest};
}

static inline struct mount_view built_mount(struct text text)
{
	struct text rest = text, type = {.bytes = ""}, source = {.bytes = ""}, destination = {.bytes = ""}, bytes = {.bytes = ""};

	text_next(&rest, ' ', &type);
	text_next(&rest, ' ', &source);
	text_next(&rest, ' ', &destination);
	text_next(&rest, ' ', &bytes);
	return (struct mount_view){destination, type, source, bytes};
}

/* One line: "WORD VALUE". */
static inline void built_line(struct built *b, struct text word, struct text value)
{
	struct pod_view *pod = &b->pod;
	struct container_view *container = &b->container;
	const struct {
		const char *name;
		struct text *field;
	} fields[] = {{"pod", &pod->name},	     {"uid", &pod->uid},	     {"namespace", &pod->name_space},
		      {"parent", &pod->cgroup_parent}, {"id", &container->id},     {"name", &container->name},
		      {"image", &container->image},  {"path", &container->cgroups_path}};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (text_is(word, fields[i].name)) {
			*fields[i].field = value;
			return;
		}
	}
	if (text_is(word, "label"))
		pod->labels[pod->label_count++] = built_pair(value);
	else if (text_is(word, "annotation"))
		pod->annotations[pod->annotation_count++] = built_pair(value);
	else if (text_is(word, "container-annotation"))
		container->annotations[container->annotation_count++] = built_pair(value);
	else if (text_is(word, "unified"))
		container->unified[container->unified_count++] = built_pair(value);
	else if (text_is(word, "env"))
		container->env[container->env_count++] = value;
	else if (text_is(word, "arg"))
		container->args[container->arg_count++] = value;
	else if (text_is(word, "mount"))
		container->mounts[container->mount_count++] = built_mount(value);
	else if (text_is(word, "limit") && text_bytes(value, 1, &number))
		container->has_memory_limit = true, container->memory_limit_bytes = (int64_t)number;
	else if (text_is(word, "adj") && text_number(value, &number))
		container->has_oom_score_adj = true, container->oom_score_adj = (int64_t)number;
	else if (text_is(word, "user") && text_number(value, &number))
		container->has_user = true, container->uid = container->gid = (uint32_t)number;
	else
		fail_msg("no such line: %.*s", (int)word.length, word.bytes);
}

static inline void build(struct built *b, const char *text)
{
	struct text rest, line, word;

	memset(b, 0, sizeof(*b));
	assert_true(str_copy(b->text, sizeof(b->text), text));
	rest = text_of(b->text);
	while (text_next(&rest, '\n', &line)) {
		if (line.length == 0)
			continue;
		text_next(&line, ' ', &word);
		built_line(b, word, line);
	}
}

static inline void shown_text(char *text, size_t size, const char *name, const char *value)
{
	if (value[0])
		str_append(text, size, " %s=%s", name, value);
}

static inline void shown_number(char *text, size_t size, const char *name, uint64_t value)
{
	if (value)
		str_append(text, size, " %s=%llu", name, (unsigned long long)value);
}

static inline void shown_mib(char *text, size_t size, const char *name, uint64_t bytes)
{
	if (bytes)
		str_append(text, size, " %s=%llu%s", name, (unsigned long long)(bytes % (1 << 20) ? bytes : bytes >> 20), bytes % (1 << 20) ? "B" : "M");
}

/* Everything that recognising found, nothing that only was copied: "executor app=a id=spark-1 exec=7 heap=1024M". */
static inline void executor_show(const struct executor *e, char *text, size_t size)
{
	static const char *const operators[] = {"", "kubeflow", "apache", "emr", "kyuubi"};
	static const char *const schedulers[] = {"", "volcano", "yunikorn", "kueue", "runai"};
	static const char *const flags[] = {"exit-on-oom", "crash-on-oom", "kill-on-oom", "decommission", "tmpfs", "pyspark-memory", "client-mode", "empty-dir"};

	text[0] = '\0';
	str_append(text, size, "%s%s", executor_role_name((enum executor_role)e->role), e->sidecar ? " sidecar" : "");
	shown_text(text, size, "app", e->app_name);
	shown_text(text, size, "id", e->app_id);
	shown_text(text, size, "exec", e->executor_id);
	shown_text(text, size, "spark", e->spark_version);
	shown_text(text, size, "connect", e->connect_name);
	shown_text(text, size, "queue", e->queue);
	shown_text(text, size, "operator", operators[e->operator_]);
	shown_text(text, size, "scheduler", schedulers[e->scheduler]);
	if (e->language)
		shown_text(text, size, "language", executor_language_name((enum executor_language)e->language));
	if (e->qos)
		shown_text(text, size, "qos", executor_qos_name((enum executor_qos)e->qos));
	shown_text(text, size, "driver", e->driver_url);
	shown_mib(text, size, "heap", e->heap_bytes);
	shown_mib(text, size, "off-heap", e->off_heap_bytes);
	shown_mib(text, size, "python", e->python_worker_bytes);
	shown_mib(text, size, "limit", e->limit_bytes);
	shown_mib(text, size, "injected", e->injected_bytes);
	shown_number(text, size, "cores", e->cores);
	if (e->uid != UINT32_MAX)
		shown_number(text, size, "uid", e->uid);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (e->flags & 1U << i)
			str_append(text, size, " %s", flags[i]);
}
