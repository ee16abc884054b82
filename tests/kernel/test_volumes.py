"""Volumes through the real broker: bounds, owners, what happens twice, what is somebody else's, and that nothing is left."""
import errno
import os
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
import disks  # noqa: E402
import volumes  # noqa: E402
import wire  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from container import Container, Pod as CgroupPod  # noqa: E402
from node import Node  # noqa: E402
from volume_stage import UUIDS, old_kernel, spark_files, started  # noqa: E402
from volumes import FILL_BYTES, FILL_INODES, Asker, Kubelet, as_user, mount_at, tree  # noqa: E402

MIB = 1 << 20


# --- bounds and owners ---

@case
def scratch_is_bounded_and_owned(t):
    kubelet, _, asker = started(t)
    for uid in (185, 1000):
        pod = kubelet.pod()
        made = asker.make(pod, size=4 * MIB, inodes=64, mode=0o770, uid=uid, gid=uid)
        assert (made.errnum, made.already, made.step, made.size, made.inodes) == (0, 0, "done", 4 * MIB, 64), made
        mount, path = mount_at(pod.target()), pod.target()
        assert mount.type == "tmpfs" and mount.source.startswith("stoker-") and len(mount.source) == 23, mount
        assert {"nosuid", "nodev"} <= set(mount.options) and "noexec" not in mount.options, mount
        s = os.stat(path)
        assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (uid, uid, 0o770), s
        seen = as_user(uid, "import os, sys; s = os.statvfs(sys.argv[1]); print(s.f_blocks * s.f_frsize, s.f_files)", path).split()
        assert seen == [str(4 * MIB), "64"], seen
        code, written = map(int, as_user(uid, FILL_BYTES, path).split())
        assert code == errno.ENOSPC and written == 4 * MIB, (code, written)
        full = asker.stat(pod)
        assert (full.errnum, full.size, full.free) == (0, 4 * MIB, 0), full
        os.unlink(path + "/ballast")
        code, files = map(int, as_user(uid, FILL_INODES, path).split())
        assert code == errno.ENOSPC and 55 <= files <= 63, (code, files)
        assert "13" in as_user(uid + 1, "import os, sys\ntry:\n os.listdir(sys.argv[1])\nexcept OSError as e:\n print(e.errno)", path)
        gone = asker.remove(pod)
        assert (gone.errnum, gone.already) == (0, 0) and not os.path.exists(path) and not mount_at(path), gone


@case
def what_a_pod_writes_is_charged_to_it(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    assert asker.make(pod, size=16 * MIB, uid=1000, gid=1000).errnum == 0
    container = Container(CgroupPod(t))
    container.make()

    def charge():
        """Of files in memory alone: what else it reads is charged to it, too."""
        with open(f"{container.directory}/memory.stat") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("shmem "))

    def enter():
        with open(f"{container.directory}/cgroup.procs", "w") as f:
            f.write("0")
    as_user(1000, "import sys\nopen(sys.argv[1] + '/a', 'wb').write(b'x' * (8 << 20))", pod.target(), preexec=enter)
    wait_for(lambda: charge() >= 8 * MIB, "the charge")  # v2 adds up every two seconds
    os.unlink(pod.target() + "/a")
    wait_for(lambda: charge() < 4 * MIB, "the charge to go with the file")


