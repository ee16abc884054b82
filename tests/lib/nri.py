"""A container runtime's side of NRI as a process (tests/peers/nri/runtime, any version of NRI), and pods as Spark makes them."""
import json
import os
import select
import subprocess
import time

from cases import Skip, wait_for
from cluster import CACHE

VERSIONS = ("0.3.0", "0.6.1", "0.8.0", "0.10.0", "0.11.0", "0.12.5")
OLD = ("0.3.0", "0.6.1")  # nothing is created while a plugin is synchronised
# A runtime of that NRI: what it says of itself before 0.12.
CONTAINERD = {"0.3.0": "v1.7.2", "0.6.1": "v1.7.23", "0.8.0": "v2.0.4", "0.10.0": "v2.2.0", "0.11.0": "v2.2.5", "0.12.5": "v2.3.4"}


def program(name, version):
    path = os.path.join(CACHE, "bin", f"nri-{name}-{version}")
    if not os.path.exists(path):
        raise Skip(f"nri-{name}-{version} is not built: tests/peers/build nri")
    return path


class Runtime:
    def __init__(self, t, version, *flags, socket=None):
        self.version = version
        self.socket = socket or os.path.join(t.dir, "nri", "nri.sock")
        os.makedirs(os.path.dirname(self.socket), exist_ok=True)
        self.log_path, self.events, self.text = os.path.join(t.dir, "runtime.log"), [], b""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program("runtime", version), "--socket", self.socket, "--name", "containerd", "--version", CONTAINERD[version], *flags],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        t.cleanup(self.end)
        t.note(lambda: "--- the runtime ---\n" + open(self.log_path, errors="replace").read()[-4000:])
        self.wait_event("started")
        self.events.clear()  # it also "synchronizes" those that it would start itself: nobody

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self.process.stdin.close()
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def read(self, deadline):
        """The next object that it says; None when there is none until then."""
        while b"\n" not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            assert more, "the runtime has ended"
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def ask(self, do, check=True, timeout=60, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + timeout
        while True:
            answer = self.read(deadline)
            assert answer is not None, f"no answer to {do} within {timeout} s"
            if "event" in answer:
                self.events.append(answer)
                continue
            assert not check or not answer["error"], answer
            if do in ("start", "restart"):
                self.events.clear()
            return answer

    def wait_event(self, name, count=1, timeout=60):
        """Until it was said so often since the last call; returns the last of them."""
        deadline = time.monotonic() + timeout
        while True:
            found = [e for e in self.events if e["event"] == name]
            if len(found) >= count:
                self.events = [e for e in self.events if e["event"] != name]
                return found[-1]
            said = self.read(deadline)
            assert said is not None, f"waited {timeout} s in vain for '{name}' of the runtime"
            assert "event" in said, said
            self.events.append(said)

    def is_counted(self):
        """From NRI 0.8 on a plugin is asked a moment after it was synchronised: until then a container is made without it."""
        with open(self.log_path, errors="replace") as f:
            said = f.read()
        return said.rfind("connected and synchronized") > said.rfind("synchronizing plugin")

    def synchronized(self, count=1):
        event = self.wait_event("synchronized", count)
        assert not event["error"], event
        if self.version not in OLD:
            wait_for(self.is_counted, "the plugin to be asked")
        return event


def pod(name, uid=None, labels=None, annotations=None, **more):
    return {"id": f"sandbox-{name}", "name": name, "uid": uid or f"uid-{name}", "namespace": "team-a", "labels": labels or {}, "annotations": annotations or {},
            "linux": {"cgroup_parent": f"/kubepods/burstable/pod{uid or name}"}, **more}


def spark_pod(name, **more):
    return pod(name, labels={"spark-role": "executor", "spark-app-selector": "spark-0123456789abcdef", "spark-exec-id": "3", "spark-app-name": "etl",
                             "spark-version": "3.5.3"}, **more)


def container(of, container_id, name="spark-kubernetes-executor", env=(), **more):
    return {"id": container_id, "pod_sandbox_id": of["id"], "name": name, "state": "CONTAINER_CREATED", "args": ["/opt/entrypoint.sh", "executor"],
            "env": ["SPARK_EXECUTOR_MEMORY=1g", "SPARK_EXECUTOR_ID=3", "SPARK_APPLICATION_ID=spark-0123456789abcdef", *env],
            "mounts": [{"destination": "/var/data/spark-x", "type": "bind", "source": "/var/lib/kubelet/x", "options": ["rbind", "rw"]}],
            "linux": {"cgroups_path": f"/kubepods/burstable/pod{of['uid']}/{container_id}", "oom_score_adj": {"value": "900"},
                      "resources": {"memory": {"limit": {"value": "1476395008"}}}}, **more}


def wait_live(node, deadline=60):
    return wait_for(lambda: node.input("nri")["state"] == "ok" and node.input("nri"), "the input nri to be ok", deadline)
