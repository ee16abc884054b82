"""What a stolen token of the agent can write: the real RBAC and admission policy of deploy/, a real API server, one row for each field."""
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-yaml, for a python3 that is not Debian's
import yaml  # noqa: E402
import machine  # noqa: E402
from cases import Skip, case, main, wait_for  # noqa: E402
from cluster import ADMIN, CACHE, Cluster  # noqa: E402
from node import Node, fnv1a  # noqa: E402

DEPLOY = os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "kustomize")
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/stoker-system/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
TEAM_EVENTS = EVENTS.replace("/default/", "/team-a/")
TEAM_PODS = "/api/v1/namespaces/team-a/pods"
POD = f"{TEAM_PODS}/x"
OWN, OTHER = "node-1", "node-2"
LONG = "n" + "a" * 149  # does not fit into reportingInstance
NODE, OTHERS_NODE, STATUS = f"/api/v1/nodes/{OWN}", f"/api/v1/nodes/{OTHER}", f"/api/v1/nodes/{OWN}/status"
JSON, MERGE, STRATEGIC, PATCH, APPLY = ("application/json", "application/merge-patch+json", "application/strategic-merge-patch+json",
                                        "application/json-patch+json", "application/apply-patch+yaml")
A, B = {"key": "example.com/a", "value": "1", "effect": "NoSchedule"}, {"key": "example.com/b", "value": "2", "effect": "NoExecute"}
OURS = {"key": "stoker.dev/unhealthy", "value": "ReadOnlyFilesystem", "effect": "NoSchedule"}
AUTOSCALED = {**OURS, "key": "status-taint.cluster-autoscaler.kubernetes.io/stoker-unhealthy"}
NOON, TWO_MINUTES_LATER = "2026-11-26T12:00:00.000000Z", "2026-11-26T12:02:00.000000Z"


def load(name):
    with open(os.path.join(DEPLOY, name)) as f:
        return [thing for thing in yaml.safe_load_all(f) if thing]


def condition(kind, status="True", reason="Test", **more):
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z", **more}


CONDITIONS = [condition("MemoryPressure", "False"), condition("stoker.dev/StorageReady"), condition("StorageReady"), condition("Ready")]
FULL_STATUS = {
    "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110", "example.com/gpu": "2"},
    "allocatable": {"cpu": "7", "memory": "15Gi", "pods": "110", "example.com/gpu": "2"},
    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": OWN}],
    "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    "nodeInfo": {"machineID": "m", "systemUUID": "s", "bootID": "b", "kernelVersion": "6.1.0", "osImage": "Debian", "containerRuntimeVersion": "containerd://2.3",
                 "kubeletVersion": "v1.34.4", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"},
    "images": [{"names": [f"example/{n}:{k}" for k in range(5)], "sizeBytes": 1000 + n} for n in range(50)],
    "volumesInUse": [f"kubernetes.io/csi/x^{n}" for n in range(30)],
    "volumesAttached": [{"name": f"kubernetes.io/csi/x^{n}", "devicePath": ""} for n in range(30)],
    "runtimeHandlers": [{"name": "runc", "features": {"recursiveReadOnlyMounts": True}}],
    "features": {"supplementalGroupsPolicy": True},
    "conditions": CONDITIONS,
}


def lease(slot, holder, renew=NOON, duration=60, **metadata):
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": slot if isinstance(slot, str) else f"stoker-brake-{slot}", "namespace": "stoker-system", **metadata},
            "spec": {k: v for k, v in (("holderIdentity", holder), ("renewTime", renew), ("leaseDurationSeconds", duration)) if v is not None}}


def event(name, instance=OWN, controller="stoker.dev/stokerd", about=OWN, kind="Node", **more):
    return {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"}, "eventTime": NOON,
            "reportingController": controller, "reportingInstance": instance, "action": "Taint", "reason": "StorageUnhealthy", "type": "Warning",
            "regarding": {"apiVersion": "v1", "kind": kind, "name": about}, "note": "n", **more}


def pod_event(name, uid="u-1", instance=OWN, action="Explain", kind="Pod", api="v1", space="team-a", **more):
    """What is said of a death, in the pod's namespace."""
    made = event(name, instance, kind=kind, about="x", regarding={"apiVersion": api, "kind": kind, "name": "x", "namespace": space, "uid": uid})
    return {**made, "metadata": {"name": name, "namespace": space}, "action": action, "reason": "ExecutorHeapExhausted", **more}


def core_event(name, instance=OWN, about=OWN):
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"}, "eventTime": NOON, "reason": "X", "message": "n", "type": "Warning",
            "reportingComponent": "stoker.dev/stokerd", "reportingInstance": instance, "action": "Taint",
            "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": about}}


def change(path, value, where=NODE, op="add"):
    return "PATCH", where, PATCH, [{"op": op, "path": path, **({} if op == "remove" else {"value": value})}]


def taints(*wanted):
    return change("/spec/taints", list(wanted))


def status(**fields):
    return "PATCH", STATUS, STRATEGIC, {"status": fields}


def conditions(*wanted):
    return change("/status/conditions", list(wanted), STATUS)


