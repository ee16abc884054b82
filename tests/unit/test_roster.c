/* The look without a runtime: made trees of cgroups, processes and logs, as kubelet makes them. */
#include "tests/unit/pod_text.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/roster.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define UID  "3e2714c5-2afa-4a6e-8e1b-20798bc82f1b"
#define UID_ "3e2714c5_2afa_4a6e_8e1b_20798bc82f1b"
#define JAVA "java|-Xmx1g|org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend|--executor-id|7|--app-id|spark-1|--driver-url|spark://C@pi-driver-svc.ns.svc:1|"

static char top[64];
static struct roster *roster;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **unused)
{
	(void)unused;
	strcpy(top, "/tmp/test_roster_XXXXXX");
	roster = calloc(1, sizeof(*roster));
	return roster && mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **unused)
{
	(void)unused;
	free(roster);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file with everything above it; '|' stands for NUL. */
static void put(const char *path, const char *text)
{
	char whole[1024] = "", bytes[1024];
	size_t length = strlen(text);

	assert_true(str_append(whole, sizeof(whole), "%s/%s", top, path));
	for (char *p = whole + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(whole, 0755);
		*p = '/';
	}
	int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(text[i] == '|' ? '\0' : text[i]);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static int open_top(const char *name)
{
	char whole[128] = "";

	str_append(whole, sizeof(whole), "%s/%s", top, name);
	return open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void scan(void)
{
	const struct roster_places places = {open_top("cgroup"), open_top("proc"), open_top("logs")};

	assert_true(places.cgroups_fd >= 0 && places.proc_fd >= 0);
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);
	assert_non_null(redactor);
	roster_scan(&places, redactor, roster);
	redactor_free(redactor);
	close(places.cgroups_fd);
	close(places.proc_fd);
	if (places.logs_fd >= 0)
		close(places.logs_fd);
}

static void test_layouts(void **unused)
{
	static const char *const paths[] = {
		"kubepods/burstable/pod" UID "/" ID_A,
		"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID_A ".scope",
		"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/crio-" ID_A ".scope",
		"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID_A ".scope",
		"docker/" ID_B "/kubepods/burstable/pod" UID "/" ID_A, /* k3d's node is a container itself */
	};
	char path[512];
	(void)unused;

	put("proc/41/cmdline", JAVA);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char remove_path[256] = "";
		snprintf(path, sizeof(path), "cgroup/%s/cgroup.procs", paths[i]);
		put(path, "41\n");
		scan();
		if (roster->count != 1)
			fail_msg("%s: %u found", paths[i], roster->count);
		const struct executor *e = &roster->executors[0];
		assert_string_equal(e->container_id, ID_A);
		assert_string_equal(e->pod_uid, UID);
		assert_string_equal(e->cgroups_path + 1, paths[i]);
		assert_int_equal(e->cgroups_path[0], '/');
		assert_int_equal(e->qos, EXECUTOR_QOS_BURSTABLE);
		assert_int_equal(e->source, EXECUTOR_FROM_CGROUPFS);
		assert_int_equal(e->pid, 41);
		assert_int_equal(e->oom_score_adj, INT32_MIN);
		assert_int_equal(e->uid, UINT32_MAX);
		str_append(remove_path, sizeof(remove_path), "%s/cgroup", top);
		nftw(remove_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

static void test_what_is_found(void **unused)
{
	char shown[512];
	(void)unused;

	put("cgroup/kubepods/pod" UID "/" ID_A "/cgroup.procs", "40\n41\n42\n43\n");
	put("cgroup/kubepods/pod" UID "/" ID_B "/cgroup.procs", "50\n"); /* the sandbox */
	put("cgroup/system.slice/x.service/kubepods/pod" UID "/" ID_B "/cgroup.procs", "41\n"); /* made up by a service */
	put("cgroup/kubepods/pod" UID "/not-hex/cgroup.procs", "41\n");
	put("proc/40/cmdline", "/usr/bin/tini|-s|--|" JAVA);
	put("proc/41/cmdline", JAVA);
	put("proc/42/cmdline", "python|-m|pyspark.daemon|pyspark.worker|");
	put("proc/50/cmdline", "/pause|");
	put("logs/team_pi-0123456789abcdef-exec-7_" UID "/spark-kubernetes-executor/0.log", "");
	put("logs/team_pi-0123456789abcdef-exec-7_" UID "/istio-proxy/0.log", "");
	put("logs/team_other_00000000-2afa-4a6e-8e1b-20798bc82f1b/c/0.log", "");
	put("logs/nonsense/x", "");
	scan();
	assert_int_equal(roster->count, 1);
	assert_false(roster->cut);
	executor_show(&roster->executors[0], shown, sizeof(shown));
	assert_string_equal(shown, "executor app=pi id=spark-1 exec=7 language=Python qos=Guaranteed driver=spark://C@pi-driver-svc.ns.svc:1 heap=1024M");
	assert_string_equal(roster->executors[0].name_space, "team");
	assert_string_equal(roster->executors[0].pod, "pi-0123456789abcdef-exec-7");
	assert_string_equal(roster->executors[0].container, "spark-kubernetes-executor");
	assert_int_equal(roster->executors[0].pid, 40);
}

static void test_secrets_of_a_command_line(void **unused)
{
	const struct executor *e = &roster->executors[0];

	(void)unused;
	put("cgroup/kubepods/pod" UID "/" ID_A "/cgroup.procs", "41\n");
	put("proc/41/cmdline", "java|-cp|/opt/tokens.jar:/opt/x|-Xmx1g|org.apache.spark.deploy.SparkSubmit|--name|etl token=hunter2|--conf|spark.x.password=hunter2|pyspark-shell|");
	scan();
	assert_int_equal(roster->count, 1);
	assert_string_equal(e->app_name, "etl token=*********(redacted)");
	assert_int_equal(e->role, EXECUTOR_ROLE_CLIENT_DRIVER);
	assert_int_equal(e->heap_bytes, 1ULL << 30);
	put("proc/41/cmdline", "java|org.apache.spark.deploy.SparkSubmit|--conf|spark.app.name=etl at s3a://AKIA:hunter2@bucket|pyspark-shell|");
	scan();
	assert_null(strstr(e->app_name, "hunter2"));
	assert_true(str_starts(e->app_name, "etl at s3a://"));
}

static void test_without_logs_or_with_two_names(void **unused)
{
	(void)unused;
	put("cgroup/kubepods/pod" UID "/" ID_A "/container/cgroup.procs", "41\n"); /* crun's */
	put("proc/41/cmdline", JAVA);
	scan();
	assert_int_equal(roster->count, 1);
	assert_string_equal(roster->executors[0].pod, "");
	put("logs/team_pi_" UID "/a/0.log", "");
	put("logs/team_pi_" UID "/b/0.log", "");
	scan();
	assert_string_equal(roster->executors[0].pod, "pi");
	assert_string_equal(roster->executors[0].container, "");
}

static void test_what_is_broken_is_no_harm(void **unused)
{
	(void)unused;
	put("cgroup/kubepods/pod" UID "/" ID_A "/cgroup.procs", "0\n-1\n99999999999999999999\n77\nx");
	put("cgroup/kubepods/pod" UID "/" ID_B "/cgroup.procs", "41");
	put("proc/41/cmdline", JAVA);
	scan();
	assert_int_equal(roster->count, 0);
	put("cgroup/a/a/a/a/a/a/a/a/a/a/a/a/a/a/kubepods/pod" UID "/" ID_A "/cgroup.procs", "41\n"); /* too deep */
	scan();
	assert_int_equal(roster->count, 0);
}

static void test_too_many(void **unused)
{
	char path[256];
	(void)unused;

	put("proc/41/cmdline", JAVA);
	for (unsigned i = 0; i <= ROSTER_MAX; i++) {
		snprintf(path, sizeof(path), "cgroup/kubepods/pod" UID "/%064u/cgroup.procs", i);
		put(path, "41\n");
	}
	scan();
	assert_int_equal(roster->count, ROSTER_MAX);
	assert_true(roster->cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layouts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_secrets_of_a_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_logs_or_with_two_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_broken_is_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
