/* The CSI node service without sockets: what a pod may ask for, what is asked of stokerd, and what becomes of the answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/csi.h"
#include "shim/csi_attributes.h"
#include "shim/csi_code.h"
#include "shim/csi_target.h"
#include "shim/text.h"

#define KUBELET "/var/lib/kubelet"
#define UID	"3f1c9a2e-5b77-4c1d-9e0f-aa0000000001"
#define TARGET	KUBELET "/pods/" UID "/volumes/kubernetes.io~csi/scratch/mount"

/* --- a request, as the kubelet writes it --- */

struct asking {
	const char *id, *target; /* NULL: as they should be */
	const char *attributes;	 /* "key=value\n…": volumeAttributes */
	const char *pod;	 /* the same, of the kubelet; NULL: as it should be */
	const char *flags, *fs_type, *group;
	uint64_t access_mode; /* 0: SINGLE_NODE_WRITER */
	bool no_capability, block, read_only;
};

static void write_pairs(struct proto_writer *w, const char *lines)
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

static void write_text(struct proto_writer *w, uint32_t number, const char *text)
{
	proto_write_text(w, number, text, strlen(text));
}

static void write_capability(struct proto_writer *w, const struct asking *a)
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

static struct text write_request(struct proto_writer *w, const struct asking *a)
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

static int take(const struct asking *a, struct volume *ret, struct err *e)
{
	static unsigned char bytes[65536];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};
	struct csi_publish request;

	assert_int_equal(csi_decode_publish(write_request(&w, a), &request), 0);
	return csi_volume(&request, KUBELET, ret, e);
}

/* --- attributes --- */

static struct volume taken(const char *attributes)
{
	const struct asking asking = {.attributes = attributes};
	struct volume volume = {0};
	struct err e = {0};

	if (take(&asking, &volume, &e) < 0)
		fail_msg("'%s': %s", attributes, e.text);
	return volume;
}

static void test_what_a_pod_may_ask_for(void **unused)
{
	(void)unused;
	struct volume v = taken("type=scratch");
	assert_int_equal(v.type, VOLUME_SCRATCH);
	assert_true(v.size_bytes == 0 && v.inodes == 0 && v.mode == 01777 && v.uid == UINT32_MAX && v.gid == UINT32_MAX && v.huge == VOLUME_HUGE_NEVER && !v.noswap && !v.read_only);
	assert_true(v.at.place == VOLUME_AT_CSI && strcmp(v.at.pod_uid, UID) == 0 && strcmp(v.at.name, "scratch") == 0);
	assert_true(strcmp(v.name_space, "team-a") == 0 && strcmp(v.pod, "exec-1") == 0);
	v = taken("size=2Gi\ninodes=5000\nmode=0750\nuid=185\ngid=0\nhuge=within_size\nnoswap=true\ntype=scratch");
	assert_true(v.size_bytes == 2ULL << 30 && v.inodes == 5000 && v.mode == 0750 && v.uid == 185 && v.gid == 0 && v.huge == VOLUME_HUGE_WITHIN_SIZE && v.noswap);
	v = taken("type=scratch\nuid=185");
	assert_int_equal(v.mode, 0770);
	v = taken("type=disk\nsize=1Ti\ndisk=nvme0");
	assert_true(v.type == VOLUME_DISK && v.size_bytes == 1ULL << 40 && strcmp(v.source_name, "nvme0") == 0);
	v = taken("type=checkpoint\ncheckpoint=stream\npath=jobs/orders");
	assert_true(v.type == VOLUME_CHECKPOINT && strcmp(v.source_name, "stream") == 0 && strcmp(v.sub_path, "jobs/orders") == 0 && v.mode == 0);
}

static void test_sizes_are_those_of_kubernetes(void **unused)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} row[] = {{"1048576", 1 << 20}, {"1024Ki", 1 << 20}, {"5Mi", 5 << 20}, {"2000k", 2000000}, {"7M", 7000000}, {"3G", 3000000000}, {"1T", 1000000000000}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char attributes[64];
		snprintf(attributes, sizeof(attributes), "type=scratch\nsize=%s", row[i].text);
		assert_int_equal(taken(attributes).size_bytes, row[i].bytes);
	}
}

