#include "volumes/volume_mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define MARK_NAME  "trusted.stoker"
#define MARK_BYTES 160

int volume_mark_write(int dir_fd, const struct volume *v, struct err *e)
{
	char text[MARK_BYTES];
	int length = snprintf(text, sizeof(text), "%s %s %s %016" PRIx64, volume_type_name(v->type), v->at.pod_uid, v->at.name, volume_digest(v));

	if (fsetxattr(dir_fd, MARK_NAME, text, (size_t)length, 0) < 0)
		return err_set(e, errno, "cannot mark the volume's directory as ours");
	return 0;
}

static enum volume_type type_named(const char *name)
{
	for (unsigned type = VOLUME_SCRATCH; type < VOLUME_TYPE_MAX_; type++)
		if (strcmp(name, volume_type_name(type)) == 0)
			return type;
	return VOLUME_NONE;
}

int volume_mark_read(int path_fd, struct volume_mark *ret, struct err *e)
{
	char path[32], text[MARK_BYTES], type[16];
	struct volume_mark mark = {0};

	_Static_assert(sizeof(mark.pod_uid) == 40 && sizeof(mark.name) == 64, "the widths below are theirs");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd); /* fgetxattr(2) takes no descriptor of O_PATH */
	ssize_t length = getxattr(path, MARK_NAME, text, sizeof(text) - 1);
	if (length < 0)
		/* ERANGE: a longer one is none of ours. EOPNOTSUPP: a filesystem that has no such attributes. */
		return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE ? 0 : err_set(e, errno, "cannot read whose volume it is");
	text[length] = '\0';
	if (sscanf(text, "%15s %39s %63s %16" SCNx64, type, mark.pod_uid, mark.name, &mark.digest) != 4)
		return 0;
	mark.type = type_named(type);
	if (mark.type == VOLUME_NONE)
		return 0;
	*ret = mark;
	return 1;
}

bool volume_mark_is_of(const struct volume_mark *mark, const struct volume_at *at)
{
	return strcmp(mark->pod_uid, at->pod_uid) == 0 && strcmp(mark->name, at->name) == 0;
}
