/* The conversation with a runtime: every state, both sets of calls, what is late, what is undone, and what is nonsense. */
#include "tests/unit/nri_stage.h"

#include "base/clock.h"
#include "base/scoped.h"

#define stage_test_nri(name) cmocka_unit_test_setup_teardown(name, nri_stage_open, nri_stage_close)

/* --- handshake --- */

static void test_registers_as_stoker_40(void **state)
{
	struct nri_stage *s = *state;
	struct mux_message message;
	struct ttrpc_request request;
	struct proto_reader reader;
	struct proto_field field;

	assert_int_equal(nri_session_open(&s->session, s->ours, &s->e), 0);
	assert_true(stage_next(s, &message));
	assert_int_equal(ttrpc_decode_request(&message.ttrpc, &request), 0);
	proto_open(&reader, request.payload);
	assert_int_equal(proto_next(&reader, &field), 1);
	assert_true(field.tag == PROTO_TAG(1, PROTO_BYTES) && text_is(field.bytes, "stoker"));
	assert_int_equal(proto_next(&reader, &field), 1);
	assert_true(field.tag == PROTO_TAG(2, PROTO_BYTES) && text_is(field.bytes, "40"));
	assert_int_equal(s->state.state, WIRE_NRI_REGISTERING);
}

static void test_every_version_gets_events_that_it_knows(void **state)
{
	static const struct {
		const char *runtime, *version, *nri, *want;
		bool codes;
	} row[] = {
		{"containerd", "v1.7.0", "", "0.3.0", false},	{"containerd", "v1.7.23", "", "0.6.1", false}, {"containerd", "v1.7.27", "", "0.8.0", false},
		{"containerd", "v2.0.1", "", "0.8.0", false},	{"containerd", "v2.2.0", "", "0.10.0", false}, {"containerd", "v2.2.9", "", "0.11.0", false},
		{"containerd", "v2.3.4", "v0.12.0", "0.12.0", true}, {"cri-o", "1.34.1", "", "0.10.0", false},	       {"cri-o", "1.35.0", "", "0.11.0", true},
		{"something", "9", "", "", false},
	};
	struct nri_stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		stage_register(s);
		assert_int_equal(stage_configure(s, row[i].runtime, row[i].version, row[i].nri, 0, 0), 0);
		assert_int_equal(stage_number(s, 2), 0x2 | 0x4 | 0x8 | 0x40 | 0x200 | 0x400);
		assert_int_equal(stage_call(s, "Synchronize", text_of("", 0)), 0);
		assert_string_equal(s->state.runtime, row[i].runtime);
		assert_string_equal(s->state.nri_version, row[i].want);
		if ((bool)s->state.exit_codes != row[i].codes)
			fail_msg("row %zu", i);
		nri_session_close(&s->session, "the runtime has closed it");
		assert_string_equal(s->state.why, "the runtime has closed it");
		s->stream = 0;
	}
}

static void test_the_states_come_in_order(void **state)
{
	static const enum wire_nri want[] = {WIRE_NRI_REGISTERING, WIRE_NRI_SYNCHRONISING, WIRE_NRI_LIVE, WIRE_NRI_DISCONNECTED};
	struct nri_stage *s = *state;
	unsigned at = 0;

	assert_int_equal(nri_session_open(&s->session, s->ours, &s->e), 0);
	assert_int_equal(s->state.state, want[at++]);
	stage_answer_register(s, TTRPC_OK, "");
	assert_int_equal(stage_pump(s), 0);
	assert_int_equal(s->state.state, want[at++]);
	assert_int_equal(stage_configure(s, "containerd", "v2.3.4", "v0.12.0", 0, 0), 0);
	assert_int_equal(stage_call(s, "Synchronize", text_of("", 0)), 0);
	assert_int_equal(s->state.state, want[at++]);
	assert_int_equal(s->types[s->count - 1], WIRE_SYNCHRONIZED);
	nri_session_close(&s->session, "");
	assert_int_equal(s->state.state, want[at]);
	assert_int_equal(s->count, 5);
}

