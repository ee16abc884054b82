/* What a runtime asks: messages written here with our own writer are read back; tests/peers/test_nri_wire.py
 * holds the same decoder against Go's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "shim/nri_message.h"
#include "nri_make.h"

static void put_pair(struct proto_writer *w, uint32_t number, const char *key, const char *value)
{
	size_t mark = proto_begin(w, number);

	WORD(w, 1, key);
	WORD(w, 2, value);
	proto_end(w, mark);
}

static void put_limit(struct proto_writer *w, uint32_t resources_number, uint64_t limit)
{
	size_t resources = proto_begin(w, resources_number), memory = proto_begin(w, 1), optional = proto_begin(w, 1);

	proto_write_number(w, 1, limit);
	proto_end(w, optional);
	proto_end(w, memory);
	proto_end(w, resources);
}

static void put_pod(struct proto_writer *w, uint32_t number)
{
	size_t pod = proto_begin(w, number);

	WORD(w, 1, "pod0");
	WORD(w, 2, "etl-exec-1");
	WORD(w, 3, "uid-1");
	WORD(w, 4, "team-a");
	put_pair(w, 5, "spark-role", "executor");
	put_pair(w, 5, "spark-exec-id", "1");
	put_pair(w, 5, "spark-role", "driver"); /* said twice: the later counts */
	put_pair(w, 6, "spark-app-name", "etl");
	WORD(w, 7, "runc");
	size_t linux_ = proto_begin(w, 8);
	put_limit(w, 2, 2000);
	WORD(w, 3, "/kubepods/burstable/poduid-1");
	proto_end(w, linux_);
	proto_write_number(w, 9, 4711);
	WORD(w, 10, "10.0.0.1");
	proto_end(w, pod);
}

static void put_container(struct proto_writer *w, uint32_t number)
{
	size_t container = proto_begin(w, number);

	WORD(w, 1, "c0");
	WORD(w, 2, "pod0");
	WORD(w, 3, "spark-kubernetes-executor");
	proto_write_number(w, 4, CONTAINER_STOPPED);
	put_pair(w, 5, "io.kubernetes.pod.name", "etl-exec-1");
	put_pair(w, 6, "a", "b");
	WORD(w, 7, "/opt/entrypoint.sh");
	WORD(w, 7, "executor");
	WORD(w, 8, "SPARK_EXECUTOR_MEMORY=1g");
	size_t mount = proto_begin(w, 9);
	WORD(w, 1, "/var/data");
	WORD(w, 2, "bind");
	WORD(w, 3, "/var/lib/kubelet/x");
	WORD(w, 4, "rbind");
	WORD(w, 4, "size=4096");
	proto_end(w, mount);
	size_t linux_ = proto_begin(w, 11);
	size_t resources = proto_begin(w, 3);
	put_pair(w, 6, "memory.oom.group", "1");
	proto_end(w, resources);
	put_limit(w, 3, 1000); /* the resources said twice are merged */
	size_t optional = proto_begin(w, 4);
	proto_write_number(w, 1, (uint64_t)-997);
	proto_end(w, optional);
	WORD(w, 5, "/kubepods/burstable/poduid-1/c0");
	proto_end(w, linux_);
	proto_write_number(w, 12, 99);
	proto_write_number(w, 14, 1);
	proto_write_number(w, 16, 1700000000000000000);
	proto_write_number(w, 17, (uint64_t)(int64_t)-1);
	WORD(w, 18, "OOMKilled");
	size_t user = proto_begin(w, 21);
	proto_write_number(w, 1, 185);
	proto_end(w, user);
	proto_end(w, container);
}

static void check_pod(const struct pod_view *pod)
{
	assert_true(text_is(pod->id, "pod0") && text_is(pod->name, "etl-exec-1") && text_is(pod->uid, "uid-1") && text_is(pod->name_space, "team-a"));
	assert_true(text_is(pod->runtime_handler, "runc") && text_is(pod->cgroup_parent, "/kubepods/burstable/poduid-1"));
	assert_int_equal(pod->label_count, 2);
	assert_true(text_is(pod->labels[0].key, "spark-role") && text_is(pod->labels[0].value, "driver"));
	assert_true(pod->annotation_count == 1 && text_is(pod->annotations[0].value, "etl"));
	assert_int_equal(pod->memory_limit_bytes, 2000);
	assert_int_equal(pod->pid, 4711);
	assert_int_equal(pod->cut, 0);
}

