#include "shim/csi_attributes.h"

#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/csi_target.h"
#include "shim/text.h"

#define KUBELET_PREFIX "csi.storage.k8s.io/"
#define SHOWN_BYTES    80 /* of a foreign value in an error */
#define MODE_SHARED    01777 /* nobody said whose it is: everybody in the pod, as an emptyDir */
#define MODE_OWNED     0770
#define ID_MAX	       (UINT32_MAX - 1ULL)

#define SCRATCH	   (1u << VOLUME_SCRATCH)
#define DISK	   (1u << VOLUME_DISK)
#define CHECKPOINT (1u << VOLUME_CHECKPOINT)
#define ALL	   (SCRATCH | DISK | CHECKPOINT)

/* What has been said so far. */
struct asked {
	struct volume volume;
	bool has_mode, is_ephemeral;
};

/* NULL = taken; else the rule in words. */
typedef const char *take_fn(struct text value, struct asked *ret);

static struct text shown(struct text value, char array[static SHOWN_BYTES])
{
	text_copy(array, SHOWN_BYTES, value);
	return text_of(array);
}

/* --- values --- */

static bool choose(struct text value, const char *const words[], uint32_t count, uint32_t *ret)
{
	for (uint32_t i = 0; i < count; i++) {
		if (text_is(value, words[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static const char *take_type(struct text value, struct asked *ret)
{
	for (enum volume_type type = VOLUME_SCRATCH; type < VOLUME_TYPE_MAX_; type++) {
		if (text_is(value, volume_type_name(type))) {
			ret->volume.type = type;
			return NULL;
		}
	}
	return "must be scratch, disk or checkpoint";
}

/* Kubernetes' own units, so that a size means here what it means in the same pod's limits; not "m", which is a thousandth there. */
static const char *take_size(struct text value, struct asked *ret)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {{"", 1}, {"Ki", 1ULL << 10}, {"Mi", 1ULL << 20}, {"Gi", 1ULL << 30}, {"Ti", 1ULL << 40}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000}};
	struct text digits = value;
	uint64_t number;

	for (digits.length = 0; digits.length < value.length && value.bytes[digits.length] >= '0' && value.bytes[digits.length] <= '9';)
		digits.length++;
	if (!text_number(digits, &number))
		return "must be a whole number of bytes with a unit of Kubernetes: Ki, Mi, Gi, Ti, k, M, G, T or none";
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!text_is(text_from(value, digits.length), units[i].name))
			continue;
		if (number > CSI_SIZE_MAX_BYTES / units[i].bytes || number * units[i].bytes < CSI_SIZE_MIN_BYTES)
			return "must be from 1Mi to 1Ti";
		ret->volume.size_bytes = number * units[i].bytes;
		return NULL;
	}
	return "must be a whole number of bytes with a unit of Kubernetes: Ki, Mi, Gi, Ti, k, M, G, T or none";
}

static const char *take_inodes(struct text value, struct asked *ret)
{
	uint64_t number;

	if (!text_number(value, &number) || number < VOLUME_INODES_MIN || number > VOLUME_INODES_MAX)
		return "must be a whole number from 16 to 2147483648";
	ret->volume.inodes = number;
	return NULL;
}

static const char *take_mode(struct text value, struct asked *ret)
{
	uint32_t mode = 0;

	for (uint32_t i = 0; i < value.length; i++) {
		if (value.length > 5 || value.bytes[i] < '0' || value.bytes[i] > '7')
			return "must be octal from 0 to 1777";
		mode = mode << 3 | (uint32_t)(value.bytes[i] - '0');
	}
	if (value.length == 0 || mode > 01777)
		return "must be octal from 0 to 1777";
	ret->volume.mode = mode;
	ret->has_mode = true;
	return NULL;
}

static const char *take_id(struct text value, uint32_t *ret)
{
	uint64_t number;

	if (!text_number(value, &number) || number > ID_MAX)
		return "must be a whole number from 0 to 4294967294";
	*ret = (uint32_t)number;
	return NULL;
}

static const char *take_uid(struct text value, struct asked *ret)
{
	return take_id(value, &ret->volume.uid);
}

static const char *take_gid(struct text value, struct asked *ret)
{
	return take_id(value, &ret->volume.gid);
}

static const char *take_huge(struct text value, struct asked *ret)
{
	static const char *const words[] = {"never", "always", "within_size", "advise"};

	_Static_assert(ARRAY_SIZE(words) == VOLUME_HUGE_MAX_, "every value has a word");
	return choose(value, words, ARRAY_SIZE(words), &ret->volume.huge) ? NULL : "must be never, always, within_size or advise";
}

static const char *take_noswap(struct text value, struct asked *ret)
{
	static const char *const words[] = {"false", "true"};

	return choose(value, words, ARRAY_SIZE(words), &ret->volume.noswap) ? NULL : "must be true or false";
}

static const char *take_source(struct text value, struct asked *ret)
{
	text_copy_whole(ret->volume.source_name, sizeof(ret->volume.source_name), value);
	return *ret->volume.source_name ? NULL : "must be a name of the node's configuration, of at most 31 bytes";
}

/* Relative and plain: what leaves the export, or might, is not a path of ours. */
static const char *take_path(struct text value, struct asked *ret)
{
	struct text rest = value, part;

	text_copy_whole(ret->volume.sub_path, sizeof(ret->volume.sub_path), value);
	if (!*ret->volume.sub_path || !text_is(value, ret->volume.sub_path))
		return "must be a relative path of at most 159 bytes, without control characters";
	while (text_next(&rest, '/', &part))
		if (part.length == 0 || text_is(part, ".") || text_is(part, ".."))
			return "must be a relative path without '.', '..' and '//'";
	return value.bytes[value.length - 1] == '/' ? "must not end with '/'" : NULL;
}

/* --- what the kubelet adds (podInfoOnMount) --- */

static const char *take_pod(struct text value, struct asked *ret)
{
	text_copy_whole(ret->volume.pod, sizeof(ret->volume.pod), value);
	return *ret->volume.pod ? NULL : "must be the pod's name";
}

static const char *take_namespace(struct text value, struct asked *ret)
{
	text_copy_whole(ret->volume.name_space, sizeof(ret->volume.name_space), value);
	return *ret->volume.name_space ? NULL : "must be the pod's namespace";
}

/* Compared with the one in the target path, which was read before. */
static const char *take_uid_of_pod(struct text value, struct asked *ret)
{
	return text_is(value, ret->volume.at.pod_uid) ? NULL : "must be the UID in target_path";
}

static const char *take_ephemeral(struct text value, struct asked *ret)
{
	ret->is_ephemeral = text_is(value, "true");
	return NULL;
}

/* The closed list, the type first: it says which of the others are allowed. */
static const struct attribute {
	const char *key;
	unsigned types;
	take_fn *take;
} attributes[] = {
	{"type", ALL, take_type},
	{"size", SCRATCH | DISK, take_size},
	{"inodes", SCRATCH | DISK, take_inodes},
	{"mode", SCRATCH | DISK, take_mode},
	{"uid", SCRATCH | DISK, take_uid},
	{"gid", SCRATCH | DISK, take_gid},
	{"huge", SCRATCH, take_huge},
	{"noswap", SCRATCH, take_noswap},
	{"disk", DISK, take_source},
	{"checkpoint", CHECKPOINT, take_source},
	{"path", CHECKPOINT, take_path},
	{KUBELET_PREFIX "pod.name", ALL, take_pod},
	{KUBELET_PREFIX "pod.namespace", ALL, take_namespace},
	{KUBELET_PREFIX "pod.uid", ALL, take_uid_of_pod},
	{KUBELET_PREFIX "ephemeral", ALL, take_ephemeral},
};

static int refuse_pair(const struct text_pair *pair, const char *rule, struct err *e)
{
	char key[SHOWN_BYTES], value[SHOWN_BYTES];

	return err_rule(e, EINVAL, "%s: %s, not '%s'", shown(pair->key, key).bytes, rule, shown(pair->value, value).bytes);
}

static const struct attribute *find_attribute(struct text key)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (text_is(key, attributes[i].key))
			return &attributes[i];
	return NULL;
}

