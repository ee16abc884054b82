"""What is watched without being named: disks by pattern, known paths, binds; what comes and what goes."""
import errno
import fcntl
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main  # noqa: E402
import disks  # noqa: E402
from node import Node  # noqa: E402
import wire  # noqa: E402

LONG = "10m"
KNOWN = 64  # the number of the first known path: CONFIG_WATCH_MAX


class Disks:
    """A directory of mount points, watched by a pattern."""

    def __init__(self, t, n, role="scratch"):
        self.t, self.directory = t, os.path.join(t.dir, "disks")
        os.mkdir(self.directory)
        n.watch(self.directory + "/*", role)

    def disk(self, name, kind="ext4"):
        return disks.Disk(self.t, kind, os.path.join(self.directory, name))


def paths(n):
    return sorted(os.path.basename(f["path"]) for f in n.health()["filesystems"])


def only(n, root):
    """Discovery sees one known path: nothing of the machine that this runs on is written to."""
    n.settings += f"kubeletRoot: {root}\n"
    own = os.stat(root).st_dev
    known = ["/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/cri-dockerd", "/var/lib/rancher/k3s/agent/containerd",
             "/var/lib/rancher/rke2/agent/containerd", "/var/snap/microk8s/common/var/lib/containerd", "/var/lib/k0s/containerd", "/var/log/pods"]
    for path in known:
        assert not os.path.exists(path) or os.stat(path).st_dev != own
        n.ignore(path)


@case
def disks_by_pattern_come_and_go(t):
    n = Node(t, period=LONG)
    named = n.disk("ext4")
    many = Disks(t, n)
    n.start()
    n.wait("Healthy")
    assert paths(n) == [os.path.basename(named.mount_point)]
    assert "matches no mounted disk" in n.input("discovery")["detail"] and n.input("discovery")["state"] == "ok"
    os.mkdir(os.path.join(many.directory, "empty"))  # a directory is no disk
    a, b = many.disk("a"), many.disk("b", "xfs")
    for disk in (a, b):
        fs = n.wait_fs(disk, "healthy")
        assert fs["origin"] == "pattern" and fs["fsType"] == disk.kind and fs["mounted"], fs
    assert n.fs(named)["origin"] == "configured"
    assert "matches no" not in n.input("discovery")["detail"], n.input("discovery")
    assert not os.path.exists(os.path.join(many.directory, "empty", ".stoker"))
    # healthy and gone: forgotten, and said
    a.umount()
    n.wait_for(lambda: n.fs(a) is None, "the disk to be forgotten")
    n.wait_for(lambda: [x for x in n.log("not watched any more") if x["path"] == a.mount_point], "the line that says so")
    assert n.health()["status"] == "Healthy"
    a.mount()
    n.wait_fs(a, "healthy")


@case
def a_disk_by_pattern_that_is_away_for_its_repair_stays_bad(t):
    n = Node(t, period="1s")
    n.disk("ext4")
    many = Disks(t, n)
    a = many.disk("a")
    n.start()
    n.wait("Healthy")
    n.wait_fs(a, "healthy")
    a.trigger_ext4_error()
    assert n.wait_fs(a, "bad")["reason"] == "ReadOnlyFilesystem"
    taint = n.health()["taint"]
    assert taint["value"] == "ReadOnlyFilesystem", taint
    a.umount()  # at the first try
    n.wait_for(lambda: n.log("gone while it is bad: it stays bad"), "the line that says so")
    for _ in range(2):
        before = n.fs(a)["lastProbe"]
        n.wait_for(lambda: n.fs(a)["lastProbe"] != before, "another probe")
    assert n.fs(a)["state"] == "bad" and n.health()["status"] == "Unhealthy", n.fs(a)
    for role in ("stokerd", "stoker-broker"):
        pid = n.pid(role)
        os.kill(pid, signal.SIGKILL)
        n.wait_for(lambda: n.pid(role) not in (None, pid), f"{role} to be started again")
        n.wait_for(lambda: n.input("discovery")["state"] == "ok" and n.input("broker")["state"] == "ok" and n.all_probed(), "it to have looked again")
        assert n.fs(a)["state"] == "bad", n.fs(a)
    a.fsck()
    a.mount()
    n.wait_fs(a, "healthy")
    assert not [v for v in n.log("verdict") if v["from"] == "bad" and v["to"] == "healthy"], n.log("verdict")


