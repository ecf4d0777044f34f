#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the wheel that carries libcuframes.so, with the standard library alone.

    build-wheel.py --library artifacts/native/lib/libcuframes.so.0 --output artifacts/python

Prints the wheel's path. The same inputs give the same bytes: times are those of $SOURCE_DATE_EPOCH, else of 1980-01-01, the earliest that a zip file can hold. The platform
tag says the newest version of glibc that the library asks for (PEP 600); a library that needs anything but glibc is refused.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import pathlib
import re
import struct
import sys
import time
import zipfile
from typing import Dict, List, Tuple

ROOT = pathlib.Path(__file__).resolve().parent
SONAME = "libcuframes.so.0"
NAME = "cuframes"

# What glibc consists of: PEP 600 lets a wheel need these and nothing else.
GLIBC = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}

# e_machine of ELF and the names that wheels have for it.
MACHINES = {62: "x86_64", 183: "aarch64"}

# Types of sections (ELF gABI and its GNU extensions).
SHT_DYNAMIC = 6
SHT_GNU_VERNEED = 0x6FFFFFFE
DT_NEEDED = 1
DT_SONAME = 14


class Elf:
    """What a wheel's tag depends on in a 64-bit little-endian ELF file."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("it is no 64-bit little-endian ELF file")
        self._data = data
        self.machine = struct.unpack_from("<H", data, 18)[0]
        start = struct.unpack_from("<Q", data, 40)[0]
        entry_size, count = struct.unpack_from("<HH", data, 58)
        # Name, type, flags, address, offset, size, link, info, alignment, size of an entry.
        self._sections: List[Tuple[int, ...]] = [struct.unpack_from("<IIQQQQIIQQ", data, start + index * entry_size) for index in range(count)]
        self.needed: List[str] = []
        self.soname = ""
        self.versions: List[str] = []
        for section in self._sections:
            if section[1] == SHT_DYNAMIC:
                self._read_dynamic(section)
            elif section[1] == SHT_GNU_VERNEED:
                self._read_versions(section)

    def _text(self, strings: int, offset: int) -> str:
        start = self._sections[strings][4] + offset
        return self._data[start:self._data.index(b"\0", start)].decode("ascii")

    def _read_dynamic(self, section: Tuple[int, ...]) -> None:
        for offset in range(section[4], section[4] + section[5], 16):
            tag, value = struct.unpack_from("<qQ", self._data, offset)
            if tag == DT_NEEDED:
                self.needed.append(self._text(section[6], value))
            elif tag == DT_SONAME:
                self.soname = self._text(section[6], value)

    def _read_versions(self, section: Tuple[int, ...]) -> None:
        offset = section[4]
        for _ in range(section[7]):
            _, count, _, first, following = struct.unpack_from("<HHIII", self._data, offset)
            entry = offset + first
            for _ in range(count):
                _, _, _, name, next_entry = struct.unpack_from("<IHHII", self._data, entry)
                self.versions.append(self._text(section[6], name))
                entry += next_entry
            offset += following


def platform_of(library: bytes) -> str:
    """The platform tag of a wheel with this library, such as manylinux_2_36_x86_64."""
    elf = Elf(library)
    if elf.soname != SONAME:
        raise ValueError(f"its SONAME is {elf.soname!r} and not {SONAME!r}")
    if elf.machine not in MACHINES:
        raise ValueError(f"its machine {elf.machine} is none that wheels are made for")
    others = sorted(set(elf.needed) - GLIBC)
    if others:
        raise ValueError(f"it needs {', '.join(others)}, which a wheel cannot rely on")
    found = [tuple(int(part) for part in match.group(1).split(".")) for match in map(re.compile(r"GLIBC_([0-9.]+)$").match, elf.versions) if match]
    newest = max(found, default=(2, 17))
    # manylinux begins with 2.17 for x86_64; older symbols are there as well.
    major, minor = max(newest[:2], (2, 17))
    return f"manylinux_{major}_{minor}_{MACHINES[elf.machine]}"


def package_files(library: bytes) -> Dict[str, bytes]:
    """Paths in the wheel and what is there."""
    files = {}
    for path in sorted((ROOT / NAME).rglob("*")):
        relative = path.relative_to(ROOT)
        if path.is_file() and "__pycache__" not in relative.parts and "_lib" not in relative.parts:
            if path.suffix not in (".py", ".typed"):
                raise ValueError(f"{path} has no place in a wheel")
            files[relative.as_posix()] = path.read_bytes()
    files[f"{NAME}/_lib/{SONAME}"] = library
    return files


def metadata(version: str) -> bytes:
    """METADATA (core metadata 2.1), with what pyproject.toml says."""
    project = (ROOT / "pyproject.toml").read_text()

    def value(name: str) -> str:
        match = re.search(rf'^{name} = (?:{{ text = )?"([^"]+)"', project, re.MULTILINE)
        if match is None:
            raise ValueError(f"pyproject.toml has no {name}")
        return match.group(1)

    classifiers = re.findall(r'^    "([^"]+ :: [^"]+)",$', project, re.MULTILINE)
    lines = [
        "Metadata-Version: 2.1", f"Name: {NAME}", f"Version: {version}", f"Summary: {value('description')}", f"License: {value('license')}",
        *(f"Classifier: {classifier}" for classifier in classifiers), f"Requires-Python: {value('requires-python')}",
        "License-File: LICENSE", "Description-Content-Type: text/markdown", "", (ROOT / "README.md").read_text()]
    return "\n".join(lines).encode()


def build(library_path: pathlib.Path, output: pathlib.Path) -> pathlib.Path:
    """Makes the wheel and returns its path."""
    library = library_path.read_bytes()
    match = re.search(r'__version__ = "([^"]+)"', (ROOT / NAME / "_version.py").read_text())
    if match is None:
        raise ValueError("_version.py has no version")
    version = match.group(1)
    tag = f"py3-none-{platform_of(library)}"
    info = f"{NAME}-{version}.dist-info"
    files = package_files(library)
    files[f"{info}/LICENSE"] = (ROOT.parent.parent / "LICENSE").read_bytes()
    files[f"{info}/METADATA"] = metadata(version)
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: build-wheel.py\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(content)}\n")
    record.append(f"{info}/RECORD,,\n")
    files[f"{info}/RECORD"] = "".join(record).encode()
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{NAME}-{version}-{tag}.whl"
    beside = target.with_name(target.name + ".part")
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800))[:6]
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.create_system = 3
            mode = 0o755 if name.endswith(SONAME) else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content, compresslevel=9)
    beside.replace(target)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the wheel that carries libcuframes.so.")
    parser.add_argument("--library", required=True, type=pathlib.Path, help="libcuframes.so.0")
    parser.add_argument("--output", required=True, type=pathlib.Path, help="folder for the wheel")
    arguments = parser.parse_args()
    try:
        print(build(arguments.library, arguments.output))
    except (OSError, ValueError) as error:
        print(f"build-wheel.py: no wheel can be made of {arguments.library}: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
