"""Writes the corpora of fuzz_nri_mux, fuzz_nri_ttrpc and fuzz_nri_message anew: what real runtimes' side of NRI (tests/peers/build nri)
sends to a plugin, and what none of them would. STOKER_TESTS is the build's tests directory."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "peers")]
from cases import Context  # noqa: E402
from protowire import field  # noqa: E402
import test_nri_wire as wire  # noqa: E402

NUMBER = {wire.STATE_CHANGE: 0, wire.CONFIGURE: 15, wire.SYNCHRONIZE: 16}


def write(target, name, data):
    directory = os.path.join(HERE, "corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)


def frame(connection, data):
    return struct.pack(">II", connection, len(data)) + data


def ttrpc(stream, kind, data, length=None):
    return struct.pack(">IIBB", len(data) if length is None else length, stream, kind, 0) + data


def from_runtimes():
    for version in ("0.3.0", "0.12.5"):
        t = Context("capture")
        try:
            trunk = wire.capture(t, version)
        finally:
            t.close()
        write("nri_mux", f"runtime-{version}", b"\x10" + trunk)
        told = iter(list(wire.records(trunk)))
        for i, (_, message) in enumerate(wire.messages(trunk)):
            what, payload = next(told)
            name = "response"
            if what == wire.REQUEST:
                what, payload = next(told)
                name = {wire.STATE_CHANGE: "StateChange", wire.CONFIGURE: "Configure", wire.SYNCHRONIZE: "Synchronize"}.get(what) or wire.EVENTS[what]
                write("nri_message", f"{name}-{version}", bytes([NUMBER.get(what, what + 1)]) + payload)
            if i % 3 == 0:
                write("nri_ttrpc", f"{name}-{version}", message)


def forged():
    request = field(1, "nri.pkg.api.v1alpha1.Plugin") + field(2, "CreateContainer") + field(3, field(1, field(1, "p")))
    write("nri_ttrpc", "even-stream", ttrpc(2, 1, request))
    write("nri_ttrpc", "too-long", ttrpc(1, 1, b"x" * 40, 0xffffffff))
    write("nri_ttrpc", "data", ttrpc(1, 3, b""))
    write("nri_ttrpc", "no-protobuf", ttrpc(1, 1, b"\x0a\xff\xff\xff\xff\x0f"))
    write("nri_ttrpc", "status", ttrpc(1, 2, field(1, field(1, 12) + field(2, "unknown")) + field(1, field(1, 5))))
    write("nri_ttrpc", "cut", ttrpc(1, 1, request)[:-3])
    one = ttrpc(1, 1, request)
    write("nri_mux", "pieces", b"\x02" + frame(1, one[:3]) + frame(2, ttrpc(1, 2, b"")) + frame(9, b"?") + frame(1, b"") + frame(1, one[3:] + one))
    write("nri_mux", "forged-frame", b"\x00" + struct.pack(">II", 1, 0xffffffff) + b"x" * 20)
    write("nri_mux", "too-long", b"\x30" + frame(1, ttrpc(1, 1, b"", 0x400001)) + frame(1, b"y" * 300))
    write("nri_mux", "half", b"\x07" + frame(1, one)[:-5])
    write("nri_mux", "big", b"\xff" + frame(1, ttrpc(1, 1, request + field(9, b"z" * 20000))[:4096]) + frame(1, b"z" * 18000))
    write("nri_message", "group", b"\x04\x0a\x02\x0b\x0c")
    write("nri_message", "length", b"\x04\x0a\x05\x0a\xff\xff\xff\x7f")
    write("nri_message", "twice", b"\x04" + field(1, field(5, field(1, "a") + field(2, "1"))) * 3 + field(2, field(11, field(3, field(1, field(1, b""))))) * 2)
    write("nri_message", "many", b"\x04" + field(2, field(8, "A=1") * 600 + field(9, b"") * 140))
    write("nri_message", "version", b"\x0f" + field(2, "containerd") + field(3, "v1.7.99999999999") + field(6, "v-0.0"))


if __name__ == "__main__":
    from_runtimes()
    forged()
