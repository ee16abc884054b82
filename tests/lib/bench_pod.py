"""The main job measured as it is installed: the DaemonSet's pod on a real kubelet, beside node-problem-detector as a pod; what the
scheduler still binds after a fault; how long a node is unwatched when a container ends."""
import calendar
import json
import os
import signal
import subprocess
import sys
import threading
import time

import bench
import disks
import images
import machine
from bench import percentile
from cases import wait_for
from cluster import ADMIN
from daemonset import CONTAINERS, DaemonSet
from kubenode import KubeNode

NPD_IMAGE = "localhost/node-problem-detector:bench"


class Bench:
    def __init__(self, t, top, cache):
        self.t, self.top, self.cache = t, top, cache
        self.node = KubeNode(t)
        self.disks = [disks.Disk(t, kind, f"{t.dir}/{name}") for kind, name in (("ext4", "disk1"), ("xfs", "disk2"), ("ext4", "disk3"))]
        self.few = disks.Disk(t, "ext4", f"{t.dir}/few", mkfs=["-N", "2000"])
        watch = "".join(f"- path: {d.mount_point}\n" for d in [*self.disks, self.few])
        # shipped defaults, but for the dwell that keeps a round short, and a one-node cluster's brake
        self.stoker = DaemonSet(self.node, f"{t.dir}/ds", settings="discover: 'off'\nprobe:\n  minimumBad: 0s\nweb:\n  listen: 127.0.0.1:9469\n"
                                f"report:\n  group: 65532\n  taintSingleNode: true\nwatch:\n{watch}")
        self.stoker.apply()
        self.wait_status("True")

    def wait_status(self, status):
        wait_for(lambda: (self.node.condition_or_none("stoker.dev/StorageReady") or {}).get("status") == status and
                 bool(self.node.our_taint(self.node.name)) == (status == "False"), f"the node to be {status}", 120, 0.02)

    def health(self):
        return self.stoker.get("/v1alpha1/health")

    # --- the peer ---

    def start_npd(self):
        module = subprocess.run(["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "k8s.io/node-problem-detector"], capture_output=True, text=True,
                                cwd=os.path.join(self.top, "tests/peers/npd"), check=True, env={**os.environ, "GOFLAGS": "-mod=readonly"}).stdout.strip()
        files = {"config": None, "tmp": None}
        for name in ("kernel-monitor", "readonly-monitor"):
            with open(f"{module}/config/{name}.json") as f:
                files[f"config/{name}.json"] = json.dumps({**json.load(f), "lookback": "0s"}).encode()
        with open(f"{self.cache}/bin/node-problem-detector", "rb") as f:
            files["node-problem-detector"] = f.read()
        with open(f"{self.node.dir}/ca.crt", "rb") as f:
            files["ca.crt"] = f.read()
        with open(self.node.kubeconfig("npd", ADMIN)) as f:
            files["config/kubeconfig"] = f.read().replace(f"{self.node.dir}/ca.crt", "/ca.crt").encode()
        self.node.ctr("image", "import", "--local", images.archive(f"{self.t.dir}/npd.tar", NPD_IMAGE, images.blob(files), {}))
        self.node.api("POST", "/api/v1/namespaces/default/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "npd"}, "spec": {
            "hostNetwork": True, "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "tolerations": [{"operator": "Exists"}],
            "volumes": [{"name": "kmsg", "hostPath": {"path": "/dev/kmsg"}}],
            "containers": [{"name": "npd", "image": NPD_IMAGE, "imagePullPolicy": "Never", "securityContext": {"privileged": True},
                            "env": [{"name": "NODE_NAME", "value": self.node.name}], "volumeMounts": [{"name": "kmsg", "mountPath": "/dev/kmsg"}],
                            "command": ["/node-problem-detector",
                                        f"--apiserver-override=https://127.0.0.1:{self.node.port}?inClusterConfig=false&auth=/config/kubeconfig",
                                        "--config.system-log-monitor=/config/kernel-monitor.json,/config/readonly-monitor.json",
                                        f"--hostname-override={self.node.name}", "--port=0", "--prometheus-port=0"]}]}})
        wait_for(lambda: (self.node.condition_or_none("ReadonlyFilesystem") or {}).get("status") == "False" and
                 (self.node.condition_or_none("XfsShutdown") or {}).get("status") == "False", "node-problem-detector's first conditions", 60, 0.05)

    def stop_npd(self):
        self.node.request("DELETE", "/api/v1/namespaces/default/pods/npd?gracePeriodSeconds=0")
        wait_for(lambda: self.node.request("GET", "/api/v1/namespaces/default/pods/npd")[0] == 404, "node-problem-detector to go", 60, 0.1)
        self.node.api("PATCH", f"/api/v1/nodes/{self.node.name}/status", {"status": {"conditions": [
            {"type": x, "status": "Unknown", "reason": "Bench", "message": ""} for x in ("ReadonlyFilesystem", "XfsShutdown")]}},
            "application/strategic-merge-patch+json")

    def npd_pid(self):
        pod = self.node.api("GET", "/api/v1/namespaces/default/pods/npd")
        container = pod["status"]["containerStatuses"][0]["containerID"].split("://")[1]
        return next(int(line.split()[1]) for line in self.node.ctr("task", "ls").stdout.splitlines() if line.startswith(container))

    # --- one fault ---

    def patches(self, since, kind, subresource="status"):
        """PATCHes of the node that bring the condition `kind`, or (None) the taint."""
        found = []
        for e in self.node.audit():
            if self.node.received_at(e) < since or e.get("responseStatus", {}).get("code", 0) >= 300 or e["objectRef"].get("subresource") != subresource:
                continue
            body = e.get("requestObject") or {}
            if kind is None:
                found += [e] if e["user"]["username"].endswith(":stoker") else []
            elif any(c.get("type") == kind and c.get("status") == ("False" if kind.startswith("stoker") else "True")
                     for c in (body.get("status") or {}).get("conditions", [])):
                found.append(e)
        return found

    def fault(self, disk, npd=False):
        begin = time.time()
        disk.trigger_ext4_error() if disk.kind == "ext4" else disk.shutdown()
        wait_for(lambda: self.patches(begin, "stoker.dev/StorageReady") and self.patches(begin, None, None), "both PATCHes", 60)
        sample = {"kind": disk.kind, "condition_ms": (self.node.received_at(self.patches(begin, "stoker.dev/StorageReady")[0]) - begin) * 1000,
                  "taint_ms": (self.node.received_at(self.patches(begin, None, None)[0]) - begin) * 1000}
        if npd:
            kind = "ReadonlyFilesystem" if disk.kind == "ext4" else "XfsShutdown"
            wait_for(lambda: self.patches(begin, kind), "node-problem-detector's PATCH", 60, 0.02)
            sample["npd_ms"] = (self.node.received_at(self.patches(begin, kind)[0]) - begin) * 1000
        return sample

    def renew(self, disk):
        disk.umount()
        wait_for(disk.detach, "the loop device to go", 60)
        disk.make()
        self.wait_status("True")

    # --- what the scheduler still binds ---

    def bindings(self):
        with open(self.node.audit_path) as f:
            for line in f:
                if '"subresource":"binding"' in line:
                    try:
                        e = json.loads(line)
                    except ValueError:
                        continue
                    if e["stage"] == "ResponseComplete" and e["responseStatus"]["code"] < 300:
                        yield self.node.received_at(e)

    def storm(self, round_, per_second=20, before=20, after=40):
        """Pods at 20 a second; the disk fails after the first twenty. Answers how long after the fault the last one was bound."""
        stop = threading.Event()

        def create():
            for i in range(before + after):
                if stop.wait(1 / per_second):
                    return
                self.node.api("POST", "/api/v1/namespaces/default/pods", {
                    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"storm-{round_}-{i}", "labels": {"storm": "1"}}, "spec": {
                        "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
                        "containers": [{"name": "c", "image": images.PAUSE, "imagePullPolicy": "Never"}]}})
        thread, since = threading.Thread(target=create), time.time()
        thread.start()
        wait_for(lambda: len([b for b in self.bindings() if b >= since]) >= before, "the first pods to be bound", 60)
        fault = time.time()
        self.disks[0].trigger_ext4_error()
        thread.join()
        self.wait_status("False")
        late = [b for b in self.bindings() if b >= fault]
        self.node.kubectl("delete", "pods", "-l", "storm=1", "--grace-period=0", "--force", "--wait=true")
        self.renew(self.disks[0])
        return {"bound_after": len(late), "last_ms": (max(late) - fault) * 1000 if late else 0.0, "created_after": after}

    # --- inodes ---

    def inodes(self):
        """A process makes files until it gets ENOSPC: how long until the node says so?"""
        begin = time.time()
        self.few.fill_inodes()
        full = time.time()
        wait_for(lambda: self.patches(begin, "stoker.dev/StorageReady"), "the condition", 60)
        took = self.node.received_at(self.patches(begin, "stoker.dev/StorageReady")[0]) - full
        self.few.empty()
        self.wait_status("True")
        return took

    # --- restarts ---

    def restart(self, name):
        """From the kill to the first probe of every filesystem after it, with broker and reporter there again."""
        container, killed = self.stoker.container(name), time.time()
        os.kill(self.stoker.pid(name), signal.SIGKILL)

        def watched():
            h = self.health()
            return h and all(h["inputs"].get(i, {}).get("state") == "ok" for i in ("broker", "reporter", "kmsg")) and all(
                f.get("lastProbe") and to_seconds(f["lastProbe"]["time"]) > killed for f in h["filesystems"])
        wait_for(watched, "the node to be watched again", 60)
        took = time.time() - killed
        wait_for(lambda: self.stoker.container(name) not in (None, container), "the new container in the pod's status", 60, 0.1)
        return took

    # --- what it costs ---

    def pids(self):
        found = {name: self.stoker.pid(name) for name in CONTAINERS}
        web = subprocess.run(["pgrep", "-P", str(found["agent"]), "stoker-web"], capture_output=True, text=True).stdout.split()
        if web:
            found["agent: stoker-web"] = int(web[0])
        found["node-problem-detector"] = self.npd_pid()
        return found

    def idle(self, seconds):
        pids = self.pids()
        memory = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(f"/proc/{pids['agent']}/root/stoker") for f in fs)
        return {**bench.idle(pids, seconds, lambda: len(self.node.agent_writes())), "memory_volume_kib": memory // 1024}


def to_seconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "999"))


