# SPDX-License-Identifier: LGPL-2.1-or-later
"""A frame that is read."""

from __future__ import annotations

from ctypes import byref, c_char, c_void_p
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, NoReturn, Optional, Tuple, Type

from . import _names, errors
from ._library import Library
from ._stream import stream_pointer
from ._structures import PTS_UNKNOWN, CFrame
from .information import FrameFlags
from .plane import Plane, PlaneSource

if TYPE_CHECKING:
    from .subscriber import Subscriber


class _Owner:
    """One more owner of a frame: it lives as long as an array may be alive, and then lets go."""

    __slots__ = ("_structure", "_frame", "_on_device")

    def __init__(self, structure: CFrame, frame: Frame, on_device: bool) -> None:
        self._structure = structure
        self._frame = frame
        self._on_device = on_device

    def __del__(self) -> None:
        frame = self._frame
        if self._on_device and not frame._has_stream:
            # Nobody said in which stream the arrays were used: the default stream, unless they were told otherwise.
            code = frame._library.frame_release_stream(self._structure, None)
        else:
            # The library puts it behind the streams that were named before.
            code = frame._library.frame_release(self._structure)
        if code and code not in (errors.INVALID_HANDLE, errors.FORKED):
            frame._library.fail(code)


class Frame(PlaneSource):
    """A frame, held until it is released: its memory does not change meanwhile.

    It is complete: the CPU, or work on any CUDA stream, may read it at once. Release it with :meth:`release`, with ``with frame:``, or by letting go of it.
    Arrays that were made of its planes hold it too: the lease ends when the frame was released and the last of them is gone. What is told of the frame can be
    read after its release; its planes cannot.

    All methods may be called by any thread.
    """

    __slots__ = ("_structure", "_library", "_subscriber", "_held", "_has_stream", "_is_exposed", "__weakref__")

    def __init__(self, structure: CFrame, library: Library, subscriber: Subscriber) -> None:
        self._structure = structure
        self._library = library
        # A subscriber that nobody else holds would be closed, and the frame with it be lost.
        self._subscriber = subscriber
        # Taking the one item out is atomic: a frame that two threads release is released once.
        self._held: List[None] = [None]
        self._has_stream = False
        # Whether a device pointer was handed out, for work in who knows which stream.
        self._is_exposed = False

    # -- what is told of it

    @property
    def sequence(self) -> int:
        """Number of the frame in its epoch, from 1."""
        return int(self._structure.sequence)

    @property
    def epoch(self) -> int:
        """The publisher's run."""
        return int(self._structure.epoch)

    @property
    def missed(self) -> int:
        """Frames skipped between the one taken before and this one."""
        return int(self._structure.missed)

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
        """``"nv12"``, ``"i420"``, ``"p010"``, ``"gray8"``, ``"rgb24"``, ``"bgr24"``, ``"rgba"``, ``"bgra"``, or a tensor: ``"rgbp"``, ``"bgrp"``, ``"rgbp_f16"``, ``"bgrp_f16"``, ``"rgbp_f32"``, ``"bgrp_f32"``."""
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
    def pts(self) -> Optional[int]:
        """Presentation time in the source's time line, in nanoseconds; None: not known."""
        pts = int(self._structure.metadata.pts)
        return None if pts == PTS_UNKNOWN else pts

    @property
    def capture_time(self) -> Optional[int]:
        """Wall clock at the camera, in nanoseconds since 1970-01-01 UTC; None: not known."""
        return int(self._structure.metadata.capture_time) or None

    @property
    def arrival_time(self) -> Optional[int]:
        """CLOCK_MONOTONIC (``time.monotonic_ns()``) when the frame's data had arrived, in nanoseconds; None: not known."""
        return int(self._structure.metadata.arrival_time) or None

    @property
    def publish_time(self) -> int:
        """CLOCK_MONOTONIC (``time.monotonic_ns()``) at publish, in nanoseconds."""
        return int(self._structure.metadata.publish_time)

    @property
    def source_packet(self) -> Optional[int]:
        """Number of the packet that the frame was decoded from, from 1; None: not known."""
        return int(self._structure.metadata.source_packet) or None

    @property
    def duration(self) -> Optional[int]:
        """Duration in nanoseconds; None: not known."""
        return int(self._structure.metadata.duration) or None

    @property
    def flags(self) -> FrameFlags:
        """What is known of the picture."""
        return FrameFlags(self._structure.metadata.flags)

    @property
    def picture_type(self) -> str:
        """``"unknown"``, ``"intra"``, ``"predicted"`` or ``"bidirectional"``."""
        return _names.word_of(_names.PICTURE_TYPES, self._structure.metadata.picture_type)

    @property
    def colour_matrix(self) -> int:
        """Of ITU-T H.273: 1 BT.709, 2 unspecified, 5 and 6 BT.601, 9 BT.2020."""
        return int(self._structure.metadata.colour_matrix)

    @property
    def colour_range(self) -> str:
        """``"unknown"``, ``"limited"`` (16 to 235 in 8 bits) or ``"full"``."""
        return _names.word_of(_names.RANGES, self._structure.metadata.colour_range)

    @property
    def colour_primaries(self) -> int:
        """Of ITU-T H.273."""
        return int(self._structure.metadata.colour_primaries)

    @property
    def colour_transfer(self) -> int:
        """Of ITU-T H.273."""
        return int(self._structure.metadata.colour_transfer)

    @property
    def rotation(self) -> int:
        """Clockwise quarter turns for display, 0 to 3."""
        return int(self._structure.metadata.rotation)

    @property
    def chroma_location(self) -> Optional[int]:
        """ITU-T H.273's type of chroma sample location, from 0; None: not known."""
        location = int(self._structure.metadata.chroma_location)
        return location - 1 if location else None

    # -- planes

    @property
    def planes(self) -> Tuple[Plane, ...]:
        """All planes, in order."""
        return tuple(Plane(self, index, True) for index in range(self._structure.plane_count))

    @property
    def y(self) -> Plane:
        """Luma, of NV12, P010, I420 and GRAY8. ``AttributeError`` where the format has no such plane; so with the others."""
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

    def to_host(self, into: Optional[Any] = None) -> Any:
        """Copies the visible picture to main memory, from wherever it lies: planes in order, rows without padding.

        Without ``into`` it returns a new ``bytearray``; ``into`` is anything writable with a contiguous buffer of at least that many bytes (a bytearray, a numpy
        array), and is returned. Waits for this copy and for nothing else. Raises :class:`FrameReleased`, :class:`FrameLost`, :class:`CudaError`,
        :class:`InvalidArgument` when ``into`` is too small, :class:`Busy` when another thread copies a frame of this subscriber.
        """
        structure = self._structure
        if into is None:
            size = self._library.picture_bytes(structure.pixel_format, structure.width, structure.height)
            target: Any = bytearray(size)
        else:
            target = into
            size = memoryview(into).nbytes
        # The view keeps the target from being resized or freed while the library writes.
        view = (c_char * size).from_buffer(target)
        code = self._library.frame_copy(structure, view, size)
        if code:
            self._fail(code)
        return target

    # -- lease

    def release(self, stream: Optional[Any] = None) -> None:
        """Lets go of the frame; a second call does nothing. The lease ends when the arrays that were made of it are gone, too.

        ``stream`` is the CUDA stream whose work still reads the frame: an int (CUstream, cudaStream_t; 0 is the legacy default stream), or an object with
        ``cuda_stream`` (PyTorch), ``ptr`` (CuPy) or ``__cuda_stream__``. The lease ends behind the work that is in the stream now, and nothing waits for it, unless
        the release fence is ``"cpu"``. Work that is enqueued later may not read the frame. Frames in main memory are released at once.

        Without a stream, a frame in CUDA memory of which arrays were made is released behind the streams that consumers named in ``__dlpack__``, and
        behind the legacy default stream for other arrays and for pointers. That is not enough for work in other streams, as those of ``torch.cuda.Stream()`` are: name the
        stream.

        Raises :class:`CudaError`: then the frame is still held.
        """
        try:
            self._held.pop()
        except IndexError:
            return
        if stream is None:
            code = self._release()
        else:
            try:
                # Owners that come later are put behind it by the library.
                pointer = stream_pointer(stream)
            except BaseException:
                self._held.append(None)
                raise
            self._has_stream = True
            code = self._library.frame_release_stream(self._structure, pointer)
        if code:
            error = self._library.error(code)
            if self._structure.lease:
                self._held.append(None)
            raise error

    def check(self) -> None:
        """Raises :class:`FrameLost` when the frame was taken away, because its subscriber was evicted or closed, and may have been overwritten: then what was read
        cannot be trusted. Check after the last read, where that matters. Raises :class:`FrameReleased` after the release."""
        code = self._library.frame_check(self._structure)
        if code:
            self._fail(code)

    @property
    def is_valid(self) -> bool:
        """Whether the frame is held and was not taken away."""
        return bool(self._library.frame_check(self._structure) == 0)

    @property
    def is_released(self) -> bool:
        """Whether the frame was released. Arrays may still hold it."""
        return not self._held

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.release()

    def __del__(self) -> None:
        if self._held:
            code = self._release()
            if code and code not in (errors.INVALID_HANDLE, errors.FORKED):
                self._library.fail(code)

    def __repr__(self) -> str:
        return (
            f"<cuframes.Frame {self.sequence} of epoch {self.epoch:x}: {self.pixel_format} {self.width}x{self.height} in {self.memory} memory"
            f"{', released' if self.is_released else ''}>"
        )

    def _release(self) -> int:
        if self._is_exposed:
            return int(self._library.frame_release_stream(self._structure, None))
        return int(self._library.frame_release(self._structure))

    def _named(self, name: str) -> Plane:
        kinds = _names.PIXEL_FORMATS[self._structure.pixel_format].planes
        for index, kind in enumerate(kinds):
            if kind.name == name:
                return Plane(self, index, True)
        raise AttributeError(f"A picture in {self.pixel_format} has no plane {name!r}; it has {', '.join(kind.name for kind in kinds)}.")

    def _hold(self, device_stream: bool) -> object:
        structure = CFrame.from_buffer_copy(self._structure)
        code = self._library.frame_retain(structure)
        if code:
            self._fail(code)
        return _Owner(structure, self, device_stream and structure.memory == _names.CUDA)

    def _expose(self) -> None:
        if not self._held:
            self._fail(errors.INVALID_HANDLE)
        if self._structure.memory == _names.CUDA:
            self._is_exposed = True

    def _tensor(self, plane: Plane, versioned: bool, stream: Optional[int]) -> int:
        tensor = c_void_p()
        code = self._library.frame_to_dlpack(self._structure, plane.index, versioned, stream, stream is not None, byref(tensor))
        if code:
            self._fail(code)
        return int(tensor.value or 0)

    def _fail(self, code: int) -> NoReturn:
        if code == errors.INVALID_HANDLE:
            raise errors.FrameReleased(
                f"Frame {self.sequence} was released before. Take what you need from its planes first: arrays keep the frame.", code, "INVALID_HANDLE")
        self._library.fail(code)
