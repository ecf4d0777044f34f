# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishing a stream."""

from __future__ import annotations

from ctypes import byref, c_uint32, c_void_p, sizeof
from fractions import Fraction
from typing import Any, Callable, Optional, Sequence, Tuple, Union

from . import _names, errors
from ._callbacks import event_callback
from ._library import started_library
from ._stream_publisher import StreamPublisher, count_of
from ._structures import CFormat, CFrame, CPublisherInfo, CPublisherOptions
from .information import Event, PublisherInfo
from .writable_frame import WritableFrame


class Publisher(StreamPublisher):
    """Publishes frames for any number of readers on this machine::

        with cuframes.Publisher("mosaic", "rgb24", 1280, 720, rate=25) as publisher:
            for picture in pictures:                    # numpy arrays of shape (720, 1280, 3)
                with publisher.frame() as frame:
                    numpy.asarray(frame.rgb)[:] = picture

    - ``key``: the stream. ``pixel_format``: ``"nv12"``, ``"i420"``, ``"p010"``, ``"gray8"``, ``"rgb24"``, ``"bgr24"``, ``"rgba"``, ``"bgra"``, or a tensor: ``"rgbp"``, ``"bgrp"``, ``"rgbp_f16"``, ``"bgrp_f16"``, ``"rgbp_f32"``, ``"bgrp_f32"``; ``width`` and ``height``: visible columns and rows,
      1 to 16384. Without a format :meth:`configure` must come before the first frame.
    - ``rate``: frames per second as readers are told: a number or a ``Fraction`` such as ``Fraction(30000, 1001)``; None: not known.
    - ``colour_matrix``, ``colour_primaries``, ``colour_transfer``: numbers of ITU-T H.273, 2 is unspecified; ``colour_range``: ``"unknown"``, ``"limited"``, ``"full"``. Each frame may say
      otherwise.
    - ``memory``: ``"host"``, ``"cuda"``, or ``"cuda-ipc"``: as cuda, shared through legacy handles.
    - ``slots`` (default 6), ``max_slots`` (24): of the ring at the beginning, and the limit to which it grows when slots are held. ``max_subscribers`` (64), ``max_leases``
      (8): frames that one subscriber may hold. ``memory_limit``: bytes of all segments.
    - ``shrink_after`` (10 s), ``lease_timeout`` (5 s), ``lossless_timeout`` (None: lossless delivery is not offered): in seconds. A lease is safe for lease_timeout
      while frames are dropped for want of slots.
    - ``directory``: of socket and lock; default :func:`runtime_directory`. ``program``: name that readers are told. ``source``: where frames come from, told to
      readers: no secrets.
    - ``cuda_context``: a CUcontext as int, which stays yours and must outlive the publisher; default: the primary context of ``cuda_device``, an ordinal.
    - ``readers``: ``"own"`` (this user and the members of its primary group) or ``"everyone"``; ``users`` and ``groups``: ids of others who may read.
    - ``on_event``: called with an :class:`Event` by any thread, mostly one of the library. It must return soon and must not use CuFrames. Its exceptions go to
      ``sys.unraisablehook``.

    One thread at a time publishes; :attr:`info`, :meth:`subscribers`, :meth:`set_state` and :meth:`evict` may be used by any.

    Raises :class:`AlreadyPublished`, :class:`InvalidArgument`, :class:`AccessDenied`, :class:`CudaError`, :class:`ForkError`, :class:`Error`.
    """

    _functions = "publisher"

    def __init__(
        self,
        key: str,
        pixel_format: Optional[str] = None,
        width: Optional[int] = None,
        height: Optional[int] = None,
        *,
        rate: Union[None, int, float, Fraction] = None,
        memory: str = "host",
        colour_matrix: int = 2,
        colour_range: str = "unknown",
        colour_primaries: int = 2,
        colour_transfer: int = 2,
        slots: Optional[int] = None,
        max_slots: Optional[int] = None,
        max_subscribers: Optional[int] = None,
        max_leases: Optional[int] = None,
        memory_limit: Optional[int] = None,
        shrink_after: Optional[float] = None,
        lease_timeout: Optional[float] = None,
        lossless_timeout: Optional[float] = None,
        directory: Optional[str] = None,
        program: Optional[str] = None,
        source: Optional[str] = None,
        cuda_context: Optional[int] = None,
        cuda_device: int = 0,
        readers: str = "own",
        users: Sequence[int] = (),
        groups: Sequence[int] = (),
        on_event: Optional[Callable[[Event], object]] = None,
    ) -> None:
        super().__init__(key)
        self._callback = event_callback(on_event)
        options = CPublisherOptions(sizeof(CPublisherOptions))
        options.memory = _names.number_of(_names.MEMORIES, memory, "memory")
        options.slots = count_of(slots, "slots")
        options.max_slots = count_of(max_slots, "max_slots")
        options.max_subscribers = count_of(max_subscribers, "max_subscribers")
        options.max_leases = count_of(max_leases, "max_leases")
        options.memory_limit = count_of(memory_limit, "memory_limit", 2**63)
        options.shrink_after = _names.nanoseconds(shrink_after, "shrink_after")
        options.lease_timeout = _names.nanoseconds(lease_timeout, "lease_timeout")
        options.lossless_timeout = _names.nanoseconds(lossless_timeout, "lossless_timeout")
        options.directory = _names.text_bytes(directory, "A directory")
        options.program = _names.text_bytes(program, "A program's name")
        options.source = _names.text_bytes(source, "A source")
        options.cuda_context = cuda_context
        options.cuda_device = cuda_device
        options.readers = _names.number_of(_names.READERS, readers, "group of readers")
        options.users = (c_uint32 * len(users))(*users)
        options.user_count = len(users)
        options.groups = (c_uint32 * len(groups))(*groups)
        options.group_count = len(groups)
        options.on_event = self._callback
        picture = None
        if pixel_format is not None or width is not None or height is not None:
            picture = byref(_format(pixel_format, width, height, rate, colour_matrix, colour_range, colour_primaries, colour_transfer))
        name = _names.text_bytes(key, "A key")
        library = started_library()
        handle = c_void_p()
        library.check(library.publisher_open(name, byref(options), picture, byref(handle)))
        self._opened(library, handle.value)

    @property
    def info(self) -> PublisherInfo:
        """Figures, as they are now. Any thread. Raises :class:`Closed`."""
        raw = CPublisherInfo(sizeof(CPublisherInfo))
        self._check(self._library.publisher_get_info(self._handle, byref(raw)))
        return PublisherInfo._of(raw)

    def configure(
        self,
        pixel_format: str,
        width: int,
        height: int,
        *,
        rate: Union[None, int, float, Fraction] = None,
        colour_matrix: int = 2,
        colour_range: str = "unknown",
        colour_primaries: int = 2,
        colour_transfer: int = 2,
    ) -> None:
        """Sets or changes the format; readers get frames of the old one until the first of the new one is published.

        The publishing thread. Raises :class:`InvalidArgument`, :class:`WrongState` while a frame is open, and :class:`Error` with the code of OUT_OF_RESOURCES
        when there is no memory for it: then the old format goes on.
        """
        raw = _format(pixel_format, width, height, rate, colour_matrix, colour_range, colour_primaries, colour_transfer)
        self._check(self._library.publisher_configure(self._handle, byref(raw)))

    def begin(self, *, stream: Optional[Any] = None) -> Optional[WritableFrame]:
        """Begins a frame, or returns None when readers hold every slot: then this frame is dropped, as a publisher never waits for readers (but for lossless
        ones, up to ``lossless_timeout``).

        One frame at a time is open. ``stream``: the CUDA stream that writes it, for frames in CUDA memory. The publishing thread. Raises :class:`WrongState` when a
        frame is open or there is no format, :class:`Closed`, :class:`CudaError`.
        """
        structure = CFrame(sizeof(CFrame))
        code = self._library.publisher_begin(self._handle, structure)
        if code == errors.DROPPED:
            return None
        self._check(code)
        return WritableFrame(structure, self, stream)

    def frame(self, *, stream: Optional[Any] = None) -> WritableFrame:
        """As :meth:`begin`, but raises :class:`Dropped` when readers hold every slot. For ``with``."""
        picture = self.begin(stream=stream)
        if picture is None:
            raise self._library.error(errors.DROPPED)
        return picture

    def publish(self, *planes: Any, **facts: Any) -> Optional[int]:
        """Copies one picture and publishes it: the simple way, for frames in main memory.

        ``planes``: for each plane of the format one object with the buffer protocol (numpy arrays, bytes), rows without padding; or one object with the whole picture,
        planes in order. ``facts``: attributes of :class:`WritableFrame`, such as ``pts``. Returns the sequence, or None when readers hold every slot and the frame
        was dropped. The publishing thread. Raises :class:`InvalidArgument` when sizes do not fit: then nothing was published.
        """
        for name in facts:
            if not isinstance(getattr(WritableFrame, name, None), property) or getattr(WritableFrame, name).fset is None:
                raise TypeError(f"A frame has nothing called {name!r} that can be set.")
        picture = self.begin()
        if picture is None:
            return None
        with picture:
            if picture.memory != "host":
                raise errors.InvalidArgument(
                    "publish() copies in main memory. For CUDA memory write the planes of frame(), for example with torch.as_tensor(plane, device=\"cuda\").",
                    1000, "INVALID_ARGUMENT")
            _copy(picture, planes)
            for name, value in facts.items():
                setattr(picture, name, value)
        return picture.sequence

