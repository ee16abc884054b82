/* The rules of lint: no alarm on the clean files made after the seeds' configurations, and every fault that is planted into them found
 * where it is, and no other. */
#include <dirent.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint.h"

#define FILES_MAX  8
#define TEXT_BYTES 65536
#define SECRET	   "not-for-your-eyes" /* the value of each secret in the files */

static const char *const folders[] = {"apache", "connect", "minikube", "nfs-checkpoints", "no-webhook", "teams"};

struct folder {
	unsigned count;
	char names[FILES_MAX][64];
	char texts[FILES_MAX][TEXT_BYTES];
};

static struct folder loaded[ARRAY_SIZE(folders)];

static int load(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct folder *f = &loaded[i];
		struct dirent **entries = NULL;
		char path[1024];
		snprintf(path, sizeof(path), STOKER_FIXTURES "/lint/%s", folders[i]);
		int count = scandir(path, &entries, NULL, alphasort);
		for (int n = 0; n < count; n++) {
			struct err e = {0};
			if (entries[n]->d_name[0] != '.' && f->count < FILES_MAX) {
				str_copy(f->names[f->count], sizeof(f->names[0]), entries[n]->d_name);
				snprintf(path, sizeof(path), STOKER_FIXTURES "/lint/%s/%s", folders[i], entries[n]->d_name);
				if (fd_read_path(path, f->texts[f->count++], TEXT_BYTES, &e) < 0)
					return -1;
			}
			free(entries[n]);
		}
		free(entries);
		if (f->count == 0)
			return -1;
	}
	return 0;
}

/* The files of a folder, one of them with another text. */
static struct lint *judge(const struct folder *f, unsigned changed, const char *text, enum lint_webhook webhook)
{
	struct err e = {0};
	struct lint *lint = lint_new(&e);

	assert_non_null(lint);
	lint->webhook = webhook;
	for (unsigned i = 0; i < f->count; i++) {
		const char *is = text && i == changed ? text : f->texts[i];
		assert_int_equal(lint_add(lint, f->names[i], is, strlen(is), &e), 0);
	}
	assert_int_equal(lint_judge(lint, &e), 0);
	for (uint32_t i = 0; i < lint->finding_count; i++) {
		assert_null(strstr(lint->findings[i].text, SECRET));
		assert_null(strstr(lint->findings[i].instead, SECRET));
	}
	return lint;
}

static void say(const struct lint *lint)
{
	for (uint32_t i = 0; i < lint->finding_count; i++)
		print_message("  %s:%u: %s [%s]\n", lint->findings[i].place.file->name, lint->findings[i].place.line, lint->findings[i].text, lint_rule_id(lint->findings[i].rule));
	for (const struct lint_file *file = lint->files; file; file = file->next)
		if (!file->understood)
			print_message("  %s: not understood: %s\n", file->name, file->why);
}

static void test_clean_files_are_clean(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct lint *lint = judge(&loaded[i], 0, NULL, LINT_WEBHOOK_UNKNOWN);
		say(lint);
		assert_int_equal(lint->finding_count, 0);
		assert_string_equal(lint->cut, "");
		for (const struct lint_file *file = lint->files; file; file = file->next)
			assert_true(file->understood);
		lint_free(lint);
	}
}

#define ANYWHERE   -1
#define AND_OTHERS true

