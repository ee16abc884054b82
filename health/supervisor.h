/* supervisor.h - stokerd's inside: the monitor on the loop, with its inputs (broker, kernel log, mount table) and its
 * outputs (reporter, stoker-web, state file). Owns everything it opens. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/config.h"
#include "base/link.h"
#include "base/log.h"
#include "base/role_child.h"
#include "health/death_ring.h"
#include "health/executors.h"
#include "health/fs_error_watch.h"
#include "health/kernel_log.h"
#include "health/monitor.h"
#include "health/nfs_servers.h"
#include "health/supervisor_checkpoints.h"
#include "health/supervisor_csi.h"
#include "health/supervisor_nri.h"
#include "health/volumes.h"
#include "health/sweeps.h"
#include "health/wire.h"

#define SUPERVISOR_EVENTS_KEPT 16

/* The executables of the roles that stokerd starts; "" = there is none. */
struct supervisor_paths {
	char web[512], nri[512], csi[512];
};

#define MISSED_STRANGERS 256

struct supervisor {
	uv_loop_t *loop;
	const struct log *log;
	struct monitor monitor;
	struct health health; /* scratch for snapshots */
	bool restored;
	uv_timer_t tick, follow_up, gap, mounts_settle;
	uv_timer_t again; /* after a change the broker has the old configuration a little longer, and refuses */
	unsigned again_count;
	bool gap_again, mounts_again, mounts_changed;
	const char *gap_why;
	struct discovery {
		struct place_look looks[DISCOVER_KNOWN_MAX];
		bool outstanding[DISCOVER_KNOWN_MAX];
		bool look_wanted;   /* at the next tick */
		bool complete;	    /* every known path was looked at since the configuration came */
		uint64_t digest;    /* of the mount table at the last looks */
		uint64_t ticks;
		struct target_list list;
	} discovery;
	struct link broker;
	uint64_t asked; /* ids of requests to the broker */
	struct kernel_log kernel_log;
	struct fs_error_watch fs_errors;
	uv_timer_t hints; /* shortly after findings: marks, counters */
	struct seen_hints {
		uint32_t major, minor; /* what was seen is of this device */
		uint64_t mount_id;
		const char *option;    /* in the mount's options, already said */
	} seen[CONFIG_WATCH_MAX];
	struct nfs_servers nfs;
	bool fs_errors_off;	  /* this kernel has it not: not asked for again */
	uint64_t fs_errors_asked; /* monotonic */
	int mounts_fd;
	uv_poll_t mounts_poll;
	struct executors executors;
	unsigned cgroups_polled; /* as last said */
	struct death_ring deaths;
	uv_timer_t executors_due;
	uv_idle_t executors_more; /* due now: a slice each turn of the loop */
	uv_timer_t roster_due; /* a look without a runtime */
	struct missed {
		uv_timer_t due;
		unsigned looks;	  /* still to come since the last synchronisation */
		unsigned more;	  /* looks because there were more than are asked for at a time */
		unsigned redials; /* in a row */
		bool redialled;	  /* and not synchronised yet */
		uint64_t strangers[MISSED_STRANGERS]; /* hashes of ids that the runtime does not have */
		unsigned next_stranger;
	} missed;
	struct sweeps sweeps;
	uv_timer_t sweep_due;
	uint64_t sweep_asked; /* the id of the question under way */
	struct accounts accounts;
	uint64_t account_asked; /* the same; 0 = none */
	bool account_trouble;	/* said */
	bool roster_complete;  /* it was done once: who comes now is new */
	/* reporter: it connects to us, one at a time */
	int reporter_listen_fd;
	uv_poll_t reporter_listen_poll;
	struct link reporter;
	bool reporter_used;
	struct event_watcher event_watcher;
	struct event events_kept[SUPERVISOR_EVENTS_KEPT]; /* while the reporter is away */
	unsigned events_waiting;
	struct twin {
		int directory_fd; /* the runtime directory's lock; -1 = not ours (yet) */
		int node_fd;	  /* the host's mount namespace; -1 = not handed out (yet) */
		bool node_locked;
		unsigned refused; /* so many times */
	} twin;
	/* the roles that stokerd starts */
	struct supervisor_paths paths;
	int http_fds[2]; /* unix, tcp (-1 = off): kept, so that a new stoker-web gets the same */
	struct role_child web;
	struct web_answers {
		char *text; /* NULL = none under way */
		uint64_t id;
		size_t length, sent;
	} web_answers[5]; /* health, executors, deaths, sweep, volumes */
	uv_timer_t web_more;
	struct supervisor_nri nri;
	struct supervisor_checkpoints checkpoints;
	struct supervisor_csi csi;
	struct volumes volumes;
	uint64_t suspicion_looked_us;
};

