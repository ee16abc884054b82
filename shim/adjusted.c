#include "shim/adjusted.h"

#include <string.h>

static bool same(const char *kept, struct text text)
{
	return text.length < ADJUSTED_ID_BYTES && strlen(kept) == text.length && memcmp(kept, text.bytes, text.length) == 0;
}

static void copy(char kept[ADJUSTED_ID_BYTES], struct text text)
{
	memcpy(kept, text.bytes, text.length);
	kept[text.length] = '\0';
}

/* Empty, or with a NUL inside: nothing that could be told from another one. */
static bool fits(struct text text)
{
	return text.length > 0 && text.length < ADJUSTED_ID_BYTES && !memchr(text.bytes, '\0', text.length);
}

static void fail(struct adjusted *a, struct adjusted_entry *entry)
{
	if (!entry->failed && a->failures < ADJUSTED_FAILURES_MAX)
		a->failures++;
	entry->failed = true;
}

bool adjusted_given_up(const struct adjusted *a)
{
	return a->failures >= ADJUSTED_FAILURES_MAX;
}

void adjusted_again(struct adjusted *a)
{
	a->failures = 0;
}

bool adjusted_may(struct adjusted *a, struct text pod_id, struct text name)
{
	bool may = fits(pod_id) && fits(name);

	for (unsigned i = 0; i < ADJUSTED_MAX; i++) {
		struct adjusted_entry *entry = &a->entries[i];
		if (entry->age == 0 || !same(entry->pod_id, pod_id))
			continue;
		/* The same again, although the one before was never seen to start: its creation failed. */
		if (!entry->started && same(entry->name, name))
			fail(a, entry);
		may = may && !entry->failed;
	}
	return may && !adjusted_given_up(a);
}

static struct adjusted_entry *place(struct adjusted *a)
{
	struct adjusted_entry *oldest = a->entries;

	for (unsigned i = 0; i < ADJUSTED_MAX && oldest->age > 0; i++)
		if (a->entries[i].age < oldest->age)
			oldest = &a->entries[i];
	return oldest;
}

void adjusted_note(struct adjusted *a, struct text pod_id, struct text container_id, struct text name)
{
	if (!fits(pod_id) || !fits(container_id) || !fits(name))
		return;
	struct adjusted_entry *entry = place(a);
	*entry = (struct adjusted_entry){.age = ++a->count_total};
	copy(entry->pod_id, pod_id);
	copy(entry->container_id, container_id);
	copy(entry->name, name);
}

static struct adjusted_entry *find(struct adjusted *a, struct text container_id)
{
	for (unsigned i = 0; i < ADJUSTED_MAX; i++)
		if (a->entries[i].age > 0 && same(a->entries[i].container_id, container_id))
			return &a->entries[i];
	return NULL;
}

void adjusted_started(struct adjusted *a, struct text container_id)
{
	struct adjusted_entry *entry = find(a, container_id);

	if (!entry)
		return;
	entry->started = true;
	a->failures = 0;
}

void adjusted_gone(struct adjusted *a, struct text container_id)
{
	struct adjusted_entry *entry = find(a, container_id);

	if (entry && entry->started)
		entry->age = 0; /* lived, and may come again */
	else if (entry)
		fail(a, entry);
}

void adjusted_pod_gone(struct adjusted *a, struct text pod_id)
{
	for (unsigned i = 0; i < ADJUSTED_MAX; i++)
		if (a->entries[i].age > 0 && same(a->entries[i].pod_id, pod_id))
			a->entries[i].age = 0;
}
