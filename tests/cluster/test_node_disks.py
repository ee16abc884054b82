"""Nodes whose own disks break: the one that the image lies on, the kubelet's, the runtime's."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import disks  # noqa: E402
import machine  # noqa: E402
from cases import case, main, wait_for  # noqa: E402
from daemonset import CONTAINERS, SETTINGS, DaemonSet, image  # noqa: E402
from kubenode import KubeNode  # noqa: E402


@case
def a_fault_is_reported_while_the_image_s_own_disk_is_dead(t):
    """containerd's root lies on a disk that is shut down, with its caches dropped: the roles run from memory."""
    outer = disks.Disk(t, "ext4", f"{t.dir}/outer", size_mb=600)
    root = disks.Disk(t, "ext4", f"{t.dir}/images", beneath=outer.mount_point, size_mb=400)
    node = KubeNode(t, containerd_root=f"{root.mount_point}/containerd")
    data = disks.Disk(t, "ext4", f"{t.dir}/data")
    stoker = DaemonSet(node, f"{t.dir}/ds", settings=SETTINGS + f"watch:\n- path: {data.mount_point}\n")
    t.note(lambda: stoker.logs())
    stoker.apply()
    wait_for(lambda: (node.condition_or_none("stoker.dev/StorageReady") or {}).get("status") == "True", "the condition", 60, 0.1)
    pids = [stoker.pid(name) for name in CONTAINERS]
    node.stop("kube-apiserver")  # the next PATCH needs a new connection, and code that is not in use now
    os.sync()
    outer.shutdown()  # its file is the device of the images' filesystem: every read of it is EIO now, for page faults too
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    for pid in pids:
        disks.page_out(pid)
    node.start_apiserver()
    data.trigger_ext4_error()
    wait_for(lambda: node.our_taint(node.name), "the taint", 60, 0.02)
    wait_for(lambda: node.condition_or_none("stoker.dev/StorageReady")["status"] == "False", "the condition", 60)
    assert node.our_taint(node.name)["value"] == "ReadOnlyFilesystem"


def own_mounts(t):
    """From here on this process, and with it the node that it starts, is in a mount namespace of its own, where /var/lib and /var/log
    are empty: what is found there is the node's and not this machine's. What lies in memory is left alone by discovery."""
    disks.unshare_mounts([])
    for path in ("/var/lib", "/var/log"):
        disks.run("mount", "-t", "tmpfs", "-o", "mode=755", "stoker-test", path)
        t.cleanup(lambda path=path: disks.run("umount", "-l", path))


@case
def what_is_watched_is_found_on_a_real_kubelet(t):
    """`watch` is empty. The kubelet's root is not /var/lib/kubelet, and kubeletRoot says so; the runtime's is where it is known to be.
    Both lie on disks of their own. What breaks there taints; the mounts of pods and sandboxes beneath are no disks."""
    archive = image(t.dir)[0]  # what builds it looks into /var/lib
    own_mounts(t)
    kubelet = disks.Disk(t, "ext4", f"{t.dir}/kubelet-root", size_mb=400)
    runtime = disks.Disk(t, "ext4", "/var/lib/containerd", size_mb=600)
    node = KubeNode(t, containerd_root=runtime.mount_point, kubelet_root=kubelet.mount_point)
    settings = SETTINGS.replace("discover: 'off'\n", f"discover: auto\nkubeletRoot: {kubelet.mount_point}\n")
    stoker = DaemonSet(node, f"{t.dir}/ds", settings=settings, archive=archive)
    t.note(lambda: stoker.logs())
    stoker.apply()
    wait_for(lambda: (node.condition_or_none("stoker.dev/StorageReady") or {}).get("status") == "True", "the condition", 60, 0.1)
    health = stoker.health()
    found = {f["path"]: (f["origin"], f["source"], f["fsType"], f["roles"]) for f in health["filesystems"]}
    assert found == {disk.mount_point: ("found", disk.device, "ext4", [role]) for disk, role in ((kubelet, "kubelet"), (runtime, "runtime"))}, found
    assert health["inputs"]["discovery"]["state"] == "ok" and "found 2" in health["inputs"]["discovery"]["detail"], health["inputs"]["discovery"]
    with open("/proc/self/mountinfo") as f:
        mounts = [line.split()[4] for line in f]
    assert any(m.startswith(f"{kubelet.mount_point}/pods/") for m in mounts), mounts  # it had something to leave alone
    kubelet.trigger_ext4_error()
    wait_for(lambda: node.our_taint(node.name), "the taint", 60, 0.02)
    assert node.our_taint(node.name)["value"] == "ReadOnlyFilesystem"
    assert kubelet.mount_point in node.condition(node.name)["message"], node.condition(node.name)


if __name__ == "__main__":
    main(machine.own)
