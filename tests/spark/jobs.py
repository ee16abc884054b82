"""jobs.py: a PySpark driver that brings its executors to an end in the ways it is told, one line of standard input each:
`NAME [VALUE]`. It answers `STEP NAME ok SECONDS` or `STEP NAME failed SECONDS words…`, and begins with the step `warm`.

The executor is a real JVM of its own (local-cluster or pods); the steps hurt it from inside, as users' jobs do. What must come
from outside (signals, disks) the test does between two lines."""
import sys
import time

from pyspark import StorageLevel
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("stoker-test").getOrCreate()
sc = spark.sparkContext


def warm(_):
    """A job of the JVM alone."""
    spark.range(1000).selectExpr("sum(id)").collect()


def pi(samples):
    each = int(samples or 50000)

    def inside(seed):
        import random
        random.seed(seed)
        return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(each))
    sc.parallelize(range(2), 2).map(inside).sum()


def python_hog(mib):
    """A Python worker that keeps what it makes."""
    def eat(_):
        import time
        kept = []
        for _ in range(int(mib) // 8):
            kept.append(bytearray(b"x") * (8 << 20))
            time.sleep(0.02)
        return len(kept)
    sc.parallelize([0], 1).map(eat).collect()


def heap(_):
    """One array larger than any heap here."""
    spark.range(1).selectExpr("length(repeat(cast(id as string), 2000000000)) l").collect()


def thrash(rows):
    """Many small objects that stay: the heap fills slowly, with the collector at work."""
    spark.range(0, int(rows), 1, 1).selectExpr("collect_list(named_struct('a', id, 'b', cast(id as string))) c").selectExpr("size(c)").collect()


def native(mib):
    """Memory of the JVM's process that is none of its heap's, and stays: as native libraries leak it. Slowly: its growth can be seen."""
    of_platform = "reflect('org.apache.spark.unsafe.Platform', "
    taken = of_platform + "'allocateMemory', cast(8388608 as bigint))"
    touched = of_platform + f"'setMemory', cast({taken} as bigint), cast(1 as tinyint), cast(8388608 as bigint))"
    spark.range(0, int(mib) // 8, 1, 1).selectExpr(touched + " a", "reflect('java.lang.Thread', 'sleep', cast(200 as bigint)) b") \
        .write.format("noop").mode("overwrite").save()


def sort(rows):
    """Tungsten's sorter: off-heap, where spark.memory.offHeap.enabled says so."""
    spark.range(0, int(rows), 1, 1).selectExpr("id", "uuid() u").sortWithinPartitions("u").write.format("noop").mode("overwrite").save()


def shuffle(rows):
    """Files on the local dirs."""
    spark.range(0, int(rows), 1, 8).selectExpr("id", "uuid() u").repartition(4, "u").write.format("noop").mode("overwrite").save()


def keep(rows):
    """Files on the local dirs that stay: Spark 4 removes those of a shuffle when its query ends."""
    spark.range(0, int(rows), 1, 4).selectExpr("id", "uuid() u").persist(StorageLevel.DISK_ONLY).count()


def hold(seconds):
    def wait(seconds):
        import time
        time.sleep(seconds)
        return 1
    sc.parallelize([float(seconds)], 1).map(wait).sum()


STEPS = {f.__name__.replace("_", "-"): f for f in (warm, pi, python_hog, heap, thrash, native, sort, shuffle, keep, hold)}


def run(name, value=""):
    begin = time.monotonic()
    try:
        STEPS[name](value)
        result, words = "ok", ""
    except Exception as e:  # the job's failure is what is looked at
        result, words = "failed", " ".join(str(e).split())[:3000]
    print("STEP", name, result, f"{time.monotonic() - begin:.3f}", words, flush=True)


run("warm")
for line in sys.stdin:
    if line.split():
        run(*line.split())
spark.stop()
