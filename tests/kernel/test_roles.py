"""The roles: what they may do, what they hold, what they survive."""
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main, only_long, wait_for  # noqa: E402
from container import Container, Pod, make_logs  # noqa: E402
from node import ROLES, Node  # noqa: E402
import wire  # noqa: E402

CAPS = {"stoker-broker": sum(1 << c for c in (0, 1, 3, 5, 6, 7, 18, 19, 21, 34)),
        "stokerd": 0, "stoker-reporter": 0, "stoker-web": 0, "stoker-nri": 0}


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


@case
def rights_are_as_documented(t):
    n = Node(t)
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    n.wait_closed()
    for role in ROLES:
        st = status(n.pid(role))
        assert int(st["CapEff"], 16) == CAPS[role], (role, st["CapEff"])
        assert int(st["CapPrm"], 16) == CAPS[role], (role, st["CapPrm"])
        assert int(st["CapBnd"], 16) & ~CAPS[role] == 0, (role, st["CapBnd"])
        assert st["NoNewPrivs"] == "1", role
        assert st["Seccomp"] == "2", role
    for role in ("stoker-broker", "stokerd"):
        assert int(status(n.pid(role))["VmLck"].split()[0]) > 500, (role, "not resident")


def umount_first_try(t, rounds, fault):
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    for i in range(rounds):
        if fault:
            disk.trigger_ext4_error()
        asked = [broker.send(wire.PROBE, n.probe_body(0)) for _ in range(3)]
        result = subprocess.run(["umount", disk.mount_point], capture_output=True, text=True)
        assert result.returncode == 0, f"umount {i + 1} of {rounds}: {result.stderr}"
        for number in asked:
            broker.receive(number)
        if fault:
            disk.fsck()
        disk.mount()
    n.wait("Healthy", deadline=60)


@case
def umount_succeeds_at_the_first_try_20_of_20(t):
    umount_first_try(t, 20, fault=False)


@case
def umount_right_after_a_fault_20_of_20(t):
    umount_first_try(t, 20, fault=True)


@case
@only_long
def umount_200_of_200(t):
    umount_first_try(t, 200, fault=False)


@case
@only_long
def umount_right_after_a_fault_200_of_200(t):
    umount_first_try(t, 200, fault=True)


@case
def nothing_is_held_between_probes(t):
    n = Node(t, period="10m")
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: not n.children("stoker-broker"), "the probe to end")
    for role in ROLES:
        for fd in n.descriptors(n.pid(role)):
            assert not fd.startswith(disk.mount_point), (role, fd)
    subprocess.run(["umount", disk.mount_point], check=True)
    subprocess.run(["losetup", "-d", disk.device], check=True)
    with open("/proc/self/mountinfo") as f:
        assert disk.device not in f.read()


@case
def every_role_killed_in_every_state(t):
    """No false clear, no false alarm, no lost verdict, whoever dies when."""
    n = Node(t, period="1s", deadline="4s")  # longer than this machine may stand still: the other one is never late
    sick, well = n.disk("ext4"), n.disk("ext4")
    n.start()
    n.wait("Healthy")

    def kill_all(want):
        for role in ROLES:
            before = n.pid(role)
            os.kill(before, signal.SIGKILL)
            n.wait_for(lambda: n.pid(role) not in (None, before), f"{role} to be started again")
            n.wait_for(lambda: n.input("broker")["state"] == "ok" and n.all_probed(), "stokerd to have asked again")
            for path, states in want.items():
                state = n.fs(path)["state"]
                assert state in states, f"after kill -9 of {role}: {path} is {state}, not {states}"

    kill_all({sick: ("healthy",), well: ("healthy",)})
    sick.trigger_ext4_error()
    n.wait_fs(sick, "bad")
    kill_all({sick: ("bad",), well: ("healthy",)})
    sick.umount()
    kill_all({sick: ("bad",), well: ("healthy",)})
    sick.fsck()
    sick.mount()
    n.wait_fs(sick, "recovering", "healthy")
    kill_all({sick: ("bad", "recovering", "healthy"), well: ("healthy",)})
    n.wait_fs(sick, "healthy")
    sick.freeze()
    n.wait_fs(sick, "bad")
    kill_all({sick: ("bad",), well: ("healthy",)})
    sick.thaw()
    n.wait("Healthy")
    clears = [v for v in n.log("verdict") if v["from"] == "bad" and v["to"] == "healthy"]
    assert not clears, clears
    alarms = [v for v in n.log("verdict") if v["path"] == well.mount_point and v["to"] == "bad"]
    assert not alarms, alarms


