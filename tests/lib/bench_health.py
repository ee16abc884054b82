"""The main job measured: from a real fault to the PATCH that the API server received, and what the agent costs meanwhile."""
import json
import os
import subprocess
import sys
import time

import bench
from bench import cpu_seconds, percentile
from cases import wait_for
from cluster import ADMIN, Cluster
from node import Node

ROLES = ("stokerd", "stoker-broker", "stoker-reporter", "stoker-web", "stoker-nri")
NAME, PEER = "stoker-node", "npd-node"


class Bench:
    def __init__(self, t, top, cache):
        self.t, self.top, self.cache = t, top, cache
        self.cluster = Cluster(t)
        for name in (NAME, PEER):
            self.cluster.create_node(name)
        token = os.path.join(t.dir, "token")
        with open(token, "w") as f:
            f.write(self.cluster.service_account_token(86400))
        # shipped defaults, but for the dwell that keeps a round short
        self.node = Node(t, name=NAME, minimum_bad="0s", log="info")
        self.node.report = f"report:\n  kubeconfig: {self.cluster.kubeconfig('stoker', token_file=token)}\n  maxTainted: 1\n  taintSingleNode: true\n"
        self.disks = [self.node.disk("ext4"), self.node.disk("xfs"), self.node.disk("ext4"), self.node.tmpfs("size=4m")]
        self.node.start()
        self.node.wait("Healthy")
        wait_for(lambda: self.cluster.condition(NAME), "the first condition")
        self.npd = None

    # --- the peer ---

    def start_npd(self):
        module = subprocess.run(["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "k8s.io/node-problem-detector"], capture_output=True, text=True,
                                cwd=os.path.join(self.top, "tests/peers/npd"), check=True, env={**os.environ, "GOFLAGS": "-mod=readonly"}).stdout.strip()
        config, rules = self.cluster.kubeconfig("npd", ADMIN), []
        for name in ("kernel-monitor", "readonly-monitor"):
            # its own rules; only without the look-back over five minutes, in which it would find the faults of earlier rounds
            with open(f"{module}/config/{name}.json") as f:
                rule = {**json.load(f), "lookback": "0s"}
            rules.append(os.path.join(self.t.dir, f"{name}.json"))
            with open(rules[-1], "w") as f:
                json.dump(rule, f)
        with open(os.path.join(self.t.dir, "npd.log"), "ab") as log:
            self.npd = subprocess.Popen(
                [f"{self.cache}/bin/node-problem-detector", f"--apiserver-override=https://127.0.0.1:{self.cluster.port}?inClusterConfig=false&auth={config}",
                 f"--config.system-log-monitor={rules[0]},{rules[1]}",
                 f"--hostname-override={PEER}", "--port=0", "--prometheus-port=0"], stdout=log, stderr=log, env={**os.environ, "NODE_NAME": PEER})
        self.t.cleanup(self.stop_npd)
        wait_for(lambda: (self.cluster.condition(PEER, "ReadonlyFilesystem") or {}).get("status") == "False" and
                 (self.cluster.condition(PEER, "XfsShutdown") or {}).get("status") == "False", "node-problem-detector's first conditions", 60, 0.05)

    def stop_npd(self):
        if self.npd:
            self.npd.kill()
            self.npd.wait()
            self.npd = None

    # --- one fault ---

    def writes(self, node, since, subresource):
        return [e for e in self.cluster.audit() if e["objectRef"].get("name") == node and e["objectRef"].get("subresource") == subresource and
                self.cluster.received_at(e) >= since and e.get("responseStatus", {}).get("code", 0) < 300]

    def fault(self, disk, npd_condition=None):
        begin = time.time()
        if disk.kind == "ext4":
            disk.trigger_ext4_error()
        else:
            disk.shutdown()
        wait_for(lambda: self.writes(NAME, begin, "status") and self.writes(NAME, begin, None), "both PATCHes", 60)
        sample = {"kind": disk.kind, "condition_ms": (self.cluster.received_at(self.writes(NAME, begin, "status")[0]) - begin) * 1000,
                  "taint_ms": (self.cluster.received_at(self.writes(NAME, begin, None)[0]) - begin) * 1000}
        if npd_condition:
            def seen():
                return [e for e in self.writes(PEER, begin, "status") if any(
                    c.get("type") == npd_condition and c.get("status") == "True" for c in e["requestObject"]["status"].get("conditions", []))]
            try:
                wait_for(seen, "node-problem-detector's PATCH", 60, 0.05)
            except AssertionError:
                with open(os.path.join(self.t.dir, "npd.log")) as f:
                    print("".join(f.readlines()[-15:]))
                print(self.cluster.node(PEER)["status"]["conditions"])
                raise
            sample["npd_ms"] = (self.cluster.received_at(seen()[0]) - begin) * 1000
        return sample

    def renew(self, disk):
        """A fresh filesystem on the same place, healthy and published."""
        disk.umount()
        wait_for(disk.detach, "the loop device to go", 60)
        disk.make()
        wait_for(lambda: self.cluster.condition(NAME)["status"] == "True" and not self.cluster.our_taint(NAME), "the recovery", 120, 0.05)

    def cold(self):
        """The next PATCH needs a new TCP and TLS connection, and finds an API server that has just begun."""
        self.cluster.stop("kube-apiserver")
        self.cluster.start_apiserver()

    # --- what it costs ---

    def pids(self):
        found = {role: self.node.pid(role) for role in ROLES}
        if self.npd:
            found["node-problem-detector"] = self.npd.pid
        return found

    def idle(self, seconds):
        return bench.idle(self.pids(), seconds, lambda: len(self.cluster.agent_writes()))

    def flood(self):
        pids = self.pids()
        before, begin = {r: cpu_seconds(p) for r, p in pids.items()}, time.monotonic()
        found = []
        self.node.flood_kernel_log(60000, middle=lambda: found.append(self.fault_only()))
        took = time.monotonic() - begin
        self.node.wait_fs(self.disks[2], "bad")
        return {"seconds": took, "cpu_s": {r: cpu_seconds(p) - before[r] for r, p in pids.items()}}

    def fault_only(self):
        self.disks[2].trigger_ext4_error()


def table(result):
    s, idle, flood = result["samples"], result["idle"], result["flood"]
    npd = [x["npd_ms"] for x in result["npd_samples"]]
    ours = [r for r in idle["roles"] if r != "node-problem-detector"]
    peer = idle["roles"].get("node-problem-detector", {})

    def row(name, samples):
        return f"| {name} | {len(samples)} | {percentile(samples, 50):.1f} | {percentile(samples, 99):.1f} | {max(samples):.1f} |" if samples else f"| {name} | 0 | | | |"

    warm, cold = [x for x in s if not x["cold"]], [x for x in s if x["cold"]]
    lines = [f"{result['date']}, {result['machine']}, commit {result['commit']}", "",
             "| fault → PATCH received (ms) | faults | p50 | p99 | max |", "|---|---|---|---|---|",
             row("condition, all", [x["condition_ms"] for x in s]), row("taint, all", [x["taint_ms"] for x in s]),
             row("condition, ext4", [x["condition_ms"] for x in s if x["kind"] == "ext4"]), row("condition, XFS", [x["condition_ms"] for x in s if x["kind"] == "xfs"]),
             row("condition, warm connection", [x["condition_ms"] for x in warm]), row("condition, cold TLS connection", [x["condition_ms"] for x in cold]),
             row("node-problem-detector 1.36 (a condition; it never taints)", npd), "",
             f"| idle for {idle['seconds']:.0f} s, 4 filesystems | PSS KiB | locked KiB | CPU ‰ of a core | wake-ups/s |", "|---|---|---|---|---|"]
    for r in ours:
        x = idle["roles"][r]
        lines.append(f"| {r} | {x['pss_kib']} | {x['locked_kib']} | {x['permille']:.2f} | {x['wakeups']:.2f} |")
    total = {k: sum(idle["roles"][r][k] for r in ours) for k in ("pss_kib", "locked_kib", "permille", "wakeups")}
    lines.append(f"| all roles | {total['pss_kib']} | {total['locked_kib']} | {total['permille']:.2f} | {total['wakeups']:.2f} |")
    if peer:
        lines.append(f"| node-problem-detector | {peer['pss_kib']} | {peer['locked_kib']} | {peer['permille']:.2f} | {peer['wakeups']:.2f} |")
    lines += ["", f"API writes while idle: {idle['writes_per_minute']:.2f} a minute.",
              f"60,000 kernel log lines in {flood['seconds']:.1f} s: " + ", ".join(f"{r} {c:.2f} s" for r, c in flood["cpu_s"].items() if c >= 0.005) +
              " of CPU; a fault in the middle was found."]
    return "\n".join(lines)


OPTIONS = {"--faults": (60, None), "--npd": (10, "faults that node-problem-detector is timed on (it latches: restarted for each)"), "--idle": (60, "seconds")}
PAGE = ("docs/benchmarks.md", "# Benchmarks\n\nMade by `tests/bench health --write`: shipped defaults but `probe.minimumBad: 0s`, a fresh loop device for every fault\n"
        "(`trigger_fs_error` on ext4, a shutdown on XFS), times from the API server's own audit log, each figure beside its peer in the same run.\n"
        "\"Cold\" = kube-apiserver was killed and started right before, so that the PATCH needs a new TLS connection.\n\n")


def measure(b, o, result):
    result.update(samples=[], npd_samples=[])
    for i in range(o.npd):
        b.start_npd()
        disk = b.disks[i % 2]
        sample = b.fault(disk, "ReadonlyFilesystem" if disk.kind == "ext4" else "XfsShutdown")
        result["npd_samples"].append(sample)
        print(f"beside node-problem-detector {i + 1}/{o.npd}: {sample}", flush=True)
        b.stop_npd()
        b.cluster.api("PATCH", f"/api/v1/nodes/{PEER}/status", {"status": {"conditions": [
            {"type": x, "status": "Unknown", "reason": "Bench", "message": ""} for x in ("ReadonlyFilesystem", "XfsShutdown")]}},
            "application/strategic-merge-patch+json")
        b.renew(disk)
    for i in range(o.faults):
        disk, cold = b.disks[i % 2], i % 5 == 4
        if cold:
            b.cold()
        sample = {**b.fault(disk), "cold": cold}
        result["samples"].append(sample)
        print(f"fault {i + 1}/{o.faults}: {sample}", flush=True)
        b.renew(disk)
    b.start_npd()
    print("idle …", flush=True)
    result["idle"] = b.idle(o.idle)
    print("flood …", flush=True)
    result["flood"] = b.flood()


def run(top, cache, argv):
    return bench.run("health", sys.modules[__name__], top, cache, argv)
