/* kube_lease.h - the brake's Lease objects, read from the API's JSON and written. Pure. What stands in them is not believed:
 * it is bounded here, and a lie costs one slot at most (brake.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_units.h"
#include "base/err.h"
#include "base/names.h"

#define KUBE_LEASES_MAX		 CONFIG_SHARE_MAX
#define KUBE_LEASE_DURATION_S	 300
#define KUBE_LEASE_MIN_S	 15 /* what others ask for is waited for in this range */
#define KUBE_LEASE_MAX_S	 600
#define KUBE_LEASE_VERSION_BYTES 64

struct kube_lease {
	uint32_t number;	/* of stoker-brake-NUMBER */
	bool exists;		/* the object is there */
	char holder[NAME_NODE_BYTES]; /* "" = free; a name that no node can have is kept, cut */
	char version[KUBE_LEASE_VERSION_BYTES]; /* resourceVersion: changes with every write */
	uint64_t renew_wall_us; /* 0 = none, or not understood */
	uint32_t duration_s;	/* as it stands there; 0 = no term: such a slot never lapses, so a person can keep it from being used */
	uint32_t transitions;
};

struct kube_lease_list {
	uint32_t count;
	struct kube_lease lease[KUBE_LEASES_MAX]; /* sorted by number; each number once */
};

/* A list of Leases: those that are the brake's. Others are passed over. */
int kube_lease_list_read(const char *text, size_t length, struct kube_lease_list *ret, struct err *e);
int kube_lease_read(const char *text, size_t length, struct kube_lease *ret, struct err *e);

/* The object as it shall be: held by `holder` ("" = free) from now on. Its renewTime is never before the end of what stood
 * there, as the admission policy asks of a new holder. NULL if that would be beyond the year 9999, or there is no memory. */
char *kube_lease_body(const struct kube_lease *old, const char *holder, uint64_t now_wall_us);