@case
def a_bad_disk_that_is_gone_for_good_is_ignored_on_request(t):
    n = Node(t, period=LONG)  # the broker may have the old configuration a little longer than stokerd: that is not waited for
    n.disk("ext4")
    many = Disks(t, n)
    a = many.disk("a")
    n.start()
    n.wait("Healthy")
    a.trigger_ext4_error()
    n.wait_fs(a, "bad")
    a.umount()
    n.wait_for(lambda: n.log("gone while it is bad: it stays bad"), "the line that says so")
    n.ignore(a.mount_point)
    n.write_config(n.config_text())
    n.wait_for(lambda: n.fs(a) is None, "the disk to be forgotten")
    n.wait("Healthy")
    b = many.disk("b")
    n.wait_fs(b, "healthy")
    n.write_config(n.config_text() + "# the same\n")
    count = len(n.log("probe finished"))
    n.wait_for(lambda: len(n.log("probe finished")) >= count + 2, "both to be probed under the new configuration")


@case
def a_known_path_is_found_and_breaks(t):
    n = Node(t, period="1s", discover="auto")
    disk = n.disk("ext4", watch=False)
    root = os.path.join(disk.mount_point, "kubelet")
    os.mkdir(root)
    only(n, root)
    n.start()
    n.wait("Healthy")
    fs = n.fs(root)
    assert fs["origin"] == "found" and fs["roles"] == ["kubelet"] and fs["mountPoint"] == disk.mount_point, fs
    assert len(n.health()["filesystems"]) == 1, n.health()["filesystems"]
    disk.trigger_ext4_error()
    assert n.wait_fs(root, "bad")["reason"] == "ReadOnlyFilesystem"
    assert n.health()["taint"]["effect"] == "NoSchedule"
    disk.umount()
    pid = n.pid("stokerd")
    os.kill(pid, signal.SIGKILL)
    n.wait_for(lambda: n.pid("stokerd") not in (None, pid) and n.input("discovery")["state"] == "ok", "stokerd to have looked again")
    assert n.fs(root)["state"] == "bad", n.fs(root)
    disk.fsck()
    disk.mount()
    n.wait_fs(root, "healthy")


@case
def a_known_path_gets_a_disk_of_its_own(t):
    """On the filesystem of another one it is not written to; on a disk of its own it is."""
    n = Node(t, period="1s", discover="auto")
    outer = n.disk("ext4")
    root = os.path.join(outer.mount_point, "kubelet")
    os.mkdir(root)
    only(n, root)
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: sorted(n.fs(outer)["roles"]) == ["kubelet", "scratch"], "one filesystem with two roles")
    assert len(n.health()["filesystems"]) == 1
    assert not os.path.exists(os.path.join(root, ".stoker"))
    disks.run("mount", "-t", "tmpfs", "tmpfs", root)  # memory is left alone, and said
    t.cleanup(lambda: subprocess.run(["umount", root], check=False, capture_output=True))
    n.wait_for(lambda: "lies on tmpfs" in n.input("discovery")["detail"], "the tmpfs to be named")
    assert not os.path.exists(os.path.join(root, ".stoker"))
    disks.run("umount", root)
    inner = disks.Disk(t, "xfs", os.path.join(t.dir, "inner"))
    disks.run("mount", "--bind", inner.mount_point, root)
    t.cleanup(lambda: subprocess.run(["umount", root], check=False, capture_output=True))
    n.wait_for(lambda: (n.fs(root) or {}).get("fsType") == "xfs", "its own disk to be seen")
    fs = n.wait_fs(root, "healthy")
    assert fs["fsType"] == "xfs" and fs["mounted"], fs
    disks.run("umount", root)
    n.wait_for(lambda: len(n.health()["filesystems"]) == 1, "the path to be the outer one's again")
    assert n.health()["status"] == "Healthy"


