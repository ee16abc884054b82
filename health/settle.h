/* settle.h - is everything there that will be known about an end, or about a kill that was survived? Pure.
 *
 * The evidence does not come at once and does not last: the kernel's log and the counters tell within a millisecond, the cgroup
 * is gone 0.4 s after the kill, the runtime tells the exit code then (or never), the pod's log is gone after some seconds
 * (measured with containerd 2.3). Explained too early the cause is wrong, too late the record is: each wait has a bound. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SETTLE_KERNEL_US   5000ULL    /* after an end: the kernel's log has been read by then, if the loop reads it */
#define SETTLE_LOG_LAG_US  20000ULL   /* the counters tell of a kill that the log has not told yet */
#define SETTLE_WORKER_US   50000ULL   /* a kill without an end within that was survived */
/* … unless the victim was what the container lives by: freeing 100 GB takes long, and an init that reaps the JVM on a busy node (1.2 s measured at a load
 * of 20). Too early, and the end itself would be a SIGKILL without a kill for memory. A notebook that outlives its JVM is told so late. */
#define SETTLE_MAIN_US	   10000000ULL
#define SETTLE_REAPED_US   1000000ULL /* … or nobody knows what it lives by, its first process has taken note of the victim's end (reaped it), and goes on */
#define SETTLE_CODE_US	   1000000ULL /* the exit code, after the cgroup is gone */
#define SETTLE_STATUS_US   1000000ULL /* the runtime's own status of it, where it tells no codes by itself */
#define SETTLE_ASK_US	   100000ULL  /* it may think for a moment yet that the container runs: asked again after that */
#define SETTLE_TAIL_US	   2000000ULL /* the end of the log, after it was asked for */
#define SETTLE_OFTEN_US	   2000000ULL /* whoever had not all to say is asked again often for so long after the end; then less often */
#define SETTLE_API_US	   2000000ULL /* what the API server says of the pod, after the end: kubelet tells it of one within a second or so (0.6 s measured) */
#define SETTLE_API_BEHIND_US 8000000ULL /* it answers, and was not told of the end yet: kubelet evicts on nodes that are short of something, and is late there */
#define SETTLE_API_AGAIN_US 100000ULL /* so often: a driver deletes the pod of an executor that was evicted within a second, and what was said of it is gone (seen); later not as often */
#define SETTLE_API_LATER_US 1000000ULL
#define SETTLE_POLL_US	   10000ULL   /* what has no event (nobody left in the cgroup) is looked at so often */
#define SETTLE_SOON_US	   1000000ULL /* after the kill for so long; then less often */
#define SETTLE_POLL_LATE_US 100000ULL

/* Who may be asked about an end. */
enum settle_whom {
	SETTLE_LOG,	/* the end of the container's log: it is gone first */
	SETTLE_RUNTIME, /* its status of the container */
	SETTLE_API,	/* the API server, of its pod */
	SETTLE_WHOM_MAX_
};

struct settle_question {
	uint64_t asked_us; /* last; 0 = not yet */
	uint64_t id;	   /* of the asker, which the answer brings */
	bool awaited;	   /* it was asked, and is not answered */
	bool is_behind;	   /* the last answer did not know of the end */
	bool is_known;	   /* everything is said that will be, or nobody can be asked */
};

struct settle_evidence {
	uint64_t now_us;
	uint64_t killed_us; /* when a kill that is not explained yet was first seen; 0 = there is none */
	uint64_t counted;   /* such kills by the cgroups' counters */
	uint64_t logged;    /* and by the kernel's log */
	bool log_is_read;   /* the kernel's log is there */
	bool main_killed;   /* one victim was the container's first process or its JVM */
	bool victims_left;  /* a victim is still on its way out */
	uint64_t reaped_us; /* all victims are reaped since, and the first process of a container that may live by anything is none of them; 0 = not, or not known */
	uint64_t ended_us;  /* the runtime said so, nobody is left in it, or it is removed; 0 = it lives */
	uint64_t gone_us;   /* the cgroup is removed; 0 = it is there, or never was */
	bool has_code;
	bool code_may_come; /* the runtime tells exits here, and this one's may still come */
	bool api_wanted;    /* this end may be somebody's who acts through the API server */
	struct settle_question questions[SETTLE_WHOM_MAX_];
};

enum settle_what {
	SETTLE_IDLE,   /* nothing has happened */
	SETTLE_WAIT,   /* until_us */
	SETTLE_WORKER, /* explain: something in it was killed, it goes on */
	SETTLE_END,    /* explain: it ended */
};

struct settle {
	enum settle_what what;
	uint64_t until_us;
	bool ask[SETTLE_WHOM_MAX_];
};

struct settle settle_decide(const struct settle_evidence *evidence);
