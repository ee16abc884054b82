/* One request of NRI: the first byte is the event's number, 0 = StateChange, 15 = Configure, 16 = Synchronize. All that the views point
 * at is read. */
#include <stdint.h>
#include <string.h>

#include "shim/nri_message.h"
#include "shim/nri_version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char seen;

static void touch(struct text text)
{
	for (uint32_t i = 0; i < text.length; i++)
		seen ^= (unsigned char)text.bytes[i];
}

static void touch_pairs(const struct text_pair *pairs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		touch(pairs[i].key);
		touch(pairs[i].value);
	}
}

static void touch_pod(const struct pod_view *pod)
{
	const struct text texts[] = {pod->id, pod->name, pod->uid, pod->name_space, pod->runtime_handler, pod->cgroup_parent, pod->cgroups_path};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		touch(texts[i]);
	touch_pairs(pod->labels, pod->label_count);
	touch_pairs(pod->annotations, pod->annotation_count);
}

static void touch_container(const struct container_view *c)
{
	const struct text texts[] = {c->id, c->pod_id, c->name, c->image, c->cgroups_path, c->status_reason, c->status_message};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		touch(texts[i]);
	for (uint32_t i = 0; i < c->env_count; i++)
		touch(c->env[i]);
	for (uint32_t i = 0; i < c->arg_count; i++)
		touch(c->args[i]);
	for (uint32_t i = 0; i < c->mount_count; i++) {
		touch(c->mounts[i].destination);
		touch(c->mounts[i].type);
		touch(c->mounts[i].source);
	}
	touch_pairs(c->annotations, c->annotation_count);
	touch_pairs(c->unified, c->unified_count);
}

static void synchronize(struct text message, struct nri_event *event)
{
	struct nri_sync sync;
	struct text item;
	struct err e = {0};

	if (nri_sync_open(&sync, message, &e) < 0)
		return;
	for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &item)) != NRI_SYNC_END;) {
		touch(nri_peek_id(item));
		touch(nri_peek_pod_id(item));
		if (kind == NRI_SYNC_POD && nri_decode_pod(item, &event->pod, &e) == 0)
			touch_pod(&event->pod);
		else if (kind == NRI_SYNC_CONTAINER && nri_decode_container(item, &event->container, &e) == 0)
			touch_container(&event->container);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nri_event event;
	struct nri_configure configure;
	struct err e = {0};

	if (size < 1)
		return 0;
	struct text message = {(const char *)data + 1, (uint32_t)size - 1};
	if (data[0] == 16) {
		synchronize(message, &event);
	} else if (data[0] == 15) {
		if (nri_decode_configure(message, &configure, &e) == 0)
			(void)nri_version_of(configure.nri_version, configure.runtime_name, configure.runtime_version);
	} else if (nri_decode_event((enum nri_event_kind)(data[0] % NRI_EVENT_KIND_MAX_), message, &event, &e) == 0) {
		if (event.has_pod)
			touch_pod(&event.pod);
		if (event.has_container)
			touch_container(&event.container);
	}
	return 0;
}
