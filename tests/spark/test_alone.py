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
OLDER = "3.5.9"
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
    many_ends(Job(t).warm())


def many_ends(job):
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
def a_python_worker_over_the_limit(t, **more_of_job):
    """The recommended limit lets the same job pass, half of the increase does not."""
    limit, hog = HEAP + OVERHEAD, ("python-hog", 1150)
    job = Job(t, limit_mib=limit, **more_of_job).warm()
    ok, words = job.step(*hog)
    assert not ok and "Python worker" in words, words
    death = job.death()
    expect(death, "python", lives=True)
    assert job.step("pi")[0], "the executor lives and works"
    job.end()
    wanted = mib(death["value"])
    assert death["setting"] == "--memory" and wanted > limit, death
    for more, passes in ((wanted, True), (limit + (wanted - limit) // 2, False)):
        job = Job(t, limit_mib=more, **more_of_job).warm()
        assert job.step(*hog)[0] == passes, (death, more)
        job.end()


@case
def off_heap_memory_is_overhead(t, **more_of_job):
    """Off-heap memory that Spark was told of and the limit was not: the usual mistake on YARN's successors."""
    conf = {"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g"}
    job = Job(t, conf=conf, **more_of_job).warm()
    ok, words = job.step("sort", 12000000)
    assert not ok, words
    expect(job.death(), "overhead", 137)
    job.end()


@case
def files_in_memory_are_named(t, **more_of_job):
    """spark.kubernetes.local.dirs.tmpfs: the local dirs are charged to the container."""
    tmpfs = disks.Tmpfs(t, "size=2g", f"{t.dir}/tmpfs")
    job = Job(t, scratch=f"{tmpfs.mount_point}/scratch", limit_mib=HEAP + 64, **more_of_job).warm()
    ok, words = job.step("shuffle", 20000000)
    assert not ok, words
    expect(job.death(), "scratch-memory", 137)
    job.end()


@case
def decommissioned_and_left_alone(t, **more_of_job):
    job = Job(t, conf={"spark.decommission.enabled": "true", "spark.storage.decommission.enabled": "true"}, **more_of_job).warm()
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
def scratch_that_cannot_be_written(t, **more_of_job):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    os.makedirs(f"{disk.mount_point}/scratch")
    disks.run("mount", "-o", "remount,ro", disk.mount_point)
    job = Job(t, scratch=f"{disk.mount_point}/scratch", **more_of_job)
    death = job.death()
    expect(death, "disk-read-only", 53)
    job.end()


@case
def a_python_worker_that_is_killed_is_no_executors_death(t):
    """By hand, with memory to spare: the executor lives, and nothing of it is told."""
    job = Job(t).warm()
    for of_daemon in (False, True):
        assert job.step("pi")[0]
        jvm = job.executor()
        daemon = next(pid for pid in children(jvm) if b"pyspark.daemon" in words_of(pid))
        job.begin("hold", 5)
        worker = wait_for(lambda: next(iter(children(daemon)), None), "a Python worker")
        os.kill(daemon if of_daemon else worker, signal.SIGKILL)
        job.answer("hold")
        assert job.step("warm")[0] and job.executor() == jvm, "the executor lives and works"
    assert job.deaths() == [], job.deaths()


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            found += map(int, f.read().split())
    return found


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


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

    for name, break_it in (("full", disks.Disk.fill), ("error", disks.Disk.trigger_ext4_error), ("shut-down", disks.Disk.shutdown), ("deleted", deleted)):
        disk = disks.Disk(t, "ext4", f"{t.dir}/disk-{name}")
        job = Job(t, scratch=f"{disk.mount_point}/scratch").warm()
        jvm = job.executor()
        assert job.step("shuffle", 10000)[0]
        break_it(disk)
        print(f"    {name}: {job.step('shuffle', 1000000)[1][:200]}", flush=True)
        assert not job.step("shuffle", 1000000)[0]
        assert job.executor() == jvm and job.deaths() == [], job.deaths()
        os.kill(jvm, signal.SIGKILL)
        expect(job.death(), "killed", 137)
        job.end()


@only_long
@case
def a_frozen_disk_keeps_the_killed(t):
    """Its process ends when the disk thaws, and not before: then it is told."""
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    job = Job(t, scratch=f"{disk.mount_point}/scratch").warm()
    jvm = job.executor()
    disk.freeze()
    job.begin("shuffle", 1000000)
    wait_for(lambda: is_stuck(jvm), "a thread of it to be stuck on the disk", 60, 0.1)
    os.kill(jvm, signal.SIGKILL)
    assert job.deaths() == []
    disk.thaw()
    expect(job.death(), "killed", 137)


def is_stuck(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "D":
                    return True
        except OSError:
            pass
    return False


@only_long
@case
def the_same_with_spark_3_5(t):
    many_ends(Job(t, version=OLDER).warm())
    for of in (a_python_worker_over_the_limit, off_heap_memory_is_overhead, files_in_memory_are_named, decommissioned_and_left_alone, scratch_that_cannot_be_written):
        print(f"    PySpark {OLDER}: {of.__name__}", flush=True)
        of(t, version=OLDER)


@only_long
@case
def flags_of_the_jvm_that_look_like_a_kill(t):
    for flag, code in (("-XX:+ExitOnOutOfMemoryError", 3), ("-XX:+CrashOnOutOfMemoryError", 134), ("-XX:OnOutOfMemoryError='kill -9 %p'", 137)):
        job = Job(t, conf={"spark.executor.extraJavaOptions": flag}).warm()
        job.step("heap")
        expect(job.death(), "heap", code)
        job.end()


main()
