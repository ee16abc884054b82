/* supervisor_fs_errors.c - the input "fs-error": filesystem errors by fanotify, as hints. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

#define ASK_AGAIN_US	 (60 * US_PER_S) /* for a group that was refused */
#define INPUT		 "fs-error"

/* --- what an error means --- */

static const struct {
	int errnum;
	const char *reason;
} reasons[] = {
	{EIO, "IOErrors"},
	{ESHUTDOWN, "FilesystemShutdown"},
	{EROFS, "ReadOnlyFilesystem"},
	{0, "FilesystemError"},
};

static void on_error(struct fs_error_watch *watch, uint32_t index, const struct fs_error *error)
{
	struct supervisor *s = watch->owner;
	struct kmsg_hint hint = {.is_error = true};
	const char *name = strerrorname_np(error->errnum);
	size_t i = 0;

#ifdef STOKER_SABOTAGE_FS_ERROR_IGNORED
	return;
#endif
	if (index == FS_ERROR_NO_WATCH) {
		supervisor_probe_all(s, error->is_overflow ? "filesystem errors were lost" : "an error of a filesystem that is not known");
		return;
	}
	while (reasons[i].errnum && reasons[i].errnum != error->errnum)
		i++;
	str_copy(hint.reason, sizeof(hint.reason), reasons[i].reason);
	snprintf(hint.message, sizeof(hint.message), "the kernel reports %u error%s of this filesystem, the first one %s", error->count,
		 error->count == 1 ? "" : "s", name ? name : "unknown");
	if (monitor_hint_at(&s->monitor, index, INPUT, &hint, clock_mono_us(), clock_wall_us()))
		supervisor_follow_up(s);
}

/* --- the input --- */

static void ask_for_group(struct supervisor *s)
{
	if (s->fs_errors.fd >= 0 || s->fs_errors_off || !link_is_up(&s->broker))
		return;
	s->fs_errors_asked = clock_mono_us();
	link_send(&s->broker, WIRE_FS_ERRORS, ++s->asked, NULL, 0);
}

static void on_lost(struct fs_error_watch *watch, const struct err *why)
{
	struct supervisor *s = watch->owner;

	monitor_input(&s->monitor, INPUT, "missing", why->text);
}

static bool ask_mark(struct fs_error_watch *watch, uint32_t index, int group_fd)
{
	struct supervisor *s = watch->owner;
	struct wire_probe ask = supervisor_name_probe(s, index);

	ask.watch = index; /* a list that changes makes the marks be forgotten */

	return link_send_fd(&s->broker, WIRE_FS_MARK, ++s->asked, &ask, sizeof(ask), group_fd);
}

static void say(struct supervisor *s)
{
	const struct fs_error_summary sum = fs_error_watch_summary(&s->fs_errors);
	char detail[256] = "";

	if (s->fs_errors.fd < 0 || s->fs_errors.asked != FS_ERROR_NO_WATCH)
		return;
	str_append(detail, sizeof(detail), "watching %u of %u filesystems", sum.marked, sum.wanted);
	if (sum.refused) {
		const char *name = strerrorname_np(sum.refused_errnum);
		str_append(detail, sizeof(detail), "; %s: %s", name ? name : "refused", s->monitor.watch[sum.refused_index].target.path);
	}
	/* EINVAL is what a kernel before 5.16 says; a filesystem that cannot do it is no fault of the input. */
	bool too_old = sum.marked == 0 && sum.refused > 0 && sum.refused_errnum == EINVAL;
	if (too_old)
		str_copy(detail, sizeof(detail), "this kernel has no FAN_FS_ERROR (it comes with Linux 5.16); the other inputs find the same");
	monitor_input(&s->monitor, INPUT, too_old ? "off" : "ok", detail);
}

void supervisor_fs_look(struct supervisor *s)
{
	struct fs_error_place wanted[CONFIG_WATCH_MAX] = {0};

	if (s->fs_errors.fd < 0) {
		if (clock_mono_us() - s->fs_errors_asked > ASK_AGAIN_US)
			ask_for_group(s);
		return;
	}
	for (uint32_t i = 0; i < s->monitor.watch_count; i++) {
		const struct monitor_watch *w = &s->monitor.watch[i];
		/* The last probe has come as far as the filesystem, and back. */
		bool reached = w->last.mount_id && w->last.step > PROBE_RESOLVE && w->last.errnum != ETIMEDOUT;
		wanted[i] = (struct fs_error_place){reached && w->alias_of < 0, w->last.mount_id, w->last.device_major, w->last.device_minor};
	}
	fs_error_watch_scan(&s->fs_errors, wanted, s->monitor.watch_count);
	say(s);
}

void supervisor_fs_reset(struct supervisor *s)
{
	fs_error_watch_forget(&s->fs_errors);
	s->fs_errors_off = false; /* another broker, perhaps with other rights */
	ask_for_group(s);
}

void supervisor_use_fs_errors(struct supervisor *s, int fd)
{
	static const struct fs_error_watch_ops ops = {.mark = ask_mark, .on_error = on_error, .on_lost = on_lost};
	struct err e = {0};

	if (s->fs_errors.fd >= 0) { /* a second answer */
		fd_drop(&fd);
		return;
	}
	if (fs_error_watch_start(&s->fs_errors, s->loop, fd, &ops, s, &e) < 0)
		monitor_input(&s->monitor, INPUT, "missing", e.text);
	supervisor_hints_wanted(s);
}

void supervisor_fs_marked(struct supervisor *s, const struct fs_error_mark *mark)
{
	fs_error_watch_marked(&s->fs_errors, mark);
	say(s);
}

void supervisor_fs_refused(struct supervisor *s, const struct wire_refused *refused, const char *text)
{
	char detail[256];

	if (refused->request == WIRE_FS_MARK) {
		fs_error_watch_refused(&s->fs_errors, refused->errnum);
		if (refused->errnum == EBUSY)
			supervisor_hints_wanted(s); /* the broker's children were late: soon, not with the next probe */
		say(s);
		return;
	}
	s->fs_errors_off = refused->errnum == ENOSYS || refused->errnum == EINVAL;
	snprintf(detail, sizeof(detail), "%s%s; the other inputs find the same", text, refused->errnum == EPERM ? " (stoker-broker needs CAP_SYS_ADMIN for it)" : "");
	monitor_input(&s->monitor, INPUT, s->fs_errors_off ? "off" : "missing", detail);
}
