#include "volumes/fs_error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>

#include "base/str.h"

#ifndef FAN_FS_ERROR
#define FAN_FS_ERROR 0x00008000
#endif
#define DEV_MINOR_BITS 20 /* of the kernel's own device numbers (include/linux/kdev_t.h), which fdinfo prints */

/* The kernel's records (include/uapi/linux/fanotify.h), in its own order of bytes; copied out, since they need not be aligned. */
struct event_head {
	uint32_t length;
	uint8_t version, reserved;
	uint16_t head_length;
	uint64_t mask;
	int32_t fd, pid;
};

struct info_head {
	uint8_t type, pad;
	uint16_t length;
};

enum { INFO_FID = 1, INFO_ERROR = 5 };

_Static_assert(sizeof(struct event_head) == FAN_EVENT_METADATA_LEN, "the head of an event is the kernel's");

uint64_t fs_error_id(const void *fsid_of_8_bytes)
{
	uint64_t id;

	memcpy(&id, fsid_of_8_bytes, sizeof(id));
	return id;
}

static void read_info(const unsigned char *body, size_t length, uint8_t type, struct fs_error *ret)
{
	if (type == INFO_FID && length >= sizeof(ret->fsid)) {
		ret->fsid = fs_error_id(body);
	} else if (type == INFO_ERROR && length >= sizeof(ret->errnum) + sizeof(ret->count)) {
		memcpy(&ret->errnum, body, sizeof(ret->errnum));
		memcpy(&ret->count, body + sizeof(ret->errnum), sizeof(ret->count));
	}
}

int fs_error_next(const unsigned char **p, size_t *left, struct fs_error *ret, struct err *e)
{
	struct fs_error event = {0};
	struct event_head head;

	if (*left == 0)
		return 0;
	if (*left < sizeof(head))
		return err_rule(e, EBADMSG, "fs-error: %zu bytes are no event", *left);
	memcpy(&head, *p, sizeof(head));
	if (head.version != FANOTIFY_METADATA_VERSION || head.head_length < sizeof(head) || head.length < head.head_length || head.length > *left)
		return err_rule(e, EBADMSG, "fs-error: event of version %u and %u bytes in %zu", head.version, head.length, *left);
	event.is_overflow = (head.mask & FAN_Q_OVERFLOW) != 0;
	const unsigned char *info = *p + head.head_length;
	for (size_t rest = head.length - head.head_length; rest > 0;) {
		struct info_head one;
		if (rest < sizeof(one))
			return err_rule(e, EBADMSG, "fs-error: %zu bytes are no part of an event", rest);
		memcpy(&one, info, sizeof(one));
		if (one.length < sizeof(one) || one.length > rest)
			return err_rule(e, EBADMSG, "fs-error: a part of %u bytes in %zu", one.length, rest);
		read_info(info + sizeof(one), one.length - sizeof(one), one.type, &event);
		info += one.length;
		rest -= one.length;
	}
	if (event.errnum < 0)
		event.errnum = event.errnum == INT32_MIN ? INT32_MAX : -event.errnum;
	*p += head.length;
	*left -= head.length;
	*ret = event;
	return 1;
}

/* "fanotify sdev:700002 mflags:0 mask:8000 ignored_mask:0", numbers in base 16. */
size_t fs_error_marks(const char *text, struct fs_error_device *ret, size_t capacity)
{
	static const char prefix[] = "fanotify sdev:";
	size_t count = 0;

	for (const char *line = text, *end_of_line; *line && count < capacity; line = *end_of_line ? end_of_line + 1 : end_of_line) {
		end_of_line = line + strcspn(line, "\n");
		if (!str_starts(line, prefix))
			continue;
		char *end = NULL;
		unsigned long device = strtoul(line + sizeof(prefix) - 1, &end, 16);
		if (end == line + sizeof(prefix) - 1 || *end != ' ' || device > UINT32_MAX)
			continue;
		ret[count++] = (struct fs_error_device){(uint32_t)(device >> DEV_MINOR_BITS), (uint32_t)device & ((1U << DEV_MINOR_BITS) - 1)};
	}
	return count;
}
