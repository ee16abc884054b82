#include "health/volume_view.h"

#include "base/scoped.h"

#define AT(member) offsetof(struct volume_view, member), sizeof(((struct volume_view *)0)->member)
static const struct view_field fields[] = {
	{"namespace", VIEW_TEXT, AT(name_space)},
	{"pod", VIEW_TEXT, AT(pod)},
	{"podUID", VIEW_TEXT, AT(pod_uid)},
	{"name", VIEW_TEXT, AT(name)},
	{"place", VIEW_TEXT, AT(place)},
	{"type", VIEW_TEXT, AT(type)},
	{"source", VIEW_TEXT, AT(source)},
	{"owner", VIEW_TEXT, AT(owner)},
	{"mounted", VIEW_BOOL, AT(mounted)},
	{"bounded", VIEW_BOOL, AT(bounded)},
	{"sizeBytes", VIEW_NUMBER, AT(size_bytes)},
	{"usedBytes", VIEW_NUMBER, AT(used_bytes)},
	{"inodes", VIEW_NUMBER, AT(inodes)},
	{"usedInodes", VIEW_NUMBER, AT(used_inodes)},
	{"measuredTime", VIEW_TIME, AT(measured_wall_us)},
};

const struct view_list volume_list = {"VolumeList", "items", fields, ARRAY_SIZE(fields), sizeof(struct volume_view), VOLUME_VIEWS_MAX};

int volume_views_to_json(const struct volume_view *views, size_t count, const struct account_view *accounts, size_t account_count, const char *node,
			 uint64_t wall_us, char **ret_text, struct err *e)
{
	const struct view_part parts[] = {{&volume_list, views, count}, {&account_list, accounts, account_count}};

	return view_list_to_json(parts, ARRAY_SIZE(parts), node, wall_us, ret_text, e);
}
