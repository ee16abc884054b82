"""The folder law (docs/architecture.md, "The folders"): includes go down a floor, never sideways or up, and never in a circle."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import plain  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FLOOR = {"base": 0, "cgroups": 1, "volumes": 1, "health": 2, "shim": 3, "daemon": 4}
GENERATED = {"build_config.h"}


def sources(top):
    if os.path.isdir(os.path.join(top, ".git")):
        # what is not committed yet counts too
        names = subprocess.run(["git", "-C", top, "-c", f"safe.directory={os.path.realpath(top)}", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"],
                               capture_output=True, text=True, check=True).stdout.split()
    else:
        names = [os.path.relpath(os.path.join(d, f), top) for d, _, files in os.walk(top) for f in files if f.endswith((".c", ".h"))]
    return [n for n in names if os.path.exists(os.path.join(top, n))]


def includes(top, name):
    with open(os.path.join(top, name)) as f:
        return re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M)


def check(top):
    """Every broken rule as a line."""
    wrong, graph = [], {}
    for name in sources(top):
        folder = name.split("/")[0]
        graph[name] = []
        for target in includes(top, name):
            where = target.split("/")[0]
            if target in GENERATED:
                continue
            if folder == "tests":
                continue
            if folder not in FLOOR:
                wrong.append(f"{name}: C code in '{folder}', which is no floor of the house")
            elif "/" not in target or target.startswith(".") or where not in FLOOR:
                wrong.append(f'{name}: includes "{target}", which is not written from the top')
            elif where != folder and FLOOR[where] >= FLOOR[folder]:
                wrong.append(f'{name}: floor {FLOOR[folder]} includes "{target}" of floor {FLOOR[where]}')
            else:
                graph[name].append(target)
    state = {}

    def walk(name, path):
        if state.get(name) == "done" or name not in graph:
            return
        if name in path:
            wrong.append("a circle: " + " -> ".join([*path[path.index(name):], name]))
            return
        for target in graph[name]:
            walk(target, [*path, name])
        state[name] = "done"

    for name in graph:
        walk(name, [])
    return wrong


def test_the_house_keeps_the_law():
    wrong = check(TOP)
    assert not wrong, "\n".join(wrong)
    assert len(sources(TOP)) > 20


def test_the_law_is_seen_broken():
    """The test can fail: planted breaches of each kind are found."""
    planted = {
        "base/a.h": '#include "health/b.h"\n', "volumes/a.h": '#include "cgroups/b.h"\n', "health/a.h": '#include "a2.h"\n',
        "health/c.h": '#include "health/d.h"\n', "health/d.h": '#include "health/c.h"\n', "extra/a.c": '#include "base/err.h"\n',
        "daemon/good.c": '#include "health/c.h"\n#include "base/x.h"\n',
    }
    with tempfile.TemporaryDirectory() as top:
        for name, text in planted.items():
            os.makedirs(os.path.join(top, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(top, name), "w") as f:
                f.write(text)
        wrong = "\n".join(check(top))
    for part in ("base/a.h: floor 0", "volumes/a.h: floor 1", 'health/a.h: includes "a2.h"', "a circle: health/c.h", "extra/a.c"):
        assert part in wrong, (part, wrong)
    assert "good.c" not in wrong, wrong


# What is printed goes through base/log.h or a descriptor that the caller gives; what is read from outside comes by the configuration.
ONLY_HERE = {
    r"\bgetenv\s*\(": {"base/config_source.c", "base/sandbox.c", "health/reporter.c"},  # NODE_NAME, what a role keeps, KUBERNETES_SERVICE_HOST
    r"\bstd(err|out)\s*[,)]|\bprintf\s*\(": {"base/role_main.c", "base/leaf_role.c"},  # --help, --version, wrong usage
}


def text_of(name):
    with open(os.path.join(TOP, name)) as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)


def test_the_environment_and_the_terminal_are_for_few():
    for pattern, allowed in ONLY_HERE.items():
        found = {n for n in sources(TOP) if n.endswith(".c") and n.split("/")[0] in FLOOR and not n.startswith("daemon/") and re.search(pattern, text_of(n))}
        assert found == allowed, (pattern, sorted(found ^ allowed))


if __name__ == "__main__":
    plain.main(test_the_house_keeps_the_law, test_the_law_is_seen_broken, test_the_environment_and_the_terminal_are_for_few)
