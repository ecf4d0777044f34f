# SPDX-License-Identifier: LGPL-2.1-or-later
"""A packet that is read in place."""

from __future__ import annotations

from ctypes import byref, sizeof
from fractions import Fraction
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from . import _names, errors
from ._buffers import flat_view
from ._library import Library
from ._structures import PTS_UNKNOWN, CPacket, CPacketTrack
from .information import PacketFlags
from .packet_track import PacketTrack

if TYPE_CHECKING:
    from .packet_subscriber import PacketSubscriber

# A track has at most eight sets at a time, and a stream eight tracks.
_MOST_TRACKS = 64


class Ring:
    """The bytes of one connection's ring, mapped as long as this object or a view of them lives."""

    def __init__(self, packet: CPacket, capacity: int, library: Library) -> None:
        library.check(library.packet_retain(byref(packet)))
        self._packet = packet
        self._library = library
        self.owner = int(packet.owner)
        self.capacity = capacity
        self.tracks: Dict[Tuple[int, int], PacketTrack] = {}
        self.view = flat_view(int(packet.data) - int(packet.position) % capacity, capacity, True, _Keeper(packet, library))


class _Keeper:
    """Lets go of a ring's memory when nothing is left that could read it."""

    def __init__(self, packet: CPacket, library: Library) -> None:
        self._packet = packet
        self._library = library

    def __del__(self) -> None:
        code = self._library.packet_release(byref(self._packet))
        if code and code != errors.FORKED:
            self._library.fail(code)


class Packet:
    """A coded packet in its publisher's ring, read in place. Nothing is held and nothing has to be released: the publisher overwrites it when the ring comes round.

    So what was read of :attr:`data` counts if :meth:`check` does not raise afterwards. ``bytes(packet)`` copies and checks. Everything but the bytes is a copy and
    stays as it is. Memory stays mapped as long as the packet or a view of its data lives: an old view shows newer packets' bytes, and never a fault.

    All methods may be called by any thread.
    """

    __slots__ = ("_structure", "_library", "_subscriber", "_ring", "__weakref__")

    def __init__(self, structure: CPacket, library: Library, subscriber: PacketSubscriber, ring: Ring) -> None:
        self._structure = structure
        self._library = library
        # A subscriber that nobody else holds would be closed, and the packet with it be lost.
        self._subscriber = subscriber
        self._ring = ring

    @property
    def data(self) -> memoryview:
        """The bytes where they lie: a read-only memoryview. Call :meth:`check` after the last look at it."""
        start = self._structure.position % self._ring.capacity
        return self._ring.view[start:start + self._structure.data_size]

    def check(self) -> None:
        """Raises :class:`PacketLost` unless all that was read of :attr:`data` before this call was whole. Without an error the packet is still in the ring."""
        code = self._library.packet_check(self._structure)
        if code:
            self._library.fail(code)

    @property
    def is_valid(self) -> bool:
        """Whether :meth:`check` would not raise."""
        return not self._library.packet_check(self._structure)

    def __bytes__(self) -> bytes:
        """A copy of the bytes, which is whole. Raises :class:`PacketLost`."""
        copy = bytes(self.data)
        self.check()
        return copy

    def __len__(self) -> int:
        """Length in bytes."""
        return int(self._structure.data_size)

    def __bool__(self) -> bool:
        return True

    @property
    def track(self) -> PacketTrack:
        """Its track with the parameters that this packet is coded with: the same object for all packets of a parameter set. Raises :class:`PacketLost` when it is
        first asked for after the packet's connection has ended, or after eight newer sets have come to the track."""
        key = (int(self._structure.track), int(self._structure.parameters))
        track = self._ring.tracks.get(key)
        if track is None:
            raw = CPacketTrack(sizeof(CPacketTrack))
            self._library.check(self._library.packet_get_track(self._structure, byref(raw)))
            if len(self._ring.tracks) >= _MOST_TRACKS:
                self._ring.tracks.clear()
            track = self._ring.tracks.setdefault(key, PacketTrack._of(raw))
        return track

    @property
    def track_number(self) -> int:
        """Number of its track, from 0."""
        return int(self._structure.track)

    @property
    def kind(self) -> str:
        """``"video"``, ``"audio"`` or ``"data"``."""
        return _names.word_of(_names.TRACK_KINDS, self._structure.kind)

    @property
    def sequence(self) -> int:
        """Number of the packet in its epoch, from 1, over all tracks: what ``source_packet`` of a frame names."""
        return int(self._structure.sequence)

    @property
    def epoch(self) -> int:
        """The publisher's run."""
        return int(self._structure.epoch)

    @property
    def position(self) -> Tuple[int, int]:
        """Epoch and sequence, to go on behind this packet later: ``PacketSubscriber(after=...)``."""
        return self.epoch, self.sequence

    @property
    def track_sequence(self) -> int:
        """Number of the packet on its track, from 1."""
        return int(self._structure.track_sequence)

    @property
    def missed(self) -> int:
        """Packets lost, of all tracks, between the one taken before and this one."""
        return int(self._structure.missed)

    @property
    def flags(self) -> PacketFlags:
        """What is known of the packet."""
        return PacketFlags(self._structure.flags)

    @property
    def is_key(self) -> bool:
        """Whether decoding may begin here."""
        return bool(self._structure.flags & 1)

    @property
    def time_base(self) -> Fraction:
        """Unit of :attr:`pts`, :attr:`dts` and :attr:`duration`, in seconds."""
        return Fraction(self._structure.time_base_numerator, self._structure.time_base_denominator)

    @property
    def pts(self) -> Optional[int]:
        """Presentation time in units of the time base; None: not known."""
        pts = int(self._structure.pts)
        return None if pts == PTS_UNKNOWN else pts

    @property
    def dts(self) -> Optional[int]:
        """Decoding time in units of the time base; None: not known."""
        dts = int(self._structure.dts)
        return None if dts == PTS_UNKNOWN else dts

    @property
    def duration(self) -> Optional[int]:
        """Duration in units of the time base; None: not known."""
        return int(self._structure.duration) or None

    @property
    def arrival_time(self) -> int:
        """CLOCK_MONOTONIC (``time.monotonic_ns()``) when the packet had arrived, in nanoseconds."""
        return int(self._structure.arrival_time)

    @property
    def capture_time(self) -> Optional[int]:
        """Wall clock at the camera, in nanoseconds since 1970-01-01 UTC; None: not known."""
        return int(self._structure.capture_time) or None

    @property
    def publish_time(self) -> int:
        """CLOCK_MONOTONIC (``time.monotonic_ns()``) at publish, in nanoseconds."""
        return int(self._structure.publish_time)

    def __repr__(self) -> str:
        return f"<cuframes.Packet {self.sequence} {self.kind} {len(self)} bytes{', key' if self.is_key else ''}>"