@case
def a_read_only_bind_is_not_a_sick_disk(t):
    n = Node(t, period="1s")
    n.disk("ext4")
    alone, both = n.disk("ext4", watch=False), n.disk("ext4", watch=False)
    binds = {}
    for name, disk in (("alone", alone), ("both", both)):
        binds[name] = n.watch_path("bind-" + name)
        os.mkdir(binds[name])
        disks.run("mount", "--bind", disk.mount_point, binds[name])
        t.cleanup(lambda p=binds[name]: disks.run("umount", p))
        disks.run("mount", "-o", "remount,bind,ro", binds[name])
    n.watch(both.mount_point, "writable")
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: n.fs(binds["alone"])["ignored"] and n.fs(binds["both"]) is None, "one not to be judged, and the other to be the disk's")
    fs = n.fs(binds["alone"])
    assert fs["reason"] == "ReadOnlyBind" and fs["state"] == "unknown", fs
    assert n.fs(binds["both"]) is None and sorted(n.fs(both)["roles"]) == ["scratch", "writable"], n.health()["filesystems"]
    assert n.cli("health").returncode == 0
    both.trigger_ext4_error()
    n.wait_fs(both, "bad")
    assert not [v for v in n.log("verdict") if v["path"] in binds.values() and v["to"] == "bad"], n.log("verdict")
    # writable after all: judged
    disks.run("mount", "-o", "remount,bind,rw", binds["alone"])
    n.wait_fs(binds["alone"], "healthy")
    # and the other way round, while it is watched
    disks.run("mount", "-o", "remount,bind,ro", binds["alone"])
    n.wait_for(lambda: n.fs(binds["alone"])["ignored"], "it not to be judged any more")
    assert not [v for v in n.log("verdict") if v["path"] == binds["alone"] and v["to"] == "bad"], n.log("verdict")


@case
def subvolumes_are_one_filesystem(t):
    """btrfs gives each subvolume a device number of its own."""
    n = Node(t, period="1s")
    disk = n.disk("btrfs")
    disks.run("btrfs", "subvolume", "create", disk.mount_point + "/sub")
    n.watch(disk.mount_point + "/sub", "logs")
    n.start()
    n.wait("Healthy")
    n.wait_for(lambda: len(n.health()["filesystems"]) == 1, "two subvolumes to be one filesystem")
    assert n.fs(disk)["fsType"] == "btrfs" and sorted(n.fs(disk)["roles"]) == ["logs", "scratch"], n.fs(disk)


