/* Every cause by its numbers, and none by numbers that could not be read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "volumes/enospc.h"

struct set {
	enum enospc_number number;
	uint64_t value;
};

static const struct row {
	struct enospc_case what;
	struct set set[6]; /* ends with a zero pair: bytes total of 0 is set as such nowhere */
	enum enospc_cause cause;
	enum enospc_confidence confidence;
} rows[] = {
	{{ENOSPC_WRITE, ENOSPC_DISK, ENOSPC}, {{NUMBER_BYTES_TOTAL, 1 << 20}, {NUMBER_BYTES_FREE, 0}, {NUMBER_BYTES_AVAILABLE, 0}}, ENOSPC_SPACE, CONFIDENCE_SEEN},
	{{ENOSPC_WRITE, ENOSPC_DISK, ENOSPC}, {{NUMBER_BYTES_TOTAL, 1 << 20}, {NUMBER_BYTES_FREE, 1 << 19}, {NUMBER_BYTES_AVAILABLE, 0}}, ENOSPC_RESERVED, CONFIDENCE_SEEN},
	{{ENOSPC_OPEN, ENOSPC_DISK, ENOSPC}, {{NUMBER_INODES_TOTAL, 128}, {NUMBER_INODES_FREE, 0}}, ENOSPC_INODES, CONFIDENCE_SEEN},
	{{ENOSPC_OPEN, ENOSPC_DISK, ENOSPC}, {{NUMBER_INODES_TOTAL, 128}, {NUMBER_INODES_FREE, 1}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
	{{ENOSPC_WRITE, ENOSPC_DISK, EDQUOT}, {{NUMBER_USER_BYTES, 1 << 20}, {NUMBER_USER_BYTES_MAX, 1 << 20}}, ENOSPC_QUOTA, CONFIDENCE_SEEN},
	{{ENOSPC_OPEN, ENOSPC_DISK, EDQUOT}, {{NUMBER_USER_INODES, 5}, {NUMBER_USER_INODES_MAX, 5}}, ENOSPC_QUOTA, CONFIDENCE_SEEN},
	{{ENOSPC_WRITE, ENOSPC_DISK, ENOSPC}, {{NUMBER_PROJECT_BYTES, 1 << 20}, {NUMBER_PROJECT_BYTES_MAX, 1 << 20}}, ENOSPC_QUOTA, CONFIDENCE_SEEN},
	{{ENOSPC_WRITE, ENOSPC_DISK, EDQUOT}, {{0}}, ENOSPC_QUOTA, CONFIDENCE_LIKELY},
	{{ENOSPC_WRITE, ENOSPC_TMPFS, ENOSPC}, {{NUMBER_BYTES_TOTAL, 1 << 20}, {NUMBER_BYTES_FREE, 0}}, ENOSPC_TMPFS_SIZE, CONFIDENCE_SEEN},
	{{ENOSPC_OPEN, ENOSPC_TMPFS, ENOSPC}, {{NUMBER_INODES_TOTAL, 10}, {NUMBER_INODES_FREE, 0}}, ENOSPC_TMPFS_INODES, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_DISK, ENOSPC}, {{NUMBER_NAMELESS_WORKS, 1}}, ENOSPC_DIRECTORY_FULL, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP1, ENOSPC}, {{NUMBER_KERNEL, 5004}, {NUMBER_MEMCGS, 65535}}, ENOSPC_MEMCG_IDS, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_KERNEL, 6012}, {NUMBER_MEMCGS, 65530}, {NUMBER_MEMCG_IN_CHILD, 1}}, ENOSPC_MEMCG_IDS, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_KERNEL, 6012}, {NUMBER_MEMCGS, 64800}}, ENOSPC_MEMCG_IDS, CONFIDENCE_LIKELY},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_KERNEL, 6012}, {NUMBER_MEMCGS, 40}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, ENOSPC}, {{NUMBER_KERNEL, 6012}, {NUMBER_MEMCGS, 65535}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_KERNEL, 6012}, {NUMBER_MEMCGS, 65535}, {NUMBER_MEMCG_IN_CHILD, 0}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP1, ENOSPC}, {{NUMBER_KERNEL, 3010}, {NUMBER_MEMCGS, 30000}, {NUMBER_DIRECTORIES, 200}}, ENOSPC_MEMCG_LEAK, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EAGAIN}, {{NUMBER_DESCENDANTS, 3}, {NUMBER_DESCENDANTS_MAX, 3}}, ENOSPC_MAX_DESCENDANTS, CONFIDENCE_SEEN},
	{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EAGAIN}, {{NUMBER_DEPTH, 1}, {NUMBER_DEPTH_MAX, 1}}, ENOSPC_MAX_DEPTH, CONFIDENCE_SEEN},
	{{ENOSPC_CGROUP_PROCS, ENOSPC_CGROUP1, ENOSPC}, {{NUMBER_CPUS, 0}, {NUMBER_MEMS, 1}}, ENOSPC_CPUSET_EMPTY, CONFIDENCE_SEEN},
	{{ENOSPC_CGROUP_PROCS, ENOSPC_CGROUP1, ENOSPC}, {{NUMBER_CPUS, 2}, {NUMBER_MEMS, 0}}, ENOSPC_CPUSET_EMPTY, CONFIDENCE_SEEN},
	{{ENOSPC_CGROUP_PROCS, ENOSPC_CGROUP2, ENOSPC}, {{NUMBER_CPUS, 0}, {NUMBER_MEMS, 0}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
	{{ENOSPC_CPUSET, ENOSPC_CGROUP1, ENOSPC}, {{NUMBER_POPULATED, 1}}, ENOSPC_CPUSET_IN_USE, CONFIDENCE_SEEN},
	{{ENOSPC_CGROUP_PROCS, ENOSPC_CGROUP2, EOPNOTSUPP}, {{NUMBER_DOMAIN_INVALID, 1}}, ENOSPC_DOMAIN_INVALID, CONFIDENCE_SEEN},
	{{ENOSPC_SUBTREE_CONTROL, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_PROCESSES, 1}}, ENOSPC_HAS_PROCESSES, CONFIDENCE_SEEN},
	{{ENOSPC_CGROUP_PROCS, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_CONTROLLERS_ON, 2}}, ENOSPC_HAS_CONTROLLERS, CONFIDENCE_SEEN},
	{{ENOSPC_RMDIR, ENOSPC_CGROUP2, EBUSY}, {{NUMBER_CHILDREN, 1}, {NUMBER_POPULATED, 0}}, ENOSPC_CGROUP_IN_USE, CONFIDENCE_SEEN},
	{{ENOSPC_FORK, ENOSPC_CGROUP2, EAGAIN}, {{NUMBER_PIDS, 10}, {NUMBER_PIDS_MAX, 10}}, ENOSPC_PIDS_MAX, CONFIDENCE_SEEN},
	{{ENOSPC_INOTIFY_ADD_WATCH, ENOSPC_DISK, ENOSPC}, {{NUMBER_WATCHES, 8192}, {NUMBER_WATCHES_MAX, 8192}}, ENOSPC_INOTIFY_WATCHES, CONFIDENCE_SEEN},
	{{ENOSPC_INOTIFY_ADD_WATCH, ENOSPC_DISK, ENOSPC}, {{0}}, ENOSPC_INOTIFY_WATCHES, CONFIDENCE_LIKELY},
	{{ENOSPC_INOTIFY_INIT, ENOSPC_DISK, EMFILE}, {{NUMBER_INSTANCES, 128}, {NUMBER_INSTANCES_MAX, 128}}, ENOSPC_INOTIFY_INSTANCES, CONFIDENCE_SEEN},
	{{ENOSPC_MOUNT, ENOSPC_DISK, ENOSPC}, {{NUMBER_MOUNTS, 100000}, {NUMBER_MOUNTS_MAX, 100000}}, ENOSPC_MOUNT_MAX, CONFIDENCE_SEEN},
	{{ENOSPC_SETXATTR, ENOSPC_CGROUP2, ENOSPC}, {{NUMBER_XATTRS, 128}, {NUMBER_XATTRS_MAX, 128}}, ENOSPC_XATTR_SPACE, CONFIDENCE_SEEN},
	{{ENOSPC_UNSHARE, ENOSPC_DISK, ENOSPC}, {{NUMBER_USER_NS_MAX, 0}}, ENOSPC_USER_NAMESPACES, CONFIDENCE_SEEN},
	{{ENOSPC_UNSHARE, ENOSPC_DISK, ENOSPC}, {{NUMBER_USER_NS, 1}, {NUMBER_USER_NS_MAX, 9}, {NUMBER_OTHER_NS, 4}, {NUMBER_OTHER_NS_MAX, 4}}, ENOSPC_OTHER_NAMESPACES, CONFIDENCE_SEEN},
	{{ENOSPC_OPEN, ENOSPC_DISK, EROFS}, {{NUMBER_INODES_TOTAL, 128}, {NUMBER_INODES_FREE, 0}}, ENOSPC_CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN},
};

