"""stokerd and stoker-nri beside real container runtimes' side of NRI, in every version that behaves differently: Go's own
pkg/adaptation as containerd and CRI-O embed it (tests/peers/nri/runtime), without containers. With containers: tests/cluster."""
import fcntl
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from node import Node  # noqa: E402
import nri  # noqa: E402

OOM_SCORE = ("0.8.0", "0.10.0", "0.11.0", "0.12.5")  # NRI >= 0.7 applies it, the first thing that may be set on cgroup v1
EXIT_CODE = ("0.10.0", "0.11.0", "0.12.5")  # the field is there; whether a runtime fills it is another question
SPLIT = ("0.8.0", "0.10.0", "0.11.0", "0.12.5")


class Stage:
    def __init__(self, t, settings="  oomScoreAdj: driversLast\n", start=True):
        self.t, self.socket = t, os.path.join(t.dir, "nri", "nri.sock")
        self.node = Node(t, extra=f"executors:\n  nriSocket: {self.socket}\n{settings}")
        self.node.tmpfs("size=16m")
        if start:
            self.node.start()

    def runtime(self, version="0.12.5", *flags):
        return nri.Runtime(self.t, version, *flags, socket=self.socket)

    def live(self, version="0.12.5", *flags):
        runtime = self.runtime(version, *flags)
        runtime.synchronized()
        nri.wait_live(self.node)
        return runtime

    def told(self, what, container=None):
        return [line for line in self.node.log("the runtime tells") if line["what"] == what and container in (None, line.get("container"))]

    def wait_told(self, what, container=None, count=1):
        return wait_for(lambda: len(self.told(what, container)) >= count and self.told(what, container), f"'{what}' of {container} to be told")


def driver(name):
    p = nri.pod(name, labels={"spark-role": "driver", "spark-app-selector": "spark-0123456789abcdef", "spark-app-name": "etl", "spark-version": "3.5.3"})
    return p, nri.container(p, f"{name}-1", name="spark-kubernetes-driver")


def score(answer):
    """What the container is given instead; None = what it has."""
    value = (((answer["response"] or {}).get("adjust") or {}).get("linux") or {}).get("oomScoreAdj")
    return None if value is None else int(value.get("value", 0))


def create(runtime, pod, container, **more):
    return runtime.ask("CreateContainer", pod=pod, container=container, **more)


def lives(s, runtime, name, adjusted=None, code=True):
    """A whole life, as the runtime calls it; every step of it must arrive."""
    pod, container = driver(name)
    got = score(create(runtime, pod, container))
    assert adjusted is None or got == (3 if adjusted else None), (got, adjusted)
    ident = container["id"]
    runtime.ask("PostStartContainer", pod=pod, container={**container, "state": "CONTAINER_RUNNING", "pid": 4711})
    runtime.ask("StopContainer", pod=pod, container={**container, "state": "CONTAINER_STOPPED", "finished_at": "1700000000000000000", "exit_code": 137})
    runtime.ask("RemoveContainer", pod=pod, container=container)
    runtime.ask("StopPodSandbox", pod=pod)
    runtime.ask("RemovePodSandbox", pod=pod)
    for what in ("executor", "started", "stopped", "removed"):
        s.wait_told(what, ident)
    assert s.told("executor", ident)[0]["pod"] == name, s.told("executor", ident)
    assert s.told("stopped", ident)[0].get("exit") == ("137" if code else None), s.told("stopped", ident)
    wait_for(lambda: any(line["pod_uid"] == pod["uid"] for line in s.told("pod stopping")), "the pod's end to be told")


@case
def every_version_of_nri(t):
    s = Stage(t)
    for version in nri.VERSIONS:
        runtime = s.live(version)
        detail = s.node.input("nri")["detail"]
        assert nri.CONTAINERD[version] in detail and (f"NRI {version}" in detail or version in ("0.10.0", "0.11.0", "0.12.5")), (version, detail)
        lives(s, runtime, f"life-{version}", adjusted=version in OOM_SCORE, code=version in EXIT_CODE)
        # No Spark: nothing is done about it and nothing said.
        pod = nri.pod(f"web-{version}")
        create(runtime, pod, nri.container(pod, f"web-{version}-1", name="nginx", env=()) | {"env": ["A=b"], "args": ["nginx"]})
        assert not s.told("executor", f"web-{version}-1")
        for size in (6 << 10, 3 << 20):  # beyond one frame, beyond every buffer
            pod, container = driver(f"big-{size}-{version}")
            answer = create(runtime, pod, {**container, "env": [*container["env"], "LONG=" + "x" * size]})
            assert score(answer) == (3 if version in OOM_SCORE else None), (version, size, answer)
        runtime.end()
        wait_for(lambda: s.node.input("nri")["state"] == "missing", "the loss to be said")
    pids = {line["pid"] for line in s.node.log("role ended") if "pid" in line}
    assert not s.node.log("role ended"), (pids, s.node.log("role ended"))


