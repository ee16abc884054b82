"""Container images made by hand, as OCI archives: pause (which every pod sandbox needs) and busybox (what the tests do in pods).
No registry is asked for anything."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

PAUSE, BUSYBOX, PAYLOAD, SPARK = "localhost/pause:test", "localhost/busybox:test", "localhost/payload:test", "localhost/spark:test"
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("STOKER_CACHE", os.path.expanduser("~/.cache/stoker"))

PAUSE_C = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s) { (void)s; _exit(0); }
static void reap(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }
"""


def blob(files):
    """A layer: {path: bytes | ("link", target) | None for a directory}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                tar.addfile(info)
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, content[1]
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def archive(path, tag, layer, config):
    blobs = {}

    def put(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    layer_at = put(layer, "application/vnd.oci.image.layer.v1.tar")
    config_at = put(json.dumps({"architecture": machine, "os": "linux", "config": config,
                                "rootfs": {"type": "layers", "diff_ids": [layer_at["digest"]]}}).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config_at,
                               "layers": [layer_at]}).encode(), "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag}
    files = {**blobs, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()}
    with open(path, "wb") as f:
        f.write(blob(files))
    return path


def pause_program(directory):
    """Compiled once and kept: on an emulated processor that takes a minute."""
    program = f"{CACHE}/bin/pause-{hashlib.sha256(PAUSE_C.encode()).hexdigest()[:12]}"
    if not os.path.exists(program):
        os.makedirs(os.path.dirname(program), exist_ok=True)
        source, new = f"{directory}/pause.c", f"{program}.{os.getpid()}"
        with open(source, "w") as f:
            f.write(PAUSE_C)
        subprocess.run(["gcc", "-Os", "-static", "-s", "-o", new, source], check=True)
        os.rename(new, program)
    return program


def pause(directory):
    with open(pause_program(directory), "rb") as f:
        return archive(f"{directory}/pause.tar", PAUSE, blob({"pause": f.read()}), {"Entrypoint": ["/pause"], "User": "65535:65535"})


def busybox(directory):
    with open("/bin/busybox", "rb") as f:
        files = {"bin": None, "etc": None, "tmp": None, "bin/busybox": f.read()}
    for name in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            files["bin/" + name] = ("link", "busybox")
    return archive(f"{directory}/busybox.tar", BUSYBOX, blob(files), {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]})


def payload(directory, program, names=()):
    """tests/payload, under the name of what it stands in for: a JVM; and under others."""
    with open(program, "rb") as f:
        files = {"tmp": None, "usr": None, "usr/bin": None, "usr/bin/java": f.read()}
    for name in names:
        files[f"usr/bin/{name}"] = ("link", "java")
    return archive(f"{directory}/payload.tar", PAYLOAD, blob(files), {"Entrypoint": ["/usr/bin/java"]})


def spark(directory):
    """What a Spark image has and PySpark's package has not: the entrypoint and the script that decommissions. The rest (Java, Python, the jars,
    shell and tini) are this machine's own, mounted beneath the same names: spark_pods.py."""
    files = {name: None for name in ("etc", "etc/java-17-openjdk", "etc/alternatives", "tmp", "root", "run", "usr", "var", "var/data", "opt", "opt/spark",
                                     "opt/spark/conf", "opt/spark/work-dir")}
    files.update({name: ("link", f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")})
    users = {"root": 0, "spark": 185, "jovyan": 1000}  # Hadoop's login wants a name for its uid
    files["etc/passwd"] = "".join(f"{name}:x:{uid}:{uid}::/tmp:/bin/bash\n" for name, uid in users.items()).encode()
    files["etc/group"] = "".join(f"{name}:x:{uid}:\n" for name, uid in users.items()).encode()
    for inside, name in (("opt/entrypoint.sh", "entrypoint.sh"), ("opt/decom.sh", "decom.sh")):
        with open(f"{HERE}/../spark/{name}", "rb") as f:
            files[inside] = f.read()
    return archive(f"{directory}/spark.tar", SPARK, blob(files), {"Entrypoint": ["/opt/entrypoint.sh"], "WorkingDir": "/opt/spark/work-dir",
                                                                 "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]})
