#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void err_format(struct err *e, int errnum, const char *format, va_list args)
{
	e->code = errnum;
	vsnprintf(e->text, sizeof(e->text), format, args);
}

int err_set(struct err *e, int errnum, const char *format, ...)
{
	if (e) {
		va_list args;
		va_start(args, format);
		err_format(e, errnum, format, args);
		va_end(args);
		size_t n = strlen(e->text);
		snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(errnum));
	}
	return errnum > 0 ? -errnum : -EINVAL;
}

int err_rule(struct err *e, int errnum, const char *format, ...)
{
	if (e) {
		va_list args;
		va_start(args, format);
		err_format(e, errnum, format, args);
		va_end(args);
	}
	return errnum > 0 ? -errnum : -EINVAL;
}

int err_wrap(struct err *e, const char *format, ...)
{
	if (!e)
		return -EINVAL;

	char inner[ERR_TEXT_BYTES];
	memcpy(inner, e->text, sizeof(inner));

	va_list args;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	size_t n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", inner);
	return e->code > 0 ? -e->code : -EINVAL;
}
