#!/usr/bin/env python3
"""What the agent says about itself: metrics that Prometheus takes, and a readiness that names what is dead."""
import json
import os
import re
import signal
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import Skip, case, main  # noqa: E402
import disks
from node import Node  # noqa: E402


def value(text, name):
    """Of a series, labels and all."""
    found = re.search(r"^" + re.escape(name) + r" (\S+)$", text, re.M)
    return float(found[1]) if found else None


@case
def a_dead_role_turns_readiness_red_by_name(t):
    n = Node(t, period="1s")
    n.disk("ext4")
    n.start_roles()
    n.wait("Healthy")
    n.wait_for(lambda: n.get("/readyz") == (200, "ok\n"), "readiness")
    for role, line in (("stoker-broker", r"^\[-\]broker missing since 2\d{3}-\S+Z: .*; nothing can be probed"),
                       ("stoker-reporter", r"^\[-\]reporter missing since 2\d{3}-\S+Z: .*; verdicts do not reach")):
        dead = next(p for p in n.extra_processes if p.args[0].endswith(role))
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        n.wait_for(lambda: n.get("/readyz")[0] == 503, "red")
        status, text = n.get("/readyz")
        assert status == 503 and re.search(line, text, re.M) and text.endswith("not ready\n"), text
        assert "[+]kmsg ok" in text, text  # what was handed out goes on
        assert value(n.get("/metrics")[1], f'stoker_input_up{{input="{role.split("-")[1]}"}}') in (0, None)
        assert n.get("/healthz") == (200, "ok\n"), "stokerd itself is well"
        n.start((role,))
        n.wait_for(lambda: n.get("/readyz") == (200, "ok\n"), "green again", 120)


@case
def a_clean_start_warns_of_nothing(t):
    """Who is not there yet is to be expected; who is not there with the first tick is said."""
    n = Node(t, period="30s")
    n.disk("ext4")
    n.start_roles()
    n.wait("Healthy")
    n.wait_for(lambda: n.input("reporter")["state"] == "off", "the reporter")
    with open(n.log_path) as f:
        warned = [line for line in f if "level=warn" in line or "level=error" in line]
    assert not warned, warned
    lonely = Node(t, period="1s", directory="lonely")
    lonely.start(("stokerd",))
    lonely.wait_for(lambda: {line["name"] for line in lonely.log("input") if line["level"] == "warn"} >= {"broker", "reporter"}, "them to be missed")


@case
def a_second_stokerd_is_said_by_the_second(t):
    """On the same runtime directory: both go on, the CLI speaks with the second, and when the first is gone that is seen too."""
    n = Node(t, period="1s")
    n.disk("ext4")
    n.start_roles()
    n.wait("Healthy")
    first = next(p for p in n.extra_processes if p.args[0].endswith("stokerd"))
    assert "twin" not in n.health()["inputs"], n.health()["inputs"]
    n.start(("stokerd",))
    n.wait_for(lambda: "another stokerd of this node uses" in n.input("twin")["detail"], "the second to say so")
    answer = n.cli("doctor")
    assert "note    twin" in answer.stdout and "remove one of the two" in answer.stdout, answer.stdout
    n.wait("Healthy")
    assert first.poll() is None
    first.terminate()
    n.wait_for(lambda: n.input("twin")["state"] == "ok", "the second to be alone")


@case
def a_second_agent_with_its_own_runtime_directory_is_said(t):
    """A host service beside the DaemonSet. Nodes that share this kernel and not its mounts (k3d) are others."""
    one, two, other, pod = (Node(t, period="1s", directory=name) for name in ("one", "two", "other", "pod"))
    disk = one.disk("ext4")
    for n in (two, other, pod):
        n.watch(disk.mount_point)
    one.start_roles()
    one.wait("Healthy")
    two.start_roles()
    two.wait_for(lambda: "another stokerd watches this node, with another runtime directory" in two.input("twin")["detail"], "the second to say so")
    other.start_roles(broker=lambda: disks.unshare_mounts([]))
    other.wait("Healthy")
    pod.write_config_now()
    pod.start_broker_elsewhere()  # in a mount namespace of its own, as in a pod: it enters the node's
    pod.start(("stokerd", "stoker-reporter"))
    pod.wait_for(lambda: pod.input("twin")["state"] == "degraded", "the one in a pod to say so")
    pod.end(next(p for p in pod.extra_processes if p.args[0].endswith("stokerd")))
    two.start_again("stoker-broker")  # the lock is stokerd's
    two.start_again("stokerd")
    two.wait_for(lambda: two.input("twin")["state"] == "degraded", "it to be said again")
    two.wait("Healthy")
    assert "note    twin" in two.cli("doctor").stdout, two.cli("doctor").stdout
    first = next(p for p in one.extra_processes if p.args[0].endswith("stokerd"))
    first.kill()
    two.wait_for(lambda: two.input("twin")["state"] == "ok", "the second to be alone")
    assert "twin" not in other.health()["inputs"], other.health()["inputs"]
    assert not [line for line in one.log("input") if line["name"] == "twin"], one.tail()


