#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests beside it on a machine with a GPU, PyTorch and CuPy.

    PYTHONPATH=sdk/python-bindings CUFRAMES_LIBRARY=.../libcuframes.so.0 python3 tests/gpu-python/run.py [PATTERN]...

Prints a line for each test, "ok", "FAILED" or "skipped", and at last "N passed, N failed, N skipped". Exit status: 0 if something passed and nothing failed.
"""

import fnmatch
import pathlib
import sys
import time
import traceback
import unittest


class Result(unittest.TestResult):
    """Tells each outcome when it is known."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self._outcome = "ok"
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._outcome = "ok"
        self._started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.passed += self._outcome == "ok"
        print(f"{self._outcome} {test.id()} ({time.monotonic() - self._started:.1f} s)", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fail(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._fail(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._fail(subtest, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcome = f"skipped ({reason})"

    def _fail(self, test, error):
        self._outcome = "FAILED"
        print(f"{test.id()}:\n" + "".join(traceback.format_exception(*error)), flush=True)


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main(patterns):
    found = unittest.defaultTestLoader.discover(str(pathlib.Path(__file__).parent))
    chosen = [test for test in tests_of(found) if not patterns or any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in patterns)]
    result = Result()
    unittest.TestSuite(chosen).run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 0 if result.passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
