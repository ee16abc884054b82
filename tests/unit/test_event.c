/* Which Event is said when; the objects; the aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cJSON.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/alias.h"
#include "health/death_event.h"
#include "health/event.h"
#include "health/kube_event.h"

#define S US_PER_S

/* --- what has happened --- */

struct heard {
	unsigned count;
	struct event last;
};

static void hear(void *owner, const struct event *event)
{
	struct heard *heard = owner;

	assert_true(event_is_sound(event));
	heard->count++;
	heard->last = *event;
}

static struct health *one_filesystem(void)
{
	struct health *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->filesystem_count = 1;
	h->time_wall_us = 1790000000 * S;
	str_copy(h->filesystems[0].path, sizeof(h->filesystems[0].path), "/data");
	str_copy(h->filesystems[0].mount_point, sizeof(h->filesystems[0].mount_point), "/data");
	return h;
}

static void test_which_steps_are_said(void **unused)
{
	static const struct {
		enum verdict_state state;
		const char *reason, *said;
		bool warning;
	} step[] = {
		{VERDICT_UNKNOWN, "NotProbed", NULL, false},
		{VERDICT_HEALTHY, "", NULL, false},
		{VERDICT_BAD, "ReadOnlyFilesystem", "ReadOnlyFilesystem", true},
		{VERDICT_BAD, "ReadOnlyFilesystem", NULL, false},
		{VERDICT_RECOVERING, "ReadOnlyFilesystem", NULL, false},
		{VERDICT_BAD, "ReadOnlyFilesystem", "ReadOnlyFilesystem", true}, /* again: counted by the book */
		{VERDICT_BAD, "IOErrors", "IOErrors", true},
		{VERDICT_RECOVERING, "IOErrors", NULL, false},
		{VERDICT_HEALTHY, "", "StorageRecovered", false},
		{VERDICT_WARNING, "FilesystemError", "FilesystemError", true},
		{VERDICT_HEALTHY, "", NULL, false},
		{VERDICT_UNKNOWN, "NotMounted", "NotMounted", true},
		{VERDICT_UNKNOWN, "NotMounted", NULL, false},
		{VERDICT_HEALTHY, "", NULL, false},
	};
	scoped(scoped_free) struct health *h = one_filesystem();
	struct event_watcher watcher = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		struct heard heard = {0};
		h->filesystems[0].state = step[i].state;
		str_copy(h->filesystems[0].reason, sizeof(h->filesystems[0].reason), step[i].reason);
		event_watch(&watcher, h, hear, &heard);
		if (heard.count != (step[i].said != NULL))
			fail_msg("step %zu: %u Events", i, heard.count);
		if (!step[i].said)
			continue;
		assert_string_equal(heard.last.reason, step[i].said);
		assert_int_equal(heard.last.warning, step[i].warning);
		assert_string_equal(heard.last.action, "Probe");
		assert_true(str_starts(heard.last.note, "/data"));
	}
}

/* The note of an Event cannot change: what became bad is not hidden behind the warning that came before it. */
static void test_a_warning_and_what_it_becomes_are_two(void **unused)
{
	scoped(scoped_free) struct health *h = one_filesystem();
	struct event_watcher watcher = {0};
	struct event_book book = {0};
	struct heard heard = {0};

	(void)unused;
	str_copy(h->filesystems[0].reason, sizeof(h->filesystems[0].reason), "ReadOnlyFilesystem");
	static const enum verdict_state states[] = {VERDICT_WARNING, VERDICT_BAD, VERDICT_RECOVERING, VERDICT_BAD};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		unsigned before = heard.count;
		h->filesystems[0].state = states[i];
		event_watch(&watcher, h, hear, &heard);
		if (heard.count > before)
			event_book_add(&book, &heard.last, i * S);
	}
	assert_int_equal(heard.count, 3);
	assert_int_equal(book.entries[0].count, 1); /* the warning */
	assert_int_equal(book.entries[1].count, 2); /* bad, twice */
	assert_false(book.entries[2].used);
}

