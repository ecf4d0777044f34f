# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures as PNG files, with the standard library alone.

Luma and chroma become R, G and B by ITU-T H.273's equations. For each chroma sample tables give all answers for 256 values of luma, so that the work of a
picture is done by ``bytes.translate`` on the few samples of luma that share a chroma sample. Chroma samples are repeated, not interpolated.
"""

from __future__ import annotations

import functools
import math
import struct
import zlib
from array import array
from typing import Any, List, NamedTuple

# Kr and Kb of ITU-T H.273's matrix coefficients.
_COEFFICIENTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
_BT709 = 1
_BT601 = 6

# From this height on an unspecified matrix is taken for BT.709, as cuframes snapshot does.
_HIGH_DEFINITION = 720

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Picture(NamedTuple):
    """Three planes of samples, rows without padding."""

    width: int
    height: int
    red: bytes
    green: bytes
    blue: bytes


def picture_of(data: Any, pixel_format: str, width: int, height: int, matrix: int, is_full_range: bool, rotation: int = 0) -> Picture:
    """The picture of a frame's bytes (planes in order, rows without padding), turned clockwise by quarter turns."""
    view = memoryview(data).cast("B")
    size = width * height
    if pixel_format == "gray8":
        luma = view.tobytes() if is_full_range else view.tobytes().translate(_luma_table())
        picture = Picture(width, height, luma, luma, luma)
    elif pixel_format in ("rgb24", "bgr24", "rgba", "bgra"):
        samples = len(pixel_format.rstrip("248"))
        channels = [bytes(view[pixel_format.index(name)::samples]) for name in "rgb"]
        picture = Picture(width, height, *channels)
    elif pixel_format.startswith(("rgbp", "bgrp")):
        shades = _shades(view, pixel_format)
        first, second, third = (shades[channel * size:(channel + 1) * size] for channel in range(3))
        picture = Picture(width, height, first, second, third) if pixel_format.startswith("r") else Picture(width, height, third, second, first)
    else:
        columns, rows = (width + 1) // 2, (height + 1) // 2
        if pixel_format == "p010":
            # Rounded to 8 bits.
            words = array("H", view.tobytes())
            eight = bytes(map(_upper_bits().__getitem__, words))
            luma, u, v = eight[:size], eight[size::2], eight[size + 1::2]
        elif pixel_format == "nv12":
            luma, u, v = bytes(view[:size]), bytes(view[size::2]), bytes(view[size + 1::2])
        else:
            chroma = columns * rows
            luma, u, v = bytes(view[:size]), bytes(view[size:size + chroma]), bytes(view[size + chroma:])
        if matrix not in _COEFFICIENTS:
            matrix = _BT709 if height >= _HIGH_DEFINITION else _BT601
        picture = _convert(luma, u, v, width, height, matrix, is_full_range)
    return turned(picture, rotation)


def _shades(view: memoryview, pixel_format: str) -> bytes:
    """A tensor's numbers as bytes: the smallest finite one is 0, the largest 255, over all channels alike; bytes as they are."""
    if not pixel_format.endswith(("_f16", "_f32")):
        return view.tobytes()
    code, size = ("e", 2) if pixel_format.endswith("_f16") else ("f", 4)
    numbers = struct.unpack(f"<{len(view) // size}{code}", view)
    finite = [number for number in numbers if math.isfinite(number)]
    least, most = (min(finite), max(finite)) if finite else (0.0, 0.0)
    factor = 255 / (most - least) if most > least else 0.0
    return bytes(0 if number != number else int((min(max(number, least), most) - least) * factor + 0.5) for number in numbers)


def turned(picture: Picture, quarter_turns: int) -> Picture:
    """A picture turned clockwise."""
    width, height = picture.width, picture.height
    quarter_turns &= 3
    if quarter_turns == 0:
        return picture
    if quarter_turns == 2:
        return Picture(width, height, *(plane[::-1] for plane in picture[2:]))
    planes = []
    for plane in picture[2:]:
        if quarter_turns == 1:
            rows = [plane[(height - 1) * width + x::-width] for x in range(width)]
        else:
            rows = [plane[x::width] for x in range(width - 1, -1, -1)]
        planes.append(b"".join(rows))
    return Picture(height, width, *planes)


def png_of(picture: Picture) -> bytes:
    """A PNG file (ISO/IEC 15948): 8-bit RGB, not interlaced, no filter."""
    width, height = picture.width, picture.height
    row_bytes = 3 * width
    colours = bytearray(row_bytes * height)
    colours[0::3] = picture.red
    colours[1::3] = picture.green
    colours[2::3] = picture.blue
    view = memoryview(colours)
    packer = zlib.compressobj(6)
    packed = bytearray()
    for start in range(0, len(colours), row_bytes):
        packed += packer.compress(b"\0")
        packed += packer.compress(view[start:start + row_bytes])
    packed += packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", bytes(packed)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _clip(value: float) -> int:
    return 0 if value < 0 else 255 if value > 255 else int(value + 0.5)