#define SIZE_RULE "size: must be a whole number of bytes with a unit of Kubernetes: Ki, Mi, Gi, Ti, k, M, G, T or none, not '"
#define MODE_RULE "mode: must be octal from 0 to 1777, not '"
#define NO_SUCH	  ": no such attribute; there are: type, size, inodes, mode, uid, gid, huge, noswap, disk, checkpoint, path"
#define PATH_RULE "target_path: must be " KUBELET "/pods/UID/volumes/kubernetes.io~csi/NAME/mount"

static const struct {
	struct asking asking;
	int code;
	const char *words;
} refused_rows[] = {
	{{.attributes = "size=1Gi"}, EINVAL, "type: must be given: scratch, disk or checkpoint"},
	{{.attributes = "type=tmpfs"}, EINVAL, "type: must be scratch, disk or checkpoint, not 'tmpfs'"},
	{{.attributes = "type=none"}, EINVAL, "type: must be scratch, disk or checkpoint, not 'none'"},
	{{.attributes = "type=scratch\nsizeLimit=1Gi"}, EINVAL, "sizeLimit" NO_SUCH},
	{{.attributes = "type=scratch\nSize=1Gi"}, EINVAL, "Size" NO_SUCH},
	{{.attributes = "type=scratch\n=1Gi"}, EINVAL, NO_SUCH},
	{{.attributes = "type=scratch\nsize=1Gi\nsize=2Gi"}, EINVAL, "size: given twice"},
	{{.attributes = "type=scratch\nsize=512m"}, EINVAL, SIZE_RULE "512m'"},
	{{.attributes = "type=scratch\nsize=1GB"}, EINVAL, SIZE_RULE "1GB'"},
	{{.attributes = "type=scratch\nsize=1.5Gi"}, EINVAL, SIZE_RULE "1.5Gi'"},
	{{.attributes = "type=scratch\nsize=-1Gi"}, EINVAL, SIZE_RULE "-1Gi'"},
	{{.attributes = "type=scratch\nsize="}, EINVAL, SIZE_RULE "'"},
	{{.attributes = "type=scratch\nsize=50%"}, EINVAL, SIZE_RULE "50%'"},
	{{.attributes = "type=scratch\nsize=\x1b[31m\xff"}, EINVAL, SIZE_RULE "?[31m?'"},
	{{.attributes = "type=scratch\nsize=0"}, EINVAL, "size: must be from 1Mi to 1Ti, not '0'"},
	{{.attributes = "type=scratch\nsize=1048575"}, EINVAL, "size: must be from 1Mi to 1Ti, not '1048575'"},
	{{.attributes = "type=scratch\nsize=2Ti"}, EINVAL, "size: must be from 1Mi to 1Ti, not '2Ti'"},
	{{.attributes = "type=scratch\nsize=999999999999999999Ti"}, EINVAL, "size: must be from 1Mi to 1Ti, not '999999999999999999Ti'"},
	{{.attributes = "type=scratch\nsize=18446744073709551617"}, EINVAL, SIZE_RULE "18446744073709551617'"},
	{{.attributes = "type=scratch\ninodes=15"}, EINVAL, "inodes: must be a whole number from 16 to 2147483648, not '15'"},
	{{.attributes = "type=scratch\ninodes=1k"}, EINVAL, "inodes: must be a whole number from 16 to 2147483648, not '1k'"},
	{{.attributes = "type=scratch\nmode=0800"}, EINVAL, MODE_RULE "0800'"},
	{{.attributes = "type=scratch\nmode=2770"}, EINVAL, MODE_RULE "2770'"},
	{{.attributes = "type=scratch\nmode=rwx"}, EINVAL, MODE_RULE "rwx'"},
	{{.attributes = "type=scratch\nuid=-1"}, EINVAL, "uid: must be a whole number from 0 to 4294967294, not '-1'"},
	{{.attributes = "type=scratch\ngid=4294967295"}, EINVAL, "gid: must be a whole number from 0 to 4294967294, not '4294967295'"},
	{{.attributes = "type=scratch\nhuge=yes"}, EINVAL, "huge: must be never, always, within_size or advise, not 'yes'"},
	{{.attributes = "type=scratch\nnoswap=1"}, EINVAL, "noswap: must be true or false, not '1'"},
	{{.attributes = "type=scratch\ndisk=nvme0"}, EINVAL, "disk: not for type: scratch"},
	{{.attributes = "type=disk\nsize=1Gi\nhuge=never"}, EINVAL, "huge: not for type: disk"},
	{{.attributes = "type=checkpoint\nsize=1Gi"}, EINVAL, "size: not for type: checkpoint"},
	{{.attributes = "type=disk"}, EINVAL, "size: must be given for type: disk"},
	{{.attributes = "type=checkpoint\npath=../other"}, EINVAL, "path: must be a relative path without '.', '..' and '//', not '../other'"},
	{{.attributes = "type=checkpoint\npath=a/../../b"}, EINVAL, "path: must be a relative path without '.', '..' and '//', not 'a/../../b'"},
	{{.attributes = "type=checkpoint\npath=/etc"}, EINVAL, "path: must be a relative path without '.', '..' and '//', not '/etc'"},
	{{.attributes = "type=checkpoint\npath=a/"}, EINVAL, "path: must not end with '/', not 'a/'"},
	{{.attributes = "type=checkpoint\npath=a\tb"}, EINVAL, "path: must be a relative path of at most 159 bytes, without control characters, not 'a?b'"},
	{{.attributes = "type=checkpoint\nserver=10.0.0.1"}, EINVAL, "server" NO_SUCH},
	{{.attributes = "type=checkpoint\ncheckpoint=a name that is longer than any name can be"}, EINVAL,
	 "checkpoint: must be a name of the node's configuration, of at most 31 bytes, not 'a name that is longer than any name can be'"},
	/* the capability */
	{{.no_capability = true}, EINVAL, "volume_capability: must be given"},
	{{.block = true}, ENOTSUP, "volume_capability: a block device cannot be had, only a mount"},
	{{.access_mode = 99}, EINVAL, "volume_capability: mount and a known access_mode must be given"},
	{{.access_mode = CSI_MULTI_NODE_MULTI_WRITER}, ENOTSUP, "access_mode: type: scratch is of one node only"},
	{{.fs_type = "ext4"}, EINVAL, "fsType: must not be given: the type says it"},
	{{.flags = "nodev,dev"}, EINVAL, "mount_flags: 'dev' is not allowed; there are: ro, rw, nodev, nosuid"},
	{{.flags = "suid"}, EINVAL, "mount_flags: 'suid' is not allowed; there are: ro, rw, nodev, nosuid"},
	{{.flags = "context=system_u:object_r:x_t:s0"}, EINVAL, "mount_flags: 'context=system_u:object_r:x_t:s0' is not allowed; there are: ro, rw, nodev, nosuid"},
	{{.flags = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}, EINVAL, "volume_context: at most 64 attributes and 16 mount flags"},
	{{.read_only = true}, EINVAL, "readOnly: only a checkpoint can be read-only: it would stay empty"},
	{{.group = "wheel"}, EINVAL, "volume_mount_group: must be a whole number from 0 to 4294967294"},
	/* the pod */
	{{.id = ""}, EINVAL, "volume_id: must be given"},
	{{.target = ""}, EINVAL, "target_path: must be given"},
	{{.id = "csi-0000000000000000000000000000000000000000000000000000000000000000"}, EINVAL, "volume_id: is not that of the pod and the name in target_path"},
	{{.target = KUBELET "/pods/" UID "/volumes/kubernetes.io~csi/other/mount"}, EINVAL, "volume_id: is not that of the pod and the name in target_path"},
	{{.target = KUBELET "/pods/" UID "/volumes/kubernetes.io~csi/../mount"}, EINVAL, PATH_RULE},
	{{.target = KUBELET "/pods/../volumes/kubernetes.io~csi/scratch/mount"}, EINVAL, PATH_RULE},
	{{.target = TARGET "/"}, EINVAL, PATH_RULE},
	{{.target = TARGET "/.."}, EINVAL, PATH_RULE},
	{{.target = "/etc"}, EINVAL, PATH_RULE},
	{{.target = KUBELET}, EINVAL, PATH_RULE},
	{{.target = KUBELET "/pods/" UID "/volumes/kubernetes.io~csi/scratch/target"}, EINVAL, PATH_RULE},
	{{.target = KUBELET "/pods/" UID "/volumes/kubernetes.io~nfs/scratch/mount"}, EINVAL, PATH_RULE},
	{{.pod = "csi.storage.k8s.io/ephemeral=true"}, EINVAL, "csi.storage.k8s.io/pod.name and pod.namespace must be given: the CSIDriver object needs podInfoOnMount: true"},
	{{.pod = "csi.storage.k8s.io/pod.name=a\ncsi.storage.k8s.io/pod.namespace=b"}, ENOTSUP, "only inline volumes of a pod can be had: csi.storage.k8s.io/ephemeral must be true"},
	{{.pod = "csi.storage.k8s.io/ephemeral=true\ncsi.storage.k8s.io/pod.uid=3f1c9a2e"}, EINVAL, "csi.storage.k8s.io/pod.uid: must be the UID in target_path, not '3f1c9a2e'"},
	{{.pod = "csi.storage.k8s.io/ephemeral=true\ncsi.storage.k8s.io/pod.name=a\ncsi.storage.k8s.io/pod.namespace=../b"}, EINVAL, "volume: namespace and pod must be names"},
};

