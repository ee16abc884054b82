/* stoker-nri - the NRI plugin: speaks with the container runtime; the connected socket comes as a record. What it answers may change every
 * container of the node. */
#include "base/leaf_role.h"
#include "shim/nri_role.h"

static struct nri_role nri;

static int start(uv_loop_t *loop, struct log *log, int link_fd, struct err *e)
{
	return nri_role_start(&nri, loop, log, link_fd, e);
}

int main(int argc, char **argv)
{
	static const struct leaf_role role = {
		"stoker-nri", "recognises Spark's containers through the container runtime's NRI socket (executors.nriSocket).", SANDBOX_NRI, start};

	return leaf_role_main(&role, argc, argv);
}
