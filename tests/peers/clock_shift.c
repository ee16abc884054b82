/* Preloaded: the wall clock that a process sees, stepped by what another process writes into a mapped file (tests/peers/test_brake.py).
 * Only CLOCK_REALTIME: the clocks that count time do not step on a real machine either. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_s;
static int (*next_gettime)(clockid_t, struct timespec *);

static void look_up_next(void)
{
	*(void **)&next_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

/* Before main(), and so before any filter or Landlock. */
__attribute__((constructor)) static void look_up(void)
{
	const char *path = getenv("STOKER_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(*shift_s), PROT_READ, MAP_SHARED, fd, 0);
	shift_s = map == MAP_FAILED ? NULL : map;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (!next_gettime) /* the constructor of a library (GnuTLS) asks before ours has run */
		look_up_next();
	int rc = next_gettime(clock, ts);

	if (rc == 0 && clock == CLOCK_REALTIME && shift_s)
		ts->tv_sec += *shift_s;
	return rc;
}