static void test_what_an_earlier_life_said_is_not_said_again(void **unused)
{
	scoped(scoped_free) struct health *h = one_filesystem();
	struct event_watcher watcher = {0};
	struct heard heard = {0};

	(void)unused;
	h->filesystems[0].state = VERDICT_BAD;
	str_copy(h->filesystems[0].reason, sizeof(h->filesystems[0].reason), "IOErrors");
	event_watch(&watcher, h, NULL, NULL);
	event_watch(&watcher, h, hear, &heard);
	assert_int_equal(heard.count, 0);
	h->filesystems[0].state = VERDICT_HEALTHY;
	*h->filesystems[0].reason = '\0';
	event_watch(&watcher, h, hear, &heard);
	assert_int_equal(heard.count, 1);
	assert_non_null(strstr(heard.last.note, "after IOErrors"));
	/* not watched, and again: seen for the first time */
	h->filesystem_count = 0;
	event_watch(&watcher, h, hear, &heard);
	h->filesystem_count = 1;
	event_watch(&watcher, h, hear, &heard);
	assert_int_equal(heard.count, 1);
}

static void test_the_note_is_bounded_and_clean(void **unused)
{
	scoped(scoped_free) struct health *h = one_filesystem();
	struct health_filesystem *f = &h->filesystems[0];
	struct event_watcher watcher = {0};
	struct heard heard = {0};

	(void)unused;
	memset(f->path, '\n', sizeof(f->path) - 1);
	memset(f->mount_point, '\xff', sizeof(f->mount_point) - 1);
	memset(f->source, '\\', sizeof(f->source) - 1);
	memset(f->message, 'm', sizeof(f->message) - 1);
	f->state = VERDICT_BAD;
	str_copy(f->reason, sizeof(f->reason), "IOErrors");
	f->since_wall_us = h->time_wall_us;
	f->last_probe_wall_us = h->time_wall_us;
	f->last_probe_duration_us = UINT64_MAX;
	event_watch(&watcher, h, hear, &heard);
	assert_int_equal(heard.count, 1);
	assert_true(strlen(heard.last.note) < 1024);
	assert_non_null(strstr(heard.last.note, "1 of 1 filesystems are bad"));
}

/* --- the book --- */

static struct event made_event(const char *reason, uint64_t subject)
{
	struct event e = {.warning = 1, .subject = subject, .wall_us = 1790000000 * S};

	str_copy(e.reason, sizeof(e.reason), reason);
	str_copy(e.action, sizeof(e.action), "Probe");
	return e;
}

/* Sends what is due; how many went. */
static unsigned send_all(struct event_book *book, uint64_t now, enum event_fate fate)
{
	unsigned sent = 0;
	uint64_t next = UINT64_MAX;
	struct event_entry *entry;

	while ((entry = event_book_next(book, now, &next))) {
		event_book_send(book, entry);
		assert_null(event_book_next(book, now, &next)); /* one at a time */
		event_book_settle(book, fate, now);
		sent++;
		assert_true(sent < 1000);
		if (fate == EVENT_NOT_NOW)
			break;
	}
	return sent;
}

static void test_repeats_are_a_series(void **unused)
{
	struct event_book book = {0};
	struct event e = made_event("IOErrors", 7), other = made_event("IOErrors", 8);
	uint64_t now = 1000 * S, next = UINT64_MAX;

	(void)unused;
	event_book_add(&book, &e, now);
	assert_int_equal(send_all(&book, now, EVENT_TOLD), 1);
	assert_int_equal(send_all(&book, now, EVENT_TOLD), 0);
	event_book_add(&book, &e, now += 10 * S); /* the first repeat at once */
	assert_int_equal(send_all(&book, now, EVENT_TOLD), 1);
	assert_int_equal(book.entries[0].told, 2);
	for (unsigned i = 0; i < 5; i++)
		event_book_add(&book, &e, now += 1 * S);
	assert_int_equal(send_all(&book, now, EVENT_TOLD), 0); /* later ones when three minutes have gone */
	assert_null(event_book_next(&book, now, &next));
	assert_int_equal(next, 1010 * S + EVENT_UPDATE_US);
	assert_int_equal(send_all(&book, next, EVENT_TOLD), 1);
	assert_int_equal(book.entries[0].told, 7);
	/* another filesystem is another Event */
	event_book_add(&book, &other, now);
	assert_int_equal(send_all(&book, next, EVENT_TOLD), 1);
	assert_int_equal(book.entries[1].count, 1);
	/* after six quiet minutes it is a new one */
	event_book_add(&book, &e, now + EVENT_SERIES_US);
	assert_int_equal(book.entries[2].count, 1);
	assert_int_equal(book.entries[0].count, 7);
}

