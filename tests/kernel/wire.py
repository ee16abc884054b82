"""The records of health/wire.h, spoken by a test: a second peer of the broker, or a stokerd that the test plays."""
import errno
import os
import socket
import struct
import time

from cases import wait_for

HEADER = struct.Struct("=HHIQ")  # version, type, length, id
PROBE, MOUNTS, KMSG = 1, 2, 3
FINDING, DESCRIPTOR, REFUSED, CHILD_ENDED = 4, 5, 6, 7
FS_ERRORS, FS_MARK, FS_MARKED = 32, 33, 34
LOOK, LOOKED = 40, 41
PROCESSES, LOG_TAIL, PROCESSES_READ, LOG_READ, STATUS, STATUS_READ = 80, 81, 82, 83, 84, 85
SWEEP, ACCOUNT, SWEPT, ACCOUNTED = 118, 119, 121, 122
VOLUME_MAKE, VOLUME_REMOVE, VOLUME_BOUND, VOLUME_EMPTY, VOLUME_STAT, VOLUME_RESULT = 112, 113, 114, 115, 116, 120
SCRATCH, DISK, CHECKPOINT = 1, 2, 3  # enum volume_type
AT_CSI, AT_EMPTY_DIR, AT_NODE = 1, 2, 3  # enum volume_place
VOLUME_STEPS = ("resolve", "compare", "prepare", "own", "place", "detach", "remove", "done")
ROOTS = 0xFFFFFFFF  # nobody was named as the owner
FINDING_BODY = struct.Struct("=IIiIQQQIIQQQQQQQ")
STEPS = ("resolve", "clone", "directory", "create", "write", "sync", "done")


def probe_body(config_hash, place, must_be_mounted=False, path_hash=0, mount_id=0, watch=None):
    return struct.pack("=QIIQQII", config_hash, place if watch is None else watch, place, path_hash, mount_id, must_be_mounted, 0)


class Finding:
    def __init__(self, body):
        (self.watch, self.step, self.errnum, self.mount_root, self.duration_us, self.started_us, self.mount_id,
         self.major, self.minor, self.total_bytes, self.free_bytes, self.total_inodes, self.free_inodes, self.dynamic_inodes,
         self.with_reserved_bytes, self.kind) = FINDING_BODY.unpack(body)

    @property
    def good(self):
        return self.errnum == 0 and STEPS[self.step] == "done"

    def __repr__(self):
        return f"<finding watch {self.watch} {STEPS[self.step]} errno {self.errnum} {self.duration_us} us>"


class Marked:
    def __init__(self, body):
        self.watch, self.errnum, self.fsid, self.mount_id, self.major, self.minor = struct.unpack("=IiQQII", body)

    def __repr__(self):
        return f"<marked watch {self.watch} errno {self.errnum}>"


def container_ask(container, cgroup="", pod=None):
    """struct wire_container_ask: the cgroup for its processes, the pod for its log."""
    who = struct.pack("=72s40sIIiIQ", container.id.encode(), container.pod.uid.encode(), 0, 0, 0, 0, 0)
    names = (container.pod.namespace, container.pod.name, container.name) if pod else ("", "", "")
    return who + struct.pack("=512s64s254s64sxx", cgroup.encode(), *(n.encode() for n in names))


class Processes:
    def __init__(self, body):
        self.errnum, self.cut, *self.bytes, self.jvms, self.pythons, self.rs, self.others = struct.unpack_from("=iIQQQQIIII", body, 136)

    def __repr__(self):
        return f"<processes errno {self.errnum} {self.bytes}>"


class Log:
    def __init__(self, body):
        self.errnum, self.bits, line = struct.unpack_from("=iI256s", body, 136)
        self.line = line.split(b"\0")[0].decode()

    def __repr__(self):
        return f"<log errno {self.errnum} bits {self.bits:#x} {self.line}>"


def sweep(config_hash, root, after, remove):
    """struct wire_sweep; `remove`: up to 16 of (inode, birth, change)."""
    body = struct.pack("=QIIQQ", config_hash, root, len(remove), after, 0)
    for one in remove:
        body += struct.pack("=QQQ", *one)
    return body + bytes(24 * (16 - len(remove)))


class SweptOne:
    ONE = struct.Struct("=48sQQQIIIIQQIi")
    REASONS = ("Ownerless", "Open", "Mounted", "MakerLives", "NoBirthTime", "ProcessUnread", "NoDirectory", "Changed")

    def __init__(self, body):
        (name, self.ino, self.born, self.changed, self.uid, reason, self.pid, self.gone, self.removed, self.bytes, self.left, self.left_errno) = \
            self.ONE.unpack(body)
        self.name, self.reason = name.split(b"\0")[0].decode(), self.REASONS[reason]

    def __repr__(self):
        return f"<{self.name} {self.reason} pid {self.pid} removed {self.removed} left {self.left} errno {self.left_errno} gone {self.gone}>"


class Swept:
    def __init__(self, body):
        self.root, self.errnum, count, self.more, self.cut, self.removing, _, self.unread, self.duration_us, text = struct.unpack_from("=IiIIIIIIQ192s", body)
        self.text = text.split(b"\0")[0].decode()
        self.of = [SweptOne(body[232 + i * SweptOne.ONE.size:232 + (i + 1) * SweptOne.ONE.size]) for i in range(count)]

    def __repr__(self):
        return f"<swept errno {self.errnum} {self.text} {self.of}>"


