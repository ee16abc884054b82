"""Executors explained on cgroup v2 of another kernel: run by tests/guest/boot. Of the kernel tier's cases those that v2 decides otherwise:
the pod's counters outlive the container's, and kills are counted up the tree."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "kernel"), os.path.join(HERE, "..", "lib")]
import cases  # noqa: E402
import importlib.util  # noqa: E402

SPEC = importlib.util.spec_from_file_location("kernel_executors", os.path.join(HERE, "..", "kernel", "test_executors.py"))
SPEC.loader.exec_module(importlib.util.module_from_spec(SPEC))
OURS = ("a_plain_kill_at_high_use_is_no_oom", "a_worker_is_killed_and_the_executor_lives", "a_sidecars_kill_is_not_the_executors",
        "a_cgroup_that_is_gone_at_once")
cases.CASES[:] = [c for c in cases.CASES if c.__name__ in OURS]
assert len(cases.CASES) == len(OURS)

if __name__ == "__main__":
    cases.main()
