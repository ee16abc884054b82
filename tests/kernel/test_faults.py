"""Real faults on real filesystems: what the daemon says of each, and when it takes it back."""
import errno
import os
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import alone, case, main  # noqa: E402
import disks  # noqa: E402
from node import Node  # noqa: E402

# Far longer than any test: what is found was found by a hint of the kernel, not by the period.
LONG = "10m"


@case
def ext4_error_is_found_by_the_kernels_line(t):
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    disk.trigger_ext4_error()
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "ReadOnlyFilesystem", fs
    assert n.health()["status"] == "Unhealthy"
    assert n.health()["taint"]["value"] == "ReadOnlyFilesystem"
    assert n.cli("health").returncode == 1
    n.wait_for(lambda: [h for h in n.log("hint") if h["source"] == "kmsg" and h["reason"] == "ReadOnlyFilesystem"], "the line among the hints")


@case
def ext4_recovers_after_umount_fsck_mount(t):
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    disk.umount()
    disk.fsck()
    disk.mount()
    n.wait_fs(disk, "healthy")
    assert n.health()["status"] == "Healthy"
    states = [line["to"] for line in n.log("verdict")]
    assert "recovering" in states, states


@case
def ext4_error_is_found_by_the_period_too(t):
    """Without a line: the fault is there when the agent comes."""
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    disk.trigger_ext4_error()
    n.start()
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "ReadOnlyFilesystem", fs


@case
def a_clock_that_steps_during_a_repair_forgets_nothing(t):
    """stokerd is started again while the disk is unmounted, and the wall clock has gone forth by a year: what it kept is of this boot all the same."""
    shift = os.path.join(t.dir, "clock")
    with open(shift, "wb") as f:
        f.write(bytes(8))
    n = Node(t, period="1s")
    n.environment = {**os.environ, "LD_PRELOAD": f"{os.environ['STOKER_TESTS']}/clock_shift.so", "STOKER_TEST_CLOCK": shift}
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    disk.umount()
    n.wait_for(lambda: n.fs(disk)["lastProbe"]["errno"] == errno.ENODEV, "a probe of the place without its disk")
    pid = n.pid("stokerd")
    os.kill(pid, signal.SIGSTOP)
    with open(shift, "r+b") as f:
        f.write(struct.pack("=q", 365 * 86400))
    os.kill(pid, signal.SIGKILL)
    n.wait_for(lambda: n.pid("stokerd") not in (None, pid) and n.all_probed(), "stokerd to be back")
    assert n.fs(disk)["state"] == "bad" and n.health()["status"] == "Unhealthy", n.fs(disk)
    disk.fsck()
    disk.mount()
    n.wait("Healthy")


def take_name(path, make):
    """Something else has it from now on, however quick the next probe is to make its directory again."""
    make(f"{path}.new")

    def taken():
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                os.rename(path, f"{path}.{time.time_ns()}")
            os.rename(f"{path}.new", path)
            return True
        except OSError:
            return False
    return taken


@case
def what_has_the_name_of_the_probe_directory_taints_nobody(t):
    """Else whoever may write at the top of a disk could have its node tainted. Nothing is known of the disk then, and that is said."""
    n = Node(t, period="1s")
    disk = n.tmpfs("size=4m")
    n.start()
    n.wait("Healthy")
    path = os.path.join(disk.mount_point, ".stoker")
    for make, words in ((lambda p: open(p, "w").close(), "is no directory: remove it"), (lambda p: os.symlink("/tmp", p), "remove it")):
        n.wait_for(take_name(path, make), "the name")
        fs = n.wait_fs(disk, "unknown", "bad")
        assert (fs["state"], fs["reason"]) == ("unknown", "ProbeDenied") and words in fs["message"], fs
        assert n.health()["taint"] is None, n.health()["taint"]
        os.unlink(path)
        n.wait("Healthy")


@case
def xfs_shutdown(t):
    n = Node(t, period=LONG)
    disk = n.disk("xfs")
    n.start()
    n.wait("Healthy")
    disk.shutdown()
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "FilesystemShutdown", fs
    assert fs["lastProbe"]["errno"] == 5, fs


@case
def ext4_shutdown(t):
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    disk.shutdown()
    assert n.wait_fs(disk, "bad")["reason"] in ("FilesystemShutdown", "IOErrors", "ReadOnlyFilesystem")


@case
def a_real_io_error_beneath(t):
    """A filesystem inside one that was shut down: its device gives EIO."""
    n = Node(t, period="1s")
    outer, inner = n.nested("xfs", "ext4")
    n.start()
    n.wait("Healthy")
    outer.shutdown()
    fs = n.wait_fs(inner, "bad")
    assert fs["reason"] in ("IOErrors", "ReadOnlyFilesystem", "FilesystemShutdown"), fs
    assert fs["lastProbe"]["errno"] in (5, 30), fs