static void test_what_is_refused_is_named(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(refused_rows); i++) {
		struct volume volume = {.type = 77};
		struct err e = {0};
		if (take(&refused_rows[i].asking, &volume, &e) == 0)
			fail_msg("row %zu was taken: %s", i, refused_rows[i].words);
		assert_string_equal(e.text, refused_rows[i].words);
		assert_int_equal(e.code, refused_rows[i].code);
		assert_int_equal(volume.type, 77);
	}
}

static void test_what_the_kubelet_adds_counts(void **unused)
{
	const struct asking group = {.group = "1000", .attributes = "type=scratch"}, both = {.group = "1000", .attributes = "type=scratch\ngid=185"},
			    read_only = {.read_only = true, .attributes = "type=checkpoint"}, flag = {.flags = "ro,nosuid", .attributes = "type=checkpoint"},
			    shared = {.access_mode = CSI_MULTI_NODE_MULTI_WRITER, .attributes = "type=checkpoint", .group = "1000"},
			    unknown = {.attributes = "type=scratch\ncsi.storage.k8s.io/of.the.future=x"};
	struct volume v;

	(void)unused;
	assert_int_equal(take(&group, &v, NULL), 0);
	assert_true(v.gid == 1000 && v.uid == UINT32_MAX && v.mode == 0770);
	assert_int_equal(take(&both, &v, NULL), 0);
	assert_int_equal(v.gid, 185);
	assert_int_equal(take(&read_only, &v, NULL), 0);
	assert_true(v.read_only);
	assert_int_equal(take(&flag, &v, NULL), 0);
	assert_true(v.read_only);
	assert_int_equal(take(&shared, &v, NULL), 0);
	assert_true(!v.read_only && v.gid == UINT32_MAX);
	assert_int_equal(take(&unknown, &v, NULL), 0);
}

