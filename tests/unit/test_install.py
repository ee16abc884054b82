"""deploy/install on each platform, with commands that only note how they were called: image in, apply, wait, doctor. On the platform
`containerd` it runs for real (tests/cluster)."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import plain  # noqa: E402
from pages import TOP  # noqa: E402

NOTE = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "$*" in *"$FAILS"*) exit 1 ;; esac
"""
# arguments, how the image gets in, and its kubectl
PLATFORMS = {
    "k3d": (["--cluster", "dev"], "k3d image import -c dev {archive}", "kubectl --context k3d-dev"),
    "k3s": ([], "k3s ctr images import {archive}", "k3s kubectl"),
    "microk8s": ([], "microk8s ctr image import {archive}", "microk8s kubectl"),
    "minikube": (["--cluster", "dev"], "minikube -p dev image load {archive}", "minikube -p dev kubectl --"),
    "kind": ([], "kind load image-archive --name kind {archive}", "kubectl --context kind-kind"),
    "rancher-desktop": ([], "nerdctl -n k8s.io load -i {archive}", "kubectl"),
    "containerd": (["--context", "prod"], "ctr -n k8s.io images import {archive}", "kubectl --context prod"),
    "context": (["--context", "prod", "--image", "registry.example/stoker:1"], None, "kubectl --context prod"),
}


def install(directory, *args, without=(), fails="no call is like this"):
    """What deploy/install says, and the calls that it made."""
    calls, commands = os.path.join(directory, "calls"), os.path.join(directory, "bin")
    os.makedirs(commands, exist_ok=True)
    for name in {"k3d", "k3s", "microk8s", "minikube", "kind", "nerdctl", "ctr", "kubectl"}:
        path = os.path.join(commands, name)
        if name in without:
            os.unlink(path)
            continue
        with open(path, "w") as f:
            f.write(NOTE)
        os.chmod(path, 0o755)
    open(calls, "w").close()
    r = subprocess.run([f"{TOP}/deploy/install", *args], capture_output=True, text=True, env={"PATH": f"{commands}:/usr/bin:/bin", "CALLS": calls, "FAILS": fails})
    with open(calls) as f:
        return r, f.read().splitlines()


def test_each_platform_gets_image_manifests_and_doctor():
    with tempfile.TemporaryDirectory() as t:
        archive = os.path.join(t, "stoker.tar")
        open(archive, "w").close()
        for platform, (more, load, kubectl) in PLATFORMS.items():
            r, calls = install(t, platform, *more, *(["--archive", archive] if load else []))
            want = [load.format(archive=archive)] if load else []
            assert r.returncode == 0 and calls[:len(want)] == want, (platform, calls, r.stdout, r.stderr)
            rest = calls[len(want):]
            assert len(rest) == 4 and all(c.startswith(kubectl + " ") for c in rest), (platform, rest)
            for call, words in zip(rest, ("kustomize --load-restrictor=LoadRestrictionsNone", "apply --server-side --force-conflicts -f", "rollout status daemonset/stoker", "exec daemonset/stoker -c agent -- stoker doctor")):
                assert words in call, (platform, words, rest)
            # and says beforehand what it does
            r, none = install(t, platform, *more, *(["--archive", archive] if load else []), "--print")
            assert r.returncode == 0 and not none and all(c in r.stdout for c in [*want, rest[2], rest[3]]), (platform, r.stdout)
    assert not [name for name in os.listdir(f"{TOP}/deploy") if name.startswith(".install.")], "it leaves its directory behind"


def test_what_fails_ends_it_with_words():
    with tempfile.TemporaryDirectory() as t:
        archive = os.path.join(t, "stoker.tar")
        open(archive, "w").close()
        install(t, "k3d", "--print")
        r, calls = install(t, "k3d", "--archive", archive, without=("k3d",))
        assert r.returncode == 1 and not calls and "'k3d' is not in PATH; the platform 'k3d' needs it" in r.stderr, r
        r, calls = install(t, "k3s", "--archive", archive, fails="images import")
        assert r.returncode == 1 and len(calls) == 1, (r, calls)
        r, calls = install(t, "k3s", "--archive", archive, fails="rollout status")
        assert r.returncode == 1 and "The pods do not become ready" in r.stderr and any("logs -l" in c for c in calls) and "doctor" not in calls[-1], (r, calls)
        # the doctor has found a problem of the node: the installation is done
        assert install(t, "k3s", "--archive", archive, fails="stoker doctor")[0].returncode == 0


def test_wrong_use_is_refused_by_name():
    rows = (([], "which platform?"), (["k4d"], "'k4d' is no platform"), (["k3s", "microk8s"], "one platform"), (["k3s", "--overlay", "none"], "'none' is no overlay"),
            (["k3s", "--archive", "/nonexistent"], "cannot read '/nonexistent'"), (["k3s", "--config"], "--config needs a value"), (["k3s", "--quick"], "'--quick' is no option"),
            (["context"], "needs --image"), (["context", "--image", "registry.example/stoker"], "must be NAME:TAG"))
    with tempfile.TemporaryDirectory() as t:
        # the reporter is of that group: without the key it cannot reach stokerd, and nothing is written to node objects
        narrow, whole = os.path.join(t, "narrow.yaml"), os.path.join(t, "whole.yaml")
        for path, text in ((narrow, "watch: []\n# group: 65532\n"), (whole, "report: {group: 65532}\n")):
            with open(path, "w") as f:
                f.write(text)
        assert install(t, "k3s", "--config", whole, "--print")[0].returncode == 0
        assert install(t, "k3s", "--config", narrow, "--overlay", f"{TOP}/deploy/kustomize/base", "--print")[0].returncode == 0
        for args, words in (*rows, (["k3s", "--config", narrow], "has no report.group: 65532")):
            r, calls = install(t, *args)
            assert r.returncode == 64 and words in r.stderr and not calls, (args, r, calls)


def test_the_other_scripts_refuse_too():
    rows = (("try", ["--quick"], "deploy/try: '--quick' is no option"), ("image", ["--quick"], "deploy/image: '--quick' is no option"), ("image", ["--output"], "deploy/image: --output needs a value"),
            ("install", ["k4d"], "deploy/install: 'k4d' is no platform"), ("uninstall", ["k4d"], "deploy/uninstall: 'k4d' is no platform"), ("uninstall", [], "which platform?"),
            ("uninstall", ["k3s", "--timeout", "soon"], "must be a number of seconds"), ("enable-nri", ["--quick"], "'--quick' is no option"))
    for script, args, words in rows:
        r = subprocess.run([f"{TOP}/deploy/{script}", *args], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, timeout=60)
        assert r.returncode == 64 and r.stderr.startswith("deploy/") and words in r.stderr and f"deploy/{script} --help" in r.stderr and len(r.stderr.splitlines()) == 1, (script, args, r)
        shown = subprocess.run([f"{TOP}/deploy/{script}", "--help"], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0 and shown.stdout.startswith(f"deploy/{script}") and not shown.stderr, (script, shown)


if __name__ == "__main__":
    plain.main(test_each_platform_gets_image_manifests_and_doctor, test_what_fails_ends_it_with_words, test_wrong_use_is_refused_by_name, test_the_other_scripts_refuse_too)
