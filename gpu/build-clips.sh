#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the clips of the GPU bench with the installed ffmpeg: 1080p at 25 frames per second, a moving picture under noise, at
# about the bit rates of cameras. Kept in gpu/.cache. Prints their folder as its only line on standard output.
#
#   gpu/build-clips.sh

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
key=$({ ffmpeg -version | head -n 1 && cat "${BASH_SOURCE[0]}"; } | sha256sum | cut -c 1-12)
result=$here/.cache/clips-$key
if [ -d "$result" ]; then
  echo "$result"
  exit 0
fi

mkdir -p "$here/.cache"
work=$(mktemp -d "$here/.cache/clips.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

make_clip() { # name, frames, pixel format, options of the encoder...
  local name=$1 frames=$2 format=$3
  shift 3
  echo "Making $name" >&2
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=1920x1080:rate=25,noise=alls=12:allf=t+u:all_seed=7" \
    -frames:v "$frames" -pix_fmt "$format" "$@" -g 50 "$work/$name"
}

# One without B pictures and with a key picture every two seconds and no other, as most cameras send it, and one with B pictures,
# which leave the decoder in another order. HEVC cameras need about two thirds of the bit rate.
make_clip h264.mp4 200 yuv420p -c:v libx264 -preset veryfast -profile:v high -bf 0 -sc_threshold 0 -b:v 4M -maxrate 5M -bufsize 8M
make_clip hevc.mp4 200 yuv420p -c:v libx265 -preset superfast -b:v 2600k -tag:v hvc1 -x265-params log-level=error:bframes=2:keyint=50

chmod 755 "$work"
mv -- "$work" "$result"
echo "$result"