static void check_container(const struct container_view *c)
{
	assert_true(text_is(c->id, "c0") && text_is(c->pod_id, "pod0") && text_is(c->name, "spark-kubernetes-executor"));
	assert_true(c->state == CONTAINER_STOPPED && c->pid == 99 && c->exit_code == -1 && text_is(c->status_reason, "OOMKilled"));
	assert_true(c->created_at_ns == 1 && c->started_at_ns == 0 && c->finished_at_ns == 1700000000000000000);
	assert_true(c->has_memory_limit && c->memory_limit_bytes == 1000 && c->has_oom_score_adj && c->oom_score_adj == -997);
	assert_true(c->has_user && c->uid == 185 && c->gid == 0);
	assert_true(c->env_count == 1 && text_is(c->env[0], "SPARK_EXECUTOR_MEMORY=1g"));
	assert_true(c->arg_count == 2 && text_is(c->args[1], "executor"));
	assert_true(c->mount_count == 1 && text_is(c->mounts[0].destination, "/var/data") && text_is(c->mounts[0].source, "/var/lib/kubelet/x") && text_is(c->mounts[0].size, "4096"));
	assert_true(c->annotation_count == 1 && c->unified_count == 1 && text_is(c->unified[0].key, "memory.oom.group"));
	assert_true(text_is(c->cgroups_path, "/kubepods/burstable/poduid-1/c0"));
}

static void test_every_event_is_read_old_way_and_new_way(void **unused)
{
	static const char *const names[] = {"RunPodSandbox", "StopPodSandbox", "RemovePodSandbox", "CreateContainer", "PostCreateContainer",
					    "StartContainer", "PostStartContainer", "UpdateContainer", "PostUpdateContainer", "StopContainer",
					    "RemoveContainer", "UpdatePodSandbox", "PostUpdatePodSandbox", "ValidateContainerAdjustment"};
	static unsigned char bytes[4096];
	static struct nri_event event;

	(void)unused;
	for (enum nri_event_kind want = NRI_RUN_POD; want < NRI_EVENT_KIND_MAX_; want++) {
		bool of_pod = want <= NRI_REMOVE_POD || want == NRI_UPDATE_POD || want == NRI_POST_UPDATE_POD;
		bool updates = want == NRI_UPDATE_CONTAINER || want == NRI_UPDATE_POD;
		struct ttrpc_request request = {.service = text_of(NRI_SERVICE_PLUGIN, strlen(NRI_SERVICE_PLUGIN)),
						.method = text_of(names[want - 1], strlen(names[want - 1]))};
		enum nri_event_kind kind;
		struct err e = {0};

		assert_int_equal(nri_method_of(&request, &kind), NRI_METHOD_EVENT);
		assert_int_equal(kind, want);
		assert_string_equal(nri_event_name(want), names[want - 1]);
		struct proto_writer w = writer_on(bytes, sizeof(bytes));
		put_pod(&w, 1);
		if (of_pod)
			put_limit(&w, 2, 5); /* overhead: no container */
		else
			put_container(&w, 2);
		put_limit(&w, 3, 3000);
		assert_int_equal(nri_decode_event(kind, written(&w), &event, &e), 0);
		assert_true(event.kind == want && event.has_pod && event.has_container == !of_pod && !event.state_change);
		check_pod(&event.pod);
		if (!of_pod)
			check_container(&event.container);
		assert_int_equal(event.has_memory_limit, updates);
		assert_int_equal(event.memory_limit_bytes, updates ? 3000 : 0);

		request.method = text_of("StateChange", 11);
		assert_int_equal(nri_method_of(&request, &kind), NRI_METHOD_EVENT);
		assert_int_equal(kind, NRI_EVENT_NONE);
		w.length = 0;
		proto_write_number(&w, 1, want);
		put_pod(&w, 2);
		if (!of_pod)
			put_container(&w, 3);
		assert_int_equal(nri_decode_event(kind, written(&w), &event, &e), 0);
		assert_true(event.kind == want && event.state_change && event.has_pod && event.has_container == !of_pod);
		check_pod(&event.pod);
	}
}

static void test_what_is_not_known_is_no_event(void **unused)
{
	static const struct {
		const char *service, *method;
	} unknown[] = {
		{NRI_SERVICE_PLUGIN, "CheckpointContainer"}, {NRI_SERVICE_PLUGIN, ""},		       {NRI_SERVICE_PLUGIN, "CreateContainerX"},
		{NRI_SERVICE_PLUGIN, "createcontainer"},     {NRI_SERVICE_RUNTIME, "RegisterPlugin"}, {"", "Configure"},
	};
	static const uint64_t kinds[] = {0, 15, 16, 0xffffffff, UINT64_MAX};
	static unsigned char bytes[64];
	static struct nri_event event;
	enum nri_event_kind kind;
	struct err e = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct ttrpc_request request = {.service = text_of(unknown[i].service, strlen(unknown[i].service)),
						.method = text_of(unknown[i].method, strlen(unknown[i].method))};
		assert_int_equal(nri_method_of(&request, &kind), NRI_METHOD_UNKNOWN);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct proto_writer w = writer_on(bytes, sizeof(bytes));
		proto_write_number(&w, 1, kinds[i]);
		assert_int_equal(nri_decode_event(NRI_EVENT_NONE, written(&w), &event, &e), 0);
		assert_true(event.kind == NRI_EVENT_NONE && event.state_change && !event.has_pod);
	}
	assert_int_equal(nri_decode_event(NRI_CREATE_CONTAINER, (struct text){0}, &event, &e), 0);
	assert_true(!event.has_pod && !event.has_container);
}

