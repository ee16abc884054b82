"""Real Spark without Kubernetes: a driver with master local-cluster, whose executor JVM is started through `stoker run`.

The executor's JAVA_HOME is a directory of ours with one file, bin/java, that executes `stoker run … -- java …`: the process that
Spark's Worker starts, kills and waits for is stoker run, which passes signals and the exit code on."""
import contextlib
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess

import jvm
from cases import Skip, wait_for

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # most of what is run here is run once
HERE = os.path.dirname(os.path.abspath(__file__))
JAVA = """#!/bin/bash
# started by Spark's Worker instead of java
unset SPARK_EXECUTOR_DIRS
export SPARK_LOCAL_DIRS={scratch}
exec {supervisor} {java} "$@"
"""


def environment(version="4.3.0"):
    """What the driver's process needs: SPARK_HOME, JAVA_HOME, the virtual environment's Python."""
    if not shutil.which("java"):
        raise Skip("Java 17 (package openjdk-17-jre-headless)")
    r = subprocess.run([f"{HERE}/../spark/build", version], capture_output=True, text=True)
    if r.returncode != 0:
        raise Skip(f"PySpark {version}: {r.stderr[-300:]}")
    venv = r.stdout.strip()
    home = next(os.path.join(venv, "lib", d, "site-packages/pyspark") for d in os.listdir(f"{venv}/lib"))
    java = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("java"))))
    return {"SPARK_HOME": home, "JAVA_HOME": java, "PYSPARK_PYTHON": f"{venv}/bin/python", "PYSPARK_DRIVER_PYTHON": f"{venv}/bin/python",
            "SPARK_LOCAL_IP": "127.0.0.1", "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "LANG": "C.UTF-8"}


class Driver:
    """A process of tests/spark/jobs.py: `self.lines` is what it says, `self.asked` what it reads."""

    def quick(self):
        """Settings that halve the processor time; and what a killed JVM leaves behind is in a directory that goes."""
        return {"spark.ui.enabled": "false", "spark.task.maxFailures": "1", "spark.driver.extraJavaOptions": f"{QUICK_JVM} -Djava.io.tmpdir={self.dir}",
                "spark.executor.extraJavaOptions": QUICK_JVM}

    def answer(self, name):
        """(True, "") or (False, the driver's words) of the step that is under way."""
        for line in self.lines:
            words = line.split()
            if words[:2] == ["STEP", name]:
                self.seconds = float(words[3])
                return words[2] == "ok", " ".join(words[4:])
        raise AssertionError(f"the driver ended before it answered to '{name}'")

    def begin(self, name, value=""):
        self.asked.write(f"{name} {value}\n")
        self.asked.flush()

    def step(self, name, value=""):
        self.begin(name, value)
        return self.answer(name)

    def warm(self):
        ok, words = self.answer("warm")
        assert ok, words
        return self

    def kill_python(self, executor, of_daemon):
        """By hand, while a task runs: the Python worker of this JVM, or the daemon above it. The JVM works on."""
        assert self.step("pi")[0]
        daemon = next(pid for pid in jvm.children(executor) if any(b"pyspark.daemon" in w for w in jvm.words(pid)))
        self.begin("hold", 3)
        worker = wait_for(lambda: next(iter(jvm.children(daemon)), None), "a Python worker")
        os.kill(daemon if of_daemon else worker, signal.SIGKILL)
        self.answer("hold")
        assert self.step("warm")[0]

    @staticmethod
    def arguments(master, settings):
        """As PYSPARK_SUBMIT_ARGS: spark-submit would keep standard input for itself."""
        words = ["--master", master, "--driver-memory", "512m"]
        for key, value in settings.items():
            words += ["--conf", f"{key}={value}"]
        return shlex.join([*words, "pyspark-shell"])


class Job(Driver):
    """One driver, one executor at a time (Spark starts another when one ends). `conf` are Spark settings; limit_mib is the executor's
    memory limit, as its pod would have it; not `supervised` nobody looks, and the executor is in the cgroups that `enter`, a script, puts it into."""

    def __init__(self, t, heap_mib=512, limit_mib=896, conf=None, scratch=None, version="4.3.0", supervised=True, enter=""):
        self.t = t
        self.dir = f"{t.dir}/job-{len(os.listdir(t.dir))}"
        os.makedirs(f"{self.dir}/java/bin")
        self.scratch = scratch or f"{self.dir}/scratch"
        os.makedirs(self.scratch, exist_ok=True)
        self.report = f"{self.dir}/deaths.json"
        env = environment(version)
        supervisor = f"{os.environ['STOKER_BIN']}/stoker run --quiet --memory {limit_mib}m --report {self.report} --" if supervised else enter
        with open(f"{self.dir}/java/bin/java", "w") as f:
            f.write(JAVA.format(supervisor=supervisor, java=f"{env['JAVA_HOME']}/bin/java", scratch=self.scratch))
        os.chmod(f"{self.dir}/java/bin/java", 0o755)
        settings = {**self.quick(), "spark.executor.extraJavaOptions": f"{QUICK_JVM} -Djava.io.tmpdir={self.dir}",
                    "spark.executorEnv.JAVA_HOME": f"{self.dir}/java", "spark.local.dir": f"{self.dir}/driver-scratch",
                    "spark.executor.memory": f"{heap_mib}m", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", **(conf or {})}
        env["PYSPARK_SUBMIT_ARGS"] = self.arguments(f"local-cluster[1,1,{heap_mib}]", settings)
        self.errors = open(f"{self.dir}/driver.err", "w")
        self.driver = subprocess.Popen([env["PYSPARK_PYTHON"], f"{HERE}/../spark/jobs.py"], env=env, cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=self.errors, text=True, start_new_session=True)
        self.lines, self.asked = self.driver.stdout, self.driver.stdin
        t.cleanup(self.end)
        t.note(lambda: f"driver's stderr: …{open(f'{self.dir}/driver.err').read()[-3000:]}\ndeaths: {self.deaths()}")

    def executor(self):
        """The pid of its executor's JVM."""
        return wait_for(lambda: next(iter(self.executors()), None), "an executor", 120)

    def deaths(self):
        try:
            with open(self.report) as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def death(self, index=0):
        wait_for(lambda: len(self.deaths()) > index, "the death to be explained", 120)
        return self.deaths()[index]

    def executors(self):
        """pids of the executor JVMs (not of stoker run) of this driver."""
        mine = self.dir.encode()
        return [pid for pid in jvm.find(lambda words: any(b"ExecutorBackend" in w for w in words)) if any(mine in w for w in jvm.environ(pid))]

    def drivers(self):
        """pids of the driver's own processes: what is in its session, but stoker run and what that started. The JVM first: at the end of the Python
        above it, it stops its executors, with SIGTERM."""
        listed = subprocess.run(["ps", "-o", "pid=,ppid=,comm=", "-s", str(self.driver.pid)], capture_output=True, text=True).stdout.splitlines()
        processes = {int(pid): (int(parent), comm) for pid, parent, comm in (line.split(None, 2) for line in listed)}

        def is_supervised(pid):
            while pid in processes:
                if processes[pid][1] == "stoker":
                    return True
                pid = processes[pid][0]
            return False
        return sorted((pid for pid in processes if not is_supervised(pid)), key=lambda pid: processes[pid][1] != "java")

    def session(self):
        return subprocess.run(["ps", "-o", "pid=", "-s", str(self.driver.pid)], capture_output=True, text=True).stdout.split()

    def is_gone(self):
        """An executor that was just being started is found when it is one."""
        for pid in self.executors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not self.session()

    @staticmethod
    def remove_groups():
        """A stoker run that was killed leaves an empty cgroup."""
        for path in glob.glob("/sys/fs/cgroup/*/stoker-run-*"):
            if not os.path.exists(f"/proc/{path.rsplit('-', 1)[1]}"):
                for d in (f"{path}/main", path):
                    subprocess.run(["rmdir", d], stderr=subprocess.DEVNULL)

    def end(self):
        if self.driver.poll() is None:
            os.killpg(self.driver.pid, signal.SIGTERM)
            try:
                self.driver.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.driver.pid, signal.SIGKILL)
                self.driver.wait()
        wait_for(self.is_gone, "what the driver had started to end", 60, 0.1)
        self.remove_groups()
        self.errors.close()
