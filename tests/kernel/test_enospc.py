"""`stoker why-enospc` on real limits: each made for real, named right, and gone again when there is room."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cases
import disks
from cases import Skip, case
from node import BIN

UID = 12345


def why(path, *options, uid=UID, env=None, wrap=()):
    """(exit code, cause, confidence, answer)"""
    result = subprocess.run([*wrap, os.path.join(BIN, "stoker"), "why-enospc", "-o", "json", "--uid", str(uid), *options, path], capture_output=True, text=True, timeout=60, env=env)
    if not result.stdout:
        return result.returncode, "", "", {"error": result.stderr}
    answer = json.loads(result.stdout)
    first = answer["causes"][0] if answer["causes"] else {"confidence": ""}
    return result.returncode, answer["cause"], first["confidence"], answer


def expect(path, cause, *options, **more):
    code, named, confidence, answer = why(path, *options, **more)
    assert (code, named, confidence) == (1, cause, "seen"), (code, named, confidence, answer)
    return answer


def expect_well(path, *options, **more):
    code, named, _, answer = why(path, *options, **more)
    assert (code, named) == (0, ""), (code, named, answer)


def rm(*paths):
    subprocess.run(["rm", "-rf", *paths], check=True)


@case
def blocks_of_a_disk(t):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk", mkfs=["-m", "0"])
    expect_well(disk.mount_point)
    disk.fill()
    answer = expect(disk.mount_point, "SpaceExhausted")
    assert any(c["cause"] == "ReservedBlocks" and c["confidence"] == "ruled out" for c in answer["causes"]), answer
    disk.empty()
    expect_well(disk.mount_point)
    assert sorted(os.listdir(disk.mount_point)) == ["lost+found"], "something was left behind"


@case
def reserved_blocks_are_not_room(t):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk", mkfs=["-m", "20"])
    disk.fill_as(UID)
    expect(disk.mount_point, "ReservedBlocks")
    disk.empty()
    expect_well(disk.mount_point)


@case
def inodes_of_a_disk(t):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk", mkfs=["-N", "128"])
    disk.fill_inodes()
    answer = expect(disk.mount_point, "InodesExhausted")
    assert answer["causes"][0]["numbers"] == "0 of 128 inodes are free", answer
    disk.empty()
    expect_well(disk.mount_point)


@case
def a_volume_as_the_kubelet_makes_it(t):
    """The step that fails is named, and every step is undone."""
    def steps(answer):
        return [(s["step"], s["errno"]) for s in answer["tries"]]
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk", mkfs=["-N", "128"])
    pods = os.path.join(disk.mount_point, "pods")
    code, named, _, answer = why(disk.mount_point, "--pod-setup")
    assert code == 2 and steps(answer)[-1] == ("mkdir beneath pods/", "ENOENT"), answer  # no kubelet's root
    os.mkdir(pods)
    expect_well(disk.mount_point, "--pod-setup")
    assert len(steps(why(disk.mount_point, "--pod-setup")[3])) == 9
    disk.fill_inodes()
    answer = expect(disk.mount_point, "InodesExhausted", "--pod-setup")
    assert steps(answer)[-1] == ("mkdir beneath pods/", "ENOSPC"), answer
    disk.empty()
    expect_well(disk.mount_point, "--pod-setup")
    assert os.listdir(pods) == [] and disk.mount_point + "/pods" not in open("/proc/self/mounts").read()
    disk.trigger_ext4_error()
    code, named, _, answer = why(disk.mount_point, "--pod-setup")
    assert code == 2 and steps(answer)[-1][0] == "mkdir beneath pods/" and steps(answer)[-1][1] in ("EROFS", "EIO"), answer
    code, _, _, answer = why(disk.mount_point, "--pod-setup", wrap=("setpriv", "--reuid=65534", "--clear-groups"))
    assert code == 2 and steps(answer)[-1] == ("mount namespace", "EPERM"), answer


@case
def blocks_of_xfs(t):
    disk = disks.Disk(t, "xfs", f"{t.dir}/disk")
    disk.fill()
    expect(disk.mount_point, "SpaceExhausted")


@case
def size_of_a_tmpfs(t):
    tmpfs = disks.Tmpfs(t, "size=1m", f"{t.dir}/disk")
    expect_well(tmpfs.mount_point)
    tmpfs.fill()
    expect(tmpfs.mount_point, "TmpfsSize")


@case
def inodes_of_a_tmpfs(t):
    tmpfs = disks.Tmpfs(t, "size=1m,nr_inodes=20", f"{t.dir}/disk")
    tmpfs.fill_inodes()
    expect(tmpfs.mount_point, "TmpfsInodes")


@case
def index_of_a_directory(t):
    """ext4 with blocks of 1 KiB: two levels of an index hold some 30,000 long names."""
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk", mkfs=["-b", "1024", "-N", "60000", "-O", "^large_dir"], size_mb=96)
    many = os.path.join(disk.mount_point, "many")
    os.mkdir(many)
    failures = 0  # in a row: a name whose part of the index has room still fits
    for i in range(60000):
        try:
            os.close(os.open(os.path.join(many, f"{i:0240d}"), os.O_CREAT | os.O_WRONLY))
            failures = 0
        except OSError:
            failures += 1
        if failures == 500:
            break
    for attempt in range(8):  # the name that is tried is a new one each time, and may fit as well
        try:
            expect(many, "DirectoryFull", "--syscall", "mkdir")
            break
        except AssertionError:
            if attempt == 7:
                raise
    expect_well(disk.mount_point)


@case
def attributes_of_a_cgroup(t):
    top = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "/sys/fs/cgroup/unified"
    if not os.path.exists(top + "/cgroup.controllers"):
        raise Skip("no cgroup v2 here")
    cgroup = f"{top}/stoker-test-{os.getpid()}"
    os.mkdir(cgroup)
    t.cleanup(lambda: os.rmdir(cgroup))
    expect_well(cgroup, "--syscall", "setxattr")
    for i in range(128):
        os.setxattr(cgroup, f"user.stoker.{i}", b"1")
    expect(cgroup, "XattrSpaceExhausted", "--syscall", "setxattr")


@case
def limits_of_a_cgroup_tree(t):
    """cgroup.max.* are there without any controller, so a hybrid machine's empty v2 tree does."""
    top = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "/sys/fs/cgroup/unified"
    if not os.path.exists(top + "/cgroup.controllers"):
        raise Skip("no cgroup v2 here")
    cgroup, child = f"{top}/stoker-test-{os.getpid()}", f"{top}/stoker-test-{os.getpid()}/child"
    os.mkdir(cgroup)
    t.cleanup(lambda: os.rmdir(cgroup))
    os.mkdir(child)
    t.cleanup(lambda: os.rmdir(child))
    expect_well(child)
    write(f"{cgroup}/cgroup.max.descendants", "1")
    answer = expect(child, "CgroupMaxDescendants")
    assert cgroup in answer["causes"][0]["numbers"], answer
    write(f"{cgroup}/cgroup.max.descendants", "max")
    write(f"{cgroup}/cgroup.max.depth", "1")
    expect(child, "CgroupMaxDepth")
    write(f"{cgroup}/cgroup.max.depth", "max")
    os.mkdir(f"{child}/below")
    t.cleanup(lambda: os.rmdir(f"{child}/below"))
    write(f"{child}/cgroup.type", "threaded")
    expect(f"{child}/below", "CgroupDomainInvalid", "--syscall", "cgroup.procs")


