#include "daemon/stoker_lint.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "daemon/stoker_say.h"
#include "health/json.h"
#include "shim/lint.h"
#include "shim/lint_document.h"

#define EXIT_FOUND   1
#define NAME_BYTES   4096

const char stoker_lint_help[] =
	"Usage: stoker lint [OPTION...] FILE...\n"
	"       stoker lint --rules\n"
	"\n"
	"Finds what is wrong with Spark's configuration before it runs: spark-defaults.conf, pod templates, SparkApplication,\n"
	"SparkConnect, SparkCluster, the pods of Connect servers and notebooks, ConfigMaps with such files in them, Zeppelin's\n"
	"interpreter.json, quotas. Files given together are taken to belong together. '-' is the standard input. Nothing is\n"
	"changed, no cluster is asked.\n"
	"\n"
	"  -o, --output FORMAT  text (default), json\n"
	"      --webhook WORD   on, off: has kubeflow's operator its webhook? Default: as a chart's values among the files say\n"
	"      --ignore RULE    may be given again\n"
	"      --rules          lists the rules\n"
	"  -h, --help\n"
	"\n"
	"Exit code: 0 clean, 1 something was found, 2 nothing, but a file is not understood or cannot be read, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker lint spark-defaults.conf executor-pod-template.yaml interpreter.json\n"
	"  kubectl get sparkapp,resourcequota -o yaml | stoker lint -\n"
	"  kustomize build . | stoker lint --webhook off -o json - | jq -r '.findings[] | .file + \": \" + .rule'\n";

struct request {
	bool json, rules;
	enum lint_webhook webhook;
	uint32_t ignored;
};

static int usage(const char *rule, const char *found)
{
	return -say_wrong_usage("stoker lint", rule, found);
}

static int ignore_rule(struct request *r, const char *id)
{
	for (unsigned i = 0; i < LINT_RULE_MAX_; i++) {
		if (strcmp(lint_rule_id((enum lint_rule)i), id) == 0) {
			r->ignored |= 1U << i;
			return 0;
		}
	}
	return usage("--ignore must be a rule (stoker lint --rules)", id);
}

static int set_webhook(struct request *r, const char *word)
{
	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return usage("--webhook must be on or off", word);
	r->webhook = strcmp(word, "on") == 0 ? LINT_WEBHOOK_ON : LINT_WEBHOOK_OFF;
	return 0;
}

static int set_output(struct request *r, const char *word)
{
	r->json = strcmp(word, "json") == 0;
	return r->json || strcmp(word, "text") == 0 ? 0 : usage("--output must be text or json", word);
}

/* 0, 1 = done, or the negative exit code. */
static int parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {"webhook", required_argument, NULL, 'w'}, {"ignore", required_argument, NULL, 'i'},
						{"rules", no_argument, NULL, 'r'},	  {"help", no_argument, NULL, 'h'},	     {0}};
	char name[] = "stoker lint";
	int result = 0;

	argv[0] = name; /* what getopt_long puts before its complaints */
	for (int o; result == 0 && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (o) {
		case 'o': result = set_output(r, optarg); break;
		case 'w': result = set_webhook(r, optarg); break;
		case 'i': result = ignore_rule(r, optarg); break;
		case 'r': r->rules = true; break;
		case 'h': fputs(stoker_lint_help, stdout); result = 1; break;
		default: result = -say_wrong_option("stoker lint");
		}
	}
	argv[0] = NULL;
	if (result == 0 && r->rules && optind < argc)
		return usage("--rules takes no files", argv[optind]);
	if (result == 0 && !r->rules && optind == argc)
		return usage("takes at least one FILE", NULL);
	return result;
}

static int read_file(struct lint *lint, const char *path, struct err *e)
{
	scoped(scoped_free) char *text = malloc(LINT_TEXT_BYTES + 1);
	const bool is_input = strcmp(path, "-") == 0;
	char name[NAME_BYTES];
	struct err why = {0};

	if (!text)
		return err_set(e, ENOMEM, "cannot read");
	str_escape(name, sizeof(name), is_input ? "(standard input)" : path);
	scoped(fd_drop) int fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const ssize_t length = fd < 0 ? err_set(&why, errno, "cannot open") : fd_read_all(fd, text, LINT_TEXT_BYTES + 1, &why);
	if (length == -EFBIG)
		err_rule(&why, EFBIG, "must not be larger than 1 MiB");
	return length < 0 ? lint_add_unread(lint, name, why.text, e) : lint_add(lint, name, text, (size_t)length, e);
}

/* --- telling --- */

