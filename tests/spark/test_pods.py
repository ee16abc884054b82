"""Real Spark executors as pods that Spark itself made, ended in the ways of production: explained on the node, in an Event on the executor's pod
and in one on its driver's; and the recommended setting makes the same job pass while half of the increase does not."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import disks  # noqa: E402
import jvm  # noqa: E402
import machine  # noqa: E402
from cases import case, main, only_long, patient, wait_for  # noqa: E402
from spark import QUICK_JVM  # noqa: E402
from spark_pods import PLAIN_FILES, PodJob, SparkNode, as_user, both, scratch, setting, with_volume  # noqa: E402

HEAP = 512
ROOM = 768  # beside the heap: volumes.scratch.reserve and the scratch
# The heap is there from the first second, so that what is beside it can be measured.
TOUCHED = {"spark.executor.extraJavaOptions": f"{QUICK_JVM} -XX:+AlwaysPreTouch"}
TMPFS = {"spark.kubernetes.local.dirs.tmpfs": "true", **PLAIN_FILES}
DECOMMISSION = {"spark.decommission.enabled": "true", "spark.storage.decommission.enabled": "true"}


def expect(w, job, pod, cause, reason, code=None, lives=False):
    """The death of that pod: its cause, its code, what `stoker why` says, and its Events."""
    death = w.death(pod, lives=lives)
    assert death["cause"] == cause, death
    # who was killed for memory is known before the runtime has told the code, on a busy machine
    assert code is None or death["exitCode"] in ((code, None) if "kernel log" in death["evidence"] else (code,)), death
    assert death["executor"]["appID"] == job.app_id, death
    said = w.why(pod)
    assert (said["cause"], said["value"]) == (cause, death["value"]), (said, death)
    about = f"exec {death['executor']['executorID']}:"
    for name in [pod, *([job.name] if job.pod else [])]:
        event = w.event(name, reason=reason, about=about)
        assert len(event["note"]) <= 1024 and f"{death['setting']}={death['value']}" in event["note"] + "=", (event, death)
    return death


def bring_about(w, job, how, *expected, **more):
    """The executor that works now is brought to an end: (what Spark said of the step that it was at, its death)."""
    assert job.step("warm")[0]
    pod, pid = job.executor()
    said = how(pod, pid)
    return said, expect(w, job, pod, *expected, **more)


def a_pod_is_deleted(w, job):
    """Two race for it: the kubelet's SIGTERM, and its driver, who sees its pod go and commands it to stop, as its own log says. On a busy machine the
    driver may be the first: then the next one's is deleted."""
    for _ in range(5):
        assert job.step("warm")[0]
        pod, _ = job.executor()
        with open(w.log_of(pod), "rb") as log:  # it outlives the file
            w.delete(pod)
            death = w.death(pod, lives=False)
            if b"Driver commanded a shutdown" not in log.read():
                expect(w, job, pod, "deleted", "ExecutorDeleted", code=143)
                return
        assert death["cause"] in ("deleted", "finished"), death
    raise AssertionError("five times its driver was the first")


@case
@patient(1200)
def one_context_many_ends(t):
    """The driver is a pod, and owns its executors; the local dirs are in memory."""
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, conf=TMPFS, as_pod=True).warm()
    (ok, words), death = bring_about(w, job, lambda pod, pid: job.step("python-hog", 1150), "python", "PythonWorkerExhausted", lives=True)
    assert not ok and "Python worker" in words and death["setting"] == "spark.executor.memoryOverhead" and setting(death) > 256, (words, death)
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step("shuffle", 20000000), "scratch-memory", "ScratchExhausted", code=137)
    assert not ok and death["setting"] == "spark.kubernetes.local.dirs.tmpfs", death
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=52)
    assert not ok and death["setting"] == "spark.executor.memory" and setting(death) == HEAP * 3 // 2, death
    bring_about(w, job, lambda pod, pid: os.kill(pid, signal.SIGKILL), "killed", "ExecutorKilled", code=137)
    a_pod_is_deleted(w, job)


