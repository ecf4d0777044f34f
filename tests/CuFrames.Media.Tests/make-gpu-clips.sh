#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the clips of the tests that need a GPU, with the installed ffmpeg: a host with a GPU may have no encoder. Small: below
# 6 MiB together. Does nothing when the folder has them already.
#
#   make-gpu-clips.sh FOLDER

set -euo pipefail
export LC_ALL=C.UTF-8

folder=${1:?usage: make-gpu-clips.sh FOLDER}
key=$({ ffmpeg -version | head -n 1 && cat "${BASH_SOURCE[0]}"; } | sha256sum | cut -c 1-16)
if [ -e "$folder/made-by-$key" ]; then
  exit 0
fi

mkdir -p -- "$(dirname -- "$folder")"
work=$(mktemp -d -- "$folder.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

make_clip() { # name, size, frames, options of the encoder...
  local name=$1 size=$2 frames=$3
  shift 3
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=$size:rate=25" -frames:v "$frames" "$@" "$work/$name"
}

x264=(-c:v libx264 -preset veryfast -crf 26 -threads 1)
x265=(-c:v libx265 -preset veryfast -crf 30 -tag:v hvc1)
quiet=log-level=error:pools=1

# 1080 rows are coded as 1088. Two B pictures: shown in another order than sent.
make_clip h264-1080p.mp4 1920x1080 30 "${x264[@]}" -pix_fmt yuv420p -bf 2 -g 15 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv
make_clip h264-full-range.mp4 1280x720 10 "${x264[@]}" -pix_fmt yuvj420p
make_clip hevc-1080p.mp4 1920x1080 30 "${x265[@]}" -pix_fmt yuv420p -x265-params $quiet:bframes=3:keyint=15
make_clip hevc-main10-1080p.mp4 1920x1080 20 "${x265[@]}" -pix_fmt yuv420p10le -x265-params $quiet:bframes=3:keyint=10
# As many pictures for reference and as many reordered ones as the format allows at this size: every surface of NVDEC is in use.
make_clip h264-16-references.mp4 640x368 100 "${x264[@]}" -pix_fmt yuv420p -g 100 -refs 16 -bf 16 -x264-params b-pyramid=normal:b-adapt=0:weightp=0:scenecut=0
make_clip hevc-many-references.mp4 640x360 100 "${x265[@]}" -pix_fmt yuv420p -x265-params $quiet:bframes=8:b-adapt=0:ref=6:b-pyramid=1:keyint=100:min-keyint=100:scenecut=0
make_clip h264-top-first.mp4 720x576 25 "${x264[@]}" -pix_fmt yuv420p -flags +ildct+ilme -vf setfield=tff -top 1
make_clip h264-bottom-first.mp4 720x576 25 "${x264[@]}" -pix_fmt yuv420p -flags +ildct+ilme -vf setfield=bff -top 0
# Crop on all sides, in pixels of luma.
make_clip whole.h264 640x368 20 "${x264[@]}" -pix_fmt yuv420p -bf 0
ffmpeg -nostdin -v error -y -i "$work/whole.h264" -c copy -bsf:v h264_metadata=crop_left=6:crop_top=4:crop_right=10:crop_bottom=2 "$work/h264-crop.mp4"
make_clip whole.hevc 640x368 20 "${x265[@]}" -f hevc -pix_fmt yuv420p10le -x265-params $quiet:bframes=0
ffmpeg -nostdin -v error -y -i "$work/whole.hevc" -c copy -tag:v hvc1 -bsf:v hevc_metadata=crop_left=6:crop_top=4:crop_right=10:crop_bottom=2 "$work/hevc-crop.mp4"
# Changes in mid-stream: of the size; of the depth, to one that NVDEC of no GPU before Blackwell decodes.
make_clip 720p.ts 1280x720 15 "${x264[@]}" -pix_fmt yuv420p -bf 2
make_clip 1080p.ts 1920x1080 15 "${x264[@]}" -pix_fmt yuv420p -bf 2
make_clip 10-bit.ts 1280x720 15 "${x264[@]}" -pix_fmt yuv420p10le -bf 0
cat "$work/720p.ts" "$work/1080p.ts" "$work/720p.ts" >"$work/h264-size-change.ts"
cat "$work/720p.ts" "$work/10-bit.ts" >"$work/h264-depth-change.ts"
make_clip hevc-640.ts 640x360 15 "${x265[@]}" -f mpegts -pix_fmt yuv420p -x265-params $quiet
make_clip hevc-720p-10.ts 1280x720 15 "${x265[@]}" -f mpegts -pix_fmt yuv420p10le -x265-params $quiet
cat "$work/hevc-640.ts" "$work/hevc-720p-10.ts" >"$work/hevc-size-and-depth-change.ts"
# What NVDEC does not decode, or not into a format of the ring.
make_clip h264-10-bit.mp4 640x360 10 "${x264[@]}" -pix_fmt yuv420p10le
make_clip h264-422.mp4 640x360 10 "${x264[@]}" -pix_fmt yuv422p
make_clip hevc-444.mp4 640x360 10 "${x265[@]}" -pix_fmt yuv444p -x265-params $quiet
make_clip mjpeg.mp4 640x360 10 -c:v mjpeg -q:v 6 -pix_fmt yuvj422p
# AV1 in both depths; VP9, MPEG-2.
make_clip av1.mp4 1280x720 20 -c:v libaom-av1 -cpu-used 8 -row-mt 1 -crf 40 -b:v 0 -pix_fmt yuv420p
make_clip av1-10-bit.mp4 1280x720 20 -c:v libaom-av1 -cpu-used 8 -row-mt 1 -crf 40 -b:v 0 -pix_fmt yuv420p10le
make_clip vp9.webm 1280x720 20 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 40 -b:v 0 -pix_fmt yuv420p
make_clip mpeg2.ts 720x576 25 -c:v mpeg2video -q:v 8 -bf 2 -pix_fmt yuv420p
# Long enough to be damaged and to heal: key pictures twice a second.
make_clip h264-long.ts 640x480 100 "${x264[@]}" -pix_fmt yuv420p -bf 2 -g 12
make_clip hevc-long.ts 640x480 100 "${x265[@]}" -f mpegts -pix_fmt yuv420p -x265-params $quiet:keyint=12

rm -f -- "$work"/whole.* "$work/720p.ts" "$work/1080p.ts" "$work/10-bit.ts" "$work"/hevc-640.ts "$work"/hevc-720p-10.ts
touch "$work/made-by-$key"
chmod 755 "$work"
rm -rf -- "$folder"
mv -T -- "$work" "$folder"