class Stage:
    def __init__(self, t):
        self.cluster = c = Cluster(t)
        for thing in load("base/rbac.yaml") + load("base/policy.yaml"):
            c.apply(thing)
        for name in (OWN, OTHER, LONG):
            c.create_node(name, [A, OURS, B])
        c.api("PATCH", NODE, {"metadata": {"labels": {"zone": "a"}, "annotations": {"note": "x"}, "finalizers": ["example.com/f"],
                                           "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "o", "uid": "u"}]},
                              "spec": {"unschedulable": True, "podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}, STRATEGIC)
        c.api("PATCH", STATUS, {"status": FULL_STATUS}, MERGE)
        for thing in (lease(0, OTHER), lease(1, "node-3"), lease(2, None, None, None), lease(3, "a person", None, None), lease("foreign", None, None, None),
                      lease(6, None, None, None, annotations={"note": "x"})):
            c.api("POST", LEASES, thing)
        for thing in (event("kubelet", controller="kubelet"), event("other", OTHER, about=OTHER)):
            c.api("POST", EVENTS, thing)
        c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
        c.api("POST", TEAM_EVENTS, pod_event("other-pod", instance=OTHER))
        self.own = self.token(OWN)
        self.tokens = {"own": self.own, "other": self.token(OTHER), "long": self.token(LONG), "unbound": c.service_account_token()}
        self.wait_policy(True)

    def token(self, node):
        return self.cluster.service_account_token(bound_to=self.cluster.node(node))

    def wait_policy(self, wanted):
        """Policies take effect when the API server has read its own watch: all four are asked, with requests that change nothing."""
        asked = (("PATCH", OTHERS_NODE, MERGE, {"metadata": {"labels": {"x": "y"}}}), ("POST", LEASES, JSON, lease(9, OTHER)), ("POST", EVENTS, JSON, event("x", OTHER)))
        for request in asked:
            wait_for(lambda: (self.write(request, dry=True)[0] == 403) == wanted, "the policy" if wanted else "the policy to go")
        second = ("PUT", f"{LEASES}/stoker-brake-2", JSON, self.lease(2, OTHER))
        wait_for(lambda: (self.write(second, "other", True)[0] == 403) == wanted, "the policy of one slot")

    def write(self, request, token="own", dry=False):
        """One request as the agent: its HTTP status, and what was said."""
        method, path, kind, body = request(self) if callable(request) else request
        query = {**({"dryRun": "All"} if dry else {}), **({"fieldManager": "thief", "force": "true"} if kind == APPLY else {})}
        code, text = self.cluster.request(method, path + ("?" + urllib.parse.urlencode(query) if query else ""), body, kind, self.tokens.get(token, token))
        return code, json.loads(text).get("message", "") if text.startswith("{") else text

    def lease(self, slot, holder, renew=NOON, duration=60, **metadata):
        """A Lease that is there, as it would be after a change."""
        name = slot if isinstance(slot, str) else f"stoker-brake-{slot}"
        now = self.cluster.api("GET", f"{LEASES}/{name}")
        wanted = lease(name, holder, renew, duration)
        return {**wanted, "metadata": {**now["metadata"], **metadata}}

    def state(self):
        """Everything that could have been changed; what the API server counts and stamps is in it."""
        lists = [self.cluster.api("GET", path)["items"] for path in ("/api/v1/nodes", "/apis/coordination.k8s.io/v1/leases", "/apis/events.k8s.io/v1/events")]
        # but the API server's own Lease, which it renews every ten seconds
        return [[(x["metadata"]["name"], x["metadata"]["resourceVersion"]) for x in items if not x["metadata"]["name"].startswith("apiserver-")] for items in lists]


def put(slot, holder, renew=TWO_MINUTES_LATER, duration=60, extra=None, **metadata):
    def request(s):
        body = s.lease(slot, holder, renew, duration, **metadata)
        body["spec"].update(extra or {})
        return "PUT", LEASES + "/" + body["metadata"]["name"], JSON, body
    return request


def post(body, path=None):
    return "POST", path or (LEASES if body["kind"] == "Lease" else EVENTS.replace("/default/", f"/{body['metadata']['namespace']}/")), JSON, body


# what, which policy refuses it, words of its answer, request, token
NODE_ROWS = [
    ("the condition of another node", "not bound|change node \"node-2\"", ("PATCH", OTHERS_NODE + "/status", STRATEGIC, {"status": {"conditions": CONDITIONS[1:2]}})),
    ("the taint of another node", "change node \"node-2\"", change("/spec/taints", [A, B], OTHERS_NODE)),
    ("a label", "metadata of a node: labels", change("/metadata/labels/x", "y")),
    ("a label changed", "metadata of a node: labels", change("/metadata/labels/zone", "b")),
    ("all labels removed", "metadata of a node: labels", change("/metadata/labels", None, op="remove")),
    ("a label through status", "metadata of a node: labels", change("/metadata/labels/x", "y", STATUS)),
    ("a label through apply", "metadata of a node: labels",
     ("PATCH", NODE, APPLY, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": OWN, "labels": {"zone": "b"}}})),
    ("an annotation", "metadata of a node: annotations", change("/metadata/annotations/x", "y")),
    ("an annotation through status", "metadata of a node: annotations", change("/metadata/annotations/note", None, STATUS, "remove")),
    ("hold-until, which is for people", "metadata of a node: annotations", change("/metadata/annotations/stoker.dev~1hold-until", "2030-01-01T00:00:00Z")),
    ("a finalizer", "metadata of a node: finalizers", change("/metadata/finalizers/-", "example.com/g")),
    ("a finalizer removed", "metadata of a node: finalizers", change("/metadata/finalizers", None, op="remove")),
    ("an owner", "metadata of a node: ownerReferences", change("/metadata/ownerReferences/0/name", "p")),
    ("a cordon", "spec of a node: unschedulable", change("/spec/unschedulable", True, f"/api/v1/nodes/{LONG}"), "long"),
    ("a person's cordon removed", "spec of a node: unschedulable", change("/spec/unschedulable", None, op="remove")),
    ("the provider's id", "spec of a node: providerID", change("/spec/providerID", "cloud://2")),
    ("a foreign taint added", "taint of another key", taints(A, OURS, B, {**A, "key": "example.com/c"})),
    ("a foreign taint removed", "taint of another key", taints(A, OURS)),
    ("a foreign taint's value", "taint of another key", taints({**A, "value": "9"}, OURS, B)),
    ("a foreign taint's effect", "taint of another key", taints(A, OURS, {**B, "effect": "NoSchedule"})),
    ("foreign taints reordered", "taint of another key", taints(B, OURS, A)),
    ("all taints removed", "taint of another key", change("/spec/taints", None, op="remove")),
    ("the kubelet's taint", "taint of another key", taints(A, OURS, B, {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"})),
    ("a taint whose key begins as ours", "taint of another key", taints(A, B, {**OURS, "key": "stoker.dev/unhealthy2"})),
    ("our taint evicting", "another effect", taints(A, {**OURS, "effect": "NoExecute"}, B)),
    ("our autoscaled taint evicting", "another effect", taints(A, OURS, B, {**AUTOSCALED, "effect": "NoExecute"})),
    ("capacity", "status of a node: capacity", status(capacity={"cpu": "64"})),
    ("capacity by a new resource", "status of a node: capacity", status(capacity={"example.com/tpu": "1"})),
    ("capacity removed", "status of a node: capacity", status(capacity={"example.com/gpu": None})),
    ("allocatable", "status of a node: allocatable", status(allocatable={"memory": "1Ti"})),
    ("addresses", "status of a node: addresses", status(addresses=[{"type": "InternalIP", "address": "10.6.6.6"}])),
    ("the kubelet's port", "status of a node: daemonEndpoints", status(daemonEndpoints={"kubeletEndpoint": {"Port": 6666}})),
    ("kernel version", "status of a node: nodeInfo", status(nodeInfo={"kernelVersion": "9.9"})),
    ("kubelet version", "status of a node: nodeInfo", status(nodeInfo={"kubeletVersion": "v1.0.0"})),
    ("an image", "status of a node: images", change("/status/images/49/sizeBytes", 1, STATUS)),
    ("an image's name", "status of a node: images", change("/status/images/7/names/4", "evil", STATUS)),
    ("volumes in use", "status of a node: volumesInUse", change("/status/volumesInUse/29", None, STATUS, "remove")),
    ("volumes attached", "status of a node: volumesAttached", change("/status/volumesAttached/-", {"name": "v", "devicePath": ""}, STATUS)),
    ("runtime handlers", "status of a node: runtimeHandlers", change("/status/runtimeHandlers/0/features/userNamespaces", True, STATUS)),
    ("features", "status of a node: features", status(features={"supplementalGroupsPolicy": False})),
    ("a part of the status that was not there", "status of a node: phase", status(phase="Terminated")),
    ("Ready", "condition of another type than stoker.dev/: Ready", status(conditions=[condition("Ready", "False")])),
    ("Ready's heartbeat", "condition of another type", status(conditions=[condition("Ready", lastHeartbeatTime="2026-01-01T00:00:01Z")])),
    ("Ready removed", "condition of another type", conditions(*CONDITIONS[:3])),
    ("a foreign condition added", "condition of another type than stoker.dev/: DiskPressure", status(conditions=[condition("DiskPressure")])),
    ("foreign conditions reordered", "condition of another type", conditions(*reversed(CONDITIONS))),
    ("a condition whose type begins nearly as ours", "condition of another type", status(conditions=[condition("stoker.device/X")])),
    ("an alias that nobody asked for", "condition of another type", status(conditions=[condition("ReadonlyFilesystem")])),
    ("an alias of another writer", "condition of another type than stoker.dev/: StorageReady", status(conditions=[condition("StorageReady", "False")])),
    ("all conditions removed", "condition of another type", change("/status/conditions", None, STATUS, "remove")),
    ("seventeen conditions", "more than 16", status(conditions=[condition(f"stoker.dev/C{n}") for n in range(16)])),
    ("a condition of 2 KiB", "longer ones", status(conditions=[condition("stoker.dev/X", message="m" * 2048)])),
]
SLOT_ROWS = [
    ("a slot in the name of another", "make \"node-2\" the holder", post(lease(7, OTHER))),
    ("a slot of nobody made", "make \"\" the holder", post(lease(7, None))),
    ("a Lease of another name", "touch Lease \"leader\"", post(lease("leader", OWN))),
    ("a slot beyond 99", "touch Lease", post(lease(100, OWN))),
    ("a slot by a name like one", "touch Lease", post(lease("stoker-brake-01", OWN))),
    ("a foreign Lease taken", "touch Lease \"foreign\"", put("foreign", OWN)),
    ("an unexpired slot taken", "\"node-2\" holds it and its term has not run out", put(0, OWN, "2026-11-26T12:00:30.000000Z")),
    ("an unexpired slot taken to the second", "its term has not run out", put(0, OWN, "2026-11-26T12:01:00.000000Z")),
    ("another's slot emptied", "make \"\" the holder", put(0, None)),
    ("another's slot renewed in its name", "make \"node-2\" the holder", put(0, OTHER)),
    ("another's slot given to a third", "make \"node-3\" the holder", put(0, "node-3")),
    ("a slot that a person keeps", "\"a person\" holds it", put(3, OWN)),
    ("a slot with many labels", "more than 8 labels", put(2, OWN, labels={f"l{n}": "x" for n in range(9)})),
    ("a term too long", "15 to 600", post(lease(7, OWN, duration=601))),
    ("a term too short", "15 to 600", put(2, OWN, duration=14)),
    ("no term", "15 to 600", post(lease(7, OWN, duration=None))),
    ("no renewTime", "without a renewTime", put(2, OWN, None)),
    ("a slot with a finalizer", "finalizers", post(lease(7, OWN, finalizers=["example.com/f"]))),
    ("a slot with an owner", "owners", put(2, OWN, ownerReferences=[{"apiVersion": "v1", "kind": "Node", "name": "o", "uid": "u"}])),
    ("a slot with annotations", "annotations", put(2, OWN, annotations={"a": "x" * 1000})),
    ("a foreign slot kept by its finalizer", "finalizers", put(1, OWN, finalizers=["example.com/f"])),
]
EVENT_ROWS = [
    ("an Event in the name of another", "in the name of \"node-2\"", post(event("e", OTHER))),
    ("an Event in a name that begins as ours", "in the name of", post(event("e", OWN + "0"))),
    ("an Event of the kubelet", "as \"kubelet\"", post(event("e", controller="kubelet"))),
    ("an Event about another node", "about Node \"node-2\"", post(event("e", about=OTHER))),
    ("an Event about a pod that could be any of that name", "about Pod \"x\"", post(pod_event("e", uid=""))),
    ("an Event about a pod in the name of another", "in the name of \"node-2\"", post(pod_event("e", instance=OTHER))),
    ("an Event about a pod that explains nothing", "about Pod \"x\"", post(pod_event("e", action="Killing"))),
    ("an Event about a pod of another namespace", "about Pod \"x\"", post(pod_event("e", regarding={"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u", "namespace": "kube-system"}))),
    ("an Event about a pod that relates another", "relate", post(pod_event("e", related={"apiVersion": "v1", "kind": "Node", "name": OTHER}))),
    ("an Event about a Secret", "about Secret \"x\"", post(pod_event("e", kind="Secret"))),
    ("an Event about something else that is called a Pod", "about Pod \"x\"", post(pod_event("e", api="example.com/v1"))),
    ("another's Event about a pod", "in the name of \"node-2\"", ("PATCH", f"{TEAM_EVENTS}/other-pod", MERGE, {"series": {"count": 9, "lastObservedTime": NOON}}), "own"),
    ("an Event that relates another", "relate", post(event("e", related={"apiVersion": "v1", "kind": "Node", "name": OTHER}))),
    ("the kubelet's Event", "", ("PATCH", f"{EVENTS}/kubelet", MERGE, {"series": {"count": 9, "lastObservedTime": NOON}})),
    ("another's Event", "in the name of \"node-2\"", ("PATCH", f"{EVENTS}/other", MERGE, {"series": {"count": 9, "lastObservedTime": NOON}})),
    ("a long name's Event in a short form", "in the name of", post(event("e", "n" + "a" * 99, about=LONG)), "long"),
]
UNBOUND_ROWS = [
    ("an unbound token: condition", "stoker-nodes", "not bound to a node", status(conditions=[condition("stoker.dev/StorageReady", "False")]), "unbound"),
    ("an unbound token: taint", "stoker-nodes", "not bound to a node", taints(A, B), "unbound"),
    ("an unbound token: slot", "stoker-slots", "not bound to a node", post(lease(7, OWN)), "unbound"),
    ("an unbound token: Event", "stoker-events", "not bound to a node", post(event("e")), "unbound"),
    ("a second slot", "stoker-one-slot", "it holds stoker-brake-0", put(2, OTHER), "other"),
    ("a second slot made", "stoker-one-slot", "it holds stoker-brake-0", post(lease(8, OTHER)), "other"),
    ("a second slot that has lapsed", "stoker-one-slot", "it holds stoker-brake-0", put(1, OTHER), "other"),
]
REFUSED = ([(r[0], "stoker-nodes", *r[1:]) for r in NODE_ROWS] + [(r[0], "stoker-slots", *r[1:]) for r in SLOT_ROWS]
           + [(r[0], "stoker-events", *r[1:]) for r in EVENT_ROWS] + UNBOUND_ROWS)

# what, request: not granted at all; True: and refused by policy if somebody grants it
NOT_GRANTED = [
    ("a node deleted", ("DELETE", OTHERS_NODE, JSON, None), True),
    ("the own node deleted", ("DELETE", NODE, JSON, None), True),
    ("a node made", ("POST", "/api/v1/nodes", JSON, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fake"}}), True),
    ("a node made by apply", ("PATCH", "/api/v1/nodes/fake", APPLY, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fake"}}), True),
    ("nodes deleted at once", ("DELETE", "/api/v1/nodes", JSON, None), True),
    ("a node replaced", lambda s: ("PUT", NODE, JSON, {**s.cluster.node(OWN), "metadata": {"name": OWN}}), True),
    ("a status replaced", lambda s: ("PUT", STATUS, JSON, {**s.cluster.node(OWN), "status": {}}), True),
    ("a slot patched", ("PATCH", f"{LEASES}/stoker-brake-0", MERGE, {"spec": {"holderIdentity": OWN}}), True),
    ("a slot elsewhere", post({**lease(0, OWN), "metadata": {"name": "stoker-brake-0", "namespace": "default"}}, LEASES.replace("stoker-system", "default")), True),
    ("a node's heartbeat", post({**lease(OWN, OWN), "metadata": {"name": OWN, "namespace": "kube-system"}}, LEASES.replace("stoker-system", "kube-system")), True),
    ("another's slot deleted", ("DELETE", f"{LEASES}/stoker-brake-0", JSON, None), True),
    ("a foreign Lease deleted", ("DELETE", f"{LEASES}/foreign", JSON, None), True),
    ("all slots deleted", ("DELETE", LEASES, JSON, None), True),
    ("Leases elsewhere", ("GET", LEASES.replace("stoker-system", "kube-node-lease"), JSON, None), False),
    ("a core Event in the name of another", post(core_event("e", OTHER), "/api/v1/namespaces/default/events"), True),
    ("a core Event about another node", post(core_event("e", about=OTHER), "/api/v1/namespaces/default/events"), True),
    ("an Event deleted", ("DELETE", f"{EVENTS}/other", JSON, None), True),
    ("a pod evicted", ("POST", "/api/v1/namespaces/default/pods/x/eviction", JSON, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x"}}), False),
    ("pods read", ("GET", "/api/v1/pods", JSON, None), False),
    ("a pod read", ("GET", POD, JSON, None), False),
    ("a pod's log read", ("GET", f"{POD}/log", JSON, None), False),
    ("a pod of its own", ("POST", TEAM_PODS, JSON, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "y"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}), False),
    ("a pod changed", ("PATCH", POD, MERGE, {"metadata": {"labels": {"spark-role": "driver"}}}), False),
    ("a pod's status changed", ("PATCH", f"{POD}/status", MERGE, {"status": {"reason": "Evicted"}}), False),
    ("a pod deleted", ("DELETE", POD, JSON, None), False),
    ("a command in a pod", ("POST", f"{POD}/exec?command=id&container=c", JSON, None), False),
    ("secrets read", ("GET", "/api/v1/namespaces/stoker-system/secrets", JSON, None), False),
    ("a token made", ("POST", "/api/v1/namespaces/stoker-system/serviceaccounts/stoker/token", JSON,
                      {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}), False),
    ("the policy deleted", ("DELETE", f"{POLICIES}/stoker-nodes", JSON, None), False),
    ("nodes/proxy", ("GET", f"{NODE}/proxy/pods", JSON, None), False),
]


def unpack(row):
    return row if len(row) == 5 else (*row, "own")


@case
def a_stolen_token_is_refused_field_by_field(t):
    """And each of these writes passes when the policy is gone: nothing else has refused it."""
    s = Stage(t)
    assert len(REFUSED) >= 80
    before, wrong = s.state(), []
    for row in REFUSED:
        what, policy, words, request, token = unpack(row)
        code, said = s.write(request, token)
        if code != 403 or f"'{policy}'" not in said or not any(w in said for w in words.split("|")):
            wrong.append((what, code, said))
    assert not wrong, wrong
    assert s.state() == before, "a refused write has changed something"
    for policy in s.cluster.api("GET", BINDINGS)["items"]:
        s.cluster.api("DELETE", f"{BINDINGS}/{policy['metadata']['name']}")
    s.wait_policy(False)
    for row in REFUSED:
        what, _, _, request, token = unpack(row)
        code, said = s.write(request, token, dry=True)
        if code >= 300:
            wrong.append((what, code, said))
    assert not wrong, ("without the policy these should pass", wrong)


@case
def what_is_not_granted_is_refused_by_rbac_and_most_of_it_by_policy_too(t):
    s = Stage(t)
    before, wrong = s.state(), []
    for what, request, _ in NOT_GRANTED:
        code, said = s.write(request)
        if code != 403 or "cannot" not in said or "ValidatingAdmissionPolicy" in said:
            wrong.append((what, code, said))
    assert not wrong, wrong
    s.cluster.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "a-mistake"},
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                     "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": "stoker-system"}]})
    wait_for(lambda: s.write(("GET", "/api/v1/pods", JSON, None))[0] == 200, "the mistake")
    for what, request, by_policy in NOT_GRANTED:
        code, said = s.write(request) if by_policy else (403, "ValidatingAdmissionPolicy")
        if code != 403 or "ValidatingAdmissionPolicy" not in said:
            wrong.append((what, code, said))
    assert not wrong, wrong
    assert s.state() == before


@case
def what_the_agent_does_is_allowed(t):
    s = Stage(t)
    before = s.cluster.node(OWN)
    long_instance = LONG[:111] + "-" + f"{fnv1a(LONG.encode()):016x}"
    rows = [
        ("its condition", status(conditions=[condition("stoker.dev/StorageReady", "False", "ReadOnlyFilesystem", lastHeartbeatTime="2026-02-01T00:00:00Z")])),
        ("a new condition of ours", status(conditions=[condition("stoker.dev/ScratchReady")])),
        ("our condition removed", ("PATCH", STATUS, STRATEGIC, {"status": {"conditions": [{"$patch": "delete", "type": "stoker.dev/ScratchReady"}]}})),
        ("our taint changed", ("PATCH", NODE, PATCH, [{"op": "test", "path": "/spec/taints", "value": [A, OURS, B]},
                                                       {"op": "add", "path": "/spec/taints", "value": [A, {**OURS, "value": "InodesExhausted"}, B]}])),
        ("our taint removed", taints(A, B)),
        ("our taint set at the end", taints(A, B, OURS)),
        ("our taint as a warning", taints(A, B, {**OURS, "effect": "PreferNoSchedule"})),
        ("our taint for autoscaled clusters", taints(A, B, AUTOSCALED)),
        ("our taint first", taints(OURS, A, B)),
        ("nodes counted", ("GET", "/api/v1/nodes?limit=1", JSON, None)),
        ("a slot made", post(lease(4, OWN))),
        ("its slots read", ("GET", LEASES, JSON, None)),
        ("its slot renewed", put(4, OWN)),
        ("its slot renewed by a clock that went back", put(4, OWN, NOON)),
        ("its slot renewed after it had lapsed", put(4, OWN, "2027-01-01T00:00:00.000000Z")),
        ("its slot given back", put(4, "", "2027-01-01T00:00:00.000000Z")),
        ("an empty slot taken", put(2, OWN)),
        ("its slot given back by null", put(2, None)),
        ("a lapsed slot taken", put(1, OWN, "2026-11-26T12:01:00.000001Z", extra={"acquireTime": NOON, "leaseTransitions": 3})),
        ("its slot given back as well", put(1, None, NOON)),
        ("a slot that a person has annotated", put(6, OWN, annotations={}, labels={"app.kubernetes.io/name": "stoker"})),
        ("slots listed", ("GET", LEASES, JSON, None)),
        ("an Event", post(event("mine"))),
        ("a series of it", ("PATCH", f"{EVENTS}/mine", MERGE, {"series": {"count": 2, "lastObservedTime": TWO_MINUTES_LATER}})),
        ("an Event about a pod", post(pod_event("mine"))),
        ("an Event about an annotation of a pod", post(pod_event("adjust", action="Adjust"))),
        ("a series of that", ("PATCH", f"{TEAM_EVENTS}/mine", MERGE, {"series": {"count": 2, "lastObservedTime": TWO_MINUTES_LATER}})),
        ("an Event about a pod in default", post(pod_event("mine-too", space="default"))),
        ("an Event of a long name", post(event("long", long_instance, about=LONG)), "long"),
    ]
    for row in rows:
        what, request, token = row if len(row) == 3 else (*row, "own")
        # a slot given back is known to the policy of one slot a moment later
        code, said = wait_for(lambda: (lambda a: a if a[0] < 300 or "it holds" not in a[1] else None)(s.write(request, token)), what)
        assert code < 300, (what, code, said)
    after = s.cluster.node(OWN)
    assert after["spec"]["taints"] == [OURS, A, B]
    assert s.cluster.condition(OWN)["reason"] == "ReadOnlyFilesystem"
    for part in ("labels", "annotations"):
        assert before["metadata"][part] == after["metadata"][part]
    assert {**before["status"], "conditions": 0} == {**after["status"], "conditions": 0}


@case
def an_event_about_a_node_lies_in_default(t):
    """The API server itself sees to that; the policy relies on it."""
    s = Stage(t)
    code, said = s.write(post({**event("e"), "metadata": {"name": "e", "namespace": "team-a"}}))
    assert code == 422 and "does not match event.namespace" in said, (code, said)


@case
def what_the_api_server_drops_passes_and_changes_nothing(t):
    """A spec sent to nodes/status and a status sent to nodes never reach a policy: they are dropped before it looks."""
    s = Stage(t)
    before = s.cluster.node(OWN)
    for request in (change("/spec/unschedulable", False, STATUS), change("/spec/taints", [], STATUS), change("/status/capacity/cpu", "64"), change("/status/conditions", [])):
        code, said = s.write(request)
        assert code == 200, (request, code, said)
    after = s.cluster.node(OWN)
    assert (before["spec"], before["status"]) == (after["spec"], after["status"])


@case
def a_taint_that_a_person_made_evicting_does_not_stop_the_agent(t):
    s = Stage(t)
    s.cluster.patch_taints(OWN, [A, {**OURS, "effect": "NoExecute"}, B])
    for request in (status(conditions=[condition("stoker.dev/StorageReady", "False")]), taints(A, B)):
        code, said = s.write(request)
        assert code == 200, (code, said)
    assert s.cluster.taints(OWN) == [A, B]


@case
def a_token_of_a_pod_names_the_node_of_the_pod(t):
    s = Stage(t)
    pod = s.cluster.api("POST", "/api/v1/namespaces/stoker-system/pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": OTHER, "serviceAccountName": "stoker", "containers": [{"name": "c", "image": "none"}]}})
    token = s.cluster.service_account_token(bound_to={"kind": "Pod", **pod})
    code, said = s.write(status(conditions=[condition("stoker.dev/X")]), token)
    assert code == 403 and 'node "node-2" may not change node "node-1"' in said, (code, said)
    code, said = s.write(("PATCH", OTHERS_NODE + "/status", STRATEGIC, {"status": {"conditions": [condition("stoker.dev/X")]}}), token)
    assert code == 200, said


@case
def two_slots_won_by_a_burst_cannot_be_kept(t):
    """Requests at the same moment may pass the policy of one slot together; afterwards neither can be renewed before the other is given back."""
    s = Stage(t)
    for slot in (5, 7):
        s.cluster.api("POST", LEASES, lease(slot, OWN))
    for slot in (5, 7):
        wait_for(lambda: "it holds" in s.write(put(slot, OWN), dry=True)[1], f"slot {slot} not to be renewed")
    assert s.write(put(5, ""))[0] == 200
    wait_for(lambda: s.write(put(7, OWN))[0] == 200, "the other to be renewed")


@case
def others_are_not_bothered(t):
    """The policies look at the agent's user name only: an administrator changes everything."""
    s = Stage(t)
    for what, _, _, request, _ in map(unpack, REFUSED):
        code, said = s.write(request, ADMIN, dry=True)
        assert code < 300, (what, code, said)


@case
def aliases_are_a_component(t):
    s = Stage(t)
    component = load("components/aliases/kustomization.yaml")[0]["patches"][0]
    alias, foreign = status(conditions=[condition("StorageReady", "False")]), status(conditions=[condition("Ready", "False")])
    assert s.write(alias)[0] == 403
    s.cluster.api("PATCH", f"{POLICIES}/{component['target']['name']}", yaml.safe_load(component["patch"]), PATCH)
    wait_for(lambda: s.write(alias)[0] == 200, "the aliases to be allowed")
    assert s.write(status(conditions=[condition("ReadonlyFilesystem", "True")]))[0] == 200
    code, said = s.write(foreign)
    assert code == 403 and "than stoker.dev/ or ReadonlyFilesystem or StorageReady: Ready" in said, said


@case
def retired_is_said_when_the_aliases_are_gone_too(t):
    """An uninstalled agent's StorageReady=False would have Karpenter delete the node half an hour later."""
    s = Stage(t)
    node = Node(t, period="1s", name=OWN)
    node.tmpfs("size=4m")
    token = os.path.join(t.dir, "token")
    with open(token, "w") as f:
        f.write(s.own)
    node.report = f"report:\n  kubeconfig: {s.cluster.kubeconfig('stoker', token_file=token)}\n"
    s.cluster.api("PATCH", STATUS, {"status": {"conditions": [condition("StorageReady", "False", message="stoker: /data: full")]}}, STRATEGIC)
    node.start()
    wait_for(lambda: s.cluster.condition(OWN)["reason"] == "AllProbesPassed", "the condition", 60, 0.05)
    node.write_config("retire: true\n" + node.read_config())
    wait_for(lambda: s.cluster.condition(OWN) is None and OURS not in s.cluster.taints(OWN), "condition and taint to go", 60, 0.05)
    wait_for(lambda: "report.aliases: 403" in node.input("reporter")["detail"], "the policy's refusal to be said", 60, 0.05)
    assert "retired" not in node.input("reporter")["detail"], node.input("reporter")
    component = load("components/aliases/kustomization.yaml")[0]["patches"][0]
    s.cluster.api("PATCH", f"{POLICIES}/{component['target']['name']}", yaml.safe_load(component["patch"]), PATCH)
    wait_for(lambda: "retired" in node.input("reporter")["detail"], "it to have retired", 60, 0.05)
    assert s.cluster.condition(OWN, "StorageReady") is None


# with the component `pods`; all else about pods stays with NOT_GRANTED
POD_READS = {
    "get": [("GET", POD, JSON, None)],
    "list": [("GET", f"{TEAM_PODS}?fieldSelector=status.podIP%3D10.9.8.7&limit=2", JSON, None), ("GET", f"{TEAM_PODS}?labelSelector=spark-role%3Ddriver", JSON, None)],
}


@case
def pods_are_a_component(t):
    """It gives get and list, of every pod: one of another node too, with what stands in its environment (docs/rights.md says so). Narrower by RoleBindings."""
    s = Stage(t)
    spec = {"nodeName": OTHER, "containers": [{"name": "c", "image": "none", "env": [{"name": "PASSWORD", "value": "hunter2"}]}]}
    s.cluster.api("POST", TEAM_PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec})

    def allowed():
        return sorted(verb for verb, requests in POD_READS.items() for request in requests if s.write(request)[0] == 200)
    assert allowed() == []
    role, binding = load("components/pods/rbac.yaml")
    for thing in (role, binding):
        s.cluster.apply(thing)
    wait_for(lambda: allowed() == ["get", "list", "list"], "the reads to be allowed")
    assert "hunter2" in s.cluster.request("GET", POD, token=s.own)[1]
    before, granted = s.state(), ("pods read", "a pod read")
    for request in [r for what, r, _ in NOT_GRANTED if what not in granted] + [("GET", f"{TEAM_PODS}?watch=1", JSON, None)]:
        code, said = s.write(request)
        assert code == 403 and "cannot" in said, (request, code, said)
    assert s.state() == before
    for verb in ("get", "list"):
        s.cluster.api("PATCH", s.cluster.path_of(role), {"rules": [{**role["rules"][0], "verbs": [verb]}]}, MERGE)
        wait_for(lambda verb=verb: set(allowed()) == {verb}, f"{verb} alone")
    s.cluster.apply(role)
    s.cluster.request("DELETE", s.cluster.path_of(binding))
    wait_for(lambda: allowed() == [], "nothing without the binding")
    s.cluster.apply({**binding, "kind": "RoleBinding", "metadata": {**binding["metadata"], "namespace": "team-a"}})
    wait_for(lambda: allowed() == ["get", "list", "list"], "the reads of one namespace")
    for path in ("/api/v1/pods", "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/x"):
        assert s.write(("GET", path, JSON, None))[0] == 403, path


@case
def the_policies_have_no_type_warnings(t):
    """kube-controller-manager checks each expression against the schema of what it is about."""
    if not os.access(f"{CACHE}/bin/kube-controller-manager", os.X_OK):
        raise Skip(f"{CACHE}/bin/kube-controller-manager is missing: run tests/peers/build")
    s = Stage(t)
    s.cluster.start("kube-controller-manager", f"--kubeconfig={s.cluster.kubeconfig('kcm', ADMIN)}", "--leader-elect=false", "--secure-port=0",
                    "--controllers=validatingadmissionpolicy-status-controller")
    broken = load("base/policy.yaml")[0]
    broken["metadata"]["name"] = "broken"
    broken["spec"]["validations"][2]["expression"] = "object.metadata.nam == 'x'"
    s.cluster.apply(broken)

    def checked():
        policies = s.cluster.api("GET", POLICIES)["items"]
        return all("typeChecking" in p.get("status", {}) for p in policies) and {p["metadata"]["name"]: p["status"]["typeChecking"] for p in policies}

    found = wait_for(checked, "the types to be checked")
    assert found.pop("broken").get("expressionWarnings"), "the check sees nothing"
    assert sorted(found) == ["stoker-events", "stoker-nodes", "stoker-one-slot", "stoker-slots"]
    assert not any(found.values()), found


def said_missing(node):
    """By the doctor and by /readyz, which stays green: a cluster without the policy API must not be without the agent."""
    answer = node.cli("doctor")
    assert "note    policy" in answer.stdout and "no admission policy" in answer.stdout and "docs/rights.md" in answer.stdout, answer.stdout
    code, text = node.get("/readyz?verbose")
    assert code == 200 and "[!]policy degraded" in text, (code, text)


@case
def the_reporter_works_under_the_policy(t):
    """A fault and its repair, with the token of its node; with the token of another node it says who refuses."""
    s = Stage(t)
    node = Node(t, period="1s", name=OWN)
    token = os.path.join(t.dir, "token")

    def write_token(text):
        with open(token + ".new", "w") as f:
            f.write(text)
        os.rename(token + ".new", token)

    write_token(s.own)
    node.report = f"report:\n  kubeconfig: {s.cluster.kubeconfig('stoker', token_file=token)}\n  maxTainted: 50\n"
    disk = node.disk("ext4")
    s.cluster.create_node("spare")  # the others are tainted, and the last schedulable node never is
    s.cluster.patch_taints(OWN, [A, B])
    others = [c for c in s.cluster.node(OWN)["status"]["conditions"] if not c["type"].startswith("stoker.dev/")]
    node.start()
    wait_for(lambda: s.cluster.condition(OWN)["reason"] == "AllProbesPassed", "the condition", 60, 0.05)
    disk.trigger_ext4_error()
    wait_for(lambda: s.cluster.our_taint(OWN), "the taint", 60, 0.05)
    assert s.cluster.taints(OWN)[:2] == [A, B]
    wait_for(lambda: s.cluster.condition(OWN)["status"] == "False", "the condition to be False", 60, 0.05)
    wait_for(lambda: node.input("policy")["state"] == "ok", "the policy to be seen", 60, 0.05)
    disk.umount()
    disk.fsck()
    disk.mount()
    wait_for(lambda: s.cluster.taints(OWN) == [A, B] and s.cluster.condition(OWN)["status"] == "True", "the node to be well", 60, 0.05)
    assert [c for c in s.cluster.node(OWN)["status"]["conditions"] if not c["type"].startswith("stoker.dev/")] == others
    write_token(s.tokens["other"])
    node.kill("stoker-reporter")
    disk.trigger_ext4_error()
    wait_for(lambda: "403" in node.input("reporter")["detail"] and "ValidatingAdmissionPolicy" in node.input("reporter")["detail"], "the refusal to be said", 60, 0.05)
    assert s.cluster.taints(OWN) == [A, B]
    # the policies are taken away: everything works, and it is said that nothing limits the token
    for thing in load("base/policy.yaml"):
        s.cluster.request("DELETE", s.cluster.path_of(thing))
    s.wait_policy(False)
    node.kill("stoker-reporter")
    wait_for(lambda: node.input("policy")["state"] == "degraded", "the missing policy to be said", 60, 0.05)
    said_missing(node)
    wait_for(lambda: s.cluster.our_taint(OWN), "the taint", 60, 0.05)
    assert "stoker.dev/policy-check" not in s.cluster.node(OWN)["metadata"]["labels"], "the dry run was none"


if __name__ == "__main__":
    main(machine.own_network)
