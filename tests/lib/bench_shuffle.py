"""Of tests/bench volumes: the same shuffle of real Spark, in turn with its local directory on the node's disk, on a plain tmpfs and on a scratch volume
of ours. A driver and an executor of each stay while it goes on, so that all three are equally warm."""
import os
import statistics
import tempfile

import disks
from spark import Job

PLACES = ("disk", "tmpfs", "scratch")
SIZE = "4Gi"  # what earlier rounds left is gone when the driver collects its garbage
ROWS = "3000000"  # some 190 MiB of shuffle files


def on_disk(t, cache, _):
    place = tempfile.mkdtemp(prefix="shuffle-", dir=cache)
    t.cleanup(lambda: disks.run("rm", "-rf", place))
    return place


def on_tmpfs(t, *_):
    place = os.path.join(t.dir, "shuffle")
    disks.Tmpfs(t, "size=4g", place)
    return place


def on_scratch(t, _, publish):
    return publish({"type": "scratch", "size": SIZE})


def measure(t, cache, publish, rounds):
    """`publish` makes a volume of ours and answers where it is. {place: [seconds]}."""
    makers = dict(zip(PLACES, (on_disk, on_tmpfs, on_scratch)))
    jobs = {place: Job(t, heap_mib=1024, scratch=makers[place](t, cache, publish), supervised=False) for place in PLACES}
    took = {place: [] for place in PLACES}
    for job in jobs.values():
        job.warm()
    for number in range(rounds + 3):  # the first ones warm the JVMs
        for place in PLACES[number % 3:] + PLACES[:number % 3]:
            ok, words = jobs[place].step("shuffle", ROWS)
            assert ok and used(jobs[place].scratch), (place, words)
            if number >= 3:
                took[place].append(jobs[place].seconds)
    for job in jobs.values():
        job.end()
    return took


def used(scratch):
    return any(name.startswith("shuffle_") for _, _, names in os.walk(scratch) for name in names)


def table(took):
    lines = [f"Spark's shuffle of {int(ROWS):,} rows on each in turn, {len(took['disk'])} times:", "", "| local directory | median (s) | worst (s) | beside tmpfs |", "|---|---|---|---|"]
    plain = statistics.median(took["tmpfs"])
    for place in PLACES:
        median = statistics.median(took[place])
        lines.append(f"| {place} | {median:.3f} | {max(took[place]):.3f} | {median / plain:.2f} |")
    return lines
