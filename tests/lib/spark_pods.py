"""Real Spark on a real node: a driver in client mode, on this machine or as a pod, whose executors are pods that Spark itself makes.

The image is thin (images.spark): Java, Python, Spark's jars, shell and tini are this machine's, mounted read-only. Drivers listen on the pod
bridge's address; a driver's pod has the host's network, because the API server of these tests listens on loopback."""
import atexit
import json
import os
import signal
import subprocess
import uuid

import images
import jvm
from cases import Context, wait_for
from cluster import ADMIN, CACHE
from executor_node import ExecutorNode
from spark import Driver, environment

SOURCES = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../spark"))
HOST_OF_API = "127.0.0.1"
# As large as they are: how much is written can be told beforehand, 68 bytes a row of jobs.py's shuffle.
PLAIN_FILES = {"spark.shuffle.compress": "false", "spark.shuffle.spill.compress": "false"}


class SparkNode(ExecutorNode):
    def __init__(self, context, settings=""):
        super().__init__(context, settings)
        self.address = self.node.make_bridge()
        self.node.ctr("image", "import", "--local", images.spark(context.dir))
        wait_for(lambda: self.node.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200, "the namespace's ServiceAccount", 60)

    WORLD = []

    @classmethod
    def of_all_cases(cls, t, settings=""):
        """One node for all cases of a file: it takes half a minute."""
        if not cls.WORLD:
            context = Context("spark")
            atexit.register(context.close)
            cls.WORLD.append(cls(context, settings))
        w = cls.WORLD[0]
        t.note(lambda: "\n".join(str(d) for d in w.deaths()[:8]))
        t.note(w.stoker.logs)
        return w

    def pods(self, app_id, role="executor"):
        path = f"/api/v1/namespaces/default/pods?labelSelector=spark-app-selector%3D{app_id},spark-role%3D{role}"
        return self.node.api("GET", path)["items"]


def mounts(env):
    """What the thin image takes from this machine: (volumes, volumeMounts)."""
    python = os.path.dirname(os.path.dirname(os.path.realpath(env["PYSPARK_PYTHON"])))
    paths = ["/usr", "/etc/java-17-openjdk", "/etc/alternatives", os.path.join(CACHE, "spark")]
    if not python.startswith("/usr"):
        paths.append(python)
    return ([{"name": f"host-{i}", "hostPath": {"path": path, "type": "Directory"}} for i, path in enumerate(paths)],
            [{"name": f"host-{i}", "mountPath": path, "readOnly": True} for i, path in enumerate(paths)])


