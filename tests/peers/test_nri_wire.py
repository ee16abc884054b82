"""NRI's wire against Go's own: a plugin of nothing but our wire beside real runtimes' side of it, and the same bytes, whole, changed
and broken, through our decoder and through Go's."""
import json
import os
import random
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import case, main, wait_for  # noqa: E402
import nri  # noqa: E402
import protowire  # noqa: E402
from protowire import field  # noqa: E402

TESTS = os.environ.get("STOKER_TESTS", "")
EVENTS = ["RunPodSandbox", "StopPodSandbox", "RemovePodSandbox", "CreateContainer", "PostCreateContainer", "StartContainer", "PostStartContainer",
          "UpdateContainer", "PostUpdateContainer", "StopContainer", "RemoveContainer", "UpdatePodSandbox", "PostUpdatePodSandbox", "ValidateContainerAdjustment"]
STATE_CHANGE, CONFIGURE, SYNCHRONIZE, REQUEST, RESPONSE = range(14, 19)

# What our decoder reads: all that is not here it does not look into.
LIMIT = {1: {1: {1: None}}}
PAIR = {1: None, 2: None}
POD = {1: None, 2: None, 3: None, 4: None, 5: PAIR, 6: PAIR, 7: None, 8: {2: LIMIT, 3: None, 4: None}, 9: None}
CONTAINER = {**{n: None for n in (1, 2, 3, 4, 7, 8, 12, 14, 15, 16, 17, 18, 19)}, 6: PAIR, 9: {1: None, 2: None, 3: None},
             11: {3: {**LIMIT, 6: PAIR}, 4: {1: None}, 5: None}, 21: {1: None, 2: None}, 22: {1: None}}


def schema(what):
    if what == STATE_CHANGE:
        return {1: None, 2: POD, 3: CONTAINER}
    if what == CONFIGURE:
        return {n: None for n in range(1, 7)}
    if what == SYNCHRONIZE:
        return {1: POD, 2: CONTAINER, 3: None}
    if what == REQUEST:
        return {n: None for n in range(1, 5)}
    if what == RESPONSE:
        return {1: {1: None, 2: None}, 2: None}
    name = EVENTS[what]
    if name == "UpdatePodSandbox":
        return {1: POD, 3: LIMIT}
    return {1: POD, **({} if "Pod" in name else {2: CONTAINER}), **({3: LIMIT} if name == "UpdateContainer" else {})}


class Bare:
    """tests/peers/nri_bare.c."""

    def __init__(self, t, runtime, reply_bytes=0, capture=None):
        self.log = os.path.join(t.dir, f"bare-{os.path.basename(t.dir)}-{id(self)}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([os.path.join(TESTS, "nri_bare"), runtime.socket, str(reply_bytes), *([capture] if capture else [])], stdout=log, stderr=log)
        t.cleanup(self.end)
        t.note(lambda: "--- nri_bare ---\n" + open(self.log).read()[-2000:])

    def join(self, runtime):
        """Waits until it is called: a runtime says that a plugin is synchronised a moment before it belongs to it (containerd#13698)."""
        runtime.synchronized()
        wait_for(lambda: runtime.ask("StartContainer", pod=nri.pod("joining"), container=nri.container(nri.pod("joining"), "joining")) and
                 any("container=joining" in line for line in self.said()), "the plugin to be called")
        return self

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)

    def said(self):
        with open(self.log) as log:
            return log.read().splitlines()


def tell_all(runtime, version):
    """Every event that this NRI has, once."""
    p = nri.spark_pod("p1")
    c = nri.container(p, "c1")
    told = ["RunPodSandbox", "CreateContainer", "PostCreateContainer", "StartContainer", "PostStartContainer", "UpdateContainer", "PostUpdateContainer",
            *(["UpdatePodSandbox", "PostUpdatePodSandbox"] if version in ("0.10.0", "0.11.0", "0.12.5") else []), "StopContainer", "RemoveContainer", "StopPodSandbox",
            "RemovePodSandbox"]
    answers = {}
    for do in told:
        one = dict(c, exit_code=137, finished_at="1700000000000000000") if do == "StopContainer" else c
        limit = {"memory": {"limit": {"value": "5"}}} if do.startswith("Update") else None
        answers[do] = runtime.ask(do, pod=p, **({} if "Pod" in do else {"container": one}), **({"resources": limit} if limit else {}))
    return told, answers


