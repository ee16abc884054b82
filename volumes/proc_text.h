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

/* A piece of a text that goes on behind it. */
struct proc_word {
	const char *at, *end;
};

/* One line of /proc/PID/mountinfo, taken apart; the words lie in it, still escaped. */
struct proc_mount_words {
	uint64_t id, parent;
	uint32_t device_major, device_minor;
	struct proc_word root, mount_point, options, type, source, super_options;
};

bool proc_mount_split(const char *line, size_t length, struct proc_mount_words *ret);

/* Without the kernel's escapes (\040 for a blank). False if it had to be cut. `to` may be where the word lies: it never gets longer,
 * and the byte behind it takes the NUL. */
bool proc_unescape(struct proc_word word, char *to, size_t size);

/* Is it one of the words between the commas? */
bool proc_has_option(struct proc_word list, const char *wanted);

/* The same line with its strings unescaped, and cut where they are longer. */
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
