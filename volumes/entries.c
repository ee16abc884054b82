#include "volumes/entries.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct raw_entry {
	uint64_t ino;
	int64_t off;
	unsigned short length;
	unsigned char type;
	char name[];
};

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int entries_next(int directory_fd, struct entries *entries, struct entry *ret, bool *ret_fresh)
{
	if (ret_fresh)
		*ret_fresh = false;
	for (;;) {
		if (entries->at >= entries->length) {
			entries->at = 0;
			entries->length = syscall(SYS_getdents64, directory_fd, entries->bytes, sizeof(entries->bytes));
			if (entries->length <= 0) {
				const long length = entries->length;
				entries->length = 0;
				return length < 0 ? -errno : 0;
			}
			if (ret_fresh)
				*ret_fresh = true;
		}
		const struct raw_entry *raw = (const void *)(entries->bytes + entries->at);
		entries->at += raw->length;
		if (is_dots(raw->name))
			continue;
		*ret = (struct entry){raw->ino, raw->type, raw->name};
		return 1;
	}
}
