/* broker.h - the requests of the only role with rights: each one a child forked without exec, with a deadline.
 *
 * The broker's loop touches no path: the child enters the host's mount namespace, does the one thing, sends one record
 * and ends. The loop relays that record to whoever asked. A child that outlives its deadline is killed; one that does not
 * die (D state: a frozen or hung filesystem) is abandoned and counted, and while it lives no second probe of that path
 * starts: whoever asks gets the finding "timed out" at once. Which requests exist is the table of daemon/stoker-broker.c.
 * Once there was a request about a volume, the child of the next one stands ready. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/child.h"
#include "base/config.h"
#include "base/link.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "health/wire.h"
#include "volumes/discover.h"
#include "volumes/write_probe.h"

#define BROKER_CONTAINERS_MAX  16 /* requests about containers at once, of each kind */
#define BROKER_VOLUMES_MAX     32 /* requests about volumes at once, of each kind; who asks for more waits */
#define BROKER_SWEEPS_MAX      4 /* stokerd asks one after the other; a child ends a little after its answer, when its clone is closed */
#define BROKER_JOBS_MAX	       (CONFIG_WATCH_MAX + DISCOVER_KNOWN_MAX + 3 * BROKER_CONTAINERS_MAX + 2 * BROKER_VOLUMES_MAX + BROKER_SWEEPS_MAX + 2 /* spares */ + 8)
#define BROKER_PEERS_MAX       4
#define BROKER_RELAY_DEADLINE_US (5 * 1000000ULL)

struct broker;
struct broker_job;

