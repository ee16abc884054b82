#include "volumes/ext4_errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"

/* fs/ext4/ext4.h (EXT4_ERR_*): what a superblock holds must not depend on the machine's errnos. */
static const int32_t errnums[] = {0, 0, EIO, ENOMEM, EBADMSG, EUCLEAN, ENOSPC, ENOKEY, EROFS, EFBIG, EEXIST,
				  ERANGE, EOVERFLOW, EBUSY, ENOTDIR, ENOTEMPTY, ESHUTDOWN, EFAULT};

int ext4_errors_parse(const char *text, uint64_t *ret)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (UINT64_MAX - 9) / 10)
			return -EBADMSG;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == text || (*p != '\0' && strcmp(p, "\n") != 0))
		return -EBADMSG;
	*ret = n;
	return 0;
}

static int read_file(const char *sys_root, const char *device, const char *file, char *text, size_t size, struct err *e)
{
	char name[64], path[512];

	if (!str_copy(name, sizeof(name), device) || !*name || *name == '.')
		return err_rule(e, EINVAL, "'%s' is no device", device);
	for (char *p = name; *p; p++)
		*p = *p == '/' ? '!' : *p; /* sysfs' way to write a name with a slash */
	snprintf(path, sizeof(path), "%.300s/fs/ext4/%s/%s", sys_root, name, file);
	ssize_t n = fd_read_path(path, text, size, e);
	return n < 0 ? (int)n : 0;
}

int ext4_errors_count(const char *sys_root, const char *device, uint64_t *ret, struct err *e)
{
	char text[64];

	int r = read_file(sys_root, device, "errors_count", text, sizeof(text), e);
	if (r < 0)
		return r;
	return ext4_errors_parse(text, ret) < 0 ? err_rule(e, EBADMSG, "ext4's errors_count of '%s' is no number", device) : 0;
}

uint64_t ext4_errors_last_time(const char *sys_root, const char *device)
{
	char text[64];
	uint64_t time_s = 0;

	if (read_file(sys_root, device, "last_error_time", text, sizeof(text), NULL) == 0)
		ext4_errors_parse(text, &time_s);
	return time_s;
}

void ext4_errors_last(const char *sys_root, const char *device, char *words, size_t size)
{
	char text[128], function[64] = "an unknown place";
	const char *name = NULL;
	uint64_t code = 0;

	if (read_file(sys_root, device, "last_error_errcode", text, sizeof(text), NULL) == 0 && ext4_errors_parse(text, &code) == 0 &&
	    code < ARRAY_SIZE(errnums) && errnums[code])
		name = strerrorname_np(errnums[code]);
	if (read_file(sys_root, device, "last_error_func", text, sizeof(text), NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		if (*text)
			str_escape(function, sizeof(function), text);
	}
	snprintf(words, size, "%s in %s", name ? name : "unknown", function);
}
