/* sample.h - what one cgroup says about itself at one moment. A plain value; v1 and v2 fill the same fields, `have` says which.
 *
 * Names and units are the kernel's (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst), parsed by name: keys come
 * and go with kernel versions. On v1 the memory.stat fields are the total_* ones (hierarchical), events come from
 * memory.oom_control (oom_kill, ≥ 4.13) and memory.failcnt, and are always this cgroup's alone: v1 does not add them up, so a
 * pod's count there says nothing of its containers. Pure parsing apart from reading (cgroup.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SAMPLE_HAS_CURRENT  0x0001U
#define SAMPLE_HAS_PEAK	    0x0002U /* ≥ 5.19; v1 max_usage */
#define SAMPLE_HAS_LIMIT    0x0004U /* 0 in limit_bytes then means "max" */
#define SAMPLE_HAS_STAT	    0x0008U
#define SAMPLE_HAS_EVENTS   0x0010U /* oom_kill at least */
#define SAMPLE_HAS_LOCAL    0x0020U /* memory.events.local, ≥ 5.3 */
#define SAMPLE_HAS_GROUP    0x0040U /* oom_group_kill, ≥ 5.17 */
#define SAMPLE_HAS_CPU	    0x0080U
#define SAMPLE_HAS_PRESSURE 0x0100U
#define SAMPLE_HAS_PIDS	    0x0200U
#define SAMPLE_HAS_IO	    0x0400U

struct sample_events {
	uint64_t low, high, max, oom, oom_kill, oom_group_kill; /* v1: max = failcnt */
};

struct sample_pressure {
	uint64_t some_total_us, full_total_us;
	uint32_t some_avg10_centi, full_avg10_centi; /* per cent × 100 */
};

struct sample {
	uint64_t time_us; /* monotonic */
	uint32_t have;	  /* SAMPLE_HAS_… */
	uint64_t current_bytes, peak_bytes, limit_bytes, swap_bytes;
	/* kernel: v2 without sock; before 5.18 the sum of its parts, without vmalloc; v1 with everything, from memory.kmem.usage_in_bytes */
	uint64_t anon_bytes, file_bytes /* page cache and shmem */, shmem_bytes, kernel_bytes, sock_bytes, slab_bytes;
	uint64_t file_dirty_bytes, file_writeback_bytes, file_mapped_bytes, inactive_file_bytes;
	struct sample_events events; /* hierarchical; v1: as local */
	struct sample_events local;  /* of this cgroup alone */
	struct sample_pressure memory, io, cpu;
	uint64_t cpu_usage_us, periods, throttled_periods, throttled_us;
	uint64_t io_read_bytes, io_write_bytes;
	uint64_t pids_current, pids_max_events;
};

/* Parsers of one file's text each. A missing key leaves its field, an unknown one is passed over. A line of another shape is
 * -EBADMSG with its number, and so is a text that ends within a line: it was cut, and its last number may be. Nothing of a bad
 * text reaches the result. `version` is that of the controller's hierarchy, 1 or 2. */
int sample_parse_memory_stat(const char *text, size_t length, int version, struct sample *ret, struct err *e);

/* v2 memory.events and memory.events.local; v1 memory.oom_control. Returns SAMPLE_HAS_EVENTS and _GROUP as the text has them. */
int sample_parse_events(const char *text, size_t length, struct sample_events *ret, struct err *e);

/* "some" and "full"; cpu.pressure has no "full" before 5.13. */
int sample_parse_pressure(const char *text, size_t length, struct sample_pressure *ret, struct err *e);

int sample_parse_cpu_stat(const char *text, size_t length, struct sample *ret, struct err *e); /* either version's keys */
int sample_parse_pids_events(const char *text, size_t length, struct sample *ret, struct err *e);

/* v2 io.stat; v1 blkio.throttle.io_service_bytes_recursive. The sum of all devices. */
int sample_parse_io_stat(const char *text, size_t length, int version, struct sample *ret, struct err *e);

/* One number. "max" is 0, and so is what v1 shows where no limit is set. */
int sample_parse_number(const char *text, size_t length, uint64_t *ret, struct err *e);
