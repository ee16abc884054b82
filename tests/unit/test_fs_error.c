/* Filesystem errors by fanotify: the kernel's bytes, and who is marked when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/fs_error_watch.h"
#include "volumes/fs_error.h"

/* As Linux 6.18 wrote it for ext4's trigger_fs_error: EUCLEAN, once. */
static const unsigned char event[56] = {
	0x38, 0, 0, 0, 3, 0, 0x18, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x84, 0x4a, 0, 0,
	1, 0, 0x14, 0, 0x58, 0x63, 0x7b, 0xc6, 0x85, 0x49, 0x1d, 0x66, 0, 0, 0, 0, 0xff, 0, 0, 0,
	5, 0, 0x0c, 0, 0x75, 0, 0, 0, 1, 0, 0, 0,
};

static void test_an_event_as_the_kernel_wrote_it(void **unused)
{
	unsigned char two[112];
	struct fs_error error;
	struct err e = {0};
	size_t left = sizeof(two);
	const unsigned char *p = two;

	(void)unused;
	memcpy(two, event, 56);
	memcpy(two + 56, event, 56);
	two[56 + 48] = 5;
	two[56 + 52] = 200;
	assert_int_equal(fs_error_next(&p, &left, &error, &e), 1);
	assert_int_equal(error.errnum, EUCLEAN);
	assert_int_equal(error.count, 1);
	assert_int_equal(error.fsid, fs_error_id(event + 28));
	assert_false(error.is_overflow);
	assert_int_equal(fs_error_next(&p, &left, &error, &e), 1);
	assert_int_equal(error.errnum, EIO);
	assert_int_equal(error.count, 200);
	assert_int_equal(fs_error_next(&p, &left, &error, &e), 0);
}

static void test_events_were_lost(void **unused)
{
	unsigned char lost[24];
	struct fs_error error;
	struct err e = {0};
	size_t left = sizeof(lost);
	const unsigned char *p = lost;

	(void)unused;
	memcpy(lost, event, 24);
	lost[0] = 24;
	lost[9] = 0x40;
	assert_int_equal(fs_error_next(&p, &left, &error, &e), 1);
	assert_true(error.is_overflow);
	assert_int_equal(error.fsid, 0);
}

/* Every cut, and every byte of the lengths made wrong: refused or shorter, never read past its end. */
static void test_what_is_no_event_is_refused(void **unused)
{
	(void)unused;
	for (size_t n = 1; n < sizeof(event); n++) {
		scoped(scoped_free) unsigned char *cut = malloc(n);
		struct fs_error error;
		struct err e = {0};
		size_t left = n;
		assert_non_null(cut);
		memcpy(cut, event, n);
		const unsigned char *p = cut;
		assert_int_equal(fs_error_next(&p, &left, &error, &e), -EBADMSG);
		assert_int_equal(left, n);
	}
	static const size_t lengths[] = {0, 4, 6, 26, 46};
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (unsigned value = 0; value < 256; value++) {
			unsigned char wrong[sizeof(event)];
			struct fs_error error;
			struct err e = {0};
			size_t left = sizeof(wrong);
			const unsigned char *p = wrong;
			memcpy(wrong, event, sizeof(wrong));
			if (wrong[lengths[i]] == value)
				continue;
			wrong[lengths[i]] = (unsigned char)value;
			int r = fs_error_next(&p, &left, &error, &e);
			assert_true(r == -EBADMSG || (r == 1 && left < sizeof(wrong)));
		}
	}
}

static void test_the_list_of_marks(void **unused)
{
	static const char text[] = "pos:\t0\nflags:\t02004002\nmnt_id:\t17\nfanotify flags:203 event-flags:8000\n"
				   "fanotify sdev:700002 mflags:0 mask:8000 ignored_mask:0\n"
				   "fanotify sdev:zz mflags:0\nfanotify sdev:\nfanotify ino:4f sdev:3 mflags:0\n"
				   "fanotify sdev:fe00000 mflags:0 mask:8000 ignored_mask:0\n";
	struct fs_error_device device[4];

	(void)unused;
	assert_int_equal(fs_error_marks(text, device, 4), 2);
	assert_int_equal(device[0].major, 7);
	assert_int_equal(device[0].minor, 2);
	assert_int_equal(device[1].major, 254);
	assert_int_equal(device[1].minor, 0);
	assert_int_equal(fs_error_marks(text, device, 1), 1);
	assert_int_equal(fs_error_marks("", device, 4), 0);
}

/* --- who is asked for --- */

struct stage {
	struct fs_error_watch watch;
	uv_loop_t loop;
	unsigned asked[4], lost, errors[4], unknown;
	uint32_t last;
	bool refuse;
	int write_fd;
};

static bool stage_mark(struct fs_error_watch *w, uint32_t index, int group_fd)
{
	struct stage *s = w->owner;

	assert_int_equal(group_fd, w->fd);
	if (s->refuse)
		return false;
	s->asked[index]++;
	s->last = index;
	return true;
}

static void stage_error(struct fs_error_watch *w, uint32_t index, const struct fs_error *error)
{
	struct stage *s = w->owner;

	(void)error;
	if (index == FS_ERROR_NO_WATCH)
		s->unknown++;
	else
		s->errors[index]++;
}

static void stage_lost(struct fs_error_watch *w, const struct err *why)
{
	assert_true(*why->text != '\0');
	((struct stage *)w->owner)->lost++;
}

