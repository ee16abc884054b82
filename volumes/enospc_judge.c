#include "volumes/enospc_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool enospc_known(const struct enospc_facts *f, enum enospc_number n)
{
	return f->number[n] != ENOSPC_UNKNOWN;
}

void enospc_say(struct enospc_answer *a, const char *format, ...)
{
	va_list args;
	size_t length = strlen(a->numbers);

	va_start(args, format);
	vsnprintf(a->numbers + length, sizeof(a->numbers) - length, format, args);
	va_end(args);
}

enum enospc_confidence enospc_reached(const struct enospc_facts *f, enum enospc_number used, enum enospc_number limit, const char *noun, struct enospc_answer *a)
{
	uint64_t u = f->number[used], l = f->number[limit];

	if (l == ENOSPC_UNLIMITED) {
		enospc_say(a, "%s: no limit", noun);
		return CONFIDENCE_RULED_OUT;
	}
	if (l == ENOSPC_UNKNOWN || (u == ENOSPC_UNKNOWN && l > 0)) {
		enospc_say(a, "%s: %s could not be read", noun, l == ENOSPC_UNKNOWN ? "the limit" : "what is used");
		return CONFIDENCE_UNKNOWN;
	}
	enospc_say(a, "%s: %" PRIu64 " of at most %" PRIu64, noun, u == ENOSPC_UNKNOWN ? 0 : u, l);
	return l == 0 || u >= l ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_flag(const struct enospc_facts *f, enum enospc_number n, const char *yes, const char *no, struct enospc_answer *a)
{
	enospc_say(a, "%s", !enospc_known(f, n) ? "could not be read" : f->number[n] ? yes : no);
	return !enospc_known(f, n) ? CONFIDENCE_UNKNOWN : f->number[n] ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

void enospc_say_where(struct enospc_answer *a, const char *where)
{
	char shown[ENOSPC_WHERE_BYTES * 2];

	str_escape(shown, sizeof(shown), where);
	if (*shown)
		enospc_say(a, " (%s)", shown);
}
