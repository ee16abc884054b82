"""The kernel's own NFS server on loopback, without its programs: what rpc.nfsd and rpc.mountd do for one export, as far as one client
of this machine needs it. NFS 4 only. Between it and the client a TCP forwarder that can be stopped, as a server that hangs or a
network that is gone."""
import os
import select
import signal
import socket
import subprocess
import threading
import time

SERVER_PORT, CLIENT_PORT = 2049, 2050
DOMAIN, FOREVER = "stoker-test", 2 ** 31 - 1
FSID, INSECURE_PORT, NO_SUBTREE_CHECK = 0x2000, 0x2, 0x400  # NFSEXP_… of linux/nfsd/export.h


def write(path, text):
    fd = os.open(path, os.O_WRONLY)  # exactly one write(2)
    try:
        os.write(fd, text.encode() + b"\n")
    finally:
        os.close(fd)


class NfsServer:
    def __init__(self, t, export):
        self.export, self.forwarder, self.ended, self.asked = export, None, False, []
        t.note(lambda: "--- what the kernel asked ---\n" + "".join(self.asked) + "--- the kernel ---\n" + subprocess.run(["dmesg"], capture_output=True, text=True).stdout[-3000:])
        for module in ("nfsd", "nfsv4"):
            subprocess.run(["modprobe", "-d", os.environ["STOKER_GUEST_KERNEL"], module], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd"], check=True)
        t.cleanup(lambda: subprocess.run(["umount", "/proc/fs/nfsd"], check=True))
        self.channels = {name: open(f"/proc/net/rpc/{name}/channel", "r+b", buffering=0) for name in ("auth.unix.ip", "nfsd.export", "nfsd.fh")}
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()
        t.cleanup(self.end)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", SERVER_PORT))
        listener.listen(8)
        write("/proc/fs/nfsd/versions", "-3 +4")  # nothing of it is registered with rpcbind, which is not there
        write("/proc/fs/nfsd/nfsv4gracetime", "10")
        write("/proc/fs/nfsd/portlist", str(listener.fileno()))
        write("/proc/fs/nfsd/threads", "2")
        t.cleanup(lambda: write("/proc/fs/nfsd/threads", "0"))
        self.start_forwarder()
        t.cleanup(self.forwarder.wait)
        t.cleanup(self.forwarder.kill)

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
        end = time.monotonic() + 60
        while subprocess.run(["sh", "-c", f"grep -q ' 0100007F:{CLIENT_PORT:04X} ' /proc/net/tcp"]).returncode:
            assert time.monotonic() < end, "the forwarder does not listen"
            time.sleep(0.1)

    def stop(self):
        self.forwarder.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.forwarder.send_signal(signal.SIGCONT)

    def refuse(self):
        """Nobody listens any more."""
        self.forwarder.kill()
        self.forwarder.wait()


def forward():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", CLIENT_PORT))
    listener.listen(8)
    other, poll = {}, select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                pair = (listener.accept()[0], socket.create_connection(("127.0.0.1", SERVER_PORT)))
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
