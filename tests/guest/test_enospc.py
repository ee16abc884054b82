"""What this machine's kernel cannot show: run by tests/guest/boot, on cgroup v2 with controllers, as the only process of a machine."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kernel"))
import test_enospc as kernel  # its helpers; its cases run here too

import cases
import disks
from cases import case
from node import Node

TOP = "/sys/fs/cgroup"
HERE = {"limits_of_a_cgroup_tree", "attributes_of_a_cgroup", "inodes_of_a_disk"}
cases.CASES[:] = [c for c in cases.CASES if c.__name__ in HERE]


def sysctl(t, path, value):
    with open(path) as f:
        before = f.read()
    t.cleanup(lambda: kernel.write(path, before))
    kernel.write(path, str(value))


@case
def mounts_of_a_machine(t):
    kernel.expect_well("/", "--syscall", "mount")
    with open("/proc/self/mountinfo") as f:
        sysctl(t, "/proc/sys/fs/mount-max", len(f.readlines()))
    kernel.expect("/", "MountMaxReached", "--syscall", "mount")


@case
def watches_of_a_machine(t):
    sysctl(t, "/proc/sys/fs/inotify/max_user_instances", 0)
    kernel.expect("/", "InotifyInstancesExhausted", "--syscall", "inotify_init")


@case
def processes_or_controllers(t):
    cgroup = f"{TOP}/stoker-test"
    os.mkdir(cgroup)
    t.cleanup(lambda: os.rmdir(cgroup))
    kernel.write(f"{cgroup}/cgroup.subtree_control", "+memory")  # pids is a threaded controller: with it alone processes may stay
    kernel.expect(cgroup, "CgroupHasControllers", "--syscall", "cgroup.procs")


@case
def processes_of_a_cgroup(t):
    cgroup = f"{TOP}/stoker-test"
    os.mkdir(cgroup)
    t.cleanup(lambda: os.rmdir(cgroup))
    kernel.write(f"{cgroup}/pids.max", "0")
    kernel.expect(cgroup, "PidsMax", "--syscall", "fork", "--errno", "EAGAIN")


@case
def quota_of_a_user(t):
    mount = f"{t.dir}/disk"
    disk = disks.Disk(t, "ext4", mount, mkfs=["-O", "quota", "-E", "quotatype=usrquota"])
    home = os.path.join(mount, "home")
    os.mkdir(home)
    os.chmod(home, 0o777)
    kernel.expect_well(home)
    disks.run("setquota", "-u", str(kernel.UID), "0", "64", "0", "0", mount)
    disks.run("quotaon", "-u", mount)
    disk.fill_as(kernel.UID)
    kernel.expect(home, "QuotaExhausted")
    kernel.expect_well(mount, uid=kernel.UID + 1)


@case
def quota_of_a_project(t):
    """As a CSI driver or the kubelet gives an ephemeral volume its size: by the directory, whoever writes there."""
    mount = f"{t.dir}/disk"
    disks.Disk(t, "ext4", mount, mkfs=["-O", "quota,project", "-E", "quotatype=prjquota"])
    volume = os.path.join(mount, "volume")
    os.mkdir(volume)
    os.chmod(volume, 0o777)
    disks.run("chattr", "-p", "7", "+P", volume)
    disks.run("setquota", "-P", "7", "0", "64", "0", "0", mount)
    disks.run("quotaon", "-P", mount)
    kernel.expect_well(volume)
    subprocess.run(["dd", "if=/dev/zero", f"of={volume}/ballast", "bs=4k", "count=100"], stderr=subprocess.DEVNULL, user=kernel.UID)
    answer = kernel.expect(volume, "QuotaExhausted")
    assert "project 7" in answer["causes"][0]["numbers"], answer["causes"][0]
    kernel.expect_well(mount)


@case
def a_quota_is_the_verdicts_reason(t):
    """The probe's own user is over its quota, on a disk with room."""
    n = Node(t)
    disk = n.disk("ext4", mkfs=["-O", "quota", "-E", "quotatype=usrquota"])
    n.write_config_now()
    direct = n.cli("health", "--direct", "-o", "json")
    assert direct.returncode == 0, direct
    disks.run("setquota", "-u", "65534", "0", "64", "0", "0", disk.mount_point)
    disks.run("quotaon", "-u", disk.mount_point)
    disk.fill_as(65534)
    direct = n.cli("health", "--direct", "-o", "json")
    fs = json.loads(direct.stdout)["filesystems"][0]
    assert direct.returncode == 1 and fs["reason"] == "QuotaExhausted" and fs["lastProbe"]["errno"] == 122, fs
    assert "over its quota" in fs["message"], fs


if __name__ == "__main__":
    cases.main()
