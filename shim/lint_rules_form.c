/* lint_rules_form.c - rules about the form of a document: twins, quantities, misspelt fields. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

/* The node after this one, in order of writing; NULL = that was the last. */
static const struct lint_node *next_node(const struct lint_node *node, const struct lint_node *root)
{
	if (node->first)
		return node->first;
	while (node != root && !node->next)
		node = node->parent;
	return node == root ? NULL : node->next;
}

/* --- twins --- */

static int compare_keys(const void *a, const void *b)
{
	const struct lint_node *left = *(const struct lint_node *const *)a, *right = *(const struct lint_node *const *)b;
	const int order = strcmp(left->key, right->key);

	return order != 0 ? order : left->line < right->line ? -1 : left->line > right->line;
}

static void check_mapping(struct lint *lint, const struct lint_tree *tree, const struct lint_node *mapping)
{
	size_t count = 0;

	for (const struct lint_node *child = mapping->first; child; child = child->next)
		count++;
	const struct lint_node **sorted = count < 2 ? NULL : lint_arena_take(&lint->arena, count * sizeof(const struct lint_node *));
	if (!sorted)
		return;
	count = 0;
	for (const struct lint_node *child = mapping->first; child; child = child->next)
		sorted[count++] = child;
	qsort(sorted, count, sizeof(const struct lint_node *), compare_keys);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
			continue;
		const char *key = lint_shown(lint, "", sorted[i]->key), *where = lint_where(lint, lint_place_of(tree->file, sorted[i - 1]));
		const char *instead = lint_arena_print(&lint->arena, "(nothing: take one of the two out)");
		lint_report(lint, tree->is_properties ? LINT_DUPLICATE_SETTING : LINT_DUPLICATE_KEY, lint_place_of(tree->file, sorted[i]), instead ? instead : "",
			    "'%s' stands twice: at %s too", key, where);
	}
}

void lint_check_twins(struct lint *lint, const struct lint_tree *tree)
{
	for (const struct lint_node *node = tree->root; node; node = next_node(node, tree->root))
		if (node->kind == LINT_MAPPING)
			check_mapping(lint, tree, node);
}

/* --- quantities --- */

static bool is_millibytes(const char *text)
{
	const size_t digits = strspn(text, "0123456789.");

	return digits > 0 && text[digits] == 'm' && text[digits + 1] == '\0';
}

