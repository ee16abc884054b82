"""Executors in real cgroups: killed, explained, remembered. The runtime is the test (tests/lib/small_runtime.py), stoker-nri is real."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import alone, case, main, only_long  # noqa: E402
import small_cri  # noqa: E402
from container import Container, PAYLOAD, Pod, VERSION, make_logs, wait_for_kernels_words  # noqa: E402
from executor_stage import Stage, grow  # noqa: E402
from volume_stage import spark_files  # noqa: E402
from volumes import Kubelet  # noqa: E402


@case
def an_oom_kill_is_explained_with_number_and_setting(t):
    s = Stage(t)
    s.serve()
    container, go = grow(t, s, 128)
    go()
    assert s.runtime.stopped(container) == 137
    death = s.death(container)
    assert death["cause"] == "overhead" and death["exitCode"] == 137 and not death["lives"], death
    assert death["setting"] == "spark.executor.memoryOverhead" and death["value"], death
    assert "64" in death["summary"], death["summary"]
    line = next(line for line in s.node.log("executor ended") if line["pod"] == container.pod.name)
    assert line["cause"] == "overhead", line
    s.runtime.remove(container)
    assert not os.path.exists(container.directory)
    # The record outlives cgroup, pod and stokerd.
    old = s.node.pid("stokerd")
    os.kill(old, signal.SIGKILL)
    s.node.wait_for(lambda: s.node.pid("stokerd") not in (None, old), "stokerd to be started again")
    s.serve()
    assert s.death(container)["number"] == death["number"]
    why = s.node.cli("why", "team-a/etl-exec-7")
    assert why.returncode == 1 and "spark.executor.memoryOverhead=" + death["value"] in why.stdout, why
    assert s.node.cli("why", "etl/7").stdout == why.stdout
    assert json.loads(s.node.cli("why", "-o", "json", "etl/7").stdout)["value"] == death["value"]
    assert "etl-exec-7" in s.node.cli("why").stdout
    nobody = s.node.cli("why", "etl/8")
    assert nobody.returncode == 2 and "etl/8" in nobody.stderr, nobody
    assert s.node.cli("why", "--no-such-option").returncode == 64
    health = s.node.health()
    assert health["executors"]["deaths"] == [], health["executors"]  # counters are of this stokerd


@case
def a_plain_kill_at_high_use_is_no_oom(t):
    s = Stage(t)
    s.serve()
    container = s.new("anon=60")
    s.executor(container)
    container.kill()
    assert s.runtime.stopped(container) == 137
    death = s.death(container)
    assert death["cause"] == "killed" and not death["setting"], death
    counted = s.node.health()["executors"]
    assert counted["deaths"] == [{"cause": "killed", "namespace": "team-a", "count": 1}], counted
    text = s.node.get("/metrics")[1]
    assert 'stoker_executor_deaths_total{cause="killed",namespace="team-a"} 1\n' in text, text
    assert 'stoker_executors{role="executor"} 0\n' in text, text  # the record and the forgetting are one step
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr + checked.stdout + text


@case
def a_worker_is_killed_and_the_executor_lives(t):
    s = Stage(t)
    s.serve()
    go = os.path.join(t.dir, "go")
    container = s.new(f"await={go}", "child=python3:oom-adj=1000,anon-slowly=128")
    with open(go, "w"):
        pass
    death = s.death(container, lives=True)
    assert death["cause"] == "python", death
    assert container.is_running()
    container.kill(signal.SIGTERM)
    s.runtime.stopped(container)
    end = s.death(container, lives=False)
    assert end["cause"] != "python" and end["number"] > death["number"], end


@case
def a_sidecars_kill_is_not_the_executors(t):
    s = Stage(t)
    s.serve()
    pod = Pod(t)
    executor = s.new(pod=pod)
    sidecar, go = grow(t, s, 128, pod=pod, name="log-shipper", sidecar=True, comm="fluent-bit")
    go()
    assert s.runtime.stopped(sidecar) == 137
    death = s.death(sidecar)
    assert death["cause"] == "sidecar" and death["executor"]["sidecar"], death
    executor.kill()
    s.runtime.stopped(executor)
    end = s.death(executor)
    assert end["cause"] == "killed" and not end["setting"], end
    late = s.new("anon=1", pod=pod, name="istio-proxy", sidecar=True, comm="envoy")
    late.kill(signal.SIGKILL)
    s.runtime.stopped(late)
    assert s.death(late)["executor"]["container"] == "istio-proxy"
    asked, listed = s.node.cli("why", "etl/7").stdout, s.node.cli("why").stdout
    assert asked.startswith("app etl exec 7: signal 9"), asked  # not its neighbour's, which is newer
    assert "app etl exec 7, container istio-proxy" in listed, listed
    counted = {d["cause"]: d["count"] for d in s.node.health()["executors"]["deaths"]}
    assert counted == {"sidecar": 1, "killed": 1}, counted


@case
def a_kill_in_a_sidecar_that_survives_is_told_soon(t):
    """A shell beneath which something is killed and reaped, and which goes on; and one that ends, a while after."""
    s = Stage(t)
    s.serve()
    pod = Pod(t)
    s.new(pod=pod)
    shell = f"{PAYLOAD} anon=128 & wait $!; %s"
    goes_on = s.new("-c", f"while [ ! -e {t.dir}/go ]; do sleep 0.05; done; " + shell % "sleep 30; true", pod=pod, name="shipper", sidecar=True, executable="/bin/sh")
    ends = s.new("-c", f"while [ ! -e {t.dir}/go2 ]; do sleep 0.05; done; " + shell % "code=$?; sleep 2.5; exit $code", pod=pod, name="proxy", sidecar=True, executable="/bin/sh")
    begin = time.monotonic()
    open(f"{t.dir}/go", "w").close()
    death = s.death(goes_on, lives=True)
    took = time.monotonic() - begin
    assert death["cause"] == "sidecar" and took < 5, (death, took)
    print(f"    told after {took:.1f} s")
    open(f"{t.dir}/go2", "w").close()
    assert s.runtime.stopped(ends) == 137
    end = s.death(ends, lives=False)
    assert end["cause"] == "sidecar", end
    goes_on.kill()


@case
@alone  # others' kills would be among those that the kernel writes of
def more_kills_than_the_kernel_writes_of(t):
    """Of ten in five seconds it writes who had how much and in which cgroup; of the others only a pid. None may be told as anything but memory."""
    before = time.monotonic()
    t.cleanup(lambda: wait_for_kernels_words(time.monotonic()))  # who comes next has its own written of
    s = Stage(t)
    s.serve()
    go = os.path.join(t.dir, "go")
    containers = [s.new(f"await={go}", "anon-slowly=96", pod=Pod(t, name=f"etl-exec-{n}", executor=str(n)), limit_mib=48, heap="24m") for n in range(16)]
    wait_for_kernels_words(before)
    open(go, "w").close()
    for c in containers:
        assert s.runtime.stopped(c) == 137
    deaths = [s.death(c, lives=False) for c in containers]
    told = [f"{d['cause']} {d['confidence']}" for d in deaths]
    print("    " + ", ".join(f"{told.count(w)} {w}" for w in sorted(set(told))))
    wrong = [d for d in deaths if d["cause"] not in ("overhead", "unknown")]
    assert not wrong and told.count("overhead certain") >= 5, (told, wrong)
    silent = [d for d in deaths if "kernel log: killed process" not in d["evidence"] or "MiB at the kill" not in d["evidence"]]
    if not silent:
        print("    the kernel wrote of all of them: an emulated processor is too slow for this")
    assert all(d["confidence"] != "certain" for d in silent if d["cause"] == "overhead"), silent


@case
def a_cgroup_that_is_gone_at_once(t):
    """The cgroup goes before the runtime says anything, and the exit code never comes."""
    s = Stage(t)
    s.runtime.version, s.runtime.nri = "v2.0.11", ""
    s.serve()
    container, go = grow(t, s, 128)
    go()
    container.wait()
    container.remove()
    death = s.death(container)
    assert death["cause"] == "overhead", death
    s.runtime.stopped(container, with_code=False)
    s.runtime.about("RemoveContainer", container)
    s.node.wait_for(lambda: not s.get("executors"), "the executor to be forgotten")
    assert len(s.get("deaths")) == 1


def says(t, container, *lines):
    """The end of its log, where the kubelet has it."""
    logs = make_logs(t, container.pod.namespace, container.pod.name, container.pod.uid, container.name)
    with open(f"{logs}/0.log", "w") as f:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())
        f.writelines(f"{now} stderr F {line}\n" for line in lines)


@case
def the_end_of_its_log_is_read(t):
    """Heap, with a JVM that kills itself: 137, and only its log says why. A secret in that line does not leave the child."""
    s = Stage(t)
    s.serve()
    container = s.new("anon=8")
    says(t, container, *["nothing of interest"] * 400, "ERROR SparkUncaughtExceptionHandler: password=hunter2 java.lang.OutOfMemoryError: Java heap space")
    container.kill()
    s.runtime.stopped(container)
    death = s.death(container)
    assert death["cause"] == "heap", death
    assert "hunter2" not in json.dumps(s.get("deaths")) and "hunter2" not in s.node.tail()


@case
def a_sick_disk_is_not_that_of_local_dirs_in_scratch(t):
    """It says what the others say, but its local dirs are in memory: since its creation, and by nothing in its pod's spec."""
    s = Stage(t, extra="volumes:\n  annotations: true\n  scratch: {reserve: 16Mi}\n")
    s.serve()

    def new(**annotations):
        pod = Pod(t)
        pod.annotations = {f"stoker.dev/{key}": value for key, value in annotations.items()}
        container = Container(pod, limit_mib=96)
        says(t, container, "java.io.IOException: Read-only file system")
        s.runtime.create(container)
        s.runtime.start(container, "anon=1")
        return container
    s.disk.trigger_ext4_error()
    s.node.wait_fs(s.disk, "bad")
    in_memory, on_disk = new(scratch="/s,size=16Mi,localDirs"), new()  # looked at in this order
    assert s.death(on_disk, lives=True)["cause"] == "disk-read-only"
    assert in_memory.id not in [d["executor"]["containerID"] for d in s.get("deaths")], s.get("deaths")


