"""The watcher of cgroups/ on this machine's own cgroups (v1 beside an empty v2), with stokerd's rights and filter."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cgroups  # noqa: E402
from cases import alone, case, main, wait_for  # noqa: E402
from cgroups import MIB, Driver, Group, top  # noqa: E402


def pod_of(t, name):
    pod = Group(t, f"{top(t, name).path}/pod")
    pod.delegate()
    return pod


def kill_by_limit(t, driver, group, mebibytes=64):
    """A process that its limit kills: how much later the watcher told, in seconds (before our own notice: negative)."""
    p = group.eat(t, mebibytes)
    p.go()
    died = p.wait()
    noticed = cgroups.boot_us()
    assert died == -9, died
    told = driver.expect("events", group.path, where=lambda f: f["oom_kill"] > kill_by_limit.before.get(group.path, 0))
    kill_by_limit.before[group.path] = told["oom_kill"]
    return (told["time"] - noticed) / 1e6


kill_by_limit.before = {}


@case
@alone  # of ten kills in 5 s the kernel writes, whoever makes them, and others explain deaths by what it writes
def an_oom_kill_is_told_at_once(t):
    pod = pod_of(t, "oom")
    container = Group(t, f"{pod.path}/container")
    container.limit(16 * MIB)
    driver = Driver(t)
    assert driver.add(container)["polled"] == 0
    late = sorted(kill_by_limit(t, driver, container) for _ in range(5))
    # one that waits for a tick of a second is late by half of one; this machine does other things too; and in qemu no time is real
    assert late[1] <= (2 if cgroups.V2 else 0.2), late
    sample = driver.sample(container)
    assert sample["oom_kill"] == 5 and sample["local_oom_kill"] == 5, sample
    assert 15 * MIB <= sample["peak"] <= 17 * MIB and sample["limit"] == 16 * MIB, sample
    driver.quit()


@case
def the_pods_limit_kills_one_and_tells_all(t):
    """Whoever runs into the pod's limit, on v1 every cgroup beneath is told: only the counter says who was killed."""
    pod = pod_of(t, "pod")
    victim, other = Group(t, f"{pod.path}/victim"), Group(t, f"{pod.path}/other")
    pod.limit(24 * MIB)
    driver = Driver(t)
    for g in (pod, victim, other):
        driver.add(g)
    bystander = other.eat(t, 4)
    bystander.go()
    bystander.wait_full()
    p = victim.eat(t, 64)
    p.go()
    assert p.wait() == -9
    driver.expect("events", victim.path, where=lambda f: f["local_oom_kill"] == 1)
    assert bystander.p.poll() is None
    assert driver.sample(other)["oom_kill"] == 0
    of_pod = driver.sample(pod)
    # v1 counts where the victim was and adds nothing up; v2 does
    assert of_pod["local_oom_kill"] == 0 and of_pod["oom_kill"] == (1 if cgroups.V2 else 0), of_pod
    assert driver.sample(victim)["oom_kill"] == 1
    bystander.kill()
    driver.quit()


@case
def a_removed_cgroup_is_told_with_its_pod(t):
    pod = pod_of(t, "gone")
    container = Group(t, f"{pod.path}/container")
    driver = Driver(t)
    first = driver.add(container)
    driver.add(pod)
    os.rmdir(container.dir)
    driver.expect("gone", container.path)
    # of the same name, and another one: the first one's watch is no more, its identity neither
    os.mkdir(container.dir)
    assert driver.add(container)["id"] != first["id"]
    os.rmdir(container.dir)
    os.rmdir(pod.dir)
    driver.expect("gone", container.path)
    driver.expect("gone", pod.path)
    driver.tell(f"add {container.path}")
    driver.expect("error", container.path, where=lambda f: True)
    assert driver.stats()["watches"] == 0
    driver.quit()


