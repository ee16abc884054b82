#include "health/death_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/names.h"

#define RECORDS_MAX 10000 /* the most that may be configured; an earlier life may have kept more than we do */
#define BYTES_MAX   (64 * 1024 * 1024 + DEATH_RING_LINE_BYTES)

/* Lines that are deaths, in the text of the file. */
struct ring_lines {
	char *text; /* NULL: no file */
	unsigned count;
	struct ring_line {
		const char *start;
		size_t length;
	} *lines;
	unsigned capacity;
	uint64_t last_number;
	unsigned bad;
	bool ended; /* the last one has its newline, or there is none */
};

static void lines_drop(struct ring_lines **lines)
{
	if (*lines) {
		free((*lines)->text);
		free((*lines)->lines);
	}
	free(*lines);
}

static void take_line(struct ring_lines *lines, const char *start, size_t length)
{
	struct death death;

	if (length == 0)
		return;
	if (length >= DEATH_RING_LINE_BYTES || death_from_json(start, length, &death, NULL) < 0) {
		lines->bad++;
		return;
	}
	if (lines->count == lines->capacity) {
		const unsigned capacity = lines->capacity ? 2 * lines->capacity : 64;
		struct ring_line *more = capacity > 2 * RECORDS_MAX ? NULL : realloc(lines->lines, capacity * sizeof(*more));
		if (!more) {
			lines->bad++;
			return;
		}
		lines->lines = more;
		lines->capacity = capacity;
	}
	lines->lines[lines->count++] = (struct ring_line){start, length};
	if (death.number > lines->last_number)
		lines->last_number = death.number;
}

/* Room for all of it and a NUL; without the file for nothing. */
static char *allocate_for(const char *path, size_t *ret_capacity)
{
	struct stat st = {0};

	if (stat(path, &st) < 0 || st.st_size < 0 || st.st_size > BYTES_MAX)
		st.st_size = st.st_size > BYTES_MAX ? BYTES_MAX : 0;
	*ret_capacity = (size_t)st.st_size + 2;
	return malloc(*ret_capacity);
}

static struct ring_lines *read_lines(const char *path, struct err *e)
{
	scoped(lines_drop) struct ring_lines *lines = calloc(1, sizeof(*lines));
	size_t capacity = 0;

	if (lines)
		lines->text = allocate_for(path, &capacity);
	if (!lines || !lines->text) {
		err_set(e, ENOMEM, "cannot read '%s'", path);
		return NULL;
	}
	ssize_t length = fd_read_path(path, lines->text, capacity, e);
	if (length < 0 && length != -ENOENT)
		return NULL;
	for (const char *at = lines->text, *end = at + (length < 0 ? 0 : length); at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		take_line(lines, at, (size_t)(stop - at));
		at = newline ? newline + 1 : end;
	}
	lines->ended = length <= 0 || lines->text[length - 1] == '\n';
	struct ring_lines *result = lines;
	lines = NULL;
	return result;
}

/* Writes the newest of `lines` that fit into `records` and `bytes`. */
static int rewrite(struct death_ring *ring, const struct ring_lines *lines, unsigned records, size_t bytes, struct err *e)
{
	unsigned first = lines->count;
	size_t length = 0;

	while (first > 0 && lines->count - first < records && length + lines->lines[first - 1].length + 1 <= bytes)
		length += lines->lines[--first].length + 1;
	scoped(scoped_free) char *text = malloc(length + 1);
	if (!text)
		return err_set(e, ENOMEM, "cannot write '%s'", ring->path);
	char *at = text;
	for (unsigned i = first; i < lines->count; i++) {
		at = mempcpy(at, lines->lines[i].start, lines->lines[i].length);
		*at++ = '\n';
	}
	if (fd_replace_file(ring->path, text, length, 0600, e) < 0)
		return -e->code;
	ring->count = lines->count - first;
	ring->bytes = length;
	return 0;
}

int death_ring_open(struct death_ring *ring, const char *runtime_dir, unsigned keep_records, size_t keep_bytes, struct err *e)
{
	*ring = (struct death_ring){.keep_records = keep_records, .keep_bytes = keep_bytes};
	snprintf(ring->path, sizeof(ring->path), "%s/%s", runtime_dir, STOKER_DEATHS_FILE);
	scoped(lines_drop) struct ring_lines *lines = read_lines(ring->path, e);
	if (!lines)
		return -e->code;
	ring->last_number = lines->last_number;
	ring->bad_total = lines->bad;
	ring->count = lines->count;
	for (unsigned i = 0; i < lines->count; i++)
		ring->bytes += lines->lines[i].length + 1;
	/* A line is added at the end: what lies there must have ended. */
	const bool fits = ring->count <= keep_records && ring->bytes <= keep_bytes;
	return fits && lines->bad == 0 && lines->ended ? 0 : rewrite(ring, lines, keep_records, keep_bytes, e);
}

static int make_room(struct death_ring *ring, bool is_full, struct err *e)
{
	scoped(lines_drop) struct ring_lines *lines = read_lines(ring->path, e);

	if (!lines)
		return -e->code;
	ring->bad_total += lines->bad;
	/* Of a full one a quarter goes at once: the file is not written anew for each death. */
	const unsigned quarters = is_full ? 3 : 4;
	int r = rewrite(ring, lines, ring->keep_records * quarters / 4, ring->keep_bytes * quarters / 4, e);
	ring->torn = r < 0 && ring->torn;
	return r;
}

int death_ring_add(struct death_ring *ring, const char *line, struct err *e)
{
	const size_t length = strlen(line);

	if (length >= DEATH_RING_LINE_BYTES)
		return err_rule(e, EFBIG, "a death of %zu bytes is not kept", length);
	const bool is_full = ring->count >= ring->keep_records || ring->bytes + length + 1 > ring->keep_bytes;
	if ((is_full || ring->torn) && make_room(ring, is_full, e) < 0)
		return -e->code;
	scoped(scoped_free) char *text = malloc(length + 1);
	scoped(fd_drop) int fd = open(ring->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (!text || fd < 0)
		return err_set(e, text ? errno : ENOMEM, "cannot open '%s'", ring->path);
	*(char *)mempcpy(text, line, length) = '\n';
	if (fd_write_all(fd, text, length + 1, e) < 0) {
		ring->torn = true;
		return err_wrap(e, "cannot keep a death in '%s'", ring->path);
	}
	ring->count++;
	ring->bytes += length + 1;
	ring->last_number++;
	return 0;
}

int death_ring_list(const struct death_ring *ring, char **ret_text, struct err *e)
{
	scoped(lines_drop) struct ring_lines *lines = read_lines(ring->path, e);
	char *text = NULL;
	size_t length = 0, listed = 0;

	if (!lines)
		return -e->code;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		return err_set(e, ENOMEM, "cannot list the deaths");
	fprintf(out, "{\"apiVersion\":\"%s\",\"kind\":\"ExecutorDeathList\",\"items\":[", STOKER_API_VERSION);
	for (unsigned i = lines->count; i-- > 0;) {
		const struct ring_line *line = &lines->lines[i];
		listed += line->length + 1;
		if (listed > DEATH_LIST_BYTES)
			break;
		fprintf(out, "%s%.*s", i + 1 < lines->count ? "," : "", (int)line->length, line->start);
	}
	fputs("]}", out);
	const bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return err_set(e, ENOMEM, "cannot list the deaths");
	}
	*ret_text = text;
	return 0;
}
