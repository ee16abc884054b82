#include "health/volumes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

/* --- who may have what --- */

struct choice {
	const char *what, *key; /* for people */
	unsigned count;
	uint32_t allowed[CONFIG_CHECKPOINTS_MAX];
	const char *names[CONFIG_CHECKPOINTS_MAX]; /* of those allowed */
};
_Static_assert(CONFIG_CHECKPOINTS_MAX >= CONFIG_DISKS_MAX, "a choice has room for both");

static void allow(struct choice *choice, const struct config_namespaces *namespaces, const char *name_space, uint32_t index, const char *name)
{
	if (!config_namespaces_allow(namespaces, name_space))
		return;
	choice->names[choice->count] = name;
	choice->allowed[choice->count++] = index;
}

/* What this namespace may not have is refused in the same words as what is not there: names are not told to strangers. */
static int choose(const struct choice *choice, struct volume *v, struct err *e)
{
	char names[256] = "";

	if (choice->count == 0)
		return err_rule(e, EACCES, "namespace '%s' may use no %s (%s)", v->name_space, choice->what, choice->key);
	for (unsigned i = 0; i < choice->count; i++) {
		if (strcmp(choice->names[i], v->source_name) == 0 || (!*v->source_name && choice->count == 1)) {
			v->source = choice->allowed[i];
			str_copy(v->source_name, sizeof(v->source_name), choice->names[i]);
			return 0;
		}
		str_append(names, sizeof(names), "%s%s", i ? ", " : "", choice->names[i]);
	}
	if (!*v->source_name)
		return err_rule(e, EINVAL, "%s: must be named, one of: %s", choice->what, names);
	return err_rule(e, EACCES, "%s '%s': not one that namespace '%s' may use: %s (%s)", choice->what, v->source_name, v->name_space, names, choice->key);
}

static int admit_source(const struct config_volumes *rules, struct volume *v, struct err *e)
{
	struct choice choice = {.what = volume_type_name((enum volume_type)v->type)};

	if (v->type == VOLUME_DISK) {
		choice.key = "volumes.disks[].namespaces";
		for (uint32_t i = 0; i < rules->disk_count; i++)
			allow(&choice, &rules->disks[i].namespaces, v->name_space, i, rules->disks[i].name);
	} else {
		choice.key = "volumes.checkpoints[].namespaces";
		for (uint32_t i = 0; i < rules->checkpoint_count; i++)
			allow(&choice, &rules->checkpoints[i].namespaces, v->name_space, i, rules->checkpoints[i].name);
	}
	return choose(&choice, v, e);
}

int volumes_admit(const struct config_volumes *rules, struct volume *v, struct err *e)
{
	if (!v->asked)
		v->asked = volume_digest(v);
	if (v->type != VOLUME_SCRATCH)
		return admit_source(rules, v, e);
	if (v->size_bytes > rules->scratch_max_bytes)
		return err_rule(e, EACCES, "size: %" PRIu64 " bytes are more than volumes.scratch.max allows, %" PRIu64, v->size_bytes, rules->scratch_max_bytes);
	if (v->size_bytes == 0)
		v->size_bytes = rules->scratch_no_limit_bytes < rules->scratch_max_bytes ? rules->scratch_no_limit_bytes : rules->scratch_max_bytes;
	if (v->inodes == 0)
		v->inodes = rules->scratch_inodes;
	return 0;
}

/* --- how large --- */

bool volumes_is_scratch(const struct volumes_entry *entry)
{
	return entry->volume.type == VOLUME_SCRATCH;
}

bool volumes_is_first_scratch(const struct volumes *volumes, unsigned index)
{
	const struct volumes_entry *entry = volumes->entries[index];
	bool first = volumes_is_scratch(entry);

	for (unsigned i = 0; first && i < index; i++)
		first = !volumes_is_scratch(volumes->entries[i]) || strcmp(volumes->entries[i]->volume.at.pod_uid, entry->volume.at.pod_uid) != 0;
	return first;
}

/* The kubelet's own are left alone unless the configuration says otherwise; then only what Spark writes its blocks to. */
static bool is_shared(const struct config_volumes *rules, const struct volumes_entry *entry)
{
	if (!volumes_is_scratch(entry))
		return false;
	return entry->volume.at.place == VOLUME_AT_CSI || (rules->cap_tmpfs && entry->volume.at.place == VOLUME_AT_EMPTY_DIR);
}

static bool is_ours_to_bound(const struct config_volumes *rules, const struct volumes_entry *entry)
{
	return is_shared(rules, entry) && entry->made && *entry->owner.container_id;
}

static unsigned count_of(const struct volumes *volumes, const struct config_volumes *rules, const char *pod_uid,
			 bool (*counts)(const struct config_volumes *, const struct volumes_entry *))
{
	unsigned count = 0;

	for (unsigned i = 0; i < volumes->count; i++)
		count += strcmp(volumes->entries[i]->volume.at.pod_uid, pod_uid) == 0 && counts(rules, volumes->entries[i]);
	return count;
}

unsigned volumes_scratch_of(const struct volumes *volumes, const struct config_volumes *rules, const char *pod_uid)
{
	return count_of(volumes, rules, pod_uid, is_shared);
}