@case
def a_cpuset_without_cpus(t):
    if not os.path.exists("/sys/fs/cgroup/cpuset/cpuset.cpus"):
        raise Skip("no cpuset hierarchy of cgroup v1 here")
    cgroup = f"/sys/fs/cgroup/cpuset/stoker-test-{os.getpid()}"
    os.mkdir(cgroup)
    t.cleanup(lambda: os.rmdir(cgroup))
    write(f"{cgroup}/cpuset.cpus", "0")
    expect(cgroup, "CpusetEmpty")
    write(f"{cgroup}/cpuset.mems", "0")
    expect_well(cgroup)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


# A user namespace of one's own has limits of its own: the machine's stay as they are.
IN_NAMESPACE = """
import os, subprocess, sys
kind, value = sys.argv[1:3]
open("/proc/sys/user/" + kind, "w").write(value)
sys.exit(subprocess.run(sys.argv[3:]).returncode)
"""


def limited(kind, value):
    return ["unshare", "-U", "-r", "python3", "-c", IN_NAMESPACE, kind, str(value)]


@case
def limits_of_a_user_namespace(t):
    del t
    expect_well("/", "--syscall", "inotify_add_watch", uid=0, wrap=limited("max_inotify_watches", 100000))
    expect("/", "InotifyWatchesExhausted", "--syscall", "inotify_add_watch", uid=0, wrap=limited("max_inotify_watches", 0))
    expect("/", "InotifyInstancesExhausted", "--syscall", "inotify_init", uid=0, wrap=limited("max_inotify_instances", 0))
    expect("/", "UserNamespacesExhausted", "--syscall", "unshare", uid=0, wrap=limited("max_user_namespaces", 0))
    expect("/", "NamespacesExhausted", "--syscall", "unshare", uid=0, wrap=limited("max_uts_namespaces", 0))


@case
def what_was_seen_earlier_is_judged_by_numbers(t):
    code, cause, confidence, answer = why("/", "--syscall", "mount", "--errno", "ENOSPC")
    assert (code, cause, confidence) == (2, "Unknown", "unknown"), answer
    assert answer["tries"] == [{"syscall": "mount", "errno": ""}], answer
    assert any(c["cause"] == "MountMaxReached" and c["confidence"] == "ruled out" for c in answer["causes"]), answer
    del t


@case
def wrong_use_and_paths_that_are_not_there(t):
    assert why(f"{t.dir}/none")[0] == 2
    for options in (["--syscall", "read"], ["--errno", "EIO"], ["--syscall", "fork"], ["--uid", "-1"], ["-o", "xml"], ["/", "/"]):
        assert why("/", *options)[0] == 64, options


@case
def a_frozen_disk_does_not_hang_us(t):
    disk = disks.Disk(t, "ext4", f"{t.dir}/disk")
    disk.freeze()
    t.cleanup(disk.thaw)
    code, _, _, answer = why(disk.mount_point)
    assert code == 2 and "hangs" in answer["error"], answer


if __name__ == "__main__":
    cases.main()
