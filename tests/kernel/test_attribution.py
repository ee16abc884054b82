"""Why did it die? Causes drawn at random and kept from stokerd, what it says of them, and none of it wrong (tests/lib/attribution.py).
The guest tier runs this on cgroup v2. STOKER_SEED repeats a run."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import attribution  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from container import VERSION  # noqa: E402
from executor_stage import Stage  # noqa: E402

UNKNOWN_PERCENT = 2
FEW = 12
# The kernel writes of ten OOM kills in 5 s and is silent of the others (oom_kill_process's ratelimit): an executor that takes all its
# memory within a tenth of a second, and is not written of, cannot be told from any other. A kind makes two kills at most.
KERNEL_WINDOW_S, KINDS_IN_WINDOW = 5, 4


def draw(dice, deaths):
    """Each kind once and the rest by chance, in an order by chance; of fewer deaths than kinds, some kinds."""
    chosen = dice.sample(attribution.KINDS, len(attribution.KINDS))
    if deaths < FEW:
        return chosen[:deaths]
    while len(chosen) < deaths:
        chosen.append(dice.choice(attribution.KINDS))
    dice.shuffle(chosen)
    return chosen


def judge(row, death):
    return "right" if death["cause"] in row.want else "unknown" if death["cause"] == "unknown" else "WRONG"


def make(t, s, dice, kind):
    """(row, what was said) of one kind; its pod goes, so that the node is as before."""
    pods = []
    m = attribution.Made(t, s, dice)
    told = [(row, s.death(row.container, lives=row.lives)) for row in kind(m)]
    for row, _ in told:
        if row.container.pod not in pods:
            pods.append(row.container.pod)
    for pod in pods:
        for container in pod.containers:
            s.runtime.remove(container)
        s.runtime.stop_pod(pod)
        pod.remove()
    return told


def keep_within_the_kernels_log(t_of_kinds):
    if len(t_of_kinds) >= KINDS_IN_WINDOW:
        wait_for(lambda: time.monotonic() > t_of_kinds[-KINDS_IN_WINDOW] + KERNEL_WINDOW_S, "the kernel to write again")


def attribute(t, deaths, **of_stage):
    seed = int(os.environ.get("STOKER_SEED", random.randrange(1 << 32)))
    print(f"    STOKER_SEED={seed}, Linux {os.uname().release}, cgroup v{VERSION}", flush=True)
    dice = random.Random(seed)
    s = Stage(t, extra="deaths:\n  keepRecords: 1000\n", **of_stage)
    s.serve()
    told, times = [], []
    print(f"    {'cause made':38} {'cause said':16} {'confidence':10}", flush=True)
    for kind in draw(dice, deaths):
        keep_within_the_kernels_log(times)
        for row, death in make(t, s, dice, kind):
            told.append((row, death))
            print(f"    {row.made:38} {death['cause']:16} {death['confidence']:10} {judge(row, death)}", flush=True)
            if judge(row, death) != "right":
                print(f"        {death['evidence']}", flush=True)
        times.append(time.monotonic())
    for name, why in attribution.LEFT_OUT:
        print(f"    left out: {name} ({why})", flush=True)
    verdicts = [judge(row, death) for row, death in told]
    print(f"    {len(verdicts)} deaths: " + ", ".join(f"{verdicts.count(v)} {v.lower()}" for v in ("right", "WRONG", "unknown")), flush=True)
    assert len(verdicts) >= deaths and verdicts.count("WRONG") == 0, verdicts
    assert verdicts.count("unknown") * 100 <= UNKNOWN_PERCENT * len(verdicts), verdicts


@case
def a_cause_drawn_at_random_is_found(t):
    attribute(t, 12)


a_cause_drawn_at_random_is_found.deadline = 400  # an emulated processor on a busy machine


@case
@only_long
def two_hundred_causes_drawn_at_random_are_found(t):
    attribute(t, 200)


if __name__ == "__main__":
    main()
