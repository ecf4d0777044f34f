# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every public name is in docs/python.md, and has a docstring."""

import dataclasses
import enum
import inspect
import re

import cuframes
import pytest
import support

MANUAL = (support.ROOT / "docs" / "python.md").read_text()

# What stands between backticks, and words in code blocks.
WORDS = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", re.sub(r"```.*?```", "", MANUAL, flags=re.DOTALL)) + re.findall(r"```.*?```", MANUAL, flags=re.DOTALL))))

SPECIAL = {"__dlpack__", "__dlpack_device__", "__array_interface__", "__cuda_array_interface__"}


def public_names():
    """Names of the package, and members of its classes."""
    for name in cuframes.__all__:
        yield name, getattr(cuframes, name)
        value = getattr(cuframes, name)
        if inspect.isclass(value):
            members = {each.name for each in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
            for member in members | {each for each in vars(value) if not each.startswith("_") or each in SPECIAL}:
                yield f"{name}.{member}", inspect.getattr_static(value, member, None)


@pytest.mark.parametrize("name", [name for name, _ in public_names()])
def test_every_public_name_is_in_the_manual(name):
    assert name.rpartition(".")[2] in WORDS


def test_every_option_is_in_the_manual():
    for callable_ in (cuframes.Subscriber, cuframes.Publisher, cuframes.PacketSubscriber, cuframes.PacketPublisher, cuframes.PacketPublisher.publish, cuframes.Subscriber.next, cuframes.Publisher.configure, cuframes.Frame.release, cuframes.set_log, cuframes.probe):
        for name in inspect.signature(callable_).parameters:
            assert name in WORDS | {"self", "function"}, (callable_, name)


def test_every_error_and_its_codes_are_in_the_manual():
    from cuframes.errors import CLASSES

    told = {}
    for name, codes in re.findall(r"^\| `([A-Z]\w+)` \| ([0-9, to]+) \|", MANUAL, re.MULTILINE):
        for part in codes.split(","):
            first, _, last = part.partition(" to ")
            for code in range(int(first), int(last or first) + 1):
                told.setdefault(code, set()).add(name)
    assert told == {code: {kind.__name__} | ({"FrameReleased"} if code == 1001 else set()) for code, kind in CLASSES.items()}


def test_all_that_is_public_has_a_docstring():
    for name, value in public_names():
        if isinstance(value, (enum.Enum, str)) or "." in name and not callable(getattr(value, "fget", value)) or name.rpartition(".")[2] in SPECIAL:
            continue
        function = value.fget if isinstance(value, property) else value
        if inspect.isfunction(function) or inspect.isclass(function):
            assert inspect.getdoc(function), name


def test_all_names_are_exported():
    exported = {name for name, value in vars(cuframes).items() if not name.startswith("_") and not inspect.ismodule(value)} | {"__version__"}
    assert exported == set(cuframes.__all__)
