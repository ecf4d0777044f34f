#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds FFmpeg with CuFrames: the filter cuda_ipc_export and the demuxers cuframes and cuframes_packets. The source is
# Debian's, the patches are in patches/VERSION, the code that they register is in src/. Installs nothing: sources, nasm and
# NVIDIA's headers are fetched with apt-get into ffmpeg-filter/.cache and unpacked there.
#
#   ffmpeg-filter/build.sh VERSION [--minimal]        VERSION is 5.1, 7.1 or 8.1
#
# --minimal builds what the tests and Frigate's command lines need, in a few minutes on two cores. Without it everything is built
# that FFmpeg has without other libraries.
# Prints the folder of the result as its only line on standard output; a second call prints at once. In it are bin/ffmpeg and
# bin/ffprobe, lib/, where both look for libcuframes.so.0 before they look where the system has its libraries, and share/doc/.
# Both run wherever the C library is at least that of the machine that built them, and need no other library.

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
cache=$here/.cache
mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

is_minimal=false
version=
for argument; do
  case $argument in
    --minimal) is_minimal=true ;;
    5.1 | 7.1 | 8.1) version=$argument ;;
    *) echo "usage: $0 5.1|7.1|8.1 [--minimal], found '$argument'" >&2; exit 64 ;;
  esac
done
[ -n "$version" ] || { echo "usage: $0 5.1|7.1|8.1 [--minimal]" >&2; exit 64; }
case $version in
  # FFmpeg 8 wants headers of 12.1 or newer, 5.1 does not know what has become of older names in 13.
  5.1) release=bookworm headers=bookworm ;;
  7.1) release=trixie headers=trixie ;;
  8.1) release=sid headers=trixie ;;
esac

for tool in dpkg-source make cc clang patch pkg-config; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install dpkg-dev make gcc clang patch pkg-config" >&2
    exit 1
  fi
done

# Nothing under the GPL and nothing that asks for version 3: the result is under the LGPL 2.1 or later.
options=(
  --disable-autodetect --disable-doc --disable-debug --disable-programs --enable-ffmpeg --enable-ffprobe
  --enable-network --enable-zlib --enable-ffnvcodec --enable-cuda --enable-nvdec --enable-nvenc
  # Filters on the GPU, by kernels that clang compiles; any GPU since Maxwell runs them.
  --enable-cuda-llvm --nvccflags="--cuda-gpu-arch=sm_52 -O2"
)
if $is_minimal; then
  options+=(
    --disable-everything
    --enable-demuxer="cuframes,cuframes_packets,mov,matroska,mpegts,h264,hevc,aac,wav,rawvideo,rtsp,sdp,rtp,yuv4mpegpipe,concat,image2,image_png_pipe"
    --enable-protocol="file,pipe,tcp,udp,rtp,unix"
    --enable-decoder="h264,hevc,mpeg4,mjpeg,png,aac,pcm_alaw,pcm_mulaw,pcm_s16le,rawvideo,wrapped_avframe"
    --enable-parser="h264,hevc,mpeg4video,mjpeg,png,aac"
    --enable-bsf="h264_mp4toannexb,hevc_mp4toannexb,aac_adtstoasc,extract_extradata,dump_extra,setts,noise,null"
    --enable-hwaccel="h264_nvdec,hevc_nvdec"
    --enable-encoder="rawvideo,wrapped_avframe,mpeg4,png,aac,pcm_s16le,h264_nvenc,hevc_nvenc"
    --enable-muxer="rawvideo,h264,hevc,framecrc,framemd5,framehash,hash,crc,md5,null,yuv4mpegpipe,mpegts,mov,mp4,matroska,segment,tee,image2,wav,pcm_s16le"
    --enable-filter="cuda_ipc_export,scale,scale_cuda,format,hwdownload,hwupload,hwupload_cuda,null,copy,fps,setpts,setparams,setsar,setfield,settb,trim,select,crop,split,noise,showinfo,realtime"
    --enable-filter="testsrc,testsrc2,color,nullsrc,sine,anullsrc,aresample,aformat,anull,asetpts,atrim,asplit"
    --enable-indev=lavfi
  )
fi

