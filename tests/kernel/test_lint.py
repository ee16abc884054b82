"""`stoker lint` as people and CI call it: what it prints, how it ends. Its rules: tests/unit/test_lint.c."""
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import case, main  # noqa: E402

STOKER = os.path.join(os.environ.get("STOKER_BIN", ""), "stoker")
CLEAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "lint")
TWICE = """apiVersion: v1
kind: Pod
spec:
  containers:
    - name: spark-kubernetes-executor
      volumeMounts:
        - {name: a, mountPath: /data}
        - {name: a, mountPath: /data}
  volumes:
    - {name: a, emptyDir: {}}
"""


def lint(*arguments, text=""):
    return subprocess.run([STOKER, "lint", *arguments], input=text, capture_output=True, text=True, timeout=60)


def written(t, name, text):
    path = os.path.join(t.dir, name)
    with open(path, "w") as f:
        f.write(text)
    return path


@case
def a_finding_has_place_rule_and_what_to_write(t):
    path = written(t, "executor.yaml", TWICE)
    done = lint(path)
    assert done.returncode == 1 and not done.stderr, done
    assert done.stdout.splitlines() == [
        f"{path}:8: error: '/data' is mounted twice in one container: by the pod template here and by the pod template at {path}:7 (\"mountPath must be unique\") [mount-twice]",
        "    write instead:", f"      (nothing: take it out, {path}:7 stays; or another path)"], done.stdout
    assert lint("-", text=TWICE).stdout.startswith("(standard input):8: error:")
    assert lint("--ignore", "mount-twice", path).returncode == 0


@case
def json_says_the_same(t):
    path, broken = written(t, "executor.yaml", TWICE), written(t, "broken.yaml", "a: [\n")
    done = lint("-o", "json", path, broken)
    said = json.loads(done.stdout)
    assert done.returncode == 1 and (said["apiVersion"], said["kind"], said["cut"]) == ("stoker.dev/v1alpha1", "LintReport", ""), said
    assert said["files"] == [{"file": path, "understood": True, "why": ""}, {"file": broken, "understood": False, "why": "line 2: must be YAML: did not find expected node content"}], said
    finding, = said["findings"]
    assert (finding["file"], finding["line"], finding["column"], finding["severity"], finding["rule"]) == (path, 8, 21, "error", "mount-twice"), finding


@case
def every_end_has_its_code(t):
    for folder in sorted(os.listdir(CLEAN)):
        done = lint(*glob.glob(f"{CLEAN}/{folder}/*"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (folder, done)
    huge = written(t, "huge.yaml", "a: b\n" * 300000)
    for path, why in ((written(t, "chart.yaml", "a: {{ .Values.a }}\n"), "line 1: keys must be words"), (written(t, "notes.txt", "hello\n"), "nothing in it is"),
                      (os.path.join(t.dir, "nosuch"), "No such file"), (t.dir, "Is a directory"), (huge, "1 MiB")):
        done = lint(path)
        assert done.returncode == 2 and not done.stdout and "not understood" in done.stderr and why in done.stderr, (path, done)
    for wrong in ((), ("-o", "xml", "a"), ("--webhook", "maybe", "a"), ("--ignore", "nosuch", "a"), ("--nosuch",), ("--rules", "a")):
        done = lint(*wrong)
        assert done.returncode == 64 and not done.stdout and "stoker lint" in done.stderr, (wrong, done)
    rules = lint("--rules").stdout.splitlines()
    with open(os.path.join(CLEAN, "..", "..", "..", "docs", "lint.md")) as f:
        documented = [line.split("`")[1] for line in f if line.startswith("| `") and ("| error |" in line or "| warning |" in line)]
    assert [line.split()[0] for line in rules] == documented, (rules, documented)
    with open("/dev/full", "w") as full:
        assert subprocess.run([STOKER, "lint", "--rules"], stdout=full, stderr=subprocess.PIPE).returncode == 2
        assert subprocess.run([STOKER, "lint", written(t, "executor.yaml", TWICE)], stdout=full, stderr=subprocess.PIPE).returncode == 2


if __name__ == "__main__":
    main()