static void test_broken_messages_are_not_taken(void **unused)
{
	static const char *const broken[] = {"\x0a\x05xyz", "\x2a\x04\x12\x02\x0a\x7f", "\x2a\x03\x1a\x01\x08", "\x42\x02\x0a\x05", "\x0b", "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"};
	struct csi_publish request;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		assert_int_equal(csi_decode_publish(text_of(broken[i]), &request), -EBADMSG);
}

/* --- the service --- */

struct stage {
	struct csi csi;
	struct {
		enum wire_type type;
		uint64_t id;
		struct wire_volume volume;
		struct wire_csi_registered registered;
	} asked[CSI_FLIGHTS_MAX + 1];
	size_t asked_count;
	bool deaf; /* stokerd does not read */
	struct {
		struct grpc_call call;
		enum grpc_code code;
		char text[256];
		unsigned char payload[1024];
		size_t length;
	} answers[CSI_FLIGHTS_MAX + 8];
	size_t answer_count;
	int32_t next_stream;
	uint64_t now_us;
};

static bool on_ask(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length)
{
	struct stage *s = owner;

	if (s->deaf)
		return false;
	assert_true(s->asked_count < ARRAY_SIZE(s->asked));
	s->asked[s->asked_count].type = type;
	s->asked[s->asked_count].id = id;
	memcpy(type == WIRE_CSI_REGISTERED ? (void *)&s->asked[s->asked_count].registered : (void *)&s->asked[s->asked_count].volume, payload, length);
	s->asked_count++;
	return true;
}

