/* Other agents on the node object: seen, and whether they contradict us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/alias.h"
#include "health/kube_others.h"

#define BIT(other) (1U << (other))

static const struct {
	const char *node;
	uint32_t seen, bad;
	enum condition_status ours;
	bool contradicts;
	const char *words;
} rows[] = {
	{"{}", 0, 0, CONDITION_TRUE, false, ""},
	{"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},7,{\"type\":9}]},\"spec\":{\"taints\":\"x\"}}", 0, 0, CONDITION_TRUE, false, ""},
	{"{\"status\":{\"conditions\":[{\"type\":\"ReadonlyFilesystem\",\"status\":\"False\"}]}}", BIT(OTHER_READONLY_FILESYSTEM), 0, CONDITION_TRUE, false,
	 "node-problem-detector says that the storage is well (ReadonlyFilesystem)"},
	{"{\"status\":{\"conditions\":[{\"type\":\"ReadonlyFilesystem\",\"status\":\"True\"}]}}", BIT(OTHER_READONLY_FILESYSTEM), BIT(OTHER_READONLY_FILESYSTEM),
	 CONDITION_TRUE, true, "storage is bad (ReadonlyFilesystem), and we say the opposite"},
	{"{\"status\":{\"conditions\":[{\"type\":\"StorageReady\",\"status\":\"True\"}]}}", BIT(OTHER_STORAGE_READY), 0, CONDITION_FALSE, true, "and we say the opposite"},
	{"{\"status\":{\"conditions\":[{\"type\":\"StorageReady\",\"status\":\"Unknown\"}]}}", BIT(OTHER_STORAGE_READY), 0, CONDITION_UNKNOWN, false, "a node monitoring agent"},
	{"{\"spec\":{\"taints\":[{\"key\":\"readiness.k8s.io/x\"}]}}", BIT(OTHER_READINESS_TAINT), BIT(OTHER_READINESS_TAINT), CONDITION_TRUE, false,
	 "the node readiness controller taints this node"},
};

static void test_who_is_seen_and_who_contradicts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cJSON *node = cJSON_Parse(rows[i].node);
		uint32_t seen, bad;
		char text[256];
		assert_non_null(node);
		kube_others_read(node, &seen, &bad);
		cJSON_Delete(node);
		assert_int_equal(seen, rows[i].seen);
		assert_int_equal(bad, rows[i].bad);
		assert_int_equal(kube_others_judge(seen, bad, rows[i].ours, text, sizeof(text)), rows[i].contradicts);
		assert_non_null(strstr(text, rows[i].words));
	}
}

static void test_our_own_aliases_are_not_others(void **unused)
{
	(void)unused;
	assert_int_equal(kube_others_mask(0), BIT(OTHER_MAX_) - 1);
	assert_int_equal(kube_others_mask(BIT(ALIAS_STORAGE_READY)), (BIT(OTHER_MAX_) - 1) & ~BIT(OTHER_STORAGE_READY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_is_seen_and_who_contradicts), cmocka_unit_test(test_our_own_aliases_are_not_others)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
