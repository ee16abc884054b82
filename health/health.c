#include "health/health.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/alias.h"
#include "health/checkpoint_report.h"

#define NODE_SHOWN_BYTES 64 /* as long as the label kubernetes.io/hostname may be */

/* Pieces of the message, so that the last words always fit: the mount, its source, the watched path. */
#define SUBJECT_MOUNT_BYTES  160
#define SUBJECT_SOURCE_BYTES 96

const char *health_status_name(enum health_status status)
{
	static const char *const name[HEALTH_STATUS_MAX_] = {"Unknown", "Healthy", "Warning", "Unhealthy"};

	return (unsigned)status < HEALTH_STATUS_MAX_ ? name[status] : "Unknown";
}

const char *report_more_type(enum report_more more)
{
	static const char *const types[] = {STOKER_CHECKPOINT_READY};

	_Static_assert(ARRAY_SIZE(types) == REPORT_MORE_MAX_, "every condition has a type");
	return (unsigned)more < REPORT_MORE_MAX_ ? types[more] : "";
}

const char *condition_status_name(enum condition_status status)
{
	static const char *const name[CONDITION_STATUS_MAX_] = {"Unknown", "True", "False"};

	return (unsigned)status < CONDITION_STATUS_MAX_ ? name[status] : "Unknown";
}

const char *taint_holder_name(enum taint_holder holder)
{
	static const char *const name[HOLDER_MAX_] = {"", "cluster", "brake", "person"};

	return (unsigned)holder < HOLDER_MAX_ ? name[holder] : "";
}

int health_exit_code(enum health_status status)
{
	static const int code[HEALTH_STATUS_MAX_] = {[HEALTH_UNKNOWN] = 2, [HEALTH_HEALTHY] = 0, [HEALTH_WARNING] = 0, [HEALTH_UNHEALTHY] = 1};

	return (unsigned)status < HEALTH_STATUS_MAX_ ? code[status] : 2;
}

/* --- judging --- */

/* What one filesystem makes of the node. Recovering counts as bad: it is not good until it was good often enough. */
static enum health_status status_of(enum verdict_state state)
{
	static const enum health_status status[VERDICT_STATE_MAX_] = {
		[VERDICT_UNKNOWN] = HEALTH_UNKNOWN, [VERDICT_HEALTHY] = HEALTH_HEALTHY,	     [VERDICT_WARNING] = HEALTH_WARNING,
		[VERDICT_BAD] = HEALTH_UNHEALTHY,   [VERDICT_RECOVERING] = HEALTH_UNHEALTHY,
	};

	return (unsigned)state < VERDICT_STATE_MAX_ ? status[state] : HEALTH_UNKNOWN;
}

/* The first filesystem that makes the node `status`, and how many do. */
static const struct health_filesystem *first_of(const struct health *health, enum health_status status, unsigned *ret_count)
{
	const struct health_filesystem *first = NULL;
	unsigned count = 0;

	for (uint32_t i = 0; i < health->filesystem_count; i++) {
		if (health->filesystems[i].ignored || status_of(health->filesystems[i].state) != status)
			continue;
		first = first ? first : &health->filesystems[i];
		count++;
	}
	*ret_count = count;
	return first;
}

/* Of warnings what is comes before what may come: it has a taint. */
const struct health_filesystem *health_worst(const struct health *health, unsigned *ret_count)
{
	enum health_status status = health_judge(health);
	const struct health_filesystem *first = first_of(health, status, ret_count);

	for (uint32_t i = 0; status == HEALTH_WARNING && i < health->filesystem_count; i++) {
		const struct health_filesystem *f = &health->filesystems[i];
		if (!f->ignored && f->state == VERDICT_WARNING && !verdict_is_forecast(f->reason))
			return f;
	}
	return first;
}

enum health_status health_judge(const struct health *health)
{
	static const enum health_status worst_first[] = {HEALTH_UNHEALTHY, HEALTH_UNKNOWN, HEALTH_WARNING, HEALTH_HEALTHY};
	unsigned count;

	for (size_t i = 0; i < ARRAY_SIZE(worst_first); i++)
		if (first_of(health, worst_first[i], &count))
			return worst_first[i];
	return HEALTH_UNKNOWN;
}

