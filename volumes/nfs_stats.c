#include "volumes/nfs_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "volumes/proc_lines.h"

#define DEVICE	"device "
#define MOUNTED " mounted on "
#define FSTYPE	" with fstype nfs"
#define NUMBERS 8 /* calls, sent, major time-outs, bytes there and back, waited to be sent, round trip, all of it; newer kernels: errors */

/* "device SOURCE mounted on MOUNT-POINT with fstype nfs4 statvers=1.1". Both names may hold what stands between them: so the ends count. */
static bool is_ours(const struct nfs_stats_search *s, const char *line, size_t length)
{
	const char *type = memmem(line, length, FSTYPE, sizeof(FSTYPE) - 1);
	const size_t source = strlen(s->source), end = strlen(s->mount_point_end), head = sizeof(DEVICE) - 1 + source;

	if (!type || (size_t)(type - line) < head + sizeof(MOUNTED) - 1 + end)
		return false;
	return memcmp(line + sizeof(DEVICE) - 1, s->source, source) == 0 && memcmp(line + head, MOUNTED, sizeof(MOUNTED) - 1) == 0 &&
	       memcmp(type - end, s->mount_point_end, end) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Does " READ:" and the like end at the colon? */
static bool is_of_data(const char *line, const char *colon)
{
	static const char *const kinds[] = {" READ", " WRITE", " COMMIT"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t length = strlen(kinds[i]);
		if ((size_t)(colon - line) >= length && memcmp(colon - length, kinds[i], length) == 0)
			return true;
	}
	return false;
}

/* "        WRITE: 3 3 0 1256 528 0 5 5 0" */
static void read_call(const char *line, size_t length, struct nfs_stats *stats)
{
	uint64_t number[NUMBERS] = {0};
	const char *at = memchr(line, ':', length), *end = line + length;

	if (!at || !is_of_data(line, at))
		return;
	at++;
	for (unsigned i = 0; i < NUMBERS; i++) {
		if (end - at < 2 || *at != ' ' || !is_digit(at[1]))
			return;
		for (at++; at < end && is_digit(*at); at++)
			number[i] = number[i] * 10 + (uint64_t)(*at - '0');
	}
	stats->calls += number[0];
	stats->wait_ms += number[NUMBERS - 1];
}

bool nfs_stats_line(void *search, const char *line, size_t length)
{
	struct nfs_stats_search *s = search;

	if (length > sizeof(DEVICE) - 1 && memcmp(line, DEVICE, sizeof(DEVICE) - 1) == 0) {
		if (s->found)
			return false;
		s->found = s->inside = is_ours(s, line, length);
		return true;
	}
	if (s->inside)
		read_call(line, length, &s->stats);
	return true;
}

int nfs_stats_read(const char *source, const char *mount_point_end, struct nfs_stats *ret, struct err *e)
{
	struct nfs_stats_search search = {.source = source, .mount_point_end = mount_point_end};
	scoped(fd_drop) int fd = open("/proc/self/mountstats", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot open the mounts' statistics");
	if (proc_lines(fd, nfs_stats_line, &search) < 0)
		return err_set(e, errno, "cannot read the mounts' statistics");
	if (!search.found)
		return err_rule(e, ENOENT, "no statistics of '%s'", source);
	*ret = search.stats;
	return 0;
}
