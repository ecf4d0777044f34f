# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options of a peer, its answers and its commands (tests/native-peers/README.md)."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, Dict, List, Optional, Tuple

import cuframes

_gate = threading.Lock()


class Arguments:
    """Options, as ``--name value``."""

    def __init__(self, arguments: List[str]) -> None:
        self._values: Dict[str, str] = dict(zip(arguments[::2], arguments[1::2]))

    def text(self, name: str, otherwise: Optional[str] = None) -> Optional[str]:
        return self._values.get("--" + name, otherwise)

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            print(f"--{name} is missing", file=sys.stderr)
            sys.exit(64)
        return value

    def number(self, name: str, otherwise: int) -> int:
        return int(self._values.get("--" + name, otherwise))

    def seconds(self, name: str, otherwise: int) -> float:
        """Of an option in milliseconds."""
        return self.number(name, otherwise) / 1000

    def formats(self) -> List[Tuple[str, int, int]]:
        return [format_of(text) for text in self.required("format").split(",")]

    def publisher(self, **others: Any) -> cuframes.Publisher:
        lossless = self.number("lossless-ms", 0)
        return cuframes.Publisher(
            self.required("key"), *self.formats()[0], directory=self.required("dir"), memory=self.text("memory", "host") or "host", slots=self.number("slots", 4),
            max_slots=self.number("max-slots", 16), max_leases=self.number("max-leases", 8), max_subscribers=self.number("max-subscribers", 64),
            lossless_timeout=lossless / 1000 if lossless else None, lease_timeout=self.seconds("lease-timeout-ms", 5000),
            shrink_after=self.seconds("shrink-after-ms", 10000), program=self.text("program"), source=self.text("source"),
            readers="own" if self.text("readers") == "own" else "everyone", **others)

    def subscriber(self, **others: Any) -> cuframes.Subscriber:
        fence = self.text("fence")
        delivery = (self.text("delivery") or "newest").lower()
        return cuframes.Subscriber(
            self.required("key"), directory=self.required("dir"), delivery="in-order" if delivery == "inorder" else delivery,
            leases=self.number("leases", 2), fences=None if fence is None else {"cpu", fence.lower()}, program=self.text("program"), **others)


def format_of(text: str) -> Tuple[str, int, int]:
    """A format such as ``nv12:640x360``."""
    name, size = text.split(":")
    width, height = size.split("x")
    return name, int(width), int(height)


def say(kind: str, **fields: Any) -> None:
    """An answer."""
    line = json.dumps({"kind": kind, **fields})
    with _gate:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def say_error(error: cuframes.Error) -> None:
    """The answer to a command that failed."""
    say("error", code=error.code, name=error.name, text=error.message)


def commands() -> Any:
    """Lines of the standard input, up to ``exit`` or its end."""
    while True:
        line = sys.stdin.readline()
        if not line or line.strip() == "exit":
            return
        yield line.strip()


def statistics_of(publisher: cuframes.Publisher) -> Dict[str, Any]:
    """Figures of a publisher, named as the C# peer names them."""
    info = publisher.info
    deliveries = {"newest": 1, "in-order": 2, "lossless": 3}
    return {
        "Published": info.published, "Dropped": info.dropped, "Evicted": info.evicted, "HungUp": info.hung_up, "Refused": info.refused, "Slots": info.slots,
        "HeldSlots": info.held_slots, "SegmentBytes": info.segment_bytes, "UnansweredBytes": info.unanswered_bytes,
        "Subscribers": [
            {"SubscriberId": each.subscriber_id, "Program": each.program, "ProcessId": each.process_id or 0, "UserId": each.user_id,
             "Delivery": deliveries[each.delivery], "GrantedLeases": each.granted_leases, "HeldLeases": each.held_leases, "Lag": each.lag,
             "Taken": each.taken, "Missed": each.missed}
            for each in publisher.subscribers()
        ],
    }
