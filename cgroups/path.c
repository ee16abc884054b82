/* path.c - see path.h. */
#include "cgroups/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

#define COMPONENT_MAX_BYTES 255
#define CONTAINER_ID_LENGTH 64

/* --- components --- */

struct piece {
	const char *at;
	size_t length;
};

/* The next component of *path; false at its end. Slashes in a row are one. */
static bool next_piece(const char **path, struct piece *ret)
{
	*path += strspn(*path, "/");
	*ret = (struct piece){*path, strcspn(*path, "/")};
	*path += ret->length;
	return ret->length > 0;
}

static bool piece_is(const struct piece *piece, const char *text)
{
	return piece->length == strlen(text) && memcmp(piece->at, text, piece->length) == 0;
}

static bool piece_starts(const struct piece *piece, const char *text)
{
	return piece->length >= strlen(text) && memcmp(piece->at, text, strlen(text)) == 0;
}

/* Takes `suffix` off. */
static bool piece_strip(struct piece *piece, const char *suffix)
{
	size_t n = strlen(suffix);

	if (piece->length <= n || memcmp(piece->at + piece->length - n, suffix, n) != 0)
		return false;
	piece->length -= n;
	return true;
}

/* Appends a component; the path stays what path.h promises. */
static int push(char *path, size_t size, const struct piece *piece, struct err *e)
{
	if (piece->length > COMPONENT_MAX_BYTES || piece_is(piece, ".") || piece_is(piece, ".."))
		return err_rule(e, EINVAL, "cgroup path: '%.*s' is no name of a directory", (int)(piece->length < 64 ? piece->length : 64), piece->at);
	if (!str_append(path, size, "%s%.*s", *path ? "/" : "", (int)piece->length, piece->at))
		return err_rule(e, EINVAL, "cgroup path: longer than %zu bytes", size - 1);
	return 0;
}

static int push_all(char *path, size_t size, const char *pieces, struct err *e)
{
	struct piece piece;

	while (next_piece(&pieces, &piece)) {
		int r = push(path, size, &piece, e);
		if (r < 0)
			return r;
	}
	return *path ? 0 : err_rule(e, EINVAL, "cgroup path: the root is no container's");
}

/* --- from the runtime's words to a path --- */