/* Everywhere where `pattern` matches in a folder (NULL: all), once for each place. \0 to \4 are the groups. */
static const struct fault {
	const char *folder, *pattern, *replacement;
	enum lint_rule rule;
	int line; /* of the finding, from that of the match; in the same file */
	bool others; /* the fault is one to other rules as well */
} faults[] = {
	/* twice at one path: in a template, by settings, by spark.local.dir, by the operator's settings */
	{NULL, "^( *)- name: (.*)\n +mountPath: (.*)$", "\\0\n\\1- name: \\2\n\\1  mountPath: \\3/", LINT_MOUNT_TWICE, 3, false},
	{"nfs-checkpoints", "^spark.master .*$",
	 "\\0\nspark.kubernetes.executor.volumes.nfs.cp.mount.path /mnt/spark-checkpoints\nspark.kubernetes.executor.volumes.nfs.cp.options.server 10.10.0.10\n"
	 "spark.kubernetes.executor.volumes.nfs.cp.options.path /volume1",
	 LINT_MOUNT_TWICE, 1, false},
	{"nfs-checkpoints", "^( +)\"SPARK_HOME\": .*$",
	 "\\0\n\\1\"spark.kubernetes.executor.volumes.nfs.cp.mount.path\": {\"value\": \"/mnt/spark-checkpoints\"},\n"
	 "\\1\"spark.kubernetes.executor.volumes.nfs.cp.options.server\": {\"value\": \"a\"},\n\\1\"spark.kubernetes.executor.volumes.nfs.cp.options.path\": {\"value\": \"/b\"},",
	 LINT_MOUNT_TWICE, 1, false},
	{"nfs-checkpoints", "^( +)--conf spark.driver.host=.*$",
	 "\\0\n\\1--conf spark.kubernetes.executor.volumes.emptyDir.cp.mount.path=/var/scratch/ \\\\", LINT_MOUNT_TWICE, 1, false},
	{"nfs-checkpoints", "^spark.master .*$", "\\0\nspark.local.dir /a,/var/scratch", LINT_MOUNT_TWICE, 1, false},
	{"minikube", "^spark.local.dir .*$", "spark.local.dir /tmp", LINT_MOUNT_TWICE, 0, false},
	{"teams", "^  batchScheduler: volcano$",
	 "\\0\n  sparkConf:\n    spark.kubernetes.executor.volumes.persistentVolumeClaim.d.mount.path: /data/sets\n"
	 "    spark.kubernetes.executor.volumes.persistentVolumeClaim.d.options.claimName: datasets",
	 LINT_MOUNT_TWICE, 2, false},
	{NULL, "^( *)- name: (.*)\n +mountPath: (/[^.\n]*)$", "\\0\n\\1- name: \\2\n\\1  mountPath: \\3/inner", LINT_MOUNTS_OVERLAP, 3, false},
	/* volumes */
	{NULL, "^( *)- name: (.*)\n( +)mountPath: ", "\\1- name: \\2x\n\\3mountPath: ", LINT_VOLUME_UNDEFINED, 1, false},
	{NULL, "^ *spark.*\\.options\\.(server|path|claimName).*$", "", LINT_VOLUME_INCOMPLETE, ANYWHERE, false},
	{NULL, "^( *spark.*\\.volumes\\.)(nfs|hostPath|persistentVolumeClaim|emptyDir)(\\..*)$", "\\1my\\2\\3", LINT_VOLUME_INCOMPLETE, 0, false},
	{NULL, "^( *spark.*\\.mount\\.)path(.*)$", "\\1paht\\2", LINT_VOLUME_INCOMPLETE, 0, AND_OTHERS},
	/* the webhook is off */
	{"no-webhook", "^( +)cores: .*$", "\\0\n\\1podSecurityContext: {fsGroup: 1000}", LINT_NEEDS_WEBHOOK, 1, false},
	{"no-webhook", "^( +)cores: .*$", "\\0\n\\1tolerations:\n\\1  - {key: a, operator: Exists}", LINT_NEEDS_WEBHOOK, 1, false},
	{"no-webhook", "^( +)sparkVersion: .*$", "\\0\n\\1volumes: [{name: a, emptyDir: {}}]", LINT_NEEDS_WEBHOOK, 1, false},
	{"no-webhook", "^( +)cores: .*$", "\\0\n\\1volumeMounts: [{name: ivy, mountPath: /b}]", LINT_NEEDS_WEBHOOK, 1, AND_OTHERS},
	/* Python in client mode */
	{NULL, "^ *spark.executor.memoryOverhead.*$", "", LINT_CLIENT_PYTHON_OVERHEAD, ANYWHERE, false},
	/* files in memory */
	{NULL, "^( *)medium: Memory\n +sizeLimit: .*$", "\\1medium: Memory", LINT_TMPFS_WITHOUT_SIZE, 0, false},
	{NULL, "emptyDir:\n( +)sizeLimit: .*$", "emptyDir:\n\\1medium: Memory", LINT_TMPFS_WITHOUT_SIZE, 1, false},
	{NULL, "emptyDir: \\{.*$", "emptyDir: {medium: Memory}", LINT_TMPFS_WITHOUT_SIZE, 0, false},
	{NULL, "^( *spark.*)\\.options\\.sizeLimit: .*$", "\\1.options.medium: Memory", LINT_TMPFS_WITHOUT_SIZE, ANYWHERE, false},
	{NULL, "^spark.master .*$", "\\0\nspark.kubernetes.local.dirs.tmpfs true", LINT_TMPFS_WITHOUT_SIZE, 1, false},
	/* thousandths of a byte */
	{NULL, "^( +(memory|ephemeral-storage|limits\\.memory|requests\\.memory|sizeLimit): )([0-9]+)(Mi|Gi)$", "\\1\\3m", LINT_MEMORY_IN_MILLIBYTES, 0, false},
	{NULL, "\\{(memory|sizeLimit): ([0-9]+)Gi\\}", "{\\1: \\2m}", LINT_MEMORY_IN_MILLIBYTES, 0, false},
	{NULL, "^( *spark.*\\.options\\.sizeLimit: )([0-9]+)Gi$", "\\1\\2m", LINT_MEMORY_IN_MILLIBYTES, 0, false},
	/* caches */
	{"connect", "^ +fsGroup: .*\n", "", LINT_CACHE_WITHOUT_FSGROUP, ANYWHERE, false},
	{"no-webhook", "^ +fsGroup: 1000\n( +containers:\n +- name: spark-kubernetes-driver)", "\\1", LINT_CACHE_WITHOUT_FSGROUP, ANYWHERE, false},
	/* quotas */
	{"teams", "^ +coreLimit: .*\n", "", LINT_CORE_LIMIT_MISSING, ANYWHERE, false},
	{"teams", "^ +default:\n +cpu: .*$", "      default:", LINT_CORE_LIMIT_MISSING, ANYWHERE, false},
	{"minikube", "^spark.kubernetes.(driver|executor).limit.cores.*$", "", LINT_CORE_LIMIT_MISSING, ANYWHERE, false},
	/* checkpoints */
	{"nfs-checkpoints", "^( +)nfs:\n +server: .*\n +path: .*$", "\\1hostPath: {path: /x}", LINT_CHECKPOINT_ON_LOCAL_PATH, ANYWHERE, false},
	{"nfs-checkpoints", "^( +)nfs:\n +server: .*\n +path: .*$", "\\1emptyDir: {}", LINT_CHECKPOINT_ON_LOCAL_PATH, ANYWHERE, false},
	{"nfs-checkpoints", "file:///mnt/spark-checkpoints", "/mnt/elsewhere", LINT_CHECKPOINT_NOT_MOUNTED, 0, false},
	{"connect", "gs://bucket", "/home/spark/.ivy2", LINT_CHECKPOINT_ON_LOCAL_PATH, 0, false},
	{"connect", "gs://bucket", "file://", LINT_CHECKPOINT_NOT_MOUNTED, 0, false},
	{"teams", "s3a://beta/checkpoints", "file:/checkpoints", LINT_CHECKPOINT_NOT_MOUNTED, 0, false},
	{"apache", "^ +spark.kubernetes.(driver|executor).annotation.*$", "", LINT_CHECKPOINT_NOT_MOUNTED, ANYWHERE, false},
	{"no-webhook", "^( +spark.checkpoint.dir +)/mnt/shared", "\\1/mnt/other", LINT_CHECKPOINT_NOT_MOUNTED, 0, false},
	/* images */
	{"teams", "^  executor:$", "\\0\n    image: registry.local:5000/spark:3.5.4", LINT_IMAGES_DIFFER, 1, false},
	{"apache", "^( +)spark.kubernetes.container.image: .*$", "\\0\n\\1spark.kubernetes.executor.container.image: apache/spark:4.0.2", LINT_IMAGES_DIFFER, 1, false},
	{"nfs-checkpoints", "^( +image: registry.*/spark:).*$", "\\14.1.0", LINT_IMAGES_DIFFER, ANYWHERE, false},
	/* twins */
	{NULL, "^ +[a-zA-Z]+: .+$", "\\0\n\\0", LINT_DUPLICATE_KEY, 1, false},
	{NULL, "^ +\"[a-zA-Z.]+\": .*,$", "\\0\n\\0", LINT_DUPLICATE_KEY, 1, false},
	{NULL, "^ *spark\\.[^ :=]+[ =]+[^ \n]*[^\\\\\n]$", "\\0\n\\0", LINT_DUPLICATE_SETTING, 1, false},
	/* misspelt fields */
	{NULL, "^( +)(coreLimit|volumeMounts|mountPath|fsGroup|containers|mainClass|mainApplicationFile|imagePullPolicy|runAsUser|dynamicAllocation):",
	 "\\1\\2x:", LINT_UNKNOWN_FIELD, 0, AND_OTHERS},
	{"teams", "^( +)sparkVersion:", "\\1sparkversion:", LINT_UNKNOWN_FIELD, 0, false},
	{NULL, "^( +)coreLimit:", "\\1corelimit:", LINT_UNKNOWN_FIELD, 0, AND_OTHERS},
	{NULL, "^( +)mountPath:", "\\1mountpath:", LINT_UNKNOWN_FIELD, 0, AND_OTHERS},
};