@case
def fifty_a_second_without_a_miss_or_a_leak(t):
    """200 pods of one container come and go at 50 a second; every end is told, nothing is kept."""
    base = top(t, "many")
    driver = Driver(t)
    driver.add(base)
    before, begin = driver.stats(), time.monotonic()
    watches = driver.inotify_watches()
    for i in range(200):
        pod, container = f"{base.path}/pod{i}", f"{base.path}/pod{i}/c"
        os.makedirs(f"{cgroups.MEMORY}/{container}")
        driver.add(container)
        driver.add(pod)
        os.rmdir(f"{cgroups.MEMORY}/{container}")
        os.rmdir(f"{cgroups.MEMORY}/{pod}")
        wait_for(lambda i=i: time.monotonic() >= begin + (i + 1) / 50, "the pace", 60, 0.002)
    took = time.monotonic() - begin
    wait_for(lambda: driver.stats()["watches"] == 1, "every end to be told")
    gone = [line.split(" ")[1] for line in driver.seen if line.startswith("gone ")]
    assert len(gone) == 400 == len(set(gone)), (len(gone), took)
    wait_for(lambda: driver.stats()["descriptors"] == before["descriptors"], "the descriptors to be given back")
    assert driver.inotify_watches() == watches, driver.inotify_watches()
    after = driver.stats()
    assert after["overflows"] == 0 and after["polled"] == 0, after
    driver.quit()


@case
def without_watches_it_polls_and_says_so(t):
    """In a user namespace whose limit is one inotify watch, so that nobody else loses theirs."""
    base = top(t, "poll")
    a, b = Group(t, f"{base.path}/a"), Group(t, f"{base.path}/b")
    a.delegate()
    inner = Group(t, f"{a.path}/inner")
    driver = Driver(t, "unshare", "--user", "--map-root-user", "sh", "-c", 'echo 1 >/proc/sys/user/max_inotify_watches; exec "$@"', "sh")
    assert driver.add(inner)["polled"] == (1 if cgroups.V2 else 0)
    assert driver.add(b)["polled"] == 1
    stats = driver.stats()
    assert stats["polled"] >= 1 and "polled each second: no inotify watch is left (fs.inotify.max_user_watches)" in stats["line"], stats
    os.rmdir(b.dir)
    driver.expect("gone", b.path)
    os.rmdir(inner.dir)
    driver.expect("gone", inner.path)
    stats = driver.stats()
    assert stats["polled"] == 0 and stats["say"] == "", stats
    driver.quit()


@case
def without_psi_v1_tells_of_its_usage(t):
    group = Group(t, f"{top(t, 'usage').path}/group")
    group.limit(32 * MIB)
    driver = Driver(t)
    driver.add(group, "pressure")
    assert driver.stats()["say"] == "", driver.seen
    p = group.eat(t, 30)
    p.go()
    driver.expect("pressure", group.path)
    p.wait_full()
    assert driver.sample(group)["current"] >= 28 * MIB
    p.kill()
    driver.quit()


@case
def processes_are_listed_with_those_beneath(t):
    base = top(t, "pids")
    outer = Group(t, f"{base.path}/outer")
    inner = Group(t, f"{outer.path}/inner")  # as crun, or a systemd in the container, makes it
    driver = Driver(t)
    driver.add(outer)
    p = inner.eat(t, 1)
    driver.tell(f"pids {outer.path}")
    assert driver.expect("pids", outer.path)["line"].split(" ")[2:] == [str(p.pid)]
    p.kill()
    driver.quit()


@case
def a_value_is_written(t):
    base = top(t, "write")
    group = Group(t, f"{base.path}/group")
    driver = Driver(t)
    driver.add(group)
    driver.tell(f"write {group.path} {cgroups.LIMIT} {32 * MIB}")
    driver.expect("written", group.path)
    assert group.read(cgroups.LIMIT).strip() == str(32 * MIB)
    driver.tell(f"write {group.path} memory.nosuch 1")
    driver.expect("error", group.path)
    driver.tell(f"write {group.path} {cgroups.LIMIT} much")
    assert "Invalid argument" in driver.expect("error", group.path)["line"]
    driver.quit()


if __name__ == "__main__":
    main()
