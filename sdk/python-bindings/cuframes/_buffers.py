# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memoryviews of memory that Python did not allocate."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_char_p, c_int, c_ssize_t, c_ubyte, c_void_p, py_object
from typing import Any, Tuple


class _PyBuffer(ctypes.Structure):
    # Py_buffer of CPython's object.h, which is part of the stable ABI since 3.11 and has been the same since 3.3.
    _fields_ = [
        ("buf", c_void_p),
        ("obj", c_void_p),
        ("len", c_ssize_t),
        ("itemsize", c_ssize_t),
        ("readonly", c_int),
        ("ndim", c_int),
        ("format", c_char_p),
        ("shape", ctypes.POINTER(c_ssize_t)),
        ("strides", ctypes.POINTER(c_ssize_t)),
        ("suboffsets", c_void_p),
        ("internal", c_void_p),
    ]


_from_buffer = ctypes.pythonapi.PyMemoryView_FromBuffer
_from_buffer.restype = py_object
_from_buffer.argtypes = [ctypes.POINTER(_PyBuffer)]

# Formats live as long as views that were made of them.
_FORMATS = {(1, False): b"B", (2, False): b"H", (2, True): b"e", (4, True): b"f"}


@functools.lru_cache(maxsize=256)
def _bytes_type(size: int) -> Any:
    # A class, and not the array type itself: its instances can have attributes.
    return type("Bytes", (c_ubyte * size,), {})


def flat_view(pointer: int, size: int, readonly: bool, keeper: object) -> memoryview:
    """Bytes at an address, one after the other. The view, and all that is made of it, keeps the keeper alive."""
    data = _bytes_type(size).from_address(pointer)
    data.keeper = keeper
    # ctypes says "<B", which hardly anything but "B" is compared with.
    view = memoryview(data).cast("B")
    return view.toreadonly() if readonly else view


def shaped_view(pointer: int, shape: Tuple[int, ...], strides: Tuple[int, ...], itemsize: int, readonly: bool, is_float: bool = False) -> memoryview:
    """A view with dimensions and strides. It keeps nothing alive: whoever hands it out must see to that."""
    dimensions = len(shape)
    numbers = c_ssize_t * dimensions
    size = itemsize
    for length in shape:
        size *= length
    # CPython copies the arrays.
    described = _PyBuffer(
        pointer, None, size, itemsize, 1 if readonly else 0, dimensions, _FORMATS[itemsize, is_float], numbers(*shape), numbers(*strides), None, None)
    view: memoryview = _from_buffer(ctypes.byref(described))
    return view
