#include "shim/marks.h"

#include <string.h>

#include "base/scoped.h"
#include "shim/text.h"

#define LABEL	    1U
#define ANNOTATION  2U
#define EITHER	    (LABEL | ANNOTATION)
#define INTO(member) offsetof(struct executor, member), sizeof(((struct executor *)0)->member)
#define NOWHERE	     0, 0

/* From above: what comes first fills the field. A key that ends with '/' stands for all keys that begin so. */
static const struct mark {
	const char *key;
	unsigned where;
	size_t offset, size; /* of the field that takes the value */
	enum executor_operator operator_;
	enum executor_scheduler scheduler;
} marks[] = {
	/* Apache Spark: name and version only from 3.3 on */
	{"spark-app-selector", LABEL, INTO(app_id), 0, 0},
	{"spark-app-name", EITHER, INTO(app_name), 0, 0},
	{"spark-exec-id", LABEL, INTO(executor_id), 0, 0},
	{"spark-version", LABEL, INTO(spark_version), 0, 0},
	/* kubeflow spark-operator */
	{"sparkoperator.k8s.io/connect-name", LABEL, INTO(connect_name), EXECUTOR_OPERATOR_KUBEFLOW, 0},
	{"sparkoperator.k8s.io/app-name", LABEL, INTO(app_name), EXECUTOR_OPERATOR_KUBEFLOW, 0},
	{"sparkoperator.k8s.io/connect-name", LABEL, INTO(app_name), EXECUTOR_OPERATOR_KUBEFLOW, 0},
	{"sparkoperator.k8s.io/", LABEL, NOWHERE, EXECUTOR_OPERATOR_KUBEFLOW, 0},
	/* apache/spark-kubernetes-operator */
	{"spark.operator/spark-app-name", LABEL, INTO(app_name), EXECUTOR_OPERATOR_APACHE, 0},
	{"spark.operator/spark-cluster-name", LABEL, INTO(app_name), EXECUTOR_OPERATOR_APACHE, 0},
	{"spark.operator/", LABEL, NOWHERE, EXECUTOR_OPERATOR_APACHE, 0},
	{"emr-containers.amazonaws.com/", EITHER, NOWHERE, EXECUTOR_OPERATOR_EMR, 0},
	{"eks-subscription.amazonaws.com/", EITHER, NOWHERE, EXECUTOR_OPERATOR_EMR, 0},
	{"kyuubi-unique-tag", LABEL, NOWHERE, EXECUTOR_OPERATOR_KYUUBI, 0},
	/* schedulers */
	{"scheduling.volcano.sh/queue-name", EITHER, INTO(queue), 0, EXECUTOR_SCHEDULER_VOLCANO},
	{"volcano.sh/queue-name", EITHER, INTO(queue), 0, EXECUTOR_SCHEDULER_VOLCANO},
	{"scheduling.k8s.io/group-name", EITHER, NOWHERE, 0, EXECUTOR_SCHEDULER_VOLCANO},
	{"scheduling.volcano.sh/", EITHER, NOWHERE, 0, EXECUTOR_SCHEDULER_VOLCANO},
	{"volcano.sh/", EITHER, NOWHERE, 0, EXECUTOR_SCHEDULER_VOLCANO},
	{"yunikorn.apache.org/queue", EITHER, INTO(queue), 0, EXECUTOR_SCHEDULER_YUNIKORN},
	{"yunikorn.apache.org/", EITHER, NOWHERE, 0, EXECUTOR_SCHEDULER_YUNIKORN},
	{"kueue.x-k8s.io/queue-name", LABEL, INTO(queue), 0, EXECUTOR_SCHEDULER_KUEUE},
	{"runai/queue", LABEL, INTO(queue), 0, EXECUTOR_SCHEDULER_RUNAI},
};

static const struct {
	const char *name;
	enum executor_role role;
} roles[] = {
	{"executor", EXECUTOR_ROLE_EXECUTOR},
	{"driver", EXECUTOR_ROLE_DRIVER},
	{"connect-server", EXECUTOR_ROLE_CONNECT_SERVER}, /* kubeflow's SparkConnect */
	{"master", EXECUTOR_ROLE_STANDALONE_MASTER},	  /* the Apache operator's SparkCluster */
	{"worker", EXECUTOR_ROLE_STANDALONE_WORKER},
};

static bool is_mark(const struct mark *mark, struct text key)
{
	return mark->key[strlen(mark->key) - 1] == '/' ? text_starts(key, mark->key) : text_is(key, mark->key);
}

static void take(const struct redactor *redactor, const struct mark *mark, const struct text_pair *pairs, uint32_t count, struct executor *executor)
{
	for (uint32_t i = 0; i < count; i++) {
		char *field = (char *)executor + mark->offset;
		if (!is_mark(mark, pairs[i].key))
			continue;
		if (mark->size > 0 && !field[0])
			text_copy_redacted(redactor, field, mark->size, pairs[i].value);
		if (mark->operator_ != EXECUTOR_OPERATOR_NONE && executor->operator_ == EXECUTOR_OPERATOR_NONE)
			executor->operator_ = mark->operator_;
		if (mark->scheduler != EXECUTOR_SCHEDULER_UNKNOWN && executor->scheduler == EXECUTOR_SCHEDULER_UNKNOWN)
			executor->scheduler = mark->scheduler;
		return;
	}
}

const struct text *marks_label(const struct pod_view *pod, const char *key)
{
	for (uint32_t i = 0; i < pod->label_count; i++)
		if (text_is(pod->labels[i].key, key))
			return &pod->labels[i].value;
	return NULL;
}

void marks_read(const struct redactor *redactor, const struct pod_view *pod, struct executor *executor)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (marks[i].where & LABEL)
			take(redactor, &marks[i], pod->labels, pod->label_count, executor);
		if (marks[i].where & ANNOTATION)
			take(redactor, &marks[i], pod->annotations, pod->annotation_count, executor);
	}
	/* YuniKorn's older labels are plain words: only both together mean it. */
	const struct text *queue = marks_label(pod, "queue");
	if (queue && marks_label(pod, "applicationId") && executor->scheduler == EXECUTOR_SCHEDULER_UNKNOWN) {
		executor->scheduler = EXECUTOR_SCHEDULER_YUNIKORN;
		text_copy_redacted(redactor, executor->queue, sizeof(executor->queue), *queue);
	}
	/* StatefulSets and Deployments of executors get their ids only when they register. */
	if (strcmp(executor->executor_id, "EXECID") == 0)
		memset(executor->executor_id, 0, sizeof(executor->executor_id));
}

enum executor_role marks_role(const struct pod_view *pod)
{
	const struct text *role = marks_label(pod, "spark-role");

	for (size_t i = 0; role && i < ARRAY_SIZE(roles); i++)
		if (text_is(*role, roles[i].name))
			return roles[i].role;
	return EXECUTOR_ROLE_NONE;
}

bool marks_is_jupyter(const struct pod_view *pod)
{
	const struct text *app = marks_label(pod, "app"), *component = marks_label(pod, "component");

	return marks_label(pod, "hub.jupyter.org/username") || (app && component && text_is(*app, "jupyterhub") && text_is(*component, "singleuser-server"));
}

bool marks_is_zeppelin(const struct pod_view *pod, struct text *setting)
{
	const struct text *name = marks_label(pod, "interpreterSettingName");

	if (!name || !marks_label(pod, "interpreterGroupId"))
		return false;
	*setting = *name;
	return true;
}
