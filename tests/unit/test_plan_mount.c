/* Mounts that a container gets without a word in its pod's spec: policy, annotations, sizes, and everything that forbids them. */
#include "tests/unit/pod_text.h"

#include "shim/plan_mount.h"
#include "shim/recognise.h"

#define EXECUTOR	"label spark-role=executor\nnamespace team-a\nname c\nenv SPARK_EXECUTOR_ID=1\nenv SPARK_EXECUTOR_MEMORY=1g\nlimit 3g\nuser 185\n"
#define DRIVER		"label spark-role=driver\nnamespace team-a\nname spark-kubernetes-driver\nlimit 4g\nuser 185\n"
#define SCRATCH(value)	"annotation stoker.dev/scratch=" value "\n"
#define CHECKPOINT(value) "annotation stoker.dev/checkpoint=" value "\n"
#define MOUNT(at)	"mount bind /host " at "\n"
#define EMPTY_DIR(at)	"mount bind /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/spark-local-dir-1 " at "\n"
#define LOCAL_DIRS(at)	"env SPARK_LOCAL_DIRS=" at "\n"

#define MI (1ULL << 20)
#define TEAMS {.count = 1, .pattern = {"team-*"}}
#define CHECKPOINTS .checkpoint_count = 3, .checkpoints_dir = "/run/stoker/checkpoints", \
	.checkpoints = {{.name = "streams", .namespaces = TEAMS}, {.name = "archive", .read_only = 1, .namespaces = TEAMS}, {.name = "other", .namespaces = {.count = 1, .pattern = {"else"}}}}
#define SIZES .scratch_max_bytes = 8192 * MI, .scratch_no_limit_bytes = 1024 * MI, .scratch_reserve_bytes = 384 * MI, .scratch_inodes = 1000

static const struct wire_nri_volumes nothing = {SIZES, CHECKPOINTS}, asking = {SIZES, CHECKPOINTS, .annotations = 1},
				     scratch = {SIZES, CHECKPOINTS, .inject_count = 1, .injects = {{.namespaces = TEAMS, .path = "/scratch"}}},
				     sized = {SIZES, CHECKPOINTS, .annotations = 1, .inject_count = 1, .injects = {{.namespaces = TEAMS, .path = "/scratch", .size_bytes = 512 * MI}}},
				     drivers = {SIZES, CHECKPOINTS, .inject_count = 1, .injects = {{.namespaces = TEAMS, .path = "/scratch", .drivers = 1}}},
				     both = {SIZES, CHECKPOINTS, .annotations = 1, .inject_count = 2,
					     .injects = {{.namespaces = TEAMS, .path = "/cp", .checkpoint = "streams", .drivers = 1}, {.namespaces = TEAMS, .path = "/scratch"}}},
				     five = {SIZES, CHECKPOINTS, .inject_count = 5,
					     .injects = {{.namespaces = TEAMS, .path = "/a", .size_bytes = 16 * MI}, {.namespaces = TEAMS, .path = "/b", .size_bytes = 16 * MI},
							 {.namespaces = TEAMS, .path = "/c", .size_bytes = 16 * MI}, {.namespaces = TEAMS, .path = "/d", .size_bytes = 16 * MI},
							 {.namespaces = TEAMS, .path = "/e", .size_bytes = 16 * MI}}},
				     small = {.scratch_max_bytes = 100 * MI, .scratch_no_limit_bytes = 1024 * MI, .scratch_reserve_bytes = 384 * MI, .scratch_inodes = 1000, .annotations = 1};

#define ALL_READY 7U
#define SCRATCH_SAYS(value, what)    "annotation stoker.dev/scratch: '" value "' " what
#define CHECKPOINT_SAYS(value, what) "annotation stoker.dev/checkpoint: '" value "' " what
#define POLICY_SAYS(value, what)     "volumes.inject: '" value "' " what
#define NOT_ALLOWED		     "is not allowed on this node (volumes.annotations)"
#define BAD_SCRATCH		     "must be PATH[,size=SIZE][,localDirs], SIZE like 512Mi or 2Gi"
#define BAD_CHECKPOINT		     "must be NAME:PATH"
#define BAD_PATH		     "must be an absolute, plain path, and not in /proc, /sys or /dev"
#define NOT_NAMED		     "is no checkpoint that this namespace may have (volumes.checkpoints)"
#define NO_ROOM			     "is not mounted: the memory limit leaves no room for it beside heap and reserve"
#define IT_STAYS		     "is not mounted: the container has a mount of its own there, which stays"

