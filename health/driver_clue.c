#include "health/driver_clue.h"

#include <arpa/inet.h>
#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define VALUE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define HOST_CHARACTERS	 "abcdefghijklmnopqrstuvwxyz0123456789-.:"
#define LISTED_MAX	 3 /* more than one is no answer; one more than the executor itself and its driver */

/* --- the clue --- */

/* "spark://CoarseGrainedScheduler@HOST:PORT", HOST perhaps an IPv6 address in brackets. */
static void take_host(const char *url, char *host, size_t size)
{
	const char *at = strrchr(url, '@'), *end = strrchr(url, ':');
	unsigned char address[sizeof(struct in6_addr)];
	char canonical[INET6_ADDRSTRLEN];

	*host = '\0';
	if (!at || !end || end <= at + 1 || (size_t)(end - at) > size)
		return;
	const bool bracketed = at[1] == '[' && end[-1] == ']';
	const size_t skip = bracketed ? 2 : 1;
	snprintf(host, size, "%.*s", (int)(end - at - (bracketed ? 3 : 1)), at + skip);
	/* Java writes "fd00:0:0:0:0:0:0:7", the API server has "fd00::7". */
	if (inet_pton(AF_INET6, host, address) == 1 && inet_ntop(AF_INET6, address, canonical, sizeof(canonical)))
		str_copy(host, size, canonical);
	if (host[strspn(host, HOST_CHARACTERS)])
		*host = '\0';
}

bool driver_clue_of(const struct executor *x, uint64_t started_wall_us, struct driver_clue *ret)
{
	struct driver_clue clue = {.created_wall_us = x->created_wall_us ? x->created_wall_us : started_wall_us};

	str_copy(clue.executor.name_space, sizeof(clue.executor.name_space), x->name_space);
	str_copy(clue.executor.name, sizeof(clue.executor.name), x->pod);
	str_copy(clue.executor.uid, sizeof(clue.executor.uid), x->pod_uid);
	str_copy(clue.app_id, sizeof(clue.app_id), x->app_id);
	str_copy(clue.connect_name, sizeof(clue.connect_name), x->connect_name);
	take_host(x->driver_url, clue.host, sizeof(clue.host));
	*ret = clue;
	return x->role == EXECUTOR_ROLE_EXECUTOR && driver_clue_is_sound(&clue);
}

static bool is_made_of(const char *text, size_t size, const char *characters)
{
	return str_is_ended(text, size) && !text[strspn(text, characters)];
}

bool driver_clue_is_sound(const struct driver_clue *c)
{
	return event_pod_is_sound(&c->executor) && is_made_of(c->host, sizeof(c->host), HOST_CHARACTERS) && is_made_of(c->app_id, sizeof(c->app_id), VALUE_CHARACTERS) &&
	       is_made_of(c->connect_name, sizeof(c->connect_name), VALUE_CHARACTERS);
}

uint64_t driver_clue_key(const struct driver_clue *c)
{
	const char *const parts[] = {c->executor.name_space, c->app_id, c->connect_name, c->host};
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		hash = hash_fnv1a(hash, parts[i], strlen(parts[i]) + 1);
	return hash;
}

/* --- the question --- */

/* 127.0.0.1 and the like are of every pod and of none. */
static bool is_address(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return v4.s_addr != htonl(INADDR_ANY) && ntohl(v4.s_addr) >> 24 != 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_UNSPECIFIED(&v6);
}

static bool is_name(const char *host)
{
	struct in_addr v4;

	return *host && !strchr(host, ':') && inet_pton(AF_INET, host, &v4) != 1;
}

/* The first label of "POD.SERVICE.NAMESPACE.svc" or of what goes on behind that. */
static bool pod_of_name(const struct driver_clue *c, char *pod, size_t size)
{
	const size_t name = strcspn(c->host, "."), space = strlen(c->executor.name_space);
	const char *service = c->host[name] ? c->host + name + 1 : "", *rest = service + strcspn(service, ".");

	if (!is_name(c->host) || !name || name >= size || *rest != '.' || strncmp(rest + 1, c->executor.name_space, space) != 0 || !str_starts(rest + 1 + space, ".svc"))
		return false;
	snprintf(pod, size, "%.*s", (int)name, c->host);
	return true;
}