def table(r):
    def row(name, samples, form="{:.1f}"):
        return f"| {name} | {len(samples)} | " + " | ".join(form.format(x) for x in (percentile(samples, 50), percentile(samples, 99), max(samples))) + " |"
    s = r["samples"]
    lines = [f"{r['date']}, {r['machine']}, commit {r['commit']}: the DaemonSet's pod on kubelet 1.34, containerd 2.3; node-problem-detector 1.36 as a pod beside it.", "",
             "| as a pod | samples | p50 | p99 | max |", "|---|---|---|---|---|",
             row("fault → condition received (ms)", [x["condition_ms"] for x in s]), row("fault → taint received (ms)", [x["taint_ms"] for x in s]),
             row("node-problem-detector: fault → condition received (ms)", [x["npd_ms"] for x in s if "npd_ms" in x]),
             row("fault → last pod bound, 20 pods/s (ms)", [x["last_ms"] for x in r["storms"]]),
             row("pods bound after the fault, of 40 created", [x["bound_after"] for x in r["storms"]], "{:.0f}"),
             row("inodes used up → condition received (s)", r["inodes"])]
    for name in CONTAINERS:
        lines.append(row(f"{name} killed → every filesystem probed again (s)", r["restarts"][name], "{:.2f}"))
    idle = r["idle"]
    lines += ["", f"| idle for {idle['seconds']:.0f} s, 4 filesystems | PSS KiB | locked KiB | CPU ‰ of a core | wake-ups/s |", "|---|---|---|---|---|"]
    for name, x in idle["roles"].items():
        lines.append(f"| {name} | {x['pss_kib']} | {x['locked_kib']} | {x['permille']:.2f} | {x['wakeups']:.2f} |")
    lines += ["", f"The memory-backed volume with executables and libraries: {idle['memory_volume_kib']} KiB a node (what is mapped of it is in the PSS above too). "
              f"API writes while idle: {idle['writes_per_minute']:.2f} a minute."]
    return "\n".join(lines)


