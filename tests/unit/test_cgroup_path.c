/* What a container's cgroup is called: drivers, runtimes, nesting, and names that are none. */
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
#include "cgroups/path.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID   "3f1c9a52-7b0e-4d6a-9c88-1e2d3c4b5a69"
#define UID_  "3f1c9a52_7b0e_4d6a_9c88_1e2d3c4b5a69"
#define MD5   "0a1b2c3d4e5f60718293a4b5c6d7e8f9" /* a static pod's */
#define BURSTABLE_SLICE "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"

/* What the runtime says -> container's path, pod's path; NULL = refused. */
static const struct {
	const char *name, *cgroups_path, *parent, *id, *path, *pod;
} said[] = {
	{"containerd, systemd", "kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID, "kubepods-burstable-pod" UID_ ".slice", ID,
	 BURSTABLE_SLICE "/cri-containerd-" ID ".scope", BURSTABLE_SLICE},
	{"containerd, systemd, Guaranteed", "kubepods-pod" UID_ ".slice:cri-containerd:" ID, "", ID,
	 "kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope", "kubepods.slice/kubepods-pod" UID_ ".slice"},
	{"containerd, systemd, BestEffort", "kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" ID, "", ID,
	 "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice"},
	{"containerd, cgroupfs", "/kubepods/burstable/pod" UID "/" ID, "/kubepods/burstable/pod" UID, ID, "kubepods/burstable/pod" UID "/" ID,
	 "kubepods/burstable/pod" UID},
	{"CRI-O, systemd (crun makes 'container' beneath: the limits are here)", "kubepods-burstable-pod" UID_ ".slice:crio:" ID, "", ID,
	 BURSTABLE_SLICE "/crio-" ID ".scope", BURSTABLE_SLICE},
	{"CRI-O, cgroupfs", "/kubepods/burstable/pod" UID "/crio-" ID, "", ID, "kubepods/burstable/pod" UID "/crio-" ID, "kubepods/burstable/pod" UID},
	{"cri-dockerd, systemd", "kubepods-burstable-pod" UID_ ".slice:docker:" ID, "", ID, BURSTABLE_SLICE "/docker-" ID ".scope", BURSTABLE_SLICE},
	{"cri-dockerd, cgroupfs: parent and id", "", "/kubepods/burstable/pod" UID, ID, "kubepods/burstable/pod" UID "/" ID, "kubepods/burstable/pod" UID},
	{"parent alone, systemd: the scope is not told", "", "kubepods-burstable-pod" UID_ ".slice", ID, NULL, BURSTABLE_SLICE},
	{"parent as a path of slices", "", "/kubepods.slice/kubepods-pod" UID_ ".slice", ID, NULL, "kubepods.slice/kubepods-pod" UID_ ".slice"},
	{"--cgroup-root kubelet, systemd", "kubelet-kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID, "", ID,
	 "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ ".slice"},
	{"--cgroup-root kubelet, cgroupfs (kind)", "/kubelet/kubepods/pod" UID "/" ID, "", ID, "kubelet/kubepods/pod" UID "/" ID, "kubelet/kubepods/pod" UID},
	{"static pod", "kubepods-burstable-pod" MD5 ".slice:cri-containerd:" ID, "", ID,
	 "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" MD5 ".slice/cri-containerd-" ID ".scope",
	 "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" MD5 ".slice"},
	{"no slice is system.slice", ":docker:" ID, "", ID, "system.slice/docker-" ID ".scope", "system.slice"},
	{"the root slice", "-.slice:x:" ID, "", ID, "x-" ID ".scope", NULL},
	{"a name that is a slice", "a.slice:x:b.slice", "", ID, "a.slice/b.slice", "a.slice"},
	{"slashes in a row and at the end", "//kubepods///pod" UID "/" ID "/", "", ID, "kubepods/pod" UID "/" ID, "kubepods/pod" UID},
	{"colons in a cgroupfs path", "/a:b/c:d", "", ID, "a:b/c:d", "a:b"},
	{"nothing said", "", "", ID, NULL, NULL},
	{"up", "/kubepods/../etc", "", ID, NULL, NULL},
	{"up in the id", "", "/kubepods/podX", "../../x", NULL, "kubepods/podX"},
	{"the root", "/", "", ID, NULL, NULL},
	{"two parts", "a.slice:b", "", ID, NULL, NULL},
	{"four parts", "a.slice:b:c:d", "", ID, NULL, NULL},
	{"no name", "a.slice:b:", "", ID, NULL, NULL},
	{"no slice at all", "a:b:c", "", ID, NULL, NULL},
	{"a slash in the name", "a.slice:b:c/d", "", ID, NULL, NULL},
	{"a slash in the slice", "a/b.slice:b:c", "", ID, NULL, NULL},
	{"an empty part of a slice", "a--b.slice:c:d", "", ID, NULL, NULL},
	{"a slice that ends with '-'", "a-.slice:c:d", "", ID, NULL, NULL},
	{"a slice that begins with '-'", "-a.slice:c:d", "", ID, NULL, NULL},
	{"only the suffix", ".slice:c:d", "", ID, NULL, NULL},
};

static void test_what_the_runtime_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct executor x = {0};
		char path[EXECUTOR_CGROUP_BYTES] = "untouched", pod[EXECUTOR_CGROUP_BYTES] = "untouched";
		struct err e = {0};
		str_copy(x.cgroups_path, sizeof(x.cgroups_path), said[i].cgroups_path);
		str_copy(x.cgroup_parent, sizeof(x.cgroup_parent), said[i].parent);
		str_copy(x.container_id, sizeof(x.container_id), said[i].id);
		int r = cgroup_path_of(&x, path, sizeof(path), &e);
		if (r != (said[i].path ? 0 : -EINVAL) || strcmp(path, said[i].path ? said[i].path : "untouched") != 0)
			fail_msg("%s: %d, '%s', %s", said[i].name, r, path, e.text);
		assert_true(r == 0 || *e.text);
		r = cgroup_pod_path_of(&x, pod, sizeof(pod), &e);
		if (r != (said[i].pod ? 0 : -EINVAL) || strcmp(pod, said[i].pod ? said[i].pod : "untouched") != 0)
			fail_msg("%s: the pod's: %d, '%s', %s", said[i].name, r, pod, e.text);
	}
}

