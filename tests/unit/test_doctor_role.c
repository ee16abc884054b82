/* The rights of a live process, from the kernel's text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/doctor_role.h"

/* CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID SYS_CHROOT SYS_PTRACE SYS_ADMIN SYSLOG */
#define BROKER "00000004002c00eb"
#define STATUS(name, caps, privs, seccomp)                                                                                                           \
	"Name:\t" name "\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nPid:\t7\nPPid:\t3\nTracerPid:\t0\nUid:\t65532\t65532\t65532\t65532\n"             \
	"CapInh:\t0000000000000000\nCapPrm:\t" caps "\nCapEff:\t" caps "\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t" privs "\nSeccomp:\t" seccomp      \
	"\nSeccomp_filters:\t1\n"
#define NONE "0000000000000000"

static void test_what_a_role_has_is_judged_by_its_own_table(void **unused)
{
	static const struct {
		const char *status;
		enum doctor_role_fault fault;
		const char *words;
	} rows[] = {
		{STATUS("stokerd", NONE, "1", "2"), DOCTOR_ROLE_WELL, "pid 7, uid 65532; capabilities: none; no_new_privs, seccomp filter"},
		{STATUS("stoker-broker", BROKER, "1", "2"), DOCTOR_ROLE_WELL,
		 "pid 7, uid 65532; capabilities: chown dac_override fowner kill setgid setuid sys_chroot sys_ptrace sys_admin syslog; no_new_privs, seccomp filter"},
		{STATUS("stoker-reporter", "0000000000200000", "1", "2"), DOCTOR_ROLE_MORE, "should have given up: sys_admin; "},
		{STATUS("stoker-broker", "000001ffffffffff", "1", "2"), DOCTOR_ROLE_MORE, "sys_rawio"},
		{STATUS("stoker-broker", "00000000000000eb", "1", "2"), DOCTOR_ROLE_LESS, "lacks of its capabilities: sys_chroot sys_ptrace sys_admin syslog; "},
		{STATUS("stoker-broker", NONE, "1", "0"), DOCTOR_ROLE_OPEN, "no seccomp filter"},
		{STATUS("stoker-web", NONE, "0", "2"), DOCTOR_ROLE_OPEN, "no_new_privs is off"},
		{STATUS("stoker-nri", NONE, "1", "2"), DOCTOR_ROLE_WELL, "capabilities: none"},
	};
	struct doctor_role role;
	char text[512];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(doctor_role_read(rows[i].status, &role), 0);
		assert_int_equal(role.pid, 7);
		assert_int_equal(role.parent, 3);
		if (doctor_role_judge(&role, text, sizeof(text)) != rows[i].fault || !strstr(text, rows[i].words))
			fail_msg("row %zu: %s", i, text);
	}
}

static void test_other_processes_and_broken_texts(void **unused)
{
	static const struct {
		const char *status;
		int rc;
	} rows[] = {
		{"", -ENOENT}, {"Name:\tbash\n", -ENOENT}, {"Name:\tstokerd2\n", -ENOENT}, {"Name:\tstoker\n", -ENOENT}, {"Name:\tstokerd", -ENOENT},
		{"Name:\tstokerd\nPid:\t7\n", -EBADMSG}, {STATUS("stokerd", "", "1", "2"), -EBADMSG}, {STATUS("stokerd", "xyz", "1", "2"), -EBADMSG},
		{STATUS("stokerd", NONE, "-1", "2"), -EBADMSG}, {STATUS("stokerd", "1ffffffffffffffff", "1", "2"), -EBADMSG},
	};
	struct doctor_role role;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (doctor_role_read(rows[i].status, &role) != rows[i].rc)
			fail_msg("row %zu", i);
}

static void test_words_are_cut_not_overrun(void **unused)
{
	struct doctor_role role = {.role = SANDBOX_BROKER, .permitted = UINT64_MAX};
	char text[40];

	(void)unused;
	assert_int_equal(doctor_role_judge(&role, text, sizeof(text)), DOCTOR_ROLE_MORE);
	assert_true(strlen(text) < sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_role_has_is_judged_by_its_own_table), cmocka_unit_test(test_other_processes_and_broken_texts),
					   cmocka_unit_test(test_words_are_cut_not_overrun)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
