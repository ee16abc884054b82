"""A whole real node in a machine of its own (machine.py): control plane with controllers, containerd, kubelet. Everything in memory, in cgroups of
its own; what was started is ended, what was mounted is unmounted.

No kube-proxy and no DNS: a pod that needs the API uses the host's network and finds it in KUBERNETES_SERVICE_HOST and _PORT."""
import glob
import json
import os
import signal
import socket
import subprocess

import images
import machine
from cases import Skip, wait_for
from cluster import ADMIN, CACHE, Cluster, sh

CONTROLLERS, KUBELET = "controllers-token-of-the-test", "kubelet-token-of-the-test"
POD_LOGS = "/var/log/pods"  # where the kubelets of the world have them, and Stoker looks
BRIDGE, NETWORK = "pods", "10.244.0"

CONTAINERD = """version = 3
root = "{root}"
state = "{run}/containerd/state"
[grpc]
  address = "{run}/containerd.sock"
[ttrpc]
  address = "{run}/containerd.sock.ttrpc"
[plugins."io.containerd.nri.v1.nri"]
  disable = false
  socket_path = "{nri}/nri.sock"
  plugin_path = "{run}/containerd/nri-plugins"
  plugin_config_path = "{run}/containerd/nri-conf.d"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{cache}/bin/cni"]
    conf_dir = "{run}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/containerd/opt"
"""


