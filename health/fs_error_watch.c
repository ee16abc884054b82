#include "health/fs_error_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define MARKS_TEXT_BYTES 16384 /* a line a mark, 70 bytes */
#define EVENTS_A_TURN	 16    /* reads */

/* --- the list of marks --- */

struct marks {
	size_t count;
	struct fs_error_device device[2 * CONFIG_WATCH_MAX];
};

static bool has_mark(const struct marks *marks, uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < marks->count; i++)
		if (marks->device[i].major == major && marks->device[i].minor == minor)
			return true;
	return false;
}

/* False if the list cannot be read: then nothing is known of what is gone. */
static bool read_marks(const struct fs_error_watch *w, struct marks *ret)
{
	char path[48], text[MARKS_TEXT_BYTES];

	*ret = (struct marks){0};
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->fd);
	if (fd_read_path(path, text, sizeof(text), NULL) < 0)
		return false;
	ret->count = fs_error_marks(text, ret->device, sizeof(ret->device) / sizeof(*ret->device));
	return true;
}

static bool is_known(const struct fs_error_watch *w, const struct fs_error_device *device)
{
	for (uint32_t i = 0; i < CONFIG_WATCH_MAX; i++)
		if (w->entry[i].device.major == device->major && w->entry[i].device.minor == device->minor)
			return true;
	return false;
}

/* Usually the number that statx(2) gives; btrfs gives another one there, and then it is the one that is new in the list. */
static struct fs_error_device find_device(const struct fs_error_watch *w, const struct fs_error_mark *mark)
{
	struct fs_error_device none = {0};
	struct marks marks;

	if (!read_marks(w, &marks))
		return none;
	if (has_mark(&marks, mark->device_major, mark->device_minor))
		return (struct fs_error_device){mark->device_major, mark->device_minor};
	for (size_t i = 0; i < marks.count; i++)
		if (!is_known(w, &marks.device[i]))
			return marks.device[i];
	return none;
}

/* --- rounds --- */

static bool same_place(const struct fs_error_place *a, const struct fs_error_place *b)
{
	return a->mount_id == b->mount_id && a->major == b->major && a->minor == b->minor;
}

/* What is refused for good at this place: the filesystem or the kernel cannot do it. */
static bool is_final(int errnum)
{
	return errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENODEV || errnum == EXDEV || errnum == ENOSYS || errnum == EPERM;
}

static bool needs_mark(const struct fs_error_entry *entry, const struct fs_error_place *wanted, const struct marks *marks)
{
	if (!wanted->wanted)
		return false;
	if (entry->state == FS_ERROR_NEW || !same_place(&entry->place, wanted))
		return true;
	if (entry->state == FS_ERROR_REFUSED)
		return !is_final(entry->errnum);
	return marks && (entry->device.major || entry->device.minor) && !has_mark(marks, entry->device.major, entry->device.minor);
}

static void go_on(struct fs_error_watch *w)
{
	struct marks marks;

	if (w->fd < 0 || w->asked != FS_ERROR_NO_WATCH)
		return;
	bool listed = read_marks(w, &marks);
	for (;;) {
		for (; w->next < w->count; w->next++) {
			uint32_t i = w->next;
			if (!needs_mark(&w->entry[i], &w->wanted[i], listed ? &marks : NULL))
				continue;
			if (!w->ops->mark(w, i, w->fd))
				return;
			w->asked = i;
			w->next++;
			return;
		}
		if (!w->again)
			return;
		w->again = false;
		w->next = 0;
	}
}

void fs_error_watch_scan(struct fs_error_watch *w, const struct fs_error_place *wanted, uint32_t count)
{
	w->count = count < CONFIG_WATCH_MAX ? count : CONFIG_WATCH_MAX;
	memcpy(w->wanted, wanted, w->count * sizeof(*wanted));
	w->again = w->asked != FS_ERROR_NO_WATCH;
	if (!w->again)
		w->next = 0;
	go_on(w);
}

