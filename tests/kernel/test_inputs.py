"""The kernel's hints beside its log: each triggers a probe and gives the reason; none of them decides, none is needed."""
import errno
import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main  # noqa: E402
import disks  # noqa: E402
from node import Node  # noqa: E402
import wire  # noqa: E402

# Far longer than any test: what is found was found by a hint of the kernel, not by the period.
LONG = "10m"
FANOTIFY_INIT = 300  # x86-64


def device(path):
    st = os.stat(path)
    return f"{os.major(st.st_dev)}:{os.minor(st.st_dev)}"


def wait_marked(n, *watched):
    want = sorted(device(d.mount_point) for d in watched)
    n.wait_for(lambda: n.marks() == want, f"marks on {want}")


@case
def an_error_is_found_without_the_kernel_log(t):
    n = Node(t, period=LONG)
    disk, other = n.disk("ext4"), n.disk("xfs")
    n.start_roles(broker=lambda: disks.hide("/dev/kmsg"))
    wait_marked(n, disk, other)
    n.wait_for(n.all_probed, "the first probes")
    assert n.input("kmsg")["state"] == "missing", n.health()["inputs"]
    n.wait_for(lambda: n.input("fs-error") == {"state": "ok", "detail": "watching 2 of 2 filesystems"}, "the input to be said")
    disk.trigger_ext4_error()
    assert n.wait_fs(disk, "bad")["reason"] == "ReadOnlyFilesystem"
    assert n.fs(other)["state"] == "healthy"
    assert {h["source"] for h in n.log("hint")} == {"fs-error"}, n.log("hint")


@case
def umount_with_the_mark_in_place_20_of_20(t):
    """And what is mounted again is marked again: the same device, mostly the same mount id."""
    n = Node(t, period=LONG)
    disk, other = n.disk("ext4"), n.disk("ext4")
    n.start()
    n.wait("Healthy")
    for i in range(20):
        wait_marked(n, disk, other)
        result = subprocess.run(["umount", disk.mount_point], capture_output=True, text=True)
        assert result.returncode == 0, f"umount {i + 1} of 20: {result.stderr}"
        n.wait_for(lambda: n.marks() == [device(other.mount_point)], "the mark to be gone with the filesystem")
        disk.mount()
    wait_marked(n, disk, other)
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    assert [h for h in n.log("hint") if h["source"] == "fs-error" and h["path"] == disk.mount_point], n.log("hint")


@case
def marks_outlive_the_broker_and_come_back_after_stokerd(t):
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    wait_marked(n, disk)
    for role in ("stoker-broker", "stokerd"):
        before = n.pid(role)
        os.kill(before, signal.SIGKILL)
        n.wait_for(lambda: n.pid(role) not in (None, before), f"another {role}")
        n.wait("Healthy")
        wait_marked(n, disk)
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    n.wait_for(lambda: [h for h in n.log("hint") if h["source"] == "fs-error"], "the hint")


@case
def where_fanotify_is_refused_the_rest_goes_on(t):
    for errnum, state, words in ((errno.ENOSYS, "off", "the other inputs find the same"), (errno.EPERM, "missing", "CAP_SYS_ADMIN")):
        n = Node(t, period=LONG, directory=errno.errorcode[errnum])
        disk = n.disk("ext4")
        n.start_roles(broker=lambda: disks.refuse_call(FANOTIFY_INIT, errnum))
        n.wait("Healthy")
        n.wait_for(lambda: n.input("fs-error")["state"] == state, "the input to be said")
        assert words in n.input("fs-error")["detail"], n.input("fs-error")
        disk.trigger_ext4_error()
        assert n.wait_fs(disk, "bad")["reason"] == "ReadOnlyFilesystem"
        for p in n.extra_processes:
            n.end(p)


@case
def a_mark_needs_a_group_and_a_watch(t):
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)
    group = broker.receive(broker.send(wire.FS_ERRORS))
    t.cleanup(lambda: os.close(group))
    null, pair = os.open("/dev/null", os.O_RDWR), socket.socketpair()
    answer = broker.receive(broker.send(wire.FS_MARK, n.probe_body(0), fd=group))
    assert isinstance(answer, wire.Marked) and answer.errnum == 0 and f"{answer.major}:{answer.minor}" == device(disk.mount_point), answer
    for what, body, fd, want in (("no group", n.probe_body(0), None, errno.EINVAL), ("no such watch", n.probe_body(7), group, errno.EINVAL),
                                 ("another configuration", wire.struct.pack("=QII", 1, 0, 0), group, errno.ESTALE)):
        answer = broker.receive(broker.send(wire.FS_MARK, body, fd=fd))
        assert isinstance(answer, wire.Refused) and answer.errnum == want, (what, answer)
    for fd in (null, pair[0].fileno()):
        answer = broker.receive(broker.send(wire.FS_MARK, n.probe_body(0), fd=fd))
        assert isinstance(answer, wire.Marked) and answer.errnum in (errno.EINVAL, errno.EBADF), answer
    os.close(null)
    assert broker.probe(n.config_hash()).good
    n.wait_for(lambda: not n.children("stoker-broker"), "the children to end")
    assert not [d for d in n.descriptors(n.pid("stoker-broker")) if "fanotify" in d], "the broker keeps a group"
    disk.umount()
    disk.mount()


if __name__ == "__main__":
    main()
