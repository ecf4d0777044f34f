#!/usr/bin/env python3
"""Writes the test vectors of docs/protocol.md.

Standard library only, and written from the document alone: nothing here comes from an implementation, so that the vectors
can find an implementation's mistakes. README.md beside this file describes the files.

    generate.py            writes the files beside this script
    generate.py --check    compares them with what would be written; exit code 1 when they differ
"""

import json
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent

MESSAGE_MAGIC = b"CUFR"
MESSAGES = {"HELLO": 1, "WELCOME": 2, "REFUSE": 3, "SEGMENT": 4, "SEGMENT_READY": 5, "RETIRE": 6, "RETIRED": 7,
            "NOTICE": 8, "DOORBELL": 9, "BYE": 10, "EVENT": 11}
TLVS = {"VERSION_RANGE": 1, "FEATURES": 2, "PROGRAM": 3, "DELIVERY": 4, "LEASES": 5, "DOMAIN": 6, "FENCES": 7, "WAKES": 8,
        "PROBE": 9, "VERSION": 10, "EPOCH": 11, "STREAM_KEY": 12, "STREAM_DESCRIPTION": 13, "SOURCE": 14,
        "SUBSCRIBER_ID": 15, "ERROR_CODE": 16, "ERROR_TEXT": 17, "SEGMENT": 18, "CUDA_IPC_HANDLE": 19, "SEGMENT_ID": 20,
        "NOTICE_KIND": 21, "STATE_TEXT": 22, "CUDA_EVENT": 23, "PACKETS": 24, "PACKET_STREAM": 25, "TRACK": 26,
        "START": 27}
ERRORS = {"PROTOCOL_ERROR": 1, "VERSION_MISMATCH": 2, "UNSUPPORTED_TLV": 3, "DESCRIPTOR_COUNT": 4, "INVALID_KEY": 5,
          "DELIVERY_NOT_GRANTED": 10, "DOMAIN_NOT_MAPPABLE": 11, "LEASE_QUOTA_EXCEEDED": 14, "PAGE_INVALID": 15,
          "SEGMENT_INVALID": 21, "CONTROL_BLOCK_INVALID": 22, "FRAME_INVALID": 23, "PACKET_INVALID": 35}
FORMATS = {"NV12": 0x3231564E, "I420": 0x32315559, "P010": 0x30313050, "GRAY8": 0x20203852, "RGB24": 0x34324742,
           "BGR24": 0x34324752, "RGBA": 0x34324241, "BGRA": 0x34325241, "RGBP": 0x50424752, "BGRP": 0x50524742,
           "RGBP_F16": 0x48504752, "BGRP_F16": 0x48504742, "RGBP_F32": 0x46504752, "BGRP_F32": 0x46504742}
MUST_UNDERSTAND = 0x8000

# Layouts of the document: name, offset, struct code ("16s" for bytes).
MESSAGE_HEADER = [("magic", 0, "I"), ("version", 4, "B"), ("type", 5, "B"), ("flags", 6, "H"), ("payload_length", 8, "I"),
                  ("correlation_id", 12, "I")]
CUDA_EVENT = [("slot", 0, "I"), ("reserved", 4, "I"), ("handle", 8, "64s")]
DOMAIN_OFFER = [("domain", 0, "I"), ("handle_kinds", 4, "I"), ("device_uuid", 8, "16s")]
STREAM_DESCRIPTION = [
    ("pixel_format", 0, "I"), ("width", 4, "I"), ("height", 8, "I"), ("state", 12, "I"), ("frame_rate_numerator", 16, "I"),
    ("frame_rate_denominator", 20, "I"), ("domain", 24, "I"), ("slots", 28, "I"), ("max_slots", 32, "I"),
    ("subscribers", 36, "I"), ("head", 40, "Q"), ("dropped", 48, "Q"), ("memory_bytes", 56, "Q"), ("device_uuid", 64, "16s"),
    ("colour_matrix", 80, "B"), ("colour_range", 81, "B"), ("colour_primaries", 82, "B"), ("colour_transfer", 83, "B"),
    ("lease_timeout_ms", 84, "I"), ("evicted", 88, "Q")]
PACKET_STREAM = [
    ("state", 0, "I"), ("tracks", 4, "I"), ("subscribers", 8, "I"), ("reserved", 12, "I"), ("head", 16, "Q"), ("oldest", 24, "Q"),
    ("byte_capacity", 32, "Q"), ("buffered_time", 40, "Q"), ("refused", 48, "Q"), ("evicted", 56, "Q")]
TRACK_DESCRIPTION = [
    ("track", 0, "I"), ("kind", 4, "I"), ("codec", 8, "I"), ("width", 12, "I"), ("height", 16, "I"), ("sample_rate", 20, "I"),
    ("channels", 24, "I"), ("frame_rate_numerator", 28, "I"), ("frame_rate_denominator", 32, "I"), ("reserved", 36, "I"), ("packets", 40, "Q"),
    ("language", 48, "8s"), ("codec_name", 56, "32s")]
CONTROL_BLOCK = [
    ("magic", 0, "Q"), ("layout_version", 8, "I"), ("slot_size", 12, "I"), ("index_entry_size", 16, "I"),
    ("slot_capacity", 20, "I"), ("index_capacity", 24, "I"), ("total_size", 28, "I"), ("index_offset", 32, "I"),
    ("slots_offset", 36, "I"), ("epoch", 40, "Q"), ("state", 64, "I"), ("segment_generation", 68, "I"),
    ("control_messages", 72, "I"), ("dropped", 80, "Q"), ("futex_word", 128, "I"), ("head", 136, "Q")]
FRAME_META = [
    ("pts", 0, "q"), ("capture_time", 8, "q"), ("arrival_time", 16, "q"), ("publish_time", 24, "q"),
    ("source_packet", 32, "Q"), ("duration", 40, "q"), ("flags", 48, "I"), ("picture_type", 52, "B"),
    ("colour_matrix", 53, "B"), ("colour_range", 54, "B"), ("colour_primaries", 55, "B"), ("colour_transfer", 56, "B"),
    ("rotation", 57, "B"), ("chroma_location", 58, "B"), ("reserved", 60, "I")]
PICTURE = [
    ("width", 0, "I"), ("height", 4, "I"), ("pixel_format", 8, "I"), ("plane_count", 12, "I"), ("crop_left", 16, "H"),
    ("crop_top", 18, "H"), ("crop_right", 20, "H"), ("crop_bottom", 22, "H"), ("reserved", 24, "8s"),
    ("plane0_offset", 32, "Q"), ("plane1_offset", 40, "Q"), ("plane2_offset", 48, "Q"), ("plane3_offset", 56, "Q"),
    ("plane0_pitch", 64, "I"), ("plane1_pitch", 68, "I"), ("plane2_pitch", 72, "I"), ("plane3_pitch", 76, "I"),
    ("modifier", 80, "Q")]
SLOT_HEAD = [("state", 0, "Q"), ("segment_id", 8, "I"), ("segment_generation", 12, "I")]
SUBSCRIBER_PAGE_HEAD = [
    ("magic", 0, "Q"), ("subscriber_id", 8, "Q"), ("waiting", 16, "I"), ("progress", 20, "I"), ("cursor", 24, "Q"),
    ("taken", 32, "Q"), ("missed", 40, "Q"), ("released", 48, "Q"), ("publisher_waiting", 64, "I")]
SEGMENT_DESCRIPTION = [
    ("segment_id", 0, "I"), ("domain", 4, "I"), ("handle_kind", 8, "I"), ("segment_generation", 12, "I"), ("size", 16, "Q"),
    ("device_uuid", 24, "16s"), ("slots", 40, "I"), ("reserved", 44, "I")]

PACKET_BLOCK = [
    ("magic", 0, "Q"), ("layout_version", 8, "I"), ("track_size", 12, "I"), ("parameters_size", 16, "I"), ("packet_size", 20, "I"),
    ("track_capacity", 24, "I"), ("parameters_capacity", 28, "I"), ("index_capacity", 32, "I"), ("tracks_offset", 36, "I"),
    ("epoch", 40, "Q"), ("parameters_offset", 48, "I"), ("index_offset", 52, "I"), ("bytes_offset", 56, "Q"),
    ("byte_capacity", 64, "Q"), ("total_size", 72, "Q"), ("state", 128, "I"), ("control_messages", 132, "I"), ("tracks", 136, "I"),
    ("refused", 144, "Q"), ("futex_word", 192, "I"), ("head", 200, "Q"), ("oldest", 208, "Q"), ("last_key", 216, "Q")]
PACKET_DESCRIPTOR = [
    ("sequence", 0, "Q"), ("position", 8, "Q"), ("size", 16, "I"), ("track", 20, "I"), ("parameters", 24, "I"), ("flags", 28, "I"),
    ("pts", 32, "q"), ("dts", 40, "q"), ("duration", 48, "q"), ("arrival_time", 56, "q"), ("capture_time", 64, "q"),
    ("publish_time", 72, "q"), ("reserved", 80, "Q")]
TRACK_PARAMETERS = [
    ("number", 0, "I"), ("codec", 4, "I"), ("time_base_numerator", 8, "I"), ("time_base_denominator", 12, "I"), ("width", 16, "I"),
    ("height", 20, "I"), ("frame_rate_numerator", 24, "I"), ("frame_rate_denominator", 28, "I"), ("sample_aspect_numerator", 32, "I"),
    ("sample_aspect_denominator", 36, "I"), ("sample_rate", 40, "I"), ("channels", 44, "I"), ("channel_layout", 48, "Q"),
    ("samples_per_packet", 56, "I"), ("bits_per_sample", 60, "I"), ("block_align", 64, "I"), ("initial_padding", 68, "I"),
    ("seek_preroll", 72, "I"), ("reorder_delay", 76, "I"), ("colour_matrix", 80, "B"), ("colour_range", 81, "B"),
    ("colour_primaries", 82, "B"), ("colour_transfer", 83, "B"), ("chroma_location", 84, "B"), ("field_order", 85, "B"),
    ("rotation", 86, "B"), ("codec_name", 88, "32s"), ("extradata_size", 120, "I")]

PACKET_MAGIC = int.from_bytes(b"CUFRPKTS", "little")
CONTROL_MAGIC = int.from_bytes(b"CUFRCTRL", "little")
PAGE_MAGIC = int.from_bytes(b"CUFRPAGE", "little")
GPU_UUID = bytes(range(0x10, 0x20))


