/* sample.c - see sample.h. */
#include "cgroups/sample.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/scoped.h"

/* v1 shows PAGE_COUNTER_MAX pages as bytes (0x7ffffffffffff000, with 64 KiB pages 0x7fffffffffff0000), before 4.0 LLONG_MAX.
 * No limit that anybody set is as big. */
#define NO_LIMIT (1ULL << 62)

/* --- the text: lines of the kernel's, each ended by a newline --- */

struct text {
	const char *at, *end;
	unsigned line;
};

struct word {
	const char *at;
	size_t length;
};

static bool word_is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && memcmp(word->at, text, word->length) == 0;
}

static int malformed(const struct text *text, struct err *e, const char *rule)
{
	return err_rule(e, EBADMSG, "line %u: %s", text->line, rule);
}

/* 1 = a line, 0 = the end. A text that ends within a line was cut: its last number may be a part of one. */
static int next_line(struct text *text, struct word *ret, struct err *e)
{
	*ret = (struct word){0};
	if (text->at == text->end)
		return 0;
	text->line++;
	const char *newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	if (!newline)
		return malformed(text, e, "does not end");
	*ret = (struct word){text->at, (size_t)(newline - text->at)};
	text->at = newline + 1;
	return 1;
}

/* Takes the next word of a line; false at its end. */
static bool next_word(struct word *line, struct word *ret)
{
	while (line->length > 0 && *line->at == ' ')
		line->at++, line->length--;
	const char *space = line->length > 0 ? memchr(line->at, ' ', line->length) : NULL;
	*ret = (struct word){line->at, space ? (size_t)(space - line->at) : line->length};
	line->at += ret->length;
	line->length -= ret->length;
	return ret->length > 0;
}

