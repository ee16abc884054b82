#include "volumes/space.h"

#include <inttypes.h>

#include "base/scoped.h"
#include "base/str.h"

#define BYTES_IN_KIB 1024.0

static uint64_t margin_of(uint64_t amount, uint64_t total)
{
	uint64_t margin = total / 100, least = amount / 10 ? amount / 10 : 1;

	if (margin > amount)
		margin = amount;
	return margin < least ? least : margin;
}

/* Is the level with this amount in force? */
static bool is_below(uint64_t available, uint64_t total, const struct config_amount *amount, bool before)
{
	uint64_t wanted = config_amount_of(amount, total);

	if (wanted == 0)
		return false;
	return available < wanted || (before && available - wanted < margin_of(wanted, total));
}

enum space_level space_level_step(uint64_t available, uint64_t total, const struct config_limits *limits, enum space_level before)
{
	if (total == 0)
		return SPACE_ENOUGH;
	if (is_below(available, total, &limits->bad, before >= SPACE_EXHAUSTED))
		return SPACE_EXHAUSTED;
	return is_below(available, total, &limits->warn, before >= SPACE_LOW) ? SPACE_LOW : SPACE_ENOUGH;
}

struct space_levels space_judge(const struct space *space, const struct config_limits *bytes, const struct config_limits *inodes,
				struct space_levels before)
{
	struct space_levels after;

	after.of[SPACE_BYTES] = space_level_step(space->available_bytes, space->total_bytes, bytes, before.of[SPACE_BYTES]);
	after.of[SPACE_INODES] = space_level_step(space->available_inodes, space->total_inodes, inodes, before.of[SPACE_INODES]);
	/* There is one shortage, not two: XFS makes inodes from free blocks as long as it has them. */
	if (space->inodes_are_dynamic && after.of[SPACE_BYTES] != SPACE_ENOUGH)
		after.of[SPACE_INODES] = SPACE_ENOUGH;
	return after;
}

void space_append_bytes(char *text, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= BYTES_IN_KIB && i + 1 < ARRAY_SIZE(units); i++)
		value /= BYTES_IN_KIB;
	str_append(text, size, i ? "%.1f %s" : "%.0f %s", value, units[i]);
}

void space_describe(const struct space *space, enum space_resource resource, char *text, size_t size)
{
	text[0] = '\0';
	if (resource == SPACE_INODES) {
		str_append(text, size, "%" PRIu64 " of %" PRIu64 " inodes", space->available_inodes, space->total_inodes);
	} else {
		space_append_bytes(text, size, space->available_bytes);
		str_append(text, size, " of ");
		space_append_bytes(text, size, space->total_bytes);
	}
	str_append(text, size, " left for ordinary users");
}
