"""What is left for an ordinary user, on real filesystems: before the first write fails, and until there is room again."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import case, main, only_long, wait_for  # noqa: E402
from node import Node  # noqa: E402

LIMITS = "space:\n  warn: 20%\n  bad: 10%\n"


def available(disk):
    """In bytes and of all; what is reserved for root is in the second only."""
    st = os.statvfs(disk.mount_point)
    return st.f_bavail * st.f_frsize, st.f_blocks * st.f_frsize


def leave(disk, share=None, size=None, uid=1000):
    """An ordinary user's file grows or shrinks until just so much is left."""
    home = os.path.join(disk.mount_point, "home")
    os.makedirs(home, exist_ok=True)
    os.chown(home, uid, uid)
    path = os.path.join(home, "ballast")

    def once():
        left, total = available(disk)
        target = size if size is not None else int(total * share)
        has = os.stat(path).st_size if os.path.exists(path) else 0
        wanted = max(0, has + left - target) // 4096 * 4096
        if wanted < has:
            os.truncate(path, wanted)
        elif wanted > has:
            subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "fallocate", "-l", str(wanted), path], check=True)
        return abs(available(disk)[0] - target) <= 65536
    wait_for(once, "so much to be left")


def probes(n):
    return len(n.log("probe finished"))


def wait_probes(n, count):
    """So many more probes, of the one watched filesystem."""
    before = probes(n)
    wait_for(lambda: probes(n) >= before + count, f"{count} probes")


