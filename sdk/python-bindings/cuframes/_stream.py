# SPDX-License-Identifier: LGPL-2.1-or-later
"""CUDA streams of other packages."""

from __future__ import annotations

import ctypes
from typing import Any


def stream_pointer(stream: Any) -> int:
    """The CUstream of what frameworks call a stream: an int, or an object with ``cuda_stream`` (PyTorch), ``ptr`` (CuPy) or ``__cuda_stream__``
    (CUDA's own packages). 0 is the legacy default stream."""
    if isinstance(stream, int):
        value = stream
    elif hasattr(stream, "__cuda_stream__"):
        protocol = stream.__cuda_stream__
        value = (protocol() if callable(protocol) else protocol)[1]
    elif hasattr(stream, "cuda_stream"):
        value = stream.cuda_stream
    elif hasattr(stream, "ptr"):
        value = stream.ptr
    elif isinstance(stream, ctypes.c_void_p):
        value = stream.value or 0
    else:
        raise TypeError(f"{stream!r} is no CUDA stream: give an int, or an object with cuda_stream, ptr or __cuda_stream__.")
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{stream!r} is no CUDA stream: its handle is {value!r}.")
    # 1 and 2 stand for the legacy and the per-thread default stream. The latter is another one in each thread, and the thread that ends a lease need not be
    # this one; the legacy default stream runs behind all of them.
    return 0 if value in (1, 2) else value
