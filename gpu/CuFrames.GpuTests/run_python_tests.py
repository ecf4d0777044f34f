# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs tests in Python (unittest) and prints a line of JSON for each event, as xunit.v3's json reporter does, for Suite.cs.

    python3 run_python_tests.py FOLDER [-method PATTERN]...

FOLDER has the files test*.py. A pattern (* and ?) chooses tests by their full name; with several, each adds some. Needs Python 3.9 and
nothing else. Exit status: 0 all passed, 1 not all, or there was none.
"""

import fnmatch
import json
import sys
import time
import traceback
import unittest


def tell(kind, **fields):
    # In one piece: processes that the tests start write to the same place.
    sys.__stdout__.write(json.dumps({"$type": kind, **fields}) + "\n")
    sys.__stdout__.flush()


class Result(unittest.TestResult):
    """Tells each event when it happens."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self._started = {}
        self._outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        self._started[test.id()] = time.monotonic()
        self._outcomes[test.id()] = "passed"
        tell("test-starting", TestUniqueID=test.id(), TestDisplayName=test.id())

    def stopTest(self, test):
        super().stopTest(test)
        if self._outcomes.pop(test.id(), None) == "passed":
            self.passed += 1
            tell("test-passed", TestUniqueID=test.id())
        tell("test-finished", TestUniqueID=test.id(), ExecutionTime=time.monotonic() - self._started.pop(test.id()))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, err, about=f"{subtest.id()}: ")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._outcomes[test.id()] = "failed"
        tell("test-failed", TestUniqueID=test.id(), ExceptionTypes=["AssertionError"], Messages=["It was expected to fail and did not."], StackTraces=[])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcomes[test.id()] = "skipped"
        if test.id() in self._started:
            tell("test-skipped", TestUniqueID=test.id(), Reason=reason)
        else:
            # A whole class or module, which is not started.
            tell("test-starting", TestUniqueID=test.id(), TestDisplayName=test.id())
            tell("test-skipped", TestUniqueID=test.id(), Reason=reason)
            tell("test-finished", TestUniqueID=test.id(), ExecutionTime=0)

    def _fail(self, test, err, about=""):
        kind, error, trace = err
        # What fails outside of a test (a module that cannot be imported, a class's set-up) is not known as a test: its name is all there is.
        where = about if test.id() in self._started else f"{test.id()}: "
        self._outcomes[test.id()] = "failed"
        tell(
            "test-failed",
            TestUniqueID=test.id(),
            ExceptionTypes=[kind.__name__],
            Messages=[f"{where}{error}"],
            StackTraces=["".join(traceback.format_exception(kind, error, trace)[1:-1])],
        )


def all_tests(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from all_tests(test)
        else:
            yield test


def main(arguments):
    folder, rest = arguments[0], arguments[1:]
    if any(word != "-method" for word in rest[::2]) or len(rest) % 2:
        print(f"Only -method PATTERN is understood, not {' '.join(rest)}.", file=sys.stderr)
        return 64
    patterns = rest[1::2]
    tests = unittest.defaultTestLoader.discover(folder)
    if patterns:
        tests = unittest.TestSuite(test for test in all_tests(tests) if any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in patterns))
    result = Result()
    tests.run(result)
    print(f"Python {sys.version.split()[0]}, {sys.executable}: {result.passed} passed, {len(result.failures) + len(result.errors)} failed, {len(result.skipped)} skipped")
    return 0 if result.passed and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
