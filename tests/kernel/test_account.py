"""What pods have written: counted on real filesystems, and the right one named when they fill up."""
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main, wait_for  # noqa: E402
from container import Container, Pod, make_logs  # noqa: E402
from disks import run, unshare_mounts  # noqa: E402
from node import Node  # noqa: E402
import wire  # noqa: E402

KINDS = ("emptyDir", "tmpfs", "csi", "hostPath", "containerLayer")
PLACE = struct.Struct("=40s64s254s64sxxIIIIQQ")
NOBODY, SPARK = 41827, 41828  # users that no other process of the machine has: JVMs of root, of other files too, may have made what is root's


class Place:
    def __init__(self, data):
        uid, namespace, pod, name, kind, self.major, self.minor, self.at_least, self.bytes, self.inodes = PLACE.unpack(data)
        self.uid, self.namespace, self.pod, self.name = (x.split(b"\0")[0].decode() for x in (uid, namespace, pod, name))
        self.kind = KINDS[kind]

    def __repr__(self):
        return f"<{self.kind} {self.namespace}/{self.pod} {self.name} {self.bytes} bytes {self.inodes} inodes at_least {self.at_least}>"


class Kubelet:
    """A kubelet's directory on a disk of its own, and pods in it."""

    def __init__(self, t, size_mb=64, extra="", **more):
        self.t = t
        self.node = Node(t, **more)
        self.disk = self.node.disk("ext4", size_mb=size_mb)
        self.root = os.path.join(self.disk.mount_point, "kubelet")
        os.makedirs(os.path.join(self.root, "pods"))
        self.node.extra = f"kubeletRoot: {self.root}\n{extra}"

    def pod(self, name, namespace="spark", logs=True):
        uid = str(uuid.uuid4())
        if logs:
            make_logs(self.t, namespace, name, uid)
        return uid

    def volume(self, uid, name, kind="kubernetes.io~empty-dir"):
        path = os.path.join(self.root, "pods", uid, "volumes", kind, name)
        os.makedirs(path)
        return path

    def mount(self, path, options):
        run("mount", "-t", "tmpfs", "-o", options, "stoker-test", path)
        self.t.cleanup(lambda: run("umount", path))

    def connect(self):
        self.node.start(("stoker-broker",))
        self.broker = wire.Broker(self.node.broker_socket, deadline=60)
        self.t.cleanup(self.broker.close)

    def account(self, entries=100000):
        asked = self.broker.send(wire.ACCOUNT, struct.pack("=QII", self.node.config_hash(), entries, 0))
        kind, body, fds = self.broker.receive_raw(asked)
        if kind == wire.REFUSED:
            return wire.Refused(body)
        errnum, count, cut, _, _, seen = struct.unpack("=iIIIQQ", body)
        assert (kind, errnum, cut) == (wire.ACCOUNTED, 0, 0), (kind, errnum, cut)
        with os.fdopen(fds[0], "rb") as f:
            data = os.pread(f.fileno(), count * PLACE.size, 0)
        return [Place(data[i * PLACE.size:(i + 1) * PLACE.size]) for i in range(count)], seen


def write(path, size):
    with open(path, "wb") as f:
        f.write(b"x" * size)


@case
def every_writable_place_is_counted(t):
    k = Kubelet(t, extra="")
    one, two = k.pod("etl-exec-3"), k.pod("etl-exec-4", namespace="team-b")
    on_disk = k.volume(one, "spark-local-dir-1")
    for i in range(20):
        write(f"{on_disk}/{i}", 100000)
    os.link(f"{on_disk}/0", f"{on_disk}/hard")
    os.symlink("/", f"{on_disk}/root")
    in_memory = k.volume(two, "spark-local-dir-1")
    k.mount(in_memory, "size=10m")
    write(f"{in_memory}/f", 3 << 20)
    csi = os.path.join(k.volume(two, "scratch", "kubernetes.io~csi"), "mount")
    os.mkdir(csi)
    k.mount(csi, "size=10m")
    write(f"{csi}/f", 2 << 20)
    beneath = os.path.join(on_disk, "beneath")  # what is mounted within is somebody else's
    os.mkdir(beneath)
    k.mount(beneath, "size=10m")
    write(f"{beneath}/f", 5 << 20)
    k.volume(two, "kube-api-access", "kubernetes.io~projected")
    k.connect()
    places, _ = k.account()
    found = {(p.kind, p.pod): p for p in places if p.uid in (one, two)}
    assert set(found) == {("emptyDir", "etl-exec-3"), ("tmpfs", "etl-exec-4"), ("csi", "etl-exec-4")}, places
    disk, memory, driver = found["emptyDir", "etl-exec-3"], found["tmpfs", "etl-exec-4"], found["csi", "etl-exec-4"]
    assert 2000000 <= disk.bytes <= 2200000 and disk.inodes in (22, 23, 24) and disk.namespace == "spark" and not disk.at_least, disk
    assert memory.bytes == 3 << 20 and memory.namespace == "team-b" and memory.name == "spark-local-dir-1", memory
    assert driver.bytes == 2 << 20 and driver.name == "scratch", driver
    st = os.stat(k.root)
    assert (disk.major, disk.minor) == (os.major(st.st_dev), os.minor(st.st_dev)), disk


