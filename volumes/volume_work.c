#include "volumes/volume_work.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "volumes/checkpoint_mount.h"
#include "volumes/disk_volume.h"
#include "volumes/tmpfs.h"
#include "volumes/volume_mark.h"
#include "volumes/volume_spot.h"

/* --- what is there --- */

static int foreign(struct err *e)
{
	return err_rule(e, EBUSY, "something else is mounted there; it is left as it is");
}

/* 1 = the volume of this place, 0 = not ours, or ours and of another place: bound there by somebody. */
static int read_mark(int root_fd, const struct volume_at *at, struct volume_mark *ret, struct err *e)
{
	int marked = volume_mark_read(root_fd, ret, e);

#ifdef STOKER_SABOTAGE_MARK_IGNORED
	*ret = (struct volume_mark){0};
	return 1;
#endif
	return marked == 1 && !volume_mark_is_of(ret, at) ? 0 : marked;
}

static int read_spot_mark(const struct volume_spot *spot, const struct volume_at *at, struct volume_mark *ret, struct err *e)
{
	scoped(fd_drop) int root_fd = volume_spot_enter(spot, O_PATH, e);

	return root_fd < 0 ? root_fd : read_mark(root_fd, at, ret, e);
}

int volume_measure(int root_fd, struct volume_result *r, struct err *e)
{
	struct statfs st;

	if (fstatfs(root_fd, &st) < 0)
		return err_set(e, errno, "cannot measure the volume");
	uint64_t block_bytes = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize);
	r->size_bytes = st.f_blocks * block_bytes;
	r->free_bytes = st.f_bavail * block_bytes;
	r->inodes = st.f_files;
	r->free_inodes = st.f_ffree;
	return 0;
}

/* For people: what was made is there, also when it cannot be measured. */
static void measure_spot(const struct volume_spot *spot, struct volume_result *r)
{
	scoped(fd_drop) int root_fd = volume_spot_enter(spot, O_PATH, NULL);

	if (root_fd >= 0)
		volume_measure(root_fd, r, NULL);
}

/* --- make --- */

static int make_again(const struct volume *v, const struct volume_spot *spot, struct volume_result *r, struct err *e)
{
	struct volume_mark mark;
	int ours = read_spot_mark(spot, &v->at, &mark, e);

	if (ours <= 0)
		return ours < 0 ? ours : foreign(e);
	if (mark.digest != volume_digest(v) || mark.type != v->type)
		return err_rule(e, EEXIST, "the volume is there, with other attributes");
	r->already = 1;
	r->step = VOLUME_DONE;
	measure_spot(spot, r);
	return 0;
}

static int make_scratch(const struct config *config, const struct volume *v, const struct volume_spot *spot, struct volume_result *r, struct err *e)
{
	r->step = VOLUME_PREPARE;
	scoped(fd_drop) int mount_fd = tmpfs_build(v, e);
	if (mount_fd == -ENOSYS)
		return tmpfs_place_without_build(config->runtime_dir, v, spot, e);
	if (mount_fd < 0)
		return mount_fd;
	r->step = VOLUME_PLACE;
	return volume_spot_attach(spot, mount_fd, e);
}

int volume_make(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	scoped(volume_spot_drop) struct volume_spot spot = VOLUME_SPOT_CLOSED;

	if (v->type == VOLUME_CHECKPOINT)
		return checkpoint_mount(config, v, r, e);
	r->step = VOLUME_RESOLVE;
	if (volume_spot_open(config, &v->at, &spot, e) < 0)
		return -e->code;
	r->step = VOLUME_COMPARE;
	int there = volume_spot_look(&spot, e);
	if (there < 0)
		return there;
	if (there == VOLUME_THERE_MOUNT)
		return make_again(v, &spot, r, e);
	int done = v->type == VOLUME_DISK ? disk_volume_make(config, v, &spot, r, e) : make_scratch(config, v, &spot, r, e);
	if (done < 0)
		return done;
	r->step = VOLUME_DONE;
	measure_spot(&spot, r);
	return 0;
}

/* --- remove --- */

/* *ret_type: of what was unmounted; VOLUME_NONE = nothing was mounted. 1 = there was something, a directory at least. */
static int clear_spot(const struct config *config, const struct volume_at *at, const struct volume_spot *spot, enum volume_type *ret_type,
		      struct volume_result *r, struct err *e)
{
	struct volume_mark mark = {.type = VOLUME_CHECKPOINT};

	r->step = VOLUME_COMPARE;
	int there = volume_spot_look(spot, e);
	if (there <= 0)
		return there;
	if (there == VOLUME_THERE_MOUNT) {
		int ours = read_spot_mark(spot, at, &mark, e);
		if (ours == 0)
			ours = checkpoint_is_mounted(config, spot, e);
		if (ours <= 0)
			return ours < 0 ? ours : foreign(e);
		r->step = VOLUME_DETACH;
		if (volume_spot_detach(spot, e) < 0)
			return -e->code;
		*ret_type = mark.type;
	}
	r->step = VOLUME_REMOVE;
	return volume_spot_clear(spot, e) < 0 ? -e->code : 1;
}

