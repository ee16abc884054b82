"""The ContainerStatus side of a container runtime: gRPC over HTTP/2, written from the frames. It checks what it is asked and answers
what the test says; the test also says how it answers badly."""
import os
import socket
import threading

from small_runtime import message, parse

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7
END_STREAM, END_HEADERS = 1, 4
CREATED, RUNNING, EXITED, UNKNOWN = range(4)


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header(name, value):
    """Literal, never indexed, without Huffman (RFC 7541, 6.2.3)."""
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def grpc(payload):
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def status_message(container_id, state=EXITED, code=0, reason="Completed", words="", log="", finished_ns=0, more=()):
    return message((1, message((1, container_id), (3, state), (6, finished_ns), (7, code), (10, reason), (11, words), *more, (15, log))))


def answer(payload):
    body = grpc(payload)
    chunks = [body[i:i + 16384] for i in range(0, len(body), 16384)]
    return frame(HEADERS, END_HEADERS, 1, b"\x88" + header("content-type", "application/grpc")) + \
        b"".join(frame(DATA, 0, 1, c) for c in chunks) + frame(HEADERS, END_HEADERS | END_STREAM, 1, header("grpc-status", "0"))


def refusal(code, words):
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88" + header("content-type", "application/grpc") + header("grpc-status", str(code)) +
                 header("grpc-message", words))


class Cri:
    """answers: {container id: [status_message arguments or bytes], one for each question, the last again and again}"""

    def __init__(self, t, path):
        self.path, self.answers, self.asked, self.unknown = path, {}, [], refusal(5, "not found")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(64)
        self.connections = []
        threading.Thread(target=self.serve, daemon=True).start()
        t.cleanup(self.close)

    def close(self):
        if self.listening.fileno() < 0:
            return
        self.listening.shutdown(socket.SHUT_RDWR)  # ends the thread: left at it, it would serve whatever gets the number next
        self.listening.close()
        for c in self.connections:
            c.close()
        self.connections = []
        if os.path.exists(self.path):
            os.unlink(self.path)

    def serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            connection.sendall(frame(SETTINGS, 0, 0) + frame(PING, 0, 0, b"12345678"))
            said = self.answer_to(self.question(connection))
            connection.sendall(frame(SETTINGS, 1, 0))  # read: the windows that it asks for are those from now on
            if said is not None:
                connection.sendall(said)
            while connection.recv(4096):  # keeps it open, as runtimes do
                pass
        except OSError:
            pass

    @staticmethod
    def question(connection):
        """The id that is asked for; everything of the call is there at once."""
        data = b""

        def more(n):
            nonlocal data
            while len(data) < n:
                got = connection.recv(65536)
                if not got:
                    raise ConnectionResetError("the question is cut off")
                data += got
        more(len(PREFACE))
        assert data.startswith(PREFACE), data
        data = data[len(PREFACE):]
        body, kinds = b"", []
        while True:
            more(9)
            length, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
            more(9 + length)
            payload, data = data[9:9 + length], data[9 + length:]
            kinds.append(kind)
            if kind == DATA:
                body += payload
                if flags & END_STREAM:
                    break
        assert kinds[0] == SETTINGS and not data, (kinds, data)
        assert body[:1] == b"\0" and int.from_bytes(body[1:5], "big") == len(body) - 5, body
        return parse(body[5:])[1][0].decode()

    def answer_to(self, container_id):
        self.asked.append(container_id)
        rows = self.answers.get(container_id)
        if not rows:
            return self.unknown
        row = rows.pop(0) if len(rows) > 1 else rows[0]
        return row if row is None or isinstance(row, bytes) else answer(status_message(container_id, **row))
