"""The watcher of cgroups/ on cgroup v2 of another kernel: run by tests/guest/boot. The kernel tier's cases run here too."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import cases  # noqa: E402
import cgroups  # noqa: E402
import test_cgroups_watch as watch  # noqa: E402  its cases are ours too, on v2
from cases import case  # noqa: E402
from cgroups import MIB, Driver, Group, top  # noqa: E402

cases.CASES[:] = [c for c in cases.CASES if c.__name__ != "without_psi_v1_tells_of_its_usage"]
HAS_PEAK, HAS_GROUP, HAS_LOCAL, HAS_PRESSURE = 0x2, 0x40, 0x20, 0x100


@case
def this_is_v2_with_all_that_the_kernel_has(t):
    group = Group(t, f"{top(t, 'have').path}/group")
    driver = Driver(t)
    driver.add(group)
    assert driver.stats()["mode"] == "v2"
    have = driver.sample(group)["have"]
    files = os.listdir(group.dir)
    assert bool(have & HAS_PEAK) == ("memory.peak" in files), (have, files)
    assert have & HAS_LOCAL and have & HAS_PRESSURE, have
    assert bool(have & HAS_GROUP) == ("oom_group_kill" in group.read("memory.events")), have
    driver.quit()


@case
def a_group_kill_is_told_as_one(t):
    group = Group(t, f"{top(t, 'group').path}/group")
    group.limit(24 * MIB)
    group.write("memory.oom.group", 1)
    driver = Driver(t)
    driver.add(group)
    worker = group.eat(t, 2)
    worker.go()
    worker.wait_full()
    p = group.eat(t, 64)
    p.go()
    assert p.wait() == -9 and worker.wait() == -9
    told = driver.expect("events", group.path, where=lambda f: f["oom_group_kill"] == 1)
    assert driver.sample(group)["oom_kill"] >= 2, told  # the first victim counts twice
    driver.quit()


@case
def an_oom_is_told_after_the_caches_were_dropped(t):
    """A watch on the directory would be deaf now: its files' inodes are gone."""
    group = Group(t, f"{top(t, 'caches').path}/group")
    group.limit(16 * MIB)
    driver = Driver(t)
    driver.add(group)
    cgroups.drop_caches()
    watch.kill_by_limit(t, driver, group)
    driver.quit()


@case
def pressure_is_told_and_its_trigger_given_back(t):
    group = Group(t, f"{top(t, 'pressure').path}/group")
    driver = Driver(t)
    driver.add(group, "pressure")
    assert driver.stats()["say"] == "", driver.seen
    before = driver.stats()
    p = group.eat(t, 64)
    group.write("memory.high", 8 * MIB)  # nothing to reclaim and no swap: it stalls
    p.go()
    driver.expect("pressure", group.path, within=60)
    p.kill()
    cgroups.remove(group.dir)
    driver.expect("gone", group.path, within=30)
    cases.wait_for(lambda: driver.stats()["descriptors"] < before["descriptors"], "the descriptors to be given back")
    driver.quit()


@case
def many_triggers_are_closed_beside_the_loop(t):
    base = top(t, "triggers")
    driver = Driver(t)
    before = driver.stats()
    groups = [Group(t, f"{base.path}/g{i}") for i in range(50)]
    for g in groups:
        driver.add(g, "pressure")
    assert driver.stats()["descriptors"] >= before["descriptors"] + 100  # a directory and a trigger each
    for g in groups:
        driver.tell(f"remove {g.path}")
    cases.wait_for(lambda: driver.stats()["descriptors"] == before["descriptors"], "the descriptors to be given back", 60)
    driver.quit()


@case
def read_only_as_in_the_pod(t):
    """The DaemonSet mounts cgroupfs read-only: everything but the trigger works, and that is said."""
    group = Group(t, f"{top(t, 'ro').path}/group")
    group.limit(16 * MIB)
    driver = Driver(t, "unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro /sys/fs/cgroup && exec "$@"', "sh")
    driver.add(group, "pressure")
    say = driver.stats()["line"]
    assert "the pressure of 1 is not watched" in say and "Read-only file system" in say, say
    watch.kill_by_limit(t, driver, group)
    assert driver.sample(group)["oom_kill"] == 1
    cgroups.remove(group.dir)
    driver.expect("gone", group.path)
    driver.quit()


@case
def without_any_watch_an_oom_is_polled(t):
    group = Group(t, f"{top(t, 'nowatch').path}/group")
    group.limit(16 * MIB)
    sysctl = "/proc/sys/fs/inotify/max_user_watches"
    before = cgroups.read(sysctl)
    t.cleanup(lambda: cgroups.write(sysctl, before))
    cgroups.write(sysctl, 0)
    driver = Driver(t)
    assert driver.add(group)["polled"] == 1
    watch.kill_by_limit(t, driver, group)
    cgroups.remove(group.dir)
    driver.expect("gone", group.path)
    driver.quit()


if __name__ == "__main__":
    cases.main()
