# SPDX-License-Identifier: LGPL-2.1-or-later
"""What publishers of frames and of packets have in common: states, subscribers, closing."""

from __future__ import annotations

from ctypes import byref, c_size_t, sizeof
from types import TracebackType
from typing import Any, List, Optional, Type, TypeVar

from . import _names, errors
from ._exit import close_at_exit
from ._library import Library
from ._structures import CSubscriberStatistics
from .information import SubscriberStatistics

Self = TypeVar("Self", bound="StreamPublisher")


class StreamPublisher:
    """A publisher of frames or of packets. ``_functions`` is the prefix of its functions in libcuframes, such as ``publisher``."""

    _functions: str

    def __init__(self, key: str) -> None:
        self._handles: List[int] = []
        self._handle: Optional[int] = None
        self._key = key

    def _opened(self, library: Library, handle: Optional[int]) -> None:
        """What a constructor does with the handle that it got."""
        self._library = library
        self._handle = handle
        self._handles.append(handle or 0)
        close_at_exit(self)

    @property
    def key(self) -> str:
        """The stream."""
        return self._key

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._handles

    def set_state(self, state: str, reason: Optional[str] = None) -> None:
        """Tells readers of the source: ``"starting"``, ``"live"`` or ``"source-lost"``, with a reason for people. Any thread. Raises :class:`InvalidArgument`."""
        number = _names.number_of(_names.STATES, state, "state")
        self._check(self._function("set_state")(self._handle, number, _names.text_bytes(reason, "A reason")))

    def evict(self, subscriber_id: int, reason: Optional[str] = None) -> None:
        """Evicts a subscriber, which is told the reason. Any thread. Raises :class:`InvalidArgument` when there is none with this id."""
        self._check(self._function("evict")(self._handle, subscriber_id, _names.text_bytes(reason, "A reason")))

    def subscribers(self) -> List[SubscriberStatistics]:
        """Figures of all subscribers. Any thread. Raises :class:`Closed`."""
        capacity = 16
        while True:
            items = (CSubscriberStatistics * capacity)()
            count = c_size_t()
            self._check(self._function("get_subscribers")(self._handle, items, sizeof(CSubscriberStatistics), capacity, byref(count)))
            if count.value <= capacity:
                return [SubscriberStatistics._of(items[index]) for index in range(count.value)]
            capacity = 2 * count.value

    def close(self) -> None:
        """Says goodbye to the readers and gives the key back; a second call does nothing. Of frames: one that is open is abandoned, and the
        memory goes: arrays of open or published frames must not be touched any more. The publishing thread."""
        try:
            handle = self._handles.pop()
        except IndexError:
            return
        self._function("close")(handle)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<cuframes.{type(self).__name__} {self._key!r}{', closed' if self.is_closed else ''}>"

    def _check(self, code: int) -> None:
        if code == errors.INVALID_HANDLE:
            raise errors.Closed(f"The publisher of stream '{self._key}' was closed before.", code, "INVALID_HANDLE")
        self._library.check(code)

    def _function(self, name: str) -> Any:
        return getattr(self._library, f"{self._functions}_{name}")


def count_of(value: Optional[int], what: str, end: int = 2**32) -> int:
    """A number that C takes: ctypes itself cuts off what does not fit."""
    if value is None:
        return 0
    if not isinstance(value, int) or not 0 <= value < end:
        raise errors.InvalidArgument(f"{what} must be a whole number from 0 to {end - 1}, not {value!r}.", 1000, "INVALID_ARGUMENT")
    return value