static const struct {
	const char *what;
	const struct wire_nri_volumes *policy;
	uint32_t ready;
	const char *pod, *want, *complaint;
} rows[] = {
	{"off by default", &nothing, ALL_READY, EXECUTOR, "", ""},
	/* policy */
	{"what the limit leaves: 3072 - 1024 - 384", &scratch, 0, EXECUTOR, "/scratch (tmpfs, 1664 MiB)", ""},
	{"as the policy sizes it", &sized, 0, EXECUTOR, "/scratch (tmpfs, 512 MiB)", ""},
	{"not for drivers", &scratch, 0, DRIVER, "", ""},
	{"for drivers, when it says so: 4096 - 1024 - 384", &drivers, 0, DRIVER, "/scratch (tmpfs, 2688 MiB)", ""},
	{"not for other namespaces", &scratch, 0, "label spark-role=executor\nnamespace else\nname c\nenv SPARK_EXECUTOR_ID=1\nlimit 3g\n", "", ""},
	{"not for what is not Spark", &scratch, 0, "namespace team-a\nname c\n", "", ""},
	{"not for neighbours", &scratch, 0, "label spark-role=executor\nnamespace team-a\nname istio-proxy\n", "", ""},
	{"not for workers of many executors", &scratch, 0, "label spark-role=worker\nnamespace team-a\nname worker\n", "", ""},
	{"without a limit", &scratch, 0, "label spark-role=executor\nnamespace team-a\nname c\nenv SPARK_EXECUTOR_ID=1\n", "/scratch (tmpfs, 1024 MiB)", ""},
	{"no room", &scratch, 0, "label spark-role=executor\nnamespace team-a\nname c\nenv SPARK_EXECUTOR_ID=1\nenv SPARK_EXECUTOR_MEMORY=1g\nlimit 1408m\n", "",
	 POLICY_SAYS("/scratch", NO_ROOM)},
	{"a bounded maximum", &small, 0, EXECUTOR SCRATCH("/s"), "/s (tmpfs, 100 MiB)", ""},
	/* annotations */
	{"asked", &asking, 0, EXECUTOR SCRATCH("/s"), "/s (tmpfs, 1664 MiB)", ""},
	{"asked with a size", &asking, 0, EXECUTOR SCRATCH("/s/t,size=1Gi"), "/s/t (tmpfs, 1024 MiB)", ""},
	{"asked for too much", &asking, 0, EXECUTOR SCRATCH("/s,size=1Ti"), "/s (tmpfs, 1664 MiB)", SCRATCH_SAYS("/s", "has 1664Mi instead of 1048576Mi: there is no room for more")},
	{"asked for too little", &asking, 0, EXECUTOR SCRATCH("/s,size=1Mi"), "", SCRATCH_SAYS("/s", "is not mounted: its size must be at least 16Mi")},
	{"asked for Spark", &asking, 0, EXECUTOR SCRATCH("/s,localDirs,size=64Mi"), "SPARK_LOCAL_DIRS, /s (tmpfs, 64 MiB)", ""},
	{"a driver's directories stay", &asking, 0, DRIVER SCRATCH("/s,localDirs,size=64Mi"), "/s (tmpfs, 64 MiB)", ""},
	{"asked, not allowed", &nothing, 0, EXECUTOR SCRATCH("/s"), "", SCRATCH_SAYS("/s", NOT_ALLOWED)},
	{"asked, not allowed, the policy stays", &scratch, 0, EXECUTOR SCRATCH("/s"), "/scratch (tmpfs, 1664 MiB)", SCRATCH_SAYS("/s", NOT_ALLOWED)},
	{"the annotation before the policy", &sized, 0, EXECUTOR SCRATCH("/scratch,size=64Mi"), "/scratch (tmpfs, 64 MiB)", ""},
	{"and it takes from the room", &both, ALL_READY, EXECUTOR SCRATCH("/s,size=1Gi"), "/s (tmpfs, 1024 MiB), /cp (/run/stoker/checkpoints/streams), /scratch (tmpfs, 640 MiB)", ""},
	{"empty", &asking, 0, EXECUTOR SCRATCH(""), "", SCRATCH_SAYS("", BAD_SCRATCH)},
	{"an unknown word", &asking, 0, EXECUTOR SCRATCH("/s,sise=1Gi"), "", SCRATCH_SAYS("/s,sise=1Gi", BAD_SCRATCH)},
	{"a unit of Java", &asking, 0, EXECUTOR SCRATCH("/s,size=1g"), "", SCRATCH_SAYS("/s,size=1g", BAD_SCRATCH)},
	{"nothing", &asking, 0, EXECUTOR SCRATCH("/s,size=0Mi"), "", SCRATCH_SAYS("/s,size=0Mi", BAD_SCRATCH)},
	{"overflow", &asking, 0, EXECUTOR SCRATCH("/s,size=99999999Ti"), "", SCRATCH_SAYS("/s,size=99999999Ti", BAD_SCRATCH)},
	{"negative", &asking, 0, EXECUTOR SCRATCH("/s,size=-1Gi"), "", SCRATCH_SAYS("/s,size=-1Gi", BAD_SCRATCH)},
	/* paths */
	{"relative", &asking, 0, EXECUTOR SCRATCH("s"), "", SCRATCH_SAYS("s", BAD_PATH)},
	{"the root", &asking, 0, EXECUTOR SCRATCH("/"), "", SCRATCH_SAYS("/", BAD_PATH)},
	{"upwards", &asking, 0, EXECUTOR SCRATCH("/a/../b"), "", SCRATCH_SAYS("/a/../b", BAD_PATH)},
	{"with a stop", &asking, 0, EXECUTOR SCRATCH("/a/."), "", SCRATCH_SAYS("/a/.", BAD_PATH)},
	{"doubled", &asking, 0, EXECUTOR SCRATCH("//a"), "", SCRATCH_SAYS("//a", BAD_PATH)},
	{"open at the end", &asking, 0, EXECUTOR SCRATCH("/a/"), "", SCRATCH_SAYS("/a/", BAD_PATH)},
	{"the kernel's", &asking, 0, EXECUTOR SCRATCH("/proc/self"), "", SCRATCH_SAYS("/proc/self", BAD_PATH)},
	{"devices", &asking, 0, EXECUTOR SCRATCH("/dev"), "", SCRATCH_SAYS("/dev", BAD_PATH)},
	{"like it, and not it", &asking, 0, EXECUTOR SCRATCH("/device,size=64Mi"), "/device (tmpfs, 64 MiB)", ""},
	{"a control character", &asking, 0, EXECUTOR SCRATCH("/a\x1b"), "", SCRATCH_SAYS("/a?", BAD_PATH)},
	/* what is there wins */
	{"the same path", &scratch, 0, EXECUTOR MOUNT("/scratch"), "", POLICY_SAYS("/scratch", IT_STAYS)},
	{"the same path, written otherwise", &scratch, 0, EXECUTOR MOUNT("/scratch/"), "", POLICY_SAYS("/scratch", IT_STAYS)},
	{"above", &asking, 0, EXECUTOR MOUNT("/data") SCRATCH("/data/s"), "", SCRATCH_SAYS("/data/s", IT_STAYS)},
	{"below", &asking, 0, EXECUTOR MOUNT("/data/s") SCRATCH("/data"), "", SCRATCH_SAYS("/data", IT_STAYS)},
	{"beside", &asking, 0, EXECUTOR MOUNT("/data") SCRATCH("/data2,size=64Mi"), "/data2 (tmpfs, 64 MiB)", ""},
	{"checkpoints too", &both, ALL_READY, EXECUTOR MOUNT("/cp"), "/scratch (tmpfs, 1664 MiB)", POLICY_SAYS("/cp", IT_STAYS)},
	{"four at most", &five, 0, EXECUTOR, "/a (tmpfs, 16 MiB), /b (tmpfs, 16 MiB), /c (tmpfs, 16 MiB), /d (tmpfs, 16 MiB)", POLICY_SAYS("/e", "is not mounted: one container gets four at most")},
	/* checkpoints */
	{"by policy, executor and driver", &both, ALL_READY, DRIVER, "/cp (/run/stoker/checkpoints/streams)", ""},
	{"asked for a checkpoint", &asking, ALL_READY, DRIVER CHECKPOINT("archive:/mnt/a"), "/mnt/a (/run/stoker/checkpoints/archive)", ""},
	{"not ready", &asking, 1, DRIVER CHECKPOINT("archive:/mnt/a"), "",
	 CHECKPOINT_SAYS("archive", "is not mounted: its server does not answer (yet); the container starts without it")},
	{"another one is", &asking, 2, DRIVER CHECKPOINT("archive:/mnt/a"), "/mnt/a (/run/stoker/checkpoints/archive)", ""},
	{"another namespace's", &asking, ALL_READY, DRIVER CHECKPOINT("other:/mnt/a"), "", CHECKPOINT_SAYS("other", NOT_NAMED)},
	{"nobody's", &asking, ALL_READY, DRIVER CHECKPOINT("nosuch:/mnt/a"), "", CHECKPOINT_SAYS("nosuch", NOT_NAMED)},
	{"beneath an export", &asking, ALL_READY, DRIVER CHECKPOINT("streams/a:/mnt/a"), "", CHECKPOINT_SAYS("streams/a:/mnt/a", BAD_CHECKPOINT)},
	{"upwards", &asking, ALL_READY, DRIVER CHECKPOINT("..:/mnt/a"), "", CHECKPOINT_SAYS("..", NOT_NAMED)},
	{"no path", &asking, ALL_READY, DRIVER CHECKPOINT("streams:"), "", CHECKPOINT_SAYS("streams:", BAD_CHECKPOINT)},
	{"no name", &asking, ALL_READY, DRIVER CHECKPOINT(":/a"), "", CHECKPOINT_SAYS(":/a", BAD_CHECKPOINT)},
	{"not allowed", &nothing, ALL_READY, DRIVER CHECKPOINT("streams:/a"), "", CHECKPOINT_SAYS("streams:/a", NOT_ALLOWED)},
};

