#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_launch.h"

/* What kubeflow's operator makes of its fields: it runs spark-submit with these settings. */
static const struct {
	const char *path, *key;
} kubeflow_fields[] = {
	{"image", "spark.kubernetes.container.image"},
	{"memoryOverheadFactor", "spark.kubernetes.memoryOverheadFactor"},
	{"driver/image", "spark.kubernetes.driver.container.image"},
	{"driver/memory", "spark.driver.memory"},
	{"driver/memoryOverhead", "spark.driver.memoryOverhead"},
	{"driver/coreLimit", "spark.kubernetes.driver.limit.cores"},
	{"executor/image", "spark.kubernetes.executor.container.image"},
	{"executor/memory", "spark.executor.memory"},
	{"executor/memoryOverhead", "spark.executor.memoryOverhead"},
	{"executor/coreLimit", "spark.kubernetes.executor.limit.cores"},
	{"server/memory", "spark.driver.memory"},
	{"server/coreLimit", "spark.kubernetes.driver.limit.cores"},
};

static int put_fields(struct lint *l, struct lint_launch *launch, const struct lint_node *spec)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kubeflow_fields) && r == 0; i++) {
		const struct lint_node *node = lint_at(spec, kubeflow_fields[i].path);
		if (node && *lint_text(node, ""))
			r = lint_setting_put(l, launch, kubeflow_fields[i].key, node->text, lint_place_of(launch->part->file, node));
	}
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_ && r == 0; role++) {
		char path[64] = "", prefix[64] = "";
		str_append(path, sizeof(path), "%s/annotations", lint_role_name(role));
		str_append(prefix, sizeof(prefix), "spark.kubernetes.%s.annotation.", lint_role_name(role));
		r = lint_setting_put_all(l, launch, launch->part->file, lint_at(spec, path), prefix);
	}
	return r;
}

/* The operator's own fields for a pod: by its webhook, or, for spark-local-dir-N, by settings. */
static int take_operator_pod(struct lint *l, struct lint_launch *launch, enum lint_role role, const struct lint_node *spec, const struct lint_node *fields)
{
	struct lint_pod *pod = &launch->pods[role];
	const struct lint_file *file = launch->part->file;
	int r = lint_pod_take_volumes(l, pod, file, lint_at(spec, "volumes"));

	if (r == 0)
		r = lint_pod_take_mounts(l, pod, file, lint_get(fields, "volumeMounts"), "", "the operator's volumeMounts");
	pod->has_fs_group |= *lint_text(fields, "podSecurityContext/fsGroup") || *lint_text(fields, "securityContext/fsGroup");
	pod->is_root |= strcmp(lint_text(fields, "securityContext/runAsUser"), "0") == 0;
	return r == 0 ? lint_pod_take(l, pod, file, lint_get(fields, "template"), "the pod template") : r;
}

static int launch_kubeflow(struct lint *l, struct lint_launch *launch, const struct lint_node *spec, bool is_connect)
{
	const char *type = lint_text(spec, "type"), *mode = lint_text(spec, "mode");
	const struct lint_file *file = launch->part->file;

	launch->is_python = is_connect || strcmp(type, "Python") == 0 || strcmp(type, "R") == 0;
	launch->is_client = is_connect || (*mode && strcmp(mode, "cluster") != 0);
	launch->has_driver_pod = is_connect;
	int r = lint_setting_put_all(l, launch, file, lint_at(spec, "sparkConf"), "");
	if (r == 0)
		r = lint_setting_put_all(l, launch, file, lint_at(spec, "hadoopConf"), "spark.hadoop.");
	if (r == 0)
		r = put_fields(l, launch, spec);
	if (r == 0)
		r = take_operator_pod(l, launch, LINT_DRIVER, spec, lint_at(spec, is_connect ? "server" : "driver"));
	return r == 0 ? take_operator_pod(l, launch, LINT_EXECUTOR, spec, lint_at(spec, "executor")) : r;
}

