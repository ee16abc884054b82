#include "health/kube_config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"

#define ENTRIES_MAX 256

long base64_decode(const char *text, char *buffer, size_t size)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0, padding = 0;
	size_t out = 0;

	for (; *text; text++) {
		if (strchr(" \t\r\n", *text))
			continue;
		const char *found = *text == '=' ? NULL : strchr(alphabet, *text);
		if ((!found && *text != '=') || (found && padding) || (!found && padding == 2))
			return -EBADMSG;
		padding += !found;
		bits = bits << 6 | (found ? (unsigned)(found - alphabet) : 0);
		if (++count % 4 != 0)
			continue;
		for (unsigned i = 0; i < 3 - padding; i++) {
			if (out + 1 >= size)
				return -EBADMSG;
			buffer[out++] = (char)(bits >> (16 - 8 * i));
		}
		bits = 0;
	}
	if (count % 4 != 0)
		return -EBADMSG;
	buffer[out] = '\0';
	return (long)out;
}

/* --- the kubeconfig's shape --- */

struct raw_cluster {
	char *server, *ca, *ca_data;
	bool insecure;
};
struct raw_user {
	char *token, *token_file, *certificate, *certificate_data, *key, *key_data;
};
struct raw_context {
	char *cluster, *user;
};
struct raw_entry { /* one list for all three: a name and the part that is there */
	char *name;
	struct raw_cluster *cluster;
	struct raw_user *user;
	struct raw_context *context;
};
struct raw {
	char *current;
	struct raw_entry *clusters, *users, *contexts;
	unsigned clusters_count, users_count, contexts_count;
};

