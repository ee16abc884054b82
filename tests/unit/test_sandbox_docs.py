"""What docs/ say of capabilities and filters is what base/sandbox_table.c says."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import plain  # noqa: E402
from pages import read, rows  # noqa: E402


def source():
    """{role: (set of capabilities, set of calls)}, by the names of enum sandbox_role without SANDBOX_."""
    roles = re.findall(r"\bSANDBOX_(\w+)", re.search(r"enum sandbox_role \{(.*?)\};", read("base/sandbox.h"), re.S).group(1))
    roles.remove("ROLE_MAX_")
    table = re.sub(r"/\*.*?\*/", "", read("base/sandbox_table.c"), flags=re.S)
    groups = dict(re.findall(r"#define (\w+)\s+(\(.*\))", table))

    def mask(words):
        words = re.sub(r"1u << SANDBOX_(\w+)", lambda m: str(1 << roles.index(m.group(1))), words)
        return eval(words) if not re.search("[A-Z]", words) else mask(re.sub(r"\b[A-Z]+\b", lambda m: groups[m.group()], words))  # noqa: S307: our own source
    calls = {role: set() for role in roles}
    for name, words in re.findall(r'\{"(\w+)", ([^}]*)\}', table.split("sandbox_calls[]", 1)[1].split("\n};", 1)[0]):
        for i, role in enumerate(roles):
            if mask(words) >> i & 1:
                calls[role].add(name)
    lists = {name: set(re.findall(r"CAP_(\w+)", text)) for name, text in re.findall(r"(\w+)\[\] = \{([^}]*-1)\}", table.split("sandbox_kept_capabilities", 1)[1])}
    kept = {role: lists["none"] for role in roles} | {"BROKER": lists["broker"], "BROKER_MOUNTS": lists["broker"]}
    for role, name in re.findall(r"if \(role == SANDBOX_(\w+)\)\s+return (\w+);", table):
        kept[role] = lists[name]
    return {role: (kept[role], calls[role]) for role in roles}


def capabilities(cell):
    return {word for word in re.findall(r"\b[A-Z][A-Z_]+\b", cell) if word != "CLI"}


def test_the_table_of_filters():
    want = source()
    found = rows(read("docs/architecture.md"), "### What each filter lets through")
    assert [row[0] for row in found] == [f"`{role}`" for role in want], ("a row for each of enum sandbox_role, in its order", [row[0] for row in found])
    for (role, (kept, calls)), row in zip(want.items(), found):
        assert capabilities(row[2]) == kept and (kept or row[2] == "none"), (role, kept, row[2])
        assert row[3] == str(len(calls)), f"{role}: {len(calls)} calls, not {row[3]}"
        refused = set(re.findall(r"no `(\w+)`", row[4]))
        named = set(re.findall(r"`(\w+)`", row[4])) - refused
        assert named <= calls and not refused & calls, (role, "not let through", named - calls, "let through", refused & calls)
    said = int(re.search(r"and end: (\d+) calls", read("docs/architecture.md")).group(1))
    assert said == len(set.intersection(*(calls for _, calls in want.values()))), said


def test_the_words_elsewhere():
    want, text = source(), read("docs/architecture.md")
    of = {row[0]: row[1] for row in rows(text, "The rule behind the split:")}
    for name, role in (("`stoker-broker`", "BROKER"), ("sweep child", "CHILD_SWEEP"), ("account child", "CHILD_ACCOUNT"), ("mount child", "CHILD_MOUNT"), ("resolve child", "CHILD_RESOLVE")):
        assert capabilities(of[name].split(";", 1)[-1]) == want[role][0], (name, of[name], want[role][0])
    argued = {c for row in rows(text, "### Why the broker keeps each capability") for c in capabilities(row[0])}
    assert argued == want["BROKER"][0], argued ^ want["BROKER"][0]
    broker = next(row for row in rows(read("docs/rights.md"), "## Linux rights and host paths") if row[0] == "`broker`")
    assert capabilities(broker[2]) == want["BROKER"][0], broker
    said = int(re.search(r"\(\s*`epoll_\*`\), to allocate, and to end: (\d+),", re.sub(r"\n", " ", text)).group(1))
    assert said == len(want["NRI"][1]), said


if __name__ == "__main__":
    plain.main(test_the_table_of_filters, test_the_words_elsewhere)
