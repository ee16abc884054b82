/* proc_text.h - lines of /proc as the broker's children read them: without allocation, bounded, and by hand since they may be foreign
 * text. Pure. Kernel: Documentation/filesystems/proc.rst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

struct proc_stat {
	char name[16]; /* comm: chosen by the process itself */
	char state;
	bool kernel_thread;
	uint64_t start_ticks; /* since boot; so many a second: sysconf(_SC_CLK_TCK) */
};

/* /proc/PID/stat. False if it is cut or none. */
bool proc_stat_parse(const char *text, size_t length, struct proc_stat *ret);

/* The line "Uid:" of /proc/PID/status: real, effective, saved, of the filesystem. False: there is none. */
bool proc_uids_parse(const char *text, size_t length, uint32_t ret[static 4]);

/* One line of /proc/PID/mountinfo. Strings are unescaped, and cut where they are longer. */
struct proc_mount {
	uint64_t id, parent;
	uint32_t device_major, device_minor;
	char root[NAME_PATH_BYTES], mount_point[NAME_PATH_BYTES];
	char type[32], source[NAME_PATH_BYTES];
	bool read_only;	      /* by the mount's own flag */
	const char *options;  /* the filesystem's, in the line that was given, still escaped */
	size_t options_length;
	bool cut;	      /* a path is longer than there is room */
};

bool proc_mount_parse(const char *line, size_t length, struct proc_mount *ret);

/* The value of "NAME=" among the filesystem's options, unescaped. False: not there, or too long. */
bool proc_mount_option(const struct proc_mount *mount, const char *name, char *ret, size_t size);

/* Is `path` the directory `above`, or beneath it? Both absolute; component by component. */
bool proc_path_is_at_or_beneath(const char *path, const char *above);
