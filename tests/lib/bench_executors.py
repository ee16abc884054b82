"""tests/bench executors: what seeing executors costs. Here: NRI, as the runtime sees it, beside a plugin in Go on the stub library,
one after the other in the same run, round by round. The runtime is NRI 0.12's own code without containers (tests/peers/nri). The rest of it is
bench_deaths.py."""
import os
import statistics
import subprocess
import sys
import time

import bench
import bench_deaths
from cases import Context, wait_for
from node import Node
import nri

VERSION = "0.12.5"
SCORE = 3  # what both set


def payloads():
    """As containerd sends them: the small one of a plain pod, the big one of a Spark driver with what operators add."""
    web = nri.pod("web", labels={"app": "x", "tier": "batch"}, annotations={"example.org/a": "b"})
    small = {**nri.container(web, "c", name="main"), "args": ["/bin/app", "--flag"], "env": ["A=1", "B=2", "C=3"]}
    spark = nri.pod("etl-driver", labels={"spark-role": "driver", "spark-app-selector": "spark-0123456789abcdef", "spark-app-name": "etl", "spark-version": "3.5.3"},
                    annotations={"example.org/long": "x" * 600})
    big = nri.container(spark, "c", name="spark-kubernetes-driver", env=[f"SPARK_VARIABLE_{i}=some value that is as long as most are {i}" for i in range(37)])
    big["mounts"] = [{"destination": f"/mnt/volume-{i}", "type": "bind", "source": f"/var/lib/kubelet/pods/0123/volumes/{i}", "options": ["rbind", "rprivate", "rw"]}
                     for i in range(12)]
    return {"small, nothing to change": (web, small, False), "40 env, 12 mounts, 600 B annotation; a value set": (spark, big, True)}


