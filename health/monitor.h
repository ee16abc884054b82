/* monitor.h - the set of watched filesystems: what to probe when, what the findings make of each, what the node says.
 *
 * No clock, file or socket in here: time is passed in, and what is wanted leaves through two callbacks. One struct,
 * about 400 KiB, allocated once. Several watched paths on one filesystem are one: the first is its filesystem, the others
 * are aliases that lend it their roles and are only looked at now and then, to see whether they still lie there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/executor.h"
#include "base/log.h"
#include "health/accounts.h"
#include "health/block_names.h"
#include "health/forecast.h"
#include "health/health.h"
#include "health/kmsg.h"
#include "health/local_disk.h"
#include "health/storage_totals.h"
#include "health/verdict.h"
#include "volumes/discover.h"
#include "volumes/finding.h"
#include "volumes/mount_table.h"

#define MONITOR_WARNING_DWELL_US (5 * 60 * 1000000ULL) /* a kernel error line warns for so long after the last */
#define MONITOR_ALIAS_TICKS	 12		       /* an alias is looked at on every 12th tick */

struct monitor;

struct monitor_ops {
	/* Ask for a probe of watch `index`. False: not possible now (broker gone); it is asked again at the next tick. */
	bool (*probe)(struct monitor *monitor, uint32_t index, bool must_be_mounted);
	/* A filesystem turned up whose mount is not known: read the mount table and call monitor_mounts. */
	void (*describe)(struct monitor *monitor);
	/* Something that people see has changed: take a snapshot, publish, keep. */
	void (*changed)(struct monitor *monitor);
	/* The time at which an input changed; NULL: not known. */
	uint64_t (*wall_us)(struct monitor *monitor);
};

struct monitor_watch {
	struct target target;
	uint32_t serial; /* what the broker repeats in its answers: an index may mean another watch by then */
	struct verdict verdict;
	struct finding last;	/* started_wall_us 0 = none yet */
	uint64_t waiting_us;	/* monotonic, of the first tick that found a probe outstanding; 0 = none */
	uint64_t heard_us;	/* monotonic, of the last finding; at first: of the configuring */
	uint64_t since_wall_us; /* verdict.since_us as wall-clock time */
	struct health_probes probes;
	bool abandoned;		/* the probe's child did not end at its deadline, and has not since */
	bool outstanding;	/* a probe is under way */
	bool again;		/* and another is wanted when it ends: something happened meanwhile */
	bool follow_up;		/* a good probe after a kernel line is looked at once more shortly after */
	uint64_t hints_paid_us; /* monotonic: until when the probes that hints may cost are spent */
	struct space space;	/* as last measured; zero = not yet */
	struct space_levels levels;
	struct forecast forecast;
	char offender[160];	/* who fills it, while it is short of room; "" = not known */
	char offender_reason[NAME_REASON_BYTES];
	uint64_t offender_pods; /* accounts_blame() */
	bool mounted;		/* the path was seen as the root of a mount */
	bool placed, moved;	/* where it lies is known; it is another filesystem than before */
	uint32_t device_major, device_minor; /* of the filesystem, which need not be last's: see mount_table_find */
	bool read_only_bind;	/* the mount is read-only by its own flag: not judged */
	bool gone;		/* away while it is bad */
	bool held;		/* the last finding is not judged before the mount table was read again */
	int alias_of;		/* index of the watch that stands for this filesystem; -1 = itself */
	struct kernel_errors {
		uint64_t count, wall_us; /* of the filesystem's own counter when it was last read; wall_us 0 = never */
		uint64_t mount_id;	 /* of this mount; 0 = by an earlier stokerd */
		char device[24];	 /* "8:1" */
	} kernel_errors;
	bool described;		/* the strings below belong to last.mount_id */
	char mount_point[NAME_PATH_BYTES], source[256], fs_type[32];
	struct block_names names;
};

struct monitor {
	const struct monitor_ops *ops;
	const struct log *log;
	void *owner;
	const char *sys_root; /* "/sys"; fixtures in tests */
	struct config config;
	uint64_t ticks;
	uint32_t watch_count, next_serial;
	struct monitor_watch watch[CONFIG_WATCH_MAX];
	bool discovering;     /* what else there is to watch is not known yet */
	bool look_again;      /* something was not where discovery has found it */
	bool mounts_expected; /* the mount table comes, or has come */
	bool mounts_stale;    /* it has changed since it was read */
	bool mounts_urgent;   /* a verdict waits for it */
	uint64_t hung_us;    /* monotonic, of the kernel's last line about a task that hangs; 0 = none */
	char hung_line[160]; /* it explains a probe that hangs too */
	struct health_input inputs[HEALTH_INPUTS_MAX];
	uint32_t input_count;
	bool awaited[HEALTH_INPUTS_MAX]; /* missing from the start: that is to be expected for a moment, and is said with the first tick */
	/* The node object said False when we came and nothing here remembers why: no True before every filesystem has
	 * gone through as many good probes as a recovery takes. */
	bool cautious;
	bool told;	  /* a report has gone out to the reporter */
	bool pods_said;	  /* the input "pods" is there */
	bool others_said; /* the input "others" is there: another agent was seen on the node object */
	struct report report;	/* as last computed; sequence 0 = never */
	bool report_ready;
	struct report_state reporter;
	struct executor_counts executors; /* by the supervisor */
	struct health_nri nri;		  /* likewise */
	struct health_volumes volumes;	  /* likewise */
	struct storage_totals storage;	  /* by the supervisor */
	uint32_t checkpoint_count;
	struct health_checkpoint checkpoints[CONFIG_CHECKPOINTS_MAX]; /* by the supervisor */
	struct health_agent agent; /* start and version by the supervisor; abandoned probes are counted when asked for */
	/* Room to make a new list in: 420 KiB, of which as much is ever touched as there are filesystems. On the stack all of it would be. */
	struct {
		struct monitor_watch before[CONFIG_WATCH_MAX];
		struct target_list list;
	} scratch;
};