@functools.lru_cache(maxsize=1)
def _upper_bits() -> List[int]:
    return [min(255, (word + 128) >> 8) for word in range(65536)]


@functools.lru_cache(maxsize=1)
def _luma_table() -> bytes:
    return bytes(_clip((value - 16) * 255 / 219) for value in range(256))


class _Tables(NamedTuple):
    red: List[bytes]
    """For each V: R for each luma."""
    blue: List[bytes]
    """For each U: B for each luma."""
    green_u: List[float]
    """For each U: what it takes from G, in steps of a quarter."""
    green_v: List[float]
    """For each V likewise."""
    green: List[bytes]
    """For each sum of both: G for each luma."""
    green_offset: int


# Steps of the sum of both chroma terms of G: rounding them adds at most an eighth of a level.
_GREEN_STEPS = 4


@functools.lru_cache(maxsize=4)
def _tables(matrix: int, is_full_range: bool) -> _Tables:
    red_part, blue_part = _COEFFICIENTS[matrix]
    green_part = 1 - red_part - blue_part
    first, luma_range, chroma_range = (0, 255, 255) if is_full_range else (16, 219, 224)
    luma = [(value - first) * 255 / luma_range for value in range(256)]
    chroma = [(value - 128) * 255 / chroma_range for value in range(256)]
    to_red = 2 * (1 - red_part)
    to_blue = 2 * (1 - blue_part)
    green_u = [-blue_part * to_blue / green_part * value * _GREEN_STEPS for value in chroma]
    green_v = [-red_part * to_red / green_part * value * _GREEN_STEPS for value in chroma]
    lowest = int(min(green_u) + min(green_v)) - 1
    highest = int(max(green_u) + max(green_v)) + 1
    return _Tables(
        [bytes(_clip(y + to_red * value) for y in luma) for value in chroma],
        [bytes(_clip(y + to_blue * value) for y in luma) for value in chroma],
        green_u, green_v,
        [bytes(_clip(y + total / _GREEN_STEPS) for y in luma) for total in range(lowest, highest + 1)],
        -lowest)


def _convert(luma: bytes, u: bytes, v: bytes, width: int, height: int, matrix: int, is_full_range: bool) -> Picture:
    tables = _tables(matrix, is_full_range)
    columns = (width + 1) // 2
    reds: List[bytes] = []
    greens: List[bytes] = []
    blues: List[bytes] = []
    translate = bytes.translate
    red_tables, blue_tables, green_tables = tables.red, tables.blue, tables.green
    green_u, green_v, offset = tables.green_u, tables.green_v, tables.green_offset + 0.5
    for start in range(0, height, 2):
        chroma_start = start // 2 * columns
        row_u = u[chroma_start:chroma_start + columns]
        row_v = v[chroma_start:chroma_start + columns]
        rows = [luma[row * width:(row + 1) * width] for row in range(start, min(start + 2, height))]
        # The samples of luma that share a chroma sample, side by side: of both rows, padded where the width is odd.
        blocks = _blocks(rows, width, columns)
        step = 2 * len(rows)
        pieces = [blocks[place:place + step] for place in range(0, step * columns, step)]
        red = b"".join(map(translate, pieces, map(red_tables.__getitem__, row_v)))
        blue = b"".join(map(translate, pieces, map(blue_tables.__getitem__, row_u)))
        green = b"".join([
            piece.translate(green_tables[int(green_u[one] + green_v[other] + offset)]) for piece, one, other in zip(pieces, row_u, row_v)])
        for target, samples in ((reds, red), (greens, green), (blues, blue)):
            for row in range(len(rows)):
                target.append(_row_of(samples, row, step, columns, width))
    return Picture(width, height, b"".join(reds), b"".join(greens), b"".join(blues))


def _blocks(rows: List[bytes], width: int, columns: int) -> bytes:
    step = 2 * len(rows)
    blocks = bytearray(step * columns)
    for index, row in enumerate(rows):
        blocks[2 * index::step] = row[0::2]
        right = row[1::2]
        blocks[2 * index + 1::step] = right if len(right) == columns else right + b"\0"
    return bytes(blocks)


def _row_of(samples: bytes, row: int, step: int, columns: int, width: int) -> bytes:
    line = bytearray(2 * columns)
    line[0::2] = samples[2 * row::step]
    line[1::2] = samples[2 * row + 1::step]
    return bytes(line[:width])
