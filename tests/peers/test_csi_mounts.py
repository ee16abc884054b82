"""From a gRPC call to the mount: stoker-csi, the real broker, and between them a stokerd that the test plays and that grants everything."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kernel"))
import csi  # noqa: E402
import disks  # noqa: E402
from cases import case, main  # noqa: E402
from node import Node  # noqa: E402
from volumes import Asker, Kubelet, mount_at, tree  # noqa: E402

MIB = 1 << 20


def started(t, more=""):
    """Kubelet, driver and client."""
    csi.needs_peers()
    kubelet = Kubelet(t)
    n = Node(t, period="10m", extra=kubelet.settings() + f"volumes:\n  scratch:\n    max: 64Mi\n{more}")
    n.tmpfs("size=1m")
    n.start()
    driver = csi.BrokerBacked(t, kubelet.root, Asker(t, n))
    return kubelet, driver, csi.Client(t, driver.endpoint)


def request(kubelet, pod, **more):
    return csi.publish_request(kubelet.root, uid=pod.uid, **more)


def named(pod, key):
    return {"volumeId": csi.volume_id(pod.uid, "scratch"), key: pod.target()}


@case
def every_identity_and_node_spec_with_real_mounts(t):
    kubelet, driver, _ = started(t)
    target = f"{kubelet.root}/pods/{csi.UID}/volumes/kubernetes.io~csi/scratch"
    os.makedirs(os.path.dirname(target))
    before = tree(kubelet.root)
    counts, said = csi.run_suite(driver.endpoint, target)
    assert counts == (csi.SPECS, 0), said
    assert tree(kubelet.root) == before


@case
def a_pod_gets_what_it_asks_for_and_leaves_nothing(t):
    kubelet, _, client = started(t)
    pod = kubelet.pod()
    before = tree(kubelet.root)
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
        usage = client.call("NodeGetVolumeStats", named(pod, "volumePath"))["response"]["usage"][0]
        assert (usage["total"], usage["used"], usage["available"]) == (str(8 * MIB), str(MIB), str(7 * MIB)), usage
        for _ in range(2):
            answer = client.call("NodeUnpublishVolume", named(pod, "targetPath"))
            assert answer["code"] == "OK", answer
        assert client.call("NodeGetVolumeStats", named(pod, "volumePath"))["code"] == "NotFound"
        assert tree(kubelet.root) == before


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


if __name__ == "__main__":
    main()