static void test_what_happens_while_it_is_sent_is_told_after(void **unused)
{
	struct event_book book = {0};
	struct event e = made_event("IOErrors", 7);
	uint64_t now = 1000 * S, next = UINT64_MAX;

	(void)unused;
	event_book_add(&book, &e, now);
	event_book_add(&book, &e, now); /* counted before it was made */
	event_book_send(&book, event_book_next(&book, now, &next));
	event_book_add(&book, &e, now);
	event_book_settle(&book, EVENT_TOLD, now);
	assert_int_equal(book.entries[0].told, 1); /* the object is there, its series is not */
	struct event_entry *entry = event_book_next(&book, now, &next);
	assert_ptr_equal(entry, &book.entries[0]);
	event_book_send(&book, entry);
	event_book_settle(&book, EVENT_TOLD, now);
	assert_int_equal(book.entries[0].told, 3);
}

static void test_one_that_is_gone_is_made_anew(void **unused)
{
	struct event_book book = {0};
	struct event e = made_event("IOErrors", 7);
	uint64_t now = 1000 * S, next = UINT64_MAX;

	(void)unused;
	event_book_add(&book, &e, now);
	send_all(&book, now, EVENT_TOLD);
	event_book_add(&book, &e, now);
	event_book_send(&book, event_book_next(&book, now, &next));
	event_book_settle(&book, EVENT_GONE, now);
	assert_int_equal(book.entries[0].told, 0);
	assert_int_equal(send_all(&book, now, EVENT_TOLD), 2); /* made, then its series */
	/* one that is never accepted does not stand in the way of others */
	event_book_add(&book, &e, now + EVENT_SERIES_US);
	assert_int_equal(send_all(&book, now + EVENT_SERIES_US, EVENT_REFUSED), 1);
	assert_int_equal(send_all(&book, now + EVENT_SERIES_US, EVENT_TOLD), 0);
}

static void test_a_flood_is_bounded(void **unused)
{
	struct event_book book = {0};
	uint64_t now = 1000 * S;
	unsigned sent = 0;

	(void)unused;
	/* an hour of sixty filesystems that fail and recover every ten seconds */
	for (unsigned i = 0; i < 360; i++, now += 10 * S) {
		for (uint64_t fs = 1; fs <= 60; fs++) {
			struct event e = made_event(i % 2 ? "StorageRecovered" : "IOErrors", fs);
			event_book_add(&book, &e, now);
		}
		sent += send_all(&book, now, EVENT_TOLD);
	}
	assert_true(sent <= EVENT_BURST + 61 + EVENT_PLACES * 25);
	assert_true(book.lost > 0);
	/* one filesystem alone: two Events and their series */
	struct event_book quiet = {0};
	for (unsigned i = sent = 0; i < 360; i++, now += 10 * S) {
		struct event e = made_event(i % 2 ? "StorageRecovered" : "IOErrors", 1);
		event_book_add(&quiet, &e, now);
		sent += send_all(&quiet, now, EVENT_TOLD);
	}
	assert_true(sent <= 2 * (2 + 20));
	assert_int_equal(quiet.lost, 0);
}