static void test_a_path_too_long_is_refused(void **unused)
{
	struct executor x = {0};
	char path[EXECUTOR_CGROUP_BYTES];
	struct err e = {0};

	(void)unused;
	memset(x.cgroups_path, 'a', sizeof(x.cgroups_path) - 1);
	assert_int_equal(cgroup_path_of(&x, path, sizeof(path), &e), -EINVAL); /* a component over 255 */
	for (size_t i = 0; i < sizeof(x.cgroups_path) - 1; i += 2)
		x.cgroups_path[i] = '/';
	assert_int_equal(cgroup_path_of(&x, path, sizeof(path), &e), 0);
	assert_int_equal(cgroup_path_of(&x, path, 100, &e), -EINVAL);
	/* each dash nests: 100 of them make 20 kB of slices */
	str_copy(x.cgroups_path, sizeof(x.cgroups_path), "");
	for (int i = 0; i < 100; i++)
		str_append(x.cgroups_path, sizeof(x.cgroups_path), "%sab", i ? "-" : "");
	str_append(x.cgroups_path, sizeof(x.cgroups_path), ".slice:c:d");
	assert_int_equal(cgroup_path_of(&x, path, sizeof(path), &e), -EINVAL);
}

static void test_proc_cgroup(void **unused)
{
	static const struct {
		const char *name, *text, *controller;
		int want;
		const char *path;
	} rows[] = {
		{"v2", "0::/" BURSTABLE_SLICE "/cri-containerd-" ID ".scope\n", "memory", 0, BURSTABLE_SLICE "/cri-containerd-" ID ".scope"},
		{"crun's sub-cgroup", "0::/" BURSTABLE_SLICE "/crio-" ID ".scope/container\n", "memory", 0, BURSTABLE_SLICE "/crio-" ID ".scope"},
		{"systemd within", "0::/" BURSTABLE_SLICE "/crio-" ID ".scope/container/init.scope\n", "memory", 0, BURSTABLE_SLICE "/crio-" ID ".scope"},
		{"the topmost: what is made within may have any name", "0::/kubepods/pod" UID "/" ID "/x/" ID "\n", "memory", 0, "kubepods/pod" UID "/" ID},
		{"v1", "12:pids:/p\n4:memory:/kubepods/pod" UID "/" ID "\n1:cpu,cpuacct:/c\n0::/else/" ID "\n", "memory", 0, "kubepods/pod" UID "/" ID},
		{"v1, two controllers", "3:cpu,cpuacct:/kubepods/pod" UID "/" ID "\n0::/\n", "cpuacct", 0, "kubepods/pod" UID "/" ID},
		{"hybrid: not in v1, so the v2 line", "4:memory:/m\n0::/kubepods/pod" UID "/" ID "\n", "io", 0, "kubepods/pod" UID "/" ID},
		{"v2 asked for", "4:memory:/m\n0::/k/" ID "\n", "", 0, "k/" ID},
		{"no newline", "0::/kubepods/pod" UID "/" ID, "memory", 0, "kubepods/pod" UID "/" ID},
		{"colons in the path", "0::/a:b/" ID ":c/" ID "\n", "memory", 0, "a:b/" ID ":c/" ID},
		{"removed", "0::/kubepods/pod" UID "/" ID " (deleted)\n", "memory", 0, "kubepods/pod" UID "/" ID},
		{"another namespace", "0::/../../kubepods/pod" UID "/" ID "\n", "memory", -EXDEV, NULL},
		{"just above", "0::/..\n", "memory", -EXDEV, NULL},
		{"conmon's own", "0::/" BURSTABLE_SLICE "/crio-conmon-" ID ".scope\n", "memory", -ENOENT, NULL},
		{"a prefix of the id", "0::/kubepods/pod" UID "/" ID "0\n", "memory", -ENOENT, NULL},
		{"another container", "0::/kubepods/pod" UID "/" OTHER "\n", "memory", -ENOENT, NULL},
		{"the root", "0::/\n", "memory", -ENOENT, NULL},
		{"memory is no part of memory2", "4:memory2:/" ID "\n", "memory", -ENOENT, NULL},
		{"nothing", "", "memory", -ENOENT, NULL},
		{"no colons", "garbage\n\n:\n", "memory", -ENOENT, NULL},
		{"up within", "0::/a/../" ID "\n", "memory", -EINVAL, NULL},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char path[EXECUTOR_CGROUP_BYTES] = "untouched";
		struct err e = {0};
		size_t n = strlen(rows[i].text);
		scoped(scoped_free) char *exact = malloc(n + !n);
		assert_non_null(exact);
		memcpy(exact, rows[i].text, n);
		int r = cgroup_path_from_proc(exact, n, rows[i].controller, ID, path, sizeof(path), &e);
		if (r != rows[i].want || strcmp(path, rows[i].path ? rows[i].path : "untouched") != 0)
			fail_msg("%s: %d, '%s', %s", rows[i].name, r, path, e.text);
	}
	char path[64];
	struct err e = {0};
	assert_int_equal(cgroup_path_from_proc("0::/a\n", 6, "memory", "", path, sizeof(path), &e), -ENOENT); /* no id names everything */
}