/* systemd's nesting: "a-b-c.slice" lies in "a.slice/a-b.slice". "-.slice" is the root. */
static int push_slice(char *path, size_t size, const struct piece *slice, struct err *e)
{
	struct piece name = *slice;

	if (!piece_strip(&name, ".slice") || memchr(slice->at, '/', slice->length))
		return err_rule(e, EINVAL, "cgroup parent '%.*s': must be a slice", (int)(slice->length < 128 ? slice->length : 128), slice->at);
	if (piece_is(&name, "-"))
		return 0;
	for (size_t i = 0; i <= name.length; i++) {
		char unit[COMPONENT_MAX_BYTES + 1];
		if (i < name.length && name.at[i] != '-')
			continue;
		if (i == 0 || name.at[i - 1] == '-')
			return err_rule(e, EINVAL, "cgroup parent '%.*s': an empty part", (int)(slice->length < 128 ? slice->length : 128), slice->at);
		int n = snprintf(unit, sizeof(unit), "%.*s.slice", (int)i, name.at);
		if (n < 0 || (size_t)n >= sizeof(unit))
			return err_rule(e, EINVAL, "cgroup parent: longer than %d bytes", COMPONENT_MAX_BYTES);
		int r = push(path, size, &(struct piece){unit, (size_t)n}, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "slice:prefix:name". No slice is system.slice; a name that is a slice itself stands for no scope. */
static int push_scope(char *path, size_t size, const char *words, struct err *e)
{
	const char *first = strchr(words, ':'), *second = first ? strchr(first + 1, ':') : NULL;

	if (!first || !second || strchr(second + 1, ':') || !second[1] || strchr(first, '/'))
		return err_rule(e, EINVAL, "cgroups path '%.128s': must be slice:prefix:name", words);
	struct piece slice = {words, (size_t)(first - words)}, name = {second + 1, strlen(second + 1)};
	int r = push_slice(path, size, slice.length > 0 ? &slice : &(struct piece){"system.slice", 12}, e);
	if (r < 0)
		return r;
	if (piece_strip(&name, ".slice"))
		return push(path, size, &(struct piece){second + 1, strlen(second + 1)}, e);
	char unit[COMPONENT_MAX_BYTES + 1];
	int n = snprintf(unit, sizeof(unit), "%.*s-%s.scope", (int)(second - first - 1), first + 1, second + 1);
	if (n < 0 || (size_t)n >= sizeof(unit))
		return err_rule(e, EINVAL, "cgroups path: a scope longer than %d bytes", COMPONENT_MAX_BYTES);
	return push(path, size, &(struct piece){unit, (size_t)n}, e);
}

/* A slice's name, or a path. */
static int push_parent(char *path, size_t size, const char *parent, struct err *e)
{
	struct piece name = {parent, strlen(parent)}, whole = name;

	if (!strchr(parent, '/') && piece_strip(&name, ".slice"))
		return push_slice(path, size, &whole, e);
	return push_all(path, size, parent, e);
}

/* Writes to the caller only what is whole. */
static int give(const char *whole, char *path, size_t size, struct err *e)
{
	return str_copy(path, size, whole) ? 0 : err_rule(e, EINVAL, "cgroup path: longer than %zu bytes", size - 1);
}

int cgroup_path_of(const struct executor *executor, char *path, size_t size, struct err *e)
{
	char whole[EXECUTOR_CGROUP_BYTES * 2] = "";
	const char *words = executor->cgroups_path;
	int r;

	if (*words) {
		r = *words != '/' && strchr(words, ':') ? push_scope(whole, sizeof(whole), words, e) : push_all(whole, sizeof(whole), words, e);
	} else if (*executor->cgroup_parent && *executor->container_id) {
		r = push_parent(whole, sizeof(whole), executor->cgroup_parent, e);
		struct piece parent = {whole, strlen(whole)};
		/* under the systemd driver the scope's prefix is the runtime's own, and it did not say */
		if (r == 0 && piece_strip(&parent, ".slice"))
			r = err_rule(e, EINVAL, "the runtime names no scope beneath '%.128s'", executor->cgroup_parent);
		if (r == 0)
			r = push_all(whole, sizeof(whole), executor->container_id, e);
	} else {
		r = err_rule(e, EINVAL, "the runtime names no cgroup");
	}
	return r < 0 ? r : give(whole, path, size, e);
}

int cgroup_pod_path_of(const struct executor *executor, char *path, size_t size, struct err *e)
{
	char whole[EXECUTOR_CGROUP_BYTES * 2] = "";
	int r;

	if (*executor->cgroups_path) {
		r = cgroup_path_of(executor, whole, sizeof(whole), e);
		char *slash = r == 0 ? strrchr(whole, '/') : NULL;
		if (r == 0 && !slash)
			return err_rule(e, EINVAL, "the cgroup '%.128s' has no parent", whole);
		if (slash)
			*slash = '\0';
	} else if (*executor->cgroup_parent) {
		r = push_parent(whole, sizeof(whole), executor->cgroup_parent, e);
	} else {
		r = err_rule(e, EINVAL, "the runtime names no cgroup");
	}
	return r < 0 ? r : give(whole, path, size, e);
}

/* --- from /proc/PID/cgroup --- */

static bool names_container(struct piece piece, const char *id)
{
	size_t n = strlen(id);

	piece_strip(&piece, ".scope");
	if (n == 0 || piece.length < n || memcmp(piece.at + piece.length - n, id, n) != 0)
		return false;
	piece.length -= n;
	return piece.length == 0 || (piece.at[piece.length - 1] == '-' && !memmem(piece.at, piece.length, "conmon", 6));
}

bool cgroup_names_container(const char *name, const char *container_id)
{
	return names_container((struct piece){name, strlen(name)}, container_id);
}

static bool lists(const char *list, size_t length, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list, *end = list + length; n > 0 && p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t here = (size_t)((comma ? comma : end) - p);
		if (here == n && memcmp(p, word, n) == 0)
			return true;
		p += here + 1;
	}
	return false;
}

/* The path of the line that lists the controller, else of the v2 line ("0::"). Paths may hold colons. */
static const char *line_of(const char *text, size_t length, const char *controller, size_t *ret_length)
{
	const char *found = NULL;

	for (const char *line = text, *end = text + length; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line)), *stop = newline ? newline : end;
		const char *first = memchr(line, ':', (size_t)(stop - line));
		const char *second = first ? memchr(first + 1, ':', (size_t)(stop - first - 1)) : NULL;
		bool listed = second && lists(first + 1, (size_t)(second - first - 1), controller);
		if (listed || (second && second == first + 1 && !found)) {
			found = second + 1;
			*ret_length = (size_t)(stop - found);
		}
		if (listed)
			break;
		line = stop + 1;
	}
	return found;
}

int cgroup_path_from_proc(const char *proc_cgroup, size_t length, const char *controller, const char *container_id, char *path, size_t size,
			  struct err *e)
{
	char given[4096], whole[EXECUTOR_CGROUP_BYTES * 2] = "";
	size_t n = 0;
	const char *found = line_of(proc_cgroup, length, controller, &n), *rest = given;
	struct piece piece;

