"""Filesystems that a test may break: on loop devices, in memory. Every one cleans up after itself, broken or not."""
import array
import ctypes
import errno
import fcntl
import os
import subprocess

from cases import wait_for

MS_REC, MS_PRIVATE, MS_SLAVE = 1 << 14, 1 << 18, 1 << 19
SHUTDOWN, FREEZE, THAW = 0x8004587D, 0xC0045877, 0xC0045878  # XFS_IOC_GOINGDOWN = EXT4_IOC_SHUTDOWN, FIFREEZE, FITHAW
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
SIZE_MB = {"ext4": 64, "xfs": 320, "btrfs": 128}  # mkfs.xfs refuses less than 300 MB


def run(*argv):
    result = subprocess.run(argv, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(argv)}: {result.stdout}{result.stderr}"
    return result.stdout


def ioctl(path, number, argument=0):
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, number, array.array("i", [argument]))
    finally:
        os.close(fd)


class Filling:
    """Common to all: full of bytes or of inodes, and empty again. A probe under way holds a block or an inode and gives it back
    when it ends: so each can be called again and fills what is left."""

    def fill(self):
        with open(os.path.join(self.mount_point, "ballast"), "ab", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
            except OSError:
                pass
            try:
                while True:
                    f.write(b"\0" * 512)
            except OSError:
                pass

    def fill_inodes(self):
        many = os.path.join(self.mount_point, "many")
        os.makedirs(many, exist_ok=True)
        try:
            for i in range(len(os.listdir(many)), 1000000):
                os.close(os.open(os.path.join(many, str(i)), os.O_CREAT | os.O_WRONLY))
        except OSError:
            pass

    def fill_as(self, uid):
        """Until an ordinary user gets ENOSPC: what the filesystem keeps for root stays free."""
        home = os.path.join(self.mount_point, "home")
        os.makedirs(home, exist_ok=True)
        os.chown(home, uid, uid)
        for block in ("64k", "1k"):
            subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "dd", "if=/dev/zero", f"of={home}/ballast", f"bs={block}",
                            "oflag=append", "conv=notrunc"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def empty(self):
        run("sh", "-c", 'rm -rf "$1"/ballast "$1"/many "$1"/home', "sh", self.mount_point)


class Tmpfs(Filling):
    def __init__(self, t, options, mount_point):
        self.mount_point, self.device = mount_point, None
        os.makedirs(mount_point)
        run("mount", "-t", "tmpfs", "-o", options, "stoker-test", mount_point)
        t.cleanup(lambda: run("umount", mount_point))


class Disk(Filling):
    """A loop device on an image in memory (or on another filesystem: `beneath`)."""

    def __init__(self, t, kind, mount_point, mkfs=(), beneath=None, size_mb=None, options=""):
        self.kind, self.mount_point, self.device, self.frozen, self.options = kind, mount_point, None, False, options
        size = size_mb or SIZE_MB[kind]
        home = beneath or os.path.join(t.dir, "image-" + os.path.basename(mount_point))
        os.makedirs(mount_point)
        if not beneath:
            os.makedirs(home)
            run("mount", "-t", "tmpfs", "-o", f"size={size + 8}m", "stoker-test", home)
            # a probe that was under way may still hold the loop device, and that the image
            t.cleanup(lambda: wait_for(lambda: subprocess.run(["umount", home], capture_output=True).returncode == 0, f"umount {home}"))
        self.image, self.size_mb, self.mkfs = os.path.join(home, "image-" + os.path.basename(mount_point)), size, mkfs
        t.cleanup(self.close)
        self.make()

    def make(self):
        with open(self.image, "wb") as f:
            f.truncate(self.size_mb << 20)
        self.device = self.attach()
        make = [*MKFS[self.kind], *self.mkfs, self.device]
        if self.kind == "btrfs":  # looks at other loop devices too, which may be going away: seen once with EIO
            wait_for(lambda: subprocess.run(make, capture_output=True).returncode == 0, " ".join(make), 20)
        else:
            run(*make)
        self.mount()

    def attach(self):
        return run("losetup", "-f", "--show", self.image).strip()

    def mount(self):
        options = {"ext4": "errors=remount-ro", "xfs": "nouuid"}.get(self.kind, "rw")
        run("mount", "-o", options + ("," + self.options if self.options else ""), self.device, self.mount_point)

    def remount(self, options):
        def done():
            result = subprocess.run(["mount", "-o", f"remount,{options}", self.mount_point], capture_output=True, text=True)
            assert result.returncode == 0 or "busy" in result.stderr, result
            return result.returncode == 0
        wait_for(done, f"{self.mount_point} to be remounted {options}: nobody may write to what becomes read-only, a probe neither")

    def umount(self):
        run("umount", self.mount_point)

    def fsck(self):
        # the device stays in use until a probe under way has ended
        wait_for(lambda: self.fsck_once(), f"fsck of {self.device}")

    def fsck_once(self):
        if self.kind != "ext4":
            return self.is_free()  # its log is replayed by the mount
        return subprocess.run(["e2fsck", "-fy", self.device], capture_output=True).returncode in (0, 1)

    def is_free(self):
        """Nobody has the filesystem any more: neither a probe that was under way nor another mount namespace. Else the next mount is of the same, broken one."""
        try:
            os.close(os.open(self.device, os.O_RDONLY | os.O_EXCL))
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True

    def trigger_ext4_error(self):
        with open(f"/sys/fs/ext4/{os.path.basename(self.device)}/trigger_fs_error", "w") as f:
            f.write("stoker test")

    def shutdown(self):
        ioctl(self.mount_point, SHUTDOWN, 2)  # without flushing the log

    def freeze(self):
        ioctl(self.mount_point, FREEZE)
        self.frozen = True

    def thaw(self):
        ioctl(self.mount_point, THAW)
        self.frozen = False

    def is_mounted(self):
        # mountpoint(1) looks at the directory, and a shut-down XFS gives EIO for it
        with open("/proc/self/mounts") as f:
            return any(line.startswith(self.device + " ") for line in f)

    def detach(self):
        return subprocess.run(["losetup", "-d", self.device], capture_output=True).returncode == 0

    def close(self):
        if self.frozen:
            self.thaw()
        if self.device is None:
            return
        wait_for(lambda: not self.is_mounted() or subprocess.run(["umount", self.mount_point], capture_output=True).returncode == 0,
                 f"umount of {self.mount_point}")
        if self.device in run("losetup", "-n", "-O", "NAME").split():
            wait_for(self.detach, f"losetup -d {self.device}")


class Mapped(Disk):
    """A device-mapper device over the loop device: it can stop to answer, fail, and be slow."""

    def attach(self):
        self.loop, self.name, self.suspended = super().attach(), "stoker-" + os.path.basename(self.mount_point), False
        run("dmsetup", "create", self.name, "--noudevsync", "--table", self.table("linear {} 0"))
        # the kernel's own name: there is no udev in the guest to make the other one
        return "/dev/" + run("dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", self.name).strip()

    def table(self, target):
        """One target from end to end; {} is the loop device."""
        return f"0 {self.size_mb * 2048} " + target.format(*[self.loop] * target.count("{}"))

    def suspend(self):
        """It answers no more: what is asked of it waits, for ever. What is in memory is not written before."""
        run("dmsetup", "suspend", "--nolockfs", "--noflush", self.name)
        self.suspended = True

    def resume(self):
        run("dmsetup", "resume", "--noudevsync", self.name)
        self.suspended = False

    def become(self, target):
        self.suspend()
        run("dmsetup", "load", self.name, "--table", self.table(target))
        self.resume()

    def detach(self):
        return subprocess.run(["dmsetup", "remove", "--noudevsync", self.name], capture_output=True).returncode == 0

    def close(self):
        if self.device is None:
            return
        if self.suspended:
            self.resume()
        wait_for(lambda: not self.is_mounted() or subprocess.run(["umount", self.mount_point], capture_output=True).returncode == 0, f"umount of {self.mount_point}")
        wait_for(self.detach, f"dmsetup remove {self.name}")
        wait_for(lambda: subprocess.run(["losetup", "-d", self.loop], capture_output=True).returncode == 0, f"losetup -d {self.loop}")


def mount_tmpfs(path, source="stoker-test"):
    """Without a process for it: a thousand are made in a moment."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), path.encode(), b"tmpfs", 0, b"size=1m") < 0:
        raise OSError(ctypes.get_errno(), "mount " + path)


def umount(path):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(path.encode(), 2) < 0:  # MNT_DETACH
        raise OSError(ctypes.get_errno(), "umount " + path)


def hide(path):
    """For a child process: a mount namespace of its own, in which a device is not what it seems."""
    unshare_mounts([])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"/dev/null", path.encode(), None, 1 << 12, None) < 0:  # MS_BIND
        raise OSError(ctypes.get_errno(), "mount " + path)


def refuse_call(number, errnum):
    """For a child process: this system call fails (seccomp), as with an older kernel or less rights."""
    program = array.array("Q", [  # struct sock_filter each: code, jt, jf, k
        0x20 | 0 << 32, 0x15 | 1 << 24 | number << 32, 0x06 | (0x50000 | errnum) << 32, 0x06 | 0x7FFF0000 << 32])
    address, count = program.buffer_info()
    fprog = array.array("Q", [count, address])
    if ctypes.CDLL(None, use_errno=True).prctl(22, 2, ctypes.c_void_p(fprog.buffer_info()[0]), 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def syslog_write(text):
    """A line of the kernel log by a process (facility user)."""
    with open("/dev/kmsg", "w") as f:
        f.write(text)


def unshare_mounts(without, propagation=MS_PRIVATE):
    """For a child process: a mount namespace of its own, as a container has, in which the disks are not there. Those of other files of tests
    are not either (cases.be_a_node): a copy would keep them from being repaired, as what is unmounted is in use still."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) < 0 or libc.mount(b"none", b"/", None, MS_REC | propagation, None) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for path in without:
        umount(path)


def page_out(pid):
    """What memory pressure may do to a process at any time: every page of its executable and libraries has to be read again
    (process_madvise(2), MADV_PAGEOUT). Answers how many KiB of them are left in its memory."""
    pidfd_open, process_madvise, pageout = 434, 440, 21
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/maps") as f:
        ranges = [line.split()[0].split("-") for line in f if "/" in line and " r" in line and "w" not in line.split()[1]]
    fd = libc.syscall(pidfd_open, pid, 0)
    for begin, end in ranges:
        vector = (ctypes.c_size_t * 2)(int(begin, 16), int(end, 16) - int(begin, 16))
        libc.syscall(process_madvise, fd, vector, ctypes.c_size_t(1), pageout, 0)
    os.close(fd)
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss_File:"))
