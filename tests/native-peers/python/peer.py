#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peer in Python: tests/native-peers/README.md says what it does. Needs numpy."""

from __future__ import annotations

import sys

import publishing
import reading
from arguments import Arguments

USAGE = "usage: peer.py publish|read|publisher|subscriber --option value ... | conform-publisher KEY [--format-change-ms N] | conform-subscriber KEY | conform-packet-subscriber KEY"


def main() -> int:
    if len(sys.argv) > 1:
        command, rest = sys.argv[1], sys.argv[2:]
        if command == "publish":
            return publishing.publish(Arguments(rest))
        if command == "read":
            return reading.read(Arguments(rest))
        if command == "publisher":
            return publishing.StepPublisher(Arguments(rest)).run()
        if command == "subscriber":
            return reading.StepReader(Arguments(rest)).run()
        if command == "conform-publisher" and rest:
            change = Arguments(rest[1:]).text("format-change-ms")
            return publishing.conform(rest[0], int(change) if change else None)
        if command == "conform-subscriber" and rest:
            return reading.conform(rest[0])
        if command == "conform-packet-subscriber" and rest:
            return reading.conform_packets(rest[0])
    print(USAGE, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main())
