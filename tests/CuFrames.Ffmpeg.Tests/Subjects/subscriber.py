# SPDX-License-Identifier: LGPL-2.1-or-later
"""FFmpeg as the conformance suite wants a subscriber (conformance-tests/README.md): starts COMMAND, an ffmpeg with -f framehash or an ffprobe with data hashes, and
starts it again when it has ended; joins what the observer (observer.c) says of each frame with the hash that FFmpeg prints for it. Ends with its standard input.

    subscriber.py OBSERVER_FOLDER COMMAND..."""

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1

current = None


def end_with_parent():
    """FFmpeg ends when this process is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_input():
    while os.read(0, 4096):
        pass
    if current is not None:
        current.kill()
    os._exit(0)


def hash_of(line):
    """Stream and hash of a line of framehash, '0, dts, pts, duration, size, hash', or of ffprobe, '0|SHA256:hash'; None for a comment."""
    if line.startswith("#") or not line.strip():
        return None
    if "|" in line:
        stream, text = line.strip().split("|")[:2]
        return int(stream), text.partition(":")[2]
    fields = [field.strip() for field in line.split(",")]
    return int(fields[0]), fields[5]


def read_hashes(stream, hashes):
    for line in stream:
        found = hash_of(line)
        if found is not None:
            hashes.put(found)
    hashes.put(None)


def run(folder, command):
    global current
    reading, writing = os.pipe()
    environment = dict(os.environ, LD_LIBRARY_PATH=folder, CUFRAMES_OBSERVER_FD=str(writing))
    current = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, pass_fds=[writing], preexec_fn=end_with_parent, text=True
    )
    os.close(writing)
    hashes = queue.Queue()
    threading.Thread(target=read_hashes, args=(current.stdout, hashes), daemon=True).start()
    found = None
    with os.fdopen(reading) as lines:
        for line in lines:
            kind, *fields = line.split()
            if kind != "taken":
                print(json.dumps({"event": kind, "code": int(fields[0])}), flush=True)
                continue
            track, sequence, epoch, missed = int(fields[0]), int(fields[1]), fields[2], int(fields[3])
            found = found or hashes.get()
            if found is not None and found[0] == track:
                print(json.dumps({"sequence": sequence, "epoch": epoch, "sha256": found[1], "missed": missed}), flush=True)
                found = None
            # Hashes come in the order of packets: another track's means that FFmpeg has passed this packet over.
    current.wait()


def main():
    threading.Thread(target=watch_input, daemon=True).start()
    while True:
        run(sys.argv[1], sys.argv[2:])


main()
