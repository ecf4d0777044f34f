# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands ``read``, ``subscriber`` and ``conform-subscriber``."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections import deque
from typing import Any, Deque, Dict, List, Optional

import cuframes
from arguments import Arguments, commands, say, say_error
from checker import Checker, fault_of
from device import DeviceReader


class Reading:
    """Frames of one subscriber, looked at twice each."""

    def __init__(self, subscriber: cuframes.Subscriber, wanted_fence: Optional[str]) -> None:
        self.subscriber = subscriber
        self.checker = Checker()
        self.held: Deque[cuframes.Frame] = deque()
        self._wanted = wanted_fence if wanted_fence in ("stream", "event") else None
        self._device: Optional[DeviceReader] = None
        self._context: Optional[int] = None

    def take(self, frame: cuframes.Frame, dwell: float) -> None:
        self.checker.count(frame)
        if frame.memory == "cuda":
            self._device_of(frame).look_at_complete()
        self.checker.verify(frame, dwell)
        self.held.append(frame)

    def release_down_to(self, count: int) -> None:
        while len(self.held) > max(0, count):
            frame = self.held.popleft()
            if frame.memory == "cuda":
                self._device_of(frame).release(frame)
            else:
                self.checker.verify(frame)
                frame.release()

    def release_all(self) -> None:
        """Releases all frames, and waits until the GPU has ended their leases."""
        self.release_down_to(0)
        if self._device is None:
            return
        self._device.settle()
        while self.subscriber.info.held_frames > 0 and self.subscriber.info.is_connected:
            try:
                # The subscriber sees that a release was carried out when it is asked for a frame.
                self.take(self.subscriber.next(0), 0)
                self.release_down_to(0)
                self._device.settle()
            except (TimeoutError, cuframes.LeasesExhausted):
                pass
        self._device.close()

    def _device_of(self, frame: cuframes.Frame) -> DeviceReader:
        if self._device is None:
            info = self.subscriber.info
            if self._wanted and info.release_fence != self._wanted:
                raise RuntimeError(f"The release fence is {info.release_fence} and not {self._wanted}. {info.release_fence_reason}")
            if info.cuda_context is None:
                raise RuntimeError("There is no CUDA context.")
            self._device = DeviceReader(info.cuda_context, self.checker)
        return self._device


def read(arguments: Arguments) -> int:
    """Reads until it is told to end."""
    leases = arguments.number("leases", 2)
    subscriber = arguments.subscriber(wait_for_stream=True)
    reading = Reading(subscriber, arguments.text("fence"))
    checker = reading.checker
    say("ready")
    holding = arguments.number("take-and-hold", 0)
    if holding:
        for _ in range(holding):
            reading.take(subscriber.next(60), 0)
        say("holding", held=subscriber.info.held_frames, isClean=checker.is_clean)
        for _ in commands():
            pass
        return 0
    finishing = threading.Event()
    exiting = threading.Event()

    def obey() -> None:
        try:
            for command in commands():
                if command == "finish":
                    finishing.set()
        finally:
            exiting.set()

    commander = threading.Thread(target=obey, daemon=True)
    commander.start()
    violations = _read_all(reading, arguments, leases, finishing, exiting)
    info = subscriber.info
    say("summary", frames=checker.frames, missed=checker.missed, torn=checker.torn, lost=checker.lost, repeated=checker.repeated,
        outOfOrder=checker.out_of_order, missedWrong=checker.missed_wrong, epochs=checker.epochs, last=checker.last, taken=info.taken,
        ownMissed=info.missed, evictions=info.evictions, reconnects=info.reconnects, faults=checker.faults, violations=violations)
    commander.join()
    subscriber.close()
    return 0


def _read_all(reading: Reading, arguments: Arguments, leases: int, finishing: threading.Event, exiting: threading.Event) -> List[str]:
    violations: List[str] = []
    dwell = arguments.number("dwell-us", 0) / 1e6
    hold = min(arguments.number("hold", 1), leases)
    checker = reading.checker
    is_first = True
    while not exiting.is_set():
        reading.release_down_to(hold - 1)
        try:
            frame = reading.subscriber.next(0.3)
        except TimeoutError:
            if finishing.is_set():
                break
            continue
        except cuframes.ProtocolError as error:
            # The next call connects again.
            violations.append(error.message)
            say("fault", Message=error.message)
            continue
        if is_first:
            is_first = False
            say("connected")
        was_clean = checker.is_clean
        reading.take(frame, dwell)
        del frame
        if was_clean and not checker.is_clean:
            # Said at once, because this process may be killed before it can say its summary.
            say("fault", Faults=checker.faults)
    reading.release_all()
    return violations