static void replace(char *out, size_t size, const char *text, const regmatch_t *m, const char *replacement)
{
	size_t used = (size_t)m[0].rm_so;

	memcpy(out, text, used);
	for (const char *r = replacement; *r; r++) {
		assert_true(used + 1024 < size);
		if (*r != '\\') {
			out[used++] = *r;
			continue;
		}
		r++;
		if (*r == '\\') {
			out[used++] = *r;
			continue;
		}
		const regmatch_t *group = &m[*r - '0'];
		memcpy(out + used, text + group->rm_so, (size_t)(group->rm_eo - group->rm_so));
		used += (size_t)(group->rm_eo - group->rm_so);
	}
	str_copy(out + used, size - used, text + m[0].rm_eo);
}

static uint32_t line_at(const char *text, size_t offset)
{
	uint32_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static void check_mutant(const struct fault *fault, const struct folder *f, unsigned file, const char *text, uint32_t line)
{
	struct lint *lint = judge(f, file, text, LINT_WEBHOOK_UNKNOWN);
	bool found = false, other = false;

	for (uint32_t i = 0; i < lint->finding_count; i++) {
		const struct lint_finding *finding = &lint->findings[i];
		other |= finding->rule != fault->rule;
		found |= finding->rule == fault->rule && finding->instead[0] &&
			 (fault->line == ANYWHERE || (strcmp(finding->place.file->name, f->names[file]) == 0 && finding->place.line == line + (uint32_t)fault->line));
	}
	if (!found || (other && !fault->others)) {
		say(lint);
		fail_msg("'%s' in %s:%u: wanted %s%s", fault->pattern, f->names[file], line, lint_rule_id(fault->rule), fault->others ? "" : " alone");
	}
	lint_free(lint);
}

static unsigned plant(const struct fault *fault, const struct folder *f)
{
	static char mutant[TEXT_BYTES + 4096];
	unsigned count = 0;
	regex_t regex;

	assert_int_equal(regcomp(&regex, fault->pattern, REG_EXTENDED | REG_NEWLINE), 0);
	for (unsigned file = 0; file < f->count; file++) {
		const char *text = f->texts[file];
		regmatch_t m[6];
		for (size_t from = 0; text[from] && regexec(&regex, text + from, ARRAY_SIZE(m), m, from && text[from - 1] != '\n' ? REG_NOTBOL : 0) == 0; count++) {
			for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
				m[i].rm_so += (regoff_t)from;
				m[i].rm_eo += (regoff_t)from;
			}
			replace(mutant, sizeof(mutant), text, m, fault->replacement);
			check_mutant(fault, f, file, mutant, line_at(text, (size_t)m[0].rm_so));
			from = (size_t)m[0].rm_eo;
		}
	}
	regfree(&regex);
	return count;
}

