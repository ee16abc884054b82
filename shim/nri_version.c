#include "shim/nri_version.h"

#include <string.h>

#include "base/scoped.h"

#define EVENTS_OLD 0x7ffU  /* RUN_POD … REMOVE_CONTAINER */
#define EVENTS_NEW 0x3fffU /* and UPDATE_POD, POST_UPDATE_POD, VALIDATE (0.10) */

/* From this version of the runtime on, until the next row, or the next minor version. */
static const struct {
	const char *runtime;
	struct nri_version from, nri;
} table[] = {
	{"containerd", {1, 7, 0}, {0, 3, 0}},	{"containerd", {1, 7, 7}, {0, 4, 0}},	{"containerd", {1, 7, 14}, {0, 6, 0}},
	{"containerd", {1, 7, 16}, {0, 6, 1}},	{"containerd", {1, 7, 26}, {0, 8, 0}},	{"containerd", {2, 0, 0}, {0, 8, 0}},
	{"containerd", {2, 1, 0}, {0, 8, 0}},	{"containerd", {2, 2, 0}, {0, 10, 0}},	{"containerd", {2, 2, 1}, {0, 11, 0}},
	{"containerd", {2, 3, 0}, {0, 12, 0}},	{"containerd", {2, 4, 0}, {0, 12, 1}},	{"cri-o", {1, 26, 0}, {0, 2, 0}},
	{"cri-o", {1, 26, 2}, {0, 3, 0}},	{"cri-o", {1, 27, 0}, {0, 3, 0}},	{"cri-o", {1, 28, 0}, {0, 3, 0}},
	{"cri-o", {1, 29, 0}, {0, 5, 0}},	{"cri-o", {1, 29, 2}, {0, 6, 0}},	{"cri-o", {1, 30, 0}, {0, 6, 0}},
	{"cri-o", {1, 31, 0}, {0, 6, 1}},	{"cri-o", {1, 32, 0}, {0, 9, 0}},	{"cri-o", {1, 33, 0}, {0, 9, 0}},
	{"cri-o", {1, 34, 0}, {0, 10, 0}},	{"cri-o", {1, 35, 0}, {0, 11, 0}},	{"cri-o", {1, 36, 0}, {0, 11, 0}},
};

/* One number without sign, at most 65535. Returns how many bytes it has, 0 if there is none. */
static uint32_t read_number(struct text text, uint32_t at, uint16_t *ret)
{
	uint32_t value = 0, n = 0;

	while (at + n < text.length && text.bytes[at + n] >= '0' && text.bytes[at + n] <= '9') {
		value = value * 10 + (uint32_t)(text.bytes[at + n] - '0');
		if (value > UINT16_MAX)
			return 0;
		n++;
	}
	*ret = (uint16_t)value;
	return n;
}

struct nri_version nri_version_parse(struct text text)
{
	static const char before[] = "-0."; /* a Go pseudo-version: what follows 0.12.5 is called 0.12.6-0.DATE-COMMIT */
	uint16_t part[3];
	uint32_t at = text.length > 0 && text.bytes[0] == 'v' ? 1 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		if (i > 0 && (at >= text.length || text.bytes[at++] != '.'))
			return (struct nri_version){0};
		uint32_t n = read_number(text, at, &part[i]);
		if (n == 0)
			return (struct nri_version){0};
		at += n;
	}
	if (text.length - at > sizeof(before) - 1 && memcmp(text.bytes + at, before, sizeof(before) - 1) == 0 && part[2] > 0)
		part[2]--;
	return (struct nri_version){part[0], part[1], part[2]};
}

bool nri_version_at_least(struct nri_version version, uint16_t major, uint16_t minor, uint16_t patch)
{
	if (version.major != major)
		return version.major > major;
	return version.minor != minor ? version.minor > minor : version.patch >= patch;
}

static bool is_known(struct nri_version version)
{
	return version.major > 0 || version.minor > 0 || version.patch > 0;
}

static struct nri_version look_up(struct text name, struct nri_version runtime)
{
	struct nri_version found = {0};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct nri_version from = table[i].from;
		if (name.length == strlen(table[i].runtime) && memcmp(name.bytes, table[i].runtime, name.length) == 0 &&
		    runtime.major == from.major && runtime.minor == from.minor && runtime.patch >= from.patch)
			found = table[i].nri;
	}
	return found;
}

struct nri_version nri_version_of(struct text said, struct text runtime_name, struct text runtime_version)
{
	struct nri_version version = nri_version_parse(said);

	if (!is_known(version))
		version = look_up(runtime_name, nri_version_parse(runtime_version));
	if (said.length > 0 && !nri_version_at_least(version, 0, 12, 0))
		version = (struct nri_version){0, 12, 0}; /* "unknown", "devel": the field itself came with 0.12 */
	return version;
}

uint32_t nri_version_clip(struct nri_version version, uint32_t events)
{
	return events & (nri_version_at_least(version, 0, 10, 0) ? EVENTS_NEW : EVENTS_OLD);
}

bool nri_version_has_oom_score_adj(struct nri_version version)
{
	return nri_version_at_least(version, 0, 7, 0);
}

bool nri_version_has_split_synchronize(struct nri_version version)
{
	return nri_version_at_least(version, 0, 8, 0);
}

bool nri_version_has_dedicated_calls(struct nri_version version)
{
	return nri_version_at_least(version, 0, 12, 0);
}

bool nri_version_has_safe_updates(struct nri_version version)
{
	return nri_version_at_least(version, 0, 12, 1);
}
