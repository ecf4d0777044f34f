#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads several streams, four cameras for example, in one event loop and one thread.

    read_asyncio.py KEY... [--frames N]
"""

import argparse
import asyncio

import cuframes


async def read(key: str, count: int) -> None:
    """Reads so many frames of one stream."""
    with cuframes.Subscriber(key, wait_for_stream=True) as frames:
        async for frame in frames:
            with frame:
                # Quick work can be done here; for longer work copy what is needed, or give the frame to a thread, which releases it.
                print(f"{key}: frame {frame.sequence} {frame.pixel_format} {frame.width}x{frame.height}, {frame.missed} missed", flush=True)
            count -= 1
            if count == 0:
                return


async def read_all(keys: "list[str]", count: int) -> None:
    """Reads all streams side by side."""
    await asyncio.gather(*(read(key, count) for key in keys))


parser = argparse.ArgumentParser(description="Reads several streams in one event loop.")
parser.add_argument("keys", nargs="+", metavar="KEY")
parser.add_argument("--frames", type=int, default=100, help="of each stream; default: 100")
arguments = parser.parse_args()
asyncio.run(read_all(arguments.keys, arguments.frames))
