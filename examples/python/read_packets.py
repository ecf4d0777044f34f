# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints a line for each packet of a stream: read_packets.py KEY [PACKETS]. It waits for the stream if need be, and ends with it."""

import sys
import zlib

import cuframes


def main(key, most=None):
    taken = 0
    tracks = {}
    with cuframes.PacketSubscriber(key, wait_for_stream=True, reconnect=False) as packets:
        for packet in packets:
            if tracks.get(packet.track_number) is not packet.track:
                # The first packet of the track, or one that is coded with other parameters than the one before.
                track = tracks[packet.track_number] = packet.track
                print(f"track {track.number}: {track.kind} {track.codec} {track.width}x{track.height}, {len(track.extradata)} bytes of extradata")
            # In place, without a copy: what was computed counts if the packet is still there afterwards.
            checksum = zlib.crc32(packet.data)
            if not packet.is_valid:
                print("too late: the packet was overwritten", file=sys.stderr)
                continue
            print(f"packet {packet.sequence}: track {packet.track_number}, {len(packet)} bytes{', key' if packet.is_key else ''}, pts {packet.pts}, crc {checksum:08x}",
                  flush=True)
            taken += 1
            if taken == most:
                break
        print(f"{taken} packets read, {packets.info.missed} missed")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
    except KeyboardInterrupt:
        pass
