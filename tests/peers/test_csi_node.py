"""The CSI driver as a whole: gRPC client, stoker-csi, stokerd, stoker-broker, real mounts beneath a kubelet's directory of the test."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kernel"))
from cases import case, main, wait_for  # noqa: E402
from container import Container, Pod as CgroupPod  # noqa: E402
from csi import SPECS, UID, Client, needs_peers, publish_request, run_suite, volume_id  # noqa: E402
from bench import percentile  # noqa: E402
import disks  # noqa: E402
import machine  # noqa: E402
from executor_stage import Stage  # noqa: E402
from nfs_null import NfsNull  # noqa: E402
from node import Node  # noqa: E402
from volumes import Kubelet, mount_at, tree  # noqa: E402

MIB = 1 << 20
SETTINGS = """volumes:
  capTmpfs: true
  emptyDeadScratch: true
  scratch:
    max: 64Mi
    withoutLimit: 32Mi
    reserve: 16Mi
  disks:
  - name: nvme
    path: /nonexistent/nvme
    namespaces: [team-b]
"""


def prepared(t):
    needs_peers()
    kubelet = Kubelet(t)
    os.makedirs(f"{kubelet.root}/plugins_registry")
    return kubelet


def started(t):
    kubelet = prepared(t)
    n = Node(t, period="1s", extra=kubelet.settings() + SETTINGS)
    n.tmpfs("size=1m")
    n.start()
    n.wait("Healthy")
    return kubelet, n, client_of(t, kubelet, n)


def endpoints(kubelet):
    return f"unix:{kubelet.root}/plugins/csi.stoker.dev/csi.sock", f"unix:{kubelet.root}/plugins_registry/csi.stoker.dev-reg.sock"


def client_of(t, kubelet, n):
    csi, registration = endpoints(kubelet)
    n.wait_for(lambda: os.path.exists(registration[5:]), "the registration's socket")
    client = Client(t, csi)
    client.registration = registration
    return client


def publish(client, kubelet, pod, attributes=None, name="scratch", **more):
    return client.call("NodePublishVolume", publish_request(kubelet.root, name, pod.uid, attributes, **more), timeout_ms=20000)


def unpublish(client, kubelet, pod, name="scratch"):
    request = publish_request(kubelet.root, name, pod.uid)
    return client.call("NodeUnpublishVolume", {k: request[k] for k in ("volumeId", "targetPath")}, timeout_ms=20000)


def stats(client, kubelet, pod, name="scratch"):
    request = publish_request(kubelet.root, name, pod.uid)
    answer = client.call("NodeGetVolumeStats", {"volumeId": request["volumeId"], "volumePath": request["targetPath"]}, timeout_ms=20000)
    return answer["code"], {u.get("unit", "?"): {k: int(v) for k, v in u.items() if k != "unit"} for u in answer.get("response", {}).get("usage", [])}


def request(kubelet, pod, **more):
    return publish_request(kubelet.root, uid=pod.uid, **more)


def named(pod, key):
    return {"volumeId": volume_id(pod.uid, "scratch"), key: pod.target()}


def pods_tree(kubelet):
    return tree(f"{kubelet.root}/pods")


@case
def published_measured_and_gone(t):
    kubelet, n, client = started(t)
    pod = kubelet.pod()
    made = publish(client, kubelet, pod, {"type": "scratch", "size": "16Mi", "uid": "185", "gid": "185", "mode": "0770"})
    assert made["code"] == "OK", made
    s = os.stat(pod.target())
    assert mount_at(pod.target()).type == "tmpfs" and (s.st_uid, s.st_gid, s.st_mode & 0o7777) == (185, 185, 0o770), s
    code, usage = stats(client, kubelet, pod)
    assert code == "OK" and usage["BYTES"]["total"] == 16 * MIB, (code, usage)
    assert publish(client, kubelet, pod, {"type": "scratch", "size": "16Mi", "uid": "185", "gid": "185", "mode": "0770"})["code"] == "OK"
    other = publish(client, kubelet, pod, {"type": "scratch", "size": "8Mi"})
    assert other["code"] == "AlreadyExists", other
    assert unpublish(client, kubelet, pod)["code"] == "OK" and not os.path.exists(pod.target())
    assert unpublish(client, kubelet, pod)["code"] == "OK"
    assert stats(client, kubelet, pod)[0] == "NotFound"


@case
def figures_follow_what_is_written(t):
    """They come from stoker-csi's memory: the second answer after a second is of now; who unmounts it himself is heard of too."""
    kubelet, n, client = started(t)
    pod = kubelet.pod()
    assert publish(client, kubelet, pod, {"type": "scratch", "size": "16Mi"})["code"] == "OK"
    for size in (4, 9):
        with open(pod.target() + "/data", "wb") as f:
            f.write(b"x" * (size * MIB))
        wait_for(lambda: stats(client, kubelet, pod)[1]["BYTES"]["used"] == size * MIB, "the figures to follow", pause=0.1)
    subprocess.run(["umount", pod.target()], check=True)
    wait_for(lambda: stats(client, kubelet, pod)[0] == "NotFound", "it to be missed")
    assert unpublish(client, kubelet, pod)["code"] == "OK" and not os.path.exists(pod.target())


