"""What a volume costs: making, making again, measuring and removing one, with and without a thousand other mounts on the node, and beside
checkpoints whose servers hang."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kernel"))
import bench  # noqa: E402
import bench_shuffle  # noqa: E402
import csi  # noqa: E402
import disks  # noqa: E402
import wire  # noqa: E402
from bench import percentile  # noqa: E402
from nfs_null import NfsNull  # noqa: E402
from node import Node  # noqa: E402
from volumes import Asker, Kubelet  # noqa: E402

OPTIONS = {"--count": (1000, "volumes made and removed in each round"), "--mounts": (1000, "other mounts on the node"), "--kept": (200, "volumes that stay, for the memory"),
           "--shuffles": (15, "of real Spark, in each place"), "--hung": (16, "publishes of checkpoints whose servers hang, beside which others are measured"),
           "--peer": ("", "endpoint of another CSI driver, unix:/…/csi.sock, measured beside ours")}
PAGE = ("docs/benchmarks-volumes.md", "# Benchmarks of volumes\n\nMade by `tests/bench volumes --write`.\n\n")
REQUESTS = (("make", wire.VOLUME_MAKE), ("make again", wire.VOLUME_MAKE), ("bound", wire.VOLUME_BOUND), ("measure", wire.VOLUME_STAT), ("remove", wire.VOLUME_REMOVE))
CALLS = ("publish", "stats", "unpublish")
OURS = {"type": "scratch", "size": "4Mi"}
SERVERS, TURNS = 8, 5  # as many checkpoints as may be configured; without and with what hangs, in turn


class Bench:
    def __init__(self, t, top, cache):
        self.t, self.cache, self.kubelet = t, cache, Kubelet(t)
        for name in ("plugins", "plugins_registry"):  # as a kubelet has them: there the driver's sockets go
            os.makedirs(f"{self.kubelet.root}/{name}")
        self.node = Node(t, period="10m", log="info", extra=self.kubelet.settings() + "volumes:\n  scratch:\n    max: 4Gi\n")
        self.node.tmpfs("size=1m")
        self.node.start()
        self.node.wait("Healthy")
        self.asker, self.others = Asker(t, self.node), 0
        self.client = csi.Client(t, f"unix:{self.kubelet.root}/plugins/csi.stoker.dev/csi.sock")
        self.node.wait_for(self.is_served, "the driver's socket")

    def mount_others(self, count):
        """As pods have them: each a tmpfs of its own."""
        for i in range(self.others, count):
            path = os.path.join(self.t.dir, "others", str(i))
            os.makedirs(path)
            disks.mount_tmpfs(path)
            self.t.cleanup(lambda p=path: disks.umount(p))
        self.others = count

    def round(self, count):
        """Request and answer, one after the other: {name: {"ms": […], "child_ms": […]}}."""
        pod, samples = self.kubelet.pod(), {name: {"ms": [], "child_ms": []} for name, _ in REQUESTS}
        for _ in range(count):
            for name, kind in REQUESTS:
                more = {"size": 8 << 20, "inodes": 2000} if kind == wire.VOLUME_BOUND else {"uid": 185, "gid": 185}
                begin = time.perf_counter()
                answer = self.asker.ask(kind, pod, **more)
                samples[name]["ms"].append((time.perf_counter() - begin) * 1000)
                assert answer.errnum == 0 and (kind != wire.VOLUME_MAKE or answer.already == (name == "make again")), (name, answer)
                samples[name]["child_ms"].append(answer.duration_us / 1000)
        return samples

    def calls(self, count, context, endpoint=None, steps=(0, 1, 2)):
        """The same by gRPC, as the kubelet's calls come: {name: [ms]}."""
        answer = self.client.call("bench.", endpoint=endpoint or self.client.endpoint,
                                  bench={"kubelet": self.kubelet.root, "count": count, "steps": steps, "context": context})
        assert answer["code"] == "OK", answer
        return {name: [us / 1000 for us in samples] for name, samples in zip(CALLS, answer["samples"])}

    def publish(self, attributes):
        pod = self.kubelet.pod()
        request = csi.publish_request(self.kubelet.root, uid=pod.uid, attributes=attributes)
        answer = self.client.call("NodePublishVolume", request)
        assert answer["code"] == "OK", answer
        self.t.cleanup(lambda: self.client.call("NodeUnpublishVolume", {"volumeId": request["volumeId"], "targetPath": request["targetPath"]}))
        return request["targetPath"]

    def is_served(self):
        return os.path.exists(self.client.endpoint.removeprefix("unix:"))

    def waiting(self):
        """Of the broker's children those that wait for a server: each has a child of its own that asks."""
        return len([c for c in self.node.children("stoker-broker") if self.node.children_of(c)])

    def add_checkpoints(self, servers):
        listed = "".join(f"  - {{name: c{i}, server: {s.address}, port: {s.port}, export: /c, namespaces: ['*']}}\n" for i, s in enumerate(servers))
        self.node.extra += f"  checkpointDeadline: 110s\n  checkpoints:\n{listed}"
        self.node.write_config(self.node.config_text())
        for role in ("stokerd", "stoker-broker"):
            self.node.wait_for(lambda r=role: [line for line in self.node.log("configuration in force") if line["role"] == r], f"{role} to know the checkpoints")

    def hang(self, servers, count, client):
        """As many publishes under way as `count`, each waited for in the broker: their numbers."""
        for s in servers:
            s.hang()
        numbers = []
        for i in range(count):
            request = csi.publish_request(self.kubelet.root, uid=self.kubelet.pod().uid, attributes={"type": "checkpoint", "checkpoint": f"c{i % len(servers)}"})
            numbers.append(client.begin("NodePublishVolume", request, timeout_ms=120000, **{"async": True}))
        self.node.wait_for(lambda: self.waiting() >= count, "all to wait for their servers")
        return numbers

    def round_of_calls(self, count, peer):
        return {"stoker-csi": self.calls(count, OURS)} | ({"peer": self.calls(count, {}, peer)} if peer else {})

    def memory(self, kept):
        self.calls(kept, OURS, steps=[0])
        self.node.settled_descriptors("stoker-broker")
        figures = {role: bench.smaps(self.node.pid(role), "Pss") for role in ("stoker-broker", "stokerd", "stoker-csi")}
        self.asker.stat("11111111-2222-3333-4444-555555555555")
        figures["the child that stands ready"] = bench.smaps(self.node.wait_for(self.node.spares, "a child to stand ready")[0], "Pss")
        self.calls(kept, OURS, steps=[2])
        return figures