@case
def requests_name_places_and_nothing_else(t):
    n = Node(t, period=LONG, discover="auto")
    disk = n.disk("ext4", watch=False)
    root = os.path.join(disk.mount_point, "kubelet")
    os.mkdir(root)
    only(n, root)
    many = Disks(t, n)
    a = many.disk("a")
    os.symlink(disk.mount_point, os.path.join(many.directory, "link"))
    n.start()
    n.wait("Healthy")
    pattern = next(i for i, (path, _) in enumerate(n.watched) if path.endswith("/*"))
    ignored = next(i for i, (_, role) in enumerate(n.watched) if role is None)
    h, named = n.config_hash(), wire.fnv1a(a.mount_point.encode())
    broker = wire.Broker(n.broker_socket)
    t.cleanup(broker.close)

    def probe(place, **more):
        return broker.receive(broker.send(wire.PROBE, wire.probe_body(h, place, **more)))
    for what, answer in (("a pattern without a name", probe(pattern)), ("a name for a path", probe(KNOWN, path_hash=named)),
                         ("what is ignored", probe(ignored)), ("no known path", probe(KNOWN + 15)), ("no number", probe(2**32 - 1)),
                         ("another kubelet's root", probe(KNOWN + 1)),
                         ("a look at what is configured", broker.receive(broker.send(wire.LOOK, wire.struct.pack("=QII", h, pattern, 0))))):
        assert isinstance(answer, wire.Refused) and answer.errnum == errno.EINVAL, (what, answer)
    answer = broker.receive(broker.send(wire.LOOK, wire.struct.pack("=QII", h ^ 1, KNOWN, 0)))
    assert answer.errnum == errno.ESTALE, answer
    looked = broker.receive(broker.send(wire.LOOK, wire.struct.pack("=QII", h, KNOWN, 0)))
    assert looked.errnum == 0 and wire.STEPS[looked.step] == "resolve" and looked.watch == KNOWN, looked
    good = probe(pattern, path_hash=named, watch=77)
    assert good.good and good.watch == 77, good
    for what, answer, want in (("a name that nothing has", probe(pattern, path_hash=named ^ 1), errno.ENOENT),
                               ("a link to a disk", probe(pattern, path_hash=wire.fnv1a((many.directory + "/link").encode())), errno.ENOTDIR),
                               ("what does not match", probe(pattern, path_hash=wire.fnv1a(disk.mount_point.encode())), errno.ENOENT)):
        assert isinstance(answer, wire.Finding) and answer.errnum == want and wire.STEPS[answer.step] == "resolve", (what, answer)
    # who asks while stokerd's own probe is under way gets its answer
    n.wait_for(lambda: probe(pattern, path_hash=named, mount_id=good.mount_id + 1).errnum == errno.ESTALE, "another mount to be refused")
    assert not os.path.exists(os.path.join(disk.mount_point, ".stoker"))


@case
def who_waits_for_one_probe_gets_its_own_number_back(t):
    n = Node(t, period=LONG, deadline="4s")
    disk = n.disk("ext4")
    n.start()
    n.wait("Healthy")
    h = n.config_hash()
    peers = [wire.Broker(n.broker_socket) for _ in range(2)]
    for peer in peers:
        t.cleanup(peer.close)
    disk.freeze()
    asked = [peer.send(wire.PROBE, wire.probe_body(h, 0, watch=100 + i)) for i, peer in enumerate(peers)]
    answers = [peer.receive(number) for peer, number in zip(peers, asked)]
    assert [a.watch for a in answers] == [100, 101] and all(a.errnum == errno.ETIMEDOUT for a in answers), answers
    assert len([p for p in n.children("stoker-broker") if n.process_state(p) == "D"]) <= 1
    disk.thaw()


@case
def in_the_hosts_mount_namespace(t):
    """The broker in a namespace of its own, as in a pod, finds the host's disks and none of its own."""
    n = Node(t, period="1s", discover="auto")
    disk = n.disk("ext4", watch=False)
    root = os.path.join(disk.mount_point, "kubelet")
    os.mkdir(root)
    only(n, root)
    many = Disks(t, n)
    a = many.disk("a")
    own = f"/proc/{os.getpid()}/ns/mnt"
    n.write_config_now()
    n.start(roles=("stokerd", "stoker-reporter"))
    n.extra_processes.append(n.spawn("stoker-broker", "--config", n.config_path, "--mount-namespace", own,
                                     preexec_fn=lambda: disks.unshare_mounts([a.mount_point, disk.mount_point])))
    n.wait("Healthy")
    assert n.fs(a)["origin"] == "pattern" and n.fs(root)["origin"] == "found", n.health()["filesystems"]
    b = many.disk("b")
    n.wait_fs(b, "healthy")
    a.trigger_ext4_error()
    n.wait_fs(a, "bad")


