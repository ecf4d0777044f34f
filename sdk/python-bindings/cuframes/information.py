# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is told of streams, subscribers and publishers: plain values, as they were when they were asked for."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from . import _names
from ._names import device_text, pixel_format_word, word_of
from ._structures import CFormat, CPacketPublisherInfo, CPacketSubscriberInfo, CPublisherInfo, CStreamInfo, CSubscriberInfo, CSubscriberStatistics


class FrameFlags(enum.IntFlag):
    """What is known of a frame's picture."""

    KEY = 1
    """Decoded from a key frame."""
    DISCONTINUITY = 2
    """The source was interrupted before this frame."""
    CORRUPT = 4
    """The decoder reported errors in this picture."""
    INTERLACED = 8
    """Two fields."""
    TOP_FIELD_FIRST = 16
    """With INTERLACED: the top field comes first."""
    END_OF_STREAM = 32
    """The last frame of a file."""


class PacketFlags(enum.IntFlag):
    """What is known of a packet."""

    KEY = 1
    """Decoding may begin here."""
    DISCONTINUITY = 2
    """The source was interrupted before this packet; times may jump."""
    CORRUPT = 4
    """The source or the demuxer reported an error in it."""
    PARAMETERS_CHANGED = 8
    """Its parameter set is another one than that of the track's packet before. A publisher sets it by itself."""
    DISPOSABLE = 16
    """No other packet needs it to be decoded."""


@dataclass(frozen=True)
class Format:
    """A stream's format.

    ``pixel_format`` is a name such as ``"nv12"``, ``width`` and ``height`` count visible columns and rows, ``rate`` is in frames per second as the source
    announces them (None: not known). ``colour_matrix``, ``colour_primaries`` and ``colour_transfer`` are numbers of ITU-T H.273 (2: unspecified),
    ``colour_range`` is ``"unknown"``, ``"limited"`` or ``"full"``.
    """

    pixel_format: str
    width: int
    height: int
    rate: Optional[float] = None
    colour_matrix: int = 2
    colour_range: str = "unknown"
    colour_primaries: int = 2
    colour_transfer: int = 2

    @classmethod
    def _of(cls, raw: CFormat) -> Optional[Format]:
        if raw.pixel_format == 0:
            return None
        return cls(
            pixel_format_word(raw.pixel_format), raw.width, raw.height,
            raw.rate_numerator / raw.rate_denominator if raw.rate_numerator and raw.rate_denominator else None,
            raw.colour_matrix, word_of(_names.RANGES, raw.colour_range), raw.colour_primaries, raw.colour_transfer)


@dataclass(frozen=True)
class Event:
    """Something that happened to a subscriber or at a publisher.

    ``kind``: of a subscriber ``"connected"``, ``"source-lost"``, ``"source-back"``, ``"evicted"``, ``"disconnected"``; of a publisher
    ``"subscriber-joined"``, ``"subscriber-left"``, ``"subscriber-evicted"``, ``"subscriber-refused"``, ``"ring-grown"``, ``"ring-shrunk"``, ``"growth-failed"``,
    ``"internal-error"``. ``code`` says why, 0 when nothing went wrong; ``epoch`` is the publisher's run that it is about (0: none), ``subscriber_id`` the
    subscriber (0: none), ``text`` a sentence for people.
    """

    kind: str
    code: int
    epoch: int
    subscriber_id: int
    text: str


