#include "base/scan.h"

#include <string.h>

bool scan_word(const char **p, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*p, word, length) != 0)
		return false;
	*p += length;
	return true;
}

bool scan_number(const char **p, uint64_t *ret)
{
	const char *digit = *p;
	uint64_t n = 0;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		uint64_t value = (uint64_t)(*digit - '0');
		if (n > (UINT64_MAX - value) / 10)
			return false;
		n = n * 10 + value;
	}
	if (digit == *p)
		return false;
	*p = digit;
	*ret = n;
	return true;
}

const char *scan_last(const char *text, const char *word)
{
	const char *last = NULL;

	for (const char *p = text; (p = strstr(p, word)); p++)
		last = p;
	return last;
}
