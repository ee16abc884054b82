/* executors_verify.c - is in force what was set at a container's creation? A runtime that does not know a key leaves it out in silence,
 * another NRI plugin may have the last word. Looked at once, after the start; what is not so is said, and not tried again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "health/executors_inside.h"

#define OOM_GROUP_FILE "memory.oom.group"

void executors_adjusted(struct executors *x, const struct wire_adjusted *adjusted, struct moment now)
{
	struct executors_entry *entry = executors_find(x, adjusted->who.container_id);

	(void)now;
	if (entry)
		entry->set = (struct executors_set){.has_oom_group = adjusted->has_oom_group,
						    .has_oom_score_adj = adjusted->has_oom_score_adj,
						    .oom_group = adjusted->oom_group,
						    .oom_score_adj = adjusted->oom_score_adj};
}

static void say(struct executors_entry *entry, const char *what)
{
	struct executors *x = entry->table;

	if (x->ops->unverified)
		x->ops->unverified(x, entry, what);
}

static void verify_oom_group(struct executors_entry *entry)
{
	char text[16], words[96] = "";

	/* A cgroup that is gone, or a file that is not there: nothing can be said. */
	if (!entry->open || cgroup_read_file(&entry->cgroup, CGROUP_MEMORY, OOM_GROUP_FILE, text, sizeof(text), NULL) <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, entry->set.oom_group ? "1" : "0") == 0)
		return;
	str_append(words, sizeof(words), OOM_GROUP_FILE " was set to %d at its creation and is %s", entry->set.oom_group, text);
	say(entry, words);
}

void executors_verify(struct executors_entry *entry)
{
	struct executors *x = entry->table;

	if (entry->set.has_oom_group)
		verify_oom_group(entry);
	entry->set.has_oom_group = false;
	/* Of its process, which only the broker sees. */
	if (entry->set.has_oom_score_adj && (!x->ops->processes || !x->ops->processes(x, entry)))
		entry->set.has_oom_score_adj = false;
}

void executors_verify_processes(struct executors_entry *entry, const struct wire_processes *p)
{
	char words[96] = "";

	if (!entry->set.has_oom_score_adj || !p->has_oom_score_adj)
		return;
	entry->set.has_oom_score_adj = false;
	if (p->oom_score_adj == entry->set.oom_score_adj)
		return;
	str_append(words, sizeof(words), "oom_score_adj was set to %" PRId32 " at its creation and is %" PRId32, entry->set.oom_score_adj, p->oom_score_adj);
	say(entry, words);
}
