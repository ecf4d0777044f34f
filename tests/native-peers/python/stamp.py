# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stamps: every byte of a frame follows from its number and the byte's place (tests/native-peers/README.md)."""

from __future__ import annotations

import functools
from typing import Any, List, Optional, Tuple

import numpy

STEP = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

# Bytes of a sample, and of each plane: samples side by side, and by how much columns and rows are halved. Tensors have three times the rows.
FORMATS = {
    "nv12": (1, [(1, 0), (2, 1)]),
    "i420": (1, [(1, 0), (1, 1), (1, 1)]),
    "p010": (2, [(1, 0), (2, 1)]),
    "gray8": (1, [(1, 0)]),
    "rgb24": (1, [(3, 0)]),
    "bgr24": (1, [(3, 0)]),
    "rgba": (1, [(4, 0)]),
    "bgra": (1, [(4, 0)]),
    "rgbp": (1, [(1, 0)]),
    "bgrp": (1, [(1, 0)]),
    "rgbp_f16": (2, [(1, 0)]),
    "bgrp_f16": (2, [(1, 0)]),
    "rgbp_f32": (4, [(1, 0)]),
    "bgrp_f32": (4, [(1, 0)]),
}
TENSORS = ("rgbp", "bgrp")


def number_of(epoch: int, sequence: int) -> int:
    """What a frame is stamped with."""
    return ((epoch & 0xFF) << 36) | sequence


def pts_of(sequence: int) -> int:
    """Presentation time of a stamped frame."""
    return sequence * 40_000_000


@functools.lru_cache(maxsize=64)
def plane_sizes(pixel_format: str, width: int, height: int) -> Tuple[Tuple[int, int], ...]:
    """Rows and bytes of a row of each plane."""
    itemsize, planes = FORMATS[pixel_format]
    if pixel_format.startswith(TENSORS):
        return ((3 * height, width * itemsize),)
    return tuple(
        ((height + halved) >> halved, ((width + halved) >> halved) * samples * itemsize) for samples, halved in planes)


@functools.lru_cache(maxsize=64)
def _ramp(words: int) -> Any:
    return numpy.arange(words, dtype=numpy.uint64) * numpy.uint64(STEP)


@functools.lru_cache(maxsize=64)
def _row_numbers(rows: int) -> Any:
    return numpy.arange(rows, dtype=numpy.uint64)


def plane_of(number: int, plane: int, rows: int, row_bytes: int) -> Any:
    """The bytes of a stamped plane, of shape (rows, row_bytes)."""
    x = _row_numbers(rows) ^ numpy.uint64(((number << 20) & MASK) ^ (plane << 60))
    x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    start = x ^ (x >> numpy.uint64(31))
    words = (row_bytes + 7) // 8
    return (start[:, None] + _ramp(words)[None, :]).view(numpy.uint8)[:, :row_bytes]


def picture_of(number: int, pixel_format: str, width: int, height: int) -> List[Any]:
    """The planes of a stamped picture."""
    return [plane_of(number, index, rows, row_bytes) for index, (rows, row_bytes) in enumerate(plane_sizes(pixel_format, width, height))]


def find_fault(planes: List[Any], number: int, pixel_format: str, width: int, height: int) -> Optional[str]:
    """None when every byte of the planes, each of shape (rows, row_bytes), is right, else where the first fault is."""
    for index, (rows, row_bytes) in enumerate(plane_sizes(pixel_format, width, height)):
        found = planes[index]
        if found.shape != (rows, row_bytes):
            return f"frame {number}: plane {index} has {found.shape} rows and bytes, not {(rows, row_bytes)}"
        wanted = plane_of(number, index, rows, row_bytes)
        if not numpy.array_equal(found, wanted):
            row = int(numpy.argmax((found != wanted).any(axis=1)))
            return f"frame {number}: plane {index}, row {row} of {rows} differs"
    return None


def split(picture: Any, pixel_format: str, width: int, height: int) -> List[Any]:
    """The planes of a picture in one piece."""
    planes, start = [], 0
    for rows, row_bytes in plane_sizes(pixel_format, width, height):
        planes.append(picture[start:start + rows * row_bytes].reshape(rows, row_bytes))
        start += rows * row_bytes
    return planes


def rows_of(plane: Any) -> Any:
    """A host plane's bytes, of shape (rows, row_bytes), without a copy."""
    flat = numpy.frombuffer(plane.memoryview(), numpy.uint8)
    return numpy.lib.stride_tricks.as_strided(flat, shape=(plane.rows, plane.row_bytes), strides=(plane.pitch, 1), writeable=not plane.readonly)
