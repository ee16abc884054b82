"""stoker-csi as a kubelet meets it: grpc-go as the client, and the CSI project's own conformance suite, with a stokerd that the test plays.
The whole way down to the mounts: test_csi_node.py."""
import os
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import Skip, case, main, wait_for  # noqa: E402
import csi  # noqa: E402
from csi import Client, Directories, Stokerd, publish_request, volume_id  # noqa: E402


def kubelet_root(t):
    return os.path.join(t.dir, "kubelet")


def stage(t):
    csi.needs_peers()
    stokerd = Stokerd(t, kubelet_root(t))
    return stokerd, Client(t, stokerd.endpoint)


def suite(t, binary=None):
    csi.needs_peers()
    target = f"{kubelet_root(t)}/pods/{csi.UID}/volumes/kubernetes.io~csi/scratch"
    stokerd = Directories(t, kubelet_root(t), binary)
    counts, said = csi.run_suite(stokerd.endpoint, target)
    assert counts == (csi.SPECS, 0), said
    assert not os.path.exists(target)
    return stokerd


@case
def every_identity_and_node_spec_of_the_csi_suite(t):
    suite(t)


@case
def the_csi_suite_under_sanitizers(t):
    binary = os.path.join(os.environ.get("STOKER_SANITIZED", ""), "stoker-csi")
    if not os.access(binary, os.X_OK):
        raise Skip("STOKER_SANITIZED names no build with sanitizers")
    stokerd = suite(t, binary)
    stokerd.end()
    with open(stokerd.log) as log:
        said = log.read()
    assert stokerd.process.returncode == 0 and "Sanitizer" not in said and "runtime error" not in said, said


@case
def a_kubelet_gets_its_driver_registered(t):
    stokerd, client = stage(t)
    client.endpoint = stokerd.registration
    info = client.call("/pluginregistration.Registration/GetInfo", timeout_ms=20000, fresh=True)
    assert info["response"] == {"type": "CSIPlugin", "name": "csi.stoker.dev", "endpoint": kubelet_root(t) + "/plugins/csi.stoker.dev/csi.sock", "supportedVersions": ["1.0.0"]}, info
    for registered, words in ((True, ""), (False, "plugin already registered")):
        status = {"pluginRegistered": registered, "error": words}
        assert client.call("/pluginregistration.Registration/NotifyRegistrationStatus", status, timeout_ms=20000, fresh=True)["code"] == "OK"
        wait_for(lambda: [body for kind, body in stokerd.told if kind == csi.REGISTERED][-1:] == [struct.pack("=I256s", registered, words.encode())], "stokerd to be told")
    assert client.call("/csi.v1.Node/NodeGetInfo")["code"] == "Unimplemented"  # each socket has its own
    client.endpoint = stokerd.endpoint
    assert client.call("NodeGetInfo")["response"]["nodeId"] == "node-7"
    assert client.call("/pluginregistration.Registration/GetInfo")["code"] == "Unimplemented"


@case
def a_volume_is_asked_for_as_the_pod_wants_it(t):
    stokerd, client = stage(t)
    request = publish_request(kubelet_root(t), attributes={"type": "checkpoint", "checkpoint": "streams", "path": "orders/1"}, readonly=True)
    assert client.call("NodePublishVolume", request) | {"us": 0} == {"id": 1, "code": "OK", "message": "", "details": 0, "response": {}, "us": 0}
    kind, _, volume = stokerd.asked[0]
    assert kind == csi.PUBLISH and (volume.pod_uid, volume.name, volume.name_space, volume.pod) == (csi.UID, "scratch", "team-a", "exec-1"), vars(volume)
    assert (volume.type, volume.source_name, volume.sub_path, volume.read_only) == (3, "streams", "orders/1", 1), vars(volume)
    request = publish_request(kubelet_root(t), attributes={"type": "scratch", "size": "512m"})
    answer = client.call("NodePublishVolume", request)
    assert answer["code"] == "InvalidArgument" and answer["message"].startswith("size: must be a whole number of bytes with a unit of Kubernetes"), answer
    request = publish_request(kubelet_root(t))
    request["volumeCapability"]["mount"] = {"mountFlags": ["dev"], "volumeMountGroup": "185"}
    assert client.call("NodePublishVolume", request)["message"].startswith("mount_flags: 'dev' is not allowed")
    request["volumeCapability"]["mount"]["mountFlags"] = []
    assert client.call("NodePublishVolume", request)["code"] == "OK" and stokerd.asked[-1][2].gid == 185
    assert len(stokerd.asked) == 2  # nothing of what was refused has gone further


