/* health_client.h - asks a stokerd what it knows: HTTP over its unix socket (libcurl). */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define HEALTH_HTTP_PATH    "/v1alpha1/health"
#define EXECUTORS_HTTP_PATH "/v1alpha1/executors"
#define DEATHS_HTTP_PATH    "/v1alpha1/deaths"
#define SWEEP_HTTP_PATH	    "/v1alpha1/sweep"
#define VOLUMES_HTTP_PATH   "/v1alpha1/volumes"

/* The JSON, malloc'ed and ended by NUL; the caller frees it. -ECONNREFUSED, -ENOENT, -EACCES, -ETIMEDOUT as they come;
 * -EPROTO when something else than 200 was answered. */
int health_client_get(const char *socket_path, const char *http_path, char **ret_text, size_t *ret_length, struct err *e);