@case
def refused_with_the_rule(t):
    kubelet, n, client = started(t)
    pod = kubelet.pod()
    for attributes, code, words in (
            ({"type": "scratch", "size": "65Mi"}, "PermissionDenied", "volumes.scratch.max"),
            ({"type": "disk", "size": "1Mi", "inodes": "100"}, "PermissionDenied", "namespace 'team-a' may use no disk (volumes.disks[].namespaces)"),
            ({"type": "checkpoint"}, "PermissionDenied", "may use no checkpoint"),
            ({"type": "scratch", "size": "-1"}, "InvalidArgument", "size"),
            ({"type": "scratch", "sise": "1Mi"}, "InvalidArgument", "sise")):
        answer = publish(client, kubelet, pod, attributes)
        assert answer["code"] == code and words in answer["message"], answer
        assert not os.path.exists(pod.target()), "half made"
    without = publish(client, kubelet, pod, {"type": "scratch"})
    assert without["code"] == "OK" and stats(client, kubelet, pod)[1]["BYTES"]["total"] == 32 * MIB, without


@case
def every_role_may_be_killed_in_between(t):
    kubelet, n, client = started(t)
    pod = kubelet.pod("a", "b")
    assert publish(client, kubelet, pod, name="a")["code"] == "OK"
    for role in ("stoker-csi", "stokerd", "stoker-broker"):
        old = n.pid(role)
        n.kill(role)
        n.wait_for(lambda: n.pid(role) not in (None, old), f"{role} to be back")

        def again():
            answer = publish(client, kubelet, pod, name="a")
            return answer["code"] == "OK" or None
        wait_for(again, f"the volume to be known after {role} ended")
        code, usage = stats(client, kubelet, pod, "a")
        assert code == "OK" and usage["BYTES"]["total"] == 16 * MIB, (role, code, usage)
    assert publish(client, kubelet, pod, name="b")["code"] == "OK"
    for name in ("a", "b"):
        assert unpublish(client, kubelet, pod, name)["code"] == "OK" and not mount_at(pod.target(name))


@case
def the_kubelets_directories_come_later_and_go(t):
    needs_peers()
    kubelet = Kubelet(t)
    n = Node(t, period="1s", extra=kubelet.settings() + SETTINGS)
    n.tmpfs("size=1m")
    n.start()
    n.wait_for(lambda: n.input("csi")["state"] == "off", "no kubelet to be said")
    os.makedirs(f"{kubelet.root}/plugins_registry")
    client = client_of(t, kubelet, n)
    pod = kubelet.pod()
    assert publish(client, kubelet, pod)["code"] == "OK"
    os.unlink(endpoints(kubelet)[1][5:])
    n.wait_for(lambda: os.path.exists(endpoints(kubelet)[1][5:]), "the registration's socket to be made again")
    wait_for(lambda: unpublish(client, kubelet, pod)["code"] == "OK" or None, "the volume to be gone", 30)
    n.write_config(n.read_config().replace("capTmpfs: true\n", "capTmpfs: true\n  csi: 'off'\n"))
    n.wait_for(lambda: not any(os.path.exists(e[5:]) for e in endpoints(kubelet)), "both sockets to be taken away")
    n.wait_for(lambda: n.input("csi")["detail"] == "volumes.csi is off", "it to be said")