	if (!found || n >= sizeof(given) || memchr(found, '\0', n))
		return err_rule(e, ENOENT, "/proc/PID/cgroup: no usable line for '%s'", controller);
	memcpy(given, found, n);
	given[n] = '\0';
	if (str_starts(given, "/../") || strcmp(given, "/..") == 0)
		return err_rule(e, EXDEV, "the process lives outside of this cgroup namespace");
	while (next_piece(&rest, &piece)) {
		if (!*rest)
			piece_strip(&piece, " (deleted)"); /* the kernel's word for a cgroup that was removed around a zombie */
		int r = push(whole, sizeof(whole), &piece, e);
		if (r < 0)
			return r;
		if (names_container(piece, container_id))
			return give(whole, path, size, e);
	}
	return err_rule(e, ENOENT, "no part of the process's cgroup names the container");
}

/* --- from a directory's path to whom it belongs --- */

static bool is_word(const char *text, size_t length, const char *more)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr(more, c)) || !c)
			return false;
	}
	return length > 0;
}

static bool take_uid(const char *text, size_t length, const char *more, char uid[EXECUTOR_UID_BYTES])
{
	if (length >= EXECUTOR_UID_BYTES || !is_word(text, length, more))
		return false;
	for (size_t i = 0; i < length; i++)
		uid[i] = text[i] == '_' ? '-' : text[i]; /* the systemd driver writes "-" so, since it nests at every "-" */
	uid[length] = '\0';
	return true;
}

static const struct {
	const char *cgroupfs, *systemd;
	enum executor_qos qos;
} classes[] = {
	{"burstable", "burstable-pod", EXECUTOR_QOS_BURSTABLE},
	{"besteffort", "besteffort-pod", EXECUTOR_QOS_BEST_EFFORT},
	{"kubepods", "pod", EXECUTOR_QOS_GUARANTEED},
};

/* "kubepods[-CLASS]-podUID.slice", with what --cgroup-root puts before it ("kubelet-kubepods-…"). */
static bool parse_pod_slice(struct piece piece, struct cgroup_name *ret)
{
	static const char word[] = "kubepods-";
	const char *at = piece_strip(&piece, ".slice") ? memmem(piece.at, piece.length, word, sizeof(word) - 1) : NULL;

	if (!at || (at > piece.at && at[-1] != '-'))
		return false;
	struct piece rest = {at + sizeof(word) - 1, (size_t)(piece.at + piece.length - at) - (sizeof(word) - 1)};
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		size_t n = strlen(classes[i].systemd);
		if (!piece_starts(&rest, classes[i].systemd) || !take_uid(rest.at + n, rest.length - n, "_", ret->pod_uid))
			continue;
		ret->qos = classes[i].qos;
		return true;
	}
	return false;
}

/* "podUID" beneath "kubepods", "kubepods/burstable" or "kubepods/besteffort". */
static bool parse_pod_directory(const struct piece *above, const struct piece *parent, const struct piece *piece, struct cgroup_name *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		bool guaranteed = classes[i].qos == EXECUTOR_QOS_GUARANTEED;
		if (!piece_starts(piece, "pod") || !piece_is(parent, classes[i].cgroupfs) || !(guaranteed || piece_is(above, "kubepods")) ||
		    !take_uid(piece->at + 3, piece->length - 3, "-", ret->pod_uid))
			continue;
		ret->qos = classes[i].qos;
		return true;
	}
	return false;
}

static bool parse_container(struct piece piece, char id[EXECUTOR_CONTAINER_ID_BYTES])
{
	char candidate[CONTAINER_ID_LENGTH + 1];
	struct piece whole = piece;

	piece_strip(&piece, ".scope");
	if (piece.length < CONTAINER_ID_LENGTH)
		return false;
	memcpy(candidate, piece.at + piece.length - CONTAINER_ID_LENGTH, CONTAINER_ID_LENGTH);
	candidate[CONTAINER_ID_LENGTH] = '\0';
	if (strspn(candidate, "0123456789abcdef") != CONTAINER_ID_LENGTH || !names_container(whole, candidate))
		return false;
	return str_copy(id, EXECUTOR_CONTAINER_ID_BYTES, candidate);
}

bool cgroup_name_parse(const char *path, struct cgroup_name *ret)
{
	struct piece piece, parent = {"", 0}, above = {"", 0};
	struct cgroup_name name = {0};

	while (!*name.pod_uid && next_piece(&path, &piece)) {
		if (parse_pod_slice(piece, &name) || parse_pod_directory(&above, &parent, &piece, &name))
			*name.container_id = '\0'; /* what stood above is the node itself, where that is a container (kind, k3d) */
		else if (!*name.container_id)
			parse_container(piece, name.container_id);
		above = parent;
		parent = piece;
	}
	if (*name.pod_uid && next_piece(&path, &piece))
		parse_container(piece, name.container_id);
	*ret = name;
	return *name.pod_uid || *name.container_id;
}
