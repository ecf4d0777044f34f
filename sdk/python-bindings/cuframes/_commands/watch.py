# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m cuframes watch``"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, Dict, List, Optional

from ..errors import TimedOut
from ..information import Event
from ..subscriber import Subscriber
from . import text

_PERCENTILES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))

# Latencies that are kept: of about a day at 50 frames per second every one, of longer times the first ones.
_MOST_LATENCIES = 4_000_000


def add(commands: Any) -> None:
    parser = commands.add_parser("watch", help="read a stream and show rate, latency and missed frames, second by second")
    parser.add_argument("key", metavar="KEY", help="the stream")
    parser.add_argument("--delivery", default="newest", choices=("newest", "in-order", "lossless"), help="default: newest")
    parser.add_argument("--seconds", type=float, help="stop after this time; default: when interrupted")
    parser.add_argument("--json", action="store_true", help="one JSON object per second and a final one")
    parser.set_defaults(run=run)


class _Interval:
    """Frames of some time."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.frames = 0
        self.missed = 0
        self.latencies: List[int] = []

    def report(self, kind: str, key: str, now: float, state: str, picture: str, events: List[str], reconnects: int, evictions: int) -> Dict[str, Any]:
        ordered = sorted(self.latencies)
        return {
            "type": kind, "key": key, "state": state, "format": picture, "seconds": round(now - self.started, 3), "frames": self.frames,
            "fps": round(self.frames / max(now - self.started, 1e-9), 1), "missed": self.missed, "reconnects": reconnects, "evictions": evictions,
            "latency_us": {name: ordered[min(len(ordered) - 1, int(part * len(ordered)))] / 1000 for name, part in _PERCENTILES} if ordered else None,
            "events": events,
        }


def run(arguments: argparse.Namespace) -> int:
    events: List[str] = []

    def note(event: Event) -> None:
        # The first connection is no news.
        if event.kind != "connected" or total.frames:
            events.append(event.text)

    total = _Interval(time.monotonic())
    with Subscriber(arguments.key, delivery=arguments.delivery, wait_for_stream=True, program="python -m cuframes watch", on_event=note) as subscriber:
        started = total.started
        end: Optional[float] = None if arguments.seconds is None else started + arguments.seconds
        interval, picture, tick = _Interval(started), "", started + 1
        is_interrupted = False

        def report(kind: str, which: _Interval, now: float, news: List[str]) -> Dict[str, Any]:
            info = subscriber.info
            state = info.state if info.is_connected else "waiting"
            return which.report(kind, arguments.key, now, state, picture, news, info.reconnects, info.evictions)

        try:
            while True:
                now = time.monotonic()
                if now >= tick or (end is not None and now >= end):
                    _tell(report("interval", interval, now, list(events)), arguments.json)
                    events.clear()
                    interval = _Interval(now)
                    tick += int(now - tick) + 1
                if end is not None and now >= end:
                    break
                try:
                    frame = subscriber.next(max(0.0, min(tick if end is None else min(tick, end), now + 0.1) - now))
                except TimedOut:
                    continue
                with frame:
                    latency = time.monotonic_ns() - frame.publish_time
                    picture = f"{frame.pixel_format} {frame.width}x{frame.height}"
                    for which in (interval, total):
                        which.frames += 1
                        which.missed += frame.missed
                        if len(which.latencies) < _MOST_LATENCIES:
                            which.latencies.append(latency)
        except KeyboardInterrupt:
            is_interrupted = True
        _tell(report("total", total, time.monotonic(), []), arguments.json)
        if total.frames == 0 and not is_interrupted:
            raise TimedOut(f"No frame of stream '{arguments.key}' came within {arguments.seconds} s.", 26, "TIMED_OUT")
    return 0


def _tell(report: Dict[str, Any], as_json: bool) -> None:
    if as_json:
        text.say_json(report)
        return
    latency = report["latency_us"] or {}
    figures = ", ".join(f"{name} {text.duration(latency.get(name))}" for name, _ in _PERCENTILES)
    line = (
        f"{report['state']:<8}  {report['format']:<16}  {report['fps']:6.1f} fps  missed {report['missed']:<5}  publish to take {figures}"
        + "".join(f"  [{event}]" for event in report["events"]))
    if report["type"] == "total":
        print(("\n" if text.is_terminal() else "") + f"all {report['seconds']:.0f} s  {line}", flush=True)
    elif text.is_terminal() and not report["events"]:
        # One line that is written anew; what happened stays.
        sys.stdout.write(f"\r\x1b[K{line}")
        sys.stdout.flush()
    else:
        print(("\r\x1b[K" if text.is_terminal() else "") + line, flush=True)
