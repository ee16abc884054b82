"""The image, without a node."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import case, main  # noqa: E402
from daemonset import TOP, image, make_image  # noqa: E402


@case
def it_is_the_same_from_another_checkout(t):
    other = f"{t.dir}/checkout"
    os.makedirs(other)
    for name in ("base", "volumes", "cgroups", "shim", "health", "daemon", "deploy", "docs"):
        shutil.copytree(f"{TOP}/{name}", f"{other}/{name}")
    for name in ("meson.build", "meson_options.txt"):
        shutil.copy(f"{TOP}/{name}", other)
    digest = image(t.dir)[1]
    os.environ["CCACHE_DISABLE"] = "1"  # compiled there, not remembered from here
    assert make_image(f"{t.dir}/other.tar", other) == digest


it_is_the_same_from_another_checkout.deadline = 600  # two builds, beside whatever else runs
main()
