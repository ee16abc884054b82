/* The CSI node service without sockets: what is asked of stokerd, and what becomes of the answers. */
#include "tests/unit/csi_request.h"

#include <errno.h>
#include <stdlib.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/csi.h"
#include "shim/csi_code.h"

struct stage {
	struct csi csi;
	struct {
		enum wire_type type;
		uint64_t id;
		struct wire_volume volume;
		struct wire_csi_registered registered;
	} asked[CSI_FLIGHTS_MAX + 1];
	size_t asked_count;
	bool deaf; /* stokerd does not read */
	struct {
		struct grpc_call call;
		enum grpc_code code;
		char text[256];
		unsigned char payload[1024];
		size_t length;
	} answers[CSI_FLIGHTS_MAX + 8];
	size_t answer_count;
	int32_t next_stream;
	uint64_t now_us;
};

static bool on_ask(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length)
{
	struct stage *s = owner;

	if (s->deaf)
		return false;
	assert_true(s->asked_count < ARRAY_SIZE(s->asked));
	s->asked[s->asked_count].type = type;
	s->asked[s->asked_count].id = id;
	memcpy(type == WIRE_CSI_REGISTERED ? (void *)&s->asked[s->asked_count].registered : (void *)&s->asked[s->asked_count].volume, payload, length);
	s->asked_count++;
	return true;
}

static void on_answer(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	struct stage *s = owner;

	assert_true(s->answer_count < ARRAY_SIZE(s->answers) && length <= sizeof(s->answers[0].payload));
	s->answers[s->answer_count].call = *call;
	s->answers[s->answer_count].code = code;
	str_copy(s->answers[s->answer_count].text, sizeof(s->answers[0].text), text ? text : "");
	if (length > 0)
		memcpy(s->answers[s->answer_count].payload, payload, length);
	s->answers[s->answer_count++].length = length;
}

static struct record *record_of(uint16_t type, uint64_t id, const void *payload, size_t length)
{
	static struct record record;

	record = (struct record){.header = {RECORD_VERSION, type, (uint32_t)length, id}, .fd = -1};
	memcpy(record.payload, payload, length);
	return &record;
}

static struct stage *new_stage(void)
{
	static const struct csi_ops ops = {on_ask, on_answer};
	const struct wire_csi_config config = {.node = "node-7", .kubelet_root = KUBELET};
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	csi_open(&s->csi, &ops, s);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_CONFIG, 0, &config, sizeof(config)), s->now_us));
	s->now_us = 1;
	return s;
}

static void call(struct stage *s, uint32_t service, const char *path, struct text message)
{
	const struct grpc_call call = {.connection = 1, .stream = ++s->next_stream, .service = service};

	csi_call(&s->csi, &call, path, message, s->now_us);
}

static void publish(struct stage *s, const struct asking *asking)
{
	static unsigned char bytes[65536];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};

	call(s, CSI_SERVICE_NODE, "/csi.v1.Node/NodePublishVolume", write_request(&w, asking));
}

static void call_named(struct stage *s, const char *path, const char *id, const char *where)
{
	unsigned char bytes[1024];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};
	char own[VOLUME_ID_BYTES];

	volume_id(UID, "scratch", own);
	write_text(&w, 1, id ? id : own);
	write_text(&w, 2, where);
	call(s, CSI_SERVICE_NODE, path, (struct text){(const char *)bytes, (uint32_t)w.length});
}

static void answer_result(struct stage *s, uint64_t id, int errnum, const char *text)
{
	struct volume_result result = {.errnum = errnum, .step = VOLUME_PLACE};

	str_copy(result.text, sizeof(result.text), text);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_RESULT, id, &result, sizeof(result)), s->now_us));
}

static void assert_last(const struct stage *s, enum grpc_code code, const char *text)
{
	assert_true(s->answer_count > 0);
	assert_string_equal(s->answers[s->answer_count - 1].text, text);
	assert_int_equal(s->answers[s->answer_count - 1].code, code);
}

