/* The write probe where no file without a name can be made (NFS): a filter makes a local filesystem into such a one. Each probe is a process of
 * its own, as it gives up its rights. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <seccomp.h>

#include "volumes/write_probe.h"

#define ROUNDS 300

static char top[64];

static bool refuse(int call, unsigned flags)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = filter && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, flags, flags)) == 0 &&
		  seccomp_load(filter) == 0;

	seccomp_release(filter);
	return ok;
}

static struct write_probe probe_of(uint64_t node_hash)
{
	struct write_probe what = {.node_hash = node_hash, .uid = 65534, .may_open_plainly = true, .mount_namespace_fd = -1, .directory = ".stoker"};

	snprintf(what.path, sizeof(what.path), "%s", top);
	return what;
}

/* The errno of the first of many probes that failed, in a process: 0 = all were good. */
static pid_t start_probes(uint64_t node_hash, int rounds)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (!refuse(SCMP_SYS(openat), O_TMPFILE))
		_exit(255);
	for (int i = 0; i < rounds; i++) {
		const struct write_probe what = probe_of(node_hash);
		struct finding found;
		write_probe_run(&what, &found);
		if (!finding_is_good(&found)) {
			fprintf(stderr, "step %s: %s\n", probe_step_name(found.step), strerror(found.errnum));
			_exit(found.errnum);
		}
	}
	_exit(0);
}

static int ended(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static unsigned count_files(void)
{
	char path[128];
	unsigned count = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/.stoker", top);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static int setup(void **unused)
{
	(void)unused;
	strcpy(top, "/tmp/stoker-probe.XXXXXX");
	if (!mkdtemp(top) || chmod(top, 0755) < 0)
		return -1;
	/* After its first run a probe is an ordinary user: the directory is there before. */
	return ended(start_probes(1, 1));
}

static int teardown(void **unused)
{
	char command[128];

	(void)unused;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) ? -1 : 0;
}

static void probe_beside_each_other(uint64_t one_node, uint64_t other_node)
{
	pid_t one = start_probes(one_node, ROUNDS), other = start_probes(other_node, ROUNDS);

	assert_int_equal(ended(one), 0);
	assert_int_equal(ended(other), 0);
	assert_int_equal(count_files(), 0);
}

static void test_two_nodes_do_not_disturb_each_other(void **unused)
{
	(void)unused;
	probe_beside_each_other(1, 2);
}

/* The agent and `stoker health --direct`. */
static void test_two_probes_of_one_node_do_not_fail(void **unused)
{
	(void)unused;
	probe_beside_each_other(1, 1);
}

/* Ended between making and removing its file, again and again: one file at most is left, and the next probe of that node removes it. */
static void test_who_dies_leaves_one_file_at_most(void **unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			const struct write_probe what = probe_of(3);
			struct finding found;
			if (!refuse(SCMP_SYS(openat), O_TMPFILE) || !refuse(SCMP_SYS(unlinkat), 0))
				_exit(255);
			write_probe_run(&what, &found);
			_exit(found.errnum);
		}
		assert_int_equal(ended(pid), EOPNOTSUPP);
		assert_int_equal(count_files(), 1);
	}
	assert_int_equal(ended(start_probes(2, 1)), 0);
	assert_int_equal(count_files(), 1); /* another node's is not its business: it may be under way */
	assert_int_equal(ended(start_probes(3, 1)), 0);
	assert_int_equal(count_files(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_nodes_do_not_disturb_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_probes_of_one_node_do_not_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_dies_leaves_one_file_at_most, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