@case
def a_node_full_of_pods_is_told_in_parts(t):
    s = Stage(t)
    for version in nri.VERSIONS:
        split = version in SPLIT
        runtime = s.runtime(version)
        runtime.synchronized()
        runtime.ask("many", pod=nri.spark_pod("x"), container=nri.container(nri.spark_pod("x"), "y", state="CONTAINER_RUNNING"),
                    count=100, per_pod=2, bytes=60000 if split else 20000)  # 6 MB: beyond one message; without parts at most 4 MiB
        before = len(s.told("synchronized"))
        s.node.kill("stoker-nri")
        took = runtime.synchronized()["us"]
        s.wait_told("synchronized", count=before + 1)
        print(f"NRI {version}: 100 pods, 200 containers in {took} us, {'parts' if split else 'one message'}", flush=True)
        runtime.end()
    found = {line["container"] for line in s.told("executor")}
    assert found == {f"container{i}-{k}" for i in range(100) for k in range(2)}, len(found)
    assert len(s.told("executor")) == 200 * len(nri.VERSIONS), len(s.told("executor"))
    assert not s.node.log("connection to the container runtime lost") or all("closed" in line["error"] for line in s.node.log("connection to the container runtime lost"))


@case
def five_hundred_pods(t):
    """A thousand executors at once: more than stokerd reads meanwhile, and none is lost."""
    s = Stage(t)
    runtime = s.live()
    runtime.ask("many", pod=nri.spark_pod("x"), container=nri.container(nri.spark_pod("x"), "y", state="CONTAINER_RUNNING"), count=500, per_pod=2, bytes=2000)
    before = len(s.told("synchronized"))
    s.node.kill("stoker-nri")
    print(f"500 pods, 1,000 containers in {runtime.synchronized()['us']} us", flush=True)
    s.wait_told("synchronized", count=before + 1)
    assert len({line["container"] for line in s.told("executor")}) == 1000 == len(s.told("started")), len(s.told("executor"))
    assert not s.node.log("connection to the container runtime lost"), s.node.log("connection to the container runtime lost")
    pid = s.node.pid("stoker-nri")
    t.note(lambda: open(f"/proc/{pid}/status").read())
    wait_for(lambda: memory_kb(pid) <= 3072, "its memory to be given back")


@case
def whoever_starts_first(t):
    s = Stage(t, start=False)
    first = s.runtime()
    s.node.start()
    first.synchronized()
    nri.wait_live(s.node)
    first.end()
    os.remove(s.socket)  # containerd leaves it, CRI-O does not
    wait_for(lambda: s.node.input("nri")["state"] == "missing" and "no socket" in s.node.input("nri")["detail"], "the missing socket to be said")
    assert "switched on" in s.node.input("nri")["detail"], s.node.input("nri")  # what to do
    lives(s, s.live(), "after", adjusted=True)


@case
def a_late_answer_costs_that_answer_only(t):
    s = Stage(t)
    runtime = s.live("0.11.0", "--request-timeout", "2s")  # NRI >= 0.12.3 may keep a late plugin
    pid = s.node.pid("stoker-nri")
    os.kill(pid, signal.SIGSTOP)
    t.cleanup(lambda: os.kill(pid, signal.SIGCONT))
    pod, container = driver("late")
    answer = create(runtime, pod, container)
    assert score(answer) is None and answer["us"] >= 1900000, answer
    # Stopped and thrown out: pods start as if nobody were there.
    quick = create(runtime, *driver("gone"))
    assert score(quick) is None and quick["us"] < 1500000, quick
    os.kill(pid, signal.SIGCONT)
    runtime.synchronized()
    nri.wait_live(s.node)
    assert s.node.pid("stoker-nri") == pid
    lives(s, runtime, "again", adjusted=True)