/* Large (about 1 MiB): allocated once by the caller, zeroed. */
int supervisor_start(struct supervisor *supervisor, uv_loop_t *loop, const struct log *log, const struct config *config,
		     const struct supervisor_paths *paths, struct err *e);
void supervisor_configure(struct supervisor *supervisor, const struct config *config);

/* A kernel's hint that names no filesystem: everything is probed, at most once a second. */
void supervisor_probe_all(struct supervisor *supervisor, const char *why);
void supervisor_follow_up(struct supervisor *supervisor); /* a second look, shortly */

/* --- supervisor_kernel_log.c --- */

void supervisor_use_kernel_log(struct supervisor *supervisor, int fd);

/* --- supervisor_discovery.c --- */

void supervisor_discovery_reset(struct supervisor *supervisor); /* another configuration, another broker */
void supervisor_discovery_again(struct supervisor *supervisor); /* looks that were refused */
void supervisor_discovery_tick(struct supervisor *supervisor);
void supervisor_looked(struct supervisor *supervisor, const struct finding *finding);
void supervisor_look_refused(struct supervisor *supervisor, uint32_t place, const char *why);
void supervisor_discover(struct supervisor *supervisor, const struct mount_table *table);
void supervisor_discovery_impossible(struct supervisor *supervisor, const char *why);

/* How the broker is told which filesystem is meant. */
struct wire_probe supervisor_name_probe(const struct supervisor *supervisor, uint32_t index);

/* The broker has another configuration: asks again soon, three times; after that every tick does. */
void supervisor_ask_again(struct supervisor *supervisor);

/* Soon; at once if it was not done within the last second, or if a verdict waits for it. */
void supervisor_read_mounts(struct supervisor *supervisor);
void supervisor_read_mounts_now(struct supervisor *supervisor); /* if it has changed: for who cannot wait. Not from within the monitor */

/* --- supervisor_hints.c: what else the kernel says beside its log --- */

void supervisor_hints_reset(struct supervisor *supervisor);		 /* another configuration, another broker */
void supervisor_hints_wanted(struct supervisor *supervisor);		 /* after findings: look soon */
void supervisor_hints_mounts(struct supervisor *supervisor, const struct mount_table *table);
void supervisor_nfs(struct supervisor *supervisor, const struct kmsg_nfs *line);

/* --- supervisor_fs_errors.c: the input "fs-error" --- */

void supervisor_fs_reset(struct supervisor *supervisor);
void supervisor_fs_look(struct supervisor *supervisor);			   /* what is marked? */
void supervisor_use_fs_errors(struct supervisor *supervisor, int fd);	   /* the group is there */
void supervisor_fs_marked(struct supervisor *supervisor, const struct fs_error_mark *mark);
void supervisor_fs_refused(struct supervisor *supervisor, const struct wire_refused *refused, const char *text);

/* --- supervisor_outputs.c --- */

int supervisor_open_outputs(struct supervisor *supervisor, struct err *e); /* sockets, stoker-web */
void supervisor_publish(struct supervisor *supervisor);			    /* after a change: reporter, state file */
void supervisor_restore(struct supervisor *supervisor);			    /* reads the state file, if it is of this boot */

/* --- supervisor_twin.c: the input "twin" --- */

