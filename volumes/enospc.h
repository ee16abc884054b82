/* enospc.h - "no space left on device" by its cause: what failed and the numbers found there, to an ordered list of causes. Pure.
 *
 * Many limits of the kernel answer with ENOSPC, and some of its relatives with EAGAIN, EBUSY, EDQUOT or EMFILE; so the errno alone says
 * nothing, and the input is (system call, kind of object, errno). A number that could not be read is unknown: its cause is then neither
 * ruled out nor seen. docs/enospc.md is the same table for people. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "volumes/space.h"

enum enospc_call {
	ENOSPC_OPEN, /* making a file, O_TMPFILE too */
	ENOSPC_WRITE,
	ENOSPC_MKDIR,
	ENOSPC_RMDIR,
	ENOSPC_SETXATTR,
	ENOSPC_MOUNT,
	ENOSPC_INOTIFY_INIT,
	ENOSPC_INOTIFY_ADD_WATCH,
	ENOSPC_UNSHARE,
	ENOSPC_FORK,
	ENOSPC_CGROUP_PROCS,	/* writing to cgroup.procs or tasks */
	ENOSPC_SUBTREE_CONTROL, /* writing to cgroup.subtree_control */
	ENOSPC_CPUSET,		/* writing to cpuset.cpus or cpuset.mems */
	ENOSPC_CALL_MAX_
};

enum enospc_object { ENOSPC_DISK, ENOSPC_TMPFS, ENOSPC_CGROUP1, ENOSPC_CGROUP2, ENOSPC_OBJECT_MAX_ };

struct enospc_case {
	enum enospc_call call;
	enum enospc_object object;
	int errnum;
};

/* Numbers. Beside each: where it comes from. */
enum enospc_number {
	NUMBER_BYTES_TOTAL,	/* statfs: f_blocks */
	NUMBER_BYTES_FREE,	/* f_bfree: what there is for root */
	NUMBER_BYTES_AVAILABLE, /* f_bavail: what there is for others */
	NUMBER_INODES_TOTAL,	/* f_files; 0 = this filesystem does not count them */
	NUMBER_INODES_FREE,
	NUMBER_BLOCK_BYTES,
	NUMBER_USER_BYTES, /* quotactl: of the uid that tries; the limit is the hard one, or the soft one when its grace has ended */
	NUMBER_USER_BYTES_MAX,
	NUMBER_USER_INODES,
	NUMBER_USER_INODES_MAX,
	NUMBER_GROUP_BYTES,
	NUMBER_GROUP_BYTES_MAX,
	NUMBER_GROUP_INODES,
	NUMBER_GROUP_INODES_MAX,
	NUMBER_PROJECT_BYTES, /* of the directory's project */
	NUMBER_PROJECT_BYTES_MAX,
	NUMBER_PROJECT_INODES,
	NUMBER_PROJECT_INODES_MAX,
	NUMBER_NAMELESS_WORKS, /* 1 = in the same directory a file without a name could be made, 0 = it could not */
	NUMBER_KERNEL,	       /* uname: major * 1000 + minor */
	NUMBER_MEMCGS,	       /* root cgroup.stat nr_subsys_memory, else /proc/cgroups */
	NUMBER_MEMCGS_MAX,     /* 65535, MEM_CGROUP_ID_MAX */
	NUMBER_MEMCGS_DYING,
	NUMBER_DIRECTORIES,	/* root cgroup.stat nr_descendants + 1 */
	NUMBER_MEMCG_IN_CHILD,	/* 1 = a directory made here becomes a memory cgroup */
	NUMBER_DESCENDANTS,	/* of the ancestor nearest to its limit */
	NUMBER_DESCENDANTS_MAX, /* cgroup.max.descendants there */
	NUMBER_DEPTH,		/* levels below the ancestor nearest to its limit */
	NUMBER_DEPTH_MAX,	/* cgroup.max.depth there */
	NUMBER_CPUS,		/* how many cpuset.cpus names (v1) */
	NUMBER_MEMS,
	NUMBER_DOMAIN_INVALID,	/* 1 = cgroup.type says "domain invalid" or "threaded" */
	NUMBER_POPULATED,	/* 1 = processes here or below */
	NUMBER_PROCESSES,	/* in this very cgroup, 1 = some */
	NUMBER_CHILDREN,	/* directories in it */
	NUMBER_CONTROLLERS_ON,	/* words in cgroup.subtree_control */
	NUMBER_PIDS,		/* pids.current of the ancestor nearest to its limit */
	NUMBER_PIDS_MAX,
	NUMBER_WATCHES, /* counted in /proc/PID/fdinfo of the uid's processes */
	NUMBER_WATCHES_MAX,
	NUMBER_INSTANCES,
	NUMBER_INSTANCES_MAX,
	NUMBER_MOUNTS, /* in this mount namespace */
	NUMBER_MOUNTS_MAX,
	NUMBER_XATTRS,	    /* user.* attributes of the object */
	NUMBER_XATTRS_MAX,  /* 128 on a cgroup directory */
	NUMBER_XATTR_BYTES, /* on a cgroup of values; on a disk of names and values */
	NUMBER_XATTR_BYTES_MAX,
	NUMBER_USER_NS, /* namespaces seen of the uid's processes: others may be held without a process */
	NUMBER_USER_NS_MAX,
	NUMBER_OTHER_NS, /* of the other kind nearest to its limit; `where` names it */
	NUMBER_OTHER_NS_MAX,
	NUMBER_MAX_
};