class Status:
    def __init__(self, body):
        self.has_exit, self.exit_code, _, self.finished_us, self.errnum, self.log_number, reason, message, socket_path = \
            struct.unpack_from("=IiIQiI32s256s108s", body, 116)
        self.reason, self.message, self.socket = (x.split(b"\0")[0].decode() for x in (reason, message, socket_path))

    def __repr__(self):
        return f"<status errno {self.errnum} exit {self.has_exit} {self.exit_code} {self.reason} {self.message} log {self.log_number} {self.socket}>"


def volume_body(config_hash, pod_uid, name, place=AT_CSI, type_=SCRATCH, source=0, source_name="", size=4 << 20, inodes=1000, asked=0, mode=0o770, uid=ROOTS,
                gid=ROOTS, huge=0, noswap=0, read_only=0, sub_path="", namespace="team-a", pod_name="etl-exec-7"):
    """struct wire_volume."""
    return struct.pack("=QII40s64sII32sQQQIIIIIII160s64s254s6x", config_hash, place, 0, pod_uid.encode(), name.encode(), type_, source, source_name.encode(), size,
                       inodes, asked, mode, uid, gid, huge, noswap, read_only, 0, sub_path.encode(), namespace.encode(), pod_name.encode())


class VolumeResult:
    def __init__(self, body):
        (self.errnum, step, self.already, _, self.duration_us, self.size, self.inodes, self.free, self.free_inodes, text) = struct.unpack_from("=iIIIQQQQQ256s", body, 112)
        self.step, self.text = VOLUME_STEPS[step], text.split(b"\0")[0].decode()

    def __repr__(self):
        return f"<volume errno {self.errnum} step {self.step}{' already' if self.already else ''} {self.size} bytes {self.inodes} inodes {self.text}>"


class Refused:
    def __init__(self, body):
        self.errnum, self.watch = struct.unpack("=iI", body[:8])
        self.text = body[8:].split(b"\0")[0].decode()

    def __repr__(self):
        return f"<refused {self.errnum} {self.text}>"


class Broker:
    """Asks the real broker, as stokerd does, as soon as it listens."""

    def __init__(self, path, deadline=60):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(deadline)
        wait_for(lambda: self.connected(path), "the broker's socket")
        self.id = 1000

    def connected(self, path):
        try:
            self.sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):  # not bound, or not listening yet
            return False
        return True

    def send(self, kind, body=b"", version=1, length=None, fd=None):
        self.id += 1
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", fd))] if fd is not None else []
        self.sock.sendmsg([HEADER.pack(version, kind, len(body) if length is None else length, self.id) + body], ancillary)
        return self.id

    def receive(self, wanted):
        """The answer to `wanted`; what was not asked is left aside."""
        end = time.monotonic() + self.sock.gettimeout()
        while time.monotonic() < end:
            data, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(4))
            if not data:
                raise ConnectionResetError("the broker closed")
            _, kind, _, number = HEADER.unpack(data[:HEADER.size])
            body = data[HEADER.size:]
            if number != wanted:
                continue
            if kind in (FINDING, LOOKED):
                return Finding(body)
            if kind == REFUSED:
                return Refused(body)
            if kind in (FS_MARKED, PROCESSES_READ, LOG_READ, SWEPT, VOLUME_RESULT):
                return {FS_MARKED: Marked, PROCESSES_READ: Processes, LOG_READ: Log, SWEPT: Swept, VOLUME_RESULT: VolumeResult}[kind](body)
            if kind == DESCRIPTOR:
                return struct.unpack("=i", ancillary[0][2][:4])[0]
            raise ValueError(f"record type {kind}")
        raise TimeoutError("no answer of the broker")

    def ask(self, kind, body=b"", fd=None):
        """Again, where the children of earlier ones are still on their way out: of some kinds two may be at work."""
        while True:
            answer = self.receive(self.send(kind, body, fd=fd))
            if not isinstance(answer, Refused) or answer.errnum != errno.EBUSY:
                return answer

    def receive_any(self):
        """The next record as it is: (id, type, body, descriptors)."""
        data, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(4))
        if not data:
            raise ConnectionResetError("the broker closed")
        _, kind, _, number = HEADER.unpack(data[:HEADER.size])
        return number, kind, data[HEADER.size:], [struct.unpack("=i", part[2][:4])[0] for part in ancillary]

    def receive_raw(self, wanted):
        """The answer to `wanted` as it is: (type, body, descriptors)."""
        while True:
            number, kind, body, fds = self.receive_any()
            if number == wanted:
                return kind, body, fds
            for fd in fds:
                os.close(fd)

    def probe(self, config_hash, watch=0, must_be_mounted=False):
        return self.receive(self.send(PROBE, probe_body(config_hash, watch, must_be_mounted)))

    def close(self):
        self.sock.close()


def fnv1a(data):
    """The configuration's hash, as base/config.h has it."""
    h = 0xcbf29ce484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return h
