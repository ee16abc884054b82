/* What is watched on nodes of many kinds: tests/fixtures/nodes, and the rules one by one. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/discover.h"
#include "volumes/place_search.h"

#define TEXT_BYTES 65536

struct node {
	char directory[512];
	struct config config;
	struct mount_table table;
	struct place_look looks[DISCOVER_KNOWN_MAX];
	struct target_list list;
	char text[TEXT_BYTES], paths[TEXT_BYTES], shown[TEXT_BYTES];
};

static const char *read_file(const struct node *n, const char *name, char text[static TEXT_BYTES])
{
	char path[600];
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/%s", n->directory, name);
	ssize_t length = fd_read_path(path, text, TEXT_BYTES - 1, &e);
	if (length == -ENOENT)
		return NULL;
	if (length < 0)
		fail_msg("%s", e.text);
	text[length] = '\0';
	return text;
}

/* Where a path of the node leads ("PATH" or "PATH -> REAL" in the file `paths`); NULL if it does not exist. */
static const char *real_path(struct node *n, const char *path)
{
	static char line[2 * NAME_PATH_BYTES];
	size_t length = strlen(path);

	for (const char *p = n->paths; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		if (strncmp(line, path, length) != 0 || (line[length] != '\0' && strncmp(line + length, " -> ", 4) != 0))
			continue;
		return line[length] ? line + length + 4 : line;
	}
	return NULL;
}

/* What a look at each known path would find. */
static void look(struct node *n)
{
	struct place place;

	for (uint32_t i = 0; i < DISCOVER_KNOWN_MAX; i++) {
		const char *real = place_get(&n->config, CONFIG_WATCH_MAX + i, &place) ? real_path(n, place.path) : NULL;
		const struct mount *m = real ? mount_table_at(&n->table, real) : NULL;
		n->looks[i] = (struct place_look){.exists = real != NULL, .mount_id = m ? m->id : 0};
	}
}

static void show_target(struct node *n, const struct target_seat *seats, uint32_t index)
{
	const struct target *t = &n->list.targets[index];
	const char *real = real_path(n, t->path);
	const struct mount *m = t->mount_id ? mount_table_find(&n->table, t->mount_id, t->device_major, t->device_minor)
				: real	    ? mount_table_at(&n->table, real)
					    : NULL;
	int other = target_stands_for(seats, n->list.count, index);

	str_append(n->shown, sizeof(n->shown), "%s %s %s", target_origin_name(t->origin), t->role, t->path);
	if (!m)
		str_append(n->shown, sizeof(n->shown), ": not there yet");
	else if (other >= 0)
		str_append(n->shown, sizeof(n->shown), ": as %s", n->list.targets[other].path);
	else
		str_append(n->shown, sizeof(n->shown), ": %s %s at %s%s", m->type, m->source, m->mount_point, seats[index].read_only_bind ? ", a read-only bind" : "");
	str_append(n->shown, sizeof(n->shown), "\n");
}

static void show(struct node *n)
{
	struct target_seat seats[TARGET_MAX] = {0};

	n->shown[0] = '\0';
	for (uint32_t i = 0; i < n->list.count; i++) {
		const struct target *t = &n->list.targets[i];
		const char *real = real_path(n, t->path);
		const struct mount *m = t->mount_id ? mount_table_find(&n->table, t->mount_id, t->device_major, t->device_minor)
					: real	    ? mount_table_at(&n->table, real)
						    : NULL;
		if (m)
			seats[i] = (struct target_seat){true, mount_is_read_only_bind(m), m->device_major, m->device_minor};
	}
	for (uint32_t i = 0; i < n->list.count; i++)
		show_target(n, seats, i);
	str_append(n->shown, sizeof(n->shown), "# %s\n", n->list.note);
}

