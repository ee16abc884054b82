/* checkpoint_look.c - how the node's mount of a checkpoint is: see volume_work.h. */
#include <errno.h>
#include <stdio.h>

#include "volumes/nfs_mount.h"
#include "volumes/nfs_stats.h"
#include "volumes/volume_work.h"

int checkpoint_look(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	char source[NFS_SOURCE_BYTES], end[sizeof("/checkpoints/") + VOLUME_NAME_BYTES];
	struct nfs_stats stats;

	if (v->source >= config->volumes.checkpoint_count)
		return err_rule(e, EINVAL, "there is no checkpoint %u", v->source);
	if (volume_stat(config, v, r, e) < 0)
		return -e->code;
	nfs_source(&config->volumes.checkpoints[v->source], source);
	snprintf(end, sizeof(end), "/checkpoints/%s", v->at.name);
	/* A kernel without them: then the rest must do. */
	if (nfs_stats_read(source, end, &stats, NULL) == 0) {
		r->calls = stats.calls;
		r->wait_ms = stats.wait_ms;
	}
	return 0;
}
