# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishing the packets of a stream."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_uint32, c_uint64, c_void_p, cast, sizeof
from typing import Any, Callable, Optional, Sequence

from . import _names
from ._callbacks import event_callback
from ._library import started_library
from ._stream_publisher import StreamPublisher, count_of
from ._structures import PTS_UNKNOWN, CPacket, CPacketPublisherInfo, CPacketPublisherOptions
from .information import Event, PacketFlags, PacketPublisherInfo
from .packet_track import PacketTrack


class PacketPublisher(StreamPublisher):
    """Publishes packets, coded pictures and sounds, for any number of readers on this machine::

        with cuframes.PacketPublisher("front") as publisher:
            video = publisher.add_track(cuframes.PacketTrack("video", "h264", Fraction(1, 90000), 1920, 1080, extradata=sps_and_pps))
            for data, pts, is_key in source:
                publisher.publish(video, data, pts=pts, dts=pts, key=is_key)

    - ``key``: the stream. Its frames are another publisher's, or nobody's.
    - ``byte_capacity`` (default 32 MiB): of the ring, a multiple of 4096 from 65536 to 2^32; memory is used as packets are written. ``max_packets`` (8192): in the ring, a power of two
      from 16 to 65536. ``max_age``: seconds after which packets are let go when a new one comes; None: no bound but the others.
    - ``max_subscribers`` (64), ``directory``, ``program``, ``source``, ``readers``, ``users``, ``groups``, ``on_event``: as of :class:`Publisher`.

    Nothing that a reader does slows a publisher down: what is oldest is overwritten. One thread at a time publishes; :attr:`info`, :meth:`subscribers`,
    :meth:`set_state` and :meth:`evict` may be used by any.

    Raises :class:`AlreadyPublished`, :class:`InvalidArgument`, :class:`AccessDenied`, :class:`ForkError`, :class:`Error`.
    """

    _functions = "packet_publisher"

    def __init__(
        self,
        key: str,
        *,
        byte_capacity: Optional[int] = None,
        max_packets: Optional[int] = None,
        max_age: Optional[float] = None,
        max_subscribers: Optional[int] = None,
        directory: Optional[str] = None,
        program: Optional[str] = None,
        source: Optional[str] = None,
        readers: str = "own",
        users: Sequence[int] = (),
        groups: Sequence[int] = (),
        on_event: Optional[Callable[[Event], object]] = None,
    ) -> None:
        super().__init__(key)
        self._callback = event_callback(on_event)
        options = CPacketPublisherOptions(sizeof(CPacketPublisherOptions))
        options.byte_capacity = count_of(byte_capacity, "byte_capacity", 2**63)
        options.max_packets = count_of(max_packets, "max_packets")
        options.max_age = _names.nanoseconds(max_age, "max_age")
        options.max_subscribers = count_of(max_subscribers, "max_subscribers")
        options.directory = _names.text_bytes(directory, "A directory")
        options.program = _names.text_bytes(program, "A program's name")
        options.source = _names.text_bytes(source, "A source")
        options.readers = _names.number_of(_names.READERS, readers, "group of readers")
        options.users = (c_uint32 * len(users))(*users)
        options.user_count = len(users)
        options.groups = (c_uint32 * len(groups))(*groups)
        options.group_count = len(groups)
        options.on_event = self._callback
        name = _names.text_bytes(key, "A key")
        library = started_library()
        handle = c_void_p()
        library.check(library.packet_publisher_open(name, byref(options), byref(handle)))
        self._opened(library, handle.value)

    @property
    def info(self) -> PacketPublisherInfo:
        """Figures, as they are now. Any thread. Raises :class:`Closed`."""
        raw = CPacketPublisherInfo(sizeof(CPacketPublisherInfo))
        self._check(self._library.packet_publisher_get_info(self._handle, byref(raw)))
        return PacketPublisherInfo._of(raw)

    def add_track(self, track: PacketTrack) -> int:
        """Adds a track and returns its number. Up to eight are possible, which stay until the close; readers start at key frames of the first video track. The
        publishing thread. Raises :class:`InvalidArgument`, :class:`Closed`."""
        number = c_uint32()
        self._check(self._library.packet_publisher_add_track(self._handle, byref(track._structure()), byref(number)))
        return number.value

    def set_parameters(self, number: int, track: PacketTrack) -> None:
        """Changes the parameters of a track: the packets to come are coded with them. Kind and language stay. The publishing thread. Raises
        :class:`InvalidArgument`, and then the old parameters stay; :class:`Closed`."""
        self._check(self._library.packet_publisher_set_parameters(self._handle, count_of(number, "number"), byref(track._structure())))

    def publish(
        self,
        number: int,
        data: Any,
        *,
        pts: Optional[int] = None,
        dts: Optional[int] = None,
        duration: Optional[int] = None,
        key: bool = False,
        flags: int = 0,
        arrival_time: Optional[int] = None,
        capture_time: Optional[int] = None,
    ) -> int:
        """Publishes a packet on a track and returns its sequence.

        ``data``: its bytes, an object with the buffer protocol; they are copied into the ring (what is not ``bytes``, once more before that). ``pts``, ``dts`` and
        ``duration`` are in units of the track's time base (None: not known), ``key`` says that decoding may begin here, ``flags`` are more :class:`PacketFlags`.
        ``arrival_time`` is CLOCK_MONOTONIC in nanoseconds (None: now), ``capture_time`` the wall clock at the camera. The publishing thread. Raises
        :class:`PacketTooLarge`, and the stream goes on without it; :class:`InvalidArgument` when there is no such track; :class:`Closed`.
        """
        content = data if isinstance(data, bytes) else bytes(memoryview(data))
        packet = CPacket(sizeof(CPacket))
        packet.track = count_of(number, "number")
        packet.data = cast(c_char_p(content), c_void_p)
        packet.data_size = len(content)
        packet.flags = int(flags) | (PacketFlags.KEY if key else 0)
        packet.pts = PTS_UNKNOWN if pts is None else pts
        packet.dts = PTS_UNKNOWN if dts is None else dts
        packet.duration = duration or 0
        packet.arrival_time = arrival_time or 0
        packet.capture_time = capture_time or 0
        sequence = c_uint64()
        self._check(self._library.packet_publisher_publish(self._handle, byref(packet), byref(sequence)))
        return sequence.value