@case
def what_was_set_is_looked_for_after_the_start(t):
    """One runtime does what it is told, another leaves it out in silence: that is said once, on the pod, and counted."""
    s = Stage(t, extra="  oomScoreAdj: driversLast\n")
    s.serve()
    for applied in (3, 950):
        driver = Container(Pod(t, name=f"etl-driver-{applied}", role="driver"), name="spark-kubernetes-driver")
        driver.oom_score_adj, driver.applied = 950, applied
        s.runtime.create(driver)
        s.runtime.start(driver, "anon=4")
        s.executor(driver, watched=True)
    said = s.node.wait_for(lambda: s.node.log("what was set at a creation is not in force"), "it to be said")
    assert [(x["pod"], x["what"]) for x in said] == [("etl-driver-950", "oom_score_adj was set to 3 at its creation and is 950")], said
    s.node.wait_for(lambda: any(x["reason"] == "AdjustmentNotInForce" for x in s.node.log("event")), "the Event")
    counted = s.node.wait_for(lambda: (lambda nri: nri["adjusted"] == 2 and nri)(s.node.health()["nri"]), "the counters")
    assert (counted["live"], counted["unverified"], counted["runtime"], counted["oomScoreAdj"], counted["late"]) == (True, 1, "containerd", True, 0), counted
    text = s.node.get("/metrics")[1]
    for line in ("stoker_nri_adjusted_total 2\n", "stoker_nri_unverified_total 1\n", "stoker_nri_reconnects_total 0\n", 'stoker_nri_info{runtime="containerd",'):
        assert line in text, text
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr + checked.stdout
    doctor = s.node.cli("doctor").stdout
    assert "exit codes are told" in doctor and "1 were not in force after the start" in doctor, doctor