def pack(layout, size, values, fill=0):
    """Lays values out; bytes that no field names hold `fill`."""
    unknown = set(values) - {name for name, _, _ in layout}
    if unknown:
        raise KeyError(unknown)
    data = bytearray([fill]) * size
    for name, offset, code in layout:
        value = values.get(name, bytes(int(code[:-1])) if code.endswith("s") else 0)
        struct.pack_into("<" + code, data, offset, value)
    return bytes(data)


def fields(layout, data):
    """What a reader finds. 64-bit numbers are strings of decimal digits, since not every JSON reader keeps 64 bits."""
    result = {}
    for name, offset, code in layout:
        (value,) = struct.unpack_from("<" + code, data, offset)
        result[name] = value.hex() if isinstance(value, bytes) else str(value) if code in "qQ" else value
    return result


def header(kind, length, version=1, flags=0, correlation=0, magic=MESSAGE_MAGIC):
    code = MESSAGES[kind] if isinstance(kind, str) else kind
    return magic + struct.pack("<BBHII", version, code, flags, length, correlation)


def tlv(kind, value=b"", flags=0, length=None, padding=0, pad=True):
    code = TLVS[kind] if isinstance(kind, str) else kind
    head = struct.pack("<HHI", code, flags, len(value) if length is None else length)
    return head + value + (bytes([padding]) * (-len(value) % 8) if pad else b"")


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def versions(lowest, highest):
    return struct.pack("<HH", lowest, highest)


def message(kind, *parts, **options):
    payload = b"".join(parts)
    return header(kind, len(payload), **options) + payload


HOST_OFFER = pack(DOMAIN_OFFER, 24, {"domain": 1, "handle_kinds": 1 << 1})
CUDA_OFFER = pack(DOMAIN_OFFER, 24, {"domain": 2, "handle_kinds": 1 << 2 | 1 << 3, "device_uuid": GPU_UUID})
DESCRIPTION = {
    "pixel_format": FORMATS["NV12"], "width": 1920, "height": 1080, "state": 1, "frame_rate_numerator": 30000,
    "frame_rate_denominator": 1001, "domain": 1, "slots": 8, "max_slots": 32, "subscribers": 3, "head": 0x123456789A,
    "dropped": 7, "memory_bytes": 25165824, "colour_matrix": 1, "colour_range": 1, "colour_primaries": 1,
    "colour_transfer": 1, "lease_timeout_ms": 2000, "evicted": 2}
SEGMENT = {"segment_id": 5, "domain": 1, "handle_kind": 1, "segment_generation": 2, "size": 8 * 3133440, "slots": 8}


# --- messages ---------------------------------------------------------------------------------------------------------

def header_vectors():
    good = [
        ("hello", "2.5", header("HELLO", 0, correlation=1), 16),
        ("every-field", "2.5", header("NOTICE", 0x30, version=1, correlation=0xFFFFFFFF), 64),
        ("unknown-flags-are-ignored", "2.5", header("BYE", 0, flags=0xFFFF), 16),
        ("longest", "2.2", header("HELLO", 65520), 65536),
        ("hello-of-another-version", "2.9", header("HELLO", 24, version=9), 40),
    ]
    bad = [
        ("magic", "2.5", header("HELLO", 0, magic=b"CUFS"), 16),
        ("magic-big-endian", "2.5", header("HELLO", 0, magic=b"RFUC"), 16),
        ("shorter-than-a-header", "2.5", header("HELLO", 0)[:15], 15),
        ("one-byte", "2.5", b"C", 1),
        ("length-too-small", "2.5", header("HELLO", 8), 32),
        ("length-too-large", "2.5", header("HELLO", 24), 32),
        ("length-includes-the-header", "2.5", header("HELLO", 16), 16),
        ("length-overflows", "2.5", header("HELLO", 0xFFFFFFF0), 16),
        ("longer-than-a-message-may-be", "2.2", header("HELLO", 65528), 65544),
    ]
    return [{"name": name, "paragraph": paragraph, "hex": data.hex(), "packet_size": size,
             "fields": fields(MESSAGE_HEADER, data)} for name, paragraph, data, size in good] + \
           [{"name": name, "paragraph": paragraph, "hex": data.hex(), "packet_size": size,
             **error("PROTOCOL_ERROR")} for name, paragraph, data, size in bad]


def error(name):
    return {"error": name, "error_code": ERRORS[name]}


# TLVs that each message knows, by the paragraphs 2.9, 3.2, 3.3, 3.5, 6.3, 6.10, 9.1 and 9.2.
IN_PLACE = {
    "HELLO": ["VERSION_RANGE", "FEATURES", "PROGRAM", "DELIVERY", "LEASES", "DOMAIN", "FENCES", "WAKES", "PROBE"],
    "WELCOME": ["VERSION", "FEATURES", "EPOCH", "STREAM_KEY", "STREAM_DESCRIPTION", "PROGRAM", "SOURCE", "SUBSCRIBER_ID",
                "DELIVERY", "LEASES", "FENCES", "WAKES", "START"],
    "REFUSE": ["ERROR_CODE", "ERROR_TEXT", "VERSION_RANGE"],
    "SEGMENT": ["SEGMENT", "CUDA_IPC_HANDLE"],
    "SEGMENT_READY": ["SEGMENT_ID"],
    "RETIRE": ["SEGMENT_ID"],
    "RETIRED": ["SEGMENT_ID"],
    "NOTICE": ["NOTICE_KIND", "ERROR_CODE", "ERROR_TEXT"],
    "DOORBELL": [],
    "BYE": ["ERROR_CODE", "ERROR_TEXT"],
    "EVENT": ["CUDA_EVENT"],
}
# The same where packets are offered, by 14.2 and 14.3.
PACKETS_IN_PLACE = {
    "HELLO": ["VERSION_RANGE", "PACKETS", "FEATURES", "PROGRAM", "WAKES", "PROBE", "DELIVERY", "LEASES", "DOMAIN", "FENCES"],
    "WELCOME": ["PACKETS", "VERSION", "FEATURES", "EPOCH", "STREAM_KEY", "PACKET_STREAM", "TRACK", "PROGRAM", "SOURCE", "STATE_TEXT",
                "SUBSCRIBER_ID", "WAKES"],
}
STRINGS = {"PROGRAM", "STREAM_KEY", "SOURCE", "ERROR_TEXT", "STATE_TEXT"}
WORDS = {"DELIVERY", "LEASES", "FENCES", "WAKES", "VERSION", "ERROR_CODE", "SEGMENT_ID", "NOTICE_KIND"}
LONG_WORDS = {"FEATURES", "EPOCH", "SUBSCRIBER_ID", "START"}
TLV_LAYOUTS = {"DOMAIN": DOMAIN_OFFER, "STREAM_DESCRIPTION": STREAM_DESCRIPTION, "SEGMENT": SEGMENT_DESCRIPTION,
               "VERSION_RANGE": [("lowest", 0, "H"), ("highest", 2, "H")], "CUDA_EVENT": CUDA_EVENT,
               "PACKET_STREAM": PACKET_STREAM, "TRACK": TRACK_DESCRIPTION}


def decode(name, value):
    if name in STRINGS:
        return value.decode("utf-8")
    if name in WORDS:
        return struct.unpack_from("<I", value)[0]
    if name in LONG_WORDS:
        return str(struct.unpack_from("<Q", value)[0])
    if name in TLV_LAYOUTS:
        return fields(TLV_LAYOUTS[name], value)
    if name == "CUDA_IPC_HANDLE":
        return value[:64].hex()
    return True  # PROBE and PACKETS: it is there


def walk(payload):
    """Every TLV of a sound payload: type, flags, value."""
    position = 0
    while position < len(payload):
        kind, flags, length = struct.unpack_from("<HHI", payload, position)
        yield kind, flags, payload[position + 8:position + 8 + length]
        position += 8 + length + (-length % 8)


def message_fields(packet, in_place=IN_PLACE):
    names = {number: name for name, number in TLVS.items()}
    kinds = {number: name for name, number in MESSAGES.items()}
    head = fields(MESSAGE_HEADER, packet)
    kind = kinds[head["type"]]
    return {"message": kind, "version": head["version"], "correlation_id": head["correlation_id"],
            "tlvs": [{"name": names[number], "value": decode(names[number], value)}
                     for number, _, value in walk(packet[16:]) if names.get(number) in in_place[kind]]}


def tlv_vectors():
    def sound(name, payload):
        found = [{"type": kind, "flags": flags, "value": value.hex()} for kind, flags, value in walk(payload)]
        return {"name": name, "paragraph": "2.6", "hex": payload.hex(), "tlvs": found}

    good = [sound(name, payload) for name, payload in [
        ("empty-payload", b""),
        ("empty-value", tlv("PROBE")),
        ("one-byte", tlv("PROGRAM", b"a")),
        ("seven-bytes", tlv("PROGRAM", b"a" * 7)),
        ("eight-bytes-need-no-padding", tlv("PROGRAM", b"a" * 8)),
        ("nine-bytes", tlv("PROGRAM", b"a" * 9)),
        ("padding-content-is-ignored", tlv("LEASES", u32(3), padding=0xFF) + tlv("DELIVERY", u32(1), padding=0xAA)),
        ("several", tlv("VERSION_RANGE", versions(1, 1)) + tlv("PROBE") + tlv("PROGRAM", b"a program")),
        ("unknown-type", tlv(0x7777, b"something else") + tlv("PROBE")),
        ("type-zero", tlv(0, b"")),
        ("highest-type", tlv(0xFFFF, b"z" * 20)),
        ("must-understand-flag", tlv("LEASES", u32(3), flags=MUST_UNDERSTAND)),
        ("unknown-flags", tlv("LEASES", u32(3), flags=0x7FFF)),
        ("long-value", tlv(0x7777, b"\x5a" * 1000)),
        ("a-hundred", tlv(0x7777) * 100),
    ]]
    bad = [{"name": name, "paragraph": "2.6", "hex": payload.hex(), **error("PROTOCOL_ERROR")} for name, payload in [
        ("stray-byte", b"\x00"),
        ("head-cut-off", tlv("PROBE")[:7]),
        ("head-cut-off-after-a-sound-one", tlv("LEASES", u32(3)) + tlv("PROBE")[:4]),
        ("value-past-the-end", tlv("LEASES", u32(3), length=9)),
        ("value-far-past-the-end", tlv("LEASES", u32(3), length=0x7FFFFFFF)),
        ("length-overflows-when-padded", tlv("LEASES", u32(3), length=0xFFFFFFFF)),
        ("length-plus-head-overflows", tlv("LEASES", u32(3), length=0xFFFFFFF8)),
        ("value-missing", tlv("LEASES", b"", length=4)),
        ("last-padding-missing", tlv("LEASES", u32(3), pad=False)),
        ("last-padding-cut-off", tlv("PROGRAM", b"abc")[:-1]),
    ]]
    return good + bad