static void on_answer(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	struct stage *s = owner;

	assert_true(s->answer_count < ARRAY_SIZE(s->answers) && length <= sizeof(s->answers[0].payload));
	s->answers[s->answer_count].call = *call;
	s->answers[s->answer_count].code = code;
	str_copy(s->answers[s->answer_count].text, sizeof(s->answers[0].text), text ? text : "");
	if (length > 0)
		memcpy(s->answers[s->answer_count].payload, payload, length);
	s->answers[s->answer_count++].length = length;
}

static struct record *record_of(uint16_t type, uint64_t id, const void *payload, size_t length)
{
	static struct record record;

	record = (struct record){.header = {RECORD_VERSION, type, (uint32_t)length, id}, .fd = -1};
	memcpy(record.payload, payload, length);
	return &record;
}

static struct stage *new_stage(void)
{
	static const struct csi_ops ops = {on_ask, on_answer};
	const struct wire_csi_config config = {.node = "node-7", .kubelet_root = KUBELET};
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	csi_open(&s->csi, &ops, s);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_CONFIG, 0, &config, sizeof(config)), s->now_us));
	s->now_us = 1;
	return s;
}

static void call(struct stage *s, uint32_t service, const char *path, struct text message)
{
	const struct grpc_call call = {.connection = 1, .stream = ++s->next_stream, .service = service};

	csi_call(&s->csi, &call, path, message, s->now_us);
}

static void publish(struct stage *s, const struct asking *asking)
{
	static unsigned char bytes[65536];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};

	call(s, CSI_SERVICE_NODE, "/csi.v1.Node/NodePublishVolume", write_request(&w, asking));
}

static void call_named(struct stage *s, const char *path, const char *id, const char *where)
{
	unsigned char bytes[1024];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};
	char own[VOLUME_ID_BYTES];

	volume_id(UID, "scratch", own);
	write_text(&w, 1, id ? id : own);
	write_text(&w, 2, where);
	call(s, CSI_SERVICE_NODE, path, (struct text){(const char *)bytes, (uint32_t)w.length});
}

static void answer_result(struct stage *s, uint64_t id, int errnum, const char *text)
{
	struct volume_result result = {.errnum = errnum, .step = VOLUME_PLACE};

	str_copy(result.text, sizeof(result.text), text);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_RESULT, id, &result, sizeof(result)), s->now_us));
}

static void assert_last(const struct stage *s, enum grpc_code code, const char *text)
{
	assert_true(s->answer_count > 0);
	assert_string_equal(s->answers[s->answer_count - 1].text, text);
	assert_int_equal(s->answers[s->answer_count - 1].code, code);
}