@case
def executors_are_shown(t):
    s = Stage(t)
    s.serve()
    container = s.new("anon=58", "child=python3:anon=2")
    busy = s.node.wait_for(lambda: (lambda e: e["usedBytes"] > 50 << 20 and e["pythonBytes"] and e)(s.executor(container)), "its processes to be looked at")
    assert busy["jvmBytes"] > busy["pythonBytes"] > 0 and busy["limitBytes"] == 64 << 20, busy
    shown = s.node.cli("executors")
    assert shown.returncode == 0 and "team-a/etl-exec-7" in shown.stdout and "64.0 MiB" in shown.stdout, shown
    assert "PYTHON" in s.node.cli("executors", "-o", "wide").stdout
    assert json.loads(s.node.cli("executors", "-o", "json").stdout)["items"][0]["containerID"] == container.id
    assert s.node.cli("executors", "too", "much").returncode == 64
    assert s.node.health()["executors"]["running"]["executor"] == 1


@case
def no_word_of_a_pod_tells_a_secret(t):
    """What a pod's author wrote into arguments, environment and annotations is in no answer, record, metric or line of any log."""
    s = Stage(t, "redact:\n  regex: (?i)password|hush\n")
    s.serve()
    pod = Pod(t, role="driver", app="", executor="", labels={"spark-app-name": "", "queue": "hush=hunter2", "applicationId": "a"})
    pod.annotations["stoker.dev/oom-group"] = "password=hunter2"
    container = Container(pod, env=["SPARK_APPLICATION_ID=password=hunter2"], args=["spark-submit", "--name", "etl password=hunter2", "x.py"])
    s.runtime.create(container)
    s.runtime.start(container, "anon=2")
    told = [s.executor(container, watched=True)]
    assert told[0]["appName"] == "etl password=*********(redacted)", told
    container.kill()
    s.runtime.stopped(container)
    told += [s.death(container), s.node.cli("health", "-o", "json").stdout, s.node.cli("why").stdout, s.node.cli("executors", "-o", "wide").stdout]
    with open(f"{s.node.runtime}/deaths.json") as f:
        told.append(f.read())
    with open(s.node.log_path) as f:
        told.append(f.read())
    assert "hunter2" not in json.dumps(told), told