static void test_a_publish_is_answered_when_stokerd_has(void **unused)
{
	static const struct {
		int errnum;
		const char *text;
		enum grpc_code code;
		const char *words;
	} row[] = {
		{0, "", GRPC_OK, ""},
		{EINVAL, "size: at most volumes.scratch.max (8Gi)", GRPC_INVALID_ARGUMENT, "size: at most volumes.scratch.max (8Gi)"},
		{EPERM, "checkpoint stream is not for namespace team-a", GRPC_PERMISSION_DENIED, "checkpoint stream is not for namespace team-a"},
		{EEXIST, "", GRPC_ALREADY_EXISTS, "place: File exists"},
		{EBUSY, "somebody else's mount", GRPC_FAILED_PRECONDITION, "somebody else's mount"},
		{ENOSPC, "", GRPC_RESOURCE_EXHAUSTED, "place: No space left on device"},
		{ETIMEDOUT, "", GRPC_DEADLINE_EXCEEDED, "place: Connection timed out"},
		{EALREADY, "", GRPC_ABORTED, "place: Operation already in progress"},
		{ENOTCONN, "the broker is missing", GRPC_UNAVAILABLE, "the broker is missing"},
		{ENOENT, "", GRPC_NOT_FOUND, "place: No such file or directory"},
		{EIO, "", GRPC_INTERNAL, "place: Input/output error"},
		{9999, "?", GRPC_INTERNAL, "?"},
	};
	const struct asking asking = {.attributes = "type=scratch\nsize=1Gi"};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct stage *s = new_stage();
		publish(s, &asking);
		assert_int_equal(s->answer_count, 0);
		assert_int_equal(s->asked_count, 1);
		assert_true(s->asked[0].type == WIRE_CSI_PUBLISH && s->asked[0].volume.volume.size_bytes == 1 << 30);
		answer_result(s, s->asked[0].id, row[i].errnum, row[i].text);
		assert_last(s, row[i].code, row[i].words);
		assert_int_equal(s->answers[0].call.stream, 1);
		assert_int_equal(s->csi.counts.calls_total[WIRE_CSI_CALL_PUBLISH], 1);
		assert_int_equal(s->csi.counts.failed_total[WIRE_CSI_CALL_PUBLISH], row[i].errnum != 0);
		answer_result(s, s->asked[0].id, 0, ""); /* once only */
		assert_int_equal(s->answer_count, 1);
		free(s);
	}
}

static void test_one_change_of_a_volume_at_a_time(void **unused)
{
	const struct asking asking = {0};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	publish(s, &asking);
	assert_last(s, GRPC_ABORTED, "a call about this volume is under way");
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_last(s, GRPC_ABORTED, "a call about this volume is under way");
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET); /* figures do not wait */
	assert_int_equal(s->asked_count, 2);
	answer_result(s, s->asked[0].id, 0, "");
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_int_equal(s->asked_count, 3);
	assert_int_equal(s->asked[2].type, WIRE_CSI_UNPUBLISH);
	/* an answer that never came does not block the volume for ever */
	s->now_us += CSI_FLIGHT_US;
	publish(s, &asking);
	assert_int_equal(s->asked_count, 4);
	free(s);
}

static void test_calls_under_way_are_bounded(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	for (size_t i = 0; i < CSI_FLIGHTS_MAX + 1; i++)
		call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_int_equal(s->asked_count, CSI_FLIGHTS_MAX);
	assert_last(s, GRPC_UNAVAILABLE, "too many calls are under way; try again");
	s->deaf = true;
	answer_result(s, s->asked[0].id, ENOENT, "gone");
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_last(s, GRPC_UNAVAILABLE, "stokerd does not read; try again");
	free(s);
}

static void test_what_names_no_volume_of_ours(void **unused)
{
	static const struct {
		const char *method, *id, *path;
		enum grpc_code code;
	} row[] = {
		{"/csi.v1.Node/NodeUnpublishVolume", "", TARGET, GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", NULL, "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", NULL, "/etc", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", "other", TARGET, GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeStats", "", TARGET, GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeStats", NULL, "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeStats", NULL, "some/path", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeStats", "other", TARGET, GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeHealth", "", "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeHealth", NULL, "", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeHealth", NULL, "/etc", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeStageVolume", NULL, TARGET, GRPC_UNIMPLEMENTED},
		{"/csi.v1.Controller/CreateVolume", NULL, TARGET, GRPC_UNIMPLEMENTED},
		{"/pluginregistration.Registration/GetInfo", NULL, TARGET, GRPC_UNIMPLEMENTED}, /* on the other socket only */
		{"", NULL, TARGET, GRPC_UNIMPLEMENTED},
	};
	struct stage *s = new_stage();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		call_named(s, row[i].method, row[i].id, row[i].path);
		assert_int_equal(s->answer_count, i + 1);
		if (s->answers[i].code != row[i].code)
			fail_msg("row %zu: %s %s", i, grpc_code_name(s->answers[i].code), s->answers[i].text);
		assert_true(*s->answers[i].text);
	}
	assert_int_equal(s->asked_count, 0);
	free(s);
}

static void test_figures_and_health(void **unused)
{
	struct wire_volume_stats stats = {.known = 1, .figures = {.bytes_total = 100, .bytes_used = 60, .bytes_available = 40, .inodes_total = 10, .inodes_used = 4, .inodes_free = 6}};
	struct stage *s = new_stage();

	(void)unused;
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[0].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_OK, "");
	static const unsigned char usage[] = {0x0a, 8, 8, 40, 16, 100, 24, 60, 32, 1, 0x0a, 8, 8, 6, 16, 10, 24, 4, 32, 2, 0x12, 0};
	assert_int_equal(s->answers[0].length, sizeof(usage));
	assert_memory_equal(s->answers[0].payload, usage, sizeof(usage));

	str_copy(stats.message, sizeof(stats.message), "StaleHandle: gone");
	stats.abnormal = 1;
	call_named(s, "/csi.v1.Node/NodeGetVolumeHealth", NULL, ""); /* the id alone: it was asked about */
	assert_int_equal(s->asked_count, 2);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[1].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_OK, "");
	assert_non_null(memmem(s->answers[1].payload, s->answers[1].length, "\x08\x02\x12\x0bStaleHandle\x1a\x11StaleHandle: gone", 34));

	stats.known = 0;
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[2].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_NOT_FOUND, "no volume of ours is mounted there");
	free(s);
}

