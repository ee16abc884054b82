/* local_disk.h - what the node says of the filesystem that an executor's local dirs lie on, at the time of its end. A plain value. */
#pragma once

#include <stdint.h>

#include "base/names.h"

struct local_disk {
	char reason[NAME_REASON_BYTES]; /* of the verdict; "" = healthy, or not watched */
	char mount_point[160];		/* escaped */
	uint32_t bad;			/* bool: else it is a warning */
	uint32_t sure;			/* bool: they lie there; else they may */
};
