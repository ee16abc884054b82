#include "daemon/stoker_why.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "daemon/stoker_ask.h"
#include "health/death.h"
#include "health/death_text.h"
#include "health/executor_table.h"
#include "health/health_client.h"
#include "health/json.h"

#define EXIT_DIED 1

const char stoker_why_help[] =
	"Usage: stoker why [OPTION...]\n"
	"       stoker why [OPTION...] POD | NAMESPACE/POD | APP/EXEC\n"
	"\n"
	"Why an executor of this node died: cause, numbers, the Spark setting to change, evidence. Of several deaths the newest.\n"
	"Without an argument: the deaths that are remembered, newest first.\n"
	"APP is the application's name or its id, EXEC the executor's id in it, or \"driver\".\n"
	"\n" ASK_OPTIONS_HELP
	"\n"
	"Exit code: 0 it ended well (or a list), 1 it died of something, 2 the cause, or such a death, is not known (also when\n"
	"nobody answers), 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker why etl-exec-7                     by the pod's name, also when the pod is deleted\n"
	"  stoker why etl/7                          executor 7 of application etl\n"
	"  stoker why -o json etl/7 | jq -r '.setting + \"=\" + .value'\n";

struct deaths {
	cJSON *root;
	struct death *items;
	const cJSON **json; /* of each */
	size_t count;
};

static void deaths_drop(struct deaths *d)
{
	cJSON_Delete(d->root);
	free(d->items);
	free(d->json);
}

static int read_deaths(const char *text, size_t length, struct deaths *ret, struct err *e)
{
	const cJSON *item;

	ret->root = cJSON_ParseWithLength(text, length);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(ret->root, "items");
	if (strcmp(json_text(ret->root, "kind"), "ExecutorDeathList") != 0 || !cJSON_IsArray(items))
		return err_rule(e, EBADMSG, "what stokerd answers is not understood (another version?)");
	const size_t size = (size_t)cJSON_GetArraySize(items) + 1;
	ret->items = calloc(size, sizeof(*ret->items));
	ret->json = calloc(size, sizeof(*ret->json));
	if (!ret->items || !ret->json)
		return err_set(e, ENOMEM, "cannot read the deaths");
	cJSON_ArrayForEach(item, items)
	{
		scoped(scoped_free) char *line = cJSON_PrintUnformatted(item);
		if (!line || death_from_json(line, strlen(line), &ret->items[ret->count], e) < 0)
			return err_wrap(e, "what stokerd answers is not understood (another version?)");
		ret->json[ret->count++] = item;
	}
	return 0;
}

/* "POD", "NAMESPACE/POD", "APP/EXEC" */
static bool is_wanted(const struct executor *x, const char *wanted)
{
	const char *slash = strrchr(wanted, '/');

	if (strcmp(x->pod, wanted) == 0)
		return true;
	if (!slash)
		return false;
	const size_t length = (size_t)(slash - wanted);
	const char *const left[] = {x->name_space, x->app_name, x->app_id};
	const char *const right[] = {x->pod, x->executor_id, x->executor_id};
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		if (*left[i] && strncmp(left[i], wanted, length) == 0 && left[i][length] == '\0' &&
		    (strcmp(right[i], slash + 1) == 0 || (i > 0 && executor_is_driver(x) && strcmp(slash + 1, "driver") == 0)))
			return true;
	return false;
}

/* The newest; of a pod's neighbour, which may end after it and for less, only if of itself nothing is known. */
static size_t find_wanted(const struct deaths *deaths, const char *wanted)
{
	size_t found = deaths->count;

	for (size_t i = deaths->count; i-- > 0;) {
		const struct executor *x = &deaths->items[i].executor;
		if (is_wanted(x, wanted) && (!x->sidecar || found == deaths->count || deaths->items[found].executor.sidecar))
			found = i;
	}
	return found;
}

static int print_one(const struct ask *ask, const struct deaths *deaths, const char *wanted)
{
	const size_t i = find_wanted(deaths, wanted);
	char shown[512];

	if (i == deaths->count) {
		str_escape(shown, sizeof(shown), wanted);
		fprintf(stderr, "stoker why: no death of '%s' is known on this node (%s). It lives, ended on another node, or is forgotten (deaths.keepRecords).\n",
			shown, deaths->count == 0 ? "nor of any other" : "those that are: stoker why");
		return EXIT_UNKNOWN;
	}
	const struct death *death = &deaths->items[i];
	scoped(scoped_free) char *pretty = ask->output == ASK_JSON ? cJSON_Print(deaths->json[i]) : NULL;
	if (pretty)
		puts(pretty);
	else
		death_print(death, stdout, say_in_color(STDOUT_FILENO, false));
	return death->cause == DEATH_UNKNOWN ? EXIT_UNKNOWN : death_is_good((enum death_cause)death->cause) ? 0 : EXIT_DIED;
}

static int print_answer(const struct ask *ask, const char *wanted, const char *text, size_t length)
{
	scoped(deaths_drop) struct deaths deaths = {0};
	struct err e = {0};
	int r = 0;

	if (!wanted && ask->output == ASK_JSON)
		r = ask_print_json(text, length);
	else if (read_deaths(text, length, &deaths, &e) < 0)
		r = -e.code;
	else if (wanted)
		return print_one(ask, &deaths, wanted);
	else if (deaths.count == 0)
		puts("No death of a Spark container is known on this node.");
	else
		r = death_table_print(stdout, deaths.items, deaths.count, ask->output == ASK_WIDE, &e);
	if (r < 0 && !e.code)
		err_set(&e, -r, "cannot show the answer");
	return r < 0 ? say_error(ask->command, &e) : 0;
}

int stoker_why(int argc, char **argv)
{
	struct ask ask = {.command = "stoker why"};
	scoped(scoped_free) char *text = NULL;
	size_t length = 0;
	struct err e = {0};

	if (!ask_parse(&ask, stoker_why_help, argc, argv))
		return ask.exit_code;
	if (ask.first_argument + 1 < argc)
		return say_wrong_usage(ask.command, "takes one argument at most", argv[ask.first_argument + 1]);
	if (ask_get(&ask, DEATHS_HTTP_PATH, &text, &length, &e) < 0)
		return say_no_answer(ask.command, &e);
	const int code = print_answer(&ask, ask.first_argument < argc ? argv[ask.first_argument] : NULL, text, length);
	return say_end(ask.command, code);
}
