"""What the benchmarks share: figures of a process, percentiles, and a run: measured, kept as JSON, shown as a table, written into a page."""
import argparse
import json
import math
import os
import platform
import subprocess
import time

from cases import Context, wait_for


def percentile(samples, p):
    """The nearest rank: the least that so many per cent do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * p / 100) - 1)] if ordered else float("nan")


def smaps(pid, key):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next((int(line.split()[1]) for line in f if line.startswith(key + ":")), 0)


def cpu_seconds(pid):
    """Of the process and of the children it has waited for."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def wakeups(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
    return total


def idle(pids, seconds, writes):
    """What the processes cost while nothing happens; `writes` counts what the API server got."""
    begin, written = time.monotonic(), writes()
    before = {r: (cpu_seconds(p), wakeups(p)) for r, p in pids.items()}
    wait_for(lambda: time.monotonic() - begin >= seconds, "the idle time", seconds + 60, 1)
    took = time.monotonic() - begin
    return {"seconds": took, "writes_per_minute": (writes() - written) / took * 60, "roles": {
        r: {"permille": (cpu_seconds(p) - before[r][0]) / took * 1000, "wakeups": (wakeups(p) - before[r][1]) / took,
            "pss_kib": smaps(p, "Pss"), "locked_kib": smaps(p, "Locked")} for r, p in pids.items()}}


def run(name, what, top, cache, argv):
    """`what` is the module: OPTIONS, Bench, measure, table, PAGE."""
    p = argparse.ArgumentParser(prog=f"tests/bench {name}")
    for option, (default, words) in what.OPTIONS.items():
        p.add_argument(option, type=type(default), default=default, help=words)
    if hasattr(what, "PARTS"):
        p.add_argument("--only", choices=list(what.PARTS), help="this part, not all")
    p.add_argument("--write", action="store_true", help=what.PAGE[0])
    o = p.parse_args(argv)
    result = {"date": time.strftime("%Y-%m-%d"), "machine": f"{os.cpu_count()} cores, Linux {platform.release()}",
              "commit": subprocess.run(["git", "-C", top, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()}
    t = Context("bench")
    try:
        what.measure(what.Bench(t, top, cache), o, result)
    finally:
        t.close()
    os.makedirs(f"{cache}/bench", exist_ok=True)
    with open(f"{cache}/bench/{name}-{time.strftime('%Y%m%d-%H%M%S')}.json", "w") as f:
        json.dump(result, f, indent=1)
    text = what.table(result)
    print("\n" + text)
    if o.write:
        with open(os.path.join(top, what.PAGE[0]), "w") as f:
            f.write(what.PAGE[1] + text + "\n")
    return 0
