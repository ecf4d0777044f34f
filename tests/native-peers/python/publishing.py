# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands ``publish``, ``publisher`` and ``conform-publisher``."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from typing import Any, Deque, List, Optional

import numpy

import cuframes
import stamp
from arguments import Arguments, commands, format_of, say, say_error, statistics_of
from device import DeviceWriter

OUT_OF_RESOURCES = 20


class StampedPublisher:
    """A publisher of stamped frames, in main or device memory."""

    def __init__(self, publisher: cuframes.Publisher) -> None:
        self.publisher = publisher
        info = publisher.info
        self.epoch = info.epoch
        self.head = info.head
        self.device = DeviceWriter(info.cuda_context) if info.cuda_context else None

    def try_publish(self, **facts: Any) -> bool:
        frame = self.publisher.begin(stream=self.device.stream.value if self.device else None)
        if frame is None:
            return False
        sequence = self.head + 1
        with frame:
            number = stamp.number_of(self.epoch, sequence)
            if self.device:
                self.device.write(frame, number)
            else:
                for index, plane in enumerate(frame.planes):
                    stamp.rows_of(plane)[:] = stamp.plane_of(number, index, plane.rows, plane.row_bytes)
            frame.pts = stamp.pts_of(sequence)
            frame.source_packet = sequence
            for name, value in facts.items():
                setattr(frame, name, value)
        if frame.sequence != sequence:
            raise RuntimeError(f"Frame {sequence} was published as {frame.sequence}.")
        self.head = sequence
        return True

    def close(self) -> None:
        if self.device:
            self.device.close()
        self.publisher.close()


def publish(arguments: Arguments) -> int:
    """Publishes as fast as it can, or at a rate."""
    evictions: Deque[str] = deque()

    def note(event: cuframes.Event) -> None:
        if event.kind in ("subscriber-evicted", "internal-error"):
            evictions.append(f"{event.code} {event.text}")

    publisher = arguments.publisher(on_event=note)
    stamped = StampedPublisher(publisher)
    stopped = threading.Event()
    start = threading.Event()

    def obey() -> None:
        try:
            for command in commands():
                if command == "go":
                    start.set()
                elif command == "stats":
                    say("stats", statistics=statistics_of(publisher), evictions=list(evictions))
        finally:
            stopped.set()
            start.set()

    say("ready", epoch=str(stamped.epoch))
    commander = threading.Thread(target=obey, daemon=True)
    commander.start()
    if arguments.number("start-on-go", 0):
        start.wait()
    _publish_all(stamped, arguments, stopped)
    commander.join()
    stamped.close()
    return 0


def _publish_all(stamped: StampedPublisher, arguments: Arguments, stopped: threading.Event) -> None:
    batch = 1000
    formats = arguments.formats()
    frames = arguments.number("frames", 2**31)
    wraps = arguments.number("wraps", 2**31)
    cycle = arguments.number("cycle-every", 2**31)
    rate = arguments.number("fps", 0)
    published = attempts = changes = refused = current = 0
    wrapped = 0.0
    started = time.monotonic()
    while published < frames and wrapped < wraps and not stopped.is_set():
        attempts += 1
        if stamped.try_publish():
            published += 1
            if published % cycle == 0:
                current = (current + 1) % len(formats)
                try:
                    stamped.publisher.configure(*formats[current])
                    changes += 1
                except cuframes.Error as error:
                    if error.code != OUT_OF_RESOURCES:
                        raise
                    # Stopped readers have yet to give old segments back; the old format goes on.
                    refused += 1
            if published % batch == 0:
                wrapped += batch / stamped.publisher.info.slots
        if rate > 0:
            left = started + attempts / rate - time.monotonic()
            if left > 0:
                time.sleep(left)  # The frame rate that was asked for.
    say("done", published=published, attempts=attempts, changes=changes, refusedChanges=refused, wraps=wrapped, seconds=time.monotonic() - started,
        statistics=statistics_of(stamped.publisher))