static void test_a_runtime_that_refuses_is_quoted(void **state)
{
	struct nri_stage *s = *state;

	assert_int_equal(nri_session_open(&s->session, s->ours, &s->e), 0);
	stage_answer_register(s, TTRPC_INVALID_ARGUMENT, "invalid plugin\n name");
	assert_true(stage_pump(s) < 0);
	assert_non_null(strstr(s->e.text, "invalid plugin\\n name"));
}

static void expire_at(struct nri_stage *s, uint64_t us, const char *words)
{
	assert_int_equal(nri_session_deadline_us(&s->session), s->now_us + us);
	s->now_us += us - 1;
	assert_int_equal(nri_session_expire(&s->session, &s->e), 0);
	s->now_us += 1;
	assert_true(nri_session_expire(&s->session, &s->e) < 0);
	assert_non_null(strstr(s->e.text, words));
}

static void test_a_runtime_that_falls_silent_is_left(void **state)
{
	struct nri_stage *s = *state;

	assert_int_equal(nri_session_open(&s->session, s->ours, &s->e), 0);
	expire_at(s, 30 * US_PER_S, "does not answer RegisterPlugin");
	stage_answer_register(s, TTRPC_OK, "");
	assert_int_equal(stage_pump(s), 0);
	expire_at(s, 7 * US_PER_S, "does not synchronise");
	assert_int_equal(stage_configure(s, "containerd", "v2.0.0", "", 10000, 3000), 0);
	expire_at(s, 13 * US_PER_S, "does not synchronise");
	assert_int_equal(stage_call(s, "Synchronize", text_of("", 0)), 0);
	assert_int_equal(nri_session_deadline_us(&s->session), 0); /* live: silence means nothing */
	s->now_us += 1000000 * US_PER_S;
	assert_int_equal(nri_session_expire(&s->session, &s->e), 0);
}

static void test_a_timeout_that_makes_no_sense_is_not_believed(void **state)
{
	struct nri_stage *s = *state;

	stage_register(s);
	assert_int_equal(stage_configure(s, "containerd", "v2.0.0", "", UINT64_MAX, 1ULL << 62), 0);
	expire_at(s, 7 * US_PER_S, "does not synchronise");
}

/* --- Synchronize --- */

static int sync_part(struct nri_stage *s, const char *const *pods, const struct made *containers, bool more)
{
	struct thing thing;
	struct proto_writer *w = &thing_begin(&thing)->w;

	for (; pods && *pods; pods++)
		put_pod(w, 1, *pods);
	for (; containers && containers->id; containers++)
		put_container(w, 2, containers);
	proto_write_number(w, 3, more);
	int r = stage_call(s, "Synchronize", written(w));
	if (r == 0)
		assert_int_equal(stage_number(s, 2), more);
	return r;
}

