/* Who may have which volume, how large it is, and what the mount table tells of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/volumes.h"
#include "shim/plan_mount.h"

#define MIB (1ULL << 20)
#define UID "3f1c9a2e-5b77-4c1d-9e0f-aa0000000001"

static struct config *rules(void)
{
	struct config *c = calloc(1, sizeof(*c));
	static const char text[] = "kubeletRoot: /k\n"
				   "volumes:\n"
				   "  capTmpfs: true\n"
				   "  scratch: {max: 64Mi, withoutLimit: 32Mi, reserve: 16Mi, inodes: 500}\n"
				   "  disks:\n"
				   "  - {name: nvme0, path: /d0, namespaces: [team-*]}\n"
				   "  - {name: nvme1, path: /d1, namespaces: [team-b]}\n"
				   "  checkpoints:\n"
				   "  - {name: other, server: server, export: /other, namespaces: [team-c]}\n"
				   "  - {name: streams, server: server, export: /x, namespaces: [team-c]}\n";
	struct err e = {0};

	assert_non_null(c);
	if (config_parse_on("node-1", text, strlen(text), c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static struct volume asked(uint32_t type, const char *name, uint64_t size_bytes)
{
	struct volume v = {.at.place = VOLUME_AT_CSI, .type = type, .size_bytes = size_bytes, .uid = UINT32_MAX, .gid = UINT32_MAX};

	str_copy(v.at.pod_uid, sizeof(v.at.pod_uid), UID);
	str_copy(v.at.name, sizeof(v.at.name), name);
	str_copy(v.name_space, sizeof(v.name_space), "team-a");
	return v;
}

static void test_who_may_have_what(void **unused)
{
	static const struct {
		const char *name_space, *source;
		uint32_t type;
		uint64_t size_bytes;
		int result;
		const char *words;
		uint64_t want;
	} row[] = {
		{"team-a", "", VOLUME_SCRATCH, 64 * MIB, 0, "", 64 * MIB},
		{"team-a", "", VOLUME_SCRATCH, 64 * MIB + 1, -EACCES, "volumes.scratch.max", 0},
		{"team-a", "", VOLUME_SCRATCH, 0, 0, "", 32 * MIB},
		{"team-a", "", VOLUME_DISK, MIB, 0, "", MIB}, /* the only one */
		{"team-a", "nvme0", VOLUME_DISK, MIB, 0, "", MIB},
		{"team-a", "nvme1", VOLUME_DISK, MIB, -EACCES, "not one that namespace 'team-a' may use", 0},
		{"team-a", "nvme9", VOLUME_DISK, MIB, -EACCES, "not one that namespace 'team-a' may use", 0},
		{"team-b", "", VOLUME_DISK, MIB, -EINVAL, "must be named, one of: nvme0, nvme1", 0},
		{"other", "nvme0", VOLUME_DISK, MIB, -EACCES, "may use no disk (volumes.disks[].namespaces)", 0},
		{"team-a", "", VOLUME_CHECKPOINT, 0, -EACCES, "may use no checkpoint", 0},
	};
	scoped(scoped_free) struct config *c = rules();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct volume v = asked(row[i].type, "scratch", row[i].size_bytes);
		const uint64_t digest = volume_digest(&v);
		struct err e = {0};
		str_copy(v.name_space, sizeof(v.name_space), row[i].name_space);
		str_copy(v.source_name, sizeof(v.source_name), row[i].source);
		if (volumes_admit(&c->volumes, &v, &e) != row[i].result || !strstr(e.text, row[i].words))
			fail_msg("row %zu: '%s'", i, e.text);
		if (row[i].result)
			continue;
		assert_int_equal(v.size_bytes, row[i].want);
		if (row[i].type == VOLUME_SCRATCH)
			assert_int_equal(volume_digest(&v), digest); /* what was filled in does not make it another volume */
	}
}