@case
@patient(1200)
def a_shuffle_larger_than_its_scratch(t):
    """A volume of csi.stoker.dev as local dir, written by uid 185: ENOSPC for a task, which is tried again; the JVM lives, and works. That is told."""
    w = SparkNode.of_all_cases(t)
    volume = scratch("spark-local-dir-1", "96Mi")
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=ROOM, conf={**PLAIN_FILES, "spark.task.maxFailures": "4"}, template=both(as_user(185), with_volume(volume, "/fast"))).warm()
    pod, pid = job.executor()
    ok, words = job.step("shuffle", 2400000)
    assert not ok and "failed 4 times" in words and "No space left on device" in words, words
    assert job.step("shuffle", 100000)[0] and job.executor() == (pod, pid), "the executor lives and works"
    death = expect(w, job, pod, "scratch-full", "ScratchFull", lives=True)
    assert "spark-local-dir-1, 96 MiB" in death["summary"], death
    root = f"{w.node.kubelet_root}/pods/{w.get(pod)['metadata']['uid']}/volumes/kubernetes.io~csi/spark-local-dir-1/mount"
    blocks = [entry for entry in os.scandir(root) if entry.name.startswith("blockmgr-")]
    assert len(blocks) == 1 and blocks[0].stat().st_uid == 185, blocks
    assert not [d for d in w.deaths() if d["executor"]["pod"] == pod and not d["lives"]], w.deaths()


@only_long
@case
def more_overhead_lets_the_job_pass_and_half_of_it_does_not(t):
    w = SparkNode.of_all_cases(t)
    had, grown = 512, ("native", 580)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=had, conf=TOUCHED).warm()
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step(*grown), "overhead", "ExecutorOverheadExceeded", code=137)
    assert not ok and death["setting"] == "spark.executor.memoryOverhead", death
    wanted = setting(death)
    job.end()
    more, half = (PodJob(t, w, heap_mib=HEAP, overhead_mib=mib, conf=TOUCHED) for mib in (wanted, had + (wanted - had) // 2))
    more.warm()
    assert more.step(*grown)[0], death
    need = more.rss_mib(more.executor()[1]) - HEAP
    print(f"    beside the heap: had {had} MiB, needs {need}, is told {wanted}", flush=True)
    assert had < need and wanted <= 1.5 * need, (need, death)
    half.warm()
    assert not half.step(*grown)[0], (need, death)


@only_long
@case
def deleted_and_decommissioned(t):
    """It hands over and leaves with 0. Two race for it: the preStop hook's SIGPWR, and its driver, who within a second of the deletion commands it to stop.
    Where the driver was first (a busy kubelet) it was never decommissioned, whatever its pod was made for: its own log has the truth, read here through a
    descriptor that outlives the file."""
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP, conf=DECOMMISSION).warm()
    seen = []
    while seen.count(True) < 2:
        assert job.step("warm")[0] and len(seen) < 8, seen
        pod, _ = job.executor()
        job.begin("hold", 2)
        with open(w.log_of(pod), "rb") as log:
            w.delete(pod)
            job.answer("hold")
            death = w.death(pod, deadline=120)
            seen.append(b"Decommission executor " in log.read())
        print(f"    {death['cause']} ({death['confidence']}), decommissioned: {seen[-1]}; {death['evidence'][:200]}", flush=True)
        if seen[-1]:
            expect(w, job, pod, "decommissioned", "ExecutorDecommissioned", code=0)
        else:
            assert (death["cause"], death["exitCode"]) == ("finished", 0), death


# --- in full ---

@only_long
@case
def more_for_python_lets_the_job_pass_and_half_of_it_does_not(t):
    w = SparkNode.of_all_cases(t)
    had, hog = 768, ("python-hog", 1350)  # beyond half of the least increase that may be told, within all of it
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=had).warm()
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step(*hog), "python", "PythonWorkerExhausted", lives=True)
    assert not ok, death
    # once more, then its job ends: kubelet says OOMKilled and Succeeded of such a pod, and it was neither
    pod, _ = job.executor()
    assert not job.step(*hog)[0]
    job.asked.close()
    wait_for(lambda: job.process.poll() is not None, "the driver to end", 120)
    assert w.death(pod, lives=False, deadline=120)["cause"] == "finished"
    job.end()
    wanted = setting(death)
    for more, passes in ((wanted, True), (had + (wanted - had) // 2, False)):
        job = PodJob(t, w, heap_mib=HEAP, overhead_mib=more).warm()
        ok, words = job.step(*hog)
        assert ok == passes, (more, words, death)
        job.end()
    assert wanted <= 1.5 * int(hog[1]), death  # beside a heap that counts whole, it takes that much at least


@only_long
@case
def local_dirs_on_disk_let_the_job_pass(t):
    w = SparkNode.of_all_cases(t)
    shuffle = ("shuffle", 20000000)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, conf=TMPFS).warm()
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step(*shuffle), "scratch-memory", "ScratchExhausted", code=137)
    assert not ok and f"{death['setting']}={death['value']}" == "spark.kubernetes.local.dirs.tmpfs=false", death
    job.end()
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, conf={**TMPFS, death["setting"]: death["value"]}).warm()
    assert job.step(*shuffle)[0], death


