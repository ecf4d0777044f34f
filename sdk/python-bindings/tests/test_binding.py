# SPDX-License-Identifier: LGPL-2.1-or-later
"""The binding agrees with cuframes.h, and the code with its rules."""

import ast
import ctypes
import re
import subprocess
import sys

import cuframes
import pytest
import support
from cuframes import _library, _names, _structures, errors

HEADER = support.ROOT / "sdk" / "CuFrames.Native" / "include" / "cuframes.h"
TEXT = HEADER.read_text()

STRUCTURES = {
    "plane": _structures.CPlane, "metadata": _structures.CMetadata, "frame": _structures.CFrame, "event": _structures.CEvent,
    "subscriber_options": _structures.CSubscriberOptions, "format": _structures.CFormat, "subscriber_info": _structures.CSubscriberInfo,
    "publisher_options": _structures.CPublisherOptions, "publisher_info": _structures.CPublisherInfo,
    "subscriber_statistics": _structures.CSubscriberStatistics, "stream_info": _structures.CStreamInfo,
    "packet_track": _structures.CPacketTrack, "packet": _structures.CPacket, "packet_subscriber_options": _structures.CPacketSubscriberOptions,
    "packet_subscriber_info": _structures.CPacketSubscriberInfo, "packet_publisher_options": _structures.CPacketPublisherOptions,
    "packet_publisher_info": _structures.CPacketPublisherInfo,
}


def test_structures_are_laid_out_as_the_compiler_does(tmp_path):
    lines = []
    for name, kind in STRUCTURES.items():
        lines.append(f'printf("{name} %zu\\n", sizeof(cuframes_{name}));')
        for field in kind._fields_:
            c_type = f"((cuframes_{name} *)0)->{field[0]}"
            lines.append(f'printf("{name}.{field[0]} %zu %zu\\n", offsetof(cuframes_{name}, {field[0]}), sizeof({c_type}));')
    source = tmp_path / "layout.c"
    source.write_text(f'#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{ {" ".join(lines)} return 0; }}\n')
    subprocess.run(["gcc", "-o", str(tmp_path / "layout"), str(source)], check=True)
    told = subprocess.run([str(tmp_path / "layout")], check=True, capture_output=True, text=True).stdout.splitlines()
    found = []
    for name, kind in STRUCTURES.items():
        found.append(f"{name} {ctypes.sizeof(kind)}")
        found += [f"{name}.{field[0]} {getattr(kind, field[0]).offset} {getattr(kind, field[0]).size}" for field in kind._fields_]
    assert found == told
    declared = set(re.findall(r"^\} cuframes_(\w+);", TEXT, re.MULTILINE))
    assert declared == set(STRUCTURES)
    for name, kind in STRUCTURES.items():
        body = re.search(r"typedef struct cuframes_%s \{(.*?)^\}" % name, TEXT, re.MULTILINE | re.DOTALL).group(1)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
        assert re.findall(r"(\w+)(?:\[\w+\])?;", body) == [field[0] for field in kind._fields_]


def test_every_function_of_the_header_has_a_prototype():
    declared = {}
    for result, name, arguments in re.findall(r"^CUFRAMES_API ([\w *]+?)(cuframes_\w+)\(([^;]*?)\);", TEXT, re.MULTILINE | re.DOTALL):
        declared[name] = 0 if arguments.strip() == "void" else arguments.count(",") + 1
    assert {name: len(prototype) - 1 for name, prototype in _library._PROTOTYPES.items()} == declared


def test_error_codes_have_the_names_of_the_header():
    body = re.search(r"enum cuframes_error \{(.*?)\};", TEXT, re.DOTALL).group(1)
    codes = {name: int(code) for name, code in re.findall(r"CUFRAMES_(\w+) = (\d+)", body)}
    library = _library.library()
    del codes["OK"]  # Which has the wire's name, NONE.
    assert {name: library.error_name(code).decode() for name, code in codes.items()} == {name: name for name in codes}
    assert library.error_name(4711) == b"UNKNOWN"
    assert set(errors.CLASSES) <= set(codes.values())
    for code in codes.values():
        error = library.error(code)
        assert isinstance(error, cuframes.Error) and error.code == code and error.name and str(error)