@dataclass(frozen=True)
class SubscriberInfo:
    """Figures of a subscriber.

    ``state`` is the stream's: ``"starting"``, ``"live"``, ``"source-lost"`` or ``"ended"``, also when there is no connection. ``memory`` is ``"host"``, ``"cuda"``
    or empty before the first connection. ``epoch`` is the publisher's run, 0 before the first connection. ``held_frames`` counts those too whose release is
    on its way through the GPU. ``taken`` and ``missed`` count frames since the subscriber was made. ``release_fence`` is ``"cpu"``, ``"stream"`` or
    ``"event"``; ``release_fence_reason`` says why it is not ``"stream"`` although both sides can do that. ``cuda_device`` is the ordinal in this process (None: main
    memory), ``cuda_device_uuid`` the device as nvidia-smi prints it, ``cuda_context`` the CUcontext in which frames are mapped. ``format`` is as the
    publisher told when the connection was made; frames say their own. ``publisher`` and ``source`` are what the publisher calls itself and its source.
    """

    is_connected: bool
    state: str
    memory: str
    epoch: int
    granted_leases: int
    held_frames: int
    taken: int
    missed: int
    reconnects: int
    evictions: int
    release_fence: str
    release_fence_reason: str
    cuda_device: Optional[int]
    cuda_device_uuid: Optional[str]
    cuda_context: Optional[int]
    format: Optional[Format]
    publisher: str
    source: str

    @classmethod
    def _of(cls, raw: CSubscriberInfo) -> SubscriberInfo:
        return cls(
            bool(raw.is_connected), word_of(_names.STATES, raw.state), word_of(_names.MEMORIES, raw.memory) if raw.memory else "", raw.epoch,
            raw.granted_leases, raw.held_frames, raw.taken, raw.missed, raw.reconnects, raw.evictions,
            word_of(_names.FENCES, raw.release_fence) if raw.release_fence else "", _text(raw.release_fence_reason),
            raw.cuda_device if raw.cuda_device >= 0 else None, device_text(raw.cuda_device_uuid), raw.cuda_context,
            Format._of(raw.format), _text(raw.publisher), _text(raw.source))


@dataclass(frozen=True)
class PublisherInfo:
    """Figures of a publisher.

    ``state`` as in :class:`SubscriberInfo`. ``epoch`` is this run, ``head`` the sequence of the newest frame (0: none yet). ``dropped`` counts frames dropped because
    every slot was held, ``evicted`` subscribers evicted, ``hung_up`` those that left or died without saying goodbye, ``refused`` connections refused.
    ``slots`` are in use now, of which subscribers hold ``held_slots``. ``segment_bytes`` is of all live segments, ``unanswered_bytes`` of retired ones that a
    subscriber has not given back. ``cuda_device`` and ``cuda_context`` (a CUcontext) are None for main memory. ``socket_path`` is the socket's path.
    """

    state: str
    epoch: int
    head: int
    published: int
    dropped: int
    evicted: int
    hung_up: int
    refused: int
    slots: int
    held_slots: int
    segment_bytes: int
    unanswered_bytes: int
    subscribers: int
    cuda_device: Optional[int]
    cuda_context: Optional[int]
    format: Optional[Format]
    socket_path: str

    @classmethod
    def _of(cls, raw: CPublisherInfo) -> PublisherInfo:
        return cls(
            word_of(_names.STATES, raw.state), raw.epoch, raw.head, raw.published, raw.dropped, raw.evicted, raw.hung_up, raw.refused, raw.slots,
            raw.held_slots, raw.segment_bytes, raw.unanswered_bytes, raw.subscribers, raw.cuda_device if raw.cuda_device >= 0 else None,
            raw.cuda_context, Format._of(raw.format), _text(raw.socket_path))


@dataclass(frozen=True)
class PacketSubscriberInfo:
    """Figures of a subscriber of packets.

    ``state`` as in :class:`SubscriberInfo`. ``tracks`` counts the tracks that there are now. ``taken`` and ``missed`` count packets since the subscriber was made,
    ``missed_on_track`` those that were missed on each of the eight possible tracks. ``byte_capacity`` is the size of the publisher's ring.
    """

    is_connected: bool
    state: str
    tracks: int
    epoch: int
    taken: int
    missed: int
    missed_on_track: Tuple[int, ...]
    byte_capacity: int
    reconnects: int
    evictions: int
    publisher: str
    source: str

    @classmethod
    def _of(cls, raw: CPacketSubscriberInfo) -> PacketSubscriberInfo:
        return cls(
            bool(raw.is_connected), word_of(_names.STATES, raw.state), raw.tracks, raw.epoch, raw.taken, raw.missed, tuple(raw.missed_on_track),
            raw.byte_capacity, raw.reconnects, raw.evictions, _text(raw.publisher), _text(raw.source))


