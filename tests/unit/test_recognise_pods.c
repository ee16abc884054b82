/* Real pod objects, made by Spark 3.5.9, 4.0.5 and 4.3.0 on a real API server, turned into what a runtime shows of them: recognised as
 * tests/fixtures/spark-pods/expected has it, one line a container. */
#include "tests/unit/pod_text.h"

#include <cjson/cJSON.h>
#include <dirent.h>

#include "shim/recognise.h"

#define FIXTURES   STOKER_FIXTURES "/spark-pods"
#define LINES_MAX  128
#define LINE_BYTES 512

static struct {
	char want[LINES_MAX][LINE_BYTES]; /* FILE POD CONTAINER: WHAT */
	bool used[LINES_MAX];
	unsigned count, wrong;
} expected;

static const char *string_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
	fclose(file);
	return text;
}

/* Room that views point into. */
static struct text keep(struct built *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct text keep(struct built *b, const char *format, ...)
{
	static size_t used;
	va_list args;

	if (!b) {
		used = 0;
		return text_of("");
	}
	va_start(args, format);
	int n = vsnprintf(b->text + used, sizeof(b->text) - used, format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n + 1 < sizeof(b->text) - used);
	struct text text = {b->text + used, (uint32_t)n};
	used += (size_t)n + 1;
	return text;
}

static void view_pod(struct built *b, const cJSON *pod)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(pod, "metadata"), *item;
	const char *qos = string_of(cJSON_GetObjectItemCaseSensitive(pod, "status"), "qosClass");
	char uid[64];

	b->pod.name = text_of(string_of(meta, "name"));
	b->pod.name_space = text_of(string_of(meta, "namespace"));
	b->pod.uid = text_of(string_of(meta, "uid"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(meta, "labels"))
		b->pod.labels[b->pod.label_count++] = (struct text_pair){text_of(item->string), text_of(item->valuestring)};
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(meta, "annotations"))
		b->pod.annotations[b->pod.annotation_count++] = (struct text_pair){text_of(item->string), text_of(item->valuestring)};
	assert_true(str_copy(uid, sizeof(uid), string_of(meta, "uid")));
	for (char *p = uid; *p; p++)
		*p = *p == '-' ? '_' : *p;
	b->pod.cgroup_parent = keep(b, "kubepods%s-pod%s.slice", strcmp(qos, "Burstable") == 0 ? "-burstable" : strcmp(qos, "BestEffort") == 0 ? "-besteffort" : "", uid);
}

/* What the kubelet puts in for a fieldRef. */
static const char *env_value(const cJSON *variable, const struct built *b)
{
	const cJSON *from = cJSON_GetObjectItemCaseSensitive(variable, "valueFrom");
	const char *path = string_of(cJSON_GetObjectItemCaseSensitive(from, "fieldRef"), "fieldPath");

	if (strcmp(path, "metadata.name") == 0)
		return b->pod.name.bytes;
	return strcmp(path, "status.podIP") == 0 ? "10.244.77.9" : string_of(variable, "value");
}

/* Where the kubelet has it on the node: that an emptyDir is one shows, whether it is in memory does not. */
static struct text volume_path(struct built *b, const cJSON *volumes, const char *name)
{
	const cJSON *volume;

	cJSON_ArrayForEach(volume, volumes)
		if (strcmp(string_of(volume, "name"), name) == 0 && cJSON_HasObjectItem(volume, "emptyDir"))
			return keep(b, "/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/%s", b->pod.uid.bytes, name);
	return keep(b, "/var/lib/kubelet/pods/%s/volumes/x/%s", b->pod.uid.bytes, name);
}