static void test_what_lives_here_is_told(void **state)
{
	static const char *const pods[] = {"p1", "p2", NULL};
	static const struct made containers[] = {
		{.id = "c1", .pod = "p1", .name = "spark", .state = CONTAINER_RUNNING, .pid = 7}, {.id = "c2", .pod = "p2", .name = "nginx", .state = CONTAINER_RUNNING},
		{.id = "c3", .pod = "p2", .name = "spark-b", .state = CONTAINER_CREATED},	   {.id = "c4", .pod = "p1", .name = "spark", .state = CONTAINER_STOPPED},
		{.id = "c5", .pod = "p9", .name = "spark", .state = CONTAINER_RUNNING}, /* of a pod that nobody names */
		{0},
	};
	static const enum wire_type want[] = {WIRE_EXECUTOR, WIRE_CONTAINER_STARTED, WIRE_EXECUTOR, WIRE_NRI_STATE, WIRE_SYNCHRONIZED};
	struct nri_stage *s = *state;

	stage_register(s);
	assert_int_equal(stage_configure(s, "containerd", "v2.3.0", "v0.12.0", 0, 0), 0);
	s->count = 0;
	assert_int_equal(sync_part(s, pods, containers, false), 0);
	assert_int_equal(s->count, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(s->types[i], want[i]);
	assert_string_equal(s->pods[0], "name-p1");
	assert_string_equal(s->containers[1].container_id, "c1");
	assert_string_equal(s->containers[1].pod_uid, "uid-p1");
	assert_int_equal(s->containers[1].pid, 7);
	assert_string_equal(s->pods[2], "name-p2");
	assert_int_equal(s->session.told.refused_total, 1);
}

static void test_parts_are_joined(void **state)
{
	static const char *const first[] = {"p1", "p2", NULL}, *const last[] = {"p3", NULL};
	static const struct made of_first[] = {{.id = "c3", .pod = "p3", .name = "spark", .state = CONTAINER_RUNNING}, {0}}; /* its pod comes last */
	static const struct made of_middle[] = {{.id = "c1", .pod = "p1", .name = "spark", .state = CONTAINER_CREATED}, {0}}, of_last[] = {{.id = "c2", .pod = "p2", .name = "spark"}, {0}};
	struct nri_stage *s = *state;
	unsigned executors = 0;

	stage_register(s);
	assert_int_equal(stage_configure(s, "containerd", "v2.3.0", "v0.12.0", 0, 0), 0);
	s->count = 0;
	assert_int_equal(sync_part(s, first, of_first, true), 0);
	assert_int_equal(sync_part(s, NULL, of_middle, true), 0);
	assert_int_equal(s->count, 0); /* nothing before all is there */
	assert_int_equal(sync_part(s, last, of_last, false), 0);
	for (unsigned i = 0; i < s->count; i++)
		executors += s->types[i] == WIRE_EXECUTOR;
	assert_int_equal(executors, 3);
	assert_string_equal(s->pods[0], "name-p3");
	assert_int_equal(s->types[s->count - 1], WIRE_SYNCHRONIZED);
	assert_int_equal(s->session.roster.part_count, 0);
}

static void test_a_roster_that_was_cut_says_nothing_of_who_is_gone(void **state)
{
	struct nri_stage *s = *state;

	stage_register(s);
	for (int i = 0; i <= ROSTER_PARTS_MAX; i++)
		assert_int_equal(sync_part(s, NULL, NULL, true), 0);
	assert_int_equal(sync_part(s, NULL, NULL, false), 0);
	assert_int_equal(s->session.told.state, WIRE_NRI_LIVE);
	for (unsigned i = 0; i < s->count; i++)
		assert_int_not_equal(s->types[i], WIRE_SYNCHRONIZED);
	/* The next one is whole. */
	assert_int_equal(sync_part(s, NULL, NULL, false), 0);
	assert_int_equal(s->types[s->count - 1], WIRE_SYNCHRONIZED);
}

static void test_a_message_of_3_mb(void **state)
{
	struct nri_stage *s = *state;
	size_t size = 3 << 20;
	scoped(scoped_free) unsigned char *bytes = calloc(1, size + 4096);
	struct proto_writer w = writer_on(bytes, size + 4096);

	stage_register(s);
	memset(s->message, 'x', size);
	put_pod(&w, 1, "p1");
	size_t mark = proto_begin(&w, 2);
	WORD(&w, 1, "c1");
	WORD(&w, 2, "p1");
	WORD(&w, 3, "spark");
	proto_write_text(&w, 8, (const char *)s->message, size); /* one very long variable */
	proto_end(&w, mark);
	assert_int_equal(stage_call(s, "Synchronize", written(&w)), 0);
	assert_int_equal(s->types[s->count - 1], WIRE_SYNCHRONIZED);
	assert_string_equal(s->pods[s->count - 3], "name-p1");
}

/* --- events --- */

static void test_both_sets_of_calls_tell_the_same(void **state)
{
	static const struct {
		const char *method;
		enum nri_event_kind kind;
		enum wire_type want;
	} row[] = {
		{"PostStartContainer", NRI_POST_START_CONTAINER, WIRE_CONTAINER_STARTED}, {"StopContainer", NRI_STOP_CONTAINER, WIRE_CONTAINER_STOPPED},
		{"RemoveContainer", NRI_REMOVE_CONTAINER, WIRE_CONTAINER_REMOVED},	  {"StopPodSandbox", NRI_STOP_POD, WIRE_POD_STOPPING},
	};
	const struct made made = {.id = "c1", .pod = "p1", .name = "spark", .pid = 42, .finished_at_ns = 5000000, .exit_code = 137};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		s->count = 0;
		assert_int_equal(stage_event(s, row[i].method, row[i].kind, &made), 0);
		assert_int_equal(stage_event(s, "StateChange", row[i].kind, &made), 0);
		assert_int_equal(s->code, TTRPC_OK);
		assert_int_equal(s->count, 2);
		assert_true(s->types[0] == row[i].want && s->types[1] == row[i].want);
		assert_memory_equal(&s->containers[0], &s->containers[1], sizeof(s->containers[0]));
		assert_string_equal(s->containers[0].pod_uid, "uid-p1");
		if (row[i].want == WIRE_POD_STOPPING)
			continue;
		assert_string_equal(s->containers[0].container_id, "c1");
		assert_int_equal(s->containers[0].has_exit, row[i].want != WIRE_CONTAINER_STARTED);
		assert_int_equal(s->containers[0].exit_code, row[i].want != WIRE_CONTAINER_STARTED ? 137 : 0);
		assert_int_equal(s->containers[0].finished_wall_us, row[i].want != WIRE_CONTAINER_STARTED ? 5000 : 0);
	}
}

