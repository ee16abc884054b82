/* executors_inside.h - what the files of executors.h share, and tests that look inside. */
#pragma once

#include "health/executors.h"

#define EXIT_OF_SIGKILL 137

/* --- executors_pod.c --- */

struct executors_pod *executors_pod_get(struct executors *executors, const struct executor *executor); /* NULL: no memory */
void executors_pod_put(struct executors *executors, struct executors_pod *pod);
void executors_pod_read(struct executors_pod *pod, struct moment now); /* and its containers */
/* What its counters say beyond the containers that are accounted for: of `entry`, of nobody known, of the pod itself. */
struct sample_events executors_pod_left(const struct executors *executors, const struct executors_entry *entry);

/* --- executors_sample.c --- */

/* Opens its cgroup and its pod's. `fresh`: it has just been made, its counters began at 0. */
void executors_open(struct executors_entry *entry, bool fresh, struct moment now);
void executors_close(struct executors_entry *entry);
bool executors_sample(struct executors_entry *entry, struct moment now);	/* if it is due; was it? */
uint64_t executors_sample_due(const struct executors_entry *entry, uint64_t now_us);
void executors_count(struct executors_entry *entry, struct moment now);		/* reads the counters alone */
void executors_take(struct executors_entry *entry, const struct sample *sample, struct moment now); /* pure: what a full sample changes */

/* --- executors_verify.c --- */

void executors_verify(struct executors_entry *entry); /* after its start */
void executors_verify_processes(struct executors_entry *entry, const struct wire_processes *processes);

/* --- executors_evidence.c --- */

/* Is anybody left, and a victim among them? After a kill only: each look is a read of cgroup.procs. */
bool executors_look_at_victims(struct executors_entry *entry, struct moment now);
struct settle_evidence executors_evidence(const struct executors_entry *entry, uint64_t now_us, bool victims_left);

/* --- executors_explain.c --- */

void executors_facts(const struct executors_entry *entry, bool lives, struct moment now, struct death_facts *ret); /* pure */
void executors_tell_failing(struct executors_entry *entry, const struct wire_log *log, struct moment now);
/* Decides, explains, forgets. True when the entry is gone. */
bool executors_settle(struct executors_entry *entry, struct moment now);

/* --- executors.c --- */

void executors_forget(struct executors *executors, struct executors_entry *entry, bool told);
struct sample_events sample_events_minus(const struct sample_events *a, const struct sample_events *b);
bool executors_was_before(const struct executors_entry *entry, struct moment now); /* it has run for long when we hear of it */
void executors_end(struct executors_entry *entry, struct moment now);
void executors_changed(struct executors *executors);