# Another way to build is another key.
key=$({ printf '%s\n' "${options[@]}"; cat "${BASH_SOURCE[0]}" "$root/sdk/CuFrames.Native/include/cuframes.h"; find "$here/src" "$here/patches/$version" -type f -print0 |
  sort -z | xargs -0 cat; } | sha256sum | cut -c 1-12)
result=$cache/ffmpeg-$version-$key
if [ -d "$result" ]; then
  echo "$result"
  exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
log=$cache/build-$version.log
: >"$log"
# shellcheck disable=SC2317 # called by the trap
finish() {
  local status=$?
  [ "$status" -eq 0 ] || tail -n 20 "$log" >&2
  rm -rf -- "$work"
  exit "$status"
}
trap finish EXIT

# The newest source of a release whose version begins with $version.
fetch() {
  local apt newest
  mkdir -p "$work"/apt/{lists/partial,archives/partial}
  {
    # What is linked or run comes from bookworm, so that no newer libc is needed; NVIDIA's headers are text.
    echo "deb [signed-by=$keyring] $mirror/debian bookworm main"
    echo "deb [signed-by=$keyring] $mirror/debian-security bookworm-security main"
    echo "deb [signed-by=$keyring] $mirror/debian trixie main"
    echo "deb-src [signed-by=$keyring] $mirror/debian $release main"
    if [ "$release" != sid ]; then
      echo "deb-src [signed-by=$keyring] $mirror/debian-security $release-security main"
    fi
  } >"$work/apt/sources.list"
  apt=(-qq -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root
    -o 'APT::Default-Release=/^bookworm(|-security)$/')
  cd "$work"
  apt-get "${apt[@]}" update
  newest=$(apt-cache "${apt[@]}" showsrc ffmpeg | sed -n "s/^Version: \(\([0-9]*:\)\?${version}[.-].*\)/\1/p" | sort -V | tail -n 1)
  if [ -z "$newest" ]; then
    echo "$mirror has no source of FFmpeg $version in $release"
    return 1
  fi
  echo "Fetching the source of ffmpeg $newest"
  apt-get "${apt[@]}" source --download-only "ffmpeg=$newest"
  apt-get "${apt[@]}" download "libffmpeg-nvenc-dev/$headers" nasm zlib1g-dev
  for package in ./*.deb; do
    dpkg -x "$package" tools
  done
  dpkg-source -x ./ffmpeg_*.dsc source
}

{
  fetch
  cd "$work/source"
  cp -a "$here/src/." .
  cp "$root/sdk/CuFrames.Native/include/cuframes.h" compat/cuframes/
  for patch in "$here/patches/$version"/*.patch; do
    patch --strip 1 --fuzz 0 --forward <"$patch"
  done
  echo "Building; the compiler's messages are in $log"
  # The packages' .pc files name /usr: what they describe lies in the work folder instead. Without the links of shared libraries
  # the static ones are linked.
  PKG_CONFIG_PATH=$(find "$work/tools/usr" -type d -name pkgconfig | paste -sd:)
  find "$work/tools/usr" -name '*.pc' -exec sed -i "s|^prefix=.*|prefix=$work/tools/usr|" {} +
  find "$work/tools/usr/lib" -name '*.so' -delete
  export PKG_CONFIG_PATH PATH=$work/tools/usr/bin:$PATH
  {
    # The library is found wherever the folder lies. configure takes the backslashes, make one dollar.
    ./configure --prefix="$work/result" --extra-version=cuframes --pkg-config-flags=--static "${options[@]}" \
      --extra-ldexeflags="-Wl,--enable-new-dtags,-rpath,'\\\$\\\$ORIGIN/../lib'"
    make -j "$(nproc)"
    make install-progs
  } >>"$log" 2>&1
  mkdir -p "$work/result"/{lib,share/doc}
  rm -rf "$work/result/share/ffmpeg"
  cp COPYING.LGPLv2.1 "$work/result/share/doc/"
  cp "$work/tools/usr/share/doc/zlib1g-dev/copyright" "$work/result/share/doc/COPYING.zlib"
  printf '%s\n' "FFmpeg $version of Debian $release with CuFrames, built with" "${options[@]}" >"$work/result/share/doc/BUILT-WITH"
} >&2

mv -- "$work/result" "$result"
echo "$result"
