#include "daemon/stoker_ask.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health_client.h"
#include "health/json.h"

static int parse_output(struct ask *ask, const char *word)
{
	static const char *const names[] = {[ASK_TABLE] = "table", [ASK_WIDE] = "wide", [ASK_JSON] = "json"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], word) == 0) {
			ask->output = (enum ask_output)i;
			return 0;
		}
	}
	return say_wrong_usage(ask->command, "--output must be table, wide or json", word);
}

bool ask_parse(struct ask *ask, const char *help, int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {"socket", required_argument, NULL, 's'},
						{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},	    {0}};
	char name[64];

	str_copy(name, sizeof(name), ask->command);
	argv[0] = name; /* what getopt_long puts before its complaints */
	ask->exit_code = 0;
	for (int o; ask->exit_code == 0 && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (o) {
		case 'o': ask->exit_code = parse_output(ask, optarg); break;
		case 's': ask->socket = optarg; break;
		case 'c': ask->config = optarg; break;
		case 'h': fputs(help, stdout); return false;
		default: ask->exit_code = say_wrong_option(ask->command);
		}
	}
	ask->first_argument = optind;
	argv[0] = NULL;
	return ask->exit_code == 0;
}

void ask_find_socket(const char *socket, const char *config_path, char path[static NAME_PATH_BYTES])
{
	scoped(scoped_free) struct config *config = socket ? NULL : calloc(1, sizeof(*config));
	static bool said; /* once, not at each look of --watch */
	struct err e = {0}, why = {0};
	const bool configured = config && config_load(config_path ? config_path : STOKER_CONFIG_PATH, config, &e) == 0;

	if (socket)
		str_copy(path, NAME_PATH_BYTES, socket);
	else
		snprintf(path, NAME_PATH_BYTES, "%s/%s", configured ? config->runtime_dir : STOKER_RUNTIME_DIR, STOKER_HTTP_SOCKET);
	if (config_path && config && !configured && !said) {
		err_rule(&why, EINVAL, "%s; asking '%s'", e.text, path);
		say_error("stoker", &why);
		said = true;
	}
}

int ask_get(const struct ask *ask, const char *http_path, char **ret_text, size_t *ret_length, struct err *e)
{
	char path[NAME_PATH_BYTES];

	ask_find_socket(ask->socket, ask->config, path);
	return health_client_get(path, http_path, ret_text, ret_length, e);
}

int ask_print_json(const char *text, size_t length)
{
	scoped(json_drop) cJSON *root = cJSON_ParseWithLength(text, length);
	scoped(scoped_free) char *pretty = root ? cJSON_Print(root) : NULL;

	if (!pretty)
		return -ENOMEM;
	puts(pretty);
	return fflush(stdout) == 0 ? 0 : -EIO;
}

int ask_show(const char *command, const char *help, const char *http_path, ask_printer *print, int argc, char **argv)
{
	struct ask ask = {.command = command};
	scoped(scoped_free) char *text = NULL;
	size_t length = 0;
	struct err e = {0};

	if (!ask_parse(&ask, help, argc, argv))
		return ask.exit_code;
	if (ask.first_argument < argc)
		return say_wrong_usage(command, "takes options only", argv[ask.first_argument]);
	if (ask_get(&ask, http_path, &text, &length, &e) < 0)
		return say_no_answer(command, &e);
	const int r = ask.output == ASK_JSON ? ask_print_json(text, length) : print(&ask, text, length, &e);
	if (r < 0 && !e.code)
		err_set(&e, -r, "cannot show the answer");
	return r < 0 ? say_error(command, &e) : say_end(command, 0);
}