@only_long
@case
def a_larger_heap_lets_the_job_pass(t):
    """The least of these that is too much, each a quarter more than the one before; the recommended heap is half as much again."""
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP).warm()
    pod, _ = job.executor()
    rows = next((rows for rows in (3000000, 3750000, 4690000, 5860000, 7320000) if not job.step("thrash", rows)[0]), None)
    wanted = setting(expect(w, job, pod, "heap", "ExecutorHeapExhausted", code=52))
    print(f"    {rows} rows are too much for {HEAP} MiB, {wanted} are told", flush=True)
    job.end()
    ok, words = PodJob(t, w, heap_mib=wanted).warm().step("thrash", rows)
    assert ok and wanted == HEAP * 3 // 2, (wanted, words)


@only_long
@case
def flags_of_the_jvm_that_look_like_a_kill(t):
    w = SparkNode.of_all_cases(t)
    for flag, code in (("-XX:+ExitOnOutOfMemoryError", 3), ("-XX:+CrashOnOutOfMemoryError", 134), ("-XX:OnOutOfMemoryError='kill -9 %p'", 137)):
        job = PodJob(t, w, heap_mib=HEAP, conf={"spark.executor.extraJavaOptions": flag}, as_pod=True).warm()
        bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=code)
        job.end()


@only_long
@case
def signals(t):
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP).warm()
    pod, pid = job.executor()
    for of_daemon in (False, True):
        job.kill_python(pid, of_daemon)
        assert job.executor() == (pod, pid), "the executor lives and works"
    assert not [d for d in w.deaths() if d["executor"]["pod"] == pod], w.deaths()
    # who sent a SIGTERM is not known here: what the kubelet sends when a pod is deleted is what is likely, and no more is said
    death = bring_about(w, job, lambda pod, pid: os.kill(pid, signal.SIGTERM), "deleted", "ExecutorDeleted", code=143)[1]
    assert death["confidence"] == "likely", death
    for number, cause, reason, code in ((signal.SIGPWR, "decommission-unhandled", "DecommissionUnhandled", 158),
                                        (signal.SIGABRT, "crashed", "ExecutorCrashed", 134), (signal.SIGSEGV, "crashed", "ExecutorCrashed", 134)):
        bring_about(w, job, lambda pod, pid: os.kill(pid, number), cause, reason, code=code)


@only_long
@case
def its_driver_died(t):
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP).warm()
    pod, _ = job.executor()
    os.killpg(job.process.pid, signal.SIGKILL)
    death = expect(w, job, pod, "driver-gone", "DriverGone")
    assert death["exitCode"] in (0, 1), death  # it means 1; on a busy machine its main thread has returned before it said so


@only_long
@case
def it_did_not_answer(t):
    """The driver gives it up and deletes its pod; a stopped process ends when the grace period does."""
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP, conf={"spark.network.timeout": "20s", "spark.network.timeoutInterval": "5s", "spark.executor.heartbeatInterval": "2s"}).warm()
    pod, pid = job.executor()
    os.kill(pid, signal.SIGSTOP)
    death = expect(w, job, pod, "killed", "ExecutorKilled", code=137)
    assert "pod has not ended within its grace period" in death["advice"], death  # by whom is not seen: the pod is stopped after its container


@only_long
@case
def its_scratch_was_over_its_size_limit(t):
    """Kubelet evicts it, and says so in its pod's status only: who may ask for that is told, with the number; to others it is a SIGTERM, and no more is said."""
    w = SparkNode.of_all_cases(t)
    t.cleanup(lambda: w.ask_about_pods(False))
    volume = "spark.kubernetes.executor.volumes.emptyDir.spark-local-dir-1"
    for asked in (True, False):
        w.ask_about_pods(asked)
        job = PodJob(t, w, heap_mib=HEAP, conf={**TMPFS, "spark.kubernetes.local.dirs.tmpfs": "false", f"{volume}.mount.path": "/scratch",
                                                f"{volume}.options.sizeLimit": "64Mi"}).warm()
        pod, _ = job.executor()
        job.begin("keep", 4000000)
        job.begin("hold", 120)
        w.death(pod, lives=False, deadline=120)
        death = expect(w, job, pod, *(("evicted", "ExecutorEvicted") if asked else ("deleted", "ExecutorDeleted")))
        print(f"    {death['cause']} ({death['confidence']}), exit code {death['exitCode']}: {death['summary']}", flush=True)
        assert death["exitCode"] in (143, 137) and death["confidence"] == ("certain" if asked else "likely"), death
        assert 'exceeds the limit "64Mi"' in death["summary"] if asked else "evicted" in death["summary"], death
        job.end()