@case
def every_identity_and_node_spec_with_real_mounts(t):
    kubelet, _, client = started(t)
    target = f"{kubelet.root}/pods/{UID}/volumes/kubernetes.io~csi/scratch"
    os.makedirs(os.path.dirname(target))
    before = pods_tree(kubelet)
    counts, said = run_suite(client.endpoint, target)
    assert counts == (SPECS, 0), said
    assert pods_tree(kubelet) == before


@case
def a_pod_gets_what_it_asks_for_and_leaves_nothing(t):
    kubelet, _, client = started(t)
    pod = kubelet.pod()
    before = pods_tree(kubelet)
    for attributes, group, want in (({"size": "8Mi"}, "", (0, 0, 0o1777)), ({"size": "8388608", "uid": "185"}, "1000", (185, 1000, 0o770)),
                                    ({"size": "8Mi", "mode": "0700", "uid": "1000", "gid": "0", "inodes": "64"}, "1000", (1000, 0, 0o700))):
        asked = request(kubelet, pod, attributes={"type": "scratch", **attributes})
        asked["volumeCapability"]["mount"] = {"volumeMountGroup": group}
        for _ in range(2):  # the same again is the same volume
            answer = client.call("NodePublishVolume", asked)
            assert answer["code"] == "OK", answer
        found, st, mount = os.stat(pod.target()), os.statvfs(pod.target()), mount_at(pod.target())
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == want, (oct(found.st_mode), found.st_uid, found.st_gid, want)
        assert st.f_blocks * st.f_frsize == 8 * MIB and mount.type == "tmpfs" and {"nosuid", "nodev"} <= set(mount.options), mount
        with open(pod.target() + "/x", "wb") as f:
            f.write(bytes(MIB))

        def measured():  # from memory, and measured again behind the kubelet's back
            usage = client.call("NodeGetVolumeStats", named(pod, "volumePath"))["response"]["usage"][0]
            return (usage["total"], usage["used"], usage["available"]) == (str(8 * MIB), str(MIB), str(7 * MIB))
        wait_for(measured, "what was written to be in the figures", 30)
        for _ in range(2):
            answer = client.call("NodeUnpublishVolume", named(pod, "targetPath"))
            assert answer["code"] == "OK", answer
        assert client.call("NodeGetVolumeStats", named(pod, "volumePath"))["code"] == "NotFound"
        assert pods_tree(kubelet) == before


@case
def what_is_there_already_is_not_touched(t):
    kubelet, _, client = started(t)
    pod = kubelet.pod()
    assert client.call("NodePublishVolume", request(kubelet, pod))["code"] == "OK"
    answer = client.call("NodePublishVolume", request(kubelet, pod, attributes={"type": "scratch", "size": "8Mi"}))
    assert answer["code"] == "AlreadyExists" and answer["message"], answer
    client.call("NodeUnpublishVolume", named(pod, "targetPath"))
    os.mkdir(pod.target())
    disks.mount_tmpfs(pod.target())
    t.cleanup(lambda: subprocess.run(["umount", "-l", pod.target()], check=False))
    foreign = repr(mount_at(pod.target()))
    for method, body in (("NodePublishVolume", request(kubelet, pod)), ("NodeUnpublishVolume", named(pod, "targetPath"))):
        answer = client.call(method, body)
        assert answer["code"] == "FailedPrecondition" and answer["message"], answer
    assert repr(mount_at(pod.target())) == foreign
    # a pod that is gone, and one whose directory is a way out
    gone = kubelet.pod()
    kubelet.remove(gone)
    assert client.call("NodePublishVolume", request(kubelet, gone))["code"] == "NotFound"
    assert client.call("NodeUnpublishVolume", named(gone, "targetPath"))["code"] == "OK"
    link = kubelet.pod()
    os.rmdir(os.path.dirname(link.target()))
    os.symlink(t.dir, os.path.dirname(link.target()))
    answer = client.call("NodePublishVolume", request(kubelet, link))
    assert answer["code"] == "FailedPrecondition" and not os.path.exists(t.dir + "/mount"), answer


