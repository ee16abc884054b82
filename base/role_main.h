/* role_main.h - what stokerd, stoker-broker and stoker-reporter share: options, wrong usage, the loop, the configuration and what is said of it. */
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

struct role_config {
	struct config_source source;
	struct log *log; /* follows log.level */
	void (*use)(const struct config_source *source); /* a new one is in force; NULL: nobody else is to be told */
	void (*refuse)(const struct err *why);		 /* it is refused, the old one stays; NULL likewise */
};

int role_config_start(struct role_config *config, uv_loop_t *loop, const char *path, struct err *e);
