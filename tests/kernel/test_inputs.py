"""The kernel's hints beside its log: each triggers a probe and gives the reason; none of them decides, none is needed."""
import errno
import os
import signal
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import alone, case, main, wait_for  # noqa: E402
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


def wait_heard(n, disk):
    """As a hint; or, when the error is faster than the answer that names the mark, as a reason to probe everything."""
    n.wait_for(lambda: [h for h in n.log("hint") if h["source"] == "fs-error" and h["path"] == disk.mount_point] or
               [p for p in n.log("probing everything") if p["why"] == "an error of a filesystem that is not known"], "the error to be heard of")


@case
def an_error_is_found_without_the_kernel_log(t):
    n = Node(t, period=LONG)
    disk, other = n.disk("ext4"), n.disk("xfs")
    n.start_roles(broker=lambda: disks.hide("/dev/kmsg"))
    wait_marked(n, disk, other)
    n.wait_for(n.all_probed, "the first probes")
    assert n.input("kmsg")["state"] == "missing", n.health()["inputs"]
    n.wait_for(lambda: n.input("fs-error")["detail"] == "watching 2 of 2 filesystems", "the input to be said")
    disk.trigger_ext4_error()
    assert n.wait_fs(disk, "bad")["reason"] in ("ReadOnlyFilesystem", "IOErrors")  # EROFS, or EIO from 6.6 to 6.14
    assert n.fs(other)["state"] == "healthy"
    # newer kernels show it in the mount table, too, which is read whenever anything on this machine is mounted
    sources = {h["source"] for h in n.log("hint")}
    assert "fs-error" in sources and sources <= {"fs-error", "mounts"}, n.log("hint")


@case
def umount_with_the_mark_in_place_20_of_20(t):
    """And what is mounted again is marked again: the same device, mostly the same mount id."""
    n = Node(t, period=LONG)
    four = [n.disk("ext4") for _ in range(4)]
    n.start()
    n.wait("Healthy")
    below = device(t.dir)
    for i in range(5):
        wait_marked(n, *four)
        for disk in four:
            result = subprocess.run(["umount", disk.mount_point], capture_output=True, text=True)
            assert result.returncode == 0, f"umount of {disk.mount_point} in round {i + 1} of 5: {result.stderr}"
        n.wait_for(lambda: set(n.marks()) <= {below}, "the marks to be gone with the filesystems")
        for disk in four:
            disk.mount()
    wait_marked(n, *four)
    four[0].trigger_ext4_error()
    n.wait_fs(four[0], "bad")
    wait_heard(n, four[0])


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
    wait_heard(n, disk)


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
    group = broker.ask(wire.FS_ERRORS)
    t.cleanup(lambda: os.close(group))
    null, pair = os.open("/dev/null", os.O_RDWR), socket.socketpair()
    answer = broker.ask(wire.FS_MARK, n.probe_body(0), fd=group)
    assert isinstance(answer, wire.Marked) and answer.errnum == 0 and f"{answer.major}:{answer.minor}" == device(disk.mount_point), answer
    for what, body, fd, want in (("no group", n.probe_body(0), None, errno.EINVAL), ("no such watch", n.probe_body(7), group, errno.EINVAL),
                                 ("another configuration", wire.probe_body(1, 0), group, errno.ESTALE)):
        answer = broker.ask(wire.FS_MARK, body, fd=fd)
        assert isinstance(answer, wire.Refused) and answer.errnum == want, (what, answer)
    for fd in (null, pair[0].fileno()):
        answer = broker.ask(wire.FS_MARK, n.probe_body(0), fd=fd)
        assert isinstance(answer, wire.Marked) and answer.errnum in (errno.EINVAL, errno.EBADF), answer
    os.close(null)
    assert broker.probe(n.config_hash()).good
    n.wait_for(lambda: not n.children("stoker-broker"), "the children to end")
    assert not [d for d in n.descriptors(n.pid("stoker-broker")) if "fanotify" in d], "the broker keeps a group"
    disk.umount()
    disk.mount()


def deaf():
    """The broker can hand out neither the kernel log nor a fanotify group."""
    disks.hide("/dev/kmsg")
    disks.refuse_call(FANOTIFY_INIT, errno.EPERM)


