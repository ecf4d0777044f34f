# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wheel."""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import cuframes
import pytest
import support

LIBRARY = os.environ["CUFRAMES_LIBRARY"]


def build(output, library=LIBRARY, **environment):
    return subprocess.run([sys.executable, str(support.PACKAGE / "build-wheel.py"), "--library", library, "--output", str(output)], capture_output=True, text=True,
                          env={**os.environ, **environment})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    done = build(tmp_path_factory.mktemp("wheel"))
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def test_the_same_inputs_give_the_same_bytes(wheel, tmp_path):
    assert pathlib.Path(build(tmp_path).stdout.strip()).read_bytes() == wheel.read_bytes()
    other = pathlib.Path(build(tmp_path, SOURCE_DATE_EPOCH="1700000000").stdout.strip())
    assert zipfile.ZipFile(other).infolist()[0].date_time[0] == 2023


def test_the_tag_says_the_newest_glibc_that_is_needed(wheel):
    symbols = subprocess.run(["objdump", "-T", LIBRARY], capture_output=True, text=True, check=True).stdout
    newest = max(tuple(map(int, version)) for version in re.findall(r"GLIBC_([0-9]+)\.([0-9]+)", symbols))
    newest = max(newest, (2, 17))
    assert wheel.name == f"cuframes-{cuframes.__version__}-py3-none-manylinux_{newest[0]}_{newest[1]}_x86_64.whl"
    # Debian 12.
    assert newest <= (2, 36)


def test_the_record_is_right(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        assert len(names) == len(set(names)) and opened.testzip() is None
        info = f"cuframes-{cuframes.__version__}.dist-info"
        record = [line.rsplit(",", 2) for line in opened.read(f"{info}/RECORD").decode().splitlines()]
        assert [line[0] for line in record] == names
        for name, digest, size in record:
            content = opened.read(name)
            if name != f"{info}/RECORD":
                assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=") and int(size) == len(content)
        assert opened.read("cuframes/_lib/libcuframes.so.0") == pathlib.Path(LIBRARY).read_bytes()
        sources = {path.relative_to(support.PACKAGE).as_posix() for path in (support.PACKAGE / "cuframes").rglob("*") if path.suffix in (".py", ".typed")}
        assert {name for name in names if name.startswith("cuframes/")} == sources | {"cuframes/_lib/libcuframes.so.0"}
        assert "Requires-Dist" not in opened.read(f"{info}/METADATA").decode()


def test_pip_installs_it_and_it_works(wheel, tmp_path, directory):
    python = str(tmp_path / "venv" / "bin" / "python")
    clean = {**support.clean_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(["/usr/bin/python3", "-m", "venv", str(tmp_path / "venv")], check=True, env=clean)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", str(wheel)], check=True, env=clean)
    assert "No broken requirements" in subprocess.run([python, "-m", "pip", "check"], check=True, capture_output=True, text=True, env=clean).stdout
    done = subprocess.run([python, "-c", """
import cuframes, sys
assert cuframes.__file__.startswith(sys.prefix) and cuframes.library_path().startswith(sys.prefix)
with cuframes.Publisher("a", "gray8", 64, 48, directory=sys.argv[1]) as publisher, cuframes.Subscriber("a", directory=sys.argv[1]) as subscriber:
    publisher.publish(bytes(range(256)) * 12)
    with subscriber.next(10) as frame:
        print(frame.to_host() == bytes(range(256)) * 12, cuframes.library_version())
""", directory], check=True, capture_output=True, text=True, env=clean, cwd=str(tmp_path))
    assert done.stdout == f"True {cuframes.__version__}\n"
    subprocess.run([python, "-m", "cuframes", "--version"], check=True, env=clean, cwd=str(tmp_path))
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "cuframes"], check=True, env=clean)
    assert not list((tmp_path / "venv").rglob("*cuframes*"))


@pytest.mark.parametrize("library,text", [("/bin/sh", "SONAME"), (__file__, "no 64-bit"), ("/nowhere", "No such file")])
def test_what_is_not_the_library_is_refused(tmp_path, library, text):
    done = build(tmp_path, library)
    assert done.returncode == 1 and text in done.stderr and os.listdir(tmp_path) == []
