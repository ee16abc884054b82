#include "shim/csi_target.h"

#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/text.h"

#define MIDDLE "/volumes/kubernetes.io~csi/"

static bool take(struct text *rest, struct text start)
{
	if (rest->length < start.length || memcmp(rest->bytes, start.bytes, start.length) != 0)
		return false;
	*rest = text_from(*rest, start.length);
	return true;
}

static bool take_component(struct text *rest, char *destination, size_t size)
{
	struct text part = {rest->bytes, 0};

	while (part.length < rest->length && rest->bytes[part.length] != '/')
		part.length++;
	text_copy_whole(destination, size, part);
	*rest = text_from(*rest, part.length);
	return *destination != '\0';
}

int csi_target(const char *key, struct text path, const char *kubelet_root, struct volume_at *ret, struct err *e)
{
	struct text root = text_of(kubelet_root), rest = path;
	struct volume_at at = {.place = VOLUME_AT_CSI};

	while (root.length > 0 && root.bytes[root.length - 1] == '/')
		root.length--;
	if (!take(&rest, root) || !take(&rest, text_of("/pods/")) || !take_component(&rest, at.pod_uid, sizeof(at.pod_uid)) || !take(&rest, text_of(MIDDLE)) ||
	    !take_component(&rest, at.name, sizeof(at.name)) || !text_is(rest, "/mount") || volume_at_check(&at, NULL) < 0)
		return err_rule(e, EINVAL, "%s: must be %.*s/pods/UID/volumes/kubernetes.io~csi/NAME/mount", key, (int)root.length, root.bytes);
	*ret = at;
	return 0;
}

bool csi_target_has_id(const struct volume_at *at, struct text id)
{
	char wanted[VOLUME_ID_BYTES];

	volume_id(at->pod_uid, at->name, wanted);
	return text_is(id, wanted);
}