static void decide(const struct wire_nri_volumes *policy, uint32_t ready, bool dry, struct built *b, struct plan *plan, char complaint[PLAN_COMPLAINT_BYTES])
{
	const struct plan_volumes volumes = {.policy = policy, .ready = ready, .dry_run = dry};
	struct executor executor;

	recognise(NULL, &b->pod, &b->container, &executor);
	memset(plan, 0, sizeof(*plan));
	complaint[0] = '\0';
	plan_add_mounts(&volumes, &executor, &b->pod, &b->container, plan, complaint);
}

static void test_rows(void **unused)
{
	static struct built b;
	static struct plan plan;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char complaint[PLAN_COMPLAINT_BYTES], said[512];
		build(&b, rows[i].pod);
		decide(rows[i].policy, rows[i].ready, false, &b, &plan, complaint);
		plan_say(&plan, said, sizeof(said));
		assert_int_equal(plan_is_empty(&plan), !said[0]);
		if (strcmp(said, rows[i].want) != 0 || strcmp(complaint, rows[i].complaint) != 0)
			fail_msg("%s:\n  got  '%s' '%s'\n  want '%s' '%s'", rows[i].what, said, complaint, rows[i].want, rows[i].complaint);
		decide(rows[i].policy, rows[i].ready, true, &b, &plan, complaint);
		assert_true(plan_is_empty(&plan));
		assert_string_equal(plan.would_set, rows[i].want);
		assert_string_equal(complaint, rows[i].complaint);
	}
}

