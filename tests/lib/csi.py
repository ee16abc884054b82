"""stoker-csi with a stokerd that the test plays, and a gRPC client in Go (tests/peers/csi/client) that plays the kubelet."""
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kernel"))
from cases import wait_for  # noqa: E402
from wire import HEADER  # noqa: E402

BIN = os.environ.get("STOKER_BIN", "")
CACHE = os.environ.get("STOKER_CACHE", os.path.expanduser("~/.cache/stoker"))
CLIENT, SANITY = (os.path.join(CACHE, "bin", name) for name in ("csi-client", "csi-sanity"))
CONFIG, LISTEN, RESULT, STATS, PUBLISH, UNPUBLISH, GET_STATS, REGISTERED, COUNTS, STORAGE = range(128, 138)
AT = struct.Struct("=II40s64s")
SPECS = 20  # of the suite 5.6: all of Identity and Node that is no other capability's
UID = "3f1c9a2e-5b77-4c1d-9e0f-aa0000000001"


def volume_id(uid, name):
    return "csi-" + hashlib.sha256((uid + name).encode()).hexdigest()


def text(field):
    return field.split(b"\0")[0].decode()


class Volume:
    """struct volume of volumes/volume.h."""
    FORM = struct.Struct("=II40s64sII32sQQQIIIIIII160s64s254s2x")

    def __init__(self, body):
        (_, _, uid, name, self.type, self.source, source_name, self.size, self.inodes, self.asked, self.mode, self.uid, self.gid, self.huge, self.noswap,
         self.read_only, _, sub_path, name_space, pod) = self.FORM.unpack_from(body, 8)
        self.pod_uid, self.name, self.source_name, self.sub_path, self.name_space, self.pod = map(text, (uid, name, source_name, sub_path, name_space, pod))


class Stokerd:
    """The link's other end. `answer` is called for each question: (record type, Volume) -> (type, body), or None for no answer."""

    def __init__(self, t, kubelet, binary=None, node="node-7"):
        self.kubelet, self.asked, self.told, self.answer = kubelet, [], [], self.say_done
        self.dir = os.path.join(t.dir, f"csi-{id(self)}")
        os.makedirs(self.dir)
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.endpoint, self.registration = (f"unix:{self.dir}/{name}.sock" for name in ("csi", "reg"))
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary or os.path.join(BIN, "stoker-csi")], stdout=log, stderr=log, preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=[3],
                                            env={"ASAN_OPTIONS": "detect_leaks=0"})  # the loop is the process's for life
        theirs.close()
        t.cleanup(self.end)
        t.note(lambda: "--- stoker-csi ---\n" + open(self.log).read()[-3000:])
        self.send(CONFIG, struct.pack("=254s1024s2xII", node.encode(), kubelet.encode(), 1, 0))
        for i, name in enumerate(("csi", "reg")):
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(f"{self.dir}/{name}.sock")
            listening.listen(128)
            self.send(LISTEN, struct.pack("=I", i), fd=listening.fileno())
            listening.close()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def send(self, kind, body, number=0, fd=None):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", fd))] if fd is not None else []
        self.ours.sendmsg([HEADER.pack(1, kind, len(body), number) + body], ancillary)

    def serve(self):
        while True:
            try:
                data = self.ours.recv(65536)
            except OSError:
                return
            if not data:
                return
            _, kind, _, number = HEADER.unpack(data[:HEADER.size])
            body = data[HEADER.size:]
            if kind in (REGISTERED, COUNTS):
                self.told.append((kind, body))
                continue
            self.asked.append((kind, number, Volume(body)))
            reply = self.answer(kind, self.asked[-1][2])
            if reply:
                self.send(reply[0], reply[1], number)

    @staticmethod
    def result(volume, errnum=0, words="", step=7):
        at = AT.pack(1, 0, volume.pod_uid.encode(), volume.name.encode())
        return RESULT, at + struct.pack("=iIII5Q256sQQ", errnum, step, 0, 0, 1000, volume.size, volume.inodes, volume.size, volume.inodes, words.encode(), 0, 0)

    @staticmethod
    def stats(volume, known=True, message="", total=1 << 24, used=1 << 20):
        at = AT.pack(1, 0, volume.pod_uid.encode(), volume.name.encode())
        return STATS, at + struct.pack("=II6Q192s", known, bool(message), total, used, total - used, 1000, 10, 990, message.encode())

    def say_done(self, kind, volume):
        return self.stats(volume) if kind == GET_STATS else self.result(volume)

    def counts(self):
        bodies = [body for kind, body in self.told if kind == COUNTS]
        values = struct.unpack("=10Q", bodies[-1]) if bodies else (0,) * 10
        return dict(zip(("publish", "unpublish", "stats", "other", "publish_failed", "unpublish_failed", "stats_failed", "other_failed", "connections", "refused"), values))

    def end(self):
        try:
            self.ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.ours.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


