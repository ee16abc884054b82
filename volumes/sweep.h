/* sweep.h - directories that Spark left on a hostPath: has each still an owner, and may it go? Pure.
 *
 * Never by age. Spark makes them as blockmgr-UUID, spark-UUID and executor-UUID right beneath each local directory (Utils.createDirectory,
 * 3.1 to 4.3), removes them when the JVM ends by itself, and leaves them when it is killed. A UUID is never given again, so a directory
 * belongs to the process that made it, and the name alone tells it from everything else. It has an owner while somebody holds something
 * beneath it, while something is mounted from it or in it, and while a process lives that may have made it. What cannot be told keeps it.
 * docs/volumes.md has the table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_volumes.h"

#define SWEEP_NAME_BYTES    48 /* "blockmgr-" and a UUID are 45 */
#define SWEEP_PAGE	    64 /* directories that are looked at in one run */
#define SWEEP_NAMES_MAX	    200000 /* beneath a root, of whatever kind: more are not looked at */
#define SWEEP_RUN_ENTRIES   20000  /* that one run removes at most */
#define SWEEP_RUN_US	    3000000ULL
#define SWEEP_SLACK_US	    60000000ULL /* a process may be so much younger than its directory: clocks are set */

enum sweep_reason {
	SWEEP_OWNERLESS, /* the only one with which it may go */
	SWEEP_OPEN,	 /* a process has something open or mapped in it, or stands in it */
	SWEEP_MOUNTED,	 /* something is mounted on it, from it or in it, in whichever mount namespace */
	SWEEP_MAKER,	 /* a process lives that may have made it */
	SWEEP_NO_BIRTH,	 /* the filesystem does not tell when it was made, or that moment is still to come */
	SWEEP_UNREAD,	 /* a process could not be looked into */
	SWEEP_NO_DIRECTORY, /* a link or a file with such a name */
	SWEEP_CHANGED,	 /* written to since it was found ownerless */
	SWEEP_REASON_MAX_
};

/* How a process sees the root. */
enum sweep_view {
	SWEEP_SEES_NOTHING, /* or only for reading */
	SWEEP_SEES_ALL,	    /* as it sees the whole node: of the host's mount namespace, or with all of its filesystem mounted */
	SWEEP_SEES_ROOT,    /* it was given to it: mounted in its container */
};

struct sweep_process {
	uint32_t pid;
	uint32_t uids[4];      /* real, effective, saved, of the filesystem: in our user namespace */
	bool own_ids;	       /* of a user namespace of its own: on the disk its uids are others */
	bool jvm;	       /* "java" is its name */
	uint32_t view;	       /* enum sweep_view */
	uint64_t started_wall_us;
};

struct sweep_facts {
	bool is_directory;
	uint32_t open_pid, mounted_pid; /* one of each; 0 = nobody */
	uint32_t maker_pid;		/* of the possible makers the youngest: it has made it, most likely */
	uint64_t maker_started_wall_us;
	uint32_t unread_pid;			    /* whoever could not be looked into */
	uint64_t born_wall_us;			    /* 0 = not told */
	uint64_t changed_wall_us;		    /* the newest change of it and of what lies right in it */
	uint64_t known_changed_wall_us;		    /* when it was found ownerless; 0 = it was not yet */
	uint64_t now_wall_us;
};

/* Is the name one that Spark gives to a directory of its own? */
bool sweep_is_name(const char *name);

/* The next component of a path that is such a name, from *at on, which is moved behind it. False at the end. */
bool sweep_next_name(const char **at, const char *end, char ret[static SWEEP_NAME_BYTES]);

/* May this process have made a directory of that user, born then? */
bool sweep_may_have_made(const struct sweep_process *process, uint32_t uid, uint64_t born_wall_us, uint64_t slack_us);

/* And the pid that speaks for it; 0 = none. */
enum sweep_reason sweep_judge(const struct sweep_facts *facts, uint32_t *ret_pid);

const char *sweep_reason_name(enum sweep_reason reason);  /* "Ownerless", "Open" … */
const char *sweep_reason_words(enum sweep_reason reason); /* for people */
