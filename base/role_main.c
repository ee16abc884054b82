#include "base/role_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "build_config.h"

static void use_config(struct config_source *source, const struct config *config)
{
	struct role_config *c = source->owner;

	c->log->minimum = config->log_level;
	log_info(c->log, "configuration in force", "watch", log_number(config->watch_count));
	if (c->use)
		c->use(source);
}

static void refuse_config(struct config_source *source, const struct err *why)
{
	struct role_config *c = source->owner;

	log_error(c->log, "new configuration refused, the old one stays in force", "error", why->text);
	if (c->refuse)
		c->refuse(why);
}

int role_config_start(struct role_config *c, uv_loop_t *loop, const char *path, struct err *e)
{
	c->source.owner = c;
	c->source.on_config = use_config;
	c->source.on_error = refuse_config;
	if (config_source_start(&c->source, loop, path, e) < 0)
		return -e->code;
	c->log->minimum = c->source.current.log_level;
	return 0;
}

static int wrong_usage(const struct role *role, const char *word)
{
	if (word)
		fprintf(stderr, "%s: '%s' is no option\n", role->log->role, word);
	fputs(role->usage, stderr);
	return 64;
}

int role_main(const struct role *role, int argc, char **argv)
{
	struct option options[ROLE_OPTIONS_MAX + 4] = {
		{"config", required_argument, NULL, 'c'}, {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}};
	const char *config_path = STOKER_CONFIG_PATH;
	uint64_t lost = 0; /* lines of the log */
	struct err e = {0};
	uv_loop_t loop;

	memcpy(options + 3, role->options, sizeof(role->options)); /* the last one stays empty */
	heap_give_back();
	signal(SIGPIPE, SIG_IGN); /* whoever reads the log goes away */
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'c': config_path = optarg; break;
		case 'v': printf("%s " STOKER_VERSION "\n", role->log->role); return 0;
		case 'h': fputs(role->usage, stdout); return 0;
		case '?': return wrong_usage(role, NULL);
		default: role->take(o, optarg);
		}
	}
	if (optind < argc)
		return wrong_usage(role, argv[optind]);
	log_never_wait(role->log, &lost);
	if (sandbox_descriptors(-1, &e) < 0 || uv_loop_init(&loop) < 0 || role->run(&loop, config_path, &e) < 0) {
		log_error(role->log, "cannot start", "error", e.text);
		return 1;
	}
	return 0;
}
