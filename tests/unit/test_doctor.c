/* `stoker doctor`: what each fact makes of a line, and what must never be guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/doctor.h"

struct stage {
	struct doctor_facts facts;
	struct doctor doctor;
};

/* A node on which everything is well. */
static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	struct doctor_facts *f = &s->facts;
	strcpy(f->version, "0.1.0");
	strcpy(f->kernel, "6.18.44");
	f->cgroups = DOCTOR_CGROUPS_V2;
	f->config_path = "/etc/stoker/stoker.yaml";
	strcpy(f->runtime_dir, "/run/stoker");
	f->runtime_mode = S_IFDIR | 0755;
	strcpy(f->health.agent.version, "0.1.0");
	f->health.status = HEALTH_HEALTHY;
	f->health.filesystem_count = 1;
	strcpy(f->health.filesystems[0].path, "/data");
	f->health.filesystems[0].state = VERDICT_HEALTHY;
	f->health.filesystems[0].last_probe_wall_us = 1;
	f->health.input_count = 1;
	strcpy(f->health.inputs[0].name, "broker");
	strcpy(f->health.inputs[0].state, "ok");
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static bool has(struct stage *s, const char *name)
{
	doctor_examine(&s->facts, &s->doctor);
	for (unsigned i = 0; i < s->doctor.count; i++) /* whatever is not well says what to do */
		assert_true(s->doctor.lines[i].mark == DOCTOR_OK || *s->doctor.lines[i].todo);
	for (unsigned i = 0; i < s->doctor.count; i++)
		if (strcmp(s->doctor.lines[i].name, name) == 0)
			return true;
	return false;
}

static const struct doctor_line *line(struct stage *s, const char *name)
{
	unsigned i = 0;

	assert_true(has(s, name));
	while (strcmp(s->doctor.lines[i].name, name) != 0)
		i++;
	return &s->doctor.lines[i];
}

static void test_all_well_says_what_the_node_is_not_the_cause_of(void **state)
{
	struct stage *s = *state;

	assert_non_null(strstr(line(s, "image pulls")->what, "this node is not the cause"));
	assert_true(has(s, "quota"));
	assert_true(has(s, "Pending"));
	assert_int_equal(doctor_exit_code(&s->doctor), 0);
	s->facts.health.status = HEALTH_UNHEALTHY; /* then it may well be */
	assert_false(has(s, "image pulls"));
}

static void test_each_problem_is_named_with_what_to_do(void **state)
{
	struct stage *s = *state;
	struct health *h = &s->facts.health;

	strcpy(h->inputs[0].state, "missing");
	assert_int_equal(line(s, "broker")->mark, DOCTOR_PROBLEM);
	assert_non_null(strstr(line(s, "broker")->todo, "container 'broker'"));
	h->filesystems[0].state = VERDICT_BAD;
	strcpy(h->filesystems[0].reason, "ReadOnlyFilesystem");
	assert_int_equal(line(s, "filesystem")->mark, DOCTOR_PROBLEM);
	assert_non_null(strstr(line(s, "filesystem")->what, "/data is bad: ReadOnlyFilesystem"));
	h->filesystem_count = 0;
	assert_int_equal(line(s, "filesystems")->mark, DOCTOR_PROBLEM);
	s->facts.runtime_mode = S_IFDIR | 0777;
	assert_int_equal(line(s, "runtimeDir")->mark, DOCTOR_PROBLEM);
	err_rule(&s->facts.config, EINVAL, "line 3: watch: is not a known key");
	assert_non_null(strstr(line(s, "config")->what, "line 3"));
	assert_non_null(strstr(line(s, "config")->todo, "correct it"));
	assert_int_equal(doctor_exit_code(&s->doctor), 1);
}

static void test_what_is_not_there_or_not_allowed_is_nothing_to_correct(void **state)
{
	struct stage *s = *state;

	err_set(&s->facts.config, ENOENT, "cannot open '/etc/stoker/stoker.yaml'");
	assert_non_null(strstr(line(s, "config")->todo, "write it"));
	err_set(&s->facts.daemon, ENOENT, "cannot reach stokerd");
	assert_non_null(strstr(line(s, "agent")->todo, "start stokerd"));
	s->facts.daemon.code = 0;
	err_set(&s->facts.daemon, EACCES, "cannot reach stokerd");
	assert_non_null(strstr(line(s, "agent")->todo, "run this as root"));
	assert_int_equal(line(s, "agent")->mark, DOCTOR_PROBLEM);
}

static void test_a_taint_says_what_keeps_it_off(void **state)
{
	static const struct {
		enum taint_holder holder;
		const char *todo;
	} rows[] = {{HOLDER_BRAKE, "docs/brake.md"}, {HOLDER_PERSON, "docs/brake.md"}, {HOLDER_CLUSTER, "'reporter'"}, {HOLDER_NOBODY, "'reporter'"}};
	struct stage *s = *state;
	struct health *h = &s->facts.health;

	assert_int_equal(line(s, "taint")->mark, DOCTOR_OK);
	h->report.taint = (struct report_taint){.wanted = 1, .key = "stoker.dev/unhealthy", .value = "IOErrors", .effect = "NoSchedule"};
	assert_non_null(strstr(line(s, "taint")->todo, "repair"));
	h->taint_held = true;
	strcpy(h->taint_why, "waiting for a brake slot");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		h->taint_holder = rows[i].holder;
		assert_non_null(strstr(line(s, "taint")->what, "waiting for a brake slot"));
		assert_non_null(strstr(line(s, "taint")->todo, rows[i].todo));
	}
}