/* Created while the runtime synchronised: nobody told of it, until it starts. */
static void test_a_start_names_who_was_not_named(void **state)
{
	static const char *const pods[] = {"p1", NULL};
	static const struct made listed[] = {{.id = "c2", .pod = "p1", .name = "spark", .state = CONTAINER_CREATED}, {0}};
	const struct made missed = {.id = "c1", .pod = "p1", .name = "spark", .pid = 42}, other = {.id = "c3", .pod = "p1", .name = "nginx"},
			  later = {.id = "c2", .pod = "p1", .name = "spark"};
	struct nri_stage *s = *state;

	stage_register(s);
	assert_int_equal(stage_configure(s, "containerd", "v2.3.4", "v0.12.0", 0, 0), 0);
	assert_int_equal(sync_part(s, pods, listed, false), 0);
	s->count = 0;
	assert_int_equal(stage_event(s, "PostStartContainer", NRI_POST_START_CONTAINER, &missed), 0);
	assert_int_equal(s->count, 2);
	assert_true(s->types[0] == WIRE_EXECUTOR && s->types[1] == WIRE_CONTAINER_STARTED);
	assert_string_equal(s->pods[0], "name-p1");
	assert_int_equal(s->containers[1].pid, 42);
	/* who was named is not named again; who is no Spark is not named */
	s->count = 0;
	assert_int_equal(stage_event(s, "PostStartContainer", NRI_POST_START_CONTAINER, &missed), 0);
	assert_int_equal(stage_event(s, "PostStartContainer", NRI_POST_START_CONTAINER, &later), 0);
	assert_int_equal(stage_event(s, "PostStartContainer", NRI_POST_START_CONTAINER, &other), 0);
	assert_int_equal(s->count, 3);
	for (unsigned i = 0; i < s->count; i++)
		assert_int_equal(s->types[i], WIRE_CONTAINER_STARTED);
}

static void test_what_was_not_asked_for_is_answered_and_not_told(void **state)
{
	static const char *const methods[] = {"RunPodSandbox", "UpdatePodSandbox", "PostUpdatePodSandbox", "RemovePodSandbox", "PostCreateContainer", "StartContainer",
					      "UpdateContainer", "PostUpdateContainer", "ValidateContainerAdjustment", "Shutdown"};
	const struct made made = {.id = "c1", .pod = "p1", .name = "spark"};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		assert_int_equal(stage_event(s, methods[i], NRI_EVENT_NONE, &made), 0);
		assert_int_equal(s->code, TTRPC_OK);
		assert_int_equal(s->payload.length, 0);
	}
	for (unsigned kind = NRI_EVENT_KIND_MAX_; kind < 40; kind++) {
		assert_int_equal(stage_event(s, "StateChange", (enum nri_event_kind)kind, &made), 0);
		assert_int_equal(s->code, TTRPC_OK);
	}
	assert_int_equal(s->count, 0);
	assert_int_equal(s->decisions, 0);
}

static void test_an_unknown_method_is_unimplemented(void **state)
{
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	assert_int_equal(stage_call(s, "FrobnicateContainer", text_of("", 0)), 0);
	assert_int_equal(s->code, TTRPC_UNIMPLEMENTED);
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0); /* and it goes on */
	assert_int_equal(s->code, TTRPC_OK);
}