static const struct fs_error_watch_ops ops = {stage_mark, stage_error, stage_lost};

static int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct err e = {0};
	int ends[2];

	*state = s;
	if (!s || uv_loop_init(&s->loop) < 0 || pipe(ends) < 0) /* what it is told is played: a fanotify group needs root */
		return -1;
	s->write_fd = ends[1];
	return fs_error_watch_start(&s->watch, &s->loop, ends[0], &ops, s, &e);
}

static int stage_close(void **state)
{
	struct stage *s = *state;

	if (s->watch.fd >= 0) {
		uv_close((uv_handle_t *)&s->watch.poll, NULL);
		close(s->watch.fd);
	}
	uv_run(&s->loop, UV_RUN_DEFAULT);
	if (s->write_fd >= 0)
		close(s->write_fd);
	int r = uv_loop_close(&s->loop);
	free(s);
	return r;
}

static void answer(struct stage *s, uint32_t index, uint64_t mount_id, int errnum, uint64_t fsid)
{
	const struct fs_error_mark mark = {.watch = index, .errnum = errnum, .fsid = fsid, .mount_id = mount_id, .device_major = 7, .device_minor = index};

	fs_error_watch_marked(&s->watch, &mark);
}

static void test_one_after_the_other_and_again_where_it_moved(void **state)
{
	struct stage *s = *state;
	struct fs_error_place wanted[3] = {{true, 10, 7, 0}, {false, 11, 7, 1}, {true, 12, 7, 2}};

	fs_error_watch_scan(&s->watch, wanted, 3);
	assert_int_equal(s->asked[0], 1);
	assert_int_equal(s->asked[2], 0);
	fs_error_watch_scan(&s->watch, wanted, 3); /* meanwhile: nobody is asked twice */
	assert_int_equal(s->asked[0], 1);
	answer(s, 2, 12, 0, 9); /* of nobody who was asked */
	assert_int_equal(s->asked[2], 0);
	answer(s, 0, 10, 0, 5);
	assert_int_equal(s->asked[2], 1);
	answer(s, 2, 12, EOPNOTSUPP, 0);
	assert_int_equal(fs_error_watch_summary(&s->watch).wanted, 2);
	assert_int_equal(fs_error_watch_summary(&s->watch).marked, 1);
	assert_int_equal(fs_error_watch_summary(&s->watch).refused_errnum, EOPNOTSUPP);
	fs_error_watch_scan(&s->watch, wanted, 3); /* refused for good */
	assert_int_equal(s->asked[2], 1);
	wanted[0].mount_id = 20; /* mounted anew */
	wanted[2].mount_id = 22; /* another filesystem */
	fs_error_watch_scan(&s->watch, wanted, 3);
	assert_int_equal(s->asked[0], 2);
	answer(s, 0, 20, 0, 5);
	assert_int_equal(s->asked[2], 2);
	fs_error_watch_refused(&s->watch, ETIMEDOUT);
	fs_error_watch_scan(&s->watch, wanted, 3); /* that may pass */
	assert_int_equal(s->asked[2], 3);
	fs_error_watch_forget(&s->watch);
	s->refuse = true;
	fs_error_watch_scan(&s->watch, wanted, 3);
	s->refuse = false;
	fs_error_watch_scan(&s->watch, wanted, 3);
	assert_int_equal(s->asked[0], 3);
	assert_int_equal(s->asked[1], 0);
	answer(s, 0, 99, 0, 5); /* marked, but elsewhere */
	assert_int_equal(fs_error_watch_summary(&s->watch).marked, 0);
	answer(s, 2, 22, 0, 6);
	fs_error_watch_scan(&s->watch, wanted, 3);
	assert_int_equal(s->asked[0], 4);
}

static void test_whose_error_it_is(void **state)
{
	struct stage *s = *state;
	const struct fs_error_place wanted[2] = {{true, 10, 7, 0}, {true, 11, 7, 1}};
	unsigned char other[sizeof(event)];

	fs_error_watch_scan(&s->watch, wanted, 2);
	answer(s, 0, 10, 0, 5);
	answer(s, 1, 11, 0, fs_error_id(event + 28));
	memcpy(other, event, sizeof(event));
	other[30] = 0x11;
	assert_int_equal(write(s->write_fd, event, sizeof(event)), sizeof(event));
	assert_int_equal(write(s->write_fd, other, sizeof(other)), sizeof(other));
	uv_run(&s->loop, UV_RUN_ONCE);
	assert_int_equal(s->errors[1], 1);
	assert_int_equal(s->errors[0], 0);
	assert_int_equal(s->unknown, 1);
	assert_int_equal(s->lost, 0);
	assert_int_equal(write(s->write_fd, "rubbish", 7), 7);
	uv_run(&s->loop, UV_RUN_ONCE);
	assert_int_equal(s->lost, 1);
	assert_int_equal(s->watch.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_as_the_kernel_wrote_it),
		cmocka_unit_test(test_events_were_lost),
		cmocka_unit_test(test_what_is_no_event_is_refused),
		cmocka_unit_test(test_the_list_of_marks),
		cmocka_unit_test_setup_teardown(test_one_after_the_other_and_again_where_it_moved, stage_open, stage_close),
		cmocka_unit_test_setup_teardown(test_whose_error_it_is, stage_open, stage_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