def message_vectors():
    def hello(*extra, leave_out=(), version=1, correlation=11, replace=None):
        parts = {"VERSION_RANGE": tlv("VERSION_RANGE", versions(1, 1)), "DELIVERY": tlv("DELIVERY", u32(2)),
                 "LEASES": tlv("LEASES", u32(4)), "DOMAIN": tlv("DOMAIN", HOST_OFFER)}
        parts.update(replace or {})
        return message("HELLO", *[part for name, part in parts.items() if name not in leave_out], *extra, version=version,
                       correlation=correlation)

    def welcome(*extra, leave_out=(), version=1, replace=None):
        parts = {"VERSION": tlv("VERSION", u32(1)), "FEATURES": tlv("FEATURES", u64(0)),
                 "EPOCH": tlv("EPOCH", u64(0xFEDCBA9876543210)), "STREAM_KEY": tlv("STREAM_KEY", b"front-door@small"),
                 "STREAM_DESCRIPTION": tlv("STREAM_DESCRIPTION", pack(STREAM_DESCRIPTION, 96, DESCRIPTION)),
                 "SUBSCRIBER_ID": tlv("SUBSCRIBER_ID", u64(3)), "DELIVERY": tlv("DELIVERY", u32(2)),
                 "LEASES": tlv("LEASES", u32(4)), "FENCES": tlv("FENCES", u32(1)), "WAKES": tlv("WAKES", u32(3))}
        parts.update(replace or {})
        return message("WELCOME", *[part for name, part in parts.items() if name not in leave_out], *extra, version=version,
                       correlation=11)

    def start(cursor):
        return tlv("START", u64(cursor), flags=MUST_UNDERSTAND)

    head = DESCRIPTION["head"]
    probe_only = ("SUBSCRIBER_ID", "DELIVERY", "LEASES", "FENCES", "WAKES")
    host_segment = tlv("SEGMENT", pack(SEGMENT_DESCRIPTION, 48, SEGMENT))
    ipc_segment = tlv("SEGMENT", pack(SEGMENT_DESCRIPTION, 48, {
        "segment_id": 6, "domain": 2, "handle_kind": 3, "segment_generation": 1, "size": 1 << 26, "device_uuid": GPU_UUID,
        "slots": 16}))
    notice = tlv("NOTICE_KIND", u32(3)) + tlv("ERROR_CODE", u32(13)) + tlv("ERROR_TEXT", "held 2.1 s".encode())

    event = pack(CUDA_EVENT, 72, {"slot": 5, "handle": bytes(range(64))})
    good = [
        # name, paragraph, receiver, descriptors, packet
        ("hello-smallest", "3.2", "publisher", 0, hello()),
        ("hello-full", "3.2", "publisher", 0, hello(
            tlv("DOMAIN", CUDA_OFFER), tlv("FEATURES", u64(0)), tlv("PROGRAM", "détecteur".encode()), tlv("FENCES", u32(3)),
            tlv("WAKES", u32(3)))),
        ("hello-probe", "3.2", "publisher", 0, message("HELLO", tlv("VERSION_RANGE", versions(1, 1)), tlv("PROBE"),
                                                       correlation=5)),
        ("hello-tlvs-in-another-order", "3.2", "publisher", 0, message(
            "HELLO", tlv("DOMAIN", HOST_OFFER), tlv("LEASES", u32(64)), tlv("DELIVERY", u32(1)),
            tlv("VERSION_RANGE", versions(1, 1)))),
        ("hello-wider-range", "2.9", "publisher", 0, hello(replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(1, 9))})),
        ("hello-lowest-version-zero", "2.9", "publisher", 0, hello(
            replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(0, 1))}, version=0)),
        ("hello-unknown-tlv", "2.6", "publisher", 0, hello(tlv(0x7777, b"from the future"))),
        ("hello-unknown-tlv-twice", "2.6", "publisher", 0, hello(tlv(0x7777, b"a"), tlv(0x7777, b"b"))),
        ("hello-known-tlv-out-of-place", "2.6", "publisher", 0, hello(tlv("EPOCH", u64(1)))),
        ("hello-known-tlv-out-of-place-and-too-short", "2.6", "publisher", 0, hello(tlv("EPOCH", b"\x01"))),
        ("hello-known-tlv-with-must-understand", "2.6", "publisher", 0, hello(
            replace={"LEASES": tlv("LEASES", u32(4), flags=MUST_UNDERSTAND)})),
        ("hello-value-longer-than-its-layout", "2.6", "publisher", 0, hello(replace={
            "LEASES": tlv("LEASES", u32(4) + b"\xff" * 9), "DOMAIN": tlv("DOMAIN", HOST_OFFER + b"\xff" * 4)})),
        ("hello-unknown-feature-bits", "11.3", "publisher", 0, hello(tlv("FEATURES", u64(0xFFFFFFFFFFFFFFFF)))),
        ("hello-unknown-fence-and-wake-bits", "3.3", "publisher", 0, hello(
            tlv("FENCES", u32(0xFFFFFFFF)), tlv("WAKES", u32(0xFFFFFFFF)))),
        ("hello-longest-program", "2.8", "publisher", 0, hello(tlv("PROGRAM", b"p" * 64))),
        ("hello-empty-program", "2.8", "publisher", 0, hello(tlv("PROGRAM", b""))),
        ("welcome", "3.3", "subscriber", 2, welcome(tlv("PROGRAM", b"cuframesd"), tlv("SOURCE", b"rtsp://camera/1"))),
        ("welcome-to-a-probe", "3.3", "subscriber", 0, welcome(leave_out=probe_only)),
        ("welcome-start-at-head", "6.11", "subscriber", 2, welcome(start(head))),
        ("welcome-start-before-head", "6.6", "subscriber", 2, welcome(start(1))),
        ("welcome-start-at-zero", "6.6", "subscriber", 2, welcome(start(0))),
        ("welcome-start-longer-value", "2.6", "subscriber", 2, welcome(
            tlv("START", u64(head) + b"\xee" * 8, flags=MUST_UNDERSTAND))),
        ("welcome-longer-description", "2.6", "subscriber", 2, welcome(replace={"STREAM_DESCRIPTION": tlv(
            "STREAM_DESCRIPTION", pack(STREAM_DESCRIPTION, 96, DESCRIPTION) + b"\xee" * 32)})),
        ("refuse", "3.5", "subscriber", 0, message("REFUSE", tlv("ERROR_CODE", u32(9)),
                                                   tlv("ERROR_TEXT", "32 of 32 subscribers are there.".encode()),
                                                   correlation=11)),
        ("refuse-version", "2.9", "subscriber", 0, message(
            "REFUSE", tlv("ERROR_CODE", u32(2)), tlv("ERROR_TEXT", b"no common version"),
            tlv("VERSION_RANGE", versions(1, 1)), version=7, correlation=11)),
        ("refuse-unknown-code", "12", "subscriber", 0, message("REFUSE", tlv("ERROR_CODE", u32(250)),
                                                               tlv("ERROR_TEXT", b"from the future"))),
        ("segment-host", "6.3", "subscriber", 1, message("SEGMENT", host_segment)),
        ("segment-cuda-ipc", "6.3", "subscriber", 0, message("SEGMENT", ipc_segment,
                                                             tlv("CUDA_IPC_HANDLE", bytes(range(64))))),
        ("segment-ready", "6.3", "publisher", 0, message("SEGMENT_READY", tlv("SEGMENT_ID", u32(5)))),
        ("retire", "6.10", "subscriber", 0, message("RETIRE", tlv("SEGMENT_ID", u32(5)))),
        ("retired", "6.10", "publisher", 0, message("RETIRED", tlv("SEGMENT_ID", u32(5)))),
        ("notice-evicted", "9.1", "subscriber", 0, message("NOTICE", notice)),
        ("notice-smallest", "9.1", "subscriber", 0, message("NOTICE", tlv("NOTICE_KIND", u32(4)))),
        ("doorbell", "8.3", "subscriber", 0, message("DOORBELL")),
        ("doorbell-with-unknown-tlv", "2.6", "subscriber", 0, message("DOORBELL", tlv(0x100, b"x"))),
        ("bye", "9.2", "publisher", 0, message("BYE")),
        ("event", "7.2", "publisher", 0, message("EVENT", tlv("CUDA_EVENT", event))),
        ("event-highest-slot", "7.2", "publisher", 0, message("EVENT", tlv("CUDA_EVENT", pack(
            CUDA_EVENT, 72, {"slot": 63, "handle": bytes(range(100, 164))})))),
        ("bye-with-code", "9.2", "subscriber", 0, message("BYE", tlv("ERROR_CODE", u32(23)), tlv("ERROR_TEXT", b"bad"))),
    ]

    protocol = "PROTOCOL_ERROR"
    bad = [
        ("hello-unknown-tlv-with-must-understand", "2.6", "publisher", 0, hello(tlv(0x7777, b"", flags=MUST_UNDERSTAND)),
         "UNSUPPORTED_TLV"),
        ("hello-known-tlv-out-of-place-with-must-understand", "2.6", "publisher", 0,
         hello(tlv("EPOCH", u64(1), flags=MUST_UNDERSTAND)), "UNSUPPORTED_TLV"),
        ("hello-tlv-twice", "2.6", "publisher", 0, hello(tlv("LEASES", u32(4))), protocol),
        ("hello-value-too-short", "2.6", "publisher", 0, hello(replace={"LEASES": tlv("LEASES", b"\x04\x00\x00")}), protocol),
        ("hello-domain-too-short", "2.6", "publisher", 0, hello(replace={"DOMAIN": tlv("DOMAIN", HOST_OFFER[:23])}), protocol),
        ("hello-empty", "3.2", "publisher", 0, message("HELLO"), protocol),
        ("hello-without-version-range", "3.2", "publisher", 0, hello(leave_out=("VERSION_RANGE",)), protocol),
        ("hello-without-delivery", "3.2", "publisher", 0, hello(leave_out=("DELIVERY",)), protocol),
        ("hello-without-leases", "3.2", "publisher", 0, hello(leave_out=("LEASES",)), protocol),
        ("hello-without-domain", "3.2", "publisher", 0, hello(leave_out=("DOMAIN",)), protocol),
        ("hello-leases-zero", "2.8", "publisher", 0, hello(replace={"LEASES": tlv("LEASES", u32(0))}), protocol),
        ("hello-leases-65", "2.8", "publisher", 0, hello(replace={"LEASES": tlv("LEASES", u32(65))}), protocol),
        ("hello-delivery-zero", "3.4", "publisher", 0, hello(replace={"DELIVERY": tlv("DELIVERY", u32(0))}), protocol),
        ("hello-delivery-4", "3.4", "publisher", 0, hello(replace={"DELIVERY": tlv("DELIVERY", u32(4))}), protocol),
        ("hello-range-upside-down", "2.9", "publisher", 0,
         hello(replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(2, 1))}, version=2), protocol),
        ("hello-header-is-not-the-lowest-version", "2.9", "publisher", 0,
         hello(replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(1, 3))}, version=3), protocol),
        ("hello-invalid-utf8", "2.6", "publisher", 0, hello(tlv("PROGRAM", b"ab\xc3")), protocol),
        ("hello-overlong-utf8", "2.6", "publisher", 0, hello(tlv("PROGRAM", b"\xc0\xaf")), protocol),
        ("hello-surrogate-utf8", "2.6", "publisher", 0, hello(tlv("PROGRAM", b"\xed\xa0\x80")), protocol),
        ("hello-program-65-bytes", "2.8", "publisher", 0, hello(tlv("PROGRAM", b"p" * 65)), protocol),
        ("hello-truncated", "2.5", "publisher", 0, hello()[:-8], protocol),
        ("hello-with-a-descriptor", "2.4", "publisher", 1, hello(), "DESCRIPTOR_COUNT"),
        ("hello-newer-versions-only", "2.9", "publisher", 0,
         hello(replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(2, 3))}, version=2), "VERSION_MISMATCH"),
        ("hello-older-version-only", "2.9", "publisher", 0,
         hello(replace={"VERSION_RANGE": tlv("VERSION_RANGE", versions(0, 0))}, version=0), "VERSION_MISMATCH"),
        ("hello-only-cuda", "3.5", "publisher", 0, hello(replace={"DOMAIN": tlv("DOMAIN", CUDA_OFFER)}),
         "DOMAIN_NOT_MAPPABLE"),
        ("hello-host-without-memfd", "3.5", "publisher", 0, hello(replace={"DOMAIN": tlv("DOMAIN", pack(
            DOMAIN_OFFER, 24, {"domain": 1, "handle_kinds": 1 << 2}))}), "DOMAIN_NOT_MAPPABLE"),
        ("hello-unknown-domain", "3.5", "publisher", 0, hello(replace={"DOMAIN": tlv("DOMAIN", pack(
            DOMAIN_OFFER, 24, {"domain": 99, "handle_kinds": 0xFFFFFFFF}))}), "DOMAIN_NOT_MAPPABLE"),
        ("unknown-type-zero", "2.7", "publisher", 0, message(0), protocol),
        ("unknown-type-12", "2.7", "publisher", 0, message(12), protocol),
        ("unknown-type-255", "2.7", "subscriber", 0, message(255), protocol),
        ("welcome-without-descriptors", "3.3", "subscriber", 0, welcome(), "DESCRIPTOR_COUNT"),
        ("welcome-with-one-descriptor", "3.3", "subscriber", 1, welcome(), "DESCRIPTOR_COUNT"),
        ("welcome-with-three-descriptors", "3.3", "subscriber", 3, welcome(), "DESCRIPTOR_COUNT"),
        ("welcome-wrong-header-version", "2.9", "subscriber", 2, welcome(version=2), protocol),
        ("welcome-version-not-offered", "2.9", "subscriber", 2, welcome(replace={"VERSION": tlv("VERSION", u32(2))},
                                                                        version=2), protocol),
        ("welcome-epoch-zero", "2.8", "subscriber", 2, welcome(replace={"EPOCH": tlv("EPOCH", u64(0))}), protocol),
        ("welcome-subscriber-zero", "2.8", "subscriber", 2,
         welcome(replace={"SUBSCRIBER_ID": tlv("SUBSCRIBER_ID", u64(0))}), protocol),
        ("welcome-leases-zero", "3.3", "subscriber", 2, welcome(replace={"LEASES": tlv("LEASES", u32(0))}), protocol),
        ("welcome-leases-more-than-asked", "3.3", "subscriber", 2, welcome(replace={"LEASES": tlv("LEASES", u32(5))}),
         protocol),
        ("welcome-other-delivery", "3.3", "subscriber", 2, welcome(replace={"DELIVERY": tlv("DELIVERY", u32(1))}), protocol),
        ("welcome-unknown-tlv-with-must-understand", "2.6", "subscriber", 2,
         welcome(tlv(0x7777, b"", flags=MUST_UNDERSTAND)), "UNSUPPORTED_TLV"),
        ("welcome-start-above-head", "3.3", "subscriber", 2, welcome(start(head + 1)), protocol),
        ("welcome-start-largest", "3.3", "subscriber", 2, welcome(start(2**64 - 1)), protocol),
        ("welcome-start-twice", "2.6", "subscriber", 2, welcome(start(head), start(head)), protocol),
        ("welcome-start-too-short", "2.6", "subscriber", 2, welcome(tlv("START", u32(1), flags=MUST_UNDERSTAND)), protocol),
        ("welcome-description-too-short", "2.6", "subscriber", 2, welcome(replace={"STREAM_DESCRIPTION": tlv(
            "STREAM_DESCRIPTION", pack(STREAM_DESCRIPTION, 96, DESCRIPTION)[:95])}), protocol),
    ] + [
        (f"welcome-without-{name.lower().replace('_', '-')}", "3.3", "subscriber", 2, welcome(leave_out=(name,)), protocol)
        for name in ("VERSION", "FEATURES", "EPOCH", "STREAM_KEY", "STREAM_DESCRIPTION", "SUBSCRIBER_ID", "DELIVERY", "LEASES",
                     "FENCES", "WAKES")
    ] + [
        ("refuse-without-code", "3.5", "subscriber", 0, message("REFUSE", tlv("ERROR_TEXT", b"no")), protocol),
        ("refuse-text-1025-bytes", "2.8", "subscriber", 0,
         message("REFUSE", tlv("ERROR_CODE", u32(9)), tlv("ERROR_TEXT", b"t" * 1025)), protocol),
        ("segment-without-descriptor", "6.3", "subscriber", 0, message("SEGMENT", host_segment), "DESCRIPTOR_COUNT"),
        ("segment-with-two-descriptors", "6.3", "subscriber", 2, message("SEGMENT", host_segment), "DESCRIPTOR_COUNT"),
        ("segment-cuda-ipc-with-descriptor", "6.3", "subscriber", 1,
         message("SEGMENT", ipc_segment, tlv("CUDA_IPC_HANDLE", bytes(64))), "DESCRIPTOR_COUNT"),
        ("segment-empty", "6.3", "subscriber", 1, message("SEGMENT"), protocol),
        ("segment-too-short", "6.3", "subscriber", 1,
         message("SEGMENT", tlv("SEGMENT", pack(SEGMENT_DESCRIPTION, 48, SEGMENT)[:47])), protocol),
        ("segment-twice", "2.6", "subscriber", 1, message("SEGMENT", host_segment, host_segment), protocol),
        ("segment-cuda-ipc-without-handle", "6.3", "subscriber", 0, message("SEGMENT", ipc_segment), protocol),
        ("segment-cuda-ipc-handle-too-short", "6.3", "subscriber", 0,
         message("SEGMENT", ipc_segment, tlv("CUDA_IPC_HANDLE", bytes(63))), protocol),
        ("segment-size-zero", "6.3", "subscriber", 1, message("SEGMENT", tlv("SEGMENT", pack(
            SEGMENT_DESCRIPTION, 48, {**SEGMENT, "size": 0}))), "SEGMENT_INVALID"),
        ("segment-size-over-2-to-the-40", "6.3", "subscriber", 1, message("SEGMENT", tlv("SEGMENT", pack(
            SEGMENT_DESCRIPTION, 48, {**SEGMENT, "size": (1 << 40) + 1}))), "SEGMENT_INVALID"),
        ("segment-size-2-to-the-64-less-1", "6.3", "subscriber", 1, message("SEGMENT", tlv("SEGMENT", pack(
            SEGMENT_DESCRIPTION, 48, {**SEGMENT, "size": (1 << 64) - 1}))), "SEGMENT_INVALID"),
        ("segment-ready-empty", "6.3", "publisher", 0, message("SEGMENT_READY"), protocol),
        ("segment-ready-with-descriptor", "2.4", "publisher", 1, message("SEGMENT_READY", tlv("SEGMENT_ID", u32(5))),
         "DESCRIPTOR_COUNT"),
        ("retire-empty", "6.10", "subscriber", 0, message("RETIRE"), protocol),
        ("retired-empty", "6.10", "publisher", 0, message("RETIRED"), protocol),
        ("retired-id-too-short", "2.6", "publisher", 0, message("RETIRED", tlv("SEGMENT_ID", b"\x05\x00")), protocol),
        ("notice-empty", "9.1", "subscriber", 0, message("NOTICE"), protocol),
        ("notice-with-descriptor", "2.4", "subscriber", 1, message("NOTICE", notice), "DESCRIPTOR_COUNT"),
        ("doorbell-with-must-understand", "2.6", "subscriber", 0,
         message("DOORBELL", tlv(0x100, b"x", flags=MUST_UNDERSTAND)), "UNSUPPORTED_TLV"),
        ("doorbell-with-descriptor", "2.4", "subscriber", 1, message("DOORBELL"), "DESCRIPTOR_COUNT"),
        ("event-empty", "7.2", "publisher", 0, message("EVENT"), protocol),
        ("event-too-short", "2.6", "publisher", 0, message("EVENT", tlv("CUDA_EVENT", event[:71])), protocol),
        ("event-twice", "2.6", "publisher", 0, message("EVENT", tlv("CUDA_EVENT", event), tlv("CUDA_EVENT", event)), protocol),
        ("event-slot-64", "7.2", "publisher", 0, message("EVENT", tlv("CUDA_EVENT", pack(
            CUDA_EVENT, 72, {"slot": 64, "handle": bytes(64)}))), protocol),
        ("bye-invalid-utf8", "2.6", "publisher", 0, message("BYE", tlv("ERROR_TEXT", b"\xff")), protocol),
    ]
    noise = random.Random(20250101)
    for size in (16, 40, 4096):
        bad.append((f"noise-{size}-bytes", "2.5", "publisher", 0, noise.randbytes(size), protocol))

    def common(name, paragraph, receiver, descriptors, packet):
        return {"name": name, "paragraph": paragraph, "receiver": receiver, "descriptors": descriptors, "hex": packet.hex()}

    return [{**common(*vector), "fields": message_fields(vector[4])} for vector in good] + \
           [{**common(*vector[:5]), **error(vector[5])} for vector in bad]


