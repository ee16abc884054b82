/* What a JVM counts of itself, and what somebody else may have put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/jvm_counters.h"

#define SEC   1000000ULL
#define BEGUN 1795680900000ULL /* ms */

struct made {
	unsigned char bytes[4096];
	size_t length;
	uint32_t count;
};

static void put_u32(struct made *m, size_t at, uint32_t value)
{
	memcpy(m->bytes + at, &value, sizeof(value));
}

static void entry(struct made *m, const char *name, unsigned char type, const void *data, uint32_t length)
{
	const uint32_t name_bytes = (uint32_t)(strlen(name) + 8) / 8 * 8, size = 24 + name_bytes + (length + 7) / 8 * 8;

	put_u32(m, m->length, size);
	put_u32(m, m->length + 4, 24);
	put_u32(m, m->length + 8, type == 'B' ? length : 0);
	m->bytes[m->length + 12] = type;
	put_u32(m, m->length + 16, 24 + name_bytes);
	strcpy((char *)m->bytes + m->length + 24, name);
	memcpy(m->bytes + m->length + 24 + name_bytes, data, length);
	m->length += size;
	m->count++;
}

static void number(struct made *m, const char *name, uint64_t value)
{
	entry(m, name, 'J', &value, sizeof(value));
}

static void make(struct made *m, uint64_t begun_ms, uint64_t frequency, uint64_t ticks, const char *cause)
{
	static const unsigned char prologue[] = {0xca, 0xfe, 0xc0, 0xc0, 1, 2, 0, 1};

	memset(m, 0, sizeof(*m));
	memcpy(m->bytes, prologue, sizeof(prologue));
	m->length = 32;
	number(m, "sun.gc.collector.0.lastExitTime", 7);
	number(m, "sun.rt.createVmBeginTime", begun_ms);
	number(m, "sun.os.hrt.frequency", frequency);
	number(m, "sun.gc.collector.1.lastExitTime", ticks);
	entry(m, "sun.gc.lastCause", 'B', cause, (uint32_t)strlen(cause) + 1);
	put_u32(m, 24, 32);
	put_u32(m, 28, m->count);
}

static void test_rows(void **unused)
{
	static const struct {
		uint64_t begun_ms, frequency, ticks;
		const char *cause;
		bool read, by_request;
		uint64_t collected_us;
	} row[] = {
		{BEGUN, 1000000000, 3500000000, "Allocation Failure", true, false, BEGUN * 1000 + 3500000},
		{BEGUN, 1000, 3500, "G1 Compaction Pause", true, false, BEGUN * 1000 + 3500000},
		{BEGUN, 1000000000, 0, "No GC", true, false, 0},
		{BEGUN, 1000000000, 3500000000, "System.gc()", true, true, BEGUN * 1000 + 3500000},
		{BEGUN, 1000000000, 3500000000, "Heap Dump Initiated GC", true, true, BEGUN * 1000 + 3500000},
		{BEGUN, 1000000000, 3500000000, "", true, true, BEGUN * 1000 + 3500000}, /* nobody knows */
		{0, 1000000000, 3500000000, "Allocation Failure", false, false, 0},
		{UINT64_MAX, 1000000000, 3500000000, "Allocation Failure", false, false, 0},
		{BEGUN, 0, 3500000000, "Allocation Failure", false, false, 0},
		{BEGUN, UINT64_MAX, 3500000000, "Allocation Failure", false, false, 0},
		{BEGUN, 1000, UINT64_MAX, "Allocation Failure", false, false, 0},
	};
	static struct made m;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct jvm_counters c = {0};
		make(&m, row[i].begun_ms, row[i].frequency, row[i].ticks, row[i].cause);
		assert_int_equal(jvm_counters_read(m.bytes, m.length, &c), row[i].read);
		if (!row[i].read)
			continue;
		assert_int_equal(c.begun_wall_us, row[i].begun_ms * 1000);
		assert_int_equal(c.by_request, row[i].by_request);
		assert_int_equal(c.full_collection_wall_us, row[i].collected_us);
	}
}

/* Any byte of it is another, and it ends anywhere: nothing beyond it is read (of its exact size, for the sanitizers). */
static void test_any_bytes(void **unused)
{
	static struct made m;
	struct jvm_counters c;
	uint64_t random = 88172645463325252;

	(void)unused;
	make(&m, BEGUN, 1000000000, 3500000000, "Allocation Failure");
	for (unsigned i = 0; i < 20000; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		const size_t length = i % 2 ? m.length : random % (m.length + 1);
		scoped(scoped_free) unsigned char *bytes = malloc(length ? length : 1);
		assert_non_null(bytes);
		memcpy(bytes, m.bytes, length);
		for (unsigned k = 0; length > 0 && k < i % 5; k++)
			bytes[(random >> (8 * k)) % length] = (unsigned char)(random >> (40 + k));
		jvm_counters_read(bytes, length, &c);
	}
	assert_false(jvm_counters_read(m.bytes, 31, &c));
	m.bytes[5] = 3; /* another version */
	assert_false(jvm_counters_read(m.bytes, m.length, &c));
	m.bytes[5] = 2, m.bytes[4] = 0; /* of a machine that writes numbers otherwise */
	assert_false(jvm_counters_read(m.bytes, m.length, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
