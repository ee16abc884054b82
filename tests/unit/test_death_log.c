/* What the end of a log says of a death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/death.h"
#include "tests/unit/noise.h"

static void test_log(void **unused)
{
	static const struct {
		const char *tail;
		uint32_t bits;
		const char *line;
	} row[] = {
		{"2026-11-26T16:00:00.123456789Z stderr F 26/11/26 16:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[Executor task launch worker,5,main]\n"
		 "2026-11-26T16:00:00.123456790Z stderr F java.lang.OutOfMemoryError: Java heap space\n",
		 DEATH_LOG_HEAP_OOM | DEATH_LOG_EXCEPTION, "java.lang.OutOfMemoryError: Java heap space"},
		{"java.lang.OutOfMemoryError: Java heap space", DEATH_LOG_HEAP_OOM, "java.lang.OutOfMemoryError: Java heap space"},
		{"java.lang.OutOfMemoryError: Cannot reserve 1048576 bytes of direct buffer memory (allocated: 1, limit: 2)\n", DEATH_LOG_DIRECT_OOM, NULL},
		{"26/11/26 ERROR CoarseGrainedExecutorBackend: RECEIVED SIGNAL TERM\n", DEATH_LOG_SIGTERM, NULL},
		{"26/11/26 ERROR WorkerWatcher: Lost connection to worker rpc endpoint spark://Worker@127.0.0.1:4711. Exiting.\n", DEATH_LOG_DRIVER_GONE, NULL},
		{"26/11/26 ERROR CoarseGrainedExecutorBackend: Executor self-exiting due to : Driver 10.0.0.1:7078 disassociated! Shutting down.\n", DEATH_LOG_DRIVER_GONE, NULL},
		{"26/11/26 ERROR DiskBlockManager: Failed to create local dir in /var/data/x. Ignoring this directory.\njava.nio.file.FileSystemException: /var/data/x: Read-only file system\n26/11/26 ERROR DiskBlockManager: Failed to create any local dir.\n",
		 DEATH_LOG_NO_LOCAL_DIR | DEATH_LOG_READ_ONLY, "java.nio.file.FileSystemException: /var/data/x: Read-only file system"},
		{"MemoryError\n", DEATH_LOG_MEMORY_ERROR, "MemoryError"},
		{"caught a MemoryError\n", 0, ""},
		{"org.apache.spark.memory.SparkOutOfMemoryError: Unable to acquire 65536 bytes of memory\n", 0, ""},
		{"Exception in thread \"main\" java.sql.SQLException: jdbc:pg://etl:p4ss@db/x?password=hunter2 \xc2\x9b" "31m\n", DEATH_LOG_EXCEPTION,
		 "Exception in thread \"main\" java.sql.SQLException: jdbc:pg://*********(redacted)@db/x?password=*********(redacted) \\xc2\\x9b31m"},
		{"", 0, ""},
		/* long ago: not of this death */
		{"2026-11-26T15:00:00Z stderr F java.io.IOException: No space left on device\n2026-11-26T16:00:00Z stderr F RECEIVED SIGNAL TERM\n", DEATH_LOG_SIGTERM, "RECEIVED SIGNAL TERM"},
		/* what came first: whoever loses its driver while it leaves was asked to go, whoever leaves for that is not */
		{"26/11/27 ERROR CoarseGrainedExecutorBackend: Executor self-exiting due to : Driver 10.0.0.1:7078 disassociated! Shutting down.\n"
		 "26/11/27 ERROR CoarseGrainedExecutorBackend: RECEIVED SIGNAL TERM\n", DEATH_LOG_DRIVER_GONE, NULL},
		{"26/11/27 ERROR CoarseGrainedExecutorBackend: RECEIVED SIGNAL TERM\n"
		 "26/11/27 ERROR CoarseGrainedExecutorBackend: Executor self-exiting due to : Driver 10.0.0.1:7078 disassociated! Shutting down.\n",
		 DEATH_LOG_SIGTERM | DEATH_LOG_DRIVER_GONE, NULL},
		/* … but that it had registered stays so */
		{"2026-11-26T15:00:00Z stderr F 26/11/26 INFO CoarseGrainedExecutorBackend: Successfully registered with driver\n2026-11-26T16:00:00Z stderr F java.net.ConnectException: Connection refused\n",
		 DEATH_LOG_REGISTERED | DEATH_LOG_REFUSED, "java.net.ConnectException: Connection refused"},
		{"26/11/26 INFO Executor: Running task 3.0 in stage 7.0 (TID 12)\n", DEATH_LOG_REGISTERED, ""},
		/* a line that the runtime cut: the name of what is secret may stand in the part before */
		{"2026-11-26T16:00:00Z stderr P a long line, password=\n2026-11-26T16:00:00Z stderr F hunter2 No space left on device\n", DEATH_LOG_NO_SPACE, ""},
		{"\x01\xff Read-only file system \x1b[31m\n", DEATH_LOG_READ_ONLY, "\\x01\\xff Read-only file system \\x1b[31m"},
	};

	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char line[256] = "x";
		assert_int_equal(death_read_log(row[i].tail, strlen(row[i].tail), redactor, line, sizeof(line)), row[i].bits);
		if (row[i].line)
			assert_string_equal(line, row[i].line);
	}
	redactor_free(redactor);
}