static void test_whose_a_directory_is(void **unused)
{
	static const struct {
		const char *path, *id, *uid;
		enum executor_qos qos;
	} rows[] = {
		{"kubepods/burstable/pod" UID "/" ID, ID, UID, EXECUTOR_QOS_BURSTABLE},
		{"kubepods/besteffort/pod" UID "/" ID, ID, UID, EXECUTOR_QOS_BEST_EFFORT},
		{"/kubepods/pod" UID "/" ID "/", ID, UID, EXECUTOR_QOS_GUARANTEED},
		{"kubepods/burstable/pod" UID "/crio-" ID, ID, UID, EXECUTOR_QOS_BURSTABLE},
		{"kubepods/burstable/pod" UID, "", UID, EXECUTOR_QOS_BURSTABLE},
		{"kubepods/burstable/pod" MD5 "/" ID, ID, MD5, EXECUTOR_QOS_BURSTABLE},
		{BURSTABLE_SLICE "/cri-containerd-" ID ".scope", ID, UID, EXECUTOR_QOS_BURSTABLE},
		{BURSTABLE_SLICE "/crio-" ID ".scope/container", ID, UID, EXECUTOR_QOS_BURSTABLE},
		{BURSTABLE_SLICE "/docker-" ID ".scope", ID, UID, EXECUTOR_QOS_BURSTABLE},
		{"kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope", ID, UID, EXECUTOR_QOS_GUARANTEED},
		{"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice", "", UID, EXECUTOR_QOS_BEST_EFFORT},
		{"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope", ID,
		 UID, EXECUTOR_QOS_BURSTABLE},
		{"kubelet/kubepods/pod" UID "/" ID, ID, UID, EXECUTOR_QOS_GUARANTEED},
		/* seen from outside of a node that is a container itself (kind, k3d), and a cluster within a pod: the outer one is ours */
		{"docker/" OTHER "/kubelet/kubepods/pod" UID "/" ID, ID, UID, EXECUTOR_QOS_GUARANTEED},
		{"system.slice/docker-" OTHER ".scope/kubepods/burstable/pod" UID "/" ID, ID, UID, EXECUTOR_QOS_BURSTABLE},
		{"kubepods/pod" UID "/" ID "/kubepods/pod" MD5 "/" OTHER, ID, UID, EXECUTOR_QOS_GUARANTEED},
		/* what a container makes within counts for nothing */
		{"kubepods/pod" UID "/" ID "/" OTHER, ID, UID, EXECUTOR_QOS_GUARANTEED},
		{"kubepods/pod" UID "/helper/" OTHER, "", UID, EXECUTOR_QOS_GUARANTEED},
		{BURSTABLE_SLICE "/crio-conmon-" ID ".scope", "", UID, EXECUTOR_QOS_BURSTABLE},
		/* without Kubernetes */
		{"docker/" ID, ID, "", EXECUTOR_QOS_UNKNOWN},
		{"system.slice/docker-" ID ".scope", ID, "", EXECUTOR_QOS_UNKNOWN},
		{"machine.slice/libpod-" ID ".scope/container", ID, "", EXECUTOR_QOS_UNKNOWN},
		{"machine.slice/libpod-conmon-" ID ".scope", "", "", EXECUTOR_QOS_UNKNOWN},
		/* neither */
		{"", "", "", EXECUTOR_QOS_UNKNOWN},
		{"kubepods.slice", "", "", EXECUTOR_QOS_UNKNOWN},
		{"kubepods/burstable", "", "", EXECUTOR_QOS_UNKNOWN},
		{"podman/podx", "", "", EXECUTOR_QOS_UNKNOWN},
		{"kubepods/podman/pod", "", "man", EXECUTOR_QOS_GUARANTEED}, /* a uid is any word: the parent makes it one */
		{"kubepods/pod", "", "", EXECUTOR_QOS_UNKNOWN},
		{"kubepods/pod a/" ID, ID, "", EXECUTOR_QOS_UNKNOWN},
		{"burstable/pod" UID "/" ID, ID, "", EXECUTOR_QOS_UNKNOWN},
		{"xkubepods-pod" UID_ ".slice", "", "", EXECUTOR_QOS_UNKNOWN},
		{"kubepods-pod" UID_ UID_ ".slice", "", "", EXECUTOR_QOS_UNKNOWN}, /* longer than any uid */
		{"system.slice/" ID "x.scope", "", "", EXECUTOR_QOS_UNKNOWN},
		{"system.slice/x" ID ".scope", "", "", EXECUTOR_QOS_UNKNOWN},
		{"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "", "", EXECUTOR_QOS_UNKNOWN},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cgroup_name name;
		bool known = cgroup_name_parse(rows[i].path, &name);
		if (known != (*rows[i].id || *rows[i].uid) || strcmp(name.container_id, rows[i].id) != 0 || strcmp(name.pod_uid, rows[i].uid) != 0 ||
		    name.qos != rows[i].qos)
			fail_msg("%s: '%s', '%s', %d", rows[i].path, name.container_id, name.pod_uid, (int)name.qos);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_runtime_says),
		cmocka_unit_test(test_a_path_too_long_is_refused),
		cmocka_unit_test(test_proc_cgroup),
		cmocka_unit_test(test_whose_a_directory_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
