#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a stream in main memory as numpy arrays, without a copy.

    read_numpy.py KEY [--frames N] [--check]
"""

import argparse

import numpy

import cuframes

parser = argparse.ArgumentParser(description="Reads a stream as numpy arrays.")
parser.add_argument("key")
parser.add_argument("--frames", type=int, default=100)
parser.add_argument("--check", action="store_true", help="show that the arrays are the frame's memory")
arguments = parser.parse_args()

with cuframes.Subscriber(arguments.key, wait_for_stream=True) as frames:
    for number, frame in enumerate(frames, 1):
        with frame:
            # Of NV12, I420, P010 and GRAY8 that is luma.
            plane = frame.planes[0]
            array = numpy.asarray(plane)
            print(f"frame {frame.sequence}: {frame.pixel_format} {frame.width}x{frame.height}, mean {array.mean():.2f}")
            if arguments.check:
                same = array.__array_interface__["data"][0] == plane.pointer
                print(f"  array at {array.__array_interface__['data'][0]:#x}, plane at {plane.pointer:#x}: {'the same memory' if same else 'a copy'}")
        # An array holds its frame, too.
        del array
        if number == arguments.frames:
            break
