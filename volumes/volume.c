#include "volumes/volume.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/scoped.h"
#include "base/str.h"

/* --- names --- */

const char *volume_type_name(enum volume_type type)
{
	static const char *const names[] = {"none", "scratch", "disk", "checkpoint"};

	_Static_assert(ARRAY_SIZE(names) == VOLUME_TYPE_MAX_, "every type has a name");
	return (unsigned)type < VOLUME_TYPE_MAX_ ? names[type] : "?";
}

const char *volume_step_name(enum volume_step step)
{
	static const char *const names[] = {"resolve", "compare", "prepare", "own", "place", "detach", "remove", "done"};

	_Static_assert(ARRAY_SIZE(names) == VOLUME_STEP_MAX_, "every step has a name");
	return (unsigned)step < VOLUME_STEP_MAX_ ? names[step] : "?";
}

const char *volume_place_name(enum volume_place place)
{
	static const char *const names[] = {"?", "csi", "empty-dir", "node"};

	_Static_assert(ARRAY_SIZE(names) == VOLUME_PLACE_MAX_, "every place has a name");
	return (unsigned)place < VOLUME_PLACE_MAX_ ? names[place] : "?";
}

/* --- rules --- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits, and of `also` what is not at its beginning or end. A path is built from it: no slash, and never "..". */
static bool is_name(const char *text, size_t size, const char *also)
{
	if (!str_is_ended(text, size) || !is_alnum(text[0]) || !is_alnum(text[strlen(text) - 1]))
		return false;
	for (const char *p = text; *p; p++)
		if (!is_alnum(*p) && !strchr(also, *p))
			return false;
	return true;
}

static bool is_name_or_empty(const char *text, size_t size, const char *also)
{
	return text[0] == '\0' || is_name(text, size, also);
}

int volume_at_check(const struct volume_at *at, struct err *e)
{
	if (at->place == 0 || at->place >= VOLUME_PLACE_MAX_ || at->zero)
		return err_rule(e, EINVAL, "volume: place %u is none", at->place);
	if (at->place == VOLUME_AT_NODE ? at->pod_uid[0] != '\0' : !is_name(at->pod_uid, sizeof(at->pod_uid), "-"))
		return err_rule(e, EINVAL, "volume: the pod's UID must be letters, digits and '-'");
	if (!is_name(at->name, sizeof(at->name), at->place == VOLUME_AT_NODE ? "-_." : "-"))
		return err_rule(e, EINVAL, "volume: the name must be letters, digits and '-'");
	return 0;
}

bool volume_at_is(const struct volume_at *a, const struct volume_at *b)
{
	return a->place == b->place && strcmp(a->pod_uid, b->pod_uid) == 0 && strcmp(a->name, b->name) == 0;
}

int volume_check_bounds(const struct volume *v, struct err *e)
{
	if (v->size_bytes < VOLUME_SIZE_MIN_BYTES || v->size_bytes > VOLUME_SIZE_MAX_BYTES)
		return err_rule(e, EINVAL, "volume: size: must be from 64Ki to 1Pi, not %llu bytes", (unsigned long long)v->size_bytes);
	if (v->inodes < VOLUME_INODES_MIN || v->inodes > VOLUME_INODES_MAX)
		return err_rule(e, EINVAL, "volume: inodes: must be from 16 to 2147483648, not %llu", (unsigned long long)v->inodes);
	return 0;
}

/* Relative, each component a plain name: nothing that leaves the export, however it is put together. */
static int check_sub_path(const struct volume *v, struct err *e)
{
	if (!str_is_ended(v->sub_path, sizeof(v->sub_path)))
		return err_rule(e, ENAMETOOLONG, "volume: subPath: longer than %d bytes", VOLUME_SUB_PATH_BYTES - 1);
	if (v->sub_path[0] && v->type != VOLUME_CHECKPOINT)
		return err_rule(e, EINVAL, "volume: subPath: only for a checkpoint");
	for (const char *p = v->sub_path; *p;) {
		size_t length = strcspn(p, "/");
		if (length == 0 || (length == 1 && p[0] == '.') || (length == 2 && p[0] == '.' && p[1] == '.'))
			return err_rule(e, EINVAL, "volume: subPath: must be relative, without '.', '..' and '//'");
		for (size_t i = 0; i < length; i++)
			if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
				return err_rule(e, EINVAL, "volume: subPath: must not have control characters");
		p += length;
		if (p[0] == '/' && p[1] == '\0')
			return err_rule(e, EINVAL, "volume: subPath: must not end with '/'");
		p += *p == '/';
	}
	return 0;
}

static int check_attributes(const struct volume *v, struct err *e)
{
	if (v->mode > 01777)
		return err_rule(e, EINVAL, "volume: mode: must be from 0 to 1777, not %o", v->mode);
	if (v->huge >= VOLUME_HUGE_MAX_ || v->noswap > 1 || v->read_only > 1 || v->zero)
		return err_rule(e, EINVAL, "volume: huge, noswap, read-only: not one of the values");
	if (v->type != VOLUME_SCRATCH && (v->huge || v->noswap))
		return err_rule(e, EINVAL, "volume: huge and noswap: only for scratch");
	if (v->read_only && v->type != VOLUME_CHECKPOINT)
		return err_rule(e, EINVAL, "volume: read-only: a %s that nobody may write is of no use", volume_type_name(v->type));
	if (!is_name_or_empty(v->source_name, sizeof(v->source_name), "-_."))
		return err_rule(e, EINVAL, "volume: the name of a disk or checkpoint must be a word");
	if (!is_name_or_empty(v->name_space, sizeof(v->name_space), "-") || !is_name_or_empty(v->pod, sizeof(v->pod), "-."))
		return err_rule(e, EINVAL, "volume: namespace and pod must be names");
	return 0;
}

int volume_check(const struct volume *v, struct err *e)
{
	if (volume_at_check(&v->at, e) < 0)
		return -e->code;
	if (v->type == VOLUME_NONE || v->type >= VOLUME_TYPE_MAX_)
		return err_rule(e, EINVAL, "volume: type %u is none", v->type);
	if (v->at.place == VOLUME_AT_EMPTY_DIR || (v->at.place == VOLUME_AT_NODE && v->type != VOLUME_CHECKPOINT))
		return err_rule(e, EINVAL, "volume: a %s is not made at '%s'", volume_type_name(v->type), volume_place_name(v->at.place));
	if (v->type != VOLUME_CHECKPOINT && volume_check_bounds(v, e) < 0)
		return -e->code;
	if (check_attributes(v, e) < 0)
		return -e->code;
	return check_sub_path(v, e);
}

/* --- what makes two requests the same one --- */

static uint64_t add_text(uint64_t hash, const char *text)
{
	return hash_fnv1a(hash, text, strlen(text) + 1);
}

/* Not the number of its source: it changes with a new configuration, the name does not. Nor who asks. */
uint64_t volume_digest(const struct volume *v)
{
	const uint64_t numbers[] = {v->at.place, v->type, v->size_bytes, v->inodes, v->mode, v->uid, v->gid, v->huge, v->noswap, v->read_only};

	if (v->asked)
		return v->asked;
	uint64_t hash = hash_fnv1a(HASH_START, numbers, sizeof(numbers));
	hash = add_text(add_text(hash, v->at.pod_uid), v->at.name);
	hash = add_text(add_text(hash, v->source_name), v->sub_path);
	return hash ? hash : 1;
}