static void test_what_a_limit_leaves(void **unused)
{
	static const struct {
		uint64_t limit, pod_limit, heap, off_heap, want;
	} row[] = {
		{0, 0, 64, 0, 0}, /* no limit */
		{512, 0, 256, 64, 512 - 256 - 64 - 16},
		{512, 400, 256, 64, 400 - 256 - 64 - 16},
		{0, 400, 256, 0, 400 - 256 - 16},
		{400, 0, 0, 0, 300 - 16}, /* a heap that is not known */
		{256, 0, 256, 64, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct executor x = {.limit_bytes = row[i].limit * MIB, .pod_limit_bytes = row[i].pod_limit * MIB, .heap_bytes = row[i].heap * MIB,
					   .off_heap_bytes = row[i].off_heap * MIB};
		const uint64_t left = executor_memory_left(&x, 16 * MIB);
		if (left != (i == 0 ? UINT64_MAX : row[i].want * MIB))
			fail_msg("row %zu: %llu", i, (unsigned long long)left);
	}
}

static struct executor owner(uint64_t limit_mib)
{
	struct executor x = {.limit_bytes = limit_mib * MIB, .heap_bytes = 32 * MIB};

	str_copy(x.pod_uid, sizeof(x.pod_uid), UID);
	str_copy(x.container_id, sizeof(x.container_id), "c1");
	return x;
}

/* What is injected and what lies in volumes is one memory: whichever sizes were asked, the sum is what the limit leaves. */
static void test_an_injected_scratch_shares_the_limit(void **unused)
{
	static const struct {
		uint64_t limit, asked; /* MiB; 0 = without a size */
		unsigned volumes, sized;
		uint64_t injected; /* MiB */
	} row[] = {
		{560, 0, 0, 0, 512}, {560, 0, 1, 0, 256}, {560, 0, 3, 0, 128}, {560, 0, 2, 2, 170}, {560, 20, 1, 0, 20}, {560, 400, 1, 1, 256}, {560, 20, 3, 1, 20},
	};
	scoped(scoped_free) struct config *c = rules();

	(void)unused;
	c->volumes.scratch_max_bytes = 4096 * MIB;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct wire_nri_volumes policy = {.scratch_max_bytes = 4096 * MIB, .scratch_reserve_bytes = c->volumes.scratch_reserve_bytes};
		struct volumes table = {0};
		struct executor x = owner(row[i].limit);
		const uint64_t left = executor_memory_left(&x, c->volumes.scratch_reserve_bytes);
		struct volume ret;
		for (unsigned k = 0; k < row[i].volumes; k++) {
			const char name[] = {(char)('a' + k), '\0'};
			const struct volume v = asked(VOLUME_SCRATCH, name, k < row[i].sized ? 4096 * MIB : 32 * MIB);
			struct volumes_entry *entry = volumes_put(&table, &v);
			entry->made = true;
			entry->sized = k < row[i].sized;
		}
		assert_int_equal(volumes_scratch_of(&table, &c->volumes, UID), row[i].volumes);
		const uint64_t room = plan_scratch_room(&policy, &x, volumes_scratch_of(&table, &c->volumes, UID));
		x.injected_bytes = row[i].asked && row[i].asked * MIB < room ? row[i].asked * MIB : room;
		assert_int_equal(x.injected_bytes / MIB, row[i].injected);
		assert_true(volumes_own(&table, &x));
		uint64_t sum = x.injected_bytes;
		while (volumes_next_bound(&table, &c->volumes, UID, &ret)) {
			assert_int_equal(ret.size_bytes, (left - x.injected_bytes) / row[i].volumes / 4096 * 4096);
			sum += ret.size_bytes;
		}
		assert_true(sum <= left && sum + 4 * 4096 > left);
		volumes_drop(&table);
	}
}