static void test_owner_and_bounds(void **unused)
{
	static struct built b;
	static struct plan plan;
	char complaint[PLAN_COMPLAINT_BYTES];
	(void)unused;

	build(&b, EXECUTOR);
	decide(&scratch, 0, false, &b, &plan, complaint);
	assert_int_equal(plan.mounts[0].inodes, 1000);
	assert_true(plan.mounts[0].has_owner && plan.mounts[0].uid == 185 && plan.mounts[0].gid == 185);
	b.container.has_user = false; /* an NRI that does not tell it */
	decide(&scratch, 0, false, &b, &plan, complaint);
	assert_true(plan.mount_count == 1 && !plan.mounts[0].has_owner);
	build(&b, DRIVER CHECKPOINT("archive:/a"));
	decide(&asking, ALL_READY, false, &b, &plan, complaint);
	assert_true(plan.mounts[0].read_only && plan.mounts[0].type == PLAN_MOUNT_BIND);
	/* Of more mounts than are read nobody knows where the rest are. */
	build(&b, EXECUTOR);
	b.container.mount_count = VIEW_MOUNTS_MAX;
	decide(&scratch, 0, false, &b, &plan, complaint);
	assert_true(plan_is_empty(&plan));
	assert_string_equal(complaint, POLICY_SAYS("/scratch", "is not mounted: the container has more mounts than are read"));
	b.container.mount_count--;
	decide(&scratch, 0, false, &b, &plan, complaint);
	assert_int_equal(plan.mount_count, 1);
}