static void test_an_outage_keeps_the_newest(void **unused)
{
	struct event_book book = {0};
	uint64_t now = 1000 * S, next = UINT64_MAX;

	(void)unused;
	for (uint64_t fs = 1; fs <= EVENT_PLACES + 5; fs++, now += S) {
		struct event e = made_event("IOErrors", fs);
		assert_int_equal(event_book_add(&book, &e, now), fs <= EVENT_PLACES);
		send_all(&book, now, EVENT_NOT_NOW);
	}
	assert_int_equal(book.lost, 5);
	struct event_entry *first = event_book_next(&book, now, &next);
	assert_non_null(first);
	assert_int_equal(first->event.subject, 6); /* in the order in which it happened, without the five oldest */
	assert_int_equal(send_all(&book, now, EVENT_TOLD), EVENT_BURST);
	next = UINT64_MAX;
	assert_null(event_book_next(&book, now, &next));
	assert_true(next > now && next <= now + EVENT_TOKEN_US);
	assert_int_equal(send_all(&book, now + 30 * EVENT_TOKEN_US, EVENT_TOLD), EVENT_PLACES - EVENT_BURST);
}

/* --- the objects --- */

static void test_the_object(void **unused)
{
	struct event_entry entry = {.event = made_event("IOErrors", 7), .count = 3, .last_wall_us = 1790000000 * S + 5};

	(void)unused;
	str_copy(entry.event.note, sizeof(entry.event.note), "/data: input/output errors");
	kube_event_name("node-1", 0x64d1f6b0c5a00, 0x1002a, entry.name);
	assert_string_equal(entry.name, "node-1.00064d1f6b0c5a00002a");
	scoped(scoped_free) char *text = kube_event_object("node-1", &entry);
	scoped(scoped_free) char *patch = kube_event_series_patch(&entry);
	cJSON *got = cJSON_Parse(text);
	cJSON *want = cJSON_Parse("{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"node-1.00064d1f6b0c5a00002a\",\"namespace\":\"default\"},"
				  "\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"node-1\",\"uid\":\"node-1\"},\"eventTime\":\"2026-09-21T14:13:20.000000Z\","
				  "\"reportingController\":\"stoker.dev/stokerd\",\"reportingInstance\":\"node-1\",\"action\":\"Probe\",\"reason\":\"IOErrors\","
				  "\"note\":\"/data: input/output errors\",\"type\":\"Warning\"}");
	if (!cJSON_Compare(got, want, 1))
		fail_msg("got %s", text);
	assert_string_equal(patch, "{\"series\":{\"count\":3,\"lastObservedTime\":\"2026-09-21T14:13:20.000005Z\"}}");
	cJSON_Delete(got);
	cJSON_Delete(want);
}

static void test_an_event_about_a_pod(void **unused)
{
	struct event_entry entry = {.event = made_event("ExecutorHeapExhausted", 7), .count = 1};
	struct event_pod *pod = &entry.event.pod;

	(void)unused;
	strcpy(pod->name_space, "team-a");
	strcpy(pod->name, "etl-exec-3");
	strcpy(pod->uid, "0a1b-2c");
	kube_event_name(pod->name, 0x64d1f6b0c5a00, 1, entry.name);
	scoped(scoped_free) char *text = kube_event_object("node-1", &entry);
	cJSON *got = cJSON_Parse(text);
	const cJSON *regarding = cJSON_GetObjectItem(got, "regarding");
	assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(got, "metadata"), "namespace")->valuestring, "team-a");
	assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(got, "metadata"), "name")->valuestring, "etl-exec-3.00064d1f6b0c5a000001");
	assert_string_equal(cJSON_GetObjectItem(regarding, "kind")->valuestring, "Pod");
	assert_string_equal(cJSON_GetObjectItem(regarding, "namespace")->valuestring, "team-a");
	assert_string_equal(cJSON_GetObjectItem(regarding, "name")->valuestring, "etl-exec-3");
	assert_string_equal(cJSON_GetObjectItem(regarding, "uid")->valuestring, "0a1b-2c");
	assert_string_equal(cJSON_GetObjectItem(got, "reportingInstance")->valuestring, "node-1");
	cJSON_Delete(got);
}

