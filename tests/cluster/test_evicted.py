"""An executor that a real kubelet evicts because its node's disk is nearly full: told with kubelet's number where it may be asked for, and never wrong where not."""
import atexit
import calendar
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import disks  # noqa: E402
import machine  # noqa: E402
from cases import CASES, Context, case, main, only_long, wait_for  # noqa: E402
from test_executors import World  # noqa: E402

CASES.clear()  # those of the others are their own

# At once well again, and measured at once: else kubelet waits for five minutes, and takes a minute to know who fills its disk.
KUBELET = {"evictionHard": {"nodefs.available": "100Mi"}, "evictionPressureTransitionPeriod": "1s", "volumeStatsAggPeriod": "1s"}
SCRATCH = {"volumes": [{"name": "spark-local-dir-1", "emptyDir": {}}]}


def evicted(t, w, driver):
    """An executor that fills the kubelet's disk: (its pod as it ended, its death)."""
    name = w.pod(t, "executor", "etl", ["anon=8", "file=/scratch/shuffle:200"], limit="256Mi", owner=driver, spec=SCRATCH,
                 mounts=[{"name": "spark-local-dir-1", "mountPath": "/scratch"}])
    pod = wait_for(lambda: w.get(name) if w.get(name)["status"].get("reason") == "Evicted" else None, "kubelet to evict it", 180, 0.05)
    said, death = time.time(), w.death(name, lives=False)
    late = said - calendar.timegm(time.strptime(death["endTime"][:19], "%Y-%m-%dT%H:%M:%S")) - float(death["endTime"][19:26])
    print(f"    {death['cause']} ({death['confidence']}), exit code {death['exitCode']}: {death['summary']}; kubelet said so {late:.1f} s after the end", flush=True)
    return pod, death


@only_long
@case
def for_the_pressure_on_its_node(t):
    context = Context("evicted")
    atexit.register(context.close)
    disk = disks.Disk(context, "ext4", f"{context.dir}/kubelet-root", size_mb=300)
    w = World(context, kubelet_root=disk.mount_point, kubelet=KUBELET)
    t.note(w.stoker.logs)
    w.ask_about_pods(True)
    driver = w.running(w.pod(t, "driver", "etl", ["anon=4"], limit="128Mi"))
    pod, death = evicted(t, w, driver)
    said = pod["status"]["message"].strip(" .")
    assert "low on resource: ephemeral-storage" in said and "available: " in said, said
    assert (death["cause"], death["confidence"], death["podReason"]) == ("evicted", "certain", "Evicted"), death
    assert death["summary"].startswith(f"evicted by kubelet: {said}"[:250]), (death, said)
    for name in (pod["metadata"]["name"], driver["metadata"]["name"]):
        event = w.event(name, reason="ExecutorEvicted")
        assert event["type"] == "Warning" and event["note"].startswith("app etl exec 1: evicted by kubelet: The node was low on resource"), event
    # to who may not ask, it is a signal: nothing is said of who sent it
    w.ask_about_pods(False)
    wait_for(lambda: next(c for c in w.node.node(w.node.name)["status"]["conditions"] if c["type"] == "DiskPressure")["status"] == "False", "the node to be well", 60, 0.2)
    pod, death = evicted(t, w, driver)
    assert death["podReason"] == "" and (death["cause"], death["exitCode"]) in (("killed", 137), ("deleted", 137), ("deleted", 143)), death
    assert death["cause"] == "killed" or (death["confidence"] == "likely" and "evicted" in death["summary"]), death
    assert "evicted" in death["summary"] + death["advice"], death


if __name__ == "__main__":
    main(machine.own)
