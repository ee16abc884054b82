"""Five agents, one real API server: never more nodes tainted than allowed, whatever crashes; never the last schedulable one."""
import http.client
import json
import os
import sys
import socket
import struct
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import case, main, wait_for  # noqa: E402
from cluster import ADMIN, EVENT_RIGHTS, Cluster  # noqa: E402
from node import Node  # noqa: E402

LEASES = "/apis/coordination.k8s.io/v1/namespaces/stoker-system/leases"
KEY = "stoker.dev/unhealthy"


class Own:
    """A test's context for one of several nodes: its own directory, everybody's clean-ups."""

    def __init__(self, t, name):
        self.dir, self.cleanup, self.note = os.path.join(t.dir, name), t.cleanup, t.note
        os.makedirs(self.dir)


class Watch:
    """Every state of the node objects in the order in which the API server took them on: a watch, not samples."""

    def __init__(self, cluster, t):
        listed = cluster.api("GET", "/api/v1/nodes")
        self.nodes, self.most, self.least_free, self.history, self.bad = {}, 0, 99, [], None
        for node in listed["items"]:
            self.nodes[node["metadata"]["name"]] = node
        self.connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=cluster.tls)
        self.connection.connect()
        self.socket = self.connection.sock
        self.connection.request("GET", f"/api/v1/nodes?watch=1&resourceVersion={listed['metadata']['resourceVersion']}", headers={"Authorization": f"Bearer {ADMIN}"})
        self.answer = self.connection.getresponse()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()
        # shut down, not closed: the thread is in a read, and closing waits for it
        t.cleanup(lambda: self.socket.shutdown(socket.SHUT_RDWR))

    def follow(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    self.nodes[event["object"]["metadata"]["name"]] = event["object"]
                elif event["type"] == "DELETED":
                    self.nodes.pop(event["object"]["metadata"]["name"], None)
                self.note()
        except (OSError, ValueError, AttributeError):
            pass

    def note(self):
        hard = {name: [x["key"] for x in n["spec"].get("taints", []) if x["effect"] != "PreferNoSchedule"] for name, n in self.nodes.items()}
        tainted = sorted(name for name, keys in hard.items() if KEY in keys)
        self.most = max(self.most, len(tainted))
        self.least_free = min(self.least_free, sum(not keys and not self.nodes[name]["spec"].get("unschedulable") for name, keys in hard.items()))
        if not self.history or self.history[-1] != tainted:
            self.history.append(tainted)


def allow_events(cluster):
    for thing in EVENT_RIGHTS:
        cluster.apply(thing)


def events(cluster, reason):
    return [e for e in cluster.api("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"] if e["reason"] == reason]


class Stage:
    def __init__(self, t, share, count=5, agents=None, more="", disks=1, environment=None, launcher=True):
        self.t, self.cluster = t, Cluster.shared(t)
        self.names = [f"node-{i}" for i in range(count)]
        for name in self.names:
            self.cluster.create_node(name)
        token = os.path.join(t.dir, "token")
        with open(token, "w") as f:
            f.write(self.cluster.service_account_token(86400))
        kubeconfig = self.cluster.kubeconfig("stoker", token_file=token)
        self.nodes, self.disks, self.more = [], [], []
        for name in self.names[:agents]:
            node = Node(Own(t, name), period="1s", minimum_bad="0s", recover_after=1, name=name)
            node.report = f"report:\n  kubeconfig: {kubeconfig}\n  maxTainted: {share}\n{more}"
            # memory: made and filled in no time
            node.environment = environment
            self.disks.append(node.tmpfs("size=1m"))
            self.more += [node.tmpfs("size=1m,nr_inodes=64") for _ in range(disks - 1)]
            self.nodes.append(node)
        for node in self.nodes:
            node.start() if launcher else node.start_roles()
        for name in self.names[:agents]:
            wait_for(lambda: (self.cluster.condition(name) or {}).get("status") == "True", f"{name} to be well", 60, 0.05)
        self.watch = Watch(self.cluster, t)

    def break_(self, *which):
        for i in which:
            self.disks[i].fill()
        for i in which:
            wait_for(lambda: (self.disks[i].fill(), (self.cluster.condition(self.names[i]) or {}).get("status") == "False")[1], f"node-{i} to be bad", 60, 0.1)

    def repair(self, *which):
        for i in which:
            for name in os.listdir(self.disks[i].mount_point):
                if name == "ballast":
                    os.unlink(os.path.join(self.disks[i].mount_point, name))

    def tainted(self):
        return [i for i, name in enumerate(self.names) if self.cluster.our_taint(name)]

    def wait_tainted(self, predicate, what, deadline=90):
        wait_for(lambda: predicate(self.tainted()), lambda: f"{what}; tainted are {self.tainted()}", deadline, 0.05)

    def leases(self):
        return {x["metadata"]["name"]: x for x in self.cluster.api("GET", LEASES)["items"]}

    def holders(self):
        return sorted(x["spec"]["holderIdentity"] for x in self.leases().values() if x["spec"].get("holderIdentity"))

    def why(self, i):
        return (self.nodes[i].health()["taint"] or {}).get("why", "")

    def wait_why(self, i, words, deadline=60):
        wait_for(lambda: words in self.why(i), lambda: f"node-{i} to say '{words}', it says '{self.why(i)}'", deadline, 0.05)

    def wait_looking(self, i, predicate, what, deadline=60):
        """Looks each second: after a change of the configuration nobody waits out the pause after a refusal, which grows to a minute."""
        node = self.nodes[i]
        wait_for(lambda: predicate() or node.write_config(node.read_config() + "#\n"), what, deadline, 1)

    def looked_at(self, name):
        """How often an agent has read this node object, by the API server's audit log."""
        with open(self.cluster.audit_path) as f:
            return sum(f'"requestURI":"/api/v1/nodes/{name}"' in line and '"verb":"get"' in line and '"ResponseComplete"' in line and "stoker-system:stoker" in line for line in f)


@case
def never_more_than_allowed_and_the_next_gets_the_slot(t):
    """All five fail at the same moment, one may be tainted; repaired, the slot goes on; reporters are killed all the while."""
    s = Stage(t, 1)
    s.break_(0, 1, 2, 3, 4)
    s.wait_tainted(lambda now: len(now) == 1, "one to be tainted")
    first = s.tainted()[0]
    other = next(i for i in range(5) if i != first)
    s.wait_why(other, f"waiting for a brake slot: 1 of 1 taken by node-{first}")
    assert s.nodes[other].health()["taint"]["held"]
    for node in s.nodes:
        node.kill("stoker-reporter")
    s.wait_why(other, "waiting for a brake slot")
    assert s.tainted() == [first]
    s.repair(first)
    s.wait_tainted(lambda now: len(now) == 1 and now != [first], "the slot to go on", 150)
    s.repair(0, 1, 2, 3, 4)
    s.wait_tainted(lambda now: not now, "all to be well")
    wait_for(lambda: not s.holders(), "all slots to be given back", 60, 0.05)
    assert s.watch.most == 1, s.watch.history


@case
def killed_at_every_stage(t):
    """kill -9 of the reporters, again and again, at moments that wander through the order look, take, look, patch."""
    s = Stage(t, "40%", launcher=False)
    for turn in range(1, 31):
        for i in range(5):
            (s.disks[i].fill if (turn + i) % 3 else lambda i=i: s.repair(i))()
        for node in s.nodes:
            node.start_again("stoker-reporter")
            time.sleep(0.013 * (turn % 11))  # not a wait: it moves the moment
        assert s.watch.most <= 2, s.watch.history
    s.break_(0, 1, 2, 3, 4)
    s.wait_tainted(lambda now: len(now) == 2, "two to be tainted", 150)
    s.repair(0, 1, 2, 3, 4)
    s.wait_tainted(lambda now: not now, "all to be well", 150)
    assert s.watch.most == 2, s.watch.history


@case
def the_last_schedulable_node_is_never_tainted(t):
    """Three are cordoned, the last two fail at the same moment, again and again."""
    s = Stage(t, 5, count=5, agents=2)
    for name in s.names[2:]:
        s.cluster.api("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}}, "application/merge-patch+json")
    for _ in range(3):
        s.break_(0, 1)
        s.wait_tainted(lambda now: len(now) == 1, "one of the two to be tainted")
        other = 1 - s.tainted()[0]
        s.wait_why(other, "the last schedulable node is never tainted")
        s.repair(0, 1)
        s.wait_tainted(lambda now: not now, "both to be well")
        wait_for(lambda: not s.holders(), "the slots to be given back", 60, 0.05)
    assert s.watch.least_free >= 1 and s.watch.most == 1, s.watch.history


@case
def a_taint_goes_without_a_slot(t):
    """The Lease is another's, and Leases cannot be read: the taint of a repaired node goes all the same."""
    s = Stage(t, 1, count=2, agents=1)
    s.break_(0)
    s.wait_tainted(lambda now: now == [0], "the taint")
    role = "/apis/rbac.authorization.k8s.io/v1/namespaces/stoker-system/roles/stoker"
    s.cluster.api("PUT", role, {**s.cluster.api("GET", role), "rules": []})
    s.nodes[0].kill("stoker-reporter")
    wait_for(lambda: "403" in s.nodes[0].input("reporter")["detail"], "the missing right to be said", 60, 0.05)
    assert s.tainted() == [0], "it was taken off although nothing says that it is too many"
    s.repair(0)
    s.wait_tainted(lambda now: not now, "the taint to go", 60)


@case
def a_missing_right_means_no_taint(t):
    s = Stage(t, 1, count=2, agents=1)
    role = "/apis/rbac.authorization.k8s.io/v1/namespaces/stoker-system/roles/stoker"
    before = s.cluster.api("GET", role)
    s.cluster.api("PUT", role, {**before, "rules": []})
    s.break_(0)
    s.wait_why(0, "403")
    assert "leases" in s.why(0), s.why(0)
    s.cluster.api("PUT", role, {**s.cluster.api("GET", role), "rules": before["rules"]})
    s.wait_tainted(lambda now: now == [0], "the taint", 120)


@case
def a_dead_nodes_slot(t):
    """Its Lease has lapsed, but its taint stands: taken. The taint gone: free."""
    s = Stage(t, 1, count=3, agents=1)
    taint = {"key": KEY, "value": "IOErrors", "effect": "NoSchedule"}
    s.cluster.patch_taints("node-2", [taint])
    s.cluster.api("POST", LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "stoker-brake-0", "namespace": "stoker-system"},
                  "spec": {"holderIdentity": "node-2", "leaseDurationSeconds": 15, "renewTime": "2990-01-01T00:00:00.000000Z"}})
    s.break_(0)
    s.wait_why(0, "1 of 1 taken by node-2")
    before = s.looked_at("node-2")
    # only the holder of a lapsed one is looked at; the second look tells that the first one's answer is judged
    s.wait_looking(0, lambda: s.looked_at("node-2") >= before + 2, "the Lease to have lapsed")
    assert s.tainted() == [2] and "1 of 1 taken by node-2" in s.why(0), (s.tainted(), s.why(0))
    s.cluster.patch_taints("node-2", [])
    s.wait_looking(0, lambda: s.tainted() == [0], "the slot to be taken over")
    assert s.leases()["stoker-brake-0"]["spec"]["holderIdentity"] == "node-0"
    assert s.watch.most == 1, s.watch.history


