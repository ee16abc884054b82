/* What a role gives up. The tables are checked in every build; what a filter does only where there is one: sanitizers need
 * calls that no role may make, so their builds have none, and tests/run runs this file from the strict build too. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <seccomp.h>

#include "base/fd.h"
#include "base/sandbox.h"
#include "base/sandbox_table.h"
#include "base/str.h"
#include "build_config.h"

/* Runs body in a process of its own: exit code, or 128 + signal. */
static int in_child(int (*body)(const void *argument), const void *argument)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool may(enum sandbox_role role, const char *call)
{
	for (size_t i = 0; i < sandbox_call_count; i++)
		if (strcmp(sandbox_calls[i].name, call) == 0)
			return sandbox_calls[i].roles & (1u << role);
	return false;
}

/* --- the tables --- */

static void test_every_call_is_known_and_named_once(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sandbox_call_count; i++) {
		if (seccomp_syscall_resolve_name(sandbox_calls[i].name) == __NR_SCMP_ERROR)
			fail_msg("libseccomp knows no '%s'", sandbox_calls[i].name);
		assert_true(sandbox_calls[i].roles != 0 && sandbox_calls[i].roles < 1u << SANDBOX_ROLE_MAX_);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(sandbox_calls[i].name, sandbox_calls[k].name);
	}
}

/* Filters add up, so what a child may do its parent's filter must let through. */
static void test_a_parent_may_what_its_children_may(void **unused)
{
	static const struct {
		enum sandbox_role parent, child;
	} row[] = {
		{SANDBOX_STOKERD, SANDBOX_WEB},		 {SANDBOX_STOKERD, SANDBOX_NRI},	   {SANDBOX_STOKERD, SANDBOX_CSI},	     {SANDBOX_STOKERD, SANDBOX_CHILD_CONFIG},  {SANDBOX_BROKER, SANDBOX_CHILD_PROBE},
		{SANDBOX_BROKER, SANDBOX_CHILD_RELAY},	 {SANDBOX_BROKER, SANDBOX_CHILD_CONFIG},   {SANDBOX_BROKER_MOUNTS, SANDBOX_BROKER},
		{SANDBOX_BROKER_MOUNTS, SANDBOX_CHILD_MOUNT}, {SANDBOX_BROKER_MOUNTS, SANDBOX_CHILD_RESOLVE}, {SANDBOX_REPORTER, SANDBOX_CHILD_CONFIG},
		{SANDBOX_BROKER, SANDBOX_CHILD_SWEEP},	 {SANDBOX_BROKER, SANDBOX_CHILD_ACCOUNT},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		for (size_t k = 0; k < sandbox_call_count; k++)
			if (may(row[i].child, sandbox_calls[k].name) && !may(row[i].parent, sandbox_calls[k].name))
				fail_msg("%s may not '%s', which its %s needs", sandbox_role_name(row[i].parent), sandbox_calls[k].name,
					 sandbox_role_name(row[i].child));
}

static void test_who_reads_foreign_bytes_has_no_door(void **unused)
{
	static const char *const doors[] = {"open", "openat", "openat2", "open_tree", "socket", "socketpair", "connect", "bind", "execve", "execveat",
					    "fork", "vfork", "clone", "clone3", "kill", "ptrace", "setns", "mount", "setresuid", "pidfd_getfd",
					    "process_vm_readv", "process_vm_writev", "unlinkat", "mkdirat", "memfd_create"};
	static const char *const mounts[] = {"mount", "umount2", "move_mount", "fsopen", "fsmount", "fspick", "mount_setattr", "quotactl_fd", "fsetxattr"};
	static const char *const never[] = {"ptrace", "pivot_root", "umount", "quotactl", "init_module", "finit_module", "bpf", "kexec_load",
					    "reboot", "keyctl", "execveat", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "userfaultfd",
					    "io_uring_setup", "mlockall", "swapon", "unshare", "chroot"};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		if (may(SANDBOX_WEB, doors[i]) || may(SANDBOX_NRI, doors[i]) || may(SANDBOX_CSI, doors[i]) || may(SANDBOX_CHILD_CONFIG, doors[i]))
			fail_msg("'%s' is a door", doors[i]);
	}
	assert_false(may(SANDBOX_CHILD_CONFIG, "tgkill") || may(SANDBOX_CHILD_PROBE, "tgkill") || may(SANDBOX_CHILD_RELAY, "tgkill"));
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		for (unsigned role = 0; role < SANDBOX_ROLE_MAX_; role++)
			assert_false(may((enum sandbox_role)role, never[i]));
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		for (unsigned role = 0; role < SANDBOX_ROLE_MAX_; role++)
			assert_int_equal(may((enum sandbox_role)role, mounts[i]), role == SANDBOX_BROKER_MOUNTS || role == SANDBOX_CHILD_MOUNT);
	assert_false(may(SANDBOX_CHILD_MOUNT, "setns") || may(SANDBOX_CHILD_MOUNT, "socket") || may(SANDBOX_CHILD_MOUNT, "kill") ||
		     may(SANDBOX_CHILD_MOUNT, "execve") || may(SANDBOX_CHILD_MOUNT, "clone") || may(SANDBOX_CHILD_MOUNT, "setresuid"));
	assert_false(may(SANDBOX_BROKER, "execve") || may(SANDBOX_BROKER_MOUNTS, "execve")); /* its children are forked without exec */
	assert_false(may(SANDBOX_REPORTER, "execve"));
}