/* Is this the amount of memory or disk of a Kubernetes object? */
static bool is_quantity_of_bytes(const struct lint_node *node)
{
	static const char *const keys[] = {"memory", "ephemeral-storage", "storage", "limits.memory", "requests.memory", "limits.ephemeral-storage", "requests.ephemeral-storage", "requests.storage"},
				 *const lists[] = {"limits", "requests", "hard", "default", "defaultRequest", "max", "min", "capacity", "resources"};

	if (strcmp(node->key, "sizeLimit") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (size_t j = 0; strcmp(node->key, keys[i]) == 0 && node->parent && j < ARRAY_SIZE(lists); j++)
			if (strcmp(node->parent->key, lists[j]) == 0)
				return true;
	return false;
}

/* spark.kubernetes.executor.volumes.emptyDir.NAME.options.sizeLimit is one of Kubernetes', too. */
static bool is_size_setting(const char *key)
{
	static const char ending[] = ".options.sizeLimit";
	const size_t n = strlen(key);

	return str_starts(key, "spark.kubernetes.") && n >= strlen(ending) && strcmp(key + n - strlen(ending), ending) == 0;
}

void lint_check_quantities(struct lint *lint, const struct lint_tree *tree)
{
	for (const struct lint_node *node = tree->root; node; node = next_node(node, tree->root)) {
		const bool is_value = strcmp(node->key, "value") == 0 && node->parent && is_size_setting(node->parent->key); /* Zeppelin's */
		const bool is_setting = is_size_setting(node->key) || is_value;
		if (node->kind != LINT_SCALAR || !is_millibytes(node->text) || (!is_setting && !is_quantity_of_bytes(node)))
			continue;
		const char *shown = lint_shown(lint, "", node->text), *key = lint_shown(lint, "", node->key);
		const int digits = (int)strspn(shown, "0123456789.");
		const char *instead = tree->is_properties ? lint_arena_print(&lint->arena, "%s %.*sMi", key, digits, shown) : lint_arena_print(&lint->arena, "%s: %.*sMi", key, digits, shown);
		lint_report(lint, LINT_MEMORY_IN_MILLIBYTES, lint_place_of(tree->file, node), instead ? instead : "", "'%s' of '%s' is thousandths of a byte to Kubernetes, no MiB", shown, key);
	}
}

/* --- misspelt fields --- */

/* Words with a blank around each, so that the table is readable. */
static const char app_fields[] =
	" type sparkVersion mode proxyUser image imagePullPolicy imagePullSecrets sparkConf hadoopConf sparkConfigMap hadoopConfigMap volumes driver executor mainClass mainApplicationFile "
	"arguments deps restartPolicy nodeSelector failureRetries retryInterval pythonVersion memoryOverheadFactor monitoring batchScheduler timeToLiveSeconds batchSchedulerOptions "
	"sparkUIOptions driverIngressOptions dynamicAllocation suspend timeToLive ",
			 pod_fields[] =
	" cores coreLimit coreRequest memory memoryLimit memoryOverhead gpu image configMaps secrets env envVars envFrom envSecretKeyRefs labels annotations volumeMounts affinity tolerations "
	"podSecurityContext securityContext schedulerName sidecars initContainers hostNetwork nodeSelector dnsConfig dnsPolicy terminationGracePeriodSeconds serviceAccount hostAliases "
	"shareProcessNamespace priorityClassName template podName javaOptions lifecycle kubernetesMaster serviceAnnotations serviceLabels ports instances deleteOnTermination "
	"podTemplate podLabels ",
			 connect_fields[] = " sparkVersion image imagePullPolicy imagePullSecrets hadoopConf sparkConf server executor dynamicAllocation suspend ",
			 connect_pod_fields[] = " cores memory instances template service ",
			 spec_fields[] =
	" containers initContainers ephemeralContainers volumes securityContext serviceAccountName serviceAccount nodeSelector nodeName affinity tolerations restartPolicy schedulerName "
	"terminationGracePeriodSeconds activeDeadlineSeconds hostNetwork hostPID hostIPC hostUsers hostAliases hostname hostnameOverride subdomain dnsPolicy dnsConfig imagePullSecrets "
	"priority priorityClassName preemptionPolicy overhead runtimeClassName enableServiceLinks automountServiceAccountToken shareProcessNamespace topologySpreadConstraints readinessGates os "
	"schedulingGates resourceClaims resources setHostnameAsFQDN workloadRef ",
			 container_fields[] =
	" name image imagePullPolicy command args workingDir ports env envFrom resources resizePolicy restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe "
	"startupProbe lifecycle terminationMessagePath terminationMessagePolicy securityContext stdin stdinOnce tty ",
			 mount_fields[] = " name mountPath subPath subPathExpr readOnly recursiveReadOnly mountPropagation ",
			 security_fields[] =
	" runAsUser runAsGroup runAsNonRoot fsGroup fsGroupChangePolicy supplementalGroups supplementalGroupsPolicy seLinuxOptions seLinuxChangePolicy seccompProfile sysctls windowsOptions "
	"appArmorProfile capabilities privileged allowPrivilegeEscalation readOnlyRootFilesystem procMount ",
			 empty_dir_fields[] = " medium sizeLimit ", resources_fields[] = " limits requests claims ";

/* Where a mapping of that kind is found beneath another one: `list` = each of its items. */
static const struct shape {
	const char *path;
	bool list;
	const char *fields;
	const struct shape *deeper;
} mount_shape[] = {{"volumeMounts", true, mount_fields, NULL}, {"securityContext", false, security_fields, NULL}, {"resources", false, resources_fields, NULL}, {0}},
  volume_shape[] = {{"emptyDir", false, empty_dir_fields, NULL}, {0}},
  spec_shape[] = {{"containers", true, container_fields, mount_shape}, {"initContainers", true, container_fields, mount_shape}, {"volumes", true, NULL, volume_shape},
		  {"securityContext", false, security_fields, NULL}, {0}},
  template_shape[] = {{"spec", false, spec_fields, spec_shape}, {0}},
  pod_shape[] = {{"volumeMounts", true, mount_fields, NULL}, {"securityContext", false, security_fields, NULL}, {"podSecurityContext", false, security_fields, NULL},
		 {"template/spec", false, spec_fields, spec_shape}, {0}},
  app_shape[] = {{"driver", false, pod_fields, pod_shape}, {"executor", false, pod_fields, pod_shape}, {"volumes", true, NULL, volume_shape}, {0}},
  connect_shape[] = {{"server", false, connect_pod_fields, pod_shape}, {"executor", false, connect_pod_fields, pod_shape}, {0}},
  apache_shape[] = {{"driverSpec/podTemplateSpec/spec", false, spec_fields, spec_shape}, {"executorSpec/podTemplateSpec/spec", false, spec_fields, spec_shape}, {0}},
  cluster_shape[] = {{"masterSpec/statefulSetSpec/template/spec", false, spec_fields, spec_shape}, {"workerSpec/statefulSetSpec/template/spec", false, spec_fields, spec_shape}, {0}};

static const struct form {
	enum lint_part_kind kind;
	const char *fields; /* of its spec; NULL = any */
	const struct shape *shape;
} forms[] = {
	{LINT_PART_KUBEFLOW_APP, app_fields, app_shape},
	{LINT_PART_KUBEFLOW_CONNECT, connect_fields, connect_shape},
	{LINT_PART_APACHE_APP, NULL, apache_shape},
	{LINT_PART_APACHE_CLUSTER, NULL, cluster_shape},
};

/* A field that is not known is mostly one of a newer version. Only a near miss is a mistake. */
static const char *near_miss(struct lint *lint, const char *key, const char *fields)
{
	const size_t length = strlen(key);
	const char *near = NULL;
	unsigned least = length >= 8 ? 3 : length >= 4 ? 2 : 1;

	if (length >= STR_DISTANCE_BYTES)
		return NULL;
	for (const char *word = fields + 1; *word;) {
		const size_t n = strcspn(word, " ");
		if (n == length && strncmp(word, key, n) == 0)
			return NULL;
		const unsigned far = str_distance(key, word, n);
		if (far < least) {
			least = far;
			near = lint_arena_copy(&lint->arena, word, n);
		}
		word += n + 1;
	}
	return near;
}

static void check_fields_of(struct lint *lint, const struct lint_file *file, const struct lint_node *node, const char *fields)
{
	for (const struct lint_node *child = fields && node->kind == LINT_MAPPING ? node->first : NULL; child; child = child->next) {
		const char *right = near_miss(lint, child->key, fields);
		const char *instead = right ? lint_arena_print(&lint->arena, "%s:", right) : NULL;
		if (instead)
			lint_report(lint, LINT_UNKNOWN_FIELD, lint_place_of(file, child), instead, "there is no field '%s' here: '%s' is meant", lint_shown(lint, "", child->key), right);
	}
}

static void check_shape(struct lint *lint, const struct lint_file *file, const struct lint_node *node, const struct shape *shape)
{
	for (; shape && shape->path; shape++) {
		const struct lint_node *found = lint_at(node, shape->path);
		const bool is_list = shape->list && found && found->kind == LINT_SEQUENCE;
		for (const struct lint_node *one = is_list ? found->first : found; one; one = is_list ? one->next : NULL) {
			check_fields_of(lint, file, one, shape->fields);
			check_shape(lint, file, one, shape->deeper);
		}
	}
}

void lint_check_fields(struct lint *lint, const struct lint_part *part)
{
	if (part->kind == LINT_PART_POD)
		check_shape(lint, part->file, part->node, template_shape);
	for (size_t i = 0; part->spec && i < ARRAY_SIZE(forms); i++) {
		if (forms[i].kind != part->kind)
			continue;
		check_fields_of(lint, part->file, part->spec, forms[i].fields);
		check_shape(lint, part->file, part->spec, forms[i].shape);
	}
}
