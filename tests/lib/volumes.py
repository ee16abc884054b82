"""A kubelet's directories with pods in them, and the requests about their volumes as stokerd sends them to the real broker."""
import os
import shutil
import subprocess
import uuid

import disks
import wire
from cases import wait_for

CSI, EMPTY_DIR = "kubernetes.io~csi", "kubernetes.io~empty-dir"


class Pod:
    """As the kubelet has it before it asks for a volume: everything but the mount's own directory."""

    def __init__(self, root, names=("scratch",), uid=None):
        self.uid, self.directory = uid or str(uuid.uuid4()), ""
        self.directory = f"{root}/pods/{self.uid}/volumes"
        for name in names:
            os.makedirs(f"{self.directory}/{CSI}/{name}")
        os.makedirs(f"{self.directory}/{EMPTY_DIR}")

    def target(self, name="scratch"):
        return f"{self.directory}/{CSI}/{name}/mount"

    def empty_dir(self, name="spark-local-dir-1", options=None):
        """The kubelet's own; with options it is one in memory."""
        path = f"{self.directory}/{EMPTY_DIR}/{name}"
        os.makedirs(path, mode=0o777)
        if options:
            disks.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path)
        return path


class Kubelet:
    def __init__(self, t, root=None):
        self.t, self.root = t, root or os.path.join(t.dir, "kubelet")
        os.makedirs(f"{self.root}/pods", exist_ok=True)
        t.cleanup(self.unmount)

    def settings(self):
        return f"kubeletRoot: {self.root}\n"

    def pod(self, *names, uid=None):
        return Pod(self.root, names or ("scratch",), uid)

    def unmount(self):
        for line in reversed(mounts(self.root)):
            if line.point != self.root:  # a disk of its own may be frozen, and is thawed by its mount point
                subprocess.run(["umount", "-l", line.point], check=False)

    def remove(self, pod):
        shutil.rmtree(f"{self.root}/pods/{pod.uid}")


class Asker:
    """What stokerd asks of the broker about volumes."""

    def __init__(self, t, node, deadline=60):
        self.t, self.node, self.broker, self.deadline = t, node, None, deadline
        t.cleanup(self.close)
        self.connect()

    def connect(self):
        self.close()
        self.broker = wire.Broker(self.node.broker_socket, self.deadline)

    def close(self):
        if self.broker:
            self.broker.close()
        self.broker = None

    def send(self, kind, pod, name="scratch", **more):
        return self.broker.send(kind, wire.volume_body(self.node.config_hash(), pod if isinstance(pod, str) else pod.uid, name, **more))

    def ask(self, kind, pod, name="scratch", **more):
        return self.broker.receive(self.send(kind, pod, name, **more))

    def ask_all(self, kind, pods, **more):
        """All at once; the answers in the order of the pods."""
        numbers, answers = [self.send(kind, pod, **more) for pod in pods], {}
        while len(answers) < len(numbers):
            number, answered, body, _ = self.broker.receive_any()
            if number in numbers:
                answers[number] = wire.VolumeResult(body) if answered == wire.VOLUME_RESULT else wire.Refused(body)
        return [answers[number] for number in numbers]

    def make(self, pod, name="scratch", **more):
        return self.ask(wire.VOLUME_MAKE, pod, name, **more)

    def remove(self, pod, name="scratch", **more):
        return self.ask(wire.VOLUME_REMOVE, pod, name, **more)

    def bound(self, pod, name="scratch", **more):
        return self.ask(wire.VOLUME_BOUND, pod, name, **more)

    def empty(self, pod, name="scratch", **more):
        return self.ask(wire.VOLUME_EMPTY, pod, name, **more)

    def stat(self, pod, name="scratch", **more):
        return self.ask(wire.VOLUME_STAT, pod, name, **more)


class Mount:
    def __init__(self, line):
        left, right = line.rstrip("\n").split(" - ", 1)
        fields = left.split()
        self.root, self.point, self.options = fields[3], fields[4], fields[5].split(",")
        self.type, self.source, self.super_options = right.split(" ")
        self.super_options = self.super_options.split(",")

    def __repr__(self):
        return f"<{self.point} {self.type} {self.source} {self.options} {self.super_options}>"


def mounts(beneath="/"):
    with open("/proc/self/mountinfo") as f:
        return [m for m in map(Mount, f) if m.point == beneath or m.point.startswith(beneath.rstrip("/") + "/")]


def mount_at(path):
    found = [m for m in mounts(path) if m.point == path]
    return found[-1] if found else None


def tree(root):
    """Every path and mount beneath, to be compared."""
    return sorted(os.path.join(d, n) for d, names, files in os.walk(root) for n in names + files), [repr(m) for m in mounts(root)]


def as_user(uid, code, *arguments, gid=None, preexec=None):
    """Runs Python as an executor would run: without rights. Its standard output."""
    result = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid if gid is None else gid}", "--clear-groups", "--bounding-set=-all", "python3", "-c", code,
                             *map(str, arguments)], capture_output=True, text=True, preexec_fn=preexec)
    assert result.returncode == 0, result.stderr
    return result.stdout


FILL_BYTES = """
import os, sys
total = 0
with open(sys.argv[1] + "/ballast", "wb", buffering=0) as f:
    try:
        while True:
            total += f.write(b"x" * 4096)
    except OSError as e:
        print(e.errno, total)
"""
FILL_INODES = """
import os, sys
for i in range(10 ** 6):
    try:
        os.close(os.open(f"{sys.argv[1]}/f{i}", os.O_CREAT | os.O_WRONLY))
    except OSError as e:
        print(e.errno, i)
        break
"""
