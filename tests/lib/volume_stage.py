"""A node with the real broker and a kubelet that is the test, for cases about volumes; and a request whose system calls fail in turn."""
import errno
import os
import subprocess

import disks
from node import Node
from volumes import Asker, Kubelet
import wire

FSOPEN, FSPICK = 430, 433
UUIDS = ("0a1b2c3d-1111-4222-8333-444455556666", "99999999-aaaa-bbbb-cccc-ddddeeeeffff")


def started(t, more="", broker=None):
    """Kubelet, node and who asks."""
    kubelet = Kubelet(t)
    n = Node(t, period="10m", extra=kubelet.settings() + f"volumes:\n  scratch:\n    max: 64Mi\n{more}")
    n.tmpfs("size=1m")
    if broker:
        n.start_roles(broker)
    else:
        n.start()
    return kubelet, n, Asker(t, n)


def spark_files(path, user=185):
    """As an executor leaves them, and what is not Spark's."""
    for name in ("blockmgr-" + UUIDS[0], "spark-" + UUIDS[1]):
        for i in range(4):
            os.makedirs(f"{path}/{name}/{i:02x}")
            with open(f"{path}/{name}/{i:02x}/shuffle_0_{i}_0.data", "wb") as f:
                f.write(b"x" * 100000)
    for name in ("spark-events", "blockmgr-" + UUIDS[0] + "-old", "spark-" + UUIDS[0].upper(), "mine"):
        os.makedirs(f"{path}/{name}")
    with open(f"{path}/spark-{UUIDS[0]}", "w") as f:
        f.write("a file of that name")
    os.symlink("mine", f"{path}/blockmgr-{UUIDS[1]}")
    return sorted(set(os.listdir(path)) - {"blockmgr-" + UUIDS[0], "spark-" + UUIDS[1]})


def old_kernel():
    """fsopen(2) and fspick(2) are not there: Linux before 5.2."""
    disks.refuse_call(FSOPEN, errno.ENOSYS)
    disks.refuse_call(FSPICK, errno.ENOSYS)


ERRNUMS = (errno.EIO, errno.ENOMEM) if os.environ.get("STOKER_LONG") else (errno.EIO,)


def fail_in_turn(t, n, asker, kind, arrange, settle, errnums=ERRNUMS, **more):
    """`arrange` gives a pod for which the request has something to do; `settle` checks what is there after it, given the answer."""
    tool, pid = os.path.join(os.environ["STOKER_TESTS"], "nth_fail"), n.pid("stoker-broker")
    n.wait("Healthy")
    held = len(n.settled_descriptors("stoker-broker"))
    for errnum in errnums:
        for number in range(1, 300):
            pod = arrange()
            n.end_spares()  # the tracer follows a child from its birth
            tracer = subprocess.Popen([tool, str(pid), str(errnum), str(number)], stdout=subprocess.PIPE, text=True)
            assert tracer.stdout.readline() == "ready\n"
            answer = asker.ask(kind, pod, **more)
            outcome = tracer.stdout.read().strip()
            tracer.wait(30)
            n.wait_for(lambda: not n.children("stoker-broker"), "the child to end")
            failed = isinstance(answer, wire.Refused) or answer.errnum != 0
            settle(pod, failed, (number, errnum, outcome, answer))
            if outcome.startswith("ended before"):
                assert number > 15, (kind, number)
                break
        else:
            raise AssertionError("the child never ran through")
    assert len(n.settled_descriptors("stoker-broker")) == held, n.descriptors(pid)
