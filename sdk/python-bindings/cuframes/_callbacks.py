# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callbacks of the library as calls of Python functions."""

from __future__ import annotations

from typing import Any, Callable, Optional

from . import _names
from ._structures import CEvent, EventCallback
from .information import Event


def event_callback(function: Optional[Callable[[Event], object]]) -> Any:
    """A C callback that calls the function with an :class:`Event`. The caller must keep it for as long as the library may call it.

    An exception in the function goes to ``sys.unraisablehook``: there is nobody in C that could take it.
    """
    if function is None:
        return EventCallback()

    tell_of = function

    def tell(_user: Optional[int], address: Optional[int]) -> None:
        if address is not None:
            raw = CEvent.from_address(address)
            text = raw.text.decode("utf-8", "replace") if raw.text else ""
            tell_of(Event(_names.word_of(_names.EVENTS, raw.kind), raw.code, raw.epoch, raw.subscriber_id, text))

    return EventCallback(tell)
