"""Volumes on other kernels, with what this machine's kernel lacks: project quota of ext4 and xfs, and the charge on cgroup v2. Run by
tests/guest/boot. Of the kernel tier's cases those that a kernel decides."""
import ctypes
import errno
import importlib.util
import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import cases  # noqa: E402
import disks  # noqa: E402
import wire  # noqa: E402
from cases import case, only_long, wait_for  # noqa: E402
from volume_stage import fail_in_turn, started  # noqa: E402
from volumes import FILL_BYTES, FILL_INODES, as_user, mount_at, mounts  # noqa: E402

SPEC = importlib.util.spec_from_file_location("kernel_volumes", os.path.join(HERE, "..", "kernel", "test_volumes.py"))
kernel = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kernel)
OURS = ("what_a_pod_writes_is_charged_to_it", "attributes_of_a_scratch", "bounds_change_while_it_is_in_use", "a_kernel_without_the_new_mount_api")
cases.CASES[:] = [c if c.__name__ == OURS[0] else only_long(c) for c in cases.CASES if c.__name__ in OURS]
assert len(cases.CASES) == len(OURS)

MIB = 1 << 20
GET_NEXT_QUOTA, PROJECT = 0x800009, 2
MKFS = {"ext4": ("-O", "project,quota", "-E", "quotatype=prjquota"), "xfs": ()}


def projects(device):
    """Every project that has limits or uses something: {id: (bytes, inodes, used inodes)} (quotactl(2), Q_GETNEXTQUOTA)."""
    libc, found, number = ctypes.CDLL(None, use_errno=True), {}, 1
    while True:
        block = (ctypes.c_uint64 * 9)()  # struct if_nextdqblk: eight numbers, two of 32 bits
        if libc.quotactl(ctypes.c_int((GET_NEXT_QUOTA << 8) | PROJECT), device.encode(), number, block) < 0:
            assert ctypes.get_errno() in (errno.ENOENT, errno.ESRCH), os.strerror(ctypes.get_errno())
            return found
        project = block[8] >> 32
        if block[0] or block[3] or block[2] or block[5]:
            found[project] = (block[0] * 1024, block[3], block[5])
        number = project + 1


def a_disk(t, kind, options="prjquota", mkfs=None):
    return disks.Disk(t, kind, os.path.join(t.dir, f"disk-{kind}-{options}"), mkfs=MKFS[kind] if mkfs is None else mkfs, options=options)


def with_disks(t, *found):
    listed = "".join(f"  - name: d{i}\n    path: {d.mount_point}\n    namespaces: ['team-*']\n" for i, d in enumerate(found))
    return started(t, f"  disks:\n{listed}")


def volume_directory(disk, pod, name="scratch", gone=""):
    return f"{disk.mount_point}/.stoker-volumes/{pod.uid}.{name}{gone}"


def quota_is_as(disk, before):
    """xfs counts what was removed down a little later."""
    wait_for(lambda: projects(disk.device) == before, f"the quota of {disk.kind} to be as before")


# One interpreter for all: in the guest each takes seconds.
WRITER = f"""
import os, sys
s = os.statvfs(sys.argv[1])
print(s.f_blocks * s.f_frsize, s.f_files)
{FILL_BYTES}
os.unlink(sys.argv[1] + "/ballast")
{FILL_INODES}
"""


def bounded_and_owned(t, kubelet, asker, source, disk):
    before, pod = projects(disk.device), kubelet.pod()
    how = {"type_": wire.DISK, "source": source, "size": MIB, "inodes": 64, "mode": 0o770, "uid": 185, "gid": 1000}
    made = asker.make(pod, **how)
    assert (made.errnum, made.already, made.size, made.inodes) == (0, 0, MIB, 64), (disk.kind, made)
    mount, path = mount_at(pod.target()), pod.target()
    assert mount.type == disk.kind and {"nosuid", "nodev"} <= set(mount.options) and "noexec" not in mount.options, mount
    s = os.stat(path)
    assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (185, 1000, 0o770), s
    size, inodes, code, written, code_inodes, files = map(int, as_user(185, WRITER, path).split())
    assert (size, inodes) == (MIB, 64), (size, inodes)
    assert code in (errno.ENOSPC, errno.EDQUOT) and MIB - 65536 <= written <= MIB, (disk.kind, code, written)
    assert code_inodes in (errno.ENOSPC, errno.EDQUOT) and files == 63, (disk.kind, code_inodes, files)  # its own directory is one
    new = {p: q for p, q in projects(disk.device).items() if p not in before}
    assert list(new.values()) == [(MIB, 64, 64)], new
    # what is there is bound again: a node that was booted
    subprocess.run(["umount", path], check=True)
    os.rmdir(path)
    again = asker.make(pod, **how)
    assert again.errnum == 0 and os.path.exists(path + "/f0"), again
    assert asker.make(pod, **how).already == 1
    assert asker.make(pod, **{**how, "size": 8 * MIB}).errnum == errno.EEXIST
    assert asker.bound(pod, size=8 * MIB, inodes=64).errnum == errno.EOPNOTSUPP
    gone = asker.remove(pod)
    assert (gone.errnum, gone.already) == (0, 0) and not os.path.exists(path), gone
    assert os.listdir(f"{disk.mount_point}/.stoker-volumes") == []
    quota_is_as(disk, before)
    assert asker.remove(pod).already == 1