static void test_without_a_daemon_nothing_of_it_is_guessed(void **state)
{
	struct stage *s = *state;

	err_set(&s->facts.daemon, ECONNREFUSED, "cannot reach stokerd");
	assert_int_equal(line(s, "agent")->mark, DOCTOR_PROBLEM);
	assert_false(has(s, "broker"));
	assert_false(has(s, "filesystems"));
	assert_false(has(s, "taint"));
	assert_false(has(s, "image pulls"));
}

/* A right that a role should not have is a problem; a process that cannot be seen is said, and no problem. */
static void test_rights_of_the_live_processes(void **state)
{
	struct stage *s = *state;
	struct doctor_role *roles = s->facts.roles;

	assert_true(has(s, "stoker-reporter")); /* not seen */
	assert_int_equal(doctor_exit_code(&s->doctor), 0);
	s->facts.role_count = 3;
	roles[0] = (struct doctor_role){.role = SANDBOX_STOKERD, .pid = 1, .permitted = UINT64_MAX, .launcher = true};
	roles[1] = (struct doctor_role){.role = SANDBOX_STOKERD, .pid = 2, .no_new_privs = true, .seccomp = 2};
	roles[2] = (struct doctor_role){.role = SANDBOX_BROKER, .pid = 3, .no_new_privs = true, .seccomp = 2}; /* observe-only */
	assert_true(has(s, "launcher") && has(s, "stokerd") && has(s, "stoker-broker"));
	assert_int_equal(doctor_exit_code(&s->doctor), 0);
	roles[1].permitted = 1ULL << 21;
	assert_true(has(s, "stokerd"));
	assert_int_equal(doctor_exit_code(&s->doctor), 1);
	roles[1].permitted = 0;
	roles[1].seccomp = 0;
	assert_true(has(s, "stokerd"));
	assert_int_equal(doctor_exit_code(&s->doctor), 1);
}

static void test_kernels_and_cgroups(void **state)
{
	static const struct {
		const char *kernel;
		enum doctor_mark mark;
		const char *word;
	} rows[] = {{"4.19.0", DOCTOR_PROBLEM, "openat2"}, {"5.5.19", DOCTOR_PROBLEM, "openat2"}, {"5.6.0", DOCTOR_NOTE, "close_range"}, {"5.10.0-28-amd64", DOCTOR_NOTE, "FAN_FS_ERROR"},
		    {"5.16.0", DOCTOR_OK, "5.16"}, {"6.12.95", DOCTOR_OK, "no ro flag"}, {"", DOCTOR_UNKNOWN, "no version"}, {"rolling", DOCTOR_UNKNOWN, "no version"}};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		strcpy(s->facts.kernel, rows[i].kernel);
		assert_int_equal(line(s, "kernel")->mark, rows[i].mark);
		assert_non_null(strstr(line(s, "kernel")->what, rows[i].word));
	}
	assert_int_equal(doctor_exit_code(&s->doctor), 2);
	s->facts.cgroups = DOCTOR_CGROUPS_HYBRID;
	assert_int_equal(line(s, "cgroups")->mark, DOCTOR_NOTE);
	s->facts.cgroups = DOCTOR_CGROUPS_UNKNOWN;
	assert_int_equal(line(s, "cgroups")->mark, DOCTOR_UNKNOWN);
}

static void test_what_the_container_runtime_offers(void **state)
{
	struct stage *s = *state;
	struct health_nri *n = &s->facts.health.nri;

	assert_false(has(s, "runtime")); /* executors.watch is off */
	n->present = 1;
	assert_int_equal(line(s, "runtime")->mark, DOCTOR_NOTE);
	assert_non_null(strstr(line(s, "runtime")->todo, "enable-nri"));
	*n = (struct health_nri){.present = 1, .live = 1, .exit_codes = 1, .oom_score_adj = 1, .unified = 1, .runtime = "containerd", .runtime_version = "v2.3.4", .nri_version = "0.12.0"};
	assert_int_equal(line(s, "runtime")->mark, DOCTOR_OK);
	assert_string_equal(line(s, "runtime")->what, "containerd v2.3.4, NRI 0.12.0: exit codes are told; can be set at a creation: oom_score_adj, keys of cgroup v2");
	n->exit_codes = n->oom_score_adj = n->unified = 0;
	assert_string_equal(line(s, "runtime")->what, "containerd v2.3.4, NRI 0.12.0: exit codes are asked for (input cri); can be set at a creation: nothing");
	assert_int_equal(doctor_exit_code(&s->doctor), 0);
	n->unverified = 2;
	assert_int_equal(line(s, "adjustments")->mark, DOCTOR_PROBLEM);
}

static void test_more_lines_than_there_is_room_for(void **state)
{
	struct stage *s = *state;

	s->facts.health.filesystem_count = CONFIG_WATCH_MAX;
	s->facts.health.input_count = HEALTH_INPUTS_MAX;
	for (uint32_t i = 0; i < CONFIG_WATCH_MAX; i++) {
		s->facts.health.filesystems[i].state = VERDICT_BAD;
		memset(s->facts.health.filesystems[i].path, 'x', NAME_PATH_BYTES - 1);
	}
	doctor_examine(&s->facts, &s->doctor);
	assert_true(s->doctor.count <= DOCTOR_LINES_MAX && s->doctor.count > CONFIG_WATCH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_well_says_what_the_node_is_not_the_cause_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each_problem_is_named_with_what_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_there_or_not_allowed_is_nothing_to_correct, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_taint_says_what_keeps_it_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_daemon_nothing_of_it_is_guessed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rights_of_the_live_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kernels_and_cgroups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_the_container_runtime_offers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_lines_than_there_is_room_for, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
