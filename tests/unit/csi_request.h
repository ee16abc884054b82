/* csi_request.h - NodePublishVolume as the kubelet writes it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shim/csi_message.h"
#include "shim/text.h"
#include "volumes/volume.h"

#define KUBELET "/var/lib/kubelet"
#define UID	"3f1c9a2e-5b77-4c1d-9e0f-aa0000000001"
#define TARGET	KUBELET "/pods/" UID "/volumes/kubernetes.io~csi/scratch/mount"

struct asking {
	const char *id, *target; /* NULL: as they should be */
	const char *attributes;	 /* "key=value\n…": volumeAttributes */
	const char *pod;	 /* the same, of the kubelet; NULL: as it should be */
	const char *flags, *fs_type, *group;
	uint64_t access_mode; /* 0: SINGLE_NODE_WRITER */
	bool no_capability, block, read_only;
};

static inline void write_pairs(struct proto_writer *w, const char *lines)
{
	struct text rest = text_of(lines), line, key;

	while (text_next(&rest, '\n', &line)) {
		size_t mark = proto_begin(w, 8);
		text_next(&line, '=', &key);
		proto_write_text(w, 1, key.bytes, key.length);
		proto_write_text(w, 2, line.bytes, line.length);
		proto_end(w, mark);
	}
}

static inline void write_text(struct proto_writer *w, uint32_t number, const char *text)
{
	proto_write_text(w, number, text, strlen(text));
}

static inline void write_capability(struct proto_writer *w, const struct asking *a)
{
	size_t capability = proto_begin(w, 5), mount = proto_begin(w, a->block ? 1 : 2);

	write_text(w, 1, a->fs_type ? a->fs_type : "");
	for (struct text rest = text_of(a->flags ? a->flags : ""), flag; text_next(&rest, ',', &flag);)
		proto_write_text(w, 2, flag.bytes, flag.length);
	write_text(w, 3, a->group ? a->group : "");
	proto_end(w, mount);
	size_t mode = proto_begin(w, 3);
	proto_write_number(w, 1, a->access_mode ? a->access_mode : CSI_SINGLE_NODE_WRITER);
	proto_end(w, mode);
	proto_end(w, capability);
}

static inline struct text write_request(struct proto_writer *w, const struct asking *a)
{
	char id[VOLUME_ID_BYTES];

	volume_id(UID, "scratch", id);
	write_text(w, 1, a->id ? a->id : id);
	write_text(w, 4, a->target ? a->target : TARGET);
	if (!a->no_capability)
		write_capability(w, a);
	proto_write_number(w, 6, a->read_only);
	write_text(w, 7, "\x0a\x05token\x12\x06s3cret");
	write_pairs(w, a->attributes ? a->attributes : "type=scratch");
	write_pairs(w, a->pod ? a->pod : "csi.storage.k8s.io/pod.name=exec-1\ncsi.storage.k8s.io/pod.namespace=team-a\ncsi.storage.k8s.io/pod.uid=" UID
					 "\ncsi.storage.k8s.io/ephemeral=true\ncsi.storage.k8s.io/serviceAccount.name=spark");
	assert_false(w->overflow);
	return (struct text){(const char *)w->bytes, (uint32_t)w->length};
}
