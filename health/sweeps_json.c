/* sweeps_json.c - see sweeps.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"
#include "health/sweeps.h"

static bool add_time(cJSON *object, const char *key, uint64_t wall_us)
{
	char time[CLOCK_TEXT_BYTES];

	if (wall_us == 0)
		return cJSON_AddNullToObject(object, key) != NULL;
	clock_format(wall_us, 0, time);
	return cJSON_AddStringToObject(object, key, time) != NULL;
}

static bool add_number(cJSON *object, const char *key, uint64_t number)
{
	return cJSON_AddNumberToObject(object, key, (double)number) != NULL;
}

static bool add_path(cJSON *object, const char *root, const char *name)
{
	char path[CONFIG_VOLUME_PATH_BYTES + SWEEP_NAME_BYTES + 2], escaped[4 * sizeof(path)];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	str_escape(escaped, sizeof(escaped), path);
	return cJSON_AddStringToObject(object, "path", escaped) != NULL;
}

/* "some files could not be removed" is a reason of its own: they will be tried for ever. */
static bool add_why(cJSON *object, const struct wire_swept_one *one)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", sweep_reason_words((enum sweep_reason)one->reason));
	if (one->pid)
		str_append(text, sizeof(text), " (pid %u)", one->pid);
	if (one->left)
		str_append(text, sizeof(text), "; %u entries could not be removed: %s", one->left, strerror(one->left_errnum));
	return cJSON_AddStringToObject(object, "reason", sweep_reason_name((enum sweep_reason)one->reason)) &&
	       cJSON_AddStringToObject(object, "message", text);
}

static bool add_item(cJSON *items, const struct sweeps_directory *d, const struct config_volumes *config, uint64_t now_us, uint64_t now_wall_us)
{
	const struct wire_swept_one *one = &d->found;
	const uint64_t since = d->ownerless_us ? now_wall_us - (now_us - d->ownerless_us) : 0;
	cJSON *item = cJSON_CreateObject();

	if (!item || !cJSON_AddItemToArray(items, item))
		return false;
	return add_path(item, config->sweep_roots[d->root].path, one->name) && cJSON_AddBoolToObject(item, "ownerless", d->ownerless_us != 0) &&
	       add_why(item, one) && add_number(item, "uid", one->uid) && add_number(item, "pid", one->pid) && add_time(item, "born", one->born_wall_us) &&
	       add_time(item, "ownerlessSince", since) && add_time(item, "due", since ? since + config->sweep_grace_us : 0) &&
	       add_number(item, "removedEntries", d->entries) && add_number(item, "removedBytes", d->bytes);
}

static bool add_root(cJSON *roots, const struct sweeps_root *r, const char *path)
{
	char escaped[4 * CONFIG_VOLUME_PATH_BYTES], trouble[4 * sizeof(r->trouble)];
	cJSON *root = cJSON_CreateObject();

	str_escape(escaped, sizeof(escaped), path);
	str_escape(trouble, sizeof(trouble), r->trouble);
	return root && cJSON_AddItemToArray(roots, root) && cJSON_AddStringToObject(root, "path", escaped) && cJSON_AddStringToObject(root, "error", trouble) &&
	       cJSON_AddBoolToObject(root, "looked", r->looked_us != 0);
}

static bool add_head(cJSON *list, const struct sweeps *s, const struct config *config, uint64_t now_wall_us)
{
	static const char *const modes[] = {[CONFIG_SWEEP_OFF] = "off", [CONFIG_SWEEP_DRY_RUN] = "dryRun", [CONFIG_SWEEP_ON] = "on"};

	return cJSON_AddStringToObject(list, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(list, "kind", "SweepList") &&
	       cJSON_AddStringToObject(list, "node", config->node) && add_time(list, "time", now_wall_us) &&
	       cJSON_AddStringToObject(list, "mode", modes[config->volumes.sweep]) && add_number(list, "graceSeconds", config->volumes.sweep_grace_us / US_PER_S) &&
	       add_number(list, "removedDirectories", s->directories_total) && add_number(list, "removedEntries", s->entries_total) &&
	       add_number(list, "removedBytes", s->bytes_total) && add_number(list, "notRemembered", s->beyond_total);
}

int sweeps_to_json(const struct sweeps *s, const struct config *config, uint64_t now_us, uint64_t now_wall_us, char **ret_text, struct err *e)
{
	scoped(json_drop) cJSON *list = cJSON_CreateObject();
	cJSON *roots = NULL, *items = NULL;
	bool good = list && add_head(list, s, config, now_wall_us) && (roots = cJSON_AddArrayToObject(list, "roots")) &&
		    (items = cJSON_AddArrayToObject(list, "items"));

	for (uint32_t i = 0; good && s->directories && i < config->volumes.sweep_root_count; i++)
		good = add_root(roots, &s->roots[i], config->volumes.sweep_roots[i].path);
	for (uint32_t i = 0; good && i < s->count; i++)
		good = add_item(items, &s->directories[i], &config->volumes, now_us, now_wall_us);
	char *text = good ? cJSON_PrintUnformatted(list) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "cannot write the sweep as JSON");
	*ret_text = text;
	return 0;
}