@case
def a_budget_that_is_spent_says_at_least(t):
    k = Kubelet(t)
    giant, small = k.pod("giant"), k.pod("small")
    for i in range(3000):
        write(os.path.join(k.volume(giant, "v") if i == 0 else os.path.join(k.root, "pods", giant, "volumes/kubernetes.io~empty-dir/v"), str(i)), 0)
    write(os.path.join(k.volume(small, "v"), "f"), 5000)
    k.connect()
    places, seen = k.account(entries=1000)
    found = {p.pod: p for p in places}
    assert found["giant"].at_least and found["giant"].inodes <= 1000 and seen <= 1000, (found, seen)
    assert "small" in found and found["small"].bytes >= 5000 and not found["small"].at_least, found
    places, _ = k.account()
    assert {p.pod: p.at_least for p in places if p.pod == "giant"} == {"giant": 0}, places
    assert k.account(entries=10).errnum == 22


def in_an_overlay(t, container, disk):
    """A process in the container's cgroup whose root is an overlay, as containerd makes it."""
    home = os.path.join(disk, "snapshots-" + uuid.uuid4().hex[:8])
    upper, work, root = (os.path.join(home, d) for d in ("fs", "work", "root"))
    for d in (upper, work, root):
        os.makedirs(d)

    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        container.enter()
        unshare_mounts([])
        if libc.mount(b"overlay", root.encode(), b"overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}".encode()):
            raise OSError(ctypes.get_errno(), "overlay")
        os.makedirs(f"{root}/tmp/old-{os.path.basename(home)}")
        os.chdir(root)
        if libc.pivot_root(b".", f"tmp/old-{os.path.basename(home)}".encode()) or libc.umount2(f"/tmp/old-{os.path.basename(home)}".encode(), 2):
            raise OSError(ctypes.get_errno(), "pivot_root")
        os.chdir("/")
    p = subprocess.Popen(["/bin/sh", "-c", "yes | head -c 3000000 > /tmp/spark-scratch; echo ready; while read x; do :; done"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, preexec_fn=enter)

    def end():
        p.stdin.close()
        p.kill()
        p.wait(10)
    t.cleanup(end)
    assert p.stdout.readline() == b"ready\n"
    return p


@case
def a_containers_own_root_and_scratch_on_a_hostpath(t):
    k = Kubelet(t)
    scratch = os.path.join(k.disk.mount_point, "scratch")
    os.mkdir(scratch)
    os.chmod(scratch, 0o1777)
    k.node.extra += f"volumes:\n  sweep:\n    mode: dryRun\n    roots: [{scratch}]\n"
    container = Container(Pod(t, name="etl-exec-9"))
    container.make()
    # before the scratch is made, as an executor is; the pod's name is in the directory of its logs
    p = in_an_overlay(t, container, k.disk.mount_point)
    make_logs(t, "team-a", "etl-exec-9", container.pod.uid)
    shutil.copy("/bin/sleep", os.path.join(t.dir, "java"))
    jvm = subprocess.Popen([os.path.join(t.dir, "java"), "1000"], preexec_fn=lambda: (container.enter(), os.setuid(SPARK)))
    t.cleanup(lambda: (jvm.kill(), jvm.wait()))
    owned, made, left = (os.path.join(scratch, f"blockmgr-{uuid.uuid4()}") for _ in range(3))
    for path, mib, uid in ((owned, 1, 0), (made, 3, SPARK), (left, 2, NOBODY)):
        os.mkdir(path)
        os.chown(path, uid, uid)
        write(f"{path}/shuffle", mib << 20)
    holder = subprocess.Popen(["/bin/sh", "-c", f"exec 3< {owned}/shuffle; echo ready; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              preexec_fn=container.enter)
    t.cleanup(lambda: (holder.kill(), holder.wait()))
    assert holder.stdout.readline() == b"ready\n"
    k.connect()
    places, _ = k.account()
    layer = [x for x in places if x.kind == "containerLayer" and x.uid == container.pod.uid]
    assert len(layer) == 1 and 3000000 <= layer[0].bytes <= 3200000 and layer[0].name == container.id[:12] and layer[0].pod == "etl-exec-9", places
    on_host = {x.name: x for x in places if x.kind == "hostPath"}
    assert on_host[os.path.basename(owned)].pod == "etl-exec-9" and on_host[os.path.basename(owned)].bytes >= 1 << 20, on_host
    assert on_host[os.path.basename(made)].pod == "etl-exec-9" and on_host[os.path.basename(made)].bytes >= 3 << 20, on_host  # most likely
    assert on_host[os.path.basename(left)].uid == "" and on_host[os.path.basename(left)].bytes >= 2 << 20, on_host
    assert p.poll() is None


def offender_of(k, state, who):
    def named():
        fs = k.node.fs(k.disk)
        return fs if fs["state"] == state and who in fs["message"] else None
    return wait_for(named, f"{who} to be named", 90)


@case
def the_pod_that_fills_the_disk_is_named(t):
    """Before the node is in DiskPressure, on the node object's condition, in the health and in the Event's words; metrics without pods."""
    k = Kubelet(t, size_mb=200, period="1s", extra="space:\n  warn: 40%\n  bad: 15%\n")
    culprit, large, idle = k.pod("etl-exec-3"), k.pod("old-exec-1"), k.pod("idle")
    write(os.path.join(k.volume(large, "d"), "f"), 30 << 20)
    write(os.path.join(k.volume(idle, "d"), "f"), 1000)
    grows = k.volume(culprit, "spark-local-dir-1")
    write(f"{grows}/0", 1 << 20)
    k.node.start()
    k.node.wait("Healthy")
    wait_for(lambda: k.node.health()["podStorage"], "the first round")
    for i in range(1, 9):
        write(f"{grows}/{i}", 10 << 20)
    message = offender_of(k, "warning", "pod spark/etl-exec-3 ")["message"]
    assert message.startswith("space is low: ") and "of what is used" in message and "idle" not in message, message
    for i in range(9, 14):
        write(f"{grows}/{i}", 8 << 20)
    message = offender_of(k, "bad", "pod spark/etl-exec-3 ")["message"]
    assert " wrote " in message or " holds " in message, message
    health = k.node.health()
    assert "etl-exec-3" in health["conditions"][0]["message"], health["conditions"]
    assert "etl-exec-3" in k.node.cli("health", "-o", "wide").stdout
    shown = json.loads(k.node.cli("volumes", "-o", "json").stdout)["accounts"]
    mine = next(a for a in shown if a["pod"] == "spark/etl-exec-3")
    assert shown[0] == mine and mine["fastest"] and mine["filesystem"] == k.disk.mount_point and mine["usedBytes"] > 70 << 20 and mine["grownBytes"] > 10 << 20, shown
    assert not next(a for a in shown if a["pod"] == "spark/old-exec-1")["fastest"], shown
    table = k.node.cli("volumes").stdout
    assert re.search(r"^WRITER +FILESYSTEM +USED", table, re.M) and re.search(r"^spark/etl-exec-3 .* fastest$", table, re.M), table
    assert health["podStorage"]["emptyDir"] > 100 << 20, health["podStorage"]
    status, metrics = k.node.get("/metrics")
    assert status == 200 and 'stoker_pod_storage_bytes{kind="emptyDir"} ' in metrics and "etl-exec-3" not in metrics, metrics
    shutil.rmtree(grows)
    k.node.wait_fs(k.disk, "healthy")
    assert "etl-exec-3" not in json.dumps(k.node.health()["filesystems"])


@case
def the_pod_that_takes_the_inodes_is_named(t):
    k = Kubelet(t, period="1s", extra="inodes:\n  warn: 30%\n  bad: 5%\n")
    many, big = k.pod("many-files"), k.pod("one-big-file")
    write(os.path.join(k.volume(big, "d"), "f"), 10 << 20)
    directory = k.volume(many, "d")
    total = os.statvfs(k.disk.mount_point).f_files
    for i in range(total * 3 // 4):
        os.close(os.open(f"{directory}/{i}", os.O_CREAT | os.O_WRONLY))
    k.node.start()
    fs = offender_of(k, "warning", "pod spark/many-files ")
    assert fs["reason"] == "InodesLow" and "one-big-file" not in fs["message"] and " files" in fs["message"], fs


if __name__ == "__main__":
    main()