/* --- creation --- */

static const struct plan a_plan = {.env_count = 1, .env = {{"STOKER", "1"}}};

static void test_a_creation_is_adjusted_and_told(void **state)
{
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	s->complaint = "stoker.dev/x: not a number";
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_true(s->payload.length > 0);
	assert_int_equal(s->types[0], WIRE_EXECUTOR);
	assert_int_equal(s->types[1], WIRE_COMPLAINT);
	assert_string_equal(s->said.text, s->complaint);
	assert_string_equal(s->said.pod, "name-p1");
	assert_string_equal(s->said.name_space, "team");
	assert_int_equal(s->session.told.adjusted_total, 1);
	/* What is no Spark is left alone and not told of. */
	s->count = 0;
	assert_int_equal(stage_create(s, "p1", "c2", "nginx"), 0);
	assert_int_equal(s->payload.length, 0);
	assert_int_equal(s->count, 0);
}

static void test_a_late_decision_is_thrown_away(void **state)
{
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	s->decide_us = NRI_SESSION_BUDGET_US;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_true(s->payload.length > 0);
	s->decide_us++;
	assert_int_equal(stage_create(s, "p2", "c2", "spark"), 0);
	assert_int_equal(s->code, TTRPC_OK);
	assert_int_equal(s->payload.length, 0);
	assert_int_equal(s->session.told.late_total, 1);
	assert_int_equal(s->session.told.adjusted_total, 1);
	assert_int_equal(s->types[s->count - 1], WIRE_EXECUTOR); /* it lives here all the same */
}

static void expect_scratch(const struct nri_stage *s, uint64_t bytes)
{
	assert_int_equal(s->executor.injected_bytes, bytes);
	assert_int_equal(s->executor.flags, bytes ? EXECUTOR_TMPFS_LOCAL_DIRS : 0);
}

static void test_scratch_is_told_of_when_it_is_given(void **state)
{
	const struct made undone = {.id = "c2", .pod = "p2", .name = "spark"};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = (struct plan){.env_count = 1, .env = {{"SPARK_LOCAL_DIRS", "/s"}}, .mount_count = 1, .mounts = {{.type = PLAN_MOUNT_TMPFS, .size_bytes = 1 << 24, .destination = "/s"}}};
	s->decide_us = NRI_SESSION_BUDGET_US + 1;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	expect_scratch(s, 0); /* decided upon too late */
	s->decide_us = 0;
	assert_int_equal(stage_create(s, "p2", "c2", "spark"), 0);
	expect_scratch(s, 1 << 24);
	assert_int_equal(stage_event(s, "RemoveContainer", NRI_REMOVE_CONTAINER, &undone), 0);
	assert_int_equal(stage_create(s, "p2", "c3", "spark"), 0);
	expect_scratch(s, 0); /* its creation failed before */
}

static void test_a_request_that_comes_slowly_is_late_too(void **state)
{
	unsigned char bytes[1024], framed[1100];
	struct nri_stage *s = *state;
	struct proto_writer w = writer_on(bytes, sizeof(bytes)), f = writer_on(framed, sizeof(framed));
	struct mux_message message;
	struct ttrpc_response response;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	size_t mark = ttrpc_begin_request(&w, s->stream + 1, NRI_SERVICE_PLUGIN, "CreateContainer");
	put_pod(&w, 1, "p1");
	put_container(&w, 2, &(struct made){.id = "c1", .pod = "p1", .name = "spark"});
	assert_int_equal(ttrpc_end(&w, mark), 0);
	proto_write_raw(&f, (const unsigned char[]){0, 0, 0, MUX_PLUGIN, 0, 0, (unsigned char)(w.length >> 8), (unsigned char)w.length}, 8);
	proto_write_raw(&f, bytes, w.length);
	assert_int_equal(nri_session_receive(&s->session, framed, 40, &s->e), 0);
	s->now_us += NRI_SESSION_BUDGET_US + 1;
	assert_int_equal(nri_session_receive(&s->session, framed + 40, f.length - 40, &s->e), 0);
	assert_true(stage_next(s, &message));
	assert_int_equal(ttrpc_decode_response(&message.ttrpc, &response), 0);
	assert_int_equal(response.code, TTRPC_OK);
	assert_int_equal(response.payload.length, 0);
	assert_int_equal(s->session.told.late_total, 1);
}

