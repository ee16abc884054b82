"""Inline volumes with a real kubelet: registration, pods, restarts of kubelet and driver. stokerd is played by the test, which grants
everything; stoker-csi and the broker are real."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kernel"))
import csi  # noqa: E402
import images  # noqa: E402
from cases import case, main, wait_for  # noqa: E402
from kubenode import KubeNode  # noqa: E402
from node import Node  # noqa: E402
from volumes import Asker, mounts  # noqa: E402

DRIVER = "csi.stoker.dev"


class World:
    def __init__(self, t):
        csi.needs_peers()
        self.t, self.node = t, KubeNode(t)
        self.root = self.node.kubelet_root
        self.stoker = Node(t, period="10m", extra=f"kubeletRoot: {self.root}\nvolumes:\n  scratch:\n    max: 64Mi\n")
        self.stoker.tmpfs("size=1m")
        self.stoker.start()
        self.asker, self.driver, self.count = Asker(t, self.stoker), None, 0
        self.node.api("POST", "/apis/storage.k8s.io/v1/csidrivers", {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {
            "attachRequired": False, "podInfoOnMount": True, "volumeLifecycleModes": ["Ephemeral"], "fsGroupPolicy": "None"}})

    def start_driver(self):
        paths = [f"{self.root}/plugins/{DRIVER}/csi.sock", f"{self.root}/plugins_registry/{DRIVER}-reg.sock"]
        for path in paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.exists(path):
                os.unlink(path)
        self.driver = csi.BrokerBacked(self.t, self.root, self.asker, node=self.node.name, sockets=paths)

    def registered(self):
        return any(kind == csi.REGISTERED and body[0] == 1 for kind, body in self.driver.told)

    def in_csinode(self):
        status, body = self.node.request("GET", f"/apis/storage.k8s.io/v1/csinodes/{self.node.name}")[:2]
        return status == 200 and DRIVER in json.dumps(body)

    def pod(self, attributes, command="sleep 1000", fs_group=None):
        self.count += 1
        name = f"csi-{self.count}"
        security = {"runAsUser": 185} | ({"fsGroup": fs_group} if fs_group else {})
        self.node.api("POST", "/api/v1/namespaces/default/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "securityContext": security,
            "volumes": [{"name": "scratch", "csi": {"driver": DRIVER, "volumeAttributes": attributes}}],
            "containers": [{"name": "c", "image": images.BUSYBOX, "imagePullPolicy": "Never", "command": ["/bin/busybox", "sh", "-c", command],
                            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}]}})
        self.t.cleanup(lambda: self.node.request("DELETE", f"/api/v1/namespaces/default/pods/{name}"))
        return name

    def phase(self, name):
        return self.node.api("GET", f"/api/v1/namespaces/default/pods/{name}")["status"]["phase"]

    def delete(self, name):
        self.node.request("DELETE", f"/api/v1/namespaces/default/pods/{name}")
        wait_for(lambda: self.node.request("GET", f"/api/v1/namespaces/default/pods/{name}")[0] == 404, f"{name} to be gone", 60, 0.1)

    def ours(self):
        return [m for m in mounts(self.root) if "kubernetes.io~csi" in m.point]

    def events(self, name):
        return [e["note"] for e in self.node.api("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"] if e["regarding"].get("name") == name]


@case
def a_kubelet_and_the_driver_in_every_order(t):
    w = World(t)
    t.note(lambda: f"{w.ours()}\n{[(kind, number, volume.pod_uid) for kind, number, volume in w.driver.asked]}\n")
    w.start_driver()
    wait_for(w.registered, "the kubelet to register the driver", 30)
    wait_for(w.in_csinode, "the driver in CSINode", 30)

    # a pod of an ordinary user writes, up to the bound and not beyond
    name = w.pod({"type": "scratch", "size": "8Mi"}, "/bin/busybox dd if=/dev/zero of=/scratch/x bs=1M count=16; /bin/busybox ls -ln /scratch; sleep 1000", fs_group=1000)
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    mount = w.ours()[0]
    found = os.stat(mount.point)
    assert (found.st_gid, found.st_mode & 0o7777) == (1000, 0o770) and mount.type == "tmpfs", (found, mount)
    wait_for(lambda: os.statvfs(mount.point).f_bavail == 0, "the pod to fill it")

    # what is wrong is told where people look
    bad = w.pod({"type": "scratch", "size": "512m"})
    wait_for(lambda: any(re.search(r"size: must be a whole number of bytes .* not '512m'", note) for note in w.events(bad)), "the Event", 30, 0.1)
    w.delete(bad)

    # the driver restarted: the volume stays, the kubelet registers it anew, and it can be removed
    w.driver.end()
    assert w.ours()
    w.start_driver()
    wait_for(w.registered, "the kubelet to register the new driver", 30)
    w.delete(name)
    wait_for(lambda: not w.ours(), "the volume to be removed", 60, 0.1)

    # the kubelet restarted while a pod has a volume
    name = w.pod({"type": "scratch", "size": "8Mi"})
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    told = len(w.driver.told)
    w.node.stop("kubelet")
    w.node.start_kubelet()
    wait_for(lambda: any(kind == csi.REGISTERED and body[0] == 1 for kind, body in w.driver.told[told:]), "the new kubelet to register the driver", 60)
    w.delete(name)
    wait_for(lambda: not w.ours(), "the volume to be removed", 60, 0.1)

    # both gone, the driver comes last
    w.node.stop("kubelet")
    w.driver.end()
    w.node.start_kubelet()
    w.start_driver()
    wait_for(w.registered, "the kubelet to find the driver", 60)
    name = w.pod({"type": "scratch", "size": "8Mi"})
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    w.delete(name)
    wait_for(lambda: not w.ours(), "the volume to be removed", 60, 0.1)


if __name__ == "__main__":
    main()