@case
def inodes_run_out_while_a_process_makes_files(t):
    """The shipped period: the verdict is there ten seconds, two probes, after the threshold was crossed, and before a write has failed."""
    n = Node(t)
    disk = n.disk("ext4", mkfs=("-N", "2000"))
    n.start()
    n.wait("Healthy")
    home = os.path.join(disk.mount_point, "home")
    os.makedirs(home)
    os.chown(home, 1000, 1000)
    total = os.statvfs(disk.mount_point).f_files
    left = max(1, total // 200)  # half of inodes.bad
    maker = subprocess.Popen(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sh", "-c",
                              'i=0; while [ "$(stat -f -c %d .)" -gt "$1" ]; do i=$((i + 1)); for j in 1 2 3 4 5; do : >f$i.$j; done; done', "sh", str(left)],
                             cwd=home)
    t.cleanup(lambda: (maker.kill(), maker.wait()))
    wait_for(lambda: os.statvfs(disk.mount_point).f_ffree < total // 100, "the threshold")
    before = probes(n)
    fs = n.wait_fs(disk, "bad")
    lines = n.lines()
    verdict = next(i for i, line in enumerate(lines) if line.get("msg") == "verdict" and line["to"] == "bad")
    needed = sum(line.get("msg") == "probe finished" for line in lines[:verdict]) - before
    assert fs["reason"] == "InodesExhausted", fs
    assert fs["lastProbe"]["errno"] == 0, fs
    assert needed <= 2, needed  # one every five seconds
    assert f"of {total} inodes left for ordinary users" in fs["message"], fs
    assert fs["inodes"] == total and fs["availableInodes"] < total // 100, fs
    assert n.health()["taint"]["value"] == "InodesExhausted"
    wide = n.cli("health", "-o", "wide").stdout
    assert "AVAIL" in wide and f"{fs['availableInodes']} (" in wide, wide


@case
def reserved_blocks_are_not_free(t):
    """A fifth is kept for root: nothing is left for an executor, and root sees a fifth free."""
    n = Node(t, period="1s")
    disk = n.disk("ext4", mkfs=("-m", "20"))
    n.start()
    n.wait("Healthy")
    leave(disk, size=65536)
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "ReservedBlocks" and " for root" in fs["message"], fs
    assert fs["lastProbe"]["errno"] == 0, fs  # the probe's own block still fitted
    assert fs["availableBytes"] <= 131072, fs
    st = os.statvfs(disk.mount_point)
    assert st.f_bfree > st.f_blocks * 0.15, st


@case
def low_then_bad_then_back_with_a_margin(t):
    n = Node(t, period="1s", extra=LIMITS)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    leave(disk, 0.18)
    fs = n.wait_fs(disk, "warning")
    assert fs["reason"] == "SpaceLow" and "left for ordinary users" in fs["message"], fs
    h = n.health()
    assert h["status"] == "Warning" and h["conditions"][0]["status"] == "True", h
    assert "left for ordinary users" in h["conditions"][0]["message"], h
    leave(disk, 0.09)
    assert n.wait_fs(disk, "bad")["reason"] == "SpaceExhausted"
    # above the threshold, but within the margin: good probes do not count
    leave(disk, 0.105)
    wait_probes(n, 5)
    assert n.fs(disk)["state"] == "bad", n.fs(disk)
    assert "recovering" not in [v["to"] for v in n.log("verdict")], n.log("verdict")
    # above the margin it recovers, into the warning that is left
    leave(disk, 0.13)
    assert n.wait_fs(disk, "warning")["reason"] == "SpaceLow"
    leave(disk, 0.205)
    wait_probes(n, 3)
    assert n.fs(disk)["state"] == "warning", n.fs(disk)
    leave(disk, 0.5)
    n.wait_fs(disk, "healthy")
    assert [v["to"] for v in n.log("verdict")] == ["healthy", "warning", "bad", "recovering", "warning", "healthy"], n.log("verdict")


@case
def a_restart_forgets_no_exhaustion(t):
    """Bad before, and now between threshold and margin: bad after too."""
    n = Node(t, period="1s", extra=LIMITS)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    leave(disk, 0.09)
    n.wait_fs(disk, "bad")
    n.stop()
    leave(disk, 0.105)
    n.start()
    n.wait_for(n.all_probed, "the first probe")
    wait_probes(n, 4)
    assert n.fs(disk)["state"] == "bad", n.fs(disk)
    leave(disk, 0.5)
    n.wait_fs(disk, "healthy")


@case
def xfs_lacks_blocks_not_inodes(t):
    n = Node(t, period="1s")
    disk = n.disk("xfs")
    n.start()
    n.wait("Healthy")
    fs = n.fs(disk)
    assert fs["sizeBytes"] > 200 << 20 and 0 < fs["availableBytes"] < fs["sizeBytes"] and fs["availableInodes"] > 0, fs
    leave(disk, size=1 << 20)
    fs = n.wait_fs(disk, "bad")
    assert fs["reason"] == "SpaceExhausted", fs
    disk.fill_as(1000)  # to the last block: no inode can be made any more
    wait_probes(n, 3)
    assert n.fs(disk)["reason"] == "SpaceExhausted", n.fs(disk)
    disk.empty()
    n.wait_fs(disk, "healthy")


@case
def tmpfs_by_size_and_by_inodes(t):
    n = Node(t, period="1s", extra="space:\n  warn: 2Mi\n  bad: 1Mi\ninodes:\n  warn: 100\n  bad: 50\n")
    space, inodes, endless = n.tmpfs("size=8m,nr_inodes=1000"), n.tmpfs("size=8m,nr_inodes=1000"), n.tmpfs("size=0,nr_inodes=0")
    n.start()
    n.wait("Healthy")
    assert n.fs(endless)["sizeBytes"] == 0 and n.fs(endless)["inodes"] == 0, n.fs(endless)
    leave(space, size=512 << 10)
    for i in range(970):
        open(os.path.join(inodes.mount_point, f"f{i}"), "w").close()
    assert n.wait_fs(space, "bad")["reason"] == "TmpfsSize"
    fs = n.wait_fs(inodes, "bad")
    assert fs["reason"] == "TmpfsInodes" and fs["inodes"] == 1000, fs
    for i in range(50):
        os.unlink(os.path.join(inodes.mount_point, f"f{i}"))
    assert n.wait_fs(inodes, "warning")["reason"] == "InodesLow"
    for i in range(50, 970):
        os.unlink(os.path.join(inodes.mount_point, f"f{i}"))
    space.empty()
    n.wait("Healthy")


@case
@only_long
def filling_up_is_said_a_quarter_of_an_hour_before(t):
    """An ordinary user's file grows, full in half an hour: a warning, no taint, and minutes that hold the truth."""
    n = Node(t)
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    home = os.path.join(disk.mount_point, "home")
    os.makedirs(home)
    os.chown(home, 1000, 1000)
    left, total = available(disk)
    begin, seconds, size = time.monotonic(), 30 * 60, left - total // 100

    def grow():
        now = int(size * (time.monotonic() - begin) / seconds) // 4096 * 4096
        subprocess.run(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "fallocate", "-l", str(max(4096, now)), f"{home}/ballast"], check=True)
        return n.fs(disk)["state"] == "warning"
    wait_for(grow, "the warning", 20 * 60, 1)
    truth = seconds - (time.monotonic() - begin)
    fs = n.fs(disk)
    assert fs["reason"] == "SpaceFillingUp", fs
    assert truth >= 15 * 60, truth
    full = fs["spaceFullInSeconds"]
    assert full["low"] - 60 <= truth <= full["high"] + 60, (truth, full)
    assert n.health()["taint"] is None and n.cli("health").returncode == 0
    assert "min, if it goes on" in n.cli("health", "-o", "wide").stdout


@case
def without_a_daemon_it_is_said_too(t):
    n = Node(t, extra=LIMITS)
    disk = n.disk("ext4")
    n.write_config_now()
    leave(disk, 0.18)
    low = n.cli("health", "--direct", "-o", "wide")
    assert low.returncode == 0 and "SpaceLow" in low.stdout, low
    leave(disk, 0.05)
    bad = n.cli("health", "--direct", "-o", "wide")
    assert bad.returncode == 1 and "SpaceExhausted" in bad.stdout, bad


@case
def full_before_the_probe_came(t):
    """Not even its directory can be made: the numbers are those of the top, and name the cause all the same."""
    n = Node(t)
    files, room = n.tmpfs("size=4m,nr_inodes=8"), n.disk("ext4")
    files.fill_inodes()
    room.fill_inodes()
    n.write_config_now()
    direct = n.cli("health", "--direct", "-o", "json")
    found = {fs["mountPoint"]: fs["reason"] for fs in json.loads(direct.stdout)["filesystems"]}
    assert found == {files.mount_point: "TmpfsInodes", room.mount_point: "InodesExhausted"}, direct


if __name__ == "__main__":
    main()
