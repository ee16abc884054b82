/* What the API server says about the brake's Leases and the cluster's nodes, and the Lease that is written after it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/scoped.h"
#include "health/kube_lease.h"
#include "health/kube_node_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	scoped(scoped_free) struct kube_lease_list *leases = calloc(1, sizeof(*leases));
	scoped(scoped_free) struct kube_node_page *page = calloc(1, sizeof(*page));
	struct kube_lease lease;
	struct kube_node_fact fact;
	struct err e = {0};

	if (!leases || !page)
		return 0;
	if (kube_lease_list_read(text, size, leases, &e) == 0)
		for (uint32_t i = 0; i < leases->count; i++)
			free(kube_lease_body(&leases->lease[i], "node-1", 1));
	if (kube_lease_read(text, size, &lease, &e) == 0)
		free(kube_lease_body(&lease, "", 1));
	(void)kube_node_page_read(text, size, "stoker.dev/unhealthy", page, &e);
	(void)kube_node_fact_read(text, size, "stoker.dev/unhealthy", &fact, &e);
	return 0;
}