def measure(b, o, result):
    result.update(samples=[], storms=[], inodes=[], restarts={})
    b.start_npd()
    for i in range(o.faults):
        disk, with_npd = b.disks[i % 2], i < o.npd
        if with_npd and i:
            b.stop_npd()  # it latches
            b.start_npd()
        sample = b.fault(disk, with_npd)
        result["samples"].append(sample)
        print(f"fault {i + 1}/{o.faults}: {sample}", flush=True)
        b.renew(disk)
    for i in range(o.rounds):
        result["storms"].append(b.storm(i))
        print(f"storm {i + 1}: {result['storms'][-1]}", flush=True)
    for i in range(o.rounds):
        result["inodes"].append(b.inodes())
        print(f"inodes {i + 1}: {result['inodes'][-1]:.2f} s", flush=True)
    for name in CONTAINERS:
        result["restarts"][name] = [b.restart(name)]
        print(f"{name} killed: {result['restarts'][name][-1]:.2f} s", flush=True)
    print("idle …", flush=True)
    result["idle"] = b.idle(o.idle)


OPTIONS = {"--faults": (30, None), "--npd": (6, "of them beside node-problem-detector"), "--rounds": (5, "of the storm of pods, and of the inodes"), "--idle": (60, "seconds")}
PAGE = ("docs/benchmarks-pod.md", "# Benchmarks of the DaemonSet\n\nMade by `tests/bench pod --write`; shipped defaults but `probe.minimumBad: 0s`. "
        "Times from the API server's audit log.\n\n")


def run(top, cache, argv):
    machine.own()
    return bench.run("pod", sys.modules[__name__], top, cache, argv)