def on(disk):
    """Changes the executors' template: their local dirs lie on that disk of the node."""
    return with_volume({"name": "spark-local-dir-1", "hostPath": {"path": f"{disk.mount_point}/scratch", "type": "DirectoryOrCreate"}}, "/fast")


@only_long
@case
def disks_under_an_executor_that_lives_on(t):
    """It fails its tasks and does not end: that is told when the node says the same of the disk. When somebody ends it, that is told."""
    w = SparkNode.of_all_cases(t)
    rows = (("full", disks.Disk.fill, "disk-full", "LocalDiskFull"), ("error", disks.Disk.trigger_ext4_error, "disk-read-only", "LocalDiskReadOnly"),
            ("shut-down", disks.Disk.shutdown, "disk-failed", "LocalDiskFailed"), ("deleted", lambda disk: disks.run("rm", "-rf", f"{disk.mount_point}/scratch"), None, None))
    broken = {name: disks.Disk(t, "ext4", f"{t.dir}/disk-{name}") for name, *_ in rows}
    t.cleanup(lambda: w.stoker.configure(w.settings))
    w.stoker.configure(w.settings + "probe:\n  period: 1s\n  minimumBad: 1s\nwatch:\n" + "".join(f"- path: {disk.mount_point}\n" for disk in broken.values()))

    def is_well():
        h = w.stoker.health()
        return h["status"] == "Healthy" and len(h.get("filesystems", [])) == len(rows)
    for name, break_it, cause, reason in rows:
        wait_for(is_well, "the node to be well, with its disks", 120, 0.2)
        disk = broken[name]
        job = PodJob(t, w, heap_mib=HEAP, conf=PLAIN_FILES, template=on(disk), as_pod=True).warm()
        pod, pid = job.executor()
        assert job.step("shuffle", 10000)[0]
        break_it(disk)
        assert not job.step("shuffle", 1000000)[0]
        if cause:
            death = expect(w, job, pod, cause, reason, lives=True)
            assert disk.mount_point in death["evidence"], death
        assert not job.step("shuffle", 1000000)[0] and job.executor() == (pod, pid), "it lives on, and fails its tasks"
        assert {d["cause"] for d in w.deaths() if d["executor"]["pod"] == pod} == ({cause} if cause else set()), w.deaths()
        os.kill(pid, signal.SIGKILL)
        death = w.death(pod, lives=False)
        assert (death["cause"], death["exitCode"]) == ("killed", 137), death
        w.event(pod, reason="ExecutorKilled")
        job.end()
        if name == "full":
            disk.empty()
        wait_for(lambda: subprocess.run(["umount", disk.mount_point], capture_output=True).returncode == 0, "umount between two probes", 60)
        disk.fsck()
        disk.mount()


@only_long
@case
def local_dirs_that_cannot_be_written(t):
    """Executors end with 53 and are made again, without end."""
    w = SparkNode.of_all_cases(t)
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    os.makedirs(f"{disk.mount_point}/scratch")
    disk.remount("ro")
    job = PodJob(t, w, heap_mib=HEAP, template=on(disk), as_pod=True)

    def dead():
        return list(dict.fromkeys(d["executor"]["pod"] for d in w.deaths() if d["executor"]["appID"] == job.app_id and d["executor"]["role"] == "executor"))
    for pod in wait_for(lambda: dead() if len(dead()) > 1 else None, "two of its executors to end", 180, 0.2):
        expect(w, job, pod, "disk-read-only", "LocalDiskReadOnly", code=53)


@only_long
@case
def a_frozen_disk_keeps_the_killed(t):
    """Its process ends when the disk thaws, and not before: then it is told."""
    w = SparkNode.of_all_cases(t)
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    job = PodJob(t, w, heap_mib=HEAP, template=on(disk)).warm()
    pod, pid = job.executor()
    disk.freeze()
    job.begin("shuffle", 1000000)
    wait_for(lambda: jvm.is_stuck(pid), "a thread of it to be stuck on the disk", 60, 0.1)
    os.kill(pid, signal.SIGKILL)
    assert not [d for d in w.deaths() if d["executor"]["pod"] == pod], w.deaths()
    disk.thaw()
    expect(w, job, pod, "killed", "ExecutorKilled", code=137)


@only_long
@case
def an_older_spark(t):
    w = SparkNode.of_all_cases(t)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, version="3.5.9", as_pod=True).warm()
    bring_about(w, job, lambda pod, pid: job.step("python-hog", 1150), "python", "PythonWorkerExhausted", lives=True)
    bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=52)
    bring_about(w, job, lambda pod, pid: w.delete(pod), "deleted", "ExecutorDeleted", code=143)


main(machine.own)
