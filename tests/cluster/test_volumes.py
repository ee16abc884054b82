"""Volumes of csi.stoker.dev in real pods: the driver registered with a real kubelet, mounted, bounded, owned, and gone with its pod."""
import atexit
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import images  # noqa: E402
from cases import Context, case, main, wait_for  # noqa: E402
from executor_node import ExecutorNode  # noqa: E402

SETTINGS = """volumes:
  scratch: {max: 64Mi, withoutLimit: 24Mi, reserve: 16Mi, inodes: 500}
"""


class World(ExecutorNode):
    def __init__(self):
        context = Context("volumes")
        atexit.register(context.close)
        super().__init__(context, SETTINGS)
        self.node.ctr("image", "import", "--local", images.payload(context.dir, f"{os.environ['STOKER_TESTS']}/payload"))
        self.count = 0

    def pod(self, t, attributes, steps, uid=1000, labels=None, env=None, **more):
        """One with a volume of ours at /scratch. Gives its name."""
        self.count += 1
        name = f"volume-{self.count}"
        container = {"name": "main", "image": images.PAYLOAD, "imagePullPolicy": "Never", "args": ["executor", *steps],
                     "env": [{"name": k, "value": v} for k, v in (env or {}).items()], "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "10m"}},
                     "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}
        self.node.api("POST", "/api/v1/namespaces/default/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "containers": [container],
                     "securityContext": {"runAsUser": uid, "runAsGroup": uid, "fsGroup": uid, **more},
                     "volumes": [{"name": "scratch", "csi": {"driver": "csi.stoker.dev", "volumeAttributes": attributes}}]}})
        t.cleanup(lambda: self.delete(name))
        return name

    def target(self, name):
        return f"{self.node.kubelet_root}/pods/{self.get(name)['metadata']['uid']}/volumes/kubernetes.io~csi/scratch/mount"

    def csi(self):
        return self.stoker.health()["inputs"].get("csi", {}).get("state")


WORLD = []


def world(t):
    if not WORLD:
        WORLD.append(World())
    t.note(lambda: WORLD[0].stoker.logs())
    wait_for(lambda: WORLD[0].csi() == "ok", "the kubelet to have registered the driver", 60)
    return WORLD[0]


@case
def written_by_its_own_user_and_full_is_enospc(t):
    w = world(t)
    for uid in (185, 1000):
        name = w.pod(t, {"type": "scratch", "size": "16Mi", "inodes": "64"}, ["touch=/scratch/shuffle", "child=writer:file=/scratch/big:64"], uid)
        pod = w.running(name)
        pid = w.first_process(name)
        root = f"/proc/{pid}/root/scratch"
        wait_for(lambda: os.path.exists(f"{root}/big") and os.statvfs(root).f_bavail == 0, "it to be full")
        st, fs = os.stat(f"{root}/shuffle"), os.statvfs(root)
        assert (st.st_uid, fs.f_blocks * fs.f_frsize, fs.f_files) == (uid, 16 << 20, 64), (st, fs)
        assert w.running(name)["status"]["containerStatuses"][0]["restartCount"] == 0
        shown = w.stoker.exec("stoker", "volumes", "-o", "wide").stdout
        assert name in shown and "scratch" in shown and "16 MiB" in shown, shown
        target = w.target(name)
        w.delete(name)
        wait_for(lambda: w.is_gone(name), "the pod to be gone", 60)
        assert not os.path.exists(target) and pod["metadata"]["uid"] not in open("/proc/mounts").read()


@case
def an_executors_scratch_is_what_its_limit_leaves(t):
    w = world(t)
    labels = {"spark-role": "executor", "spark-app-selector": "spark-bound", "spark-app-name": "bound", "spark-exec-id": "3", "spark-version": "4.3.0"}
    name = w.pod(t, {"type": "scratch"}, ["touch=/scratch/x"], 185, labels, {"SPARK_EXECUTOR_MEMORY": "64m", "SPARK_EXECUTOR_ID": "3"})
    w.running(name)
    target = w.target(name)
    # 128 of limit less 64 of heap and 16 of reserve
    wait_for(lambda: os.statvfs(target).f_blocks * os.statvfs(target).f_frsize == 48 << 20, "it to be bounded")
    assert w.event(name, reason="ScratchBounded")["type"] == "Normal"


@case
def a_bad_attribute_is_said_where_people_look(t):
    w = world(t)
    name = w.pod(t, {"type": "scratch", "size": "65Mi"}, ["touch=/scratch/x"])

    def said():
        return next((e for e in w.all_events() if e["regarding"].get("name") == name and e["reason"] == "FailedMount" and "volumes.scratch.max" in e["note"]), None)
    wait_for(said, "the rule in the pod's Events", 60)
    assert w.get(name)["status"]["phase"] == "Pending"


@case
def kubelet_and_agent_end_in_either_order(t):
    w = world(t)
    name = w.pod(t, {"type": "scratch", "size": "16Mi"}, ["touch=/scratch/x"])
    w.running(name)
    w.node.stop("kubelet")
    agent = w.stoker.processes("agent")[0]
    os.kill(agent, 9)
    w.node.start_kubelet()
    wait_for(lambda: w.stoker.pid_or_none("agent") not in (None, agent), "the agent to be started again", 60)
    wait_for(lambda: w.csi() == "ok", "the driver to be registered again", 60)
    for other in (w.pod(t, {"type": "scratch", "size": "16Mi"}, ["touch=/scratch/x"]), name):
        w.running(other)
        target = w.target(other)
        assert os.path.ismount(target)
        w.delete(other)
        wait_for(lambda: w.is_gone(other) and not os.path.exists(target), f"{other} and its volume to be gone", 60)


if __name__ == "__main__":
    main()
