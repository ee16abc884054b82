/* The text of /proc/PID/mountinfo. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "volumes/discover.h"
#include "volumes/mount_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is mounted: what comes out is bounded, each path is there once, and each target has one that stands for it. */
static void look(const struct mount_table *table)
{
	static const char text[] = "kubeletRoot: /data\nwatch: [{path: '/*'}, {path: '/mnt/*/[a-c]?'}, {path: /mnt/x}, {path: '/*/ignored', ignore: true}]\n";
	static struct config config;
	static struct target_list list;
	struct place_look looks[DISCOVER_KNOWN_MAX];
	struct target_seat seats[TARGET_MAX];

	if (config_parse(text, sizeof(text) - 1, &config, NULL) < 0)
		abort();
	for (uint32_t i = 0; i < DISCOVER_KNOWN_MAX; i++)
		looks[i] = (struct place_look){.exists = true, .mount_id = i < table->count ? table->mounts[i].id : 0};
	discover(&config, table, looks, &list);
	(void)discover_digest(&config, table);
	if (list.count > TARGET_MAX || !memchr(list.note, '\0', sizeof(list.note)))
		abort();
	for (uint32_t i = 0; i < list.count; i++) {
		seats[i] = (struct target_seat){list.targets[i].mount_id != 0, false, list.targets[i].device_major, list.targets[i].device_minor};
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(list.targets[i].path, list.targets[j].path) == 0)
				abort();
		struct target again = list.targets[i];
		if (!target_renew(&config, &again) || strcmp(again.path, list.targets[i].path) != 0)
			abort();
	}
	for (uint32_t i = 0; i < list.count; i++) {
		int stands = target_stands_for(seats, list.count, i);
		if (stands >= 0 && target_stands_for(seats, list.count, (uint32_t)stands) >= 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_table table = {0};
	struct err e = {0};

	if (mount_table_parse((const char *)data, size, &table, &e) < 0)
		return 0;
	look(&table);
	mount_table_free(&table);
	return 0;
}
