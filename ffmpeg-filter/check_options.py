#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says where the options that ffmpeg has, its documentation in texi and docs/ffmpeg.md differ.

    check_options.py FFMPEG TEXI_FOLDER FFMPEG_MD

Compared are the names, the named values, and the defaults. Exit status 1 if anything differs.
"""

import re
import subprocess
import sys
from pathlib import Path

ELEMENTS = {"cuda_ipc_export": "filter", "cuframes": "demuxer", "cuframes_packets": "demuxer"}

# An option is its name, its named values, and its default; None is a default that is nothing.
Options = dict[str, tuple[list[str], str | None]]


def of_program(ffmpeg: str, element: str) -> Options:
    """Read what `ffmpeg -h` lists."""
    text = subprocess.run([ffmpeg, "-hide_banner", "-h", f"{ELEMENTS[element]}={element}"], check=True, capture_output=True, text=True).stdout
    options: Options = {}
    name = ""
    for line in text.splitlines():
        if option := re.match(r" {2,3}-?(\w+) +<\w+> +\S+ (.*)$", line):
            name = option[1]
            default = re.search(r"\(default ([^)]*)\)$", option[2])
            options[name] = ([], default[1].strip('"') if default else None)
        elif value := re.match(r" {5,}([\w-]+) +\d+ +[.A-Z]+ ", line):
            options[name][0].append(value[1])
    return options


def of_texi(path: Path) -> Options:
    """Read the table of options; items that follow each other share a description."""
    options: Options = {}
    names: list[str] = []
    values: list[str] = []
    depth = 0
    is_described = True
    default: str | None = None

    def end() -> None:
        for name in names:
            options[name] = (list(values), default)

    for line in path.read_text().splitlines():
        if line.startswith("@table @option"):
            depth = 1
        elif depth == 0:
            continue
        elif line.startswith("@table"):
            depth += 1
        elif line.startswith("@end table"):
            depth -= 1
            if depth == 0:
                end()
                return options
        elif depth == 2 and line.startswith("@item "):
            values.append(line.removeprefix("@item "))
        elif depth == 1 and line.startswith("@item "):
            if is_described:
                end()
                names, values, default, is_described = [], [], None, False
            names.append(line.removeprefix("@item "))
        elif line.strip():
            is_described = True
            if found := re.search(r"\bDefault is (?:@samp\{([^}]+)\}|(\d+))\.", line):
                default = found[1] or found[2]
    raise ValueError(f"{path} has no whole table of options")


def of_markdown(path: Path, element: str) -> Options:
    """Read the table below the element's heading: | names | default | meaning, where `code` before a colon or a comma is a named value |."""
    text = path.read_text()
    section = re.search(rf"^## {element}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if section is None:
        raise ValueError(f"{path} has no section {element}")
    options: Options = {}
    for names, default, values in re.findall(r"^\| (`.*?) \| (.*?) ?\| (.*) \|$", section[1], re.MULTILINE):
        named = re.findall(r"`([\w-]+)` \(", values)
        for name in re.findall(r"`(\w+)`", names):
            options[name] = (named, default.strip("`") if re.fullmatch(r"`?[\w-]+`?", default) else None)
    return options


def main() -> int:
    ffmpeg, texi, markdown = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    differences = 0
    for element in ELEMENTS:
        program = of_program(ffmpeg, element)
        if not program:
            print(f"ffmpeg -h shows no option of {element}")
            differences += 1
        for place, other in ((f"{element}.texi", of_texi(texi / f"{element}.texi")), (markdown.name, of_markdown(markdown, element))):
            if sorted(other) != sorted(program):
                print(f"{element}: ffmpeg has {' '.join(program)}; {place} has {' '.join(other)}")
                differences += 1
            for name in program.keys() & other.keys():
                if program[name] != other[name]:
                    print(f"{element}, {name}: ffmpeg says {program[name]}, {place} says {other[name]}")
                    differences += 1
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