/* Every key is known and said once. What else the kubelet may add one day is not the pod's doing: it is passed over. */
static int check_keys(const struct csi_publish *request, struct err *e)
{
	char key[SHOWN_BYTES];
	unsigned seen = 0;

	for (uint32_t i = 0; i < request->context_count; i++) {
		const struct attribute *attribute = find_attribute(request->context[i].key);
		if (!attribute && text_starts(request->context[i].key, KUBELET_PREFIX))
			continue;
		if (!attribute)
			return err_rule(e, EINVAL, "%s: no such attribute; there are: type, size, inodes, mode, uid, gid, huge, noswap, disk, checkpoint, path",
					shown(request->context[i].key, key).bytes);
		if (seen & 1u << (attribute - attributes))
			return err_rule(e, EINVAL, "%s: given twice", attribute->key);
		seen |= 1u << (attribute - attributes);
	}
	return 0;
}

static int take_attributes(const struct csi_publish *request, struct asked *asked, struct err *e)
{
	if (check_keys(request, e) < 0)
		return -e->code;
	for (size_t k = 0; k < ARRAY_SIZE(attributes); k++) {
		for (uint32_t i = 0; i < request->context_count; i++) {
			const struct text_pair *pair = &request->context[i];
			if (!text_is(pair->key, attributes[k].key))
				continue;
			if (k > 0 && !(attributes[k].types & 1u << asked->volume.type) && asked->volume.type != VOLUME_NONE)
				return err_rule(e, EINVAL, "%s: not for type: %s", attributes[k].key, volume_type_name((enum volume_type)asked->volume.type));
			const char *rule = attributes[k].take(pair->value, asked);
			if (rule)
				return refuse_pair(pair, rule, e);
		}
		if (k == 0 && asked->volume.type == VOLUME_NONE)
			return err_rule(e, EINVAL, "type: must be given: scratch, disk or checkpoint");
	}
	return 0;
}

/* --- the capability --- */

