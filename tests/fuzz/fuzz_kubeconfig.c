/* A kubeconfig, and the token in it. */
#include <stdint.h>

#include "health/kube_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_config config = {0};
	struct err e = {0};

	if (kube_config_parse((const char *)data, size, &config, &e) == 0) {
		char token[64];
		if (config.token.content) /* never a file that the input names */
			kube_secret_read(&config.token, token, sizeof(token), &e);
		kube_config_free(&config);
	}
	return 0;
}
