/* The record of a death: whatever the facts, its text fits and is text, and its JSON comes back as it was. */
#include "tests/unit/death_rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/scoped.h"
#include "tests/unit/noise.h"

/* JSON is UTF-8, and so is what is cut to fit into it. */
static void test_what_is_cut_stays_text(void **unused)
{
	const struct expectation row = {.exit_code = 137, .container = ONE, .said = PYTHON_HERE, .jvm = 900, .used = 1000, .language = EXECUTOR_LANGUAGE_PYTHON};
	static struct death_facts f;

	(void)unused;
	for (unsigned shift = 0; shift < 4; shift++) {
		struct death d;
		char note[DEATH_NOTE_BYTES];
		const char *const texts[] = {d.evidence, note};
		prepare(&row, &f);
		memset(f.log_line, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(f.log_line); i += 4)
			memcpy(f.log_line + i, "\xf0\x9f\x98\x80", 4);
		str_copy(f.api.message, sizeof(f.api.message), f.log_line);
		strcpy(f.api.reason, "OutOf");
		f.last.io.full_avg10_centi = f.last.memory.full_avg10_centi = 9000;
		death_explain(&f, &d);
		death_note(&d, note, sizeof(note));
		assert_true(strlen(d.evidence) > sizeof(d.evidence) - 8);
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			for (const char *p = texts[i]; *p; p += str_utf8_length(p))
				if (str_utf8_length(p) == 0)
					fail_msg("shift %u, text %zu: cut at %zu", shift, i, (size_t)(p - texts[i]));
	}
}

static void end_strings(struct death_facts *f)
{
	struct executor *x = &f->executor;
	const struct {
		char *text;
		size_t size;
	} all[] = {
		{x->container_id, sizeof(x->container_id)}, {x->pod_uid, sizeof(x->pod_uid)}, {x->name_space, sizeof(x->name_space)}, {x->pod, sizeof(x->pod)},
		{x->container, sizeof(x->container)}, {x->app_id, sizeof(x->app_id)}, {x->app_name, sizeof(x->app_name)}, {x->executor_id, sizeof(x->executor_id)},
		{x->spark_version, sizeof(x->spark_version)}, {x->queue, sizeof(x->queue)}, {f->runtime_reason, sizeof(f->runtime_reason)},
		{f->api.reason, sizeof(f->api.reason)}, {f->api.disruption, sizeof(f->api.disruption)}, {f->api.message, sizeof(f->api.message)}, {f->log_line, sizeof(f->log_line)}, {f->disk.reason, sizeof(f->disk.reason)}, {f->disk.mount_point, sizeof(f->disk.mount_point)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i].text[all[i].size - 1] = '\0';
		if (random_number() % 2)
			all[i].text[random_number() % 8] = '\0';
	}
	for (unsigned i = 0; i < DEATH_OOM_MAX; i++) {
		f->ooms[i].oom_memcg[EXECUTOR_CGROUP_BYTES - 1] = f->ooms[i].task_memcg[EXECUTOR_CGROUP_BYTES - 1] = '\0';
		f->ooms[i].comm[sizeof(f->ooms[i].comm) - 1] = '\0';
	}
	f->started_wall_us %= 4102444800000000;
	f->ended_wall_us %= 4102444800000000;
}

static void test_any_facts(void **unused)
{
	static struct death_facts f;
	static const int32_t codes[] = {-1, 0, 1, 3, 52, 53, 56, 126, 127, 128, 134, 135, 137, 139, 143, 158, 255, INT32_MAX, INT32_MIN};

	(void)unused;
	random_state = 362436069;
	for (unsigned i = 0; i < 3000; i++) {
		struct death d, again;
		char note[DEATH_NOTE_BYTES * 2];
		char *text = NULL;
		struct err e = {0};
		fill(&f, sizeof(f));
		end_strings(&f);
		f.exit_code = codes[random_number() % ARRAY_SIZE(codes)];
		f.oom_count = (uint32_t)(random_number() % 12);
		f.lives = random_number() % 4 == 0;
		if (random_number() % 2)
			f.executor.heap_bytes %= 64 * 1024 * MIB;
		death_explain(&f, &d);
		assert_true(d.cause < DEATH_CAUSE_MAX_ && d.confidence <= DEATH_CERTAIN);
		assert_true(str_is_ended(d.summary, sizeof(d.summary)) && str_is_ended(d.advice, sizeof(d.advice)) && str_is_ended(d.evidence, sizeof(d.evidence)));
		assert_true(str_is_ended(d.setting, sizeof(d.setting)) && str_is_ended(d.value, sizeof(d.value)));
		death_note(&d, note, sizeof(note));
		assert_true(strlen(note) < DEATH_NOTE_BYTES);
		/* One line; read back it says the same. */
		assert_int_equal(death_to_json(&d, &text, &e), 0);
		assert_null(strchr(text, '\n'));
		if (death_from_json(text, strlen(text), &again, &e) == 0) {
			assert_int_equal(again.cause, d.cause);
			assert_int_equal(again.exit_code, d.exit_code < 0 ? -1 : d.exit_code);
		}
		free(text);
	}
}

static void test_json(void **unused)
{
	static struct death_facts f;
	struct death d, again;
	char *text = NULL, *twice = NULL;
	struct err e = {0};

	(void)unused;
	prepare(&expected[6], &f);
	death_explain(&f, &d);
	d.number = 7;
	str_copy(d.volume, sizeof(d.volume), "scratch");
	d.volume_size_bytes = 64 * MIB;
	d.volume_used_bytes = 63 * MIB;
	assert_int_equal(death_to_json(&d, &text, &e), 0);
	assert_int_equal(death_from_json(text, strlen(text), &again, &e), 0);
	assert_int_equal(death_to_json(&again, &twice, &e), 0);
	assert_string_equal(text, twice);
	assert_non_null(strstr(text, "\"kind\":\"ExecutorDeath\""));
	assert_non_null(strstr(text, "\"setting\":\"spark.executor.memoryOverhead\",\"value\":\"576m\""));
	assert_int_equal(again.number, 7);
	assert_string_equal(again.volume, "scratch");
	assert_true(again.volume_size_bytes == 64 * MIB && again.volume_used_bytes == 63 * MIB);
	free(text);
	free(twice);
	assert_int_equal(death_from_json("{}", 2, &again, &e), -EBADMSG);
	assert_string_equal(e.text, "death: apiVersion: must be 'stoker.dev/v1alpha1'");
}

static void test_names(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < DEATH_CAUSE_MAX_; i++) {
		const char *reason = death_cause_reason((enum death_cause)i);
		assert_true(*death_cause_name((enum death_cause)i) && reason[0] >= 'A' && reason[0] <= 'Z');
		for (unsigned k = 0; k < i; k++) {
			assert_string_not_equal(death_cause_name((enum death_cause)i), death_cause_name((enum death_cause)k));
			assert_string_not_equal(reason, death_cause_reason((enum death_cause)k));
		}
	}
	assert_string_equal(death_cause_name(DEATH_CAUSE_MAX_), "unknown");
	assert_true(death_is_good(DEATH_FINISHED) && death_is_good(DEATH_DECOMMISSIONED) && !death_is_good(DEATH_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_cut_stays_text),
		cmocka_unit_test(test_any_facts),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
