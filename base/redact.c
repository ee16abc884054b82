#include "base/redact.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scoped.h"
#include "base/str.h"

#define NAME_LOOKED_AT_BYTES  512 /* a longer name is taken for a secret's */
#define LOOKED_AT_BYTES	      4096 /* of a value */
#define IGNORE_CASE	      "(?i)"
#define SPACES		      " \t\r\n\v\f"

struct redactor {
	regex_t regex;
};

/* Text in, text out; both bounded. */
struct writer {
	char *bytes;
	size_t length, size; /* size without the NUL at the end */
};

const char *redact_check(const char *regex)
{
	const char *pattern = str_starts(regex, IGNORE_CASE) ? regex + strlen(IGNORE_CASE) : regex;
	regex_t compiled;

	if (!pattern[0])
		return "must not match everything";
	if (strstr(pattern, "(?"))
		return "must be a POSIX extended regular expression: '(?' is known as (?i) at the beginning only";
	/* Counted repetition takes memory, back references take time, without bound: ((a{1,255}){1,255}){1,255}. */
	if (strchr(pattern, '{'))
		return "must be without '{'";
	for (const char *p = strchr(pattern, '\\'); p; p = strchr(p + 2, '\\')) {
		if (!p[1])
			return "must not end with '\\'";
		if (!strchr(".[]()*+?|^$\\/-:=_bBwWsS", p[1]))
			return "must be without '\\' before a letter or digit, but for \\b, \\w and \\s: use [0-9] for \\d";
	}
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return "must be a POSIX extended regular expression";
	bool all = regexec(&compiled, "", 0, NULL, 0) == 0;
	regfree(&compiled);
	return all ? "must not match everything" : NULL;
}

struct redactor *redactor_new(const char *regex, struct err *e)
{
	const char *broken = redact_check(regex);
	bool ignore_case = str_starts(regex, IGNORE_CASE);

	if (broken) {
		err_rule(e, EINVAL, "redact.regex: %s", broken);
		return NULL;
	}
	struct redactor *redactor = calloc(1, sizeof(*redactor));
	if (!redactor || regcomp(&redactor->regex, regex + (ignore_case ? strlen(IGNORE_CASE) : 0), REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)) != 0) {
		free(redactor);
		err_set(e, ENOMEM, "cannot compile redact.regex");
		return NULL;
	}
	return redactor;
}

struct redactor *redactor_free(struct redactor *redactor)
{
	if (redactor)
		regfree(&redactor->regex);
	free(redactor);
	return NULL;
}

static bool matches(const struct redactor *redactor, const char *text, size_t length)
{
	char ended[LOOKED_AT_BYTES + 1];

	length = length < LOOKED_AT_BYTES ? length : LOOKED_AT_BYTES;
	memcpy(ended, text, length);
	ended[length] = '\0';
	return regexec(&redactor->regex, ended, 0, NULL, 0) == 0;
}

bool redact_is_secret(const struct redactor *redactor, const char *name, size_t length)
{
	static const char always[] = "authorization";

	if (length > NAME_LOOKED_AT_BYTES)
		return true;
	return (length >= sizeof(always) - 1 && strncasecmp(name + length - (sizeof(always) - 1), always, sizeof(always) - 1) == 0) ||
	       matches(redactor, name, length);
}

static void put(struct writer *w, const char *bytes, size_t length)
{
	size_t room = w->size - w->length;

	memcpy(w->bytes + w->length, bytes, length < room ? length : room);
	w->length += length < room ? length : room;
}

static void put_shown(struct writer *w)
{
	put(w, REDACT_SHOWN, sizeof(REDACT_SHOWN) - 1);
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_one_of(c, "_-.$/") || (unsigned char)c >= 0x80;
}

static const char *skip(const char *p, const char *end, const char *set)
{
	while (p < end && is_one_of(*p, set))
		p++;
	return p;
}

/* Up to the next space, or one of `ends`. */
static const char *word_end(const char *p, const char *end, const char *ends)
{
	while (p < end && !is_one_of(*p, SPACES) && !is_one_of(*p, ends))
		p++;
	return p;
}

static bool is_word(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && strncasecmp(p, word, strlen(word)) == 0;
}

static bool is_scheme(const char *p, const char *end)
{
	return is_word(p, end, "Bearer") || is_word(p, end, "Basic");
}

/* The end of the value that begins at p: of a quoted one the quote that closes it, or all if there is none. */
static const char *value_end(const char *p, const char *end, char quote_before)
{
	if ((size_t)(end - p) >= sizeof(REDACT_SHOWN) - 1 && memcmp(p, REDACT_SHOWN, sizeof(REDACT_SHOWN) - 1) == 0)
		return p + sizeof(REDACT_SHOWN) - 1; /* Spark was here before */
	if (p < end && (*p == '"' || *p == '\'')) {
		const char *close = p + 1;
		while (close < end && *close != *p)
			close += *close == '\\' && close + 1 < end ? 2 : 1;
		return close < end ? close + 1 : end;
	}
	char ends[3] = {'&', quote_before == '"' || quote_before == '\'' ? quote_before : '\0'};
	const char *value = word_end(p, end, ends);
	if (is_scheme(p, value)) /* "Authorization: Bearer abc" */
		value = word_end(skip(value, end, SPACES), end, ends);
	return value;
}