static int launch_apache(struct lint *l, struct lint_launch *launch, const struct lint_node *spec, bool is_cluster)
{
	static const struct {
		const char *template, *claims;
	} paths[2][LINT_ROLE_MAX_] = {{{"driverSpec/podTemplateSpec", "-"}, {"executorSpec/podTemplateSpec", "-"}},
				      {{"masterSpec/statefulSetSpec/template", "masterSpec/statefulSetSpec/volumeClaimTemplates"},
				       {"workerSpec/statefulSetSpec/template", "workerSpec/statefulSetSpec/volumeClaimTemplates"}}};
	const struct lint_file *file = launch->part->file;

	launch->is_python = *lint_text(spec, "pyFiles") || strstr(lint_text(spec, "mainClass"), "PythonRunner");
	int r = lint_setting_put_all(l, launch, file, lint_at(spec, "sparkConf"), "");
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_ && r == 0; role++) {
		r = lint_pod_take(l, &launch->pods[role], file, lint_at(spec, paths[is_cluster][role].template), "the pod template");
		if (r == 0)
			r = lint_pod_take_claims(l, &launch->pods[role], file, lint_at(spec, paths[is_cluster][role].claims));
	}
	return r;
}

static bool has_word(const struct lint_node *list, const char *const *words, size_t count)
{
	for (const struct lint_node *item = list && list->kind == LINT_SEQUENCE ? list->first : list; item; item = list->kind == LINT_SEQUENCE ? item->next : NULL)
		for (size_t i = 0; i < count; i++)
			if (strstr(item->text, words[i]) || strstr(lint_text(item, "class"), words[i]))
				return true;
	return false;
}

/* One for each interpreter of the group "spark". */
static int launch_zeppelin(struct lint *l, struct lint_part *part)
{
	static const char *const pyspark[] = {"PySparkInterpreter"}, *const python_words[] = {"PYSPARK_PYTHON", "zeppelin.pyspark.python"};
	const struct lint_node *settings = lint_get(part->node, "interpreterSettings");
	int r = 0;

	for (const struct lint_node *one = settings ? settings->first : NULL; one && r == 0; one = one->next) {
		const struct lint_node *properties = lint_get(one, "properties");
		if (strcmp(lint_text(one, "group"), "spark") != 0 || l->launch_count >= LINT_LAUNCHES_MAX - 1)
			continue;
		struct lint_launch *launch = lint_launch_add(l, part, LINT_STYLE_ZEPPELIN);
		if (!launch)
			return -ENOMEM;
		launch->name = lint_text(one, "name");
		launch->place = lint_place_of(part->file, properties ? properties : one);
		launch->is_client = launch->is_notebook = true;
		launch->is_python = has_word(lint_get(one, "interpreterGroup"), pyspark, ARRAY_SIZE(pyspark));
		for (size_t i = 0; i < ARRAY_SIZE(python_words); i++)
			launch->is_python |= lint_get(properties, python_words[i]) != NULL;
		r = lint_launch_put_defaults(l, launch);
		if (r == 0)
			r = lint_setting_put_all(l, launch, part->file, properties, "");
		if (r == 0)
			r = lint_launch_end(l, launch);
	}
	return r;
}

enum driver_kind { DRIVER_NONE, DRIVER_PLAIN, DRIVER_PYTHON, DRIVER_NOTEBOOK };

/* Is a driver within this pod, in client mode? */
static enum driver_kind driver_of(const struct lint_node *template)
{
	static const char *const python[] = {"SparkConnectServer", "start-connect-server.sh", "pyspark", ".py"}, *const plain[] = {"spark-submit", "spark-shell", "spark-sql", "HiveThriftServer2"},
				 *const executor[] = {"ExecutorBackend"}, *const notebook[] = {"jupyter", "zeppelin", "notebook"};
	static const char *const lists[] = {"command", "args"};
	const struct lint_node *spark = lint_pod_main(template);
	bool is_python = false, is_plain = false;