static void test_a_publish_is_answered_when_stokerd_has(void **unused)
{
	static const struct {
		int errnum;
		const char *text;
		enum grpc_code code;
		const char *words;
	} row[] = {
		{0, "", GRPC_OK, ""},
		{EINVAL, "size: at most volumes.scratch.max (8Gi)", GRPC_INVALID_ARGUMENT, "size: at most volumes.scratch.max (8Gi)"},
		{EPERM, "checkpoint stream is not for namespace team-a", GRPC_PERMISSION_DENIED, "checkpoint stream is not for namespace team-a"},
		{EEXIST, "", GRPC_ALREADY_EXISTS, "place: File exists"},
		{EBUSY, "somebody else's mount", GRPC_FAILED_PRECONDITION, "somebody else's mount"},
		{ENOSPC, "", GRPC_RESOURCE_EXHAUSTED, "place: No space left on device"},
		{ETIMEDOUT, "", GRPC_DEADLINE_EXCEEDED, "place: Connection timed out"},
		{EALREADY, "", GRPC_ABORTED, "place: Operation already in progress"},
		{ENOTCONN, "the broker is missing", GRPC_UNAVAILABLE, "the broker is missing"},
		{ENOENT, "", GRPC_NOT_FOUND, "place: No such file or directory"},
		{EIO, "", GRPC_INTERNAL, "place: Input/output error"},
		{9999, "?", GRPC_INTERNAL, "?"},
	};
	const struct asking asking = {.attributes = "type=scratch\nsize=1Gi"};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct stage *s = new_stage();
		publish(s, &asking);
		assert_int_equal(s->answer_count, 0);
		assert_int_equal(s->asked_count, 1);
		assert_true(s->asked[0].type == WIRE_CSI_PUBLISH && s->asked[0].volume.volume.size_bytes == 1 << 30);
		answer_result(s, s->asked[0].id, row[i].errnum, row[i].text);
		assert_last(s, row[i].code, row[i].words);
		assert_int_equal(s->answers[0].call.stream, 1);
		assert_int_equal(s->csi.counts.calls_total[WIRE_CSI_CALL_PUBLISH], 1);
		assert_int_equal(s->csi.counts.failed_total[WIRE_CSI_CALL_PUBLISH], row[i].errnum != 0);
		answer_result(s, s->asked[0].id, 0, ""); /* once only */
		assert_int_equal(s->answer_count, 1);
		free(s);
	}
}

static void test_one_change_of_a_volume_at_a_time(void **unused)
{
	const struct asking asking = {0};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	publish(s, &asking);
	assert_last(s, GRPC_ABORTED, "a call about this volume is under way");
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_last(s, GRPC_ABORTED, "a call about this volume is under way");
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET); /* figures do not wait */
	assert_int_equal(s->asked_count, 2);
	answer_result(s, s->asked[0].id, 0, "");
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_int_equal(s->asked_count, 3);
	assert_int_equal(s->asked[2].type, WIRE_CSI_UNPUBLISH);
	/* an answer that never came does not block the volume for ever */
	s->now_us += CSI_FLIGHT_US;
	publish(s, &asking);
	assert_int_equal(s->asked_count, 4);
	free(s);
}

static void test_calls_under_way_are_bounded(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	for (size_t i = 0; i < CSI_FLIGHTS_MAX + 1; i++)
		call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_int_equal(s->asked_count, CSI_FLIGHTS_MAX);
	assert_last(s, GRPC_UNAVAILABLE, "too many calls are under way; try again");
	s->deaf = true;
	answer_result(s, s->asked[0].id, ENOENT, "gone");
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_last(s, GRPC_UNAVAILABLE, "stokerd does not read; try again");
	free(s);
}

