/* What is set at a container's creation: policy, annotations, dry run, and everything that forbids it. */
#include "tests/unit/pod_text.h"

#include "shim/plan.h"
#include "shim/recognise.h"

#define EXECUTOR   "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\n"
#define DRIVER	   "label spark-role=driver\nname spark-kubernetes-driver\n"
#define ASKS(word) "annotation stoker.dev/oom-group=" word "\n"

static const struct config_executors nothing, single = {.python_oom_group = CONFIG_OOM_GROUP_SINGLE}, group = {.python_oom_group = CONFIG_OOM_GROUP_GROUP},
					       asking = {.annotations = 1}, asking_single = {.annotations = 1, .python_oom_group = CONFIG_OOM_GROUP_SINGLE},
					       drivers_last = {.oom_score_adj = CONFIG_OOM_SCORE_DRIVERS_LAST},
					       dry = {.annotations = 1, .dry_run = 1, .python_oom_group = CONFIG_OOM_GROUP_SINGLE, .oom_score_adj = CONFIG_OOM_SCORE_DRIVERS_LAST};
static const struct plan_limits all = {.unified = true, .oom_score_adj = true}, v1 = {.oom_score_adj = true}, old = {.unified = true},
				all_dry = {.unified = true, .oom_score_adj = true, .dry_run = true};

