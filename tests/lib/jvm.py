"""Processes of this machine by what /proc tells of them: an executor's JVM is found by the words that it was started with."""
import os


def words(pid):
    """Its command line; [] when it is gone."""
    return read(pid, "cmdline")


def environ(pid):
    return read(pid, "environ")


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def find(fits):
    """pids of the Java processes whose words fit, oldest first; others may name java among theirs."""
    found = []
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        its = words(pid)
        if its and its[0].endswith(b"/java") and fits(its):
            found.append(pid)
    return found


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            found += map(int, f.read().split())
    return found


def is_stuck(pid):
    """One of its threads sleeps uninterruptibly."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "D":
                    return True
        except OSError:
            pass
    return False