static void facts_of(const struct row *row, struct enospc_facts *facts)
{
	enospc_facts_clear(facts);
	for (size_t i = 0; i < ARRAY_SIZE(row->set); i++)
		if (row->set[i].number || row->set[i].value)
			facts->number[row->set[i].number] = row->set[i].value;
}

static void test_every_cause_by_its_numbers(void **unused)
{
	struct enospc_answer answer[ENOSPC_CAUSE_MAX_];
	bool named[ENOSPC_CAUSE_MAX_] = {false};
	struct enospc_facts facts;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		facts_of(&rows[i], &facts);
		size_t count = enospc_classify(&rows[i].what, &facts, answer);
		assert_true(count >= 1);
		if (answer[0].cause != rows[i].cause || answer[0].confidence != rows[i].confidence)
			fail_msg("row %zu: %s %s (%s), not %s", i, enospc_cause_name(answer[0].cause), enospc_confidence_name(answer[0].confidence),
				 answer[0].numbers, enospc_cause_name(rows[i].cause));
		named[answer[0].cause] = true;
	}
	for (unsigned c = 0; c < ENOSPC_CAUSE_MAX_; c++)
		if (!named[c])
			fail_msg("no row for %s", enospc_cause_name((enum enospc_cause)c));
}

/* With nothing read nothing is seen and nothing ruled out by numbers: no guess but where only one limit answers so. */
static void test_what_was_not_read_is_not_seen(void **unused)
{
	struct enospc_answer answer[ENOSPC_CAUSE_MAX_];
	static const int errnums[] = {ENOSPC, EDQUOT, EAGAIN, EBUSY, EMFILE, EOPNOTSUPP, EIO};
	struct enospc_facts facts;

	(void)unused;
	enospc_facts_clear(&facts);
	for (unsigned call = 0; call < ENOSPC_CALL_MAX_; call++)
		for (unsigned object = 0; object < ENOSPC_OBJECT_MAX_; object++)
			for (size_t e = 0; e < ARRAY_SIZE(errnums); e++) {
				struct enospc_case what = {(enum enospc_call)call, (enum enospc_object)object, errnums[e]};
				size_t count = enospc_classify(&what, &facts, answer);
				assert_in_range(count, 1, ENOSPC_CAUSE_MAX_);
				for (size_t i = 0; i < count; i++) {
					assert_int_not_equal(answer[i].confidence, CONFIDENCE_SEEN);
					assert_non_null(answer[i].advice);
					assert_true(i == 0 || answer[i].confidence >= answer[i - 1].confidence || answer[0].cause == ENOSPC_CAUSE_UNKNOWN);
				}
			}
}