class StepReader:
    """Reads step by step: one method for each command."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._subscriber: Optional[cuframes.Subscriber] = None
        self._held: Dict[int, cuframes.Frame] = {}
        self._events: Deque[Any] = deque()
        self._copies = Checker()
        self._device: Optional[DeviceReader] = None
        self._context: Optional[int] = None

    def run(self) -> int:
        say("ready")
        for line in commands():
            name, _, rest = line.partition(" ")
            try:
                getattr(self, "do_" + name.replace("-", "_"))(rest)
            except cuframes.Error as error:
                say_error(error)
        if self._device is not None:
            self._device.close()
        return 0

    @property
    def _open_one(self) -> cuframes.Subscriber:
        if self._subscriber is None:
            raise cuframes.Closed("No subscriber is open.", 1001, "INVALID_HANDLE")
        return self._subscriber

    def do_open(self, _rest: str) -> None:
        self._subscriber = self._arguments.subscriber(
            wait_for_stream=self._arguments.number("wait-for-stream", 0) != 0, reconnect=self._arguments.number("no-reconnect", 0) == 0,
            on_event=lambda event: self._events.append({"name": event.kind, "code": event.code}))
        say("open")

    def do_next(self, rest: str) -> None:
        frame = self._open_one.next(int(rest) / 1000)
        self._held[frame.sequence] = frame
        say("frame", sequence=frame.sequence, epoch=str(frame.epoch), missed=frame.missed, format=frame.pixel_format, width=frame.width, height=frame.height,
            memory=frame.memory, planes=len(frame.planes), fault=fault_of(frame))

    def do_verify(self, _rest: str) -> None:
        torn = lost = 0
        for frame in self._held.values():
            try:
                # Of a frame that was lost nothing else is looked at: its content may be anything.
                frame.check()
                torn += fault_of(frame) is not None
                frame.check()
            except cuframes.FrameLost:
                lost += 1
        say("verify", held=len(self._held), torn=torn, lost=lost)

    def do_metadata(self, rest: str) -> None:
        frame = self._of(rest)
        pictures = ["unknown", "intra", "predicted", "bidirectional"]
        ranges = ["unknown", "limited", "full"]
        say("metadata", pts=-2**63 if frame.pts is None else frame.pts, captureTime=frame.capture_time or 0, arrivalTime=frame.arrival_time or 0,
            publishTime=frame.publish_time, sourcePacket=frame.source_packet or 0, duration=frame.duration or 0, flags=int(frame.flags),
            pictureType=pictures.index(frame.picture_type), colourMatrix=frame.colour_matrix, colourRange=ranges.index(frame.colour_range),
            colourPrimaries=frame.colour_primaries, colourTransfer=frame.colour_transfer, rotation=frame.rotation,
            chromaLocation=0 if frame.chroma_location is None else frame.chroma_location + 1)

    def do_release(self, rest: str) -> None:
        sequence, _, how = rest.partition(" ")
        frame = self._of(sequence)
        del self._held[frame.sequence]
        if frame.memory == "cuda" and how != "cpu":
            if self._device is None:
                context = self._open_one.info.cuda_context
                if context is None:
                    raise RuntimeError("There is no CUDA context.")
                self._device = DeviceReader(context, self._copies)
            self._device.copy(frame)
            frame.release(self._device.stream.value)
        else:
            frame.release()
        say("release")

    def do_settle(self, _rest: str) -> None:
        if self._device is not None:
            self._device.settle()
        torn, self._copies.torn = self._copies.torn, 0
        say("settle", torn=torn)

    def do_info(self, _rest: str) -> None:
        info = self._open_one.info
        states = ["starting", "live", "source-lost", "ended"]
        say("info", isConnected=info.is_connected, state=states.index(info.state), memory=info.memory or "none", epoch=str(info.epoch),
            granted=info.granted_leases, held=info.held_frames, taken=info.taken, missed=info.missed, reconnects=info.reconnects, evictions=info.evictions,
            fence=info.release_fence)

    def do_events(self, _rest: str) -> None:
        say("events", events=list(self._events))

    def do_close(self, _rest: str) -> None:
        self._open_one.close()
        self._subscriber = None
        say("close")

    def _of(self, sequence: str) -> cuframes.Frame:
        frame = self._held.get(int(sequence))
        if frame is None:
            raise cuframes.FrameReleased(f"Frame {sequence} is not held.", 1001, "INVALID_HANDLE")
        return frame


def conform(key: str) -> int:
    """A subscriber as the conformance suite wants it: a line for each frame, released before the line is written, and a line for each end of a
    connection; then it connects again."""
    _end_with_input_or_sigterm()
    while True:
        try:
            with cuframes.Subscriber(key, wait_for_stream=True, on_event=_tell_end) as subscriber:
                for frame in subscriber:
                    _tell_frame(frame)
        except cuframes.Error as error:
            _tell_error(error)


def conform_packets(key: str) -> int:
    """As :func:`conform`, of packets."""
    _end_with_input_or_sigterm()
    while True:
        try:
            with cuframes.PacketSubscriber(key, wait_for_stream=True, on_event=_tell_end) as subscriber:
                lost = 0  # before the next line: a packet that was overwritten while it was read is lost, too
                for packet in subscriber:
                    digest = hashlib.sha256(packet.data).hexdigest()
                    lost += packet.missed
                    if not packet.is_valid:
                        lost += 1
                        continue
                    print(json.dumps({"sequence": packet.sequence, "epoch": f"{packet.epoch:016x}", "sha256": digest, "missed": lost}), flush=True)
                    lost = 0
        except cuframes.Error as error:
            _tell_error(error)


def _end_with_input_or_sigterm() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    def watch() -> None:
        while sys.stdin.read(1):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _tell_end(event: cuframes.Event) -> None:
    if event.kind in ("evicted", "disconnected"):
        _say_event(event.kind, event.code)


def _tell_error(error: cuframes.Error) -> None:
    # Also a handshake that ended without an answer; the suite looks at the code.
    _say_event("disconnected" if error.code == 27 or isinstance(error, cuframes.ProtocolError) else "refused", error.code)


def _tell_frame(frame: cuframes.Frame) -> None:
    with frame:
        digest = hashlib.sha256()
        for plane in frame.planes:
            for row in range(plane.rows):
                digest.update(plane.row(row))
        if not frame.is_valid:
            return
        line = json.dumps({"sequence": frame.sequence, "epoch": f"{frame.epoch:016x}", "sha256": digest.hexdigest(), "missed": frame.missed})
    print(line, flush=True)


def _say_event(name: str, code: int) -> None:
    print(json.dumps({"event": name, "code": code}), flush=True)
