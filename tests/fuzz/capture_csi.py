"""Writes the corpora of fuzz_http2, fuzz_csi and fuzz_csi_attributes anew: what grpc-go sends for every call (tests/peers/build csi), what
a real kubelet sends for a pod (tests/peers/build csi etcd kube node), and what no client would. STOKER_BIN is the build."""
import os
import socket
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "cluster")]
from cases import Context  # noqa: E402
import csi  # noqa: E402
from protowire import field  # noqa: E402
from volumes import Asker  # noqa: E402

KUBELET = "/var/lib/kubelet"
MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
METHODS = ["NodePublishVolume", "NodeUnpublishVolume", "NodeGetVolumeStats", "NodeGetVolumeHealth", "NodeGetStorageHealth", "Probe",
           "/pluginregistration.Registration/NotifyRegistrationStatus", "/pluginregistration.Registration/GetInfo"]


def write(target, name, data):
    directory = os.path.join(HERE, "corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)


class Relay:
    """Between client and driver; keeps what the client says."""

    def __init__(self, t, to, path=None):
        self.said, self.to = [], to.removeprefix("unix:")
        path = path or os.path.join(t.dir, f"relay-{id(self)}.sock")
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen()
        self.endpoint = "unix:" + path
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listening.accept()
            self.said.append(b"")
            driver = socket.socket(socket.AF_UNIX)
            driver.connect(self.to)
            threading.Thread(target=self.copy, args=(driver, client, None), daemon=True).start()
            threading.Thread(target=self.copy, args=(client, driver, len(self.said) - 1), daemon=True).start()

    def copy(self, source, sink, keep):
        try:
            while data := source.recv(65536):
                if keep is not None:
                    self.said[keep] += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one of them has gone first
            pass


class Granting(csi.Stokerd):
    """A stokerd that makes what it is asked for: the real one has its sockets where the relay must be."""

    def __init__(self, t, world):
        super().__init__(t, world.root, node=world.node.name)
        self.asker, self.answer = Asker(t, world.stoker), self.do

    def do(self, kind, volume):
        if kind == csi.PUBLISH:
            done = self.asker.make(volume.pod_uid, volume.name, size=volume.size, inodes=volume.inodes, mode=volume.mode, uid=volume.uid, gid=volume.gid)
        else:
            done = self.asker.remove(volume.pod_uid, volume.name) if kind == csi.UNPUBLISH else self.asker.stat(volume.pod_uid, volume.name)
        return self.stats(volume, done.errnum == 0) if kind == csi.GET_STATS else self.result(volume, done.errnum, done.text)


def messages(said):
    """The messages of a client's calls: its DATA frames, in order."""
    at = len(MAGIC)
    while at < len(said):
        length, kind = int.from_bytes(said[at:at + 3], "big"), said[at + 3]
        if kind == 0 and length >= 5:
            yield said[at + 14:at + 9 + length]
        at += 9 + length


def from_grpc_go():
    request = csi.publish_request(KUBELET, attributes={"type": "scratch", "size": "2Gi", "uid": "185", "mode": "0770"})
    named = {"volumeId": request["volumeId"]}
    calls = [request, dict(named, targetPath=request["targetPath"]), dict(named, volumePath=request["targetPath"]), dict(named, volumePublishPath=request["targetPath"]), {}, {},
             {"pluginRegistered": True, "error": "none"}, {}]
    for number, (method, body) in enumerate(zip(METHODS, calls)):
        t = Context("capture")
        try:
            stokerd = csi.Stokerd(t, KUBELET)
            relay = Relay(t, stokerd.registration if method.startswith("/plugin") else stokerd.endpoint)
            answer = csi.Client(t, relay.endpoint).call(method, body, timeout_ms=5000, fresh=True)
            assert answer["code"] == "OK", answer
        finally:
            t.close()
        name = method.split("/")[-1]
        write("http2", f"grpc-go-{name}", b"\x20" + relay.said[0])
        message = next(messages(relay.said[0]), b"")
        write("csi", f"grpc-go-{name}", bytes([number, 16]) + message)
        volume = csi.Volume.__new__(csi.Volume)
        volume.pod_uid, volume.name, volume.size, volume.inodes = csi.UID, "scratch", 1 << 20, 100
        answer = csi.Stokerd.stats(volume, message="StaleHandle: x")[1] if "Stats" in method or "Health" in method else csi.Stokerd.result(volume, 17, "exists")[1]
        write("csi", f"answered-{name}", bytes([number, 16 * len(message) // (len(message) + len(answer))]) + message + answer)


def from_a_kubelet():
    """What each of its connections says, from registration to the end of a pod; it makes one for every call."""
    import test_csi as cluster
    t = Context("capture")
    try:
        w = cluster.World(t, "off")
        paths = [f"{w.root}/plugins/{cluster.DRIVER}/csi.sock", f"{w.root}/plugins_registry/{cluster.DRIVER}-reg.sock"]
        for path in paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        driver = Granting(t, w)
        relays = [Relay(t, to, path) for to, path in zip((driver.endpoint, driver.registration), paths)]
        cluster.wait_for(w.in_csinode, "the kubelet to register the driver", 60)
        name = w.pod({"type": "scratch", "size": "8Mi", "inodes": "200"}, fs_group=1000)
        cluster.wait_for(lambda: w.phase(name) == "Running", "the pod to run", 60, 0.1)
        w.delete(name)
        cluster.wait_for(lambda: not w.ours(), "the volume to be removed", 60, 0.1)
    finally:
        t.close()
    told = {said for relay in relays for said in relay.said if len(said) > 60}
    for i, said in enumerate(sorted(told, key=len, reverse=True)[:8]):
        write("http2", f"kubelet-{i}", b"\x40" + said)
    published = max((m for said in told for m in messages(said)), key=len)
    write("csi", "kubelet-NodePublishVolume", b"\x00\x10" + published)


def frame(kind, flags, stream, data=b""):
    return len(data).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + data


def forged():
    start = b"\x10" + MAGIC + frame(4, 0, 0)
    post = b"\x83\x86\x44\x06/a.B/C\x5f\x10application/grpc"  # HPACK: POST, http, path and type as literals
    write("http2", "http1", b"\x10GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    write("http2", "magic-only", b"\x00" + MAGIC)
    write("http2", "empty-call", start + frame(1, 5, 1, post))
    write("http2", "call", start + frame(1, 4, 1, post) + frame(0, 1, 1, b"\0\0\0\0\x02hi"))
    write("http2", "compressed", start + frame(1, 4, 1, post) + frame(0, 1, 1, b"\x01\0\0\0\x02hi"))
    write("http2", "length", start + frame(1, 4, 1, post) + frame(0, 1, 1, b"\0\xff\xff\xff\xffhi"))
    write("http2", "two-messages", start + frame(1, 4, 1, post) + frame(0, 1, 1, b"\0\0\0\0\0\0\0\0\0\0"))
    write("http2", "continuations", start + frame(1, 0, 1, post) + b"".join(frame(9, 0, 1, b"\x40\x01a\x01b") for _ in range(12)))
    write("http2", "resets", start + b"".join(frame(1, 4, n, post) + frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 80, 2)))
    write("http2", "pings", start + frame(6, 0, 0, b"12345678") * 40)
    write("http2", "settings", start + frame(4, 0, 0, b"\0\x03\0\0\0\x01" * 40))
    write("http2", "no-window", start + frame(4, 0, 0, b"\0\x04\0\0\0\0") + frame(1, 4, 1, post) + frame(0, 1, 1, b"\0\0\0\0\0"))
    write("http2", "even-stream", start + frame(1, 5, 2, post))
    write("http2", "trailers", start + frame(1, 4, 1, post) + frame(0, 0, 1, b"\0\0\0\0\0") + frame(1, 5, 1, b"\x40\x01a\x01b"))
    write("http2", "oversized-frame", start + b"\xff\xff\xff\0\0\0\0\0\x01")
    write("csi", "group", b"\x00\x10\x0b\x0c")
    write("csi", "length", b"\x00\x10\x0a\xff\xff\xff\xff\x0f")
    write("csi", "capability-twice", b"\x00\x10" + (field(5, field(2, field(2, "ro")) + field(3, field(1, 1))) + field(5, field(1, b""))) * 3)
    write("csi", "pairs", b"\x00\x10" + field(8, field(1, "a") + field(2, "b")) * 70)
    for name, lines in (("scratch", "type=scratch\nsize=2Gi\ninodes=100\nmode=0770\nuid=185\ngid=0\nhuge=advise\nnoswap=true"), ("disk", "type=disk\nsize=1G\ndisk=nvme0\nmode=7"),
                        ("checkpoint", "type=checkpoint\ncheckpoint=stream\npath=a/b..c/d"), ("twice", "type=scratch\ntype=disk"), ("unit", "type=scratch\nsize=1g"),
                        ("overflow", "type=scratch\nsize=18446744073709551615Ti"), ("dots", "type=checkpoint\npath=a/../b"), ("unknown", "type=scratch\nserver=x\n=\n"),
                        ("kubelet", "csi.storage.k8s.io/pod.uid=x\ncsi.storage.k8s.io/new=y\ntype=scratch")):
        write("csi_attributes", name, lines.encode())


if __name__ == "__main__":
    csi.needs_peers()
    from_grpc_go()
    from_a_kubelet()
    forged()
