# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading the packets of a stream."""

from __future__ import annotations

from ctypes import byref, c_void_p, sizeof
from typing import Callable, List, Optional, Tuple

from . import _names, errors
from ._callbacks import event_callback
from ._library import started_library
from ._reader import Reader
from ._structures import CPacket, CPacketSubscriberInfo, CPacketSubscriberOptions, CPacketTrack
from .information import Event, PacketSubscriberInfo
from .packet import Packet, Ring
from .packet_track import PacketTrack

_PACKET_SIZE = sizeof(CPacket)


class PacketSubscriber(Reader[Packet]):
    """Reads the packets of one stream, in order and in place, as the source sends them, and connects again when its publisher comes back.

    Iterate over it, with ``for`` or ``async for``, or call :meth:`next`; close it with :meth:`close` or ``with``::

        with cuframes.PacketSubscriber("front") as packets, open("front.h264", "wb") as file:
            for packet in packets:
                if packet.kind == "video":
                    file.write(bytes(packet))

    - ``key``: the stream.
    - ``start``: ``"newest-key"`` (at the newest key frame of the first video track; at the next one when none is there), ``"oldest-key"`` or ``"next"`` (at the next packet
      of whatever kind). Without a video track every packet counts as a key frame.
    - ``after``: :attr:`Packet.position` of the last packet that was taken in an earlier connection: if the publisher's run is still the same, reading goes on behind it.
    - ``directory``: of the sockets; default :func:`runtime_directory`.
    - ``reconnect``: False: when the publisher is gone or has evicted this subscriber, waiting raises the reason.
    - ``wait_for_stream``: True: a stream that nobody publishes yet is waited for, instead of being an error.
    - ``program``: name that the publisher is told; default: the name of this process.
    - ``timeout``: of :meth:`next` and of iteration where none is given, in seconds; None: no limit.
    - ``on_event``: called with an :class:`Event` by the thread that waits for packets, inside that call. It must return soon and must not use CuFrames. Its exceptions
      go to ``sys.unraisablehook``.

    A subscriber that is too slow for the ring learns its losses (:attr:`Packet.missed`, ``info.missed_on_track``) and goes on at the next key frame of the first
    video track. One thread at a time takes packets, else :class:`Busy` is raised; :meth:`interrupt` and :meth:`close` may be called by any. Waiting lets go
    of the GIL, and Ctrl-C ends it within 0.1 s.

    Raises :class:`StreamNotFound`, :class:`AccessDenied`, :class:`Refused`, :class:`InvalidArgument`, :class:`ForkError`.
    """

    _functions = "packet_subscriber"

    def __init__(
        self,
        key: str,
        *,
        start: str = "newest-key",
        after: Optional[Tuple[int, int]] = None,
        directory: Optional[str] = None,
        reconnect: bool = True,
        wait_for_stream: bool = False,
        program: Optional[str] = None,
        timeout: Optional[float] = None,
        on_event: Optional[Callable[[Event], object]] = None,
    ) -> None:
        super().__init__(key, timeout)
        self._ring: Optional[Ring] = None
        # Kept for as long as the library may call it.
        self._callback = event_callback(on_event)
        options = CPacketSubscriberOptions(sizeof(CPacketSubscriberOptions))
        options.start = _names.number_of(_names.PACKET_STARTS, start, "start")
        if after is not None:
            options.after_epoch, options.after_sequence = after
        options.no_reconnect = not reconnect
        options.wait_for_stream = wait_for_stream
        options.directory = _names.text_bytes(directory, "A directory")
        options.program = _names.text_bytes(program, "A program's name")
        options.on_event = self._callback
        name = _names.text_bytes(key, "A key")
        library = started_library()
        handle = c_void_p()
        library.check(library.packet_subscriber_open(name, byref(options), byref(handle)))
        self._opened(library, handle.value)

    @property
    def info(self) -> PacketSubscriberInfo:
        """Figures, as they are now. The thread that takes packets. Raises :class:`Closed`, :class:`Busy`."""
        return PacketSubscriberInfo._of(self._figures())

    @property
    def tracks(self) -> List[PacketTrack]:
        """The tracks that there are now, by number, with the parameters of the newest packets that were taken, and before that those that there were when the
        connection was made. The thread that takes packets. Raises :class:`Closed`, :class:`Busy`."""
        found = []
        for number in range(self._figures().tracks):
            raw = CPacketTrack(sizeof(CPacketTrack))
            self._check(self._library.packet_subscriber_get_track(self._handle, number, byref(raw)))
            found.append(PacketTrack._of(raw))
        return found

    def find(self, sequence: int) -> Optional[Packet]:
        """A packet by its number in the publisher's present run, wherever reading is, or None when it is not there, not yet or not any more. The packet of a frame has the
        number in the frame's ``source_packet``. The thread that takes packets. Raises :class:`Closed`, :class:`Busy`, :class:`ProtocolError`."""
        structure = self._structure()
        code = self._library.packet_subscriber_find(self._handle, sequence, structure)
        if code == errors.PACKET_LOST:
            return None
        self._check(code)
        return self._item(structure)

    def close(self) -> None:
        """Leaves the stream; a second call does nothing. A wait in another thread ends with :class:`Interrupted`. Packets are lost from now on; views of them stay
        readable. Any thread."""
        super().close()
        self._ring = None

    def _figures(self) -> CPacketSubscriberInfo:
        raw = CPacketSubscriberInfo(sizeof(CPacketSubscriberInfo))
        self._check(self._library.packet_subscriber_get_info(self._handle, byref(raw)))
        return raw

    def _structure(self) -> CPacket:
        return CPacket(_PACKET_SIZE)

    def _item(self, structure: CPacket) -> Packet:
        ring = self._ring
        if ring is None or ring.owner != structure.owner:
            # A structure of its own: the ring outlives the packet.
            ring = Ring(CPacket.from_buffer_copy(structure), int(self._figures().byte_capacity), self._library)
            self._ring = ring
        return Packet(structure, self._library, self, ring)

    def _check(self, code: int) -> None:
        if code:
            raise self._error(code)