@case
def attributes_of_a_scratch(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    made = asker.make(pod, size=MIB + 1, mode=0o1777, noswap=1, huge=3)
    mount = mount_at(pod.target())
    assert made.errnum == 0 and made.size == MIB + 4096, made
    assert "huge=advise" in mount.super_options, mount
    assert "noswap" in mount.super_options or os.uname().release.split(".")[0:2] < ["6", "4"], mount
    s = os.stat(pod.target())
    assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (0, 0, 0o1777), s


# --- what happens twice, and what is somebody else's ---

@case
def the_table_of_making(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    assert asker.make(pod, uid=185).errnum == 0
    again = asker.make(pod, uid=185, pod_name="renamed", namespace="elsewhere")  # who asks does not count
    assert (again.errnum, again.already, again.size) == (0, 1, 4 * MIB), again
    for change in ({"size": 8 * MIB}, {"inodes": 99}, {"uid": 186}, {"gid": 1}, {"mode": 0o700}, {"noswap": 1}, {"huge": 3}):
        other = asker.make(pod, **{"uid": 185, **change})
        assert other.errnum == errno.EEXIST and other.text, (change, other)
    assert mount_at(pod.target()).super_options.count("uid=185") == 1
    # what was asked for counts, not what was filled in since
    pod = kubelet.pod()
    assert asker.make(pod, asked=77, size=MIB).errnum == 0
    assert asker.make(pod, asked=77, size=2 * MIB).already == 1
    assert asker.make(pod, asked=78, size=MIB).errnum == errno.EEXIST


@case
def somebody_elses_mount_is_not_touched(t):
    kubelet, _, asker = started(t)
    pod, other = kubelet.pod(), kubelet.pod()
    assert asker.make(other).errnum == 0
    for make in (lambda path: disks.run("mount", "-t", "tmpfs", "foreign", path), lambda path: disks.run("mount", "-t", "ramfs", "foreign", path),
                 lambda path: disks.run("mount", "--bind", other.target(), path)):
        os.mkdir(pod.target())
        make(pod.target())
        before = tree(kubelet.root)
        for kind in (wire.VOLUME_MAKE, wire.VOLUME_REMOVE, wire.VOLUME_BOUND, wire.VOLUME_EMPTY, wire.VOLUME_STAT):
            result = asker.ask(kind, pod)
            assert result.errnum == errno.EBUSY and "left as it is" in result.text, (kind, result)
        assert tree(kubelet.root) == before
        disks.run("umount", pod.target())
        os.rmdir(pod.target())
    # over ours: what is on top counts
    assert asker.make(pod).errnum == 0
    disks.run("mount", "-t", "tmpfs", "foreign", pod.target())
    assert asker.remove(pod).errnum == errno.EBUSY
    disks.run("umount", pod.target())
    assert asker.remove(pod).errnum == 0


@case
def targets_that_are_none(t):
    kubelet, _, asker = started(t)
    outside = os.path.join(t.dir, "outside")
    os.mkdir(outside)
    with open(f"{outside}/file", "w") as f:
        f.write("x")
    every = (wire.VOLUME_MAKE, wire.VOLUME_REMOVE, wire.VOLUME_BOUND, wire.VOLUME_EMPTY, wire.VOLUME_STAT)
    pod = kubelet.pod()
    for make in (lambda path: os.symlink(outside, path), lambda path: os.symlink("nowhere", path), lambda path: os.mkfifo(path)):
        make(pod.target())
        for kind in every:
            result = asker.ask(kind, pod)
            assert result.errnum in (errno.ELOOP, errno.ENOTDIR), (kind, result)
        os.unlink(pod.target())
    # a link above it
    linked = kubelet.pod()
    os.rename(linked.directory, linked.directory + "-moved")
    os.symlink(linked.directory + "-moved", linked.directory)
    for kind in every:
        assert asker.ask(kind, linked).errnum == errno.ELOOP, kind
    assert os.listdir(outside) == ["file"] and not mount_at(outside)
    # no pod, no volume
    assert asker.make("11111111-2222-3333-4444-555555555555").errnum == errno.ENOENT
    gone = asker.remove("11111111-2222-3333-4444-555555555555")
    assert (gone.errnum, gone.already) == (0, 1), gone
    nothing = asker.remove(pod)
    assert (nothing.errnum, nothing.already) == (0, 1), nothing
    os.mkdir(pod.target())  # of a publish that was cut off
    half = asker.remove(pod)
    assert (half.errnum, half.already) == (0, 0) and not os.path.exists(pod.target()), half
    os.mkdir(pod.target())
    assert asker.make(pod).errnum == 0 and mount_at(pod.target())


@case
def what_stokerd_must_not_ask(t):
    kubelet, n, asker = started(t, "  disks:\n  - name: fast\n    path: /nowhere\n    namespaces: ['team-a']\n")
    pod = kubelet.pod()
    before = tree(kubelet.root)
    for change, want in (({"size": 65 * MIB}, errno.EPERM), ({"size": 0}, errno.EINVAL), ({"inodes": 0}, errno.EINVAL), ({"mode": 0o4777}, errno.EINVAL),
                         ({"type_": 9}, errno.EINVAL), ({"place": 9}, errno.EINVAL), ({"place": wire.AT_EMPTY_DIR}, errno.EINVAL), ({"read_only": 1}, errno.EINVAL),
                         ({"sub_path": "x"}, errno.EINVAL), ({"name": "../x"}, errno.EINVAL), ({"name": ""}, errno.EINVAL), ({"name": "a/b"}, errno.EINVAL),
                         ({"type_": wire.DISK, "source": 1}, errno.EINVAL), ({"type_": wire.DISK, "namespace": "team-b"}, errno.EPERM),
                         ({"type_": wire.CHECKPOINT, "size": 0, "inodes": 0}, errno.EINVAL)):
        answer = asker.make(pod, **change)
        assert isinstance(answer, wire.Refused) and answer.errnum == want and "volume: " in answer.text, (change, answer)
    assert asker.make("../" + pod.uid[3:]).errnum == errno.EINVAL
    for kind, more, want in ((wire.VOLUME_REMOVE, {"place": wire.AT_EMPTY_DIR}, errno.EPERM), (wire.VOLUME_BOUND, {"size": 65 * MIB}, errno.EPERM),
                             (wire.VOLUME_BOUND, {"size": 1}, errno.EINVAL), (wire.VOLUME_EMPTY, {"name": ".."}, errno.EINVAL)):
        answer = asker.ask(kind, pod, **more)
        assert isinstance(answer, wire.Refused) and answer.errnum == want, (kind, more, answer)
    stale = asker.broker.receive(asker.broker.send(wire.VOLUME_MAKE, wire.volume_body(n.config_hash() ^ 1, pod.uid, "scratch")))
    assert isinstance(stale, wire.Refused) and stale.errnum == errno.ESTALE, stale
    assert tree(kubelet.root) == before


# --- new bounds ---

@case
def bounds_change_while_it_is_in_use(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    asker.make(pod, size=4 * MIB, inodes=64, uid=185, gid=185, mode=0o700)
    local = pod.empty_dir(options="size=32m,mode=0777")
    for name, place, path in (("scratch", wire.AT_CSI, pod.target()), ("spark-local-dir-1", wire.AT_EMPTY_DIR, local)):
        def bound(size, inodes):
            return asker.bound(pod, name, place=place, size=size, inodes=inodes)
        before = mount_at(path)
        up = bound(8 * MIB, 128)
        assert (up.errnum, up.already, up.size, up.inodes) == (0, 0, 8 * MIB, 128), up
        assert bound(8 * MIB, 128).already == 1
        with open(path + "/data", "wb") as f:
            f.write(b"x" * (3 * MIB))
        small = bound(2 * MIB, 128)
        assert small.errnum == errno.EINVAL and "Too small a size for current use" in small.text, small
        for i in range(40):
            open(f"{path}/{i}", "w").close()
        few = bound(4 * MIB, 32)
        assert few.errnum == errno.EINVAL and "Too few inodes for current use" in few.text, few
        now = asker.stat(pod, name, place=place)
        assert (now.size, now.inodes) == (8 * MIB, 128), now  # none of both has changed
        down = bound(3 * MIB, 64)
        assert (down.errnum, down.size, down.inodes) == (0, 3 * MIB, 64), down
        after = mount_at(path)
        assert before.options == after.options and before.source == after.source, (before, after)
        assert [o for o in before.super_options if o.startswith(("uid", "gid", "mode"))] == [o for o in after.super_options if o.startswith(("uid", "gid", "mode"))]
    assert asker.make(pod, size=4 * MIB, inodes=64, uid=185, gid=185, mode=0o700).already == 1  # the same volume all the same
    # nothing to be bounded
    pod.empty_dir("on-disk")
    assert asker.bound(pod, "on-disk", place=wire.AT_EMPTY_DIR).errnum == errno.ENOENT
    assert asker.bound(pod, "none", place=wire.AT_EMPTY_DIR).errnum == errno.ENOENT
    odd = pod.empty_dir("odd")
    disks.run("mount", "-t", "ramfs", "ramfs", odd)
    assert asker.bound(pod, "odd", place=wire.AT_EMPTY_DIR).errnum == errno.EBUSY


# --- a dead container's files ---

@case
def what_spark_left_goes_and_nothing_else(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    asker.make(pod, size=16 * MIB, uid=185, gid=185)
    for name, place, path in (("scratch", wire.AT_CSI, pod.target()), ("memory", wire.AT_EMPTY_DIR, pod.empty_dir("memory", "size=16m")),
                              ("disk", wire.AT_EMPTY_DIR, pod.empty_dir("disk"))):
        kept = spark_files(path)
        done = asker.empty(pod, name, place=place)
        assert (done.errnum, done.already) == (0, 0), done
        assert sorted(os.listdir(path)) == kept, os.listdir(path)
        assert asker.empty(pod, name, place=place).already == 1
    # a mount in it keeps its files and its way; the rest goes
    path, outside = pod.target(), os.path.join(t.dir, "outside")
    os.mkdir(outside)
    open(f"{outside}/alive", "w").close()
    os.makedirs(f"{path}/blockmgr-{UUIDS[0]}/00/mounted")
    os.makedirs(f"{path}/blockmgr-{UUIDS[0]}/01/gone")
    os.symlink(outside, f"{path}/blockmgr-{UUIDS[0]}/02")
    disks.run("mount", "--bind", outside, f"{path}/blockmgr-{UUIDS[0]}/00/mounted")
    left = asker.empty(pod)
    assert left.errnum == errno.EBUSY, left
    assert os.listdir(f"{path}/blockmgr-{UUIDS[0]}") == ["00"] and os.listdir(outside) == ["alive"]
    disks.run("umount", f"{path}/blockmgr-{UUIDS[0]}/00/mounted")
    assert asker.empty(pod).errnum == 0 and os.listdir(outside) == ["alive"]


# --- taking away what is in use, crashing in between, again and again ---

@case
def removed_while_files_are_open(t):
    kubelet, _, asker = started(t)
    pod = kubelet.pod()
    asker.make(pod)
    with open(pod.target() + "/open", "wb") as f:
        f.write(b"x" * MIB)
        gone = asker.remove(pod)
        assert gone.errnum == 0 and not mount_at(pod.target()) and not os.path.exists(pod.target()), gone
        f.write(b"still goes")
    assert asker.make(pod).already == 0


@case
def a_broker_that_comes_back_knows_its_volumes(t):
    kubelet, n, asker = started(t)
    pod = kubelet.pod("one", "two")
    for name in ("one", "two"):
        assert asker.make(pod, name, size=MIB).errnum == 0
    before = n.pid("stoker-broker")
    os.kill(before, signal.SIGKILL)
    n.wait_for(lambda: n.pid("stoker-broker") not in (None, before), "the broker to be started again")
    asker.connect()
    assert asker.make(pod, "one", size=MIB).already == 1
    assert asker.make(pod, "one", size=2 * MIB).errnum == errno.EEXIST
    for name in ("one", "two"):
        gone = asker.remove(pod, name)
        assert (gone.errnum, gone.already) == (0, 0), gone
    assert not volumes.mounts(kubelet.root)


@case
def again_and_again_leaves_all_as_before(t):
    kubelet, n, asker = started(t)
    pods = [kubelet.pod() for _ in range(10)]
    n.wait("Healthy")
    held, before = n.settled_descriptors("stoker-broker"), tree(t.dir)
    for _ in range(100 if os.environ.get("STOKER_LONG") else 10):
        for kind in (wire.VOLUME_MAKE, wire.VOLUME_REMOVE):
            for result in asker.ask_all(kind, pods, uid=185):
                assert result.errnum == 0 and result.already == 0, result
    now_held, now = n.settled_descriptors("stoker-broker"), tree(t.dir)
    assert now == before, (before, now)
    assert sorted(now_held) == sorted(held)


@case
def a_child_stands_ready_for_the_next_request(t):
    kubelet, n, asker = started(t)

    def the_spare():
        return n.wait_for(lambda: len(n.spares()) == 1 and n.spares()[0], "one child to stand ready")
    n.wait("Healthy")
    n.wait_for(lambda: not n.children_of(n.pid("stoker-broker")), "the first probe's child to end")  # it may stand in read(2), as one that is ready does
    assert not n.spares(), "it costs nothing before there is a volume"
    pods = [kubelet.pod() for _ in range(3)]
    for pod in pods:
        before = n.spares()
        assert asker.make(pod).errnum == 0 and mount_at(pod.target())
        assert the_spare() not in before, "each does one thing"
    # it has no more rights than any other that mounts, and holds nothing
    with open(f"/proc/{the_spare()}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert (int(status["CapPrm"], 16), status["NoNewPrivs"], status["Seccomp"]) == (sum(1 << c for c in (0, 1, 3, 6, 7, 21)), "1", "2"), status
    assert all(d.startswith(("socket:", "pipe:", "/dev/null", n.log_path)) for d in n.descriptors(the_spare())), n.descriptors(the_spare())
    # many at once find one
    for kind in (wire.VOLUME_REMOVE, wire.VOLUME_MAKE):
        assert all(answer.errnum == 0 and not answer.already for answer in asker.ask_all(kind, pods))
    # one that is killed before it is told is missed by nobody; then one that is told
    n.end_spares()
    assert asker.stat(pods[0]).errnum == 0
    stopped = the_spare()
    os.kill(stopped, signal.SIGSTOP)
    number = asker.send(wire.VOLUME_STAT, pods[0])
    assert asker.stat(pods[1]).errnum == 0, "the next one has its child made: the first was told already"
    os.kill(stopped, signal.SIGKILL)
    lost = asker.broker.receive(number)
    assert isinstance(lost, wire.Refused) and lost.errnum == errno.EIO, lost
    assert asker.stat(pods[0]).errnum == 0
    # it knows the configuration of its birth
    ready, other = the_spare(), Kubelet(t, os.path.join(t.dir, "another"))
    pod = other.pod()
    n.extra = n.extra.replace(kubelet.root, other.root)
    n.write_config(n.config_text())
    made = n.wait_for(lambda: (lambda a: not isinstance(a, wire.Refused) and a)(asker.make(pod)), "the broker to know the new configuration")
    assert made.errnum == 0 and mount_at(pod.target()), made
    assert the_spare() != ready
    n.end_spares()


@case
@only_long
def one_that_stands_ready_and_hangs_is_ended_at_the_requests_deadline(t):
    kubelet, n, asker = started(t)
    pod = kubelet.pod()
    assert asker.make(pod).errnum == 0
    os.kill(n.wait_for(lambda: n.spares() and n.spares()[0], "a child to stand ready"), signal.SIGSTOP)
    late = asker.stat(pod)
    assert isinstance(late, wire.Refused) and late.errnum == errno.ETIMEDOUT, late
    assert asker.stat(pod).errnum == 0
    n.wait_for(lambda: not n.children("stoker-broker"), "the late one to end")


@case
def one_request_of_a_volume_at_a_time(t):
    """The kubelet's disk is frozen, so the first one waits in the kernel; another volume does not, and who only looks does not either."""
    disk = disks.Disk(t, "ext4", os.path.join(t.dir, "disk"))
    well = Kubelet(t)
    n = Node(t, period="10m", extra=f"kubeletRoot: {disk.mount_point}\nvolumes:\n  scratch:\n    max: 64Mi\n")
    kubelet = Kubelet(t, disk.mount_point)
    pod, quick = kubelet.pod(), kubelet.pod()
    assert well.root
    n.tmpfs("size=1m")
    n.start()
    asker = Asker(t, n)
    assert asker.make(quick).errnum == 0
    disk.freeze()
    first = asker.send(wire.VOLUME_MAKE, pod)
    for kind in (wire.VOLUME_MAKE, wire.VOLUME_REMOVE):
        second = asker.ask(kind, pod)
        assert isinstance(second, wire.Refused) and second.errnum == errno.EALREADY, second
    assert asker.stat(quick).errnum == 0
    assert asker.stat(pod).errnum == errno.ENOENT, "nothing is mounted there yet"
    disk.thaw()
    assert asker.broker.receive(first).errnum == 0
    assert asker.make(pod).already == 1
    for p in (pod, quick):
        assert asker.remove(p).errnum == 0


@case
def the_hosts_mount_namespace(t):
    """The broker in a namespace of its own (as in a pod) mounts in the host's."""
    kubelet = Kubelet(t)
    n = Node(t, period="10m", extra=kubelet.settings() + "volumes:\n  scratch:\n    max: 64Mi\n")
    n.tmpfs("size=1m")
    n.start(roles=("stokerd",))
    n.start_broker_elsewhere()
    asker, pod = Asker(t, n), kubelet.pod()
    assert asker.make(pod).errnum == 0 and mount_at(pod.target())
    assert asker.remove(pod).errnum == 0 and not mount_at(pod.target())


@case
def what_is_mounted_reaches_who_shares_the_kubelets_directory(t):
    """As systemd's machines have it: everything is shared, and containers with HostToContainer are slaves of it."""
    kubelet, _, asker = started(t)
    disks.run("mount", "--bind", kubelet.root, kubelet.root)
    t.cleanup(lambda: disks.run("umount", "-l", kubelet.root))
    disks.run("mount", "--make-rshared", kubelet.root)
    slave = subprocess.Popen(["sh", "-c", "echo there; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             preexec_fn=lambda: disks.unshare_mounts([], disks.MS_SLAVE))
    t.cleanup(slave.communicate)
    assert slave.stdout.readline() == b"there\n"

    def seen():
        with open(f"/proc/{slave.pid}/mountinfo") as f:
            return pod.target() in f.read()
    pod = kubelet.pod()
    assert asker.make(pod).errnum == 0 and seen()
    assert asker.remove(pod).errnum == 0 and not seen() and not mount_at(pod.target())


@case
def a_kernel_without_the_new_mount_api(t):
    """The same result, byte for byte of the mount table."""
    seen = []
    for broker in (None, old_kernel):
        kubelet = Kubelet(t, os.path.join(t.dir, "kubelet-old" if broker else "kubelet-new"))
        n = Node(t, period="10m", directory="old" if broker else "new", extra=kubelet.settings() + "volumes:\n  scratch:\n    max: 64Mi\n")
        n.tmpfs("size=1m")
        n.start_roles(broker)
        asker, pod = Asker(t, n), kubelet.pod()
        how = {"size": 4 * MIB, "inodes": 64, "uid": 185, "gid": 1000, "mode": 0o750, "asked": 7}
        assert asker.make(pod, **how).already == 0
        mount = mount_at(pod.target())
        seen.append((mount.type, mount.source, mount.options, mount.super_options, mount.root, asker.stat(pod).size))
        assert asker.make(pod, **how).already == 1
        assert asker.make(pod, **{**how, "asked": 8}).errnum == errno.EEXIST
        up = asker.bound(pod, size=8 * MIB, inodes=128)
        assert (up.errnum, up.size, up.inodes) == (0, 8 * MIB, 128), up
        mount = mount_at(pod.target())
        seen[-1] += (mount.options, mount.super_options)
        with open(pod.target() + "/data", "wb") as f:
            f.write(b"x" * (3 * MIB))
        assert asker.bound(pod, size=MIB, inodes=128).errnum == errno.EINVAL
        assert asker.stat(pod).size == 8 * MIB
        assert not [m for m in volumes.mounts(n.runtime)] and not [x for x in os.listdir(n.runtime) if x.startswith("making")]
        assert asker.remove(pod).errnum == 0 and not mount_at(pod.target()) and not os.path.exists(pod.target())
        for p in n.extra_processes:
            n.end(p)
    assert seen[0] == seen[1], seen


if __name__ == "__main__":
    main()