static void tell_figures(struct stage *s, uint32_t known, uint64_t bytes_used)
{
	struct wire_volume_stats told = {.at.place = VOLUME_AT_CSI, .known = known, .figures = {.bytes_total = 100, .bytes_used = bytes_used, .bytes_available = 100 - bytes_used}};

	str_copy(told.at.pod_uid, sizeof(told.at.pod_uid), UID);
	str_copy(told.at.name, sizeof(told.at.name), "scratch");
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, &told, sizeof(told)), s->now_us));
}

static void test_figures_that_were_told_are_not_asked_for(void **unused)
{
	static const char stats[] = "/csi.v1.Node/NodeGetVolumeStats";
	const struct asking asking = {0};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	answer_result(s, s->asked[0].id, 0, "");
	call_named(s, stats, NULL, TARGET); /* of a checkpoint nothing is told, of another not yet */
	assert_int_equal(s->asked_count, 2);
	assert_int_equal(s->answer_count, 1);
	for (uint64_t used = 1; used < 4; used++) {
		tell_figures(s, 1, used);
		call_named(s, stats, NULL, TARGET);
		s->now_us += CSI_FRESH_US + 1;
		call_named(s, stats, NULL, TARGET);
		assert_last(s, GRPC_OK, "");
		const unsigned char usage[] = {0x0a, 8, 8, (unsigned char)(100 - used), 16, 100, 24, (unsigned char)used, 32, 1, 0x12, 0};
		assert_memory_equal(s->answers[s->answer_count - 1].payload, usage, sizeof(usage));
		assert_int_equal(s->asked_count, 2 + used);
		assert_int_equal(s->asked[s->asked_count - 1].type, WIRE_CSI_ASKED); /* no sooner: so that they are measured anew */
		assert_int_equal(s->asked[s->asked_count - 1].id, 0);
	}
	/* whoever unmounted it */
	tell_figures(s, 0, 0);
	call_named(s, stats, NULL, TARGET);
	assert_int_equal(s->asked[5].type, WIRE_CSI_GET_STATS);
	tell_figures(s, 1, 7);
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	answer_result(s, s->asked[6].id, 0, "");
	call_named(s, stats, NULL, TARGET);
	assert_int_equal(s->asked[7].type, WIRE_CSI_GET_STATS);
	/* a place that is none */
	struct wire_volume_stats odd = {.known = 1};
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, &odd, sizeof(odd)), s->now_us));
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, "", 1), s->now_us));
	free(s);
}

static void test_an_answer_that_is_none_answers_all_the_same(void **unused)
{
	const struct asking asking = {0};
	const struct wire_volume_stats stats = {.known = 1};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[0].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_INTERNAL, "stokerd's answer is not understood");
	publish(s, &asking);
	assert_int_equal(s->asked_count, 2);
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_RESULT, s->asked[1].id, "", 1), s->now_us));
	assert_last(s, GRPC_INTERNAL, "stokerd's answer is not understood");
	assert_false(csi_take(&s->csi, record_of(WIRE_HEALTH_PART, 0, "", 1), s->now_us));
	free(s);
}

static void test_without_configuration_nothing_is_promised(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	s->csi.has_config = false;
	call(s, CSI_SERVICE_NODE, "/csi.v1.Identity/Probe", text_of(""));
	assert_memory_equal(s->answers[0].payload, "\x0a\0", 2); /* ready: false */
	call(s, CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetInfo", text_of(""));
	assert_int_equal(s->answers[1].code, GRPC_UNAVAILABLE);
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_int_equal(s->answers[2].code, GRPC_UNAVAILABLE);
	free(s);
}

static void test_registration(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/GetInfo", text_of(""));
	assert_last(s, GRPC_OK, "");
	assert_non_null(memmem(s->answers[0].payload, s->answers[0].length, KUBELET "/plugins/csi.stoker.dev/csi.sock", 48));
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/NotifyRegistrationStatus", text_of("\x12\x05no\x1b[m"));
	assert_true(s->asked[0].type == WIRE_CSI_REGISTERED && !s->asked[0].registered.registered);
	assert_string_equal(s->asked[0].registered.text, "no?[m");
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/NotifyRegistrationStatus", text_of("\x08\x01"));
	assert_true(s->asked[1].registered.registered);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_publish_is_answered_when_stokerd_has),
		cmocka_unit_test(test_one_change_of_a_volume_at_a_time),
		cmocka_unit_test(test_calls_under_way_are_bounded),
		cmocka_unit_test(test_what_names_no_volume_of_ours),
		cmocka_unit_test(test_figures_and_health),
		cmocka_unit_test(test_figures_that_were_told_are_not_asked_for),
		cmocka_unit_test(test_an_answer_that_is_none_answers_all_the_same),
		cmocka_unit_test(test_without_configuration_nothing_is_promised),
		cmocka_unit_test(test_registration),
	};

	return cmocka_run_group_tests_name("csi", tests, NULL, NULL);
}
