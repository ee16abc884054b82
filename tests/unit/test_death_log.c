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
		cmocka_unit_test(test_log_is_redacted_before_it_is_cut),
		cmocka_unit_test(test_any_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
