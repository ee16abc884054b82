#include "health/process_status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

#define RSS_MAX_KIB (UINT64_MAX / 1024)

/* The value behind "KEY:" and blanks; NULL if the line is another. */
static const char *value_of(const char *line, const char *end, const char *key)
{
	const size_t length = strlen(key);

	if ((size_t)(end - line) <= length || memcmp(line, key, length) != 0 || line[length] != ':')
		return NULL;
	for (line += length + 1; line < end && (*line == ' ' || *line == '\t');)
		line++;
	return line;
}

static int parse_kib(const char *value, const char *end, uint64_t *ret_bytes, struct err *e)
{
	uint64_t kib = 0;
	const char *p = value;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (kib > (RSS_MAX_KIB - 9) / 10)
			return err_rule(e, EBADMSG, "VmRSS: too large");
		kib = kib * 10 + (uint64_t)(*p - '0');
	}
	if (p == value || end - p != 3 || memcmp(p, " kB", 3) != 0)
		return err_rule(e, EBADMSG, "VmRSS: '%.*s' is no number of kB", (int)(end - value < 32 ? end - value : 32), value);
	*ret_bytes = kib * 1024;
	return 0;
}

int process_status_parse(const char *text, size_t length, struct process_status *ret, struct err *e)
{
	struct process_status status = {0};
	bool named = false;

	for (const char *line = text, *stop = text + length; line < stop;) {
		const char *newline = memchr(line, '\n', (size_t)(stop - line)), *end = newline ? newline : stop;
		const char *name = value_of(line, end, "Name"), *rss = value_of(line, end, "VmRSS");
		if (name && !named) {
			size_t n = (size_t)(end - name) < sizeof(status.name) ? (size_t)(end - name) : sizeof(status.name) - 1;
			memcpy(status.name, name, n);
			named = true;
		} else if (rss && parse_kib(rss, end, &status.rss_bytes, e) < 0) {
			return -EBADMSG;
		}
		line = end + 1;
	}
	if (!named)
		return err_rule(e, EBADMSG, "no Name");
	*ret = status;
	return 0;
}

enum process_kind process_kind(const char *name, const char *first_word)
{
	static const struct {
		const char *begins;
		bool whole; /* "R" is a name, "Rust…" another */
		enum process_kind kind;
	} kinds[] = {
		{"java", true, PROCESS_JVM},	{"jsvc", true, PROCESS_JVM},	 {"python", false, PROCESS_PYTHON}, {"pypy", false, PROCESS_PYTHON},
		{"pyspark", false, PROCESS_PYTHON}, {"R", true, PROCESS_R}, {"Rscript", true, PROCESS_R},
	};
	const char *slash = strrchr(first_word, '/');
	const char *const words[] = {name, slash ? slash + 1 : first_word};

	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (kinds[i].whole ? strcmp(words[w], kinds[i].begins) == 0 : str_starts(words[w], kinds[i].begins))
				return kinds[i].kind;
	return PROCESS_OTHER;
}