# --- shared memory ----------------------------------------------------------------------------------------------------

def control_block_vectors():
    sound = {
        "magic": CONTROL_MAGIC, "layout_version": 1, "slot_size": 256, "index_entry_size": 8, "slot_capacity": 64,
        "index_capacity": 128, "total_size": 17664, "index_offset": 256, "slots_offset": 1280, "epoch": 0xFEDCBA9876543210,
        "state": 1, "segment_generation": 3, "control_messages": 9, "dropped": 4, "futex_word": 0xFFFFFFFF,
        "head": 0x00FFFFFFFFFFFFFF}

    def vector(name, changes, size=17664, welcome_epoch=None, fill=0):
        data = pack(CONTROL_BLOCK, 256, {**sound, **changes}, fill)
        return {"name": name, "paragraph": "4.1", "hex": data.hex(), "size": size,
                "welcome_epoch": str(sound["epoch"] if welcome_epoch is None else welcome_epoch)}, data

    good = []
    for name, changes, size in [("live", {}, 17664),
                                ("before-the-first-frame", {"state": 0, "head": 0, "futex_word": 0, "dropped": 0}, 17664),
                                ("longer-file", {}, 20480)]:
        entry, data = vector(name, changes, size)
        good.append({**entry, "fields": fields(CONTROL_BLOCK, data)})
    entry, data = vector("reserved-bytes-are-ignored", {}, fill=0xFF)
    good.append({**entry, "paragraph": "11.1", "fields": fields(CONTROL_BLOCK, data)})

    bad = [vector(*arguments)[0] for arguments in [
        ("magic", {"magic": PAGE_MAGIC}), ("magic-zero", {"magic": 0}), ("layout-version-0", {"layout_version": 0}),
        ("layout-version-2", {"layout_version": 2}), ("slot-size", {"slot_size": 192}),
        ("index-entry-size", {"index_entry_size": 16}), ("slot-capacity", {"slot_capacity": 65}),
        ("slot-capacity-huge", {"slot_capacity": 0xFFFFFFFF}), ("index-capacity", {"index_capacity": 64}),
        ("index-capacity-huge", {"index_capacity": 0x80000000}), ("total-size", {"total_size": 17663}),
        ("index-offset", {"index_offset": 264}), ("index-offset-outside", {"index_offset": 0xFFFFFF00}),
        ("slots-offset", {"slots_offset": 256}), ("slots-offset-outside", {"slots_offset": 0xFFFFFF00}),
        ("epoch-of-another-run", {"epoch": 1}),
        ("file-too-short", {}, 17663), ("file-of-one-page", {}, 4096),
    ]]
    return good + [{**entry, **error("CONTROL_BLOCK_INVALID")} for entry in bad]