def measure_requests(b, o, result):
    result["rounds"] = []
    for others in (0, o.mounts):
        b.mount_others(others)
        b.round(20)  # warm
        result["rounds"].append({"others": others, "samples": b.round(o.count), "calls": b.round_of_calls(o.count, o.peer)})
    result["kept"], result["pss_kib"] = o.kept, b.memory(o.kept)


def measure_shuffle(b, o, result):
    result["shuffle"] = bench_shuffle.measure(b.t, b.cache, b.publish, o.shuffles)


def measure_hung(b, o, result):
    servers, others = [NfsNull(b.t, address=f"127.0.0.{i + 1}") for i in range(SERVERS)], csi.Client(b.t, b.client.endpoint)
    b.add_checkpoints(servers)
    samples = {"without": {name: [] for name in CALLS}, "beside": {name: [] for name in CALLS}}

    def measured(which):
        for name, ms in b.calls(max(o.count // TURNS, 1), OURS).items():
            samples[which][name] += ms
    b.calls(20, OURS)  # warm
    for _ in range(TURNS):
        measured("without")
        numbers = b.hang(servers, o.hung, others)
        measured("beside")
        assert b.waiting() >= o.hung, "they were hung all the time"
        for s in servers:
            s.go_on()
        for number in numbers:
            others.result(number)
        b.node.settled_descriptors("stoker-broker")
    result["hung"] = {"count": o.hung, "servers": SERVERS, "samples": samples}


def table_of_hung(r):
    hung = r["hung"]
    lines = [f"Of scratch, by gRPC, beside {hung['count']} publishes of checkpoints that wait for {hung['servers']} servers which take the connection and do not answer,",
             "and in turn without:", "", "| call | | p50 (ms) | p99 (ms) | worst (ms) |", "|---|---|---|---|---|"]
    for name in CALLS:
        for which, samples in hung["samples"].items():
            lines.append(f"| {name} | {which} | " + " | ".join(f"{percentile(samples[name], p):.2f}" for p in (50, 99, 100)) + " |")
    return lines


def table_of_requests(r):
    lines = ["The broker alone, request to answer over its socket, a child each, of which one stands ready; of that the child's own work:", "",
             "| request | other mounts | p50 (ms) | p99 (ms) | child p50 (ms) | child p99 (ms) |", "|---|---|---|---|---|---|"]
    for name, _ in REQUESTS:
        for one in r["rounds"]:
            s = one["samples"][name]
            lines.append(f"| {name} | {one['others']} | " + " | ".join(f"{percentile(s[key], p):.2f}" for key in ("ms", "child_ms") for p in (50, 99)) + " |")
    lines += ["", "By gRPC (grpc-go as the client, one call after the other):", "", "| driver | call | other mounts | p50 (ms) | p99 (ms) |", "|---|---|---|---|---|"]
    for one in r["rounds"]:
        for driver, calls in one["calls"].items():
            for name in CALLS:
                lines.append(f"| {driver} | {name} | {one['others']} | " + " | ".join(f"{percentile(calls[name], p):.2f}" for p in (50, 99)) + " |")
    lines += ["", f"Memory with {r['kept']} volumes (PSS): " + ", ".join(f"{role} {kib} KiB" for role, kib in r["pss_kib"].items()) + "."]
    return lines


PARTS = {"shuffle": (measure_shuffle, lambda r: bench_shuffle.table(r["shuffle"])), "requests": (measure_requests, table_of_requests), "hung": (measure_hung, table_of_hung)}


def measure(b, o, result):
    result["parts"] = [o.only] if o.only else list(PARTS)
    for part in result["parts"]:
        PARTS[part][0](b, o, result)


def table(r):
    return "\n".join([f"{r['date']}, {r['machine']}, commit {r['commit']}.", *(line for part in r["parts"] for line in ("", *PARTS[part][1](r)))])


def run(top, cache, argv):
    return bench.run("volumes", sys.modules[__name__], top, cache, argv)
