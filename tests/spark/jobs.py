"""jobs.py SCENARIO [VALUE]: a PySpark driver that brings its executors to an end in one chosen way.

Prints one line a step: `STEP name ok SECONDS` or `STEP name failed SECONDS words`. The executor is a real JVM of its own
(local-cluster or pods); the scenario hurts it from inside, as users' jobs do. What must come from outside (signals, disks)
is done by the test between the lines `AWAIT name` and an empty line on standard input."""
import sys
import time

from pyspark.sql import SparkSession

scenario, value = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
spark = SparkSession.builder.appName(f"stoker-{scenario}").getOrCreate()
sc = spark.sparkContext


def say(*words):
    print(*words, flush=True)


def step(name, work):
    begin = time.monotonic()
    try:
        work()
        say("STEP", name, "ok", f"{time.monotonic() - begin:.1f}")
    except Exception as e:  # the job's failure is what is looked at
        say("STEP", name, "failed", f"{time.monotonic() - begin:.1f}", " ".join(str(e).split())[:3000])


def await_test(name):
    say("AWAIT", name)
    sys.stdin.readline()


def pi():
    def inside(seed):
        import random
        random.seed(seed)
        return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(50000))
    sc.parallelize(range(2), 2).map(inside).sum()


def jvm_count():
    spark.range(1000).selectExpr("sum(id)").collect()


def python_hog(mib):
    def eat(_):
        import time
        kept = []
        for _ in range(mib // 8):
            kept.append(bytearray(b"x") * (8 << 20))
            time.sleep(0.02)
        return len(kept)
    return lambda: sc.parallelize([0], 1).map(eat).collect()


def shuffle(rows):
    return lambda: spark.range(0, rows, 1, 4).selectExpr("id", "uuid() u").repartition(4, "u").write.format("noop").mode("overwrite").save()


def hold(seconds):
    def wait(_):
        import time
        time.sleep(seconds)
        return 1
    return lambda: sc.parallelize([0], 1).map(wait).sum()


def heap():
    spark.range(1).selectExpr("length(repeat(cast(id as string), 2000000000)) l").collect()


def off_heap():
    spark.range(0, 40000000, 1, 1).selectExpr("id", "uuid() u").sortWithinPartitions("u").write.format("noop").mode("overwrite").save()


def python_exits():
    def leave(_):
        import os
        os._exit(3)
    sc.parallelize([0], 1).map(leave).collect()


SCENARIOS = {
    "finish": lambda: step("pi", pi),
    "heap": lambda: step("heap", heap),
    "off-heap": lambda: step("off-heap", off_heap),
    "python": lambda: step("python", python_hog(int(value or 1200))),
    "shuffle": lambda: step("shuffle", shuffle(int(value or 4000000))),
    "held": lambda: (step("pi", pi), await_test("held"), step("after", jvm_count)),
    "python-exits": lambda: step("python-exits", python_exits),
}

step("warm", jvm_count)
await_test("warm")
SCENARIOS[scenario]()
if scenario != "held":
    step("again", jvm_count)
await_test("done")
spark.stop()
