# SPDX-License-Identifier: LGPL-2.1-or-later
"""The streams of this machine."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_void_p
from typing import List, Optional

from . import _names
from ._library import Library, library, started_library
from .information import StreamInfo

# As PATH_MAX of Linux.
_PATH_BYTES = 4096


def runtime_directory() -> str:
    """The directory in which publishers have their sockets where none is given: ``$CUFRAMES_DIR``, ``/run/cuframes`` or ``$XDG_RUNTIME_DIR/cuframes``
    (docs/protocol.md 1.2). Any thread."""
    loaded = started_library()
    buffer = ctypes.create_string_buffer(_PATH_BYTES)
    loaded.check(loaded.runtime_directory(buffer, _PATH_BYTES))
    return buffer.value.decode("utf-8", "surrogateescape")


def list_streams(directory: Optional[str] = None) -> List[StreamInfo]:
    """The streams that are published now, sorted by key; sockets of dead publishers are left out.

    Asks every publisher, which takes up to 5 s for each that does not answer. Raises :class:`StreamNotFound` when the directory (None:
    :func:`runtime_directory`) does not exist, :class:`AccessDenied`. Any thread.
    """
    loaded = started_library()
    streams = c_void_p()
    loaded.check(loaded.list(_names.text_bytes(directory, "A directory"), byref(streams)))
    return _take(loaded, streams)


def probe(key: str, directory: Optional[str] = None) -> StreamInfo:
    """What the publisher of one stream says of it. That it does not answer is not an error here: ``error_code`` tells. Raises :class:`InvalidArgument` for what
    cannot be a key. Any thread."""
    loaded = started_library()
    streams = c_void_p()
    loaded.check(loaded.probe(_names.text_bytes(directory, "A directory"), _names.text_bytes(key, "A key"), byref(streams)))
    return _take(loaded, streams)[0]


def library_version() -> str:
    """The version of libcuframes, such as ``"0.1.0"``. Any thread. Raises ``ImportError`` when the library cannot be loaded."""
    version = int(library().version())
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


def library_path() -> str:
    """The file that the library was loaded from, as it was named to the dynamic loader. Any thread. Raises ``ImportError`` as :func:`library_version`."""
    return library().path


def _take(loaded: Library, streams: c_void_p) -> List[StreamInfo]:
    try:
        return [StreamInfo._of(loaded.stream_list_at(streams, index).contents) for index in range(loaded.stream_list_count(streams))]
    finally:
        loaded.stream_list_free(streams)