def test_numbers_of_the_header_have_words():
    for enum, prefix, words in (
            ("memory", "MEMORY_", _names.MEMORIES), ("delivery", "", _names.DELIVERIES), ("fence", "FENCE_", _names.FENCES), ("stream_state", "STATE_", _names.STATES),
            ("picture_type", "PICTURE_", _names.PICTURE_TYPES), ("colour_range", "RANGE_", _names.RANGES), ("event_kind", "EVENT_", _names.EVENTS),
            ("log_level", "LOG_", _names.LOG_LEVELS), ("track_kind", "TRACK_", _names.TRACK_KINDS), ("packet_start", "START_", _names.PACKET_STARTS)):
        body = re.search(r"enum cuframes_%s \{(.*?)\};" % enum, TEXT, re.DOTALL).group(1)
        found = {int(number): name.lower().replace("_", "-") for name, number in re.findall(r"CUFRAMES_%s(\w+) = (\d+)" % prefix, body)}
        assert words == found, enum
    flags = re.search(r"enum cuframes_frame_flags \{(.*?)\};", TEXT, re.DOTALL).group(1)
    assert {flag.name: flag.value for flag in cuframes.FrameFlags} == {name: int(number) for name, number in re.findall(r"CUFRAMES_FLAG_(\w+) = (\d+)", flags)}
    flags = re.search(r"enum cuframes_packet_flags \{(.*?)\};", TEXT, re.DOTALL).group(1)
    assert {flag.name: flag.value for flag in cuframes.PacketFlags} == {name: int(number) for name, number in re.findall(r"CUFRAMES_PACKET_FLAG_(\w+) = (\d+)", flags)}


def test_pixel_formats_are_those_of_the_library():
    library = _library.library()
    body = re.search(r"enum cuframes_pixel_format \{(.*?)\};", TEXT, re.DOTALL).group(1)
    numbers = {int(number, 16) for number in re.findall(r"= (0x\w+)", body)}
    assert set(_names.PIXEL_FORMATS) == numbers
    for number, kind in _names.PIXEL_FORMATS.items():
        assert library.pixel_format_name(number) == kind.name.encode() and library.pixel_format_parse(kind.name.encode()) == number


def test_errors_survive_pickling():
    import pickle

    for kind in {*errors.CLASSES.values(), cuframes.Error, cuframes.FrameReleased}:
        copy = pickle.loads(pickle.dumps(kind("a sentence", 4711, "NAME")))
        assert type(copy) is kind and (copy.message, copy.code, copy.name, str(copy)) == ("a sentence", 4711, "NAME", "a sentence (NAME)")


@pytest.mark.parametrize("path,text", [("/nowhere/libcuframes.so.0", "cannot be loaded"), ("libc.so.6", "no libcuframes")])
def test_a_library_that_is_none_is_refused(monkeypatch, path, text):
    done = support.run_python(f"""
import os
os.environ["CUFRAMES_LIBRARY"] = {path!r}
import cuframes
try:
    cuframes.list_streams()
except ImportError as error:
    print(error)
""")
    assert text in done.stdout and path in done.stdout


def python_files():
    for folder in ("sdk/python-bindings", "tests/native-peers/python", "examples/python"):
        yield from (support.ROOT / folder).rglob("*.py")


def test_all_code_is_python_3_9():
    for path in python_files():
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))


@pytest.mark.parametrize("files", [["cuframes", "build-wheel.py"], ["../../tests/native-peers/python/peer.py"]])
def test_types_are_complete_and_right(files, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.9", "--cache-dir", str(tmp_path), *files], cwd=support.PACKAGE, capture_output=True, text=True,
        env={**support.clean_environment(), "MYPYPATH": f"{support.PACKAGE}:{support.ROOT / 'tests/native-peers/python'}"})
    assert done.returncode == 0, done.stdout + done.stderr
