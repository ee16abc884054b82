#include "shim/nri_reply.h"

#include <assert.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/nri_version.h"

#define PAIR_OVERHEAD_BYTES 12 /* three tags and lengths, the longest of two bytes each */
#define MOUNT_OPTIONS_BYTES 256
static_assert(NRI_REPLY_BYTES > (PLAN_ENV_MAX + PLAN_UNIFIED_MAX) * (sizeof(struct plan_pair) + PAIR_OVERHEAD_BYTES) +
					PLAN_MOUNTS_MAX * (CONFIG_VOLUME_PATH_BYTES + PLAN_SOURCE_BYTES + MOUNT_OPTIONS_BYTES) + 256,
	      "a full plan fits");

/* Go refuses an answer with one string in it that is not UTF-8, and the container with it. */
static bool is_text(const char *array, size_t size)
{
	if (!str_is_ended(array, size))
		return false;
	while (*array) {
		size_t n = str_utf8_length(array);
		if (n == 0)
			return false;
		array += n;
	}
	return true;
}

void nri_write_register(struct proto_writer *writer, const char *name, const char *index)
{
	proto_write_text(writer, 1, name, strlen(name));
	proto_write_text(writer, 2, index, strlen(index));
	proto_write_text(writer, 3, NRI_VERSION_OURS, strlen(NRI_VERSION_OURS));
}

void nri_write_configured(struct proto_writer *writer, uint32_t events, bool keep_connected)
{
	proto_write_number(writer, 2, events);
	if (keep_connected) {
		size_t policy = proto_begin(writer, 3);
		proto_write_number(writer, 2, 1);
		proto_end(writer, policy);
	}
}

void nri_write_synchronized(struct proto_writer *writer, bool more)
{
	proto_write_number(writer, 2, more);
}

/* KeyValue, and an entry of a map: the same on the wire. */
static void write_pairs(struct proto_writer *writer, uint32_t number, const struct plan_pair *pairs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!is_text(pairs[i].key, sizeof(pairs[i].key)) || !is_text(pairs[i].value, sizeof(pairs[i].value)))
			continue;
		size_t pair = proto_begin(writer, number);
		proto_write_text(writer, 1, pairs[i].key, strlen(pairs[i].key));
		proto_write_text(writer, 2, pairs[i].value, strlen(pairs[i].value));
		proto_end(writer, pair);
	}
}

static void write_number_option(struct proto_writer *writer, const char *name, uint64_t number)
{
	char option[48] = "";

	str_append(option, sizeof(option), "%s=%llu", name, (unsigned long long)number);
	proto_write_text(writer, 4, option, strlen(option));
}

static void write_options(struct proto_writer *writer, const char *const *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		proto_write_text(writer, 4, options[i], strlen(options[i]));
}

/* No device and no setuid program in what a tenant fills. Executable it must be: Spark loads native libraries from its local directories. */
static void write_mount(struct proto_writer *writer, const struct plan_mount *m)
{
	static const char *const both[] = {"nosuid", "nodev"}, *const bind[] = {"bind", "rprivate"}, *const owned[] = {"mode=0770"}, *const open_to_all[] = {"mode=1777"};
	const bool is_tmpfs = m->type == PLAN_MOUNT_TMPFS;
	const char *type = is_tmpfs ? "tmpfs" : "bind", *source = is_tmpfs ? PLAN_SCRATCH_SOURCE : m->source;

	proto_write_text(writer, 1, m->destination, strlen(m->destination));
	proto_write_text(writer, 2, type, strlen(type));
	proto_write_text(writer, 3, source, strlen(source));
	write_options(writer, both, ARRAY_SIZE(both));
	if (!is_tmpfs) {
		write_options(writer, bind, ARRAY_SIZE(bind));
		proto_write_text(writer, 4, m->read_only ? "ro" : "rw", 2);
		return;
	}
	write_options(writer, m->has_owner ? owned : open_to_all, 1);
	write_number_option(writer, "size", m->size_bytes);
	if (m->inodes > 0)
		write_number_option(writer, "nr_inodes", m->inodes);
	if (m->has_owner) {
		write_number_option(writer, "uid", m->uid);
		write_number_option(writer, "gid", m->gid);
	}
}

static void write_mounts(struct proto_writer *writer, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *m = &plan->mounts[i];
		if (!is_text(m->destination, sizeof(m->destination)) || !is_text(m->source, sizeof(m->source)))
			continue;
		size_t mount = proto_begin(writer, 3);
		write_mount(writer, m);
		proto_end(writer, mount);
	}
}

static void write_linux(struct proto_writer *writer, const struct plan *plan)
{
	if (plan->unified_count > 0) {
		size_t resources = proto_begin(writer, 2);
		write_pairs(writer, 6, plan->unified, plan->unified_count);
		proto_end(writer, resources);
	}
	if (plan->set_oom_score_adj) {
		size_t optional = proto_begin(writer, 4); /* empty says 0 */
		proto_write_number(writer, 1, (uint64_t)plan->oom_score_adj);
		proto_end(writer, optional);
	}
}

void nri_write_created(struct proto_writer *writer, const struct plan *plan)
{
	if (plan_is_empty(plan))
		return;
	size_t adjust = proto_begin(writer, 1);
	write_mounts(writer, plan);
	write_pairs(writer, 4, plan->env, plan->env_count);
	if (plan->unified_count > 0 || plan->set_oom_score_adj) {
		size_t linux_ = proto_begin(writer, 6);
		write_linux(writer, plan);
		proto_end(writer, linux_);
	}
	proto_end(writer, adjust);
}