void health_ignore_bind(struct health_filesystem *f)
{
	f->ignored = 1;
	f->state = VERDICT_UNKNOWN;
	str_copy(f->reason, sizeof(f->reason), "ReadOnlyBind");
	str_copy(f->message, sizeof(f->message), "not judged: this mount is read-only by its own flag, the filesystem is not; watch another path on it");
}

/* --- the node's message --- */

/* Escaped, and marked where it was cut. */
static void append_name(char *text, size_t size, const char *name, size_t limit)
{
	char escaped[4 * NAME_PATH_BYTES], shown[4 * NAME_PATH_BYTES];

	str_escape(escaped, sizeof(escaped), name);
	bool whole = str_copy(shown, limit, escaped);
	str_append(text, size, "%s%s", shown, whole ? "" : "...");
}

/* "/data (ext4 /dev/loop0)", "/ (ext4 /dev/vda1; watched as /var/lib/kubelet)" */
static void append_subject(char *text, size_t size, const struct health_filesystem *f)
{
	bool elsewhere = *f->path && strcmp(f->path, f->mount_point) != 0;
	bool described = *f->fs_type || *f->source;

	append_name(text, size, *f->mount_point ? f->mount_point : f->path, SUBJECT_MOUNT_BYTES);
	if (!described && !elsewhere)
		return;
	str_append(text, size, " (");
	append_name(text, size, f->fs_type, sizeof(f->fs_type));
	if (*f->source) {
		str_append(text, size, "%s", *f->fs_type ? " " : "");
		append_name(text, size, f->source, SUBJECT_SOURCE_BYTES);
	}
	if (elsewhere) {
		str_append(text, size, "%swatched as ", described ? "; " : "");
		append_name(text, size, f->path, SUBJECT_MOUNT_BYTES);
	}
	str_append(text, size, ")");
}

/* What was said of it when it began: its numbers stand still, as the message of a bad one does. */
static bool is_about_space(const char *reason)
{
	return strcmp(reason, "SpaceLow") == 0 || strcmp(reason, "InodesLow") == 0;
}

/* What is wrong with it, in words. A warning's kernel line stays out: it differs from line to line (inode, process), and
 * each difference would be a write to the API server. */
static void append_fault(char *text, size_t size, const struct health_filesystem *f)
{
	if (f->state == VERDICT_WARNING && verdict_is_forecast(f->reason))
		str_append(text, size, ": %s and will be full soon if it goes on", strcmp(f->reason, "SpaceFillingUp") == 0 ? "it is filling up" : "its inodes are being used up");
	else if (f->state == VERDICT_WARNING && !is_about_space(f->reason))
		str_append(text, size, ": the kernel reports errors (%s), writing still works", f->reason);
	else if (*f->message)
		str_append(text, size, ": %s", f->message); /* the same while recovering: each change of the text is a write */
	else
		str_append(text, size, ": %s", f->reason);
}

/* The command that a reader of `kubectl describe node` can paste: in the pod of this node, for `ds/stoker` is any node's. */
static void append_more(const struct health *health, char *text, size_t size)
{
	str_append(text, size,
		   "more: kubectl exec -n stoker-system $(kubectl get pod -n stoker-system -o name --field-selector spec.nodeName=%s) -c agent -- stoker health, "
		   "or on the node: stoker health",
		   strlen(health->node) < NODE_SHOWN_BYTES ? health->node : "NODE");
}

/* Only what changes when the state changes: no durations, no counters, no times of probes. */
static void describe_fault(const struct health *health, const struct health_filesystem *f, unsigned count, char message[REPORT_MESSAGE_BYTES])
{
	char since[CLOCK_TEXT_BYTES];

	append_subject(message, REPORT_MESSAGE_BYTES, f);
	append_fault(message, REPORT_MESSAGE_BYTES, f);
	if (f->since_wall_us) {
		clock_format(f->since_wall_us, 0, since);
		str_append(message, REPORT_MESSAGE_BYTES, " since %s", since);
	}
	str_append(message, REPORT_MESSAGE_BYTES, "; %u of %" PRIu32 " filesystems; ", count, health->filesystem_count);
	append_more(health, message, REPORT_MESSAGE_BYTES);
}

