"""Real Spark executors as pods that Spark itself made, ended in the ways of production: explained on the node, in an Event on the executor's pod
and in one on its driver's; and the recommended setting makes the same job pass while half of the increase does not."""
import atexit
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import Context, case, main, only_long, wait_for  # noqa: E402
from spark_pods import PodJob, SparkNode, setting  # noqa: E402

WORLD = []
HEAP = 512
# The heap is there from the first second, so that what is beside it can be measured.
TOUCHED = {"spark.executor.extraJavaOptions": "-XX:+AlwaysPreTouch"}
TMPFS = {"spark.kubernetes.local.dirs.tmpfs": "true", "spark.shuffle.compress": "false", "spark.shuffle.spill.compress": "false"}
DECOMMISSION = {"spark.decommission.enabled": "true", "spark.storage.decommission.enabled": "true"}


def patient(seconds):
    """A deadline for a machine that has others on it."""
    def take(function):
        function.deadline = seconds
        return function
    return take


def world(t):
    if not WORLD:
        context = Context("spark")
        atexit.register(context.close)
        WORLD.append(SparkNode(context))
    t.note(lambda: "\n".join(str(d) for d in WORLD[0].deaths()[:8]))
    t.note(lambda: WORLD[0].stoker.logs())
    return WORLD[0]


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


@case
@patient(1200)
def one_context_many_ends(t):
    """The driver is a pod, and owns its executors; the local dirs are in memory."""
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, conf=TMPFS, as_pod=True).warm()
    (ok, words), death = bring_about(w, job, lambda pod, pid: job.step("python-hog", 1150), "python", "PythonWorkerExhausted", lives=True)
    assert not ok and "Python worker" in words and death["setting"] == "spark.executor.memoryOverhead" and setting(death) > 256, (words, death)
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step("shuffle", 20000000), "scratch-memory", "ScratchExhausted", code=137)
    assert not ok and death["setting"] == "spark.kubernetes.local.dirs.tmpfs", death
    (ok, _), death = bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=52)
    assert not ok and death["setting"] == "spark.executor.memory" and setting(death) == HEAP * 3 // 2, death
    bring_about(w, job, lambda pod, pid: os.kill(pid, signal.SIGKILL), "killed", "ExecutorKilled", code=137)
    bring_about(w, job, lambda pod, pid: w.delete(pod), "deleted", "ExecutorDeleted", code=143)


@only_long
@case
@patient(1200)
def more_overhead_lets_the_job_pass_and_half_of_it_does_not(t):
    w = world(t)
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
@patient(1200)
def deleted_and_decommissioned(t):
    """It hands over and leaves with 0. Only its log tells that from an end that its driver commanded, and kubelet removes that along with the pod: when
    it was gone before it could be read, the next one tells."""
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP, conf=DECOMMISSION).warm()
    for _ in range(3):
        assert job.step("warm")[0]
        pod, _ = job.executor()
        job.begin("hold", 2)
        w.delete(pod)
        job.answer("hold")
        death = w.death(pod, deadline=120)
        if death["cause"] != "finished" or "its log" in death["evidence"]:
            break
    expect(w, job, pod, "decommissioned", "ExecutorDecommissioned", code=0)


# --- in full ---

@only_long
@case
def more_for_python_lets_the_job_pass_and_half_of_it_does_not(t):
    w = world(t)
    had, hog = 768, ("python-hog", 1170)
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
        if passes:
            assert wanted <= 1.5 * (job.rss_mib(job.executor()[1]) + int(hog[1]) - HEAP), death  # the worker has given its own back
        job.end()


@only_long
@case
def local_dirs_on_disk_let_the_job_pass(t):
    w = world(t)
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
    w = world(t)
    for heap, passes in ((HEAP, False), (HEAP * 3 // 2, True)):
        job = PodJob(t, w, heap_mib=heap).warm()
        pod, _ = job.executor()
        ok, words = job.step("thrash", 3000000)
        assert ok == passes, words
        if not passes:
            assert setting(expect(w, job, pod, "heap", "ExecutorHeapExhausted", code=52)) == HEAP * 3 // 2
        job.end()


@only_long
@case
def flags_of_the_jvm_that_look_like_a_kill(t):
    w = world(t)
    for flag, code in (("-XX:+ExitOnOutOfMemoryError", 3), ("-XX:+CrashOnOutOfMemoryError", 134), ("-XX:OnOutOfMemoryError='kill -9 %p'", 137)):
        job = PodJob(t, w, heap_mib=HEAP, conf={"spark.executor.extraJavaOptions": flag}, as_pod=True).warm()
        bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=code)
        job.end()


@only_long
@case
def signals(t):
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP).warm()
    for number, cause, reason, code in ((signal.SIGTERM, "killed", "ExecutorKilled", 143), (signal.SIGPWR, "decommission-unhandled", "DecommissionUnhandled", 158),
                                        (signal.SIGABRT, "crashed", "ExecutorCrashed", 134), (signal.SIGSEGV, "crashed", "ExecutorCrashed", 134)):
        bring_about(w, job, lambda pod, pid: os.kill(pid, number), cause, reason, code=code)


@only_long
@case
def its_driver_died(t):
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP).warm()
    pod, _ = job.executor()
    os.killpg(job.process.pid, signal.SIGKILL)
    expect(w, job, pod, "driver-gone", "DriverGone", code=1)


@only_long
@case
def it_did_not_answer(t):
    """The driver gives it up and deletes its pod; a stopped process ends when the grace period does."""
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP, conf={"spark.network.timeout": "20s", "spark.executor.heartbeatInterval": "2s"}).warm()
    pod, pid = job.executor()
    os.kill(pid, signal.SIGSTOP)
    expect(w, job, pod, "deleted", "ExecutorDeleted", code=137)


@only_long
@case
def its_scratch_was_over_its_size_limit(t):
    w = world(t)
    volume = "spark.kubernetes.executor.volumes.emptyDir.spark-local-dir-1"
    job = PodJob(t, w, heap_mib=HEAP, conf={**TMPFS, "spark.kubernetes.local.dirs.tmpfs": "false", f"{volume}.mount.path": "/scratch",
                                            f"{volume}.options.sizeLimit": "64Mi"}).warm()
    pod, _ = job.executor()
    job.begin("shuffle", 6000000)
    job.begin("hold", 120)
    expect(w, job, pod, "evicted", "ExecutorEvicted")


@only_long
@case
def an_older_spark(t):
    w = world(t)
    job = PodJob(t, w, heap_mib=HEAP, overhead_mib=256, version="3.5.9", as_pod=True).warm()
    bring_about(w, job, lambda pod, pid: job.step("python-hog", 1150), "python", "PythonWorkerExhausted", lives=True)
    bring_about(w, job, lambda pod, pid: job.step("heap"), "heap", "ExecutorHeapExhausted", code=52)
    bring_about(w, job, lambda pod, pid: w.delete(pod), "deleted", "ExecutorDeleted", code=143)


main(machine.own)
