/* stoker-nri - the NRI plugin: speaks with the container runtime. Started by stokerd: descriptor 3 is the link to it, the
 * connected socket comes as a record. It reads foreign bytes, and what it answers may change every container of the node, so it
 * may do nothing else: no file, no socket of its own, no process, no capability. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "shim/nri_role.h"

#define NRI_LINK_FD 3

static struct log role_log = {"stoker-nri", LOG_INFO, 2};
static struct nri_role role;

static int start(uv_loop_t *loop, struct err *e)
{
	signal(SIGPIPE, SIG_IGN); /* the runtime goes away */
	if (nri_role_start(&role, loop, &role_log, NRI_LINK_FD, e) < 0)
		return err_wrap(e, "descriptor %d must be the link to stokerd, which starts this executable", NRI_LINK_FD);
	tzset(); /* the first date would open /etc/localtime: not from behind the filter */
	return sandbox_enter(SANDBOX_NRI, e);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	static const char usage[] = "Usage: stoker-nri\n\nStarted by stokerd: recognises Spark's containers through the container runtime's NRI socket (executors.nriSocket).\n";
	struct err e = {0};
	uv_loop_t loop;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'v': puts("stoker-nri " STOKER_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 64;
		}
	}
	if (sandbox_descriptors(NRI_LINK_FD, &e) < 0 || uv_loop_init(&loop) < 0 || start(&loop, &e) < 0) {
		log_error(&role_log, "cannot start", "error", e.text);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}