@case
def every_call_of_every_nri_is_understood(t):
    for version in nri.VERSIONS:
        runtime = nri.Runtime(t, version)
        bare = Bare(t, runtime).join(runtime)
        told, _ = tell_all(runtime, version)
        lines = bare.said()
        # the answer to the registration may come after the calls that it brings about
        assert "registered" in lines and f"Configure nri={version}" in lines[:2], lines
        for do in told:
            found = [line for line in lines if line.split(" ")[0].split(":")[-1] == do and "joining" not in line]
            assert len(found) == 1 and "pod=sandbox-p1" in found[0] and ("Pod" in do or "container=c1" in found[0]), (version, do, lines)
            # the calls that never had an answer of their own came as StateChange before 0.12
            old = do not in ("CreateContainer", "UpdateContainer", "StopContainer", "UpdatePodSandbox") and version != "0.12.5"
            assert found[0].startswith("StateChange:") == old, (version, found)
        if version in ("0.10.0", "0.11.0", "0.12.5"):
            assert "exit=137" in [line for line in lines if line.startswith("StopContainer")][0]
        runtime.end()
        wait_for(lambda: "closed" in bare.said(), "the plugin to see the end")


@case
def replies_of_any_length_reach_every_runtime(t):
    """Go's receiver drops who sends a frame of more than 4096 bytes, unless it waits for just that (facts of the mux, shim/mux.h)."""
    for version in nri.VERSIONS:
        runtime = nri.Runtime(t, version)
        for length in (0, 4000, 4034, 4035, 4036, 4060, 4090, 4096, 6000, 3_000_000):
            bare = Bare(t, runtime, length).join(runtime)
            for i in range(2):  # and it stays connected
                p = nri.pod(f"p{i}")
                answer = runtime.ask("CreateContainer", pod=p, container=nri.container(p, f"c{i}"))
                got = ((answer["response"] or {}).get("adjust") or {}).get("annotations") or {}
                assert len(got.get("stoker.dev/bare", "")) == length and "stoker.dev/bare" in got, (version, length, str(answer)[:300])
            bare.end()
        runtime.end()


@case
def a_synchronization_in_parts_is_followed(t):
    for version in ("0.8.0", "0.10.0", "0.11.0", "0.12.5"):
        runtime = nri.Runtime(t, version)
        runtime.ask("many", count=100, per_pod=2, bytes=100_000, pod=nri.spark_pod("p"), container=nri.container(nri.pod("p"), "c"))
        bare = Bare(t, runtime).join(runtime)
        parts = [line for line in bare.said() if line.startswith("Synchronize")]
        assert len(parts) >= 3 and all(p.endswith("more=1") for p in parts[:-1]) and parts[-1].endswith("more=0"), (version, parts)
        for what, want in (("pods=", 100), ("containers=", 200)):
            assert sum(int(p.split(what)[1].split(" ")[0]) for p in parts) == want, (version, parts)
        runtime.end()


def capture(t, version="0.12.5"):
    """What a runtime sends, as records (number, message): payloads, and the ttrpc messages around them."""
    runtime = nri.Runtime(t, version)
    p = nri.spark_pod("p0", annotations={"example.org/a": "b" * 40}, pid=7, ips=["10.0.0.1"], runtime_handler="runc")
    c = nri.container(p, "c0", user={"uid": 185, "gid": 1}, rlimits=[{"type": "RLIMIT_NOFILE", "hard": "1", "soft": "1"}], annotations={"k": "v"})
    c["linux"]["resources"]["unified"] = {"memory.oom.group": "1"}
    runtime.ask("state", pods=[p, nri.pod("other")], containers=[c])
    path = os.path.join(t.dir, "trunk")
    bare = Bare(t, runtime, 0, path).join(runtime)
    tell_all(runtime, version)
    runtime.end()
    bare.process.wait(30)
    with open(path, "rb") as f:
        return f.read()


def messages(trunk):
    """(connection, ttrpc message) of a trunk's bytes."""
    streams, at = {}, 0
    while at < len(trunk):
        connection, length = struct.unpack(">II", trunk[at:at + 8])
        streams[connection] = streams.get(connection, b"") + trunk[at + 8:at + 8 + length]
        at += 8 + length
    for connection, stream in sorted(streams.items()):
        at = 0
        while at < len(stream):
            whole = 10 + struct.unpack(">I", stream[at:at + 4])[0]
            yield connection, stream[at:at + whole]
            at += whole


def records(trunk):
    for connection, message in messages(trunk):
        if connection == 2:
            yield RESPONSE, message[10:]
            continue
        yield REQUEST, message[10:]
        parts = {number: value for number, _, value, _ in protowire.fields(message[10:])}
        name, payload = parts[2].decode(), parts.get(3, b"")
        yield {"Configure": CONFIGURE, "Synchronize": SYNCHRONIZE, "StateChange": STATE_CHANGE}.get(name, EVENTS.index(name) if name in EVENTS else None), payload


