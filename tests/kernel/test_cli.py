"""Every program of Stoker as people call it: wrong words, answers that cannot be written, no colour where there is no terminal; and `stoker run`."""
import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import Skip, case, main, wait_for  # noqa: E402
from node import Node  # noqa: E402

BIN = os.environ.get("STOKER_BIN", "")
ROLES = ("stokerd", "stoker-broker", "stoker-reporter", "stoker-web", "stoker-nri", "stoker-csi")
COMMANDS = ("health", "executors", "why", "doctor", "volumes", "sweep", "lint", "run", "why-enospc")
ASKING = ("health", "executors", "why", "volumes", "sweep")
CONTROLS = "".join(map(chr, [*range(0x20), 0x7f])).replace("\n", "")


def call(*argv, **more):
    return subprocess.run([os.path.join(BIN, argv[0]), *argv[1:]], **{"capture_output": True, "text": True, "timeout": 60, **more})


def run(*argv, **more):
    return call("stoker", "run", *argv, **more)


def on_terminal(argv, env):
    """What it writes to a terminal."""
    main_end, end = pty.openpty()
    done = subprocess.run(argv, stdin=end, stdout=end, stderr=subprocess.STDOUT, env={**os.environ, **env})
    os.close(end)
    text = b""
    try:
        while piece := os.read(main_end, 65536):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(main_end)
    return done.returncode, text.decode()


@case
def words_that_no_role_knows(t):
    for role in ROLES:
        for words in (("--nosuch",), ("/etc/stoker/stoker.yaml",)):
            done = call(role, *words)
            assert done.returncode == 64 and f"Usage: {role}" in done.stderr and not done.stdout, (role, words, done)
        assert call(role, "--version").stdout.startswith(f"{role} ") and f"Usage: {role}" in call(role, "--help").stdout, role


@case
def words_that_no_command_knows(t):
    assert call("stoker").returncode == call("stoker", "nosuch").returncode == call("stoker", "--nosuch").returncode == 64
    for word, meant in (("helth", "health"), ("why-enospace", "why-enospc"), ("executor", "executors"), ("LINT", "lint")):
        for words in ((word,), ("help", word)):
            done = call("stoker", *words)
            assert done.returncode == 64 and f"stoker: there is no command '{word}'. Did you mean '{meant}'?" in done.stderr, done
    assert "mean" not in (done := call("stoker", "nosuch\x1b[31m")).stderr and not set(done.stderr) & set(CONTROLS), done
    assert call("stoker", "version").stdout == call("stoker", "--version").stdout == call("stokerd", "--version").stdout.replace("stokerd", "stoker")
    for name in COMMANDS:
        wrong = [("--nosuch",), ("--output",)] if name != "run" else [("--nosuch",), ("--memory",), ("--memory", "much\x1b[31m", "true"), ()]
        wrong += [("-o", "xml")] if name not in ("run",) else []
        wrong += [("a", "b")] if name in ("why", "why-enospc") else [("a\x1b[31m",)] if name not in ("lint", "run") else []
        for words in wrong:
            done = call("stoker", name, *words)
            assert done.returncode == 64 and not done.stdout and f"stoker {name}" in done.stderr and f"stoker {name} --help" in done.stderr, (name, words, done)
            assert not set(done.stderr) & set(CONTROLS), (name, words, done.stderr)
        help_text = call("stoker", name, "--help")
        assert not [line for line in help_text.stdout.splitlines() if len(line) > 120 and "kubectl exec" not in line], help_text.stdout
        assert help_text.returncode == 0 and help_text.stdout == call("stoker", "help", name).stdout and "Exit code" in help_text.stdout, name
    done = call("stoker", "why-enospc", "--syscall", "rmdir", "/")
    assert done.returncode == 64 and "'rmdir' is not tried: say with --errno how it failed (see" in done.stderr, done
    done = call("stoker", "why-enospc", f"{t.dir}/none")
    assert done.returncode == 2 and done.stderr == f"stoker why-enospc: '{t.dir}/none' cannot be looked at: No such file or directory\n", done