static void test_room(void **unused)
{
	static const struct {
		uint64_t limit, pod_limit, heap, off_heap, want; /* MiB */
	} room[] = {
		{0, 0, 0, 0, 1024},	    {3072, 0, 1024, 0, 1664}, {3072, 0, 1024, 512, 1152}, {1408, 0, 1024, 0, 0},	  {1024, 0, 2048, 0, 0},
		{0, 3072, 1024, 0, 1664}, {2048, 0, 0, 0, 1152},    {3072, 0, 1024, 4096, 0},	{100000, 0, 1024, 0, 8192}, {1, 0, 0, 0, 0},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(room); i++) {
		struct executor executor = {.limit_bytes = room[i].limit * MI, .pod_limit_bytes = room[i].pod_limit * MI, .heap_bytes = room[i].heap * MI, .off_heap_bytes = room[i].off_heap * MI};
		assert_int_equal(plan_scratch_room(&nothing, &executor, 0), room[i].want * MI);
		if (room[i].limit || room[i].pod_limit) /* of all of it, and not of the maximum of one volume */
			assert_true(plan_scratch_room(&nothing, &executor, 2) <= executor_memory_left(&executor, 384 * MI) / 3);
	}
}

/* As the runtime shows the container from its creation on. */
static void give(const struct plan *plan, struct built *b)
{
	static char texts[PLAN_MOUNTS_MAX + 1][256];
	struct container_view *c = &b->container;

	for (uint32_t i = 0; i < plan->mount_count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%llu", (unsigned long long)plan->mounts[i].size_bytes);
		c->mounts[c->mount_count++] = (struct mount_view){text_of(plan->mounts[i].destination), text_of(plan->mounts[i].type == PLAN_MOUNT_TMPFS ? "tmpfs" : "bind"),
								  text_of(plan->mounts[i].type == PLAN_MOUNT_TMPFS ? PLAN_SCRATCH_SOURCE : plan->mounts[i].source), text_of(texts[i])};
	}
	if (plan->env_count == 0)
		return;
	for (uint32_t i = 0; i < c->env_count; i++)
		if (text_starts(c->env[i], "SPARK_LOCAL_DIRS="))
			c->env[i] = c->env[--c->env_count];
	snprintf(texts[PLAN_MOUNTS_MAX], sizeof(texts[0]), "SPARK_LOCAL_DIRS=%s", plan_env(plan, "SPARK_LOCAL_DIRS"));
	c->env[c->env_count++] = text_of(texts[PLAN_MOUNTS_MAX]);
}

