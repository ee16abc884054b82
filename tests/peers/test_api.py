"""The node object of a real API server: what is written there, when, and what is left alone."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from cluster import EVENT_RIGHTS, Cluster  # noqa: E402
from nfs_null import NfsNull  # noqa: E402
from node import Node  # noqa: E402

NAME = "node-1"
FOREIGN = {"key": "example.com/mine", "value": "1", "effect": "NoSchedule"}


class Stage:
    """A node object, an agent with one disk, and its ServiceAccount's token in a file as the kubelet projects it."""

    def __init__(self, t, scheduler=False, taints=(), period="1s", agent=True, **more):
        self.cluster = Cluster.shared(t, scheduler)
        self.cluster.create_node(NAME, taints)
        self.token_path = os.path.join(t.dir, "token")
        self.write_token(self.cluster.service_account_token())
        self.node = Node(t, period=period, name=NAME, **more)
        self.node.report = f"report:\n  kubeconfig: {self.cluster.kubeconfig('stoker', token_file=self.token_path)}\n  taintSingleNode: true\n"
        self.disk = self.node.disk("ext4")
        if agent:
            self.node.start()

    def write_token(self, token):
        with open(self.token_path + ".new", "w") as f:
            f.write(token)
        os.rename(self.token_path + ".new", self.token_path)

    def wait_condition(self, status, deadline=60):
        wait_for(lambda: (self.try_condition() or {}).get("status") == status, f"the condition to be {status}", deadline, 0.05)
        return self.cluster.condition(NAME)

    def try_condition(self):
        try:
            return self.cluster.condition(NAME)
        except OSError:
            return None

    def wait_taint(self, wanted, deadline=60):
        wait_for(lambda: bool(self.cluster.our_taint(NAME)) == wanted, "the taint" if wanted else "the taint to go", deadline, 0.05)

    def repair(self):
        self.disk.umount()
        self.disk.fsck()
        self.disk.mount()


@case
def a_fault_becomes_condition_and_taint_and_goes_away(t):
    s = Stage(t, taints=[FOREIGN])
    healthy = s.wait_condition("True")
    assert healthy["reason"] == "AllProbesPassed", healthy
    assert s.cluster.our_taint(NAME) is None
    s.disk.trigger_ext4_error()
    bad = s.wait_condition("False")
    s.wait_taint(True)
    assert bad["reason"] == "ReadOnlyFilesystem", bad
    for part in (s.disk.mount_point, "since", "stoker health"):
        assert part in bad["message"], bad
    assert bad["lastTransitionTime"] > healthy["lastTransitionTime"] or bad["lastTransitionTime"] == bad["lastHeartbeatTime"], bad
    taint = s.cluster.our_taint(NAME)
    assert (taint["value"], taint["effect"]) == ("ReadOnlyFilesystem", "NoSchedule"), taint
    assert s.cluster.condition(NAME, "Ready")["reason"] == "Test"
    wait_for(lambda: not s.node.health()["taint"]["held"], "the CLI to know that the taint is there")
    s.repair()
    s.wait_condition("True")
    s.wait_taint(False)
    assert FOREIGN in s.cluster.taints(NAME), s.cluster.taints(NAME)


