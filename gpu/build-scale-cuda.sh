#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds benchmarks/CuFrames.GpuBench/Scale/scale_cuda.c against the libraries that build-ffmpeg.sh has made. The headers of libavfilter are
# fetched with apt-get and installed nowhere; those of libavutil are the installed ones, which are of the same version.
#
#   gpu/build-scale-cuda.sh FFMPEG PROGRAM
#
# FFMPEG is what build-ffmpeg.sh has printed. The program looks for its libraries in ../lib.

set -euo pipefail
export LC_ALL=C.UTF-8

if [ $# -ne 2 ]; then
  echo "usage: $0 FFMPEG PROGRAM" >&2
  exit 64
fi
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ffmpeg=$1 program=$(realpath -m -- "$2")
# shellcheck disable=SC2016 # ${Version} is dpkg-query's own variable.
version=$(dpkg-query -W -f '${Version}' libavutil-dev)
headers=$here/.cache/libavfilter-dev-${version#*:}

if [ ! -d "$headers" ]; then
  mkdir -p "$here/.cache"
  work=$(mktemp -d "$here/.cache/headers.XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "libavfilter-dev=$version" && dpkg -x ./libavfilter-dev_*.deb unpacked) >&2
  mv -T -- "$work/unpacked" "$headers" || [ -d "$headers" ]
fi

# libavfilter calls zlib and does not say so: the program does.
include=$(find "$headers" -type d -name libavfilter -path '*/include/*' -print -quit)
mkdir -p -- "$(dirname -- "$program")"
cc -O2 -Wall -Wextra -Werror -std=c11 -I "$(dirname -- "$include")" -o "$program.$$" "$here/../benchmarks/CuFrames.GpuBench/Scale/scale_cuda.c" \
  -Wl,--no-as-needed "$ffmpeg/lib/libz.so.1" "$ffmpeg"/lib/libavfilter.so.? "$ffmpeg"/lib/libavutil.so.?? -Wl,-rpath-link,"$ffmpeg/lib" -Wl,-rpath,"\$ORIGIN/../lib" -ldl
mv -f -- "$program.$$" "$program"
