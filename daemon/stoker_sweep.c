#include "daemon/stoker_sweep.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "daemon/stoker_ask.h"
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
	"  stoker sweep\n"
	"  stoker sweep -o json | jq -r '.items[] | select(.ownerless) | .path'\n";

static void table_drop(struct libscols_table **table)
{
	scols_unref_table(*table);
}

/* What becomes of it. */
static const char *fate_of(const cJSON *item, const char *mode)
{
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "ownerless")))
		return "stays";
	return strcmp(mode, "on") == 0 ? "goes" : "would go";
}

static bool add_line(struct libscols_table *table, const cJSON *item, const char *mode)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *cells[] = {json_text(item, "path"), fate_of(item, mode), json_text(item, "due"), json_text(item, "message")};
	bool good = line != NULL;

	for (size_t i = 0; good && i < ARRAY_SIZE(cells); i++)
		good = scols_line_set_data(line, i, *cells[i] ? cells[i] : "-") == 0;
	return good;
}

static int print_table(const cJSON *list)
{
	static const char *const columns[] = {"DIRECTORY", "", "DUE", "WHY"};
	const cJSON *item;
	scoped(table_drop) struct libscols_table *table = scols_new_table();
	bool good = table != NULL;

	if (good) {
		scols_table_enable_noencoding(table, 1); /* escaped by stokerd */
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	}
	for (size_t i = 0; good && i < ARRAY_SIZE(columns); i++)
		good = scols_table_new_column(table, columns[i], 0.1, 0) != NULL;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(list, "items"))
		good = good && add_line(table, item, json_text(list, "mode"));
	return good && scols_print_table(table) >= 0 ? 0 : -ENOMEM;
}

static int print(const struct ask *ask, const char *text, size_t length, struct err *e)
{
	scoped(json_drop) cJSON *list = cJSON_ParseWithLength(text, length);
	const cJSON *root, *items = cJSON_GetObjectItemCaseSensitive(list, "items");

	(void)ask;
	if (strcmp(json_text(list, "kind"), "SweepList") != 0 || !cJSON_IsArray(items))
		return err_rule(e, EBADMSG, "what stokerd answers is not understood (another version?)");
	cJSON_ArrayForEach(root, cJSON_GetObjectItemCaseSensitive(list, "roots"))
		if (*json_text(root, "error"))
			printf("%s: not looked at: %s\n", json_text(root, "path"), json_text(root, "error"));
	if (strcmp(json_text(list, "mode"), "off") == 0)
		puts("Nothing is swept: volumes.sweep.mode is off.");
	else if (cJSON_GetArraySize(items) == 0)
		puts("No directory with a name of Spark's was found.");
	else if (print_table(list) < 0)
		return err_set(e, ENOMEM, "cannot print the table");
	return 0;
}

int stoker_sweep(int argc, char **argv)
{
	return ask_show("stoker sweep", stoker_sweep_help, SWEEP_HTTP_PATH, print, argc, argv);
}