@case
def killed_absent_and_back(t):
    s = Stage(t)
    runtime = s.live()
    for round_, role in enumerate(("stoker-nri", "stokerd", "stoker-nri")):
        s.node.kill(role)
        answer = create(runtime, *driver(f"absent-{round_}"))  # adjusted or not, it starts
        assert not answer["error"], answer
        runtime.synchronized()
        nri.wait_live(s.node)
        lives(s, runtime, f"back-{round_}", adjusted=True)


@case
def another_plugin_claims_the_same_key(t):
    """Pods start at the second try at the latest, and after three pods at the first."""
    s = Stage(t)
    for index in ("10", "50"):  # asked before us, and after
        runtime = s.live()
        plugin = subprocess.Popen([nri.program("plugin", "0.12.5"), "-socket", s.socket, "-idx", index, "-oom-score-adj", "500"])
        t.cleanup(lambda: (plugin.kill(), plugin.wait()))
        runtime.synchronized()
        tries = []
        for i in range(6):
            pod, container = driver(f"claimed-{index}-{i}")
            for attempt in range(1, 4):
                answer = create(runtime, pod, {**container, "id": f"claimed-{index}-{i}-{attempt}"}, check=False)
                if not answer["error"]:
                    break
                assert "both tried to set" in answer["error"], answer
            assert score(answer) == 500, answer  # the other one's, whole
            tries.append(attempt)
        assert tries[:3] == [2, 2, 2] and tries[3:] == [1, 1, 1], (index, tries)
        wait_for(lambda: s.node.input("nri")["state"] == "degraded" and "another NRI plugin" in s.node.input("nri")["detail"], "it to be said")
        plugin.kill()
        plugin.wait()
        runtime.end()


SCRATCH = """  oomScoreAdj: driversLast
volumes:
  annotations: true
  scratch: {reserve: 64Mi}
  checkpoints: [{name: streams, server: 192.0.2.1, export: /x, namespaces: [team-a, team-c]}]
  inject:
  - {namespaces: ['team-*'], path: /scratch, size: 64Mi}
  - {namespaces: [team-c], path: /checkpoints, checkpoint: streams}
"""


def executor(name, annotations=None, namespace="team-a", **more):
    p = nri.spark_pod(name, annotations=annotations or {}) | {"namespace": namespace}
    return p, nri.container(p, f"{name}-1", **more)


def mounts(answer):
    found = ((answer["response"] or {}).get("adjust") or {}).get("mounts") or []
    return {m["destination"]: (m["type"], m["source"], *m["options"]) for m in found}


def why_not(s, pod):
    return wait_for(lambda: [line["why"] for line in s.node.log("mount not injected") if line["pod"] == pod], f"what is not mounted for {pod}")[0]


@case
def mounts_are_injected_in_every_version(t):
    s = Stage(t, settings=SCRATCH)
    for version in nri.VERSIONS:
        runtime = s.live(version)
        user = {"user": {"uid": 185, "gid": 7}} if version in ("0.11.0", "0.12.5") else {}
        # what a runtime tells of the user decides who owns it
        answer = create(runtime, *executor(f"in-{version}", **user))
        owner = ("mode=0770", "size=67108864", "nr_inodes=100000", "uid=185", "gid=7") if user else ("mode=1777", "size=67108864", "nr_inodes=100000")
        assert mounts(answer) == {"/scratch": ("tmpfs", "stoker-scratch", "nosuid", "nodev", *owner)}, (version, answer)
        assert not mounts(create(runtime, *executor(f"out-{version}", namespace="other")))
        assert not mounts(create(runtime, *driver(f"driver-{version}")))
        runtime.end()
        wait_for(lambda: s.node.input("nri")["state"] == "missing", "the loss to be said")


