"""A real containerd (2.3, 2.2, 1.7), with NRI on or off, asked through crictl; runc makes its containers. Has the calls of small_runtime.Runtime, so
that what a case does with that it can do with this. Works on v1, hybrid and v2 and needs no network: pods have the host's."""
import json
import os
import select
import shutil
import signal
import subprocess
import time

import images
from cases import Skip, wait_for
from cluster import CACHE
from container import PAYLOAD
from kubenode import KubeNode

NEWEST = "2.3"
NAMES = ("redis-server", "fluent-bit", "python3", "a,pid=1,uid=0")  # that a container's process may bear, beside java
EMULATED = "STOKER_GUEST_KERNEL" in os.environ  # tests/guest/boot
HOST = 2  # CRI's NamespaceMode NODE
OWN = 1

COMMON = """root = "{home}/root"
state = "{home}/state"
[grpc]
  address = "{home}/containerd.sock"
[ttrpc]
  address = "{home}/containerd.sock.ttrpc"
[plugins."io.containerd.nri.v1.nri"]
  disable = {nri_is_off}
{nri_patience}  socket_path = "{nri_socket}"
  plugin_path = "{home}/nri-plugins"
  plugin_config_path = "{home}/nri-conf.d"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
"""
# An emulated processor: a shim takes longer to start, to answer and to be cleaned up after than containerd waits by itself (2 to 5 s), and then it
# loses the task that it was asked about.
NRI_PATIENCE = """  plugin_registration_timeout = "60s"
  plugin_request_timeout = "30s"
"""
PATIENCE = """[timeouts]
  "io.containerd.timeout.shim.cleanup" = "60s"
  "io.containerd.timeout.shim.load" = "60s"
  "io.containerd.timeout.shim.shutdown" = "60s"
  "io.containerd.timeout.task.state" = "60s"
"""
OF_2 = "version = 3\n" + COMMON + """[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{home}/cni"]
    conf_dir = "{home}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "/usr/sbin/runc"
"""
OF_1_7 = "version = 2\n" + COMMON + """[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{home}/cni"
    conf_dir = "{home}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
"""


def programs(version):
    return f"{CACHE}/bin" if version == NEWEST else f"{CACHE}/bin/containerd-{version}"


