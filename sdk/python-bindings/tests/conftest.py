# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: a folder for sockets, publishers in this process and in others. test.sh sets the environment."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "sdk" / "python-bindings"), str(ROOT / "tests" / "native-peers" / "python")]

import support  # noqa: E402

_counts = {"passed": 0, "failed": 0, "skipped": 0}


def pytest_runtest_logreport(report):
    if report.when == "call" or (report.when == "setup" and report.skipped) or report.failed:
        _counts[report.outcome] += 1


def pytest_unconfigure(config):
    # What is not collected is a failure, and not the silence that it would be else.
    if getattr(config, "_collection_failed", False):
        _counts["failed"] += 1
    print(f"\n{_counts['passed']} passed, {_counts['failed']} failed, {_counts['skipped']} skipped")


def pytest_collectreport(report):
    if report.failed:
        _counts["failed"] += 1


@pytest.fixture
def directory():
    # Short, because the path of a socket is.
    path = tempfile.mkdtemp(prefix="cf-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def runtime_directory(directory, monkeypatch):
    """The folder, also for what is given none."""
    monkeypatch.setenv("CUFRAMES_DIR", directory)
    return directory


@pytest.fixture
def peers(directory):
    """Starts peers and ends those that are left."""
    started = []

    def start(*arguments, language="python", **environment):
        peer = support.Peer(language, [*map(str, arguments), "--dir", directory], {**os.environ, **environment})
        started.append(peer)
        return peer

    yield start
    for peer in started:
        peer.kill()