static void test_advice_fits_the_errno(void **unused)
{
	static const struct {
		struct enospc_case what;
		const char *words;
	} row[] = {
		{{ENOSPC_FORK, ENOSPC_CGROUP1, EAGAIN}, "could be read"}, /* pids.max is in another hierarchy of v1 */
		{{ENOSPC_MKDIR, ENOSPC_CGROUP2, EAGAIN}, "could be read"},
		{{ENOSPC_OPEN, ENOSPC_DISK, EROFS}, "not about space"},
		{{ENOSPC_WRITE, ENOSPC_TMPFS, EIO}, "not about space"},
		{{ENOSPC_INOTIFY_INIT, ENOSPC_DISK, EACCES}, "not about a limit"},
		{{ENOSPC_MOUNT, ENOSPC_DISK, ENOSPC}, "could be read"},
	};
	struct enospc_answer answer[ENOSPC_CAUSE_MAX_];
	struct enospc_facts facts;

	(void)unused;
	enospc_facts_clear(&facts);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		enospc_classify(&row[i].what, &facts, answer);
		if (!strstr(answer[0].advice, row[i].words))
			fail_msg("row %zu: %s", i, answer[0].advice);
	}
}

static void test_ruled_out_comes_with_numbers(void **unused)
{
	static const struct row row = {{ENOSPC_OPEN, ENOSPC_DISK, ENOSPC},
				       {{NUMBER_BYTES_TOTAL, 1 << 20}, {NUMBER_BYTES_FREE, 1 << 19}, {NUMBER_BYTES_AVAILABLE, 1 << 19}, {NUMBER_INODES_TOTAL, 64}, {NUMBER_INODES_FREE, 0}}};
	struct enospc_answer answer[ENOSPC_CAUSE_MAX_];
	struct enospc_facts facts;
	unsigned ruled_out = 0;

	(void)unused;
	facts_of(&row, &facts);
	size_t count = enospc_classify(&row.what, &facts, answer);
	assert_int_equal(answer[0].cause, ENOSPC_INODES);
	assert_string_equal(answer[0].numbers, "0 of 64 inodes are free");
	for (size_t i = 1; i < count; i++)
		if (answer[i].confidence == CONFIDENCE_RULED_OUT) {
			ruled_out++;
			assert_true(answer[i].cause == ENOSPC_SPACE || answer[i].cause == ENOSPC_RESERVED);
		}
	assert_int_equal(ruled_out, 2);
}