@case
def words_that_cannot_be_written(t):
    for words in (("--help",), ("help",), ("--version",), *((name, "--help") for name in COMMANDS), *(("help", name) for name in COMMANDS), ("lint", "--rules")):
        with open("/dev/full", "w") as full:
            done = subprocess.run([f"{BIN}/stoker", *words], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2 and "cannot write the answer" in done.stderr, (words, done)


@case
def nobody_answers(t):
    for name in ASKING:
        done = call("stoker", name, "--socket", f"{t.dir}/none")
        assert done.returncode == 2 and f"stoker {name}: cannot reach stokerd at '{t.dir}/none'" in done.stderr and f"-- stoker {name}" in done.stderr, done
        assert "spec.nodeName=NODE" in done.stderr and not done.stdout, done  # of this node, not the first pod of all
    done = call("stoker", "health", "--config", f"{t.dir}/none.yaml")  # the usual agent is asked, and that is said
    assert f"stoker: cannot open '{t.dir}/none.yaml': No such file or directory; asking '/run/stoker/stoker.sock'" in done.stderr, done
    done = call("stoker", "health", "--direct", "--config", f"{t.dir}/none.yaml")
    assert done.returncode == 2 and "Without a configuration: stoker health --direct PATH" in done.stderr, done
    done = run("--report", f"{t.dir}/none/x", "true")
    assert done.returncode == 64 and done.stderr == f"stoker run: --report: cannot open '{t.dir}/none/x': No such file or directory\n", done
    done = call("stoker", "why-enospc", "--syscall", "foo", "/")
    assert done.returncode == 64 and "--syscall must be a name that the help has, not 'foo' (see stoker why-enospc --help)" in done.stderr, done
    done = call("stoker", "doctor", "--socket", f"{t.dir}/none", "--config", f"{t.dir}/none.yaml")
    assert f"cannot open '{t.dir}/none.yaml'" in done.stdout and "an empty file is the defaults" in done.stdout, done


@case
def answers_on_a_terminal_in_a_pipe_and_nowhere(t):
    n = Node(t)
    n.disk("ext4")
    n.start()
    n.wait("Healthy")
    n.wait_closed()  # the doctor looks at rights
    where = ("--config", n.config_path)
    for name in (*ASKING, "doctor"):
        said = n.cli(name, "-o", "json")
        assert said.returncode == 0 and json.loads(said.stdout)["apiVersion"] == "stoker.dev/v1alpha1", said
        for form in ((), ("-o", "wide") if name != "doctor" else (), ("-o", "json")):
            with open("/dev/full", "w") as full:
                done = subprocess.run([f"{BIN}/stoker", name, *where, *form], stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 2 and "cannot" in done.stderr, (name, form, done)
    done = n.cli("why", "etl/7")
    assert done.returncode == 2 and done.stderr.startswith("stoker why: no death of 'etl/7' is known on this node (nor of any other)"), done
    lines = n.cli("doctor").stdout.splitlines()
    assert {line[23] for line in lines} == {" "} and not [line for line in lines if line[24] == " "], lines  # one column
    beside = subprocess.run([f"{BIN}/stoker", "doctor", "--config", os.path.basename(n.config_path), "-o", "json"], cwd=os.path.dirname(n.config_path), capture_output=True, text=True)
    said = {line["name"]: line for line in json.loads(beside.stdout)["lines"]}
    assert said["stokerd"]["mark"] != "note", said
    for other in ((), ("--config", f"{t.dir}/other.yaml")):  # of another agent on this node nothing is said
        done = call("stoker", "doctor", "-o", "json", "--socket", n.http_socket, *other)
        assert said["stoker-web"]["what"] not in [line["what"] for line in json.loads(done.stdout)["lines"]], done.stdout
    for name in ("health", "doctor"):
        argv = [f"{BIN}/stoker", name, *where]
        assert "\033[" not in n.cli(name).stdout, name
        assert "\033[32m" in on_terminal(argv, {"TERM": "xterm", "NO_COLOR": ""})[1], name
        for argument, env in (((), {"TERM": "xterm", "NO_COLOR": "1"}), (("--no-color",), {"TERM": "xterm", "NO_COLOR": ""}), ((), {"TERM": "dumb", "NO_COLOR": ""})):
            code, text = on_terminal([*argv, *argument], env)
            assert code == 0 and "\033[" not in text, (name, argument, env, text)


@case
def whoever_reads_the_log_may_go(t):
    """A role goes on when nobody reads its standard error any more."""
    n = Node(t)
    n.disk("ext4")
    n.write_config_now()
    nobody, log = os.pipe()
    os.close(nobody)
    roles = [subprocess.Popen([f"{BIN}/{role}", "--config", n.config_path], stderr=log) for role in ("stoker-broker", "stokerd", "stoker-reporter")]
    t.cleanup(lambda: [n.end(p) for p in roles])
    os.close(log)
    n.wait("Healthy")
    assert [p.poll() for p in roles] == [None] * 3, [p.args for p in roles if p.poll() is not None]


@case
def whoever_reads_the_log_may_stop(t):
    """A container's standard error is a pipe, which containerd writes to a file of the pods' logs: where that filesystem hangs nobody reads it, and
    that is what a role is to tell of. What found no room is counted and said afterwards."""
    n = Node(t)
    disk = n.disk("ext4")
    n.write_config_now()
    reader, log = os.pipe()
    os.set_blocking(log, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(log, b"x" * 4096)
    os.set_blocking(log, True)
    roles = [subprocess.Popen([f"{BIN}/{role}", "--config", n.config_path], stderr=log) for role in ("stoker-broker", "stokerd", "stoker-reporter")]
    t.cleanup(lambda: [n.end(p) for p in roles])
    n.wait("Healthy")
    disk.remount("ro")
    n.wait_fs(disk, "bad")
    assert os.get_blocking(log), "it is not theirs alone"
    os.set_blocking(reader, False)
    text = b""
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(reader, 65536):
            text += piece
    os.set_blocking(reader, True)
    disk.remount("rw")
    while b"recovering" not in text:
        text += os.read(reader, 65536)
    lost = [line for line in text.splitlines() if b"role=stokerd" in line and b"log lines lost" in line]
    assert len(lost) == 1 and int(lost[0].rsplit(b"lines=", 1)[1]) > 3, text[-3000:]
    os.close(log)
    os.close(reader)


# --- stoker run ---

@case
def run_passes_exit_codes_on(t):
    for argv, want in ((("true",), 0), (("sh", "-c", "exit 3"), 3), (("sh", "-c", "kill -TERM $$"), 143), (("/nonexistent",), 127), (("/etc/passwd",), 126),
                       (("--", "sh", "-c", "echo out; echo err >&2"), 0)):
        done = run("--quiet", *argv)
        assert done.returncode == want, (argv, done)
    assert (done.stdout, done.stderr) == ("out\n", "err\n"), done


@case
def run_without_root_says_what_to_do_and_no_more(t):
    stoker = os.open(os.path.join(BIN, "stoker"), os.O_RDONLY)  # what leads there may be root's alone
    t.cleanup(lambda: os.close(stoker))
    done = subprocess.run(["stoker", "run", "true"], executable=f"/proc/self/fd/{stoker}", pass_fds=(stoker,), preexec_fn=lambda: os.setuid(65534), cwd="/",
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 125 and "sudo stoker run" in done.stderr and len(done.stderr.splitlines()) == 2, done


@case
def run_ends_when_its_process_does(t):
    """Whoever started it (a standalone worker, a script) waits for it: the quickest of twenty at most, on a node that does other things."""
    took = []
    while len(took) < 20 and (not took or min(took) >= 0.2):
        began = time.monotonic()
        assert run("--quiet", "true").returncode == 0
        took.append(time.monotonic() - began)
    assert min(took) < 0.2, took


@case
def run_is_bold_where_that_is_wanted(t):
    argv = [f"{BIN}/stoker", "run", "sh", "-c", "kill -9 $$"]
    assert "\033[1m" in on_terminal(argv, {"TERM": "xterm", "NO_COLOR": ""})[1]
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}):
        code, text = on_terminal(argv, env)
        assert code == 137 and "not for memory" in text and "\033[" not in text, (env, text)
    assert "\033[" not in run("sh", "-c", "kill -9 $$").stderr


@case
def run_where_sigchld_is_ignored(t):
    """As a parent may have it, who hands it down: the end is seen all the same."""
    done = run("--quiet", "sh", "-c", "exit 3", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 3, done


@case
def run_explains_what_a_shell_ran(t):
    """Its child is killed for memory, and the shell ends a moment later with a code of its own."""
    report = f"{t.dir}/deaths.json"
    for code in (137, 7):
        done = run("--quiet", "--memory", "64m", "--report", report, "--", "sh", "-c", f"tail /dev/zero; sleep 0.3; exit {code}")
        assert done.returncode == code, done
    with open(report) as f:
        deaths = [json.loads(line) for line in f]
    assert [(d["cause"], d["lives"], d["exitCode"]) for d in deaths] == [("overhead", False, 137), ("overhead", False, 7)], deaths


@case
def run_says_that_its_cpu_was_held_up(t):
    """Less than a minute: all of its life, to its end."""
    report = f"{t.dir}/deaths.json"
    busy = "end=$(($(date +%s) + 7)); while [ $(date +%s) -lt $end ]; do :; done; kill -9 $$"
    assert run("--quiet", "--cpus", "0.1", "--memory", "64m", "--report", report, "--", "sh", "-c", busy).returncode == 137
    with open(report) as f:
        evidence = json.loads(f.read())["evidence"]
    assert "its CPU limit held it up in " in evidence, evidence


@case
def run_says_no_secret(t):
    """What a process says of its own end is redacted in words and in the report, and cannot move a cursor."""
    report = f"{t.dir}/deaths.json"
    words = "Exception in thread \"main\" X: jdbc:pg://etl:hunter2@db/x?password=hunter2 \\302\\233\\033[31m"
    done = run("--report", report, "--name", "etl", "--", "sh", "-c", f"printf '{words}\\n' >&2; exit 1")
    assert done.returncode == 1, done
    said = done.stderr.split("\n", 1)[1]  # behind what the process itself wrote
    with open(report) as f:
        death = json.loads(f.read())
    assert "(redacted)" in said and "(redacted)" in death["evidence"], (said, death)
    assert "hunter2" not in said and "hunter2" not in json.dumps(death), (said, death)
    assert not set(said + death["evidence"]) & {"\033", "\x9b"}, said
    for words in (["--name", "etl password=hunter2", "--", "false"], ["--", "false", "spark-submit", "--name", "etl password=hunter2"],
                  ["--", "false", "spark-submit", "--conf", "spark.app.name=s3a://AKIA:hunter2@bucket"]):
        done = run("--report", report, *words)
        assert "hunter2" not in done.stderr, done.stderr
    with open(report) as f:
        assert "hunter2" not in f.read()


@case
def run_reads_the_report_of_a_crash(t):
    """A JVM that is to crash for want of heap says so on its standard output, which is passed on unread, and in a file where it stands."""
    head = "#\\n# A fatal error has been detected by the Java Runtime Environment:\\n#\\n#  fatal error: OutOfMemory encountered: Java heap space\\n"
    for words, cause in ((head, "heap"), (head.replace("OutOfMemory encountered: Java heap space", "other"), "crashed")):
        report = f"{t.dir}/{cause}.json"
        done = run("--report", report, "--", "sh", "-c", f"printf '{words}' >hs_err_pid$$.log; kill -ABRT $$", cwd=t.dir)
        with open(report) as f:
            death = json.load(f)
        assert (done.returncode, death["cause"]) == (134, cause), (done, death)


@case
def run_knows_a_jvm_that_kills_itself(t):
    """OnOutOfMemoryError='kill -9 %p' where the heap was never full: one object was too large. A collection of the whole heap came before; before somebody
    else's kill -9 there is none, or one that was asked for."""
    if not shutil.which("javac"):
        raise Skip("no JDK is installed")
    with open(f"{t.dir}/A.java", "w") as f:
        f.write("public class A { public static void main(String[] a) throws Exception { if (a[0].equals(\"large\")) { long[] x = new long[50000000]; x[0] = 1; }"
                " if (a[0].equals(\"asked\")) System.gc(); Runtime.getRuntime().exec(new String[] {\"kill\", \"-9\", \"\" + ProcessHandle.current().pid()}); Thread.sleep(9000); } }")
    subprocess.run(["javac", "-d", t.dir, f"{t.dir}/A.java"], check=True)
    for gc in ("-XX:+UseG1GC", "-XX:+UseSerialGC", "-XX:+UseParallelGC"):
        for how, cause in (("large", "heap"), ("none", "killed"), ("asked", "killed")):
            report = f"{t.dir}/{gc[5:]}-{how}.json"
            done = run("--report", report, "--", "java", "-Xmx64m", gc, "-XX:OnOutOfMemoryError=kill -9 %p", "-cp", t.dir, "A", how,
                       "org.apache.spark.executor.CoarseGrainedExecutorBackend")
            with open(report) as f:
                death = json.load(f)
            assert (done.returncode, death["cause"], death["confidence"]) == (137, cause, "likely"), (gc, how, death)


@case
def runs_share_a_report(t):
    """Every executor of an application has the same file: whole lines, each written at once."""
    report, trace = f"{t.dir}/deaths.json", f"{t.dir}/trace"
    several = [subprocess.Popen([f"{BIN}/stoker", "run", "--quiet", "--report", report, "--name", f"job-{i}", "--", "sh", "-c", "exit 1"]) for i in range(4)]
    assert [p.wait(60) for p in several] == [1] * 4
    with open(report) as f:
        names = sorted(json.loads(line)["executor"]["appName"] for line in f)
    assert names == [f"job-{i}" for i in range(4)], names
    done = subprocess.run(["strace", "-o", trace, "-e", "trace=write", "-y", f"{BIN}/stoker", "run", "--quiet", "--report", report, "false"], timeout=60)
    assert done.returncode == 1
    with open(trace) as f:
        writes = [line for line in f if report in line]
    assert len(writes) == 1, writes


@case
def run_passes_signals_on(t):
    with subprocess.Popen([f"{BIN}/stoker", "run", "--quiet", "sh", "-c", "trap 'exit 7' USR1; touch $0; while :; do sleep 0.05; done", f"{t.dir}/up"]) as p:
        wait_for(lambda: os.path.exists(f"{t.dir}/up"), "the process to run")
        p.send_signal(signal.SIGUSR1)
        assert p.wait(30) == 7


if __name__ == "__main__":
    main()