static void load(struct node *n, const char *name)
{
	struct err e = {0};

	snprintf(n->directory, sizeof(n->directory), "%s/%s", STOKER_FIXTURES "/nodes", name);
	const char *config = read_file(n, "stoker.yaml", n->text);
	if (config_parse(config ? config : "", config ? strlen(config) : 0, &n->config, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	if (!read_file(n, "mountinfo", n->text) || mount_table_parse(n->text, strlen(n->text), &n->table, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	if (!read_file(n, "paths", n->paths))
		fail_msg("%s: no paths", name);
}

static void test_nodes_of_many_kinds(void **unused)
{
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));
	scoped(scoped_free) char *want = calloc(1, TEXT_BYTES);
	DIR *nodes = opendir(STOKER_FIXTURES "/nodes");
	unsigned count = 0;

	(void)unused;
	assert_non_null(nodes);
	for (struct dirent *entry; (entry = readdir(nodes));) {
		if (entry->d_name[0] == '.' || entry->d_type == DT_REG)
			continue;
		memset(n, 0, sizeof(*n));
		load(n, entry->d_name);
		look(n);
		discover(&n->config, &n->table, n->looks, &n->list);
		show(n);
		if (!read_file(n, "targets", want) || strcmp(want, n->shown) != 0)
			fail_msg("%s: wanted:\n%s\nfound:\n%s", entry->d_name, want, n->shown);
		mount_table_free(&n->table);
		count++;
	}
	closedir(nodes);
	assert_true(count >= 14);
}

/* --- the rules one by one --- */

#define ROOT "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n"

static void discover_in(struct node *n, const char *config, const char *mounts)
{
	struct err e = {0};

	mount_table_free(&n->table);
	if (config_parse(config, strlen(config), &n->config, &e) < 0 || mount_table_parse(mounts, strlen(mounts), &n->table, &e) < 0)
		fail_msg("%s", e.text);
	look(n);
	discover(&n->config, &n->table, n->looks, &n->list);
}

static void test_off_finds_nothing_and_patterns_still_work(void **unused)
{
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));

	(void)unused;
	strcpy(n->paths, "/var/lib/kubelet\n");
	discover_in(n, "discover: auto\n", ROOT);
	assert_int_equal(n->list.count, 1);
	discover_in(n, "discover: off\nwatch: [{path: '/mnt/*'}]\n", ROOT "30 27 8:16 / /mnt/a rw - xfs /dev/sdb rw\n");
	assert_int_equal(n->list.count, 1);
	assert_string_equal(n->list.targets[0].path, "/mnt/a");
	assert_int_equal(n->list.targets[0].origin, TARGET_PATTERN);
	assert_int_equal(n->list.targets[0].path_hash, place_path_hash("/mnt/a"));
	mount_table_free(&n->table);
}

static void test_a_pattern_matches_mount_points_only(void **unused)
{
	static const char mounts[] = ROOT "30 27 8:16 / /mnt/a rw - xfs /dev/sdb rw\n"
					  "31 30 8:17 / /mnt/a/deep rw - xfs /dev/sdc rw\n"
					  "32 27 8:18 / /mnt/.hidden rw - xfs /dev/sdd rw\n"
					  "33 27 8:19 / /mnt/b rw - ext4 /dev/sde rw\n"
					  "34 33 8:20 / /mnt/b rw - ext4 /dev/sdf rw\n"
					  "35 27 0:50 / /mnt/n rw - nfs4 srv:/x rw\n"
					  "36 27 8:21 / /mnt/back\\134slash rw - ext4 /dev/sdg rw\n";
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));

	(void)unused;
	discover_in(n, "watch: [{path: '/mnt/*', role: one}, {path: /mnt/a, role: two}, {path: '/m[n]t/?'}]\n", mounts);
	assert_int_equal(n->list.count, 3);
	assert_string_equal(n->list.targets[0].path, "/mnt/a"); /* named: its own entry's role */
	assert_string_equal(n->list.targets[0].role, "two");
	assert_int_equal(n->list.targets[0].mount_id, 0);
	assert_string_equal(n->list.targets[1].path, "/mnt/b");
	assert_int_equal(n->list.targets[1].mount_id, 34); /* the one on top */
	assert_string_equal(n->list.targets[2].path, "/mnt/back\\slash");
	assert_int_equal(n->list.idle_patterns, 0);
	discover_in(n, "watch: [{path: '/mnt/x*'}]\n", mounts);
	assert_int_equal(n->list.idle_patterns, 1);
	assert_non_null(strstr(n->list.note, "/mnt/x* matches no mounted disk"));
	mount_table_free(&n->table);
}

static void test_no_more_than_fit_and_what_is_left_off_is_said(void **unused)
{
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));
	scoped(scoped_free) char *mounts = calloc(1, TEXT_BYTES);

	(void)unused;
	str_append(mounts, TEXT_BYTES, ROOT);
	for (int i = 0; i < 70; i++)
		str_append(mounts, TEXT_BYTES, "%d 27 8:%d / /mnt/%d rw - ext4 /dev/sd rw\n", 30 + i, 30 + i, i);
	strcpy(n->paths, "/var/lib/kubelet\n");
	discover_in(n, "watch: [{path: '/mnt/*'}, {path: /data}]\n", mounts);
	assert_int_equal(n->list.count, TARGET_MAX);
	assert_string_equal(n->list.targets[0].path, "/data"); /* what is named is never left off */
	assert_int_equal(n->list.left_off, 70 + 1 + 1 - TARGET_MAX);
	assert_non_null(strstr(n->list.note, "8 are not watched, the limit is 64"));
	mount_table_free(&n->table);
}