class StepPublisher:
    """Publishes step by step: one method for each command."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._stamped: Optional[StampedPublisher] = None
        self._events: Deque[Any] = deque()

    def run(self) -> int:
        say("ready")
        for line in commands():
            name, _, rest = line.partition(" ")
            try:
                getattr(self, "do_" + name.replace("-", "_"))(rest)
            except cuframes.Error as error:
                say_error(error)
        self.do_close("", answer=False)
        return 0

    @property
    def _publisher(self) -> cuframes.Publisher:
        return self._open_one.publisher

    @property
    def _open_one(self) -> StampedPublisher:
        if self._stamped is None:
            raise cuframes.Closed("No publisher is open.", 1001, "INVALID_HANDLE")
        return self._stamped

    def do_open(self, _rest: str) -> None:
        self._stamped = StampedPublisher(self._arguments.publisher(on_event=lambda event: self._events.append({"name": event.kind, "code": event.code})))
        say("open", epoch=str(self._stamped.epoch))

    def do_publish(self, rest: str) -> None:
        count = int(rest or 1)
        published = sum(self._open_one.try_publish() for _ in range(count))
        say("publish", published=published, dropped=count - published, head=self._open_one.head)

    def do_publish_described(self, _rest: str) -> None:
        published = self._open_one.try_publish(
            pts=-1234567890123, capture_time=1700000000000000001, arrival_time=42, source_packet=7, duration=40000001, flags=31, picture_type="bidirectional",
            colour_matrix=9, colour_range="full", colour_primaries=9, colour_transfer=16, rotation=3, chroma_location=1)
        say("publish", published=int(published), dropped=int(not published), head=self._open_one.head)

    def do_abandon(self, _rest: str) -> None:
        frame = self._publisher.frame()
        if frame.memory == "host":
            for plane in frame.planes:
                stamp.rows_of(plane)[:] = 0xAB
        elif self._open_one.device:
            self._open_one.device.write(frame, 0)
        frame.abandon()
        say("abandon")

    def do_configure(self, rest: str) -> None:
        self._publisher.configure(*format_of(rest))
        say("configure")

    def do_state(self, rest: str) -> None:
        number, _, reason = rest.partition(" ")
        states = ["starting", "live", "source-lost", "ended"]
        self._publisher.set_state(states[int(number)], reason)
        say("state")

    def do_evict(self, rest: str) -> None:
        found = [each.subscriber_id for each in self._publisher.subscribers() if each.program == rest]
        # The library refuses an id that nobody has.
        self._publisher.evict(found[0] if found else 0, "asked to")
        say("evict")

    def do_info(self, _rest: str) -> None:
        say("info", statistics=statistics_of(self._publisher))

    def do_events(self, _rest: str) -> None:
        say("events", events=list(self._events))

    def do_close(self, _rest: str, answer: bool = True) -> None:
        if self._stamped is not None:
            self._stamped.close()
            self._stamped = None
        if answer:
            say("close")


def conform(key: str, change_after: Optional[int]) -> int:
    """A publisher as the conformance suite wants it. Ends with SIGTERM or when its standard input is closed."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())

    def watch() -> None:
        while sys.stdin.read(1):
            pass
        stopped.set()

    threading.Thread(target=watch, daemon=True).start()
    random = numpy.random.default_rng(1)
    with cuframes.Publisher(key, "nv12", 94, 62, slots=6, max_slots=8, max_leases=4, max_subscribers=40, lease_timeout=0.5, lossless_timeout=5) as publisher:
        first_seen = None
        is_changed = change_after is None
        while not stopped.wait(0.01):
            if not is_changed and change_after is not None:
                if first_seen is None and publisher.info.subscribers > 0:
                    first_seen = time.monotonic()
                if first_seen is not None and time.monotonic() - first_seen >= change_after / 1000:
                    publisher.configure("i420", 65, 33)
                    is_changed = True
            frame = publisher.begin()
            if frame is not None:
                with frame:
                    for plane in frame.planes:
                        plane.memoryview()[:] = random.bytes((plane.rows - 1) * plane.pitch + plane.row_bytes)
    return 0
