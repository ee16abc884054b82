/* stoker_ask.h - what the commands share that ask the agent of this node: options, socket, words when nobody answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/names.h"
#include "daemon/stoker_say.h"

enum ask_output { ASK_TABLE, ASK_WIDE, ASK_JSON };

struct ask {
	const char *command; /* "stoker why", for words about wrong usage */
	enum ask_output output;
	const char *socket, *config;
	int first_argument; /* in argv */
	int exit_code;	    /* when ask_parse says that it ends here */
};

#define ASK_OPTIONS_HELP                                                                                                         \
	"  -o, --output FORMAT    table (default), wide, json\n"                                                                  \
	"      --socket PATH      default: stoker.sock in runtimeDir of the configuration, else " STOKER_RUNTIME_DIR "/" STOKER_HTTP_SOCKET "\n" \
	"      --config FILE      default " STOKER_CONFIG_PATH "\n"                                                               \
	"  -h, --help\n"

/* True = go on. False: exit with ask->exit_code (the help was printed, or the usage is wrong and said). */
bool ask_parse(struct ask *ask, const char *help, int argc, char **argv);

/* The agent's socket: `socket` if that is given, else as the configuration has it (NULL: the usual one). One that cannot be read keeps nobody
 * from asking: the daemon says what is wrong with it; of one that was named it is said here too. */
void ask_find_socket(const char *socket, const char *config, char path[static NAME_PATH_BYTES]);

/* Asks for the path; malloc'ed and ended by NUL. */
int ask_get(const struct ask *ask, const char *http_path, char **ret_text, size_t *ret_length, struct err *e);
int ask_print_json(const char *text, size_t length); /* indented; 0 or -ENOMEM */

/* A command that only shows a list: parses the options, asks, prints JSON as it is or what `print` makes of it. The exit code. */
typedef int ask_printer(const struct ask *ask, const char *text, size_t length, struct err *e);
int ask_show(const char *command, const char *help, const char *http_path, ask_printer *print, int argc, char **argv);
