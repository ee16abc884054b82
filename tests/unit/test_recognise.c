/* Pod facts to executor: one row for each thing that pods look like. */
#include "tests/unit/pod_text.h"

#include "base/redact.h"
#include "shim/recognise.h"
#include "tests/unit/recognise_rows.h"

static void test_pods(void **unused)
{
	static struct built b;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(pod_rows); i++) {
		struct executor executor;
		char shown[1024];
		build(&b, pod_rows[i].pod);
		memset(&executor, 0x5a, sizeof(executor));
		recognise(NULL, &b.pod, &b.container, &executor);
		executor_show(&executor, shown, sizeof(shown));
		if (strcmp(shown, pod_rows[i].want) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", pod_rows[i].what, shown, pod_rows[i].want);
	}
}

static void test_what_is_copied(void **unused)
{
	static struct built b;
	static struct executor executor;
	(void)unused;

	build(&b, "pod a-exec-1\nuid u-1\nnamespace team\nparent kubepods-burstable-podu_1.slice\nid 0123abcd\nname c\n"
		  "path kubepods-burstable-podu_1.slice:cri-containerd:0123abcd\nlabel spark-role=executor\nenv SPARK_EXECUTOR_ID=1\nlimit 3g\nadj 969\nuser 185\n");
	b.container.pid = 77;
	b.container.created_at_ns = 1700000000123456789;
	b.pod.memory_limit_bytes = 5;
	recognise(NULL, &b.pod, &b.container, &executor);
	assert_string_equal(executor.pod, "a-exec-1");
	assert_string_equal(executor.pod_uid, "u-1");
	assert_string_equal(executor.name_space, "team");
	assert_string_equal(executor.cgroup_parent, "kubepods-burstable-podu_1.slice");
	assert_string_equal(executor.container_id, "0123abcd");
	assert_string_equal(executor.container, "c");
	assert_string_equal(executor.cgroups_path, "kubepods-burstable-podu_1.slice:cri-containerd:0123abcd");
	assert_int_equal(executor.source, EXECUTOR_FROM_NRI);
	assert_int_equal(executor.pid, 77);
	assert_int_equal(executor.created_wall_us, 1700000000123456);
	assert_int_equal(executor.limit_bytes, 3ULL << 30);
	assert_int_equal(executor.pod_limit_bytes, 5);
	assert_int_equal(executor.oom_score_adj, 969);
	assert_int_equal(executor.uid, 185);
	assert_int_equal(executor.gid, 185);
	assert_int_equal(executor.qos, EXECUTOR_QOS_BURSTABLE);
}

static void test_what_is_not_known(void **unused)
{
	static struct built b;
	static struct executor executor;
	(void)unused;

	build(&b, "");
	b.container.has_memory_limit = b.container.has_oom_score_adj = true;
	b.container.memory_limit_bytes = -1;
	b.container.oom_score_adj = 100000;
	b.container.created_at_ns = b.pod.memory_limit_bytes = -1;
	recognise(NULL, &b.pod, &b.container, &executor);
	assert_int_equal(executor.role, EXECUTOR_ROLE_NONE);
	assert_int_equal(executor.limit_bytes, 0);
	assert_int_equal(executor.pod_limit_bytes, 0);
	assert_int_equal(executor.created_wall_us, 0);
	assert_int_equal(executor.oom_score_adj, INT32_MIN);
	assert_int_equal(executor.uid, UINT32_MAX);
	assert_int_equal(executor.qos, EXECUTOR_QOS_UNKNOWN);
}

static void test_qos(void **unused)
{
	static const struct {
		const char *parent;
		enum executor_qos want;
	} rows[] = {
		{"/kubepods/besteffort/pod1", EXECUTOR_QOS_BEST_EFFORT},
		{"/kubepods/burstable/pod1", EXECUTOR_QOS_BURSTABLE},
		{"/kubepods/pod1", EXECUTOR_QOS_GUARANTEED},
		{"kubepods-besteffort-pod1.slice", EXECUTOR_QOS_BEST_EFFORT},
		{"kubepods-burstable-pod1.slice", EXECUTOR_QOS_BURSTABLE},
		{"kubepods-pod1.slice", EXECUTOR_QOS_GUARANTEED},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod1.slice", EXECUTOR_QOS_BURSTABLE},
		{"/kubelet/kubepods/pod1", EXECUTOR_QOS_GUARANTEED},
		{"/default", EXECUTOR_QOS_UNKNOWN},
		{"", EXECUTOR_QOS_UNKNOWN},
	};
	static struct built b;
	struct executor executor;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		build(&b, "");
		b.pod.cgroup_parent = text_of(rows[i].parent);
		recognise(NULL, &b.pod, &b.container, &executor);
		assert_int_equal(executor.qos, rows[i].want);
	}
}

static void test_foreign_text_is_cut_and_cleaned(void **unused)
{
	static const struct {
		const char *bytes, *want;
		size_t size;
	} rows[] = {
		{"a\nb\x1b[31m\x7f", "a?b?[31m?", 64}, {"\xff\xc3\xa4\xc3", "?\xc3\xa4?", 64}, {"\xc2\x9b", "?", 64}, {"\xc3\xa4\xc3\xa4", "\xc3\xa4", 4}, {"abc", "ab", 3}, {"", "", 1},
	};
	char text[64];
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		text_copy(text, rows[i].size, text_of(rows[i].bytes));
		assert_string_equal(text, rows[i].want);
	}
	text_copy_whole(text, 3, text_of("abc"));
	assert_string_equal(text, ""); /* half an id is another's */
	text_copy_whole(text, 4, text_of("abc"));
	assert_string_equal(text, "abc");
}