class PodJob(Driver):
    """One application. `conf` are Spark settings; with `as_pod` its driver is a pod with the labels that spark-submit gives to drivers, and owns
    its executors. `template` changes the spec of the executors' pod template, `driver` that of the driver's pod."""

    def __init__(self, t, w, heap_mib=512, overhead_mib=None, conf=None, as_pod=False, version="4.3.0", name="job", template=None, driver=None, master=None):
        self.t, self.w, self.app_id, self.template, self.driver = t, w, f"spark-{uuid.uuid4().hex}", template, driver
        self.name = f"{name}-{self.app_id[-6:]}"
        self.dir = f"{w.context.dir}/{self.name}"
        os.makedirs(self.dir)
        self.env = {**environment(version), "SPARK_LOCAL_IP": w.address}
        self.volumes, self.volume_mounts = mounts(self.env)
        owner = {"spark.kubernetes.driver.pod.name": self.name} if as_pod else {}
        settings = {**self.quick(), "spark.local.dir": f"{self.dir}/scratch", **self.settings(heap_mib, overhead_mib), **owner, **(conf or {})}
        self.env["PYSPARK_SUBMIT_ARGS"] = self.arguments(master or f"k8s://https://{HOST_OF_API}:{w.node.port}", settings)
        self.process, self.pod = None, None
        t.note(lambda: f"driver's stderr: …{self.words()[-3000:]}")
        t.cleanup(self.end)
        (self.start_pod if as_pod else self.start_process)()

    def settings(self, heap_mib, overhead_mib):
        template = f"{self.dir}/template.yaml"
        spec = {"terminationGracePeriodSeconds": 30, "volumes": list(self.volumes), "containers": [{"name": "executor", "volumeMounts": list(self.volume_mounts)}]}
        if self.template:
            self.template(spec)
        with open(template, "w") as f:  # JSON is YAML
            json.dump({"apiVersion": "v1", "kind": "Pod", "spec": spec}, f)
        kubernetes = {"authenticate.caCertFile": f"{self.w.node.dir}/ca.crt", "authenticate.oauthToken": ADMIN, "namespace": "default",
                      "container.image": images.SPARK, "container.image.pullPolicy": "Never", "executor.podTemplateFile": template,
                      "executor.podTemplateContainerName": "executor", "executor.request.cores": "100m"}
        settings = {"spark.app.id": self.app_id, "spark.executor.instances": "1", "spark.executor.cores": "1", "spark.executor.memory": f"{heap_mib}m",
                    "spark.executor.maxNumFailures": "100", "spark.driver.host": self.w.address, "spark.driver.bindAddress": self.w.address,
                    **{f"spark.kubernetes.{key}": value for key, value in kubernetes.items()},
                    **{f"spark.executorEnv.{key}": self.env[key] for key in ("SPARK_HOME", "JAVA_HOME", "PYSPARK_PYTHON")}}
        return {**settings, **({"spark.executor.memoryOverhead": f"{overhead_mib}m"} if overhead_mib else {})}

    # --- the driver ---

    def start_process(self):
        with open(f"{self.dir}/err", "w") as errors:
            self.process = subprocess.Popen([self.env["PYSPARK_PYTHON"], f"{SOURCES}/jobs.py"], env=self.env, cwd=self.dir, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        self.lines, self.asked = self.process.stdout, self.process.stdin

    def start_pod(self):
        """It reads and writes pipes that have names in a directory of this machine."""
        for name in ("asked", "said"):
            os.mkfifo(f"{self.dir}/{name}")
        # for reading and writing: opening one waits for nobody, and its end does not come when the pod ends
        self.asked = os.fdopen(os.open(f"{self.dir}/asked", os.O_RDWR), "wb", 0)
        self.lines = os.fdopen(os.open(f"{self.dir}/said", os.O_RDWR), "rb", 0)
        own = [self.w.node.dir, self.dir, SOURCES]
        container = {"name": "spark-kubernetes-driver", "image": images.SPARK, "imagePullPolicy": "Never", "workingDir": self.dir,
                     "args": ["sh", "-c", f"exec {self.env['PYSPARK_PYTHON']} {SOURCES}/jobs.py <asked >said 2>err"],
                     "env": [{"name": k, "value": v} for k, v in {**self.env, "SPARK_APPLICATION_ID": self.app_id}.items()],
                     "volumeMounts": [*self.volume_mounts, *({"name": f"own-{i}", "mountPath": path} for i, path in enumerate(own))],
                     "resources": {"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi", "cpu": "100m"}}}
        volumes = [*self.volumes, *({"name": f"own-{i}", "hostPath": {"path": path, "type": "Directory"}} for i, path in enumerate(own))]
        labels = {"spark-role": "driver", "spark-app-selector": self.app_id, "spark-app-name": "stoker-test", "spark-version": "4.3.0"}
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "hostNetwork": True,
                "volumes": volumes, "containers": [container]}
        if self.driver:
            self.driver(spec)
        self.pod = self.w.node.api("POST", "/api/v1/namespaces/default/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, "labels": labels}, "spec": spec})

    def begin(self, name, value=""):
        line = f"{name} {value}\n"
        self.asked.write(line.encode() if self.pod else line)
        self.asked.flush()

    def answer(self, name):
        while True:
            line = self.lines.readline()
            words = (line.decode() if self.pod else line).split()
            if words[:2] == ["STEP", name]:
                return words[2] == "ok", " ".join(words[4:])
            assert line, f"the driver ended before it answered to '{name}'"

    def words(self):
        try:
            with open(f"{self.dir}/err", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # --- its executors ---

    def executor(self):
        """(name of the pod, pid of the JVM) of the executor that works."""
        def found():
            for pod in self.w.pods(self.app_id):
                statuses = pod["status"].get("containerStatuses") or [{}]
                if not pod["metadata"].get("deletionTimestamp") and "running" in statuses[0].get("state", {}):
                    name = pod["metadata"]["name"]
                    for pid in jvm.find(lambda words: name.encode() in words):
                        return name, pid
            return None
        return wait_for(found, "an executor's JVM", 120, 0.2)

    @staticmethod
    def rss_mib(pid):
        """Of the container that this process is in: what was touched and is nobody's file."""
        with open(f"/proc/{pid}/cgroup") as f:
            path = next(line.strip().split(":", 2)[2] for line in f if ":memory:" in line)
        with open(f"/sys/fs/cgroup/memory{path}/memory.stat") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("total_rss ")) >> 20

    def end(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        if self.pod:
            self.w.delete(self.name)
            self.asked.close()
            self.lines.close()
        for pod in self.w.pods(self.app_id):
            self.w.node.request("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}?gracePeriodSeconds=1")
        wait_for(lambda: not self.w.pods(self.app_id), "its executors to be gone", 60, 0.2)


def both(one, other):
    def change(spec):
        one(spec)
        other(spec)
    return change


def as_user(uid):
    """Changes a pod's spec so that it runs as that user, and may write to its volumes."""
    def change(spec):
        spec["securityContext"] = {"runAsUser": uid, "runAsGroup": uid, "fsGroup": uid}
    return change


def with_volume(volume, path):
    """Changes a pod's spec so that its container has this volume there."""
    def change(spec):
        spec["volumes"].append(volume)
        spec["containers"][0]["volumeMounts"].append({"name": volume["name"], "mountPath": path})
    return change


def scratch(name, size):
    return {"name": name, "csi": {"driver": "csi.stoker.dev", "volumeAttributes": {"type": "scratch", "size": size}}}


def setting(death):
    """MiB of the setting that a death recommends."""
    assert death["value"].endswith("m"), death
    return int(death["value"][:-1])