class Process:
    """The first process of a container, for who knows subprocess.Popen."""

    def __init__(self, pid):
        self.pid, self.fd = pid, os.pidfd_open(pid)

    def poll(self):
        return 0 if select.select([self.fd], [], [], 0)[0] else None

    def wait(self, timeout=None):
        if not select.select([self.fd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a container's process", timeout)
        return 0

    def send_signal(self, number):
        signal.pidfd_send_signal(self.fd, number)

    def kill(self):
        try:
            self.send_signal(signal.SIGKILL)
        except ProcessLookupError:
            pass


class Runtime:
    def __init__(self, t, nri_socket, version=NEWEST, nri=True):
        for path in (f"{programs(version)}/containerd", f"{programs(version)}/ctr", f"{CACHE}/bin/crictl", "/usr/sbin/runc"):
            if not os.access(path, os.X_OK):
                raise Skip(f"{path} is missing: tests/peers/build node runtimes")
        self.t, self.version, self.pods, self.directories = t, version, {}, []
        self.home = f"{t.dir}/containerd"
        for name in ("", "cni"):
            os.makedirs(f"{self.home}/{name}")
        os.makedirs(os.path.dirname(nri_socket), exist_ok=True)
        with open(f"{self.home}/config.toml", "w") as f:
            f.write((OF_1_7 if version == "1.7" else OF_2).format(home=self.home, nri_socket=nri_socket, nri_is_off=str(not nri).lower(), pause=images.PAUSE,
                                                                  nri_patience=NRI_PATIENCE if EMULATED else "") + (PATIENCE if EMULATED else ""))
        t.note(lambda: "--- containerd ---\n" + open(f"{self.home}/log", errors="replace").read()[-3000:])
        t.cleanup(self.close)
        with open(f"{self.home}/log", "ab") as log:
            self.daemon = subprocess.Popen([f"{programs(version)}/containerd", "-c", f"{self.home}/config.toml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**os.environ, "PATH": f"{programs(version)}:{os.environ['PATH']}"})
        wait_for(lambda: self.ctr("version", check=False).returncode == 0, "containerd", 120, 0.1)
        for archive in (images.pause(self.home), images.payload(self.home, PAYLOAD, NAMES)):
            self.ctr("image", "import", *([] if version == "1.7" else ["--local"]), archive)

    def ctr(self, *args, check=True):
        r = subprocess.run([f"{programs(self.version)}/ctr", "-a", f"{self.home}/containerd.sock", "-n", "k8s.io", *args], capture_output=True, text=True)
        assert not check or r.returncode == 0, (args, r.stderr)
        return r

    def crictl(self, *args, check=True):
        socket = f"unix://{self.home}/containerd.sock"
        r = subprocess.run([f"{CACHE}/bin/crictl", "--runtime-endpoint", socket, "--image-endpoint", socket, "--timeout", "600s" if EMULATED else "60s", *args],
                           capture_output=True, text=True)
        assert not check or r.returncode == 0, (args, r.stdout, r.stderr)
        return r.stdout.strip()

    # --- what CRI is told ---

    def write(self, name, thing):
        path = f"{self.home}/{name}.json"
        with open(path, "w") as f:
            json.dump(thing, f)
        return path

    def pod_config(self, pod):
        return self.write(f"pod-{pod.uid}", {
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}, "labels": pod.labels, "annotations": pod.annotations,
            "linux": {"cgroup_parent": pod.cgroup_parent, "security_context": {"namespace_options": {"network": HOST, "pid": OWN}}}})

    def container_config(self, c, steps, comm):
        """Its steps are in a file: the runtime shows command lines to whoever asks, and they name the cause."""
        number = os.urandom(4).hex()
        path = f"{self.home}/steps-{number}"
        with open(path, "w") as f:
            f.write("".join(f"{s}\n" for s in steps))
        score = 900 if c.oom_score_adj is None else c.oom_score_adj  # kubelet's, of a Burstable pod
        resources = {"memory_limit_in_bytes": c.limit_bytes, "oom_score_adj": score}
        return self.write(f"container-{number}", {
            "metadata": {"name": c.name}, "image": {"image": images.PAYLOAD}, "command": [f"/usr/bin/{comm}"], "args": [*c.args, f"do={path}"],
            "envs": [dict(zip(("key", "value"), e.split("=", 1))) for e in c.env], "mounts": [{"container_path": self.t.dir, "host_path": self.t.dir}],
            "linux": {"resources": resources, "security_context": {"namespace_options": {"network": HOST, "pid": OWN}}}})

    # --- as small_runtime.Runtime ---

    def serve(self, pods=()):
        """It serves since it was started; its plugin finds it."""

    def create(self, c):
        """With its start: one call."""
        c.created = time.time()

    def start(self, c, *steps, comm="java", executable=None, log=None):
        assert executable is None and log is None, "the image has what it has"
        pod = self.pod_config(c.pod)
        self.directories.append(c.pod.directory)
        config = self.container_config(c, steps, comm)
        if c.pod.uid in self.pods:
            container = self.crictl("create", self.pods[c.pod.uid], config, pod)
            self.crictl("start", container)
        else:
            container = self.crictl("run", "--no-pull", config, pod)
        c.id, c.cgroups_path = container, f"{c.pod.cgroup_parent}/{container}"
        c.directory = f"{c.pod.directory}/{container}"
        if c.pod.uid not in self.pods:
            self.pods[c.pod.uid] = c.pod.sandbox_id = next(d for d in os.listdir(c.pod.directory) if len(d) == 64 and d != container)
        pids = c.pids()
        c.process = Process(pids[0]) if pids else None

    def stopped(self, c):
        if c.process:
            c.process.wait()

    def exit_code(self, c):
        """As the runtime shows it to who asks."""
        def ended():
            status = json.loads(self.crictl("inspect", "-o", "json", c.id))["status"]
            return status if status["state"] == "CONTAINER_EXITED" else None
        return wait_for(ended, "the runtime to say that it has ended", 60, 0.2)["exitCode"]

    def remove(self, c):
        """With its pod."""

    def stop_pod(self, pod):
        sandbox = self.pods.pop(pod.uid, None)
        if sandbox:
            self.crictl("rmp", "-f", sandbox)
        for hierarchy in os.listdir("/sys/fs/cgroup"):
            for path in (pod.cgroup_parent, "/kubepods/burstable", "/kubepods"):  # v1 has it in each
                try:
                    os.rmdir(f"/sys/fs/cgroup/{hierarchy}{path}")
                except OSError:
                    pass  # none there, or not the last

    # --- end ---

    def shims(self):
        """They outlive containerd; ours are those that were given our socket."""
        listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout.splitlines()
        return [int(line.split()[0]) for line in listed if "containerd-shim-runc-v2 " in line and f"-address {self.home}/containerd.sock" in line]

    def close(self):
        for sandbox in self.crictl("pods", "-q", check=False).split():
            self.crictl("rmp", "-f", sandbox, check=False)
        if hasattr(self, "daemon"):
            self.daemon.terminate()
            try:
                self.daemon.wait(20)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        for directory in self.directories:
            KubeNode.empty_cgroup(directory)
        for line in reversed(open("/proc/self/mountinfo").read().splitlines()):
            if line.split()[4].startswith(self.home + "/"):
                subprocess.run(["umount", "-l", line.split()[4]], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.home, ignore_errors=True)
