#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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

void log_emit(const struct log *log, enum log_level level, const char *message, ...)
{
	if (!log || level < log->minimum)
		return;

	char line[LOG_LINE_BYTES] = "", time_text[CLOCK_TEXT_BYTES];
	clock_format(clock_wall_us(), 1, time_text);
	str_append(line, sizeof(line), "ts=%s level=%s role=%s", time_text, log_level_name(level), log->role);
	log_value(line, sizeof(line) - 2, "msg", message);

	va_list args;
	va_start(args, message);
	for (const char *key; (key = va_arg(args, const char *));) {
		const char *value = va_arg(args, const char *);
		if (value)
			log_value(line, sizeof(line) - 2, key, value);
	}
	va_end(args);

	size_t n = strlen(line);
	line[n++] = '\n';
	/* A log that cannot be written is not worth dying for. */
	if (write(log->fd, line, n) < 0)
		return;
}