META = {"pts": 123456789012, "capture_time": 1735689600000000000, "arrival_time": 5000000001, "publish_time": 5000400000,
        "source_packet": 77, "duration": 33366666, "flags": 1 | 8 | 16, "picture_type": 1, "colour_matrix": 1,
        "colour_range": 1, "colour_primaries": 1, "colour_transfer": 1, "rotation": 3, "chroma_location": 1}


def frame_meta_vectors():
    variants = [("everything", META, 0),
                ("nothing-known", {"pts": -2 ** 63, "publish_time": 1, "colour_matrix": 2, "colour_primaries": 2,
                                   "colour_transfer": 2}, 0),
                ("negative-pts", {**META, "pts": -40000000}, 0),
                ("every-flag", {**META, "flags": 63, "picture_type": 3}, 0),
                ("largest", {"pts": 2 ** 63 - 1, "capture_time": 2 ** 63 - 1, "arrival_time": 2 ** 63 - 1,
                             "publish_time": 2 ** 63 - 1, "source_packet": 2 ** 64 - 1, "duration": 2 ** 63 - 1,
                             "flags": 2 ** 32 - 1, "picture_type": 255, "colour_matrix": 255, "colour_range": 255,
                             "colour_primaries": 255, "colour_transfer": 255, "rotation": 255, "chroma_location": 255,
                             "reserved": 2 ** 32 - 1}, 255)]
    return [{"name": name, "paragraph": "4.5", "hex": data.hex(), "fields": fields(FRAME_META, data)}
            for name, values, fill in variants for data in [pack(FRAME_META, 64, values, fill)]]


def half(value):
    return (value + 1) // 2


def geometry(pixel_format, columns, rows):
    """(row bytes, rows) of each plane, table 10.1."""
    return {
        "NV12": [(columns, rows), (2 * half(columns), half(rows))],
        "I420": [(columns, rows), (half(columns), half(rows)), (half(columns), half(rows))],
        "P010": [(2 * columns, rows), (4 * half(columns), half(rows))],
        "GRAY8": [(columns, rows)],
        "RGB24": [(3 * columns, rows)],
        "BGR24": [(3 * columns, rows)],
        "RGBA": [(4 * columns, rows)],
        "BGRA": [(4 * columns, rows)],
        "RGBP": [(columns, 3 * rows)],
        "BGRP": [(columns, 3 * rows)],
        "RGBP_F16": [(2 * columns, 3 * rows)],
        "BGRP_F16": [(2 * columns, 3 * rows)],
        "RGBP_F32": [(4 * columns, 3 * rows)],
        "BGRP_F32": [(4 * columns, 3 * rows)],
    }[pixel_format]


SUBSAMPLED = {"NV12", "I420", "P010"}
TENSORS = {"RGBP", "BGRP", "RGBP_F16", "BGRP_F16", "RGBP_F32", "BGRP_F32"}


def picture(pixel_format, width, height, crop=(0, 0, 0, 0), start=0, pitch_extra=0):
    """A sound picture and the first byte after its last plane."""
    left, top, right, bottom = crop
    values = {"width": width, "height": height, "pixel_format": FORMATS[pixel_format], "crop_left": left, "crop_top": top,
              "crop_right": right, "crop_bottom": bottom}
    offset = start
    end = start
    planes = geometry(pixel_format, left + width + right, top + height + bottom)
    for number, (row_bytes, rows) in enumerate(planes):
        pitch = row_bytes if pixel_format in TENSORS else (row_bytes + 63) // 64 * 64 + pitch_extra
        values[f"plane{number}_offset"] = offset
        values[f"plane{number}_pitch"] = pitch
        end = offset + (rows - 1) * pitch + row_bytes
        offset = (offset + rows * pitch + 63) // 64 * 64
    values["plane_count"] = len(planes)
    return values, end


def visible(pixel_format, values):
    """Where the visible picture lies: per plane the first byte in the segment, bytes of a row, rows, pitch."""
    left, top = values["crop_left"], values["crop_top"]
    skipped = geometry(pixel_format, left, top)
    planes = geometry(pixel_format, values["width"], values["height"])
    result = []
    for number, (row_bytes, rows) in enumerate(planes):
        pitch = values[f"plane{number}_pitch"]
        first = values[f"plane{number}_offset"] + skipped[number][1] * pitch + skipped[number][0]
        result.append({"first_byte": str(first), "row_bytes": row_bytes, "rows": rows, "pitch": pitch})
    return result


