#include "volumes/mount_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "volumes/proc_text.h"

/* The blank or newline behind the word ends it. */
static const char *ended(struct proc_word word)
{
	char *at = (char *)(uintptr_t)word.at;

	at[word.end - word.at] = '\0';
	return at;
}

static const char *unescaped(struct proc_word word)
{
	char *at = (char *)(uintptr_t)word.at;

	proc_unescape(word, at, (size_t)(word.end - word.at) + 1);
	return at;
}

/* False if a path does not fit: such a mount cannot be a watched one, whose path is bounded alike. */
static bool mount_fill(struct mount *m, const struct proc_mount_words *w)
{
	*m = (struct mount){
		.id = w->id,
		.device_major = w->device_major,
		.device_minor = w->device_minor,
		.read_only = proc_has_option(w->options, "ro"),
		.super_read_only = proc_has_option(w->super_options, "ro"),
		.root = unescaped(w->root),
		.mount_point = unescaped(w->mount_point),
		.type = unescaped(w->type),
		.source = unescaped(w->source),
		.super_options = ended(w->super_options),
	};
	return strlen(m->mount_point) < NAME_PATH_BYTES && strlen(m->root) < NAME_PATH_BYTES;
}

static size_t count_lines(const char *text, size_t length)
{
	size_t count = length > 0 && text[length - 1] != '\n';

	for (const char *at = text; (at = memchr(at, '\n', length - (size_t)(at - text))); at++)
		count++;
	return count;
}

/* One line that is no mount refuses the table as a whole: half a table would misname filesystems. */
static int take_lines(struct mount_table *table, size_t length, struct err *e)
{
	const char *const end = table->text + length;
	int line = 1;

	for (const char *at = table->text, *next; at < end; at = next, line++) {
		struct proc_mount_words words;
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		next = newline ? newline + 1 : end;
		if (!proc_mount_split(at, (size_t)(next - at), &words))
			return err_rule(e, EBADMSG, "mountinfo: line %d is malformed", line);
		if (mount_fill(&table->mounts[table->count], &words))
			table->count++;
	}
	return 0;
}

/* `text` has room for a NUL behind it, and is the table's from here on. */
static int take_text(char *text, size_t length, struct mount_table *ret, struct err *e)
{
	struct mount_table table = {.text = text};
	const size_t count = count_lines(text, length);
	int r = 0;

	if (count > MOUNT_TABLE_MAX)
		r = err_rule(e, E2BIG, "mountinfo: %zu mounts, over the limit of %d", count, MOUNT_TABLE_MAX);
	else if (!(table.mounts = calloc(count ? count : 1, sizeof(*table.mounts))))
		r = err_set(e, ENOMEM, "cannot keep %zu mounts", count);
	else
		r = take_lines(&table, length, e);
	if (r < 0)
		mount_table_free(&table);
	else
		*ret = table;
	return r;
}

int mount_table_read(int fd, struct mount_table *ret, struct err *e)
{
	/* Of what is not written to, nothing is there. */
	char *text = malloc(MOUNT_TABLE_MAX_BYTES + 1);

	if (!text)
		return err_set(e, ENOMEM, "cannot read mountinfo");
	ssize_t length = fd_read_all(fd, text, MOUNT_TABLE_MAX_BYTES + 1, e);
	if (length >= 0)
		return take_text(text, (size_t)length, ret, e);
	free(text);
	return (int)length;
}

int mount_table_parse(const char *text, size_t length, struct mount_table *ret, struct err *e)
{
	if (length > MOUNT_TABLE_MAX_BYTES)
		return err_rule(e, EFBIG, "mountinfo: %zu bytes, over the limit of %d", length, MOUNT_TABLE_MAX_BYTES);
	char *copy = malloc(length + 1);
	if (!copy)
		return err_set(e, ENOMEM, "cannot parse mountinfo");
	memcpy(copy, text, length);
	return take_text(copy, length, ret, e);
}

void mount_table_free(struct mount_table *table)
{
	free(table->mounts);
	free(table->text);
	*table = (struct mount_table){0};
}

bool mount_has_option(const struct mount *mount, const char *option)
{
	return proc_has_option((struct proc_word){mount->super_options, mount->super_options + strlen(mount->super_options)}, option);
}

static bool has_subvolumes(const char *type)
{
	return strcmp(type, "btrfs") == 0 || strcmp(type, "bcachefs") == 0;
}

const struct mount *mount_table_at(const struct mount_table *table, const char *path)
{
	const struct mount *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct mount *m = &table->mounts[i];
		size_t length = strlen(m->mount_point);
		if (length == 1) /* "/" */
			length = 0;
		if (length < longest || strncmp(m->mount_point, path, length) != 0 || (path[length] != '/' && path[length] != '\0'))
			continue;
		found = m;
		longest = length;
	}
	return found;
}

const struct mount *mount_table_find(const struct mount_table *table, uint64_t id, uint32_t device_major, uint32_t device_minor)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct mount *m = &table->mounts[i];
		if (m->id == id && ((m->device_major == device_major && m->device_minor == device_minor) || has_subvolumes(m->type)))
			return m;
	}
	return NULL;
}
