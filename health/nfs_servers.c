#include "health/nfs_servers.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static void remove_at(struct nfs_servers *s, size_t i)
{
	memmove(&s->server[i], &s->server[i + 1], (s->count - i - 1) * sizeof(s->server[0]));
	s->count--;
}

static size_t find(const struct nfs_servers *s, const char *name)
{
	size_t i = 0;

	while (i < s->count && strcmp(s->server[i].name, name) != 0)
		i++;
	return i;
}

static size_t longest_silent(const struct nfs_servers *s)
{
	size_t oldest = 0;

	for (size_t i = 1; i < s->count; i++)
		if (s->server[i].last_us < s->server[oldest].last_us)
			oldest = i;
	return oldest;
}

void nfs_servers_note(struct nfs_servers *s, const struct kmsg_nfs *line, uint64_t now_us)
{
	size_t i = find(s, line->server);

	s->heard = true;
	if (line->state == KMSG_NFS_OK) {
		if (i < s->count)
			remove_at(s, i);
		return;
	}
	if (i == s->count) {
		if (s->count == NFS_SERVERS_MAX)
			remove_at(s, longest_silent(s));
		i = s->count++;
		s->server[i] = (struct nfs_server){.since_us = now_us};
		str_copy(s->server[i].name, sizeof(s->server[i].name), line->server);
	}
	s->server[i].state = line->state;
	s->server[i].last_us = now_us;
	s->server[i].lines++;
}

/* "10.0.0.1:/export", "[fd00::1]:/export" */
static bool is_from(const struct mount *mount, const char *name)
{
	const char *p = mount->source;
	size_t n = strlen(name);

	if (!str_starts(mount->type, "nfs"))
		return false;
	p += *p == '[';
	return strncmp(p, name, n) == 0 && (p[n] == ':' || (p[n] == ']' && p[n + 1] == ':'));
}

static bool is_mounted(const struct mount_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (is_from(&table->mounts[i], name))
			return true;
	return false;
}

void nfs_servers_forget(struct nfs_servers *s, const struct mount_table *table, uint64_t now_us)
{
	for (size_t i = s->count; i-- > 0;) {
		const struct nfs_server *one = &s->server[i];
		bool old = one->state == KMSG_NFS_TIMED_OUT && now_us - one->last_us > NFS_TIMED_OUT_KEEP_US;
		if (old || (table && !is_mounted(table, one->name)))
			remove_at(s, i);
	}
}

bool nfs_servers_say(const struct nfs_servers *s, uint64_t now_us, char *detail, size_t size)
{
	*detail = '\0';
	if (s->count == 0) {
		str_copy(detail, size, "every server that was silent has answered or is not mounted any more");
		return true;
	}
	/* whole entries only */
	for (size_t i = 0; i < s->count; i++) {
		const struct nfs_server *one = &s->server[i];
		char entry[160] = "";
		str_append(entry, sizeof(entry), "%sserver %s %s for %llu min", i ? "; " : "", one->name,
			   one->state == KMSG_NFS_TIMED_OUT ? "timed out" : "has not answered", (unsigned long long)((now_us - one->since_us) / (60 * US_PER_S)));
		if (strlen(detail) + strlen(entry) + sizeof("; …") > size) {
			str_append(detail, size, "; …");
			break;
		}
		str_append(detail, size, "%s", entry);
	}
	return false;
}
