/* brake.h - may this node be tainted? Never more nodes than allowed carry the taint, never the last schedulable one. Pure.
 *
 * The slots are Leases, stoker-brake-0 and on. A node holds one before its taint (NoSchedule) is patched, and gives it back only
 * after the taint is seen to be gone. Taking a taint off needs nothing. A soft taint (PreferNoSchedule) keeps no pod out and
 * needs no slot.
 *
 * The order is: look, take the slot, LOOK AGAIN, taint. The second look is what makes it safe, not the number of Leases. Every
 * write of a Lease and every look at the API server has one place in one order (reads without resourceVersion are consistent).
 * Take any set of nodes that are tainted at one moment, and of them the one that took its slot last. Its second look came
 * after that, so it saw all the others as holders. It went on only if they were fewer than allowed, and if some node besides
 * the holders was schedulable. So never more than allowed are tainted, and two last schedulable nodes that fail at the same
 * moment each see the other's slot: at most one is tainted; if both refrain, both give back and try again after a random pause.
 *
 * The second look costs the API server next to nothing. What it must show of the Leases is what was written before our own write: it asks for a list
 * not older than that write (resourceVersion is one order for all Leases), which the server's cache has as soon as it has our write itself. A list of
 * what is newest may wait there for etcd's word, up to 0.1 s when it has asked just before (Kubernetes 1.31 and later). And a node that was
 * schedulable within the second before our write, and holds no slot after it, is schedulable for our purpose still: who has a slot only after us has us before it in
 * its own second look. So nodes are listed again only if there is no such node, or if it took longer, or if a Lease was made.
 *
 * Counted are distinct holders, not Leases: a liar with a stolen token, whom the policy lets write only his own name, gains one
 * slot, however many Leases he makes. A tainted node without a Lease (deleted by hand) counts too: all nodes are looked at
 * before and after a Lease is made that was not there.
 *
 * A dead node's slot expires, but its taint does not, and it counts as long as it stands: a slot is taken over only when its
 * Lease was not seen to change for its duration by our own clock (the times in it, of other clocks, are not believed), and its
 * holder's node object is gone or no longer tainted. What a holder still has under way by then is over: it patches within
 * BRAKE_PERMIT_US of its second look, a request lasts 10 s, unacknowledged bytes 20 s, the API server's own limit is 60 s,
 * and a Lease lasts 300 s.
 *
 * After a restart with the taint on: the slot is renewed; it cannot have gone, because the taint stood. If it has gone all the same
 * (the Lease was deleted by hand) and no other is free, the taint comes off: the promise to the cluster is the number. While
 * the Leases cannot be read, it stays: nothing says that it is too many. If fewer are allowed than hold slots (the
 * configuration, the number of nodes), the holders keep theirs until they are well, and nobody new gets one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/kube_lease.h"
#include "health/kube_node_list.h"

#define BRAKE_PERMIT_US	 (15 * 1000000ULL)
#define BRAKE_RENEW_US	 (100 * 1000000ULL) /* jittered by a tenth */
#define BRAKE_SETTLE_US	 (15 * 1000000ULL)  /* a slot found at start is not given back sooner: an earlier life's patch may be on its way */
#define BRAKE_LOOKS_MAX	 8		    /* holders looked at in one attempt */
#define BRAKE_PAGES_MAX	 500
#define BRAKE_NODES_US	 (1 * 1000000ULL) /* nodes seen so long ago are those of now, if one of them is no holder (see above) */
#define BRAKE_FREE_MAX	 8
#define BRAKE_WHY_BYTES	 256

enum brake_need {
	BRAKE_NOTHING,	   /* until step.due_us */
	BRAKE_READY,	   /* the taint may be patched now */
	BRAKE_LIST_LEASES,
	BRAKE_LIST_NODES,  /* the page brake->next */
	BRAKE_LOOK_AT,	   /* the node that holds step.slot */
	BRAKE_TAKE,	   /* write step.slot with our name */
	BRAKE_GIVE_BACK,   /* write step.slot with no name */
	BRAKE_TAKE_OFF,	   /* the taint stands without a slot, and there is none for it */
};

struct brake_step {
	enum brake_need need;
	struct kube_lease slot;
	uint64_t due_us; /* when to ask again, if nothing happens; 0 = when something happens */
};

enum brake_look { BRAKE_NOT_LOOKED, BRAKE_IS_FREE, BRAKE_IS_TAINTED };

struct brake_watch { /* of one Lease, by its number */
	char version[KUBE_LEASE_VERSION_BYTES];
	uint64_t since_us; /* seen unchanged since */
	enum brake_look look;
};

struct brake {
	char node[NAME_NODE_BYTES];
	char share[8]; /* report.maxTainted */
	bool single_node;
	uint64_t start_us;
	struct kube_lease_list leases;
	struct brake_watch watch[KUBE_LEASES_MAX];
	uint64_t listed_us;  /* when the list was asked for; 0 = it is in doubt */
	uint64_t nodes_us;   /* when the first page was asked for; 0 = none */
	bool all_pages, count_known, other;
	uint32_t pages, orphans;
	uint64_t nodes, seen;
	char next[KUBE_CONTINUE_BYTES];
	char free[BRAKE_FREE_MAX][NAME_NODE_BYTES]; /* of the nodes listed, the first that could take pods and hold no slot */
	uint32_t free_count;
	char as_new_as[KUBE_LEASE_VERSION_BYTES]; /* the list of Leases that is wanted is to be as new as this, our own write; "" = the newest */
	bool taken, made;    /* in this attempt: the slot, and its Lease did not exist before */
	uint64_t attempt_us; /* what was asked for earlier does not count; 0 = none under way */
	uint64_t permit_us;  /* since when the taint may be patched; 0 = it may not */
	uint64_t held_us;    /* when the write was sent that last confirmed our slot; 0 = not in this life */
	uint64_t renew_us;
	uint64_t not_before_us;
	unsigned refusals;
	unsigned looks;
	char why[BRAKE_WHY_BYTES]; /* why not, for people; "" = nothing is in the way */
};

struct brake_input {
	bool wanted;   /* our taint, NoSchedule */
	bool is_on;    /* it is on the node object, as far as is known */
	bool in_doubt; /* a patch of it is under way, or ended without an answer */
	uint64_t now_us; /* CLOCK_BOOTTIME: a machine that slept must not think that it still may */
	uint32_t random;
};

void brake_start(struct brake *brake, const char *node, uint64_t now_us);
uint32_t brake_allowed(const char *share, uint64_t nodes); /* of so many nodes: 1 to KUBE_LEASES_MAX */

/* What is to be done now. Steps are done one at a time, and answered by one of the calls below. */
struct brake_step brake_next(struct brake *brake, const struct brake_input *in);

void brake_listed(struct brake *brake, const struct kube_lease_list *leases, uint64_t asked_us, uint64_t now_us);
void brake_saw_nodes(struct brake *brake, const struct kube_node_page *page, uint64_t asked_us);
void brake_looked(struct brake *brake, uint32_t number, enum brake_look look);
void brake_wrote(struct brake *brake, const struct kube_lease *lease, bool was_made, uint64_t asked_us, uint32_t random);
void brake_in_doubt(struct brake *brake); /* a request failed: what is known of the Leases and nodes is asked for anew */
bool brake_holds(const struct brake *brake);
