"""Real Spark executors without Kubernetes, under `stoker run`, ended in the ways of production: explained right, and for memory
the recommended setting makes the same job pass while half of the increase does not."""
import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import disks  # noqa: E402
import jvm  # noqa: E402
from cases import case, main, only_long, patient, wait_for  # noqa: E402
from spark import Job  # noqa: E402

HEAP = 512
OLDER = "3.5.9"
OVERHEAD = 384  # what Spark gives to 512m: max(384, 10 %)


def expect(death, cause, code=None, lives=False):
    assert death["cause"] == cause and bool(death.get("lives")) == lives, death
    assert code is None or death["exitCode"] == code, death
    return death


def mib(value):
    assert value.endswith("m"), value
    return int(value[:-1])


@case
@patient(1200)
def many_ends_of_one_driver(t, **more_of_job):
    """The same driver loses one executor after the other. First a Python worker goes over the limit: the recommended limit lets the same job pass,
    half of the increase does not."""
    limit, hog = HEAP + OVERHEAD, ("python-hog", 1150)
    job = Job(t, limit_mib=limit, **more_of_job).warm()
    ok, words = job.step(*hog)
    assert not ok and "Python worker" in words, words
    death = job.death()
    expect(death, "python", lives=True)
    wanted = mib(death["value"])
    assert death["setting"] == "--memory" and wanted > limit, death
    a_worker_that_is_killed(job)
    ok, words = job.step("heap")
    assert not ok, words
    expect(job.death(1), "heap", 52)
    assert (job.deaths()[1]["setting"], mib(job.deaths()[1]["value"])) == ("-Xmx", HEAP * 3 // 2), job.deaths()[1]
    for index, (number, cause, code) in enumerate([(signal.SIGKILL, "killed", 137), (signal.SIGTERM, "killed", 143), (signal.SIGPWR, "decommission-unhandled", 158),
                                                   (signal.SIGABRT, "crashed", 134)], 2):
        job.step("warm")
        os.kill(job.executor(), number)
        expect(job.death(index), cause, code)
    job.end()
    more, half = (Job(t, limit_mib=value, **more_of_job) for value in (wanted, limit + (wanted - limit) // 2))
    for job in (more.warm(), half.warm()):
        job.begin(*hog)
    assert more.answer(hog[0])[0], death
    assert not half.answer(hog[0])[0], death


def a_worker_that_is_killed(job):
    """By hand, with memory to spare: the executor lives, and nothing of it is told."""
    told, executor = job.deaths(), job.executor()
    for of_daemon in (False, True):
        job.kill_python(executor, of_daemon)
        assert job.executor() == executor, "the executor lives and works"
    assert job.deaths() == told, job.deaths()


@case
@patient(1200)
def off_heap_then_decommissioned_then_left_alone(t, **more_of_job):
    """Off-heap memory that Spark was told of and the limit was not: the usual mistake on YARN's successors. The next executor hands over and
    leaves; the driver of the third dies."""
    conf = {"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g", "spark.decommission.enabled": "true",
            "spark.storage.decommission.enabled": "true"}
    job = Job(t, conf=conf, **more_of_job).warm()
    ok, words = job.step("sort", 12000000)
    assert not ok, words
    expect(job.death(), "overhead", 137)
    job.step("warm")
    executor = job.executor()
    job.begin("hold", 2)
    os.kill(executor, signal.SIGPWR)
    job.answer("hold")
    expect(job.death(1), "decommissioned", 0)
    job.step("warm")
    job.executor()
    for pid in job.drivers():
        with contextlib.suppress(ProcessLookupError):  # the end of the first may be that of others
            os.kill(pid, signal.SIGKILL)
    expect(job.death(2), "driver-gone")


@case
@patient(1200)
def scratch_in_memory_and_scratch_that_cannot_be_written(t, **more_of_job):
    """spark.kubernetes.local.dirs.tmpfs: the local dirs are charged to the container. Beside it one whose local dir is read-only."""
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    os.makedirs(f"{disk.mount_point}/scratch")
    disks.run("mount", "-o", "remount,ro", disk.mount_point)
    tmpfs = disks.Tmpfs(t, "size=2g", f"{t.dir}/tmpfs")
    job = Job(t, scratch=f"{tmpfs.mount_point}/scratch", limit_mib=HEAP + 64, **more_of_job)
    other = Job(t, scratch=f"{disk.mount_point}/scratch", **more_of_job)
    expect(other.death(), "disk-read-only", 53)
    other.end()
    ok, words = job.warm().step("shuffle", 20000000)
    assert not ok, words
    expect(job.death(), "scratch-memory", 137)


# --- in full ---

@only_long
@case
def a_heap_that_fills_slowly(t):
    """The collector is at work for a minute before the end."""
    job = Job(t).warm()
    assert not job.step("thrash", 12000000)[0]
    expect(job.death(), "heap", 52)


@only_long
@case
def a_crash_of_the_jvm(t):
    job = Job(t).warm()
    os.kill(job.executor(), signal.SIGSEGV)
    expect(job.death(), "crashed", 134)


@only_long
@case
def disks_under_an_executor_that_lives_on(t):
    """It fails its tasks and does not end; when somebody ends it, that is what is told."""
    def deleted(disk):
        disks.run("rm", "-rf", f"{disk.mount_point}/scratch")

    for name, break_it in (("full", disks.Disk.fill), ("memory", disks.Tmpfs.fill), ("error", disks.Disk.trigger_ext4_error), ("shut-down", disks.Disk.shutdown), ("deleted", deleted)):
        disk = disks.Tmpfs(t, "size=64m", f"{t.dir}/disk-{name}") if name == "memory" else disks.Disk(t, "ext4", f"{t.dir}/disk-{name}")
        job = Job(t, scratch=f"{disk.mount_point}/scratch").warm()
        executor = job.executor()
        assert job.step("shuffle", 10000)[0]
        break_it(disk)
        print(f"    {name}: {job.step('shuffle', 1000000)[1][:200]}", flush=True)
        assert not job.step("shuffle", 1000000)[0]
        assert job.executor() == executor and job.deaths() == [], job.deaths()
        os.kill(executor, signal.SIGKILL)
        expect(job.death(), "killed", 137)
        job.end()


@only_long
@case
def a_frozen_disk_keeps_the_killed(t):
    """Its process ends when the disk thaws, and not before: then it is told."""
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    job = Job(t, scratch=f"{disk.mount_point}/scratch").warm()
    executor = job.executor()
    disk.freeze()
    job.begin("shuffle", 1000000)
    wait_for(lambda: jvm.is_stuck(executor), "a thread of it to be stuck on the disk", 60, 0.1)
    os.kill(executor, signal.SIGKILL)
    assert job.deaths() == []
    disk.thaw()
    expect(job.death(), "killed", 137)


@only_long
@case
def the_same_with_spark_3_5(t):
    for of in (many_ends_of_one_driver, off_heap_then_decommissioned_then_left_alone, scratch_in_memory_and_scratch_that_cannot_be_written):
        print(f"    PySpark {OLDER}: {of.__name__}", flush=True)
        of(t, version=OLDER)


@only_long
@case
def flags_of_the_jvm_that_look_like_a_kill(t):
    """What the JVM itself says goes to its standard output, which `stoker run` passes on unread."""
    kill = "-XX:OnOutOfMemoryError='kill -9 %p'"
    for flag, code, *step in (("-XX:+ExitOnOutOfMemoryError", 3, "heap"), ("-XX:+CrashOnOutOfMemoryError", 134, "heap"), (kill, 137, "thrash", 12000000), (kill, 137, "heap")):
        job = Job(t, conf={"spark.executor.extraJavaOptions": flag}).warm()
        job.step(*step)
        if step == ["heap"] and flag == kill:  # one array that was too large at once: its heap was never full, and nobody heard of it
            death = expect(job.death(), "killed", code)
            assert death["confidence"] == "likely" and "OnOutOfMemoryError" in death["evidence"], death
        else:
            expect(job.death(), "heap", code)
        job.end()


main()
