# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors of CuFrames. Each has the number and the name of docs/protocol.md 12 or of cuframes.h, and a sentence that says what was tried,
what was found and what to do."""

from __future__ import annotations

from typing import Dict, Type


class Error(Exception):
    """An error of CuFrames.

    ``code`` is the stable number, ``name`` the name that belongs to it, such as ``"ACCESS_DENIED"``; ``str()`` gives the sentence. Codes
    without a class of their own come as this one.
    """

    code: int
    name: str

    def __init__(self, message: str, code: int = 0, name: str = "") -> None:
        Exception.__init__(self, message)
        self.message = message
        self.code = code
        self.name = name

    def __str__(self) -> str:
        return f"{self.message} ({self.name})" if self.name else self.message

    def __reduce__(self) -> "tuple[type[Error], tuple[str, int, str]]":
        return type(self), (self.message, self.code, self.name)


class ProtocolError(Error):
    """The other side broke the protocol. The next call of a subscriber connects again."""


class StreamNotFound(Error):
    """Nobody publishes a stream of this key, or the directory does not exist."""


class AlreadyPublished(Error):
    """Another publisher has this key."""


class Refused(Error):
    """The publisher does not take this subscriber: too many there, another protocol version, a delivery it does not offer, memory that cannot be
    mapped here."""


class AccessDenied(Refused):
    """This user may not read or publish the stream."""


class Evicted(Error):
    """The publisher evicted this subscriber: it held frames for too long while they were needed, did not read its socket, or an operator wanted
    it. Raised with ``reconnect=False`` only; otherwise it is an event, and the subscriber connects again."""


class Disconnected(Error):
    """The publisher is gone. Raised with ``reconnect=False`` only."""


class ShuttingDown(Disconnected):
    """The publisher said goodbye: the stream has come to its end. Raised with ``reconnect=False`` only."""


class FrameLost(Error):
    """The frame was taken away while it was held, because this subscriber was evicted: its content cannot be trusted."""


class PacketLost(Error):
    """The packet was overwritten by newer ones, or its connection has ended: what was read of it is not to be trusted."""


class PacketTooLarge(Error):
    """A packet of more than half of the ring cannot be published: it is counted, and the stream goes on without it."""


class LeasesExhausted(Error):
    """As many frames are held as leases were granted: release one, or ask for more with ``leases=``."""


class TimedOut(Error, TimeoutError):
    """No frame or packet came in time. Also a ``TimeoutError``."""


class InvalidArgument(Error, ValueError):
    """A key, a format, an option or an argument that makes no sense. Also a ``ValueError``."""


class CudaError(Error):
    """The CUDA driver is not there, or a call of it failed."""


class Closed(Error):
    """The subscriber, publisher or frame was closed before."""


class FrameReleased(Closed, BufferError):
    """The frame was released (or published) before: its memory may hold another frame by now. Also a ``BufferError``."""


class Busy(Error):
    """Another thread or task is in a call that only one at a time may make."""


class ForkError(Error):
    """This process was forked after CuFrames had been used in its parent. Use the start methods "spawn" or "forkserver", or fork first."""


class Interrupted(Error):
    """``interrupt()`` or ``close()`` ended the wait."""


class Dropped(Error):
    """Readers hold every slot: the publisher drops this frame, as it never waits for them."""


class WrongState(Error):
    """The call does not fit what was called before."""


class InternalError(Error):
    """A fault of the library. The text has what a report needs."""


TIMED_OUT = 26
PACKET_LOST = 36
SHUTTING_DOWN = 19
INVALID_HANDLE = 1001
BUSY = 1002
FORKED = 1003
INTERRUPTED = 1004
DROPPED = 1005

CLASSES: Dict[int, Type[Error]] = {
    1: ProtocolError,
    2: Refused,
    3: ProtocolError,
    4: ProtocolError,
    5: InvalidArgument,
    6: StreamNotFound,
    7: AlreadyPublished,
    8: AccessDenied,
    9: Refused,
    10: Refused,
    11: Refused,
    13: Evicted,
    14: Evicted,
    15: Evicted,
    16: Evicted,
    17: Evicted,
    18: Evicted,
    19: ShuttingDown,
    21: ProtocolError,
    22: ProtocolError,
    23: ProtocolError,
    24: FrameLost,
    25: InvalidArgument,
    26: TimedOut,
    27: Disconnected,
    28: InvalidArgument,
    31: LeasesExhausted,
    32: CudaError,
    33: CudaError,
    34: CudaError,
    35: ProtocolError,
    36: PacketLost,
    37: PacketTooLarge,
    1000: InvalidArgument,
    1001: Closed,
    1002: Busy,
    1003: ForkError,
    1004: Interrupted,
    1005: Dropped,
    1006: WrongState,
    1007: InternalError,
}
"""Classes of codes; any other code is an ``Error``."""
