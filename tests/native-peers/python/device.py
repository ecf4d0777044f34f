# SPDX-License-Identifier: LGPL-2.1-or-later
"""Device memory through libcuda.so.1: a stream, pinned memory and copies of planes."""

from __future__ import annotations

import ctypes
from collections import deque
from ctypes import byref, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any, Deque, List, Tuple

import numpy

import cuframes
import stamp
from checker import Checker

_HOST = 1
_DEVICE = 2
_NON_BLOCKING = 1
_NOT_READY = 600


class _Copy2D(ctypes.Structure):
    # CUDA_MEMCPY2D of cuda.h.
    _fields_ = [
        ("src_x", c_size_t), ("src_y", c_size_t), ("src_type", c_uint), ("src_host", c_void_p), ("src_device", c_uint64), ("src_array", c_void_p),
        ("src_pitch", c_size_t),
        ("dst_x", c_size_t), ("dst_y", c_size_t), ("dst_type", c_uint), ("dst_host", c_void_p), ("dst_device", c_uint64), ("dst_array", c_void_p),
        ("dst_pitch", c_size_t),
        ("width", c_size_t), ("height", c_size_t),
    ]


class Driver:
    """Calls of the driver in one context, which is current only while they run."""

    def __init__(self, context: int) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self._context = c_void_p(context)

    def call(self, name: str, *arguments: Any) -> None:
        result = self.ask(name, *arguments)
        if result:
            raise RuntimeError(f"{name} failed: {result}")

    def ask(self, name: str, *arguments: Any) -> int:
        if self._library.cuCtxPushCurrent_v2(self._context):
            raise RuntimeError("The context cannot be made current.")
        try:
            return int(getattr(self._library, name)(*arguments))
        finally:
            self._library.cuCtxPopCurrent_v2(byref(c_void_p()))

    def stream(self) -> c_void_p:
        made = c_void_p()
        self.call("cuStreamCreate", byref(made), _NON_BLOCKING)
        return made

    def pinned(self, size: int) -> Tuple[c_void_p, Any]:
        made = c_void_p()
        self.call("cuMemHostAlloc", byref(made), c_size_t(size), 0)
        return made, numpy.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(made.value or 0))

    def copy(self, stream: c_void_p, pointer: int, pitch: int, host: int, row_bytes: int, rows: int, to_device: bool) -> None:
        copy = _Copy2D()
        copy.width, copy.height = row_bytes, rows
        if to_device:
            copy.src_type, copy.src_host, copy.src_pitch = _HOST, host, row_bytes
            copy.dst_type, copy.dst_device, copy.dst_pitch = _DEVICE, pointer, pitch
        else:
            copy.src_type, copy.src_device, copy.src_pitch = _DEVICE, pointer, pitch
            copy.dst_type, copy.dst_host, copy.dst_pitch = _HOST, host, row_bytes
        self.call("cuMemcpy2DAsync_v2", byref(copy), stream)


class DeviceWriter:
    """Fills device memory with stamps: pinned memory, several pieces in turn, copied on a stream and not waited for."""

    _BUFFERS = 4

    def __init__(self, context: int) -> None:
        self._driver = Driver(context)
        self.stream = self._driver.stream()
        self._buffers: List[Any] = [None] * self._BUFFERS
        self._next = 0

    def write(self, frame: cuframes.WritableFrame, number: int) -> None:
        sizes = stamp.plane_sizes(frame.pixel_format, frame.width, frame.height)
        address, buffer = self._take(sum(rows * row_bytes for rows, row_bytes in sizes))
        start = 0
        for index, plane in enumerate(frame.planes):
            rows, row_bytes = sizes[index]
            buffer[start:start + rows * row_bytes] = stamp.plane_of(number, index, rows, row_bytes).reshape(-1)
            self._driver.copy(self.stream, plane.pointer, plane.pitch, address.value + start, row_bytes, rows, True)
            start += rows * row_bytes

    def close(self) -> None:
        self._driver.call("cuStreamSynchronize", self.stream)
        for buffer in self._buffers:
            if buffer is not None:
                self._driver.call("cuMemFreeHost", buffer[0])
        self._driver.call("cuStreamDestroy_v2", self.stream)

    def _take(self, size: int) -> Any:
        index = self._next
        self._next = (index + 1) % self._BUFFERS
        known = self._buffers[index]
        if known is None or known[1].size < size:
            if known is not None:
                self._driver.call("cuStreamSynchronize", self.stream)
                self._driver.call("cuMemFreeHost", known[0])
            known = self._buffers[index] = self._driver.pinned(size)
        return known


