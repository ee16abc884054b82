"""Executors in containers of real containerds, as nodes have them: 2.3 and 2.2, 1.7.23 (k3s 1.31), with NRI on and off. What each of them tells, what
is set with it, and what is found out without it."""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import containerd  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from container import Container, Pod  # noqa: E402
from executor_stage import Stage  # noqa: E402

BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
SCORE = "3"  # executors.oomScoreAdj: driversLast


class Node(Stage):
    def __init__(self, t, version, nri):
        super().__init__(t, extra=f"  oomScoreAdj: driversLast\n  criSocket: {t.dir}/containerd/containerd.sock\n", runtime=functools.partial(containerd.Runtime, version=version, nri=nri))

    def begin(self, steps, number, role="executor", limit_mib=64):
        """A container that goes on with these steps when it is told to: (it, how it is told)."""
        go = os.path.join(self.t.dir, f"go-{number}")
        pod = Pod(self.t, name=f"etl-exec-{number}", executor=str(number), role=role)
        command_line = ("-Xmx32m", BACKEND, "--executor-id", str(number), "--app-id", "spark-0001")
        container = Container(pod, limit_mib=limit_mib, args=command_line)
        self.runtime.create(container)
        self.runtime.start(container, "anon=4", f"await={go}", *steps)
        return container, lambda: open(go, "w").close()

    def end(self, container, go, kill=False):
        """(the code that the runtime shows, the death) of one that has begun."""
        self.executor(container, watched=True)
        container.kill() if kill else go()
        self.runtime.stopped(container)
        death, code = self.death(container), self.runtime.exit_code(container)
        self.runtime.stop_pod(container.pod)
        return code, death


def score_of(container):
    with open(f"/proc/{container.pid}/oom_score_adj") as f:
        return f.read().strip()


def with_nri(t, version, tells_codes, sets_scores):
    """Where the runtime does not tell codes with its events they are asked of its CRI."""
    n = Node(t, version, nri=True)
    n.serve()
    driver, _ = n.begin((), 1, role="driver")
    n.executor(driver, watched=True)
    assert (score_of(driver) == SCORE) == sets_scores, score_of(driver)
    for number, (steps, kill, code, cause) in enumerate([(("anon-slowly=400",), False, 137, "overhead"), (("exit=52",), False, 52, "heap"),
                                                         (("exit=0",), False, 0, "finished"), ((), True, 137, "killed")], 2):
        shown, death = n.end(*n.begin(steps, number), kill=kill)
        print(f"    {version}: {code} is said to be {death['exitCode']}, {death['cause']} ({death['confidence']})", flush=True)
        assert shown == code and (death["exitCode"], death["cause"]) == (code, cause), death
    assert ("cri" in n.node.health()["inputs"]) == (not tells_codes), n.node.health()["inputs"]
    assert n.node.health()["nri"]["unverified"] == 0, n.node.health()["nri"]
    # who was there before us is there after us
    n.node.kill("stoker-nri")
    n.executor(driver, watched=True)
    wait_for(lambda: n.node.input("nri")["state"] == "ok", "NRI to be there again")
    n.executor(driver, watched=True)


def without_nri(t, version):
    n = Node(t, version, nri=False)
    n.node.wait("Healthy")
    assert n.node.input("nri")["state"] != "ok", n.node.input("nri")
    wait_for(lambda: n.node.input("roster")["state"] == "ok" and "observe only" in n.node.input("roster")["detail"], "the roster to be looked at", 60)
    wanted = [(("anon-slowly=400",), False, 137, "overhead"), (("exit=52",), False, 52, "heap"), ((), True, 137, "killed"), (("exit=0",), False, 0, "finished")]
    begun = [n.begin(steps, number) for number, (steps, *_) in enumerate(wanted, 1)]  # one look finds them all
    for one, (_, kill, code, cause) in zip(begun, wanted):
        shown, death = n.end(*one, kill=kill)
        assert shown == code and (death["exitCode"], death["cause"]) == (code, cause), death
        assert cause != "overhead" or death["value"], death
    assert n.node.input("cri")["state"] == "ok", n.node.input("cri")


@case
def containerd_2_3_with_nri(t):
    with_nri(t, "2.3", tells_codes=True, sets_scores=True)


@case
def containerd_2_2_with_nri(t):
    with_nri(t, "2.2", tells_codes=False, sets_scores=True)


@case
def containerd_1_7_with_nri(t):
    with_nri(t, "1.7", tells_codes=False, sets_scores=False)


@only_long
@case
def containerd_2_2_without_nri(t):
    without_nri(t, "2.2")


@case
def containerd_1_7_without_nri(t):
    without_nri(t, "1.7")


main()
