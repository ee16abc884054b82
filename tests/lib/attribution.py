"""Deaths whose cause the test makes and stokerd must find out. A kind makes one and gives rows of Row: what was made, and what may be
said of it. stokerd knows what it knows of any container: names, limits, heap; nothing that it is given names the cause."""
import os
import signal
import subprocess
import time
from collections import namedtuple

from container import VERSION, Container, Pod, make_logs, write
from executor_stage import grow

# Kubelet's, of a pod that requests what it may use: one in a container cannot go below what its runtime has set.
PROTECTED = 2
# want: the causes that are right; at_most: how sure anybody can be
Row = namedtuple("Row", "made want container lives at_most", defaults=("certain",))
KINDS = []
LEFT_OUT = []  # by name, with the reason


def kind(only_v2="", alone=False):
    """One that v1 cannot tell, or that a machine with others on it must not make, is left out there, with its reason. `alone`: not while another is made."""
    def take(function):
        function.alone = alone
        if only_v2 and VERSION == 1:
            LEFT_OUT.append((function.__name__, only_v2))
        else:
            KINDS.append(function)
        return function
    return take


class Made:
    """What a kind needs: the stage, its dice, and files to beckon with."""

    def __init__(self, t, stage, dice):
        self.t, self.s, self.dice, self.filesystems = t, stage, dice, []
        self.limit_mib = dice.randrange(48, 81)
        self.heap = f"{dice.randrange(12, 25)}m"
        self.step = dice.choice(("anon", "anon-slowly"))

    def pod(self, **more):
        number = self.dice.randrange(1, 1000)
        return Pod(self.t, name=f"etl-exec-{number}", executor=str(number), **more)

    def new(self, *steps, pod=None, **more):
        return self.s.new(*steps, pod=pod or self.pod(), **{"limit_mib": self.limit_mib, "heap": self.heap, **more})

    def beckon(self):
        """(a step that waits, what lets it go on)"""
        path = os.path.join(self.t.dir, f"go-{os.urandom(4).hex()}")
        return f"await={path}", lambda: write(path, "")

    def new_then(self, *steps, before=(), **more):
        """An executor that is watched before it does these steps, and goes on with them now."""
        wait, go = self.beckon()
        container = self.new(*before, wait, *steps, **more)
        go()
        return container

    def ready(self, *steps, **more):
        """An executor that has done these steps."""
        path = os.path.join(self.t.dir, f"ready-{os.urandom(4).hex()}")
        container = self.new(*steps, f"touch={path}", **more)
        self.s.node.wait_for(lambda: os.path.exists(path), "it to have done its steps")
        return container

    def grower(self, extra_mib=24, **more):
        limit = more.get("limit_mib", self.limit_mib)
        return self.new_then(f"{self.step}={limit + extra_mib}", **more)

    def end(self, container):
        self.s.runtime.stopped(container)
        return container

    def filesystem(self, kind_of):
        path = os.path.join(self.t.dir, f"{kind_of}-{os.urandom(4).hex()}")
        os.mkdir(path)
        subprocess.run(["mount", "-t", kind_of, kind_of, path], check=True)
        self.filesystems.append(path)
        self.t.cleanup(self.clear)
        return path

    def clear(self):
        """What lies in memory has no owner any more, and stays: twenty of them are more than a guest has."""
        while self.filesystems:
            subprocess.run(["umount", self.filesystems.pop()], check=True)


def killed_for(m, made, want, container):
    m.end(container)
    return [Row(made, {want}, container, False)]


@kind()
def container_limit(m):
    return killed_for(m, "container limit, native memory", "overhead", m.grower())


@kind()
def container_limit_beside_a_small_worker(m):
    worker = f"child=python3:anon={m.dice.randrange(2, 6)}"
    return killed_for(m, "container limit, worker small", "overhead", m.new_then(worker, f"{m.step}={m.limit_mib + 16}"))


@kind()
def a_heap_as_large_as_the_limit(m):
    """Within its heap, and nothing beside it grew: nobody can be certain of a part that is a few MiB."""
    container = m.grower(heap=f"{m.limit_mib}m")
    m.end(container)
    return [Row("heap as large as the limit", {"overhead"}, container, False, "likely")]


@kind()
def hostile_comm(m):
    return killed_for(m, "container limit, comm a,pid=1,uid=0", "overhead", m.grower(comm="a,pid=1,uid=0"))


@kind()
def cgroup_gone_first(m):
    container = m.grower()
    container.wait()
    container.remove()
    return killed_for(m, "container limit, cgroup gone first", "overhead", container)


@kind()
def pod_limit_filled_by_a_neighbour(m):
    """The neighbour has no limit of its own; the executor is small, and what the kernel prefers."""
    pod = m.pod(limit_mib=96)
    executor = m.ready("oom-adj=1000", "anon=16", pod=pod)
    wait, go = m.beckon()
    neighbour = Container(pod, name="cache", limit_mib=0, sidecar=True, oom_score_adj=PROTECTED)
    m.s.runtime.create(neighbour)
    m.s.runtime.start(neighbour, wait, "anon=84", comm="redis-server")
    go()
    m.end(executor)
    # The kernel may take the neighbour too, if it is not done when the executor is gone: then it is named.
    rows = [Row("pod limit, a neighbour filled it", {"pod-limit", "sidecar"}, executor, False)]
    neighbour.kill()
    m.end(neighbour)
    return rows