	if (!spark || str_starts(lint_text(spark, "name"), "spark-kubernetes-"))
		return DRIVER_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct lint_node *words = lint_get(spark, lists[i]);
		if (words && has_word(words, executor, ARRAY_SIZE(executor)))
			return DRIVER_NONE;
		is_plain |= words && has_word(words, plain, ARRAY_SIZE(plain));
		is_python |= words && has_word(words, python, ARRAY_SIZE(python));
	}
	if (has_word(lint_get(spark, "image"), notebook, ARRAY_SIZE(notebook)))
		return DRIVER_NOTEBOOK;
	if (is_plain || is_python)
		return is_python ? DRIVER_PYTHON : DRIVER_PLAIN;
	return DRIVER_NONE;
}

static int put_container(struct lint *l, struct lint_launch *launch, const struct lint_node *container)
{
	static const char *const variables[] = {"PYSPARK_SUBMIT_ARGS", "SPARK_SUBMIT_OPTIONS", "SPARK_SUBMIT_OPTS", "ZEPPELIN_SPARK_CONF"};
	const struct lint_file *file = launch->part->file;
	const struct lint_node *env = lint_get(container, "env");
	int r = lint_setting_put_words(l, launch, file, lint_get(container, "command"));

	if (r == 0)
		r = lint_setting_put_words(l, launch, file, lint_get(container, "args"));
	for (const struct lint_node *one = env ? env->first : NULL; one && r == 0; one = one->next)
		for (size_t i = 0; i < ARRAY_SIZE(variables) && r == 0; i++)
			if (strcmp(lint_text(one, "name"), variables[i]) == 0)
				r = lint_setting_put_words(l, launch, file, lint_get(one, "value"));
	return r;
}

static int launch_pod(struct lint *l, struct lint_part *part)
{
	const enum driver_kind kind = driver_of(part->node);
	const struct lint_node *spark = lint_pod_main(part->node), *image = lint_get(spark, "image");

	if (kind == DRIVER_NONE)
		return 0;
	part->is_used = true;
	struct lint_launch *launch = lint_launch_add(l, part, LINT_STYLE_ARGUMENT);
	if (!launch)
		return -ENOMEM;
	launch->place = lint_place_of(part->file, spark);
	launch->is_client = launch->has_driver_pod = true;
	launch->is_python = kind != DRIVER_PLAIN;
	launch->is_notebook = kind == DRIVER_NOTEBOOK;
	int r = lint_launch_put_defaults(l, launch);
	if (r == 0)
		r = put_container(l, launch, spark);
	/* spark-submit in cluster mode: the driver is a pod of its own. */
	launch->has_driver_pod = strcmp(lint_setting_value(launch, "spark.submit.deployMode"), "cluster") != 0;
	if (r == 0 && launch->has_driver_pod)
		r = lint_pod_take(l, &launch->pods[LINT_DRIVER], part->file, part->node, "the pod");
	if (r == 0 && launch->has_driver_pod)
		r = lint_pod_take_claims(l, &launch->pods[LINT_DRIVER], part->file, part->claims);
	if (image && launch->has_driver_pod) {
		launch->pods[LINT_DRIVER].image = image->text;
		launch->pods[LINT_DRIVER].image_place = lint_place_of(part->file, image);
	}
	return r == 0 ? lint_launch_end(l, launch) : r;
}

int lint_launch_of(struct lint *l, struct lint_part *part)
{
	const bool is_kubeflow = part->kind == LINT_PART_KUBEFLOW_APP || part->kind == LINT_PART_KUBEFLOW_CONNECT;
	const bool is_apache = part->kind == LINT_PART_APACHE_APP || part->kind == LINT_PART_APACHE_CLUSTER;

	if (part->kind == LINT_PART_POD)
		return launch_pod(l, part);
	if (part->kind == LINT_PART_ZEPPELIN)
		return launch_zeppelin(l, part);
	if (!is_kubeflow && !is_apache)
		return 0;
	struct lint_launch *launch = lint_launch_add(l, part, LINT_STYLE_YAML);
	if (!launch)
		return -ENOMEM;
	int r = lint_launch_put_defaults(l, launch);
	if (r == 0)
		r = is_kubeflow ? launch_kubeflow(l, launch, part->spec, part->kind == LINT_PART_KUBEFLOW_CONNECT) : launch_apache(l, launch, part->spec, part->kind == LINT_PART_APACHE_CLUSTER);
	return r == 0 ? lint_launch_end(l, launch) : r;
}