@case
def found_at_synchronize_and_gone_with_the_runtime(t):
    """stokerd comes later than the executors; and one ends while the runtime is away."""
    s = Stage(t)
    pod = Pod(t)
    one, two = Container(pod), Container(Pod(t, name="etl-exec-8", executor="8"))
    for c in (one, two):
        c.make()
        c.run("anon=4")
    s.serve(pod, two.pod)
    for c in (one, two):
        s.executor(c, watched=True)
    s.runtime.plugin.close()
    one.kill()
    one.wait()
    one.remove()
    s.runtime.serve([pod, two.pod])
    assert s.death(one)["exitCode"] in (None, -1), s.death(one)
    assert [e["containerID"] for e in s.get("executors")] == [two.id]


@case
def whom_the_runtime_leaves_out_is_found(t):
    """Created and started after the runtime had made its list and before it told of events: nothing is told. It is found in cgroups and, since the
    runtime has it, the runtime is dialled again. Another's executor, which it does not have, is let alone."""
    cri = small_cri.Cri(t, os.path.join(t.dir, "cri", "cri.sock"))
    left_out, others = Container(Pod(t)), Container(Pod(t, name="other-exec-1", executor="1"))
    for c in (left_out, others):
        c.make()
        c.run("org.apache.spark.executor.CoarseGrainedExecutorBackend", "-Xmx32m", "--executor-id", "7", "anon=2")
    cri.answers[left_out.id] = [{"state": small_cri.RUNNING, "reason": ""}]
    s = Stage(t, f"  criSocket: {cri.path}\n")
    s.serve()
    s.runtime.serve([left_out.pod])
    assert s.executor(left_out, watched=True)["appName"] == "etl"  # as NRI tells it
    s.runtime.listening.settimeout(6)
    try:
        s.runtime.listening.accept()
        raise AssertionError("the runtime was dialled again for an executor that it does not have")
    except TimeoutError:
        pass
    assert [e["containerID"] for e in s.get("executors")] == [left_out.id]
    left_out.kill()
    assert s.runtime.stopped(left_out) == 137
    assert s.death(left_out)["cause"] == "killed"