class Executors(Stage):
    """A runtime that is the test, beside a kubelet that is the test: a pod with two volumes of ours and one of the kubelet's."""

    def __init__(self, t, more=""):
        self.kubelet = prepared(t)
        super().__init__(t, extra=self.kubelet.settings() + SETTINGS + more)
        self.serve()
        self.client = client_of(t, self.kubelet, self.node)

    def pod(self, *names):
        pod = CgroupPod(self.t)
        return pod, self.kubelet.pod(*names, uid=pod.uid)

    def size(self, path):
        s = os.statvfs(path)
        return s.f_blocks * s.f_frsize // MIB

    def wait_size(self, path, mib):
        self.node.wait_for(lambda: self.size(path) == mib, f"{path} to have {mib} MiB")


@case
def scratch_is_bounded_to_what_the_limit_leaves(t):
    s = Executors(t)
    pod, volumes = s.pod("free", "asked")
    kubelets = volumes.empty_dir("spark-local-dir-1", "size=48m")
    others = volumes.empty_dir("dshm", "size=48m")
    for name, attributes in (("free", {"type": "scratch"}), ("asked", {"type": "scratch", "size": "40Mi"})):
        assert publish(s.client, s.kubelet, volumes, attributes, name)["code"] == "OK"
    assert [s.size(volumes.target(n)) for n in ("free", "asked")] == [32, 40]
    s.node.wait_for(lambda: len(s.get("volumes")) == 3, "all three to be known")
    container = s.new(pod=pod, limit_mib=162)
    # 162 less 32 of heap and 16 of reserve, for three: 38 each; what was asked for, or given by the kubelet, only becomes less
    for path in (volumes.target("free"), volumes.target("asked"), kubelets):
        s.wait_size(path, 38)
    assert s.size(others) == 48, "not Spark's: left alone"
    shown = {v["name"]: v for v in s.get("volumes")}
    assert all(v["bounded"] and v["sizeBytes"] == 38 * MIB and v["owner"].startswith("app etl exec 7") for v in shown.values()), shown
    assert publish(s.client, s.kubelet, volumes, {"type": "scratch"}, "free")["code"] == "OK", "the same again is the same"
    assert container.id


@case
def an_injected_scratch_and_a_volume_share_the_limit(t):
    s = Executors(t, "  inject:\n  - {namespaces: ['*'], path: /scratch}\n")
    pod, volumes = s.pod("scratch")
    assert publish(s.client, s.kubelet, volumes, {"type": "scratch"})["code"] == "OK"
    container = Container(pod, limit_mib=162)
    answer = s.runtime.create(container)
    s.runtime.start(container)
    # 162 less 32 of heap and 16 of reserve, for both
    assert f"size={57 * MIB}".encode() in answer and b"stoker-scratch" in answer, answer
    s.wait_size(volumes.target(), 57)
    assert unpublish(s.client, s.kubelet, volumes)["code"] == "OK"
    # a stokerd and a stoker-nri that come anew are told, too
    assert publish(s.client, s.kubelet, volumes, {"type": "scratch"})["code"] == "OK"
    s.node.kill("stoker-nri")
    s.runtime.serve([pod])
    assert f"size={57 * MIB}".encode() in s.runtime.create(Container(pod, limit_mib=162))
    # nothing but what is injected
    assert f"size={64 * MIB}".encode() in s.runtime.create(Container(CgroupPod(t), limit_mib=162)), "volumes.scratch.max"


@case
def what_is_written_already_stays(t):
    s = Executors(t)
    pod, volumes = s.pod("scratch")
    assert publish(s.client, s.kubelet, volumes, {"type": "scratch"})["code"] == "OK"
    with open(volumes.target() + "/ballast", "wb") as f:
        f.write(b"x" * (24 * MIB))
    s.new(pod=pod, limit_mib=36)
    s.node.wait_for(lambda: s.node.log("scratch not bounded"), "the refusal to be said")
    assert s.size(volumes.target()) == 32 and os.path.getsize(volumes.target() + "/ballast") == 24 * MIB


