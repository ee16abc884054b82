/* What a process is, and how much memory it has. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/process_status.h"

static void test_the_status_of_a_process(void **unused)
{
	static const char text[] = "Name:\tpython3\nUmask:\t0022\nState:\tS (sleeping)\nVmPeak:\t  120000 kB\nVmRSS:\t   58368 kB\nRssAnon:\t 40000 kB\n";
	static const char *const bad[] = {"", "VmRSS:\t1 kB\n", "Name:\tx\nVmRSS:\tlots kB\n", "Name:\tx\nVmRSS:\t1 MB\n", "Name:\tx\nVmRSS:\t99999999999999999999 kB\n"};
	struct process_status st;
	struct err e = {0};

	(void)unused;
	assert_int_equal(process_status_parse(text, strlen(text), &st, &e), 0);
	assert_string_equal(st.name, "python3");
	assert_int_equal(st.rss_bytes, 58368 * 1024);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(process_status_parse(bad[i], strlen(bad[i]), &st, &e), -EBADMSG);
	assert_int_equal(process_status_parse("Name:\tzombie\n", 13, &st, &e), 0);
	assert_int_equal(st.rss_bytes, 0);
	assert_int_equal(process_kind("java", "/usr/lib/jvm/java-17/bin/java"), PROCESS_JVM);
	assert_int_equal(process_kind("worker", "/opt/venv/bin/python3.11"), PROCESS_PYTHON);
	assert_int_equal(process_kind("R", ""), PROCESS_R);
	assert_int_equal(process_kind("Rust", "/bin/Rusty"), PROCESS_OTHER);
	assert_int_equal(process_kind("javascript", ""), PROCESS_OTHER);
	assert_int_equal(process_kind("", ""), PROCESS_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_status_of_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
