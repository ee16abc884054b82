"""The kernel's own NFS server on loopback, without its programs: what rpc.nfsd and rpc.mountd do for one export, as far as one client
of this machine needs it. NFS 4 only; with NFS 3 Debian's rpcbind, exportfs and rpc.mountd do it (fetched by boot). Between it and the
client a TCP forwarder that can be stopped, as a server that hangs or a network that is gone."""
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import Skip, wait_for  # noqa: E402

SERVER_PORT, CLIENT_PORT, RPCBIND_PORT, MOUNTD = 2049, 2050, 111, 100005
DOMAIN, FOREVER = "stoker-test", 2 ** 31 - 1
FSID, INSECURE_PORT, NO_SUBTREE_CHECK = 0x2000, 0x2, 0x400  # NFSEXP_… of linux/nfsd/export.h


def write(path, text):
    fd = os.open(path, os.O_WRONLY)  # exactly one write(2)
    try:
        os.write(fd, text.encode() + b"\n")
    finally:
        os.close(fd)


def listening(family, address, port):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen(8)
    return listener


def is_listened_on(port, family="tcp"):
    with open(f"/proc/net/{family}") as f:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in f)


def port_of(program, version):
    """As rpcbind knows it (PMAPPROC_GETPORT over TCP); 0 = not registered."""
    with socket.create_connection(("127.0.0.1", RPCBIND_PORT)) as s:
        call = struct.pack(">14I", 1, 0, 2, 100000, 2, 3, 0, 0, 0, 0, program, version, socket.IPPROTO_TCP, 0)
        s.sendall(struct.pack(">I", 1 << 31 | len(call)) + call)
        return struct.unpack(">I", s.recv(32, socket.MSG_WAITALL)[-4:])[0]


class NfsServer:
    def __init__(self, t, export, v3=False):
        self.t, self.export, self.forwarder, self.ended, self.asked = t, export, None, False, []
        t.note(lambda: "--- what the kernel asked ---\n" + "".join(self.asked) + "--- the kernel ---\n" + subprocess.run(["dmesg"], capture_output=True, text=True).stdout[-3000:])
        for module in ("nfsd", "nfsv4", *(("nfsv3",) if v3 else ())):
            subprocess.run(["modprobe", "-d", os.environ["STOKER_GUEST_KERNEL"], module], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd"], check=True)
        t.cleanup(lambda: subprocess.run(["umount", "/proc/fs/nfsd"], check=True))
        if v3:
            self.start_programs()
        else:
            self.start_answering()
        write("/proc/fs/nfsd/versions", "+3 +4" if v3 else "-3 +4")  # what of it is 3 is registered with rpcbind
        write("/proc/fs/nfsd/nfsv4gracetime", "10")
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = listening(family, address, SERVER_PORT)
            write("/proc/fs/nfsd/portlist", str(listener.fileno()))
        write("/proc/fs/nfsd/threads", "2")
        t.cleanup(lambda: write("/proc/fs/nfsd/threads", "0"))
        self.start_forwarder()
        t.cleanup(self.forwarder.wait)
        t.cleanup(self.forwarder.kill)

    def start_answering(self):
        self.channels = {name: open(f"/proc/net/rpc/{name}/channel", "r+b", buffering=0) for name in ("auth.unix.ip", "nfsd.export", "nfsd.fh")}
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()
        self.t.cleanup(self.end)

    def start_programs(self):
        """In a mount namespace in which they find their user and their state; what they listen on is everybody's."""
        userland = f"{os.environ['STOKER_GUEST_KERNEL']}/../nfs"
        if not os.path.exists(f"{userland}/usr/sbin/rpc.mountd"):
            raise Skip("rpc.mountd could not be fetched (tests/guest/boot)")
        with open(f"{self.t.dir}/passwd", "w") as f:
            f.write(open("/etc/passwd").read() + "_rpc:x:124:65534::/run/rpcbind:/usr/sbin/nologin\n")
        script = f"""mount -t tmpfs none /var/lib && mkdir -p /var/lib/nfs /run/rpcbind && touch /var/lib/nfs/etab /var/lib/nfs/rmtab
            mount --bind {self.t.dir}/passwd /etc/passwd
            {userland}/sbin/rpcbind -f & {userland}/usr/sbin/exportfs -i -o rw,insecure,no_root_squash,no_subtree_check,fsid=0 '*:{self.export}'
            until {userland}/usr/sbin/rpc.mountd -F -d general; do sleep 0.2; done"""
        log = open(f"{self.t.dir}/programs", "wb")
        programs = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                    env={**os.environ, "LD_LIBRARY_PATH": f"{userland}/usr/lib/x86_64-linux-gnu"})
        self.t.note(lambda: "--- the server's programs ---\n" + open(f"{self.t.dir}/programs", errors="replace").read()[-3000:])
        self.t.cleanup(programs.wait)
        self.t.cleanup(lambda: os.killpg(programs.pid, signal.SIGKILL))
        wait_for(lambda: is_listened_on(RPCBIND_PORT) and port_of(MOUNTD, 3), "rpc.mountd to be known to rpcbind", pause=0.1)

    def end(self):
        self.ended = True
        self.thread.join()

    def answer(self):
        """The kernel asks: whose address is it, what is exported there, which path has this handle."""
        replies = {"auth.unix.ip": lambda w: f"{w[0]} {w[1]} {FOREVER} {DOMAIN}\n",
                   "nfsd.export": lambda w: f"{w[0]} {w[1]} {FOREVER} {FSID | INSECURE_PORT | NO_SUBTREE_CHECK} 65534 65534 0\n" if w[1] == self.export else f"{w[0]} {w[1]} {FOREVER}\n",
                   "nfsd.fh": lambda w: f"{w[0]} {w[1]} {w[2]} {FOREVER} {self.export}\n"}
        poll = select.poll()
        names = {}
        for name, channel in self.channels.items():
            poll.register(channel, select.POLLIN)
            names[channel.fileno()] = name
        while not self.ended:
            for fd, _ in poll.poll(200):
                line = os.read(fd, 8192).decode()
                self.asked.append(f"{names[fd]}: {line}")
                if line:
                    os.write(fd, replies[names[fd]](line.split()).encode())

    def start_forwarder(self):
        self.forwarder = subprocess.Popen(["python3", os.path.abspath(__file__)])
        wait_for(lambda: is_listened_on(CLIENT_PORT, "tcp6"), "the forwarder to listen", pause=0.1)

    def stop(self):
        self.forwarder.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.forwarder.send_signal(signal.SIGCONT)

    def refuse(self):
        """Nobody listens any more."""
        self.forwarder.kill()
        self.forwarder.wait()


def forward():
    listeners = [listening(socket.AF_INET, "127.0.0.1", CLIENT_PORT), listening(socket.AF_INET6, "::1", CLIENT_PORT)]
    other, poll = {}, select.poll()
    for listener in listeners:
        poll.register(listener, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            listener = next((each for each in listeners if each.fileno() == fd), None)
            if listener:
                pair = (listener.accept()[0], socket.create_connection((listener.getsockname()[0], SERVER_PORT)))
                for one, two in (pair, pair[::-1]):
                    other[one.fileno()] = (one, two)
                    poll.register(one, select.POLLIN)
                continue
            if fd not in other:
                continue
            one, two = other[fd]
            data = one.recv(65536)
            if data:
                two.sendall(data)
                continue
            for end in (one, two):
                poll.unregister(end)
                del other[end.fileno()]
            one.close()
            two.close()


if __name__ == "__main__":
    forward()
