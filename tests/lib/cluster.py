"""A real control plane on loopback: etcd, kube-apiserver with its audit log on, kube-scheduler. Ports are chosen free; state is
in memory; what was started is ended by its process."""
import atexit
import calendar
import json
import os
import socket
import ssl
import subprocess
import http.client
import time

from cases import Context, Skip, wait_for
from machine import free_ports

CACHE = os.environ.get("STOKER_CACHE", os.path.expanduser("~/.cache/stoker"))
ADMIN, SCHEDULER = "admin-token-of-the-test", "scheduler-token-of-the-test"

AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Request
  resources: [{group: "", resources: [nodes, nodes/status]}]
  verbs: [patch, update]
- level: Metadata
  resources: [{group: "", resources: [nodes, pods/binding]}]
- level: None
"""

RIGHTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stoker-system"}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stoker", "namespace": "stoker-system"}},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "stoker"},
     "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "patch"]},
               {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "stoker", "namespace": "stoker-system"},
     "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list", "create", "update"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "stoker", "namespace": "stoker-system"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "stoker"},
     "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": "stoker-system"}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "stoker"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "stoker"},
     "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": "stoker-system"}]},
]
EVENT_RIGHTS = [
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "stoker-events", "namespace": "default"},
     "rules": [{"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "stoker-events", "namespace": "default"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "stoker-events"},
     "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": "stoker-system"}]},
]
COLLECTION = {"Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/stoker-system/roles",
              "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/stoker-system/rolebindings",
              "Namespace": "/api/v1/namespaces", "ServiceAccount": "/api/v1/namespaces/stoker-system/serviceaccounts",
              "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
              "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"}

OWN_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease", "stoker-system"}
KEPT = []  # the control plane that is kept for the next case


def sh(*argv, stdin=None):
    result = subprocess.run(argv, input=stdin, capture_output=True)
    assert result.returncode == 0, (argv, result.stderr)
    return result.stdout


class Cluster:
    # no controller-manager here: a pod needs no ServiceAccount, a new node no taint
    APISERVER = ["--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"]
    SERVER = "kube-apiserver"  # or kube-apiserver-1.29: tests/peers/build kube-old
    NEEDS = ["etcd", "kube-scheduler"]
    RIGHTS = RIGHTS

    def __init__(self, t, scheduler=False, dir=None):
        for name in [*self.NEEDS, self.SERVER]:
            if not os.access(f"{CACHE}/bin/{name}", os.X_OK):
                raise Skip(f"{CACHE}/bin/{name} is missing: run tests/peers/build")
        self.t, self.dir, self.processes = t, dir or os.path.join(t.dir, "cluster"), {}
        os.makedirs(self.dir)
        self.etcd_port, self.etcd_peer_port, self.port, self.scheduler_port = free_ports(4)
        self.audit_path = f"{self.dir}/audit.log"
        self.pki()
        t.cleanup(self.down)
        t.note(lambda: f"--- kube-apiserver ---\n{self.tail('kube-apiserver')}")
        self.start_etcd()
        self.start_apiserver()
        for thing in self.RIGHTS:
            self.api("POST", COLLECTION[thing["kind"]], thing)
        wait_for(lambda: self.try_api("GET", "/api/v1/namespaces/default"), "the namespace default", is_ours=False)
        if scheduler:
            self.start_scheduler()

    # --- one for many cases ---

    @classmethod
    def shared(cls, t, scheduler=False):
        """Starting a control plane takes longer than most cases: one for all cases of this process, as if it had just been started. Not for
        those with admission policies: what is deleted and made again goes on with the parameters of its first life (docs/rights.md)."""
        if KEPT and (KEPT[0].program != (cls, cls.SERVER) or not KEPT[0].is_cleared()):
            KEPT.pop().t.close()
        if not KEPT:
            context = Context("control-plane")
            atexit.register(context.close)
            KEPT.append(cls(context))
            KEPT[0].program = (cls, cls.SERVER)
            KEPT[0].first_rbac = set(KEPT[0].rbac())
        t.note(lambda: f"--- kube-apiserver ---\n{KEPT[0].tail('kube-apiserver')}")
        if scheduler:
            KEPT[0].start_scheduler()
        return KEPT[0]

    def is_cleared(self):
        """Whatever a case has left is gone. False: it is easier to start another one."""
        try:
            self.clear()
            return True
        except (AssertionError, OSError, http.client.HTTPException):
            return False

    def clear(self):
        for name in set(self.processes) - {"etcd", "kube-apiserver"}:
            self.stop(name)
        if "kube-apiserver" not in self.processes:
            self.start_apiserver()
        for path in ("/api/v1/nodes", "/apis/coordination.k8s.io/v1/namespaces/stoker-system/leases"):
            self.empty(path)
        for space in [x["metadata"]["name"] for x in self.api("GET", "/api/v1/namespaces")["items"]]:
            for kind in ("pods", "events"):
                self.empty(f"/api/v1/namespaces/{space}/{kind}")
            if space not in OWN_NAMESPACES:  # nobody else here ends one that is being deleted
                self.request("DELETE", f"/api/v1/namespaces/{space}")
                self.request("PUT", f"/api/v1/namespaces/{space}/finalize", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}, "spec": {"finalizers": []}})
        for path in set(self.rbac()) - self.first_rbac:
            self.api("DELETE", path)
        for thing in self.RIGHTS:
            self.apply(thing)
        self.wait_rights()

    def empty(self, path):
        self.api("DELETE", path + "?gracePeriodSeconds=0")

        def is_empty():
            left = self.api("GET", path)["items"]
            for thing in left:  # what a finalizer keeps
                self.request("PATCH", f"{path}/{thing['metadata']['name']}", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
            return not left
        wait_for(is_empty, f"{path} to be empty", 10, is_ours=False)

    def rbac(self):
        """The paths of all roles and bindings."""
        for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"):
            for thing in self.api("GET", f"/apis/rbac.authorization.k8s.io/v1/{kind.lower()}s")["items"]:
                yield self.path_of({**thing, "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind})

    def is_allowed(self, verb, resource, namespace=""):
        """The agent, as the API server says itself. `resource`: "nodes/status", "leases.coordination.k8s.io"."""
        name, _, group = resource.partition(".")
        asked = {"group": group, "resource": name.split("/")[0], "subresource": (name.split("/") + [""])[1], "verb": verb, "namespace": namespace}
        return self.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": "system:serviceaccount:stoker-system:stoker", "resourceAttributes": asked}})["status"]["allowed"]

    def wait_rights(self):
        """A change of a role is in force a moment after its answer."""
        for verb, resource, space in (("patch", "nodes", ""), ("patch", "nodes/status", ""), ("update", "leases.coordination.k8s.io", "stoker-system")):
            wait_for(lambda: self.is_allowed(verb, resource, space), f"the right to {verb} {resource}", is_ours=False)

    # --- processes ---

    def start(self, name, *args, program=None):
        with open(f"{self.dir}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen([f"{CACHE}/bin/{program or name}", *args], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def tail(self, name, lines=15):
        with open(f"{self.dir}/{name}.log", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def stop(self, name):
        """SIGKILL: nothing here is worth a graceful end (kube-apiserver takes 10 s for it)."""
        p = self.processes.pop(name, None)
        if p:
            p.kill()
            p.wait()

    def down(self):
        for name in list(self.processes):
            self.stop(name)

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer_port}"
        self.start("etcd", "--data-dir", f"{self.dir}/etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
                   "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}", "--unsafe-no-fsync")

    def start_apiserver(self):
        d = self.dir
        self.start("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                   "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", f"--tls-cert-file={d}/api.crt",
                   f"--tls-private-key-file={d}/api.key", f"--token-auth-file={d}/tokens.csv", "--authorization-mode=Node,RBAC",
                   "--anonymous-auth=false", "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
                   f"--service-account-key-file={d}/sa.pub", f"--service-account-signing-key-file={d}/sa.key", "--profiling=false",
                   *(flag.format(dir=d) for flag in self.APISERVER),
                   f"--audit-policy-file={d}/audit-policy.yaml", f"--audit-log-path={self.audit_path}", "--audit-log-mode=blocking", program=self.SERVER)
        wait_for(lambda: self.processes["kube-apiserver"].poll() is not None or self.try_api("GET", "/readyz"), "kube-apiserver to be ready", 180, 0.05, is_ours=False)
        assert self.processes["kube-apiserver"].poll() is None, "kube-apiserver has ended: " + self.tail("kube-apiserver")

    def start_scheduler(self):
        self.start("kube-scheduler", f"--kubeconfig={self.kubeconfig('scheduler', SCHEDULER)}", "--bind-address=127.0.0.1",
                   f"--secure-port={self.scheduler_port}", "--leader-elect=false")

    # --- keys ---

    def pki(self):
        d = self.dir
        key = ("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out")
        for name in ("ca", "api", "sa"):
            sh(*key, f"{d}/{name}.key")
        sh("openssl", "req", "-x509", "-new", "-key", f"{d}/ca.key", "-subj", "/CN=test-ca", "-days", "30", "-out", f"{d}/ca.crt")
        request = sh("openssl", "req", "-new", "-key", f"{d}/api.key", "-subj", "/CN=kube-apiserver")
        with open(f"{d}/san", "w") as f:
            f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
        sh("openssl", "x509", "-req", "-CA", f"{d}/ca.crt", "-CAkey", f"{d}/ca.key", "-CAcreateserial", "-days", "30", "-extfile", f"{d}/san",
           "-out", f"{d}/api.crt", stdin=request)
        sh("openssl", "ec", "-in", f"{d}/sa.key", "-pubout", "-out", f"{d}/sa.pub")
        with open(f"{d}/tokens.csv", "w") as f:
            f.write(f'{ADMIN},admin,u1,"system:masters"\n{SCHEDULER},system:kube-scheduler,u2\n')
        with open(f"{d}/audit-policy.yaml", "w") as f:
            f.write(AUDIT_POLICY)
        self.tls = ssl.create_default_context(cafile=f"{d}/ca.crt")

    def kubeconfig(self, name, token=None, token_file=None):
        path = f"{self.dir}/{name}.kubeconfig"
        user = {"token": token} if token else {"tokenFile": token_file}
        with open(path, "w") as f:
            # JSON is YAML
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": f"{self.dir}/ca.crt"}}],
                       "users": [{"name": "u", "user": user}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}, f)
        os.chmod(path, 0o600)
        return path

    def service_account_token(self, seconds=3600, bound_to=None):
        """A token of the agent; bound to a Node or Pod (its object), as the kubelet's tokens are, it names the node."""
        spec = {"expirationSeconds": seconds}
        if bound_to:
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": bound_to["kind"], "name": bound_to["metadata"]["name"], "uid": bound_to["metadata"]["uid"]}
        answer = self.api("POST", "/api/v1/namespaces/stoker-system/serviceaccounts/stoker/token",
                          {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        return answer["status"]["token"]

    # --- the API ---

    def request(self, method, path, body=None, content_type="application/json", token=ADMIN):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=30)
        c.request(method, path, json.dumps(body) if body is not None else None, {"Authorization": f"Bearer {token}", "Content-Type": content_type})
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer.status, text

    def api(self, method, path, body=None, content_type="application/json"):
        status, text = self.request(method, path, body, content_type)
        assert status < 300, (method, path, status, text)
        return json.loads(text) if text.startswith("{") else text

    @staticmethod
    def path_of(thing):
        group, kind, name = thing["apiVersion"], thing["kind"].lower(), thing["metadata"]["name"]
        namespace = thing["metadata"].get("namespace")
        plural = kind[:-1] + "ies" if kind.endswith("y") else kind + ("es" if kind.endswith("s") else "s")
        return ("/api/" if group == "v1" else "/apis/") + group + (f"/namespaces/{namespace}" if namespace else "") + f"/{plural}/{name}"

    def apply(self, thing):
        """As kubectl apply --server-side does: made, or brought in line."""
        return self.api("PATCH", self.path_of(thing) + "?fieldManager=tests&force=true", thing, "application/apply-patch+yaml")

    def try_api(self, method, path):
        try:
            return self.api(method, path)
        except (OSError, AssertionError, http.client.HTTPException):
            return None

    def create_node(self, name, taints=()):
        self.api("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": list(taints)}})
        self.api("PATCH", f"/api/v1/nodes/{name}/status", {"status": {
            "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}, "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}, "application/strategic-merge-patch+json")

    def node(self, name):
        return self.api("GET", f"/api/v1/nodes/{name}")

    def condition(self, name, kind="stoker.dev/StorageReady"):
        return next((c for c in self.node(name)["status"].get("conditions", []) if c["type"] == kind), None)

    def taints(self, name):
        return self.node(name)["spec"].get("taints", [])

    def our_taint(self, name, key="stoker.dev/unhealthy"):
        return next((x for x in self.taints(name) if x["key"] == key), None)

    def patch_taints(self, name, taints):
        self.api("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": taints}}, "application/merge-patch+json")

    # --- the audit log ---

    def audit(self):
        """PATCHes of nodes that the API server has answered, as its own audit log has them; without dry runs."""
        events = []
        with open(self.audit_path) as f:
            for line in f:
                try:
                    e = json.loads(line)
                except ValueError:
                    continue  # the last line, while it is being written
                if e.get("verb") == "patch" and e.get("stage") == "ResponseComplete" and "dryRun=" not in e["requestURI"]:
                    events.append(e)
        return events

    @staticmethod
    def received_at(event):
        """Seconds since 1970 at which the API server had the request (microseconds are in the log)."""
        text = event["requestReceivedTimestamp"].rstrip("Z")
        whole, _, fraction = text.partition(".")
        return time_of(whole) + float("0." + (fraction or "0"))

    def agent_writes(self, since=0.0):
        return [e for e in self.audit() if e["user"]["username"].endswith(":stoker:stoker") or e["user"]["username"].endswith("stoker-system:stoker")
                if self.received_at(e) >= since]


def time_of(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))