@case
def mounts_by_annotation_and_what_is_refused(t):
    s = Stage(t, settings=SCRATCH)
    runtime = s.live()
    pod, container = executor("asks", {"stoker.dev/scratch": "/mine,size=32Mi,localDirs"})
    answer = create(runtime, pod, container)
    assert sorted(mounts(answer)) == ["/mine", "/scratch"] and "size=33554432" in mounts(answer)["/mine"], answer
    assert answer["response"]["adjust"]["env"] == [{"key": "SPARK_LOCAL_DIRS", "value": "/mine"}], answer
    # its own mount wins: the container of nri.container() has one at /var/data/spark-x
    for name, path in (("same", "/var/data/spark-x"), ("above", "/var/data"), ("below", "/var/data/spark-x/y")):
        assert sorted(mounts(create(runtime, *executor(name, {"stoker.dev/scratch": path})))) == ["/scratch"]
        assert why_not(s, name) == f"annotation stoker.dev/scratch: '{path}' is not mounted: the container has a mount of its own there, which stays", why_not(s, name)
    assert "must be" in (create(runtime, *executor("misspelt", {"stoker.dev/scratch": "/a,size=9"})) and why_not(s, "misspelt"))
    # nobody has said that the server answers
    assert sorted(mounts(create(runtime, *executor("waits", namespace="team-c")))) == ["/scratch"]
    assert "'streams' is not mounted: its server does not answer" in why_not(s, "waits")
    assert "'nosuch' is no checkpoint" in (create(runtime, *executor("nosuch", {"stoker.dev/checkpoint": "nosuch:/c"})) and why_not(s, "nosuch"))
    s.node.write_config(s.node.read_config().replace("annotations: true", "annotations: false"))
    wait_for(lambda: "/mine" not in mounts(create(runtime, *executor(f"no-{random.random()}", {"stoker.dev/scratch": "/mine"}))), "annotations to be refused")
    s.node.write_config(s.node.read_config().replace("driversLast\n", "driversLast\n  dryRun: true\n"))
    wait_for(lambda: not mounts(create(runtime, *executor(f"dry-{random.random()}"))), "the dry run to be in force")
    wait_for(lambda: any(line["would_set"] == "/scratch (tmpfs, 64 MiB)" for line in s.node.log("dry run: not set")), "it to be said")


@case
def another_plugin_mounts_at_the_same_path(t):
    """Asked before us it is seen, and we yield; asked after us the runtime refuses the creation once, then the pod starts with the other one's."""
    s = Stage(t, settings=SCRATCH)
    for index in ("10", "50"):
        runtime = s.live()
        plugin = subprocess.Popen([nri.program("plugin", "0.12.5"), "-socket", s.socket, "-idx", index, "-tmpfs", "/scratch"])
        t.cleanup(lambda: (plugin.kill(), plugin.wait()))
        runtime.synchronized()  # said a moment before it belongs to it (containerd#13698)
        wait_for(lambda: mounts(create(runtime, *executor(f"joins-{random.random()}", namespace="other"))), "the other plugin to be asked")
        for i in range(4):
            pod, container = executor(f"both-{index}-{i}")
            answers = [create(runtime, pod, {**container, "id": f"both-{index}-{i}-{attempt}"}, check=False) for attempt in (1, 2)]
            assert ("both tried to set" in answers[0]["error"]) == (index == "50" and i < 3), answers
            assert mounts(answers[1]) == {"/scratch": ("tmpfs", "peer", "size=1m")}, answers
        plugin.kill()
        plugin.wait()
        runtime.end()


