"""What the API server shows beside condition and taint: Events, and conditions under the names of other tools."""
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import CASES, case, main, wait_for  # noqa: E402
from cluster import EVENT_RIGHTS  # noqa: E402
import nri  # noqa: E402
from test_api import NAME, Stage  # noqa: E402

CASES.clear()  # those of test_api are its own

POD_RIGHTS = [
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "stoker-pod-events"},
     "rules": [{"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "stoker-pod-events"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "stoker-pod-events"},
     "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": "stoker-system"}]},
]
STRATEGIC = "application/strategic-merge-patch+json"


def stage(t, rights=True, report="", **more):
    s = Stage(t, agent=False, **more)
    for thing in EVENT_RIGHTS if rights else ():
        s.cluster.apply(thing)
    s.node.report += report
    s.node.start()
    s.wait_condition("True")
    return s


def described(s):
    """The Events that `kubectl describe node` shows: it asks the core API for the node's name as uid, and for the real uid."""
    found = {}
    for uid in (NAME, s.cluster.node(NAME)["metadata"]["uid"]):
        selector = f"involvedObject.kind=Node,involvedObject.name={NAME},involvedObject.namespace=,involvedObject.uid={uid}"
        for e in s.cluster.api("GET", "/api/v1/events?fieldSelector=" + urllib.parse.quote(selector))["items"]:
            found[e["metadata"]["name"]] = e
    return list(found.values())


def events(s, reason):
    return [e for e in described(s) if e["reason"] == reason]


def wait_event(s, reason, count=1, note=""):
    """The kernel's word may come before the first failed write: then a warning of the same reason is an Event of its own."""
    def enough():
        return [e for e in events(s, reason) if (e.get("series") or {"count": 1})["count"] >= count and note in e["message"]]
    return wait_for(enough, f"the Event {reason}, {count} times", 60, 0.05)[0]


def alias(s, kind):
    return s.cluster.condition(NAME, kind)


def wait_alias(s, kind, status, deadline=60):
    wait_for(lambda: (alias(s, kind) or {}).get("status") == status, f"{kind} to be {status}", deadline, 0.05)
    return alias(s, kind)


@case
def a_fault_and_its_end_are_shown_where_kubectl_looks(t):
    s = stage(t)
    assert not described(s), described(s)
    s.disk.trigger_ext4_error()
    bad = wait_event(s, "ReadOnlyFilesystem", note="errno 30")
    assert (bad["type"], bad["action"], bad["reportingComponent"], bad["reportingInstance"]) == ("Warning", "Probe", "stoker.dev/stokerd", NAME), bad
    assert bad["metadata"]["namespace"] == "default" and len(bad["message"]) <= 1024, bad
    for part in (s.disk.mount_point, "errno 30", "1 of 1 filesystems"):
        assert part in bad["message"], bad
    s.wait_taint(True)
    s.repair()
    s.wait_condition("True")
    well = wait_event(s, "StorageRecovered")
    assert well["type"] == "Normal" and "ReadOnlyFilesystem" in well["message"], well
    before = len(described(s))
    assert before <= 3, described(s)
    # a restart says nothing again
    for role in ("stokerd", "stoker-reporter"):
        old = s.node.pid(role)
        s.node.kill(role)
        wait_for(lambda: s.node.pid(role) not in (None, old), f"{role} to be back")
        wait_for(lambda: s.node.input("reporter")["state"] == "ok" and s.node.all_probed(), "all to be connected")
    assert len(described(s)) == before, described(s)


@case
def repeats_are_one_event_with_a_series(t):
    s = stage(t, minimum_bad="0s", recover_after=1)
    for _ in range(2):
        s.disk.trigger_ext4_error()
        s.wait_condition("False")
        s.repair()
        s.wait_condition("True")
    again = wait_event(s, "ReadOnlyFilesystem", 2, "errno 30")
    assert again["series"]["lastObservedTime"] > again["eventTime"], again
    wait_event(s, "StorageRecovered", 2)
    # it goes on: nothing is said for three minutes, and then the count
    for _ in range(3):
        s.disk.trigger_ext4_error()
        s.wait_condition("False")
        s.repair()
        s.wait_condition("True")
    # what the kernel still says of a broken filesystem while it goes may come as a warning of its own
    bad = [e for e in events(s, "ReadOnlyFilesystem") if "errno 30" in e["message"]]
    assert len(bad) == len(events(s, "StorageRecovered")) == 1 and len(described(s)) <= 4, [(e["reason"], e.get("series")) for e in described(s)]
    assert bad[0]["series"]["count"] == 2, bad
    said = [line for line in s.node.log("event") if line.get("reason") == "ReadOnlyFilesystem" and "errno 30" in str(line)]
    assert len(said) == 5, said