static void test_after_a_failed_creation_the_pod_is_left_alone(void **state)
{
	const struct made undone = {.id = "c1", .pod = "p1", .name = "spark"};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_int_equal(stage_event(s, "StopContainer", NRI_STOP_CONTAINER, &undone), 0);
	assert_int_equal(stage_event(s, "RemoveContainer", NRI_REMOVE_CONTAINER, &undone), 0);
	assert_int_equal(stage_create(s, "p1", "c2", "spark"), 0);
	assert_int_equal(s->payload.length, 0);
	assert_int_equal(stage_create(s, "p2", "c3", "spark"), 0); /* another one is not */
	assert_true(s->payload.length > 0);
	/* The memory of it outlives the connection. */
	nri_session_close(&s->session, "");
	s->stream = 0;
	stage_live(s, "v2.3.4", "v0.12.0");
	assert_int_equal(stage_create(s, "p1", "c4", "spark"), 0);
	assert_int_equal(s->payload.length, 0);
}

static void test_a_container_that_started_may_be_adjusted_again(void **state)
{
	const struct made one = {.id = "c1", .pod = "p1", .name = "spark"};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_int_equal(stage_event(s, "StateChange", NRI_POST_START_CONTAINER, &one), 0);
	assert_int_equal(stage_event(s, "StopContainer", NRI_STOP_CONTAINER, &one), 0);
	assert_int_equal(stage_create(s, "p1", "c2", "spark"), 0);
	assert_true(s->payload.length > 0);
	/* This one comes once more without having started. */
	assert_int_equal(stage_create(s, "p1", "c3", "spark"), 0);
	assert_int_equal(s->payload.length, 0);
}

/* --- nonsense --- */

static void test_nonsense_in_an_event_is_an_event_that_nothing_is_done_about(void **state)
{
	static const char *const methods[] = {"CreateContainer", "StopContainer", "StateChange", "PostStartContainer"};
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->plan = a_plan;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		assert_int_equal(stage_call(s, methods[i], text_of("\x0a\xff\xff\xff\xff\x0f", 6)), 0);
		assert_int_equal(s->code, TTRPC_OK); /* an error would fail the container */
		assert_int_equal(s->payload.length, 0);
		assert_int_equal(stage_call(s, methods[i], text_of("", 0)), 0);
		assert_int_equal(s->code, TTRPC_OK);
	}
	assert_int_equal(s->session.told.refused_total, ARRAY_SIZE(methods));
	assert_int_equal(s->count, 0);
}

static void test_nonsense_in_the_handshake_ends_the_connection(void **state)
{
	static const char *const methods[] = {"Configure", "Synchronize"};
	struct nri_stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		stage_register(s);
		assert_true(stage_call(s, methods[i], text_of("\x0a\xff", 2)) < 0);
		assert_non_null(strstr(s->e.text, methods[i]));
		nri_session_close(&s->session, s->e.text);
		s->stream = 0;
		while (read(s->theirs, s->reply, sizeof(s->reply)) > 0)
			;
		mux_close(&s->runtime);
		mux_open(&s->runtime);
	}
}

static void test_a_stream_used_twice_is_refused(void **state)
{
	struct nri_stage *s = *state;

	stage_live(s, "v2.3.4", "v0.12.0");
	s->stream -= 2;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_int_equal(s->code, TTRPC_INVALID_ARGUMENT);
	assert_int_equal(s->count, 0);
	s->stream += 2;
	assert_int_equal(stage_create(s, "p1", "c1", "spark"), 0);
	assert_int_equal(s->code, TTRPC_OK);
}

