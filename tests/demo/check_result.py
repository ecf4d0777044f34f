#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks what `./demo.sh --seconds N --json` wrote to standard output: check_result.py FILE N.

The last line must be one JSON object with exactly the fields that are documented, and its figures must be possible ones.
Prints every fault and last "N passed, N failed, 0 skipped".
"""

import json
import os
import sys

faults = []


def require(holds, text):
    if not holds:
        faults.append(text)


def exactly(value, names, what):
    require(isinstance(value, dict) and set(value) == set(names), f"{what} must have the fields {sorted(names)}, found {value!r}")
    return isinstance(value, dict) and set(value) == set(names)


def count(value, what, least=0):
    require(type(value) is int and value >= least, f"{what} must be a whole number of at least {least}, found {value!r}")


def number(value, what, above):
    require(type(value) in (int, float) and value > above, f"{what} must be a number above {above}, found {value!r}")


def check(result, seconds):
    if not exactly(result, ["ok", "streams", "readers", "reclaim_ms", "snapshot"], "the result"):
        return
    require(result["ok"] is True, f"ok must be true, found {result['ok']!r}")
    for stream in result["streams"]:
        if exactly(stream, ["key", "fps", "format"], "a stream"):
            # The sources run at 25 frames a second; a loaded machine may lose some.
            require(12 < stream["fps"] < 30, f"stream {stream['key']} must come near 25 frames per second, found {stream['fps']}")
            require(stream["format"].startswith("nv12 ") or stream["format"].startswith("i420 "), f"unexpected format {stream['format']!r}")
    require(sorted(s["key"] for s in result["streams"]) == ["front", "pattern"], "the streams must be front and pattern")
    require(len(result["readers"]) == 3, f"there must be three readers, found {len(result['readers'])}")
    for reader in result["readers"]:
        if exactly(reader, ["name", "frames", "missed", "torn", "latency_us"], "a reader"):
            count(reader["frames"], f"{reader['name']}: frames", least=seconds)
            count(reader["missed"], f"{reader['name']}: missed")
            require(reader["torn"] == 0, f"{reader['name']} found {reader['torn']} torn frames")
            if exactly(reader["latency_us"], ["p50", "p99"], "latency_us"):
                number(reader["latency_us"]["p50"], f"{reader['name']}: p50", above=0)
                require(reader["latency_us"]["p99"] >= reader["latency_us"]["p50"], f"{reader['name']}: p99 is below p50")
    require(any(reader["missed"] > 0 for reader in result["readers"]), "the slow reader must have missed frames")
    number(result["reclaim_ms"], "reclaim_ms", above=0)
    require(os.path.isabs(result["snapshot"]), f"snapshot must be an absolute path, found {result['snapshot']!r}")
    with open(result["snapshot"], "rb") as picture:
        require(picture.read(8) == b"\x89PNG\r\n\x1a\n", "the snapshot is no PNG")


def main():
    path, seconds = sys.argv[1], int(sys.argv[2])
    try:
        with open(path, encoding="utf-8") as output:
            lines = output.read().splitlines()
        require(lines, "there is no output")
        if lines:
            check(json.loads(lines[-1]), seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        faults.append(f"{type(error).__name__}: {error}")
    for fault in faults:
        print(f"FAIL  {fault}")
    print(f"{0 if faults else 1} passed, {1 if faults else 0} failed, 0 skipped")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
