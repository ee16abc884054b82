"""The kernel's words about a real NFS server that does not answer, and that does again: said, never tainted."""
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import case, main, wait_for
from nfs_server import CLIENT_PORT, NfsServer
from node import Node


def mounted(t):
    export, mount_point = f"{t.dir}/export", f"{t.dir}/nfs"
    os.makedirs(export)
    os.makedirs(mount_point)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "stoker-test", export], check=True)
    t.cleanup(lambda: subprocess.run(["umount", export], check=True))
    with open(f"{export}/there", "w") as f:
        f.write("x")
    server = NfsServer(t, export)
    # mount.nfs is not there: its options are the kernel's own. Short times, so that the words come within seconds
    options = f"vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1,port={CLIENT_PORT},proto=tcp,hard,timeo=10,retrans=1,lookupcache=none,noac"
    # What the cases of another file have mounted from this address may still be on its way out of the kernel: then the first mount fails.
    wait_for(lambda: subprocess.run(["mount", "-i", "-t", "nfs4", "-o", options, "127.0.0.1:/", mount_point], timeout=120).returncode == 0, "the mount", 100, 0.5)
    t.cleanup(lambda: subprocess.run(["umount", "-f", "-l", mount_point], check=True))
    assert os.path.exists(f"{mount_point}/there")
    return server, mount_point


@case
def a_server_that_does_not_answer_is_said_and_no_disk_is_blamed(t):
    server, mount_point = mounted(t)
    n = Node(t, period="1s")
    n.tmpfs("size=8m")
    n.start()
    n.wait("Healthy")
    server.stop()
    t.cleanup(server.go_on)
    # somebody uses it, and hangs
    user = threading.Thread(target=lambda: os.listdir(mount_point), daemon=True)
    user.start()
    said = wait_for(lambda: (n.health()["inputs"].get("nfs") or {"state": ""})["state"] == "degraded" and n.input("nfs"), "the server to be named", 120, 0.2)
    assert "127.0.0.1" in said["detail"], said
    h = n.health()
    assert h["status"] == "Healthy" and h["taint"] is None and h["conditions"][0]["status"] == "True", h
    server.go_on()
    wait_for(lambda: n.input("nfs")["state"] == "ok", "the server to be well again", 120, 0.2)
    user.join(60)
    assert not user.is_alive()


if __name__ == "__main__":
    main()