static void test_places_have_the_same_number_for_everyone(void **unused)
{
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));
	struct place place;

	(void)unused;
	discover_in(n, "watch: [{path: /a, ignore: true}, {path: /b}]\nkubeletRoot: /k\n", ROOT);
	assert_false(place_get(&n->config, 0, &place));
	assert_true(place_get(&n->config, 1, &place));
	assert_string_equal(place.path, "/b");
	assert_false(place_get(&n->config, 2, &place));
	assert_true(place_get(&n->config, CONFIG_WATCH_MAX, &place));
	assert_string_equal(place.path, "/k");
	assert_false(place_get(&n->config, CONFIG_WATCH_MAX + 1, &place)); /* another kubelet's root */
	assert_true(place_get(&n->config, CONFIG_WATCH_MAX + 3, &place));
	assert_false(place_get(&n->config, PLACE_MAX, &place));
	assert_false(place_get(&n->config, UINT32_MAX, &place));
	n->config.discover = CONFIG_DISCOVER_OFF;
	assert_false(place_get(&n->config, CONFIG_WATCH_MAX, &place));
	mount_table_free(&n->table);
}

static void test_pods_that_come_and_go_change_nothing(void **unused)
{
	scoped(scoped_free) struct node *n = calloc(1, sizeof(*n));

	(void)unused;
	discover_in(n, "", ROOT);
	uint64_t before = discover_digest(&n->config, &n->table);
	discover_in(n, "", ROOT "40 27 0:60 / /var/lib/kubelet/pods/1/volumes/x rw - tmpfs tmpfs rw\n41 27 0:61 / /run/netns/a rw - nsfs nsfs rw\n");
	assert_int_equal(discover_digest(&n->config, &n->table), before);
	discover_in(n, "kubeletRoot: /data/k\n", ROOT "40 27 0:60 / /data/k/pods/1/volumes/x rw - tmpfs tmpfs rw\n");
	assert_int_equal(discover_digest(&n->config, &n->table), before);
	discover_in(n, "", ROOT "40 27 8:16 / /mnt/a rw - ext4 /dev/sdb rw\n");
	uint64_t with_disk = discover_digest(&n->config, &n->table);
	assert_int_not_equal(with_disk, before);
	discover_in(n, "", ROOT "40 27 8:16 / /mnt/a ro - ext4 /dev/sdb rw\n");
	assert_int_not_equal(discover_digest(&n->config, &n->table), with_disk);
	mount_table_free(&n->table);
}

static void make(const char *top, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* The child that probes knows no name, only a number: what it finds lies beneath the pattern. */
static void test_a_mount_point_is_searched_by_its_hash(void **unused)
{
	static const char *const names[] = {"d", "d/a", "d/b", "d/.hidden", "d/b/x", "e", "e/a"};
	char top[] = "/tmp/stoker-search.XXXXXX", pattern[256], path[256], found[NAME_PATH_BYTES];

	(void)unused;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make(top, names[i]);
	static const struct {
		const char *pattern, *name;
		int want;
	} row[] = {
		{"d/*", "d/b", 0},	     {"d/*", "d/c", -ENOENT},  {"d/*", "d/b/x", -ENOENT}, {"d/*", "d/.hidden", -ENOENT}, {"*/a", "e/a", 0},
		{"[d-e]/?", "d/a", 0},	     {"*/a", "d/b", -ENOENT},  {"d/*/x", "d/b/x", 0},	  {"none/*", "none/a", -ENOENT}, {"d/*", "e/a", -ENOENT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s", top, row[i].pattern);
		snprintf(path, sizeof(path), "%s/%s", top, row[i].name);
		assert_int_equal(place_search(pattern, place_path_hash(path), found), row[i].want);
		if (row[i].want == 0)
			assert_string_equal(found, path);
	}
	for (size_t i = ARRAY_SIZE(names); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		rmdir(path);
	}
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_of_many_kinds),
		cmocka_unit_test(test_off_finds_nothing_and_patterns_still_work),
		cmocka_unit_test(test_a_pattern_matches_mount_points_only),
		cmocka_unit_test(test_no_more_than_fit_and_what_is_left_off_is_said),
		cmocka_unit_test(test_places_have_the_same_number_for_everyone),
		cmocka_unit_test(test_a_mount_point_is_searched_by_its_hash),
		cmocka_unit_test(test_pods_that_come_and_go_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