def resources(pid):
    with open(f"/proc/{pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return rss, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(plugin):
    """Its memory when it has done what the last call was about."""
    seen = []

    def same_for_a_second():
        seen.append(resources(plugin.pid())[0])
        return len(seen) > 10 and len(set(seen[-10:])) == 1
    wait_for(same_for_a_second, "its memory to be steady", 30, 0.1)
    return seen[-1]


class Ours:
    name = "stoker-nri"

    def __init__(self, t, socket, adjust):
        self.node = Node(t, log="info", directory=f"ours-{time.monotonic_ns()}",
                         extra=f"executors:\n  nriSocket: {socket}\n  oomScoreAdj: {'driversLast' if adjust else 'leave'}\n")
        self.node.tmpfs("size=16m")
        self.node.start()

    def pid(self):
        return wait_for(lambda: self.node.pid("stoker-nri"), "stoker-nri")

    def again(self):
        self.node.kill("stoker-nri")

    def end(self):
        self.node.stop()


class Go:
    name = "Go stub"

    def __init__(self, t, socket, adjust):
        self.argv = [nri.program("plugin", VERSION), "-socket", socket, *(["-oom-score-adj", str(SCORE)] if adjust else [])]
        self.process = None
        t.cleanup(self.end)
        self.again()

    def pid(self):
        return self.process.pid

    def again(self):
        self.end()
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def creations(t, kind, payload, count):
    pod, container, adjust = payload
    runtime = nri.Runtime(t, VERSION, socket=os.path.join(t.dir, f"nri-{time.monotonic_ns()}", "nri.sock"))
    plugin = kind(t, runtime.socket, adjust)
    try:
        runtime.synchronized()
        runtime.ask("bench", pod=pod, container=container, count=200)  # both warm
        if adjust:
            one = nri.pod("check", labels=pod["labels"])
            answer = runtime.ask("CreateContainer", pod=one, container={**container, "id": "check", "pod_sandbox_id": one["id"]})
            assert answer["response"]["adjust"]["linux"]["oomScoreAdj"]["value"] == str(SCORE), answer
        idle, before = resources(plugin.pid())
        sample = runtime.ask("bench", pod=pod, container=container, count=count, timeout=300)
        after, cpu = resources(plugin.pid())
        return {"p50_us": sample["p50_us"], "p99_us": sample["p99_us"], "rss_idle_kib": idle, "rss_after_kib": after, "cpu_s": cpu - before}
    finally:
        plugin.end()
        runtime.end()


def synchronize(t, kind, rounds):
    """500 pods, 1,000 containers: what the runtime waits for, and the plugin's memory afterwards."""
    pod, container, _ = list(payloads().values())[1]
    runtime = nri.Runtime(t, VERSION, socket=os.path.join(t.dir, f"nri-{time.monotonic_ns()}", "nri.sock"))
    runtime.ask("many", pod=pod, container={**container, "state": "CONTAINER_RUNNING"}, count=500, per_pod=2)
    plugin, took = kind(t, runtime.socket, False), []
    try:
        for _ in range(rounds):
            took.append(runtime.synchronized()["us"] / 1000)
            plugin.again()
        took.append(runtime.synchronized()["us"] / 1000)
        rss = settled(plugin)
        return {"ms": statistics.median(took), "worst_ms": max(took), "rss_kib": rss}
    finally:
        plugin.end()
        runtime.end()


def median(samples, key):
    return statistics.median(s[key] for s in samples)


def table_of_nri(r):
    lines = [f"NRI {VERSION}, {r['count']} creations a round, {r['rounds']} rounds each, one after the other; medians of the rounds.", "",
             "| CreateContainer, as the runtime sees it | plugin | p50 (µs) | p99 (µs) | RSS idle (KiB) | RSS after (KiB) | CPU (s) |", "|---|---|---|---|---|---|---|"]
    for name, both in r["creations"].items():
        for plugin, s in both.items():
            lines.append(f"| {name} | {plugin} | {median(s, 'p50_us'):.0f} | {median(s, 'p99_us'):.0f} | {median(s, 'rss_idle_kib'):.0f} | {median(s, 'rss_after_kib'):.0f} | {median(s, 'cpu_s'):.2f} |")
        ours, go = both[Ours.name], both[Go.name]
        lines.append(f"| | ratio | {median(ours, 'p50_us') / median(go, 'p50_us'):.2f} | {median(ours, 'p99_us') / median(go, 'p99_us'):.2f} | "
                     f"{median(ours, 'rss_idle_kib') / median(go, 'rss_idle_kib'):.2f} | {median(ours, 'rss_after_kib') / median(go, 'rss_after_kib'):.2f} | "
                     f"{median(ours, 'cpu_s') / max(median(go, 'cpu_s'), 0.01):.2f} |")
    lines += ["", "| Synchronize: 500 pods, 1,000 containers | ms (median) | ms (worst) | RSS after (KiB) |", "|---|---|---|---|"]
    for plugin, s in r["synchronize"].items():
        lines.append(f"| {plugin} | {s['ms']:.1f} | {s['worst_ms']:.1f} | {s['rss_kib']} |")
    return lines


def measure_nri(t, o, result):
    result.update(creations={}, synchronize={}, count=o.count, rounds=o.rounds)
    for name, payload in payloads().items():
        both = result["creations"][name] = {Ours.name: [], Go.name: []}
        for i in range(o.rounds):
            for kind in (Ours, Go):
                both[kind.name].append(creations(t, kind, payload, o.count))
                print(f"{name}, round {i + 1}, {kind.name}: {both[kind.name][-1]}", flush=True)
    for kind in (Ours, Go):
        result["synchronize"][kind.name] = synchronize(t, kind, o.rounds)


PARTS = {"nri": (measure_nri, table_of_nri), "deaths": (bench_deaths.measure_deaths, bench_deaths.table_of_deaths),
         "spark": (bench_deaths.measure_spark, bench_deaths.table_of_spark)}
OPTIONS = {"--count": (20000, "creations a round"), "--rounds": (5, None), **bench_deaths.OPTIONS}
PAGE = ("docs/benchmarks-executors.md", "# Benchmarks of what executors cost\n\nMade by `tests/bench executors --write`. The Go stub is an ordinary plugin on "
        "NRI's own stub library (tests/peers/nri/plugin), which sets the same.\n\n")


class Bench:
    """Each part has a context of its own."""

    def __init__(self, *_):
        pass


def measure(_, o, result):
    for part in PARTS if not o.only else [o.only]:
        context = Context("bench")
        try:
            PARTS[part][0](context, o, result)
        finally:
            context.close()
    result["parts"] = [o.only] if o.only else list(PARTS)


def table(r):
    return "\n".join([f"{r['date']}, {r['machine']}, commit {r['commit']}.", "", *(line for part in r["parts"] for line in PARTS[part][1](r))])


def run(top, cache, argv):
    return bench.run("executors", sys.modules[__name__], top, cache, argv)
