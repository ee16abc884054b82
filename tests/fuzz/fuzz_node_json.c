/* A node object of the API server, and the patches that are made after it. */
#include <stdint.h>
#include <stdlib.h>

#include "health/kube_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct report_taint taint = {.wanted = 1, .key = "a", .value = "b", .effect = "NoSchedule"};
	static const struct report report = {.condition = {.type = "a", .status = CONDITION_TRUE}};
	struct kube_node node = {0};
	struct err e = {0};

	if (kube_node_read(&node, (const char *)data, size, "stoker.dev/StorageReady", KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e) == 0) {
		free(kube_node_taint_patch(&node, &taint));
		free(kube_node_conditions_patch(&node, &report, 1));
		free(kube_node_conditions_removal(&node, "a"));
	}
	kube_node_forget(&node);
	return 0;
}