/* Known when it is decided, and the same when the runtime tells of it again. */
static void test_where_its_local_dirs_are(void **unused)
{
	static const struct {
		const char *what, *pod;
		uint32_t want, mib;
	} row[] = {
		{"none was given", EXECUTOR LOCAL_DIRS("/data") EMPTY_DIR("/data"), EXECUTOR_EMPTY_DIRS, 0},
		{"beside the emptyDir", EXECUTOR LOCAL_DIRS("/data") EMPTY_DIR("/data") SCRATCH("/s,size=64Mi"), EXECUTOR_EMPTY_DIRS, 64},
		{"instead of the emptyDir", EXECUTOR LOCAL_DIRS("/data") EMPTY_DIR("/data") SCRATCH("/s,size=64Mi,localDirs"), EXECUTOR_TMPFS_LOCAL_DIRS, 64},
		{"nobody had said where", EXECUTOR SCRATCH("/s,size=64Mi,localDirs"), EXECUTOR_TMPFS_LOCAL_DIRS, 64},
		{"where the job wants them", EXECUTOR LOCAL_DIRS("/s") SCRATCH("/s,size=64Mi"), EXECUTOR_TMPFS_LOCAL_DIRS, 64},
		{"one of two", EXECUTOR LOCAL_DIRS("/s,/t") SCRATCH("/s,size=64Mi"), 0, 64},
		{"the other is an emptyDir", EXECUTOR LOCAL_DIRS("/s,/data") EMPTY_DIR("/data") SCRATCH("/s,size=64Mi"), EXECUTOR_EMPTY_DIRS, 64},
		{"another variable comes first", EXECUTOR "env SPARK_EXECUTOR_DIRS=/t\n" SCRATCH("/s,size=64Mi,localDirs"), 0, 64},
		{"a checkpoint is no memory", EXECUTOR LOCAL_DIRS("/s") CHECKPOINT("streams:/s") SCRATCH("/t,size=64Mi"), 0, 64},
		{"below what was given", EXECUTOR LOCAL_DIRS("/s/spark/a") SCRATCH("/s,size=64Mi"), EXECUTOR_TMPFS_LOCAL_DIRS, 64},
		{"the same place, written otherwise", EXECUTOR LOCAL_DIRS("/s/") SCRATCH("/s,size=64Mi"), EXECUTOR_TMPFS_LOCAL_DIRS, 64},
		{"only named alike", EXECUTOR LOCAL_DIRS("/scratch") SCRATCH("/s,size=64Mi"), 0, 64},
		{"out of it again", EXECUTOR LOCAL_DIRS("/s/../t") SCRATCH("/s,size=64Mi"), 0, 64},
		{"below an emptyDir", EXECUTOR LOCAL_DIRS("/data/spark") EMPTY_DIR("/data") SCRATCH("/s,size=64Mi"), EXECUTOR_EMPTY_DIRS, 64},
		{"nothing is given above an emptyDir", EXECUTOR LOCAL_DIRS("/s/data/spark") EMPTY_DIR("/s/data") SCRATCH("/s,size=64Mi"), EXECUTOR_EMPTY_DIRS, 0},
		{"a driver's stay", DRIVER LOCAL_DIRS("/data") EMPTY_DIR("/data") SCRATCH("/s,size=64Mi,localDirs"), EXECUTOR_EMPTY_DIRS, 64},
	};
	static struct built b;
	static struct plan plan;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char complaint[PLAN_COMPLAINT_BYTES];
		struct executor executor, again;
		build(&b, row[i].pod);
		decide(&asking, ALL_READY, false, &b, &plan, complaint);
		recognise(NULL, &b.pod, &b.container, &executor);
		recognise_given(&b.container, &plan, &executor);
		if (executor.flags != row[i].want || executor.injected_bytes != row[i].mib * MI)
			fail_msg("%s: flags %u, %llu bytes", row[i].what, executor.flags, (unsigned long long)executor.injected_bytes);
		give(&plan, &b);
		recognise(NULL, &b.pod, &b.container, &again);
		assert_memory_equal(&executor, &again, sizeof(executor));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_owner_and_bounds),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_where_its_local_dirs_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
