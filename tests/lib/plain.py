"""Tests that need nothing but the tree: functions, one after the other."""
import sys


def main(*tests):
    status = 0
    for test in tests:
        try:
            test()
            print("ok", test.__name__)
        except AssertionError as e:
            print(e)
            print("FAILED", test.__name__)
            status = 1
    sys.exit(status)
