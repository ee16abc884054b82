"""The container runtime is asked how a container ended, where nothing tells it by itself: the broker's request against a runtime that
answers well and badly, and a whole node. The runtimes are the test; a real one: tests/cluster/test_executors.py."""
import errno
import os
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from cases import case, main, wait_for  # noqa: E402
from container import Container, Pod  # noqa: E402
from executor_stage import Stage  # noqa: E402
from node import Node  # noqa: E402
import small_cri  # noqa: E402
import wire  # noqa: E402

ID = "0123456789abcdef" * 4


class Asked:
    """The broker alone, and a runtime."""

    def __init__(self, t, deadline=60):
        self.t, self.cri = t, small_cri.Cri(t, os.path.join(t.dir, "cri", "cri.sock"))
        self.node = Node(t, extra=f"executors:\n  watch: 'off'\n  criSocket: {self.cri.path}\n")
        self.node.start(("stoker-broker",))
        self.broker = wire.Broker(self.node.broker_socket, deadline=deadline)
        t.cleanup(self.broker.close)
        self.pid = self.node.extra_processes[0].pid

    def raw(self, container_id=ID):
        who = struct.pack("=72s40sIIiIQ", container_id.encode(), b"", 0, 0, 0, 0, 0)
        return self.broker.receive_raw(self.broker.send(wire.STATUS, who + bytes(512 + 64 + 254 + 64 + 2)))

    def ask(self, *rows):
        self.cri.answers[ID] = list(rows)
        kind, body, _ = self.raw()
        assert kind == wire.STATUS_READ, (kind, body)
        return wire.Status(body)


@case
def an_end_is_told(t):
    a = Asked(t)
    said = a.ask({"code": 137, "reason": "OOMKilled", "words": "token=hunter2 and \x1b[2Jmore", "log": f"/var/log/pods/a_b_c/d/3.log", "finished_ns": 1795680900123456789})
    assert (said.errnum, said.has_exit, said.exit_code, said.reason, said.log_number) == (0, 1, 137, "OOMKilled", 3), said
    assert said.finished_us == 1795680900123456 and said.socket == a.cri.path, said
    assert "hunter2" not in said.message and "more" in said.message and "\x1b" not in said.message, said
    runs = a.ask({"state": small_cri.RUNNING, "reason": ""})
    assert (runs.errnum, runs.has_exit, runs.log_number) == (0, 0, 0xffffffff), runs
    big = a.ask({"code": 1, "reason": "Error", "more": [(13, "x" * 300000)]})
    assert (big.errnum, big.exit_code, big.reason) == (0, 1, "Error"), big


@case
def what_is_no_answer_is_none(t):
    """Whoever sits behind that socket: no rights are lost to it, nothing is kept, the next question is answered."""
    a = Asked(t)
    whole = small_cri.answer(small_cri.status_message(ID, code=52))
    assert a.ask(small_cri.refusal(5, "no such container")).errnum == errno.ESRCH
    assert a.ask(small_cri.refusal(12, "unknown service")).errnum == errno.ENOSYS
    assert a.ask(small_cri.refusal(14, "going away")).errnum == errno.EIO
    assert a.ask(b"HTTP/1.1 400 Bad Request\r\n\r\n").errnum == errno.EBADMSG
    assert a.ask(small_cri.answer(b"")).errnum == errno.EBADMSG
    assert a.ask(small_cri.answer(small_cri.status_message("f" * 64, code=52))).errnum == errno.ESRCH
    assert a.ask(small_cri.answer(b"\x0a\xff\xff\xff\xff\x0f")).errnum == errno.EBADMSG
    assert a.ask(small_cri.answer(bytes(600000))).errnum == errno.EBADMSG
    assert a.ask(random.Random(1).randbytes(2000000)).errnum == errno.EBADMSG
    assert a.ask(whole).exit_code == 52
    begin = time.monotonic()
    assert a.ask(whole[:-10]).errnum == errno.EBADMSG  # and then silence
    assert a.ask(None).errnum == errno.EBADMSG
    assert time.monotonic() - begin < 20
    assert a.ask(whole).exit_code == 52
    for bad in ("", "../etc", "a b", "-x", "a" * 71 + "/"):
        kind, body, _ = a.raw(bad)
        assert kind == wire.REFUSED and wire.Refused(body).errnum == errno.EINVAL, (bad, kind, body)
    wait_for(lambda: not a.node.children_of(a.pid), "the children to end")


@case
def without_a_socket_it_is_said(t):
    a = Asked(t)
    a.cri.close()
    assert wire.Status(a.raw()[1]).errnum == errno.ENOENT
    with open(a.cri.path, "w"):  # a file in its place: nobody listens
        pass
    assert wire.Status(a.raw()[1]).errnum == errno.EBADMSG


