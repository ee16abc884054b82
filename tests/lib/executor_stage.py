"""Executors in real cgroups under a real stokerd and stoker-nri; the runtime is the test (small_runtime.py)."""
import json
import os

from container import Container, Pod
from node import Node, UnixConnection
import small_runtime


class Stage:
    """A node whose runtime is the test; or a real one (containerd.Runtime)."""

    def __init__(self, t, extra="", runtime=small_runtime.Runtime, **more):
        self.t = t
        self.socket = os.path.join(t.dir, "nri", "nri.sock")
        self.node = Node(t, extra=f"executors:\n  nriSocket: {self.socket}\n" + extra, **more)
        self.disk = self.node.disk("ext4")
        self.runtime = runtime(t, self.socket)
        self.node.start()

    def serve(self, *pods):
        self.runtime.serve(pods)
        self.node.wait("Healthy")
        self.node.wait_for(lambda: self.node.log("the runtime has named its containers"), "the synchronisation to have reached stokerd")

    def get(self, what):
        c = UnixConnection(self.node.http_socket)
        c.request("GET", f"/v1alpha1/{what}")
        answer = c.getresponse()
        body = answer.read()
        c.close()
        assert answer.status == 200, (answer.status, body)
        return json.loads(body)["items"]

    def executor(self, container, **want):
        def found():
            e = next((e for e in self.get("executors") if e["containerID"] == container.id), None)
            return e if e and all(e[k] == v for k, v in want.items()) else None
        return self.node.wait_for(found, f"the executor {want}")

    def death(self, container, lives=None):
        """The list is asked for when it has changed only: it is long."""
        seen = [None]

        def found():
            before, seen[0] = seen[0], self.kept()
            if seen[0] == before:
                return None
            return next((d for d in self.get("deaths") if d["executor"]["containerID"] == container.id and (lives is None or d["lives"] == lives)), None)
        return self.node.wait_for(found, "the death")

    def kept(self):
        """Changes with each death that is kept. None: none is."""
        try:
            ring = os.stat(f"{self.node.runtime}/deaths.json")
        except FileNotFoundError:
            return None
        return ring.st_ino, ring.st_size, ring.st_mtime_ns

    def new(self, *steps, pod=None, limit_mib=64, comm="java", executable=None, **more):
        """A container of a pod that was created, started and is watched."""
        pod = pod or Pod(self.t)
        container = Container(pod, limit_mib=limit_mib, **more)
        self.runtime.create(container)
        self.runtime.start(container, *steps, comm=comm, executable=executable)
        self.executor(container, watched=True)
        return container


def grow(t, stage, mib, **more):
    """One that takes memory when it is told to: (container, tell it)."""
    signal_file = os.path.join(t.dir, f"go-{os.urandom(4).hex()}")
    container = stage.new(f"await={signal_file}", f"anon-slowly={mib}", **more)

    def go():
        with open(signal_file, "w"):
            pass
    return container, go
