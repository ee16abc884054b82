"""What it costs to watch cgroups: idle, coming and going, a kill; the peer is the same program that polls each second, as others do."""
import argparse
import json
import os
import platform
import subprocess
import time

import cgroups
from bench_health import percentile, smaps
from cases import Context, wait_for
from cgroups import MIB, Driver, Group, top

POLLING = ("unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 >/proc/sys/user/max_inotify_watches; exec "$@"', "sh")


def run_us(pid):
    """Time on a processor, of all threads."""
    return sum(int(cgroups.read(f"/proc/{pid}/task/{t}/schedstat").split()[0]) for t in os.listdir(f"/proc/{pid}/task")) / 1000


def wakeups(pid):
    text = cgroups.read(f"/proc/{pid}/status")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary_ctxt_switches"))


def watched(t, base, count, prefix=()):
    """A driver with so many cgroups; what adding one cost it."""
    driver = Driver(t, *prefix)
    empty, before = smaps(driver.p.pid, "Pss"), run_us(driver.p.pid)
    groups = [Group(t, f"{base.path}/{len(prefix)}-{i}") for i in range(count)]
    for g in groups:
        driver.add(g)
    spent = (run_us(driver.p.pid) - before) / count
    return driver, groups, {"add_us": spent, "bytes_each": (smaps(driver.p.pid, "Pss") - empty) * 1024 / count, "pss_kib": smaps(driver.p.pid, "Pss"),
                            "polled": driver.stats()["polled"]}


def idle(driver, seconds):
    before, begin = (run_us(driver.p.pid), wakeups(driver.p.pid)), time.monotonic()
    wait_for(lambda: time.monotonic() - begin >= seconds, "the idle time", seconds + 60, 1)
    took = time.monotonic() - begin
    return {"permille": (run_us(driver.p.pid) - before[0]) / took / 1000, "wakeups": (wakeups(driver.p.pid) - before[1]) / took}


def churn(t, driver, base, count):
    """Made, watched, removed, told: what one costs, and how late the end is told."""
    late, before = [], run_us(driver.p.pid)
    for i in range(count):
        path = f"{base.path}/churn{i}"
        os.mkdir(f"{cgroups.MEMORY}/{path}")
        driver.add(path)
        begin = cgroups.boot_us()
        os.rmdir(f"{cgroups.MEMORY}/{path}")
        late.append(driver.expect("gone", path)["time"] - begin)
    return {"us": (run_us(driver.p.pid) - before) / count, "late_us": late}


def kills(t, driver, group, count):
    """From the moment in which the victim's parent was told, to ours; negative: we were first."""
    late, counted = [], driver.sample(group)["oom_kill"]
    for _ in range(count):
        p = group.eat(t, 64)
        p.go()
        p.wait()
        died = cgroups.boot_us()
        told = driver.expect("events", group.path, where=lambda f: f["oom_kill"] > counted)
        counted = told["oom_kill"]
        late.append((told["time"] - died) / 1000)
    return late


def sweep_us(driver, rounds):
    samples = []
    for _ in range(rounds):
        driver.tell("sweep")
        swept = driver.expect("swept")
        samples.append(swept["us"] / swept["count"])
    return samples


def table(r):
    w, p = r["watching"], r["polling"]
    return "\n".join([
        f"{r['date']}, {r['machine']}, commit {r['commit']}, cgroup {r['version']}, {r['groups']} cgroups", "",
        "| | watching | polling each second |", "|---|---|---|",
        f"| idle, ‰ of a core | {w['permille']:.2f} | {p['permille']:.2f} |",
        f"| idle, wake-ups/s | {w['wakeups']:.2f} | {p['wakeups']:.2f} |",
        f"| adding one, µs of CPU | {w['add_us']:.0f} | {p['add_us']:.0f} |",
        f"| memory of the process for each, bytes | {w['bytes_each']:.0f} | {p['bytes_each']:.0f} |",
        f"| PSS of the process, KiB | {w['pss_kib']} | {p['pss_kib']} |", "",
        f"Coming and going of {len(r['churn']['late_us'])}: {r['churn']['us']:.0f} µs of CPU each (the driver's own lines included); rmdir → told "
        f"p50 {percentile(r['churn']['late_us'], 50) / 1000:.2f} ms, p99 {percentile(r['churn']['late_us'], 99) / 1000:.2f} ms.",
        f"OOM kill → told, after the victim's parent knew ({len(r['kills_ms'])} kills): p50 {percentile(r['kills_ms'], 50):.1f} ms, p99 {percentile(r['kills_ms'], 99):.1f} ms.",
        f"One whole sample: p50 {percentile(r['sweep_us'], 50):.0f} µs."])


def run(top_dir, cache, argv):
    a = argparse.ArgumentParser(prog="tests/bench cgroups")
    a.add_argument("--groups", type=int, default=250)
    a.add_argument("--idle", type=int, default=30)
    a.add_argument("--churn", type=int, default=500)
    a.add_argument("--kills", type=int, default=20)
    o = a.parse_args(argv)
    t = Context("bench")
    try:
        base = top(t, "bench")
        result = {"date": time.strftime("%Y-%m-%d"), "machine": f"{os.cpu_count()} cores, Linux {platform.release()}", "groups": o.groups,
                  "version": "v2" if cgroups.V2 else "v1", "commit": subprocess.run(["git", "-C", top_dir, "rev-parse", "--short", "HEAD"],
                                                                                     capture_output=True, text=True).stdout.strip()}
        driver, groups, result["watching"] = watched(t, base, o.groups)
        result["watching"].update(idle(driver, o.idle))
        result["sweep_us"] = sweep_us(driver, 20)
        result["churn"] = churn(t, driver, base, o.churn)
        groups[0].limit(16 * MIB)
        result["kills_ms"] = kills(t, driver, groups[0], o.kills)
        driver.quit()
        poller, _, result["polling"] = watched(t, base, o.groups, POLLING)
        wait_for(lambda: poller.stats()["polled"] == o.groups, "the peer to poll")
        result["polling"].update(idle(poller, o.idle))
    finally:
        t.close()
    os.makedirs(f"{cache}/bench", exist_ok=True)
    with open(f"{cache}/bench/cgroups-{time.strftime('%Y%m%d-%H%M%S')}.json", "w") as f:
        json.dump(result, f, indent=1)
    print("\n" + table(result))
    return 0