@case
def doctor_with_and_without_a_daemon(t):
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.write_config_now()
    r = n.cli("doctor")
    assert r.returncode == 1 and "problem agent" in r.stdout and "-> " in r.stdout, r
    assert "stoker-broker" not in r.stdout, r  # not that of another one on this machine
    n.start()
    n.wait("Healthy")
    n.wait_closed()
    r = n.cli("doctor", "-o", "json")
    lines = {x["name"]: x for x in json.loads(r.stdout)["lines"]}
    assert lines["agent"]["mark"] == lines["broker"]["mark"] == lines["filesystems"]["mark"] == "ok", r.stdout
    assert "this node is not the cause" in lines["quota"]["what"], lines
    for role, has in (("stokerd", "none"), ("stoker-broker", "sys_admin"), ("stoker-reporter", "none"), ("stoker-web", "none")):
        line = lines[role]
        assert line["mark"] == "ok" and f"pid {n.pid(role)}," in line["what"], line
        assert has in line["what"] and line["what"].endswith("no_new_privs, seccomp filter"), line
    assert lines["launcher"]["mark"] == "note" and f"pid {n.launcher.pid}," in lines["launcher"]["what"], lines
    assert r.returncode == 0, r.stdout
    disk.shutdown()
    n.wait_fs(disk, "bad")
    r = n.cli("doctor")
    assert r.returncode == 1 and "FilesystemShutdown" in r.stdout and "not the cause" not in r.stdout, r
    assert n.cli("doctor", "-o", "xml").returncode == 64


@case
def a_stokerd_that_stands_still_is_not_alive(t):
    n = Node(t)
    n.disk("ext4")
    n.start_roles()
    n.wait("Healthy")
    assert n.get("/healthz") == (200, "ok\n")
    pid = n.pid("stokerd")
    os.kill(pid, signal.SIGSTOP)
    try:
        for path in ("/healthz", "/readyz", "/metrics"):
            status, text = n.get(path)
            assert status == 503 and "did not answer within 5 s" in text, (path, status, text)
    finally:
        os.kill(pid, signal.SIGCONT)
    n.wait_for(lambda: n.get("/healthz") == (200, "ok\n"), "life")


@case
def metrics_count_what_happened_and_prometheus_takes_them(t):
    if not shutil.which("promtool"):
        raise Skip("promtool (Debian package prometheus)")
    n = Node(t, period="1s")
    disk = n.disk("ext4")
    n.tmpfs("size=8m", name='quo"te\\and space')
    n.start()
    n.wait("Healthy")
    n.wait_for(n.all_probed, "the first probes")
    labels = f'mountpoint="{disk.mount_point}",path="{disk.mount_point}"'
    before = n.get("/metrics")[1]
    good = f'stoker_filesystem_probes_total{{{labels},result="good"}}'
    assert value(before, good) >= 1, before
    assert value(before, f'stoker_filesystem_state{{{labels},state="healthy"}}') == 1
    assert value(before, f"stoker_filesystem_available_bytes{{{labels}}}") > 0
    n.wait_for(lambda: value(n.get("/metrics")[1], good) > value(before, good), "the counter to rise")
    disk.trigger_ext4_error()
    n.wait_fs(disk, "bad")
    text = n.get("/metrics")[1]
    assert value(text, f'stoker_filesystem_probes_total{{{labels},result="failed"}}') >= 1, text
    assert value(text, f'stoker_filesystem_state{{{labels},state="bad"}}') == 1, text
    assert value(text, f'stoker_filesystem_reason{{{labels},reason="ReadOnlyFilesystem"}}') == 1, text
    assert value(text, f"stoker_filesystem_probe_duration_seconds_count{{{labels}}}") == sum(
        value(text, f'stoker_filesystem_probes_total{{{labels},result="{r}"}}') for r in ("good", "failed", "unclear")), text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr + checked.stdout + text


@case
def each_alert_rings_when_it_should(t):
    if not shutil.which("promtool"):
        raise Skip("promtool (Debian package prometheus)")
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    for what in (("check", "rules", os.path.join(top, "deploy/monitoring/alerts.yaml")), ("test", "rules", os.path.join(top, "tests/monitoring/alerts_test.yaml"))):
        done = subprocess.run(["promtool", *what], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    main()