static void test_planted_faults_are_found_where_they_are(void **unused)
{
	unsigned total = 0, of_rule[LINT_RULE_MAX_] = {0};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		unsigned count = 0;
		for (size_t n = 0; n < ARRAY_SIZE(folders); n++)
			if (!faults[i].folder || strcmp(faults[i].folder, folders[n]) == 0)
				count += plant(&faults[i], &loaded[n]);
		if (count == 0)
			fail_msg("'%s' has no place", faults[i].pattern);
		of_rule[faults[i].rule] += count;
		total += count;
	}
	for (unsigned i = 0; i < LINT_RULE_MAX_; i++)
		assert_true(of_rule[i] > 0);
	print_message("%u faults planted, all found\n", total);
}

/* Files that are cut anywhere: understood or not, and never anything of a secret. */
static void test_cut_files(void **unused)
{
	static char text[TEXT_BYTES];
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		for (unsigned file = 0; file < loaded[i].count; file++) {
			const size_t length = strlen(loaded[i].texts[file]);
			for (size_t cut = 0; cut < length; cut += 23) {
				str_copy(text, sizeof(text), loaded[i].texts[file]);
				text[cut] = '\0';
				lint_free(judge(&loaded[i], file, text, LINT_WEBHOOK_OFF));
			}
		}
	}
}