@case
def hold_and_hand(t):
    """hold-until takes the taint off and keeps it off; what a person takes off is put back three times."""
    s = Stage(t, 1, count=2, agents=1, disks=2)
    s.break_(0)
    s.wait_tainted(lambda now: now == [0], "the taint")
    annotate = lambda value: s.cluster.api("PATCH", "/api/v1/nodes/node-0", {"metadata": {"annotations": {"stoker.dev/hold-until": value}}}, "application/merge-patch+json")  # noqa: E731
    annotate("2990-01-01T00:00:00+02:00")
    s.more[0].fill_inodes()  # a change of the condition: its answer shows the annotation at once, not within the minute
    s.wait_tainted(lambda now: not now, "the taint to go")
    s.wait_why(0, "held until 2990-01-01T00:00:00+02:00")
    assert s.cluster.condition("node-0")["status"] == "False"
    wait_for(lambda: not s.holders(), "the slot to be given back", 60, 0.05)
    annotate("tomorrow")
    s.more[0].empty()
    s.wait_tainted(lambda now: now == [0], "a hold that is none to be ignored")
    assert s.nodes[0].log("annotation ignored: it is no time like 2026-11-26T08:15:00Z")


@case
def what_a_person_takes_off_is_put_back_three_times(t):
    """One Event with a count; the fourth time it stays off, and that is said too. The condition stays."""
    s = Stage(t, 1, count=2, agents=1, disks=2)
    allow_events(s.cluster)
    first, second = s.disks[0], s.more[0]
    s.break_(0)
    s.wait_tainted(lambda now: now == [0], "the taint")
    second.fill_inodes()
    s.nodes[0].wait_fs(second, "bad")  # the node is never well in between, or the taint would go by itself
    for turn in range(4):
        s.cluster.patch_taints("node-0", [])
        # the reason changes, and so the taint's value: its patch meets a list without it, as any write after a person's
        if turn % 2:
            wait_for(lambda: (first.fill(), s.cluster.condition("node-0")["reason"] == "TmpfsSize")[1], "the first disk's reason", 60, 0.1)
        else:
            first.empty()
            wait_for(lambda: s.cluster.condition("node-0")["reason"] == "TmpfsInodes", "the second disk's reason", 60, 0.05)
        if turn < 3:
            s.wait_tainted(lambda now: now == [0], f"the taint to be put back, time {turn + 1}")
    s.wait_why(0, "taken off by somebody more than 3 times within an hour: left off for ")
    wait_for(lambda: not s.holders(), "the slot to be given back", 60, 0.05)
    assert s.tainted() == [] and s.cluster.condition("node-0")["status"] == "False"
    assert len(s.nodes[0].log("somebody took the taint off while the fault stands: it is put back")) == 3
    said = wait_for(lambda: [e for e in events(s.cluster, "TaintHeld") if "within an hour" in e["note"]], "the Event", 60, 0.05)
    back = events(s.cluster, "TaintPutBack")
    assert len(said) == len(back) == 1 and back[0]["series"]["count"] >= 2, (said, back)
    assert back[0]["action"] == "Taint" and back[0]["regarding"]["name"] == "node-0" and back[0]["note"].startswith(f"taint {KEY}=Tmpfs"), back


