"""An NFS server as far as a ping needs one: answers the NULL procedure over TCP, until it is told to hang or to be gone. And a name
server that knows one name, for those who look it up."""
import socket
import struct
import threading

from machine import free_ports

NFS = 100003


class NfsNull:
    def __init__(self, t, version=4, address="127.0.0.1"):
        self.version, self.address, self.port, self.asked, self.going = version, address, free_ports(1)[0], 0, threading.Event()
        self.going.set()
        self.begin_again()
        t.cleanup(self.end)
        t.cleanup(self.go_on)

    def serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            call = connection.recv(44, socket.MSG_WAITALL)
            if len(call) < 44:
                return
            _, xid, kind, rpc, program, version, procedure = struct.unpack_from(">IIIIIII", call)
            assert (kind, rpc, program, procedure) == (0, 2, NFS, 0), call
            self.asked += 1
            self.going.wait()
            reply = struct.pack(">IIIIIII", 1 << 31 | 24, xid, 1, 0, 0, 0, 0) if version == self.version else \
                struct.pack(">IIIIIIIII", 1 << 31 | 32, xid, 1, 0, 0, 0, 2, self.version, self.version)
            try:
                connection.sendall(reply)
            except OSError:
                pass  # who asked has given up

    def hang(self):
        """Takes connections and calls, and does not answer them; go_on() answers all."""
        self.going.clear()

    def go_on(self):
        self.going.set()

    def end(self):
        """Connections are refused from now on."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def begin_again(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.listener = socket.create_server((self.address, self.port), family=family, backlog=64)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()


class NameServer:
    """Answers for `name` with these IPv4 addresses, and that there is nothing to everything else."""

    def __init__(self, t, address, name, addresses):
        self.question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        self.addresses, self.asked = addresses, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        t.cleanup(self.end)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, who = self.socket.recvfrom(512)
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            question = query[12:end]
            wanted = question.lower().startswith(self.question) and question[-4:-2] == b"\0\1"
            found = [socket.inet_aton(a) for a in self.addresses] if wanted else []
            self.asked += 1
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0) + question +
                               b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + a for a in found), who)

    def end(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.socket.getsockname())
        self.socket.close()