@case
def a_dead_executors_files_go_and_others_stay(t):
    s = Executors(t)
    pod, volumes = s.pod("scratch")
    assert publish(s.client, s.kubelet, volumes, {"type": "scratch"})["code"] == "OK"
    left = f"{volumes.target()}/blockmgr-0a1b2c3d-1111-4222-8333-444455556666"
    os.mkdir(left)
    for path in (f"{left}/shuffle_0_0_0.data", f"{volumes.target()}/mine"):
        with open(path, "wb") as f:
            f.write(b"x" * MIB)
    container = s.new(pod=pod, limit_mib=64)
    container.kill()
    s.runtime.stopped(container)
    death = s.death(container)
    assert death["volume"]["name"] == "scratch" and death["volume"]["sizeBytes"] == 16 * MIB and death["volume"]["usedBytes"] >= 2 * MIB, death
    said = s.node.cli("why", pod.name).stdout
    assert "volume" in said and "scratch: 2 MiB of 16 MiB" in said, said
    s.node.wait_for(lambda: not os.path.exists(left), "what the dead executor wrote to be gone")
    assert os.path.exists(f"{volumes.target()}/mine")


@case
def a_server_that_hangs_delays_nobody_else(t):
    """The kubelet's calls about other volumes while three of a hung server's are waited for, as many as it may have. What waits in the kernel for
    a server, in tests/guest/test_checkpoint.py."""
    kubelet, server, count = prepared(t), NfsNull(t), 100
    n = Node(t, period="1s", extra=kubelet.settings() + f"""volumes:
  scratch:
    max: 64Mi
  checkpointDeadline: 60s
  checkpoints:
  - {{name: streams, server: 127.0.0.1, port: {server.port}, export: /streams, namespaces: [team-a]}}
""")
    n.tmpfs("size=1m")
    n.start()
    n.wait("Healthy")
    client, others = client_of(t, kubelet, n), Client(t, endpoints(kubelet)[0])

    def measured():
        answer = others.call("bench.", bench={"kubelet": kubelet.root, "count": count, "steps": [0, 1, 2], "context": {"type": "scratch", "size": "4Mi"}})
        assert answer["code"] == "OK", answer
        return dict(zip(("publish", "stats", "unpublish"), answer["samples"]))
    measured()  # warm
    quiet = measured()
    server.hang()
    pods = [kubelet.pod() for _ in range(3)]
    hung = [client.begin("NodePublishVolume", publish_request(kubelet.root, uid=pod.uid, attributes={"type": "checkpoint", "checkpoint": "streams"}),
                         timeout_ms=90000, **{"async": True}) for pod in pods]
    # stokerd, which mounts what is wanted on the node, has one of the three places
    wait_for(lambda: len([c for c in n.children("stoker-broker") if n.children_of(c)]) == 3, "three to wait for the server")
    beside, again = measured(), measured()
    for name, before in quiet.items():
        now = beside[name] + again[name]
        print(f"    {name}: p50 {percentile(now, 50) / 1000:.2f} ms, p99 {percentile(now, 99) / 1000:.2f} ms beside a hung server; "
              f"{percentile(before, 50) / 1000:.2f} and {percentile(before, 99) / 1000:.2f} without", flush=True)
        # a busy machine is slow in both, or in one of them; who waits for the server waits for a minute
        assert percentile(now, 50) < 3 * percentile(before, 50) + 50000 and max(now) < 10000000, (name, before, now)
    assert len([c for c in n.children("stoker-broker") if n.children_of(c)]) == 3, "it was hung all the time"
    server.go_on()
    answers = [client.result(number) for number in hung]
    assert all(a["code"] != "OK" and "NFS" in a["message"] or a["code"] == "Unavailable" for a in answers), answers  # this machine's kernel has none


if __name__ == "__main__":
    main(machine.own_network)