@case
@alone  # a node of another file whose runtime is not there yet would find them as well
def without_nri_they_are_found_in_cgroups(t):
    """No runtime answers: what can be seen is seen, an OOM kill is explained, and what is missing is said."""
    pod = Pod(t)
    container = Container(pod)
    container.make()
    go = os.path.join(t.dir, "go")
    container.run("org.apache.spark.executor.CoarseGrainedExecutorBackend", "-Xmx32m", "--app-id", "spark-app", "--executor-id", "7",
                  f"await={go}", "anon-slowly=128")
    make_logs(t, pod.namespace, pod.name, pod.uid, container.name)
    s = Stage(t)
    s.runtime.close()
    s.node.wait_for(lambda: s.node.input("roster")["state"] == "ok", "the scan to be said")
    s.executor(container, watched=True)
    with open(go, "w"):
        pass
    container.wait()
    container.remove()
    death = s.death(container)
    assert death["cause"] == "overhead", death


@case
def how_long_it_takes_from_the_kill_to_the_record(t, rounds=8):
    """Measured, printed, and bounded only loosely: a machine under load is slow. The kernel's own time is that of its log."""
    s = Stage(t)
    s.serve()
    took = []
    for i in range(rounds):
        container, go = grow(t, s, 128, pod=Pod(t, name=f"etl-exec-{i}", executor=str(i)))
        go()
        s.runtime.stopped(container)
        took.append(s.death(container)["explainedAfterMicros"] / 1000)
        s.runtime.remove(container)
    print(f"    first evidence of an OOM kill -> explained, {rounds} times, cgroup v{VERSION}: median {statistics.median(took):.1f} ms, "
          f"longest {max(took):.1f} ms", flush=True)
    assert statistics.median(took) < 2000, took


@case
def the_ring_is_bounded_and_bad_lines_are_left_out(t):
    s = Stage(t, extra="deaths:\n  keepRecords: 4\n")
    s.serve()
    for i in range(6):
        container = s.new(pod=Pod(t, name=f"etl-exec-{i}", executor=str(i)))
        container.kill()
        s.runtime.stopped(container)
        s.death(container)
        s.runtime.remove(container)
    assert len(s.get("deaths")) <= 4
    path = os.path.join(s.node.runtime, "deaths.json")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "a") as f:
        f.write('{"half":')
    old = s.node.pid("stokerd")
    os.kill(old, signal.SIGKILL)
    s.node.wait_for(lambda: s.node.pid("stokerd") not in (None, old), "stokerd to be started again")
    s.serve()
    assert s.get("deaths")[0]["executor"]["pod"] == "etl-exec-5"
    assert s.node.log("lines of an earlier life are no deaths, left out")


def churn(t, seconds):
    """Pods come and go as fast as they can: none of their ends is missed, nothing is left."""
    s = Stage(t)
    s.serve()
    before = len(s.node.descriptors(s.node.pid("stokerd")))
    containers, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        container = Container(Pod(t, name=f"e-{len(containers)}", executor=str(len(containers))))
        s.runtime.create(container)
        s.runtime.start(container, "exit=3")
        s.runtime.stopped(container)
        s.runtime.remove(container)
        container.pod.remove()
        containers.append(container)
    s.node.wait_for(lambda: not s.get("executors"), "all to be explained")
    told = sum(d["count"] for d in s.node.health()["executors"]["deaths"])
    assert told == len(containers), (told, len(containers))
    s.node.wait_for(lambda: len(s.node.descriptors(s.node.pid("stokerd"))) <= before + 2, "the descriptors to be closed")
    print(f"    {len(containers) / seconds:.0f} containers a second, all told", flush=True)


@case
def pods_come_and_go(t):
    churn(t, 4)


@case
@only_long
def pods_come_and_go_for_a_minute(t):
    churn(t, 60)


