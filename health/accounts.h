/* accounts.h - what pods have written, over time: who fills a filesystem, and who holds the most of it. Pure.
 *
 * Each round of measurements (volumes/account.h) is summed up by pod and filesystem; of each sum the last rounds of some minutes are kept.
 * A round that was cut says "at least", and counts as such. Time is passed in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "volumes/account.h"
#include "volumes/space.h"

#define ACCOUNTS_MAX	   512 /* sums; what is beyond is left out */
#define ACCOUNTS_SAMPLES   8
#define ACCOUNTS_WINDOW_US 900000000ULL /* growth is told over so long at most */
#define ACCOUNTS_RARE_US   600000000ULL /* between rounds while every filesystem is well */
#define ACCOUNTS_OFTEN_US  30000000ULL	/* while one is short of room, or filling up */
#define ACCOUNTS_FIRST_US   5000000ULL	/* after the last round, when one has just become so */
#define ACCOUNTS_RARE_ENTRIES  100000U
#define ACCOUNTS_OFTEN_ENTRIES 400000U

struct accounts_sample {
	uint64_t at_us;
	uint64_t used[SPACE_RESOURCE_MAX_];
};

struct accounts_sum {
	char pod_uid[EXECUTOR_UID_BYTES];
	char pod[EXECUTOR_NAMESPACE_BYTES + NAME_NODE_BYTES]; /* "NAMESPACE/POD"; else the UID */
	uint32_t device_major, device_minor;
	bool named;    /* in this round */
	bool at_least; /* the last sample is */
	uint32_t count;
	struct accounts_sample samples[ACCOUNTS_SAMPLES]; /* the oldest first */
};

struct accounts {
	uint32_t count;
	struct accounts_sum *sums[ACCOUNTS_MAX]; /* owned */
	uint64_t kind_bytes[ACCOUNT_KIND_MAX_];	 /* of the last round */
	uint64_t round_us;			 /* when it ended; 0 = there was none */
	bool round_was_short;			 /* a filesystem was short of room then */
	uint64_t beyond_total;
};

/* A round: begin, each place, end (who was not named is forgotten). `short_of_room`: a filesystem is. */
void accounts_begin(struct accounts *accounts, bool short_of_room, uint64_t now_us);
void accounts_take(struct accounts *accounts, const struct account_place *place, uint64_t now_us);
void accounts_end(struct accounts *accounts);
void accounts_free(struct accounts *accounts);

/* What one holds, and how much it has grown over which time (0 = it was measured once). */
uint64_t accounts_held(const struct accounts_sum *sum, enum space_resource resource);
uint64_t accounts_grown(const struct accounts_sum *sum, enum space_resource resource);
uint64_t accounts_over_us(const struct accounts_sum *sum);
void accounts_say_time(uint64_t seconds, char *text, size_t size); /* appends " in 10 min" */

bool account_place_is_well_formed(const struct account_place *place);

/* Is a round due? */
bool accounts_is_due(const struct accounts *accounts, bool short_of_room, uint64_t now_us);

/* Whom to name for a shortage of that filesystem: "pod spark/etl-exec-3 wrote 41.0 GiB in 10 min, 62 % of what is used; …". False: nobody is
 * worth naming. `used` is all that is used there. *ret_pods changes when others are to be named. */
bool accounts_blame(const struct accounts *accounts, uint32_t device_major, uint32_t device_minor, enum space_resource resource, uint64_t used, char *text,
		    size_t size, uint64_t *ret_pods);
