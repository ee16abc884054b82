"""A checkpoint in the container of a pod that names it in an annotation, with a real containerd, NRI and runc: run by tests/guest/boot."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import containerd  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from container import Container, Pod  # noqa: E402
from executor_stage import Stage  # noqa: E402
from nfs_server import CLIENT_PORT, NfsServer  # noqa: E402
from volumes import Mount, mount_at, mounts  # noqa: E402

ANNOTATION = "stoker.dev/checkpoint"


def mounted_in(pid, path):
    with open(f"/proc/{pid}/mountinfo") as f:
        return next((m for m in map(Mount, f) if m.point == path), None)


@case
@only_long  # containerd costs the emulated processor a minute
def a_checkpoint_named_in_an_annotation_is_in_the_container(t):
    export = f"{t.dir}/export"
    os.makedirs(export)
    subprocess.run(["mount", "-t", "tmpfs", "stoker-test", export], check=True)
    t.cleanup(lambda: subprocess.run(["umount", "-l", export], check=False))
    os.mkdir(f"{export}/team")
    open(f"{export}/team/there", "w").close()
    server = NfsServer(t, export)
    # when the broker, which would mount it again, has ended, and before the server does: a mount that is left hangs who removes the directory
    t.cleanup(lambda: [subprocess.run(["umount", "-f", "-l", m.point], check=False) for m in mounts(f"{t.dir}/run/checkpoints")])
    s = Stage(t, runtime=containerd.Runtime, period="1s", extra=f"""volumes:
  annotations: true
  checkpoints:
  - {{name: team, server: 127.0.0.1, port: {CLIENT_PORT}, export: /team, namespaces: [team-a]}}
""")
    s.serve()

    def checkpoint():
        return wait_for(s.node.health_or_none, "an answer")["checkpoints"][0]

    def start(name, path, *steps):
        pod = Pod(t, name=name)
        pod.annotations[ANNOTATION] = f"team:{path}"
        container = Container(pod)
        s.runtime.create(container)
        s.runtime.start(container, *steps)
        return container
    wait_for(lambda: checkpoint()["mounted"] and checkpoint()["state"] == "healthy", "it to be mounted on the node before anybody asks", 60, 0.1)
    made = f"{t.dir}/said"
    executor = start("etl-exec-1", "/checkpoints", "touch=/checkpoints/written", f"touch={made}")
    wait_for(lambda: os.path.exists(made), "the container to have written", 60, 0.1)
    assert sorted(os.listdir(f"{export}/team")) == ["there", "written"]
    mount, node = mounted_in(executor.pid, "/checkpoints"), mount_at(f"{s.node.runtime}/checkpoints/team")
    assert mount.source == node.source == "127.0.0.1:/team" and {"nosuid", "nodev"} <= set(mount.options), mount
    assert sorted(os.listdir(f"/proc/{executor.pid}/root/checkpoints")) == ["there", "written"]
    # a server that does not answer keeps no container from its start
    server.stop()
    t.cleanup(server.go_on)
    wait_for(lambda: checkpoint()["state"] == "unreachable", "the server to be unreachable", 60, 0.1)
    without = start("etl-exec-2", "/checkpoints")
    assert without.is_running() and mounted_in(without.pid, "/checkpoints") is None
    wait_for(lambda: [e for e in s.node.log("mount not injected") if e["pod"] == "etl-exec-2" and "does not answer" in e["why"]], "it to be said")
    server.go_on()
    wait_for(lambda: checkpoint()["state"] in ("recovered", "healthy"), "the server to be back", 60, 0.1)
    # nothing of a container that is gone holds the node's mount
    for container in (executor, without):
        s.runtime.stop_pod(container.pod)
    assert mount_at(f"{s.node.runtime}/checkpoints/team")
    wait_for(lambda: subprocess.run(["umount", f"{s.node.runtime}/checkpoints/team"], check=False).returncode == 0, "no look at it to be under way", 10, 0.2)


if __name__ == "__main__":
    main()