@case
def the_children_hold_nothing_while_they_read(t):
    """The one that is connected is sealed and no one; the one that reads is not connected to anything."""
    a = Asked(t)
    a.cri.answers[ID] = [None]
    who = struct.pack("=72s40sIIiIQ", ID.encode(), b"", 0, 0, 0, 0, 0) + bytes(512 + 64 + 254 + 64 + 2)

    def status(pid):
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def links(pid):
        return sorted(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2)

    def is_closed(pid):
        s = status(pid)
        return (s["Uid"].split()[0], s["Seccomp"]) == ("65534", "2")

    def look():
        """(status, links) of both; None: the relay has given the silent runtime up before that was seen."""
        asked, number = len(a.cri.asked), a.broker.send(wire.STATUS, who)
        wait_for(lambda: len(a.cri.asked) > asked, "the question to arrive")
        try:
            reader = a.node.children_of(a.pid)[0]
            both = (reader, a.node.children_of(reader)[0])
            for pid in both:
                wait_for(lambda pid=pid: is_closed(pid), "its rights to be given up")
            seen = [(status(pid), links(pid)) for pid in both]
            seen = seen if all(a.node.process_state(pid) not in (None, "Z") for pid in both) else None
        except (IndexError, FileNotFoundError, ProcessLookupError):
            seen = None
        kind, body, _ = a.broker.receive_raw(number)
        assert kind == wire.STATUS_READ and wire.Status(body).errnum == errno.EBADMSG, (kind, body)
        return seen
    (reader, of_reader), (relay, of_relay) = wait_for(look, "both to be seen while they wait: one of them still has its rights")
    for s in (reader, relay):
        assert (int(s["CapEff"], 16), int(s["CapPrm"], 16), s["NoNewPrivs"], s["Seccomp"]) == (0, 0, "1", "2"), s
    assert of_relay == ["pipe", "socket"] and "pipe" in of_reader, (of_relay, of_reader)
    assert len([x for x in of_reader if x == "socket"]) == 1, of_reader  # the way to the broker


@case
def every_system_call_of_the_question_failing_in_turn(t):
    a = Asked(t, deadline=30)
    whole = {"code": 52, "reason": "Error"}
    assert a.ask(whole).exit_code == 52
    held = len(a.node.settled_of(a.pid))
    number, failed = 1, set()
    while True:
        tracer = subprocess.Popen([os.path.join(os.environ["STOKER_TESTS"], "nth_fail"), str(a.pid), str(errno.EIO), str(number)], stdout=subprocess.PIPE, text=True)
        assert tracer.stdout.readline() == "ready\n"
        kind, body, _ = a.raw()
        outcome = tracer.stdout.read().strip()
        tracer.wait(30)
        errnum = wire.Status(body).errnum if kind == wire.STATUS_READ else wire.Refused(body).errnum
        assert kind in (wire.STATUS_READ, wire.REFUSED) and errnum in (0, errno.EIO, errno.ENOMEM, errno.ENOENT, errno.EBADMSG), (number, outcome, kind, errnum)
        failed.add(errnum)
        wait_for(lambda: not a.node.children_of(a.pid), "the child to end")
        if outcome.startswith("ended before"):
            break
        number += 1
    assert number > 10 and failed > {0}, (number, failed)
    assert len(a.node.settled_of(a.pid)) == held, a.node.descriptors(a.pid)
    assert a.ask(whole).exit_code == 52


def asking(t):
    """A node whose runtime's NRI tells no exits, as containerd before 2.3."""
    cri = small_cri.Cri(t, os.path.join(t.dir, "cri", "cri.sock"))
    s = Stage(t, extra=f"  criSocket: {cri.path}\n")
    s.runtime.version, s.runtime.nri = "v2.0.11", ""
    s.serve()
    return s, cri


def end(s, cri, code, *more, **status):
    """A container that ends by itself: its cgroup goes, and only the runtime knows the rest."""
    container = s.new("anon=4")
    cri.answers[container.id] = [*more, {"code": code, "reason": "Error", "finished_ns": time.time_ns(), **status}]
    container.kill()
    container.wait()
    container.remove()
    return s.death(container)


@case
def an_exit_code_that_nobody_told_is_asked_for(t):
    s, cri = asking(t)
    death = end(s, cri, 52)
    assert death["cause"] == "heap" and death["exitCode"] == 52, death
    said = s.node.input("cri")
    assert said["state"] == "ok" and cri.path in said["detail"], said
    # for the runtime it still runs, for a moment
    runs = {"state": small_cri.RUNNING, "reason": ""}
    death = end(s, cri, 143, runs, runs, runs)
    assert death["cause"] == "deleted" and death["exitCode"] == 143, death
    death = end(s, cri, 128, reason="StartError", words='failed to create containerd task: exec: "/opt/entrypoint.sh": stat /opt/entrypoint.sh: no such file or directory')
    assert death["cause"] == "missing-file" and "/opt/entrypoint.sh" in death["evidence"], death
    # the kernel killed nobody, whatever the runtime makes of a neighbour's kill
    death = end(s, cri, 137, reason="OOMKilled")
    assert death["cause"] == "killed" and death["exitCode"] == 137, death


@case
def a_runtime_that_does_not_answer_costs_a_moment(t):
    s, cri = asking(t)
    container = s.new("anon=4")
    begin = time.monotonic()
    container.kill()
    container.wait()
    container.remove()
    death = s.death(container)  # forgotten already, as after the pod's deletion
    assert death["exitCode"] in (None, -1) and time.monotonic() - begin < 20, death
    cri.close()
    death = end(s, cri, 52)
    assert death["exitCode"] in (None, -1), death
    assert s.node.input("cri")["state"] == "missing", s.node.input("cri")


main()