class DeviceReader:
    """The second look at frames in device memory: a copy on a stream of its own that is looked at when the stream has made it."""

    _DEPTH = 8

    # Of the releases so many are one by the CPU: which fence ends a lease is the reader's choice each time.
    _CPU_EVERY = 17

    def __init__(self, context: int, checker: Checker) -> None:
        self._driver = Driver(context)
        self._checker = checker
        self.stream = self._driver.stream()
        self._free: List[Any] = []
        self._pending: Deque[Any] = deque()
        self._released = 0

    def copy(self, frame: cuframes.Frame) -> None:
        """Enqueues a copy of a held frame."""
        if len(self._pending) == self._DEPTH:
            self._look()
        sizes = stamp.plane_sizes(frame.pixel_format, frame.width, frame.height)
        size = sum(rows * row_bytes for rows, row_bytes in sizes)
        address, buffer, event = self._take(size)
        buffer[:size] = 0xEE  # What an earlier frame left there must not pass for this one.
        start = 0
        for plane, (rows, row_bytes) in zip(frame.planes, sizes):
            self._driver.copy(self.stream, plane.pointer, plane.pitch, address.value + start, row_bytes, rows, False)
            start += rows * row_bytes
        self._driver.call("cuEventRecord", event, self.stream)
        self._pending.append(
            ((address, buffer, event), size, stamp.number_of(frame.epoch, frame.sequence), frame.pixel_format, frame.width, frame.height))

    def release(self, frame: cuframes.Frame, by_cpu: bool = False) -> None:
        """Copies a frame once more and releases it: behind the copy, or every now and then by the CPU."""
        self.copy(frame)
        self._released += 1
        if by_cpu or self._released % self._CPU_EVERY == 0:
            self.settle()
            if not frame.is_valid:
                self._checker.note_lost(f"Frame {frame.sequence} was lost while it was held.")
            frame.release()
        else:
            frame.release(self.stream.value)

    def look_at_complete(self) -> None:
        """Looks at the copies that are made."""
        while self._pending and self._driver.ask("cuEventQuery", self._pending[0][0][2]) != _NOT_READY:
            self._look()

    def settle(self) -> None:
        """Waits for all copies and looks at them."""
        while self._pending:
            self._look()
        self._driver.call("cuStreamSynchronize", self.stream)

    def close(self) -> None:
        self.settle()
        for address, _, event in self._free:
            self._driver.call("cuMemFreeHost", address)
            self._driver.call("cuEventDestroy_v2", event)
        self._driver.call("cuStreamDestroy_v2", self.stream)

    def _take(self, size: int) -> Any:
        for index, known in enumerate(self._free):
            if known[1].size >= size:
                return self._free.pop(index)
        event = c_void_p()
        self._driver.call("cuEventCreate", byref(event), 0)
        address, buffer = self._driver.pinned(size)
        return address, buffer, event

    def _look(self) -> None:
        held, size, number, pixel_format, width, height = self._pending.popleft()
        self._driver.call("cuEventSynchronize", held[2])
        planes = stamp.split(held[1][:size], pixel_format, width, height)
        self._checker.note_torn(stamp.find_fault(planes, number, pixel_format, width, height))
        self._free.append(held)