@case
def without_the_right_everything_else_goes_on(t):
    s = stage(t, rights=False)
    begin = time.monotonic()
    s.disk.trigger_ext4_error()
    s.wait_condition("False")
    s.wait_taint(True)
    assert time.monotonic() - begin < 20, "condition and taint came late"
    wait_for(lambda: "create events: 403" in s.node.input("reporter")["detail"], "the missing right to be said")
    assert s.node.input("reporter")["state"] == "ok" and not s.node.health()["taint"]["held"], s.node.input("reporter")
    s.repair()
    s.wait_condition("True")
    s.wait_taint(False)
    said = [line for line in s.node.lines() if "create events" in line.get("detail", "")]
    assert len(said) == 1, said
    for thing in EVENT_RIGHTS:
        s.cluster.apply(thing)
    wait_event(s, "ReadOnlyFilesystem")
    wait_event(s, "StorageRecovered")
    wait_for(lambda: "403" not in s.node.input("reporter")["detail"], "the right to be seen")


EXECUTOR, DRIVER = ("etl-exec-3", "11111111-2222-3333-4444-555555555555"), ("jupyter-0", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")


def executors_stage(t, **more):
    """An agent with a container runtime that runs nothing; a driver and, for each death, an executor of it."""
    s = stage(t, extra=f"executors:\n  nriSocket: {t.dir}/nri/nri.sock\n", **more)
    s.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    s.runtime = nri.Runtime(t, "0.12.5", socket=f"{t.dir}/nri/nri.sock")
    s.runtime.synchronized()
    nri.wait_live(s.node)
    labels = {"spark-role": "driver", "spark-app-selector": "spark-0123456789abcdef", "spark-app-name": "etl", "spark-version": "3.5.3"}
    pod = nri.pod(DRIVER[0], uid=DRIVER[1], labels=labels)
    begin(s, pod, nri.container(pod, "d" * 64, name="spark-kubernetes-driver"))
    return s


def begin(s, pod, container):
    s.runtime.ask("CreateContainer", pod=pod, container=container)
    s.runtime.ask("PostStartContainer", pod=pod, container={**container, "state": "CONTAINER_RUNNING", "pid": 4711})


def executor_ends(s, code, number=1):
    pod = nri.spark_pod(EXECUTOR[0], uid=EXECUTOR[1])
    container = nri.container(pod, f"{number:064x}")
    begin(s, pod, container)
    s.runtime.ask("StopContainer", pod=pod, container={**container, "state": "CONTAINER_STOPPED", "finished_at": "1790000000000000000", "exit_code": code})
    s.runtime.ask("RemoveContainer", pod=pod, container=container)


def pod_events(s, pod):
    """As `kubectl describe pod` asks."""
    name, uid = pod
    selector = f"involvedObject.name={name},involvedObject.namespace=team-a,involvedObject.uid={uid}"
    return s.cluster.api("GET", "/api/v1/namespaces/team-a/events?fieldSelector=" + urllib.parse.quote(selector))["items"]


@case
def a_death_is_shown_on_the_executor_and_on_its_driver(t):
    s = executors_stage(t)
    for thing in POD_RIGHTS:
        s.cluster.apply(thing)
    executor_ends(s, 52)
    for pod in (EXECUTOR, DRIVER):
        e = wait_for(lambda pod=pod: pod_events(s, pod), f"the Event on {pod[0]}", 60, 0.05)[0]
        assert (e["type"], e["reason"], e["action"], e["reportingComponent"], e["reportingInstance"]) == \
            ("Warning", "ExecutorHeapExhausted", "Explain", "stoker.dev/stokerd", NAME), e
        assert e["message"].startswith("app etl exec 3: 1024 MiB of JVM heap are full (exit code 52). Set spark.executor.memory=1536m. "), e
        assert e["metadata"]["namespace"] == "team-a" and len(e["message"]) <= 1024, e
    # the same again is a count; another reason is another Event; who finished is no news
    executor_ends(s, 52, 2)
    wait_for(lambda: (pod_events(s, DRIVER)[0].get("series") or {}).get("count") == 2, "the count", 60, 0.05)
    executor_ends(s, 0, 3)
    executor_ends(s, 158, 4)
    wait_for(lambda: "DecommissionUnhandled" in {e["reason"] for e in pod_events(s, DRIVER)}, "the other reason", 60, 0.05)
    for pod in (EXECUTOR, DRIVER):
        assert sorted(e["reason"] for e in pod_events(s, pod)) == ["DecommissionUnhandled", "ExecutorHeapExhausted"], pod_events(s, pod)
    # what is said of pods is not said of the node
    assert not described(s), described(s)


@case
def without_the_right_for_pods_the_nodes_events_go_on(t):
    s = executors_stage(t)
    executor_ends(s, 52)
    wait_for(lambda: "create events about pods: 403" in s.node.input("reporter")["detail"], "the missing right to be said")
    s.disk.trigger_ext4_error()
    s.wait_taint(True)
    wait_event(s, "ReadOnlyFilesystem")
    for thing in POD_RIGHTS:
        s.cluster.apply(thing)
    wait_for(lambda: pod_events(s, DRIVER) and pod_events(s, EXECUTOR), "the Events, once they are allowed", 90, 0.05)
    # a namespace that is being deleted takes no more: given up, and no missing right
    s.cluster.api("DELETE", "/api/v1/namespaces/team-a")
    executor_ends(s, 158, 2)
    wait_for(lambda: len([line for line in s.node.log("event") if line.get("reason") == "DecommissionUnhandled"]) == 2, "the death to be told")
    s.repair()
    wait_event(s, "StorageRecovered")
    assert "403" not in s.node.input("reporter")["detail"], s.node.input("reporter")


@case
def aliases_of_both_polarities_come_and_go(t):
    s = stage(t, report="  aliases: [ReadonlyFilesystem, StorageReady]\n")
    assert wait_alias(s, "ReadonlyFilesystem", "False")["reason"] == "FilesystemIsNotReadOnly"
    well = wait_alias(s, "StorageReady", "True")
    assert well["reason"] == "AllProbesPassed", well
    s.disk.trigger_ext4_error()
    assert wait_alias(s, "ReadonlyFilesystem", "True")["reason"] == "FilesystemIsReadOnly"
    bad = wait_alias(s, "StorageReady", "False")
    assert bad["reason"] == "ReadOnlyFilesystem" and bad["message"].startswith("stoker: "), bad
    s.repair()
    wait_alias(s, "ReadonlyFilesystem", "False")
    wait_alias(s, "StorageReady", "True")
    # not asked for any more: one while running, one after a restart
    s.node.report = s.node.report.replace("[ReadonlyFilesystem, StorageReady]", "[StorageReady]")
    s.node.write_config_now()
    wait_for(lambda: not alias(s, "ReadonlyFilesystem"), "ReadonlyFilesystem to be taken off", 60, 0.05)
    s.node.stop()
    s.node.report = s.node.report.replace("  aliases: [StorageReady]\n", "")
    s.node.write_config_now()
    s.node.start()
    wait_for(lambda: not alias(s, "StorageReady"), "StorageReady to be taken off", 60, 0.05)
    # asked for while it runs: what we write ourselves is not said to be another agent's
    s.node.report += "  aliases: [StorageReady]\n"
    s.node.write_config_now()
    wait_alias(s, "StorageReady", "True")
    s.disk.trigger_ext4_error()
    wait_alias(s, "StorageReady", "False")
    s.repair()
    wait_alias(s, "StorageReady", "True")
    assert not s.node.input("others")["detail"], s.node.input("others")
    assert s.cluster.condition(NAME, "Ready")["reason"] == "Test" and s.cluster.condition(NAME)["status"] == "True"


@case
def an_alias_of_another_writer_is_left_alone(t):
    s = Stage(t, agent=False)
    theirs = {"type": "ReadonlyFilesystem", "status": "False", "reason": "FilesystemIsNotReadOnly", "message": "Filesystem is not read-only",
              "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = f"/api/v1/nodes/{NAME}/status"
    s.cluster.api("PATCH", status, {"status": {"conditions": [theirs]}}, STRATEGIC)
    s.node.report += "  aliases: [ReadonlyFilesystem, StorageReady]\n"
    s.node.start()
    wait_alias(s, "StorageReady", "True")
    wait_for(lambda: "ReadonlyFilesystem is written by somebody else" in s.node.input("reporter")["detail"], "the other writer to be said")
    # one that comes later: seen before it would be overwritten
    other = {**theirs, "type": "StorageReady", "status": "True", "reason": "DiskIsFine", "message": "by the other agent"}
    s.cluster.api("PATCH", status, {"status": {"conditions": [other]}}, STRATEGIC)
    s.disk.trigger_ext4_error()
    s.wait_condition("False")
    s.wait_taint(True)
    wait_for(lambda: len(s.node.log("alias not written")) == 2, "the second writer to be said")
    assert alias(s, "ReadonlyFilesystem") == theirs and alias(s, "StorageReady") == other, s.cluster.node(NAME)["status"]["conditions"]
    # gone: ours is written, at the latest with the next change
    s.cluster.api("PATCH", status, {"status": {"conditions": [{"type": "StorageReady", "$patch": "delete"}]}}, STRATEGIC)
    s.repair()
    s.wait_condition("True")
    wait_alias(s, "StorageReady", "True")
    assert alias(s, "ReadonlyFilesystem") == theirs


@case
def the_taint_follows_its_key_and_its_conditions(t):
    s = stage(t)
    s.disk.trigger_ext4_error()
    s.wait_taint(True)
    cluster_key, own_key = "status-taint.cluster-autoscaler.kubernetes.io/stoker-unhealthy", "example.com/sick"
    base = s.node.report

    def only(key):
        wait_for(lambda: [x["key"] for x in s.cluster.taints(NAME) if x["key"] in ("stoker.dev/unhealthy", cluster_key, own_key)] == [key] * bool(key),
                 f"the only taint to be {key}", 60, 0.05)

    for key in (own_key, cluster_key):
        s.node.report = base + f"  taintKey: {key}\n"
        s.node.write_config_now()
        only(key)
    # another key after a restart: a usual one is known to be ours
    s.node.stop()
    s.node.report = base
    s.node.write_config_now()
    s.node.start()
    only("stoker.dev/unhealthy")
    s.node.report = base + "  taintFor: []\n"
    s.node.write_config_now()
    only(None)
    assert s.cluster.condition(NAME)["status"] == "False"


if __name__ == "__main__":
    main(machine.without_containers)