@case
def the_kubelets_disk_hangs_while_stokerd_starts(t):
    """The sockets of the CSI driver lie on it: whoever made them would hang."""
    n = Node(t, period="1s", deadline="2s")
    hung, other = n.disk("ext4"), n.disk("ext4")
    root = f"{hung.mount_point}/kubelet"
    registration = f"{root}/plugins_registry/csi.stoker.dev-reg.sock"
    os.makedirs(os.path.dirname(registration))
    n.extra = f"kubeletRoot: {root}\n"
    hung.freeze()
    n.start()
    assert n.wait_fs(hung, "bad")["reason"] == "FilesystemHung"
    n.wait_fs(other, "healthy")
    n.wait_for(lambda: "does not answer" in n.input("csi")["detail"], "it to be said that there can be no volumes")
    hung.thaw()
    n.wait_fs(hung, "healthy")
    n.wait_for(lambda: os.path.exists(registration), "the sockets to be made")
    # and while it looks whether they are still there
    hung.freeze()
    n.wait_fs(hung, "bad")
    n.wait_fs(other, "healthy")
    hung.thaw()
    n.wait_fs(hung, "healthy")


@case
def what_is_not_in_the_brokers_table_is_refused_and_counted(t):
    n = Node(t, period="10m")
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    h = n.config_hash()
    for what, number, body, want in (
            ("unknown request", 77, b"", errno.EPERM),
            ("an answer's type", wire.FINDING, b"\0" * 72, errno.EPERM),
            ("wrong length", wire.PROBE, b"\0" * 5, errno.EINVAL),
            ("payload where none belongs", wire.KMSG, b"/etc/shadow\0", errno.EINVAL),
            ("another configuration", wire.PROBE, wire.probe_body(h ^ 1, 0), errno.ESTALE),
            ("a watch that is not there", wire.PROBE, wire.probe_body(h, 7), errno.EINVAL)):
        answer = broker.receive(broker.send(number, body))
        assert isinstance(answer, wire.Refused) and answer.errnum == want, (what, answer)
    refused = [int(line["refused_total"]) for line in n.log("request refused")]
    assert refused == sorted(refused) and refused[-1] - refused[0] == 5, refused
    assert broker.probe(h).good  # and goes on serving
    # what is no record at all costs the connection, not the broker
    broker.sock.send(b"hello")
    try:
        assert broker.sock.recv(100) == b""
    except ConnectionResetError:
        pass
    again = wire.Broker(n.broker_socket)
    t.cleanup(again.close)
    assert again.probe(h).good


@case
def another_user_is_refused(t):
    n = Node(t, period="10m")
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    for path in (t.dir, n.runtime, os.path.dirname(n.broker_socket), n.broker_socket):
        os.chmod(path, 0o777)  # the modes alone would keep it out
    code = ("import socket,sys;s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);s.settimeout(10);s.connect(sys.argv[1]);"
            "sys.exit(0 if s.recv(10)==b'' else 1)")
    result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code, n.broker_socket],
                            capture_output=True, text=True)
    assert result.returncode == 0 or "ConnectionReset" in result.stderr or "BrokenPipe" in result.stderr, result.stderr
    n.wait_for(lambda: n.log("peer refused"), "the refusal in the log")


def a_container(t):
    """With a process in its cgroup, and a log with a secret in the line that says most."""
    container = Container(Pod(t))
    container.make()
    container.run("anon=20", "child=python3:anon=5")
    logs = make_logs(t, container.pod.namespace, container.pod.name, container.pod.uid, container.name)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())
    for name, text in (("0.log", "java.io.IOException: No space left on device"), ("9.log", "an older start"),
                       ("10.log", "token=abc123 java.lang.OutOfMemoryError: Java heap space")):
        with open(f"{logs}/{name}", "w") as f:
            f.write(f"{now} stderr F {text}\n")
    wait_for(lambda: len(container.pids()) == 2, "the processes")
    return container


