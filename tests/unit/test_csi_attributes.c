/* What a pod may ask for in a volume of csi.stoker.dev, and how everything else is refused. */
#include "tests/unit/csi_request.h"

#include <errno.h>
#include <stdio.h>

#include "base/scoped.h"
#include "shim/csi_attributes.h"

static int take(const struct asking *a, struct volume *ret, struct err *e)
{
	static unsigned char bytes[65536];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};
	struct csi_publish request;

	assert_int_equal(csi_decode_publish(write_request(&w, a), &request), 0);
	return csi_volume(&request, KUBELET, ret, e);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_pod_may_ask_for),
		cmocka_unit_test(test_sizes_are_those_of_kubernetes),
		cmocka_unit_test(test_what_is_refused_is_named),
		cmocka_unit_test(test_what_the_kubelet_adds_counts),
		cmocka_unit_test(test_broken_messages_are_not_taken),
	};

	return cmocka_run_group_tests_name("csi_attributes", tests, NULL, NULL);
}
