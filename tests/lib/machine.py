"""A machine of its own for the node that a test starts: the network, what kubelet and container runtime write beneath /var, and the kernel settings
that kubelet changes are this process's and its children's alone. So two nodes can be up at a time, and nothing is left when they end.

Shared all the same: processors, memory, processes, cgroups (a node has its own beneath the roots), loop devices, and the kernel log."""
import ctypes
import os
import random
import socket
import tempfile

from disks import run, unshare_mounts

CLONE_NEWNET = 0x40000000
SETTINGS = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"]
ADDRESS, ROUTER = "192.0.2.2", "192.0.2.1"  # for documentation, says RFC 5737: nobody's
OWN = []
PORTS = set()  # that this process has been given


def own_mounts():
    """Before the first case of a file: what is mounted later is seen by this process and its children only."""
    unshare_mounts([])


def without_containers():
    """As without_others_cgroups, on a network of its own."""
    own_network()
    without_others_cgroups()


def without_others_cgroups():
    """For runtimes that have no containers: while none is connected, stokerd looks for executors in the machine's cgroups, and another file of tests
    may have some there just now."""
    own_mounts()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "stoker-test", "/sys/fs/cgroup")


def own_network():
    """Nothing but loopback, and on that nobody else: no port is taken by another file of tests, or by this machine's services."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("ip", "link", "set", "lo", "up")


def free_ports(count):
    """Of those that nobody gets by connecting: a server that begins later, or again, finds its own free, and who connects to it meanwhile not himself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = max(int(f.read().split()[0]), 20000)
    found = []
    while len(found) < count:
        port = random.randrange(end - 9000, end)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in PORTS:
            PORTS.add(port)
            found.append(port)
    return found


def own():
    own_mounts()
    own_network()
    # kubelet takes the address of the interface that has the default route; what is sent there arrives nowhere
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "nowhere")
    run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "eth0")
    for name in ("eth0", "nowhere"):
        run("ip", "link", "set", name, "up")
    run("ip", "route", "add", "default", "via", ROUTER)
    home = tempfile.mkdtemp(prefix="stoker-machine-", dir="/run")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "stoker-test", home)
    for path in ("/var/lib", "/var/log"):
        name = f"{home}/{os.path.basename(path)}"
        for part in ("upper", "work"):
            os.makedirs(f"{name}/{part}")
        run("mount", "-t", "overlay", "-o", f"lowerdir={path},upperdir={name}/upper,workdir={name}/work", "stoker-test", path)
    with open("/etc/hosts") as f, open(f"{home}/hosts", "w") as copy:  # who is on this network finds the node by its name, without asking anybody
        copy.write(f"{f.read()}\n127.0.0.1 {socket.gethostname().lower()}\n")
    run("mount", "--bind", f"{home}/hosts", "/etc/hosts")
    for number, setting in enumerate(SETTINGS):
        with open(f"/proc/sys/{setting}") as f, open(f"{home}/{number}", "w") as copy:
            copy.write(f.read())
        run("mount", "--bind", f"{home}/{number}", f"/proc/sys/{setting}")
    run("umount", "-l", home)  # what lies in it lives as long as it is mounted elsewhere
    os.rmdir(home)
    OWN.append(True)