@case
def errors_carry_the_kernels_words_and_no_details(t):
    stokerd, client = stage(t)
    for errnum, words, code in ((1, "checkpoint 'streams' is not for namespace team-a", "PermissionDenied"), (17, "another publish of the same volume: größer 100%\n", "AlreadyExists"),
                                (28, "e tmpfs: Too small a size for current use", "ResourceExhausted"), (107, "the broker is missing", "Unavailable")):
        stokerd.answer = lambda kind, volume, e=errnum, w=words: stokerd.result(volume, e, w)
        answer = client.call("NodePublishVolume", publish_request(kubelet_root(t)))
        assert (answer["code"], answer["message"], answer["details"]) == (code, words, 0), answer


@case
def figures_and_health_come_from_stokerd(t):
    stokerd, client = stage(t)
    named = {"volumeId": volume_id(csi.UID, "scratch")}
    path = publish_request(kubelet_root(t))["targetPath"]
    assert client.call("NodeGetVolumeHealth", named)["code"] == "NotFound"  # an id alone, and nothing was published
    usage = client.call("NodeGetVolumeStats", named | {"volumePath": path})["response"]["usage"]
    assert usage == [{"available": "15728640", "total": "16777216", "used": "1048576", "unit": "BYTES"}, {"available": "990", "total": "1000", "used": "10", "unit": "INODES"}], usage
    assert client.call("NodeGetVolumeHealth", named)["response"]["volumeHealth"] == {"volumeId": named["volumeId"], "healthStatuses": []}
    stokerd.answer = lambda kind, volume: stokerd.stats(volume, message="NFSServerNotResponding: 10.0.0.7 since 12 s")
    health = client.call("NodeGetVolumeHealth", named | {"volumePublishPath": path})["response"]["volumeHealth"]["healthStatuses"]
    assert health == [{"status": "INACCESSIBLE", "reason": "NFSServerNotResponding", "message": "NFSServerNotResponding: 10.0.0.7 since 12 s"}], health
    assert client.call("NodeGetStorageHealth")["response"]["backendHealth"] == []
    stokerd.send(csi.STORAGE, struct.pack("=II", 1, 0) + struct.pack("=II64s192s", 1, 0, b"NFSServerNotResponding", b"10.0.0.7:/streams") + bytes(7 * 264))
    wait_for(lambda: client.call("NodeGetStorageHealth")["response"]["backendHealth"] ==
             [{"status": "STORAGE_UNREACHABLE", "reason": "NFSServerNotResponding", "message": "10.0.0.7:/streams", "volumeCapability": None}], "the server to be reported")


@case
def one_change_of_a_volume_at_a_time_and_deadlines(t):
    stokerd, client = stage(t)
    stokerd.answer = lambda kind, volume: None
    first = client.begin("NodePublishVolume", publish_request(kubelet_root(t)), timeout_ms=3000, **{"async": True})
    wait_for(lambda: stokerd.asked, "the question")
    for name, code, timeout_ms in (("scratch", "Aborted", 20000), ("other", "DeadlineExceeded", 300)):
        answer = client.call("NodePublishVolume", publish_request(kubelet_root(t), name), timeout_ms=timeout_ms)
        assert answer["code"] == code, answer
    assert client.result(first)["code"] == "DeadlineExceeded"
    # the work behind it goes on, whoever has left
    assert client.call("NodePublishVolume", publish_request(kubelet_root(t)))["code"] == "Aborted"
    kind, number, volume = stokerd.asked[0]
    stokerd.send(*stokerd.result(volume), number)
    stokerd.answer = stokerd.say_done
    wait_for(lambda: client.call("NodePublishVolume", publish_request(kubelet_root(t)))["code"] == "OK", "the volume to be free again")


