"""Real Spark on bounded scratch, as pods on a real node: injected by annotation, an Ivy cache, and a container that is started again in its pod."""
import glob
import os
import signal
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import machine  # noqa: E402
from cases import case, main, only_long, wait_for  # noqa: E402
from spark_pods import PLAIN_FILES, PodJob, SparkNode, as_user, both, scratch, with_volume  # noqa: E402

ROOM = 768  # beside the heap: volumes.scratch.reserve and the scratch
SETTINGS = "volumes:\n  annotations: true\n  emptyDeadScratch: true\n"
ANNOTATION = "spark.kubernetes.executor.annotation.stoker.dev/scratch"
IVY_SETTINGS = """<ivysettings><settings defaultResolver="ours"/>
<resolvers><ibiblio name="ours" m2compatible="true" root="file://{root}"/></resolvers></ivysettings>
"""
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>stoker</groupId><artifactId>{name}</artifactId><version>1.0</version></project>
"""


def world(t):
    return SparkNode.of_all_cases(t, SETTINGS)


def mounts(pid, point):
    with open(f"/proc/{pid}/mountinfo") as f:
        return [line for line in f if line.split()[4] == point]


@only_long
@case
def scratch_by_annotation(t):
    """Its local dirs are a scratch that no template names, written by uid 1000: full is ENOSPC for a task, which is tried again."""
    w = world(t)
    job = PodJob(t, w, overhead_mib=ROOM, conf={**PLAIN_FILES, "spark.task.maxFailures": "4", ANNOTATION: "/fast,size=96Mi,localDirs"}, template=as_user(1000)).warm()
    pod, pid = job.executor()
    assert len(mounts(pid, "/fast")) == 1 and "size=98304k" in mounts(pid, "/fast")[0], mounts(pid, "/fast")
    ok, words = job.step("shuffle", 2400000)
    assert not ok and "failed 4 times" in words and "No space left on device" in words, words
    blocks = glob.glob(f"/proc/{pid}/root/fast/blockmgr-*")
    assert blocks and os.stat(blocks[0]).st_uid == 1000, blocks
    assert job.step("shuffle", 100000)[0] and job.executor() == (pod, pid), "the executor lives and works"
    assert not [d for d in w.deaths() if d["executor"]["pod"] == pod and not d["lives"]], w.deaths()
    job.end()
    # a template that has something there already: it starts as it is, and that is told
    own = with_volume({"name": "mine", "emptyDir": {}}, "/fast")
    job = PodJob(t, w, overhead_mib=ROOM, conf={ANNOTATION: "/fast,size=96Mi"}, template=both(own, as_user(1000))).warm()
    pod, pid = job.executor()
    assert len(mounts(pid, "/fast")) == 1 and "stoker-scratch" not in mounts(pid, "/fast")[0], mounts(pid, "/fast")
    assert "mount of its own there" in w.event(pod, reason="MountNotInjected")["note"]
    assert job.step("shuffle", 100000)[0]


def repository(directory, name, mib):
    """A Maven repository with one artifact of that size."""
    at = f"{directory}/stoker/{name}/1.0"
    os.makedirs(at)
    with open(f"{at}/{name}-1.0.pom", "w") as f:
        f.write(POM.format(name=name))
    with zipfile.ZipFile(f"{at}/{name}-1.0.jar", "w") as jar:
        jar.writestr("content", os.urandom(mib << 20))


@only_long
@case
def an_ivy_cache_is_bounded(t):
    """spark.jars.ivy on scratch of a driver's pod: what is too large for it is an error of that application, and takes nothing from anybody else."""
    w = world(t)
    repository(f"{t.dir}/repository", "large", 12)
    with open(f"{t.dir}/ivysettings.xml", "w") as f:
        f.write(IVY_SETTINGS.format(root=f"{t.dir}/repository"))
    conf = {"spark.jars.packages": "stoker:large:1.0", "spark.jars.ivy": "/ivy", "spark.jars.ivySettings": f"{t.dir}/ivysettings.xml"}
    ours = with_volume({"name": "ours", "hostPath": {"path": t.dir}}, t.dir)
    for size, passes in (("16Mi", False), ("64Mi", True)):  # it is there twice: cached, and retrieved
        job = PodJob(t, w, conf=conf, as_pod=True, master="local[1]", name="ivy", driver=both(ours, with_volume(scratch("ivy", size), "/ivy")))
        root = f"{w.node.kubelet_root}/pods/{job.pod['metadata']['uid']}/volumes/kubernetes.io~csi/ivy/mount"
        if passes:
            job.warm()
            assert glob.glob(f"{root}/jars/*large*.jar") and "No space left" not in job.words(), job.words()[-2000:]
        else:
            wait_for(lambda: w.get(job.name)["status"]["phase"] == "Failed", "the driver to have given up", 60, 0.2)
            assert "No space left on device" in job.words(), job.words()[-2000:]
            status = w.get(job.name)["status"]["containerStatuses"][0]["state"]["terminated"]
            assert status["reason"] == "Error", status
        job.end()


@only_long
@case
def a_container_that_is_started_again_in_its_pod(t):
    """kubernetes#128339: local dirs in memory outlive the container, and count against the next one. A driver with its executor in it (executors are started
    again by StatefulSets only). Emptied, the second lives as the first did; left as it is, it dies of the first one's files."""
    w = world(t)
    t.cleanup(lambda: w.stoker.configure(w.settings))

    def again_and_again(spec):
        spec["restartPolicy"] = "Always"
        spec["containers"][0]["resources"]["limits"]["memory"] = "1152Mi"
        spec["containers"][0]["env"].append({"name": "SPARK_LOCAL_DIRS", "value": "/fast"})
    volume = with_volume({"name": "spark-local-dir-1", "emptyDir": {"medium": "Memory"}}, "/fast")
    job = PodJob(t, w, as_pod=True, master="local[1]", name="again", driver=both(again_and_again, volume)).warm()
    rows, root = 12000000, f"{w.node.kubelet_root}/pods/{job.pod['metadata']['uid']}/volumes/kubernetes.io~empty-dir/spark-local-dir-1"

    def restarts():
        return w.get(job.name)["status"]["containerStatuses"][0]["restartCount"]

    def kill():
        """Gives the name of the directory of blocks that the killed one leaves."""
        before, left = restarts(), glob.glob(f"{root}/blockmgr-*")
        assert len(left) == 1 and used(root) > 300 << 20, (left, used(root))
        os.kill(w.first_process(job.name), signal.SIGKILL)
        wait_for(lambda: restarts() > before, "the kubelet to start it again", 120, 0.2)
        job.warm()
        return left[0]

    def causes():
        return [d["cause"] for d in w.deaths() if d["executor"]["pod"] == job.name]

    assert job.step("keep", rows)[0]
    assert not os.path.exists(kill()), "what the dead one left is gone"
    assert job.step("keep", rows)[0], "as the first one could"
    assert causes() == ["killed"], w.deaths()

    said = configurations(w)
    w.stoker.configure(w.settings.replace("emptyDeadScratch: true", "emptyDeadScratch: false"))
    wait_for(lambda: configurations(w) > said, "the other configuration to be in force", 60, 0.5)
    assert os.path.exists(kill())
    assert not job.step("keep", rows)[0]
    wait_for(lambda: "scratch-memory" in causes(), "its successor to die of that", 60)


def configurations(w):
    return sum("configuration in force" in line for line in w.stoker.log_lines("agent"))


def used(root):
    st = os.statvfs(root)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


main(machine.own)
