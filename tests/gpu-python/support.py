# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests share: a publisher in another process, and how it is shown that a lease holds its slot until a stream's work is done."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import numpy

import cuframes
import pattern

SLOTS = 4
PATIENCE = 60


class PublisherProcess:
    """publisher.py in a process of its own."""

    def __init__(self, framework, pixel_format="nv12"):
        self.directory = tempfile.mkdtemp(prefix="cuframes-gpu-")
        script = pathlib.Path(__file__).with_name("publisher.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), framework, self.directory, "gpu", pixel_format, str(SLOTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def publish(self, count=1):
        return self._ask(f"publish {count}", "published")

    def info(self):
        return self._ask("info", "info")

    def subscriber(self, **options):
        return cuframes.Subscriber("gpu", directory=self.directory, timeout=PATIENCE, **options)

    def close(self):
        try:
            self._process.stdin.write("exit\n")
            self._process.stdin.close()
            self._process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _ask(self, command, kind):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._expect(kind)

    def _expect(self, kind):
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"The publisher ended with {self._process.wait()}.")
        answer = json.loads(line)
        if answer["kind"] != kind:
            raise AssertionError(f"The publisher said {answer} and not {kind}.")
        return answer


class GpuTest(unittest.TestCase):
    """A test with a publisher of one framework."""

    framework = ""

    def start(self, pixel_format="nv12"):
        publisher = PublisherProcess(self.framework, pixel_format)
        self.addCleanup(publisher.close)
        return publisher

    def read(self, publisher, **options):
        subscriber = publisher.subscriber(leases=4, **options)
        self.addCleanup(subscriber.close)
        return subscriber

    def check_example(self, name):
        """An example computes on frames without a copy, and finds what the CPU finds."""
        places = [pathlib.Path(__file__).resolve().parents[2] / "examples" / "python" / name, pathlib.Path(__file__).with_name("examples") / name]
        script = next((place for place in places if place.exists()), None)
        if script is None:
            self.skipTest(f"{name} is not there")
        publisher = self.start()
        # Later than the example's start, and more than it reads: it shows the newest.
        with subprocess.Popen(
                [sys.executable, str(script), "gpu", "--frames", "5", "--check"], stdout=subprocess.PIPE, text=True,
                env={**os.environ, "CUFRAMES_DIR": publisher.directory}) as example:
            end = time.monotonic() + PATIENCE
            while example.poll() is None:
                publisher.publish()
                time.sleep(0.02)  # The rate of a camera.
                self.assertLess(time.monotonic(), end, "The example does not end.")
            told = example.stdout.read()
        self.assertEqual(example.returncode, 0, told)
        self.assertEqual(told.count("the same memory"), 5, told)
        means = re.findall(r"CPU: mean ([0-9.]+)\n.*mean ([0-9.]+)\n", told)
        self.assertEqual(len(means), 5, told)
        for reference, found in means:
            self.assertAlmostEqual(float(reference), float(found), delta=0.011)

    def check_host(self, frame):
        """The frame's bytes are what the CPU expects of its sequence."""
        self.assertEqual(frame.memory, "cuda")
        self.assertEqual(frame.pts, 1000 * frame.sequence)
        self.assertEqual(bytes(frame.to_host()), pattern.picture(frame.pixel_format, frame.sequence))

    def check_plane(self, array, pixel_format, name, sequence):
        """An array of the framework that was brought to numpy is what the CPU expects."""
        numpy.testing.assert_array_equal(array, pattern.plane(pixel_format, name, sequence))

    def check_slot_is_held(self, publisher, subscriber, pointer, is_busy):
        """While a stream is busy: several rings of frames are published, and none of them lies at the pointer."""
        seen = set()
        for _ in range(3 * SLOTS):
            publisher.publish()
            with subscriber.next() as frame:
                seen.add(frame.y.pointer)
        self.assertTrue(is_busy(), "The stream's work ended too early for this test: nothing was shown.")
        self.assertNotIn(pointer, seen)
        self.assertGreaterEqual(len(seen), 2)
        self.assertGreaterEqual(publisher.info()["held"], 1)
        self.assertTrue(is_busy(), "The stream's work ended too early for this test: nothing was shown.")

    def check_slot_is_used_again(self, publisher, subscriber, pointer):
        """The pointer is that of a later frame."""
        end = time.monotonic() + PATIENCE
        while True:
            publisher.publish()
            with subscriber.next() as frame:
                if frame.y.pointer == pointer:
                    self.check_host(frame)
                    return
            self.assertLess(time.monotonic(), end, "The slot was not used again.")

    def check_nothing_is_held(self, publisher, subscriber):
        """All leases have ended."""
        end = time.monotonic() + PATIENCE
        while publisher.info()["held"]:
            publisher.publish()
            subscriber.next().release()
            self.assertLess(time.monotonic(), end, "A slot is still held.")