/* By the watched paths: they are the same before and after the mount table is known, which saves a write at every start. */
static void describe_healthy(const struct health *health, char message[REPORT_MESSAGE_BYTES])
{
	const size_t room = REPORT_MESSAGE_BYTES - 2 * SUBJECT_MOUNT_BYTES;
	uint32_t i;

	str_append(message, REPORT_MESSAGE_BYTES, "%" PRIu32 " of %" PRIu32 " filesystems can be written:", health->filesystem_count,
		   health->filesystem_count);
	for (i = 0; i < health->filesystem_count && strlen(message) < room; i++) {
		const struct health_filesystem *f = &health->filesystems[i];
		str_append(message, REPORT_MESSAGE_BYTES, i ? ", " : " ");
		append_name(message, REPORT_MESSAGE_BYTES, *f->path ? f->path : f->mount_point, SUBJECT_MOUNT_BYTES);
	}
	if (i < health->filesystem_count)
		str_append(message, REPORT_MESSAGE_BYTES, " and %" PRIu32 " more", health->filesystem_count - i);
}

/* --- the report --- */

static void report_taint(const struct config *config, enum health_status status, const char *reason, struct report_taint *ret)
{
	/* A forecast is said and never taints: what may come keeps no executor away. */
	bool problem = status == HEALTH_UNHEALTHY || (status == HEALTH_WARNING && !verdict_is_forecast(reason));
	bool softly = status == HEALTH_WARNING || config->report.taint == CONFIG_TAINT_PREFER_NO_SCHEDULE;

	/* Zeroed first: reports are compared as bytes. The key stands even without a taint, it names what is to go. */
	memset(ret, 0, sizeof(*ret));
	str_copy(ret->key, sizeof(ret->key), config->report.taint_key);
	if (!problem || config->report.taint == CONFIG_TAINT_OFF || !(config->report.taint_for & CONFIG_TAINT_FOR_STORAGE))
		return;
	ret->wanted = 1;
	str_copy(ret->value, sizeof(ret->value), reason);
	str_copy(ret->effect, sizeof(ret->effect), softly ? "PreferNoSchedule" : "NoSchedule");
}

static void report_aliases(const struct health *health, const struct config *config, struct report *ret)
{
	memset(ret->aliases, 0, sizeof(ret->aliases));
	for (unsigned i = 0; i < ALIAS_MAX_; i++)
		if (!config->retire && config->report.aliases & 1U << i)
			alias_condition(i, health, &ret->condition, &ret->aliases[i]);
}

void health_report(const struct health *health, const struct config *config, struct report *ret)
{
	static const enum condition_status condition_of[HEALTH_STATUS_MAX_] = {
		[HEALTH_UNKNOWN] = CONDITION_UNKNOWN,
		[HEALTH_HEALTHY] = CONDITION_TRUE,
		[HEALTH_WARNING] = CONDITION_TRUE,
		[HEALTH_UNHEALTHY] = CONDITION_FALSE,
	};
	enum health_status status = health_judge(health);
	struct report_condition *c = &ret->condition;
	unsigned count = 0;
	const struct health_filesystem *worst = health_worst(health, &count);
	const uint64_t transition_wall_us = c->transition_wall_us;

	memset(c, 0, sizeof(*c));
	c->transition_wall_us = transition_wall_us;
	c->status = condition_of[status];
	str_copy(c->type, sizeof(c->type), STOKER_STORAGE_READY);
	memset(ret->node, 0, sizeof(ret->node));
	str_copy(ret->node, sizeof(ret->node), health->node);
	if (!worst) {
		str_copy(c->reason, sizeof(c->reason), "NothingWatched");
		str_append(c->message, sizeof(c->message), "no filesystem is watched: the configuration has none under watch; ");
		append_more(health, c->message, sizeof(c->message));
	} else if (status == HEALTH_HEALTHY) {
		str_copy(c->reason, sizeof(c->reason), "AllProbesPassed");
		describe_healthy(health, c->message);
	} else {
		str_copy(c->reason, sizeof(c->reason), *worst->reason ? worst->reason : "NotProbed");
		describe_fault(health, worst, count, c->message);
	}
	report_taint(config, status, c->reason, &ret->taint);
	report_aliases(health, config, ret);
	checkpoint_report(health, config, &ret->more[REPORT_CHECKPOINT]);
}
