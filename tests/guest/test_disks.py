"""Disks that do not answer, fail or are slow below the filesystem: device-mapper, which this machine's kernel does not have."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import case, main  # noqa: E402
from disks import Mapped  # noqa: E402
from node import Node  # noqa: E402

ROLES = ("stoker-broker", "stokerd", "stoker-reporter")


def prepare():
    for module in ("dm-mod", "dm-flakey", "dm-delay"):
        subprocess.run(["modprobe", "-d", os.environ["STOKER_GUEST_KERNEL"], module], check=True)


def states(n, *disks):
    return [n.fs(d)["state"] for d in disks]


@case
def a_device_that_does_not_answer(t):
    """The kubelet's disk, and no page of it in memory: nothing waits for it but the probe's child. A role that is started again meanwhile does not either."""
    n = Node(t, period="1s", deadline="4s")
    hung, other, well = n.disk("ext4", of=Mapped), n.disk("xfs", of=Mapped), n.disk("ext4")
    root = f"{hung.mount_point}/kubelet"
    os.makedirs(f"{root}/plugins_registry")
    n.extra = f"kubeletRoot: {root}\n"
    n.start()
    n.wait("Healthy")
    registration = f"{root}/plugins_registry/csi.stoker.dev-reg.sock"
    n.wait_for(lambda: os.path.exists(registration), "the CSI driver's sockets")
    for d in (hung, other):
        d.suspend()
    forgets = subprocess.Popen(["sh", "-c", "echo 3 > /proc/sys/vm/drop_caches"])
    t.cleanup(forgets.wait)
    t.cleanup(lambda: [d.resume() for d in (hung, other) if d.suspended])
    for d in (hung, other):
        assert n.wait_fs(d, "bad")["reason"] == "FilesystemHung", n.fs(d)
    for role in ROLES:
        before = n.pid(role)
        os.kill(before, signal.SIGKILL)
        n.wait_for(lambda: n.pid(role) not in (None, before), f"{role} to be started again")
        n.wait_for(lambda: n.input("broker")["state"] == "ok" and n.fs(well)["state"] == "healthy" and n.fs(well)["lastProbe"], "the other disk to be probed")
        assert states(n, hung, other, well) == ["bad", "bad", "healthy"], n.tail()
    for d in (hung, other):
        d.resume()
        n.wait_fs(d, "healthy")
    n.wait_for(lambda: os.path.exists(registration), "the sockets")
    alarms = [v for v in n.log("verdict") if v["path"] == well.mount_point and v["to"] == "bad"]
    assert not alarms, alarms
    other.umount()


@case
def a_device_that_fails(t):
    """Each of its sectors, from one moment to the next: a cable. Repaired as the book says."""
    n = Node(t, period="1s")
    ext4, xfs, well = n.disk("ext4", of=Mapped), n.disk("xfs", of=Mapped), n.disk("ext4")
    n.start()
    n.wait("Healthy")
    for d in (ext4, xfs):
        d.become("error")
    for d in (ext4, xfs):
        assert n.wait_fs(d, "bad")["reason"] in ("ReadOnlyFilesystem", "IOErrors", "FilesystemShutdown"), n.fs(d)
    assert states(n, well) == ["healthy"]
    for d in (ext4, xfs):
        d.umount()
        d.become("linear {} 0")
        d.fsck()
        d.mount()
        n.wait_fs(d, "healthy")


@case
def a_device_that_fails_to_write(t):
    """Reading goes well, and so does all that stays in memory."""
    n = Node(t, period="1s")
    ext4, xfs = n.disk("ext4", of=Mapped), n.disk("xfs", of=Mapped)
    n.start()
    n.wait("Healthy")
    for d in (ext4, xfs):
        d.become("flakey {} 0 0 3600 1 error_writes")
        os.listdir(d.mount_point)
        assert n.wait_fs(d, "bad")["reason"] in ("ReadOnlyFilesystem", "IOErrors", "FilesystemShutdown"), n.fs(d)


@case
def a_device_that_is_slow(t):
    """As long as it answers within the deadline it is well; then it hangs, and it is well when it is quick again."""
    n = Node(t, period="1s", deadline="6s")
    d = n.disk("ext4", of=Mapped)
    n.start()
    n.wait("Healthy")
    d.become("delay {} 0 0 {} 0 300")
    slow = len(n.log("probe finished"))
    n.wait_for(lambda: len([p for p in n.log("probe finished")[slow:] if int(p["us"]) > 300000]) >= 3, "three slow probes")
    assert [v["to"] for v in n.log("verdict")] == ["healthy"], n.log("verdict")
    d.become("delay {} 0 0 {} 0 20000")
    assert n.wait_fs(d, "bad")["reason"] == "FilesystemHung", n.fs(d)
    d.become("linear {} 0")
    n.wait_fs(d, "healthy")


if __name__ == "__main__":
    main(prepare)
