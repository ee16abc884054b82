#include "volumes/mount_table.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/scoped.h"
#include "base/str.h"

static void table_drop(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void iterator_drop(struct libmnt_iter **iterator)
{
	mnt_free_iter(*iterator);
}

static void stream_drop(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

/* libmount's way to say that a line is no mount; the table is refused as a whole: half a table would misname filesystems. */
static int refuse_line(struct libmnt_table *table, const char *name, int line)
{
	struct err *e = mnt_table_get_userdata(table);

	(void)name;
	if (e && e->code == 0)
		err_rule(e, EBADMSG, "mountinfo: line %d is malformed", line);
	return -EBADMSG;
}

/* The kernel writes "ro" or "rw" first. */
static bool has_ro(const char *options)
{
	return options && (strcmp(options, "ro") == 0 || str_starts(options, "ro,"));
}

/* False if a field does not fit: such a mount cannot be a watched one, whose path is bounded alike. */
static bool mount_fill(struct mount *m, struct libmnt_fs *fs)
{
	const char *target = mnt_fs_get_target(fs), *source = mnt_fs_get_source(fs), *type = mnt_fs_get_fstype(fs);
	const char *root = mnt_fs_get_root(fs), *options = mnt_fs_get_fs_options(fs);
	dev_t device = mnt_fs_get_devno(fs);

	*m = (struct mount){.id = (uint64_t)mnt_fs_get_id(fs), .device_major = major(device), .device_minor = minor(device)};
	str_copy(m->source, sizeof(m->source), source ? source : "none");
	str_copy(m->type, sizeof(m->type), type ? type : "");
	str_copy(m->super_options, sizeof(m->super_options), options ? options : "");
	m->read_only = has_ro(mnt_fs_get_vfs_options(fs));
	m->super_read_only = has_ro(options);
	return target && str_copy(m->mount_point, sizeof(m->mount_point), target) && str_copy(m->root, sizeof(m->root), root ? root : "/");
}

static int collect(struct libmnt_table *parsed, struct mount_table *ret, struct err *e)
{
	scoped(iterator_drop) struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
	int count = mnt_table_get_nents(parsed);
	struct libmnt_fs *fs = NULL;

	if (count > MOUNT_TABLE_MAX)
		return err_rule(e, E2BIG, "mountinfo: %d mounts, over the limit of %d", count, MOUNT_TABLE_MAX);
	ret->mounts = calloc(count > 0 ? (size_t)count : 1, sizeof(*ret->mounts));
	if (!ret->mounts || !iterator)
		return err_set(e, ENOMEM, "cannot keep %d mounts", count);
	while (ret->count < (size_t)count && mnt_table_next_fs(parsed, iterator, &fs) == 0)
		if (mount_fill(&ret->mounts[ret->count], fs))
			ret->count++;
	return 0;
}

int mount_table_parse(const char *text, size_t length, struct mount_table *ret, struct err *e)
{
	struct err local = {0};
	struct mount_table table = {0};

	e = e ? e : &local;
	*e = (struct err){0};
	if (length > MOUNT_TABLE_MAX_BYTES)
		return err_rule(e, EFBIG, "mountinfo: %zu bytes, over the limit of %d", length, MOUNT_TABLE_MAX_BYTES);
	if (length == 0) {
		*ret = table;
		return 0;
	}
	scoped(stream_drop) FILE *stream = fmemopen((void *)(uintptr_t)text, length, "r");
	scoped(table_drop) struct libmnt_table *parsed = mnt_new_table();
	if (!stream || !parsed)
		return err_set(e, ENOMEM, "cannot parse mountinfo");
	mnt_table_set_userdata(parsed, e);
	mnt_table_set_parser_errcb(parsed, refuse_line);
	if (mnt_table_parse_stream(parsed, stream, "mountinfo") != 0)
		return e->code ? -e->code : err_rule(e, EBADMSG, "mountinfo is malformed");
	if (e->code)
		return -e->code;
	if (collect(parsed, &table, e) < 0) {
		mount_table_free(&table);
		return -e->code;
	}
	*ret = table;
	return 0;
}

void mount_table_free(struct mount_table *table)
{
	free(table->mounts);
	*table = (struct mount_table){0};
}

bool mount_has_option(const struct mount *mount, const char *option)
{
	const size_t length = strlen(option);

	for (const char *p = mount->super_options;; p++) {
		size_t n = strcspn(p, ",");
		if (n == length && strncmp(p, option, n) == 0)
			return true;
		p += n;
		if (!*p)
			return false;
	}
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
