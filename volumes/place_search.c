#include "volumes/place_search.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/config_units.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/discover.h"

struct search {
	uint64_t hash;
	unsigned entries;
	char path[NAME_PATH_BYTES];
};

static void directory_drop(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Looks for the components in `rest` ("" or "/name/…") beneath s->path, which is `length` long and is left as it was, unless
 * this is it. 1 = found. */
static int search_beneath(struct search *s, size_t length, const char *rest);

static int search_entry(struct search *s, size_t length, const char *name, size_t name_length, const char *rest)
{
	if (length + 1 + name_length >= sizeof(s->path))
		return 0;
	s->path[length] = '/';
	memcpy(s->path + length + 1, name, name_length);
	s->path[length + 1 + name_length] = '\0';
	int r = search_beneath(s, length + 1 + name_length, rest);
	if (r <= 0)
		s->path[length] = '\0';
	return r;
}

static int search_directory(struct search *s, size_t length, const char *component, const char *rest)
{
	scoped(directory_drop) DIR *directory = opendir(length ? s->path : "/");

	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (++s->entries > PLACE_SEARCH_MAX_ENTRIES)
			return -E2BIG;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fnmatch(component, entry->d_name, FNM_NOESCAPE | FNM_PERIOD) != 0)
			continue;
		int r = search_entry(s, length, entry->d_name, strlen(entry->d_name), rest);
		if (r != 0)
			return r;
	}
	return 0;
}

static int search_beneath(struct search *s, size_t length, const char *rest)
{
	char component[256];

	if (!*rest)
		return place_path_hash(s->path) == s->hash;
	const char *name = rest + 1;
	size_t n = strcspn(name, "/");
	if (n >= sizeof(component))
		return 0;
	memcpy(component, name, n);
	component[n] = '\0';
	/* A directory is only opened where its names are needed: opened, it is in use. */
	return config_unit_is_pattern(component) ? search_directory(s, length, component, name + n) : search_entry(s, length, name, n, name + n);
}

int place_search(const char *pattern, uint64_t hash, char ret_path[static NAME_PATH_BYTES])
{
	struct search s = {.hash = hash};

	int r = search_beneath(&s, 0, pattern);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	str_copy(ret_path, NAME_PATH_BYTES, s.path);
	return 0;
}
