#include "base/resident.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define MAPS_MAX_BYTES	  (256 * 1024)
#define MAPPING_MAX_BYTES (4 * 1024 * 1024) /* larger ones are address space (arenas, stacks of threads), not state */
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

struct mapping {
	uintptr_t start, end;
	char permissions[5], name[128];
};

/* No disk can take it away, only swapping. */
static bool is_anonymous(const struct mapping *m)
{
	return *m->name == '[' || !*m->name;
}

/* In the order of worth: what runs out of RLIMIT_MEMLOCK loses the least important. */
static unsigned worth_of(const struct mapping *m)
{
	const char *slash = strrchr(m->name, '/');

	if (strstr(m->name, "/stoker"))
		return 0;
	if (slash && (str_starts(slash, "/libc.so") || str_starts(slash, "/libuv")))
		return 1;
	return is_anonymous(m) ? 3 : 2;
}

static bool parse_mapping(const char *line, struct mapping *ret)
{
	unsigned long start, end;

	*ret = (struct mapping){0};
	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %127[^\n]", &start, &end, ret->permissions, ret->name) < 3)
		return false;
	ret->start = start;
	ret->end = end;
	/* vdso, vvar, vsyscall are the kernel's. A locked stack grows only within RLIMIT_MEMLOCK, which the rest has used up: the next deep call
	 * is a SIGSEGV (seen, one start of four). Left alone, only swapping would take it away. */
	bool special = str_starts(ret->name, "[v") || strcmp(ret->name, "[stack]") == 0;
	return !special && ret->permissions[0] == 'r' && end - start <= MAPPING_MAX_BYTES;
}

/* Text is read in whole: a page that was never used is the one that a fault needs. Private data is locked as it is touched,
 * since faulting it all in would cost pages that nothing uses. Measured with all roles running (2026-11-26, Debian 12, PSS):
 * stoker-broker 0.9 MiB, stokerd 1.2 MiB, with 1,200 mounts too. */
static void lock_mapping(const struct mapping *m, struct resident *r)
{
	size_t bytes = m->end - m->start;
	bool writable = m->permissions[1] == 'w';

	if (!writable)
		madvise((void *)m->start, bytes, MADV_POPULATE_READ); /* Linux 5.14; mlock below reads in too */
	if (mlock2((void *)m->start, bytes, writable ? MLOCK_ONFAULT : 0) == 0) {
		r->locked_bytes += bytes;
		return;
	}
	*(is_anonymous(m) ? &r->swappable_bytes : &r->missed_bytes) += bytes;
	if (!*r->detail)
		snprintf(r->detail, sizeof(r->detail), "%s: %s (RLIMIT_MEMLOCK, CAP_IPC_LOCK?)", *m->name ? m->name : "anonymous memory", strerror(errno));
}

int resident_lock(struct resident *ret, struct err *e)
{
	scoped(scoped_free) char *maps = malloc(MAPS_MAX_BYTES);

	*ret = (struct resident){0};
	if (!maps)
		return err_set(e, ENOMEM, "cannot read /proc/self/maps");
	if (fd_read_path("/proc/self/maps", maps, MAPS_MAX_BYTES, e) < 0)
		return -e->code;
	for (unsigned worth = 0; worth < 4; worth++) {
		for (const char *line = maps; line && *line;) {
			struct mapping m;
			if (parse_mapping(line, &m) && worth_of(&m) == worth)
				lock_mapping(&m, ret);
			line = strchr(line, '\n');
			line = line ? line + 1 : NULL;
		}
	}
	return 0;
}

void resident_lock_and_say(const struct log *log)
{
	struct resident resident = {0};
	struct err e = {0};

	if (resident_lock(&resident, &e) < 0 || resident.missed_bytes > 0)
		log_warn(log, "not wholly resident: with its disk gone this process may hang", "locked_bytes", log_number(resident.locked_bytes),
			 "missed_bytes", log_number(resident.missed_bytes), "detail", e.code ? e.text : resident.detail);
	else
		log_info(log, "resident", "locked_bytes", log_number(resident.locked_bytes), "swappable_bytes", log_number(resident.swappable_bytes));
}
