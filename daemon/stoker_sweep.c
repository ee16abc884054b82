#include "daemon/stoker_sweep.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "daemon/stoker_ask.h"
#include "health/columns.h"
#include "health/health_client.h"
#include "health/json.h"

const char stoker_sweep_help[] =
	"Usage: stoker sweep [OPTION...]\n"
	"\n"
	"The directories of Spark on the hostPaths of volumes.sweep.roots: which go, which stay, and why. With volumes.sweep.mode\n"
	"dryRun nothing is removed, and this shows what would be.\n"
	"\n" ASK_OPTIONS_HELP
	"\n"
	"Exit code: 0 answered, 2 nobody answers, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker sweep -o wide                                  with owner, process, age and what was removed so far\n"
	"  stoker sweep -o json | jq -r '.items[] | select(.ownerless) | .path'\n";

static void table_drop(struct libscols_table **table)
{
	scols_unref_table(*table);
}

/* What becomes of it. */
static const char *fate_of(const cJSON *item, const char *mode)
{
	if (!cJSON_IsTrue(json_member(item, "ownerless")))
		return "stays";
	return strcmp(mode, "on") == 0 ? "goes" : "would go";
}

/* "in 7 min": when it may go. */
static void say_due(const cJSON *list, const cJSON *item, char *text, size_t size)
{
	uint64_t due_us, now_us;

	if (clock_parse(json_text(item, "due"), &due_us) < 0 || clock_parse(json_text(list, "time"), &now_us) < 0)
		return;
	str_append(text, size, due_us > now_us ? "in " : "now");
	if (due_us > now_us)
		column_append_age(text, size, now_us, due_us);
}

static void say_number(const cJSON *item, const char *key, char *text, size_t size)
{
	const cJSON *number = json_member(item, key);

	if (cJSON_IsNumber(number) && (number->valuedouble > 0 || strcmp(key, "uid") == 0))
		str_append(text, size, "%.0f", number->valuedouble);
}

static const struct sweep_column {
	const char *name;
	bool only_wide, right;
} columns[] = {{"DIRECTORY", false, false}, {"FATE", false, false}, {"DUE", false, false}, {"WHY", false, false},
	       {"UID", true, true},	    {"PID", true, true},    {"MADE", true, false}, {"REMOVED", true, true}};

static bool add_line(struct libscols_table *table, const cJSON *list, const cJSON *item, bool wide)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char due[32] = "", uid[24] = "", pid[24] = "", removed[32] = "";
	const char *const cells[ARRAY_SIZE(columns)] = {json_text(item, "path"), fate_of(item, json_text(list, "mode")), due, json_text(item, "message"), uid, pid,
							json_text(item, "born"), removed};
	bool good = line != NULL;

	say_due(list, item, due, sizeof(due));
	say_number(item, "uid", uid, sizeof(uid));
	say_number(item, "pid", pid, sizeof(pid));
	say_number(item, "removedEntries", removed, sizeof(removed));
	for (size_t i = 0, at = 0; good && i < ARRAY_SIZE(cells); i++)
		if (wide || !columns[i].only_wide)
			good = scols_line_set_data(line, at++, *cells[i] ? cells[i] : "-") == 0;
	return good;
}

static int print_table(const cJSON *list, bool wide)
{
	const cJSON *item;
	scoped(table_drop) struct libscols_table *table = scols_new_table();
	bool good = table != NULL;

	if (good) {
		scols_table_enable_noencoding(table, 1); /* escaped by stokerd */
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	}
	for (size_t i = 0; good && i < ARRAY_SIZE(columns); i++)
		if (wide || !columns[i].only_wide)
			good = scols_table_new_column(table, columns[i].name, 0.1, columns[i].right ? SCOLS_FL_RIGHT : 0) != NULL;
	cJSON_ArrayForEach(item, json_member(list, "items"))
		good = good && add_line(table, list, item, wide);
	return good && scols_print_table(table) >= 0 ? 0 : -ENOMEM;
}

static int print(const struct ask *ask, const char *text, size_t length, struct err *e)
{
	scoped(json_drop) cJSON *list = cJSON_ParseWithLength(text, length);
	const cJSON *root, *items = json_member(list, "items");

	if (strcmp(json_text(list, "kind"), "SweepList") != 0 || !cJSON_IsArray(items))
		return err_rule(e, EBADMSG, "what stokerd answers is not understood (another version?)");
	cJSON_ArrayForEach(root, json_member(list, "roots"))
		if (*json_text(root, "error"))
			printf("%s: not looked at: %s\n", json_text(root, "path"), json_text(root, "error"));
	if (strcmp(json_text(list, "mode"), "off") == 0)
		puts("Nothing is swept: volumes.sweep.mode is off.");
	else if (cJSON_GetArraySize(items) == 0)
		puts("No directory with a name of Spark's was found.");
	else if (print_table(list, ask->output == ASK_WIDE) < 0)
		return err_set(e, ENOMEM, "cannot print the table");
	return 0;
}

int stoker_sweep(int argc, char **argv)
{
	return ask_show("stoker sweep", stoker_sweep_help, SWEEP_HTTP_PATH, print, argc, argv);
}