def decode(program, items):
    """The lines that the program says about each, sorted: maps have no order in Go."""
    data = b"".join(struct.pack(">II", what, len(message)) + message for what, message in items)
    text = subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True, timeout=120).stdout.decode("ascii")
    blocks, current = [], []
    for line in text.split("\n")[:-1]:
        if line:
            current.append(line)
        else:
            blocks.append(sorted(current))
            current = []
    assert len(blocks) == len(items), (len(blocks), len(items))
    return blocks


def compare(items):
    """Counts by outcome; an outcome that is not allowed fails, with the bytes."""
    ours = decode(os.path.join(TESTS, "nri_lines"), items)
    go = nri.program("decode", "0.12.5")
    theirs = decode(go, items)
    counts, doubtful = {}, []
    for (what, message), a, b in zip(items, ours, theirs):
        if "cut" in a:
            outcome = "beyond our caps"
        elif a == ["refused"] and b == ["refused"]:
            outcome = "refused by both"
        elif a == b:
            outcome = "the same"
        elif a == ["refused"]:
            # only a group may make us stricter, and only where we look
            try:
                protowire.prune(message, schema(what))
                raise AssertionError(f"we refuse what Go takes: {what} {message.hex()}")
            except protowire.Broken as why:
                assert str(why) == "group", (why, what, message.hex())
            outcome = "a group"
        else:
            doubtful.append((what, message, a))
            continue
        counts[outcome] = counts.get(outcome, 0) + 1
    # Lenient: in ASCII, and without the parts that we do not look into, Go reads it as we do.
    pruned = [(what, protowire.prune(message, schema(what))) for what, message, _ in doubtful]
    for (what, message, a), (_, less), b in zip(doubtful, pruned, decode(go, pruned)):
        plain = sorted(re.sub(r"\\([89a-f][0-9a-f])", r"~\1", line) for line in a)
        assert b == plain, f"we and Go differ: {what} {message.hex()}\nours {a}\nGo {b}"
        outcome = "not UTF-8" if plain != a else "broken where we do not look"
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


@case
def the_same_bytes_mean_the_same_to_go_and_to_us(t):
    base = [r for version in ("0.3.0", "0.12.5") for r in records(capture(t, version)) if r[0] is not None]
    assert {what for what, _ in base} == set(range(13)) | {STATE_CHANGE, CONFIGURE, SYNCHRONIZE, REQUEST, RESPONSE}, "every message was captured"
    event = next(m for what, m in base if what == 3)
    base += [(13, event), (RESPONSE, field(1, field(1, 12) + field(2, "unknown method")) + field(2, b"x"))]
    counts = compare(base)
    assert counts == {"the same": len(base)}, counts
    seed = int(os.environ.get("STOKER_SEED", random.randrange(1 << 32)))
    print(f"STOKER_SEED={seed}", flush=True)
    dice = random.Random(seed)
    rounds, total = (40 if os.environ.get("STOKER_LONG") else 4), {}
    for _ in range(rounds):
        items = []
        for _ in range(5000):
            what, message = dice.choice(base)
            items.append((what, protowire.mutate(message, dice.choice(base)[1], dice)))
        for outcome, n in compare(items).items():
            total[outcome] = total.get(outcome, 0) + n
    print(json.dumps(total), flush=True)
    # it can only mean something if all of this was there
    for outcome in ("the same", "refused by both", "a group", "broken where we do not look", "not UTF-8"):
        assert total.get(outcome, 0) > rounds, total


@case
def our_replies_are_what_go_understands(t):
    run = subprocess.run([os.path.join(TESTS, "nri_lines"), "plan"], stdout=subprocess.PIPE, check=True).stdout
    text = subprocess.run([nri.program("decode", "0.12.5")], input=run, stdout=subprocess.PIPE, check=True).stdout.decode()
    blocks = [sorted(line for line in block.split("\n") if line) for block in text.split("\n\n")][:-1]
    assert len(blocks) == 9, text
    for i, block in enumerate(blocks):
        want = [f"env[{k}]=KEY_{k} {k:0{1 + i * 20}}" for k in range(i)] + [f"unified[memory.{k}]={i}" for k in range(8 - i)] + ["unknown=0"]
        for k in range(i % 5):
            options = ["bind", "rprivate", "ro" if i > 5 else "rw"] if k % 2 else [
                "mode=0770" if i > 1 else "mode=1777", f"size={4096 << i * 4}", *([f"nr_inodes={i // 2}"] if i > 1 else []), *([f"uid={i}", f"gid={k}"] if i > 1 else [])]
            want += [f"mount[{k}]=/{i}/{k} {'bind /run/stoker/checkpoints/' + str(k) if k % 2 else 'tmpfs stoker-scratch'} nosuid nodev {' '.join(options)}"]
        want += [f"oom_score_adj={i * 100 if i % 2 == 0 else -i}"] if i > 0 else []
        assert block == sorted(want), (i, block, want)


if __name__ == "__main__":
    main()