static void test_noise_is_survived(void **state)
{
	static unsigned char noise[70000];
	struct nri_stage *s = *state;

	srand(40);
	for (int round = 0; round < 300; round++) {
		stage_register(s);
		size_t length = (size_t)rand() % sizeof(noise);
		for (size_t i = 0; i < length; i++)
			noise[i] = (unsigned char)rand();
		/* Half of them begin like a frame of the right connection, of a length that is there. */
		if (round % 2 && length > 300)
			memcpy(noise, (const unsigned char[]){0, 0, 0, MUX_PLUGIN, 0, 0, 1, 0}, 8);
		(void)nri_session_receive(&s->session, noise, length, &s->e);
		nri_session_close(&s->session, "");
		while (read(s->theirs, s->reply, sizeof(s->reply)) > 0)
			;
		mux_close(&s->runtime);
		mux_open(&s->runtime);
		s->count = 0;
	}
}

static void test_a_runtime_that_does_not_read_gets_it_later(void **state)
{
	struct nri_stage *s = *state;
	const struct made made = {.id = "c1", .pod = "p1", .name = "spark"};
	unsigned char bytes[512], frame[600];
	size_t replies = 0, got = 0;

	stage_live(s, "v2.3.4", "v0.12.0");
	for (; !nri_session_has_output(&s->session) && replies < 1000000; replies++) {
		struct proto_writer w = writer_on(bytes, sizeof(bytes)), f = writer_on(frame, sizeof(frame));
		s->stream += 2;
		size_t mark = ttrpc_begin_request(&w, s->stream - 1, NRI_SERVICE_PLUGIN, "StartContainer");
		put_container(&w, 2, &made);
		assert_int_equal(ttrpc_end(&w, mark), 0);
		proto_write_raw(&f, (const unsigned char[]){0, 0, 0, MUX_PLUGIN, 0, 0, (unsigned char)(w.length >> 8), (unsigned char)w.length}, 8);
		proto_write_raw(&f, bytes, w.length);
		assert_int_equal(nri_session_receive(&s->session, frame, f.length, &s->e), 0);
	}
	assert_true(nri_session_has_output(&s->session));
	/* Every reply is 18 bytes: frame and header. */
	for (ssize_t n; (n = read(s->theirs, s->reply, sizeof(s->reply))) > 0 || nri_session_has_output(&s->session);) {
		got += n > 0 ? (size_t)n : 0;
		assert_int_equal(nri_session_flush(&s->session, &s->e), 0);
	}
	assert_int_equal(got, replies * (MUX_HEADER_BYTES + TTRPC_HEADER_BYTES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test_nri(test_registers_as_stoker_40),
		stage_test_nri(test_every_version_gets_events_that_it_knows),
		stage_test_nri(test_the_states_come_in_order),
		stage_test_nri(test_a_runtime_that_refuses_is_quoted),
		stage_test_nri(test_a_runtime_that_falls_silent_is_left),
		stage_test_nri(test_a_timeout_that_makes_no_sense_is_not_believed),
		stage_test_nri(test_what_lives_here_is_told),
		stage_test_nri(test_parts_are_joined),
		stage_test_nri(test_a_roster_that_was_cut_says_nothing_of_who_is_gone),
		stage_test_nri(test_a_message_of_3_mb),
		stage_test_nri(test_both_sets_of_calls_tell_the_same),
		stage_test_nri(test_a_start_names_who_was_not_named),
		stage_test_nri(test_what_was_not_asked_for_is_answered_and_not_told),
		stage_test_nri(test_an_unknown_method_is_unimplemented),
		stage_test_nri(test_a_creation_is_adjusted_and_told),
		stage_test_nri(test_a_late_decision_is_thrown_away),
		stage_test_nri(test_scratch_is_told_of_when_it_is_given),
		stage_test_nri(test_a_request_that_comes_slowly_is_late_too),
		stage_test_nri(test_after_a_failed_creation_the_pod_is_left_alone),
		stage_test_nri(test_a_container_that_started_may_be_adjusted_again),
		stage_test_nri(test_nonsense_in_an_event_is_an_event_that_nothing_is_done_about),
		stage_test_nri(test_nonsense_in_the_handshake_ends_the_connection),
		stage_test_nri(test_a_stream_used_twice_is_refused),
		stage_test_nri(test_noise_is_survived),
		stage_test_nri(test_a_runtime_that_does_not_read_gets_it_later),
	};

	return cmocka_run_group_tests_name("nri_session", tests, NULL, NULL);
}
