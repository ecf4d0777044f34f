# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m cuframes ls``"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any, Dict

from .. import directory
from .._library import library
from ..information import StreamInfo
from . import text

# Of errors that publishers give instead of a description.
_UNAVAILABLE = "unavailable"


def add(commands: Any) -> None:
    parser = commands.add_parser("ls", help="list the streams of this machine")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    place = directory.runtime_directory()
    streams = directory.list_streams()
    if arguments.json:
        text.say_json({"directory": place, "streams": [_report(stream) for stream in streams]})
        return 0
    if not streams:
        print(f"No stream is published in {place}.", file=sys.stderr)
        return 0
    rows = []
    for stream in streams:
        picture = stream.format
        is_there = stream.error_code == 0
        rows.append([
            stream.key,
            stream.state if is_there else _UNAVAILABLE,
            picture.pixel_format if picture else "",
            f"{picture.width}x{picture.height}" if picture else "",
            text.rate(picture.rate) if picture else "",
            str(stream.subscribers) if is_there else "",
            str(stream.dropped) if is_there else "",
            f"{stream.slots}/{stream.max_slots}" if is_there else "",
            f"{stream.memory} {stream.cuda_device_uuid[:12]}" if stream.cuda_device_uuid else "",
            str(stream.head) if is_there else "",
            stream.program,
            stream.state_text if is_there else stream.error,
        ])
    headings = ("KEY", "STATE", "FORMAT", "SIZE", "#FPS", "#READERS", "#DROPPED", "#SLOTS", "DOMAIN", "#HEAD", "PUBLISHER", "REASON")
    print("\n".join(text.table(headings, rows)))
    return 0


def _report(stream: StreamInfo) -> Dict[str, Any]:
    report = asdict(stream)
    code, error = report.pop("error_code"), report.pop("error")
    # A number of 64 bits is more than many a reader of JSON can hold.
    report["epoch"] = f"{stream.epoch:016x}"
    report["error"] = {"code": code, "name": library().error_name(code).decode(), "text": error} if code else None
    if code:
        report["state"] = _UNAVAILABLE
    return report
