/* death_log.c - what the end of a container's log says: a table of words. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/death.h"

#define LINE_BYTES 512
#define FRESH_US   (120 * US_PER_S)
#define LASTING	   DEATH_LOG_REGISTERED /* is so however long ago it was said */

/* A line means `bit` if it has `first`, and after it `second` (NULL = that is enough). The heavier says more about a death.
 * Sources: Apache Spark 3.1 to 4.3 (CoarseGrainedExecutorBackend, Executor, SparkUncaughtExceptionHandler, DiskBlockManager,
 * SignalUtils, PythonRunner), OpenJDK 8 to 21, CPython, runc; docs/executors.md. */
static const struct {
	const char *first, *second;
	uint32_t bit, weight;
} words[] = {
	{"java.lang.OutOfMemoryError: Java heap space", NULL, DEATH_LOG_HEAP_OOM, 90},
	{"java.lang.OutOfMemoryError: GC overhead limit exceeded", NULL, DEATH_LOG_HEAP_OOM, 90},
	{"java.lang.OutOfMemoryError: Requested array size exceeds VM limit", NULL, DEATH_LOG_HEAP_OOM, 90},
	{"OutOfMemory encountered: Java heap space", NULL, DEATH_LOG_HEAP_OOM, 90}, /* so in a crash's report */
	{"OutOfMemory encountered: GC overhead limit exceeded", NULL, DEATH_LOG_HEAP_OOM, 90},
	{"java.lang.OutOfMemoryError: Metaspace", NULL, DEATH_LOG_METASPACE_OOM, 90},
	{"java.lang.OutOfMemoryError: Compressed class space", NULL, DEATH_LOG_METASPACE_OOM, 90},
	{"java.lang.OutOfMemoryError: Direct buffer memory", NULL, DEATH_LOG_DIRECT_OOM, 90},
	{"java.lang.OutOfMemoryError: Cannot reserve", "direct buffer memory", DEATH_LOG_DIRECT_OOM, 90},
	{"OutOfDirectMemoryError: failed to allocate", NULL, DEATH_LOG_DIRECT_OOM, 90}, /* Netty */
	{"java.lang.OutOfMemoryError: unable to create ", "native thread", DEATH_LOG_THREAD_OOM, 90},
	{"insufficient memory for the Java Runtime Environment", NULL, DEATH_LOG_NATIVE_OOM, 85},
	{"A fatal error has been detected by the Java Runtime Environment", NULL, DEATH_LOG_JVM_CRASH, 80},
	{"Failed to create any local dir.", NULL, DEATH_LOG_NO_LOCAL_DIR, 70},
	{"Failed to create local dir in ", NULL, DEATH_LOG_NO_LOCAL_DIR, 65},
	{"Read-only file system", NULL, DEATH_LOG_READ_ONLY, 75},
	{"No space left on device", NULL, DEATH_LOG_NO_SPACE, 75},
	{"Disk quota exceeded", NULL, DEATH_LOG_NO_SPACE, 75},
	{"Input/output error", NULL, DEATH_LOG_IO_ERROR, 75},
	{"Structure needs cleaning", NULL, DEATH_LOG_IO_ERROR, 75},
	{"Permission denied", NULL, DEATH_LOG_DENIED, 40},
	{"java.nio.file.AccessDeniedException: ", NULL, DEATH_LOG_DENIED, 40}, /* EACCES in Java's newer words: of Spark's local dirs from 3.3 on */
	{"exec format error", NULL, DEATH_LOG_EXEC_FORMAT, 80},
	{"Exec format error", NULL, DEATH_LOG_EXEC_FORMAT, 80},
	{"cannot execute binary file", NULL, DEATH_LOG_EXEC_FORMAT, 80},
	{"executable file not found", NULL, DEATH_LOG_NOT_FOUND, 80},
	{": command not found", NULL, DEATH_LOG_NOT_FOUND, 80},
	{"exec ", ": no such file or directory", DEATH_LOG_NOT_FOUND, 80},
	{"exec: \"", ": no such file or directory", DEATH_LOG_NOT_FOUND, 80}, /* runc's */
	{"exec: ", ": not found", DEATH_LOG_NOT_FOUND, 80},
	{"unable to send heartbeats to driver more than ", NULL, DEATH_LOG_HEARTBEAT, 70},
	{"Driver ", " disassociated! Shutting down", DEATH_LOG_DRIVER_GONE, 60},
	{"Lost connection to worker rpc endpoint ", ". Exiting", DEATH_LOG_DRIVER_GONE, 60}, /* standalone: 255 */
	{"Driver commanded a shutdown", NULL, DEATH_LOG_SHUTDOWN, 30},
	{"RECEIVED SIGNAL TERM", NULL, DEATH_LOG_SIGTERM, 20},
	{"RECEIVED SIGNAL PWR", NULL, DEATH_LOG_DECOMMISSION, 25},
	{"Decommission executor ", NULL, DEATH_LOG_DECOMMISSION, 31}, /* its driver's command to stop follows within a second */
	{"Finished decommissioning", NULL, DEATH_LOG_DECOMMISSION, 32},
	{"UnknownHostException", NULL, DEATH_LOG_UNKNOWN_HOST, 50},
	{"Name or service not known", NULL, DEATH_LOG_UNKNOWN_HOST, 50},
	{"Temporary failure in name resolution", NULL, DEATH_LOG_UNKNOWN_HOST, 50},
	{"Connection refused", NULL, DEATH_LOG_REFUSED, 45},
	{"onnection timed out", NULL, DEATH_LOG_CONNECT_TIMEOUT, 45},
	{"connect timed out", NULL, DEATH_LOG_CONNECT_TIMEOUT, 45},
	{"Cannot receive any reply from ", NULL, DEATH_LOG_CONNECT_TIMEOUT, 45},
	{"Python worker exited unexpectedly", NULL, DEATH_LOG_PYTHON_CRASHED, 55},
	{"Successfully registered with driver", NULL, DEATH_LOG_REGISTERED, 0},
	{"Starting executor ID ", NULL, DEATH_LOG_REGISTERED, 0}, /* what only they do who have registered: of a long log the end is read */
	{"Got assigned task ", NULL, DEATH_LOG_REGISTERED, 0},
	{"Running task ", " in stage ", DEATH_LOG_REGISTERED, 0},
	{"Uncaught exception in thread", NULL, DEATH_LOG_EXCEPTION, 35},
	{"Exception in thread \"", NULL, DEATH_LOG_EXCEPTION, 35},
	{"Traceback (most recent call last)", NULL, DEATH_LOG_EXCEPTION, 15},
	{"Could not find or load main class", NULL, DEATH_LOG_EXCEPTION, 35},
};

