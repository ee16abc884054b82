#include "daemon/stoker_doctor_roles.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/scoped.h"

#define TEXT_BYTES 4096

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Words ended by NUL, as execve(2) got them: which configuration the process was started with? */
static bool is_started_with(const char *words, size_t length, const char *config_path, bool *launcher)
{
	const char *found = STOKER_CONFIG_PATH;
	char whole[PATH_MAX];

	for (size_t at = 0; at < length; at += strlen(words + at) + 1) {
		size_t next = at + strlen(words + at) + 1;
		*launcher = *launcher || strcmp(words + at, "--all") == 0;
		if (strcmp(words + at, "--config") == 0 && next < length)
			found = words + next;
		else if (strncmp(words + at, "--config=", 9) == 0)
			found = words + at + 9;
	}
	/* As it was given; a link stays one, since a ConfigMap's is another after each change. */
	return strcmp(found, config_path) == 0 || (*config_path != '/' && realpath(config_path, whole) && strcmp(found, whole) == 0);
}

static bool read_role(const char *pid, const char *config_path, struct doctor_role *role, bool *ours)
{
	char path[64], text[TEXT_BYTES + 1];

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	ssize_t n = fd_read_path(path, text, TEXT_BYTES, NULL);
	if (n <= 0)
		return false; /* it has ended meanwhile */
	text[n] = '\0';
	if (doctor_role_read(text, role) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	n = fd_read_path(path, text, TEXT_BYTES, NULL);
	text[n > 0 ? n : 0] = '\0';
	const bool is_told = role->role == SANDBOX_STOKERD || role->role == SANDBOX_BROKER || role->role == SANDBOX_REPORTER;
	*ours = n > 0 && is_told && is_started_with(text, (size_t)n, config_path, &role->launcher);
	return true;
}

/* What stokerd starts is told nothing of the configuration's place: it is ours by its parent. A child forked without exec has its
 * parent's name, and lives for one request. */
static void sort_out(const struct doctor_role *seen, const bool *ours, unsigned count, struct doctor_facts *ret)
{
	for (unsigned i = 0; i < count; i++) {
		bool child = false, fork = false;
		for (unsigned k = 0; k < count; k++) {
			if (seen[i].parent != seen[k].pid || !ours[k])
				continue;
			child = true;
			fork = fork || (seen[i].role == seen[k].role && !seen[k].launcher);
		}
		if ((ours[i] || child) && !fork && ret->role_count < DOCTOR_ROLES_MAX)
			ret->roles[ret->role_count++] = seen[i];
	}
}

void stoker_doctor_find_roles(const char *config_path, struct doctor_facts *ret)
{
	scoped(close_directory) DIR *proc = opendir("/proc");
	struct doctor_role seen[4 * DOCTOR_ROLES_MAX];
	bool ours[4 * DOCTOR_ROLES_MAX] = {false};
	unsigned count = 0;

	for (struct dirent *entry; proc && count < ARRAY_SIZE(seen) && (entry = readdir(proc)) != NULL;)
		if (*entry->d_name >= '1' && *entry->d_name <= '9' && read_role(entry->d_name, config_path, &seen[count], &ours[count]))
			count++;
	sort_out(seen, ours, count, ret);
}