void supervisor_look_for_twin(struct supervisor *supervisor); /* with each tick */
void supervisor_use_node(struct supervisor *supervisor, int fd); /* what the broker has handed out to be locked */

/* --- supervisor_web.c --- */

void supervisor_start_web(struct supervisor *supervisor);

/* --- supervisor_missed.c: whom the runtime did not name --- */

void supervisor_missed_start(struct supervisor *supervisor);
void supervisor_missed_synchronized(struct supervisor *supervisor);
void supervisor_missed_scanned(struct supervisor *supervisor, int fd, uint32_t count); /* the file of struct executor */
/* True if it is about a container that nobody here knows: then it was asked for here. */
bool supervisor_missed_status(struct supervisor *supervisor, const struct wire_status *status);

/* --- supervisor_roster.c: who lives here where no runtime tells --- */

void supervisor_roster_start(struct supervisor *supervisor);
bool supervisor_roster_answer(struct supervisor *supervisor, const struct record *record); /* of the broker; true if it was one */
void supervisor_roster_refused(struct supervisor *supervisor, const char *why);

/* --- supervisor_sweep.c: what Spark left on hostPaths --- */

void supervisor_sweep_start(struct supervisor *supervisor);
void supervisor_sweep_configure(struct supervisor *supervisor);
bool supervisor_sweep_answer(struct supervisor *supervisor, const struct record *record); /* of the broker; true if it was one */
void supervisor_sweep_refused(struct supervisor *supervisor, const char *why);
int supervisor_tell_sweep(struct supervisor *supervisor, char **ret_text, struct err *e); /* JSON for stoker-web; malloc'ed */

/* --- supervisor_accounts.c: what pods have written --- */

void supervisor_accounts_tick(struct supervisor *supervisor);
bool supervisor_accounts_answer(struct supervisor *supervisor, const struct record *record); /* of the broker; true if it was one */
void supervisor_accounts_refused(struct supervisor *supervisor, const struct wire_refused *refused, const char *why);

/* --- supervisor_executors.c: the containers of Spark pods --- */

/* A record of stoker-nri about containers (WIRE_EXECUTOR to WIRE_SYNCHRONIZED): true if it was one and well formed. */
bool supervisor_executors_record(struct supervisor *supervisor, const struct record *record);
bool supervisor_executors_found(struct supervisor *supervisor, const struct executor *executor); /* by a look; true if it is well formed */
void supervisor_executors_nri(struct supervisor *supervisor, const struct wire_nri_state *state); /* the connection: live? does the runtime tell exit codes? */
void supervisor_executors_start(struct supervisor *supervisor);
bool supervisor_executors_answer(struct supervisor *supervisor, const struct record *record); /* of the broker; true if it was one */
void supervisor_executors_refused(struct supervisor *supervisor, uint64_t id, uint32_t request, const char *why);
int supervisor_tell_executors(struct supervisor *supervisor, char **ret_text, struct err *e); /* JSON for stoker-web; malloc'ed */
void supervisor_executors_oom(struct supervisor *supervisor, const struct oom_kill *kill);

/* --- supervisor_events.c --- */

void supervisor_watch_events(struct supervisor *supervisor); /* after a snapshot */
void supervisor_send_events(struct supervisor *supervisor);  /* what waits, when the reporter is there */
void supervisor_tell_event(struct supervisor *supervisor, const struct event *event); /* one more that waits */
void supervisor_not_in_force(struct supervisor *supervisor, const struct executor *executor, const char *what); /* of what was set at its creation */
void supervisor_complaint(void *supervisor, const struct wire_complaint *complaint);  /* about an annotation: an Event on its pod */

/* --- supervisor_deaths.c --- */

void supervisor_deaths_start(struct supervisor *supervisor);
void supervisor_death(struct executors *executors, const struct death *death); /* one more */
int supervisor_tell_deaths(struct supervisor *supervisor, char **ret_text, struct err *e); /* JSON for stoker-web; malloc'ed */

/* --- supervisor_pods.c: where report.pods is on --- */