@case
def the_broker_looks_into_a_container(t):
    n = Node(t, period="10m")
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    container, other = a_container(t), Container(Pod(t))
    path = container.cgroups_path[1:]

    def processes():
        p = broker.receive(broker.send(wire.PROCESSES, wire.container_ask(container, path)))
        assert p.errnum == 0, p
        return p if p.bytes[0] >= 20 << 20 and p.bytes[1] >= 5 << 20 else None
    found = wait_for(processes, "the memory to be there")
    assert (found.jvms, found.pythons, found.rs, found.others) == (1, 1, 0, 0), found
    log = broker.receive(broker.send(wire.LOG_TAIL, wire.container_ask(container, pod=True)))
    assert log.errnum == 0 and log.bits & 1 and not log.bits & 0x20, log  # of 10.log alone
    assert "OutOfMemoryError" in log.line and "abc123" not in log.line, log
    gone = broker.receive(broker.send(wire.PROCESSES, wire.container_ask(other, other.cgroups_path[1:])))
    assert gone.errnum == errno.ENOENT, gone
    assert broker.receive(broker.send(wire.LOG_TAIL, wire.container_ask(other, pod=True))).errnum == errno.ENOENT
    container.name = "../.."
    for kind, body in ((wire.LOG_TAIL, wire.container_ask(container, pod=True)), (wire.PROCESSES, wire.container_ask(other, path)),
                       (wire.PROCESSES, wire.container_ask(other, "/" + other.cgroups_path[1:])), (wire.PROCESSES, wire.container_ask(container, ""))):
        answer = broker.receive(broker.send(kind, body))
        assert isinstance(answer, wire.Refused) and answer.errnum == errno.EINVAL, answer
    # "..": the name at its end is right, the way there leaves the hierarchy
    outside = broker.receive(broker.send(wire.PROCESSES, wire.container_ask(container, "../memory/" + path)))
    assert isinstance(outside, wire.Refused) or outside.errnum, outside


@case
def every_system_call_of_a_request_failing_in_turn(t):
    """The N-th call of the child fails, N = 1, 2, 3 …: an answer comes, with the errno, and nothing is left."""
    n = Node(t, period="10m", extra="executors: {watch: 'off'}\n")  # no look in between
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket, deadline=30)
    t.cleanup(broker.close)
    h, pid = n.config_hash(), n.pid("stoker-broker")
    assert broker.probe(h).good
    n.wait_for(n.marks, "the mark that stokerd asks for")
    group = broker.receive(broker.send(wire.FS_ERRORS))
    t.cleanup(lambda: os.close(group))
    held = len(n.settled_descriptors("stoker-broker"))
    tool = os.path.join(os.environ["STOKER_TESTS"], "nth_fail")
    container = a_container(t)
    for kind, body, fd in ((wire.PROBE, n.probe_body(0), None), (wire.MOUNTS, b"", None), (wire.KMSG, b"", None), (wire.FS_ERRORS, b"", None),
                           (wire.FS_MARK, n.probe_body(0), group), (wire.PROCESSES, wire.container_ask(container, container.cgroups_path[1:]), None),
                           (wire.LOG_TAIL, wire.container_ask(container, pod=True), None)):
        for errnum in (errno.EIO, errno.ENOMEM):
            for number in range(1, 200):
                tracer = subprocess.Popen([tool, str(pid), str(errnum), str(number)], stdout=subprocess.PIPE, text=True)
                assert tracer.stdout.readline() == "ready\n"
                answer = broker.receive(broker.send(kind, body, fd=fd))
                outcome = tracer.stdout.read().strip()
                tracer.wait(30)
                if isinstance(answer, wire.Finding):
                    assert answer.good or answer.errnum == errnum or outcome == "ended before", (number, outcome, answer)
                elif isinstance(answer, (wire.Marked, wire.Processes, wire.Log)):
                    assert answer.errnum in (0, errnum), (number, outcome, answer)
                elif isinstance(answer, int):
                    os.close(answer)
                n.wait_for(lambda: not n.children("stoker-broker"), "the child to end")
                if outcome.startswith("ended before"):
                    assert number > 5, (kind, number)
                    break
            else:
                raise AssertionError("the child never ran through")
    left = os.listdir(os.path.join(disk.mount_point, ".stoker"))
    assert not left, left
    assert len(n.settled_descriptors("stoker-broker")) == held, (held, n.descriptors(pid))
    assert broker.probe(h).good
    subprocess.run(["umount", disk.mount_point], check=True)
    disk.mount()


