"""A small runner for tests of real things: each case has a deadline and a stack of clean-ups that runs whatever happens.

A file of cases ends with main(). Output is one line per case: `ok NAME 1.2s`, `FAILED NAME 0.3s`, `skipped NAME: why`, and
what a failed case had to say before it. `--list` names the cases, `-k WORD` picks, STOKER_LONG=1 adds the long ones."""
import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

CASES = []
DEADLINE_S = 3600 if os.environ.get("STOKER_LONG") else 480  # loops over every system call are longer then; and three files may run at a time


class Skip(Exception):
    """The case needs something that is not here; the text names it."""


def case(function):
    CASES.append(function)
    return function


def only_long(function):
    function.only_long = True
    function.deadline = 3600
    return function


def alone(function):
    """Of all the files that run at a time, no other has a case under way."""
    function.alone = True
    return function


def patient(seconds):
    """A deadline for a machine that has others on it."""
    def take(function):
        function.deadline = seconds
        return function
    return take


class Context:
    def __init__(self, name):
        # /run is memory: the agent's own files do not lie on a disk that a case breaks
        self.dir = tempfile.mkdtemp(prefix=f"stoker-{name[:24]}-", dir="/run" if os.access("/run", os.W_OK) else None)
        os.chmod(self.dir, 0o755)  # ordinary users fill disks beneath
        self.stack = [lambda: shutil.rmtree(self.dir, ignore_errors=True)]
        self.notes = []

    def cleanup(self, function):
        self.stack.append(function)

    def note(self, function):
        """Called when the case has failed: returns text that helps."""
        self.notes.append(function)

    def close(self):
        ended = None
        while self.stack:
            try:
                self.stack.pop()()
            except Exception:  # one clean-up that fails must not keep the others from running
                traceback.print_exc()
            except Ended as why:  # nor must whoever ends us: a disk would stay frozen
                ended = why
        if ended:
            raise ended


class Overdue(BaseException):
    """A case took longer than its deadline."""


class Ended(BaseException):
    """The run is to end: the case that is under way cleans up, the others do not begin."""


def interrupt(number, _frame):
    raise (Overdue if number == signal.SIGALRM else Ended)(f"signal {number}")


def wait_for(predicate, what, deadline=60, pause=0.01, is_ours=True):
    """Waits for an event that can only be asked for; fails with `what` when it does not come: words, or a function that then says how things stand."""
    if is_ours and os.environ.get("STOKER_IMPATIENT"):  # sabotage: what does not come is what is expected, and what comes takes a second
        deadline = min(deadline, float(os.environ["STOKER_IMPATIENT"]))
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s in vain for {what() if callable(what) else what}")
        time.sleep(pause)


class Room:
    """Where cases are, of all files that run now: as many as there are, or one that is alone. Who waits to be alone stands in the door, so that
    nobody overtakes. Locks on directories that are there anyway leave nothing behind."""

    def __init__(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.room, self.door = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (here, os.path.dirname(here)))

    def enter(self, function):
        fcntl.flock(self.door, fcntl.LOCK_EX)
        fcntl.flock(self.room, fcntl.LOCK_EX if getattr(function, "alone", False) else fcntl.LOCK_SH)
        fcntl.flock(self.door, fcntl.LOCK_UN)

    def leave(self):
        fcntl.flock(self.room, fcntl.LOCK_UN)


def run_one(function, room):
    context = Context(function.__name__)
    outcome, text = "ok", ""
    try:
        room.enter(function)
        begin = time.monotonic()
        signal.alarm(getattr(function, "deadline", DEADLINE_S))
        function(context)
    except Skip as why:
        outcome, text = "skipped", str(why)
    except (Exception, Overdue):
        outcome, text = "FAILED", traceback.format_exc()
    except (Ended, KeyboardInterrupt):
        context.close()
        sys.exit(130)
    signal.alarm(0)
    if outcome == "FAILED":
        for note in context.notes:
            try:
                text += note()
            except Exception:
                text += traceback.format_exc()
    signal.alarm(600 if getattr(function, "only_long", False) else 120)
    context.close()
    signal.alarm(0)
    room.leave()
    if outcome == "FAILED":
        print(text, flush=True)
    print(f"{outcome} {function.__name__} {time.monotonic() - begin:.1f}s" + (f": {text}" if outcome == "skipped" else ""), flush=True)
    return outcome


def be_a_node():
    """A mount namespace of its own: files of cases run beside one another, and what shares one is one node (see health/supervisor_twin.c). And
    no namespace that a case makes has a copy of another file's disks: what that one unmounts would be in use still, and not to be repaired."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and (libc.unshare(0x00020000) < 0 or libc.mount(b"none", b"/", None, (1 << 14) | (1 << 18), None) < 0):  # MS_REC | MS_PRIVATE
        raise OSError(ctypes.get_errno(), "unshare")


def main(prepare=None):
    """`prepare` is called before the first case."""
    signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    words = [sys.argv[i + 1] for i, a in enumerate(sys.argv[:-1]) if a == "-k"]
    chosen = [f for f in CASES if (not getattr(f, "only_long", False) or os.environ.get("STOKER_LONG")) and
              (not words or any(w == f.__name__ for w in words) or any(w.endswith("*") and f.__name__.startswith(w[:-1]) for w in words))]
    if "--list" in sys.argv:
        for f in CASES:
            print(f.__name__ + (" (long)" if getattr(f, "only_long", False) else ""))
        return
    be_a_node()
    if prepare and chosen:
        prepare()
    room = Room()
    outcomes = [run_one(f, room) for f in chosen]
    sys.exit(1 if "FAILED" in outcomes else 0)