/* --- single cases --- */

static const char app[] = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\nspec:\n  type: Scala\n  volumes:\n    - name: d\n      nfs: {}\n"
			  "  driver:\n    volumeMounts:\n      - name: d\n        mountPath: /d\n",
		  pod[] = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: c\n";

static struct lint *judge_texts(enum lint_webhook webhook, uint32_t ignored, ...)
{
	struct err e = {0};
	struct lint *lint = lint_new(&e);
	const char *name;
	va_list args;

	assert_non_null(lint);
	lint->webhook = webhook;
	lint->ignored = ignored;
	va_start(args, ignored);
	while ((name = va_arg(args, const char *))) {
		const char *text = va_arg(args, const char *);
		assert_int_equal(lint_add(lint, name, text, strlen(text), &e), 0);
	}
	va_end(args);
	assert_int_equal(lint_judge(lint, &e), 0);
	return lint;
}

static void assert_count(struct lint *lint, uint32_t want)
{
	if (lint->finding_count != want)
		say(lint);
	assert_int_equal(lint->finding_count, want);
	lint_free(lint);
}

static void test_the_webhook_is_told_or_learned(void **unused)
{
	(void)unused;
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", app, NULL), 0);
	assert_count(judge_texts(LINT_WEBHOOK_ON, 0, "a.yaml", app, NULL), 0);
	assert_count(judge_texts(LINT_WEBHOOK_OFF, 0, "a.yaml", app, NULL), 2);
	assert_count(judge_texts(LINT_WEBHOOK_OFF, 1U << LINT_NEEDS_WEBHOOK, "a.yaml", app, NULL), 0);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", app, "values.yaml", "webhook:\n  enable: false\n", NULL), 2);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", app, "values.yaml", "webhook:\n  enable: true\n", NULL), 0);
	assert_count(judge_texts(LINT_WEBHOOK_ON, 0, "a.yaml", app, "values.yaml", "webhook:\n  enable: false\n", NULL), 0); /* who says it knows it */
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", app, "argo.yaml",
				 "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      values: |\n        webhook:\n          enable: false\n", NULL), 2);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", app, "argo.yaml",
				 "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      valuesObject:\n        webhook: {enable: false}\n", NULL), 2);
}

/* What is named and not among the files may be right. */
static void test_what_is_not_seen_is_not_judged(void **unused)
{
	static const char checkpoint[] = "spark.checkpoint.dir /mnt/c\n";
	char text[256] = "";
	(void)unused;

	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", checkpoint, NULL), 1); /* the executors' */
	str_append(text, sizeof(text), "%sspark.submit.deployMode cluster\n", checkpoint);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", text, NULL), 2);
	str_append(text, sizeof(text), "spark.kubernetes.executor.podTemplateFile /t/x.yaml\n");
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", text, NULL), 1);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", text, "x.yaml", pod, NULL), 2);
}

#define TEMPLATE "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {stoker.dev/checkpoint: 'x:%s'}\nspec:\n  containers:\n    - name: spark-kubernetes-executor\n"

/* A checkpoint that Stoker is asked for is mounted: by the template's annotation, by the operator's, by Spark's. */
static void test_a_checkpoint_asked_of_stoker_is_mounted(void **unused)
{
	static const char defaults[] = "spark.checkpoint.dir /mnt/c/a\n",
			  operator_[] = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nspec:\n  type: Scala\n  driver: {annotations: {stoker.dev/checkpoint: 'x:/mnt'}}\n"
					"  executor: {annotations: {stoker.dev/checkpoint: 'x:/mnt/c'}}\n";
	char text[512];
	(void)unused;

	snprintf(text, sizeof(text), TEMPLATE, "/mnt/c");
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", defaults, "pod.yaml", text, NULL), 0);
	snprintf(text, sizeof(text), TEMPLATE, "/mnt/cc");
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", defaults, "pod.yaml", text, NULL), 1);
	assert_count(judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "spark-defaults.conf", defaults, "app.yaml", operator_, NULL), 0);
}