uint64_t supervisor_ask_pod(struct supervisor *supervisor, const struct executor *executor); /* the question's number; 0: not now, or never */
bool supervisor_pod_told(struct supervisor *supervisor, const struct record *record);	     /* of the reporter; true if it was one and well formed */
void supervisor_say_to_driver(struct supervisor *supervisor, const struct death *death);     /* an Event on a driver that is not here */

/* --- supervisor_csi.c: the kubelet's sockets, stoker-csi --- */

void supervisor_csi_start(struct supervisor *supervisor);
void supervisor_csi_configure(struct supervisor *supervisor);
void supervisor_csi_tick(struct supervisor *supervisor); /* are the sockets there? */
void supervisor_csi_result(struct supervisor *supervisor, uint64_t csi_id, const struct volume_result *result);
void supervisor_csi_stats(struct supervisor *supervisor, uint64_t csi_id, const struct wire_volume_stats *stats);
void supervisor_csi_figures(struct supervisor *supervisor, const struct wire_volume_stats *stats); /* unasked */

/* --- supervisor_volumes.c: what is asked about volumes --- */

bool supervisor_volumes_record(struct supervisor *supervisor, const struct record *record); /* of stoker-csi */
bool supervisor_volumes_answer(struct supervisor *supervisor, const struct record *record); /* of the broker */
bool supervisor_volumes_refused(struct supervisor *supervisor, uint64_t id, const struct wire_refused *refused, const char *why);
void supervisor_volumes_broker_down(struct supervisor *supervisor);
void supervisor_volumes_csi_down(struct supervisor *supervisor);
void supervisor_volumes_mounts(struct supervisor *supervisor, const struct mount_table *table);
void supervisor_volumes_tell_nri(struct supervisor *supervisor); /* all of them: it has just begun, or what is injected has changed */
bool supervisor_volumes_wish(struct supervisor *supervisor, uint32_t what, const struct volume *volume); /* of the broker; nobody waits for it. False: not now */
void supervisor_volumes_count(struct supervisor *supervisor); /* into the monitor: for the health document */

/* --- supervisor_scratch.c: executors' volumes in memory, bounded and emptied --- */

void supervisor_scratch_executor(struct supervisor *supervisor, const struct executor *executor);
void supervisor_scratch_bound(struct supervisor *supervisor, const char *pod_uid); /* as its executor's limit leaves room */
void supervisor_scratch_tick(struct supervisor *supervisor); /* bounds that reached nobody are asked for again */
void supervisor_scratch_ended(struct supervisor *supervisor, const struct executor *executor); /* a container; its pod may live on */
void supervisor_scratch_bounded(struct supervisor *supervisor, struct volumes_entry *entry, const struct volume_result *result);
void supervisor_scratch_emptied(struct supervisor *supervisor, struct volumes_entry *entry, const struct volume_result *result); /* entry NULL: it is gone */

/* --- supervisor_volumes_figures.c: how much is in them --- */

void supervisor_volumes_measure(struct supervisor *supervisor, const struct volumes_entry *entry); /* if its figures are old */
void supervisor_volumes_measure_pod(struct supervisor *supervisor, const char *pod_uid);
void supervisor_volumes_tell_stats(struct supervisor *supervisor, uint64_t csi_id, const struct volume_at *at, const struct volumes_entry *entry); /* NULL: none of ours */
void supervisor_volumes_tell_figures(struct supervisor *supervisor, const struct volume_at *at, const struct volumes_entry *entry); /* NULL: it is gone */
void supervisor_volumes_asked(struct supervisor *supervisor, const struct volume_at *at); /* stoker-csi has given what it was told last */

/* --- supervisor_suspicion.c --- */

void supervisor_suspicion_look(struct supervisor *supervisor, uint64_t now_us); /* after executors were sampled */

/* --- supervisor_volumes_view.c --- */

void supervisor_volumes_of_death(struct supervisor *supervisor, struct death *death); /* fills in which of its pod's volumes is the fullest */
int supervisor_tell_volumes(struct supervisor *supervisor, char **ret_text, struct err *e);