@case
def ext4s_own_counter(t):
    """With errors=continue every write works: the counter is all there is, and it warns."""
    n = Node(t, period="1s")
    disk, other = n.disk("ext4"), n.disk("ext4")
    for d in (disk, other):
        d.remount("errors=continue")
    other.trigger_ext4_error()  # before the agent comes: an old error is none
    n.start_roles(broker=deaf)
    n.wait_for(lambda: n.input("ext4-errors")["state"] == "ok", "the input to be said")
    assert n.input("fs-error")["state"] == n.input("kmsg")["state"] == "missing", n.health()["inputs"]
    disk.trigger_ext4_error()
    fs = n.wait_fs(disk, "warning")
    assert fs["reason"] == "FilesystemError" and "1 more than before, the last one EUCLEAN in trigger_test_error" in fs["message"], fs
    assert {h["source"] for h in n.log("hint")} == {"ext4-errors"}, n.log("hint")
    assert n.fs(other)["state"] == "healthy" and n.health()["taint"]["effect"] == "PreferNoSchedule", n.health()


@case
@alone  # its disks come back on the devices that they had, which nobody may have taken meanwhile
def errors_while_nobody_looked(t):
    """stokerd is not there for a while (an upgrade), and every write works: what its state file knew is held against the counters. Old errors are
    none, though on a device that held another filesystem before."""
    n = Node(t, period="1s")
    disk, old, replaced, again = (n.disk("ext4") for _ in range(4))
    for d in (disk, old, again):
        d.remount("errors=continue")
    old.trigger_ext4_error()
    again.trigger_ext4_error()
    time.sleep(1.1)  # ext4 keeps seconds
    n.start_roles()
    n.wait("Healthy")
    n.wait_for(lambda: all(f["kernelErrors"] for f in n.health()["filesystems"]), "the counters to be read")
    assert [n.fs(d)["kernelErrors"]["count"] for d in (disk, old, replaced, again)] == [0, 1, 0, 1], n.health()
    time.sleep(1.1)
    stokerd = next(p for p in n.extra_processes if p.args[0].endswith("stokerd"))
    stokerd.kill()
    stokerd.wait()
    hints = len(n.log("hint"))
    disk.trigger_ext4_error()
    again.trigger_ext4_error()
    for d in (old, replaced):
        d.umount()
        wait_for(d.detach, "the device to be free")
    shutil.copyfile(old.image, replaced.image)
    for d in (old, replaced):
        disks.run("losetup", d.device, d.image)
        d.mount()
    n.start(("stokerd",))
    for d, count in ((disk, 1), (again, 2)):
        fs = n.wait_fs(d, "warning")
        assert fs["reason"] == "FilesystemError" and f"ext4 counts {count} errors, 1 more than were known at 20" in fs["message"], fs
    n.wait_for(lambda: (n.fs(replaced)["kernelErrors"] or {}).get("count") == 1, "the other filesystem's count")
    assert {h["path"] for h in n.log("hint")[hints:]} == {disk.mount_point, again.mount_point}, n.log("hint")
    assert n.fs(old)["state"] == n.fs(replaced)["state"] == "healthy" and n.health()["taint"]["effect"] == "PreferNoSchedule", n.health()


@case
def options_that_a_filesystem_gives_itself(t):
    """The fault is older than the agent, and writing says only EIO or EROFS."""
    n = Node(t, period=LONG)
    shut, read_only = n.disk("ext4"), n.disk("ext4")
    shut.shutdown()
    read_only.trigger_ext4_error()
    with open("/proc/self/mountinfo") as f:
        shown = {line.split()[4]: line.split()[-1].split(",") for line in f}
    n.start_roles(broker=deaf)
    for disk, option, reason in ((shut, "shutdown", "FilesystemShutdown"), (read_only, "emergency_ro", "ReadOnlyFilesystem")):
        n.wait_fs(disk, "bad")
        if option not in shown[disk.mount_point]:  # Linux before 6.6, before 6.15
            continue
        n.wait_for(lambda: n.fs(disk)["reason"] == reason, "the reason")
        n.wait_for(lambda: {h["source"] for h in n.log("hint") if h["path"] == disk.mount_point} == {"mounts"}, "the hint")