static void test_only_the_broker_and_three_of_its_children_keep_capabilities(void **unused)
{
	(void)unused;
	for (unsigned role = 0; role < SANDBOX_ROLE_MAX_; role++)
		assert_int_equal(*sandbox_kept_capabilities((enum sandbox_role)role) >= 0,
				 role == SANDBOX_BROKER || role == SANDBOX_BROKER_MOUNTS || role == SANDBOX_CHILD_SWEEP || role == SANDBOX_CHILD_ACCOUNT ||
					 role == SANDBOX_CHILD_MOUNT);
	assert_string_equal(sandbox_role_name(SANDBOX_BROKER), "stoker-broker");
	assert_string_equal(sandbox_role_name(SANDBOX_ROLE_MAX_), "?");
}

/* --- environment, descriptors, capabilities --- */

static int body_environment(const void *unused)
{
	int count = 0;

	(void)unused;
	if (setenv("LD_PRELOAD", "/x.so", 1) + setenv("NODE_NAME", "node-7", 1) + setenv("KUBERNETES_SERVICE_HOST", "", 1) < 0 ||
	    unsetenv("KUBERNETES_SERVICE_PORT") < 0 || sandbox_environment(NULL) < 0)
		return 1;
	for (char **p = environ; p && *p; p++)
		count++;
	return count == 2 && strcmp(getenv("NODE_NAME"), "node-7") == 0 && *getenv("KUBERNETES_SERVICE_HOST") == '\0' ? 0 : 2;
}

static void test_the_environment_is_cleared(void **unused)
{
	(void)unused;
	assert_int_equal(in_child(body_environment, NULL), 0);
}

static int body_descriptors(const void *argument)
{
	int keep = *(const int *)argument;

	for (int fd = 3; fd < 40; fd++)
		if (dup2(1, fd) < 0)
			return 1;
	close(0);
	close(2);
	if (sandbox_descriptors(keep, NULL) < 0)
		return 2;
	for (int fd = 0; fd < 64; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd <= 2 || fd == keep))
			return 10 + fd;
	return 0;
}

static void test_descriptors_are_closed_and_the_first_three_open(void **unused)
{
	static const int keep[] = {-1, 3, 4, 20, 39};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		assert_int_equal(in_child(body_descriptors, &keep[i]), 0);
}

/* One line of /proc/self/status, a set of capabilities in hexadecimal. */
static uint64_t status_set(const char *name)
{
	char text[8192];

	if (fd_read_path("/proc/self/status", text, sizeof(text), NULL) < 0)
		return UINT64_MAX;
	const char *line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 16) : UINT64_MAX;
}

static int body_capabilities(const void *argument)
{
	enum sandbox_role role = *(const enum sandbox_role *)argument;
	uint64_t before = status_set("CapPrm:"), want = 0;

	for (const cap_value_t *c = sandbox_kept_capabilities(role); *c >= 0; c++)
		want |= 1ULL << *c;
	if (sandbox_capabilities(role, NULL) < 0)
		return 1;
	if (status_set("CapPrm:") != (before & want) || status_set("CapEff:") != (before & want))
		return 2;
	if (status_set("CapInh:") != 0 || status_set("CapAmb:") != 0)
		return 3;
	if (before & (1ULL << CAP_SETPCAP) && status_set("CapBnd:") & ~want)
		return 4;
	return status_set("NoNewPrivs:") == 1 ? 0 : 5;
}