def picture_vectors():
    vectors = []

    def good(name, pixel_format, width, height, **options):
        values, end = picture(pixel_format, width, height, **options)
        data = pack(PICTURE, 96, values)
        vectors.append({"name": name, "paragraph": "10.2" if pixel_format in TENSORS else "4.9", "hex": data.hex(),
                        "segment_size": str(end), "fields": fields(PICTURE, data), "visible": visible(pixel_format, values)})

    for pixel_format in FORMATS:
        lower = pixel_format.lower()
        good(f"{lower}-1920x1080", pixel_format, 1920, 1080)
        good(f"{lower}-1x1", pixel_format, 1, 1)
        good(f"{lower}-odd-size", pixel_format, 1279, 719, start=4096)
        if pixel_format in TENSORS:
            good(f"{lower}-largest", pixel_format, 16384, 16384)
            continue
        good(f"{lower}-cropped-1080-of-1088", pixel_format, 1920, 1080, crop=(0, 0, 0, 8))
        good(f"{lower}-crop-on-every-side", pixel_format, 101, 51, crop=(6, 4, 3, 1), start=64, pitch_extra=128)
    good("gray8-odd-crop", "GRAY8", 100, 100, crop=(3, 5, 1, 1))
    good("rgb24-odd-crop", "RGB24", 100, 100, crop=(1, 1, 0, 0))
    good("largest", "RGBA", 16384, 16384)
    good("largest-crop", "GRAY8", 16384, 16384, crop=(65535, 65535, 65535, 65535))
    good("far-into-a-large-segment", "NV12", 1920, 1080, start=(1 << 40) - (1 << 24))

    values, end = picture("NV12", 1920, 1080)
    for name, data in [
        ("reserved-bytes-are-ignored", pack(PICTURE, 96, {**values, "reserved": b"\xff" * 8})),
        ("unused-planes-are-ignored", pack(PICTURE, 96, {
            **values, "plane2_offset": 2 ** 64 - 1, "plane3_offset": 1, "plane2_pitch": 2 ** 32 - 1, "plane3_pitch": 7})),
    ]:
        vectors.append({"name": name, "paragraph": "11.1" if name.startswith("reserved") else "4.9", "hex": data.hex(),
                        "segment_size": str(end), "fields": fields(PICTURE, data), "visible": visible("NV12", values)})
    last = values["plane1_offset"]
    overlap = pack(PICTURE, 96, {**values, "plane1_offset": 0})
    vectors.append({"name": "planes-may-overlap", "paragraph": "4.9", "hex": overlap.hex(), "segment_size": str(end),
                    "fields": fields(PICTURE, overlap), "visible": visible("NV12", {**values, "plane1_offset": 0})})

    def bad(name, changes=None, segment_size=None, base=None):
        sound, sound_end = base or (values, end)
        data = pack(PICTURE, 96, {**sound, **(changes or {})})
        vectors.append({"name": name, "paragraph": "4.9", "hex": data.hex(),
                        "segment_size": str(sound_end if segment_size is None else segment_size), **error("FRAME_INVALID")})

    bad("segment-one-byte-short", segment_size=end - 1)
    bad("segment-empty", segment_size=0)
    bad("plane0-offset-past-the-segment", {"plane0_offset": (end + 63) // 64 * 64})
    bad("plane1-offset-past-the-segment", {"plane1_offset": (end + 63) // 64 * 64})
    bad("plane1-reaches-past-the-segment", {"plane1_offset": last + 64})
    bad("offset-huge", {"plane0_offset": 2 ** 64 - 64})
    bad("offset-plus-length-overflows", {"plane1_offset": 2 ** 64 - 1920 * 64})
    bad("offset-negative-when-signed", {"plane0_offset": 2 ** 63})
    bad("offset-unaligned", {"plane0_offset": 32}, segment_size=end + 4096)
    bad("pitch-unaligned", {"plane0_pitch": 1928}, segment_size=end * 2)
    bad("pitch-times-rows-overflows-32-bits", {"plane0_pitch": 2 ** 32 - 64})
    bad("pitch-times-rows-wraps-to-little", {"plane0_pitch": 0x40000000, "height": 1029, "crop_bottom": 0})
    bad("pitch-shorter-than-a-row", {"plane0_pitch": 1856})
    bad("pitch-shorter-than-a-row-with-crop", {"crop_right": 64}, segment_size=end * 2)
    bad("chroma-pitch-shorter-than-a-row", {"plane1_pitch": 1856})
    bad("pitch-zero", {"plane0_pitch": 0})
    bad("width-0", {"width": 0})
    bad("height-0", {"height": 0})
    bad("width-16385", {"width": 16385}, base=picture("GRAY8", 16385, 16))
    bad("height-16385", {"height": 16385}, base=picture("GRAY8", 16, 16385))
    bad("width-2-to-the-32-less-1", {"width": 2 ** 32 - 1})
    bad("height-2-to-the-31", {"height": 2 ** 31})
    bad("plane-count-0", {"plane_count": 0})
    bad("plane-count-too-few", {"plane_count": 1})
    bad("plane-count-too-many", {"plane_count": 3})
    bad("plane-count-5", {"plane_count": 5})
    bad("plane-count-huge", {"plane_count": 2 ** 32 - 1})
    bad("format-zero", {"pixel_format": 0})
    bad("format-unknown", {"pixel_format": 0x34343434})
    bad("crop-left-odd", {"crop_left": 1, "width": 1919})
    bad("crop-top-odd", {"crop_top": 1, "height": 1079})
    bad("crop-left-odd-i420", base=picture("I420", 639, 480, crop=(1, 0, 0, 0)))
    bad("crop-top-odd-p010", base=picture("P010", 640, 479, crop=(0, 1, 0, 0)))
    bad("crop-beyond-the-segment", {"crop_bottom": 65535})
    for pixel_format in sorted(TENSORS):
        tensor, tensor_end = picture(pixel_format, 641, 480)
        row = tensor["plane0_pitch"]
        name = "tensor-" + pixel_format.lower()
        bad(f"{name}-with-a-longer-pitch", {"plane0_pitch": (row + 63) // 64 * 64}, segment_size=tensor_end * 2, base=(tensor, tensor_end))
        bad(f"{name}-with-a-shorter-pitch", {"plane0_pitch": row - 1}, base=(tensor, tensor_end))
    tensor, tensor_end = picture("RGBP_F32", 640, 480)
    bad("tensor-one-byte-short", base=(tensor, tensor_end - 1))
    bad("tensor-offset-unaligned", {"plane0_offset": 32}, segment_size=tensor_end + 4096, base=(tensor, tensor_end))
    bad("tensor-with-three-planes", {"plane_count": 3}, base=(tensor, tensor_end))
    bad("tensor-crop-left", {"crop_left": 2, "width": 638}, base=(tensor, tensor_end))
    bad("tensor-crop-top", {"crop_top": 2, "height": 478}, base=(tensor, tensor_end))
    bad("tensor-crop-right", {"crop_right": 1, "width": 639}, base=(tensor, tensor_end))
    bad("tensor-crop-bottom", {"crop_bottom": 1, "height": 479}, base=(tensor, tensor_end))
    bad("modifier", {"modifier": 1})
    bad("modifier-last-byte", {"modifier": 2 ** 63})
    bad("all-ones", {name: (b"\xff" * int(code[:-1])) if code.endswith("s") else 2 ** (8 * struct.calcsize(code)) - 1
                     for name, _, code in PICTURE})
    return vectors


def slot_vectors():
    def slot(state, segment_id, generation, meta, shape, fill=0):
        data = bytearray([fill]) * 256
        struct.pack_into("<QII", data, 0, state, segment_id, generation)
        data[64:128] = pack(FRAME_META, 64, meta)
        data[128:224] = pack(PICTURE, 96, shape)
        return bytes(data)

    values, _ = picture("I420", 640, 360)
    variants = [("frame", "4.3", slot(41, 2, 1, META, values)),
                ("reserved-bytes-are-ignored", "11.1", slot(41, 2, 1, META, values, fill=0xFF)),
                ("empty", "4.3", bytes(256)),
                ("being-written", "4.3", slot(0, 2, 1, META, values)),
                ("largest-sequence", "4.2", slot(2 ** 56 - 1, 2 ** 32 - 1, 2 ** 32 - 1, META, values))]
    return [{"name": name, "paragraph": paragraph, "hex": data.hex(), "fields": {
        **fields(SLOT_HEAD, data), "meta": fields(FRAME_META, data[64:128]), "picture": fields(PICTURE, data[128:224])}}
        for name, paragraph, data in variants]


def index_vectors():
    vectors = []
    for name, sequence, slot in [("first", 1, 0), ("last-slot", 130, 63), ("wrapped", 12345678901, 7),
                                 ("largest-sequence", 2 ** 56 - 1, 63)]:
        vectors.append({"name": name, "paragraph": "4.2", "hex": u64(sequence << 8 | slot).hex(), "sequence": str(sequence),
                        "entry": sequence & 127, "offset": 256 + 8 * (sequence & 127), "slot": slot})
    for name, sequence, held in [("never-written", 5, None), ("newer-frame", 5, 5 + 128), ("older-frame", 133, 5),
                                 ("same-low-bits", 2 ** 40 + 5, 5)]:
        entry = 0 if held is None else held << 8 | 3
        vectors.append({"name": f"gone-{name}", "paragraph": "4.2", "hex": u64(entry).hex(), "sequence": str(sequence),
                        "entry": sequence & 127, "offset": 256 + 8 * (sequence & 127), "slot": None})
    for name, slot in [("slot-64", 64), ("slot-255", 255)]:
        vectors.append({"name": f"gone-{name}", "paragraph": "4.2", "hex": u64(9 << 8 | slot).hex(), "sequence": "9",
                        "entry": 9, "offset": 256 + 72, "slot": None})
    return vectors


def page_vectors():
    base = {"magic": PAGE_MAGIC, "subscriber_id": 3, "waiting": 5 << 2 | 1, "progress": 0, "cursor": 1000, "taken": 900,
            "missed": 100, "released": 898}

    def page(changes=None, leases=None):
        data = bytearray(pack(SUBSCRIBER_PAGE_HEAD, 640, {**base, **(changes or {})}))
        for slot, word in (leases or {}).items():
            struct.pack_into("<Q", data, 128 + 8 * slot, word)
        return bytes(data)

    def vector(name, data, head=1000, granted=4, previous=990, paragraph="5.2"):
        return {"name": name, "paragraph": paragraph, "hex": data.hex(), "head": str(head), "granted": granted,
                "previous_cursor": str(previous)}

    def good(name, data, **options):
        words = [str(word) for word in struct.unpack_from("<64Q", data, 128)]
        return {**vector(name, data, **options), "fields": {**fields(SUBSCRIBER_PAGE_HEAD, data), "leases": words}}

    vectors = [
        good("fresh", page({"waiting": 0, "cursor": 0, "taken": 0, "missed": 0, "released": 0}), head=0, previous=0,
             paragraph="5.1"),
        good("two-frames-held", page(leases={0: 1000, 63: 995}), paragraph="5.1"),
        good("as-many-as-granted", page(leases={1: 1000, 2: 999, 3: 998, 4: 997})),
        good("cursor-stands-still", page(), previous=1000),
        good("cursor-is-head", page({"cursor": 1000}), previous=0),
        good("lease-of-head", page(leases={9: 1000})),
        good("lease-of-a-frame-that-is-gone", page(leases={9: 1})),
        good("same-sequence-in-two-slots", page(leases={9: 999, 10: 999})),
        good("bit-63-apart", page(leases={9: 1 << 63 | 999}), paragraph="7.1"),
        good("lossless-progress", page({"progress": 2 ** 32 - 1, "publisher_waiting": 1}), paragraph="6.8"),
        # The publisher wrote magic and subscriber_id itself and has no need to read them again.
        good("identity-overwritten", page({"magic": 0, "subscriber_id": 2 ** 64 - 1})),
        good("counters-make-no-sense", page({"taken": 2 ** 64 - 1, "missed": 2 ** 64 - 1, "released": 2 ** 64 - 1})),
    ]
    for name, data, options in [
        ("lease-above-head", page(leases={5: 1001}), {}),
        ("lease-above-head-in-the-last-slot", page(leases={63: 1001}), {}),
        ("lease-all-ones", page(leases={5: 2 ** 64 - 1}), {}),
        ("lease-bit-63-alone", page(leases={5: 1 << 63}), {}),
        ("lease-bit-63-above-head", page(leases={5: 1 << 63 | 1001}), {}),
        ("lease-bit-62", page(leases={5: 1 << 62}), {}),
        ("lease-before-the-first-frame", page({"cursor": 0}, leases={0: 1}), {"head": 0, "previous": 0}),
        ("cursor-above-head", page({"cursor": 1001}), {}),
        ("cursor-all-ones", page({"cursor": 2 ** 64 - 1}), {}),
        ("cursor-went-back", page({"cursor": 989}), {}),
        ("cursor-went-back-to-zero", page({"cursor": 0}), {}),
    ]:
        vectors.append({**vector(name, data, **options), **error("PAGE_INVALID")})
    for name, data, options in [
        ("five-of-four", page(leases={slot: 996 + slot for slot in range(5)}), {}),
        ("two-of-one", page(leases={0: 1000, 63: 999}), {"granted": 1}),
        ("every-word", page(leases={slot: 1000 - slot for slot in range(64)}), {}),
        ("bit-63-counts-as-held", page(leases={0: 1000, 1: 999, 2: 998, 3: 997, 4: 1 << 63 | 996}), {}),
    ]:
        vectors.append({**vector(name, data, **options), **error("LEASE_QUOTA_EXCEEDED")})
    return vectors


def key_vectors():
    vectors = []
    for key in ["a", "0", "cam1", "front-door", "front-door@small", "a.b_c-d", "9", "a" * 64, f"{'a' * 64}@{'b' * 64}",
                "0.0.0.0", "a..b", "cam1@0", "x@hd.low_1-a"]:
        name, _, rendition = key.partition("@")
        vectors.append({"key": key, "paragraph": "1.1", "fields": {"name": name, "rendition": rendition or None},
                        "socket": key + ".sock", "lock": key + ".lock"})
    for key in ["", "@", "a@", "@a", "a@b@c", "A", "Cam1", ".a", "-a", "_a", "a@-b", "a@.b", "a b", " a", "a ", "a/b", "..",
                ".", "../a", "a" * 65, "a@" + "b" * 65, "caf\u00e9", "a\u0000", "a\n", "\u0430", "a:b", "a@B", "\u0661"]:
        vectors.append({"key": key, "paragraph": "1.1", **error("INVALID_KEY")})
    return vectors


def packet_block_vectors():
    entries, capacity = 1024, 1 << 20
    start = (1052672 + entries * 192 + 4095) // 4096 * 4096
    base = {"magic": PACKET_MAGIC, "layout_version": 1, "track_size": 64, "parameters_size": 16384, "packet_size": 192,
            "track_capacity": 8, "parameters_capacity": 8, "index_capacity": entries, "tracks_offset": 256,
            "epoch": 0xFEDCBA9876543210, "parameters_offset": 4096, "index_offset": 1052672, "bytes_offset": start,
            "byte_capacity": capacity, "total_size": start + capacity, "state": 1, "control_messages": 3, "tracks": 2,
            "refused": 1, "futex_word": 77, "head": 5000, "oldest": 4100, "last_key": 4981}

    def vector(name, changes=None, problem=None):
        data = pack(PACKET_BLOCK, 256, {**base, **(changes or {})})
        result = {"name": name, "paragraph": "14.5", "hex": data.hex(), "epoch": str(base["epoch"])}
        return {**result, **(error(problem) if problem else {"fields": fields(PACKET_BLOCK, data)})}

    def sized(count, size):
        begin = (1052672 + count * 192 + 4095) // 4096 * 4096
        return {"index_capacity": count, "byte_capacity": size, "bytes_offset": begin, "total_size": begin + size}

    vectors = [vector("sound"), vector("smallest", sized(16, 65536)), vector("largest", sized(65536, 1 << 32)),
               vector("empty", {"head": 0, "oldest": 1, "last_key": 0, "tracks": 0, "state": 0})]
    for name in ["magic", "layout_version", "track_size", "parameters_size", "packet_size", "track_capacity",
                 "parameters_capacity", "tracks_offset", "parameters_offset", "index_offset", "bytes_offset", "total_size", "epoch"]:
        vectors.append(vector(f"{name}-plus-one", {name: base[name] + 1}, "CONTROL_BLOCK_INVALID"))
    for name, changes in [
        ("index-8", sized(8, 65536)), ("index-24", sized(24, 65536)), ("index-131072", sized(131072, 65536)), ("index-0", {"index_capacity": 0}),
        ("bytes-61440", sized(16, 61440)), ("bytes-65600", sized(16, 65600)), ("bytes-above-4-gib", sized(16, (1 << 32) + 4096)),
        ("bytes-0", {"byte_capacity": 0}), ("bytes-2-to-the-63", {"byte_capacity": 1 << 63}),
    ]:
        vectors.append(vector(name, changes, "CONTROL_BLOCK_INVALID"))
    return vectors


def packet_descriptor_vectors():
    base = {"sequence": 37, "position": 65536 * 3 + 640, "size": 1500, "track": 1, "parameters": 2, "flags": 9, "pts": -(2 ** 63),
            "dts": -90000, "duration": 3600, "arrival_time": 1234567890123, "capture_time": 1700000000123456789, "publish_time": 1234567899999}

    def data_of(changes, counts):
        data = bytearray(pack(PACKET_DESCRIPTOR, 192, {**base, **(changes or {})}))
        struct.pack_into("<8Q", data, 128, *counts)
        return bytes(data)

    sound_counts = (24, 13, 0, 0, 0, 0, 0, 0)

    def vector(name, changes=None, counts=sound_counts, problem=None):
        data = data_of(changes, counts)
        result = {"name": name, "paragraph": "14.11" if problem else "14.8", "hex": data.hex(), "sequence": "37", "tracks": 2,
                  "byte_capacity": "65536"}
        return {**result, **(error(problem) if problem else {
            "fields": {**fields(PACKET_DESCRIPTOR, data), "counts": [str(count) for count in counts]},
            "first_byte": str({**base, **(changes or {})}["position"] % 65536)})}

    vectors = [
        vector("sound"), vector("empty-packet", {"size": 0}), vector("half-of-the-ring", {"size": 32768, "position": 65536}),
        vector("ends-where-the-ring-ends", {"size": 1472, "position": 65536 * 7 + 64000}),
        vector("first-track", {"track": 0}), vector("far-on", {"position": (1 << 60) + 640}),
        vector("all-flags", {"flags": 2 ** 32 - 1}), vector("reserved-bytes-are-ignored", {"reserved": 2 ** 64 - 1}),
        vector("parameters-are-judged-elsewhere", {"parameters": 0}),
    ]
    for name, changes, counts in [
        ("another-sequence", {"sequence": 38}, sound_counts), ("sequence-of-the-round-before", {"sequence": 37 - 16}, sound_counts),
        ("track-2-of-2", {"track": 2}, sound_counts), ("track-all-ones", {"track": 2 ** 32 - 1}, sound_counts),
        ("position-unaligned", {"position": 65536 + 32}, sound_counts), ("position-odd", {"position": 1}, sound_counts),
        ("more-than-half-of-the-ring", {"size": 32769, "position": 65536}, sound_counts), ("size-all-ones", {"size": 2 ** 32 - 1}, sound_counts),
        ("reaches-past-the-ring", {"position": 65536 * 2 - 64}, sound_counts),
        ("zeros-reach-past-the-ring", {"size": 1473, "position": 65536 * 7 + 64000}, sound_counts),
        ("not-among-its-track", {}, (37, 0, 0, 0, 0, 0, 0, 0)), ("counts-too-few", {}, (23, 13, 0, 0, 0, 0, 0, 0)),
        ("counts-too-many", {}, (24, 13, 0, 0, 0, 0, 0, 1)), ("count-above-the-sequence", {}, (24, 38, 0, 0, 0, 0, 0, 0)),
        ("counts-overflow-to-the-sum", {}, (24, 14, 2 ** 64 - 1, 0, 0, 0, 0, 0)),
    ]:
        vectors.append(vector(name, changes, counts, "PACKET_INVALID"))
    return vectors


def track_parameters_vectors():
    base = {"number": 3, "codec": 1, "time_base_numerator": 1, "time_base_denominator": 90000, "width": 1920, "height": 1080,
            "frame_rate_numerator": 25, "frame_rate_denominator": 1, "sample_aspect_numerator": 1, "sample_aspect_denominator": 1,
            "reorder_delay": 2, "colour_matrix": 1, "colour_range": 1, "colour_primaries": 1, "colour_transfer": 1,
            "chroma_location": 1, "field_order": 1, "rotation": 0, "codec_name": b"h264".ljust(32, b"\0"), "extradata_size": 9}
    extradata = bytes.fromhex("0000000167640028ac")

    def vector(name, changes=None, extra=extradata, problem=None, more=0):
        data = pack(TRACK_PARAMETERS, 256, {**base, **(changes or {})}) + extra + bytes(more)
        result = {"name": name, "paragraph": "14.7", "hex": data.hex(), "number": 3}
        return {**result, **(error(problem) if problem else {"fields": {**fields(TRACK_PARAMETERS, data), "extradata": extra.hex()}})}

    audio = {"codec": 256, "codec_name": b"aac".ljust(32, b"\0"), "time_base_denominator": 48000, "width": 0, "height": 0,
             "sample_rate": 48000, "channels": 6, "channel_layout": 0x60F, "samples_per_packet": 1024, "bits_per_sample": 0,
             "block_align": 0, "initial_padding": 1024, "seek_preroll": 3840, "extradata_size": 2}
    vectors = [
        vector("h264"), vector("aac", audio, bytes.fromhex("1190")),
        vector("no-extradata", {"extradata_size": 0}, b""),
        vector("unknown-codec", {"codec": 0, "codec_name": b"a" * 32}),
        vector("codec-of-a-later-version", {"codec": 9999}),
        vector("longest-name-and-largest-numbers", {"codec_name": b"~" * 32, "time_base_numerator": 2 ** 31 - 1, "time_base_denominator": 2 ** 31 - 1,
                                                    "width": 16384, "height": 16384, "channels": 255, "channel_layout": 2 ** 64 - 1}),
    ]
    for name, changes in [
        ("another-number", {"number": 11}), ("time-base-without-numerator", {"time_base_numerator": 0}),
        ("time-base-without-denominator", {"time_base_denominator": 0}), ("time-base-2-to-the-31", {"time_base_denominator": 2 ** 31}),
        ("width-16385", {"width": 16385}), ("height-all-ones", {"height": 2 ** 32 - 1}), ("channels-256", {"channels": 256}),
        ("sample-rate-2-to-the-31", {"sample_rate": 2 ** 31}), ("extradata-16129", {"extradata_size": 16129}),
        ("extradata-all-ones", {"extradata_size": 2 ** 32 - 1}), ("name-with-a-space", {"codec_name": b"h 264".ljust(32, b"\0")}),
        ("name-not-ascii", {"codec_name": "h\u00e9".encode().ljust(32, b"\0")}),
    ]:
        vectors.append(vector(name, changes, problem="PACKET_INVALID"))
    return vectors


def packet_message_vectors():
    must = tlv("PACKETS", flags=MUST_UNDERSTAND)
    protocol = "PROTOCOL_ERROR"

    def hello(*extra, leave_out=(), replace=None, version=1):
        parts = {"VERSION_RANGE": tlv("VERSION_RANGE", versions(1, 1)), "PACKETS": must}
        parts.update(replace or {})
        return message("HELLO", *[part for name, part in parts.items() if name not in leave_out], *extra, version=version, correlation=11)

    def stream(**changes):
        return tlv("PACKET_STREAM", pack(PACKET_STREAM, 64, {
            "state": 1, "tracks": 2, "subscribers": 3, "head": 1000, "oldest": 901, "byte_capacity": 1 << 25, "buffered_time": 4_000_000_000,
            "refused": 1, "evicted": 2, **changes}))

    def track(number, **changes):
        video = {"kind": 1, "codec": 1, "width": 1920, "height": 1080, "frame_rate_numerator": 25, "frame_rate_denominator": 1, "packets": 700,
                 "codec_name": b"h264"}
        audio = {"kind": 2, "codec": 256, "sample_rate": 48000, "channels": 2, "packets": 300, "language": b"deu", "codec_name": b"aac"}
        return tlv("TRACK", pack(TRACK_DESCRIPTION, 88, {"track": number, **(audio if number else video), **changes}))

    def welcome(*extra, leave_out=(), replace=None, tracks=None, version=1):
        parts = {"PACKETS": must, "VERSION": tlv("VERSION", u32(1)), "FEATURES": tlv("FEATURES", u64(0)),
                 "EPOCH": tlv("EPOCH", u64(0xFEDCBA9876543210)), "STREAM_KEY": tlv("STREAM_KEY", b"front-door"), "PACKET_STREAM": stream(),
                 "SUBSCRIBER_ID": tlv("SUBSCRIBER_ID", u64(3)), "WAKES": tlv("WAKES", u32(3))}
        parts.update(replace or {})
        return message("WELCOME", *[part for name, part in parts.items() if name not in leave_out],
                       *([track(0), track(1)] if tracks is None else tracks), *extra, version=version, correlation=11)

    probe_only = ("SUBSCRIBER_ID", "WAKES")
    good = [
        ("hello-smallest", "14.2", "publisher", 0, hello()),
        ("hello-full", "14.2", "publisher", 0, hello(tlv("FEATURES", u64(0)), tlv("PROGRAM", "enregistreur é".encode()), tlv("WAKES", u32(3)))),
        ("hello-probe", "14.2", "publisher", 0, hello(tlv("PROBE"))),
        ("hello-packets-longer-value", "2.6", "publisher", 0, hello(replace={"PACKETS": tlv("PACKETS", b"\xff" * 5, flags=MUST_UNDERSTAND)})),
        ("hello-with-what-means-nothing", "14.2", "publisher", 0, hello(
            tlv("DELIVERY", u32(2)), tlv("LEASES", u32(4)), tlv("DOMAIN", HOST_OFFER), tlv("FENCES", u32(1)))),
        ("hello-unknown-tlv", "2.6", "publisher", 0, hello(tlv(0x7777, b"from the future"))),
        ("welcome", "14.3", "subscriber", 2, welcome(tlv("PROGRAM", b"cuframesd"), tlv("SOURCE", b"rtsp://camera/1"), tlv("STATE_TEXT", b"all is well"))),
        ("welcome-to-a-probe", "14.3", "subscriber", 0, welcome(leave_out=probe_only)),
        ("welcome-no-track-yet", "14.3", "subscriber", 2, welcome(
            replace={"PACKET_STREAM": stream(state=0, tracks=0, head=0, oldest=1, buffered_time=0)}, tracks=[])),
        ("welcome-tracks-in-another-order", "14.3", "subscriber", 2, welcome(tracks=[track(1), track(0)])),
        ("welcome-eight-tracks", "14.3", "subscriber", 2, welcome(
            replace={"PACKET_STREAM": stream(tracks=8)}, tracks=[track(number) for number in range(8)])),
        ("welcome-codec-not-in-the-table", "14.7", "subscriber", 2, welcome(tracks=[track(0, codec=0, codec_name=b"vvc"), track(1)])),
        ("welcome-longest-names", "14.3", "subscriber", 2, welcome(tracks=[track(0, codec_name=b"x" * 32), track(1, language=b"abcdefgh")])),
        ("welcome-nothing-left", "14.3", "subscriber", 2, welcome(replace={"PACKET_STREAM": stream(head=1000, oldest=1001)})),
        ("welcome-longer-values", "2.6", "subscriber", 2, welcome(
            replace={"PACKET_STREAM": tlv("PACKET_STREAM", pack(PACKET_STREAM, 64, {"state": 1, "tracks": 0, "oldest": 1}) + b"\xff" * 16)}, tracks=[])),
        ("welcome-unknown-tlv", "2.6", "subscriber", 2, welcome(tlv(0x7777, b"from the future"))),
    ]
    bad = [
        ("hello-without-packets", "14.2", "publisher", 0, hello(leave_out=("PACKETS",)), protocol),
        ("hello-without-version-range", "14.2", "publisher", 0, hello(leave_out=("VERSION_RANGE",)), protocol),
        ("hello-packets-twice", "2.6", "publisher", 0, hello(must), protocol),
        ("hello-unknown-with-must-understand", "2.6", "publisher", 0, hello(tlv(0x7777, flags=MUST_UNDERSTAND)), "UNSUPPORTED_TLV"),
        *[(f"welcome-without-{name.lower().replace('_', '-')}", "14.3", "subscriber", 2, welcome(leave_out=(name,)), protocol)
          for name in ("PACKETS", "VERSION", "FEATURES", "EPOCH", "STREAM_KEY", "PACKET_STREAM", "SUBSCRIBER_ID", "WAKES")],
        ("welcome-epoch-zero", "2.8", "subscriber", 2, welcome(replace={"EPOCH": tlv("EPOCH", u64(0))}), protocol),
        ("welcome-packet-stream-too-short", "2.6", "subscriber", 2, welcome(replace={"PACKET_STREAM": tlv("PACKET_STREAM", b"\0" * 63)}), protocol),
        ("welcome-nine-tracks", "14.3", "subscriber", 2, welcome(replace={"PACKET_STREAM": stream(tracks=9)}), protocol),
        ("welcome-subscribers-above", "14.3", "subscriber", 2, welcome(replace={"PACKET_STREAM": stream(subscribers=1 << 31)}), protocol),
        ("welcome-track-twice", "14.3", "subscriber", 2, welcome(tracks=[track(0), track(0)]), protocol),
        ("welcome-track-left-out", "14.3", "subscriber", 2, welcome(tracks=[track(0)]), protocol),
        ("welcome-track-too-many", "14.3", "subscriber", 2, welcome(tracks=[track(0), track(1), track(2)]), protocol),
        ("welcome-track-beyond", "14.3", "subscriber", 2, welcome(tracks=[track(0), track(7)]), protocol),
        ("welcome-track-too-short", "2.6", "subscriber", 2, welcome(tracks=[track(0), tlv("TRACK", b"\0" * 87)]), protocol),
        ("welcome-track-too-wide", "14.3", "subscriber", 2, welcome(tracks=[track(0, width=16385), track(1)]), protocol),
        ("welcome-track-channels-above", "14.3", "subscriber", 2, welcome(tracks=[track(0), track(1, channels=256)]), protocol),
        ("welcome-codec-name-not-ascii", "14.3", "subscriber", 2, welcome(tracks=[track(0, codec_name=b"h\xc3\xa9"), track(1)]), protocol),
        ("welcome-unknown-with-must-understand", "2.6", "subscriber", 2, welcome(tlv(0x7777, flags=MUST_UNDERSTAND)), "UNSUPPORTED_TLV"),
    ]

    def common(name, paragraph, receiver, descriptors, packet):
        return {"name": name, "paragraph": paragraph, "receiver": receiver, "descriptors": descriptors, "hex": packet.hex()}

    return [{**common(*vector), "fields": message_fields(vector[4], PACKETS_IN_PLACE)} for vector in good] + \
           [{**common(*vector[:5]), **error(vector[5])} for vector in bad]


FILES = {
    "message-headers.json": header_vectors,
    "tlvs.json": tlv_vectors,
    "messages.json": message_vectors,
    "control-blocks.json": control_block_vectors,
    "index-entries.json": index_vectors,
    "slots.json": slot_vectors,
    "frame-meta.json": frame_meta_vectors,
    "pictures.json": picture_vectors,
    "subscriber-pages.json": page_vectors,
    "stream-keys.json": key_vectors,
    "packet-blocks.json": packet_block_vectors,
    "packet-descriptors.json": packet_descriptor_vectors,
    "track-parameters.json": track_parameters_vectors,
    "packet-messages.json": packet_message_vectors,
}


def render(vectors):
    """One vector per line, so that a difference names the vector."""
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=True) for vector in vectors)
    return '{\n  "schema": 1,\n  "document": "docs/protocol.md",\n  "vectors": [\n' + lines + "\n  ]\n}\n"


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    different = []
    for name, make in FILES.items():
        text = render(make())
        path = HERE / name
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                different.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for path in sorted(HERE.glob("*.json")):
        if path.name not in FILES:
            different.append(path.name + " (nothing writes it)")
    if different:
        print("differs from what generate.py writes: " + ", ".join(different), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