static void test_a_probes_numbers(void **unused)
{
	static const uint64_t gib = 1 << 30, mib = 1 << 20;
	static const struct {
		int errnum;
		struct space space; /* bytes in all, for others; inodes in all, left; dynamic; bytes for root too; kind */
		enum enospc_cause cause;
	} row[] = {
		{ENOSPC, {gib, 0, 10, 5, 0, 50 * mib, SPACE_ON_EXT4}, ENOSPC_RESERVED},
		{ENOSPC, {gib, 0, 10, 5, 0, 15 * mib, SPACE_ON_EXT4}, ENOSPC_SPACE}, /* what ext4 keeps for itself is not for root either */
		{ENOSPC, {gib, 0, 10, 5, 0, 0, SPACE_ON_EXT4}, ENOSPC_SPACE},
		{ENOSPC, {gib, 0, 10, 5, 1, 100 * 1024, SPACE_ON_OTHER}, ENOSPC_SPACE}, /* XFS keeps some for its trees */
		{ENOSPC, {gib, mib, 10, 0, 0, mib, SPACE_ON_EXT4}, ENOSPC_INODES},
		{ENOSPC, {gib, 0, 10, 0, 1, 0, SPACE_ON_OTHER}, ENOSPC_SPACE}, /* XFS: no blocks, so no inodes */
		{ENOSPC, {gib, gib, 10, 0, 1, gib, SPACE_ON_OTHER}, ENOSPC_INODES},
		{ENOSPC, {mib, 0, 10, 5, 0, 0, SPACE_ON_TMPFS}, ENOSPC_TMPFS_SIZE},
		{ENOSPC, {mib, mib, 10, 0, 0, mib, SPACE_ON_TMPFS}, ENOSPC_TMPFS_INODES},
		{ENOSPC, {gib, mib, 10, 5, 0, mib, SPACE_ON_EXT4}, ENOSPC_CAUSE_UNKNOWN}, /* there is room: it was something else */
		{ENOSPC, {0}, ENOSPC_CAUSE_UNKNOWN},
		{EDQUOT, {gib, mib, 10, 5, 0, mib, SPACE_ON_EXT4}, ENOSPC_QUOTA},
		{EIO, {gib, 0, 10, 0, 0, 0, SPACE_ON_EXT4}, ENOSPC_CAUSE_UNKNOWN},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		enum enospc_cause cause = enospc_of_probe(row[i].errnum, &row[i].space);
		if (cause != row[i].cause)
			fail_msg("row %zu: %s, not %s", i, enospc_cause_name(cause), enospc_cause_name(row[i].cause));
	}
}

static void test_names(void **unused)
{
	enum enospc_call call;

	(void)unused;
	for (unsigned i = 0; i < ENOSPC_CALL_MAX_; i++) {
		assert_int_equal(enospc_call_parse(enospc_call_name((enum enospc_call)i), &call), 0);
		assert_int_equal(call, i);
	}
	assert_int_equal(enospc_call_parse("read", &call), -EINVAL);
	for (unsigned i = 0; i < NUMBER_MAX_; i++) {
		assert_non_null(enospc_number_name((enum enospc_number)i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(enospc_number_name((enum enospc_number)i), enospc_number_name((enum enospc_number)j));
	}
	assert_string_equal(enospc_cause_name(ENOSPC_INODES), "InodesExhausted");
	assert_string_equal(enospc_cause_name(ENOSPC_SPACE), "SpaceExhausted");
	assert_string_equal(enospc_cause_name(ENOSPC_QUOTA), "QuotaExhausted");
	assert_string_equal(enospc_cause_name(ENOSPC_OTHER_NAMESPACES), "NamespacesExhausted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cause_by_its_numbers), cmocka_unit_test(test_what_was_not_read_is_not_seen),
		cmocka_unit_test(test_ruled_out_comes_with_numbers), cmocka_unit_test(test_a_probes_numbers), cmocka_unit_test(test_names),
		cmocka_unit_test(test_advice_fits_the_errno), cmocka_unit_test(test_a_probes_numbers), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