@case
def full_of_bytes_and_of_inodes(t):
    n = Node(t, period="1s")
    space = n.tmpfs("size=1m")
    inodes = n.tmpfs("size=8m,nr_inodes=64")
    n.start()
    n.wait("Healthy")
    assert n.fill_until(space, space.fill)["reason"] == "TmpfsSize"
    assert n.fill_until(inodes, inodes.fill_inodes)["reason"] == "TmpfsInodes"
    space.empty()
    inodes.empty()
    n.wait("Healthy")


@case
def ext4_full_of_inodes(t):
    n = Node(t, period="1s")
    disk = n.disk("ext4", mkfs=("-N", "64"))
    n.start()
    n.wait("Healthy")
    assert n.fill_until(disk, disk.fill_inodes)["reason"] == "InodesExhausted"


@case
def what_is_reserved_for_root_is_not_free(t):
    """ext4 keeps 5 % for root: full for an executor long before it is full for root."""
    n = Node(t, period="1s")
    disk = n.disk("ext4", mkfs=("-m", "20"))
    n.start()
    n.wait("Healthy")
    assert n.fill_until(disk, lambda: disk.fill_as(1000))["reason"] == "ReservedBlocks"
    with open(os.path.join(disk.mount_point, "roots"), "wb") as f:  # root still may
        f.write(b"x" * 65536)


@case
def read_only_at_the_start_and_remounted(t):
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    disk.remount("ro")
    n.start()
    assert n.wait_fs(disk, "bad")["reason"] == "ReadOnlyFilesystem"
    disk.remount("rw")
    n.wait_fs(disk, "healthy")
    disk.remount("ro")
    assert n.wait_fs(disk, "bad")["reason"] == "ReadOnlyFilesystem"


@case
def remounted_in_the_log_is_not_recovery(t):
    """The kernel says "re-mounted" and every write still fails: trusted, the taint would go."""
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    hints, probes = len(n.log("hint")), len(n.log("probe finished"))
    subprocess.run(["mount", "--options-mode", "ignore", "-o", "remount,rw", disk.mount_point], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    n.wait_for(lambda: any("re-mounted" in line.get("kernel", "") for line in n.log("hint")[hints:]), "the kernel's line")
    n.wait_for(lambda: len(n.log("probe finished")) > probes, "the probe that the line triggers")
    assert n.fs(disk)["state"] == "bad", n.fs(disk)
    # and it was bad all the time: it did not become so a second time
    assert [v["to"] for v in n.log("verdict")].count("bad") == 1, n.log("verdict")


@case
def frozen_is_hung_and_nobody_else_is(t):
    n = Node(t, period="1s", deadline="4s")
    frozen, well = n.disk("ext4"), n.disk("xfs")
    n.start()
    n.wait("Healthy")
    frozen.freeze()
    fs = n.wait_fs(frozen, "bad")
    assert fs["reason"] == "FilesystemHung", fs
    begin = time.monotonic()
    assert n.fs(well)["state"] == "healthy"
    assert n.cli("health").returncode == 1
    assert time.monotonic() - begin < 20, "the CLI waits for a hung filesystem"
    probed = n.fs(well)["lastProbe"]["time"]
    n.wait_for(lambda: n.fs(well)["lastProbe"]["time"] != probed, "a probe of the other filesystem")
    # one child hangs, not one per period
    assert len([p for p in n.children("stoker-broker") if n.process_state(p) == "D"]) <= 1
    frozen.thaw()
    n.wait_fs(frozen, "healthy")
    n.wait_for(lambda: not n.children("stoker-broker"), "the abandoned child to end")


@case
@alone  # whoever reads the kernel's log loses records
def kernel_log_flood_and_gap(t):
    """60,000 lines: records are lost, it is counted and everything is probed; a fault in the middle is found."""
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    probes = len(n.log("probe finished"))
    n.flood_kernel_log(60000, middle=disk.trigger_ext4_error)
    assert n.wait_fs(disk, "bad")["reason"] == "ReadOnlyFilesystem"
    def flood_unread():
        """More than the ring holds while nobody reads: else whoever has a processor to himself may keep up."""
        pid = n.pid("stokerd")
        os.kill(pid, signal.SIGSTOP)
        try:
            n.flood_kernel_log(20000)
        finally:
            os.kill(pid, signal.SIGCONT)
        return "lost" in n.input("kmsg")["detail"]
    # the kernel may have let few of the lines through (its limit for /dev/kmsg): more, until the ring has overrun
    n.wait_for(flood_unread, "the gap in the inputs")
    assert len(n.log("probe finished")) > probes


@case
def a_line_that_a_process_wrote_is_no_hint(t):
    """The kernel gives such a line the facility "user". A real line after it shows that it was read."""
    n = Node(t, period=LONG)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    name = os.path.basename(disk.device)
    disks.syslog_write(f"<2>EXT4-fs ({name}): Remounting filesystem read-only by a liar")
    disk.remount("ro")
    n.wait_for(lambda: any("re-mounted" in line.get("kernel", "") for line in n.log("hint")), "the kernel's own line")
    assert not [h for h in n.log("hint") if "liar" in h.get("kernel", "")], n.log("hint")


if __name__ == "__main__":
    main()
