/* health_client.h - asks a stokerd for the node's health: HTTP over its unix socket (libcurl). */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define HEALTH_HTTP_PATH "/v1alpha1/health"

/* The JSON, malloc'ed and ended by NUL; the caller frees it. -ECONNREFUSED, -ENOENT, -EACCES, -ETIMEDOUT as they come;
 * -EPROTO when something else than the health was answered. */
int health_client_get(const char *socket_path, char **ret_text, size_t *ret_length, struct err *e);