static bool to_number(const struct word *word, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < word->length; i++) {
		unsigned digit = (unsigned char)word->at[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(n, 10U, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (word->length > 0)
		*ret = n;
	return word->length > 0;
}

/* --- files of "key number" lines --- */

#define KEYS_MAX 32

struct key {
	const char *name;
	size_t offset;	/* of a uint64_t in the result */
	uint32_t have;	/* bits that its presence sets */
	uint32_t scale; /* the kernel's number is divided by it; 0 = as it is */
};

/* `seen` gets a bit for each key of the table that the text has. Returns the union of their `have`. */
static int parse_keys(const char *bytes, size_t length, const struct key *keys, size_t count, void *result, uint32_t *seen, struct err *e)
{
	struct text text = {bytes, bytes + length, 0};
	struct word line, name, number, more;
	uint32_t have = 0;
	int r;

	*seen = 0;
	while ((r = next_line(&text, &line, e)) > 0) {
		uint64_t n;
		if (!next_word(&line, &name) || !next_word(&line, &number) || next_word(&line, &more) || !to_number(&number, &n))
			return malformed(&text, e, "must be 'key number'");
		for (size_t i = 0; i < count; i++) {
			if (!word_is(&name, keys[i].name))
				continue;
			n = keys[i].scale ? n / keys[i].scale : n;
			memcpy((char *)result + keys[i].offset, &n, sizeof(n));
			have |= keys[i].have;
			*seen |= 1U << i;
		}
	}
	return r < 0 ? r : (int)have;
}

#define KEY(name, field, have)	      {name, offsetof(struct sample, field), have, 0}
#define SCALED(name, field, have, by) {name, offsetof(struct sample, field), have, by}

/* The parts of "kernel", for kernels that do not add them up (before 5.18). */
struct kernel_parts {
	struct sample sample;
	uint64_t stack, page_tables, per_cpu, slab_reclaimable, slab_unreclaimable;
};
#define PART(name, field) {name, offsetof(struct kernel_parts, field), 0, 0}

enum { KEY_KERNEL = 0, KEY_SLAB = 1 };
static const struct key stat_v2[] = {
	[KEY_KERNEL] = KEY("kernel", kernel_bytes, 0), /* ≥ 5.18; without sock */
	[KEY_SLAB] = KEY("slab", slab_bytes, 0),
	KEY("anon", anon_bytes, SAMPLE_HAS_STAT),
	KEY("file", file_bytes, 0),
	KEY("shmem", shmem_bytes, 0),
	KEY("sock", sock_bytes, 0),
	KEY("file_dirty", file_dirty_bytes, 0),
	KEY("file_writeback", file_writeback_bytes, 0),
	KEY("file_mapped", file_mapped_bytes, 0),
	KEY("inactive_file", inactive_file_bytes, 0),
	PART("kernel_stack", stack),
	PART("pagetables", page_tables), /* ≥ 5.11 */
	PART("percpu", per_cpu),	 /* ≥ 5.9 */
	PART("slab_reclaimable", slab_reclaimable),
	PART("slab_unreclaimable", slab_unreclaimable),
};

/* The lines without total_ count this cgroup alone, and nothing of a sub-cgroup's (crun, systemd in a container). */
static const struct key stat_v1[] = {
	KEY("total_rss", anon_bytes, SAMPLE_HAS_STAT),
	KEY("total_cache", file_bytes, 0),
	KEY("total_shmem", shmem_bytes, 0), /* ≥ 4.19 */
	KEY("total_dirty", file_dirty_bytes, 0),
	KEY("total_writeback", file_writeback_bytes, 0),
	KEY("total_mapped_file", file_mapped_bytes, 0),
	KEY("total_inactive_file", inactive_file_bytes, 0),
	KEY("total_swap", swap_bytes, 0),
};

int sample_parse_memory_stat(const char *text, size_t length, int version, struct sample *ret, struct err *e)
{
	struct kernel_parts parts = {.sample = *ret};
	uint32_t seen;
	int have = version == 1 ? parse_keys(text, length, stat_v1, ARRAY_SIZE(stat_v1), &parts, &seen, e)
				: parse_keys(text, length, stat_v2, ARRAY_SIZE(stat_v2), &parts, &seen, e);

	if (have < 0) {
		err_wrap(e, "memory.stat");
		return have;
	}
	struct sample *s = &parts.sample;
	if (version != 1 && have) {
		if (!(seen & 1U << KEY_SLAB))
			s->slab_bytes = parts.slab_reclaimable + parts.slab_unreclaimable;
		if (!(seen & 1U << KEY_KERNEL))
			s->kernel_bytes = s->slab_bytes + parts.stack + parts.page_tables + parts.per_cpu;
	}
	s->have |= (uint32_t)have;
	*ret = *s;
	return 0;
}

#define EVENT(name, field, have) {name, offsetof(struct sample_events, field), have, 0}

int sample_parse_events(const char *text, size_t length, struct sample_events *ret, struct err *e)
{
	static const struct key keys[] = {
		EVENT("low", low, 0),
		EVENT("high", high, 0),
		EVENT("max", max, 0),
		EVENT("oom", oom, 0),
		EVENT("oom_kill", oom_kill, SAMPLE_HAS_EVENTS), /* v1: ≥ 4.13 */
		EVENT("oom_group_kill", oom_group_kill, SAMPLE_HAS_GROUP),
	};
	struct sample_events events = *ret;
	uint32_t seen;
	int have = parse_keys(text, length, keys, ARRAY_SIZE(keys), &events, &seen, e);

	if (have >= 0)
		*ret = events;
	return have;
}

int sample_parse_cpu_stat(const char *text, size_t length, struct sample *ret, struct err *e)
{
	static const struct key keys[] = {
		KEY("usage_usec", cpu_usage_us, SAMPLE_HAS_CPU),
		KEY("nr_periods", periods, SAMPLE_HAS_CPU), /* not there without the cpu controller, or in a root */
		KEY("nr_throttled", throttled_periods, 0),
		KEY("throttled_usec", throttled_us, 0),
		SCALED("throttled_time", throttled_us, 0, 1000), /* v1: ns */
	};
	struct sample sample = *ret;
	uint32_t seen;
	int have = parse_keys(text, length, keys, ARRAY_SIZE(keys), &sample, &seen, e);

	if (have < 0) {
		err_wrap(e, "cpu.stat");
		return have;
	}
	sample.have |= (uint32_t)have;
	*ret = sample;
	return 0;
}

int sample_parse_pids_events(const char *text, size_t length, struct sample *ret, struct err *e)
{
	static const struct key keys[] = {KEY("max", pids_max_events, 0)};
	struct sample sample = *ret;
	uint32_t seen;
	int have = parse_keys(text, length, keys, ARRAY_SIZE(keys), &sample, &seen, e);

	if (have < 0) {
		err_wrap(e, "pids.events");
		return have;
	}
	*ret = sample;
	return 0;
}

/* --- one number --- */

int sample_parse_number(const char *bytes, size_t length, uint64_t *ret, struct err *e)
{
	struct text text = {bytes, bytes + length, 0};
	struct word line, word, more;
	uint64_t n = 0;
	int r = next_line(&text, &line, e);

	if (r < 0)
		return r;
	if (r == 0 || text.at != text.end || !next_word(&line, &word) || next_word(&line, &more) || !(word_is(&word, "max") || to_number(&word, &n)))
		return malformed(&text, e, "must be one number or 'max'");
	*ret = n >= NO_LIMIT ? 0 : n;
	return 0;
}

/* --- pressure: "some avg10=0.12 avg60=0.00 avg300=0.00 total=345" --- */

/* "12.34" as 1234. */
static bool to_centi(const struct word *word, uint32_t *ret)
{
	const char *dot = memchr(word->at, '.', word->length);
	struct word whole = {word->at, dot ? (size_t)(dot - word->at) : 0}, part = {dot ? dot + 1 : word->at, dot ? word->length - whole.length - 1 : 0};
	uint64_t w = 0, p = 0;

	if (!dot || part.length != 2 || !to_number(&whole, &w) || !to_number(&part, &p) || w > 1000)
		return false;
	*ret = (uint32_t)(w * 100 + p);
	return true;
}

/* The value of "name=value". */
static bool value_of(const struct word *word, const char *name, struct word *ret)
{
	size_t n = strlen(name);

	if (word->length <= n || memcmp(word->at, name, n) != 0 || word->at[n] != '=')
		return false;
	*ret = (struct word){word->at + n + 1, word->length - n - 1};
	return true;
}

static bool parse_pressure_line(struct word line, struct sample_pressure *p)
{
	struct word word, value;
	bool some, average = false, total = false;

	if (!next_word(&line, &word) || !((some = word_is(&word, "some")) || word_is(&word, "full")))
		return false;
	while (next_word(&line, &word)) {
		if (value_of(&word, "avg10", &value))
			average = to_centi(&value, some ? &p->some_avg10_centi : &p->full_avg10_centi);
		else if (value_of(&word, "total", &value))
			total = to_number(&value, some ? &p->some_total_us : &p->full_total_us);
	}
	return average && total;
}

int sample_parse_pressure(const char *bytes, size_t length, struct sample_pressure *ret, struct err *e)
{
	struct text text = {bytes, bytes + length, 0};
	struct sample_pressure pressure = {0};
	struct word line;
	int r;

	while ((r = next_line(&text, &line, e)) > 0)
		if (!parse_pressure_line(line, &pressure))
			return malformed(&text, e, "must be 'some' or 'full' with avg10 and total");
	if (r == 0)
		*ret = pressure;
	return r;
}

/* --- io: "8:0 rbytes=1 wbytes=2 …", on v1 "8:0 Read 1" --- */

/* Some 5.x kernels leave out the newline after a device without counts: "8:0 8:16 rbytes=…". Other keys than the two are not always
 * numbers (io.latency shows "depth=max"). */
static bool parse_io_line(struct word line, uint64_t *read, uint64_t *written)
{
	struct word word, value;
	uint64_t n;

	for (unsigned i = 0; next_word(&line, &word); i++) {
		bool is_read = value_of(&word, "rbytes", &value);
		if (is_read || value_of(&word, "wbytes", &value)) {
			if (!to_number(&value, &n) || __builtin_add_overflow(*(is_read ? read : written), n, is_read ? read : written))
				return false;
		} else if (i == 0 && !memchr(word.at, ':', word.length)) {
			return false;
		}
	}
	return true;
}

static bool parse_blkio_line(struct word line, uint64_t *read, uint64_t *written)
{
	struct word device, what, number, more;
	uint64_t n;

	if (!next_word(&line, &device) || !next_word(&line, &what))
		return false;
	if (word_is(&device, "Total"))
		return to_number(&what, &n);
	if (!memchr(device.at, ':', device.length) || !next_word(&line, &number) || next_word(&line, &more) || !to_number(&number, &n))
		return false;
	uint64_t *sum = word_is(&what, "Read") ? read : word_is(&what, "Write") ? written : NULL;
	return !sum || !__builtin_add_overflow(*sum, n, sum);
}

int sample_parse_io_stat(const char *bytes, size_t length, int version, struct sample *ret, struct err *e)
{
	struct text text = {bytes, bytes + length, 0};
	uint64_t read = 0, written = 0;
	struct word line;
	int r;

	while ((r = next_line(&text, &line, e)) > 0)
		if (!(version == 1 ? parse_blkio_line(line, &read, &written) : parse_io_line(line, &read, &written)))
			return malformed(&text, e, "must be a device with its counts");
	if (r < 0)
		return r;
	ret->io_read_bytes = read;
	ret->io_write_bytes = written;
	ret->have |= SAMPLE_HAS_IO;
	return 0;
}
