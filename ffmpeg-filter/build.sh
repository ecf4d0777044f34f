#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds FFmpeg with CuFrames: the filter cuda_ipc_export and the demuxers cuframes and cuframes_packets. The source is
# Debian's, the patches are in patches/VERSION, the code that they register is in src/. Installs nothing: sources, nasm and
# NVIDIA's headers are fetched with apt-get into ffmpeg-filter/.cache and unpacked there.
#
#   ffmpeg-filter/build.sh VERSION [--minimal]        VERSION is 5.1, 7.1 or 8.1
#
# --minimal builds what the tests need, in a few minutes on two cores. Without it everything is built that FFmpeg has without
# other libraries, and NVIDIA's codecs.
# Prints the folder of the result (bin/ffmpeg, bin/ffprobe) as its only line on standard output; a second call prints at once.

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

for tool in dpkg-source make cc patch pkg-config; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install dpkg-dev make gcc patch pkg-config" >&2
    exit 1
  fi
done

common=(
  --disable-autodetect --disable-doc --disable-debug --disable-programs --enable-ffmpeg --enable-ffprobe
  --enable-network --enable-ffnvcodec --enable-cuda --enable-nvdec
)
if $is_minimal; then
  options=(
    "${common[@]}" --disable-everything
    --enable-demuxer="cuframes,cuframes_packets,mov,matroska,mpegts,h264,hevc,aac,rawvideo,rtsp,sdp,rtp,yuv4mpegpipe"
    --enable-protocol="file,pipe,tcp,udp,rtp,unix"
    --enable-decoder="h264,hevc,aac,pcm_alaw,rawvideo,wrapped_avframe"
    --enable-parser="h264,hevc,aac" --enable-bsf="h264_mp4toannexb,hevc_mp4toannexb,aac_adtstoasc,extract_extradata,null"
    --enable-hwaccel="h264_nvdec,hevc_nvdec"
    --enable-encoder="rawvideo,wrapped_avframe,aac"
    --enable-muxer="rawvideo,framemd5,framehash,hash,null,md5,yuv4mpegpipe,mpegts,mp4,matroska,segment"
    --enable-filter="cuda_ipc_export,scale,format,hwdownload,hwupload,hwupload_cuda,null,fps,testsrc2,color,setpts,setparams,trim,aresample,anull"
    --enable-indev=lavfi
  )
else
  options=("${common[@]}" --enable-nvenc --enable-zlib)
  command -v clang >/dev/null && options+=(--enable-cuda-llvm)
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
trap 'rm -rf -- "$work"' EXIT
log=$cache/build-$version.log
: >"$log"

# The newest source of a release whose version begins with $version.
fetch() {
  local apt newest
  mkdir -p "$work"/apt/{lists/partial,archives/partial}
  {
    # sid's own packages may need a newer libc than this machine's; NVIDIA's headers are text.
    echo "deb [signed-by=$keyring] $mirror/debian bookworm main"
    echo "deb [signed-by=$keyring] $mirror/debian trixie main"
    echo "deb-src [signed-by=$keyring] $mirror/debian $release main"
    if [ "$release" != sid ]; then
      echo "deb-src [signed-by=$keyring] $mirror/debian-security $release-security main"
    fi
  } >"$work/apt/sources.list"
  apt=(-qq -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root)
  cd "$work"
  apt-get "${apt[@]}" update
  newest=$(apt-cache "${apt[@]}" showsrc ffmpeg | sed -n "s/^Version: \(\([0-9]*:\)\?${version}[.-].*\)/\1/p" | sort -V | tail -n 1)
  if [ -z "$newest" ]; then
    echo "$mirror has no source of FFmpeg $version in $release"
    return 1
  fi
  echo "Fetching the source of ffmpeg $newest"
  apt-get "${apt[@]}" source --download-only "ffmpeg=$newest"
  apt-get "${apt[@]}" download "libffmpeg-nvenc-dev/$headers" nasm/bookworm
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
  # The packages' .pc file names /usr: the headers lie in the work folder instead.
  sed -i "s|^prefix=.*|prefix=$work/tools/usr|" "$(find "$work/tools" -name ffnvcodec.pc)"
  PKG_CONFIG_PATH=$(dirname "$(find "$work/tools" -name ffnvcodec.pc)")
  export PKG_CONFIG_PATH PATH=$work/tools/usr/bin:$PATH
  {
    ./configure --prefix="$work/result" --extra-version=cuframes "${options[@]}"
    make -j "$(nproc)"
    make install-progs
  } >>"$log" 2>&1
  cp COPYING.LGPLv2.1 "$work/result/"
  printf '%s\n' "FFmpeg $version of Debian $release with CuFrames, built with" "${options[@]}" >"$work/result/BUILT-WITH"
} >&2 || {
  tail -n 20 "$log" >&2
  exit 1
}

mv -- "$work/result" "$result"
echo "$result"