/* A zeroed one. */
void monitor_init(struct monitor *monitor, const struct monitor_ops *ops, const struct log *log, void *owner);

void monitor_tick(struct monitor *monitor, uint64_t now_us, uint64_t now_wall_us);	/* every probe.period */
/* MONITOR_FOLLOW_UP_US after a hint; true if another is wanted, as long after this one. */
bool monitor_follow_up(struct monitor *monitor, uint64_t now_us);
#define MONITOR_FOLLOW_UP_US 100000ULL
#define MONITOR_HINT_BURST 10		/* hints of one filesystem that are each answered by a probe at once, */
#define MONITOR_HINT_PAUSE_US 500000ULL /* then one such probe in this time */
void monitor_ask(struct monitor *monitor, uint32_t index); /* for a probe */
void monitor_finding(struct monitor *monitor, const struct finding *finding, uint64_t now_us, uint64_t now_wall_us);
void monitor_child_ended(struct monitor *monitor, uint32_t serial);			/* an abandoned child of this watch is gone */
void monitor_unanswered(struct monitor *monitor, uint32_t serial);			/* a probe that was asked for will not be answered */
/* True if a follow-up is wanted. */
bool monitor_hint(struct monitor *monitor, const struct kmsg_hint *hint, uint64_t now_us, uint64_t now_wall_us);
/* The same for the filesystem of one watch, from another source. */
bool monitor_hint_at(struct monitor *monitor, uint32_t index, const char *source, const struct kmsg_hint *hint, uint64_t now_us, uint64_t now_wall_us);
void monitor_probe_all(struct monitor *monitor, const char *why);
void monitor_broker(struct monitor *monitor, bool up);
/* Names the filesystems by their mounts. The table is not kept: on a busy node it is megabytes. */
void monitor_mounts(struct monitor *monitor, const struct mount_table *table, uint64_t now_us, uint64_t now_wall_us);
void monitor_no_mounts(struct monitor *monitor, uint64_t now_us, uint64_t now_wall_us); /* it will not come */
void monitor_reporter(struct monitor *monitor, const struct report_state *state);
/* What is known of the checkpoints; what people see of them has changed. */
void monitor_checkpoints(struct monitor *monitor, const struct health_checkpoint *checkpoints, uint32_t count);

/* --- monitor_inputs.c --- */

void monitor_input(struct monitor *monitor, const char *name, const char *state, const char *detail);
void monitor_say_awaited(struct monitor *monitor);

/* --- monitor_space.c --- */

/* What is left, of a finding that was judged: a good one may turn out to be one of a filesystem without room. */
void monitor_judge_space(const struct monitor *monitor, struct monitor_watch *watch, const struct finding *finding, struct verdict_input *input,
			 uint64_t now_us);
void monitor_restore_space(struct monitor_watch *watch, const char *reason); /* of an earlier stokerd's verdict */
void monitor_forget_space(struct monitor_watch *watch);			     /* another filesystem lies there now */

/* --- monitor_blame.c --- */

bool monitor_is_short(const struct monitor_watch *watch); /* of bytes or inodes, or will be */
bool monitor_any_is_short(const struct monitor *monitor);
/* Names who fills the filesystems that are short of room. True if what is said has changed. */
bool monitor_blame(struct monitor *monitor, const struct accounts *accounts);

/* --- monitor_local.c --- */

void monitor_local_disk(const struct monitor *monitor, const struct executor *executor, struct local_disk *ret);

/* --- monitor_targets.c --- */

/* A new configuration: a path that stays keeps its verdict. */
void monitor_configure(struct monitor *monitor, const struct config *config, uint64_t now_us);

/* What an earlier stokerd knew (state file): bad stays bad until it was probed well often enough. */
void monitor_restore(struct monitor *monitor, const struct health *before, uint64_t now_us, uint64_t now_wall_us);

/* What discovery has found. What is not in the list any more is forgotten, unless it is bad: a disk that is away for its
 * repair stays bad until it is back, or the configuration does not watch it any more. */
void monitor_set_targets(struct monitor *monitor, const struct target_list *list, uint64_t now_us);

/* Of several watches on one filesystem one stands for it. After every change of where they lie. */
void monitor_find_aliases(struct monitor *monitor);

/* --- monitor_snapshot.c --- */

/* For the metrics: what came of a probe, before space was judged. */
void monitor_count_probe(const struct monitor *monitor, struct monitor_watch *watch, const struct finding *finding, enum verdict_event event);

/* `ret` is about 200 KiB: allocate it once. */
void monitor_snapshot(const struct monitor *monitor, uint64_t now_wall_us, struct health *ret);

/* After a change: takes a snapshot into `ret`, works out what the node object shall say, and keeps it in monitor->report.
 * True if it may go out and differs from what went out before (the sequence has risen). */
bool monitor_publish(struct monitor *monitor, uint64_t now_wall_us, struct health *ret);