def projects_of_their_own(kubelet, asker, source, disk):
    """Several at once."""
    before, pods = projects(disk.device), [kubelet.pod() for _ in range(8)]
    for answer in asker.ask_all(wire.VOLUME_MAKE, pods, type_=wire.DISK, source=source, size=MIB, inodes=32):
        assert answer.errnum == 0, answer
    new = [q for p, q in projects(disk.device).items() if p not in before]
    assert new == [(MIB, 32, 1)] * len(pods), new
    for answer in asker.ask_all(wire.VOLUME_REMOVE, pods):
        assert answer.errnum == 0 and not answer.already, answer
    quota_is_as(disk, before)


@case
def disk_volumes_of_ext4_and_xfs(t):
    found = [a_disk(t, "ext4"), a_disk(t, "xfs")]
    kubelet, _, asker = with_disks(t, *found)
    for source, disk in enumerate(found):
        bounded_and_owned(t, kubelet, asker, source, disk)
        projects_of_their_own(kubelet, asker, source, disk)


@case
def a_removed_disk_volume_is_emptied_whatever_is_in_it(t):
    disk = a_disk(t, "ext4")
    kubelet, _, asker = with_disks(t, disk)
    pod, outside = kubelet.pod(), os.path.join(t.dir, "outside")
    os.mkdir(outside)
    open(f"{outside}/alive", "w").close()
    assert asker.make(pod, type_=wire.DISK, size=16 * MIB, inodes=10000, uid=185, gid=185).errnum == 0
    path = pod.target()
    as_user(185, "import os, sys\nos.chdir(sys.argv[1])\nos.symlink(sys.argv[2], 'link')\nos.mkfifo('pipe')\n"
            "for i in range(40):\n os.mkdir('d'); os.chdir('d'); open('f', 'w').close()", path, outside)
    os.makedirs(volume_directory(disk, pod, gone=".gone") + "/left/of/an/earlier/one")
    with open(path + "/open", "w") as held:
        answer = asker.remove(pod)
        assert not mount_at(path) and not os.path.exists(path), answer
        held.write("goes nowhere")
    while answer.errnum == errno.EAGAIN:
        answer = asker.remove(pod)
    assert answer.errnum == 0, answer
    assert os.listdir(outside) == ["alive"] and os.listdir(f"{disk.mount_point}/.stoker-volumes") == []
    # the kubelet asks once more, and something was left after all
    os.makedirs(volume_directory(disk, pod, gone=".gone") + "/left")
    assert asker.remove(pod).already == 0 and asker.remove(pod).already == 1
    assert os.listdir(f"{disk.mount_point}/.stoker-volumes") == []


@case
@only_long
def what_a_disk_lacks_is_said(t):
    found = [a_disk(t, "ext4", options=""), a_disk(t, "xfs", options="noquota"), a_disk(t, "xfs", options="pqnoenforce")]
    kubelet, _, asker = with_disks(t, *found)
    for source, words in enumerate((("it only counts", "prjquota"), ("prjquota", "remount"), ("it only counts", "pqnoenforce"))):
        pod = kubelet.pod()
        refused = asker.make(pod, type_=wire.DISK, source=source)
        assert refused.errnum == errno.EOPNOTSUPP and all(w in refused.text for w in words), (source, refused)
        assert not os.path.exists(pod.target()) and not os.path.exists(f"{found[source].mount_point}/.stoker-volumes")


@case
@only_long
def every_system_call_of_a_disk_volume_failing_in_turn(t):
    disk = a_disk(t, "ext4")
    kubelet, n, asker = with_disks(t, disk)
    before = projects(disk.device)

    def nothing_is_left(pod, what):
        answer = asker.remove(pod)
        assert answer.errnum == 0, (what, answer)
        assert not mounts(kubelet.root) and not os.path.exists(pod.target()), what
        assert os.listdir(f"{disk.mount_point}/.stoker-volumes") == [] and projects(disk.device) == before, (what, projects(disk.device))
        kubelet.remove(pod)
        return answer

    def after_make(pod, failed, what):
        if failed:
            assert not os.path.exists(f"{disk.mount_point}/.stoker-volumes") or os.listdir(f"{disk.mount_point}/.stoker-volumes") == [], what
            assert projects(disk.device) == before, (what, projects(disk.device))
        answer = nothing_is_left(pod, what) if os.path.exists(f"{disk.mount_point}/.stoker-volumes") else asker.remove(pod)
        assert answer.already == failed, (what, answer)

    def made():
        pod = kubelet.pod()
        assert asker.make(pod, type_=wire.DISK, uid=185).errnum == 0
        os.makedirs(pod.target() + "/a/b")
        return pod

    fail_in_turn(t, n, asker, wire.VOLUME_MAKE, kubelet.pod, after_make, errnums=(errno.EIO,), type_=wire.DISK, uid=185)
    fail_in_turn(t, n, asker, wire.VOLUME_REMOVE, made, lambda pod, failed, what: nothing_is_left(pod, what), errnums=(errno.EIO,))


if __name__ == "__main__":
    cases.main()
