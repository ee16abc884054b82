"""Why did it die? On cgroup v2 of another kernel: run by tests/guest/boot. The kernel tier's cases are run here."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import cases  # noqa: E402
import test_attribution  # noqa: E402, F401  its cases are ours

if __name__ == "__main__":
    cases.main()
