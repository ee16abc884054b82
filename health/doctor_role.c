#include "health/doctor_role.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "base/sandbox_table.h"
#include "base/scoped.h"
#include "base/str.h"

#define CAPABILITIES 64

static const struct {
	const char *name; /* as the kernel cuts it: 15 bytes */
	enum sandbox_role role;
} names[] = {
	{"stokerd", SANDBOX_STOKERD}, {"stoker-broker", SANDBOX_BROKER}, {"stoker-reporter", SANDBOX_REPORTER}, {"stoker-web", SANDBOX_WEB}, {"stoker-nri", SANDBOX_NRI},
};

/* The value of "KEY:\t…"; NULL = there is no such line. */
static const char *value_of(const char *status, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = status; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ':' && line[length + 1] == '\t')
			return line + length + 2;
	return NULL;
}

static bool number_of(const char *status, const char *key, int base, uint64_t *ret)
{
	const char *value = value_of(status, key);
	char *end = NULL;

	if (!value || *value == '-' || *value == '\n')
		return false;
	errno = 0;
	*ret = strtoull(value, &end, base);
	return errno == 0 && end > value && (*end == '\n' || *end == '\t');
}

static bool role_of(const char *status, enum sandbox_role *ret)
{
	const char *name = value_of(status, "Name");

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		size_t length = strlen(names[i].name);
		if (strncmp(name, names[i].name, length) != 0 || name[length] != '\n')
			continue;
		*ret = names[i].role;
		return true;
	}
	return false;
}

int doctor_role_read(const char *status, struct doctor_role *ret)
{
	uint64_t pid, parent, uid, permitted, effective, privs, seccomp;

	*ret = (struct doctor_role){0};
	if (!role_of(status, &ret->role))
		return -ENOENT;
	if (!number_of(status, "Pid", 10, &pid) || !number_of(status, "PPid", 10, &parent) || !number_of(status, "Uid", 10, &uid) ||
	    !number_of(status, "CapPrm", 16, &permitted) || !number_of(status, "CapEff", 16, &effective) || !number_of(status, "NoNewPrivs", 10, &privs) ||
	    !number_of(status, "Seccomp", 10, &seccomp))
		return -EBADMSG;
	ret->pid = (uint32_t)pid;
	ret->parent = (uint32_t)parent;
	ret->uid = (uint32_t)uid;
	ret->permitted = permitted | effective;
	ret->no_new_privs = privs != 0;
	ret->seccomp = (uint32_t)seccomp;
	return 0;
}

static void append_capabilities(char *text, size_t size, uint64_t set)
{
	bool any = false;

	for (int i = 0; i < CAPABILITIES; i++) {
		if (!(set & 1ULL << i))
			continue;
		char *name = cap_to_name(i); /* "cap_sys_admin", or a number that libcap does not know */
		str_append(text, size, "%s%s", any ? " " : "", name ? name + (str_starts(name, "cap_") ? 4 : 0) : "?");
		cap_free(name);
		any = true;
	}
	if (!any)
		str_append(text, size, "none");
}

enum doctor_role_fault doctor_role_judge(const struct doctor_role *role, char *text, size_t size)
{
	uint64_t wanted = 0;

	for (const cap_value_t *c = sandbox_kept_capabilities(role->role); *c >= 0; c++)
		wanted |= 1ULL << *c;
	uint64_t more = role->permitted & ~wanted, less = wanted & ~role->permitted;
	bool open = !role->no_new_privs || role->seccomp != 2;

	*text = '\0';
	str_append(text, size, "pid %" PRIu32 ", uid %" PRIu32 "; ", role->pid, role->uid);
	if (more) {
		str_append(text, size, "has capabilities that it should have given up: ");
		append_capabilities(text, size, more);
	} else if (less) {
		str_append(text, size, "lacks of its capabilities: ");
		append_capabilities(text, size, less);
	} else {
		str_append(text, size, "capabilities: ");
		append_capabilities(text, size, role->permitted);
	}
	str_append(text, size, "; %s, %s", role->no_new_privs ? "no_new_privs" : "may gain rights by exec (no_new_privs is off)",
		   role->seccomp == 2 ? "seccomp filter" : "no seccomp filter");
	return more ? DOCTOR_ROLE_MORE : open ? DOCTOR_ROLE_OPEN : less ? DOCTOR_ROLE_LESS : DOCTOR_ROLE_WELL;
}
