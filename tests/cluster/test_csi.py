"""Inline volumes with a real kubelet: registration, pods, and restarts of kubelet, driver and all of Stoker in every order."""
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kernel"))
import images  # noqa: E402
import machine  # noqa: E402
from cases import case, main, wait_for  # noqa: E402
from kubenode import KubeNode  # noqa: E402
from node import Node  # noqa: E402
from volumes import mounts  # noqa: E402

DRIVER = "csi.stoker.dev"


class World:
    def __init__(self, t, serve="auto"):
        self.t, self.node = t, KubeNode(t)
        self.root = self.node.kubelet_root
        self.stoker = Node(t, period="1s", name=self.node.name, extra=f"kubeletRoot: {self.root}\nvolumes:\n  csi: {serve}\n  scratch:\n    max: 64Mi\n")
        self.stoker.tmpfs("size=1m")
        self.stoker.start()
        self.count = 0
        self.node.api("POST", "/apis/storage.k8s.io/v1/csidrivers", {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {
            "attachRequired": False, "podInfoOnMount": True, "volumeLifecycleModes": ["Ephemeral"], "fsGroupPolicy": "None"}})

    def wait_registered(self):
        self.stoker.wait_for(lambda: self.stoker.input("csi")["state"] == "ok", "the kubelet to register the driver")
        wait_for(self.in_csinode, "the driver in CSINode", 60)

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


    def run_and_remove(self):
        name = self.pod({"type": "scratch", "size": "8Mi"})
        wait_for(lambda: self.phase(name) == "Running", "the pod to run", 60, 0.1)
        self.remove(name)

    def remove(self, name):
        self.delete(name)
        wait_for(lambda: not self.ours(), "the volume to be removed", 60, 0.1)


@case
def a_kubelet_and_the_driver_in_every_order(t):
    w = World(t)
    t.note(lambda: f"{w.ours()}\n")
    w.wait_registered()

    # a pod of an ordinary user writes, up to the bound and not beyond
    name = w.pod({"type": "scratch", "size": "8Mi"}, "/bin/busybox dd if=/dev/zero of=/scratch/x bs=1M count=16; sleep 1000", fs_group=1000)
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    mount = w.ours()[0]
    found = os.stat(mount.point)
    assert (found.st_gid, found.st_mode & 0o7777) == (1000, 0o770) and mount.type == "tmpfs", (found, mount)
    wait_for(lambda: os.statvfs(mount.point).f_bavail == 0, "the pod to fill it")

    # what is wrong is told where people look
    bad = w.pod({"type": "scratch", "size": "512m"})
    wait_for(lambda: any(re.search(r"size: must be a whole number of bytes .* not '512m'", note) for note in w.events(bad)), "the Event", 60, 0.1)
    w.delete(bad)

    # the driver's process is killed: stokerd starts it again on the same sockets
    old = w.stoker.pid("stoker-csi")
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: w.stoker.pid("stoker-csi") not in (None, old), "another stoker-csi")
    w.remove(name)

    # the kubelet restarted while a pod has a volume
    name = w.pod({"type": "scratch", "size": "8Mi"})
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    w.node.stop("kubelet")
    w.node.start_kubelet()
    w.remove(name)

    # all of Stoker restarted: it knows its volumes from the mounts
    name = w.pod({"type": "scratch", "size": "8Mi"})
    wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
    w.stoker.stop()
    assert w.ours()
    w.stoker.start()
    w.remove(name)

    # both gone: one comes first, then the other
    for order in ((w.node.start_kubelet, w.stoker.start), (w.stoker.start, w.node.start_kubelet)):
        w.node.stop("kubelet")
        w.stoker.stop()
        for start in order:
            start()
        w.wait_registered()
        w.run_and_remove()


if __name__ == "__main__":
    main(machine.own)