@case
def fewer_are_allowed_than_hold_slots(t):
    """The configuration shrinks: holders keep theirs until they are well, nobody new gets one before the number is right."""
    s = Stage(t, 2, count=4, agents=3)
    allow_events(s.cluster)
    s.break_(0, 1)
    s.wait_tainted(lambda now: now == [0, 1], "two to be tainted")
    for node in s.nodes:
        node.write_config(node.read_config().replace("maxTainted: 2", "maxTainted: 1"))
    for node in s.nodes:
        wait_for(lambda node=node: [x for x in node.log("configuration in force") if x["role"] == "stoker-reporter"], "the reporters to have read it")
    s.break_(2)
    s.wait_why(2, "waiting for a brake slot: 2 of 1 taken by node-")
    assert s.tainted() == [0, 1], s.tainted()
    assert s.nodes[2].health()["taint"]["heldBy"] == "brake", s.nodes[2].health()["taint"]
    s.repair(0)
    s.wait_tainted(lambda now: now == [1], "the first to be well")
    s.wait_looking(2, lambda: "waiting for a brake slot: 1 of 1 taken by node-1" in s.why(2), "the next look")
    s.repair(1)
    s.wait_looking(2, lambda: s.tainted() == [2], "the slot to go on")
    assert s.watch.most == 2 and not any(len(h) == 2 and 2 in h for h in s.watch.history), s.watch.history
    # one Event for the whole wait, though its words have changed
    wait_for(lambda: events(s.cluster, "NoBrakeSlot"), "the Event", 60, 0.05)
    said = [e for e in events(s.cluster, "NoBrakeSlot") if e["regarding"]["name"] == "node-2"]
    assert len(said) == 1 and not said[0].get("series") and "2 of 1 taken" in said[0]["note"], said


