#include "volumes/fs_error_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "volumes/fs_error.h"

#ifndef FAN_FS_ERROR
#define FAN_FS_ERROR 0x00008000
#endif

int fs_error_group(struct err *e)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "cannot make a fanotify group") : fd;
}

void fs_error_mark_run(const struct write_probe *where, int group_fd, struct fs_error_mark *ret)
{
	struct finding place = {0};
	struct statfs st = {0};

	scoped(fd_drop) int top_fd = write_probe_clone(where, &place);
	*ret = (struct fs_error_mark){
		.watch = where->watch, .errnum = place.errnum, .mount_id = place.mount_id, .device_major = place.device_major, .device_minor = place.device_minor,
	};
	if (top_fd < 0)
		return;
	if (fstatfs(top_fd, &st) < 0 ||
	    fanotify_mark(group_fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, top_fd, ".") < 0) {
		ret->errnum = errno;
		return;
	}
	ret->fsid = fs_error_id(&st.f_fsid);
}
