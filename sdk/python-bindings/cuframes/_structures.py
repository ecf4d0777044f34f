# SPDX-License-Identifier: LGPL-2.1-or-later
"""The structures of cuframes.h, field by field. A test compares sizes and offsets with what a C compiler makes of the header."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_char_p, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

MAX_PLANES = 4
UUID_BYTES = 16
TEXT_BYTES = 256
MAX_TRACKS = 8
EXTRADATA_BYTES = 16128
PTS_UNKNOWN = -(2**63)
FOREVER = -1

if TYPE_CHECKING:
    EventCallback = Any
    LogCallback = Any
else:
    EventCallback = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
    LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_uint32, c_char_p)


class CPlane(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("pitch", c_int64), ("row_bytes", c_int64), ("rows", c_int64)]


class CMetadata(ctypes.Structure):
    _fields_ = [
        ("pts", c_int64),
        ("capture_time", c_int64),
        ("arrival_time", c_int64),
        ("publish_time", c_int64),
        ("source_packet", c_uint64),
        ("duration", c_int64),
        ("flags", c_uint32),
        ("picture_type", c_uint8),
        ("colour_matrix", c_uint8),
        ("colour_range", c_uint8),
        ("colour_primaries", c_uint8),
        ("colour_transfer", c_uint8),
        ("rotation", c_uint8),
        ("chroma_location", c_uint8),
        ("reserved", c_uint8),
    ]


class CFrame(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("memory", c_uint32),
        ("owner", c_uint64),
        ("lease", c_uint64),
        ("sequence", c_uint64),
        ("epoch", c_uint64),
        ("missed", c_uint64),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("plane_count", c_uint32),
        ("cuda_device", c_int32),
        ("reserved", c_uint32),
        ("planes", CPlane * MAX_PLANES),
        ("metadata", CMetadata),
    ]


class CEvent(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("code", c_uint32),
        ("reserved", c_uint32),
        ("epoch", c_uint64),
        ("subscriber_id", c_uint64),
        ("text", c_char_p),
    ]


class CSubscriberOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("delivery", c_uint32),
        ("leases", c_uint32),
        ("fences", c_uint32),
        ("no_reconnect", c_uint32),
        ("wait_for_stream", c_uint32),
        ("directory", c_char_p),
        ("program", c_char_p),
        ("cuda_context", c_void_p),
        ("on_event", EventCallback),
        ("event_user", c_void_p),
    ]


class CFormat(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("rate_numerator", c_uint32),
        ("rate_denominator", c_uint32),
        ("colour_matrix", c_uint8),
        ("colour_range", c_uint8),
        ("colour_primaries", c_uint8),
        ("colour_transfer", c_uint8),
    ]


class CSubscriberInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("is_connected", c_uint32),
        ("state", c_uint32),
        ("memory", c_uint32),
        ("epoch", c_uint64),
        ("granted_leases", c_uint32),
        ("held_frames", c_uint32),
        ("taken", c_uint64),
        ("missed", c_uint64),
        ("reconnects", c_uint32),
        ("evictions", c_uint32),
        ("release_fence", c_uint32),
        ("cuda_device", c_int32),
        ("cuda_device_uuid", c_uint8 * UUID_BYTES),
        ("cuda_context", c_void_p),
        ("format", CFormat),
        ("release_fence_reason", c_char * TEXT_BYTES),
        ("publisher", c_char * TEXT_BYTES),
        ("source", c_char * TEXT_BYTES),
    ]


class CPublisherOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("memory", c_uint32),
        ("slots", c_uint32),
        ("max_slots", c_uint32),
        ("max_subscribers", c_uint32),
        ("max_leases", c_uint32),
        ("memory_limit", c_int64),
        ("shrink_after", c_int64),
        ("lease_timeout", c_int64),
        ("lossless_timeout", c_int64),
        ("directory", c_char_p),
        ("program", c_char_p),
        ("source", c_char_p),
        ("cuda_context", c_void_p),
        ("cuda_device", c_int32),
        ("readers", c_uint32),
        ("users", ctypes.POINTER(c_uint32)),
        ("groups", ctypes.POINTER(c_uint32)),
        ("user_count", c_uint32),
        ("group_count", c_uint32),
        ("on_event", EventCallback),
        ("event_user", c_void_p),
    ]


class CPublisherInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_uint32),
        ("epoch", c_uint64),
        ("head", c_uint64),
        ("published", c_uint64),
        ("dropped", c_uint64),
        ("evicted", c_uint64),
        ("hung_up", c_uint64),
        ("refused", c_uint64),
        ("slots", c_uint32),
        ("held_slots", c_uint32),
        ("segment_bytes", c_int64),
        ("unanswered_bytes", c_int64),
        ("subscribers", c_uint32),
        ("cuda_device", c_int32),
        ("cuda_context", c_void_p),
        ("format", CFormat),
        ("socket_path", c_char * TEXT_BYTES),
    ]


class CSubscriberStatistics(ctypes.Structure):
    _fields_ = [
        ("subscriber_id", c_uint64),
        ("lag", c_uint64),
        ("taken", c_uint64),
        ("missed", c_uint64),
        ("process_id", c_int32),
        ("user_id", c_uint32),
        ("delivery", c_uint32),
        ("granted_leases", c_uint32),
        ("held_leases", c_uint32),
        ("reserved", c_uint32),
        ("program", c_char * TEXT_BYTES),
    ]


class CStreamInfo(ctypes.Structure):
    _fields_ = [
        ("key", c_char_p),
        ("program", c_char_p),
        ("source", c_char_p),
        ("state_text", c_char_p),
        ("error", c_char_p),
        ("error_code", c_uint32),
        ("state", c_uint32),
        ("memory", c_uint32),
        ("slots", c_uint32),
        ("max_slots", c_uint32),
        ("subscribers", c_uint32),
        ("epoch", c_uint64),
        ("head", c_uint64),
        ("dropped", c_uint64),
        ("evicted", c_uint64),
        ("memory_bytes", c_uint64),
        ("cuda_device_uuid", c_uint8 * UUID_BYTES),
        ("format", CFormat),
    ]


class CPacketTrack(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("track", c_uint32),
        ("kind", c_uint32),
        ("parameters", c_uint32),
        ("codec", c_uint32),
        ("time_base_numerator", c_int32),
        ("time_base_denominator", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("frame_rate_numerator", c_int32),
        ("frame_rate_denominator", c_int32),
        ("sample_aspect_numerator", c_int32),
        ("sample_aspect_denominator", c_int32),
        ("sample_rate", c_int32),
        ("channels", c_int32),
        ("samples_per_packet", c_int32),
        ("channel_layout", c_uint64),
        ("bits_per_sample", c_int32),
        ("block_align", c_int32),
        ("initial_padding", c_int32),
        ("seek_preroll", c_int32),
        ("reorder_delay", c_int32),
        ("extradata_size", c_uint32),
        ("colour_matrix", c_uint8),
        ("colour_range", c_uint8),
        ("colour_primaries", c_uint8),
        ("colour_transfer", c_uint8),
        ("chroma_location", c_uint8),
        ("rotation", c_uint8),
        ("field_order", c_uint8),
        ("reserved", c_uint8),
        ("language", c_char * 16),
        ("codec_name", c_char * 40),
        ("extradata", c_uint8 * EXTRADATA_BYTES),
    ]


class CPacket(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("track", c_uint32),
        ("owner", c_uint64),
        ("position", c_uint64),
        ("data", c_void_p),
        ("data_size", c_uint64),
        ("sequence", c_uint64),
        ("epoch", c_uint64),
        ("missed", c_uint64),
        ("track_sequence", c_uint64),
        ("kind", c_uint32),
        ("parameters", c_uint32),
        ("flags", c_uint32),
        ("time_base_numerator", c_int32),
        ("time_base_denominator", c_int32),
        ("reserved", c_uint32),
        ("pts", c_int64),
        ("dts", c_int64),
        ("duration", c_int64),
        ("arrival_time", c_int64),
        ("capture_time", c_int64),
        ("publish_time", c_int64),
    ]


class CPacketSubscriberOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("start", c_uint32),
        ("after_epoch", c_uint64),
        ("after_sequence", c_uint64),
        ("no_reconnect", c_uint32),
        ("wait_for_stream", c_uint32),
        ("directory", c_char_p),
        ("program", c_char_p),
        ("on_event", EventCallback),
        ("event_user", c_void_p),
    ]


class CPacketSubscriberInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("is_connected", c_uint32),
        ("state", c_uint32),
        ("tracks", c_uint32),
        ("epoch", c_uint64),
        ("taken", c_uint64),
        ("missed", c_uint64),
        ("missed_on_track", c_uint64 * MAX_TRACKS),
        ("byte_capacity", c_uint64),
        ("reconnects", c_uint32),
        ("evictions", c_uint32),
        ("publisher", c_char * TEXT_BYTES),
        ("source", c_char * TEXT_BYTES),
    ]


class CPacketPublisherOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("max_packets", c_uint32),
        ("byte_capacity", c_int64),
        ("max_age", c_int64),
        ("max_subscribers", c_uint32),
        ("readers", c_uint32),
        ("directory", c_char_p),
        ("program", c_char_p),
        ("source", c_char_p),
        ("users", ctypes.POINTER(c_uint32)),
        ("groups", ctypes.POINTER(c_uint32)),
        ("user_count", c_uint32),
        ("group_count", c_uint32),
        ("on_event", EventCallback),
        ("event_user", c_void_p),
    ]


class CPacketPublisherInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_uint32),
        ("epoch", c_uint64),
        ("head", c_uint64),
        ("oldest", c_uint64),
        ("buffered_time", c_int64),
        ("byte_capacity", c_int64),
        ("too_large", c_uint64),
        ("evicted", c_uint64),
        ("hung_up", c_uint64),
        ("refused", c_uint64),
        ("tracks", c_uint32),
        ("subscribers", c_uint32),
        ("socket_path", c_char * TEXT_BYTES),
    ]