@case
def one_connection_for_a_node(t):
    s = Stage(t, start=False)
    os.makedirs(s.node.runtime)
    lock = os.open(os.path.join(s.node.runtime, "nri.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    runtime = s.runtime()
    s.node.start()
    wait_for(lambda: "another stokerd" in s.node.input("nri")["detail"], "the other holder to be named")
    assert not [e for e in runtime.events if e["event"] == "synchronized"]
    os.close(lock)
    runtime.synchronized()
    nri.wait_live(s.node)
    # stoker-nri holds it as well: a stokerd that is gone leaves it locked until the connection is gone, too.
    again = os.open(os.path.join(s.node.runtime, "nri.lock"), os.O_RDWR)
    t.cleanup(lambda: os.close(again))
    try:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise AssertionError("the lock is free while there is a connection")
    except BlockingIOError:
        pass
    assert any(d.endswith("nri.lock") for d in s.node.descriptors(s.node.pid("stoker-nri")))


@case
def switched_off_and_on(t):
    s = Stage(t)
    runtime = s.live()
    on = s.node.read_config()
    s.node.write_config(on.replace("executors:\n", "executors:\n  watch: 'off'\n"))
    wait_for(lambda: s.node.input("nri")["state"] == "off", "it to be off")
    pod, container = driver("off")
    wait_for(lambda: score(create(runtime, pod, container)) is None, "the connection to be gone")
    s.node.write_config(on)
    runtime.synchronized()
    nri.wait_live(s.node)
    # what is decided changes without a new connection
    s.node.write_config(on.replace("driversLast", "leave"))
    wait_for(lambda: score(create(runtime, *driver(f"leave-{random.random()}"))) is None, "the policy to be in force")
    assert not [e for e in runtime.events if e["event"] == "synchronized"]


@case
def a_peer_that_speaks_nonsense(t):
    """And one that says nothing. Neither ends the role, and the real one is found afterwards."""
    s = Stage(t, start=False)
    os.makedirs(os.path.dirname(s.socket))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(s.socket)
    listening.listen(8)
    listening.settimeout(60)
    s.node.start()
    rng = random.Random(40)
    for noise in (b"", b"\0\0\0\1\xff\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n", rng.randbytes(200000), b"\0\0\0\2\0\0\0\x0a" + b"\0" * 10, None):
        peer, _ = listening.accept()
        assert b"RegisterPlugin" in peer.recv(4096)
        if noise is not None:
            try:
                peer.sendall(noise)
                peer.shutdown(socket.SHUT_WR)
            except BrokenPipeError:
                pass
            peer.settimeout(30)
            try:
                assert peer.recv(4096) == b"", "the connection is kept"
            except ConnectionResetError:  # closed with something unread
                pass
        peer.close()
    listening.close()
    os.remove(s.socket)
    runtime = s.live()
    lives(s, runtime, "sane", adjusted=True)
    assert not s.node.log("role ended"), s.node.log("role ended")


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def restarts(t, rounds):
    s = Stage(t, settings="  oomScoreAdj: driversLast\nlog:\n  level: info\n", start=False)
    s.node.settings = s.node.settings.split("log:\n")[0]
    s.node.start()
    runtimes = [s.live()]

    def measure(like=None):
        """Descriptors and memory of both; with `like` once they hold as many descriptors as then: on a busy machine one is still being closed."""
        def now():
            return {role: (len(s.node.descriptors(s.node.pid(role))), memory_kb(s.node.pid(role))) for role in ("stokerd", "stoker-nri")}
        if like:
            wait_for(lambda: [count for count, _ in now().values()] == [count for count, _ in like.values()], f"as many descriptors as in {like}")
        return now()

    def round_():
        runtimes.pop().end()
        runtimes.append(s.runtime())
        runtimes[0].synchronized()
        create(runtimes[0], *driver("r"))
    for _ in range(5):  # what is touched for the first time
        round_()
    t.note(lambda: f"{measure()}\n")
    s.node.wait("Healthy")  # and every input has been handed out
    nri.wait_live(s.node)
    before = measure()
    pid = s.node.pid("stoker-nri")
    for _ in range(rounds):
        round_()
    nri.wait_live(s.node)
    after = measure(like=before)
    print(f"{rounds} restarts of the runtime: {before} -> {after}", flush=True)
    assert s.node.pid("stoker-nri") == pid
    for role in before:
        assert after[role][1] <= before[role][1] + 200, (role, before, after)
    assert after["stoker-nri"][1] <= 3072, after
    for _ in range(rounds):
        old = s.node.pid("stoker-nri")
        s.node.kill("stoker-nri")
        wait_for(lambda: s.node.pid("stoker-nri") not in (None, old), "stoker-nri to be back")
        runtimes[0].synchronized()
    nri.wait_live(s.node)
    again = measure(like=before)
    print(f"{rounds} restarts of stoker-nri: {again}", flush=True)
    assert again["stokerd"][1] <= before["stokerd"][1] + 300, (before, again)


@case
def restarts_30(t):
    restarts(t, 30)


@case
@only_long
def restarts_1000(t):
    restarts(t, 1000)


@case
def creations_while_it_is_killed(t):
    """Whatever the moment: no creation fails, none takes longer than the runtime's own patience, and what a busy machine adds."""
    s = Stage(t)
    runtime = s.live("0.12.5", "--request-timeout", "1s")
    stop, slowest = threading.Event(), 0

    def kill_again_and_again():
        rng = random.Random(5)
        while not stop.wait(rng.uniform(0.02, 0.2)):
            pid = s.node.pid("stoker-nri")
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    try:
        end = time.monotonic() + 5
        for i in itertools.count():
            if time.monotonic() > end:
                break
            slowest = max(slowest, create(runtime, *driver(f"k{i}"))["us"])
    finally:
        stop.set()
        killer.join()
    assert slowest < 4000000, slowest
    runtime.events.clear()
    nri.wait_live(s.node)
    wait_for(lambda: score(create(runtime, *driver(f"end-{random.random()}"))) == 3, "it to be back")


if __name__ == "__main__":
    main(machine.without_others_cgroups)
