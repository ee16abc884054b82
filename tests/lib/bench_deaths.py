"""Of tests/bench executors: what watching and explaining executors costs, in real cgroups under all roles: idle with 250 of them, and an OOM kill explained
among 5,000. The runtime is the test (small_runtime.py). And real Spark beside itself: the same jobs, supervised by `stoker run` and not."""
import os
import statistics
import time

import bench
from cases import wait_for
from container import ROOT, VERSION, Container, Pod, write
from executor_stage import Stage
from spark import Job

ROLES = ("stokerd", "stoker-broker", "stoker-reporter", "stoker-nri", "stoker-web", "stoker-csi")
WATCHED_MAX = 512  # health/executors.h: the others are there, and no more
OPTIONS = {"--executors": (250, "that live while it is idle"), "--idle": (60, "seconds"), "--groups": (5000, "cgroups that are there at the kills"),
           "--kills": (100, None), "--jobs": (10, "of each kind, of Spark")}


class Bench:
    def __init__(self, t):
        self.t, self.living = t, []
        self.s = Stage(t, log="info")
        self.s.serve()

    # --- executors that live ---

    def executor(self, *steps, limit_mib=64):
        number = len(self.living) + 1
        container = Container(Pod(self.t, name=f"etl-exec-{number}", executor=str(number)), limit_mib=limit_mib, heap=f"{limit_mib // 2}m")
        self.s.runtime.create(container)
        self.s.runtime.start(container, *steps)
        self.living.append(container)
        return container

    def fill(self, count):
        while len(self.living) < count:
            self.executor("anon=1")
        wait_for(lambda: sum(e["watched"] for e in self.s.get("executors")) >= count, f"{count} executors to be watched", 300, 0.2)

    def idle(self, seconds):
        pids = {r: pid for r in ROLES if (pid := self.s.node.pid(r))}
        return bench.idle(pids, seconds, lambda: 0)

    # --- kills ---

    def others(self, count):
        """Cgroups that are nobody's business."""
        base = f"{ROOT}/stoker-bench-{os.getpid()}"
        paths = [base, *(f"{base}/{i}" for i in range(count))]
        self.t.cleanup(lambda: [os.rmdir(path) for path in reversed(paths) if os.path.isdir(path)])
        for path in paths:
            os.mkdir(path)

    def kill(self, number):
        """One that takes too much: ms from the moment in which its parent knew to the line of the log, and as stokerd counts."""
        go = os.path.join(self.t.dir, f"go-{number}")
        container = self.executor(f"await={go}", "anon=96", limit_mib=32)
        self.s.executor(container, watched=True)
        write(go, "")
        container.process.wait()
        known = time.time()
        self.s.runtime.stopped(container)
        death = self.s.death(container)
        assert death["cause"] == "overhead", death
        line = next(x for x in self.s.node.log("executor ended") if x["pod"] == container.pod.name)
        self.s.runtime.remove(container)
        return (seconds_of(line["ts"]) - known) * 1000, death["explainedAfterMicros"] / 1000


def seconds_of(text):
    """RFC 3339 with a fraction."""
    whole, fraction = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0." + fraction)


# --- Spark beside itself ---

STEPS = {"pi": "4000000", "shuffle": "2000000"}


LIMIT_MIB = 2048


def plain_groups(t):
    """A script that becomes what it is given, in cgroups as `stoker run` makes them and any container has: they have a price of their own."""
    name, script = f"stoker-plain-{os.getpid()}", os.path.join(t.dir, "plain")
    places = [f"{ROOT}/{name}"] if VERSION == 2 else [f"/sys/fs/cgroup/{c}/{name}" for c in ("memory", "cpu", "pids") if os.path.isdir(f"/sys/fs/cgroup/{c}")]
    for place in places:
        os.mkdir(place)
        t.cleanup(lambda place=place: os.rmdir(place))
    Pod.limit(places[0], LIMIT_MIB)
    with open(script, "w") as f:
        f.write("#!/bin/sh\n" + "".join(f"echo $$ >{place}/cgroup.procs\n" for place in places) + 'exec "$@"\n')
    os.chmod(script, 0o755)
    return script


def beside_itself(t, rounds):
    """The same jobs in turn, in a supervised executor and in one that nobody looks at; seconds of each."""
    alone = plain_groups(t)
    jobs = {"supervised": Job(t, heap_mib=1024, limit_mib=LIMIT_MIB), "alone": Job(t, heap_mib=1024, supervised=False, enter=alone)}
    for job in jobs.values():
        job.warm()
    took = {step: {name: [] for name in jobs} for step in STEPS}
    for number in range(rounds + 3):  # the first ones warm the JVMs
        for step, value in STEPS.items():
            for name in sorted(jobs, reverse=number % 2 == 1):
                ok, words = jobs[name].step(step, value)
                assert ok, words
                if number >= 3:
                    took[step][name].append(jobs[name].seconds)
    for job in jobs.values():
        job.end()
    return took


def measure_deaths(t, o, result):
    b = Bench(t)
    print("idle …", flush=True)
    b.fill(o.executors)
    result["executors"], result["idle"] = o.executors, b.idle(o.idle)
    print("kills …", flush=True)
    watched = min(WATCHED_MAX - 1, o.groups)
    b.fill(watched - o.kills)
    b.others(max(0, o.groups - watched))
    result["groups"], result["watched"] = o.groups, watched
    result["kills"] = [b.kill(i) for i in range(o.kills)]
    b.s.node.stop()


def measure_spark(t, o, result):
    print("Spark …", flush=True)
    result["spark"] = beside_itself(t, o.jobs)


def table_of_deaths(r):
    lines = ["", f"| idle for {r['idle']['seconds']:.0f} s, {r['executors']} executors that live | PSS KiB | locked KiB | CPU ‰ of a core | wake-ups/s |",
             "|---|---|---|---|---|"]
    total = dict.fromkeys(("pss_kib", "locked_kib", "permille", "wakeups"), 0)
    for role, x in r["idle"]["roles"].items():
        lines.append(f"| {role} | {x['pss_kib']} | {x['locked_kib']} | {x['permille']:.2f} | {x['wakeups']:.2f} |")
        total = {key: total[key] + x[key] for key in total}
    lines.append(f"| all | {total['pss_kib']} | {total['locked_kib']} | {total['permille']:.2f} | {total['wakeups']:.2f} |")
    lines += ["", f"| OOM kill → explained, {len(r['kills'])} times among {r['groups']} cgroups, {r['watched']} of them watched | p50 (ms) | p99 (ms) |", "|---|---|---|"]
    for column, name in enumerate(("the parent of the victim knows → the log's line", "first evidence → the record")):
        samples = [k[column] for k in r["kills"]]
        lines.append(f"| {name} | {bench.percentile(samples, 50):.1f} | {bench.percentile(samples, 99):.1f} |")
    return lines


def table_of_spark(r):
    lines = ["", "| Spark, in turn | supervised (s) | alone (s) | ratio of the medians |", "|---|---|---|---|"]
    for step, both in r["spark"].items():
        ours, alone = (statistics.median(both[name]) for name in ("supervised", "alone"))
        lines.append(f"| {step}, {len(both['alone'])} times | {ours:.3f} | {alone:.3f} | {ours / alone:.3f} |")
    return lines
