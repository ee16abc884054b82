#include "volumes/finding.h"

const char *probe_step_name(enum probe_step step)
{
	static const char *const name[PROBE_STEP_MAX_] = {"resolve", "clone", "directory", "create", "write", "sync", "done"};

	return (unsigned)step < PROBE_STEP_MAX_ ? name[step] : "?";
}

bool finding_is_good(const struct finding *finding)
{
	return finding->step == PROBE_DONE && finding->errnum == 0;
}
