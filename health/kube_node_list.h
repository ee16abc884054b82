/* kube_node_list.h - one page of the cluster's nodes, as far as the brake wants to know them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/names.h"

#define KUBE_PAGE_NODES	    20 /* a node object with its images is 20 KB and more: a page fits the memory budget */
#define KUBE_PAGE_MAX	    64
#define KUBE_CONTINUE_BYTES 2048

struct kube_node_fact {
	char name[NAME_NODE_BYTES];
	bool schedulable; /* Ready, not cordoned, and without any taint NoSchedule or NoExecute */
	bool tainted;	  /* with our key and NoSchedule or NoExecute */
};

struct kube_node_page {
	uint32_t count;
	struct kube_node_fact node[KUBE_PAGE_MAX];
	bool remaining_known;
	uint64_t remaining; /* that follow */
	char next[KUBE_CONTINUE_BYTES]; /* the continue token; "" = this was the last page */
};

int kube_node_page_read(const char *text, size_t length, const char *taint_key, struct kube_node_page *ret, struct err *e);

/* The same of a single node object. */
int kube_node_fact_read(const char *text, size_t length, const char *taint_key, struct kube_node_fact *ret, struct err *e);
