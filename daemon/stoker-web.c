/* stoker-web - HTTP for the CLI and for scrapers; the listening sockets come as records. */
#include "base/leaf_role.h"
#include "health/web.h"

static struct web web;

static int start(uv_loop_t *loop, struct log *log, int link_fd, struct err *e)
{
	return web_start(&web, loop, log, link_fd, e);
}

int main(int argc, char **argv)
{
	static const struct leaf_role role = {
		"stoker-web", "serves /v1alpha1/health, /metrics, /healthz and /readyz at RUNTIMEDIR/stoker.sock and web.listen.", SANDBOX_WEB, start};

	return leaf_role_main(&role, argc, argv);
}