def _format(
    pixel_format: Optional[str], width: Optional[int], height: Optional[int], rate: Union[None, int, float, Fraction], colour_matrix: int, colour_range: str,
    colour_primaries: int, colour_transfer: int,
) -> CFormat:
    if pixel_format is None or width is None or height is None:
        raise errors.InvalidArgument("A format needs a pixel format, a width and a height.", 1000, "INVALID_ARGUMENT")
    announced = Fraction(rate).limit_denominator(1_000_000) if rate else Fraction(0)
    if announced < 0:
        raise errors.InvalidArgument(f"A rate cannot be {rate!r} frames per second.", 1000, "INVALID_ARGUMENT")
    return CFormat(
        sizeof(CFormat), _names.pixel_format_number(pixel_format), count_of(width, "width"), count_of(height, "height"), announced.numerator,
        announced.denominator if announced else 0, count_of(colour_matrix, "colour_matrix", 256),
        _names.number_of(_names.RANGES, colour_range, "colour range"), count_of(colour_primaries, "colour_primaries", 256),
        count_of(colour_transfer, "colour_transfer", 256))


def _copy(picture: WritableFrame, planes: Tuple[Any, ...]) -> None:
    targets = picture.planes
    sizes = [plane.rows * plane.row_bytes for plane in targets]
    views = [_bytes_of(plane) for plane in planes]
    if len(views) == 1 and len(targets) > 1 and len(views[0]) == sum(sizes):
        whole, views, start = views[0], [], 0
        for size in sizes:
            views.append(whole[start:start + size])
            start += size
    if [len(view) for view in views] != sizes:
        raise errors.InvalidArgument(
            f"A picture in {picture.pixel_format} of {picture.width}x{picture.height} has planes of {sizes} bytes (or {sum(sizes)} in one piece); given were "
            f"{[len(view) for view in views]}.", 1000, "INVALID_ARGUMENT")
    for plane, view in zip(targets, views):
        target = plane.memoryview()
        pitch, row_bytes = plane.pitch, plane.row_bytes
        if pitch == row_bytes:
            target[:] = view
            continue
        source = 0
        for start in range(0, plane.rows * pitch, pitch):
            target[start:start + row_bytes] = view[source:source + row_bytes]
            source += row_bytes


def _bytes_of(plane: Any) -> memoryview:
    view = memoryview(plane)
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