static void test_what_is_not_understood_is_said(void **unused)
{
	static const struct {
		const char *name, *text, *why;
	} rows[] = {
		{"a.yaml", "a: [\n", "line 2: must be YAML: did not find expected node content"},
		{"a.yaml", "a: b\n", "nothing in it is Spark configuration or a Kubernetes object"},
		{"a.yaml", "", "nothing in it is Spark configuration or a Kubernetes object"},
		{"notes", "hello there\n", "nothing in it is Spark configuration or a Kubernetes object"},
		{"a.yaml", "a: &x 1\nb: *x\n", "line 2: must be without aliases (*name): write the value out"},
		{"a.yaml", "? [a]\n: b\n", "line 1: keys must be words"},
		{"a.yaml", "spec:\n  image: {{ .Values.image }}\n", NULL}, /* a chart's template */
		{"a.json", "{\"a\": \"\\u0000\"}", "line 1: must be without NUL bytes"},
		{"a.yaml", "a: \xff\n", NULL},
		{"map.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  x.yaml: |\n    a: b\n    c: [\n", "line 7: must be YAML: did not find expected node content"},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lint *lint = judge_texts(LINT_WEBHOOK_UNKNOWN, 0, rows[i].name, rows[i].text, NULL);
		assert_false(lint->files->understood);
		assert_true(lint->files->why[0]);
		if (rows[i].why)
			assert_string_equal(lint->files->why, rows[i].why);
		lint_free(lint);
	}
	/* Of no concern, and understood. */
	struct lint *lint = judge_texts(LINT_WEBHOOK_UNKNOWN, 0, "a.yaml", "apiVersion: v1\nkind: Service\n", "b", "# x\nspark.master = local\n", NULL);
	for (const struct lint_file *file = lint->files; file; file = file->next)
		assert_true(file->understood);
	lint_free(lint);
}

/* A secret's value is shown nowhere, whatever rule finds its key; nor the beginning of one that is too long to be shown. */
static void test_secrets_are_not_shown(void **unused)
{
	char long_one[400] = "spark.kubernetes.driver.container.image r/i:1\nspark.kubernetes.executor.container.image https://u:" SECRET;
	bool shown_long = false;

	(void)unused;
	str_append(long_one, sizeof(long_one), "%0200d@r/i:2\n", 0);
	struct lint *lint = judge_texts(LINT_WEBHOOK_OFF, 0, "spark-defaults.conf",
					"spark.a.password " SECRET "\nspark.a.password " SECRET "1\n"
					"spark.kubernetes.executor.volumes.x.token.mount.path " SECRET "\n"
					"spark.checkpoint.dir file:///x?password=" SECRET "\n",
					"pod-template.yaml", pod, "more.conf", long_one, NULL);
	assert_int_not_equal(lint->finding_count, 0);
	for (uint32_t i = 0; i < lint->finding_count; i++) {
		shown_long |= lint->findings[i].rule == LINT_IMAGES_DIFFER;
		assert_null(strstr(lint->findings[i].text, SECRET));
		assert_null(strstr(lint->findings[i].instead, SECRET));
	}
	assert_true(shown_long);
	lint_free(lint);
}

/* More than is judged is said. */
static void test_bounds(void **unused)
{
	struct err e = {0};
	struct lint *lint = lint_new(&e);
	static char many[1 << 20];
	(void)unused;

	for (size_t i = 0; i < 300; i++)
		str_append(many, sizeof(many), "%s---\n", app);
	assert_int_equal(lint_add(lint, "many.yaml", many, strlen(many), &e), 0);
	assert_int_equal(lint_judge(lint, &e), 0);
	assert_string_equal(lint->cut, "there are more than 255 applications: the rest is not judged");
	for (size_t i = 1; i < LINT_FILES_MAX; i++)
		assert_int_equal(lint_add(lint, "a", "", 0, &e), 0);
	assert_true(lint_add(lint, "a", "", 0, &e) < 0);
	assert_string_equal(e.text, "at most 256 files can be judged together");
	lint_free(lint);
	assert_null(lint_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_files_are_clean),
		cmocka_unit_test(test_planted_faults_are_found_where_they_are),
		cmocka_unit_test(test_cut_files),
		cmocka_unit_test(test_the_webhook_is_told_or_learned),
		cmocka_unit_test(test_a_checkpoint_asked_of_stoker_is_mounted),
		cmocka_unit_test(test_what_is_not_seen_is_not_judged),
		cmocka_unit_test(test_what_is_not_understood_is_said),
		cmocka_unit_test(test_secrets_are_not_shown),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
