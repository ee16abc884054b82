"""The DaemonSet as a pod on a real kubelet: installed, used, broken, upgraded, uninstalled. One node for all cases, made by the first."""
import atexit
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import daemonset  # noqa: E402
import disks  # noqa: E402
import images  # noqa: E402
import machine  # noqa: E402
from cases import Context, case, main, only_long, wait_for  # noqa: E402
from daemonset import CONTAINERS, NAMESPACE, DaemonSet  # noqa: E402
from kubenode import CACHE, KubeNode  # noqa: E402

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
CAPABILITY = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYSLOG": 34}
SETTINGS = daemonset.SETTINGS + "executors:\n  oomScoreAdj: driversLast\n"


class World:
    def __init__(self):
        self.context = Context("cluster")
        atexit.register(self.context.close)
        self.node = KubeNode(self.context)
        self.share(f"{self.context.dir}/disks")
        self.disk = disks.Disk(self.context, "ext4", f"{self.context.dir}/disks/data")
        self.stoker = DaemonSet(self.node, f"{self.context.dir}/ds", settings=SETTINGS + f"watch:\n- path: {self.disk.mount_point}\n", data=f"{self.context.dir}/disks")
        r = self.stoker.script("install", "--overlay", self.stoker.dir, "--archive", self.stoker.image)
        assert r.returncode == 0 and "this node is not the cause" in r.stdout, r.stdout + r.stderr
        self.count = 0

    def share(self, path):
        """Mounts beneath it reach a container that mounts it HostToContainer: on these machines the root mount is private."""
        os.makedirs(path)
        disks.run("mount", "--bind", path, path)
        self.context.cleanup(lambda: disks.run("umount", "-l", path))
        disks.run("mount", "--make-rshared", path)

    def health(self):
        return self.stoker.health()

    def wait(self, status, deadline=60, inputs=("broker", "kmsg", "reporter")):
        def so_far():
            h = self.health()
            return h["status"] == status and all(h["inputs"].get(i, {}).get("state") == "ok" for i in inputs)
        wait_for(so_far, f"the node to be {status} with its inputs", deadline, 0.05)

    def change(self, overlay):
        """Applied over the one that is there, as people do it. The pod is another one where its template differs."""
        self.stoker.overlay = overlay
        self.stoker.apply()
        self.node.kubectl("rollout", "status", "-n", NAMESPACE, "daemonset/stoker", "--timeout=60s")
        # a changed pod is synchronised at once, and its ConfigMap with it
        self.node.kubectl("annotate", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=stoker", "--overwrite", f"tests/overlay={overlay.replace('/', '.')}")
        with open(f"{self.stoker.dir}/stoker.yaml") as f:
            wanted = f.read()

        def has_come():
            with open(f"/proc/{self.stoker.pid('agent')}/root/etc/stoker/stoker.yaml") as f:
                return f.read() == wanted
        wait_for(has_come, "the configuration to reach the pod", 60, 0.1)

    def taint(self):
        return self.node.our_taint(self.node.name)

    def wait_taint(self, wanted, deadline=60):
        wait_for(lambda: bool(self.taint()) == wanted, "the taint" if wanted else "the taint to go", deadline, 0.02)

    def condition(self):
        return self.node.condition(self.node.name)

    def token(self):
        """The pod's own, as somebody would steal it."""
        with open(f"/proc/{self.stoker.pid('reporter')}/root/var/run/secrets/kubernetes.io/serviceaccount/token") as f:
            return f.read()

    def repair(self):
        self.disk.umount()
        self.disk.fsck()
        self.disk.mount()

    def make_well(self):
        """A case that failed in the middle must not take the next ones with it."""
        if self.disk.device and self.health()["status"] == "Unhealthy":
            subprocess.run(["umount", self.disk.mount_point], capture_output=True)
            self.disk.fsck()
            self.disk.mount()

    def pod(self, t, command="sleep 10000"):
        self.count += 1
        name = f"worker-{self.count}"
        self.node.api("POST", "/api/v1/namespaces/default/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
                "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
                "containers": [{"name": "c", "image": images.BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}]}})
        t.cleanup(lambda: self.node.request("DELETE", f"/api/v1/namespaces/default/pods/{name}"))
        return name

    def spark_pod(self, t, role, **more):
        """As Spark makes them, as far as anybody can see from outside."""
        self.count += 1
        name = f"spark-{role}-{self.count}"
        env = [{"name": "SPARK_APPLICATION_ID", "value": "spark-0123456789abcdef"}, {"name": "SPARK_EXECUTOR_MEMORY", "value": "64m"}]
        self.node.api("POST", "/api/v1/namespaces/default/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"spark-role": role, "spark-app-selector": "spark-0123456789abcdef", "spark-app-name": "etl",
                                                                                   "spark-exec-id": "1", "spark-version": "3.5.3"}},
            "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "restartPolicy": "Never", "containers": [
                {"name": f"spark-kubernetes-{role}", "image": images.BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", "sleep 10000"], "env": env,
                 "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi", "cpu": "1"}}, **more}]}})
        t.cleanup(lambda: self.node.request("DELETE", f"/api/v1/namespaces/default/pods/{name}"))
        return name

    def running_pid(self, pod):
        """Of its first container, once it runs."""
        def look():
            for c in self.pod_status(pod)["status"].get("containerStatuses", []):
                for line in self.node.ctr("task", "ls").stdout.splitlines()[1:]:
                    if "running" in c["state"] and line.split()[0] == c["containerID"].split("://")[1]:
                        return int(line.split()[1])
            return None
        return wait_for(look, f"{pod} to run", 60, 0.1)

    def role_pid(self, role):
        """Of a role that stokerd has started."""
        for pid in subprocess.run(["pgrep", "-P", str(self.stoker.pid("agent"))], capture_output=True, text=True).stdout.split():
            try:
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == role:
                    return int(pid)
            except OSError:
                pass
        return None

    def pod_status(self, name):
        return self.node.api("GET", f"/api/v1/namespaces/default/pods/{name}")

    def is_unschedulable(self, name):
        return any(c["type"] == "PodScheduled" and c["status"] == "False" and "taint" in c.get("message", "")
                   for c in self.pod_status(name)["status"].get("conditions", []))


