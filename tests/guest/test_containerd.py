"""Why did it die? With a real containerd, NRI, runc and crictl on cgroup v2 of another kernel: run by tests/guest/boot. The kinds of death are the
kernel tier's (tests/lib/attribution.py); what a container is, its runtime makes here."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import cases  # noqa: E402
import containerd  # noqa: E402
import test_attribution  # noqa: E402

cases.CASES.clear()  # those are run by test_attribution.py of this directory
LANES = 2  # as many as there are processors: what a container takes is their time


def attribute(t, deaths):
    """An end that NRI tells late, as on a busy node, is asked for."""
    test_attribution.attribute(t, deaths, lanes=LANES, runtime=containerd.Runtime, extra=f"  criSocket: {t.dir}/containerd/containerd.sock\n")


# Each container costs the emulated processor twenty seconds, most of them Go's: too long for every run.
@cases.only_long
@cases.case
def twelve_causes_drawn_at_random_are_found_in_containers(t):
    attribute(t, 12)


@cases.only_long
@cases.case
def sixty_causes_drawn_at_random_are_found_in_containers(t):
    attribute(t, 60)


if __name__ == "__main__":
    cases.main()