@case
def the_wall_clock_steps(t):
    """Two hours forth and back: a hold ends and begins again by it, the slot is kept and renewed, the taint of a fault stands."""
    shift = os.path.join(t.dir, "clock")
    with open(shift, "wb") as f:
        f.write(bytes(8))
    os.chmod(t.dir, 0o755)
    s = Stage(t, 1, count=2, agents=1, environment={**os.environ, "LD_PRELOAD": f"{os.environ['STOKER_TESTS']}/clock_shift.so", "STOKER_TEST_CLOCK": shift})
    allow_events(s.cluster)

    def step(hours):
        with open(shift, "r+b") as f:
            f.write(struct.pack("=q", hours * 3600))
        s.nodes[0].kill("stoker-reporter")  # looks at once, not within the minute
        wait_for(lambda: s.nodes[0].pid("stoker-reporter"), "the reporter to be back")

    def renewed():
        return (s.leases().get("stoker-brake-0") or {"spec": {}})["spec"].get("renewTime", "")

    def day(hours):
        return time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() + hours * 3600))

    s.break_(0)
    s.wait_tainted(lambda now: now == [0], "the taint")
    for hours in (2, -2, 0):
        step(hours)
        wait_for(lambda: renewed()[:13] == day(hours), lambda: f"the slot to be renewed {hours} h from now; it was at {renewed()}", 60, 0.05)
        assert s.tainted() == [0] and s.holders() == ["node-0"], (s.tainted(), s.holders())
    assert s.watch.history[-1] == ["node-0"] and len(s.watch.history) <= 2, s.watch.history  # never off in between
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    s.cluster.api("PATCH", "/api/v1/nodes/node-0", {"metadata": {"annotations": {"stoker.dev/hold-until": until}}}, "application/merge-patch+json")
    step(0)
    s.wait_tainted(lambda now: not now, "the hold")
    wait_for(lambda: events(s.cluster, "TaintHeld"), "the hold to be said", 60, 0.05)
    assert s.nodes[0].health()["taint"]["heldBy"] == "person", s.nodes[0].health()["taint"]
    step(2)
    s.wait_tainted(lambda now: now == [0], "the hold to be over by this node's clock")
    step(0)
    s.wait_tainted(lambda now: not now, "the hold to count again")
    s.repair(0)
    wait_for(lambda: s.cluster.condition("node-0")["status"] == "True", "the node to be well", 60, 0.05)
    wait_for(lambda: not s.holders(), "the slot to be given back", 60, 0.05)


@case
def one_node_and_retire(t):
    s = Stage(t, 1, count=1)
    s.break_(0)
    s.wait_why(0, "the only node of the cluster")
    node = s.nodes[0]
    node.write_config(node.read_config().replace("maxTainted: 1\n", "maxTainted: 1\n  taintSingleNode: true\n"))
    s.wait_tainted(lambda now: now == [0], "the taint", 90)
    node.write_config("retire: true\n" + node.read_config())
    s.wait_tainted(lambda now: not now, "the taint to go")
    wait_for(lambda: s.cluster.condition("node-0") is None and not s.holders(), "condition and slot to go", 60, 0.05)
    wait_for(lambda: "retired" in node.input("reporter")["detail"], "it to say so", 60, 0.05)


if __name__ == "__main__":
    main(machine.own_network)
