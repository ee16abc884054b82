"""The optional right to get and list pods (report.pods): who wanted an executor to go, and where its driver is, of a real API server. The
pods are the API server's alone: what kubelet and scheduler write there is written by the cases."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import CASES, case, main, wait_for  # noqa: E402
import nri  # noqa: E402
from test_api import NAME, Stage  # noqa: E402
from test_events import POD_RIGHTS, pod_events  # noqa: E402
from test_policy import load  # noqa: E402

CASES.clear()  # those of the others are their own

PODS = "/api/v1/namespaces/team-a/pods"
STRATEGIC = "application/strategic-merge-patch+json"
EMPTY_DIR = 'Usage of EmptyDir volume "spark-local-dir-1" exceeds the limit "1Gi". '


class PodStage(Stage):
    def __init__(self, t, pods=True, rights=True):
        super().__init__(t, agent=False, extra=f"executors:\n  nriSocket: {t.dir}/nri/nri.sock\n")
        for thing in [*POD_RIGHTS, *(self.rights() if rights else [])]:
            self.cluster.apply(thing)
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
        self.node.report += "  pods: true\n" if pods else ""
        self.node.start()
        self.runtime = nri.Runtime(t, "0.12.5", socket=f"{t.dir}/nri/nri.sock")
        self.runtime.synchronized()
        nri.wait_live(self.node)
        self.wait_condition("True")
        self.number = 0

    @staticmethod
    def rights():
        return load("components/pods/rbac.yaml")

    def wait_pods(self, state):
        return wait_for(lambda: "pods" in self.node.health()["inputs"] and self.node.input("pods")["state"] == state and self.node.input("pods"), f"the input pods to be {state}", 60, 0.05)

    def make(self, name, status=None, labels=None, owner=None):
        """A pod of this node as the API server has it; (name, uid)."""
        meta = {"name": name, "labels": labels or {}}
        if owner:
            meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": owner[0], "uid": owner[1], "controller": True}]
        made = self.cluster.api("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta,
                                               "spec": {"nodeName": NAME, "containers": [{"name": "spark-kubernetes-executor", "image": "x", "env": [{"name": "A", "value": "b"}]}]}})
        self.patch(name, status or {"phase": "Running"})
        return name, made["metadata"]["uid"]

    def patch(self, name, status):
        self.cluster.api("PATCH", f"{PODS}/{name}/status", {"status": status}, STRATEGIC)

    def begin(self, url="spark://CoarseGrainedScheduler@10.9.8.7:33475", **more):
        """An executor, as a pod of the API server and as a container of the runtime."""
        self.number += 1
        pod = self.make(f"etl-exec-{self.number}", **more)
        sandbox = nri.spark_pod(pod[0], uid=pod[1])
        made = nri.container(sandbox, f"{self.number:064x}", env=[f"SPARK_DRIVER_URL={url}"], created_at=str(time.time_ns()))
        self.runtime.ask("CreateContainer", pod=sandbox, container=made)
        self.runtime.ask("PostStartContainer", pod=sandbox, container={**made, "state": "CONTAINER_RUNNING", "pid": 4711})
        return pod, sandbox, made

    def end(self, executor, code):
        _, sandbox, made = executor
        self.runtime.ask("StopContainer", pod=sandbox, container={**made, "state": "CONTAINER_STOPPED", "finished_at": str(time.time_ns()), "exit_code": code})
        self.runtime.ask("RemoveContainer", pod=sandbox, container=made)

    def death(self, executor):
        name = executor[0][0]
        def told():
            status, text = self.node.get("/v1alpha1/deaths")
            return next((d for d in json.loads(text)["items"] if d["executor"]["pod"] == name and d["executor"]["podUID"] == executor[0][1]), None) if status == 200 else None
        return wait_for(told, f"the death of {name}", 60, 0.02)

    def reads(self):
        """How often pods were read, by the API server's own count."""
        lines = [line for line in self.cluster.request("GET", "/metrics")[1].splitlines() if line.startswith("apiserver_request_total{") and 'resource="pods"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'verb="GET"' in line or 'verb="LIST"' in line)


def terminated(code):
    return {"phase": "Failed", "containerStatuses": [{"name": "spark-kubernetes-executor", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": {
        "terminated": {"exitCode": code, "reason": "Error", "finishedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}}]}


def disruption(reason, message="m"):
    return {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}


@case
def who_wanted_it_to_go_is_said(t):
    s = PodStage(t)
    s.wait_pods("ok")
    # the scheduler: its condition first, then the deletion
    x = s.begin()
    s.patch(x[0][0], disruption("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"))
    s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
    s.end(x, 143)
    d = s.death(x)
    assert (d["cause"], d["confidence"], d["podReason"]) == ("preempted", "certain", "PreemptionByScheduler"), d
    assert "higher priority" in d["evidence"], d
    e = wait_for(lambda: pod_events(s, x[0]), "the Event", 60, 0.05)[0]
    assert (e["type"], e["reason"]) == ("Normal", "ExecutorPreempted"), e
    # kubelet: tells of it only when all has ended
    x, before = s.begin(), s.reads()
    s.end(x, 143)
    wait_for(lambda: s.reads() > before, "it to be asked for", 60, 0.02)
    s.patch(x[0][0], {**terminated(143), "reason": "Evicted", "message": EMPTY_DIR, **disruption("TerminationByKubelet")})
    d = s.death(x)
    assert (d["cause"], d["confidence"], d["podReason"]) == ("evicted", "certain", "Evicted"), d
    assert d["summary"].startswith("evicted by kubelet: " + EMPTY_DIR.strip(" .")), d
    # somebody with kubectl; a drain
    x = s.begin()
    s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
    s.end(x, 143)
    d = s.death(x)
    assert (d["cause"], d["confidence"], d["podReason"]) == ("deleted", "certain", "") and "asked to delete" in d["evidence"], d
    x = s.begin()
    s.cluster.api("POST", f"{PODS}/{x[0][0]}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": x[0][0], "namespace": "team-a"}})
    s.end(x, 143)
    d = s.death(x)
    assert (d["cause"], d["confidence"], d["podReason"]) == ("deleted", "certain", "EvictionByEvictionAPI"), d
    # a SIGKILL within the pod: what its driver does a moment later is no reason for it
    x = s.begin()
    s.end(x, 137)
    s.patch(x[0][0], terminated(137))
    s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
    d = s.death(x)
    assert (d["cause"], d["podReason"]) == ("killed", ""), d
    # another pod of that name
    x = s.begin()
    s.cluster.api("DELETE", f"{PODS}/{x[0][0]}?gracePeriodSeconds=0")
    s.make(x[0][0], {**terminated(143), "reason": "Evicted"})
    s.end(x, 143)
    d = s.death(x)
    assert (d["cause"], d["podReason"]) == ("deleted", "") and d["explainedAfterMicros"] < 1900000, d


@case
def a_driver_elsewhere_is_found(t):
    s = PodStage(t)
    s.wait_pods("ok")
    notebook = s.make("jupyter-anna", {"phase": "Running", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]})
    s.make("gone", {"phase": "Failed", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]})
    before = s.reads()
    x = s.begin()
    s.end(x, 52)
    for pod in (notebook, x[0]):
        e = wait_for(lambda pod=pod: pod_events(s, pod), f"the Event on {pod[0]}", 60, 0.05)[0]
        assert (e["reason"], e["reportingInstance"]) == ("ExecutorHeapExhausted", NAME) and e["message"].startswith("app etl exec 3: 1024 MiB"), e
    # the same driver again: it is remembered
    for _ in range(3):
        s.end(s.begin(), 158)
    wait_for(lambda: len([e for e in pod_events(s, notebook) if e["reason"] == "DecommissionUnhandled"]) == 3, "an Event for each", 60, 0.05)
    assert s.reads() - before <= 4, (before, s.reads())  # owner, address, and perhaps the hourly look
    # by its owner: Spark knew the driver's pod
    zeppelin = s.make("spark-abcdef")
    s.end(s.begin("spark://CoarseGrainedScheduler@zeppelin.team-a.svc:22321", owner=zeppelin), 52)
    wait_for(lambda: pod_events(s, zeppelin), "the Event on Zeppelin's pod", 60, 0.05)
    # by its labels: cluster mode, the address is a service's
    driver = s.make("pi-driver", labels={"spark-role": "driver", "spark-app-selector": "spark-0123456789abcdef"})
    s.end(s.begin("spark://CoarseGrainedScheduler@pi-driver-svc.team-a.svc:7078"), 52)
    wait_for(lambda: pod_events(s, driver), "the Event on the driver", 60, 0.05)
    # by the name of a StatefulSet's pod
    connect = s.make("connect-0", labels={"statefulset.kubernetes.io/pod-name": "connect-0"})
    s.cluster.api("DELETE", f"{PODS}/pi-driver?gracePeriodSeconds=0")
    s.end(s.begin("spark://CoarseGrainedScheduler@connect-0.connect.team-a.svc.cluster.local:7078"), 52)
    wait_for(lambda: pod_events(s, connect), "the Event on the Connect server", 60, 0.05)
    # two with one address: none is better than a wrong one
    twins = [s.make(name, {"phase": "Running", "podIP": "10.9.8.6", "podIPs": [{"ip": "10.9.8.6"}]}) for name in ("a", "b")]
    x = s.begin("spark://CoarseGrainedScheduler@10.9.8.6:7078")
    s.end(x, 52)
    wait_for(lambda: s.node.log("driver not found"), "it to be given up", 60, 0.05)
    wait_for(lambda: pod_events(s, x[0]), "the Event on the executor", 60, 0.05)
    assert not pod_events(s, twins[0]) and not pod_events(s, twins[1])


def is_stopped(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            if f.read().rsplit(")", 1)[1].split()[0] != "T":
                return False
    return True


@case
def without_the_right_it_is_said_once_and_nothing_waits(t):
    s = PodStage(t, rights=False)
    s.wait_pods("degraded")
    answer = s.node.cli("doctor")
    assert "note    pods" in answer.stdout and "components/pods" in answer.stdout, answer.stdout
    code, text = s.node.get("/readyz?verbose")
    assert code == 200 and "[!]pods degraded" in text, (code, text)
    notebook = s.make("jupyter-anna", {"phase": "Running", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]})
    before, took = s.reads(), []
    for _ in range(5):
        x = s.begin()
        s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
        s.end(x, 143)
        d = s.death(x)
        assert (d["cause"], d["podReason"]) == ("deleted", ""), d
        took.append(d["explainedAfterMicros"])
    assert sorted(took)[2] < 1900000, took  # this machine does other things too
    wait_for(lambda: pod_events(s, x[0]), "the Event on the executor", 60, 0.05)
    assert not pod_events(s, notebook) and s.reads() - before <= 4, (before, s.reads())
    assert s.node.input("reporter")["state"] == "ok" and "pods for report.pods: 403" in s.node.input("reporter")["detail"], s.node.input("reporter")
    said = [line for line in s.node.lines() if "for report.pods" in line.get("detail", "") and line.get("msg") != "input"]
    assert len(said) <= 2, said  # of get, and of list
    for thing in s.rights():
        s.cluster.apply(thing)
    s.node.kill("stoker-reporter")  # else a minute at most
    s.wait_pods("ok")
    s.end(s.begin(), 52)
    wait_for(lambda: pod_events(s, notebook), "the Event on the driver", 60, 0.05)
    # an API server that does not answer: within the bound, without it
    x = s.begin()
    server = s.cluster.processes["kube-apiserver"]
    server.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: is_stopped(server.pid), "every thread of it to stop: one that answers once more is another case", 60)
        s.end(x, 143)
        d = s.death(x)
    finally:
        server.send_signal(signal.SIGCONT)
    assert (d["cause"], d["podReason"]) == ("deleted", "") and d["explainedAfterMicros"] < 6000000, d


