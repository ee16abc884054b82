#include "health/footprint.h"

#include <stddef.h>

#define PAGE_BYTES 4096
#define AT(member) offsetof(struct sample, member)

static const size_t kinds[FOOTPRINT_KINDS] = {AT(current_bytes), AT(limit_bytes), AT(anon_bytes), AT(file_bytes),	AT(shmem_bytes),
					      AT(kernel_bytes),	 AT(sock_bytes),  AT(slab_bytes), AT(file_dirty_bytes), AT(file_writeback_bytes)};
#define CURRENT 0

static uint64_t *number(struct sample *sample, unsigned kind)
{
	return (uint64_t *)(void *)((char *)sample + kinds[kind]);
}

struct footprint footprint_of(const struct sample *sample)
{
	struct footprint f = {
		.time_us = sample->time_us, .have = sample->have, .cpu_periods = (uint32_t)sample->periods, .throttled_periods = (uint32_t)sample->throttled_periods};
	struct sample s = *sample;

	for (unsigned i = 0; i < FOOTPRINT_KINDS; i++) {
		const uint64_t bytes = *number(&s, i), pages = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
		f.pages[i] = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
	}
	return f;
}

struct sample footprint_sample(const struct footprint *f)
{
	struct sample s = {.time_us = f->time_us, .have = f->have & (SAMPLE_HAS_CURRENT | SAMPLE_HAS_LIMIT | SAMPLE_HAS_STAT)};

	for (unsigned i = 0; i < FOOTPRINT_KINDS; i++)
		*number(&s, i) = (uint64_t)f->pages[i] * PAGE_BYTES;
	return s;
}

uint64_t footprint_current_bytes(const struct footprint *f)
{
	return (uint64_t)f->pages[CURRENT] * PAGE_BYTES;
}
