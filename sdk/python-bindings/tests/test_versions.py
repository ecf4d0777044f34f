# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every version of Python that is on this machine."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import support


def pythons():
    """One program of each version from 3.9 on, Debian's among them."""
    candidates = [sys.executable, *(shutil.which(f"python3.{minor}") for minor in range(9, 20)), *sorted(pathlib.Path.home().glob(".pyenv/versions/*/bin/python3"))]
    found = {}
    for candidate in candidates:
        if candidate:
            asked = subprocess.run([str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
            version = tuple(map(int, asked.stdout.strip().split("."))) if asked.returncode == 0 else (0, 0)
            if version >= (3, 9):
                found.setdefault(version, str(candidate))
    return [pytest.param(path, id=".".join(map(str, version))) for version, path in sorted(found.items())]


@pytest.mark.parametrize("python", pythons())
def test_it_works(python, directory):
    done = subprocess.run(
        [python, "-X", "dev", str(pathlib.Path(__file__).with_name("every_version.py")), directory], capture_output=True, text=True, timeout=support.PATIENCE,
        env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})
    assert done.returncode == 0 and done.stdout.startswith("ok ") and done.stderr == "", done.stdout + done.stderr