static void view_container(struct built *b, const cJSON *container, const cJSON *volumes)
{
	struct container_view *c = &b->container;
	const cJSON *item, *limits = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(container, "resources"), "limits");
	const cJSON *hook = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(container, "lifecycle"), "preStop");
	uint64_t bytes;

	c->name = text_of(string_of(container, "name"));
	c->image = text_of(string_of(container, "image"));
	c->args[c->arg_count++] = text_of("/opt/entrypoint.sh"); /* the image's */
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(container, "args"))
		c->args[c->arg_count++] = text_of(item->valuestring);
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(container, "env"))
		c->env[c->env_count++] = keep(b, "%s=%s", string_of(item, "name"), env_value(item, b));
	/* Volumes of every kind, those in memory too, come as bind mounts. */
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(container, "volumeMounts"))
		c->mounts[c->mount_count++] = (struct mount_view){text_of(string_of(item, "mountPath")), text_of("bind"), volume_path(b, volumes, string_of(item, "name"))};
	if (text_bytes(text_of(string_of(limits, "memory")), 1, &bytes))
		c->has_memory_limit = true, c->memory_limit_bytes = (int64_t)bytes;
	if (hook) {
		char *text = cJSON_PrintUnformatted(hook);
		c->annotations[c->annotation_count++] = (struct text_pair){text_of("io.kubernetes.container.preStopHandler"), keep(b, "%s", text)};
		free(text);
	}
}

static void expect(const char *line)
{
	for (unsigned i = 0; i < expected.count; i++) {
		if (!expected.used[i] && strcmp(expected.want[i], line) == 0) {
			expected.used[i] = true;
			return;
		}
	}
	print_error("not expected: %s\n", line);
	expected.wrong++;
}

static void recognise_pod(const char *file, const cJSON *pod)
{
	static struct built b;
	const cJSON *container, *spec = cJSON_GetObjectItemCaseSensitive(pod, "spec");

	cJSON_ArrayForEach(container, cJSON_GetObjectItemCaseSensitive(spec, "containers")) {
		struct executor executor;
		char line[LINE_BYTES], shown[LINE_BYTES];
		memset(&b, 0, sizeof(b));
		keep(NULL, "-");
		view_pod(&b, pod);
		view_container(&b, container, cJSON_GetObjectItemCaseSensitive(spec, "volumes"));
		recognise(NULL, &b.pod, &b.container, &executor);
		executor_show(&executor, shown, sizeof(shown));
		line[0] = '\0';
		assert_true(str_append(line, sizeof(line), "%s %s %s: %s", file, b.pod.name.bytes, b.container.name.bytes, shown));
		expect(line);
	}
}

static void recognise_file(const char *directory, const char *name)
{
	char path[512] = "", file[256] = "";

	assert_true(str_append(file, sizeof(file), "%s/%s", directory, name));
	assert_true(str_append(path, sizeof(path), FIXTURES "/%s", file));
	scoped(scoped_free) char *text = read_whole(path);
	cJSON *root = cJSON_Parse(text);
	if (!root)
		fail_msg("%s is no JSON", path);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(root, "items"), *item;
	cJSON_ArrayForEach(item, items)
		if (strcmp(string_of(item, "kind"), "Pod") == 0)
			recognise_pod(file, item);
	if (strcmp(string_of(root, "kind"), "Pod") == 0)
		recognise_pod(file, root);
	cJSON_Delete(root);
}

static void read_expected(void)
{
	scoped(scoped_free) char *text = read_whole(FIXTURES "/expected");

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(expected.count < LINES_MAX);
		assert_true(str_copy(expected.want[expected.count++], LINE_BYTES, line));
	}
}

static void test_real_pods(void **unused)
{
	static const char *const directories[] = {"3.5.9", "4.0.5", "4.3.0", "observed"};
	(void)unused;

	read_expected();
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		char path[512];
		snprintf(path, sizeof(path), FIXTURES "/%s", directories[i]);
		DIR *dir = opendir(path);
		assert_non_null(dir);
		for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
			if (strstr(entry->d_name, ".json"))
				recognise_file(directories[i], entry->d_name);
		closedir(dir);
	}
	for (unsigned i = 0; i < expected.count; i++) {
		if (!expected.used[i])
			print_error("missing: %s\n", expected.want[i]);
		expected.wrong += !expected.used[i];
	}
	assert_int_equal(expected.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
