# SPDX-License-Identifier: LGPL-2.1-or-later
"""A frame that is written."""

from __future__ import annotations

from ctypes import byref, c_uint64
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Type

from . import _dlpack, _names, errors
from ._stream import stream_pointer
from ._structures import PTS_UNKNOWN, CFrame
from .information import FrameFlags
from .plane import Plane, PlaneSource

if TYPE_CHECKING:
    from .publisher import Publisher


class WritableFrame(PlaneSource):
    """An open frame of a :class:`Publisher`: write all of its planes, set what is known of it, then publish.

    With ``with`` it is published at the end of the block, or abandoned when an exception leaves the block::

        with publisher.frame() as picture:
            numpy.asarray(picture.y)[:] = luma
            numpy.asarray(picture.uv)[:] = chroma
            picture.pts = pts

    Arrays of its planes must not be used after that: readers have the frame then. New ones are refused. The old content of the memory is anything. Use it in the
    thread that publishes.
    """

    __slots__ = ("_structure", "_publisher", "_open", "_stream", "sequence", "__weakref__")

    sequence: Optional[int]
    """Number of the frame in its epoch, from 1; None before it is published."""

    def __init__(self, structure: CFrame, publisher: Publisher, stream: Optional[Any]) -> None:
        self._structure = structure
        self._publisher = publisher
        self._open: List[None] = [None]
        self._stream = stream
        self.sequence = None

    # -- what is told of it

    @property
    def width(self) -> int:
        """Visible columns."""
        return int(self._structure.width)

    @property
    def height(self) -> int:
        """Visible rows."""
        return int(self._structure.height)

    @property
    def pixel_format(self) -> str:
        """As :attr:`Frame.pixel_format`."""
        return _names.pixel_format_word(self._structure.pixel_format)

    @property
    def memory(self) -> str:
        """``"host"`` or ``"cuda"``."""
        return _names.word_of(_names.MEMORIES, self._structure.memory)

    @property
    def cuda_device(self) -> Optional[int]:
        """Ordinal of the CUDA device in this process; None: main memory."""
        device = int(self._structure.cuda_device)
        return device if device >= 0 else None

    @property
    def epoch(self) -> int:
        """The publisher's run."""
        return int(self._structure.epoch)

    @property
    def pts(self) -> Optional[int]:
        """Presentation time in the source's time line, in nanoseconds; None: not known. Settable, as all that follow."""
        pts = int(self._structure.metadata.pts)
        return None if pts == PTS_UNKNOWN else pts

    @pts.setter
    def pts(self, value: Optional[int]) -> None:
        self._structure.metadata.pts = PTS_UNKNOWN if value is None else _whole(value, "pts", -(2**63), 2**63)

    @property
    def capture_time(self) -> Optional[int]:
        """Wall clock at the camera, in nanoseconds since 1970-01-01 UTC; None: not known."""
        return int(self._structure.metadata.capture_time) or None

    @capture_time.setter
    def capture_time(self, value: Optional[int]) -> None:
        self._structure.metadata.capture_time = _whole(value or 0, "capture_time", 0, 2**63)

    @property
    def arrival_time(self) -> Optional[int]:
        """CLOCK_MONOTONIC (``time.monotonic_ns()``) when the frame's data had arrived, in nanoseconds; None: not known."""
        return int(self._structure.metadata.arrival_time) or None

    @arrival_time.setter
    def arrival_time(self, value: Optional[int]) -> None:
        self._structure.metadata.arrival_time = _whole(value or 0, "arrival_time", 0, 2**63)

    @property
    def source_packet(self) -> Optional[int]:
        """Number of the packet that the frame was decoded from, from 1; None: not known."""
        return int(self._structure.metadata.source_packet) or None

    @source_packet.setter
    def source_packet(self, value: Optional[int]) -> None:
        self._structure.metadata.source_packet = _whole(value or 0, "source_packet", 0, 2**64)

    @property
    def duration(self) -> Optional[int]:
        """Duration in nanoseconds; None: not known."""
        return int(self._structure.metadata.duration) or None

    @duration.setter
    def duration(self, value: Optional[int]) -> None:
        self._structure.metadata.duration = _whole(value or 0, "duration", 0, 2**63)

    @property
    def flags(self) -> FrameFlags:
        """What is known of the picture."""
        return FrameFlags(self._structure.metadata.flags)

    @flags.setter
    def flags(self, value: int) -> None:
        self._structure.metadata.flags = _whole(int(value), "flags", 0, 2**32)

    @property
    def picture_type(self) -> str:
        """``"unknown"``, ``"intra"``, ``"predicted"`` or ``"bidirectional"``."""
        return _names.word_of(_names.PICTURE_TYPES, self._structure.metadata.picture_type)

    @picture_type.setter
    def picture_type(self, value: str) -> None:
        self._structure.metadata.picture_type = _names.number_of(_names.PICTURE_TYPES, value, "picture type")

    @property
    def colour_matrix(self) -> int:
        """Of ITU-T H.273: 1 BT.709, 2 unspecified, 5 and 6 BT.601, 9 BT.2020. The colours begin as the publisher's format has them."""
        return int(self._structure.metadata.colour_matrix)

    @colour_matrix.setter
    def colour_matrix(self, value: int) -> None:
        self._structure.metadata.colour_matrix = _whole(value, "colour_matrix", 0, 256)

    @property
    def colour_range(self) -> str:
        """``"unknown"``, ``"limited"`` (16 to 235 in 8 bits) or ``"full"``."""
        return _names.word_of(_names.RANGES, self._structure.metadata.colour_range)

    @colour_range.setter
    def colour_range(self, value: str) -> None:
        self._structure.metadata.colour_range = _names.number_of(_names.RANGES, value, "colour range")

    @property
    def colour_primaries(self) -> int:
        """Of ITU-T H.273."""
        return int(self._structure.metadata.colour_primaries)

    @colour_primaries.setter
    def colour_primaries(self, value: int) -> None:
        self._structure.metadata.colour_primaries = _whole(value, "colour_primaries", 0, 256)

    @property
    def colour_transfer(self) -> int:
        """Of ITU-T H.273."""
        return int(self._structure.metadata.colour_transfer)

    @colour_transfer.setter
    def colour_transfer(self, value: int) -> None:
        self._structure.metadata.colour_transfer = _whole(value, "colour_transfer", 0, 256)

    @property
    def rotation(self) -> int:
        """Clockwise quarter turns for display, 0 to 3."""
        return int(self._structure.metadata.rotation)

    @rotation.setter
    def rotation(self, value: int) -> None:
        self._structure.metadata.rotation = _whole(value, "rotation", 0, 4)

    @property
    def chroma_location(self) -> Optional[int]:
        """ITU-T H.273's type of chroma sample location, from 0; None: not known."""
        location = int(self._structure.metadata.chroma_location)
        return location - 1 if location else None

    @chroma_location.setter
    def chroma_location(self, value: Optional[int]) -> None:
        self._structure.metadata.chroma_location = 0 if value is None else _whole(value, "chroma_location", 0, 255) + 1

    # -- planes

    @property
    def planes(self) -> Tuple[Plane, ...]:
        """All planes, in order, to be written."""
        return tuple(Plane(self, index, False) for index in range(self._structure.plane_count))

    @property
    def y(self) -> Plane:
        """As :attr:`Frame.y`, and so are the others."""
        return self._named("y")

    @property
    def uv(self) -> Plane:
        """Interleaved chroma, of NV12 and P010."""
        return self._named("uv")

    @property
    def u(self) -> Plane:
        """First chroma plane, of I420."""
        return self._named("u")

    @property
    def v(self) -> Plane:
        """Second chroma plane, of I420."""
        return self._named("v")

    @property
    def rgb(self) -> Plane:
        """The plane of RGB24, and of tensors in this order."""
        return self._named("rgb")

    @property
    def bgr(self) -> Plane:
        """The plane of BGR24, and of tensors in this order."""
        return self._named("bgr")

    @property
    def rgba(self) -> Plane:
        """The plane of RGBA."""
        return self._named("rgba")

    @property
    def bgra(self) -> Plane:
        """The plane of BGRA."""
        return self._named("bgra")

    # -- ends

    @property
    def is_open(self) -> bool:
        """Whether the frame was neither published nor abandoned."""
        return bool(self._open)

    def publish(self, stream: Optional[Any] = None) -> int:
        """Announces the frame and returns its sequence.

        Of a frame in CUDA memory the work that is in ``stream`` now is waited for first, and nothing else: an int or an object as :meth:`Frame.release` takes them;
        None: the stream that was given to :meth:`Publisher.frame`, else the legacy default stream. Raises :class:`CudaError` when that work failed: then the frame
        is abandoned. Raises :class:`FrameReleased` when the frame is not open any more.
        """
        named = self._stream if stream is None else stream
        pointer = 0 if named is None else stream_pointer(named)
        self._end()
        publisher = self._publisher
        library = publisher._library
        sequence = c_uint64()
        if self._structure.memory == _names.CUDA:
            code = library.publisher_publish_stream(publisher._handle, self._structure, pointer, byref(sequence))
        else:
            code = library.publisher_publish(publisher._handle, self._structure, byref(sequence))
        if code:
            error = library.error(code)
            # It may be open still, or not: in both cases it is not afterwards.
            library.publisher_abandon(publisher._handle, self._structure)
            raise error
        self.sequence = sequence.value
        return self.sequence

    def abandon(self) -> None:
        """Gives the slot back unpublished. Raises :class:`FrameReleased` when the frame is not open any more."""
        self._end()
        self._publisher._library.check(self._publisher._library.publisher_abandon(self._publisher._handle, self._structure))

    def __enter__(self) -> WritableFrame:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        if not self._open:
            return
        if kind is None:
            self.publish()
        else:
            self.abandon()

    def __del__(self) -> None:
        if self._open:
            self._publisher._library.publisher_abandon(self._publisher._handle, self._structure)

    def __repr__(self) -> str:
        state = "open" if self._open else "abandoned" if self.sequence is None else f"published as {self.sequence}"
        return f"<cuframes.WritableFrame {self.pixel_format} {self.width}x{self.height} in {self.memory} memory, {state}>"

    def _named(self, name: str) -> Plane:
        kinds = _names.PIXEL_FORMATS[self._structure.pixel_format].planes
        for index, kind in enumerate(kinds):
            if kind.name == name:
                return Plane(self, index, False)
        raise AttributeError(f"A picture in {self.pixel_format} has no plane {name!r}; it has {', '.join(kind.name for kind in kinds)}.")

    def _end(self) -> None:
        try:
            self._open.pop()
        except IndexError:
            raise self._ended() from None

    def _ended(self) -> errors.FrameReleased:
        what = "abandoned" if self.sequence is None else f"published as {self.sequence}"
        return errors.FrameReleased(f"The frame was {what} before: begin another one.", errors.INVALID_HANDLE, "INVALID_HANDLE")

    def _hold(self, device_stream: bool) -> object:
        if not self._open:
            raise self._ended()
        return self

    def _expose(self) -> None:
        self._hold(False)

    def _tensor(self, plane: Plane, versioned: bool, stream: Optional[int]) -> int:
        self._hold(False)
        return _dlpack.new_tensor(plane._raw.data, plane.__dlpack_device__(), plane.shape, plane.strides, plane.itemsize, versioned, plane._picture.is_float)


def _whole(value: int, what: str, least: int, end: int) -> int:
    if not isinstance(value, int) or not least <= value < end:
        raise errors.InvalidArgument(f"{what} must be a whole number from {least} to {end - 1}, not {value!r}.", 1000, "INVALID_ARGUMENT")
    return value
