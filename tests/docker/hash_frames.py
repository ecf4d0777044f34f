# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the image of Python: prints the MD5 of every sample of each frame of a stream, without what pads the rows, in ffmpeg's order of planes.

    hash_frames.py KEY FRAMES
"""

import hashlib
import sys

import cuframes

key, wanted = sys.argv[1], int(sys.argv[2])
with cuframes.Subscriber(key, delivery="in_order", wait_for_stream=True) as frames:
    for number, frame in enumerate(frames, 1):
        with frame:
            picture = hashlib.md5()
            for plane in frame.planes:
                for row in range(plane.shape[0]):
                    picture.update(plane.row(row))
            print(frame.sequence, frame.missed, picture.hexdigest(), flush=True)
        if number == wanted:
            break