@case
def every_system_call_of_a_search_and_a_look_failing_in_turn(t):
    """An answer comes, with the errno, and nothing is left."""
    n = Node(t, period=LONG, discover="auto", extra="executors: {watch: 'off'}\n")  # no look for executors in between
    disk = n.disk("ext4", watch=False)
    root = os.path.join(disk.mount_point, "kubelet")
    os.mkdir(root)
    only(n, root)
    many = Disks(t, n)
    a = many.disk("a")
    n.start()
    n.wait("Healthy")
    broker = wire.Broker(n.broker_socket, deadline=30)
    t.cleanup(broker.close)
    h, pid = n.config_hash(), n.pid("stoker-broker")
    pattern = next(i for i, (path, _) in enumerate(n.watched) if path.endswith("/*"))
    body = wire.probe_body(h, pattern, path_hash=wire.fnv1a(a.mount_point.encode()))
    assert broker.receive(broker.send(wire.PROBE, body)).good  # our connection is accepted, and counts
    n.wait_for(lambda: not n.children("stoker-broker"), "the children to end")
    held = len(n.settled_of(pid))
    tool = os.path.join(os.environ["STOKER_TESTS"], "nth_fail")
    for kind, what in ((wire.PROBE, body), (wire.LOOK, wire.struct.pack("=QII", h, KNOWN, 0))):
        for errnum in (errno.EIO, errno.ENOMEM):
            for number in range(1, 200):
                tracer = subprocess.Popen([tool, str(pid), str(errnum), str(number)], stdout=subprocess.PIPE, text=True)
                assert tracer.stdout.readline() == "ready\n"
                answer = broker.receive(broker.send(kind, what))
                outcome = tracer.stdout.read().strip()
                tracer.wait(30)
                # a directory that cannot be read holds nothing
                if isinstance(answer, wire.Finding):
                    assert answer.errnum in (0, errnum, errno.ENOENT) or outcome == "ended before", (number, outcome, answer)
                n.wait_for(lambda: not n.children("stoker-broker"), "the child to end")
                if outcome.startswith("ended before"):
                    assert number > 3, (kind, number)
                    break
            else:
                raise AssertionError("the child never ran through")
    assert len(n.settled_of(pid)) == held, (held, n.descriptors(pid))
    assert broker.receive(broker.send(wire.PROBE, body)).good
    assert not os.listdir(os.path.join(a.mount_point, ".stoker"))


@case
def the_cli_without_a_daemon_knows_patterns(t):
    n = Node(t)
    many = Disks(t, n)
    a = many.disk("a")
    n.write_config_now()
    result = n.cli("health", "--direct")
    assert result.returncode == 0 and a.mount_point in result.stdout, result
    a.trigger_ext4_error()
    assert n.cli("health", "--direct").returncode == 1
    a.umount()
    assert n.cli("health", "--direct").returncode == 2


@case
def a_new_disk_that_hangs_delays_nobody(t):
    n = Node(t, period="1s", deadline="4s")
    well = n.disk("ext4")
    many = Disks(t, n)
    n.start()
    n.wait("Healthy")
    a = many.disk("a")
    n.wait_fs(a, "healthy")
    a.freeze()
    assert n.wait_fs(a, "bad")["reason"] == "FilesystemHung"
    well.trigger_ext4_error()
    n.wait_fs(well, "bad")
    a.thaw()
    n.wait_fs(a, "healthy")


@case
def a_new_disk_in_the_place_of_one_that_hangs_is_well(t):
    """The old one was detached with a probe of it in D state, which does not end. Whoever repairs it so need not reboot."""
    n = Node(t, period="1s", deadline="4s")
    many = Disks(t, n)
    a, spare = many.disk("a"), n.disk("ext4", watch=False)
    n.start()
    n.wait_fs(a, "healthy")
    fd = os.open(a.mount_point, os.O_RDONLY)

    def thaw():  # by the descriptor: the place is another disk's then
        fcntl.ioctl(fd, disks.THAW, 0)
        os.close(fd)
        a.frozen = False
    t.cleanup(thaw)
    a.freeze()
    assert n.wait_fs(a, "bad")["reason"] == "FilesystemHung"
    disks.run("umount", "-l", a.mount_point)
    spare.umount()
    disks.run("mount", spare.device, a.mount_point)
    t.cleanup(lambda: disks.run("umount", a.mount_point))
    n.wait_fs(a, "healthy")
    n.wait_for(lambda: n.fs(a)["source"] == spare.device, "the mount table to be read again")
    assert n.children("stoker-broker"), "the probe of the old one hangs still"


if __name__ == "__main__":
    main()