void fs_error_watch_marked(struct fs_error_watch *w, const struct fs_error_mark *mark)
{
	if (mark->watch >= CONFIG_WATCH_MAX || mark->watch != w->asked)
		return;
	struct fs_error_entry *entry = &w->entry[mark->watch];
	const struct fs_error_place found = {.mount_id = mark->mount_id, .major = mark->device_major, .minor = mark->device_minor};
	/* Elsewhere than it was asked for (or the answer to a question of before): its errors must not be taken for this one's. */
	int32_t errnum = !mark->errnum && !same_place(&found, &w->wanted[mark->watch]) ? ESTALE : mark->errnum;

	*entry = (struct fs_error_entry){
		.state = errnum ? FS_ERROR_REFUSED : FS_ERROR_MARKED,
		.errnum = errnum,
		.fsid = mark->fsid,
		.place = found,
	};
	if (!errnum)
		entry->device = find_device(w, mark);
	w->asked = FS_ERROR_NO_WATCH;
	go_on(w);
}

void fs_error_watch_refused(struct fs_error_watch *w, int errnum)
{
	if (w->asked == FS_ERROR_NO_WATCH)
		return;
	w->entry[w->asked] = (struct fs_error_entry){.state = FS_ERROR_REFUSED, .errnum = errnum, .place = w->wanted[w->asked]};
	w->asked = FS_ERROR_NO_WATCH;
	go_on(w);
}

void fs_error_watch_forget(struct fs_error_watch *w)
{
	memset(w->entry, 0, sizeof(w->entry));
	w->asked = FS_ERROR_NO_WATCH;
	w->next = w->count = 0;
	w->again = false;
}

struct fs_error_summary fs_error_watch_summary(const struct fs_error_watch *w)
{
	struct fs_error_summary sum = {0};

	for (uint32_t i = 0; i < w->count; i++) {
		if (!w->wanted[i].wanted)
			continue;
		sum.wanted++;
		sum.marked += w->entry[i].state == FS_ERROR_MARKED;
		if (w->entry[i].state == FS_ERROR_REFUSED && sum.refused++ == 0)
			sum.refused_index = i, sum.refused_errnum = w->entry[i].errnum;
	}
	return sum;
}

/* --- events --- */

static void lose(struct fs_error_watch *w, const struct err *why)
{
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, NULL);
	fd_drop(&w->fd);
	fs_error_watch_forget(w);
	w->ops->on_lost(w, why);
}

static void tell(struct fs_error_watch *w, const struct fs_error *error)
{
	bool found = false;

	w->events_total++;
	for (uint32_t i = 0; i < w->count && error->fsid; i++) {
		if (w->entry[i].state != FS_ERROR_MARKED || w->entry[i].fsid != error->fsid)
			continue;
		w->ops->on_error(w, i, error);
		found = true;
	}
	if (!found)
		w->ops->on_error(w, FS_ERROR_NO_WATCH, error);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct fs_error_watch *w = poll->data;
	unsigned char buffer[FS_ERROR_READ_BYTES];
	struct err e = {0};

	(void)status;
	(void)events;
	for (int i = 0; i < EVENTS_A_TURN && w->fd >= 0; i++) {
		struct fs_error error;
		ssize_t n = read(w->fd, buffer, sizeof(buffer));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			err_set(&e, n < 0 ? errno : ENODATA, "cannot read filesystem errors");
			lose(w, &e);
			return;
		}
		const unsigned char *p = buffer;
		size_t left = (size_t)n;
		int r;
		while ((r = fs_error_next(&p, &left, &error, &e)) > 0)
			tell(w, &error);
		if (r < 0) {
			lose(w, &e);
			return;
		}
	}
}

int fs_error_watch_start(struct fs_error_watch *w, uv_loop_t *loop, int fd, const struct fs_error_watch_ops *ops, void *owner, struct err *e)
{
	w->ops = ops;
	w->owner = owner;
	w->fd = fd;
	fs_error_watch_forget(w);
	if (uv_poll_init(loop, &w->poll, fd) < 0) {
		fd_drop(&w->fd);
		return err_rule(e, EIO, "filesystem errors cannot be polled");
	}
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, readable);
	return 0;
}
