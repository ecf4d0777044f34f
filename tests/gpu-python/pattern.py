# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures that follow from a frame's sequence: what the publisher makes on the GPU and what the CPU expects."""

import numpy

WIDTH = 640
HEIGHT = 360

# For each plane: factors of row, column, sample and sequence.
FACTORS = {"y": (3, 5, 0, 7), "uv": (11, 13, 17, 19), "rgb": (3, 5, 29, 7)}

SHAPES = {
    "nv12": {"y": (HEIGHT, WIDTH), "uv": (HEIGHT // 2, WIDTH // 2, 2)},
    "p010": {"y": (HEIGHT, WIDTH), "uv": (HEIGHT // 2, WIDTH // 2, 2)},
    "rgb24": {"rgb": (HEIGHT, WIDTH, 3)},
}


def grid(name, shape):
    """What the place of a sample adds, as int32."""
    factors = FACTORS[name]
    result = numpy.zeros(shape, numpy.int32)
    for axis in range(len(shape)):
        length = [1] * len(shape)
        length[axis] = shape[axis]
        result = result + factors[axis] * numpy.arange(shape[axis], dtype=numpy.int32).reshape(length)
    return result


def plane(pixel_format, name, sequence):
    """A plane as the CPU expects it."""
    values = grid(name, SHAPES[pixel_format][name]) + FACTORS[name][3] * sequence
    return ((values & 1023) << 6).astype(numpy.uint16) if pixel_format == "p010" else (values & 255).astype(numpy.uint8)


def picture(pixel_format, sequence):
    """A whole picture without padding, as Frame.to_host() gives it."""
    return b"".join(plane(pixel_format, name, sequence).tobytes() for name in SHAPES[pixel_format])
