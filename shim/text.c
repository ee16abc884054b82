#include "shim/text.h"

#include <string.h>

#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"

#define DIGITS_MAX 18
#define REDACTED_BYTES 2048 /* more than any field has, so that a secret ends before a field does */

struct text text_of(const char *string)
{
	return (struct text){.bytes = string, .length = (uint32_t)strlen(string)};
}

bool text_is(struct text text, const char *string)
{
	size_t length = strlen(string);

	return text.length == length && (length == 0 || memcmp(text.bytes, string, length) == 0);
}

bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

bool text_starts(struct text text, const char *string)
{
	size_t length = strlen(string);

	return text.length >= length && (length == 0 || memcmp(text.bytes, string, length) == 0);
}

bool text_ends(struct text text, const char *string)
{
	size_t length = strlen(string);

	return text.length >= length && (length == 0 || memcmp(text.bytes + text.length - length, string, length) == 0);
}

bool text_has(struct text text, const char *string)
{
	return text.length > 0 && memmem(text.bytes, text.length, string, strlen(string)) != NULL;
}

struct text text_from(struct text text, size_t offset)
{
	if (offset >= text.length)
		return (struct text){.bytes = "", .length = 0};
	return (struct text){.bytes = text.bytes + offset, .length = text.length - (uint32_t)offset};
}

bool text_next(struct text *rest, char c, struct text *part)
{
	if (rest->length == 0)
		return false;
	const char *end = memchr(rest->bytes, c, rest->length);
	part->bytes = rest->bytes;
	part->length = end ? (uint32_t)(end - rest->bytes) : rest->length;
	*rest = text_from(*rest, (size_t)part->length + 1);
	return true;
}

bool text_number(struct text text, uint64_t *ret)
{
	uint64_t number = 0;

	if (text.length == 0 || text.length > DIGITS_MAX)
		return false;
	for (uint32_t i = 0; i < text.length; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.bytes[i] - '0');
	}
	*ret = number;
	return true;
}

/* "k", "kb", "ki", "kib" in either case; 0 = no unit of bytes. */
static uint64_t unit_of(struct text unit)
{
	static const char letters[] = "bkmgtp";
	char low[4] = {0};

	if (unit.length > 3)
		return 0;
	for (uint32_t i = 0; i < unit.length; i++)
		low[i] = (char)(unit.bytes[i] >= 'A' && unit.bytes[i] <= 'Z' ? unit.bytes[i] - 'A' + 'a' : unit.bytes[i]);
	const char *at = low[0] ? strchr(letters, low[0]) : NULL;
	if (!at || (low[1] && strcmp(low + 1, "b") != 0 && strcmp(low + 1, "i") != 0 && strcmp(low + 1, "ib") != 0))
		return 0;
	return 1ULL << (10 * (at - letters));
}

bool text_bytes(struct text text, uint64_t unit_bytes, uint64_t *ret)
{
	struct text digits = text;
	uint64_t number;

	for (digits.length = 0; digits.length < text.length && text.bytes[digits.length] >= '0' && text.bytes[digits.length] <= '9';)
		digits.length++;
	uint64_t unit = digits.length < text.length ? unit_of(text_from(text, digits.length)) : unit_bytes;
	if (unit == 0 || !text_number(digits, &number) || number > UINT64_MAX / 2 / unit)
		return false;
	*ret = number * unit;
	return true;
}

void text_copy(char *destination, size_t size, struct text text)
{
	size_t out = 0;

	for (uint32_t in = 0; in < text.length;) {
		char window[5] = {0}; /* the text itself need not end with NUL */
		memcpy(window, text.bytes + in, text.length - in < 4 ? text.length - in : 4);
		size_t n = str_utf8_length(window);
		unsigned char c = (unsigned char)window[0];
		/* U+0080 to U+009F are controls too */
		bool clean = n > 0 && c >= 0x20 && c != 0x7f && !(n == 2 && c == 0xc2 && (unsigned char)window[1] < 0xa0);
		if (out + (clean ? n : 1) >= size)
			break;
		if (clean)
			memcpy(destination + out, window, n);
		else
			destination[out] = '?';
		out += clean ? n : 1;
		in += (uint32_t)(n ? n : 1);
	}
	destination[out] = '\0';
}

void text_copy_whole(char *destination, size_t size, struct text text)
{
	text_copy(destination, size, text.length < size ? text : (struct text){.bytes = "", .length = 0});
}

struct text text_redacted(const struct redactor *redactor, struct text argument, char *clean, size_t size)
{
	if (!redactor || argument.length == 0)
		return argument;
	size_t length = redact_arguments(redactor, argument.bytes, argument.length, clean, size);
	return (struct text){.bytes = clean, .length = (uint32_t)length};
}

void text_copy_redacted(const struct redactor *redactor, char *destination, size_t size, struct text text)
{
	char clean[REDACTED_BYTES];

	text_copy(destination, size, text_redacted(redactor, text, clean, sizeof(clean)));
}
