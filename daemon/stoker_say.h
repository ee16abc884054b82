/* stoker_say.h - what every command says in the same way: wrong usage, colour, an answer that could not be written. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define EXIT_UNKNOWN 2
#define EXIT_USAGE   64

/* "stoker why: RULE, not 'FOUND' (see stoker why --help)"; `found` may be NULL, and is escaped. Returns EXIT_USAGE. */
int say_wrong_usage(const char *command, const char *rule, const char *found);

/* "Try 'stoker why --help'.", after getopt_long(3) has named the option. Returns EXIT_USAGE. */
int say_wrong_option(const char *command);

/* "stoker why: TEXT", escaped. Returns EXIT_UNKNOWN. */
int say_error(const char *command, const struct err *e);

/* What runs a command in the agent of a node, NODE, from wherever kubectl works: `ds/stoker` would take any node's. */
#define SAY_ON_NODE "kubectl exec -n stoker-system $(kubectl get pod -n stoker-system -o name --field-selector spec.nodeName=NODE) -c agent -- "

/* The same of a question that nobody has answered, with what to do next. */
int say_no_answer(const char *command, const struct err *e);

/* On a terminal that has it (`fd`: standard output or error), unless an option or NO_COLOR says no. */
bool say_in_color(int fd, bool no_color_option);

/* Writes out what stdout still holds: `code`, or EXIT_UNKNOWN with a word when it cannot be written. */
int say_end(const char *command, int code);