/* They become a part of the URL. */
static void test_names_of_pods_are_checked(void **unused)
{
	static const struct {
		const char *name_space, *name, *uid;
		bool sound;
	} row[] = {
		{"team-a", "etl-exec-3", "0a1b-2c", true},
		{"a", "a.b-c.d", "0", true},
		{"team/../kube-system", "x", "0", false},
		{"team.a", "x", "0", false},
		{"Team", "x", "0", false},
		{"-a", "x", "0", false},
		{"a-", "x", "0", false},
		{"", "x", "0", false},
		{"a", "x/../y", "0", false},
		{"a", ".x", "0", false},
		{"a", "x..y", "0", false},
		{"a", "x.", "0", false},
		{"a", "x-.y", "0", false},
		{"a", "x?y", "0", false},
		{"a", "x", "", false},
		{"a", "x", "0\"", false},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct event e = made_event("X", 1);
		str_copy(e.pod.name_space, sizeof(e.pod.name_space), row[i].name_space);
		str_copy(e.pod.name, sizeof(e.pod.name), row[i].name);
		str_copy(e.pod.uid, sizeof(e.pod.uid), row[i].uid);
		if (event_pod_is_sound(&e.pod) != row[i].sound || event_is_sound(&e) != row[i].sound)
			fail_msg("%s/%s", row[i].name_space, row[i].name);
	}
	struct event e = made_event("X", 1);
	memset(e.pod.name, 'a', sizeof(e.pod.name));
	assert_false(event_is_sound(&e));
}

static void test_a_death_is_said_on_its_pod_and_on_its_drivers(void **unused)
{
	struct death d = {.cause = DEATH_HEAP, .exit_code = 52, .ended_wall_us = 1790000000 * S, .summary = "1024 MiB of JVM heap are full", .setting = "spark.executor.memory", .value = "1536m"};
	struct executor driver = {.role = EXECUTOR_ROLE_CLIENT_DRIVER, .name_space = "team-a", .pod = "jupyter", .pod_uid = "ff", .app_id = "spark-1"};
	struct event own, drivers;

	(void)unused;
	d.executor = (struct executor){.role = EXECUTOR_ROLE_EXECUTOR, .name_space = "team-a", .pod = "etl-exec-3", .pod_uid = "0a", .app_id = "spark-1", .app_name = "etl", .executor_id = "3"};
	struct event_pod pod = death_pod(&d.executor);
	death_event(&d, &pod, &own);
	assert_true(event_is_sound(&own) && own.warning);
	assert_string_equal(own.reason, "ExecutorHeapExhausted");
	assert_true(str_starts(own.note, "app etl exec 3: 1024 MiB of JVM heap are full. Set spark.executor.memory=1536m"));
	assert_true(death_is_driver(&d.executor, &driver));
	pod = death_pod(&driver);
	death_event(&d, &pod, &drivers);
	assert_string_equal(drivers.pod.name, "jupyter");
	assert_true(drivers.subject != own.subject);
	/* of another application, another namespace; no driver; a sidecar of it */
	struct executor other = driver;
	strcpy(other.app_id, "spark-2");
	assert_false(death_is_driver(&d.executor, &other));
	other = driver;
	strcpy(other.name_space, "team-b");
	assert_false(death_is_driver(&d.executor, &other));
	other = driver;
	other.role = EXECUTOR_ROLE_EXECUTOR;
	assert_false(death_is_driver(&d.executor, &other));
	other = driver;
	other.sidecar = 1;
	assert_false(death_is_driver(&d.executor, &other));
	/* nothing known of either is no match */
	*d.executor.app_id = *driver.app_id = '\0';
	assert_false(death_is_driver(&d.executor, &driver));
	strcpy(d.executor.connect_name, "shared");
	strcpy(driver.connect_name, "shared");
	assert_true(death_is_driver(&d.executor, &driver));
	d.cause = DEATH_FINISHED;
	assert_false(death_is_said(&d));
}