@case
def a_checkpoint_server_is_a_condition_and_never_a_taint(t):
    """stoker.dev/CheckpointReady beside the first: it comes, follows the server, and goes with the configuration."""
    server = NfsNull(t)
    s = Stage(t, extra=f"volumes:\n  checkpoints:\n  - {{name: team, server: 127.0.0.1, port: {server.port}, export: /team, namespaces: [spark]}}\n")

    def ready(status, reason):
        def so():
            c = s.cluster.condition(NAME, "stoker.dev/CheckpointReady")
            return c if c and (c["status"], c["reason"]) == (status, reason) else None
        return wait_for(so, f"CheckpointReady to be {status}, {reason}", 60, 0.05)

    s.wait_condition("True")
    well = ready("True", "AllProbesPassed")
    server.end()
    bad = ready("False", "CheckpointUnreachable")
    assert "team (127.0.0.1:/team) is unreachable" in bad["message"] and "efused" in bad["message"], bad
    assert bad["lastTransitionTime"] >= well["lastTransitionTime"], (bad, well)
    assert s.cluster.our_taint(NAME) is None and s.cluster.condition(NAME)["status"] == "True"
    h = s.node.health()
    assert h["status"] == "Healthy" and h["taint"] is None and h["checkpoints"][0]["state"] == "unreachable", h
    assert "checkpoint team (127.0.0.1:/team): unreachable, not mounted" in s.node.cli("health").stdout
    # an Event goes to the reporter, which here has no right to make one (test_events.py)
    wait_for(lambda: [e for e in s.node.log("event") if e["reason"] == "CheckpointUnreachable"], "an Event")
    status, metrics = s.node.get("/metrics")
    assert status == 200 and 'stoker_checkpoint_state{checkpoint="team",state="unreachable"} 1' in metrics, metrics
    server.begin_again()
    ready("True", "CheckpointRecovered")
    text = s.node.read_config()
    s.node.write_config(text[:text.index("volumes:")] + text[text.index("executors:"):])
    wait_for(lambda: s.cluster.condition(NAME, "stoker.dev/CheckpointReady") is None, "the condition to be taken off", 60, 0.05)
    assert s.cluster.condition(NAME)["status"] == "True"
    # and with the whole agent
    s.node.write_config(text)
    ready("True", "AllProbesPassed")
    s.node.write_config(text + "retire: true\n")
    wait_for(lambda: s.cluster.condition(NAME, "stoker.dev/CheckpointReady") is None and s.cluster.condition(NAME) is None, "both conditions to be taken off", 60, 0.05)


