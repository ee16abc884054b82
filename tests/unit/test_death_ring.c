/* Deaths that are kept: bounded, and what an earlier life left. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "health/death_ring.h"
#include "tests/unit/executors_stage.h"

static void make_line(struct death *d, unsigned number, char **ret)
{
	const struct executor x = new_executor(ID);

	*d = (struct death){.executor = x, .number = number, .cause = DEATH_HEAP, .exit_code = 52, .ended_wall_us = 1795680900 * SEC};
	str_copy(d->summary, sizeof(d->summary), "the heap of 1024 MiB was full");
	assert_int_equal(death_to_json(d, ret, NULL), 0);
}

static void add_deaths(struct death_ring *ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		scoped(scoped_free) char *line = NULL;
		struct death d;
		make_line(&d, (unsigned)ring->last_number + 1, &line);
		assert_int_equal(death_ring_add(ring, line, NULL), 0);
	}
}

static void append_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_the_ring(void **unused)
{
	char directory[] = "/tmp/stoker-ring.XXXXXX", path[64];
	struct death_ring ring;
	scoped(scoped_free) char *list = NULL;
	struct stat st;

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/deaths.json", directory);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.count, 0);
	add_deaths(&ring, 8);
	assert_int_equal(ring.count, 8);
	add_deaths(&ring, 1); /* a quarter goes */
	assert_int_equal(ring.count, 7);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, ring.bytes);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* What another life left: a line that is none, half a line, a good one. */
	append_to(path, "{\"no\":\"death\"}\n\n{\"apiVersion\":\"stoker.dev/v1alpha1\",\"ki");
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.bad_total, 2);
	assert_int_equal(ring.count, 7);
	assert_int_equal(ring.last_number, 9); /* numbers go on */
	add_deaths(&ring, 1);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.bad_total, 0);
	assert_int_equal(ring.count, 8);

	assert_int_equal(death_ring_list(&ring, &list, NULL), 0);
	const char *newest = strstr(list, "\"number\":10"), *older = strstr(list, "\"number\":9");
	assert_true(newest && older && newest < older);
	assert_int_equal(death_ring_open(&ring, directory, 3, 1 << 20, NULL), 0); /* a smaller one */
	assert_int_equal(ring.count, 3);
	assert_int_equal(death_ring_open(&ring, directory, 8, ring.bytes - 1, NULL), 0); /* fewer bytes */
	assert_int_equal(ring.count, 2);
	unlink(path);
	rmdir(directory);
}

/* The runtime directory is a tmpfs that others fill too. What was half written does not spoil what comes after it. */
static void test_no_room_for_a_line(void **unused)
{
	char directory[] = "/tmp/stoker-ring.XXXXXX", path[64];
	struct rlimit before, few;
	struct death_ring ring;
	scoped(scoped_free) char *line = NULL;
	struct death d;

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/deaths.json", directory);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	add_deaths(&ring, 1);
	make_line(&d, 2, &line);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	few = (struct rlimit){.rlim_cur = ring.bytes + 20, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	const int r = death_ring_add(&ring, line, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(r < 0);
	add_deaths(&ring, 1);
	assert_int_equal(ring.count, 2);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.count, 2);
	assert_int_equal(ring.last_number, 2);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_ring),
		cmocka_unit_test(test_no_room_for_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