class KubeNode(Cluster):
    NEEDS = Cluster.NEEDS + ["kube-controller-manager", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "cni/bridge"]
    RIGHTS = []  # the DaemonSet brings its own
    APISERVER = ["--client-ca-file={dir}/ca.crt", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
                 "--kubelet-client-certificate={dir}/kubelet-client.crt", "--kubelet-client-key={dir}/kubelet-client.key",
                 "--kubelet-preferred-address-types=Hostname"]

    def __init__(self, t, containerd_root=None, kubelet_root=None, kubelet=None):
        """`kubelet`: more of its configuration."""
        assert machine.OWN, "main(machine.own): a node would write all over this machine"
        if not os.path.exists("/usr/sbin/runc") or not os.path.exists("/bin/busybox"):
            raise Skip("runc or busybox-static is missing")
        self.name = socket.gethostname().lower()
        try:
            socket.gethostbyname(self.name)
        except OSError:
            raise Skip(f"this host's name '{self.name}' does not resolve: kubectl exec could not find the kubelet")
        self.run = os.path.join(t.dir, "node")
        self.nri = f"{self.run}/nri"  # /var/run/nri elsewhere
        self.containerd_root = containerd_root or f"{self.run}/containerd/root"
        self.kubelet_root, self.kubelet_settings = kubelet_root or f"{self.run}/kubelet", kubelet or {}
        self.cgroup = f"stoker-test-{os.getpid()}"
        self.kubelet_port, self.kubelet_health_port, self.controllers_port = machine.free_ports(3)
        os.makedirs(self.run)
        t.cleanup(self.clean)
        super().__init__(t, scheduler=True)
        self.start("kube-controller-manager", f"--kubeconfig={self.kubeconfig('controllers', CONTROLLERS)}", "--bind-address=127.0.0.1",
                   f"--secure-port={self.controllers_port}", "--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000",
                   f"--service-account-private-key-file={self.dir}/sa.key", f"--root-ca-file={self.dir}/ca.crt",
                   "--use-service-account-credentials=true", "--node-monitor-period=2s", "--node-monitor-grace-period=20s")
        self.start_containerd()
        self.start_kubelet()
        wait_for(lambda: (self.condition_or_none("Ready") or {}).get("status") == "True", "the node to be Ready", 120, 0.1)

    # --- beginning ---

    def pki(self):
        super().pki()
        d = self.dir
        sh("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{d}/kubelet-client.key")
        request = sh("openssl", "req", "-new", "-key", f"{d}/kubelet-client.key", "-subj", "/O=system:masters/CN=apiserver-kubelet-client")
        sh("openssl", "x509", "-req", "-CA", f"{d}/ca.crt", "-CAkey", f"{d}/ca.key", "-CAcreateserial", "-days", "30", "-out", f"{d}/kubelet-client.crt",
           stdin=request)
        with open(f"{d}/tokens.csv", "a") as f:
            f.write(f'{CONTROLLERS},system:kube-controller-manager,u3\n{KUBELET},system:node:{self.name},u4,"system:nodes"\n')

    def start_containerd(self):
        for name in ("cni", "containerd"):
            os.makedirs(f"{self.run}/{name}")
        os.makedirs(self.kubelet_root, exist_ok=True)
        with open(f"{self.run}/containerd.toml", "w") as f:
            f.write(CONTAINERD.format(run=self.run, root=self.containerd_root, cache=CACHE, nri=self.nri, pause=images.PAUSE))
        with open(f"{self.run}/cni/10-bridge.conflist", "w") as f:
            json.dump({"cniVersion": "1.0.0", "name": "test", "plugins": [
                {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "hairpinMode": True,
                 "ipam": {"type": "host-local", "dataDir": f"{self.run}/cni-ipam", "ranges": [[{"subnet": f"{NETWORK}.0/24"}]],
                          "routes": [{"dst": "0.0.0.0/0"}]}}]}, f)
        os.environ["PATH"] = f"{CACHE}/bin:" + os.environ["PATH"]  # containerd looks for its shim there
        self.start("containerd", "-c", f"{self.run}/containerd.toml")
        wait_for(lambda: self.ctr("version", check=False).returncode == 0, "containerd", 60, 0.05)
        for make in (images.pause, images.busybox):
            self.ctr("image", "import", "--local", make(self.run))

    @staticmethod
    def make_bridge():
        """Before the first pod: gives its address, where pods reach what listens on this machine."""
        address = f"{NETWORK}.1"
        if subprocess.run(["ip", "link", "show", BRIDGE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            sh("ip", "link", "add", BRIDGE, "type", "bridge")
            sh("ip", "addr", "add", f"{address}/24", "dev", BRIDGE)
            sh("ip", "link", "set", BRIDGE, "up")
        return address

    def start_kubelet(self):
        with open("/proc/self/mountinfo") as f:  # os.path.ismount does not see a bind mount of the same filesystem
            is_mount = any(line.split()[4] == self.kubelet_root for line in f)
        if not is_mount:
            sh("mount", "--bind", self.kubelet_root, self.kubelet_root)  # kubelet wants a mount that it can share
        sh("mount", "--make-rshared", self.kubelet_root)
        self.make_cgroups()
        config = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": "127.0.0.1", "port": self.kubelet_port,
                  "readOnlyPort": 0, "healthzBindAddress": "127.0.0.1", "healthzPort": self.kubelet_health_port,
                  "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": f"{self.dir}/ca.crt"}},
                  "authorization": {"mode": "Webhook"}, "containerRuntimeEndpoint": f"unix://{self.run}/containerd.sock",
                  "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + self.cgroup, "failCgroupV1": False, "failSwapOn": False,
                  "makeIPTablesUtilChains": False, "resolvConf": "/etc/resolv.conf", "podLogsDir": POD_LOGS,
                  "volumePluginDir": f"{self.run}/volume-plugins", "nodeStatusUpdateFrequency": "2s", "nodeStatusReportFrequency": "10s",
                  "syncFrequency": "5s", "configMapAndSecretChangeDetectionStrategy": "Watch", "imageGCHighThresholdPercent": 100,
                  "imageGCLowThresholdPercent": 99, "maxOpenFiles": 20000, "serializeImagePulls": False,
                  "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"}, **self.kubelet_settings}
        with open(f"{self.run}/kubelet.yaml", "w") as f:
            json.dump(config, f)
        self.start("kubelet", f"--config={self.run}/kubelet.yaml", f"--kubeconfig={self.kubeconfig('kubelet', KUBELET)}", f"--hostname-override={self.name}",
                   f"--root-dir={self.kubelet_root}", f"--cert-dir={self.run}/kubelet-pki", "--v=2")

    def controllers(self):
        return [d for d in glob.glob("/sys/fs/cgroup/*") if os.path.exists(f"{d}/cgroup.procs")]

    def make_cgroups(self):
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            raise Skip("cgroup v2 on the host: this tier knows v1 and hybrid; v2 is the guest's")
        for d in self.controllers():
            os.makedirs(f"{d}/{self.cgroup}", exist_ok=True)
            if os.path.exists(f"{d}/{self.cgroup}/cpu.shares"):  # else all pods together count as one process beside those of other tests
                with open(f"{d}/{self.cgroup}/cpu.shares", "w") as f:
                    f.write("8192")
        for name in ("cpuset.cpus", "cpuset.mems"):
            with open(f"/sys/fs/cgroup/cpuset/{name}") as f, open(f"/sys/fs/cgroup/cpuset/{self.cgroup}/{name}", "w") as out:
                out.write(f.read())

    # --- end ---

    def ctr(self, *args, check=True):
        r = subprocess.run([f"{CACHE}/bin/ctr", "-a", f"{self.run}/containerd.sock", "-n", "k8s.io", *args], capture_output=True, text=True)
        assert not check or r.returncode == 0, (args, r.stderr)
        return r

    def down(self):
        self.stop("kubelet")
        if "containerd" in self.processes:
            tasks = self.ctr("task", "ls", "-q", check=False).stdout.split()
            for what in (["task", "kill", "-s", "KILL"], ["task", "rm", "-f"], ["container", "rm"]):
                running = [subprocess.Popen([f"{CACHE}/bin/ctr", "-a", f"{self.run}/containerd.sock", "-n", "k8s.io", *what, task],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for task in tasks]
                for p in running:
                    p.wait()
        super().down()

    def shims(self):
        """A sandbox's shim outlives containerd; ours are those that were given our socket."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if words and words[0].endswith(b"containerd-shim-runc-v2") and f"{self.run}/containerd.sock".encode() in words:
                found.append(int(path.split("/")[2]))
        return found

    def clean(self):
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.shims(), "the sandboxes' shims to end", 20)
        for d in self.controllers():
            self.empty_cgroup(f"{d}/{self.cgroup}")
        with open("/proc/self/mountinfo") as f:
            below = [line.split()[4] for line in f if line.split()[4].startswith((self.run + "/", self.kubelet_root + "/"))]
        for path in reversed(below):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL)

    @staticmethod
    def empty_cgroup(path):
        """Ends what is still in a cgroup that we made, and removes it."""
        groups = sorted(glob.glob(f"{path}/**/", recursive=True), key=len, reverse=True)
        for group in groups:
            try:
                with open(f"{group}/cgroup.procs") as f:
                    for pid in f.read().split():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
        for group in groups:
            try:
                wait_for(lambda: not open(f"{group}/cgroup.procs").read(), "the cgroup to be empty", 10)
                os.rmdir(group)
            except (OSError, AssertionError):
                pass

    # --- use ---

    def condition_or_none(self, kind):
        node = self.try_api("GET", f"/api/v1/nodes/{self.name}")
        return next((c for c in (node or {}).get("status", {}).get("conditions", []) if c["type"] == kind), None)

    def kubectl(self, *args, stdin=None, check=True, timeout=120):
        if not os.path.exists(f"{self.dir}/admin.kubeconfig"):
            self.kubeconfig("admin", ADMIN)
        r = subprocess.run([f"{CACHE}/bin/kubectl", "--kubeconfig", f"{self.dir}/admin.kubeconfig", *args], input=stdin, capture_output=True, text=True,
                           timeout=timeout)
        assert not check or r.returncode == 0, (args, r.stdout, r.stderr)
        return r