/* Each only less than it was asked, but for one that nobody sized; together what the limit leaves. */
static void test_bounds(void **unused)
{
	scoped(scoped_free) struct config *c = rules();
	struct volumes table = {0};
	struct volume ret, free_one = asked(VOLUME_SCRATCH, "free", 32 * MIB), sized = asked(VOLUME_SCRATCH, "sized", 40 * MIB),
			    kubelets = asked(VOLUME_SCRATCH, "spark-local-dir-1", 48 * MIB), disk = asked(VOLUME_DISK, "disk", MIB);
	struct executor x = owner(162), sidecar = owner(100);
	unsigned count = 0;

	(void)unused;
	kubelets.at.place = VOLUME_AT_EMPTY_DIR;
	struct volume *all[] = {&free_one, &sized, &kubelets, &disk};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		volumes_put(&table, all[i])->made = true;
	volumes_find(&table, &sized.at)->sized = true;
	sidecar.sidecar = 1;
	assert_false(volumes_own(&table, &sidecar));
	assert_null(volumes_next_bound(&table, &c->volumes, UID, &ret)); /* nobody's yet */
	assert_true(volumes_own(&table, &x));
	while (volumes_next_bound(&table, &c->volumes, UID, &ret)) {
		assert_int_equal(ret.size_bytes, 38 * MIB); /* 162 - 32 - 16, for three */
		assert_int_equal(ret.inodes, 500);
		count++;
	}
	assert_int_equal(count, 3);
	const struct volume_result done = {.size_bytes = 38 * MIB};
	for (size_t i = 0; i < 3; i++)
		volumes_result(volumes_find(&table, &all[i]->at), &done, 1);
	assert_null(volumes_next_bound(&table, &c->volumes, UID, &ret)); /* once */
	/* … unless it reached nobody: the broker was away */
	struct volumes_entry *unheard = volumes_find(&table, &sized.at);
	assert_false(volumes_bound_again(unheard));
	unheard->volume.size_bytes = 40 * MIB;
	unheard->bound_again = true;
	assert_null(volumes_next_bound(&table, &c->volumes, UID, &ret)); /* not before somebody looks again */
	assert_true(volumes_bound_again(unheard));
	assert_ptr_equal(volumes_next_bound(&table, &c->volumes, UID, &ret), unheard);
	assert_int_equal(ret.size_bytes, 38 * MIB);
	assert_false(volumes_bound_again(unheard));
	/* the next container of the pod may have more: only what nobody sized grows */
	x = owner(232);
	volumes_own(&table, &x);
	assert_non_null(volumes_next_bound(&table, &c->volumes, UID, &ret));
	assert_string_equal(ret.at.name, "free");
	assert_int_equal(ret.size_bytes, (232 - 48) * MIB / 3 / 4096 * 4096);
	assert_null(volumes_next_bound(&table, &c->volumes, UID, &ret));
	volumes_drop(&table);
}

static struct mount mount_at(const char *point, const char *type, const char *source, const char *options)
{
	return (struct mount){.id = 1, .mount_point = point, .root = "/", .type = type, .source = source, .super_options = options};
}

#define PODS "/k/pods/" UID "/volumes/"
static void test_what_the_mount_table_tells(void **unused)
{
	static const struct {
		const char *point, *type, *source, *options;
		uint32_t place; /* 0 = not ours */
		const char *name;
		uint64_t size_bytes;
	} row[] = {
		{PODS "kubernetes.io~csi/a/mount", "tmpfs", "stoker-0123456789abcdef", "rw,size=16384k,nr_inodes=64,mode=770", VOLUME_AT_CSI, "a", 16 * MIB},
		{PODS "kubernetes.io~csi/a/mount", "tmpfs", "tmpfs", "rw,size=16384k", 0, "", 0}, /* another driver's */
		{PODS "kubernetes.io~csi/a/mount/b", "tmpfs", "stoker-0123456789abcdef", "rw", 0, "", 0},
		{PODS "kubernetes.io~csi/a", "tmpfs", "stoker-0123456789abcdef", "rw", 0, "", 0},
		{PODS "kubernetes.io~csi/a/mount", "nfs4", "server:/x", "rw", VOLUME_AT_CSI, "a", 0},
		{PODS "kubernetes.io~csi/a/mount", "nfs4", "server:/x/orders", "rw", VOLUME_AT_CSI, "a", 0},
		{PODS "kubernetes.io~csi/a/mount", "nfs4", "server:/xy", "rw", 0, "", 0}, /* another driver's */
		{PODS "kubernetes.io~empty-dir/spark-local-dir-1", "tmpfs", "tmpfs", "rw,size=1g", VOLUME_AT_EMPTY_DIR, "spark-local-dir-1", 1024 * MIB},
		{PODS "kubernetes.io~empty-dir/dshm", "tmpfs", "tmpfs", "rw", 0, "", 0},
		{PODS "kubernetes.io~empty-dir/spark-local-dir-1", "ext4", "/dev/sda1", "rw", 0, "", 0},
		{"/var/lib/kubelet/pods/" UID "/volumes/kubernetes.io~csi/a/mount", "tmpfs", "stoker-0123456789abcdef", "rw", 0, "", 0}, /* not our kubelet */
	};
	scoped(scoped_free) struct config *c = rules();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct mount m = mount_at(row[i].point, row[i].type, row[i].source, row[i].options);
		struct volume v = {0};
		const bool ours = volumes_of_mount(c, &m, &v);
		if (ours != (row[i].place != 0))
			fail_msg("row %zu", i);
		if (!ours)
			continue;
		assert_int_equal(v.at.place, row[i].place);
		assert_string_equal(v.at.pod_uid, UID);
		assert_string_equal(v.at.name, row[i].name);
		assert_int_equal(v.size_bytes, row[i].size_bytes);
		if (v.type == VOLUME_CHECKPOINT)
			assert_string_equal(v.source_name, "streams");
	}
}

