#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define LOG_LINE_BYTES	2048
#define LOG_VALUE_BYTES 640

const char *log_level_name(enum log_level level)
{
	static const char *const name[LOG_LEVEL_MAX_] = {"debug", "info", "warn", "error"};

	return (unsigned)level < LOG_LEVEL_MAX_ ? name[level] : "error";
}

const char *log_number_into(char buffer[static 24], int64_t number)
{
	snprintf(buffer, 24, "%lld", (long long)number);
	return buffer;
}

static void log_value(char *line, size_t size, const char *key, const char *value)
{
	char escaped[LOG_VALUE_BYTES];
	str_escape(escaped, sizeof(escaped), value);

	bool quote = *escaped == '\0' || strpbrk(escaped, " =\"\\") != NULL;
	str_append(line, size, quote ? " %s=\"" : " %s=", key);
	for (const char *p = escaped; *p; p++)
		str_append(line, size, *p == '"' ? "\\%c" : "%c", *p);
	if (quote)
		str_append(line, size, "\"");
}

/* What cannot be written is not worth dying for, and not worth waiting for. True if there was room. */
static bool log_write(const struct log *log, enum log_level level, const char *message, va_list args)
{
	char line[LOG_LINE_BYTES] = "", time_text[CLOCK_TEXT_BYTES];

	clock_format(clock_wall_us(), 1, time_text);
	str_append(line, sizeof(line), "ts=%s level=%s role=%s", time_text, log_level_name(level), log->role);
	log_value(line, sizeof(line) - 2, "msg", message);

	for (const char *key; (key = va_arg(args, const char *));) {
		const char *value = va_arg(args, const char *);
		if (value)
			log_value(line, sizeof(line) - 2, key, value);
	}
	size_t n = strlen(line);
	line[n++] = '\n';
	return write(log->fd, line, n) >= 0 || errno != EAGAIN;
}

static __attribute__((sentinel)) bool log_pairs(const struct log *log, enum log_level level, const char *message, ...)
{
	va_list args;

	va_start(args, message);
	const bool ok = log_write(log, level, message, args);
	va_end(args);
	return ok;
}

void log_emit(const struct log *log, enum log_level level, const char *message, ...)
{
	va_list args;

	if (!log || level < log->minimum)
		return;
	if (log->lost && *log->lost > 0 && log_pairs(log, LOG_WARN, "log lines lost: nobody read them", "lines", log_number((int64_t)*log->lost), (char *)0))
		*log->lost = 0;
	va_start(args, message);
	if (!log_write(log, level, message, args) && log->lost)
		++*log->lost;
	va_end(args);
}

void log_never_wait(struct log *log, uint64_t *lost)
{
	char path[32];
	struct stat st;

	log->lost = lost;
	if (fstat(log->fd, &st) < 0 || (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", log->fd);
	scoped(fd_drop) int fd = S_ISFIFO(st.st_mode) ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	if (fd < 0 || dup2(fd, log->fd) < 0) /* a socket, or somebody else's pipe */
		fcntl(log->fd, F_SETFL, fcntl(log->fd, F_GETFL) | O_NONBLOCK);
}