static void test_capabilities_are_those_of_the_table_at_most(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < SANDBOX_ROLE_MAX_; i++) {
		enum sandbox_role role = (enum sandbox_role)i;
		assert_int_equal(in_child(body_capabilities, &role), 0);
	}
}

/* --- system calls --- */

static void test_every_filter_compiles_and_fits(void **unused)
{
	struct sandbox_filter filter;
	struct err e = {0};

	(void)unused;
	for (unsigned role = 0; role < SANDBOX_ROLE_MAX_; role++) {
		int r = sandbox_compile((enum sandbox_role)role, &filter, &e);
		if (r < 0)
			fail_msg("%s", e.text);
		assert_int_equal(filter.length > 0, !STOKER_SECCOMP_OFF);
		assert_true(filter.length <= SANDBOX_FILTER_MAX);
	}
}

static struct { int listening, directory, file; } given;

static long try_openat(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
static long try_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long try_connect(void) { return connect(given.listening, (struct sockaddr *)&(struct sockaddr){.sa_family = AF_UNIX}, sizeof(struct sockaddr)); }
static long try_fork(void) { return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL); }
static long try_execve(void) { return execve("/bin/true", (char *[]){NULL}, (char *[]){NULL}); }
static long try_kill(void) { return kill(getpid(), 0); }
static long try_setuid(void) { return setresuid(1, 1, 1); }
static long try_ptrace(void) { return syscall(SYS_ptrace, 0, 0, 0, 0); }
static long try_accept(void) { return accept4(given.listening, NULL, NULL, SOCK_CLOEXEC); }
static long try_memory(void)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? -1 : munmap(p, 1 << 20);
}
static long try_probe(void)
{
	int fd = openat(given.directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 || write(fd, "x", 1) != 1 || fdatasync(fd) < 0 ? -1 : close(fd);
}
static long try_tell(void) { return send(given.file, "x", 1, MSG_NOSIGNAL); }
static long try_sendmsg(void)
{
	struct iovec part = {(char[]){"x"}, 1};
	return sendmsg(given.file, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1}, MSG_NOSIGNAL);
}

struct attempt {
	enum sandbox_role role;
	long (*call)(void);
	bool allowed;
};

/* 0 = the call got past the filter (however it ended then), 1 = ENOSYS. */
static int body_attempt(const void *argument)
{
	const struct attempt *attempt = argument;
	static struct sandbox_filter filter;

	if (sandbox_compile(attempt->role, &filter, NULL) < 0 || sandbox_apply(&filter, NULL) < 0)
		return 2;
	errno = 0;
	return attempt->call() < 0 && errno == ENOSYS ? 1 : 0;
}

