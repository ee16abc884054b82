"""Executors as pods: recognised through NRI on a real containerd, killed, explained in Events, on the CLI, after their deletion.

The pods are labelled as Spark labels them; the payload stands in for the JVM and its Python workers, so that each dies of
exactly one thing (real Spark: tests/spark)."""
import atexit
import glob
import json
import os
import signal
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import images  # noqa: E402
import machine  # noqa: E402
from cases import Context, case, main, only_long, wait_for  # noqa: E402
from executor_node import ExecutorNode  # noqa: E402
from kubenode import POD_LOGS  # noqa: E402

SETTINGS = """volumes:
  scratch: {reserve: 32Mi, inodes: 500}
  emptyDeadScratch: true
  inject:
  - {namespaces: [injected], path: /scratch, size: 16Mi}
"""
MAIN_CLASS = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"


class World(ExecutorNode):
    def __init__(self, context, **node):
        super().__init__(context, SETTINGS, **node)
        self.node.ctr("image", "import", "--local", images.payload(context.dir, f"{os.environ['STOKER_TESTS']}/payload"))
        self.count = 0

    def pod(self, t, role, app, steps, number="1", limit="64Mi", heap="32m", owner=None, spec=None, namespace="default", mounts=()):
        """As Spark makes it (tests/fixtures/spark-pods). Gives its name."""
        self.count += 1
        name = f"{app}-{self.count}-exec-{number}" if role == "executor" else f"{app}-{self.count}-driver"
        labels = {"spark-role": role, "spark-app-selector": f"spark-{app}", "spark-app-name": app, "spark-version": "4.3.0"}
        if role == "executor":
            labels |= {"spark-exec-id": number, "spark-exec-resourceprofile-id": "0"}
        environment = {"SPARK_EXECUTOR_MEMORY": heap, "SPARK_EXECUTOR_ID": number, "SPARK_APPLICATION_ID": f"spark-{app}",
                       "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@127.0.0.1:7078"}
        container = {"name": f"spark-kubernetes-{role}", "image": images.PAYLOAD, "imagePullPolicy": "Never",
                     "args": [f"-Xmx{heap}", MAIN_CLASS, *steps], "env": [{"name": k, "value": v} for k, v in environment.items()],
                     "volumeMounts": list(mounts), "resources": {"limits": {"memory": limit}, "requests": {"memory": limit, "cpu": "10m"}}}
        metadata = {"name": name, "labels": labels}
        if owner:
            metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
                                            "controller": True}]
        self.node.api("POST", f"/api/v1/namespaces/{namespace}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "containers": [container], **(spec or {})}})
        t.cleanup(lambda: self.node.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}"))
        return name


    def collected(self):
        """Deaths, as a log collector finds them on the node: lines of the agent's standard output, of its lives before too."""
        found = []
        for path in sorted(glob.glob(f"{POD_LOGS}/stoker-system_*/agent/*.log")):
            with open(path) as f:  # TIME STREAM F TEXT
                found += [json.loads(line.split(" ", 3)[3]) for line in f if '"ExecutorDeath"' in line]
        return found


WORLD = []


def world(t):
    if not WORLD:
        context = Context("executors")
        atexit.register(context.close)
        WORLD.append(World(context))
    t.note(lambda: WORLD[0].stoker.logs())
    return WORLD[0]


@case
def over_its_limit_is_explained_on_pod_and_driver(t):
    w = world(t)
    driver = w.running(w.pod(t, "driver", "etl", ["anon=4"], limit="128Mi"))
    executor = w.pod(t, "executor", "etl", ["anon=8", "anon-slowly=400"], owner=driver)
    death = w.death(executor)
    assert death["cause"] == "overhead" and death["exitCode"] == 137, death
    assert death["setting"] == "spark.executor.memoryOverhead" and int(death["value"].rstrip("m")) > 32, death
    for pod in (executor, driver["metadata"]["name"]):
        event = w.event(pod)
        assert event["type"] == "Warning" and event["reason"] == "ExecutorOverheadExceeded", event
        assert event["note"].startswith("app etl exec 1:") and f"{death['setting']}={death['value']}" in event["note"] and len(event["note"]) <= 1024, event


@case
def still_explained_after_deletion_and_restart(t):
    w = world(t)
    executor = w.pod(t, "executor", "gone", ["anon=8", "anon-slowly=400"], number="7")
    death, event = w.death(executor), w.event(executor)
    w.node.api("DELETE", f"/api/v1/namespaces/default/pods/{executor}")
    wait_for(lambda: w.node.request("GET", f"/api/v1/namespaces/default/pods/{executor}")[0] == 404, "the pod to be gone", 60)
    os.kill(w.stoker.pid("agent"), signal.SIGKILL)
    wait_for(lambda: w.stoker.health()["inputs"].get("nri", {}).get("state") == "ok", "the agent to be back", 60)
    again = w.death(executor)
    assert (again["cause"], again["value"], again["endTime"]) == (death["cause"], death["value"], death["endTime"]), (death, again)
    words = w.stoker.exec("stoker", "why", "gone/7", check=False).stdout  # exit code 1: it died
    assert death["setting"] in words and death["value"] in words, words
    # the next day Events and the agent's memory are gone: what the log collector took from the node says as much, and once
    collected = [r for r in w.collected() if r["executor"]["pod"] == executor]
    assert collected == [death], (collected, death)
    assert f"{death['setting']}={death['value']}" in event["note"] and collected[0]["memory"]["usedBytes"] > 32 << 20, collected
    assert [e["note"] for e in w.events(executor)] == [event["note"]] and not event.get("series"), "the restart tells nothing again"


@case
def a_python_worker_is_named_and_the_executor_lives(t):
    w = world(t)
    executor = w.pod(t, "executor", "py", ["anon=8", "child=python3:oom-adj=1000,anon-slowly=400", "touch=/tmp/on"])
    death = w.death(executor)
    assert death["cause"] == "python" and death["lives"], death
    w.running(executor)


@case
def killed_by_hand_is_not_called_memory(t):
    w = world(t)
    executor = w.pod(t, "executor", "kill9", ["anon=56"])
    w.running(executor)
    os.kill(w.first_process(executor), signal.SIGKILL)
    death = w.death(executor)
    assert death["cause"] == "killed" and death["exitCode"] == 137 and not death.get("setting"), death


@case
def exits_have_their_words(t):
    w = world(t)
    wanted = {"heap": (["say=26/11/26 08:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception java.lang.OutOfMemoryError: Java heap space", "exit=52"], 52),
              "finished": (["exit=0"], 0), "application": (["say=Exception in thread \"main\" java.lang.IllegalStateException: no", "exit=1"], 1)}
    names = {cause: w.pod(t, "executor", f"exit-{cause}", steps) for cause, (steps, _) in wanted.items()}
    for cause, name in names.items():
        death = w.death(name)
        assert death["cause"] == cause and death["exitCode"] == wanted[cause][1], death


@only_long
@case
def without_nri_the_runtime_tells_how_it_ended(t):
    """As on k3s 1.31: executors are found by a look at the node, exit code and reason are asked of the runtime (CRI)."""
    w = world(t)
    w.stoker.configure(w.settings + f"executors:\n  nriSocket: {w.node.run}/none.sock\n  criSocket: {w.node.run}/containerd.sock\n")
    t.cleanup(lambda: w.stoker.configure(w.settings))
    wait_for(lambda: w.stoker.health()["inputs"].get("roster", {}).get("state") == "ok", "the node to be looked at", 60)
    wanted = {"heap": (["await=/tmp/go", "exit=52"], 52), "deleted": (["await=/tmp/go", "exit=143"], 143)}
    names = {cause: w.pod(t, "executor", f"asked-{cause}", ["anon=8", *steps]) for cause, (steps, _) in wanted.items()}
    for name in names.values():
        w.running(name)
    listed = wait_for(lambda: {x["pod"] for x in w.stoker.get("/v1alpha1/executors")["items"]} >= set(names.values()), "the executors to be found", 40)
    assert listed
    for cause, name in names.items():
        with open(f"/proc/{w.first_process(name)}/root/tmp/go", "w"):
            pass
        death = w.death(name)
        assert (death["cause"], death["exitCode"]) == (cause, wanted[cause][1]), death
    said = w.stoker.health()["inputs"]["cri"]
    assert said["state"] == "ok" and "containerd.sock" in said["detail"], said


@case
def the_pods_start_as_if_it_were_not_there_when_it_is_not(t):
    w = world(t)
    w.stoker.signal("agent", signal.SIGSTOP)
    try:
        w.running(w.pod(t, "executor", "alone", ["anon=4"]))
    finally:
        w.stoker.signal("agent", signal.SIGCONT)
    wait_for(lambda: any(x["pod"].startswith("alone") for x in w.stoker.get("/v1alpha1/executors")["items"]), "it to be seen all the same", 60)


@case
def scratch_is_mounted_without_a_word_in_the_pod(t):
    """Bounded, of the pod's own uid, and full is ENOSPC. A pod that brings its own volume there keeps it and starts (issue 6)."""
    w = world(t)
    w.node.kubectl("create", "namespace", "injected")
    wait_for(lambda: w.node.request("GET", "/api/v1/namespaces/injected/serviceaccounts/default")[0] == 200, "the namespace's ServiceAccount", 60)
    for uid in (185, 1000):
        name = w.pod(t, "executor", f"scratch-{uid}", ["touch=/scratch/shuffle", "child=writer:file=/scratch/big:64"], limit="128Mi", namespace="injected",
                     spec={"securityContext": {"runAsUser": uid, "runAsGroup": uid}})
        w.running(name, "injected")
        pid = w.first_process(name, "injected")
        with open(f"/proc/{pid}/mountinfo") as f:
            found = [line.split() for line in f if line.split()[4] == "/scratch"]
        assert len(found) == 1 and found[0][-3:-1] == ["tmpfs", "stoker-scratch"], found
        options = set(found[0][5].split(",")) | set(found[0][-1].split(","))
        assert {"nosuid", "nodev", "size=16384k", "nr_inodes=500", f"uid={uid}", f"gid={uid}", "mode=770"} <= options, found
        root = f"/proc/{pid}/root/scratch"
        wait_for(lambda: os.path.exists(f"{root}/big") and os.statvfs(root).f_bavail == 0, "it to be full")
        st = os.stat(f"{root}/shuffle")
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (uid, uid, 0o644), st
        assert w.running(name, "injected")["status"]["containerStatuses"][0]["restartCount"] == 0
    own = w.pod(t, "executor", "own", ["touch=/scratch/x"], limit="128Mi", namespace="injected", mounts=[{"name": "mine", "mountPath": "/scratch"}],
                spec={"volumes": [{"name": "mine", "emptyDir": {}}]})
    w.running(own, "injected")
    pid = w.first_process(own, "injected")
    with open(f"/proc/{pid}/mountinfo") as f:
        found = [line for line in f if line.split()[4] == "/scratch"]
    assert len(found) == 1 and "stoker-scratch" not in found[0], found
    event = w.event(own, "injected")
    assert event["reason"] == "MountNotInjected" and "mount of its own there" in event["note"], event
    other = w.pod(t, "executor", "other", ["anon=4"])
    w.running(other)
    with open(f"/proc/{w.first_process(other)}/mountinfo") as f:
        assert "stoker-scratch" not in f.read()


@case
def a_volume_in_its_spec_is_what_the_limit_leaves(t):
    """csi.stoker.dev served by the DaemonSet: made without a size, bounded when the executor is seen, gone with the pod (issue 6). For uid 185, as
    Spark's own image has, and 1000."""
    w = world(t)
    wait_for(lambda: w.stoker.health()["inputs"].get("csi", {}).get("state") == "ok", "the kubelet to have registered the driver", 60)
    pods = {user: w.pod(t, "executor", f"volume-{user}", ["touch=/scratch/shuffle", "child=writer:file=/scratch/big:128"], limit="128Mi",
                        mounts=[{"name": "s", "mountPath": "/scratch"}],
                        spec={"securityContext": {"runAsUser": user, "runAsGroup": user, "fsGroup": user},
                              "volumes": [{"name": "s", "csi": {"driver": "csi.stoker.dev", "volumeAttributes": {"type": "scratch"}}}]}) for user in (185, 1000)}
    for user, name in pods.items():
        uid = w.running(name)["metadata"]["uid"]
        target = f"{w.node.kubelet_root}/pods/{uid}/volumes/kubernetes.io~csi/s/mount"
        # 128 of limit less 32 of heap and 32 of reserve
        wait_for(lambda: os.statvfs(target).f_blocks * os.statvfs(target).f_frsize == 64 << 20 and os.statvfs(target).f_bavail == 0, "it to be bounded, and full", 60)
        assert os.stat(f"{target}/shuffle").st_uid == user and os.stat(target).st_gid == user, user
        assert w.running(name)["status"]["containerStatuses"][0]["restartCount"] == 0
        assert w.event(name, reason="ScratchBounded")["type"] == "Normal"
        shown = w.stoker.exec("stoker", "volumes").stdout
        assert name in shown and "bounded" in shown and f"app volume-{user} exec 1" in shown, shown
        w.delete(name)
        wait_for(lambda: w.is_gone(name) and not os.path.exists(target), "pod and volume to be gone", 60)


@case
def its_next_life_is_not_killed_by_what_it_left_in_memory(t):
    """The kubelet starts the container of the same pod again, and its volume in memory stays (kubernetes#128339): 40 MiB twice are more than the limit."""
    w = world(t)
    volume = "spark-local-dir-1"
    name = w.pod(t, "executor", "again", ["await=/tmp/go", "do=/tmp/steps"], mounts=[{"name": volume, "mountPath": "/scratch"}],
                 spec={"restartPolicy": "OnFailure", "volumes": [{"name": volume, "emptyDir": {"medium": "Memory"}}]})
    written = [f"blockmgr-{uuid.uuid4()}" for _ in range(2)]

    def status():
        return w.get(name)["status"].get("containerStatuses", [{"restartCount": 0, "state": {}}])[0]

    def live(number, *steps):
        wait_for(lambda: status()["restartCount"] == number and "running" in status()["state"], f"its life {number + 1}", 60, 0.1)
        os.mkdir(f"{scratch}/{written[number]}")
        root = f"/proc/{w.first_process(name)}/root/tmp"
        with open(f"{root}/steps", "w") as f:
            f.write("".join(f"{step}\n" for step in (f"file=/scratch/{written[number]}/shuffle:40", *steps)))
        with open(f"{root}/go", "w"):
            return root
    scratch = f"{w.node.kubelet_root}/pods/{w.running(name)['metadata']['uid']}/volumes/kubernetes.io~empty-dir/{volume}"
    live(0, "anon-slowly=400")
    assert w.death(name)["exitCode"] == 137, w.deaths()[:2]
    wait_for(lambda: not os.path.exists(f"{scratch}/{written[0]}"), "what it left to be removed", 60)
    root = live(1, "touch=/tmp/done")
    wait_for(lambda: os.path.exists(f"{root}/done"), "its next life to have written as much", 60)
    assert status()["restartCount"] == 1 and os.path.exists(f"{scratch}/{written[1]}/shuffle"), status()


@case
def a_user_with_view_reads_it(t):
    """Jupyter, Zeppelin and Connect users have `view` in their namespace and nothing else."""
    w = world(t)
    w.node.kubectl("create", "namespace", "team-a")
    w.node.kubectl("create", "rolebinding", "reader", "-n", "team-a", "--clusterrole=view", "--user=ana")
    wait_for(lambda: w.node.request("GET", "/api/v1/namespaces/team-a/serviceaccounts/default")[0] == 200, "the namespace's ServiceAccount", 60)
    executor = w.pod(t, "executor", "notebook", ["anon=8", "anon-slowly=400"], namespace="team-a")
    w.event(executor, "team-a")
    seen = w.node.kubectl("get", "events", "-n", "team-a", "--as=ana", "-o", "custom-columns=R:.reason,M:.message").stdout
    assert "ExecutorOverheadExceeded" in seen and "spark.executor.memoryOverhead=" in seen, seen


if __name__ == "__main__":
    main(machine.own)