class Directories(Stokerd):
    """Publishes and unpublishes as the broker does, but makes directories only: what a suite looks at."""

    def __init__(self, t, kubelet, binary=None):
        self.there = {}
        super().__init__(t, kubelet, binary)
        self.answer = self.do

    def path(self, volume):
        return os.path.join(self.kubelet, "pods", volume.pod_uid, "volumes", "kubernetes.io~csi", volume.name, "mount")

    def do(self, kind, volume):
        path = self.path(volume)
        if kind == PUBLISH:
            os.makedirs(path, exist_ok=True)
        if kind == UNPUBLISH and os.path.isdir(path):
            os.rmdir(path)
        if kind == GET_STATS:
            return self.stats(volume, os.path.isdir(path))
        return self.result(volume)


class Client:
    def __init__(self, t, endpoint):
        self.endpoint, self.number, self.waiting = endpoint, 0, {}
        self.process = subprocess.Popen([CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        t.cleanup(self.end)

    def begin(self, method, request=None, **more):
        self.number += 1
        if "." not in method:
            method = ("/csi.v1.Node/" if method.startswith("Node") else "/csi.v1.Identity/") + method
        self.process.stdin.write(json.dumps({"id": self.number, "endpoint": self.endpoint, "method": method, "request": request or {}, **more}) + "\n")
        self.process.stdin.flush()
        return self.number

    def result(self, number):
        while number not in self.waiting:
            line = self.process.stdout.readline()
            assert line, "the client has ended"
            answer = json.loads(line)
            self.waiting[answer["id"]] = answer
        return self.waiting.pop(number)

    def call(self, method, request=None, **more):
        return self.result(self.begin(method, request, **more))

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def publish_request(kubelet, name="scratch", uid=UID, attributes=None, **more):
    """As the kubelet sends it for an inline volume."""
    context = {"csi.storage.k8s.io/" + key: value for key, value in (
        ("pod.name", "exec-1"), ("pod.namespace", "team-a"), ("pod.uid", uid), ("serviceAccount.name", "spark"), ("ephemeral", "true"))}
    context.update({"type": "scratch", "size": "16Mi"} if attributes is None else attributes)
    return {"volumeId": volume_id(uid, name), "targetPath": f"{kubelet}/pods/{uid}/volumes/kubernetes.io~csi/{name}/mount",
            "volumeCapability": {"mount": {}, "accessMode": {"mode": "SINGLE_NODE_WRITER"}}, "volumeContext": context, **more}


def run_suite(endpoint, target):
    """The CSI project's conformance suite on one volume: (passed, failed), what it says."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    run = subprocess.run([SANITY, "--endpoint", endpoint, "--target", target, "--ginkgo.focus", "Identity Service|Node Service", "--ginkgo.no-color"],
                         capture_output=True, text=True, timeout=200)
    found = re.search(r"(\d+) Passed \| (\d+) Failed", run.stdout)
    return tuple(map(int, found.groups())) if found else None, run.stdout[-4000:] + run.stderr[-2000:]


def needs_peers():
    from cases import Skip
    missing = [path for path in (CLIENT, SANITY) if not os.access(path, os.X_OK)]
    if missing:
        raise Skip(f"{os.path.basename(missing[0])} is not built (tests/peers/build csi)")


__all__ = ["Stokerd", "Directories", "Client", "publish_request", "volume_id", "wait_for", "needs_peers"]
