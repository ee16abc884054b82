"""The pages of docs/ and the sources, as texts that are compared."""
import os
import re

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def read(name):
    with open(os.path.join(TOP, name)) as f:
        return f.read()


def part(text, heading):
    """What follows a heading, up to the next of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    return re.split(r"^#{1,%d} " % level, text.split(heading + "\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(text, heading):
    """The first table below the words, without its head."""
    table = re.search(r"(?:^\|.*\n)+", text.split(heading, 1)[1], re.M).group().splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table]


def code(text):
    """The words in `backticks`."""
    return set(re.findall(r"`([^`]+)`", text))
