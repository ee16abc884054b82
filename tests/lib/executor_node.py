"""A real node with Stoker as a DaemonSet on it, and what it says of executors that are pods there."""
import glob
import json

from cases import wait_for
from daemonset import TOP, DaemonSet
from kubenode import POD_LOGS, KubeNode
from machine import free_ports

SETTINGS = """discover: 'off'
web:
  listen: 127.0.0.1:{port}
report:
  group: 65532
"""


class ExecutorNode:
    def __init__(self, context, settings="", **node):
        """`node`: as KubeNode has it."""
        self.context = context
        self.node = KubeNode(context, **node)
        port = free_ports(1)[0]
        self.settings = SETTINGS.format(port=port) + f"kubeletRoot: {self.node.kubelet_root}\n" + settings
        self.stoker = DaemonSet(self.node, f"{context.dir}/ds", settings=self.settings, port=port)
        self.stoker.apply()
        self.stoker.wait_ready(120)
        wait_for(lambda: self.stoker.health()["inputs"].get("nri", {}).get("state") == "ok", "the runtime's NRI", 60)

    # --- pods ---

    def get(self, name, namespace="default"):
        return self.node.api("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def delete(self, name, namespace="default"):
        return self.node.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def is_gone(self, name, namespace="default"):
        return self.node.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")[0] == 404

    def running(self, name, namespace="default", deadline=60):
        wait_for(lambda: self.get(name, namespace)["status"]["phase"] == "Running", f"{name} to run", deadline, 0.05)
        return self.get(name, namespace)

    def first_process(self, name, namespace="default"):
        container = self.get(name, namespace)["status"]["containerStatuses"][0]["containerID"].split("://")[1]
        return next(int(pid) for task, pid, _ in (line.split() for line in self.node.ctr("task", "ls").stdout.splitlines()[1:]) if task == container)

    def log_of(self, name, namespace="default"):
        """The file that the kubelet keeps of its container's first life."""
        return glob.glob(f"{POD_LOGS}/{namespace}_{name}_*/*/0.log")[0]

    def ask_about_pods(self, wanted):
        """report.pods, with the right for it as people give it."""
        self.node.kubectl(*(("apply",) if wanted else ("delete", "--ignore-not-found")), "-f", f"{TOP}/deploy/kustomize/components/pods/rbac.yaml")
        self.stoker.configure(self.settings.replace("report:\n", "report:\n  pods: true\n" if wanted else "report:\n"))
        state = "ok" if wanted else "off"
        wait_for(lambda: self.stoker.health()["inputs"].get("pods", {"state": "off"})["state"] == state, f"the input pods to be {state}", 120, 0.1)

    # --- what is said ---

    def all_events(self, namespace="default"):
        return self.node.api("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]

    def events(self, name, namespace="default"):
        return [e for e in self.all_events(namespace) if e["regarding"].get("name") == name and e.get("reportingController") == "stoker.dev/stokerd"]

    def event(self, name, namespace="default", reason=None, about=""):
        """Of ours about this pod, with this reason, and these words in it."""
        def fits(e):
            return (reason is None or e["reason"] == reason) and about in e["note"]
        try:
            return wait_for(lambda: next(filter(fits, self.events(name, namespace)), None), f"an Event about {name}: {reason or ''} {about}", 60, 0.05)
        except AssertionError:
            print([(e["regarding"], e.get("reportingController"), e["note"][:60]) for e in self.all_events(namespace)])
            raise

    def deaths(self):
        return (self.stoker.get("/v1alpha1/deaths") or {"items": []})["items"]

    def death(self, pod, lives=None, deadline=60):
        def found():
            return next((d for d in self.deaths() if d["executor"]["pod"] == pod and (lives is None or d["lives"] == lives)), None)
        return wait_for(found, f"the death of {pod} to be explained", deadline, 0.05)

    def why(self, pod):
        """As a person asks: the newest death of this pod, without the deaths' HTTP."""
        return json.loads(self.stoker.exec("stoker", "why", pod, "-o", "json", check=False).stdout)  # exit code 1: it died

