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

int ask_usage(const struct ask *ask, const char *rule, const char *found)
{
	fprintf(stderr, "%s: %s%s%s%s (see %s --help)\n", ask->command, rule, found ? ", not '" : "", found ? found : "", found ? "'" : "", ask->command);
	return EXIT_USAGE;
}

static int parse_output(struct ask *ask, const char *word)
{
	static const char *const names[] = {[ASK_TABLE] = "table", [ASK_WIDE] = "wide", [ASK_JSON] = "json"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], word) == 0) {
			ask->output = (enum ask_output)i;
			return 0;
		}
	}
	return ask_usage(ask, "--output must be table, wide or json", word);
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
		default: ask->exit_code = ask_usage(ask, "wrong option", NULL);
		}
	}
	ask->first_argument = optind;
	argv[0] = NULL;
	return ask->exit_code == 0;
}

int ask_get(const struct ask *ask, const char *http_path, char **ret_text, size_t *ret_length, struct err *e)
{
	scoped(scoped_free) struct config *config = calloc(1, sizeof(*config));
	char path[NAME_PATH_BYTES];

	/* A configuration that cannot be read does not keep anybody from asking the daemon. */
	const bool configured = config && !ask->socket && config_load(ask->config ? ask->config : STOKER_CONFIG_PATH, config, NULL) == 0;
	snprintf(path, sizeof(path), "%s/%s", configured ? config->runtime_dir : STOKER_RUNTIME_DIR, STOKER_HTTP_SOCKET);
	return health_client_get(ask->socket ? ask->socket : path, http_path, ret_text, ret_length, e);
}

int ask_say_error(const struct err *e)
{
	char shown[2 * ERR_TEXT_BYTES];

	str_escape(shown, sizeof(shown), e->text);
	fprintf(stderr, "stoker: %s\n", shown);
	if (e->code == EACCES || e->code == EPERM)
		fputs("Only root and the socket's group may ask. Try it with sudo.\n", stderr);
	else
		fputs("Is stokerd running here? On a host: systemctl status stokerd. In a cluster: kubectl exec -n stoker-system ds/stoker -c agent -- stoker …\n", stderr);
	return EXIT_UNKNOWN;
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
		return ask_usage(&ask, "takes no argument", argv[ask.first_argument]);
	if (ask_get(&ask, http_path, &text, &length, &e) < 0)
		return ask_say_error(&e);
	const int r = ask.output == ASK_JSON ? ask_print_json(text, length) : print(&ask, text, length, &e);
	if (r < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "stoker: %s\n", e.code ? e.text : "cannot write the answer");
		return EXIT_UNKNOWN;
	}
	return 0;
}
