# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests share."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import cuframes
import stamp

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "sdk" / "python-bindings"
PATIENCE = 60

FORMATS = [
    ("nv12", 94, 62), ("nv12", 65, 33), ("i420", 65, 33), ("p010", 94, 62), ("p010", 33, 17), ("gray8", 101, 7), ("rgb24", 33, 9), ("bgr24", 64, 8),
    ("rgba", 31, 5), ("bgra", 64, 48), ("rgbp", 33, 9), ("bgrp", 64, 8), ("rgbp_f16", 33, 9), ("bgrp_f16", 31, 5), ("rgbp_f32", 65, 33), ("bgrp_f32", 17, 9),
]


def dtype_of(pixel_format):
    """Name of the type of a format's samples."""
    return {"_f16": "float16", "_f32": "float32"}.get(pixel_format[-4:], "uint16" if pixel_format == "p010" else "uint8")


_PEERS = {
    "python": [sys.executable, str(ROOT / "tests" / "native-peers" / "python" / "peer.py")],
    "c#": [os.environ.get("CUFRAMES_TEST_PEER", str(ROOT / "tests" / "CuFrames.TestPeer" / "bin" / "Release" / "net10.0" / "CuFrames.TestPeer"))],
}


class Peer:
    """A publisher or reader in a process of its own (tests/native-peers/README.md)."""

    def __init__(self, language, arguments, environment):
        self._process = subprocess.Popen(
            [*_PEERS[language], *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**environment, "DOTNET_EnableDiagnostics": "0", "PYTHONPATH": str(PACKAGE)})

    def expect(self, kind):
        while True:
            line = self._process.stdout.readline()
            assert line, f"the peer ended with {self._process.wait()} before it said {kind}"
            answer = json.loads(line)
            if answer["kind"] == kind:
                return answer

    def send(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def ask(self, command, kind):
        self.send(command)
        return self.expect(kind)

    def exit(self):
        self.send("exit")
        assert self._process.wait(PATIENCE) == 0

    def kill(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def publish(publisher, count=1):
    """Publishes stamped frames; none of them may be dropped."""
    info = publisher.info
    for sequence in range(info.head + 1, info.head + 1 + count):
        with publisher.frame() as frame:
            write(frame, stamp.number_of(info.epoch, sequence))
            frame.pts = stamp.pts_of(sequence)
            frame.source_packet = sequence
        assert frame.sequence == sequence


def write(frame, number):
    """Stamps a frame in main memory."""
    for index, plane in enumerate(frame.planes):
        stamp.rows_of(plane)[:] = stamp.plane_of(number, index, plane.rows, plane.row_bytes)


def number(frame):
    """What a frame is stamped with."""
    return stamp.number_of(frame.epoch, frame.sequence)


def held(subscriber_or_publisher):
    """Frames that a subscriber holds; slots that are held at a publisher."""
    info = subscriber_or_publisher.info
    return info.held_frames if isinstance(info, cuframes.SubscriberInfo) else info.held_slots


def wait_until(condition, what):
    """Waits for something that another process or thread does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.002)


def run_python(code, *arguments, check=True, **options):
    """Runs Python code in a process of its own, which finds the package."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), str(ROOT / "tests" / "native-peers" / "python"), str(pathlib.Path(__file__).parent)])}
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, env=environment, **options)
    if check:
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def clean_environment():
    """The environment without what points to this package or library."""
    return {name: value for name, value in os.environ.items() if name not in ("CUFRAMES_LIBRARY", "PYTHONPATH")}
