"""An NFS server as far as a ping needs one: answers the NULL procedure over TCP, until it is told to hang or to be gone."""
import socket
import struct
import threading

NFS = 100003


class NfsNull:
    def __init__(self, t, version=4):
        self.version, self.hung, self.asked = version, False, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        t.cleanup(self.end)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

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
            if self.hung:
                connection.recv(1)  # until the other end gives up
            elif version == self.version:
                connection.sendall(struct.pack(">IIIIIII", 1 << 31 | 24, xid, 1, 0, 0, 0, 0))
            else:
                connection.sendall(struct.pack(">IIIIIIIII", 1 << 31 | 32, xid, 1, 0, 0, 0, 2, self.version, self.version))

    def end(self):
        """Connections are refused from now on."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def begin_again(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()
