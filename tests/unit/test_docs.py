"""What docs/ name is what the sources have: keys, metrics, reasons, causes, inputs, paths, options; and every link leads somewhere."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import plain  # noqa: E402
from pages import TOP, code, part, read, rows  # noqa: E402

CAMEL = r'"([A-Z][A-Za-z]*[a-z][A-Z][A-Za-z]*|IOErrors)"'
COMMANDS = ("health", "executors", "why", "doctor", "volumes", "sweep", "lint", "run", "why-enospc")
ROLES = ("stokerd", "stoker-broker", "stoker-reporter")


def sources(pattern):
    return "".join(read(os.path.relpath(path, TOP)) for path in sorted(glob.glob(os.path.join(TOP, pattern))))


def same(found, want, what):
    assert found == want, (what, "only in docs/", sorted(found - want), "only in the sources", sorted(want - found))


def anchors(text):
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", text, re.M)]
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "").strip().lower()).replace(" ", "-") for title in titles}


def test_every_link_leads_somewhere():
    pages = ["README.md", "NEWS.md", "SECURITY.md", "CONTRIBUTING.md"] + sorted(os.path.relpath(p, TOP) for p in glob.glob(os.path.join(TOP, "docs/*.md")))
    linked = set()
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", read(page), flags=re.S)):
            if link.startswith("http"):
                continue
            name, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
            assert os.path.exists(os.path.join(TOP, target)), f"{page}: {link} leads nowhere"
            assert not anchor or anchor in anchors(read(target)), f"{page}: {link}: there is no such heading"
            linked.add(target)
    assert not set(pages[1:]) - linked, ("pages that nobody leads to", set(pages[1:]) - linked)


def test_every_file_named_is_there():
    """`health/brake.h`, `tests/run`, `deploy/kustomize/base`: in the pages and manuals; and no comment leads out of the repository."""
    folders = "|".join(name for name in os.listdir(TOP) if os.path.isdir(os.path.join(TOP, name)) and not name.startswith((".", "build")))
    for page in ["README.md", "NEWS.md", "SECURITY.md", "CONTRIBUTING.md"] + sorted(os.path.relpath(p, TOP) for p in glob.glob(os.path.join(TOP, "docs/*.md"))):
        for name in re.findall(rf"`((?:{folders})/[\w./*-]+)", read(page)):
            name = name.rstrip(".")
            assert glob.glob(os.path.join(TOP, name)) or "NAME" in name or name == "tests/sabotage-*", f"{page}: there is no {name}"
    lost = [line for folder in ("base", "cgroups", "volumes", "health", "shim", "daemon") for path in glob.glob(os.path.join(TOP, folder, "*.[ch]"))
            for line in re.findall(r".*(?:\bdesign §|\bfacts/).*", read(os.path.relpath(path, TOP)))]
    assert not lost, ("comments that name what is not here", lost)


def rules_of(table):
    """[(key, default)] of a table of struct rule."""
    return re.findall(r'^\t\{"([\w.]+)", (NULL|\w+|"[^"]*"), ', table, re.M)


def test_configuration():
    """The table of keys, with the defaults that are written out in the rules."""
    top, volumes = read("base/config_rules.c"), read("base/config_volumes_rules.c")
    first, watch = (text.split("};", 1)[0] for text in top.split("rules[] = {")[1:3])
    want = dict(rules_of(first) + rules_of(volumes.split("rules[] = {")[1]))
    want |= {f"watch[].{key}": fallback for key, fallback in rules_of(watch)}
    want |= {key: "list" for key in re.findall(r'^\t\{"(report\.\w+)", offsetof', top, re.M)}
    want |= {f"{key}[]": "list" for key in re.findall(r'LIST\("([\w.]+)"', volumes)}
    found = {row[0].strip("`"): row[1] for row in rows(read("docs/configuration.md"), "## Keys")}
    same(set(found), set(want), "keys")
    for key, fallback in want.items():
        if fallback.startswith('"') and fallback != '""':
            assert f"`{fallback.strip(chr(34))}`" in found[key], (key, "default", found[key], fallback)
    entries = {key for key, _ in rules_of(volumes) if "." not in key}
    missing = {key for key in entries if f"`{key}`" not in read("docs/configuration.md")}
    assert not missing, ("keys of lists that are not explained", missing)


def test_metrics_and_alerts():
    page, alerts = read("docs/monitoring.md"), read("deploy/monitoring/alerts.yaml")
    want = set(re.findall(r'"(stoker_\w+)"', sources("health/metrics*.c")))
    same({name for name in re.findall(r"`(stoker_\w+)", part(page, "## Metrics"))}, want, "metrics")
    unknown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bstoker_\w+", alerts)} - want
    assert not unknown, ("alerts are about metrics that do not exist", unknown)
    same(set(re.findall(r"^\| `(Stoker\w+)`", part(page, "## Alerts"), re.M)), set(re.findall(r"alert: (\w+)", alerts)), "alerts")


def test_reasons():
    """Of a filesystem: a row in the contract and a section of what to do for each."""
    want = set(re.findall(CAMEL, read("health/verdict.c").split("static", 1)[1]))
    want |= set(re.findall(r'"(\w+)", true\}', read("health/kmsg.c").split("meanings[]", 1)[1]))
    want |= set(re.findall(r'"(\w+)", true\}', read("health/kmsg.c").split("families[]", 1)[1].split("};", 1)[0]))
    want |= {"InodesExhausted", "ReservedBlocks", "TmpfsSize", "TmpfsInodes", "ReadOnlyBind", "NotProbed"}  # by number in volumes/enospc_names.c; health.c, monitor.c
    contract = {word for row in rows(read("docs/contract.md"), "### Reasons") for word in code(row[0])}
    same(contract, want, "reasons")
    sections = {word for title in re.findall(r"^### (.*)$", read("docs/troubleshooting.md"), re.M) for word in title.split(", ")}
    checkpoint = set(re.findall(CAMEL, read("health/checkpoint.c"))) - {"AllProbesPassed"}
    assert want | checkpoint | {"NothingWatched"} == sections, ("sections of docs/troubleshooting.md", (want | checkpoint | {"NothingWatched"}) ^ sections)


def test_causes_and_events():
    table = dict(re.findall(r'\[DEATH_\w+\] = \{"([a-z-]+)", "(\w+)"', read("health/death.c")))
    assert len(table) > 30, table
    found = {}
    for row in rows(read("docs/contract.md"), "### Causes of deaths"):
        causes, reasons = (re.findall(r"`([^`]+)`", cell) for cell in row)
        assert len(causes) == len(reasons), row
        found |= dict(zip(causes, reasons))
    assert found == table, ("causes", set(found.items()) ^ set(table.items()))
    page = read("docs/executors.md")
    missing = [name for name, reason in table.items() if f"| `{name}` `{reason}` |" not in page and f"`{name}` `{reason}`" not in page]
    assert not missing, ("causes that docs/executors.md does not explain", missing)
    events = set(re.findall(r'#define EVENT_\w+\s+"([A-Z]\w+)"', read("health/event.h")))
    named = {word for row in rows(read("docs/contract.md"), "### Events") for word in code(row[0])}
    assert events <= named, ("Events that the contract does not name", events - named)


def test_inputs_and_paths():
    contract = read("docs/contract.md")
    text = sources("health/*.c") + read("daemon/stokerd.c")
    want = set(re.findall(r'monitor_input\((?:&s->monitor|m|&supervisor\.monitor), "([a-z0-9-]+)"', text))
    assert len(want) > 15, want
    named = code(re.search(r"^Inputs today:.*?\n\n", contract, re.M | re.S).group())
    want |= set(re.findall(r'^#define INPUT\s+"([a-z0-9-]+)"', text, re.M))
    assert want <= named, ("inputs that the contract does not name", want - named)
    advised = set(re.findall(r'^\t\{"([a-z0-9-]+)", READY_', read("health/ready.c"), re.M))
    assert named - {"ok", "off", "missing", "degraded"} >= advised >= want, ("inputs without a word of what to do", want - advised, advised - named)
    paths = set(re.findall(r'^\t\{"(/[\w/]+)", WEB_', read("health/web.c"), re.M))
    same({word for row in rows(contract, "## HTTP") for word in code(row[0])}, paths, "paths of HTTP")


def long_options(text):
    return set(re.findall(r'\{"([a-z-]+)", (?:no|required|optional)_argument', text))


def mdoc_options(text):
    """Of `.It Fl o , Fl Fl output` and of synopses: words after `Fl Fl`."""
    return {word.rstrip(",") for word in re.findall(r"Fl Fl ([a-z-]+)", text)}


def test_options():
    """Help and manual have every option, and no others."""
    man, ask = read("docs/man/stoker.1"), long_options(read("daemon/stoker_ask.c"))
    seen = {"version"}
    for name in COMMANDS:
        text = read(f"daemon/stoker_{name.replace('-', '_')}.c")
        options = long_options(text) or ask
        helped = set(re.findall(r"--([a-z-]+)", text.split("_help[] =", 1)[1].split(";\n", 1)[0])) | (ask if "ASK_OPTIONS_HELP" in text else set())
        assert options <= helped, (name, "not in its help", options - helped)
        synopsis = man.split(f".Nm\n.Cm {name}\n", 1)[1]
        assert options - mdoc_options(man) - {"help"} == set() and synopsis, (name, "not in stoker.1", options - mdoc_options(man))
        seen |= options
    assert mdoc_options(man) <= seen, ("options of stoker.1 that do not exist", mdoc_options(man) - seen)
    man, seen = read("docs/man/stokerd.8"), long_options(read("base/role_main.c"))
    for role in ROLES:
        text = read(f"daemon/{role}.c")
        options = long_options(text)
        assert all(f"--{option}" in text.split("usage[] =", 1)[1].split(";\n", 1)[0] for option in options), (role, options)
        seen |= options
    same(mdoc_options(man), seen, "options of stokerd.8")


if __name__ == "__main__":
    plain.main(test_every_link_leads_somewhere, test_every_file_named_is_there, test_configuration, test_metrics_and_alerts, test_reasons, test_causes_and_events, test_inputs_and_paths, test_options)
