"""deploy/enable-nri on the files of a node under a prefix; what it makes is read by containerd itself."""
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import Skip, case, main  # noqa: E402
from cluster import CACHE  # noqa: E402

SCRIPT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../deploy/enable-nri")
OLD = """# kept as it is
version = 2
root = "/data/containerd" # with its comment

[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "pause:3.9"
"""


def run(t, *args):
    r = subprocess.run([SCRIPT, "--root", t.dir, *args], capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


def write(t, path, text, mode=0o644):
    full = os.path.join(t.dir, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)
    os.chmod(full, mode)
    return full


def files(t):
    found = {}
    for directory, _, names in os.walk(t.dir):
        for name in names:
            with open(os.path.join(directory, name)) as f:
                found[os.path.relpath(os.path.join(directory, name), t.dir)] = f.read()
    return found


def twice(t, *written):
    """What it says it would do it does, and once."""
    before = files(t)
    code, said = run(t, "--dry-run")
    assert code == 0 and files(t) == before, (code, said)
    assert all(f"would write {t.dir}/{w}" in said for w in written), said
    code, said = run(t)
    assert code == 0 and all(f"wrote {t.dir}/{w}" in said for w in written) and "systemctl restart" in said, said
    after = files(t)
    assert set(after) == set(before) | set(written), after
    code, said = run(t)
    assert code == 0 and files(t) == after and "has it on already" in said, said
    return before, after


@case
def containerd_that_has_it_off(t):
    config = write(t, "etc/containerd/config.toml", OLD, 0o600)
    before, after = twice(t, "etc/containerd/config.toml", "etc/containerd/conf.d/50-stoker-nri.toml")
    text = after["etc/containerd/config.toml"]
    assert text.replace('imports = ["/etc/containerd/conf.d/*.toml"]\n\n', "") == OLD, text
    assert text.index("imports") < text.index("[plugins"), text
    assert os.stat(config).st_mode & 0o777 == 0o600


@case
def containerd_that_imports_already(t):
    write(t, "etc/containerd/config.toml", 'version = 2\nimports = [ "/etc/containerd/one.toml", "/etc/containerd/more/*.toml" ]\n[debug]\n  level = "info"\n')
    before, after = twice(t, "etc/containerd/more/50-stoker-nri.toml")
    assert after["etc/containerd/config.toml"] == before["etc/containerd/config.toml"]


@case
def containerd_without_a_configuration(t):
    os.makedirs(f"{t.dir}/etc/containerd")
    twice(t, "etc/containerd/config.toml", "etc/containerd/conf.d/50-stoker-nri.toml")


@case
def crio(t):
    write(t, "etc/crio/crio.conf", "[crio]\n")
    _, after = twice(t, "etc/crio/crio.conf.d/50-stoker-nri.conf")
    assert "[crio.nri]\nenable_nri = true\n" in after["etc/crio/crio.conf.d/50-stoker-nri.conf"]


@case
def what_cannot_be_done_is_said_and_nothing_is_changed(t):
    for text, words in (("version = 1\n", "version = 2"), ("[plugins]\n", "version = 2"), ('version = 2\nimports = ["/etc/one.toml"]\n', "conf.d"),
                        ('version = 2\nimports = [\n  "/etc/containerd/conf.d/*.toml"\n]\n', "conf.d")):
        write(t, "etc/containerd/config.toml", text)
        before = files(t)
        code, said = run(t)
        assert code == 1 and words in said and files(t) == before, (text, code, said)
    os.unlink(f"{t.dir}/etc/containerd/config.toml")
    os.makedirs(f"{t.dir}/var/lib/rancher/k3s")
    code, said = run(t)
    assert code == 1 and "1.32" in said and not files(t), said
    assert run(t, "--runtime", "docker")[0] == 64 and run(t, "--what")[0] == 64 and run(t, "--runtime")[0] == 64


@case
def no_runtime_at_all(t):
    code, said = run(t)
    assert code == 1 and "neither containerd nor CRI-O" in said, said


@case
def a_socket_that_answers_is_left_alone(t):
    write(t, "etc/containerd/config.toml", OLD)
    path = f"{t.dir}/var/run/nri/nri.sock"
    os.makedirs(os.path.dirname(path))
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(4)
    before = sorted(os.listdir(f"{t.dir}/etc/containerd"))
    code, said = run(t)
    assert code == 0 and "answers; nothing is changed" in said and sorted(os.listdir(f"{t.dir}/etc/containerd")) == before, said
    s.close()  # a socket that nobody listens at any more, as a runtime leaves it
    code, said = run(t, "--dry-run")
    assert code == 0 and "would write" in said, said


@case
def containerd_reads_it(t):
    """The real one, of every version that is here, shows the configuration that it would run with."""
    programs = [p for p in (f"{CACHE}/bin/containerd-1.7/containerd", f"{CACHE}/bin/containerd-2.2/containerd", f"{CACHE}/bin/containerd") if os.path.isfile(p)]
    if not programs:
        raise Skip("no containerd is built")
    config = write(t, "etc/containerd/config.toml", OLD)
    run(t)
    with open(config) as f:
        text = f.read()
    write(t, "etc/containerd/config.toml", text.replace("/etc/containerd/conf.d", f"{t.dir}/etc/containerd/conf.d"))
    for program in programs:
        dump = subprocess.run([program, "-c", config, "config", "dump"], capture_output=True, text=True)
        assert dump.returncode == 0, (program, dump.stderr)
        lines = dump.stdout.splitlines()
        begin = next(i for i, line in enumerate(lines) if "io.containerd.nri.v1.nri" in line)
        section = lines[begin + 1:begin + 12]
        assert "disable = false" in [line.strip() for line in section], (program, section)
        assert any("/data/containerd" in line for line in lines), program
        assert any("pause:3.9" in line for line in lines), program


main()
