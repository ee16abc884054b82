#include "base/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t str_utf8_length(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x80)
		return u[0] ? 1 : 0;
	size_t n = u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, and what lies beyond U+10FFFF */
	if (n == 3 && ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f)))
		return 0;
	if (n == 4 && ((u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f)))
		return 0;
	return n;
}

/* The largest length <= limit that does not cut a UTF-8 sequence in two. */
static size_t str_cut(const char *source, size_t limit)
{
	size_t cut = limit;

	while (cut > 0 && limit - cut < 3 && ((unsigned char)source[cut] & 0xc0) == 0x80)
		cut--;
	return ((unsigned char)source[cut] & 0xc0) == 0x80 ? limit : cut;
}

bool str_copy(char *destination, size_t size, const char *source)
{
	size_t length = strnlen(source, size);
	bool fits = length < size;

	if (!fits)
		length = str_cut(source, size - 1);
	memcpy(destination, source, length);
	destination[length] = '\0';
	return fits;
}

void str_end_whole(char *text)
{
	size_t length = strlen(text), start = length;

	while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0 && str_utf8_length(text + start - 1) == 0)
		text[start - 1] = '\0';
}

bool str_append(char *destination, size_t size, const char *format, ...)
{
	size_t used = strnlen(destination, size);
	if (used >= size)
		return false;

	va_list args;
	va_start(args, format);
	int n = vsnprintf(destination + used, size - used, format, args);
	va_end(args);
	const bool fits = n >= 0 && (size_t)n < size - used;
	if (!fits)
		str_end_whole(destination);
	return fits;
}

void str_escape(char *destination, size_t size, const char *source)
{
	static const char hex[] = "0123456789abcdef";
	size_t out = 0;

	for (const char *p = source; *p;) {
		char piece[5];
		size_t n = str_utf8_length(p), step = n ? n : 1;
		unsigned char c = (unsigned char)*p;

		/* U+0080 to U+009F are controls too: some terminals take U+009B for ESC [ */
		if (n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0)
			n = 0, step = 1;
		if (n > 1 || (n == 1 && c >= 0x20 && c != 0x7f && c != '\\')) {
			memcpy(piece, p, n);
		} else if (c == '\n' || c == '\t' || c == '\\') {
			piece[0] = '\\';
			piece[1] = c == '\n' ? 'n' : c == '\t' ? 't' : '\\';
			n = 2;
		} else {
			piece[0] = '\\';
			piece[1] = 'x';
			piece[2] = hex[c >> 4];
			piece[3] = hex[c & 15];
			n = 4;
		}
		if (out + n >= size)
			break;
		memcpy(destination + out, piece, n);
		out += n;
		p += step;
	}
	if (size > 0)
		destination[out] = '\0';
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_is_ended(const char *array, size_t size)
{
	return memchr(array, '\0', size) != NULL;
}

unsigned str_distance(const char *a, const char *b, size_t b_length)
{
	unsigned row[STR_DISTANCE_BYTES];

	for (unsigned j = 0; j <= b_length; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned corner = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			const unsigned same = corner + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));
			corner = row[j + 1];
			const unsigned other = (row[j] < corner ? row[j] : corner) + 1;
			row[j + 1] = same < other ? same : other;
		}
	}
	return row[b_length];
}
