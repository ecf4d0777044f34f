# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes frames in CUDA memory that PyTorch or CuPy makes where they lie.

    publisher.py torch|cupy DIRECTORY KEY FORMAT SLOTS

Commands on standard input: "publish N", "info", "exit". Each is answered by a line of JSON, as is the start.
"""

import json
import sys

import cuframes
import pattern


class TorchWriter:
    """Fills planes by PyTorch, on a stream of its own; a plane of two comes by DLPack."""

    def __init__(self):
        import torch

        self.torch = torch
        torch.zeros(1, device="cuda")
        self.stream = torch.cuda.Stream()
        self.shares = True

    def write(self, frame, number):
        torch = self.torch
        with torch.cuda.stream(self.stream):
            for plane in frame.planes:
                target = torch.as_tensor(plane, device="cuda") if plane.index == 0 else torch.from_dlpack(plane)
                self.shares = self.shares and target.data_ptr() == plane.pointer and tuple(target.shape) == plane.shape
                values = torch.as_tensor(pattern.grid(plane.name, plane.shape), device="cuda") + pattern.FACTORS[plane.name][3] * number
                target.copy_((values & 1023) << 6 if plane.itemsize == 2 else values & 255)


class CupyWriter:
    """Fills planes by CuPy, on a stream of its own; a plane of two comes by DLPack."""

    def __init__(self):
        import cupy

        self.cupy = cupy
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.shares = True

    def write(self, frame, number):
        cupy = self.cupy
        with self.stream:
            for plane in frame.planes:
                target = cupy.asarray(plane) if plane.index == 0 else cupy.from_dlpack(plane)
                self.shares = self.shares and target.data.ptr == plane.pointer and target.shape == plane.shape
                values = cupy.asarray(pattern.grid(plane.name, plane.shape)) + pattern.FACTORS[plane.name][3] * number
                target[...] = ((values & 1023) << 6 if plane.itemsize == 2 else values & 255).astype(target.dtype)


def main():
    framework, directory, key, pixel_format, slots = sys.argv[1:]
    writer = TorchWriter() if framework == "torch" else CupyWriter()
    # A ring that cannot grow: what is held is missing from it.
    with cuframes.Publisher(
            key, pixel_format, pattern.WIDTH, pattern.HEIGHT, memory="cuda", directory=directory, slots=int(slots), max_slots=int(slots)) as publisher:
        say(kind="ready")
        sequence = dropped = 0
        for line in sys.stdin:
            command, _, rest = line.strip().partition(" ")
            if command == "publish":
                for _ in range(int(rest)):
                    frame = publisher.begin(stream=writer.stream)
                    if frame is None:
                        dropped += 1
                        continue
                    with frame:
                        writer.write(frame, sequence + 1)
                        frame.pts = 1000 * (sequence + 1)
                    sequence = frame.sequence
                say(kind="published", sequence=sequence, dropped=dropped, shares=writer.shares)
            elif command == "info":
                info = publisher.info
                say(kind="info", held=info.held_slots, slots=info.slots, dropped=info.dropped)
            else:
                return


def say(**fields):
    print(json.dumps(fields), flush=True)


main()
