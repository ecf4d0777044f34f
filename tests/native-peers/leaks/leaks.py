#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What leaks.c does, through the Python package: leaks.py DIRECTORY MEMORY ROUNDS FRAMES. Needs numpy."""

from __future__ import annotations

import gc
import os
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Callable, Dict, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

import cuframes
from arguments import say
from checker import Checker
from device import DeviceReader
from publishing import StampedPublisher

# As in leaks.c: the heap takes a piece of memory when it is due, once; what leaks grows each time.
SETTLED = 1 << 20
ATTEMPTS = 3

USAGE = "usage: leaks.py DIRECTORY MEMORY ROUNDS FRAMES"


def measure(memory: str) -> Dict[str, int]:
    gc.collect()
    if memory != "host":
        # What was closed while a GPU still had its releases is given back by a loop that looks several times a second.
        time.sleep(2)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kilobytes = {name: int(status[name].split()[0]) for name in ("VmRSS", "RssAnon", "VmSize")}
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "resident": kilobytes["VmRSS"] * 1024,
        "anonymous": kilobytes["RssAnon"] * 1024,
        "virtual": kilobytes["VmSize"] * 1024,
    }


class Rounds:
    def __init__(self, directory: str, memory: str) -> None:
        self._directory = directory
        self._memory = memory

    def subscribers(self, count: int) -> None:
        stamped = self._publisher()
        for _ in range(count):
            with self._subscriber() as subscriber:
                self._move(stamped, subscriber, 1)
        stamped.close()

    def publishers(self, count: int) -> None:
        for _ in range(count):
            self.frames(1)

    def frames(self, count: int) -> None:
        stamped = self._publisher()
        with self._subscriber() as subscriber:
            self._move(stamped, subscriber, count)
        stamped.close()

    def _publisher(self) -> StampedPublisher:
        return StampedPublisher(cuframes.Publisher("leaks", "nv12", 64, 48, directory=self._directory, memory=self._memory))

    def _subscriber(self) -> cuframes.Subscriber:
        return cuframes.Subscriber("leaks", directory=self._directory, delivery="in-order")

    def _move(self, stamped: StampedPublisher, subscriber: cuframes.Subscriber, count: int) -> None:
        """Publishes stamped frames one by one, takes each and looks at all of it."""
        checker = Checker()
        device: Optional[DeviceReader] = None
        for _ in range(count):
            if not stamped.try_publish():
                raise RuntimeError("A frame was dropped.")
            frame = subscriber.next(10)
            checker.count(frame)
            checker.verify(frame)
            if frame.memory == "cuda":
                device = device or DeviceReader(subscriber.info.cuda_context, checker)
                device.release(frame)
            else:
                frame.release()
        if device:
            device.settle()
            device.close()
        if not checker.is_clean:
            raise RuntimeError("; ".join(checker.faults))


class PacketRounds:
    """The same for packets."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def subscribers(self, count: int) -> None:
        publisher = self._publisher()
        for index in range(count):
            with cuframes.PacketSubscriber("leaks", directory=self._directory) as subscriber:
                if index:
                    # The newest key frame is there already.
                    subscriber.next(10)
                self._move(publisher, subscriber, 1)
        publisher.close()

    def publishers(self, count: int) -> None:
        for _ in range(count):
            self.packets(1)

    def packets(self, count: int) -> None:
        publisher = self._publisher()
        with cuframes.PacketSubscriber("leaks", directory=self._directory) as subscriber:
            self._move(publisher, subscriber, count)
        publisher.close()

    def _publisher(self) -> cuframes.PacketPublisher:
        publisher = cuframes.PacketPublisher("leaks", directory=self._directory, byte_capacity=65536)
        publisher.add_track(cuframes.PacketTrack("video", "h264", Fraction(1, 90000), extradata=bytes(100)))
        return publisher

    @staticmethod
    def _move(publisher: cuframes.PacketPublisher, subscriber: cuframes.PacketSubscriber, count: int) -> None:
        """Publishes packets one by one, takes each and looks at all of it."""
        for index in range(count):
            data = bytes([index & 0xFF]) * 1000
            sequence = publisher.publish(0, data, key=True)
            packet = subscriber.next(10)
            if packet.sequence != sequence or packet.data != data or bytes(packet) != data or packet.track.codec != "h264":
                raise RuntimeError(f"Packet {sequence} is not the one that was published.")


def compare(what: str, memory: str, act: Callable[[int], None], warm_up: int, count: int) -> None:
    act(warm_up)
    after = measure(memory)
    for _ in range(ATTEMPTS):
        before = after
        act(count)
        after = measure(memory)
        if after["anonymous"] - before["anonymous"] <= SETTLED:
            break
    say(what, count=count, before=before, after=after)


def main() -> int:
    if len(sys.argv) != 5:
        print(USAGE, file=sys.stderr)
        return 64
    rounds = Rounds(sys.argv[1], sys.argv[2])
    count, frames = int(sys.argv[3]), int(sys.argv[4])
    compare("subscribers", sys.argv[2], rounds.subscribers, count, count)
    compare("publishers", sys.argv[2], rounds.publishers, count, count)
    compare("frames", sys.argv[2], rounds.frames, frames // 10, frames)
    if sys.argv[2] == "host":
        # Packets know no other memory.
        packets = PacketRounds(sys.argv[1])
        compare("packet-subscribers", "host", packets.subscribers, count, count)
        compare("packet-publishers", "host", packets.publishers, count, count)
        compare("packets", "host", packets.packets, frames // 10, frames)
    return 0


if __name__ == "__main__":
    sys.exit(main())
