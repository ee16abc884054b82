"""Pods and containers as cgroups see them: directories of kubelet's names in the memory hierarchy, a process of tests/payload in
them. v1 and hybrid (this machine) and v2."""
import errno
import os
import shutil
import signal
import subprocess
import time
import uuid

from cases import wait_for

MIB = 1 << 20
LOGS = "/var/log/pods"
KERNEL_WINDOW_S = 5  # in which the kernel writes of ten OOM kills, whoever makes them, and is silent of the others
PAYLOAD = os.path.join(os.environ.get("STOKER_TESTS", ""), "payload")


def memory_root():
    """Where the memory controller is, and of which version."""
    if os.path.exists("/sys/fs/cgroup/memory/cgroup.procs"):
        return "/sys/fs/cgroup/memory", 1
    return "/sys/fs/cgroup", 2


def has_swap():
    with open("/proc/swaps") as f:
        return len(f.readlines()) > 1


ROOT, VERSION = memory_root()
HAS_SWAP = has_swap()


def write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def wait_for_kernels_words(since):
    """Until a kill is written of, whatever was killed up to then (time.monotonic())."""
    wait_for(lambda: time.monotonic() > since + KERNEL_WINDOW_S, "the kernel's window of OOM kills to be over", is_ours=False)


class Pod:
    def __init__(self, t, name="etl-exec-7", namespace="team-a", app="etl", executor="7", role="executor", limit_mib=None, labels=None):
        self.t, self.name, self.namespace, self.uid, self.sandbox_id = t, name, namespace, str(uuid.uuid4()), os.urandom(32).hex()
        self.labels = {"spark-role": role, "spark-app-selector": "spark-" + uuid.uuid4().hex, "spark-app-name": app, "spark-exec-id": executor,
                       "spark-version": "4.0.1"}
        self.labels.update(labels or {})
        self.cgroup_parent = f"/kubepods/burstable/pod{self.uid}"
        self.directory = ROOT + self.cgroup_parent
        self.containers, self.annotations = [], {}
        wait_for(self.is_made, f"the cgroup {self.directory} to be made")
        if limit_mib:
            self.limit(self.directory, limit_mib)
        t.cleanup(self.remove)

    def is_made(self):
        """Another file of tests may take its last pod away, and with it what is above ours, between one step and the next."""
        try:
            for path in (ROOT + "/kubepods", ROOT + "/kubepods/burstable", self.directory):
                self.make(path)
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ENODEV):
                raise
            return False
        return True

    @staticmethod
    def make(path):
        try:
            os.mkdir(path)
        except FileExistsError:
            pass
        if VERSION == 2:
            write(path + "/cgroup.subtree_control", "+memory +pids")
        elif os.path.exists(path + "/memory.use_hierarchy") and open(path + "/memory.use_hierarchy").read().strip() == "0":
            write(path + "/memory.use_hierarchy", 1)

    @staticmethod
    def limit(directory, mib):
        """What is beyond must not go to the swap that this machine may have."""
        write(directory + ("/memory.max" if VERSION == 2 else "/memory.limit_in_bytes"), mib * MIB)
        swap = directory + ("/memory.swap.max" if VERSION == 2 else "/memory.memsw.limit_in_bytes")
        if HAS_SWAP and os.path.exists(swap):
            write(swap, 0 if VERSION == 2 else mib * MIB)

    def remove(self):
        for c in self.containers:
            c.end()
        for path in (self.directory, ROOT + "/kubepods/burstable", ROOT + "/kubepods"):
            try:
                os.rmdir(path)
            except OSError:  # another pod's
                pass


def make_logs(t, namespace, pod, uid, container=""):
    """The directory of a pod's logs where the kubelet has it, or of a container's beneath it. What is above is everybody's: another file of tests may have
    made it, or take it away just now as the last one there."""
    of_pod = f"{LOGS}/{namespace}_{pod}_{uid}"
    path = os.path.join(of_pod, container)

    def is_made():
        try:
            os.makedirs(path)
        except FileNotFoundError:
            return False
        return True

    def remove():
        shutil.rmtree(of_pod)
        try:
            os.rmdir(LOGS)
        except OSError:  # others' are in it
            pass
    wait_for(is_made, f"{path} to be made")
    t.cleanup(remove)
    return path


class Container:
    def __init__(self, pod, name="spark-kubernetes-executor", limit_mib=64, heap="32m", env=(), args=("executor",), sidecar=False, oom_score_adj=None):
        self.pod, self.name, self.id, self.limit_bytes, self.created = pod, name, os.urandom(32).hex(), limit_mib * MIB, time.time()
        self.cgroups_path = f"{pod.cgroup_parent}/{self.id}"
        self.oom_score_adj, self.applied = oom_score_adj, None  # as the runtime has it before it asks, and what it makes of the answer
        self.directory = ROOT + self.cgroups_path
        self.args, self.process = ["/bin/payload"] if sidecar else list(args), None
        of_spark = [f"SPARK_EXECUTOR_MEMORY={heap}", f"SPARK_EXECUTOR_ID={pod.labels['spark-exec-id']}",
                    "SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@driver.team-a.svc:7078"]
        self.env = [*([] if sidecar else of_spark), *env]
        pod.containers.append(self)

    @property
    def pid(self):
        return self.process.pid if self.process else 0

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def make(self):
        os.mkdir(self.directory)
        if self.limit_bytes:
            Pod.limit(self.directory, self.limit_bytes // MIB)

    def enter(self):
        write(self.directory + "/cgroup.procs", os.getpid())
        if self.applied is not None:
            write("/proc/self/oom_score_adj", self.applied)

    def run(self, *steps, comm="java", executable=None, log=None):
        """A payload in it, which does these steps and then waits."""
        self.process = subprocess.Popen([comm, *steps] if not executable else [executable, *steps], executable=executable or PAYLOAD, preexec_fn=self.enter,
                                        stdin=subprocess.DEVNULL, stdout=log or subprocess.DEVNULL, stderr=log or subprocess.DEVNULL)

    def wait(self):
        """The exit code as a runtime tells it."""
        code = self.process.wait()  # without a deadline it does not poll; the case has one
        return 128 - code if code < 0 else code

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def pids(self):
        try:
            with open(self.directory + "/cgroup.procs") as f:
                return [int(x) for x in f.read().split()]
        except OSError:
            return []

    def remove(self):
        """Whoever is left in it ends, and the directory goes."""
        def gone():
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                os.rmdir(self.directory)
            except FileNotFoundError:
                return True
            except OSError:
                return False
            return True
        wait_for(gone, f"the cgroup {self.directory} to be removable")

    def end(self):
        if self.is_running():
            self.process.kill()
            self.process.wait(30)
        if os.path.isdir(self.directory):
            self.remove()
