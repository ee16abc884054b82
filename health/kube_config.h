/* kube_config.h - where the API server is and how to log in: a kubeconfig, or what the kubelet gives every pod.
 *
 * Of a kubeconfig: current-context, server, certificate-authority(-data), token, tokenFile, client-certificate(-data) and
 * client-key(-data). Programs (exec, auth-provider), passwords and insecure-skip-tls-verify are refused.
 * base64 is ours (thirty lines, strict): libcurl's is not exported, and OpenSSL's accepts what it should not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/names.h"

#define KUBE_FILE_MAX_BYTES (256 * 1024)
#define KUBE_PEM_BYTES	    (64 * 1024)
#define KUBE_TOKEN_BYTES    (16 * 1024)

struct kube_secret { /* a file, or its content */
	char path[NAME_PATH_BYTES];
	char *content; /* owned */
};

struct kube_config {
	char server[512];
	struct kube_secret ca, token, certificate, key;
};

void kube_config_free(struct kube_config *config);

int kube_config_parse(const char *text, size_t length, struct kube_config *ret, struct err *e);
int kube_config_load(const char *path, struct kube_config *ret, struct err *e);

/* From KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and the ServiceAccount's files in `directory`. -ENOENT: in no cluster. */
int kube_config_in_cluster(const char *host, const char *port, const char *directory, struct kube_config *ret, struct err *e);

/* The content, read anew if it is a file (projected tokens are rotated), without trailing white space. */
int kube_secret_read(const struct kube_secret *secret, char *buffer, size_t size, struct err *e);
bool kube_secret_is_set(const struct kube_secret *secret);

/* Strict RFC 4648 with padding; white space between is allowed. Returns the length, or -EBADMSG. */
long base64_decode(const char *text, char *buffer, size_t size);
