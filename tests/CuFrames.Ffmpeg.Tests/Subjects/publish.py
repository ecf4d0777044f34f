# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes random pictures with Python and says what each one was: a line of JSON on standard output for each line of standard input, until that is closed.

    publish.py KEY FORMAT WIDTH HEIGHT MATRIX RANGE PRIMARIES TRANSFER"""

import hashlib
import json
import random
import sys
import time

import numpy

import cuframes

key, pixel_format, width, height, matrix, colour_range, primaries, transfer = sys.argv[1:9]
numbers = random.Random(7)
with cuframes.Publisher(
    key, pixel_format, int(width), int(height), rate=25, lossless_timeout=60,
    colour_matrix=int(matrix), colour_range=colour_range, colour_primaries=int(primaries), colour_transfer=int(transfer),
) as publisher:
    print(json.dumps({"ready": True}), flush=True)
    while not publisher.subscribers():
        time.sleep(0.005)  # nobody tells of a reader that joins but a callback on another thread
    for number, _ in enumerate(sys.stdin):
        pts = 1_000_000_007 + 40_000_000 * number
        digest = hashlib.sha256()
        with publisher.frame() as frame:
            for plane in frame.planes:
                rows = numpy.asarray(plane)
                content = numpy.frombuffer(numbers.randbytes(rows.nbytes), dtype=rows.dtype).reshape(rows.shape)
                rows[...] = content
                digest.update(content.tobytes())
            frame.pts = pts
            frame.duration = 40_000_000
        # A reader begins with the newest frame of the moment in which it first looks.
        while number == 0 and publisher.subscribers()[0].taken == 0:
            time.sleep(0.005)
        print(json.dumps({"pts": pts, "sha256": digest.hexdigest()}), flush=True)