@case
def btrfs_by_its_own_words(t):
    """Its device number is no block device's: the source of the mount says which lines are meant."""
    n = Node(t, period=LONG)
    outer, inner = n.nested("xfs", "btrfs")
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: n.fs(inner)["source"] == inner.device, "its mount to be known")
    outer.shutdown()
    subprocess.run(["sh", "-c", 'echo x > "$1/x"; sync -f "$1"', "sh", inner.mount_point], capture_output=True)
    n.wait_fs(inner, "bad")
    n.wait_for(lambda: [h for h in n.log("hint") if h["kernel"].startswith("BTRFS") and h["path"] == inner.mount_point], "btrfs' own words")


class Sysctl:
    def __init__(self, t, name, value):
        self.path = "/proc/sys/" + name.replace(".", "/")
        with open(self.path) as f:
            before = f.read()
        t.cleanup(lambda: self.set(before))
        self.set(value)

    def set(self, value):
        with open(self.path, "w") as f:
            f.write(str(value))


@case
@alone  # the kernel looks at every task of the machine, and whoever reads its log looks everywhere
def a_task_that_hangs_makes_us_look_everywhere(t):
    """It hangs on a filesystem that nobody watches: everything is probed, and all stay as they are. Then one of ours hangs."""
    n = Node(t, period=LONG, deadline="4s")
    disk, other, elsewhere = n.disk("ext4"), n.disk("ext4"), n.disk("ext4", watch=False)
    n.start()
    n.wait("Healthy")
    probes = len(n.log("probe finished"))
    Sysctl(t, "kernel.hung_task_warnings", 10)
    Sysctl(t, "kernel.hung_task_timeout_secs", 1)
    elsewhere.freeze()
    writer = subprocess.Popen(["touch", os.path.join(elsewhere.mount_point, "x")])
    t.cleanup(writer.wait)
    t.cleanup(lambda: elsewhere.thaw() if elsewhere.frozen else None)
    n.wait_for(lambda: [h for h in n.log("hint") if h["reason"] == "HungTask" and f":{writer.pid} " in h["kernel"]], "the kernel's line")
    n.wait_for(lambda: {p["path"] for p in n.log("probe finished")[probes:]} >= {disk.mount_point, other.mount_point}, "probes of everything")
    assert {v["to"] for v in n.log("verdict")} == {"healthy"}, n.log("verdict")
    disk.freeze()
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "FilesystemHung" and "; kernel: INFO: task " in fs["message"], fs
    assert n.fs(other)["state"] == "healthy"
    elsewhere.thaw()
    disk.thaw()


@case
def two_agents_over_one_kernel_log(t):
    """As two k3d nodes on one machine: each hears all the lines. Only the one whose disk is broken is bad, the other is never
    anything but healthy."""
    sick, well = Node(t, period="1s", name="sick", directory="sick"), Node(t, period="1s", name="well", directory="well")
    broken, xfs = sick.disk("ext4"), sick.disk("xfs")
    ours = well.disk("ext4")
    well.disk("xfs")
    for n in (sick, well):
        n.start()
    for n in (sick, well):
        n.wait("Healthy")
    broken.trigger_ext4_error()
    xfs.shutdown()
    for disk, reason in ((broken, "ReadOnlyFilesystem"), (xfs, "FilesystemShutdown")):
        fs = sick.wait_fs(disk, "bad")
        assert fs["reason"] == reason, fs
        disk.umount()
        disk.fsck()
        disk.mount()
    sick.wait("Healthy")
    # a line of its own shows that it has read what came before
    ours.remount("rw")
    well.wait_for(lambda: well.log("hint"), "the line of its own")
    assert {h["path"] for h in well.log("hint")} == {ours.mount_point}, well.log("hint")
    assert [v["to"] for v in well.log("verdict")] == ["healthy", "healthy"], well.log("verdict")
    assert [r["taint"] for r in well.log("node report")] == ["none"] * len(well.log("node report")), well.log("node report")
    assert {r["status"] for r in well.log("node report") if r["reason"] != "NotProbed"} == {"True"}, well.log("node report")


if __name__ == "__main__":
    main()
