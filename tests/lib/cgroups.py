"""Real cgroups on either version, processes in them, and the driver that watches them (tests/kernel/cgroup_watch.c)."""
import ctypes
import errno
import os
import queue
import subprocess
import threading
import time

from cases import wait_for

ROOT = "/sys/fs/cgroup"
V2 = not os.path.isdir(f"{ROOT}/memory")
MEMORY = ROOT if V2 else f"{ROOT}/memory"
LIMIT = "memory.max" if V2 else "memory.limit_in_bytes"
MIB = 1 << 20


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def read(path):
    with open(path) as f:
        return f.read()


def remove(path):
    """A directory whose processes have been told to end may be busy for a moment."""
    def gone():
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True
    wait_for(gone, f"{path} to be removed", 30)


class Group:
    """A directory in the memory hierarchy, removed at the end of the case."""

    def __init__(self, t, path, **values):
        self.path, self.dir = path, f"{MEMORY}/{path}"
        os.mkdir(self.dir)
        t.cleanup(lambda: remove(self.dir) if os.path.isdir(self.dir) else None)
        for name, value in values.items():
            self.write(name.replace("__", "."), value)

    def write(self, name, value):
        write(f"{self.dir}/{name}", value)

    def read(self, name):
        return read(f"{self.dir}/{name}")

    def limit(self, size):
        self.write(LIMIT, size)
        swap = "memory.swap.max" if V2 else "memory.memsw.limit_in_bytes"
        if os.path.exists(f"{self.dir}/{swap}"):
            self.write(swap, 0 if V2 else size)

    def delegate(self):
        """v2: its children get the memory controller."""
        if V2:
            self.write("cgroup.subtree_control", "+memory +pids")

    def eat(self, t, mebibytes):
        """A process in it that will use so much, once it is told to go on."""
        return Eater(t, self, mebibytes)


class Eater:
    """tests/payload, moved into a cgroup before it does anything."""
    number = 0

    def __init__(self, t, group, mebibytes):
        Eater.number += 1
        self.go_on, self.full = f"{t.dir}/go{Eater.number}", f"{t.dir}/full{Eater.number}"
        self.p = subprocess.Popen([os.path.join(os.environ["STOKER_TESTS"], "payload"), f"await={self.go_on}", f"anon={mebibytes}", f"touch={self.full}"],
                                  stderr=subprocess.DEVNULL)
        t.cleanup(self.kill)
        self.pid = self.p.pid
        group.write("cgroup.procs", self.pid)

    def go(self):
        write(self.go_on, "")

    def wait_full(self):
        wait_for(lambda: os.path.exists(self.full), "the process to have its memory")

    def wait(self):
        return self.p.wait(60)

    def kill(self):
        self.p.kill()
        self.p.wait()


def top(t, name):
    """A directory of the case's own, its children with the memory controller."""
    g = Group(t, f"stoker-test-{name}-{os.getpid()}")
    g.delegate()
    return g


def boot_us():
    return time.monotonic() * 1e6


class Driver:
    def __init__(self, t, *prefix):
        self.p = subprocess.Popen([*prefix, os.path.join(os.environ["STOKER_TESTS"], "cgroup_watch")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, bufsize=1)
        t.cleanup(lambda: (self.p.kill(), self.p.wait()))
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self.pump, daemon=True).start()
        t.note(lambda: "driver:\n" + "\n".join(self.seen[-40:]) + "\n")
        self.expect("ready", within=120)  # qemu on a busy machine

    def pump(self):
        for line in self.p.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def tell(self, text):
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()

    def next(self, deadline):
        try:
            line = self.lines.get(timeout=max(0.001, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line is None:
            raise AssertionError(f"the driver ended with {self.p.wait()}: {self.seen[-5:]}")
        self.seen.append(line)
        return line

    def expect(self, *starts, within=60, where=lambda fields: True):
        """The next line that begins with these words and whose fields please; what comes before it is passed over."""
        begin = " ".join(starts)
        deadline = time.monotonic() + within
        while (line := self.next(deadline)) is not None:
            fields = dict(w.split("=", 1) for w in line.split(" ") if "=" in w)
            if (line == begin or line.startswith(begin + " ")) and where({k: int(v) if v.isdigit() else v for k, v in fields.items()}):
                return {"line": line, **{k: int(v) if v.isdigit() else v for k, v in fields.items()}}
        raise AssertionError(f"waited {within} s in vain for '{begin}'")

    def add(self, group, *more):
        path = group if isinstance(group, str) else group.path
        self.tell(" ".join(("add", path, *more)))
        return self.expect("added", path)

    def sample(self, group):
        self.tell(f"read {group.path}")
        return self.expect("sample", group.path)

    def stats(self):
        self.tell("stats")
        return self.expect("stats")

    def quit(self):
        """Nothing is left open when it ends."""
        self.tell("quit")
        ended = self.expect("ended")
        assert ended["left"] == 0 and self.p.wait() == 0, ended
        return ended

    def inotify_watches(self):
        """What the kernel holds for its one instance."""
        total = 0
        for fd in os.listdir(f"/proc/{self.p.pid}/fdinfo"):
            try:
                total += sum(line.startswith("inotify ") for line in read(f"/proc/{self.p.pid}/fdinfo/{fd}").splitlines())
            except FileNotFoundError:
                pass
        return total


def drop_caches():
    """Lets go of inodes that nobody holds, cgroupfs's too."""
    ctypes.CDLL(None).sync()
    write("/proc/sys/vm/drop_caches", 3)