@case
def each_right_alone_serves_what_needs_it(t):
    s = PodStage(t)
    s.wait_pods("ok")
    notebook, path = s.make("jupyter-anna", {"phase": "Running", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]}), s.cluster.path_of(s.rights()[0])
    asked = {"get": "/api/v1/namespaces/stoker-system/pods/stoker", "list": "/api/v1/namespaces/stoker-system/pods"}
    with open(s.token_path) as f:
        token = f.read()

    def code(target):
        return s.cluster.request("GET", target, token=token)[0]
    for verb, other, cause in (("get", "list", "preempted"), ("list", "get", "deleted")):
        s.cluster.api("PATCH", path, {"rules": [{**s.rights()[0]["rules"][0], "verbs": [verb]}]}, "application/merge-patch+json")
        wait_for(lambda: (code(asked[verb]), code(asked[other])) in ((200, 403), (404, 403)), f"the right to {verb} to be the only one", 60, 0.05)
        s.node.kill("stoker-reporter")  # else within an hour
        wait_for(lambda: f"the right to {other} pods" in s.wait_pods("degraded")["detail"], f"the right to {other} to be missed", 60, 0.05)
        x, before = s.begin(), len(pod_events(s, notebook))
        s.patch(x[0][0], disruption("PreemptionByScheduler"))
        s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
        s.end(x, 143)
        assert s.death(x)["cause"] == cause, (verb, s.death(x))
        x = s.begin()
        s.end(x, 52)
        wait_for(lambda x=x: pod_events(s, x[0]), "the Event on the executor", 60, 0.05)
        if verb == "list":
            wait_for(lambda: len(pod_events(s, notebook)) > before, "the Event on the driver, by its address", 60, 0.05)
            continue
        zeppelin = s.make("spark-abcdef")
        s.end(s.begin("spark://CoarseGrainedScheduler@zeppelin.team-a.svc:22321", owner=zeppelin), 52)
        wait_for(lambda: pod_events(s, zeppelin), "the Event on the driver that owns its executor", 60, 0.05)
        assert len(pod_events(s, notebook)) == before, pod_events(s, notebook)


@case
def by_default_no_pod_is_read(t):
    s = PodStage(t, pods=False)
    before = s.reads()
    notebook = s.make("jupyter-anna", {"phase": "Running", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]})
    x = s.begin()
    s.patch(x[0][0], disruption("PreemptionByScheduler"))
    s.cluster.api("DELETE", f"{PODS}/{x[0][0]}")
    s.end(x, 143)
    assert s.death(x)["podReason"] == ""
    wait_for(lambda: pod_events(s, x[0]), "the Event on the executor", 60, 0.05)
    assert not pod_events(s, notebook) and s.reads() == before and "pods" not in s.node.health()["inputs"], (before, s.reads())
    # switched on while it runs, and off again
    s.node.write_config(s.node.read_config().replace("report:\n", "report:\n  pods: true\n"))
    s.wait_pods("ok")
    s.end(s.begin(), 52)
    wait_for(lambda: pod_events(s, notebook), "the Event on the driver", 60, 0.05)
    s.node.write_config(s.node.read_config().replace("  pods: true\n", ""))
    s.wait_pods("off")


if __name__ == "__main__":
    main(machine.without_containers)