#define OPTIONAL CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL
#define TEXT(key, type, member) CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, member, 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t cluster_fields[] = {
	TEXT("server", struct raw_cluster, server),
	TEXT("certificate-authority", struct raw_cluster, ca),
	TEXT("certificate-authority-data", struct raw_cluster, ca_data),
	CYAML_FIELD_BOOL("insecure-skip-tls-verify", CYAML_FLAG_OPTIONAL, struct raw_cluster, insecure),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t user_fields[] = {
	TEXT("token", struct raw_user, token),
	TEXT("tokenFile", struct raw_user, token_file),
	TEXT("client-certificate", struct raw_user, certificate),
	TEXT("client-certificate-data", struct raw_user, certificate_data),
	TEXT("client-key", struct raw_user, key),
	TEXT("client-key-data", struct raw_user, key_data),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t context_fields[] = {
	TEXT("cluster", struct raw_context, cluster),
	TEXT("user", struct raw_context, user),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t entry_fields[] = {
	TEXT("name", struct raw_entry, name),
	CYAML_FIELD_MAPPING_PTR("cluster", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_entry, cluster, cluster_fields),
	CYAML_FIELD_MAPPING_PTR("user", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_entry, user, user_fields),
	CYAML_FIELD_MAPPING_PTR("context", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_entry, context, context_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t entry_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_entry, entry_fields)};
static const cyaml_schema_field_t raw_fields[] = {
	TEXT("current-context", struct raw, current),
	CYAML_FIELD_SEQUENCE("clusters", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, clusters, &entry_schema, 0, ENTRIES_MAX),
	CYAML_FIELD_SEQUENCE("users", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, users, &entry_schema, 0, ENTRIES_MAX),
	CYAML_FIELD_SEQUENCE("contexts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, contexts, &entry_schema, 0, ENTRIES_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t raw_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, raw_fields)};

/* libcyaml quotes the file in what it logs, and here lie secrets: nothing of it is taken. */
static void keep_quiet(cyaml_log_t level, void *context, const char *format, va_list args)
{
	(void)level;
	(void)context;
	(void)format;
	(void)args;
}

static const cyaml_config_t reader = {
	.log_fn = keep_quiet,
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
};

static void raw_drop(struct raw **raw)
{
	if (*raw)
		cyaml_free(&reader, &raw_schema, *raw, 0);
}

/* --- from its shape to what is used --- */

static const struct raw_entry *find(const struct raw_entry *entries, unsigned count, const char *name)
{
	for (unsigned i = 0; name && i < count; i++)
		if (entries[i].name && strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* `data` wins over `path`, as with kubectl. */
static int take_secret(struct kube_secret *ret, const char *what, const char *path, const char *data, bool encoded, struct err *e)
{
	if (is_given(data)) {
		ret->content = calloc(1, KUBE_PEM_BYTES);
		if (!ret->content)
			return err_set(e, ENOMEM, "%s", what);
		bool fits = encoded ? base64_decode(data, ret->content, KUBE_PEM_BYTES) > 0 : str_copy(ret->content, KUBE_PEM_BYTES, data);
		return fits ? 0 : err_rule(e, EBADMSG, "%s: not base64, or larger than %d bytes", what, KUBE_PEM_BYTES - 1);
	}
	if (is_given(path) && (*path != '/' || !str_copy(ret->path, sizeof(ret->path), path)))
		return err_rule(e, EINVAL, "%s: must be an absolute path, shorter than %zu bytes", what, sizeof(ret->path));
	return 0;
}

static int take_cluster(struct kube_config *config, const struct raw_cluster *c, struct err *e)
{
	if (c->insecure)
		return err_rule(e, EINVAL, "insecure-skip-tls-verify is not supported: name the certificate-authority instead");
	if (!is_given(c->server) || !str_starts(c->server, "https://"))
		return err_rule(e, EINVAL, "server: must begin with https://");
	if (!str_copy(config->server, sizeof(config->server), c->server))
		return err_rule(e, EINVAL, "server: longer than %zu bytes", sizeof(config->server) - 1);
	for (char *end = config->server + strlen(config->server); end[-1] == '/'; end--)
		end[-1] = '\0';
	return take_secret(&config->ca, "certificate-authority", c->ca, c->ca_data, true, e);
}

static int take_user(struct kube_config *config, const struct raw_user *u, struct err *e)
{
	if (take_secret(&config->token, "tokenFile", u->token_file, u->token, false, e) < 0 ||
	    take_secret(&config->certificate, "client-certificate", u->certificate, u->certificate_data, true, e) < 0 ||
	    take_secret(&config->key, "client-key", u->key, u->key_data, true, e) < 0)
		return -e->code;
	if (kube_secret_is_set(&config->certificate) != kube_secret_is_set(&config->key))
		return err_rule(e, EINVAL, "client-certificate and client-key: one without the other");
	if (!kube_secret_is_set(&config->token) && !kube_secret_is_set(&config->certificate))
		return err_rule(e, EINVAL, "no token, tokenFile or client-certificate (exec, auth-provider and passwords are not supported)");
	return 0;
}

static int take_all(struct kube_config *config, const struct raw *raw, struct err *e)
{
	if (!is_given(raw->current))
		return err_rule(e, EINVAL, "no current-context");
	const struct raw_entry *context = find(raw->contexts, raw->contexts_count, raw->current);
	if (!context || !context->context)
		return err_rule(e, EINVAL, "current-context: no such context in contexts");
	const struct raw_entry *cluster = find(raw->clusters, raw->clusters_count, context->context->cluster);
	if (!cluster || !cluster->cluster)
		return err_rule(e, EINVAL, "contexts: the context's cluster is not in clusters");
	const struct raw_entry *user = find(raw->users, raw->users_count, context->context->user);
	if (!user || !user->user)
		return err_rule(e, EINVAL, "contexts: the context's user is not in users");
	return take_cluster(config, cluster->cluster, e) < 0 || take_user(config, user->user, e) < 0 ? -e->code : 0;
}

int kube_config_parse(const char *text, size_t length, struct kube_config *ret, struct err *e)
{
	scoped(raw_drop) struct raw *raw = NULL;
	scoped(kube_config_free) struct kube_config config = {0};
	struct err local = {0};

	e = e ? e : &local;
	if (length > KUBE_FILE_MAX_BYTES)
		return err_rule(e, EFBIG, "larger than %d bytes", KUBE_FILE_MAX_BYTES);
	cyaml_err_t r = cyaml_load_data((const uint8_t *)text, length, &reader, &raw_schema, (cyaml_data_t **)&raw, NULL);
	if (r != CYAML_OK || !raw)
		return err_rule(e, EBADMSG, "is no kubeconfig: %s", r != CYAML_OK ? cyaml_strerror(r) : "empty");
	if (take_all(&config, raw, e) < 0)
		return -e->code;
	*ret = config;
	config = (struct kube_config){0};
	return 0;
}

int kube_config_load(const char *path, struct kube_config *ret, struct err *e)
{
	scoped(scoped_free) char *text = malloc(KUBE_FILE_MAX_BYTES + 1);

	if (!text)
		return err_set(e, ENOMEM, "kubeconfig");
	ssize_t length = fd_read_path(path, text, KUBE_FILE_MAX_BYTES + 1, e);
	if (length < 0)
		return err_wrap(e, "kubeconfig");
	return kube_config_parse(text, (size_t)length, ret, e) < 0 ? err_wrap(e, "kubeconfig '%s'", path) : 0;
}

int kube_config_in_cluster(const char *host, const char *port, const char *directory, struct kube_config *ret, struct err *e)
{
	struct kube_config config = {0};

	snprintf(config.token.path, sizeof(config.token.path), "%s/token", directory);
	snprintf(config.ca.path, sizeof(config.ca.path), "%s/ca.crt", directory);
	if (!host || !*host || !port || !*port || access(config.token.path, F_OK) < 0)
		return err_rule(e, ENOENT, "no cluster: no report.kubeconfig, and not in a pod with a ServiceAccount's token");
	/* an IPv6 address needs its brackets */
	snprintf(config.server, sizeof(config.server), strchr(host, ':') ? "https://[%.200s]:%.10s" : "https://%.200s:%.10s", host, port);
	*ret = config;
	return 0;
}

static void secret_free(struct kube_secret *secret)
{
	if (secret->content)
		explicit_bzero(secret->content, strlen(secret->content));
	free(secret->content);
}

void kube_config_free(struct kube_config *config)
{
	secret_free(&config->ca);
	secret_free(&config->token);
	secret_free(&config->certificate);
	secret_free(&config->key);
	*config = (struct kube_config){0};
}

bool kube_secret_is_set(const struct kube_secret *secret)
{
	return secret->content || *secret->path;
}

int kube_secret_read(const struct kube_secret *secret, char *buffer, size_t size, struct err *e)
{
	if (secret->content) {
		if (!str_copy(buffer, size, secret->content))
			return err_rule(e, EFBIG, "larger than %zu bytes", size - 1);
	} else if (fd_read_path(secret->path, buffer, size, e) < 0) {
		return -e->code;
	}
	for (size_t n = strlen(buffer); n > 0 && strchr(" \t\r\n", buffer[n - 1]); n--)
		buffer[n - 1] = '\0';
	return 0;
}
