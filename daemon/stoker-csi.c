/* stoker-csi - the CSI node driver's gRPC side: speaks with the kubelet. Started by stokerd: descriptor 3 is the link to it, the
 * listening sockets come as records. It reads foreign bytes, and what it asks for is mounted on the node by others, who check it
 * again; itself it may do nothing: no file, no socket of its own, no process, no capability. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "shim/csi_role.h"

#define CSI_LINK_FD 3

static struct log role_log = {"stoker-csi", LOG_INFO, 2};
static struct csi_role role;

static int start(uv_loop_t *loop, struct err *e)
{
	signal(SIGPIPE, SIG_IGN); /* clients go away */
	if (csi_role_start(&role, loop, &role_log, CSI_LINK_FD, e) < 0)
		return err_wrap(e, "descriptor %d must be the link to stokerd, which starts this executable", CSI_LINK_FD);
	tzset(); /* the first date would open /etc/localtime: not from behind the filter */
	return sandbox_enter(SANDBOX_CSI, e);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	static const char usage[] = "Usage: stoker-csi\n\nStarted by stokerd: serves the CSI driver csi.stoker.dev and its registration to the kubelet (volumes.csi).\n";
	struct err e = {0};
	uv_loop_t loop;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'v': puts("stoker-csi " STOKER_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 64;
		}
	}
	if (sandbox_descriptors(CSI_LINK_FD, &e) < 0 || uv_loop_init(&loop) < 0 || start(&loop, &e) < 0) {
		log_error(&role_log, "cannot start", "error", e.text);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}
