"""No warning of shellcheck in any shell script."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import plain  # noqa: E402
from pages import TOP  # noqa: E402

PLACES = (".ci", "deploy", "tests")


def scripts():
    for place in PLACES:
        for directory, _, names in os.walk(os.path.join(TOP, place)):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as f:
                    first = f.readline(80)
                if first.startswith((b"#!/bin/bash", b"#!/bin/sh", b"# shellcheck shell=")):
                    yield path


def test_scripts_are_without_warnings():
    found = sorted(scripts())
    assert len(found) > 10, found
    done = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", "-S", "warning", *found], capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    plain.main(test_scripts_are_without_warnings)
