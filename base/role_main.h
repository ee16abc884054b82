/* role_main.h - what stokerd, stoker-broker and stoker-reporter share: options, wrong usage, the loop, the configuration's words. */
#pragma once

#include <getopt.h>
#include <uv.h>

#include "base/config_source.h"
#include "base/log.h"

#define ROLE_OPTIONS_MAX 4

struct role {
	struct log *log; /* its name too */
	const char *usage;
	struct option options[ROLE_OPTIONS_MAX];	  /* beside --config, --version and --help */
	void (*take)(int option, const char *value); /* one of them, by its val */
	int (*run)(uv_loop_t *loop, const char *config_path, struct err *e); /* ends with the role */
};

/* Returns the exit code. */
int role_main(const struct role *role, int argc, char **argv);

/* What is said of a new configuration. */
void role_use_config(struct log *log, const struct config *config);
void role_refuse_config(const struct log *log, const struct err *why);