static void test_the_fullest_of_a_pod(void **unused)
{
	static const struct {
		const char *name;
		uint32_t type;
		uint64_t total, left, measured_us;
	} row[] = {{"a", VOLUME_SCRATCH, 64, 32, 1}, {"b", VOLUME_DISK, 100, 10, 1}, {"c", VOLUME_SCRATCH, 64, 1, 0}, {"d", VOLUME_CHECKPOINT, 10, 0, 1}};
	struct volumes table = {0};

	(void)unused;
	assert_null(volumes_fullest(&table, UID));
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct volume v = asked(row[i].type, row[i].name, 0);
		struct volumes_entry *entry = volumes_put(&table, &v);
		entry->total_bytes = row[i].total;
		entry->free_bytes = row[i].left;
		entry->measured_us = row[i].measured_us;
	}
	assert_string_equal(volumes_fullest(&table, UID)->volume.at.name, "b");
	assert_null(volumes_fullest(&table, "another"));
	volumes_drop(&table);
}

/* A restarted stokerd learns what there is; what is unmounted by somebody else is forgotten; what is being made is not. */
static void test_who_tells_of_pods_tells_of_each_once(void **unused)
{
	static const struct {
		const char *pod_uid, *name;
		uint32_t type;
		bool first;
	} row[] = {
		{"a", "disk", VOLUME_DISK, false}, {"a", "one", VOLUME_SCRATCH, true}, {"b", "one", VOLUME_SCRATCH, true}, {"a", "two", VOLUME_SCRATCH, false}, {"c", "streams", VOLUME_CHECKPOINT, false},
	};
	struct volumes volumes = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct volume v = asked(row[i].type, row[i].name, MIB);
		str_copy(v.at.pod_uid, sizeof(v.at.pod_uid), row[i].pod_uid);
		assert_non_null(volumes_put(&volumes, &v));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		if (volumes_is_first_scratch(&volumes, i) != row[i].first)
			fail_msg("row %u", i);
	volumes_drop(&volumes);
}

static void test_the_table_follows_the_mounts(void **unused)
{
	scoped(scoped_free) struct config *c = rules();
	struct mount m = mount_at(PODS "kubernetes.io~csi/a/mount", "tmpfs", "stoker-0123456789abcdef", "rw,size=32768k");
	struct mount_table mounts = {.count = 1, .mounts = &m}, none = {0};
	struct volume making = asked(VOLUME_SCRATCH, "making", MIB), ret;
	struct executor x = owner(300);
	struct volumes table = {0};

	(void)unused;
	volumes_put(&table, &making);
	volumes_mounts(&table, c, &mounts);
	assert_int_equal(table.count, 2);
	volumes_own(&table, &x);
	assert_null(volumes_next_bound(&table, &c->volumes, UID, &ret)); /* found: never wider than it is */
	x = owner(72);
	volumes_own(&table, &x);
	assert_non_null(volumes_next_bound(&table, &c->volumes, UID, &ret));
	assert_int_equal(ret.size_bytes, 24 * MIB);
	volumes_mounts(&table, c, &none);
	assert_int_equal(table.count, 1);
	assert_non_null(volumes_find(&table, &making.at));
	volumes_remove(&table, &making.at);
	assert_int_equal(table.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_have_what),
		cmocka_unit_test(test_what_a_limit_leaves),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_an_injected_scratch_shares_the_limit),
		cmocka_unit_test(test_what_the_mount_table_tells),
		cmocka_unit_test(test_the_fullest_of_a_pod),
		cmocka_unit_test(test_who_tells_of_pods_tells_of_each_once),
		cmocka_unit_test(test_the_table_follows_the_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