/* Where the value of the name that ends at p begins; NULL = no value stands there. */
static const char *value_begin(const char *name, const char *p, const char *end)
{
	bool option = p - name > 2 && name[0] == '-' && name[1] == '-';
	const char *at = p < end && (*p == '"' || *p == '\'') ? p + 1 : p; /* "password": */

	at = skip(at, end, " \t");
	if (end - at >= 2 && at[0] == '-' && at[1] == '>')
		at += 2;
	else if (at < end && (*at == '=' || *at == ':'))
		at++;
	else if (!option || at == p)
		return NULL;
	at = skip(at, end, " \t");
	return at < end ? at : NULL;
}

/* Of "user:password@host" behind "://": the '@', or NULL. A password may hold '/': keys of S3 do. Without ':' it is a user's
 * name ("spark://CoarseGrainedScheduler@host:7078"), but a token where the web is meant. */
static const char *userinfo_end(const char *text, const char *p, const char *end)
{
	bool is_web = p - text >= 7 && (strncasecmp(p - 7, "http://", 7) == 0 || (p - text >= 8 && strncasecmp(p - 8, "https://", 8) == 0));
	const char *stop = word_end(p, end, "\"'<>,"), *at = NULL;

	for (const char *q = p; q < stop; q++)
		if (*q == '@')
			at = q;
	return at && at > p && (is_web || memchr(p, ':', (size_t)(at - p))) ? at : NULL;
}

/* One name, and its value if that is a secret. Returns what is left to read. */
static const char *take_name(const struct redactor *redactor, struct writer *w, const char *text, const char *p, const char *end)
{
	const char *name = p;

	while (p < end && is_name_byte(*p) && !(p > name && *p == '-' && p + 1 < end && p[1] == '>'))
		p++;
	const char *value = value_begin(name, p, end);
	bool secret = value && redact_is_secret(redactor, name, (size_t)(p - name));
	if (!secret && is_scheme(name, p)) {
		value = skip(p, end, " \t");
		secret = value > p && word_end(value, end, "") - value >= 8;
	}
	if (!secret) {
		put(w, name, (size_t)(p - name));
		return p;
	}
	put(w, name, (size_t)(value - name));
	put_shown(w);
	return value_end(value, end, name > text ? name[-1] : '\0');
}

static void redact_into(const struct redactor *redactor, struct writer *w, const char *text, const char *end)
{
	for (const char *p = text; p < end && w->length < w->size;) {
		if (end - p > 3 && memcmp(p, "://", 3) == 0) {
			const char *at = userinfo_end(text, p + 3, end);
			put(w, p, 3);
			p += 3;
			if (!at)
				continue;
			put_shown(w);
			p = at;
		} else if (is_name_byte(*p) && *p != '/') {
			p = take_name(redactor, w, text, p, end);
		} else {
			put(w, p++, 1);
		}
	}
}

size_t redact_line(const struct redactor *redactor, const char *text, size_t length, char *ret, size_t size)
{
	struct writer w = {.bytes = ret, .size = size - 1};

	redact_into(redactor, &w, text, text + length);
	ret[w.length] = '\0';
	return w.length;
}

/* "K=V" with a secret in it: the name tells, or the value itself does. */
static const char *secret_value(const struct redactor *redactor, const char *text, size_t length)
{
	const char *equals = memchr(text, '=', length);

	if (!equals)
		return NULL;
	if (redact_is_secret(redactor, text, (size_t)(equals - text)) || matches(redactor, equals + 1, length - (size_t)(equals + 1 - text)))
		return equals + 1;
	return NULL;
}

size_t redact_arguments(const struct redactor *redactor, const char *text, size_t length, char *ret, size_t size)
{
	struct writer w = {.bytes = ret, .size = size - 1};
	const char *end = text + length;
	bool value_of_option = false;

	for (const char *p = text; p < end;) {
		const char *nul = memchr(p, '\0', (size_t)(end - p)), *stop = nul ? nul : end;
		const char *secret = secret_value(redactor, p, (size_t)(stop - p));
		if (value_of_option && *p != '-') {
			put_shown(&w);
		} else if (secret) {
			put(&w, p, (size_t)(secret - p));
			put_shown(&w);
		} else {
			redact_into(redactor, &w, p, stop);
		}
		value_of_option = *p == '-' && !memchr(p, '=', (size_t)(stop - p)) && redact_is_secret(redactor, p, (size_t)(stop - p));
		if (nul)
			put(&w, "", 1);
		p = nul ? nul + 1 : end;
	}
	ret[w.length] = '\0';
	return w.length;
}
