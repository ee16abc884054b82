#include "health/kube_lease.h"

#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define END_OF_TIME_US (253402300000ULL * US_PER_S) /* late in the year 9999 */

static uint32_t number_of(const cJSON *object, const char *key, uint32_t least, uint32_t most, uint32_t fallback)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!cJSON_IsNumber(value) || !(value->valuedouble >= 1))
		return fallback;
	return value->valuedouble < least ? least : value->valuedouble > most ? most : (uint32_t)value->valuedouble;
}

/* "stoker-brake-7" -> 7; one spelling only. False if it is none of ours. */
static bool slot_of(const char *name, uint32_t *ret)
{
	uint64_t number = 0;

	if (!str_starts(name, STOKER_BRAKE_LEASE))
		return false;
	name += strlen(STOKER_BRAKE_LEASE);
	if (config_unit_count(name, &number) || number >= KUBE_LEASES_MAX || (name[0] == '0' && name[1]))
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool read_one(const cJSON *json, struct kube_lease *ret)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(json, "metadata"), *spec = cJSON_GetObjectItemCaseSensitive(json, "spec");
	struct kube_lease lease = {.exists = true};

	if (!slot_of(json_text(meta, "name"), &lease.number))
		return false;
	/* a version that does not fit could not be sent back: such a Lease is never ours */
	if (!str_copy(lease.version, sizeof(lease.version), json_text(meta, "resourceVersion")))
		*lease.version = '\0';
	str_copy(lease.holder, sizeof(lease.holder), json_text(spec, "holderIdentity"));
	if (clock_parse(json_text(spec, "renewTime"), &lease.renew_wall_us) < 0)
		lease.renew_wall_us = 0;
	lease.duration_s = number_of(spec, "leaseDurationSeconds", 1, INT32_MAX, 0);
	lease.transitions = number_of(spec, "leaseTransitions", 0, INT32_MAX - 1, 0);
	*ret = lease;
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct kube_lease *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

int kube_lease_list_read(const char *text, size_t length, struct kube_lease_list *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(json, "items"), *item;
	uint32_t count = 0, kept = 0;

	if (strcmp(json_text(json, "kind"), "LeaseList") != 0 || (items && !cJSON_IsArray(items) && !cJSON_IsNull(items)))
		return err_rule(e, EBADMSG, "the answer is no list of Leases");
	cJSON_ArrayForEach(item, items) {
		if (count == KUBE_LEASES_MAX)
			break;
		if (read_one(item, &ret->lease[count]))
			count++;
	}
	qsort(ret->lease, count, sizeof(ret->lease[0]), by_number);
	for (uint32_t i = 0; i < count; i++)
		if (kept == 0 || ret->lease[kept - 1].number != ret->lease[i].number)
			ret->lease[kept++] = ret->lease[i];
	ret->count = kept;
	return 0;
}

int kube_lease_read(const char *text, size_t length, struct kube_lease *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);

	if (strcmp(json_text(json, "kind"), "Lease") != 0 || !read_one(json, ret))
		return err_rule(e, EBADMSG, "the answer is no Lease of the brake");
	return 0;
}

char *kube_lease_body(const struct kube_lease *old, const char *holder, uint64_t now_wall_us)
{
	scoped(json_drop) cJSON *json = cJSON_CreateObject();
	uint64_t renew = now_wall_us, lapsed = old->renew_wall_us + (old->duration_s + 1ULL) * US_PER_S;
	char name[64] = "", now[CLOCK_TEXT_BYTES];
	bool same = strcmp(old->holder, holder) == 0;

	if (old->exists && *old->holder && *holder && !same && lapsed > renew)
		renew = lapsed;
	if (renew > END_OF_TIME_US)
		return NULL;
	clock_format(renew, 1, now);
	str_append(name, sizeof(name), STOKER_BRAKE_LEASE "%u", old->number);
	cJSON_AddStringToObject(json, "apiVersion", "coordination.k8s.io/v1");
	cJSON_AddStringToObject(json, "kind", "Lease");
	cJSON *meta = cJSON_AddObjectToObject(json, "metadata"), *spec = cJSON_AddObjectToObject(json, "spec");
	cJSON_AddStringToObject(meta, "name", name);
	cJSON_AddStringToObject(meta, "namespace", STOKER_NAMESPACE);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(meta, "labels"), "app.kubernetes.io/name", "stoker");
	if (old->exists)
		cJSON_AddStringToObject(meta, "resourceVersion", old->version);
	if (*holder)
		cJSON_AddStringToObject(spec, "holderIdentity", holder);
	cJSON_AddNumberToObject(spec, "leaseDurationSeconds", KUBE_LEASE_DURATION_S);
	cJSON_AddNumberToObject(spec, "leaseTransitions", old->transitions + (*holder && !same && old->exists));
	cJSON_AddStringToObject(spec, "renewTime", now);
	return cJSON_PrintUnformatted(json);
}