@case
def mount_points_with_odd_names(t):
    names = ("with space", "new\nline", "späße-✓", "back\\slash", "tab\there", "quote\"and'", "#hash")
    n = Node(t, period="1s")
    disks = [n.tmpfs("size=1m", name=name) for name in names]
    n.start()
    n.wait("Healthy")
    shown = n.cli("health").stdout
    assert "new\\nline" in shown and "with space" in shown and "späße-✓" in shown, shown
    assert len(n.health()["filesystems"]) == len(names)
    assert n.fill_until(disks[1], disks[1].fill)["reason"] == "TmpfsSize"


@case
def one_filesystem_mounted_twice_is_one(t):
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.bind(disk)
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: len(n.health()["filesystems"]) == 1, "two paths to be one filesystem")
    assert sorted(n.health()["filesystems"][0]["roles"]) == ["logs", "scratch"]


@case
def a_path_that_does_not_exist_yet(t):
    n = Node(t, period="1s")
    n.disk("ext4")
    later = n.watch_path("later")
    n.start()
    n.wait_for(lambda: (n.fs(later) or {}).get("reason") == "WatchPathMissing", "the missing path to be named")
    assert n.health()["status"] == "Unknown"
    assert n.cli("health").returncode == 2
    os.mkdir(later)
    t.cleanup(lambda: subprocess.run(["rm", "-rf", later], check=False))
    n.wait("Healthy")


@case
def configuration_reloaded_and_refused(t):
    n = Node(t, period="1s")
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    good = n.read_config()
    n.write_config(good.replace("period: 1s", "period: soon"))
    n.wait_for(lambda: any("probe.period" in line.get("error", "") for line in n.log("new configuration refused, the old one stays in force")),
               "the refusal")
    assert n.health()["status"] == "Healthy"
    n.wait_for(lambda: n.input("config")["state"] == "degraded", "the input to say so")
    extra = n.tmpfs("size=1m", watch=False)
    n.write_config(good.replace("watch:\n", f"watch:\n- path: {extra.mount_point}\n"))
    n.wait_for(lambda: len(n.health()["filesystems"]) == 2, "the new path")
    n.wait("Healthy")
    n.write_config(good, notify=False)
    for role in ("stokerd", "stoker-broker"):
        os.kill(n.pid(role), signal.SIGHUP)
    n.wait_for(lambda: len(n.health()["filesystems"]) == 1, "the old configuration after SIGHUP")
    n.wait("Healthy")


@case
def the_hosts_mount_namespace(t):
    """The broker in a namespace of its own (as in a pod) probes in the host's."""
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.start(roles=("stokerd", "stoker-reporter"))
    n.start_broker_elsewhere()
    n.wait("Healthy")
    n.wait_for(lambda: n.fs(disk)["fsType"] == "ext4", "the mount of the host to be named")
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    disk.umount()
    disk.fsck()
    disk.mount()
    n.wait("Healthy")


@case
def the_cli_without_a_daemon(t):
    n = Node(t)
    disk, other = n.disk("ext4"), n.disk("ext4")
    n.write_config_now()
    result = n.cli("health", "--direct", disk.mount_point)
    assert result.returncode == 0 and "Healthy" in result.stdout, result
    disk.trigger_ext4_error()
    result = n.cli("health", "--direct", disk.mount_point, other.mount_point)
    assert result.returncode == 1 and "ReadOnlyFilesystem" in result.stdout, result
    line = n.cli("health", "--direct", "--plugin", disk.mount_point)
    assert line.returncode == 1 and len(line.stdout.encode()) <= 81 and line.stdout.count("\n") == 1, line
    assert n.cli("health", "--no-such-option").returncode == 64
    gone = n.cli("health")
    assert gone.returncode == 2 and "stokerd" in gone.stderr, gone


@case
def http_requests_that_are_none(t):
    n = Node(t)
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    for request, want in ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rb" 404 "), (b"POST /v1alpha1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", rb" 405 "),
                          (b"\0\1\2\3\r\n\r\n", rb"^(HTTP/1\.[01] 4|$)"), (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", rb"^(HTTP/1\.[01] 4|$)"),
                          (b"GET /v1alpha1/health HTTP/1.1\r\nHost: x\r\n\r\n", rb" 200 ")):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(n.http_socket)
        try:
            s.sendall(request)
            answer = s.recv(200)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        s.close()
        assert re.search(want, answer), (request[:40], answer)
    assert n.health()["status"] == "Healthy"


if __name__ == "__main__":
    main()