/* Each word of the table, as who says it writes it: Spark 3.5 and 4.3, OpenJDK 8 to 21, Netty, CPython, runc, bash, dash. */
static void test_each_word(void **unused)
{
	static const struct {
		uint32_t bit;
		const char *line;
	} row[] = {
		{DEATH_LOG_HEAP_OOM, "java.lang.OutOfMemoryError: GC overhead limit exceeded"},
		{DEATH_LOG_HEAP_OOM, "java.lang.OutOfMemoryError: Requested array size exceeds VM limit"},
		{DEATH_LOG_METASPACE_OOM, "java.lang.OutOfMemoryError: Metaspace"},
		{DEATH_LOG_METASPACE_OOM, "java.lang.OutOfMemoryError: Compressed class space"},
		{DEATH_LOG_DIRECT_OOM, "java.lang.OutOfMemoryError: Direct buffer memory"},
		{DEATH_LOG_DIRECT_OOM, "io.netty.util.internal.OutOfDirectMemoryError: failed to allocate 16777216 byte(s) of direct memory (used: 1056964615, max: 1073741824)"},
		{DEATH_LOG_THREAD_OOM, "java.lang.OutOfMemoryError: unable to create new native thread"},
		{DEATH_LOG_THREAD_OOM, "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached"},
		{DEATH_LOG_NATIVE_OOM, "# There is insufficient memory for the Java Runtime Environment to continue."},
		{DEATH_LOG_JVM_CRASH, "# A fatal error has been detected by the Java Runtime Environment:"},
		{DEATH_LOG_NO_LOCAL_DIR, "26/11/26 08:00:00 ERROR DiskBlockManager: Failed to create any local dir."},
		{DEATH_LOG_NO_LOCAL_DIR, "26/11/26 08:00:00 ERROR DiskBlockManager: Failed to create local dir in /data. Ignoring this directory."},
		{DEATH_LOG_READ_ONLY, "java.nio.file.FileSystemException: /data/blockmgr-1: Read-only file system"},
		{DEATH_LOG_NO_SPACE, "java.io.IOException: No space left on device"},
		{DEATH_LOG_NO_SPACE, "java.io.IOException: Disk quota exceeded"},
		{DEATH_LOG_IO_ERROR, "java.io.FileNotFoundException: /data/blockmgr-1/19/temp_shuffle_1 (Input/output error)"},
		{DEATH_LOG_IO_ERROR, "java.nio.file.FileSystemException: /data/blockmgr-1: Structure needs cleaning"},
		{DEATH_LOG_DENIED, "java.io.FileNotFoundException: /data/x (Permission denied)"},
		{DEATH_LOG_DENIED, "java.nio.file.AccessDeniedException: /data/blockmgr-1"},
		{DEATH_LOG_EXEC_FORMAT, "exec /opt/entrypoint.sh: exec format error"},
		{DEATH_LOG_EXEC_FORMAT, "/opt/entrypoint.sh: line 3: /usr/bin/tini: cannot execute: Exec format error"},
		{DEATH_LOG_EXEC_FORMAT, "/opt/entrypoint.sh: line 3: /usr/bin/tini: cannot execute binary file"},
		{DEATH_LOG_NOT_FOUND, "exec: \"entrypoint\": executable file not found in $PATH: unknown"},
		{DEATH_LOG_NOT_FOUND, "/opt/entrypoint.sh: line 90: tini: command not found"},
		{DEATH_LOG_NOT_FOUND, "exec /opt/entrypoint.sh: no such file or directory"},
		{DEATH_LOG_NOT_FOUND, "runc create failed: exec: \"/opt/x\": stat /opt/x: no such file or directory: unknown"},
		{DEATH_LOG_NOT_FOUND, "sh: 1: exec: tini: not found"},
		{DEATH_LOG_HEARTBEAT, "26/11/26 08:00:00 ERROR Executor: Exit as unable to send heartbeats to driver more than 60 times"},
		{DEATH_LOG_SHUTDOWN, "26/11/26 08:00:00 INFO CoarseGrainedExecutorBackend: Driver commanded a shutdown"},
		{DEATH_LOG_DECOMMISSION, "26/11/26 08:00:00 ERROR CoarseGrainedExecutorBackend: RECEIVED SIGNAL PWR"},
		{DEATH_LOG_DECOMMISSION, "26/11/26 08:00:00 INFO CoarseGrainedExecutorBackend: Decommission executor 3."},
		{DEATH_LOG_DECOMMISSION, "26/11/26 08:00:00 INFO CoarseGrainedExecutorBackend: Executor self-exiting due to : Finished decommissioning"},
		{DEATH_LOG_UNKNOWN_HOST, "Caused by: java.net.UnknownHostException: etl-driver-svc.team.svc"},
		{DEATH_LOG_UNKNOWN_HOST, "java.io.IOException: Failed to connect to etl-driver-svc.team.svc: Name or service not known"},
		{DEATH_LOG_UNKNOWN_HOST, "java.io.IOException: etl-driver-svc.team.svc: Temporary failure in name resolution"},
		{DEATH_LOG_REFUSED, "io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: etl-driver-svc.team.svc/10.0.0.1:7078"},
		{DEATH_LOG_CONNECT_TIMEOUT, "io.netty.channel.ConnectTimeoutException: connection timed out: etl-driver-svc.team.svc/10.0.0.1:7078"},
		{DEATH_LOG_CONNECT_TIMEOUT, "java.net.ConnectException: Connection timed out"},
		{DEATH_LOG_CONNECT_TIMEOUT, "java.net.SocketTimeoutException: connect timed out"},
		{DEATH_LOG_CONNECT_TIMEOUT, "org.apache.spark.rpc.RpcTimeoutException: Cannot receive any reply from 10.0.0.1:7078 in 120 seconds."},
		{DEATH_LOG_PYTHON_CRASHED, "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)"},
		{DEATH_LOG_REGISTERED, "26/11/26 08:00:00 INFO CoarseGrainedExecutorBackend: Successfully registered with driver"},
		{DEATH_LOG_REGISTERED, "26/11/26 08:00:00 INFO Executor: Starting executor ID 3 on host 10.0.0.2"},
		{DEATH_LOG_REGISTERED, "26/11/26 08:00:00 INFO CoarseGrainedExecutorBackend: Got assigned task 12"},
		{DEATH_LOG_EXCEPTION, "26/11/26 08:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[main,5,main]"},
		{DEATH_LOG_EXCEPTION, "Exception in thread \"main\" java.lang.IllegalStateException"},
		{DEATH_LOG_EXCEPTION, "Traceback (most recent call last):"},
		{DEATH_LOG_EXCEPTION, "Error: Could not find or load main class org.apache.spark.Nosuch"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const uint32_t bits = death_read_log(row[i].line, strlen(row[i].line), NULL, NULL, 0);
		if (bits != row[i].bit)
			fail_msg("%s: 0x%x", row[i].line, bits);
	}
}

/* What makes a secret of the words beside it lies where the line, or the tail, is cut. */
static void test_log_is_redacted_before_it_is_cut(void **unused)
{
	static const char sentence[] = "Exception in thread \"main\" X: https://etl:";
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);
	char line[256], tail[DEATH_LOG_TAIL_BYTES + 1];

	(void)unused;
	memset(tail, 'p', sizeof(tail)); /* a token of 600 bytes */
	memcpy(tail, sentence, strlen(sentence));
	memcpy(tail + 600, "@git.example/x", 15);
	assert_int_equal(death_read_log(tail, 614, redactor, line, sizeof(line)), DEATH_LOG_EXCEPTION);
	assert_string_equal(line, "Exception in thread \"main\" X: https://*********(redacted)@git.example/x");

	memset(tail, 'p', sizeof(tail)); /* "…password=", cut before the '=' */
	memcpy(tail, "word=hunter2 No space left on device\n", 37);
	assert_int_equal(death_read_log(tail, DEATH_LOG_TAIL_BYTES, redactor, line, sizeof(line)), DEATH_LOG_NO_SPACE);
	assert_string_equal(line, "");
	redactor_free(redactor);
}

static void test_any_log(void **unused)
{
	static char tail[DEATH_LOG_TAIL_BYTES + 100];
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);

	(void)unused;
	random_state = 521288629;
	for (unsigned i = 0; i < 300; i++) {
		char line[40];
		size_t length = random_number() % sizeof(tail);
		fill(tail, length);
		for (size_t k = 0; k + 12 < length; k += 400)
			memcpy(tail + k, " stdout F \nD", 12);
		death_read_log(tail, length, redactor, line, sizeof(line));
		assert_true(str_is_ended(line, sizeof(line)));
	}
	redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_each_word),
		cmocka_unit_test(test_log_is_redacted_before_it_is_cut),
		cmocka_unit_test(test_any_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