static void test_what_names_no_volume_of_ours(void **unused)
{
	static const struct {
		const char *method, *id, *path;
		enum grpc_code code;
	} row[] = {
		{"/csi.v1.Node/NodeUnpublishVolume", "", TARGET, GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", NULL, "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", NULL, "/etc", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeUnpublishVolume", "other", TARGET, GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeStats", "", TARGET, GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeStats", NULL, "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeStats", NULL, "some/path", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeStats", "other", TARGET, GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeHealth", "", "", GRPC_INVALID_ARGUMENT},
		{"/csi.v1.Node/NodeGetVolumeHealth", NULL, "", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeGetVolumeHealth", NULL, "/etc", GRPC_NOT_FOUND},
		{"/csi.v1.Node/NodeStageVolume", NULL, TARGET, GRPC_UNIMPLEMENTED},
		{"/csi.v1.Controller/CreateVolume", NULL, TARGET, GRPC_UNIMPLEMENTED},
		{"/pluginregistration.Registration/GetInfo", NULL, TARGET, GRPC_UNIMPLEMENTED}, /* on the other socket only */
		{"", NULL, TARGET, GRPC_UNIMPLEMENTED},
	};
	struct stage *s = new_stage();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		call_named(s, row[i].method, row[i].id, row[i].path);
		assert_int_equal(s->answer_count, i + 1);
		if (s->answers[i].code != row[i].code)
			fail_msg("row %zu: %s %s", i, grpc_code_name(s->answers[i].code), s->answers[i].text);
		assert_true(*s->answers[i].text);
	}
	assert_int_equal(s->asked_count, 0);
	free(s);
}

static void test_figures_and_health(void **unused)
{
	struct wire_volume_stats stats = {.known = 1, .figures = {.bytes_total = 100, .bytes_used = 60, .bytes_available = 40, .inodes_total = 10, .inodes_used = 4, .inodes_free = 6}};
	struct stage *s = new_stage();

	(void)unused;
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[0].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_OK, "");
	static const unsigned char usage[] = {0x0a, 8, 8, 40, 16, 100, 24, 60, 32, 1, 0x0a, 8, 8, 6, 16, 10, 24, 4, 32, 2, 0x12, 0};
	assert_int_equal(s->answers[0].length, sizeof(usage));
	assert_memory_equal(s->answers[0].payload, usage, sizeof(usage));

	str_copy(stats.message, sizeof(stats.message), "StaleHandle: gone");
	stats.abnormal = 1;
	call_named(s, "/csi.v1.Node/NodeGetVolumeHealth", NULL, ""); /* the id alone: it was asked about */
	assert_int_equal(s->asked_count, 2);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[1].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_OK, "");
	assert_non_null(memmem(s->answers[1].payload, s->answers[1].length, "\x08\x02\x12\x0bStaleHandle\x1a\x11StaleHandle: gone", 34));

	stats.known = 0;
	call_named(s, "/csi.v1.Node/NodeGetVolumeStats", NULL, TARGET);
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[2].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_NOT_FOUND, "no volume of ours is mounted there");
	free(s);
}

static void tell_figures(struct stage *s, uint32_t known, uint64_t bytes_used)
{
	struct wire_volume_stats told = {.at.place = VOLUME_AT_CSI, .known = known, .figures = {.bytes_total = 100, .bytes_used = bytes_used, .bytes_available = 100 - bytes_used}};

	str_copy(told.at.pod_uid, sizeof(told.at.pod_uid), UID);
	str_copy(told.at.name, sizeof(told.at.name), "scratch");
	assert_true(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, &told, sizeof(told)), s->now_us));
}

static void test_figures_that_were_told_are_not_asked_for(void **unused)
{
	static const char stats[] = "/csi.v1.Node/NodeGetVolumeStats";
	const struct asking asking = {0};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	answer_result(s, s->asked[0].id, 0, "");
	call_named(s, stats, NULL, TARGET); /* of a checkpoint nothing is told, of another not yet */
	assert_int_equal(s->asked_count, 2);
	assert_int_equal(s->answer_count, 1);
	for (uint64_t used = 1; used < 4; used++) {
		tell_figures(s, 1, used);
		call_named(s, stats, NULL, TARGET);
		s->now_us += CSI_FRESH_US + 1;
		call_named(s, stats, NULL, TARGET);
		assert_last(s, GRPC_OK, "");
		const unsigned char usage[] = {0x0a, 8, 8, (unsigned char)(100 - used), 16, 100, 24, (unsigned char)used, 32, 1, 0x12, 0};
		assert_memory_equal(s->answers[s->answer_count - 1].payload, usage, sizeof(usage));
		assert_int_equal(s->asked_count, 2 + used);
		assert_int_equal(s->asked[s->asked_count - 1].type, WIRE_CSI_ASKED); /* no sooner: so that they are measured anew */
		assert_int_equal(s->asked[s->asked_count - 1].id, 0);
	}
	/* whoever unmounted it */
	tell_figures(s, 0, 0);
	call_named(s, stats, NULL, TARGET);
	assert_int_equal(s->asked[5].type, WIRE_CSI_GET_STATS);
	tell_figures(s, 1, 7);
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	answer_result(s, s->asked[6].id, 0, "");
	call_named(s, stats, NULL, TARGET);
	assert_int_equal(s->asked[7].type, WIRE_CSI_GET_STATS);
	/* a place that is none */
	struct wire_volume_stats odd = {.known = 1};
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, &odd, sizeof(odd)), s->now_us));
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_FIGURES, 0, "", 1), s->now_us));
	free(s);
}

