# SPDX-License-Identifier: LGPL-2.1-or-later
"""A track of packets."""

from __future__ import annotations

from ctypes import sizeof
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Optional

from . import _names, errors
from ._stream_publisher import count_of
from ._structures import EXTRADATA_BYTES, CPacketTrack


@dataclass(frozen=True)
class PacketTrack:
    """A track of a stream of packets and a set of its parameters: what a decoder and a container need besides the packets (docs/protocol.md 14.7).

    ``kind`` is ``"video"``, ``"audio"`` or ``"data"``, ``codec`` libavcodec's name of the codec, such as ``"h264"``, ``time_base`` the unit of times in seconds.
    ``width`` and ``height`` count visible columns and rows, ``rate`` is in pictures per second as the source announces them, ``sample_aspect`` the width of a sample by its
    height; 0 and None stand for what is not known or means nothing. ``channel_layout`` has a bit for each speaker, as in WAVEFORMATEXTENSIBLE. ``initial_padding`` samples
    are dropped at the beginning of the sound, ``seek_preroll`` decoded and dropped after a jump; output may lag behind input by ``reorder_delay`` pictures. Colours
    as in :class:`Format`; ``chroma_location`` is ITU-T H.273's type, from 0 (None: not known), ``field_order`` ``"unknown"``, ``"progressive"``, ``"top-first"`` or
    ``"bottom-first"``, ``rotation`` counts clockwise quarter turns for display. ``language`` is an ISO 639-2 code. ``extradata`` is what libavcodec calls so, such as SPS and
    PPS, byte for byte as the source gave it.

    ``number`` (of the track in its stream, from 0) and ``parameters`` (of the set on its track, from 1) are given by the publisher.
    """

    kind: str
    codec: str
    time_base: Fraction
    width: int = 0
    height: int = 0
    rate: Optional[Fraction] = None
    sample_aspect: Optional[Fraction] = None
    sample_rate: int = 0
    channels: int = 0
    channel_layout: int = 0
    samples_per_packet: int = 0
    bits_per_sample: int = 0
    block_align: int = 0
    initial_padding: int = 0
    seek_preroll: int = 0
    reorder_delay: int = 0
    colour_matrix: int = 2
    colour_range: str = "unknown"
    colour_primaries: int = 2
    colour_transfer: int = 2
    chroma_location: Optional[int] = None
    rotation: int = 0
    field_order: str = "unknown"
    language: str = ""
    extradata: bytes = b""
    number: int = 0
    parameters: int = 0

    @classmethod
    def _of(cls, raw: CPacketTrack) -> PacketTrack:
        return cls(
            _names.word_of(_names.TRACK_KINDS, raw.kind), raw.codec_name.decode("ascii", "replace"), Fraction(raw.time_base_numerator, raw.time_base_denominator),
            raw.width, raw.height, _fraction(raw.frame_rate_numerator, raw.frame_rate_denominator),
            _fraction(raw.sample_aspect_numerator, raw.sample_aspect_denominator), raw.sample_rate, raw.channels, raw.channel_layout, raw.samples_per_packet,
            raw.bits_per_sample, raw.block_align, raw.initial_padding, raw.seek_preroll, raw.reorder_delay, raw.colour_matrix,
            _names.word_of(_names.RANGES, raw.colour_range), raw.colour_primaries, raw.colour_transfer, raw.chroma_location - 1 if raw.chroma_location else None,
            raw.rotation, _names.word_of(_names.FIELD_ORDERS, raw.field_order), raw.language.decode("ascii", "replace"),
            bytes(memoryview(raw.extradata)[:min(raw.extradata_size, EXTRADATA_BYTES)]), raw.track, raw.parameters)

    def _structure(self) -> CPacketTrack:
        raw = CPacketTrack(sizeof(CPacketTrack))
        raw.kind = _names.number_of(_names.TRACK_KINDS, self.kind, "kind of track")
        raw.codec_name = _fitting(self.codec, 39, "A codec's name")
        raw.language = _fitting(self.language, 15, "A language")
        for name, value in (("time_base", self.time_base), ("frame_rate", self.rate), ("sample_aspect", self.sample_aspect)):
            ratio = Fraction(0, 1) if value is None else Fraction(value)
            setattr(raw, f"{name}_numerator", count_of(ratio.numerator, name, 2**31))
            setattr(raw, f"{name}_denominator", count_of(ratio.denominator if ratio else 0, name, 2**31))
        for name in ("width", "height", "sample_rate", "channels", "samples_per_packet", "bits_per_sample", "block_align", "initial_padding", "seek_preroll",
                     "reorder_delay"):
            setattr(raw, name, count_of(getattr(self, name), name, 2**31))
        raw.channel_layout = count_of(self.channel_layout, "channel_layout", 2**64)
        for name in ("colour_matrix", "colour_primaries", "colour_transfer", "rotation"):
            setattr(raw, name, count_of(getattr(self, name), name, 256))
        raw.colour_range = _names.number_of(_names.RANGES, self.colour_range, "colour range")
        raw.field_order = _names.number_of(_names.FIELD_ORDERS, self.field_order, "field order")
        raw.chroma_location = 0 if self.chroma_location is None else count_of(self.chroma_location + 1, "chroma_location", 256)
        if len(self.extradata) > EXTRADATA_BYTES:
            raise errors.InvalidArgument(f"extradata has {len(self.extradata)} bytes; {EXTRADATA_BYTES} are possible.", 1000, "INVALID_ARGUMENT")
        raw.extradata_size = len(self.extradata)
        memoryview(raw.extradata).cast("B")[:len(self.extradata)] = self.extradata
        return raw


def _fraction(numerator: int, denominator: int) -> Optional[Fraction]:
    return Fraction(numerator, denominator) if numerator and denominator else None


def _fitting(text: str, most: int, what: str) -> Any:
    data = _names.text_bytes(text, what) or b""
    if len(data) > most:
        raise errors.InvalidArgument(f"{what} has {len(data)} bytes; {most} are possible: {text!r}.", 1000, "INVALID_ARGUMENT")
    return data
