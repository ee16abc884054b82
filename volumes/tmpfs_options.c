#include "volumes/tmpfs_options.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/scoped.h"
#include "base/str.h"

static void add_number(struct tmpfs_options *o, const char *key, uint64_t number)
{
	struct tmpfs_option *option = &o->options[o->count++];

	option->key = key;
	snprintf(option->value, sizeof(option->value), "%" PRIu64, number);
}

void tmpfs_options_of_bounds(uint64_t size_bytes, uint64_t inodes, struct tmpfs_options *ret)
{
	*ret = (struct tmpfs_options){0};
	add_number(ret, "size", size_bytes);
	add_number(ret, "nr_inodes", inodes);
}

void tmpfs_options_of(const struct volume *v, struct tmpfs_options *ret)
{
	static const char *const huge[] = {"never", "always", "within_size", "advise"};

	_Static_assert(ARRAY_SIZE(huge) == VOLUME_HUGE_MAX_, "every way has a name");
	tmpfs_options_of_bounds(v->size_bytes, v->inodes, ret);
	struct tmpfs_option *mode = &ret->options[ret->count++];
	mode->key = "mode";
	snprintf(mode->value, sizeof(mode->value), "%o", v->mode);
	if (v->uid != UINT32_MAX)
		add_number(ret, "uid", v->uid);
	if (v->gid != UINT32_MAX)
		add_number(ret, "gid", v->gid);
	/* never is what there is without it; a kernel without huge pages knows no such option. */
	if (v->huge != VOLUME_HUGE_NEVER) {
		ret->options[ret->count].key = "huge";
		str_copy(ret->options[ret->count++].value, sizeof(ret->options[0].value), huge[v->huge]);
	}
}

void tmpfs_options_join(const struct tmpfs_options *o, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < o->count; i++)
		str_append(text, size, "%s%s=%s", i ? "," : "", o->options[i].key, o->options[i].value);
}

void tmpfs_source(const struct volume *v, char *text, size_t size)
{
	snprintf(text, size, VOLUME_SOURCE_PREFIX "%016" PRIx64, volume_digest(v));
}