static const struct {
	const char *what;
	const struct config_executors *config;
	const struct plan_limits *limits;
	const char *pod, *want, *complaint;
} rows[] = {
	{"off by default", &nothing, &all, EXECUTOR, "", ""},
	{"one task is retried", &single, &all, EXECUTOR, "memory.oom.group=0", ""},
	{"or all of it goes", &group, &all, EXECUTOR, "memory.oom.group=1", ""},
	{"not for drivers", &single, &all, DRIVER, "", ""},
	{"not for what is not Spark", &single, &all, "name c\n", "", ""},
	{"not for neighbours", &single, &all, "label spark-role=executor\nname istio-proxy\n", "", ""},
	{"not for workers of many executors", &single, &all, "label spark-role=worker\nname worker\n", "", ""},
	{"not on v1", &single, &v1, EXECUTOR, "", ""},
	{"not what the container has", &single, &all, EXECUTOR "unified memory.oom.group=1\n", "", ""},
	{"what else it has does not matter", &single, &all, EXECUTOR "unified memory.high=1\n", "memory.oom.group=0", ""},
	/* annotations */
	{"asked", &asking, &all, EXECUTOR ASKS("single"), "memory.oom.group=0", ""},
	{"asked for the group", &asking_single, &all, EXECUTOR ASKS("group"), "memory.oom.group=1", ""},
	{"asked to leave it", &asking_single, &all, EXECUTOR ASKS("leave"), "", ""},
	{"asked, not allowed", &nothing, &all, EXECUTOR ASKS("single"), "", "annotation stoker.dev/oom-group: is not allowed on this node (executors.annotations)"},
	{"not allowed, and the policy stays", &single, &all, EXECUTOR ASKS("group"), "memory.oom.group=0",
	 "annotation stoker.dev/oom-group: is not allowed on this node (executors.annotations)"},
	{"a bad word is the default", &asking_single, &all, EXECUTOR ASKS("Single"), "memory.oom.group=0",
	 "annotation stoker.dev/oom-group: must be single, group or leave, not 'Single'"},
	{"an empty one", &asking, &all, EXECUTOR ASKS(""), "", "annotation stoker.dev/oom-group: must be single, group or leave"},
	{"a foreign one", &asking, &all, EXECUTOR ASKS("a\x1b[2Jb\\"), "", "annotation stoker.dev/oom-group: must be single, group or leave, not 'a?[2Jb\\\\'"},
	{"a long one is cut", &asking, &all, EXECUTOR ASKS("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "",
	 "annotation stoker.dev/oom-group: must be single, group or leave, not 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"},
	{"asked on v1", &asking, &v1, EXECUTOR ASKS("single"), "",
	 "annotation stoker.dev/oom-group: has no effect on this node: it takes cgroup v2 and a runtime that passes it on"},
	{"nothing asked of v1", &asking, &v1, EXECUTOR ASKS("leave"), "", ""},
	{"a word that is not known", &asking, &all, EXECUTOR "annotation stoker.dev/oomgroup=single\n", "", "annotation stoker.dev/oomgroup: is not a known annotation"},
	{"of others nothing is said", &asking, &all, EXECUTOR "annotation stoker.example/oom-group=single\n", "", ""},
	{"nor for pods that are not Spark's", &asking, &all, "name c\nannotation stoker.dev/x=y\n", "", ""},
	{"a driver's does nothing", &asking, &all, DRIVER ASKS("single"), "", ""},
	/* oom_score_adj */
	{"drivers last", &drivers_last, &all, DRIVER "limit 2g\nadj 959\n", "oom_score_adj=3", ""},
	{"client-mode drivers too", &drivers_last, &all, "name c\narg pyspark-shell\nlimit 2g\nadj 1000\n", "oom_score_adj=3", ""},
	{"never executors", &drivers_last, &all, EXECUTOR "limit 2g\nadj 959\n", "", ""},
	{"never upwards", &drivers_last, &all, DRIVER "limit 2g\nadj 2\n", "", ""},
	{"never without a limit", &drivers_last, &all, DRIVER "adj 959\n", "", ""},
	{"never unseen", &drivers_last, &all, DRIVER "limit 2g\n", "", ""},
	{"not with an old NRI", &drivers_last, &old, DRIVER "limit 2g\nadj 959\n", "", ""},
	/* dry run */
	{"dry: executor", &dry, &all, EXECUTOR, "dry memory.oom.group=0", ""},
	{"dry: driver", &dry, &all, DRIVER "limit 2g\nadj 959\n", "dry oom_score_adj=3", ""},
	{"dry: complaints are said", &dry, &all, EXECUTOR ASKS("x"), "dry memory.oom.group=0", "annotation stoker.dev/oom-group: must be single, group or leave, not 'x'"},
	{"dry: nothing to say", &dry, &v1, EXECUTOR, "", ""},
	{"dry by the caller", &single, &all_dry, EXECUTOR, "dry memory.oom.group=0", ""},
};

static void test_rows(void **unused)
{
	static struct built b;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct executor executor;
		struct plan plan;
		char complaint[PLAN_COMPLAINT_BYTES], said[512] = "";
		build(&b, rows[i].pod);
		recognise(NULL, &b.pod, &b.container, &executor);
		memset(&plan, 0x5a, sizeof(plan));
		memset(complaint, 0x5a, sizeof(complaint));
		plan_decide(rows[i].config, rows[i].limits, &executor, &b.pod, &b.container, &plan, complaint);
		if (plan.would_set[0]) {
			assert_true(plan_is_empty(&plan));
			snprintf(said, sizeof(said), "dry %s", plan.would_set);
		} else {
			plan_say(&plan, said, sizeof(said));
			assert_int_equal(plan_is_empty(&plan), !said[0]);
		}
		if (strcmp(said, rows[i].want) != 0 || strcmp(complaint, rows[i].complaint) != 0)
			fail_msg("%s:\n  got  '%s' '%s'\n  want '%s' '%s'", rows[i].what, said, complaint, rows[i].want, rows[i].complaint);
	}
}

/* Of more keys than are read nobody knows what the rest are: then none is set. */
static void test_keys_beyond_what_is_read(void **unused)
{
	static struct built b;
	struct executor executor;
	struct plan plan;
	char complaint[PLAN_COMPLAINT_BYTES];
	(void)unused;

	build(&b, EXECUTOR);
	b.container.unified_count = ARRAY_SIZE(b.container.unified);
	for (uint32_t i = 0; i < b.container.unified_count; i++)
		b.container.unified[i].key = b.container.unified[i].value = text_of("x");
	recognise(NULL, &b.pod, &b.container, &executor);
	plan_decide(&single, &all, &executor, &b.pod, &b.container, &plan, complaint);
	assert_true(plan_is_empty(&plan));
	b.container.unified_count--;
	plan_decide(&single, &all, &executor, &b.pod, &b.container, &plan, complaint);
	assert_false(plan_is_empty(&plan));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_keys_beyond_what_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
