# SPDX-License-Identifier: LGPL-2.1-or-later
"""What readers of frames and of packets have in common: waiting in a thread and in an event loop, interrupting, closing."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from ctypes import byref, c_int
from types import TracebackType
from typing import Any, Generic, List, Optional, Tuple, Type, TypeVar

from . import errors
from ._exit import close_at_exit
from ._library import Library

# Longest wait in one piece: Python looks at signals, so at Ctrl-C, between two.
_SLICE = 100_000_000

_TIMED_OUT = errors.TIMED_OUT

Item = TypeVar("Item")
Self = TypeVar("Self", bound="Reader[Any]")


class Reader(Generic[Item]):
    """A subscriber of frames or of packets. ``_functions`` is the prefix of its functions in libcuframes, such as ``subscriber``."""

    _functions: str

    def __init__(self, key: str, timeout: Optional[float]) -> None:
        self._handles: List[int] = []
        self._handle: Optional[int] = None
        self._key = key
        self._timeout = limit_of(timeout)
        self._descriptor: Optional[int] = None
        self._awaiting: Optional[Tuple[asyncio.AbstractEventLoop, Any]] = None

    def _opened(self, library: Library, handle: Optional[int]) -> None:
        """What a constructor does with the handle that it got."""
        self._library = library
        self._next = getattr(library, self._functions + "_next")
        self._interrupt = getattr(library, self._functions + "_interrupt")
        self._open_descriptor = getattr(library, self._functions + "_descriptor")
        self._close = getattr(library, self._functions + "_close")
        self._handle = handle
        self._handles.append(handle or 0)
        close_at_exit(self)

    def _structure(self) -> Any:
        """A structure for the next item."""
        raise NotImplementedError

    def _item(self, structure: Any) -> Item:
        """What a structure that was filled in stands for."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """The stream."""
        return self._key

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._handles

    def next(self, timeout: Optional[float] = None) -> Item:
        """Takes a frame or packet, waiting for it up to ``timeout`` seconds (None: the subscriber's own time-out; 0: not at all), and connecting again if need be.

        One thread at a time. Raises :class:`TimedOut` (a ``TimeoutError``), :class:`LeasesExhausted`, :class:`Interrupted`, :class:`Closed`, :class:`Busy`, the
        refusal to have us back (:class:`AccessDenied`, :class:`Refused`), :class:`ProtocolError` for a publisher that breaks the protocol, and with
        ``reconnect=False`` :class:`Disconnected`, :class:`ShuttingDown`, :class:`Evicted`.
        """
        limit = self._timeout if timeout is None else limit_of(timeout)
        structure = self._structure()
        if limit is None:
            code = self._next(self._handle, _SLICE, structure)
            while code == _TIMED_OUT:
                code = self._next(self._handle, _SLICE, structure)
        else:
            code = self._next(self._handle, min(limit, _SLICE), structure)
            if code == _TIMED_OUT and limit > 0:
                code = self._next_until(time.monotonic_ns() + limit - min(limit, _SLICE), structure)
        if code:
            raise self._error(code)
        return self._item(structure)

    def __iter__(self: Self) -> Self:
        return self

    def __next__(self) -> Item:
        """As :meth:`next`. The iteration ends when the subscriber is interrupted or closed, and with ``reconnect=False`` when the publisher says goodbye;
        anything else is raised."""
        try:
            return self.next()
        except (errors.Interrupted, errors.ShuttingDown):
            raise StopIteration from None
        except errors.Closed:
            raise StopIteration from None

    async def next_async(self, timeout: Optional[float] = None) -> Item:
        """As :meth:`next`, waiting in the running event loop instead of in a thread. One task at a time, in the thread that takes frames.

        Cancelling is safe: nothing is lost by it. A connection that has to be made again is made inside the loop, which takes as long as the publisher's answer.
        """
        if self._awaiting is not None:
            raise errors.Busy(f"Another task waits in this subscriber of stream '{self._key}'.", errors.BUSY, "BUSY")
        loop = asyncio.get_running_loop()
        limit = self._timeout if timeout is None else limit_of(timeout)
        deadline = None if limit is None else loop.time() + limit / 1e9
        descriptor = self.fileno()
        # Tasks beside this one have their turn even when there is always something.
        self._awaiting = (loop, None)
        try:
            await asyncio.sleep(0)
            while True:
                structure = self._structure()
                # The shortest wait there is: a call that does not wait leaves an interruption to the next one that does.
                code = self._next(self._handle, 1, structure)
                if code == _TIMED_OUT:
                    # After this one the descriptor tells.
                    code = self._next(self._handle, 0, structure)
                if code == 0:
                    return self._item(structure)
                if code != _TIMED_OUT or (deadline is not None and loop.time() >= deadline):
                    raise self._error(code)
                await self._wait(loop, descriptor, deadline)
        finally:
            self._awaiting = None

    def __aiter__(self: Self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.next_async()
        except (errors.Interrupted, errors.ShuttingDown, errors.Closed):
            raise StopAsyncIteration from None

    def interrupt(self) -> None:
        """Ends a wait, now or the next one, with :class:`Interrupted`; an iteration ends. Any thread. Not inside signal handlers of C."""
        self._library.check(self._interrupt(self._handle))
        self._wake()

    def fileno(self) -> int:
        """A descriptor for ``select``, ``poll`` and event loops. It stays the same over reconnections and belongs to the subscriber: do not read or close it.

        When ``next(0)`` has raised :class:`TimedOut`, the descriptor becomes readable as soon as calling it again makes sense. Always take until that. The thread
        that takes frames. Raises :class:`Closed`, :class:`Busy`.
        """
        if self._descriptor is None or not self._handles:
            descriptor = c_int()
            self._library.check(self._open_descriptor(self._handle, byref(descriptor)))
            self._descriptor = descriptor.value
        return self._descriptor

    def close(self) -> None:
        """Leaves the stream; a second call does nothing. A wait in another thread ends with :class:`Interrupted`. Frames that are held stay mapped until they are
        released, but may be overwritten from now on: ``frame.check()`` tells. Any thread."""
        try:
            handle = self._handles.pop()
        except IndexError:
            return
        self._leave_loop()
        self._close(handle)
        self._wake()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<cuframes.{type(self).__name__} {self._key!r}{', closed' if self.is_closed else ''}>"

    def _next_until(self, end: int, structure: Any) -> int:
        code = _TIMED_OUT
        while code == _TIMED_OUT:
            left = end - time.monotonic_ns()
            if left <= 0:
                break
            code = self._next(self._handle, min(left, _SLICE), structure)
        if code == _TIMED_OUT:
            # The text that belongs to the code is of this thread's last call.
            code = self._next(self._handle, 0, structure)
        return code

    def _error(self, code: int) -> errors.Error:
        if code == errors.INVALID_HANDLE:
            return errors.Closed(f"The subscriber of stream '{self._key}' was closed before.", code, "INVALID_HANDLE")
        return self._library.error(code)

    async def _wait(self, loop: asyncio.AbstractEventLoop, descriptor: int, deadline: Optional[float]) -> None:
        ready = loop.create_future()
        self._awaiting = (loop, ready)
        timer = None if deadline is None else loop.call_at(deadline, _complete, ready)
        loop.add_reader(descriptor, _complete, ready)
        try:
            await ready
        finally:
            if timer is not None:
                timer.cancel()
            if not self.is_closed:
                loop.remove_reader(descriptor)

    def _leave_loop(self) -> None:
        """Takes the descriptor out of the loop while it is still ours: after close() its number may be another file's."""
        awaiting = self._awaiting
        if awaiting is None or awaiting[1] is None or self._descriptor is None:
            return
        loop = awaiting[0]
        try:
            is_here = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_here = False
        if is_here:
            loop.remove_reader(self._descriptor)
            return
        left = threading.Event()

        def leave(descriptor: int) -> None:
            loop.remove_reader(descriptor)
            left.set()

        try:
            loop.call_soon_threadsafe(leave, self._descriptor)
        except RuntimeError:
            # The loop was closed, and has no descriptors any more.
            return
        # A loop that is stuck keeps nobody from closing.
        left.wait(1)

    def _wake(self) -> None:
        awaiting = self._awaiting
        if awaiting is not None and awaiting[1] is not None:
            try:
                awaiting[0].call_soon_threadsafe(_complete, awaiting[1])
            except RuntimeError:
                # The loop was closed: nobody waits in it any more.
                pass


def _complete(ready: Any) -> None:
    if not ready.done():
        ready.set_result(None)


def limit_of(timeout: Optional[float]) -> Optional[int]:
    """A time-out in seconds as nanoseconds; None: no limit."""
    if timeout is None or timeout == math.inf:
        return None
    if not timeout >= 0:
        raise errors.InvalidArgument(f"A time-out cannot be {timeout!r} seconds.", 1000, "INVALID_ARGUMENT")
    return int(timeout * 1_000_000_000)
