"""Who lives here, where no runtime tells: the broker's child looks at real cgroups, real processes and names of log directories."""
import errno
import json
import os
import struct
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import alone, case, main, wait_for  # noqa: E402
from cgroups import V2, Group, top  # noqa: E402
from container import make_logs  # noqa: E402
from disks import mount_tmpfs, unshare_mounts  # noqa: E402
from node import Node  # noqa: E402
import wire  # noqa: E402

SCAN, SCANNED = 96, 97
BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"


def java(t, *args):
    """A process whose command line is a JVM's: a shell that waits at its standard input, and ends with it."""
    p = subprocess.Popen(["java", "-s", "--", *args], executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def end():
        p.stdin.close()
        p.wait(10)
    t.cleanup(end)
    return p


def executor(t, burstable, pod_uid, container_id, name, number):
    """A pod's cgroup with a container's beneath it, a process in that, and the directory of the pod's logs."""
    pod = Group(t, f"{burstable.path}/pod{pod_uid}")
    group = Group(t, f"{pod.path}/{container_id}")
    p = java(t, "-Xmx512m", "-Dspark.authenticate.secret=hunter2", BACKEND, "--driver-url", "spark://CoarseGrainedScheduler@pi-driver-svc.team.svc:7078",
             "--executor-id", str(number), "--cores", "2", "--app-id", "spark-0001")
    group.write("cgroup.procs", p.pid)
    make_logs(t, "team", f"{name}-exec-{number}", pod_uid, "spark-kubernetes-executor")
    return p


def scan(broker):
    """(number that were found, the bytes of the roster)"""
    asked = broker.send(SCAN)
    kind, body, fds = broker.receive_raw(asked)
    assert kind == SCANNED, (kind, body)
    errnum, count, cut, _ = struct.unpack("=iIII", body)
    assert (errnum, cut) == (0, 0), (errnum, cut)
    with os.fdopen(fds[0], "rb") as f:
        return count, os.pread(f.fileno(), 4 << 20, 0)


def text_at(data, words):
    return words.encode() + b"\0" in data


@case
@alone  # a node of another file whose runtime is not there yet would find them as well
def executors_are_found_without_a_runtime(t):
    n = Node(t)
    n.start(("stoker-broker",))
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    # as with kubelet's --cgroup-root: other pods of this machine are none of the case's business
    kubepods = Group(t, f"{top(t, 'roster').path}/kubepods")
    burstable = Group(t, f"{kubepods.path}/burstable")
    uids = [str(uuid.uuid4()) for _ in range(2)]
    ids = [uuid.uuid4().hex * 2 for _ in range(2)]
    processes = [executor(t, burstable, uids[i], ids[i], "pi-0123456789abcdef", i + 1) for i in range(2)]
    # neither Spark nor a pod's: no part of it
    other = Group(t, f"{burstable.path}/pod{uids[0]}/{uuid.uuid4().hex * 2}")
    other.write("cgroup.procs", java(t, "-Xmx1g", "org.example.Main").pid)

    count, data = scan(broker)
    assert count >= 2, count
    size = len(data) // count
    assert size * count == len(data), (len(data), count)
    for i in range(2):
        # ids, names, what the command line says and what the pod's name says
        for words in (ids[i], uids[i], f"/{burstable.path}/pod{uids[i]}/{ids[i]}", f"pi-0123456789abcdef-exec-{i + 1}"):
            assert text_at(data, words), words
        assert struct.pack("=I", processes[i].pid) in data
    for words in ("team", "spark-kubernetes-executor", "spark-0001", "pi", "spark://CoarseGrainedScheduler@pi-driver-svc.team.svc:7078"):
        assert text_at(data, words), words
    assert struct.pack("=Q", 512 << 20) in data
    # what nobody asked for does not leave the child
    for words in (b"hunter2", b"org.example", other.path.encode()):
        assert words not in data, words

    processes[0].stdin.close()
    processes[0].wait(10)
    count, data = scan(broker)
    assert text_at(data, ids[1]) and not text_at(data, ids[0]), count


@case
def scans_at_a_time_are_few(t):
    n = Node(t)
    n.start(("stoker-broker",))
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    asked = [broker.send(SCAN) for _ in range(5)]
    answers = {}
    while len(answers) < len(asked):
        number, kind, body, fds = broker.receive_any()
        answers[number] = kind, body
        for fd in fds:
            os.close(fd)
    assert answers[asked[0]][0] == SCANNED, answers
    # the others came while it was under way: refused as busy, or, if it was quicker, served
    for kind, body in answers.values():
        assert kind == SCANNED or wire.Refused(body).errnum == errno.EBUSY, answers
    number = broker.send(SCAN, b"x")
    kind, body, _ = broker.receive_raw(number)
    assert kind == wire.REFUSED and wire.Refused(body).errnum == errno.EINVAL, (kind, body)


@case
def every_system_call_of_a_scan_failing_in_turn(t):
    """The N-th call of the child fails: an answer comes, and nothing is left. Its beginning call by call, the walk in strides: how long that is depends on
    the machine's cgroups. No pod has run here yet."""
    n = Node(t)
    n.write_config_now()
    n.extra_processes.append(n.spawn("stoker-broker", "--config", n.config_path, preexec_fn=lambda: (unshare_mounts([]), mount_tmpfs("/var/log"))))
    broker = wire.Broker(n.broker_socket, deadline=30)
    t.cleanup(broker.close)
    broker_pid = n.extra_processes[0].pid
    scan(broker)
    held = len(n.settled_of(broker_pid))
    number, failed = 1, set()
    while True:
        tracer = subprocess.Popen([os.path.join(os.environ["STOKER_TESTS"], "nth_fail"), str(broker_pid), str(errno.EIO), str(number)],
                                  stdout=subprocess.PIPE, text=True)
        assert tracer.stdout.readline() == "ready\n"
        kind, body, fds = broker.receive_raw(broker.send(SCAN))
        outcome = tracer.stdout.read().strip()
        tracer.wait(30)
        for fd in fds:
            os.close(fd)
        errnum = struct.unpack("=i", body[:4])[0]
        assert kind in (SCANNED, wire.REFUSED) and errnum in (0, errno.EIO, errno.ENOMEM), (number, outcome, kind, errnum)
        failed.add(errnum)
        wait_for(lambda: not n.children_of(broker_pid), "the child to end")
        if outcome.startswith("ended before"):
            break
        number += 1 if number < 60 else number // 4
    assert number > 20 and failed > {0}, (number, failed)
    assert len(n.settled_of(broker_pid)) == held, n.descriptors(broker_pid)
    scan(broker)


@case
@alone
def without_nri_executors_are_observed(t):
    """No socket of a runtime: the executor is listed all the same, and forgotten when it is gone; the input says how it is seen."""
    n = Node(t, extra=f"executors: {{nriSocket: {t.dir}/none.sock}}\n")
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    kubepods = Group(t, f"{top(t, 'roster').path}/kubepods")
    burstable = Group(t, f"{kubepods.path}/burstable")
    pod_uid, container_id = str(uuid.uuid4()), uuid.uuid4().hex * 2
    process = executor(t, burstable, pod_uid, container_id, "pi-0123456789abcdef", 1)

    def listed():
        return next((e for e in json.loads(n.get("/v1alpha1/executors")[1])["items"] if e["containerID"] == container_id), None)
    n.wait_for(listed, "the executor to be found")
    found = listed()
    assert (found["pod"], found["namespace"], found["role"], found["appName"], found["watched"]) == \
        ("pi-0123456789abcdef-exec-1", "team", "executor", "pi", True), found
    said = n.input("roster")
    assert said["state"] == "ok" and said["detail"].startswith("observe only: "), said
    assert n.input("nri")["state"] != "ok", n.input("nri")
    process.stdin.close()
    process.wait(10)
    os.rmdir(f"/sys/fs/cgroup/{'' if V2 else 'memory/'}{burstable.path}/pod{pod_uid}/{container_id}")
    n.wait_for(lambda: not listed(), "it to be forgotten")


if __name__ == "__main__":
    main()