@case
def an_annotation_that_is_not_understood_is_said(t):
    """The container is made all the same, and watched; what was wrong with the wish is said."""
    s = Stage(t, extra="  annotations: true\n")
    s.serve()
    pod = Pod(t)
    pod.annotations = {"stoker.dev/oom-group": "Single"}
    container = s.new("anon=1", pod=pod)
    said = s.node.wait_for(lambda: s.node.log("annotation not used"), "the complaint")
    assert "stoker.dev/oom-group: must be single, group or leave, not 'Single'" in str(said), said
    assert s.executor(container)["role"] == "executor"


@case
def a_bound_that_found_no_broker_is_asked_for_again(t):
    """The kubelet's own tmpfs, which nobody asks about twice."""
    kubelet = Kubelet(t)
    s = Stage(t, extra=kubelet.settings() + "volumes:\n  capTmpfs: true\n  scratch: {reserve: 16Mi}\n", period="1s")
    s.serve()
    pod = Pod(t)
    path = kubelet.pod(uid=pod.uid).empty_dir("spark-local-dir-1", "size=48m")
    s.node.wait_for(lambda: s.get("volumes"), "the volume to be known")
    t.cleanup(lambda: s.node.launcher.send_signal(signal.SIGCONT))
    s.node.launcher.send_signal(signal.SIGSTOP)  # so that nobody starts the broker again
    os.kill(s.node.pid("stoker-broker"), signal.SIGKILL)
    s.node.wait_for(lambda: s.node.input("broker")["state"] == "missing", "the broker to be missed")
    s.new(pod=pod, limit_mib=72)
    s.node.wait_for(lambda: s.node.log("volume left as it is"), "that to be said")
    assert os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 48 << 20
    s.node.launcher.send_signal(signal.SIGCONT)
    # 72 less 32 of heap and 16 of reserve
    s.node.wait_for(lambda: os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 24 << 20, "it to be bounded")


def emptying(t):
    """A node that removes what the dead leave in memory, and a volume of the kubelet's that nobody has looked at."""
    kubelet = Kubelet(t)
    s = Stage(t, extra=kubelet.settings() + "volumes:\n  emptyDeadScratch: true\n", period="1s")
    s.serve()
    return kubelet, s


@case
def what_it_left_in_memory_goes_however_short_its_life(t):
    """The mount table is looked at once a second: it died before (seen with a kubelet on a fast machine)."""
    kubelet, s = emptying(t)
    for _ in range(3):
        before = kubelet.pod()
        before.empty_dir("spark-local-dir-1", "size=1m")
        s.node.wait_for(lambda: before.uid in [v["podUID"] for v in s.get("volumes")], "a volume before it to be known")
        pod = Pod(t)
        path = kubelet.pod(uid=pod.uid).empty_dir("spark-local-dir-1", "size=8m")
        stays = spark_files(path)
        container = Container(pod)
        s.runtime.create(container)
        s.runtime.start(container)
        container.kill()
        container.wait()
        s.runtime.stopped(container)
        s.node.wait_for(lambda: sorted(os.listdir(path)) == stays, "what it left to be removed")


@case
def what_it_left_in_memory_is_asked_for_again(t):
    kubelet, s = emptying(t)
    pod = Pod(t)
    path = kubelet.pod(uid=pod.uid).empty_dir("spark-local-dir-1", "size=8m")
    stays = spark_files(path)
    container = s.new(pod=pod)
    s.node.wait_for(lambda: s.get("volumes"), "the volume to be known")
    t.cleanup(lambda: s.node.launcher.send_signal(signal.SIGCONT))
    s.node.launcher.send_signal(signal.SIGSTOP)  # so that nobody starts the broker again
    os.kill(s.node.pid("stoker-broker"), signal.SIGKILL)
    s.node.wait_for(lambda: s.node.input("broker")["state"] == "missing", "the broker to be missed")
    container.kill()
    container.wait()
    s.runtime.stopped(container)
    s.node.wait_for(lambda: s.node.log("volume left as it is"), "that to be said")
    s.node.launcher.send_signal(signal.SIGCONT)
    s.node.wait_for(lambda: sorted(os.listdir(path)) == stays, "what it left to be removed")


if __name__ == "__main__":
    main()
