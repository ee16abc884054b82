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


def direct_verdict(n, disk):
    direct = n.cli("health", "--direct", "-o", "json")
    return direct.returncode, next(fs for fs in json.loads(direct.stdout)["filesystems"] if fs["mountPoint"] == disk.mount_point)


@case
def a_project_over_its_quota_is_the_verdicts_reason(t):
    """The top of the disk is the project's: it hits everybody, the probe too."""
    n = Node(t)
    disk = n.disk("ext4", mkfs=["-O", "quota,project", "-E", "quotatype=prjquota"], options="prjquota")
    disks.run("chattr", "-p", "7", "+P", disk.mount_point)
    n.write_config_now()
    assert direct_verdict(n, disk)[0] == 0, direct_verdict(n, disk)
    disks.run("setquota", "-P", "7", "0", "64", "0", "0", disk.mount_point)
    disk.fill_as(kernel.UID)
    code, fs = direct_verdict(n, disk)
    assert code == 1 and fs["reason"] == "QuotaExhausted" and fs["lastProbe"]["errno"] == 122, fs
    assert "over its quota" in fs["message"], fs


@case
def a_quota_of_the_probes_own_user_is_no_sick_disk(t):
    """Bytes and inodes of uid 65534 are used up, or were before the probe ever came: everybody else writes, and so does the probe."""
    n = Node(t)
    made = [n.disk("ext4", mkfs=["-O", "quota", "-E", "quotatype=usrquota"]), n.disk("xfs", options="uquota"),
            n.disk("ext4", mkfs=["-O", "quota", "-E", "quotatype=usrquota"]), n.disk("xfs", options="uquota"),
            n.disk("ext4", mkfs=["-O", "quota", "-E", "quotatype=usrquota"])]
    n.write_config_now()
    for i, disk in enumerate(made):
        if i < 2:
            assert direct_verdict(n, disk)[1]["state"] == "healthy", direct_verdict(n, disk)
        disks.run("setquota", "-u", "65534", *(("0", "64", "0", "0") if i < 4 else ("0", "0", "0", "3")), disk.mount_point)
        if disk.kind == "ext4":
            disks.run("quotaon", "-u", disk.mount_point)
        if i < 4:
            disk.fill_as(65534)
        else:  # inodes alone
            os.mkdir(f"{disk.mount_point}/home")
            os.chown(f"{disk.mount_point}/home", 65534, 65534)
        made_by_nobody = subprocess.run(["sh", "-c", "touch home/a && touch home/b && touch home/c && dd if=/dev/zero of=home/a bs=4k count=20"], cwd=disk.mount_point,
                                        user=65534, capture_output=True, text=True)
        assert "quota" in made_by_nobody.stderr, made_by_nobody
    for disk in made[2:4]:
        os.rmdir(f"{disk.mount_point}/.stoker")
        disk.fill_as(65534)  # the directory's block too
    # as the DaemonSet's broker, which has fewer rights than root's shell, and cannot give the directory to who has no quota left
    n.start()
    n.wait("Healthy")
    owners = [os.stat(f"{disk.mount_point}/.stoker").st_uid for disk in made]
    assert owners[0] == 65534 and owners[2] == 0, owners
    for disk in (made[0], made[2]):  # and what is sick is still seen
        disk.trigger_ext4_error()
        assert n.wait_fs(disk, "bad")["reason"] in ("ReadOnlyFilesystem", "IOErrors", "FilesystemShutdown"), n.fs(disk)
    found = [direct_verdict(n, disk)[1] for disk in (made[1], made[3], made[4])]
    assert [fs["state"] for fs in found] == ["healthy"] * 3, [(fs["fsType"], fs["reason"], fs["message"]) for fs in found]



if __name__ == "__main__":
    cases.main()