@case
def a_pod_waits_for_the_recovery(t):
    s = Stage(t, scheduler=True)
    s.wait_condition("True")
    s.disk.trigger_ext4_error()
    s.wait_taint(True)
    s.cluster.api("POST", "/api/v1/namespaces/default/pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "exec-1"}, "spec": {"containers": [{"name": "c", "image": "none"}]}})
    pod = "/api/v1/namespaces/default/pods/exec-1"

    def unschedulable():
        conditions = s.cluster.api("GET", pod)["status"].get("conditions", [])
        return [c for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False" and "taint" in c.get("message", "")]

    wait_for(unschedulable, "the scheduler to refuse the node for its taint", 120, 0.05)
    assert not s.cluster.api("GET", pod)["spec"].get("nodeName")
    s.repair()
    wait_for(lambda: s.cluster.api("GET", pod)["spec"].get("nodeName") == NAME, "the pod to be bound", 120, 0.05)


@case
def taints_of_others_are_never_lost(t):
    """Two writers at once, again and again: ours has a precondition, so theirs stays."""
    s = Stage(t, minimum_bad="0s", recover_after=1)
    s.wait_condition("True")
    stop, lost = threading.Event(), []

    def others():
        """Adds a taint of its own every time, takes it away again, and notes when it was gone in between."""
        number = 0
        while not stop.is_set():
            number += 1
            mine = {"key": "example.com/other", "value": str(number), "effect": "NoSchedule"}
            now = s.cluster.node(NAME)["spec"].get("taints")
            wanted = [x for x in now or [] if x["key"] != mine["key"]] + [mine]
            put = s.cluster.request("PATCH", f"/api/v1/nodes/{NAME}", [{"op": "test", "path": "/spec/taints", "value": now},
                                    {"op": "add", "path": "/spec/taints", "value": wanted}], "application/json-patch+json")
            if put[0] != 200:
                continue
            # and a condition, as the kubelet's heartbeat does
            said = f"heartbeat {number}"
            s.cluster.request("PATCH", f"/api/v1/nodes/{NAME}/status", {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": said}]}},
                              "application/strategic-merge-patch+json")
            for _ in range(3):
                now = json.loads(s.cluster.request("GET", f"/api/v1/nodes/{NAME}")[1])
                if mine not in now["spec"].get("taints", []):
                    lost.append(f"taint {number}")
                if said not in [c.get("message") for c in now["status"]["conditions"]]:
                    lost.append(f"condition {number}")

    writer = threading.Thread(target=others)
    writer.start()
    try:
        for _ in range(12):
            if lost:
                break
            s.disk.trigger_ext4_error()
            s.wait_taint(True)
            s.repair()
            s.wait_taint(False)
    finally:
        stop.set()
        writer.join()
    assert not lost, f"lost of another writer: {lost[:5]}, {len(lost)} times"
    assert s.cluster.condition(NAME, "Ready")["reason"] == "Test"


def away(t, during_the_fault, during_the_recovery):
    """The back-off grows, nothing queues, the newest verdict is written when the server is back."""
    s = Stage(t)
    s.write_token(s.cluster.service_account_token(86400))
    s.wait_condition("True")
    for fault, seconds in ((True, during_the_fault), (False, during_the_recovery)):
        s.cluster.stop("kube-apiserver")
        begin = time.monotonic()
        if fault:
            s.disk.trigger_ext4_error()
        else:
            s.repair()
        s.node.wait("Unhealthy" if fault else "Healthy")
        assert s.node.cli("health").returncode == (1 if fault else 0)
        wait_for(lambda: s.node.input("reporter")["state"] == "degraded", "the CLI to say that the API server is away")
        wait_for(lambda: time.monotonic() - begin > seconds, "the outage to have lasted", seconds + 30, 0.5, is_ours=False)
        s.cluster.start_apiserver()
        # a pause of 15 s at most, and one more if the server was not quite there yet; the taint needs rights that it may know a moment later
        s.wait_condition("False" if fault else "True", 90)
        s.wait_taint(fault, 90)
    tried = [line for line in s.node.lines() if line.get("role") == "stoker-reporter"]
    assert len(tried) < 200, "the reporter logs every try"


@case
def the_api_server_is_away_during_a_fault_and_during_a_recovery(t):
    """So long that the pauses between the tries have grown to their longest: of the doubled ones the longest comes after 13 s."""
    away(t, 20, 20)


@only_long
@case
def the_api_server_is_away_for_an_hour(t):
    away(t, 3600, 20)


the_api_server_is_away_for_an_hour.deadline = 4200


@case
def the_newest_verdict_wins_after_an_outage(t):
    s = Stage(t)
    s.wait_condition("True")
    s.cluster.stop("kube-apiserver")
    before = time.time()
    s.disk.trigger_ext4_error()
    s.node.wait("Unhealthy")
    s.repair()
    s.node.wait("Healthy")
    s.cluster.start_apiserver()
    wait_for(lambda: s.node.input("reporter")["state"] == "ok", "the reporter to be back", 180)
    s.wait_condition("True")
    assert s.cluster.our_taint(NAME) is None
    stale = [e for e in s.cluster.agent_writes(before) if b'"status":"False"' in json.dumps(e.get("requestObject", "")).encode().replace(b" ", b"")]
    assert not stale, "what was over was still written"


@case
def the_token_is_rotated(t):
    s = Stage(t)
    s.wait_condition("True")
    s.write_token("not-a-token")
    s.disk.trigger_ext4_error()
    s.node.wait("Unhealthy")
    wait_for(lambda: "401" in s.node.input("reporter")["detail"], "the 401 to be said")
    s.write_token(s.cluster.service_account_token())
    s.wait_condition("False", 120)
    s.wait_taint(True, 120)


@case
def nothing_is_written_when_nothing_changed(t):
    s = Stage(t)
    s.wait_condition("True")
    wait_for(lambda: s.node.input("reporter")["state"] == "ok", "the reporter")
    before = len(s.cluster.agent_writes())
    probed = len(s.node.log("probe finished"))
    wait_for(lambda: len(s.node.log("probe finished")) >= probed + 8, "eight more probes")
    assert len(s.cluster.agent_writes()) == before, s.cluster.agent_writes()[before:]


@case
def the_heartbeat_is_renewed_when_it_is_old(t):
    """Nothing has changed, but the heartbeat on the node object is an hour old: it is written anew, the transition time is not."""
    s = Stage(t)
    before = s.wait_condition("True")
    s.node.stop()
    old = {**before, "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    s.cluster.api("PATCH", f"/api/v1/nodes/{NAME}/status", {"status": {"conditions": [old]}}, "application/strategic-merge-patch+json")
    begin = time.time()
    s.node.start()
    wait_for(lambda: s.cluster.condition(NAME)["lastHeartbeatTime"] > "2026-01-02", "the heartbeat", 60, 0.05)
    now = s.cluster.condition(NAME)
    assert {**now, "lastHeartbeatTime": ""} == {**old, "lastHeartbeatTime": ""}, (now, old)
    probed = len(s.node.log("probe finished"))
    wait_for(lambda: len(s.node.log("probe finished")) >= probed + 4, "four more probes")
    assert len(s.cluster.agent_writes(begin)) == 1, s.cluster.agent_writes(begin)


@case
def killed_reporter_and_supervisor_write_nothing_false(t):
    """Restarts under a fault: the condition stays False, its transition time stays, the taint stays."""
    s = Stage(t)
    s.wait_condition("True")
    s.disk.trigger_ext4_error()
    since = s.wait_condition("False")["lastTransitionTime"]
    s.wait_taint(True)
    begin = time.time()
    for role in ("stoker-reporter", "stokerd", "stoker-broker", "stokerd", "stoker-reporter"):
        old = s.node.pid(role)
        s.node.kill(role)
        wait_for(lambda: s.node.pid(role) not in (None, old), f"{role} to be back")
        wait_for(lambda: s.node.input("reporter")["state"] == "ok" and s.node.input("broker")["state"] == "ok" and s.node.all_probed(), "all to be connected")
        assert s.node.health()["status"] == "Unhealthy"
    condition = s.cluster.condition(NAME)
    assert condition["status"] == "False" and condition["lastTransitionTime"] == since, (condition, since)
    assert s.cluster.our_taint(NAME)
    for event in s.cluster.agent_writes(begin):
        assert '"True"' not in json.dumps(event.get("requestObject", {}).get("status", {}) if isinstance(event.get("requestObject"), dict) else {}), event


@case
def what_only_the_node_object_remembers_is_not_cleared_by_one_good_probe(t):
    """After a reboot: no state file, the disk is well, the condition says False. Three good probes, as after any fault."""
    s = Stage(t, minimum_bad="0s")
    s.wait_condition("True")
    s.disk.trigger_ext4_error()
    s.wait_condition("False")
    s.wait_taint(True)
    s.node.stop()
    s.repair()
    os.unlink(os.path.join(s.node.runtime, "state.json"))
    before = len(s.node.lines())
    s.node.start()
    s.wait_condition("True")
    s.wait_taint(False)
    lines = s.node.lines()[before:]
    written = next(i for i, line in enumerate(lines) if line.get("msg") == "published" and line.get("status") == "True")
    good = [line for line in lines[:written] if line.get("msg") == "probe finished" and line.get("errno") == "0"]
    assert len(good) >= 3, lines[:written]


@case
def a_missing_right_stops_only_what_needs_it(t):
    s = Stage(t, agent=False)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "stoker"},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}, {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]}]}
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/stoker"
    full = s.cluster.api("GET", path)
    s.cluster.api("PUT", path, role)
    s.node.start()
    s.wait_condition("True")
    s.disk.trigger_ext4_error()
    s.wait_condition("False")
    wait_for(lambda: "403" in s.node.input("reporter")["detail"] or "forbidden" in s.node.input("reporter")["detail"].lower(), "the missing right to be named")
    assert s.cluster.our_taint(NAME) is None
    assert s.node.health()["taint"]["held"]
    s.cluster.api("PUT", path, {**role, "rules": full["rules"]})
    s.wait_taint(True, 180)


