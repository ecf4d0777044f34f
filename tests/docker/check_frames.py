# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares frames that were read with the clip that the daemon plays in a loop, as another ffmpeg decodes it.

    check_frames.py REFERENCE FOUND FRAMES     both with an MD5 of the whole frame as the last word of a line; lines with # are comments

Each must be a frame of the clip, and later than the one before; the clip has no two that are equal.
"""

import sys


def read(path):
    return [line.replace(",", " ").split()[-1] for line in open(path) if line.strip() and not line.startswith("#")]


reference, found, wanted = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3])
assert len(reference) >= 50 and len(set(reference)) == len(reference), f"{len(reference)} frames of the clip, {len(set(reference))} different ones"
assert len(found) == wanted, f"{len(found)} frames were read, not {wanted}"
strange = [digest for digest in found if digest not in reference]
assert not strange, f"{len(strange)} of {len(found)} frames are none of the clip's"
steps = [(reference.index(b) - reference.index(a)) % len(reference) for a, b in zip(found, found[1:])]
# On a busy machine a reader misses some; it never goes back, and never sees one twice.
assert all(1 <= step <= len(reference) // 2 for step in steps), steps
print(f"{len(found)} frames, all of them the clip's; {sum(step > 1 for step in steps)} gaps")