/* In the same pod, with the same name of application and executor: it must not be taken for it. */
static void test_a_neighbours_death_is_no_executors(void **unused)
{
	static const struct {
		enum death_cause cause;
		bool said, counted;
	} rows[] = {{DEATH_SIDECAR, true, true}, {DEATH_CRASHED, true, false}, {DEATH_KILLED, true, false}, {DEATH_DELETED, false, false}, {DEATH_EVICTED, false, false}};
	struct death d = {.summary = "crashed by itself"};
	struct event own, neighbours;

	(void)unused;
	d.executor = (struct executor){.role = EXECUTOR_ROLE_EXECUTOR, .pod = "etl-exec-3", .pod_uid = "0a", .app_name = "etl", .executor_id = "3", .container = "spark-kubernetes-executor"};
	const struct event_pod pod = death_pod(&d.executor);
	d.cause = DEATH_DELETED;
	assert_true(death_is_said(&d) && death_is_counted(&d));
	death_event(&d, &pod, &own);
	d.executor.sidecar = 1;
	strcpy(d.executor.container, "istio-proxy");
	death_event(&d, &pod, &neighbours);
	assert_true(own.subject != neighbours.subject);
	assert_true(str_starts(own.note, "app etl exec 3: crashed by itself"));
	assert_true(str_starts(neighbours.note, "app etl exec 3, container istio-proxy: crashed by itself"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		d.cause = rows[i].cause;
		if (death_is_said(&d) != rows[i].said || death_is_counted(&d) != rows[i].counted)
			fail_msg("row %zu", i);
	}
}

static void test_long_names_of_nodes(void **unused)
{
	char node[NAME_NODE_BYTES], instance[KUBE_EVENT_INSTANCE_BYTES], name[EVENT_NAME_BYTES], want[KUBE_EVENT_INSTANCE_BYTES];

	(void)unused;
	memset(node, 'n', sizeof(node) - 1);
	node[sizeof(node) - 1] = '\0';
	for (size_t i = 30; i < sizeof(node) - 1; i += 31)
		node[i] = '.';
	node[218] = '-';
	kube_event_instance(node, instance);
	assert_int_equal(strlen(instance), 128);
	snprintf(want, sizeof(want), "%.111s-%016llx", node, (unsigned long long)event_subject(node));
	assert_string_equal(instance, want);
	kube_event_name(node, UINT64_MAX, UINT32_MAX, name);
	assert_true(strlen(name) <= 253);
	assert_null(strstr(name, "-."));
	node[128] = '\0';
	kube_event_instance(node, instance);
	assert_string_equal(instance, node);
}

/* --- aliases --- */

static void test_the_aliases_polarity(void **unused)
{
	static const struct {
		enum verdict_state state[2];
		const char *reason[2];
		enum condition_status ready, read_only;
		const char *read_only_reason;
	} row[] = {
		{{VERDICT_HEALTHY, VERDICT_HEALTHY}, {"", ""}, CONDITION_TRUE, CONDITION_FALSE, "FilesystemIsNotReadOnly"},
		{{VERDICT_BAD, VERDICT_HEALTHY}, {"ReadOnlyFilesystem", ""}, CONDITION_FALSE, CONDITION_TRUE, "FilesystemIsReadOnly"},
		{{VERDICT_RECOVERING, VERDICT_HEALTHY}, {"FilesystemShutdown", ""}, CONDITION_FALSE, CONDITION_TRUE, "FilesystemIsReadOnly"},
		{{VERDICT_BAD, VERDICT_HEALTHY}, {"SpaceExhausted", ""}, CONDITION_FALSE, CONDITION_FALSE, "FilesystemIsNotReadOnly"},
		{{VERDICT_BAD, VERDICT_BAD}, {"SpaceExhausted", "ReadOnlyFilesystem"}, CONDITION_FALSE, CONDITION_TRUE, "FilesystemIsReadOnly"},
		{{VERDICT_UNKNOWN, VERDICT_HEALTHY}, {"NotMounted", ""}, CONDITION_UNKNOWN, CONDITION_UNKNOWN, "NotMounted"},
	};
	scoped(scoped_free) struct health *h = one_filesystem();

	(void)unused;
	h->filesystem_count = 2;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct report_condition ready = {.type = STOKER_STORAGE_READY, .status = row[i].ready}, got;
		for (unsigned k = 0; k < 2; k++) {
			h->filesystems[k].state = row[i].state[k];
			str_copy(h->filesystems[k].reason, sizeof(h->filesystems[k].reason), row[i].reason[k]);
		}
		str_copy(ready.reason, sizeof(ready.reason), *row[i].reason[0] ? row[i].reason[0] : "AllProbesPassed");
		str_copy(ready.message, sizeof(ready.message), "words");
		alias_condition(ALIAS_READONLY_FILESYSTEM, h, &ready, &got);
		assert_string_equal(got.type, "ReadonlyFilesystem");
		assert_int_equal(got.status, row[i].read_only);
		assert_string_equal(got.reason, row[i].read_only_reason);
		assert_true(str_starts(got.message, ALIAS_MARK));
		alias_condition(ALIAS_STORAGE_READY, h, &ready, &got);
		assert_string_equal(got.type, "StorageReady");
		assert_int_equal(got.status, row[i].ready);
		assert_string_equal(got.reason, ready.reason);
		assert_string_equal(got.message, ALIAS_MARK "words");
	}
}

