#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes on frames in GPU memory with CuPy, without a copy.

    read_cupy.py KEY [--frames N] [--check]
"""

import argparse

import cupy
import numpy

import cuframes

parser = argparse.ArgumentParser(description="Computes on frames with CuPy.")
parser.add_argument("key")
parser.add_argument("--frames", type=int, default=100)
parser.add_argument("--check", action="store_true", help="show that arrays are the frame's memory, and compare results with the CPU's")
arguments = parser.parse_args()

stream = cupy.cuda.Stream(non_blocking=True)
with cuframes.Subscriber(arguments.key, wait_for_stream=True) as frames, stream:
    for number, frame in enumerate(frames, 1):
        plane = frame.planes[0]
        array = cupy.asarray(plane)
        # Any work on the GPU; it is only queued here.
        mean = array.mean(dtype=cupy.float64)
        if arguments.check:
            same = array.data.ptr == plane.pointer
            reference = numpy.frombuffer(frame.to_host(), plane.dtype)[:array.size].mean()
            print(f"  array at {array.data.ptr:#x}, plane at {plane.pointer:#x}: {'the same memory' if same else 'a copy'}; CPU: mean {reference:.2f}")
        # The lease ends when the stream has come this far; nothing waits for that here.
        del array
        frame.release(stream=stream)
        print(f"frame {frame.sequence}: {frame.pixel_format} {frame.width}x{frame.height} in {frame.memory} memory, mean {float(mean):.2f}")
        if number == arguments.frames:
            break