#define ENOSPC_UNKNOWN	 UINT64_MAX
#define ENOSPC_UNLIMITED (UINT64_MAX - 1)

#define ENOSPC_WHERE_BYTES 256
#define ENOSPC_MEMCG_MAX   65535 /* MEM_CGROUP_ID_MAX of the kernel */

struct enospc_facts {
	uint64_t number[NUMBER_MAX_];
	uint32_t uid, project;
	char fs_type[32];
	char descendants_where[ENOSPC_WHERE_BYTES]; /* the cgroup whose limit is the nearest */
	char depth_where[ENOSPC_WHERE_BYTES];
	char pids_where[ENOSPC_WHERE_BYTES];
	char other_ns[16]; /* "mnt", "net" … */
};

enum enospc_cause {
	ENOSPC_CAUSE_UNKNOWN,
	ENOSPC_SPACE,
	ENOSPC_RESERVED,
	ENOSPC_INODES,
	ENOSPC_QUOTA,
	ENOSPC_TMPFS_SIZE,
	ENOSPC_TMPFS_INODES,
	ENOSPC_DIRECTORY_FULL,
	ENOSPC_MEMCG_IDS,
	ENOSPC_MEMCG_LEAK,
	ENOSPC_MAX_DESCENDANTS,
	ENOSPC_MAX_DEPTH,
	ENOSPC_CPUSET_EMPTY,
	ENOSPC_CPUSET_IN_USE,
	ENOSPC_DOMAIN_INVALID,
	ENOSPC_HAS_PROCESSES,
	ENOSPC_HAS_CONTROLLERS,
	ENOSPC_CGROUP_IN_USE,
	ENOSPC_PIDS_MAX,
	ENOSPC_INOTIFY_WATCHES,
	ENOSPC_INOTIFY_INSTANCES,
	ENOSPC_MOUNT_MAX,
	ENOSPC_XATTR_SPACE,
	ENOSPC_USER_NAMESPACES,
	ENOSPC_OTHER_NAMESPACES,
	ENOSPC_CAUSE_MAX_
};

enum enospc_confidence {
	CONFIDENCE_SEEN,      /* the numbers show it */
	CONFIDENCE_LIKELY,    /* it answers so, and nothing else that does was seen */
	CONFIDENCE_UNKNOWN,   /* a number could not be read */
	CONFIDENCE_RULED_OUT, /* the numbers show that it is not this */
	CONFIDENCE_MAX_
};

struct enospc_answer {
	enum enospc_cause cause;
	enum enospc_confidence confidence;
	char numbers[320];  /* in words: "0 of 128 inodes are free" */
	const char *advice; /* what to do next; static */
};

/* Every cause that can answer so, the surest first; returns how many. The first is ENOSPC_CAUSE_UNKNOWN if none is seen or likely. */
size_t enospc_classify(const struct enospc_case *what, const struct enospc_facts *facts, struct enospc_answer answers[static ENOSPC_CAUSE_MAX_]);

/* Facts of which nothing is known yet. */
void enospc_facts_clear(struct enospc_facts *facts);

/* What a filesystem that has too little of `resource` is short of, by what the probe measured: SpaceExhausted, ReservedBlocks (most of
 * what is free is for root), TmpfsSize; InodesExhausted, TmpfsInodes. */
enum enospc_cause enospc_of_space(const struct space *space, enum space_resource resource);

/* The cause of a write probe's failure: one of these, QuotaExhausted for EDQUOT. Unknown for other errnos, and when the numbers show room all
 * the same (btrfs out of metadata, a project's quota on XFS, somebody has just freed some): `stoker why-enospc` looks closer. */
enum enospc_cause enospc_of_probe(int errnum, const struct space *space);

const char *enospc_cause_name(enum enospc_cause cause); /* CamelCase, as reasons are: docs/contract.md */
const char *enospc_call_name(enum enospc_call call);	/* as people write it: "mkdir", "cgroup.procs" */
const char *enospc_object_name(enum enospc_object object);
const char *enospc_confidence_name(enum enospc_confidence confidence);
const char *enospc_number_name(enum enospc_number number); /* as in JSON */
int enospc_call_parse(const char *word, enum enospc_call *ret); /* -EINVAL if there is none */