/* What every volume of ours is may be asked for; the rest would be a way to have devices or setuid in it. */
static int check_flags(const struct csi_publish *request, struct volume *volume, struct err *e)
{
	static const char *const always[] = {"rw", "nodev", "nosuid"};
	char flag[SHOWN_BYTES];
	uint32_t which;

	for (uint32_t i = 0; i < request->flag_count; i++) {
		if (text_is(request->flags[i], "ro"))
			volume->read_only = 1;
		else if (!choose(request->flags[i], always, ARRAY_SIZE(always), &which))
			return err_rule(e, EINVAL, "mount_flags: '%s' is not allowed; there are: ro, rw, nodev, nosuid", shown(request->flags[i], flag).bytes);
	}
	return 0;
}

static int check_capability(const struct csi_publish *request, struct asked *asked, struct err *e)
{
	const uint64_t mode = request->access_mode;

	if (request->is_block)
		return err_rule(e, ENOTSUP, "volume_capability: a block device cannot be had, only a mount");
	if (!request->is_mount || !request->has_access_mode || mode == CSI_ACCESS_UNKNOWN || mode >= CSI_ACCESS_MAX_)
		return err_rule(e, EINVAL, "volume_capability: mount and a known access_mode must be given");
	if (asked->volume.type != VOLUME_CHECKPOINT && (mode == CSI_MULTI_NODE_READER_ONLY || mode == CSI_MULTI_NODE_SINGLE_WRITER || mode == CSI_MULTI_NODE_MULTI_WRITER))
		return err_rule(e, ENOTSUP, "access_mode: type: %s is of one node only", volume_type_name((enum volume_type)asked->volume.type));
	if (request->fs_type.length > 0)
		return err_rule(e, EINVAL, "fsType: must not be given: the type says it");
	if (check_flags(request, &asked->volume, e) < 0)
		return -e->code;
	if (request->readonly || mode == CSI_SINGLE_NODE_READER_ONLY || mode == CSI_MULTI_NODE_READER_ONLY)
		asked->volume.read_only = 1;
	if (asked->volume.read_only && asked->volume.type != VOLUME_CHECKPOINT)
		return err_rule(e, EINVAL, "readOnly: only a checkpoint can be read-only: it would stay empty");
	/* The kubelet's fsGroup. An attribute says more. */
	if (request->mount_group.length > 0 && asked->volume.type != VOLUME_CHECKPOINT && asked->volume.gid == UINT32_MAX && take_gid(request->mount_group, asked))
		return err_rule(e, EINVAL, "volume_mount_group: must be a whole number from 0 to 4294967294");
	return 0;
}

static int check_pod(const struct asked *asked, struct err *e)
{
	if (!asked->is_ephemeral)
		return err_rule(e, ENOTSUP, "only inline volumes of a pod can be had: " KUBELET_PREFIX "ephemeral must be true");
	if (!*asked->volume.name_space || !*asked->volume.pod)
		return err_rule(e, EINVAL, KUBELET_PREFIX "pod.name and pod.namespace must be given: the CSIDriver object needs podInfoOnMount: true");
	return 0;
}

/* volumes/ has the last word about what may be mounted; what stokerd fills in is taken as filled in. */
static int check_volume(const struct volume *volume, struct err *e)
{
	struct volume whole = *volume;

	whole.size_bytes = whole.size_bytes ? whole.size_bytes : CSI_SIZE_MIN_BYTES;
	whole.inodes = whole.inodes ? whole.inodes : VOLUME_INODES_MIN;
	return volume_check(&whole, e);
}

int csi_volume(const struct csi_publish *request, const char *kubelet_root, struct volume *ret, struct err *e)
{
	struct asked asked = {.volume = {.uid = UINT32_MAX, .gid = UINT32_MAX}};
	struct volume *volume = &asked.volume;

	if (request->volume_id.length == 0)
		return err_rule(e, EINVAL, "volume_id: must be given");
	if (request->target_path.length == 0)
		return err_rule(e, EINVAL, "target_path: must be given");
	if (!request->has_capability)
		return err_rule(e, EINVAL, "volume_capability: must be given");
	if (request->cut)
		return err_rule(e, EINVAL, "volume_context: at most %d attributes and %d mount flags", CSI_CONTEXT_MAX, CSI_FLAGS_MAX);
	if (csi_target("target_path", request->target_path, kubelet_root, &volume->at, e) < 0)
		return -e->code;
	if (!csi_target_has_id(&volume->at, request->volume_id))
		return err_rule(e, EINVAL, "volume_id: is not that of the pod and the name in target_path");
	if (take_attributes(request, &asked, e) < 0 || check_capability(request, &asked, e) < 0 || check_pod(&asked, e) < 0)
		return -e->code;
	if (volume->type == VOLUME_DISK && volume->size_bytes == 0)
		return err_rule(e, EINVAL, "size: must be given for type: disk");
	if (volume->type != VOLUME_CHECKPOINT && !asked.has_mode)
		volume->mode = volume->uid == UINT32_MAX && volume->gid == UINT32_MAX ? MODE_SHARED : MODE_OWNED;
	if (check_volume(volume, e) < 0)
		return -e->code;
	*ret = *volume;
	return 0;
}
