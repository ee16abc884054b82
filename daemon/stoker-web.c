/* stoker-web - HTTP for the CLI and for scrapers. Started by stokerd: descriptor 3 is the link to it, the listening sockets
 * come as records. It reads foreign bytes and therefore may do nothing: no file, no socket of its own, no capability. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "health/web.h"

#define WEB_LINK_FD 3

static struct log role_log = {"stoker-web", LOG_INFO, 2};
static struct web web;

static int start(uv_loop_t *loop, struct err *e)
{
	signal(SIGPIPE, SIG_IGN); /* clients go away */
	if (web_start(&web, loop, &role_log, WEB_LINK_FD, e) < 0)
		return err_wrap(e, "descriptor %d must be the link to stokerd, which starts this executable", WEB_LINK_FD);
	tzset(); /* the first date of a response would open /etc/localtime: not from behind the filter */
	return sandbox_enter(SANDBOX_WEB, e);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	static const char usage[] = "Usage: stoker-web\n\nStarted by stokerd: serves /v1alpha1/health, /metrics, /healthz and /readyz at RUNTIMEDIR/stoker.sock and web.listen.\n";
	struct err e = {0};
	uv_loop_t loop;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'v': puts("stoker-web " STOKER_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 64;
		}
	}
	if (sandbox_descriptors(WEB_LINK_FD, &e) < 0 || uv_loop_init(&loop) < 0 || start(&loop, &e) < 0) {
		log_error(&role_log, "cannot start", "error", e.text);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}