static void print_block(const char *text)
{
	fputs("    write instead:\n", stdout);
	for (const char *line = text; *line;) {
		const size_t length = strcspn(line, "\n");
		printf("      %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static void print_text(const struct lint *lint)
{
	for (uint32_t i = 0; i < lint->finding_count; i++) {
		const struct lint_finding *f = &lint->findings[i];
		printf("%s:%u: %s: %s [%s]\n", f->place.file->name, f->place.line, lint_severity_name(lint_rule_severity(f->rule)), f->text, lint_rule_id(f->rule));
		if (*f->instead)
			print_block(f->instead);
	}
	for (const struct lint_file *file = lint->files; file; file = file->next)
		if (!file->understood)
			fprintf(stderr, "%s: not understood: %s\n", file->name, file->why);
	if (*lint->cut)
		fprintf(stderr, "stoker lint: %s\n", lint->cut);
}

static bool add_finding(cJSON *list, const struct lint_finding *f)
{
	cJSON *item = cJSON_CreateObject();

	return item && cJSON_AddItemToArray(list, item) && cJSON_AddStringToObject(item, "file", f->place.file->name) && cJSON_AddNumberToObject(item, "line", f->place.line) &&
	       (f->place.column ? cJSON_AddNumberToObject(item, "column", f->place.column) : cJSON_AddNullToObject(item, "column")) &&
	       cJSON_AddStringToObject(item, "severity", lint_severity_name(lint_rule_severity(f->rule))) && cJSON_AddStringToObject(item, "rule", lint_rule_id(f->rule)) &&
	       cJSON_AddStringToObject(item, "text", f->text) && cJSON_AddStringToObject(item, "instead", f->instead);
}

static bool add_file(cJSON *list, const struct lint_file *file)
{
	cJSON *item = cJSON_CreateObject();

	return item && cJSON_AddItemToArray(list, item) && cJSON_AddStringToObject(item, "file", file->name) && cJSON_AddBoolToObject(item, "understood", file->understood) &&
	       cJSON_AddStringToObject(item, "why", file->why);
}

static int print_json(const struct lint *lint)
{
	scoped(json_drop) cJSON *root = cJSON_CreateObject();
	cJSON *files = NULL, *findings = NULL;
	bool good = root && cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(root, "kind", "LintReport") &&
		    (files = cJSON_AddArrayToObject(root, "files")) && (findings = cJSON_AddArrayToObject(root, "findings")) && cJSON_AddStringToObject(root, "cut", lint->cut);

	for (const struct lint_file *file = lint->files; good && file; file = file->next)
		good = add_file(files, file);
	for (uint32_t i = 0; good && i < lint->finding_count; i++)
		good = add_finding(findings, &lint->findings[i]);
	scoped(scoped_free) char *text = good ? cJSON_Print(root) : NULL;
	if (!text)
		return -ENOMEM;
	puts(text);
	return 0;
}

static int print_rules(void)
{
	for (unsigned i = 0; i < LINT_RULE_MAX_; i++)
		printf("%-24s %-8s %s\n", lint_rule_id((enum lint_rule)i), lint_severity_name(lint_rule_severity((enum lint_rule)i)), lint_rule_summary((enum lint_rule)i));
	return say_end("stoker lint", 0);
}

static int exit_code(const struct lint *lint)
{
	if (lint->finding_count > 0)
		return EXIT_FOUND;
	for (const struct lint_file *file = lint->files; file; file = file->next)
		if (!file->understood)
			return EXIT_UNKNOWN;
	return *lint->cut ? EXIT_UNKNOWN : 0;
}

static void drop_lint(struct lint **lint)
{
	*lint = lint_free(*lint);
}

static int judge(const struct request *r, char *const *paths, struct err *e)
{
	scoped(drop_lint) struct lint *lint = lint_new(e);

	if (!lint)
		return -e->code;
	lint->webhook = r->webhook;
	lint->ignored = r->ignored;
	for (; *paths; paths++)
		if (read_file(lint, *paths, e) < 0)
			return -e->code;
	if (lint_judge(lint, e) < 0)
		return -e->code;
	if (r->json && print_json(lint) < 0)
		return err_set(e, ENOMEM, "cannot write the answer");
	if (!r->json)
		print_text(lint);
	return fflush(stdout) == 0 ? exit_code(lint) : err_set(e, errno, "cannot write the answer");
}

int stoker_lint(int argc, char **argv)
{
	struct request r = {0};
	struct err e = {0};
	const int parsed = parse(argc, argv, &r);

	if (parsed != 0)
		return parsed < 0 ? -parsed : 0;
	if (r.rules)
		return print_rules();
	const int code = judge(&r, argv + optind, &e);
	if (code >= 0)
		return code;
	return say_error("stoker lint", &e);
}