static void test_an_answer_that_is_none_answers_all_the_same(void **unused)
{
	const struct asking asking = {0};
	const struct wire_volume_stats stats = {.known = 1};
	struct stage *s = new_stage();

	(void)unused;
	publish(s, &asking);
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_STATS, s->asked[0].id, &stats, sizeof(stats)), s->now_us));
	assert_last(s, GRPC_INTERNAL, "stokerd's answer is not understood");
	publish(s, &asking);
	assert_int_equal(s->asked_count, 2);
	assert_false(csi_take(&s->csi, record_of(WIRE_CSI_RESULT, s->asked[1].id, "", 1), s->now_us));
	assert_last(s, GRPC_INTERNAL, "stokerd's answer is not understood");
	assert_false(csi_take(&s->csi, record_of(WIRE_HEALTH_PART, 0, "", 1), s->now_us));
	free(s);
}

static void test_without_configuration_nothing_is_promised(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	s->csi.has_config = false;
	call(s, CSI_SERVICE_NODE, "/csi.v1.Identity/Probe", text_of(""));
	assert_memory_equal(s->answers[0].payload, "\x0a\0", 2); /* ready: false */
	call(s, CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetInfo", text_of(""));
	assert_int_equal(s->answers[1].code, GRPC_UNAVAILABLE);
	call_named(s, "/csi.v1.Node/NodeUnpublishVolume", NULL, TARGET);
	assert_int_equal(s->answers[2].code, GRPC_UNAVAILABLE);
	free(s);
}

static void test_registration(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/GetInfo", text_of(""));
	assert_last(s, GRPC_OK, "");
	assert_non_null(memmem(s->answers[0].payload, s->answers[0].length, KUBELET "/plugins/csi.stoker.dev/csi.sock", 48));
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/NotifyRegistrationStatus", text_of("\x12\x05no\x1b[m"));
	assert_true(s->asked[0].type == WIRE_CSI_REGISTERED && !s->asked[0].registered.registered);
	assert_string_equal(s->asked[0].registered.text, "no?[m");
	call(s, CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/NotifyRegistrationStatus", text_of("\x08\x01"));
	assert_true(s->asked[1].registered.registered);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_pod_may_ask_for),
		cmocka_unit_test(test_sizes_are_those_of_kubernetes),
		cmocka_unit_test(test_what_is_refused_is_named),
		cmocka_unit_test(test_what_the_kubelet_adds_counts),
		cmocka_unit_test(test_broken_messages_are_not_taken),
		cmocka_unit_test(test_a_publish_is_answered_when_stokerd_has),
		cmocka_unit_test(test_one_change_of_a_volume_at_a_time),
		cmocka_unit_test(test_calls_under_way_are_bounded),
		cmocka_unit_test(test_what_names_no_volume_of_ours),
		cmocka_unit_test(test_figures_and_health),
		cmocka_unit_test(test_figures_that_were_told_are_not_asked_for),
		cmocka_unit_test(test_an_answer_that_is_none_answers_all_the_same),
		cmocka_unit_test(test_without_configuration_nothing_is_promised),
		cmocka_unit_test(test_registration),
	};

	return cmocka_run_group_tests_name("csi", tests, NULL, NULL);
}
