#include "health/jvm_counters.h"

#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

#define PROLOGUE_BYTES 32
#define ENTRY_BYTES    20
#define ENTRIES_MAX    2048
#define NAME_BYTES     64
#define YEARS_S	       1000000000ULL /* no JVM is as old */
#define OF_BYTES       'B'
#define OF_NUMBER      'J'

struct found {
	uint64_t begun_ms, frequency, ticks;
	char cause[32];
};

static uint32_t u32_at(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Text of the entry from `offset` on, ended; "" where it does not end. */
static void text_at(const unsigned char *entry, uint32_t length, uint32_t offset, char *text, size_t size)
{
	const unsigned char *end = offset < length ? memchr(entry + offset, '\0', length - offset) : NULL;

	*text = '\0';
	if (end && (size_t)(end - entry - offset) < size)
		memcpy(text, entry + offset, (size_t)(end - entry - offset) + 1);
}

static void take_entry(const unsigned char *entry, uint32_t length, struct found *found)
{
	const struct {
		const char *name;
		uint64_t *into;
	} numbers[] = {
		{"sun.rt.createVmBeginTime", &found->begun_ms},
		{"sun.os.hrt.frequency", &found->frequency},
		{"sun.gc.collector.1.lastExitTime", &found->ticks},
	};
	const uint32_t name_offset = u32_at(entry + 4), data_offset = u32_at(entry + 16);
	const unsigned char type = entry[12];
	char name[NAME_BYTES];

	text_at(entry, length, name_offset, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (type == OF_NUMBER && strcmp(name, numbers[i].name) == 0 && length >= 8 && data_offset <= length - 8)
			memcpy(numbers[i].into, entry + data_offset, sizeof(uint64_t));
	if (type == OF_BYTES && strcmp(name, "sun.gc.lastCause") == 0)
		text_at(entry, length, data_offset, found->cause, sizeof(found->cause));
}

static bool is_by_request(const char *cause)
{
	static const char *const requests[] = {"System.gc()", "Diagnostic Command", "Heap Inspection", "Heap Dump", "JvmtiEnv ForceGarbageCollection"};
	bool is = false;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		is = is || str_starts(cause, requests[i]);
	return is || !*cause;
}

bool jvm_counters_read(const unsigned char *bytes, size_t length, struct jvm_counters *ret)
{
	static const unsigned char magic[] = {0xca, 0xfe, 0xc0, 0xc0};
	const unsigned char little = 1, big = 0;
	const uint16_t one = 1;
	struct found found = {0};

	if (length < PROLOGUE_BYTES || memcmp(bytes, magic, sizeof(magic)) != 0 || bytes[4] != (*(const unsigned char *)&one ? little : big) || bytes[5] != 2)
		return false;
	size_t at = u32_at(bytes + 24);
	for (uint32_t n = u32_at(bytes + 28), i = 0; i < n && i < ENTRIES_MAX; i++) {
		if (at > length || length - at < ENTRY_BYTES)
			break;
		const uint32_t size = u32_at(bytes + at);
		if (size < ENTRY_BYTES || size > length - at)
			break;
		take_entry(bytes + at, size, &found);
		at += size;
	}
	if (found.begun_ms == 0 || found.begun_ms > UINT64_MAX / 2 / 1000 || found.frequency < 1000 || found.frequency > UINT32_MAX * 8ULL || found.ticks / found.frequency > YEARS_S)
		return false;
	*ret = (struct jvm_counters){.begun_wall_us = found.begun_ms * 1000, .by_request = is_by_request(found.cause)};
	if (found.ticks > 0)
		ret->full_collection_wall_us = ret->begun_wall_us + found.ticks / found.frequency * US_PER_S + found.ticks % found.frequency * US_PER_S / found.frequency;
	return true;
}