@kind()
def python_alone(m):
    """memory.oom.group is 0: the worker goes, the executor stays; then somebody kills the executor, which is another matter."""
    container = m.new_then(f"child=python3:oom-adj=1000,{m.step}={m.limit_mib + 24}", before=(f"anon={m.dice.randrange(4, 16)}",))
    m.s.death(container, lives=True)
    assert container.is_running()
    container.kill()
    m.end(container)
    return [Row("Python worker alone", {"python"}, container, True), Row("kill -9 after its worker's end", {"killed"}, container, False)]


@kind()
def python_grew_and_the_jvm_was_killed(m):
    worker = f"child=python3:oom-adj={PROTECTED},{m.step}={m.limit_mib - 6}"
    container = m.new_then("oom-adj=1000", worker, before=("anon=12",), oom_score_adj=PROTECTED)
    return killed_for(m, "Python worker grew, JVM killed", "python", container)


def of_a_group(m, *steps, made, want):
    wait, go = m.beckon()
    container = m.new("anon=8", wait, *steps)
    write(container.directory + "/memory.oom.group", 1)
    go()
    return killed_for(m, made, want, container)


V1_HAS_NO_GROUP = "v1 has no memory.oom.group"


@kind(only_v2=V1_HAS_NO_GROUP)
def python_takes_its_group_along(m):
    return of_a_group(m, f"child=python3:{m.step}={m.limit_mib + 24}", made="oom.group 1, Python worker grew", want="python")


@kind(only_v2=V1_HAS_NO_GROUP)
def the_jvm_takes_its_group_along(m):
    return of_a_group(m, "child=python3:anon=4", f"{m.step}={m.limit_mib + 16}", made="oom.group 1, JVM grew", want="overhead")


@kind()
def files_in_tmpfs(m):
    path = m.filesystem("tmpfs")
    return killed_for(m, "tmpfs file", "scratch-memory", m.new_then(f"file={path}/shuffle:{m.limit_mib + 16}", before=("anon=4",)))


@kind()
def page_cache_that_stays(m):
    """ramfs: page cache like a disk's, but there is nowhere to write it to."""
    path = m.filesystem("ramfs")
    return killed_for(m, "page cache that stays", "page-cache", m.new_then(f"file={path}/shuffle:{m.limit_mib + 16}", before=("anon=4",)))


@kind()
def kernel_memory(m):
    """All pipes of a user without rights hold 64 MiB (fs.pipe-user-pages-soft), and a container's root has none."""
    limit = m.dice.randrange(40, 45)
    return killed_for(m, "kernel memory (pipes)", "kernel-memory", m.new_then(f"pipes={limit + 16}", before=("anon=4",), limit_mib=limit))


@kind(only_v2="v1 refuses a limit below what is in use")
def limit_lowered(m):
    container = m.ready(f"anon={m.limit_mib - 12}")
    Pod.limit(container.directory, m.limit_mib // 2)
    return killed_for(m, "limit lowered while it ran", "limit-lowered", container)


@kind(only_v2="an OOM of the whole machine is made in a guest only", alone=True)
def node_out_of_memory(m):
    """The kernel is asked to choose a victim of the whole machine: from there on it is what it does when memory is out."""
    container = m.ready("oom-adj=1000", f"anon={m.dice.randrange(20, m.limit_mib - 10)}")
    write("/proc/sysrq-trigger", "f")
    return killed_for(m, "global OOM", "node-memory", container)


@kind()
def kill_at_95_percent(m):
    """Of so much that what a container needs by itself is less than the rest."""
    limit = m.limit_mib + 64
    container = m.ready(f"anon={limit * 95 // 100}", limit_mib=limit)
    container.kill(signal.SIGKILL)
    return killed_for(m, "kill -9 at 95 % of the limit", "killed", container)


@kind()
def a_sidecars_limit(m):
    pod = m.pod()
    executor = m.new(f"anon={m.dice.randrange(4, 24)}", pod=pod)
    sidecar, go = grow(m.t, m.s, 72, pod=pod, name="log-shipper", sidecar=True, comm="fluent-bit", limit_mib=48)
    go()
    rows = killed_for(m, "sidecar's own limit", "sidecar", sidecar)
    executor.kill()
    return rows + killed_for(m, "kill -9 after a sidecar's end", "killed", executor)


@kind()
def heap_and_kill(m):
    """-XX:OnOutOfMemoryError='kill -9 %p': SIGKILL, and only its log says why."""
    container = m.new(f"anon={m.dice.randrange(8, 32)}")
    logs = make_logs(m.t, container.pod.namespace, container.pod.name, container.pod.uid, container.name)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())
    write(f"{logs}/0.log",
          f"{now} stderr F nothing of interest\n" * m.dice.randrange(1, 300) + f"{now} stderr F java.lang.OutOfMemoryError: Java heap space\n")
    container.kill(signal.SIGKILL)
    return killed_for(m, "heap, killed by its JVM", "heap", container)
