# SPDX-License-Identifier: LGPL-2.1-or-later
"""Numbers of cuframes.h and the words that stand for them in Python."""

from __future__ import annotations

import uuid
from typing import Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import InvalidArgument

HOST = 1
CUDA = 2


class PlaneKind(NamedTuple):
    """A plane of a pixel format: its name and how many samples lie side by side in it."""

    name: str
    samples: int


class PixelFormatKind(NamedTuple):
    """A pixel format: its name, bytes of a sample and planes."""

    name: str
    itemsize: int
    planes: Tuple[PlaneKind, ...]
    #: Whether samples are floating-point numbers.
    is_float: bool = False
    #: Whether the plane is an array (3, height, width) without padding.
    is_tensor: bool = False


PIXEL_FORMATS: Dict[int, PixelFormatKind] = {
    0x3231564E: PixelFormatKind("nv12", 1, (PlaneKind("y", 1), PlaneKind("uv", 2))),
    0x32315559: PixelFormatKind("i420", 1, (PlaneKind("y", 1), PlaneKind("u", 1), PlaneKind("v", 1))),
    0x30313050: PixelFormatKind("p010", 2, (PlaneKind("y", 1), PlaneKind("uv", 2))),
    0x20203852: PixelFormatKind("gray8", 1, (PlaneKind("y", 1),)),
    0x34324742: PixelFormatKind("rgb24", 1, (PlaneKind("rgb", 3),)),
    0x34324752: PixelFormatKind("bgr24", 1, (PlaneKind("bgr", 3),)),
    0x34324241: PixelFormatKind("rgba", 1, (PlaneKind("rgba", 4),)),
    0x34325241: PixelFormatKind("bgra", 1, (PlaneKind("bgra", 4),)),
    0x50424752: PixelFormatKind("rgbp", 1, (PlaneKind("rgb", 1),), False, True),
    0x50524742: PixelFormatKind("bgrp", 1, (PlaneKind("bgr", 1),), False, True),
    0x48504752: PixelFormatKind("rgbp_f16", 2, (PlaneKind("rgb", 1),), True, True),
    0x48504742: PixelFormatKind("bgrp_f16", 2, (PlaneKind("bgr", 1),), True, True),
    0x46504752: PixelFormatKind("rgbp_f32", 4, (PlaneKind("rgb", 1),), True, True),
    0x46504742: PixelFormatKind("bgrp_f32", 4, (PlaneKind("bgr", 1),), True, True),
}

MEMORIES = {1: "host", 2: "cuda", 3: "cuda-ipc"}
DELIVERIES = {1: "newest", 2: "in-order", 3: "lossless"}
FENCES = {1: "cpu", 2: "stream", 4: "event"}
STATES = {0: "starting", 1: "live", 2: "source-lost", 3: "ended"}
PICTURE_TYPES = {0: "unknown", 1: "intra", 2: "predicted", 3: "bidirectional"}
RANGES = {0: "unknown", 1: "limited", 2: "full"}
READERS = {0: "own", 1: "everyone"}
FIELD_ORDERS = {0: "unknown", 1: "progressive", 2: "top-first", 3: "bottom-first"}
TRACK_KINDS = {1: "video", 2: "audio", 3: "data"}
PACKET_STARTS = {0: "newest-key", 1: "oldest-key", 2: "next"}
LOG_LEVELS = {1: "error", 2: "warning", 3: "information"}
EVENTS = {
    1: "connected",
    2: "source-lost",
    3: "source-back",
    4: "evicted",
    5: "disconnected",
    16: "subscriber-joined",
    17: "subscriber-left",
    18: "subscriber-evicted",
    19: "subscriber-refused",
    20: "ring-grown",
    21: "ring-shrunk",
    22: "growth-failed",
    23: "internal-error",
}


def word_of(words: Mapping[int, str], number: int) -> str:
    """The word for a number; one that a newer library may have is written as a number."""
    return words.get(number) or str(number)


def number_of(words: Mapping[int, str], word: str, what: str) -> int:
    """The number for a word; case, ``-`` and ``_`` do not count."""
    wanted = word.lower().replace("_", "-") if isinstance(word, str) else word
    for number, known in words.items():
        if known == wanted:
            return number
    raise InvalidArgument(f"{word!r} is no {what}; there are {', '.join(repr(known) for known in words.values())}.", 1000, "INVALID_ARGUMENT")


def pixel_format_number(name: str) -> int:
    """The FourCC of a pixel format's name."""
    wanted = name.lower() if isinstance(name, str) else name
    for number, kind in PIXEL_FORMATS.items():
        if kind.name == wanted:
            return number
    raise InvalidArgument(f"{name!r} is no pixel format; there are {', '.join(repr(kind.name) for kind in PIXEL_FORMATS.values())}.", 1000, "INVALID_ARGUMENT")


def pixel_format_word(number: int) -> str:
    """The name of a pixel format; empty for 0, which stands for none."""
    kind = PIXEL_FORMATS.get(number)
    return kind.name if kind else "" if number == 0 else f"0x{number:08X}"


def fence_bits(fences: Union[None, str, Iterable[str]]) -> int:
    """Bits of fences; 0, the default, for None."""
    if fences is None:
        return 0
    bits = 0
    for fence in (fences,) if isinstance(fences, str) else fences:
        bits |= number_of(FENCES, fence, "release fence")
    return bits


def nanoseconds(seconds: Optional[float], what: str) -> int:
    """A duration in seconds as nanoseconds; 0, the default, for None."""
    if seconds is None:
        return 0
    if not 0 <= seconds < 9.2e9:
        raise InvalidArgument(f"{what} cannot be {seconds!r} seconds.", 1000, "INVALID_ARGUMENT")
    return int(seconds * 1_000_000_000)


def text_bytes(text: Optional[str], what: str) -> Optional[bytes]:
    """UTF-8 without a zero byte in it, as C wants it."""
    if text is None:
        return None
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise InvalidArgument(f"{what} must not have a zero byte in it: {text!r}.", 1000, "INVALID_ARGUMENT")
    return data


def device_text(data: Iterable[int]) -> Optional[str]:
    """A device's UUID as nvidia-smi prints it; None when all bytes are zero."""
    value = bytes(data)
    return f"GPU-{uuid.UUID(bytes=value)}" if any(value) else None