@case
def many_pods_at_once(t):
    """A connection for each call, as the kubelet does it, and more of them than are served at a time."""
    stokerd, client = stage(t)
    gate = threading.Event()
    stokerd.answer = lambda kind, volume: gate.wait(30) and stokerd.result(volume)
    calls = [client.begin("NodePublishVolume", publish_request(kubelet_root(t), f"v{i}"), fresh=True, timeout_ms=60000, **{"async": True}) for i in range(100)]
    wait_for(lambda: stokerd.asked, "the first question")
    gate.set()
    codes = [client.result(number)["code"] for number in calls]
    assert codes == ["OK"] * 100, codes
    # and of one connection more than it may have at a time: the rest waits in the client
    calls = [client.begin("NodePublishVolume", publish_request(kubelet_root(t), f"w{i}"), timeout_ms=60000, **{"async": True}) for i in range(100)]
    assert [client.result(number)["code"] for number in calls] == ["OK"] * 100
    wait_for(lambda: stokerd.counts()["publish"] == 200, "the counters")
    assert stokerd.counts()["publish_failed"] == 0 and stokerd.counts()["refused"] == 0 and stokerd.counts()["connections"] >= 101, stokerd.counts()


@case
def bad_calls_are_refused_and_counted(t):
    stokerd, client = stage(t)
    for want, words, more in (("Unimplemented", "this driver has no such method", {"method": "/csi.v1.Node/NodeStageVolume"}),
                              ("Unimplemented", "this driver has no such method", {"method": "/no.such/Method"}),
                              ("Unimplemented", "compressed", {"method": "NodeUnpublishVolume", "request": {"volumeId": "x" * 200}, "gzip": True}),
                              ("InvalidArgument", "not understood", {"method": "NodePublishVolume", "raw": "Cv////8P"}),
                              ("InvalidArgument", "not understood", {"method": "NodeUnpublishVolume", "raw": "Cw=="}),
                              ("ResourceExhausted", "65536", {"method": "NodePublishVolume", "raw": "A" * 90000})):
        answer = client.call(more.pop("method"), **more)
        assert answer["code"] == want and words in answer["message"] and answer["details"] == 0, (answer, want)
    assert client.call("NodeGetInfo")["code"] == "OK" and not stokerd.asked
    wait_for(lambda: stokerd.counts()["refused"] == 4 and stokerd.counts()["publish_failed"] == 1, "the counters")


@case
def who_speaks_no_http2_or_nothing_harms_nobody(t):
    stokerd, client = stage(t)
    path = stokerd.endpoint.removeprefix("unix:")

    def connect(data=b""):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)  # waits while the kernel's queue is full
        s.settimeout(20)
        t.cleanup(s.close)
        s.sendall(data)
        return s

    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100):
        s = connect(data)
        said = b""
        while part := s.recv(4096):
            said += part
        assert said, "the reason goes out before the end"
    connect(b"PRI * HTTP/2.0").close()  # gone in mid-sentence
    # three times as many idle connections as are served: whoever calls gets through
    idle = [connect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0") for _ in range(180)]
    for _ in range(3):
        assert client.call("NodeGetInfo", fresh=True, timeout_ms=20000)["code"] == "OK"
    assert len(os.listdir(f"/proc/{stokerd.process.pid}/fd")) < 64 + 20
    # a client that asks without end and never reads
    ping = b"\0\0\x08\6\0\0\0\0\0" + b"12345678"
    rude = idle[-1]
    rude.setblocking(False)
    try:
        for _ in range(20000):
            rude.send(ping * 50)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    assert client.call("NodeGetInfo", fresh=True, timeout_ms=20000)["code"] == "OK"
    with open(f"/proc/{stokerd.process.pid}/status") as status, open(f"/proc/{stokerd.process.pid}/maps") as maps:
        rss = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        assert rss < 8192 or "libasan" in maps.read(), f"{rss} KiB"


@case
def it_ends_with_stokerd(t):
    stokerd, client = stage(t)
    stokerd.answer = lambda kind, volume: None
    waiting = client.begin("NodePublishVolume", publish_request(kubelet_root(t)), timeout_ms=20000, **{"async": True})
    wait_for(lambda: stokerd.asked, "the question")
    begin = time.monotonic()
    stokerd.end()
    assert client.result(waiting)["code"] == "Unavailable" and time.monotonic() - begin < 10
    assert stokerd.process.returncode == 0


if __name__ == "__main__":
    main()
