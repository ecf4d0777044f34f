# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a stream with Python until it ends, and prints a line of JSON for each frame.

    read.py KEY"""

import hashlib
import json
import sys

import cuframes

with cuframes.Subscriber(sys.argv[1], delivery="in_order", wait_for_stream=True, reconnect=False) as frames:
    print(json.dumps({"ready": True}), flush=True)
    # Ends when the publisher says goodbye; anything else is raised.
    for frame in frames:
        with frame:
            line = {
                "sha256": hashlib.sha256(frame.to_host()).hexdigest(),
                "pts": frame.pts,
                "colour": [frame.colour_matrix, frame.colour_range, frame.colour_primaries, frame.colour_transfer],
                "format": [frame.pixel_format, frame.width, frame.height],
            }
        print(json.dumps(line), flush=True)
