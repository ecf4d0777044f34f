#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the manual pages with what the programs say of themselves: every command and option is in both."""

import gzip
import re
import subprocess
import sys

# Those of every command that asks the daemon, which the page has once.
CONTROL = {"--control", "--token-file", "--ca"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def page(path: str) -> str:
    # In roff a hyphen of an option is written \-.
    return gzip.open(path, "rt").read().replace(r"\-", "-")


def said(*command: str) -> str:
    return subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout


def commands_of(help_text: str) -> list:
    return re.findall(r"^  ([\w-]+)(?:, [\w-]+)?(?: <|  )", help_text.partition("Commands:")[2], re.MULTILINE)


def compare(what: str, told: set, written: set) -> bool:
    for name in sorted(told - written):
        print(f"{what}: {name} is not in the manual page")
    for name in sorted(written - told):
        print(f"{what}: {name} is in the manual page, and the program does not know it")
    return told == written


def main() -> int:
    good = True
    manual = page("/usr/share/man/man1/cuframes.1.gz")
    # Each command is a paragraph that begins with a line such as: .BR ls " [" --json ], or .BR "camera add" " \fIKEY\fR [" --json ]
    paragraphs = {match[1].strip('"'): match[0] for match in re.finditer(r'^\.TP\n\.BR ([\w-]+|"[\w -]+") " .*\n(?:(?!\.TP|\.SH).*\n)*', manual, re.MULTILINE)}
    help_text = said("cuframes")
    commands = set()
    for command in commands_of(help_text):
        # A command of commands does nothing by itself.
        commands |= {f"{command} {inner}" for inner in commands_of(said("cuframes", command))} or {command}
    good &= len(commands) > 5 and compare("cuframes", commands, set(paragraphs))
    for command in sorted(commands & set(paragraphs)):
        good &= compare(f"cuframes {command}", set(OPTION.findall(said("cuframes", *command.split()))) - {"--help"} - CONTROL, set(OPTION.findall(paragraphs[command])))
    common = manual.split(".SH OPTIONS")[1].split(".SH ")[0]
    good &= compare("cuframes", set(OPTION.findall(help_text)) | {"--json"} | CONTROL, set(OPTION.findall(common)))
    daemon = page("/usr/share/man/man8/cuframesd.8.gz").split(".SH OPTIONS")[1].split(".SH ")[0]
    good &= compare("cuframesd", set(OPTION.findall(said("cuframesd"))), set(OPTION.findall(daemon)))
    print(f"{len(commands)} commands compared")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