/* '|' stands for the NUL between arguments. */
static void test_processes(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(process_rows); i++) {
		struct executor executor = {.uid = UINT32_MAX};
		char line[4096], shown[1024];
		for (size_t j = 0; j < ARRAY_SIZE(process_rows[i].lines) && process_rows[i].lines[j]; j++) {
			size_t length = strlen(process_rows[i].lines[j]);
			assert_true(str_copy(line, sizeof(line), process_rows[i].lines[j]));
			for (size_t k = 0; k < length; k++)
				line[k] = line[k] == '|' ? '\0' : line[k];
			recognise_from_process(NULL, line, length, &executor);
		}
		executor_show(&executor, shown, sizeof(shown));
		if (strcmp(shown, process_rows[i].want) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", process_rows[i].what, shown, process_rows[i].want);
	}
}

static void test_log_directories(void **unused)
{
	static const struct {
		const char *name, *name_space, *pod, *uid; /* NULL = refused */
	} rows[] = {
		{"team-a_pi-b6caeaa1fd20536d-exec-1_3e2714c5-2afa-4a6e-8e1b-20798bc82f1b", "team-a", "pi-b6caeaa1fd20536d-exec-1", "3e2714c5-2afa-4a6e-8e1b-20798bc82f1b"},
		{"kube-system_etcd-n1_0123456789abcdef0123456789abcdef", "kube-system", "etcd-n1", "0123456789abcdef0123456789abcdef"},
		{"a_b", NULL, NULL, NULL},
		{"a_b_c", NULL, NULL, NULL},
		{"_b_3e2714c5-2afa-4a6e-8e1b-20798bc82f1b", NULL, NULL, NULL},
		{"a__3e2714c5-2afa-4a6e-8e1b-20798bc82f1b", NULL, NULL, NULL},
		{"a_b_c_3e2714c5-2afa-4a6e-8e1b-20798bc82f1b", NULL, NULL, NULL},
		{"a_b_3e2714c5-2afa-4a6e-8e1b-20798bc82f1g", NULL, NULL, NULL},
		{"", NULL, NULL, NULL},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct executor executor = {0};
		bool taken = recognise_log_directory(rows[i].name, &executor);
		if (taken != (rows[i].uid != NULL))
			fail_msg("%s: %s", rows[i].name, taken ? "taken" : "refused");
		assert_string_equal(executor.name_space, taken ? rows[i].name_space : "");
		assert_string_equal(executor.pod, taken ? rows[i].pod : "");
		assert_string_equal(executor.pod_uid, taken ? rows[i].uid : "");
	}
	char longer[400] = "ns_";
	struct executor executor = {0};
	memset(longer + 3, 'a', 300);
	strcat(longer, "_3e2714c5-2afa-4a6e-8e1b-20798bc82f1b");
	assert_false(recognise_log_directory(longer, &executor));
}

/* Whatever a pod's author or a job's says of itself is shown to others: of every word that is kept the secrets are taken out before it is cut. */
static void test_secrets_of_words_that_are_kept(void **unused)
{
	static const char secret[] = "hunter2";
	static const char long_url[] = "s3a://AKIAIOSFODNN7EXAMPLE:hunter2hunter2hunter2hunter2hunter2hunter2hunter2@bucket";
	static const struct {
		const char *pod;
		const char *app_name; /* NULL: no matter */
	} rows[] = {
		{"arg spark-submit\narg --name\narg etl password=hunter2\n", "etl password=*********(redacted)"},
		{"arg spark-submit\narg --name=etl password=hunter2\n", NULL},
		{"arg spark-submit\narg --conf\narg spark.app.name=etl token:hunter2\n", NULL},
		{"arg spark-submit\narg --conf=spark.app.name=etl password=hunter2\n", NULL},
		{NULL /* long_url */, "s3a://*********(redacted)@bucket"},
		{"arg spark-submit\narg --app-id\narg password=hunter2\narg --name\narg x\n", "x"},
		{"arg org.apache.spark.executor.CoarseGrainedExecutorBackend\narg --executor-id\narg token=hunter2\narg --podName\narg secret=hunter2\n", NULL},
		{"label spark-role=executor\nenv SPARK_APPLICATION_ID=password=hunter2\nenv SPARK_EXECUTOR_ID=token=hunter2\n", NULL},
		{"label spark-role=driver\nannotation spark-app-name=etl password=hunter2\n", "etl password=*********(redacted)"},
		{"label spark-role=driver\nlabel spark-app-name=nightly-token-refresh\n", "nightly-token-refresh"},
		{"label spark-role=driver\nlabel queue=token=hunter2\nlabel applicationId=a\n", NULL},
		{"label spark-role=driver\nannotation volcano.sh/queue-name=q access.key=hunter2\nlabel sparkoperator.k8s.io/connect-name=password=hunter2\n", NULL},
	};
	static struct built b;
	static struct executor executor;
	char text[1024];
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);
	(void)unused;

	assert_non_null(redactor);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].pod)
			snprintf(text, sizeof(text), "%s", rows[i].pod);
		else
			snprintf(text, sizeof(text), "arg spark-submit\narg --name\narg %s\n", long_url);
		build(&b, text);
		recognise(redactor, &b.pod, &b.container, &executor);
		assert_int_not_equal(executor.role, EXECUTOR_ROLE_NONE);
		if (memmem(&executor, sizeof(executor), secret, strlen(secret)))
			fail_msg("row %zu: the secret is kept", i);
		if (rows[i].app_name)
			assert_string_equal(executor.app_name, rows[i].app_name);
	}
	redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_what_is_copied),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_qos),
		cmocka_unit_test(test_foreign_text_is_cut_and_cleaned),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_log_directories),
		cmocka_unit_test(test_secrets_of_words_that_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