static void test_another_writers_alias_is_left_alone(void **unused)
{
	static const struct report_condition none, ours = {.type = "T", .status = CONDITION_TRUE, .reason = "R", .message = ALIAS_MARK "well"},
						   newer = {.type = "T", .status = CONDITION_FALSE, .reason = "R", .message = ALIAS_MARK "bad"},
						   theirs = {.type = "T", .status = CONDITION_TRUE, .reason = "R", .message = "Filesystem is not read-only"};
	static const struct {
		const struct report_condition *there, *wanted, *written;
		enum alias_step step;
	} row[] = {
		{NULL, NULL, &none, ALIAS_NOTHING},
		{NULL, &ours, &none, ALIAS_WRITE},
		{NULL, &ours, &ours, ALIAS_WRITE}, /* somebody deleted it: no writer of another opinion */
		{&ours, &ours, &none, ALIAS_NOTHING}, /* of an earlier life */
		{&ours, &newer, &none, ALIAS_WRITE},
		{&ours, &newer, &ours, ALIAS_WRITE},
		{&ours, NULL, &none, ALIAS_REMOVE},
		{&ours, NULL, &ours, ALIAS_REMOVE},
		{&theirs, &ours, &none, ALIAS_FOREIGN},
		{&theirs, &ours, &ours, ALIAS_FOREIGN},
		{&newer, &ours, &ours, ALIAS_FOREIGN}, /* begins like ours, but we did not write it: two agents on one node */
		{&theirs, NULL, &none, ALIAS_NOTHING},
	};
	char words[256];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (alias_judge(row[i].there, row[i].wanted, row[i].written) != row[i].step)
			fail_msg("row %zu", i);
	alias_words(ALIAS_READONLY_FILESYSTEM, &theirs, words, sizeof(words));
	assert_non_null(strstr(words, "ReadonlyFilesystem"));
	assert_non_null(strstr(words, "report.aliases"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_steps_are_said),
		cmocka_unit_test(test_a_warning_and_what_it_becomes_are_two),
		cmocka_unit_test(test_what_an_earlier_life_said_is_not_said_again),
		cmocka_unit_test(test_the_note_is_bounded_and_clean),
		cmocka_unit_test(test_repeats_are_a_series),
		cmocka_unit_test(test_what_happens_while_it_is_sent_is_told_after),
		cmocka_unit_test(test_one_that_is_gone_is_made_anew),
		cmocka_unit_test(test_a_flood_is_bounded),
		cmocka_unit_test(test_an_outage_keeps_the_newest),
		cmocka_unit_test(test_the_object),
		cmocka_unit_test(test_an_event_about_a_pod),
		cmocka_unit_test(test_names_of_pods_are_checked),
		cmocka_unit_test(test_a_death_is_said_on_its_pod_and_on_its_drivers),
		cmocka_unit_test(test_a_neighbours_death_is_no_executors),
		cmocka_unit_test(test_long_names_of_nodes),
		cmocka_unit_test(test_the_aliases_polarity),
		cmocka_unit_test(test_another_writers_alias_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