RBAC = "/apis/rbac.authorization.k8s.io/v1/"
LEASES, EVENTS = "leases.coordination.k8s.io", "events.events.k8s.io"
OF_CLUSTER, OF_BRAKE, OF_EVENTS = ("clusterroles/stoker", ""), ("namespaces/stoker-system/roles/stoker", "stoker-system"), ("namespaces/default/roles/stoker-events", "default")
# the role and its namespace, what is taken away; does the condition come, does the taint, what is said
RIGHTS = [
    (OF_CLUSTER, "get", "nodes", False, False, "get nodes: 403"),
    (OF_CLUSTER, "list", "nodes", True, False, "no brake slot: list nodes: 403"),
    (OF_CLUSTER, "patch", "nodes", True, False, "patch nodes: 403"),
    (OF_CLUSTER, "patch", "nodes/status", False, True, "patch nodes/status: 403"),
    (OF_BRAKE, "list", LEASES, True, False, "no brake slot: list leases: 403"),
    (OF_BRAKE, "create", LEASES, True, False, "no brake slot: create leases: 403"),
    (OF_BRAKE, "update", LEASES, True, True, "update leases: 403"),  # when the slot is given back
    (OF_EVENTS, "create", EVENTS, True, True, "create events: 403"),
    (OF_EVENTS, "patch", EVENTS, True, True, "patch events: 403"),  # when it happens again
]


