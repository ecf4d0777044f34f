# SPDX-License-Identifier: LGPL-2.1-or-later
"""libcuframes.so through ctypes: found, loaded and given its prototypes once, at the first use of anything that needs it.

All calls let go of the GIL while they run. Where the library is looked for: the file that $CUFRAMES_LIBRARY names, else ``_lib/libcuframes.so.0``
inside the package (wheels carry it), else what the dynamic loader finds as ``libcuframes.so.0``.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import threading
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, NoReturn, Optional, Tuple

from . import errors
from ._structures import (
    CFormat,
    CFrame,
    CPacket,
    CPacketPublisherInfo,
    CPacketPublisherOptions,
    CPacketSubscriberInfo,
    CPacketSubscriberOptions,
    CPacketTrack,
    CPublisherInfo,
    CPublisherOptions,
    CStreamInfo,
    CSubscriberInfo,
    CSubscriberOptions,
    LogCallback,
)

SONAME = "libcuframes.so.0"

# Major and least minor of the library that this package can use: while the major is 0, another minor may be another ABI.
VERSION = (0, 1)

_PROTOTYPES: Dict[str, Tuple[Any, ...]] = {
    "cuframes_version": (c_uint32,),
    "cuframes_last_error": (c_char_p,),
    "cuframes_error_name": (c_char_p, c_int),
    "cuframes_set_log": (c_int, LogCallback, c_void_p, c_uint32),
    "cuframes_pixel_format_name": (c_char_p, c_uint32),
    "cuframes_pixel_format_parse": (c_uint32, c_char_p),
    "cuframes_picture_bytes": (c_int64, c_uint32, c_uint32, c_uint32),
    "cuframes_sample_type": (c_uint32, c_uint32),
    "cuframes_plane_shape": (c_uint32, c_uint32, c_uint32, c_uint32, c_uint32, POINTER(c_int64)),
    "cuframes_runtime_directory": (c_int, c_char_p, c_size_t),
    "cuframes_list": (c_int, c_char_p, POINTER(c_void_p)),
    "cuframes_probe": (c_int, c_char_p, c_char_p, POINTER(c_void_p)),
    "cuframes_stream_list_count": (c_size_t, c_void_p),
    "cuframes_stream_list_at": (POINTER(CStreamInfo), c_void_p, c_size_t),
    "cuframes_stream_list_free": (None, c_void_p),
    "cuframes_subscriber_open": (c_int, c_char_p, POINTER(CSubscriberOptions), POINTER(c_void_p)),
    "cuframes_subscriber_close": (None, c_void_p),
    "cuframes_subscriber_next": (c_int, c_void_p, c_int64, POINTER(CFrame)),
    "cuframes_subscriber_interrupt": (c_int, c_void_p),
    "cuframes_subscriber_descriptor": (c_int, c_void_p, POINTER(c_int)),
    "cuframes_subscriber_get_info": (c_int, c_void_p, POINTER(CSubscriberInfo)),
    "cuframes_frame_release": (c_int, POINTER(CFrame)),
    "cuframes_frame_release_stream": (c_int, POINTER(CFrame), c_void_p),
    "cuframes_frame_retain": (c_int, POINTER(CFrame)),
    "cuframes_frame_check": (c_int, POINTER(CFrame)),
    "cuframes_frame_copy": (c_int, POINTER(CFrame), c_void_p, c_size_t),
    "cuframes_frame_to_dlpack": (c_int, POINTER(CFrame), c_uint32, c_uint32, c_void_p, c_uint32, POINTER(c_void_p)),
    "cuframes_publisher_open": (c_int, c_char_p, POINTER(CPublisherOptions), POINTER(CFormat), POINTER(c_void_p)),
    "cuframes_publisher_close": (None, c_void_p),
    "cuframes_publisher_configure": (c_int, c_void_p, POINTER(CFormat)),
    "cuframes_publisher_begin": (c_int, c_void_p, POINTER(CFrame)),
    "cuframes_publisher_publish": (c_int, c_void_p, POINTER(CFrame), POINTER(c_uint64)),
    "cuframes_publisher_publish_stream": (c_int, c_void_p, POINTER(CFrame), c_void_p, POINTER(c_uint64)),
    "cuframes_publisher_abandon": (c_int, c_void_p, POINTER(CFrame)),
    "cuframes_publisher_set_state": (c_int, c_void_p, c_uint32, c_char_p),
    "cuframes_publisher_evict": (c_int, c_void_p, c_uint64, c_char_p),
    "cuframes_publisher_get_info": (c_int, c_void_p, POINTER(CPublisherInfo)),
    "cuframes_publisher_get_subscribers": (c_int, c_void_p, c_void_p, c_size_t, c_size_t, POINTER(c_size_t)),
    "cuframes_packet_subscriber_open": (c_int, c_char_p, POINTER(CPacketSubscriberOptions), POINTER(c_void_p)),
    "cuframes_packet_subscriber_close": (None, c_void_p),
    "cuframes_packet_subscriber_next": (c_int, c_void_p, c_int64, POINTER(CPacket)),
    "cuframes_packet_subscriber_find": (c_int, c_void_p, c_uint64, POINTER(CPacket)),
    "cuframes_packet_subscriber_interrupt": (c_int, c_void_p),
    "cuframes_packet_subscriber_descriptor": (c_int, c_void_p, POINTER(c_int)),
    "cuframes_packet_subscriber_get_info": (c_int, c_void_p, POINTER(CPacketSubscriberInfo)),
    "cuframes_packet_subscriber_get_track": (c_int, c_void_p, c_uint32, POINTER(CPacketTrack)),
    "cuframes_packet_get_track": (c_int, POINTER(CPacket), POINTER(CPacketTrack)),
    "cuframes_packet_check": (c_int, POINTER(CPacket)),
    "cuframes_packet_copy": (c_int, POINTER(CPacket), c_void_p, c_size_t),
    "cuframes_packet_retain": (c_int, POINTER(CPacket)),
    "cuframes_packet_release": (c_int, POINTER(CPacket)),
    "cuframes_packet_publisher_open": (c_int, c_char_p, POINTER(CPacketPublisherOptions), POINTER(c_void_p)),
    "cuframes_packet_publisher_close": (None, c_void_p),
    "cuframes_packet_publisher_add_track": (c_int, c_void_p, POINTER(CPacketTrack), POINTER(c_uint32)),
    "cuframes_packet_publisher_set_parameters": (c_int, c_void_p, c_uint32, POINTER(CPacketTrack)),
    "cuframes_packet_publisher_publish": (c_int, c_void_p, POINTER(CPacket), POINTER(c_uint64)),
    "cuframes_packet_publisher_set_state": (c_int, c_void_p, c_uint32, c_char_p),
    "cuframes_packet_publisher_evict": (c_int, c_void_p, c_uint64, c_char_p),
    "cuframes_packet_publisher_get_info": (c_int, c_void_p, POINTER(CPacketPublisherInfo)),
    "cuframes_packet_publisher_get_subscribers": (c_int, c_void_p, c_void_p, c_size_t, c_size_t, POINTER(c_size_t)),
}
"""Result and arguments of each function of cuframes.h."""


class Library:
    """The loaded library; its functions are attributes by their names in cuframes.h, without the prefix ``cuframes_``."""

    path: str

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._handle = ctypes.CDLL(path)
        except OSError as error:
            raise ImportError(
                f"libcuframes cannot be loaded from {path}: {error}. Install the wheel that carries it, or name the file in $CUFRAMES_LIBRARY."
            ) from error
        for name, (result, *arguments) in _PROTOTYPES.items():
            try:
                function = getattr(self._handle, name)
            except AttributeError:
                raise ImportError(f"{path} is no libcuframes that this package can use: it has no function {name}.") from None
            function.restype = result
            function.argtypes = arguments
            setattr(self, name[len("cuframes_"):], function)
        version = int(self.version())
        major, minor = version >> 16, version >> 8 & 0xFF
        if major != VERSION[0] or minor < VERSION[1] or (major == 0 and minor != VERSION[1]):
            raise ImportError(f"{path} is libcuframes {major}.{minor}, and this package needs {VERSION[0]}.{VERSION[1]}.")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"libcuframes has no function cuframes_{name}")

    def fail(self, code: int) -> NoReturn:
        """Raises the error of a code that a function of this thread has just returned."""
        raise self.error(code)

    def error(self, code: int) -> errors.Error:
        """The error of a code that a function of this thread has just returned."""
        message = self.last_error().decode("utf-8", "replace")
        name = self.error_name(code).decode("ascii", "replace")
        return errors.CLASSES.get(code, errors.Error)(message or name, code, name)

    def check(self, code: int) -> None:
        """Raises unless the code is that of success."""
        if code:
            self.fail(code)


_gate = threading.Lock()
_library: Optional[Library] = None
_was_used = False
_is_forked = False


def _path() -> str:
    named = os.environ.get("CUFRAMES_LIBRARY")
    if named:
        return named
    carried = pathlib.Path(__file__).parent / "_lib" / SONAME
    return str(carried) if carried.exists() else SONAME


def library() -> Library:
    """The library, for functions that do not start its runtime. Any thread."""
    global _library
    if _library is None:
        with _gate:
            if _library is None:
                _library = Library(_path())
    return _library


def started_library() -> Library:
    """The library, for functions that start its runtime: from then on children that are forked cannot use it. Any thread."""
    global _was_used
    if _is_forked:
        raise errors.ForkError(
            "This process was forked after CuFrames had been used in its parent, and threads do not survive a fork. Use the start method 'spawn' or "
            "'forkserver', or fork before the first use.", errors.FORKED, "FORKED")
    loaded = library()
    _was_used = True
    return loaded


def _after_fork_in_child() -> None:
    global _gate, _is_forked
    _gate = threading.Lock()
    _is_forked = _was_used


os.register_at_fork(after_in_child=_after_fork_in_child)