WORLD = []


def world(t, overlay="base"):
    if not WORLD:
        WORLD.append(World())
    w = WORLD[0]
    t.note(lambda: w.stoker.logs())
    t.cleanup(w.make_well)
    if w.stoker.overlay != overlay:
        w.change(overlay)
    w.wait("Healthy", inputs=("broker", "kmsg", "reporter") if overlay == "base" else ("reporter",))
    wait_for(lambda: not w.taint(), "no taint at the beginning", 60)
    return w


def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


@case
def a_fault_keeps_pods_away_until_the_repair(t):
    w = world(t)
    before = w.pod(t)
    wait_for(lambda: w.pod_status(before)["status"]["phase"] == "Running", "a pod to run on the healthy node", 120)
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    assert w.taint()["value"] == "ReadOnlyFilesystem" and w.taint()["effect"] == "NoSchedule", w.taint()
    wait_for(lambda: w.condition()["status"] == "False", "the condition", 60)
    ready = next(c for c in w.node.node(w.node.name)["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True", "the node stays Ready: what runs there is not evicted"
    held = w.pod(t)
    wait_for(lambda: w.is_unschedulable(held), "the scheduler to keep the pod away", 120)
    # what `kubectl describe node` shows can be pasted, and asks this node
    pasted = w.condition()["message"].split("more: ", 1)[1].split(", or on")[0]
    shell = {**os.environ, "PATH": f"{CACHE}/bin:{os.environ['PATH']}", "KUBECONFIG": f"{w.node.dir}/admin.kubeconfig"}
    shown = subprocess.run(["bash", "-c", pasted], env=shell, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 1 and shown.stdout.startswith(f"{w.node.name}: Unhealthy: ReadOnlyFilesystem on "), (pasted, shown)
    w.repair()
    w.wait_taint(False, 60)
    wait_for(lambda: w.pod_status(held)["status"]["phase"] == "Running", "the waiting pod to run after the repair", 120)
    assert w.pod_status(before)["status"]["phase"] == "Running"


def tabled_rights():
    """The first table under "Linux rights and host paths" in docs/rights.md."""
    with open(os.path.join(TOP, "docs/rights.md")) as f:
        text = f.read().split("## Linux rights and host paths")[1]
    rows = {}
    for line in text.splitlines():
        cells = [c.strip().strip("`") for c in line.strip("|").split("|")]
        if cells[0] in CONTAINERS:
            rows.setdefault(cells[0], cells[1:])
    return rows


@case
def rights_are_as_tabled(t):
    w, rows = world(t), tabled_rights()
    assert sorted(rows) == sorted(CONTAINERS), rows
    for name in CONTAINERS:
        uid, capabilities, privs, seccomp, root, host = rows[name]
        caps = sum(1 << CAPABILITY[c] for c in capabilities.split() if c != "none")
        pid = w.stoker.pid(name)
        st = proc_status(pid)
        assert int(st["CapEff"], 16) == caps == int(st["CapPrm"], 16), (name, st["CapEff"], st["CapPrm"])
        assert int(st["CapBnd"], 16) & ~caps == 0, (name, st["CapBnd"])
        assert (privs, seccomp, root) == ("yes", "filter", "read-only") and st["Uid"].split() == [uid] * 4, (name, st["Uid"])
        assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2", (name, st["NoNewPrivs"], st["Seccomp"])
        with open(f"/proc/{pid}/mountinfo") as f:
            lines = [line.split() for line in f]
        mounts, roots = {m[4]: m[5] for m in lines}, {m[4]: m[3] for m in lines}
        assert "ro" in mounts["/"].split(","), (name, "root is writable")
        assert "/stoker" in mounts and "ro" in mounts["/stoker"].split(","), (name, "not running from memory")
        assert ("/var/run/secrets/kubernetes.io/serviceaccount" in mounts) == (name == "reporter"), (name, "token")
        # of the host: the runtime directory (the reporter: its own part), and what the runtime itself mounts
        ours = [m.replace(w.node.kubelet_root, "/var/lib/kubelet") for m in mounts if m.startswith(("/run/", "/var/run/nri", w.node.kubelet_root))]
        # every container has a /sys/fs/cgroup, the runtime's, whose hierarchies begin at its own cgroup: the host's begin at "/"
        if roots.get("/sys/fs/cgroup/memory", roots.get("/sys/fs/cgroup")) == "/":
            assert "ro" in mounts["/sys/fs/cgroup"].split(","), (name, mounts["/sys/fs/cgroup"])
            ours.append("/sys/fs/cgroup")
        ours.sort()
        assert ours == sorted(h.strip(" `") for h in host.split(",")), (name, ours)
    # the doctor in the pod sees the same of all roles, by hostPID
    lines = {line["name"]: line for line in json.loads(w.stoker.exec("stoker", "doctor", "-o", "json").stdout)["lines"]}
    for role, has in (("stokerd", "none"), ("stoker-broker", rows["broker"][1].lower().split()[0]), ("stoker-reporter", "none"), ("stoker-web", "none")):
        assert lines[role]["mark"] == "ok" and has in lines[role]["what"], lines[role]
    web = subprocess.run(["pgrep", "-P", str(w.stoker.pid("agent"))], capture_output=True, text=True).stdout.split()
    assert any(os.readlink(f"/proc/{p}/exe").endswith("stoker-web") for p in web), web
    for pid in (*map(w.stoker.pid, CONTAINERS), *web):  # where the disk of the logs hangs, containerd reads no more
        with open(f"/proc/{pid}/fdinfo/2") as f:
            flags = int(next(line for line in f if line.startswith("flags:")).split()[1], 8)
        assert flags & os.O_NONBLOCK, (os.readlink(f"/proc/{pid}/exe"), oct(flags))


@case
def the_container_runtime_is_spoken_with(t):
    """Real containerd: what is set at a creation is there afterwards, and pods start whatever becomes of us."""
    w = world(t)

    def live():
        return w.health()["inputs"].get("nri", {}).get("state") == "ok"

    wait_for(live, "the runtime to have synchronised", 60, 0.1)
    detail = w.health()["inputs"]["nri"]["detail"]
    assert "containerd v2.3" in detail and "NRI 0.12" in detail, detail
    with open(f"/proc/{w.running_pid(w.spark_pod(t, 'driver'))}/oom_score_adj") as f:
        assert f.read().strip() == "3", "the driver's oom_score_adj"
    with open(f"/proc/{w.running_pid(w.spark_pod(t, 'executor'))}/oom_score_adj") as f:
        assert int(f.read()) > 900, "the executor's is the kubelet's"
    old = w.role_pid("stoker-nri")
    os.kill(old, signal.SIGSTOP)
    w.running_pid(w.spark_pod(t, "driver"))
    os.kill(old, signal.SIGCONT)
    wait_for(live, "it to be back", 60, 0.1)
    os.kill(old, signal.SIGKILL)
    w.running_pid(w.spark_pod(t, "driver"))
    wait_for(lambda: live() and w.role_pid("stoker-nri") not in (None, old), "it to be started again", 60, 0.1)
    w.node.stop("containerd")
    wait_for(lambda: not live(), "the runtime's end to be noticed", 60, 0.05)
    w.node.start("containerd", "-c", f"{w.node.run}/containerd.toml")
    wait_for(live, "the new runtime to have synchronised", 60, 0.1)
    with open(f"/proc/{w.running_pid(w.spark_pod(t, 'driver'))}/oom_score_adj") as f:
        assert f.read().strip() == "3", "the driver's oom_score_adj, by the new runtime"
    w.wait("Healthy")


@case
def the_image_is_small_and_has_no_shell(t):
    w = world(t)
    assert os.path.getsize(w.stoker.image) <= 10_000_000, os.path.getsize(w.stoker.image)
    for shell in ("sh", "/bin/sh", "bash", "busybox"):
        assert w.stoker.exec(shell, "-c", "true", check=False).returncode != 0, shell
    r = w.stoker.exec("stoker", "health", "-o", "json")
    assert json.loads(r.stdout)["status"] == "Healthy", r.stdout


@case
def umount_succeeds_at_the_first_try_20_of_20(t):
    w = world(t)
    for i in range(20):
        before = w.health()["filesystems"][0]["lastProbe"]
        r = subprocess.run(["umount", w.disk.mount_point], capture_output=True, text=True)
        assert r.returncode == 0, f"umount {i + 1} of 20: {r.stderr}"
        w.disk.mount()
        wait_for(lambda: w.health()["filesystems"][0]["lastProbe"] != before, "a probe")
    w.wait("Healthy")


@case
def every_container_killed_under_a_fault_loses_nothing(t):
    w = world(t)
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    wait_for(lambda: w.condition()["status"] == "False", "the condition", 60)
    since = time.time()
    transition = w.condition()["lastTransitionTime"]
    for name in CONTAINERS:
        pid, container = w.stoker.pid(name), w.stoker.container(name)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: w.stoker.container(name) not in (None, container), f"{name} to be started again", 60, 0.1)
        w.wait("Unhealthy", 60)
        assert w.taint(), f"the taint is gone after {name} was killed"
    for e in w.node.agent_writes(since):
        assert '"unhealthy"' not in json.dumps(e) or "remove" not in json.dumps(e.get("requestObject")), e
    assert w.condition()["status"] == "False" and w.condition()["lastTransitionTime"] == transition
    w.repair()
    w.wait_taint(False, 60)


@case
def upgraded_and_rolled_back_under_a_fault(t):
    w = world(t)
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    since, pods = time.time(), [w.stoker.pod()["metadata"]["name"]]
    w.node.ctr("image", "tag", "--force", "localhost/stoker:0.1.0", "localhost/stoker:next")
    for tag in ("next", None):
        w.stoker.apply(tag)
        wait_for(lambda: (w.stoker.pod() or {"metadata": {"name": pods[-1]}})["metadata"]["name"] not in pods, "the new pod", 60, 0.1)
        pods.append(w.stoker.pod()["metadata"]["name"])
        w.wait("Unhealthy", 60)
        assert w.taint(), f"the taint is gone after {tag or 'the rollback'}"
    for e in w.node.agent_writes(since):
        assert '"op": "remove"' not in json.dumps(e.get("requestObject")), e
    w.repair()
    w.wait_taint(False, 60)


@case
def a_changed_configmap_is_in_force_without_a_restart(t):
    w = world(t)
    second = disks.Disk(t, "ext4", f"{t.dir}/second")
    pod = w.stoker.pod()["metadata"]["name"]
    settings = w.stoker.settings
    t.cleanup(lambda: w.stoker.configure(settings))
    w.stoker.configure(settings + f"- path: {second.mount_point}\n")
    wait_for(lambda: len(w.health().get("filesystems", [])) == 2, "the second filesystem to be watched", 120, 0.2)
    w.wait("Healthy")
    second.shutdown()
    w.wait_taint(True)
    w.stoker.configure(settings)
    w.wait_taint(False, 120)
    assert w.stoker.pod()["metadata"]["name"] == pod


ROLE, CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/", "/apis/rbac.authorization.k8s.io/v1/clusterroles/"
# where, what is taken away, does the condition come, does the taint come, what the agent says
RIGHTS = [
    (CLUSTER_ROLE + "stoker", ("", "nodes", "patch"), True, False, "patch nodes"),
    (CLUSTER_ROLE + "stoker", ("", "nodes/status", "patch"), False, True, "nodes/status"),
    (CLUSTER_ROLE + "stoker-brake", ("", "nodes", "list"), True, False, "list nodes"),
    (ROLE.format(NAMESPACE) + "stoker-brake", ("coordination.k8s.io", "leases", "list"), True, False, "leases"),
    (CLUSTER_ROLE + "stoker-pod-events", ("events.k8s.io", "events", "create"), True, True, ""),  # in default its Role still has it; what is said: tests/peers/test_events.py
    (CLUSTER_ROLE + "stoker-pods", ("", "pods", "get"), True, True, "the right to get pods is missing"),
    (CLUSTER_ROLE + "stoker-pods", ("", "pods", "list"), True, True, "the right to list pods is missing"),
]


def without(rules, group, resource, verb):
    """The rules without one verb on one resource."""
    kept = []
    for r in rules:
        if group in r["apiGroups"] and resource in r["resources"] and verb in r["verbs"]:
            rest = [x for x in r["resources"] if x != resource]
            kept += [{**r, "resources": rest}] if rest else []
            verbs = [v for v in r["verbs"] if v != verb]
            kept += [{**r, "resources": [resource], "verbs": verbs}] if verbs else []
        else:
            kept.append(r)
    assert kept != rules, (group, resource, verb, rules)
    return kept


def ask_about_pods(w, wanted):
    """report.pods, which no overlay switches on: what is missing is looked for when it is."""
    settings = w.stoker.settings.replace("  pods: true\n", "").replace("report:\n", "report:\n  pods: true\n" if wanted else "report:\n")
    if settings != w.stoker.settings:
        w.stoker.settings = settings
        w.change(w.stoker.overlay)


@case
def every_right_taken_away_is_said_and_costs_only_what_needs_it(t):
    w = world(t)
    w.node.kubectl("apply", "-f", f"{TOP}/deploy/kustomize/components/pods/rbac.yaml")
    t.cleanup(lambda: w.node.kubectl("delete", "-f", f"{TOP}/deploy/kustomize/components/pods/rbac.yaml"))
    t.cleanup(lambda: ask_about_pods(w, False))
    for path, (group, resource, verb), has_condition, has_taint, word in RIGHTS:
        role = w.node.api("GET", path)
        t.cleanup(lambda path=path, rules=role["rules"]: w.node.api("PATCH", path, {"rules": rules}, "application/merge-patch+json"))
        w.node.api("PATCH", path, {"rules": without(role["rules"], group, resource, verb)}, "application/merge-patch+json")
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:stoker", "resourceAttributes": {
                "group": group, "resource": resource.split("/")[0], "subresource": (resource.split("/") + [""])[1], "verb": verb,
                "namespace": path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""}}}
        wait_for(lambda: not w.node.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"], "the right to be gone", 60, 0.05)
        if resource == "pods":
            ask_about_pods(w, True)
        w.disk.trigger_ext4_error()
        if has_condition:
            wait_for(lambda: w.condition()["status"] == "False", f"the condition without {verb} {resource}", 60, 0.05)
        if has_taint:
            w.wait_taint(True)
        wait_for(lambda: word in json.dumps([w.health().get("taint"), *(w.health()["inputs"].get(i) for i in ("reporter", "pods"))]), f"'{word}' to be said", 60, 0.1)
        assert bool(w.taint()) == has_taint and (w.condition()["status"] == "False") == has_condition, (verb, resource, w.taint(), w.condition())
        w.node.api("PATCH", path, {"rules": role["rules"]}, "application/merge-patch+json")
        w.repair()
        wait_for(lambda: w.health()["status"] == "Healthy" and w.condition()["status"] == "True" and not w.taint(), "the node to be well again", 90, 0.1)
        if resource == "pods":
            ask_about_pods(w, False)


@case
def capabilities_only_sees_the_fault_without_the_kernel_log(t):
    w = world(t, "overlays/capabilities-only")
    st = proc_status(w.stoker.pid("broker"))
    # without SETPCAP the bounding set keeps what the container was given; no_new_privs makes it worthless
    assert int(st["CapPrm"], 16) == sum(1 << c for c in CAPABILITY.values()) and st["NoNewPrivs"] == "1", st["CapPrm"]
    assert w.health()["inputs"]["kmsg"]["state"] != "ok", w.health()["inputs"]
    assert w.health()["inputs"]["fs-error"]["state"] == "ok", w.health()["inputs"]
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    w.repair()
    w.wait_taint(False, 60)


@case
def no_taint_writes_the_condition_and_cannot_taint(t):
    w = world(t, "overlays/no-taint")
    w.disk.trigger_ext4_error()
    wait_for(lambda: w.condition()["status"] == "False", "the condition", 60)
    status, text = w.node.request("PATCH", f"/api/v1/nodes/{w.node.name}", {"spec": {"taints": []}}, "application/merge-patch+json",
                                  token=w.token())
    assert status == 403, (status, text)
    assert not w.taint()
    w.repair()
    wait_for(lambda: w.condition()["status"] == "True", "the condition to be good again", 60)


@only_long
@case
def no_volumes_serves_no_driver_and_cannot_mount(t):
    w = world(t, "overlays/no-volumes")
    assert "kind: CSIDriver" not in w.stoker.kustomization()
    assert w.health()["inputs"]["csi"]["state"] == "off", w.health()["inputs"]
    with open(f"/proc/{w.stoker.pid('broker')}/cmdline", "rb") as f:
        assert b"--without-volumes" in f.read()
    with open(f"/proc/{w.stoker.pid('agent')}/mountinfo") as f:
        assert "plugins_registry" not in f.read()
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    w.repair()
    w.wait_taint(False, 60)


@case
def observe_only_sees_it_within_a_period(t):
    w = world(t, "overlays/observe-only")
    for name in CONTAINERS:
        st = proc_status(w.stoker.pid(name))
        assert int(st["CapPrm"], 16) == int(st["CapBnd"], 16) == 0 and st["NoNewPrivs"] == "1", (name, st["CapPrm"], st["CapBnd"])
    assert w.health()["inputs"]["kmsg"]["state"] == w.health()["inputs"]["fs-error"]["state"] == "missing", w.health()["inputs"]
    # without hostPID the doctor sees the agent's own processes, and says so of the others
    lines = {line["name"]: line for line in json.loads(w.stoker.exec("stoker", "doctor", "-o", "json", check=False).stdout)["lines"]}
    assert lines["stokerd"]["mark"] == "ok" and "none" in lines["stokerd"]["what"], lines["stokerd"]
    assert lines["stoker-broker"]["mark"] == "note" and "not seen from here" in lines["stoker-broker"]["what"], lines["stoker-broker"]
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    wait_for(lambda: subprocess.run(["umount", w.disk.mount_point], capture_output=True).returncode == 0, "umount between two probes", 60)
    w.disk.fsck()
    w.disk.mount()
    w.wait_taint(False, 60)


@case
def uninstalled_under_a_fault_leaves_nothing(t):
    """By the script that people use, as it was installed, and with the component that adds a right. The last case."""
    w = world(t)
    w.node.kubectl("apply", "-f", f"{TOP}/deploy/kustomize/components/pods/rbac.yaml")
    w.disk.trigger_ext4_error()
    w.wait_taint(True)
    r = w.stoker.script("uninstall")
    assert r.returncode == 0 and "nothing of Stoker is left" in r.stdout, r.stdout + r.stderr
    node = w.node.node(w.node.name)
    assert "stoker" not in json.dumps([node["spec"].get("taints"), node["status"]["conditions"], node["metadata"]["annotations"]]), node
    wait_for(lambda: w.node.request("GET", f"/api/v1/namespaces/{NAMESPACE}")[0] == 404, "the namespace and its Leases to go", 60, 0.2)
    for kind in ("clusterroles", "clusterrolebindings"):
        names = [x["metadata"]["name"] for x in w.node.api("GET", f"/apis/rbac.authorization.k8s.io/v1/{kind}")["items"]]
        assert not [n for n in names if "stoker" in n], names
    with open("/proc/self/mountinfo") as f:
        left = [line for line in f if f"{w.node.run}/kubelet/pods/" in line]
    assert not left, left
    w.repair()


if __name__ == "__main__":
    main(machine.own)
