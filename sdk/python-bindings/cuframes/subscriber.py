# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a stream."""

from __future__ import annotations

from ctypes import byref, c_void_p, sizeof
from typing import Callable, Iterable, Optional, Union

from . import _names, errors
from ._callbacks import event_callback
from ._library import started_library
from ._reader import Reader
from ._structures import CFrame, CSubscriberInfo, CSubscriberOptions
from .frame import Frame
from .information import Event, SubscriberInfo

_FRAME_SIZE = sizeof(CFrame)


class Subscriber(Reader[Frame]):
    """Reads the frames of one stream, and connects again when its publisher comes back.

    Iterate over it, with ``for`` or ``async for``, or call :meth:`next`; close it with :meth:`close` or ``with``::

        with cuframes.Subscriber("front") as frames:
            for frame in frames:
                with frame:
                    print(frame.sequence, numpy.asarray(frame.y).mean())

    - ``key``: the stream.
    - ``delivery``: ``"newest"`` (older frames are skipped and counted), ``"in-order"`` (the oldest that is still there) or ``"lossless"`` (and the publisher waits,
      up to a bound that it sets).
    - ``leases``: frames that are to be held at once, 1 to 64. The publisher may grant fewer (``info.granted_leases``). A ``for`` loop whose body lets go of a frame
      only by taking the next needs 2.
    - ``directory``: of the sockets; default :func:`runtime_directory`.
    - ``fences``: how ``release(stream)`` may end leases of frames in CUDA memory: ``"cpu"``, ``"stream"``, ``"event"`` or several of them; default all.
    - ``cuda_context``: a CUcontext as int, in which frames are mapped; it stays yours and must outlive the subscriber. Default: the primary context of the stream's
      device, which PyTorch, CuPy and CUDA's runtime use.
    - ``reconnect``: False: when the publisher is gone or has evicted this subscriber, waiting raises the reason.
    - ``wait_for_stream``: True: a stream that nobody publishes yet is waited for, instead of being an error.
    - ``program``: name that the publisher is told; default: the name of this process.
    - ``timeout``: of :meth:`next` and of iteration where none is given, in seconds; None: no limit.
    - ``on_event``: called with an :class:`Event` by the thread that waits for frames, inside that call. It must return soon and must not use CuFrames. Its exceptions
      go to ``sys.unraisablehook``.

    One thread at a time takes frames, else :class:`Busy` is raised; :meth:`interrupt` and :meth:`close` may be called by any. Waiting lets go of the GIL, and Ctrl-C
    ends it within 0.1 s.

    Raises :class:`StreamNotFound`, :class:`AccessDenied`, :class:`Refused`, :class:`InvalidArgument`, :class:`CudaError`, :class:`ForkError`.
    """

    _functions = "subscriber"

    def __init__(
        self,
        key: str,
        *,
        delivery: str = "newest",
        leases: int = 2,
        directory: Optional[str] = None,
        fences: Union[None, str, Iterable[str]] = None,
        cuda_context: Optional[int] = None,
        reconnect: bool = True,
        wait_for_stream: bool = False,
        program: Optional[str] = None,
        timeout: Optional[float] = None,
        on_event: Optional[Callable[[Event], object]] = None,
    ) -> None:
        super().__init__(key, timeout)
        if not 1 <= leases <= 64:
            raise errors.InvalidArgument(f"leases must be 1 to 64, not {leases!r}.", 1000, "INVALID_ARGUMENT")
        # Kept for as long as the library may call it.
        self._callback = event_callback(on_event)
        options = CSubscriberOptions(sizeof(CSubscriberOptions))
        options.delivery = _names.number_of(_names.DELIVERIES, delivery, "delivery")
        options.leases = leases
        options.fences = _names.fence_bits(fences)
        options.no_reconnect = not reconnect
        options.wait_for_stream = wait_for_stream
        options.directory = _names.text_bytes(directory, "A directory")
        options.program = _names.text_bytes(program, "A program's name")
        options.cuda_context = cuda_context
        options.on_event = self._callback
        name = _names.text_bytes(key, "A key")
        library = started_library()
        handle = c_void_p()
        library.check(library.subscriber_open(name, byref(options), byref(handle)))
        self._opened(library, handle.value)

    @property
    def info(self) -> SubscriberInfo:
        """Figures, as they are now. The thread that takes frames. Raises :class:`Closed`, :class:`Busy`."""
        raw = CSubscriberInfo(sizeof(CSubscriberInfo))
        self._library.check(self._library.subscriber_get_info(self._handle, byref(raw)))
        return SubscriberInfo._of(raw)

    def _structure(self) -> CFrame:
        return CFrame(_FRAME_SIZE)

    def _item(self, structure: CFrame) -> Frame:
        return Frame(structure, self._library, self)