/* Words that mean something at the beginning of a line only: in the middle of one they are another's. */
static const struct {
	const char *word;
	uint32_t bit, weight;
} starts[] = {
	{"MemoryError", DEATH_LOG_MEMORY_ERROR, 60}, /* the last line of a Python traceback */
};

/* Of the tail: not ended, may hold NUL. */
struct text_part {
	const char *bytes;
	size_t length;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static uint32_t read_line(const char *text, uint32_t *weight)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *at = strstr(text, words[i].first);
		if (!at || (words[i].second && !strstr(at + strlen(words[i].first), words[i].second)))
			continue;
		bits |= words[i].bit;
		*weight = words[i].weight > *weight ? words[i].weight : *weight;
	}
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		if (!str_starts(text, starts[i].word))
			continue;
		bits |= starts[i].bit;
		*weight = starts[i].weight > *weight ? starts[i].weight : *weight;
	}
	return bits;
}

/* One line's text, cut, without its CRI head; *ret_us is when it was written, 0 = it does not say. Returns the head's length. */
static size_t take_line(const char *from, size_t length, char text[LINE_BYTES], uint64_t *ret_us)
{
	char raw[LINE_BYTES];
	size_t n = length < sizeof(raw) - 1 ? length : sizeof(raw) - 1, head = 0;

	for (size_t i = 0; i < n; i++)
		raw[i] = from[i] && from[i] != '\r' ? from[i] : ' ';
	raw[n] = '\0';
	*ret_us = 0;
	char *space = strchr(raw, ' ');
	if (space && (str_starts(space, " stdout ") || str_starts(space, " stderr ")) && space[8] && space[9] == ' ') {
		*space = '\0';
		if (clock_parse(raw, ret_us) < 0)
			*ret_us = 0;
		*space = ' ';
		head = (size_t)(space - raw) + 10;
	}
	memmove(text, raw + head, n - head + 1);
	return head;
}

/* The time of the last line that has one. */
static uint64_t last_time(const char *tail, size_t length)
{
	char text[LINE_BYTES];
	uint64_t us = 0;

	for (size_t end = length; us == 0 && end > 0;) {
		size_t from = end;
		while (from > 0 && tail[from - 1] != '\n')
			from--;
		take_line(tail + from, end - from, text, &us);
		end = from > 0 ? from - 1 : 0;
	}
	return us;
}

/* For people: nothing that a terminal obeys, no blanks at its ends. Redacted whole and cut then: of "://user:password@host" that is cut
 * before the '@' nobody could tell that it was a password. */
static void say_line(struct text_part part, const struct redactor *redactor, char *line, size_t size)
{
	char redacted[LINE_BYTES];

	while (part.length > 0 && is_blank(part.bytes[0]))
		part.bytes++, part.length--;
	size_t n = redact_line(redactor, part.bytes, part.length, redacted, sizeof(redacted));
	for (size_t i = 0; i < n; i++)
		if (!redacted[i])
			redacted[i] = ' ';
	while (n > 0 && is_blank(redacted[n - 1]))
		redacted[--n] = '\0';
	str_escape(line, size, redacted);
}

uint32_t death_read_log(const char *tail, size_t length, const struct redactor *redactor, char *line, size_t line_size)
{
	/* A full tail begins within a line, and one that its runtime has cut ("P") goes on in the next: of a secret there the name may be missing, so it is not shown. */
	bool is_whole = length < DEATH_LOG_TAIL_BYTES;
	struct text_part said = {tail, 0};
	uint32_t bits = 0, best = 0;

	if (length > DEATH_LOG_TAIL_BYTES) { /* the end says how it ended */
		tail += length - DEATH_LOG_TAIL_BYTES;
		length = DEATH_LOG_TAIL_BYTES;
	}
	uint64_t last_us = last_time(tail, length);
	while (length > 0) {
		const char *end = memchr(tail, '\n', length);
		size_t n = end ? (size_t)(end - tail) : length;
		char text[LINE_BYTES];
		uint32_t weight = 0;
		uint64_t us;
		const size_t head = take_line(tail, n, text, &us);
		const bool is_fresh = us == 0 || us + FRESH_US >= last_us;
		bits |= read_line(text, &weight) & (is_fresh ? UINT32_MAX : LASTING) & (bits & DEATH_LOG_DRIVER_GONE ? ~DEATH_LOG_SIGTERM : UINT32_MAX);
		if (is_fresh && weight > best && is_whole) { /* of equals the first: what follows from it comes later */
			best = weight;
			said = (struct text_part){tail + head, n - head};
		}
		is_whole = head == 0 || tail[head - 2] != 'P';
		n += end ? 1 : 0;
		tail += n;
		length -= n;
	}
	if (redactor)
		say_line(said, redactor, line, line_size);
	return bits;
}