/* One row of the table of requests. */
struct broker_request {
	uint16_t type;	       /* enum wire_type */
	const char *name;
	size_t payload_bytes;  /* exactly */
	unsigned outstanding;  /* at most so many at once */
	/* 0, or -errno with the rule broken; fills the job's task. */
	int (*check)(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
	int (*body)(void *job_task, int channel); /* in the child */
	const char *safe;      /* one sentence: why answering it harms nobody */
};

/* What a child is given; in memory that it inherits. */
struct broker_task {
	struct write_probe probe;
	const char *path; /* of a descriptor to hand out */
	int flags;
	uint32_t what;	  /* enum wire_type of the request */
	union {
		struct wire_container_ask container; /* WIRE_PROCESSES, WIRE_LOG_TAIL, WIRE_STATUS: names that were checked */
		struct volume volume;		     /* WIRE_VOLUME_…: the same */
	};
	const struct config *config; /* WIRE_VOLUME_…, WIRE_STATUS */
	uint32_t uid;	  /* whom the child becomes before it reads */
	bool without_rights;
	const char *regex; /* redact.regex */
	struct wire_sweep sweep; /* WIRE_SWEEP, whose root is `path` */
	uint32_t account_entries;
	int group_fd;	  /* WIRE_FS_MARK: came with the request; -1 = none */
	int mount_namespace_fd;
	uint64_t patience_us; /* with a server: it says what it waited for before the deadline ends it */
	const struct sandbox_filter *filter, *resolve_filter;
};

struct broker_waiter {
	uint32_t watch; /* its own number for what it asked for */
	struct link *peer; /* NULL when it went away */
	uint64_t id;
};

struct broker_waiters {
	unsigned count;
	struct broker_waiter who[BROKER_PEERS_MAX];
};

struct broker_job {
	struct broker *broker;
	const struct broker_request *request; /* NULL = free */
	struct broker_task task;
	uint64_t deadline_us;
	struct broker_waiters waiters, next; /* next: ask for the same path while this child is still closing its mount */
	bool answered;
	struct child child;
	int channel;
	uv_poll_t channel_poll;
	bool channel_open; /* the poll handle is not closed yet */
	bool ended;	   /* the child is gone */
	uint64_t started_wall_us;
};

struct broker_peer {
	struct link link;
	bool used;
};

struct broker {
	uv_loop_t *loop;
	const struct log *log;
	const struct config *config; /* in force now */
	const struct broker_request *requests;
	size_t request_count;
	int listen_fd;
	uv_poll_t listen_poll;
	bool without_rights; /* overlay observe-only: it only forks what may hang */
	int mount_namespace_fd;
	bool without_volumes; /* overlay no-volumes: mounts nothing, and its filter has no call for it */
	struct sandbox_filter probe_filter, relay_filter, parse_filter, mount_filter, resolve_filter, sweep_filter, account_filter;
	struct broker_job jobs[BROKER_JOBS_MAX];
	struct broker_peer peers[BROKER_PEERS_MAX];
	volatile uint32_t *progress; /* one per job, shared with the children */
	uint64_t refused_total, abandoned_total, served_total;
	struct broker_job *spare; /* its child waits for a task; NULL = none */
	uint64_t spare_hash;	  /* of the configuration that it knows */
};

/* --- a job (broker_job.c) --- */

/* Its answer is a finding, and a hang is one too. */
bool broker_is_probe(const struct broker_request *request);
/* A free place, zeroed, for this request; NULL: too many. The caller sets job->request. */
struct broker_job *broker_job_allocate(struct broker *broker, const struct broker_request *request, struct err *e);
bool broker_job_start(struct broker_job *job, struct err *e);
bool broker_add_waiter(struct broker_waiters *waiters, struct link *peer, uint64_t id, uint32_t watch);
void broker_answer_hung(struct broker_job *job, struct broker_waiters *waiters);

/* --- a child that stands ready (broker_spare.c) --- */

/* Unless there is one. */
void broker_spare_make(struct broker *broker);
/* The spare child does from now on what `wanted` was to do, whose place is free again; false: none can. */
bool broker_spare_take(struct broker *broker, struct broker_job *wanted);

/* Who finds a checkpoint's server. Started by a child that is still in our own mount namespace, asked by it wherever it is later: sets
 * the server's address, from which a call was answered; -ETIMEDOUT if none was within the task's patience. */
struct broker_finder {
	pid_t pid;
	int fd; /* owned; -1 = none */
};
int broker_finder_start(const struct broker_task *task, const struct config_checkpoint *checkpoint, struct broker_finder *ret, struct err *e);
int broker_finder_ask(struct broker_finder *finder, struct config_checkpoint *checkpoint, struct err *e);
void broker_finder_end(struct broker_finder *finder);

/* Opens the socket in the runtime directory and serves. The broker is large: allocated once, zeroed, by the caller. */
int broker_start(struct broker *broker, const char *runtime_dir, struct err *e);

/* The checks and bodies that the table's rows use. */
int broker_check_probe(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_mounts(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_kmsg(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_node(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_fs_errors(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_fs_mark(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_look(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_body_probe(void *task, int channel);
int broker_body_look(void *task, int channel);
int broker_body_fs_errors(void *task, int channel);
int broker_body_fs_mark(void *task, int channel);
int broker_body_descriptor(void *task, int channel);
int broker_check_volume(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_body_volume(void *task, int channel);
/* Of that body: what every such task has, what the child gives up, and what it does then. */
void broker_volume_task(const struct broker *broker, struct broker_job *job);
int broker_volume_prepare(const struct broker_task *task, struct err *e);
int broker_volume_work(const struct broker_task *task, int channel);

/* What the bodies of several files do (broker_child.c). */

/* May it be part of a name that a path is built from: of a namespace, a pod, a container, an id? */
bool broker_is_name(const char *name, size_t size);
/* The task of a child that reads as an ordinary user behind `filter`; `path` is what the log calls it. */
void broker_task_ordinary(const struct broker *broker, struct broker_job *job, uint32_t what, const char *path, const struct sandbox_filter *filter);
/* In a child: into the host's mount namespace, if it is another one. */
int broker_enter_host(const struct broker_task *task, struct err *e);
/* The same for long work, after which everybody else goes first; gives /proc there, opened. */
int broker_enter_idle(const struct broker_task *task, struct err *e);
/* In a child: without rights from here on, and in this filter. Foreign bytes are read only after it. */
int broker_become_ordinary(const struct broker_task *task, const struct sandbox_filter *filter, struct err *e);

int broker_check_processes(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_check_log_tail(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_body_processes(void *task, int channel);
int broker_body_log_tail(void *task, int channel);
int broker_check_sweep(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_body_sweep(void *task, int channel);
int broker_check_account(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int broker_body_account(void *task, int channel);
