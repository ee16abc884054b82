"""What Spark left on hostPaths: real directories, real processes, real mounts. What has no owner goes, what lives stays, whatever it does."""
import ctypes
import errno
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main, only_long, wait_for  # noqa: E402
from disks import refuse_call, run, unshare_mounts  # noqa: E402
from node import Node  # noqa: E402
import wire  # noqa: E402

NOBODY, SPARK, OTHER = 41817, 41818, 41819  # users that no other process of the machine has


def wait_ready(p):
    assert p.stdout.readline() == b"ready\n", "the helper did not begin"


class Stage:
    """A disk with a root to sweep on it, and a broker that is asked as stokerd asks it."""

    def __init__(self, t, mode="on", kind="ext4", mkfs=(), size_mb=None, roles=("stoker-broker",), options="size=300m,nr_inodes=200k"):
        self.t = t
        self.node = Node(t, extra="")
        self.disk = self.node.disk(kind, mkfs, watch=False, size_mb=size_mb) if kind != "tmpfs" else self.node.tmpfs(options, watch=False)
        self.root = os.path.join(self.disk.mount_point, "scratch")
        os.mkdir(self.root)
        os.chmod(self.root, 0o1777)
        self.outside = os.path.join(self.disk.mount_point, "outside")
        os.mkdir(self.outside)
        with open(os.path.join(self.outside, "precious"), "w") as f:
            f.write("precious")
        self.node.extra = f"volumes:\n  sweep:\n    mode: {json.dumps(mode)}\n    grace: 1m\n    roots:\n    - {self.root}\n"
        if roles:
            self.node.start(roles)
            self.connect()

    def connect(self):
        self.broker = wire.Broker(self.node.broker_socket, deadline=60)
        self.t.cleanup(self.broker.close)
        self.hash = self.node.config_hash()

    def make(self, files=3, uid=NOBODY, kind="blockmgr", subdirs=4, size=5000):
        """As Spark makes them."""
        path = os.path.join(self.root, f"{kind}-{uuid.uuid4()}")
        os.mkdir(path)
        for i in range(subdirs):
            os.mkdir(f"{path}/{i:02x}")
            for k in range(files):
                with open(f"{path}/{i:02x}/shuffle_0_{k}_0.data", "w") as f:
                    f.write("x" * size)
        for at, dirs, names in os.walk(path):
            for name in ["", *names]:
                os.lchown(os.path.join(at, name), uid, uid)
        return path

    def ask(self, remove=(), root=0, after=0, config_hash=None):
        body = wire.sweep(self.hash if config_hash is None else config_hash, root, after, [(one.ino, one.born, one.changed) for one in remove])
        answer = self.broker.receive(self.broker.send(wire.SWEEP, body))
        while isinstance(answer, wire.Refused) and answer.errnum == errno.EBUSY:  # earlier children are still closing their clones
            answer = self.broker.receive(self.broker.send(wire.SWEEP, body))
        return answer

    def look(self):
        """Every directory, by name."""
        found, after = {}, 0
        while True:
            swept = self.ask(after=after)
            assert isinstance(swept, wire.Swept) and swept.errnum == 0, swept
            found.update({one.name: one for one in swept.of})
            if not swept.more:
                return found
            after = swept.of[-1].ino

    def remove(self, ones):
        """What the broker says to a request that names all of them."""
        said = {}
        for i in range(0, len(ones), 16):
            swept = self.ask(ones[i:i + 16])
            assert isinstance(swept, wire.Swept) and swept.errnum == 0, swept
            said.update({one.name: one for one in swept.of})
        return said

    def remove_all(self, rounds=40):
        """Whatever is ownerless, until nothing changes any more. Asks for everything, as a stokerd would that has lost its mind."""
        for _ in range(rounds):
            ones = list(self.look().values())
            if not any(one.removed for one in self.remove(ones).values()):
                return
        raise AssertionError("no end of it")

    def check_outside(self):
        with open(os.path.join(self.outside, "precious")) as f:
            assert f.read() == "precious"