int volume_remove(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	scoped(volume_spot_drop) struct volume_spot spot = VOLUME_SPOT_CLOSED;
	enum volume_type type = VOLUME_NONE;
	int removed = 0;

	r->step = VOLUME_RESOLVE;
	int found = volume_spot_open(config, &v->at, &spot, e);
	if (found < 0 && found != -ENOENT)
		return found;
	if (found == 0)
		removed = clear_spot(config, &v->at, &spot, &type, r, e);
	if (removed < 0)
		return removed;
	/* A disk that hangs must not keep a scratch: only what may lie on one is looked for there. */
	if (v->at.place == VOLUME_AT_CSI && (type == VOLUME_NONE || type == VOLUME_DISK)) {
		r->step = VOLUME_REMOVE;
		int files = disk_volume_remove(config, &v->at, e);
		if (files < 0)
			return files;
		removed |= files;
	}
	r->already = !removed;
	r->step = VOLUME_DONE;
	return 0;
}

/* --- of what is there --- */

static bool is_tmpfs(int root_fd)
{
	struct statfs st;

	return fstatfs(root_fd, &st) == 0 && st.f_type == TMPFS_MAGIC;
}

/* 1 = ours or the kubelet's, of *ret_type; 0 = somebody else's. */
static int judge_root(const struct config *config, const struct volume_at *at, const struct volume_spot *spot, int root_fd, enum volume_type *ret_type,
		      struct err *e)
{
	struct volume_mark mark = {.type = VOLUME_NONE};
	int ours = read_mark(root_fd, at, &mark, e);

	*ret_type = mark.type;
	if (ours != 0 || at->place == VOLUME_AT_EMPTY_DIR)
		return ours < 0 ? ours : ours == (at->place != VOLUME_AT_EMPTY_DIR);
	*ret_type = VOLUME_CHECKPOINT;
	return checkpoint_is_mounted(config, spot, e);
}

int volume_open_root(const struct config *config, const struct volume_at *at, bool directory, enum volume_type *ret_type, struct err *e)
{
	scoped(volume_spot_drop) struct volume_spot spot = VOLUME_SPOT_CLOSED;
	const bool kubelets = at->place == VOLUME_AT_EMPTY_DIR;

	if (volume_spot_open(config, at, &spot, e) < 0)
		return -e->code;
	int there = volume_spot_look(&spot, e);
	if (there < 0)
		return there;
	if (there != VOLUME_THERE_MOUNT && !(kubelets && directory && there == VOLUME_THERE_DIRECTORY))
		return err_rule(e, ENOENT, "nothing is mounted there");
	scoped(fd_drop) int root_fd = volume_spot_enter(&spot, O_PATH, e);
	if (root_fd < 0)
		return root_fd;
	int known = judge_root(config, at, &spot, root_fd, ret_type, e);
	if (known < 0)
		return known;
	if (!known || (kubelets && there == VOLUME_THERE_MOUNT && !is_tmpfs(root_fd)))
		return foreign(e);
	return fd_take(&root_fd);
}

/* Pages are what tmpfs counts in. */
static bool is_bounded(const struct volume_result *now, const struct volume *v)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return now->size_bytes == (v->size_bytes + page - 1) / page * page && now->inodes == v->inodes;
}

int volume_bound(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	enum volume_type type = VOLUME_NONE;

	r->step = VOLUME_RESOLVE;
	scoped(fd_drop) int root_fd = volume_open_root(config, &v->at, false, &type, e);
	if (root_fd < 0)
		return root_fd;
	if (type != VOLUME_NONE && type != VOLUME_SCRATCH)
		return err_rule(e, EOPNOTSUPP, "a volume of type %s is not bounded anew", volume_type_name(type));
	r->step = VOLUME_COMPARE;
	if (volume_measure(root_fd, r, e) < 0)
		return -e->code;
	r->already = is_bounded(r, v);
	if (!r->already) {
		r->step = VOLUME_PREPARE;
		if (tmpfs_bound(root_fd, v->size_bytes, v->inodes, e) < 0)
			return -e->code;
		volume_measure(root_fd, r, NULL);
	}
	r->step = VOLUME_DONE;
	return 0;
}

int volume_stat(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	enum volume_type type = VOLUME_NONE;

	r->step = VOLUME_RESOLVE;
	scoped(fd_drop) int root_fd = volume_open_root(config, &v->at, false, &type, e);
	if (root_fd < 0)
		return root_fd;
	r->step = VOLUME_COMPARE;
	if (volume_measure(root_fd, r, e) < 0)
		return -e->code;
	r->already = 1;
	r->step = VOLUME_DONE;
	return 0;
}
