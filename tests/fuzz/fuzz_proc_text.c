/* Lines of /proc as the broker's children read them, and the names of Spark's directories in them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/proc_text.h"
#include "volumes/sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proc_mount mount;
	char name[SWEEP_NAME_BYTES], value[64];
	struct proc_stat stat;
	uint32_t uids[4];

	/* a copy of exactly this length, so that reading past its end is seen */
	scoped(scoped_free) char *text = malloc(size ? size : 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	if (proc_stat_parse(text, size, &stat) && strlen(stat.name) >= sizeof(stat.name))
		abort();
	proc_uids_parse(text, size, uids);
	if (proc_mount_parse(text, size, &mount)) {
		if (strlen(mount.root) >= sizeof(mount.root) || strlen(mount.mount_point) >= sizeof(mount.mount_point))
			abort();
		if (proc_mount_option(&mount, "upperdir", value, sizeof(value)) && strlen(value) >= sizeof(value))
			abort();
	}
	for (const char *at = text; sweep_next_name(&at, text + size, name);)
		if (!sweep_is_name(name) || at > text + size)
			abort();
	return 0;
}