def followed(t, p):
    """It is ready, and ends with the case."""
    def end():
        p.stdin.close()
        p.kill()
        p.wait(10)
    t.cleanup(end)
    wait_ready(p)
    return p


def python(t, code, *argv, executable=None, **more):
    """A process that does something, says so, and waits at its standard input."""
    text = f"import sys, os, time\n{code}\nprint('ready', flush=True)\nsys.stdin.read()\n"
    return followed(t, subprocess.Popen([sys.executable, "-c", text, *argv], executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more))


def in_a_container(t, root, uid, comm="java", at="/mnt", shell="while read x; do :; done", read_only=False):
    """A process as a runtime starts it: a root of its own (here a tmpfs with what it needs), the hostPath mounted at `at`, another user."""
    home = os.path.join(t.dir, "container-" + uuid.uuid4().hex[:8])
    os.makedirs(home)

    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        unshare_mounts([])
        if libc.mount(b"tmpfs", home.encode(), b"tmpfs", 0, b"mode=755"):
            raise OSError(ctypes.get_errno(), "tmpfs")
        for directory in ("usr", "lib", "lib64", "bin", "dev", at[1:], "old"):
            os.makedirs(f"{home}/{directory}", exist_ok=True)
            if os.path.isdir("/" + directory) and directory in ("usr", "lib", "lib64", "bin", "dev"):
                if libc.mount(("/" + directory).encode(), f"{home}/{directory}".encode(), None, 4096 | 16384, None):
                    raise OSError(ctypes.get_errno(), directory)
        if libc.mount(root.encode(), (home + at).encode(), None, 4096, None):
            raise OSError(ctypes.get_errno(), "bind")
        if read_only and libc.mount(None, (home + at).encode(), None, 4096 | 32 | 1, None):
            raise OSError(ctypes.get_errno(), "read-only")
        if comm:
            shutil.copy("/bin/sh", f"{home}/{comm}")
        os.chdir(home)
        if libc.pivot_root(b".", b"old") or libc.umount2(b"/old", 2):
            raise OSError(ctypes.get_errno(), "pivot_root")
        os.chdir("/")
        os.setgid(uid)
        os.setuid(uid)
    return followed(t, subprocess.Popen([f"/{comm}" if comm else "/bin/sh", "-c", "echo ready; " + shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter))


# --- what is alive ---


@case
def the_ownerless_goes_and_the_living_stays(t):
    s = Stage(t)
    older = in_a_container(t, s.root, SPARK)  # before everything of that user is made
    maker = s.make(uid=SPARK)
    free, opened, stood, mapped, mounted, beneath, elsewhere, threads = (s.make() for _ in range(8))
    link, file, other = (os.path.join(s.root, name) for name in (f"spark-{uuid.uuid4()}", f"executor-{uuid.uuid4()}", "pvc-" + str(uuid.uuid4())))
    os.symlink(s.outside, link)
    open(file, "w").close()
    os.mkdir(other)
    open(f"{other}/data", "w").close()
    python(t, "f = open(sys.argv[1])", f"{opened}/00/shuffle_0_0_0.data")
    python(t, "os.chdir(sys.argv[1])", f"{stood}/01")
    python(t, "import mmap\nf = open(sys.argv[1], 'rb')\nm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\nf.close()", f"{mapped}/02/shuffle_0_1_0.data")
    # the first thread ends, another holds the file, as in a JVM that cannot die
    python(t, "import threading, ctypes\nf = open(sys.argv[1])\ndef wait():\n    print('ready', flush=True)\n    sys.stdin.read()\n    os._exit(0)\n"
           "threading.Thread(target=wait).start()\nctypes.CDLL(None).pthread_exit(None)", f"{threads}/00/shuffle_0_0_0.data")
    at = os.path.join(t.dir, "bound")
    os.mkdir(at)
    run("mount", "--bind", f"{mounted}/03", at)
    t.cleanup(lambda: run("umount", at))
    run("mount", "-t", "tmpfs", "stoker-test", f"{beneath}/00")
    t.cleanup(lambda: run("umount", f"{beneath}/00"))
    python(t, "", preexec_fn=lambda: (unshare_mounts([]), run("mount", "-t", "tmpfs", "stoker-test", f"{elsewhere}/00")))

    found = s.look()
    want = {free: ("Ownerless", None), opened: ("Open", None), stood: ("Open", None), mapped: ("Open", None), threads: ("Open", None),
            mounted: ("Mounted", None), beneath: ("Mounted", None), elsewhere: ("Mounted", None), maker: ("MakerLives", older.pid),
            link: ("NoDirectory", None), file: ("NoDirectory", None)}
    for path, (reason, pid) in want.items():
        one = found[os.path.basename(path)]
        assert one.reason == reason and pid in (None, one.pid), (path, one, reason)
    assert set(found) == {os.path.basename(p) for p in want}, found
    before = {p: sorted(os.walk(p)) for p in want if os.path.isdir(p) and not os.path.islink(p)}
    said = s.remove(list(found.values()))
    assert not os.path.exists(free) and said[os.path.basename(free)].gone, said
    assert said[os.path.basename(free)].removed == 4 * 3 + 4 + 1 and said[os.path.basename(free)].bytes >= 12 * 5000, said
    for path in set(want) - {free}:
        assert os.path.lexists(path), path
        if path in before:
            assert sorted(os.walk(path)) == before[path], path
    assert os.path.exists(f"{other}/data")
    s.check_outside()
    # the executor ends: what it left is ownerless
    older.kill()
    older.wait()
    assert s.look()[os.path.basename(maker)].reason == "Ownerless"


@case
def who_may_have_made_it(t):
    """Executors of one user share the root: what was made before they came is none of theirs."""
    s = Stage(t)
    left = s.make(uid=SPARK)
    of_another = s.make(uid=OTHER)
    # born before: more than the slack of a minute, in the only way that a birth can be (the clock is not touched)
    born = s.look()[os.path.basename(left)].born
    reader = in_a_container(t, s.root, SPARK, read_only=True)
    assert s.look()[os.path.basename(left)].reason == "Ownerless", "who can only read has made nothing"
    reader.kill()
    # younger than the directory by less than the slack: it may be
    young = in_a_container(t, s.root, SPARK, comm="sh")
    one = s.look()[os.path.basename(left)]
    assert one.reason == "MakerLives" and one.pid == young.pid and one.born == born, one
    assert s.look()[os.path.basename(of_another)].reason == "Ownerless"
    # it sees the whole node and is no JVM; then it is one
    young.kill()
    young.wait()
    for name in ("plain", "java"):
        shutil.copy("/bin/sleep", os.path.join(t.dir, name))
        p = subprocess.Popen([os.path.join(t.dir, name), "1000"], preexec_fn=lambda: os.setuid(SPARK))
        t.cleanup(lambda p=p: (p.kill(), p.wait()))
        if name == "plain":
            assert s.look()[os.path.basename(left)].reason == "Ownerless"
    assert s.look()[os.path.basename(left)].reason == "MakerLives"


@case
def written_to_since_it_was_found(t):
    s = Stage(t)
    path = s.make()
    one = s.look()[os.path.basename(path)]
    assert one.reason == "Ownerless"
    with open(f"{path}/00/temp_shuffle_x", "w"):
        pass
    assert s.remove([one])[os.path.basename(path)].reason == "Changed" and os.path.exists(f"{path}/00/temp_shuffle_x")
    one.changed = 0  # as if never told: judged anew by itself
    s.remove([s.look()[os.path.basename(path)]])
    assert not os.path.exists(path)


# --- what lies in it ---


@case
def whatever_lies_in_it(t):
    s = Stage(t)
    path = s.make()
    odd = f"{path}/odd"
    os.mkdir(odd)
    os.symlink(s.outside, f"{odd}/to-a-directory")
    os.symlink(os.path.join(s.outside, "precious"), f"{odd}/to-a-file")
    os.symlink("/", f"{odd}/..root")
    os.link(os.path.join(s.outside, "precious"), f"{odd}/hard")
    for name in ("new\nline", "späße", "-rf", "*", "\x01\x7f", "x" * 255, "..."):
        open(f"{odd}/{name}", "w").close()
    os.mkfifo(f"{odd}/fifo")
    os.mknod(f"{odd}/null", 0o600 | 0o020000, os.makedev(1, 3))
    os.mknod(f"{odd}/socket", 0o600 | 0o140000)
    os.makedirs(f"{odd}/" + "/".join("d" * 20))
    os.chmod(f"{path}/00", 0)
    sealed = s.make()
    run("chattr", "+i", f"{sealed}/00/shuffle_0_0_0.data")
    t.cleanup(lambda: os.path.exists(f"{sealed}/00") and run("chattr", "-i", f"{sealed}/00/shuffle_0_0_0.data"))
    deep = s.make()
    os.makedirs(f"{deep}/" + "/".join("d" * 40))
    said = s.remove(list(s.look().values()))
    assert not os.path.exists(path), os.listdir(path)
    one = said[os.path.basename(sealed)]
    assert not one.gone and one.left > 0 and one.left_errno == errno.EPERM, one
    assert os.listdir(f"{sealed}") == ["00"] and os.listdir(f"{sealed}/00") == ["shuffle_0_0_0.data"], "the rest goes"
    assert said[os.path.basename(deep)].left_errno == errno.ELOOP, said
    s.check_outside()
    assert os.stat(os.path.join(s.outside, "precious")).st_nlink == 1
    run("chattr", "-i", f"{sealed}/00/shuffle_0_0_0.data")
    s.remove(list(s.look().values()))
    assert not os.path.exists(sealed)


@case
def a_hundred_thousand_files_go_in_steps(t):
    s = Stage(t, kind="tmpfs")
    path = s.make(files=0, subdirs=64)
    for i in range(100000):
        os.close(os.open(f"{path}/{i % 64:02x}/{i}", os.O_CREAT | os.O_WRONLY))
    one, runs, removed = s.look()[os.path.basename(path)], 0, 0
    while not one.gone:
        one, runs = s.remove([one])[os.path.basename(path)], runs + 1
        assert one.reason == "Ownerless" and one.removed <= 20000 and runs < 50, one
        removed += one.removed
    assert removed == 100065 and runs >= 6 and not os.path.exists(path), (removed, runs)


@case
def more_directories_than_a_page(t):
    s = Stage(t)
    made = {os.path.basename(s.make(files=0, subdirs=0)) for _ in range(150)}
    found = s.look()
    assert set(found) == made, len(found)
    s.remove_all()
    assert os.listdir(s.root) == []


# --- races ---


@case
def a_process_that_makes_files_all_the_time(t):
    s = Stage(t, kind="tmpfs")
    path = s.make(uid=SPARK)
    writer = in_a_container(t, s.root, SPARK, comm="java",
                            shell=f"i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); : > /mnt/{os.path.basename(path)}/01/f$i; done; read x")
    free = [s.make() for _ in range(3)]
    s.remove_all()
    assert not any(os.path.exists(p) for p in free)
    assert len(os.listdir(f"{path}/00")) == 3 and writer.poll() is None
    numbers = sorted(int(n[1:]) for n in os.listdir(f"{path}/01") if n[0] == "f")
    assert numbers == list(range(1, len(numbers) + 1)), "some of its files are gone"


@case
def directories_that_are_moved_away_meanwhile(t):
    """While it is emptied, a directory is renamed to where files of others come into it: not one of those goes."""
    s = Stage(t, kind="tmpfs")
    for turn in range(3):
        path = s.make(files=400, subdirs=16, size=0)
        there = os.path.join(s.outside, str(turn))
        os.mkdir(there)
        one = s.look()[os.path.basename(path)]
        asked = s.broker.send(wire.SWEEP, wire.sweep(s.hash, 0, 0, [(one.ino, one.born, one.changed)]))
        moved = []
        for i in range(16):
            try:
                os.rename(f"{path}/{i:02x}", f"{there}/{i:02x}")
                open(f"{there}/{i:02x}/alive", "w").close()
                moved.append(i)
            except OSError:  # the sweeper was quicker
                pass
        s.broker.receive(asked)
        for i in moved:
            assert os.path.exists(f"{there}/{i:02x}/alive"), (turn, i)
    s.check_outside()


@case
def a_mount_that_appears_meanwhile(t):
    s = Stage(t, kind="tmpfs")
    for turn in range(2):
        path = s.make(files=1500, subdirs=8, size=0)
        one = s.look()[os.path.basename(path)]
        asked = s.broker.send(wire.SWEEP, wire.sweep(s.hash, 0, 0, [(one.ino, one.born, one.changed)]))
        mounted = []
        for i in range(8):
            if subprocess.run(["mount", "--bind", s.outside, f"{path}/{i:02x}"], capture_output=True).returncode == 0:
                mounted.append(i)
        s.broker.receive(asked)
        s.check_outside()
        for i in mounted:
            with open(f"{path}/{i:02x}/precious") as f:
                assert f.read() == "precious"
            run("umount", f"{path}/{i:02x}")


def sealed(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return "\nSeccomp_filters:\t2\n" in f.read()
    except OSError:
        return False


@case
def nothing_is_held_on_the_disk(t):
    """umount at the first try, while it is looked at and between."""
    s = Stage(t)
    for _ in range(5):
        s.make()
    for _ in range(5):
        s.node.wait_for(lambda: not s.node.children("stoker-broker"), "the child before to end")  # it is closed, and not the one that is waited for
        asked = s.broker.send(wire.SWEEP, wire.sweep(s.hash, 0, 0, []))
        # it has its clone: its filter is closed after that
        wait_for(lambda: any(sealed(pid) for pid in s.node.children("stoker-broker")) or select.select([s.broker.sock], [], [], 0)[0], "the child to look", pause=0.001)
        s.disk.umount()
        s.broker.receive(asked)
        s.disk.mount()
    assert not [d for d in s.node.descriptors(s.node.pid("stoker-broker")) if d.startswith(s.disk.mount_point)]


# --- rules and failures ---


@case
def what_is_refused(t):
    s = Stage(t, mode="dryRun")
    path = s.make()
    one = s.look()[os.path.basename(path)]
    for what, answer, want in (("dry run", s.ask([one]), errno.EPERM), ("another configuration", s.ask(config_hash=s.hash ^ 1), errno.ESTALE),
                               ("no such root", s.ask(root=1), errno.EINVAL)):
        assert isinstance(answer, wire.Refused) and answer.errnum == want, (what, answer)
    assert os.path.exists(path)
    # it is a link, and then it is gone
    os.rename(s.root, s.root + ".real")
    os.symlink(s.root + ".real", s.root)
    assert s.ask().errnum == errno.ENOTDIR, s.ask()
    os.unlink(s.root)
    assert s.ask().errnum == errno.ENOENT, s.ask()


@case
def without_the_right_to_look_nothing_goes(t):
    """CAP_SYS_PTRACE is missing: the links of other users' processes cannot be read (here: the call is refused)."""
    s = Stage(t, roles=None)
    s.node.write_config_now()
    readlinkat = 267
    s.node.extra_processes.append(s.node.spawn("stoker-broker", "--config", s.node.config_path, preexec_fn=lambda: refuse_call(readlinkat, errno.EACCES)))
    s.connect()
    path = s.make()
    swept = s.ask()
    assert swept.errnum == errno.EACCES or all(one.reason == "ProcessUnread" for one in swept.of), swept
    assert os.path.exists(path)


@case
def every_system_call_failing_in_turn(t):
    """The N-th call of the child that removes fails: what is alive and what is outside stays, and the broker goes on."""
    s = Stage(t)
    alive = s.make(files=1, subdirs=1)
    python(t, "f = open(sys.argv[1])", f"{alive}/00/shuffle_0_0_0.data")
    pid = s.node.pid("stoker-broker")
    held = len(s.node.settled_of(pid))
    tool = os.path.join(os.environ["STOKER_TESTS"], "nth_fail")
    # a look into every process of the machine is ten thousand calls here, and many more on a large one, the same for each: after one of every kind, every 7th
    first, step, errnums = (500, 7, (errno.EIO, errno.ENOMEM)) if os.environ.get("STOKER_LONG") else (40, 151, (errno.EIO,))
    for errnum in errnums:
        number = 1
        while True:
            free = s.make(files=1, subdirs=1)
            os.symlink(s.outside, f"{free}/out")
            ones = list(s.look().values())
            body = wire.sweep(s.hash, 0, 0, [(one.ino, one.born, one.changed) for one in ones[:16]])
            tracer = subprocess.Popen([tool, str(pid), str(errnum), str(number)], stdout=subprocess.PIPE, text=True)
            assert tracer.stdout.readline() == "ready\n"
            s.broker.receive(s.broker.send(wire.SWEEP, body))
            outcome = tracer.stdout.read().strip()
            tracer.wait(30)
            assert os.listdir(f"{alive}/00") == ["shuffle_0_0_0.data"], (number, errnum, outcome)
            s.check_outside()
            s.node.wait_for(lambda: not s.node.children("stoker-broker"), "the child to end")
            shutil.rmtree(free, ignore_errors=True)
            if outcome.startswith("ended before"):
                assert number > 50, number
                break
            number += 1 if number < first else max(step, number // 50)
    assert len(s.node.settled_of(pid)) == held, s.node.descriptors(pid)
    free = s.make()
    s.remove_all()
    assert not os.path.exists(free) and os.path.exists(alive)


# --- as people meet it ---


@case
def a_dry_run_shows_what_would_go_and_why(t):
    s = Stage(t, mode="dryRun", roles=None)
    free, opened = s.make(), s.make()
    holder = python(t, "f = open(sys.argv[1])", f"{opened}/00/shuffle_0_0_0.data")
    s.node.disk("ext4")
    s.node.start()
    s.node.wait("Healthy")

    def items():
        status, body = s.node.get("/v1alpha1/sweep")
        return {i["path"]: i for i in json.loads(body)["items"]} if status == 200 else {}
    found = wait_for(lambda: len(items()) == 2 and items(), "both directories")
    assert found[free]["ownerless"] and found[free]["due"] and not found[opened]["ownerless"] and found[opened]["reason"] == "Open", found
    table = s.node.cli("sweep")
    assert table.returncode == 0 and "would go" in table.stdout and "stays" in table.stdout and "has something open" in table.stdout, table.stdout
    wide = {line.split()[0]: line for line in s.node.cli("sweep", "-o", "wide").stdout.splitlines()}
    assert wide["DIRECTORY"].split() == ["DIRECTORY", "FATE", "DUE", "WHY", "UID", "PID", "MADE", "REMOVED"], wide
    assert re.search(r"would go (now|in \d+ s) ", wide[free]) and f" {holder.pid} " in wide[opened], wide
    assert json.loads(s.node.cli("sweep", "-o", "json").stdout)["mode"] == "dryRun"
    assert s.node.input("sweep")["state"] == "ok", s.node.input("sweep")
    assert os.path.exists(free)


@case
@only_long
def stokerd_sweeps_after_the_grace(t):
    s = Stage(t, roles=None)
    free, opened = s.make(), s.make()
    python(t, "f = open(sys.argv[1])", f"{opened}/00/shuffle_0_0_0.data")
    s.node.disk("ext4")
    begin = time.monotonic()
    s.node.start()
    wait_for(lambda: not os.path.exists(free), "the ownerless one to go", 300)  # a child that looks goes behind everybody else: on a busy machine one may be late
    assert time.monotonic() - begin >= 60 and os.path.exists(opened)
    assert s.node.log("swept")[0]["path"] == free, s.node.log("swept")


if __name__ == "__main__":
    main()
