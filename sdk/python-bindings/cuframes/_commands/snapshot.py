# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m cuframes snapshot``"""

from __future__ import annotations

import argparse
import os
from typing import Any

from .. import _picture
from ..errors import InvalidArgument
from ..subscriber import Subscriber
from . import text


def add(commands: Any) -> None:
    parser = commands.add_parser("snapshot", help="write the newest frame as a PNG picture")
    parser.add_argument("key", metavar="KEY", help="the stream")
    parser.add_argument("file", metavar="FILE", help="the PNG file to write")
    parser.add_argument("--timeout", type=float, default=10, help="longest wait for a frame, in seconds; default: 10")
    parser.add_argument("--force", "-f", action="store_true", help="overwrite the file if it exists")
    parser.add_argument("--json", action="store_true", help="one JSON object that says what was written")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = os.path.abspath(arguments.file)
    if os.path.isdir(path):
        raise _refusal(f"{path} is a directory; name a file in it.")
    if not os.path.isdir(os.path.dirname(path)):
        raise _refusal(f"The directory of {path} does not exist.")
    if os.path.exists(path) and not arguments.force:
        raise _exists(path)
    with Subscriber(arguments.key, leases=1, program="python -m cuframes snapshot") as subscriber, subscriber.next(arguments.timeout) as frame:
        # The lease ends before the picture is converted, which takes a moment.
        data = frame.to_host()
    picture = _picture.picture_of(
        data, frame.pixel_format, frame.width, frame.height, frame.colour_matrix, frame.colour_range == "full", frame.rotation)
    png = _picture.png_of(picture)
    _write(path, png, arguments.force)
    if arguments.json:
        text.say_json({
            "key": arguments.key, "file": path, "width": picture.width, "height": picture.height, "bytes": len(png), "sequence": frame.sequence,
            "format": frame.pixel_format, "memory": frame.memory, "rotated_degrees": 90 * frame.rotation, "pts_ns": frame.pts,
        })
    else:
        print(f"{path}: frame {frame.sequence} of {arguments.key}, {picture.width}x{picture.height}, {text.size_of(len(png))}")
    return 0


def _write(path: str, png: bytes, force: bool) -> None:
    """Writes beside the target and renames, so that nobody ever sees half a picture and a full disk loses nothing."""
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(beside, "xb") as file:
            file.write(png)
        if force:
            os.replace(beside, path)
        else:
            try:
                os.link(beside, path)
            except FileExistsError:
                raise _exists(path) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def _refusal(sentence: str) -> InvalidArgument:
    return InvalidArgument(sentence, 28, "CONFIGURATION_INVALID")


def _exists(path: str) -> InvalidArgument:
    return _refusal(f"{path} exists. Choose another name, or overwrite it with --force.")