/* What it should have: 0 = leave it. What was asked for is never exceeded, nor what the kubelet gave. */
static uint64_t wanted_bytes(const struct volumes_entry *entry, const struct config_volumes *rules, unsigned parts)
{
	const bool may_grow = !entry->sized && !entry->found && entry->volume.at.place == VOLUME_AT_CSI;
	uint64_t bytes = executor_memory_left(&entry->owner, rules->scratch_reserve_bytes);

	if (bytes == UINT64_MAX) /* no limit: it stays as it is, and that is said */
		return 0;
	bytes /= parts;
	bytes = bytes < VOLUMES_LEAST_BYTES ? VOLUMES_LEAST_BYTES : bytes;
	bytes = bytes < rules->scratch_max_bytes ? bytes : rules->scratch_max_bytes;
	bytes &= ~(uint64_t)4095;
	return bytes < entry->volume.size_bytes || (may_grow && bytes > entry->volume.size_bytes) ? bytes : 0;
}

struct volumes_entry *volumes_next_bound(struct volumes *volumes, const struct config_volumes *rules, const char *pod_uid, struct volume *ret)
{
	const unsigned parts = count_of(volumes, rules, pod_uid, is_ours_to_bound);

	for (unsigned i = 0; i < volumes->count; i++) {
		struct volumes_entry *entry = volumes->entries[i];
		if (strcmp(entry->volume.at.pod_uid, pod_uid) != 0 || !is_ours_to_bound(rules, entry))
			continue;
		const uint64_t bytes = wanted_bytes(entry, rules, parts);
		if (bytes == 0 || bytes == entry->bound_bytes)
			continue;
		entry->bound_bytes = bytes;
		*ret = entry->volume;
		ret->size_bytes = bytes;
		ret->inodes = entry->volume.inodes ? entry->volume.inodes : rules->scratch_inodes;
		return entry;
	}
	return NULL;
}

bool volumes_bound_again(struct volumes_entry *entry)
{
	const bool again = entry->bound_again;

	entry->bound_again = false;
	entry->bound_bytes = again ? 0 : entry->bound_bytes;
	return again;
}

static void give(struct volumes_entry *entry, const struct executor *executor)
{
	if (strcmp(entry->owner.container_id, executor->container_id) != 0) {
		entry->left_bytes = 0; /* was another one's */
		entry->empty_again = false; /* what is written now is its own */
	}
	entry->owner = *executor;
}

bool volumes_own(struct volumes *volumes, const struct executor *executor)
{
	if (executor->sidecar)
		return false;
	for (unsigned i = 0; i < volumes->count; i++)
		if (strcmp(volumes->entries[i]->volume.at.pod_uid, executor->pod_uid) == 0)
			give(volumes->entries[i], executor);
	return true;
}

/* --- the table --- */

struct volumes_entry *volumes_find(const struct volumes *volumes, const struct volume_at *at)
{
	for (unsigned i = 0; i < volumes->count; i++)
		if (volume_at_is(&volumes->entries[i]->volume.at, at))
			return volumes->entries[i];
	return NULL;
}

struct volumes_entry *volumes_put(struct volumes *volumes, const struct volume *volume)
{
	struct volumes_entry *entry = volumes_find(volumes, &volume->at);

	if (entry)
		return entry;
	if (volumes->count == VOLUMES_MAX || !(entry = calloc(1, sizeof(*entry))))
		return NULL;
	entry->volume = *volume;
	volumes->entries[volumes->count++] = entry;
	return entry;
}

static void take_out(struct volumes *volumes, unsigned index)
{
	free(volumes->entries[index]);
	volumes->entries[index] = volumes->entries[--volumes->count];
}

void volumes_remove(struct volumes *volumes, const struct volume_at *at)
{
	for (unsigned i = 0; i < volumes->count; i++) {
		if (volume_at_is(&volumes->entries[i]->volume.at, at)) {
			take_out(volumes, i);
			return;
		}
	}
}

void volumes_drop(struct volumes *volumes)
{
	while (volumes->count > 0)
		take_out(volumes, 0);
}

void volumes_result(struct volumes_entry *entry, const struct volume_result *result, uint64_t now_us)
{
	if (result->errnum != 0)
		return;
	entry->made = true;
	entry->measured_us = now_us;
	entry->total_bytes = result->size_bytes;
	entry->total_inodes = result->inodes;
	entry->free_bytes = result->free_bytes;
	entry->free_inodes = result->free_inodes;
	if (volumes_is_scratch(entry) && result->size_bytes)
		entry->volume.size_bytes = result->size_bytes;
}

static uint64_t used(uint64_t total, uint64_t left)
{
	return total > left ? total - left : 0;
}

uint64_t volumes_used_bytes(const struct volumes_entry *entry)
{
	return used(entry->total_bytes, entry->free_bytes);
}

uint64_t volumes_used_inodes(const struct volumes_entry *entry)
{
	return used(entry->total_inodes, entry->free_inodes);
}

void volumes_emptied(struct volumes_entry *entry, const struct volume_result *result)
{
	entry->left_bytes = used(result->size_bytes, result->free_bytes);
}

uint64_t volumes_left_bytes(const struct volumes_entry *entry)
{
	return entry->left_bytes ? entry->left_bytes : volumes_used_bytes(entry);
}

static double fullness(const struct volumes_entry *entry)
{
	return entry->total_bytes ? (double)volumes_left_bytes(entry) / (double)entry->total_bytes : 0;
}

const struct volumes_entry *volumes_fullest(const struct volumes *volumes, const char *pod_uid)
{
	const struct volumes_entry *fullest = NULL;

	for (unsigned i = 0; i < volumes->count; i++) {
		const struct volumes_entry *entry = volumes->entries[i];
		if (entry->volume.type != VOLUME_CHECKPOINT && entry->measured_us && strcmp(entry->volume.at.pod_uid, pod_uid) == 0 &&
		    (!fullest || fullness(entry) > fullness(fullest)))
			fullest = entry;
	}
	return fullest;
}
