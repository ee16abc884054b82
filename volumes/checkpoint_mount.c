#include "volumes/checkpoint_mount.h"

#include <errno.h>

int checkpoint_mount(const struct config *config, const struct volume *volume, struct volume_result *result, struct err *e)
{
	(void)config;
	(void)volume;
	(void)result;
	return err_rule(e, EOPNOTSUPP, "volume: checkpoints are not mounted by this build");
}

int checkpoint_is_mounted(const struct config *config, const struct volume_spot *spot, struct err *e)
{
	(void)config;
	(void)spot;
	(void)e;
	return 0;
}
