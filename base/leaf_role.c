#include "base/leaf_role.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/heap.h"
#include "build_config.h"

static int start(const struct leaf_role *role, uv_loop_t *loop, struct log *log, struct err *e)
{
	signal(SIGPIPE, SIG_IGN); /* whoever is spoken with goes away */
	if (role->start(loop, log, LEAF_ROLE_LINK_FD, e) < 0)
		return err_wrap(e, "descriptor %d must be the link to stokerd, which starts this executable", LEAF_ROLE_LINK_FD);
	tzset(); /* the first date would open /etc/localtime: not from behind the filter */
	return sandbox_enter(role->sandbox, e);
}

static int usage(const struct leaf_role *role, FILE *out, int code)
{
	fprintf(out, "Usage: %s\n\nStarted by stokerd: %s\n", role->name, role->usage);
	return code;
}

int leaf_role_main(const struct leaf_role *role, int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct log log = {role->name, LOG_INFO, 2};
	uint64_t lost = 0; /* lines of the log */
	struct err e = {0};
	uv_loop_t loop;

	heap_give_back();
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'v': printf("%s " STOKER_VERSION "\n", role->name); return 0;
		case 'h': return usage(role, stdout, 0);
		default: return usage(role, stderr, 64);
		}
	}
	if (optind < argc)
		return usage(role, stderr, 64);
	log_never_wait(&log, &lost);
	if (sandbox_descriptors(LEAF_ROLE_LINK_FD, &e) < 0 || uv_loop_init(&loop) < 0 || start(role, &loop, &log, &e) < 0) {
		log_error(&log, "cannot start", "error", e.text);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}