@dataclass(frozen=True)
class PacketPublisherInfo:
    """Figures of a publisher of packets.

    ``head`` is the sequence of the newest packet (0: none yet), ``oldest`` that of the oldest that is still there (``head`` plus 1: none), ``buffered_time`` the
    seconds between their arrivals, ``byte_capacity`` the size of the ring. ``too_large`` counts packets of more than half of it. The rest as in
    :class:`PublisherInfo`.
    """

    state: str
    epoch: int
    head: int
    oldest: int
    buffered_time: float
    byte_capacity: int
    too_large: int
    evicted: int
    hung_up: int
    refused: int
    tracks: int
    subscribers: int
    socket_path: str

    @classmethod
    def _of(cls, raw: CPacketPublisherInfo) -> PacketPublisherInfo:
        return cls(
            word_of(_names.STATES, raw.state), raw.epoch, raw.head, raw.oldest, raw.buffered_time / 1e9, raw.byte_capacity, raw.too_large, raw.evicted,
            raw.hung_up, raw.refused, raw.tracks, raw.subscribers, _text(raw.socket_path))


@dataclass(frozen=True)
class SubscriberStatistics:
    """One subscriber as its publisher sees it. The counters come from the subscriber itself: it may lie.

    ``lag`` counts frames between the newest and the last one it took; ``process_id`` is in the publisher's PID namespace (None: not visible); ``delivery`` is
    ``"newest"``, ``"in-order"`` or ``"lossless"``.
    """

    subscriber_id: int
    lag: int
    taken: int
    missed: int
    process_id: Optional[int]
    user_id: int
    delivery: str
    granted_leases: int
    held_leases: int
    program: str

    @classmethod
    def _of(cls, raw: CSubscriberStatistics) -> SubscriberStatistics:
        return cls(
            raw.subscriber_id, raw.lag, raw.taken, raw.missed, raw.process_id or None, raw.user_id, word_of(_names.DELIVERIES, raw.delivery),
            raw.granted_leases, raw.held_leases, _text(raw.program))


@dataclass(frozen=True)
class StreamInfo:
    """A stream of this machine, as it was when it was asked.

    ``error_code`` is 0 when the publisher gave a description; otherwise ``error`` says why not, and the rest means nothing. ``state_text`` is why
    the stream is in its state. ``format`` is None before the first frame. ``head`` is the newest sequence; ``memory_bytes`` is of all segments; ``memory`` is
    ``"host"`` or ``"cuda"``. The rest as in :class:`PublisherInfo`.
    """

    key: str
    state: str
    state_text: str
    program: str
    source: str
    memory: str
    cuda_device_uuid: Optional[str]
    format: Optional[Format]
    slots: int
    max_slots: int
    subscribers: int
    epoch: int
    head: int
    dropped: int
    evicted: int
    memory_bytes: int
    error_code: int
    error: str

    @classmethod
    def _of(cls, raw: CStreamInfo) -> StreamInfo:
        return cls(
            _text(raw.key), word_of(_names.STATES, raw.state), _text(raw.state_text), _text(raw.program), _text(raw.source),
            word_of(_names.MEMORIES, raw.memory) if raw.memory else "", device_text(raw.cuda_device_uuid), Format._of(raw.format), raw.slots,
            raw.max_slots, raw.subscribers, raw.epoch, raw.head, raw.dropped, raw.evicted, raw.memory_bytes, raw.error_code, _text(raw.error))


def _text(data: Any) -> str:
    return str(data.decode("utf-8", "replace")) if data else ""