/* Half a message, at every byte: refused, or read as far as it goes where a cut leaves a whole message; never read beyond. */
static void test_half_a_message_is_refused_or_whole(void **unused)
{
	static unsigned char bytes[4096];
	static struct nri_event event;
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	size_t whole = 0, pod_end;

	(void)unused;
	put_pod(&w, 1);
	pod_end = w.length;
	put_container(&w, 2);
	for (size_t cut = 0; cut < w.length; cut++) {
		char *exact = malloc(cut + 1);
		struct err e = {0};
		memcpy(exact, bytes, cut);
		int r = nri_decode_event(NRI_CREATE_CONTAINER, text_of(exact, cut), &event, &e);
		whole += r == 0;
		assert_true(r == (cut == 0 || cut == pod_end ? 0 : -EBADMSG));
		if (r < 0)
			assert_string_equal(e.text, "the runtime's CreateContainer is cut short or no protobuf");
		free(exact);
	}
	assert_int_equal(whole, 2);
}

static void test_lists_beyond_their_caps_are_counted(void **unused)
{
	static unsigned char bytes[65536];
	static struct nri_event event;
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	struct err e = {0};
	char key[16];

	(void)unused;
	size_t pod = proto_begin(&w, 1);
	for (int i = 0; i < VIEW_LABELS_MAX + 3; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put_pair(&w, 5, key, "v");
	}
	put_pair(&w, 5, "k0", "again"); /* no new one: still taken */
	proto_end(&w, pod);
	size_t container = proto_begin(&w, 2);
	for (int i = 0; i < VIEW_ENV_MAX + 5; i++)
		WORD(&w, 8, "A=1");
	for (int i = 0; i < VIEW_MOUNTS_MAX + 7; i++)
		proto_end(&w, proto_begin(&w, 9));
	proto_end(&w, container);
	assert_int_equal(nri_decode_event(NRI_CREATE_CONTAINER, written(&w), &event, &e), 0);
	assert_true(event.pod.label_count == VIEW_LABELS_MAX && event.pod.cut == 3 && text_is(event.pod.labels[0].value, "again"));
	assert_true(event.container.env_count == VIEW_ENV_MAX && event.container.mount_count == VIEW_MOUNTS_MAX);
	assert_int_equal(event.container.cut, 12);
}

static void test_synchronize_is_walked_pod_by_pod(void **unused)
{
	static unsigned char bytes[1024 * 1024];
	static struct pod_view pod;
	static struct container_view container;
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	uint32_t pods = 0, containers = 0;
	struct nri_sync sync;
	struct text item;
	struct err e = {0};

	(void)unused;
	for (int i = 0; i < 500; i++)
		put_pod(&w, 1);
	for (int i = 0; i < 1000; i++)
		put_container(&w, 2);
	proto_write_number(&w, 3, 1);
	assert_int_equal(nri_sync_open(&sync, written(&w), &e), 0);
	assert_true(sync.more && sync.pod_count == 500 && sync.container_count == 1000);
	for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &item)) != NRI_SYNC_END;) {
		if (kind == NRI_SYNC_POD) {
			pods++;
			assert_true(text_is(nri_peek_id(item), "pod0"));
			assert_int_equal(nri_decode_pod(item, &pod, &e), 0);
			check_pod(&pod);
		} else {
			containers++;
			assert_true(text_is(nri_peek_pod_id(item), "pod0"));
			assert_int_equal(nri_decode_container(item, &container, &e), 0);
			check_container(&container);
		}
	}
	assert_true(pods == 500 && containers == 1000);
	assert_int_equal(nri_sync_open(&sync, text_of(bytes, w.length - 1), &e), -EBADMSG);
	assert_int_equal(nri_sync_open(&sync, (struct text){0}, &e), 0);
	assert_true(!sync.more && nri_sync_next(&sync, &item) == NRI_SYNC_END);
	assert_int_equal(nri_decode_pod(text_of("\x2a\x02\x0a\x05", 4), &pod, &e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_is_read_old_way_and_new_way),
		cmocka_unit_test(test_what_is_not_known_is_no_event),
		cmocka_unit_test(test_half_a_message_is_refused_or_whole),
		cmocka_unit_test(test_lists_beyond_their_caps_are_counted),
		cmocka_unit_test(test_synchronize_is_walked_pod_by_pod),
	};

	return cmocka_run_group_tests_name("nri_message", tests, NULL, NULL);
}
