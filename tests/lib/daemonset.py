"""Stoker as it is installed: the image and the kustomize files of deploy/, on a real node."""
import fcntl
import json
import os
import subprocess

from cases import wait_for
from node import UnixConnection

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
NAMESPACE = "stoker-system"
CONTAINERS = ("agent", "reporter", "broker")
# what is watched is what a case makes, never the disks of the machine that it runs on
SETTINGS = """discover: 'off'
probe:
  period: 1s
  minimumBad: 1s
web:
  listen: 127.0.0.1:9469
report:
  group: 65532
  taintSingleNode: true
"""


def make_image(path, checkout=TOP):
    """By deploy/image: half a minute. Gives its digest."""
    r = subprocess.run([f"{checkout}/deploy/image", "--output", path], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout.split("sha256:")[1].split(",")[0]


def kept_image():
    """Where the image of this very commit lies, if nothing is changed."""
    def git(*args):
        return subprocess.run(["git", "-C", TOP, *args], capture_output=True, text=True)
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    if commit.returncode != 0 or changes.returncode != 0 or changes.stdout:
        return None
    return os.path.join(os.environ["STOKER_BIN"], f"image-{commit.stdout.strip()[:16]}.tar")


def image(directory):
    """(path, digest). Of a checkout without changes it is made once for all files of tests."""
    kept = kept_image()
    if not kept:
        path = os.path.join(directory, "stoker.tar")
        return path, make_image(path)
    with open(kept + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another file may be at it
        if not os.path.exists(kept + ".digest"):
            digest = make_image(kept)
            with open(kept + ".digest", "w") as f:
                f.write(digest)
        with open(kept + ".digest") as f:
            return kept, f.read()


class DaemonSet:
    def __init__(self, node, directory, overlay="base", settings="", archive=None, data=None, port=None):
        """`node` is a KubeNode; `settings` is the ConfigMap's YAML; `data` is the directory above the disks (overlay observe-only); `port` is the
        one that the settings have it listen at, if not the default one: two tests on one machine."""
        self.data, self.port = data, port
        self.node, self.dir, self.overlay = node, directory, overlay
        self.runtime = os.path.join(directory, "stoker-run")
        os.makedirs(self.dir, exist_ok=True)
        self.settings = settings
        self.image = archive or image(self.dir)[0]
        node.ctr("image", "import", "--local", self.image)

    def kustomization(self, tag=None):
        """The test's own overlay: where the API server is (no kube-proxy here), where /run/stoker lies, what is watched."""
        agent = {"name": "agent"}
        containers = [agent,
            {"name": "reporter", "env": [{"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
                                         {"name": "KUBERNETES_SERVICE_PORT", "value": str(self.node.port)}]},
            # Process 1 of the machines that test this cannot be looked at, not even by root; any other of the host's will do.
            {"name": "broker", "command": ["/stoker/stoker-broker", "--mount-namespace", f"/proc/{os.getpid()}/ns/mnt",
                                           *(["--without-volumes"] if self.overlay.endswith("no-volumes") else [])]}]
        if self.overlay.endswith("observe-only"):
            containers[2] = {"name": "broker", "volumeMounts": [{"name": "mnt", "mountPath": self.data, "mountPropagation": "HostToContainer"},
                                                                {"$patch": "delete", "mountPath": "/mnt"}, {"$patch": "delete", "mountPath": "/var/lib/kubelet"}]}
        if self.port:
            agent["ports"] = [{"$patch": "replace"}, {"name": "metrics", "containerPort": self.port, "hostPort": self.port}]
        volumes = [{"name": "runtime", "hostPath": {"path": self.runtime, "type": "DirectoryOrCreate"}},
                   {"name": "reporter", "hostPath": {"path": self.runtime + "/reporter", "type": "DirectoryOrCreate"}},
                   {"name": "nri", "hostPath": {"path": self.node.nri, "type": "DirectoryOrCreate"}}]
        if not self.overlay.endswith(("observe-only", "no-volumes")):
            parts = {"csi": "plugins/csi.stoker.dev", "csi-registry": "plugins_registry"}
            agent["volumeMounts"] = [m for name, part in parts.items() for m in (
                {"$patch": "delete", "mountPath": f"/var/lib/kubelet/{part}"}, {"name": name, "mountPath": f"{self.node.kubelet_root}/{part}"})]
            volumes += [{"name": name, "hostPath": {"path": f"{self.node.kubelet_root}/{part}", "type": "DirectoryOrCreate"}} for name, part in parts.items()]
        if self.overlay.endswith("observe-only"):
            volumes.append({"name": "mnt", "hostPath": {"path": self.data}})
        ours = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                "resources": [os.path.relpath(f"{TOP}/deploy/kustomize/{self.overlay}", self.dir)],
                "configMapGenerator": [{"name": "stoker", "namespace": NAMESPACE, "behavior": "merge", "files": ["stoker.yaml"],
                                        "options": {"disableNameSuffixHash": True}}],
                "patches": [{"patch": json.dumps({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "stoker", "namespace": NAMESPACE},
                                                  "spec": {"template": {"spec": {"containers": containers, "volumes": volumes}}}})}]}
        if tag:
            ours["images"] = [{"name": "localhost/stoker", "newTag": tag}]
        settings = self.settings.replace("report:\n", 'report:\n  taint: "off"\n') if self.overlay.endswith("no-taint") else self.settings
        with open(f"{self.dir}/stoker.yaml", "w") as f:
            f.write(settings)
        with open(f"{self.dir}/kustomization.yaml", "w") as f:
            json.dump(ours, f)
        return self.node.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", self.dir).stdout

    def apply(self, tag=None):
        self.node.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=self.kustomization(tag))

    def script(self, name, *args):
        """deploy/install or deploy/uninstall, as a person would call it on this node."""
        self.kustomization()
        self.node.kubectl("version", "--client")  # writes the kubeconfig
        env = {**os.environ, "KUBECONFIG": f"{self.node.dir}/admin.kubeconfig", "CONTAINERD_ADDRESS": f"{self.node.run}/containerd.sock"}
        return subprocess.run([f"{TOP}/deploy/{name}", "containerd", *args], capture_output=True, text=True, env=env, timeout=200)

    def configure(self, settings):
        self.settings = settings
        self.apply()

    # --- what it is ---

    def pod(self):
        items = json.loads(self.node.kubectl("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=stoker", "-o", "json").stdout)["items"]
        items = [p for p in items if not p["metadata"].get("deletionTimestamp")]
        return items[0] if items else None

    def is_ready(self):
        pod = self.pod()
        return pod and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))

    def wait_ready(self, deadline=60):
        wait_for(self.is_ready, "the DaemonSet's pod to be ready", deadline, 0.1)

    def container(self, name):
        """The container's id, as the runtime has it; None while it is not running, or the pod's status is behind."""
        for c in (self.pod() or {"status": {}})["status"].get("containerStatuses", []):
            if c["name"] == name and "running" in c["state"]:
                return c["containerID"].split("://")[1]
        return None

    def pid(self, name):
        """Of the container's first process."""
        return wait_for(lambda: self.pid_or_none(name), f"the container {name} to run", 60, 0.1)

    def pid_or_none(self, name):
        container = self.container(name)
        for line in self.node.ctr("task", "ls").stdout.splitlines()[1:]:
            task, pid, state = line.split()
            if task == container and state == "RUNNING":
                return int(pid)
        return None

    def exec(self, *argv, container="agent", check=True):
        return self.node.kubectl("exec", "-n", NAMESPACE, self.pod()["metadata"]["name"], "-c", container, "--", *argv, check=check)

    def get(self, path):
        """What the agent answers on its socket, or None."""
        c = UnixConnection(f"{self.runtime}/stoker.sock")
        try:
            c.request("GET", path)
            return json.loads(c.getresponse().read())
        except (OSError, ValueError):
            return None
        finally:
            c.close()

    def health(self):
        return self.get("/v1alpha1/health") or {"status": "no answer", "inputs": {}}

    def processes(self, name):
        """Every process of one of our containers: its first one and that one's children."""
        first = self.pid(name)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True).stdout.split()
        return [first, *map(int, children)]

    def signal(self, name, number):
        for pid in self.processes(name):
            os.kill(pid, number)

    def log_lines(self, container):
        return self.node.kubectl("logs", "-n", NAMESPACE, self.pod()["metadata"]["name"], "-c", container, "--tail=-1").stdout.splitlines() + \
            self.node.kubectl("logs", "-n", NAMESPACE, self.pod()["metadata"]["name"], "-c", container, "--previous", check=False).stdout.splitlines()

    def logs(self, lines=40):
        text = ""
        for c in ("copy", "agent", "reporter", "broker"):
            r = self.node.kubectl("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=stoker", "-c", c, f"--tail={lines}", check=False)
            text += f"--- {c} ---\n{r.stdout}{r.stderr}"
        return text
