"""Real Spark executors without Kubernetes, under `stoker run`, ended in the ways of production: explained right, and for memory
the recommended setting makes the same job pass while half of the increase does not."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import disks  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from spark import Job  # noqa: E402

HEAP = 512
OVERHEAD = 384  # what Spark gives to 512m: max(384, 10 %)


def expect(death, cause, code=None, lives=False):
    assert death["cause"] == cause and bool(death.get("lives")) == lives, death
    assert code is None or death["exitCode"] == code, death


def mib(value):
    assert value.endswith("m"), value
    return int(value[:-1])


@case
def one_context_many_ends(t):
    """The same driver loses one executor after the other."""
    job = Job(t).warm()
    ok, words = job.step("heap")
    assert not ok, words
    expect(job.death(0), "heap", 52)
    assert (job.deaths()[0]["setting"], mib(job.deaths()[0]["value"])) == ("-Xmx", HEAP * 3 // 2), job.deaths()[0]
    for index, (number, cause, code) in enumerate([(signal.SIGKILL, "killed", 137), (signal.SIGTERM, "killed", 143), (signal.SIGPWR, "decommission-unhandled", 158),
                                                   (signal.SIGABRT, "crashed", 134)], 1):
        job.step("warm")
        os.kill(job.executor(), number)
        expect(job.death(index), cause, code)


@case
def a_python_worker_over_the_limit(t):
    """The recommended limit lets the same job pass, half of the increase does not."""
    limit, hog = HEAP + OVERHEAD, ("python-hog", 1150)
    job = Job(t, limit_mib=limit).warm()
    ok, words = job.step(*hog)
    assert not ok and "Python worker" in words, words
    death = job.death()
    expect(death, "python", lives=True)
    assert job.step("pi")[0], "the executor lives and works"
    job.end()
    wanted = mib(death["value"])
    assert death["setting"] == "--memory" and wanted > limit, death
    for more, passes in ((wanted, True), (limit + (wanted - limit) // 2, False)):
        job = Job(t, limit_mib=more).warm()
        assert job.step(*hog)[0] == passes, (death, more)
        job.end()


@case
def off_heap_memory_is_overhead(t):
    """Off-heap memory that Spark was told of and the limit was not: the usual mistake on YARN's successors."""
    conf = {"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g"}
    job = Job(t, conf=conf).warm()
    ok, words = job.step("sort", 12000000)
    assert not ok, words
    expect(job.death(), "overhead", 137)


@case
def files_in_memory_are_named(t):
    """spark.kubernetes.local.dirs.tmpfs: the local dirs are charged to the container."""
    tmpfs = disks.Tmpfs(t, "size=2g", f"{t.dir}/tmpfs")
    job = Job(t, scratch=f"{tmpfs.mount_point}/scratch", limit_mib=HEAP + 64).warm()
    ok, words = job.step("shuffle", 20000000)
    assert not ok, words
    expect(job.death(), "scratch-memory", 137)


@case
def decommissioned_and_left_alone(t):
    job = Job(t, conf={"spark.decommission.enabled": "true", "spark.storage.decommission.enabled": "true"}).warm()
    job.begin("hold", 2)
    os.kill(job.executor(), signal.SIGPWR)
    job.answer("hold")
    expect(job.death(), "decommissioned", 0)
    # the driver dies: its executor finds out and leaves
    job.step("warm")
    job.executor()
    for pid in job.drivers():
        os.kill(pid, signal.SIGKILL)
    expect(job.death(1), "driver-gone")


@case
def scratch_that_cannot_be_written(t):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    os.makedirs(f"{disk.mount_point}/scratch")
    disks.run("mount", "-o", "remount,ro", disk.mount_point)
    job = Job(t, scratch=f"{disk.mount_point}/scratch")
    death = job.death()
    expect(death, "disk-read-only", 53)


@only_long
@case
def flags_of_the_jvm_that_look_like_a_kill(t):
    for flag, code in (("-XX:+ExitOnOutOfMemoryError", 3), ("-XX:+CrashOnOutOfMemoryError", 134), ("-XX:OnOutOfMemoryError='kill -9 %p'", 137)):
        job = Job(t, conf={"spark.executor.extraJavaOptions": flag}).warm()
        job.step("heap")
        expect(job.death(), "heap", code)
        job.end()


main()