/* What the list is narrowed to; "" = the clue does not give this way. */
static void select_pods(const struct driver_clue *c, enum driver_way way, char *selector, size_t size)
{
	char pod[NAME_NODE_BYTES];

	/* On the node's own network many pods have one address. */
	if (way == DRIVER_BY_ADDRESS && is_address(c->host))
		str_append(selector, size, "fieldSelector=status.podIP%%3D%s%%2Cstatus.phase%%3DRunning%%2Cspec.hostNetwork%%3Dfalse", c->host);
	else if (way == DRIVER_BY_LABEL && *c->connect_name)
		str_append(selector, size, "labelSelector=sparkoperator.k8s.io%%2Fconnect-name%%3D%s%%2Cspark-role%%3Dconnect-server", c->connect_name);
	else if (way == DRIVER_BY_LABEL && *c->app_id && is_name(c->host))
		str_append(selector, size, "labelSelector=spark-app-selector%%3D%s%%2Cspark-role%%3Ddriver", c->app_id);
	else if (way == DRIVER_BY_NAME && pod_of_name(c, pod, sizeof(pod)))
		str_append(selector, size, "fieldSelector=metadata.name%%3D%s", pod);
}

bool driver_clue_target(const struct driver_clue *c, enum driver_way way, char *target, size_t size)
{
	char selector[512] = "";

	*target = '\0';
	if (way == DRIVER_BY_OWNER)
		return str_append(target, size, "%s/pods/%s", c->executor.name_space, c->executor.name);
	select_pods(c, way, selector, sizeof(selector));
	return *selector && str_append(target, size, "%s/pods?%s&limit=%d", c->executor.name_space, selector, LISTED_MAX);
}

/* --- the answer --- */

static bool take_pod(const struct driver_clue *c, const char *name, const char *uid, struct event_pod *ret)
{
	struct event_pod pod = {0};
	bool whole = str_copy(pod.name, sizeof(pod.name), name) && str_copy(pod.uid, sizeof(pod.uid), uid);

	str_copy(pod.name_space, sizeof(pod.name_space), c->executor.name_space);
	if (!whole || !event_pod_is_sound(&pod) || strcmp(pod.uid, c->executor.uid) == 0)
		return false;
	*ret = pod;
	return true;
}

static int read_owner(const struct driver_clue *c, const cJSON *json, struct event_pod *ret)
{
	const cJSON *meta = json_member(json, "metadata"), *item;

	if (strcmp(json_text(meta, "uid"), c->executor.uid) != 0)
		return 0;
	cJSON_ArrayForEach(item, json_member(meta, "ownerReferences"))
		if (strcmp(json_text(item, "kind"), "Pod") == 0 && strcmp(json_text(item, "apiVersion"), "v1") == 0 && take_pod(c, json_text(item, "name"), json_text(item, "uid"), ret))
			return 1;
	return 0;
}

static bool may_be(const struct driver_clue *c, enum driver_way way, const cJSON *meta)
{
	const cJSON *labels = json_member(meta, "labels");
	uint64_t created_wall_us = 0;

	if (strcmp(json_text(labels, "spark-role"), "executor") == 0)
		return false;
	/* Who came after its executor got the address of a driver that is gone. */
	if (way == DRIVER_BY_ADDRESS && (clock_parse(json_text(meta, "creationTimestamp"), &created_wall_us) < 0 || (c->created_wall_us && created_wall_us > c->created_wall_us)))
		return false;
	return way != DRIVER_BY_NAME || strcmp(json_text(labels, "statefulset.kubernetes.io/pod-name"), json_text(meta, "name")) == 0;
}

static int read_list(const struct driver_clue *c, enum driver_way way, const cJSON *json, struct event_pod *ret)
{
	struct event_pod found = {0};
	unsigned count = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, json_member(json, "items")) {
		const cJSON *meta = json_member(item, "metadata");
		count += may_be(c, way, meta) && take_pod(c, json_text(meta, "name"), json_text(meta, "uid"), &found);
	}
	if (count != 1 || *json_text(json_member(json, "metadata"), "continue"))
		return 0;
	*ret = found;
	return 1;
}

int driver_clue_read(const struct driver_clue *c, enum driver_way way, const char *text, size_t length, struct event_pod *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);
	const char *kind = json_text(json, "kind");
	const bool is_one = strcmp(kind, "PartialObjectMetadata") == 0, is_list = strcmp(kind, "PartialObjectMetadataList") == 0;

	if (way == DRIVER_BY_OWNER ? !is_one : !is_list)
		return err_rule(e, EBADMSG, "the answer is no metadata of pods");
	return way == DRIVER_BY_OWNER ? read_owner(c, json, ret) : read_list(c, way, json, ret);
}
