"""Volumes while every system call of a request's child fails, one after the other, and where a disk lacks what they need: nothing is left, and
the next request goes on."""
import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
import disks  # noqa: E402
import volumes  # noqa: E402
import wire  # noqa: E402
from cases import case, main, only_long  # noqa: E402
from volume_stage import UUIDS, fail_in_turn, old_kernel, spark_files, started  # noqa: E402
from volumes import mount_at  # noqa: E402

MIB = 1 << 20


def nothing_is_left(kubelet, n, pod, what):
    assert not volumes.mounts(kubelet.root) and not os.path.exists(pod.target()), what
    assert not volumes.mounts(n.runtime) and not [x for x in os.listdir(n.runtime) if x.startswith("making")], what
    kubelet.remove(pod)


def every_call_of_a_volumes_life(t, kubelet, n, asker):
    """A failed make has left nothing, a failed remove or bound can be asked again, and then nothing is left either."""
    def made():
        pod = kubelet.pod()
        answer = asker.make(pod)
        assert answer.errnum == 0, answer
        return pod

    def after_make(pod, failed, what):
        if not failed:
            assert mount_at(pod.target()) and asker.remove(pod).already == 0, what
        nothing_is_left(kubelet, n, pod, what)

    def after_remove(pod, failed, what):
        again = asker.remove(pod)
        assert again.errnum == 0, (what, again)
        assert failed or again.already, (what, again)
        nothing_is_left(kubelet, n, pod, what)

    def after_bound(pod, failed, what):
        now = asker.stat(pod)
        assert (now.size, now.inodes) in ((4 * MIB, 1000), (8 * MIB, 2000)), what
        assert failed or now.size == 8 * MIB, what
        after_remove(pod, True, what)

    fail_in_turn(t, n, asker, wire.VOLUME_MAKE, kubelet.pod, after_make)
    fail_in_turn(t, n, asker, wire.VOLUME_REMOVE, made, after_remove)
    if os.environ.get("STOKER_LONG"):
        fail_in_turn(t, n, asker, wire.VOLUME_BOUND, made, after_bound, size=8 * MIB, inodes=2000)
    return made, after_remove


@case
def every_system_call_of_making_and_removing_failing_in_turn(t):
    every_call_of_a_volumes_life(t, *started(t))


@case
@only_long
def every_system_call_of_a_request_failing_in_turn(t):
    kubelet, n, asker = started(t)
    made, after_remove = every_call_of_a_volumes_life(t, kubelet, n, asker)

    def filled():
        pod = made()
        spark_files(pod.target())
        return pod

    def after_empty(pod, failed, what):
        again = asker.empty(pod)
        assert again.errnum == 0 and (failed or again.already), (what, again)
        assert "mine" in os.listdir(pod.target()) and f"blockmgr-{UUIDS[0]}" not in os.listdir(pod.target()), what
        after_remove(pod, True, what)
    fail_in_turn(t, n, asker, wire.VOLUME_EMPTY, filled, after_empty, errnums=(errno.EIO,))
    fail_in_turn(t, n, asker, wire.VOLUME_STAT, made, lambda pod, failed, what: after_remove(pod, True, what), errnums=(errno.EIO,))


@case
@only_long
def every_system_call_failing_without_the_new_mount_api(t):
    every_call_of_a_volumes_life(t, *started(t, broker=old_kernel))


# --- disks without quota (with it: tests/guest/test_volumes.py, this machine's kernel has none) ---

@case
def a_disk_without_quota_says_what_is_missing(t):
    plain, xfs = disks.Disk(t, "ext4", os.path.join(t.dir, "plain")), disks.Disk(t, "xfs", os.path.join(t.dir, "xfs"))
    memory = disks.Tmpfs(t, "size=1m", os.path.join(t.dir, "memory"))
    listed = "".join(f"  - name: d{i}\n    path: {d.mount_point}\n    namespaces: ['*']\n" for i, d in enumerate((plain, xfs, memory)))
    kubelet, _, asker = started(t, f"  disks:\n{listed}  - name: gone\n    path: {t.dir}/gone\n    namespaces: ['*']\n")
    for source, words in enumerate((("tune2fs", "prjquota"), ("prjquota",), ("neither ext4 nor xfs",))):
        pod = kubelet.pod()
        refused = asker.make(pod, type_=wire.DISK, source=source)
        assert refused.errnum == errno.EOPNOTSUPP and all(w in refused.text for w in words), refused
        assert not os.path.exists(pod.target())
        gone = asker.remove(pod)
        assert (gone.errnum, gone.already) == (0, 1), gone
    assert asker.make(kubelet.pod(), type_=wire.DISK, source=3).errnum == errno.ENOENT
    for d in (plain, xfs, memory):
        assert not os.path.exists(f"{d.mount_point}/.stoker-volumes")


if __name__ == "__main__":
    main()
