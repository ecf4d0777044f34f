#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes on frames in GPU memory with PyTorch, without a copy.

    read_torch.py KEY [--frames N] [--check]
"""

import argparse

import torch

import cuframes

parser = argparse.ArgumentParser(description="Computes on frames with PyTorch.")
parser.add_argument("key")
parser.add_argument("--frames", type=int, default=100)
parser.add_argument("--check", action="store_true", help="show that tensors are the frame's memory, and compare results with the CPU's")
arguments = parser.parse_args()

with cuframes.Subscriber(arguments.key, wait_for_stream=True) as frames:
    for number, frame in enumerate(frames, 1):
        plane = frame.planes[0]
        tensor = torch.from_dlpack(plane)
        # Any work on the GPU; it is only queued here.
        mean = tensor.to(torch.float32).mean()
        if arguments.check:
            same = tensor.data_ptr() == plane.pointer
            picture = torch.frombuffer(frame.to_host(), dtype=torch.uint16 if plane.itemsize == 2 else torch.uint8)
            reference = picture[:tensor.numel()].to(torch.float64).mean()
            print(f"  tensor at {tensor.data_ptr():#x}, plane at {plane.pointer:#x}: {'the same memory' if same else 'a copy'}; CPU: mean {reference:.2f}")
        # The lease ends when the GPU has come this far; nothing waits for that here.
        del tensor
        if frame.memory == "cuda":
            frame.release(stream=torch.cuda.current_stream())
        else:
            frame.release()
        print(f"frame {frame.sequence}: {frame.pixel_format} {frame.width}x{frame.height} in {frame.memory} memory, mean {mean.item():.2f}")
        if number == arguments.frames:
            break
