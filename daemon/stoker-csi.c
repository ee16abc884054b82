/* stoker-csi - the CSI node driver's gRPC side: speaks with the kubelet; the listening sockets come as records. What it asks for is mounted
 * on the node by others, who check it again. */
#include "base/leaf_role.h"
#include "shim/csi_role.h"

static struct csi_role csi;

static int start(uv_loop_t *loop, struct log *log, int link_fd, struct err *e)
{
	return csi_role_start(&csi, loop, log, link_fd, e);
}

int main(int argc, char **argv)
{
	static const struct leaf_role role = {
		"stoker-csi", "serves the CSI driver csi.stoker.dev and its registration to the kubelet (volumes.csi).", SANDBOX_CSI, start};

	return leaf_role_main(&role, argc, argv);
}
