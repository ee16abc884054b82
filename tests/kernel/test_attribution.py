"""Why did it die? Causes drawn at random and kept from stokerd, what it says of them, and none of it wrong (tests/lib/attribution.py).
The guest tier runs this on cgroup v2. STOKER_SEED repeats a run."""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import attribution  # noqa: E402
from cases import alone, case, main, only_long  # noqa: E402
from container import KERNEL_WINDOW_S, VERSION, Pod  # noqa: E402
from executor_stage import Stage  # noqa: E402

UNKNOWN_PERCENT = 2
FEW, SUMMED = 12, 50
# The kernel writes of ten OOM kills in 5 s and is silent of the others (oom_kill_process's ratelimit): an executor that takes all its
# memory within a tenth of a second, and is not written of, cannot be told from any other. A kind makes two kills at most.
KINDS_IN_WINDOW = 5
LANES = 4  # kinds that are made at a time: of most the time is waiting


def draw(dice, deaths):
    """Each kind once and the rest by chance, in an order by chance; of fewer deaths than kinds, some kinds."""
    chosen = dice.sample(attribution.KINDS, len(attribution.KINDS))
    if deaths < FEW:
        return chosen[:deaths]
    while len(chosen) < deaths:
        chosen.append(dice.choice(attribution.KINDS))
    dice.shuffle(chosen)
    return chosen


SURENESS = ("guess", "likely", "certain")


def judge(row, death):
    if death["cause"] != "unknown" and SURENESS.index(death["confidence"]) > SURENESS.index(row.at_most):
        return "WRONG"
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
    m.clear()
    return told


class Table:
    """What was made and what was said of it, as it comes and in sum."""

    def __init__(self):
        self.verdicts, self.of = [], {}
        print(f"    {'cause made':38} {'cause said':16} {'confidence':10}", flush=True)

    def add(self, row, death):
        verdict = judge(row, death)
        self.verdicts.append(verdict)
        self.of.setdefault(row.made, []).append(f"{verdict} {death['confidence']}")
        evidence = "" if verdict == "right" else f"\n        {death['evidence']}"
        print(f"    {row.made:38} {death['cause']:16} {death['confidence']:10} {verdict}{evidence}", flush=True)

    def count(self, verdict):
        return self.verdicts.count(verdict)

    def sum(self, seconds):
        if len(self.verdicts) > SUMMED:
            print("    in sum:", flush=True)
            for made, verdicts in sorted(self.of.items()):
                print(f"    {made:38} {len(verdicts):3}: " + ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(set(verdicts))), flush=True)
        print(f"    {len(self.verdicts)} deaths in {seconds:.0f} s: " + ", ".join(f"{self.count(v)} {v.lower()}" for v in ("right", "WRONG", "unknown")), flush=True)


class Lanes:
    """Several kinds at a time, begun in their order; never more of them within the kernel's window than it writes of."""

    def __init__(self, count):
        # whoever was here before may have made as many kills as the kernel writes of
        self.count, self.under_way, self.ended, self.failures, self.changed = count, [], [time.monotonic()] * KINDS_IN_WINDOW, [], threading.Condition()

    def has_room_for(self, kind):
        now = time.monotonic()
        recent = sum(now < end + KERNEL_WINDOW_S for end in self.ended)
        alone = kind.alone or any(k.alone for k in self.under_way)
        return len(self.under_way) < (1 if alone else min(self.count, KINDS_IN_WINDOW - recent))

    def begin(self, kind, work):
        with self.changed:
            while not self.failures and not self.has_room_for(kind):
                self.changed.wait(0.1)  # time alone makes room, too
            self.raise_failure()
            self.under_way.append(kind)
        threading.Thread(target=self.run, args=(kind, work), daemon=True).start()

    def run(self, kind, work):
        failure = []
        try:
            work(kind)
        except Exception as why:
            failure.append(why)
        with self.changed:
            self.failures += failure
            self.under_way.remove(kind)
            self.ended.append(time.monotonic())
            self.changed.notify()

    def raise_failure(self):
        if self.failures:
            raise self.failures[0]

    def wait_for_all(self):
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way or self.failures)
        self.raise_failure()

    def drain(self):
        """When one has failed the others end before what they use is cleaned away."""
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way, 70)


def attribute(t, deaths, lanes=LANES, extra="", **of_stage):
    seed = int(os.environ.get("STOKER_SEED", random.randrange(1 << 32)))
    print(f"    STOKER_SEED={seed}, Linux {os.uname().release}, cgroup v{VERSION}", flush=True)
    lanes = Lanes(lanes)
    # few records: each list of all of them costs the emulated processor what a death does
    s = Stage(t, extra=extra + "deaths:\n  keepRecords: 32\n", **of_stage)
    s.serve()
    Pod(t, name="of-nobody")  # so that the directories above pods stay while one comes and another goes
    table, one_at_a_time, begin = Table(), threading.Lock(), time.monotonic()

    def work_of(number):
        def work(kind):
            told = make(t, s, random.Random(f"{seed}/{number}"), kind)
            with one_at_a_time:
                for row, death in told:
                    table.add(row, death)
        return work
    try:
        for number, kind in enumerate(draw(random.Random(seed), deaths)):
            lanes.begin(kind, work_of(number))
        lanes.wait_for_all()
    finally:
        lanes.drain()
    for name, why in attribution.LEFT_OUT:
        print(f"    left out: {name} ({why})", flush=True)
    table.sum(time.monotonic() - begin)
    assert len(table.verdicts) >= deaths and table.count("WRONG") == 0, table.verdicts
    assert table.count("unknown") * 100 <= UNKNOWN_PERCENT * len(table.verdicts), table.verdicts


@case
@alone  # of the kills that others make the kernel would write in the place of ours
def a_cause_drawn_at_random_is_found(t):
    attribute(t, 12)


a_cause_drawn_at_random_is_found.deadline = 400  # an emulated processor on a busy machine


@case
@only_long
@alone
def two_hundred_causes_drawn_at_random_are_found(t):
    attribute(t, 200)


if __name__ == "__main__":
    main()