static void test_a_filter_holds(void **unused)
{
	static const struct attempt row[] = {
		{SANDBOX_WEB, try_openat, false},	    {SANDBOX_WEB, try_socket, false},	      {SANDBOX_WEB, try_connect, false},
		{SANDBOX_WEB, try_fork, false},		    {SANDBOX_WEB, try_execve, false},	      {SANDBOX_WEB, try_kill, false},
		{SANDBOX_NRI, try_openat, false},	    {SANDBOX_NRI, try_socket, false},	      {SANDBOX_NRI, try_connect, false},
		{SANDBOX_NRI, try_fork, false},		    {SANDBOX_NRI, try_execve, false},	      {SANDBOX_NRI, try_kill, false},
		{SANDBOX_CSI, try_openat, false},	    {SANDBOX_CSI, try_socket, false},	      {SANDBOX_CSI, try_connect, false},
		{SANDBOX_CSI, try_fork, false},		    {SANDBOX_CSI, try_execve, false},	      {SANDBOX_CSI, try_kill, false},
		{SANDBOX_CSI, try_accept, true},	    {SANDBOX_CSI, try_memory, true},	      {SANDBOX_CSI, try_sendmsg, true},
		{SANDBOX_NRI, try_accept, false},	    {SANDBOX_NRI, try_memory, true},	      {SANDBOX_NRI, try_sendmsg, true},
		{SANDBOX_WEB, try_accept, true},	    {SANDBOX_WEB, try_memory, true},	      {SANDBOX_WEB, try_tell, true},
		{SANDBOX_CHILD_PROBE, try_socket, false},   {SANDBOX_CHILD_PROBE, try_fork, false},   {SANDBOX_CHILD_PROBE, try_execve, false},
		{SANDBOX_CHILD_PROBE, try_kill, false},	    {SANDBOX_CHILD_PROBE, try_setuid, false}, {SANDBOX_CHILD_PROBE, try_probe, true},
		{SANDBOX_CHILD_PROBE, try_sendmsg, true},   {SANDBOX_CHILD_RELAY, try_openat, true},  {SANDBOX_CHILD_RELAY, try_sendmsg, true},
		{SANDBOX_CHILD_RELAY, try_socket, false},   {SANDBOX_CHILD_RELAY, try_fork, false},   {SANDBOX_CHILD_RELAY, try_kill, false},
		{SANDBOX_CHILD_CONFIG, try_openat, false},  {SANDBOX_CHILD_CONFIG, try_socket, false}, {SANDBOX_CHILD_CONFIG, try_kill, false},
		{SANDBOX_CHILD_CONFIG, try_memory, true},   {SANDBOX_CHILD_CONFIG, try_tell, true},   {SANDBOX_BROKER, try_execve, false},
		{SANDBOX_CHILD_CONFIG, try_connect, false},  {SANDBOX_BROKER, try_ptrace, false},      {SANDBOX_BROKER, try_setuid, true},
		{SANDBOX_REPORTER, try_execve, false},	    {SANDBOX_REPORTER, try_setuid, false},    {SANDBOX_REPORTER, try_socket, true},
		{SANDBOX_REPORTER, try_openat, true},	    {SANDBOX_STOKERD, try_execve, true},      {SANDBOX_STOKERD, try_setuid, false},
		{SANDBOX_STOKERD, try_ptrace, false},
	};
	const int refused = STOKER_SECCOMP_KILL ? 128 + SIGSYS : 1;
	char scratch[] = "/tmp/stoker-sandbox.XXXXXX";
	int pair[2];

	(void)unused;
	assert_non_null(mkdtemp(scratch));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	given.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* not listening: accept is refused, not waited for */
	given.directory = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	given.file = pair[0];
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		int got = in_child(body_attempt, &row[i]);
		if (got != (row[i].allowed ? 0 : refused))
			fail_msg("row %zu, %s: %d", i, sandbox_role_name(row[i].role), got);
	}
	close(pair[0]);
	close(pair[1]);
	close(given.listening);
	close(given.directory);
	rmdir(scratch);
}

static int body_enter(const void *argument)
{
	enum sandbox_role role = *(const enum sandbox_role *)argument;

	if (sandbox_enter(role, NULL) < 0)
		return 1;
	/* The C library survives: memory, printing, time. */
	char *text = malloc(1 << 20);
	if (!text || snprintf(text, 100, "%s", sandbox_role_name(role)) <= 0)
		return 2;
	free(text);
	return 0;
}

static void test_every_role_can_be_entered(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < SANDBOX_ROLE_MAX_; i++) {
		enum sandbox_role role = (enum sandbox_role)i;
		assert_int_equal(in_child(body_enter, &role), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call_is_known_and_named_once),
		cmocka_unit_test(test_a_parent_may_what_its_children_may),
		cmocka_unit_test(test_who_reads_foreign_bytes_has_no_door),
		cmocka_unit_test(test_only_the_broker_and_three_of_its_children_keep_capabilities),
		cmocka_unit_test(test_the_environment_is_cleared),
		cmocka_unit_test(test_descriptors_are_closed_and_the_first_three_open),
		cmocka_unit_test(test_capabilities_are_those_of_the_table_at_most),
		cmocka_unit_test(test_every_filter_compiles_and_fits),
		cmocka_unit_test(test_every_role_can_be_entered),
		cmocka_unit_test(test_a_filter_holds), /* the last: left out where there are no filters */
	};

	return _cmocka_run_group_tests("sandbox", tests, ARRAY_SIZE(tests) - (STOKER_SECCOMP_OFF ? 1 : 0), NULL, NULL);
}
