# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does in Python what LanguagePeers.cs does in C#: publishes bursts of frames and measures how long it takes to take and to release them.

    languages.py KEY DIRECTORY FRAMES
"""

import platform
import sys
import time

import cuframes

SLOTS = 48


def measure(publisher, subscriber, frames):
    """Nanoseconds that taking and releasing all frames of a burst took."""
    for _ in range(frames):
        published = publisher.frame().publish()
    start = time.perf_counter_ns()
    for _ in range(frames):
        frame = subscriber.next(timeout=0)
        frame.release()
    end = time.perf_counter_ns()
    if frame.sequence != published:
        raise RuntimeError(f"The last frame taken is {frame.sequence}, not {published}: frames were missed.")
    return end - start


def main(key, directory, frames):
    frames = int(frames)
    with cuframes.Publisher(key, "gray8", 64, 16, slots=SLOTS, max_slots=SLOTS, directory=directory) as publisher:
        with cuframes.Subscriber(key, delivery="in-order", directory=directory) as subscriber:
            print(f"READY {platform.python_implementation()} {platform.python_version()}", flush=True)
            for line in sys.stdin:
                words = line.split()
                if words[0] != "run":
                    break
                costs = [measure(publisher, subscriber, frames) / frames for _ in range(int(words[1]))]
                print("COSTS -", " ".join(f"{cost:.1f}" for cost in costs), flush=True)


main(*sys.argv[1:])