def without(rules, verb, resource):
    kept = [{**r, "verbs": [v for v in r["verbs"] if v != verb]} if resource.split(".")[0] in r["resources"] else r for r in rules]
    return [r for r in kept if r["verbs"]]


def missing(role, verb, resource, has_condition, has_taint, words):
    def run(t):
        s = Stage(t, agent=False, minimum_bad="0s", recover_after=1)
        for thing in EVENT_RIGHTS:
            s.cluster.apply(thing)
        path, space = RBAC + role[0], role[1]
        wait_for(lambda: s.cluster.is_allowed(verb, resource, space), "the right", is_ours=False)
        s.cluster.api("PATCH", path, {"rules": without(s.cluster.api("GET", path)["rules"], verb, resource)}, "application/merge-patch+json")
        wait_for(lambda: not s.cluster.is_allowed(verb, resource, space), "the right to be gone", is_ours=False)
        s.node.start()
        s.node.wait("Healthy")
        for _ in range(2 if verb == "patch" else 1):
            s.disk.trigger_ext4_error()
            s.node.wait("Unhealthy")
            if has_condition:
                s.wait_condition("False")
            if not has_taint:
                break
            s.wait_taint(True)
            wait_for(lambda: not s.node.health()["taint"]["held"], "the CLI to know that the taint is there")
            s.repair()
            s.wait_taint(False)
        said = lambda: json.dumps([s.node.input("reporter")["detail"], s.node.health()["taint"]])  # noqa: E731
        wait_for(lambda: words in said(), lambda: f"'{words}' to be said, not {said()}", 60, 0.05)
        assert has_taint or not s.cluster.our_taint(NAME)
        assert has_condition or not s.cluster.condition(NAME)

    run.__name__ = f"without_the_right_to_{verb}_{resource.split('.')[0].replace('/', '_')}"
    return case(run)


for row in RIGHTS:
    missing(*row)


@case
def the_node_object_comes_later(t):
    s = Stage(t, agent=False)
    s.cluster.api("DELETE", f"/api/v1/nodes/{NAME}")
    s.node.start()
    s.node.wait("Healthy")
    wait_for(lambda: "404" in s.node.input("reporter")["detail"] or "not" in s.node.input("reporter")["detail"], "the reporter to say so")
    s.cluster.create_node(NAME)
    s.wait_condition("True", 120)


if __name__ == "__main__":
    main(machine.own_network)
