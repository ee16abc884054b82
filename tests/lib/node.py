"""A node under test: its configuration, its disks, the roles as real processes, and what they say."""
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time

import disks
from cases import wait_for

BIN = os.environ.get("STOKER_BIN", "")
ROLES = ("stoker-broker", "stokerd", "stoker-reporter", "stoker-web", "stoker-nri")


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def parse_logfmt(line):
    fields = {}
    for key, quoted, plain in re.findall(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line):
        # the escapes that str_escape and the quoting made, undone as far as the tests look
        fields[key] = re.sub(r'\\(["\\])', r"\1", quoted) if quoted else plain
    return fields


class Node:
    def __init__(self, t, period="5s", deadline="10s", minimum_bad="1s", name="test-node", extra="", log="debug", directory="", discover="off", recover_after=3):
        self.t, self.watched, self.count, self.launcher, self.extra_processes = t, [], 0, None, []
        self.directory = directory  # of a second node in the same case
        home = os.path.join(t.dir, directory)
        self.runtime, self.config_path = os.path.join(home, "run"), os.path.join(home, "etc", "stoker.yaml")
        self.log_path = os.path.join(home, "log")
        self.broker_socket, self.http_socket = os.path.join(self.runtime, "broker/broker.sock"), os.path.join(self.runtime, "stoker.sock")
        os.makedirs(os.path.dirname(self.config_path))
        # what is watched is what a case makes, never the disks of the machine that it runs on
        self.settings = (f"node: {name}\nruntimeDir: {self.runtime}\ndiscover: '{discover}'\nprobe:\n  period: {period}\n  deadline: {deadline}\n"
                         f"  minimumBad: {minimum_bad}\n  recoverAfter: {recover_after}\nweb:\n  listen: 'off'\nlog:\n  level: {log}\n")
        self.report = "report:\n  kubernetes: 'off'\n"
        self.environment = None  # this process's own
        self.extra = extra
        t.note(self.tail)

    # --- what is watched ---

    def watch(self, path, role="scratch"):
        self.watched.append((path, role))

    def ignore(self, path):
        self.watched.append((path, None))

    def path(self, name=None):
        self.count += 1
        return os.path.join(self.t.dir, name or f"{self.directory}disk{self.count}")

    def disk(self, kind, mkfs=(), watch=True, of=disks.Disk, **more):
        d = of(self.t, kind, self.path(), mkfs, **more)
        if watch:
            self.watch(d.mount_point)
        return d

    def tmpfs(self, options, name=None, watch=True):
        d = disks.Tmpfs(self.t, options, self.path(name))
        if watch:
            self.watch(d.mount_point)
        return d

    def nested(self, outer_kind, inner_kind):
        """A filesystem on a device that is a file of another one; only the inner one is watched."""
        outer = self.disk(outer_kind, watch=False, size_mb=400)
        inner = self.disk(inner_kind, beneath=outer.mount_point, size_mb=disks.SIZE_MB[inner_kind])
        return outer, inner

    def bind(self, disk, role="logs"):
        path = self.path()
        os.makedirs(path)
        disks.run("mount", "--bind", disk.mount_point, path)
        self.t.cleanup(lambda: disks.run("umount", path))
        self.watch(path, role)

    def watch_path(self, name):
        path = self.path(name)
        self.watch(path)
        return path

    # --- configuration ---

    def config_text(self):
        # JSON strings are YAML strings: any name of a mount point goes
        # nor the containers of this machine, but where a case makes them
        executors = "" if "executors:" in self.extra else "executors:\n  watch: 'off'\n"
        return self.settings + self.report + self.extra + executors + "watch:\n" + "".join(
            f"- path: {json.dumps(path)}\n" + (f"  role: {role}\n" if role else "  ignore: true\n") for path, role in self.watched)

    def write_config_now(self):
        with open(self.config_path, "w") as f:
            f.write(self.config_text())

    def read_config(self):
        with open(self.config_path) as f:
            return f.read()

    def write_config(self, text, notify=True):
        """As a ConfigMap changes (rename), or in place with a time that inotify does not see coming: only SIGHUP tells."""
        if notify:
            with open(self.config_path + ".new", "w") as f:
                f.write(text)
            os.rename(self.config_path + ".new", self.config_path)
        else:
            with open(self.config_path, "w") as f:
                f.write(text)

    def config_hash(self):
        with open(self.config_path, "rb") as f:
            return fnv1a(f.read())

    def probe_body(self, watch, must_be_mounted=False):
        return struct.pack("=QIIQQII", self.config_hash(), watch, watch, 0, 0, must_be_mounted, 0)  # struct wire_probe

    # --- processes ---

    def spawn(self, *argv, **more):
        with open(self.log_path, "ab") as log:
            p = subprocess.Popen([os.path.join(BIN, argv[0]), *argv[1:]], stderr=log, stdout=log, stdin=subprocess.DEVNULL, env=self.environment, **more)
        self.t.cleanup(lambda: self.end(p))
        return p

    @staticmethod
    def end(p):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(30)

    def start(self, roles=None):
        if not os.path.exists(self.config_path):
            self.write_config_now()
        if roles is None:
            self.launcher = self.spawn("stokerd", "--all", "--config", self.config_path)
            wait_for(lambda: all(self.pid(r) for r in ("stokerd", "stoker-broker", "stoker-reporter")) or self.launcher.poll() is not None, "the roles")
            assert self.launcher.poll() is None, "stokerd --all has ended: " + self.tail()
            return
        for role in roles:
            self.extra_processes.append(self.spawn(role, "--config", self.config_path))

    def start_broker_elsewhere(self):
        own = f"/proc/{os.getpid()}/ns/mnt"
        self.extra_processes.append(self.spawn("stoker-broker", "--config", self.config_path, "--mount-namespace", own,
                                               preexec_fn=lambda: disks.unshare_mounts([path for path, _ in self.watched])))

    def start_roles(self, broker=None):
        """One by one, the broker with `broker` called in it first."""
        if not os.path.exists(self.config_path):
            self.write_config_now()
        self.extra_processes.append(self.spawn("stoker-broker", "--config", self.config_path, preexec_fn=broker))
        self.start(("stokerd", "stoker-reporter"))

    def start_again(self, role):
        """kill -9 and the next one at once, where there is no launcher, whose pauses grow."""
        for p in [p for p in self.extra_processes if p.args[0].endswith(role) and p.poll() is None]:
            p.kill()
            p.wait()
        self.start((role,))

    def marks(self):
        """The filesystems ("7:1") on which stokerd has a FAN_FS_ERROR mark, as the kernel lists them."""
        pid, found = self.pid("stokerd"), []
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            try:
                with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                    found += re.findall(r"^fanotify sdev:([0-9a-f]+) .*mask:8000", f.read(), re.M)
            except OSError:
                pass
        return sorted(f"{int(x, 16) >> 20}:{int(x, 16) & 0xFFFFF}" for x in found)

    def stop(self):
        self.end(self.launcher)

    def roots(self):
        return [p.pid for p in [self.launcher, *self.extra_processes] if p and p.poll() is None]

    @staticmethod
    def children_of(pid):
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                return [int(x) for x in f.read().split()]
        except OSError:
            return []

    @staticmethod
    def name_of(pid):
        try:
            return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            return None

    def pid(self, role):
        """The role's process; the launcher and children forked without exec are not it."""
        front = [] if self.launcher else self.roots()
        for root in ([self.launcher.pid] if self.launcher else []):
            front += self.children_of(root)
        for pid in list(front):
            if self.name_of(pid) == "stokerd":
                front += [c for c in self.children_of(pid) if self.name_of(c) in ("stoker-web", "stoker-nri", "stoker-csi")]
        found = [pid for pid in front if self.name_of(pid) == role]
        return found[0] if found else None

    def children(self, role):
        """Those that are at work."""
        pid = self.pid(role)
        return [c for c in self.children_of(pid) if not self.is_spare(c)] if pid else []

    def is_spare(self, pid):
        """The broker's child that waits in read(2) for its task; who waits so for a server has a child of its own."""
        try:
            with open(f"/proc/{pid}/syscall") as f:
                return f.read().split()[0] == "0" and self.name_of(pid) == "stoker-broker" and not self.children_of(pid)
        except OSError:
            return False

    def spares(self):
        pid = self.pid("stoker-broker")
        return [c for c in self.children_of(pid) if self.is_spare(c)] if pid else []

    def end_spares(self):
        """So that the next request has its child made."""
        def ended():
            for pid in self.spares():
                os.kill(pid, signal.SIGKILL)
            return not self.children_of(self.pid("stoker-broker"))
        wait_for(ended, "the broker to have no child")

    @staticmethod
    def process_state(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            return None

    @staticmethod
    def descriptors(pid):
        targets = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                targets.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                pass
        return targets

    def settled_descriptors(self, role):
        """Of a role none of whose children runs or is still held."""
        if role == "stoker-broker":
            self.end_spares()
        return self.settled_of(self.pid(role))

    def settled_of(self, pid):
        wait_for(lambda: not self.children_of(pid) and "anon_inode:[pidfd]" not in self.descriptors(pid), f"the children of process {pid} to end")
        return self.descriptors(pid)

    # --- what they say ---

    def cli(self, *args, **more):
        where = [] if "--direct" in args else ["--socket", self.http_socket]
        return subprocess.run([os.path.join(BIN, "stoker"), *args, *where, "--config", self.config_path], capture_output=True, text=True, timeout=60, **more)

    def get(self, path):
        """Status and text of an answer on the socket; 0 and nothing if there is none."""
        c = UnixConnection(self.http_socket)
        try:
            c.request("GET", path)
            answer = c.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            c.close()

    def health(self):
        status, body = self.get("/v1alpha1/health")
        assert status == 200, (status, body)
        return json.loads(body)

    def health_or_none(self):
        try:
            return self.health()
        except AssertionError:
            return None

    def fs(self, disk):
        path = disk if isinstance(disk, str) else disk.mount_point
        h = wait_for(self.health_or_none, "an answer of the daemon")
        return next((f for f in h["filesystems"] if path in (f.get("path"), f["mountPoint"]) or f.get("path") == self.escape(path)), None)

    @staticmethod
    def escape(path):
        return path.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")

    def input(self, name):
        h = wait_for(self.health_or_none, "an answer of the daemon")
        return h["inputs"].get(name, {"state": "", "detail": ""})

    def all_probed(self):
        h = self.health_or_none()
        return h and all(f["lastProbe"] for f in h["filesystems"])

    def wait_for(self, predicate, what, deadline=60):
        return wait_for(predicate, what, deadline)

    def wait(self, status, deadline=60):
        """And all its inputs to be there: what a test breaks next must be heard of."""
        def so_far():
            h = self.health_or_none() or {"inputs": {}}
            return h.get("status") == status and all(h["inputs"].get(name, {}).get("state") == "ok" for name in ("kmsg", "mounts"))
        wait_for(so_far, f"the node to be {status}", deadline)

    def is_closed(self, role):
        try:
            with open(f"/proc/{self.pid(role)}/status") as f:
                return "\nSeccomp:\t2\n" in f.read()
        except OSError:
            return False

    def wait_closed(self, roles=ROLES):
        """Their filters: a node may be healthy a moment before its last role has begun and has given up its rights."""
        for role in roles:
            wait_for(lambda role=role: self.is_closed(role), f"{role} to have closed its filter")

    def wait_fs(self, disk, *states, deadline=60):
        wait_for(lambda: (self.fs(disk) or {}).get("state") in states, f"the filesystem to be {' or '.join(states)}", deadline)
        return self.fs(disk)

    def lines(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return [parse_logfmt(line) for line in f]
        except FileNotFoundError:
            return []

    def log(self, message):
        return [line for line in self.lines() if line.get("msg") == message]

    def tail(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return "--- the log ---\n" + "".join(f.readlines()[-60:])
        except FileNotFoundError:
            return ""

    def fill_until(self, disk, fill, state="bad"):
        """Fills again and again until the daemon has found it full."""
        wait_for(lambda: (fill(), self.fs(disk)["state"] == state)[1], "the filesystem to be found full", 60, 0.1)
        return self.fs(disk)

    # --- the kernel log ---

    @staticmethod
    def flood_kernel_log(lines, middle=lambda: None):
        """Each open file may write ten lines in five seconds (printk.devkmsg=ratelimit, which the boot parameters can lock)."""
        text = b"stoker test: flood line, as long as a line of a real kernel may well be, and then some more to fill the ring " + b"." * 200
        for i in range(0, lines, 10):
            fd = os.open("/dev/kmsg", os.O_WRONLY)
            for _ in range(10):
                os.write(fd, text)
            os.close(fd)
            if i == lines // 20 * 10:
                middle()

    def kill(self, role):
        os.kill(self.pid(role), signal.SIGKILL)
