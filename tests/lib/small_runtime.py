"""A container runtime as small as NRI allows: mux, ttrpc and the messages that a plugin gets, written from the protocol's field
numbers. One plugin at a time. It creates nothing: what a container is made of, the test makes (tests/lib/container.py)."""
import os
import socket
import struct
import threading
import time

PLUGIN, RUNTIME = 1, 2  # connections of the trunk
SERVICE = "nri.pkg.api.v1alpha1.Plugin"


def varint(n):
    out = b""
    n &= (1 << 64) - 1
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A field of a message; nothing for what is absent or has its default."""
    if value is None or value == "" or value == b"" or value is False or (value == 0 and not isinstance(value, bytes)):
        return b""
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, dict):
        return b"".join(field(number, message((1, k), (2, v))) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return b"".join(field(number, v) for v in value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*fields):
    return b"".join(field(n, v) for n, v in fields)


def parse(data):
    """{number: [values]}"""
    found, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return n
    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        elif tag & 7 == 2:
            length = number()
            value = data[at:at + length]
            at += length
        else:
            raise ValueError(f"wire type {tag & 7}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def pod_message(pod):
    return message((1, pod.sandbox_id), (2, pod.name), (3, pod.uid), (4, pod.namespace), (5, pod.labels), (6, pod.annotations),
                   (8, message((3, pod.cgroup_parent))))


def container_message(c, state=1, exit_code=0, finished=0):
    memory = message((1, message((1, c.limit_bytes)))) if c.limit_bytes else b""
    score = message((1, c.oom_score_adj)) if c.oom_score_adj is not None else None
    linux = message((3, message((1, memory))), (4, score), (5, c.cgroups_path))
    return message((1, c.id), (2, c.pod.sandbox_id), (3, c.name), (4, state), (7, c.args), (8, c.env), (11, linux), (12, c.pid),
                   (14, int(c.created * 1e9)), (16, finished), (17, exit_code))


class Runtime:
    def __init__(self, t, path, name="containerd", version="v2.3.4", nri="0.12.2"):
        self.path, self.name, self.version, self.nri = path, name, version, nri
        self.stream, self.inbox, self.plugin = 1, {PLUGIN: b"", RUNTIME: b""}, None
        self.calling = threading.Lock()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.unlink(path)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(4)
        self.listening.settimeout(60)
        t.cleanup(self.close)

    def close(self):
        for s in (self.plugin, self.listening):
            if s:
                s.close()
        self.plugin = None

    # --- trunk and ttrpc ---

    def send(self, connection, stream, kind, data):
        packet = struct.pack(">IIBB", len(data), stream, kind, 0) + data
        for part in ([packet] if len(packet) <= 4096 else [packet[:4096], packet[4096:]]):
            self.plugin.sendall(struct.pack(">II", connection, len(part)) + part)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.plugin.recv(n - len(data))
            if not more:
                raise ConnectionResetError("the plugin closed")
            data += more
        return data

    def receive(self, connection):
        """(stream, type, data) of the next message on this connection."""
        while True:
            box = self.inbox[connection]
            if len(box) >= 10:
                length, stream, kind, _ = struct.unpack(">IIBB", box[:10])
                if len(box) >= 10 + length:
                    self.inbox[connection] = box[10 + length:]
                    return stream, kind, box[10:10 + length]
            which, length = struct.unpack(">II", self.exactly(8))
            self.inbox[which] += self.exactly(length)

    def call(self, method, payload):
        """The payload of the plugin's answer. One call after the other."""
        with self.calling:
            stream, self.stream = self.stream, self.stream + 2
            self.send(PLUGIN, stream, 1, message((1, SERVICE), (2, method), (3, payload), (4, 2000000000)))
            answered, _, data = self.receive(PLUGIN)
        assert answered == stream, (method, answered, stream)
        answer = parse(data)
        assert 1 not in answer or not parse(answer[1][0]).get(1), (method, answer)
        return answer.get(2, [b""])[0]

    # --- NRI ---

    def serve(self, pods=()):
        """Waits for the plugin, and synchronises it with the containers of `pods` that run."""
        self.plugin, _ = self.listening.accept()
        self.plugin.settimeout(60)
        self.stream, self.inbox = 1, {PLUGIN: b"", RUNTIME: b""}
        stream, _, data = self.receive(RUNTIME)
        request = parse(data)
        assert request[2] == [b"RegisterPlugin"], request
        self.send(RUNTIME, stream, 2, b"")
        self.call("Configure", message((2, self.name), (3, self.version), (4, 5000), (5, 2000), (6, self.nri)))
        containers = [c for p in pods for c in p.containers if c.is_running()]
        self.call("Synchronize", message((1, [pod_message(p) for p in pods]), (2, [container_message(c, 3) for c in containers])))
        return parse(request[3][0])

    def about(self, method, c, **more):
        return self.call(method, message((1, pod_message(c.pod)), (2, container_message(c, **more))))

    def create(self, c):
        """As a runtime does: the plugin hears of it before there is a cgroup. Its answer."""
        c.created = time.time()
        answer = self.about("CreateContainer", c, state=0)
        c.make()
        return answer

    def start(self, c, *steps, **more):
        c.run(*steps, **more)
        self.about("PostStartContainer", c, state=3)

    def stopped(self, c, with_code=True):
        """The container has ended; its cgroup goes as the runtime removes it."""
        code = c.wait()
        self.about("StopContainer", c, state=4, exit_code=code if with_code else 0, finished=time.time_ns() if with_code else 0)
        return code

    def remove(self, c):
        c.remove()
        self.about("RemoveContainer", c, state=4)

    def stop_pod(self, pod):
        self.call("StopPodSandbox", message((1, pod_message(pod))))
