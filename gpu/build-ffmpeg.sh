#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds a small FFmpeg with NVDEC from Debian's own source package, in the version of the installed libavcodec-dev, so that
# libcuframes_av.so, compiled against those headers, runs with these libraries. Installs nothing: the source, nasm and
# NVIDIA's headers are fetched with apt-get into gpu/.cache and unpacked there.
#
#   gpu/build-ffmpeg.sh
#
# Prints the folder of the result (bin, lib, COPYING) as its only line on standard output. A second call finds it in the
# cache and prints at once. The distribution's name in the sources' address can be set by DEBIAN_RELEASE (default bookworm).

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cache=$here/.cache
release=${DEBIAN_RELEASE:-bookworm}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# shellcheck disable=SC2016 # ${Version} is dpkg-query's own variable.
if ! version=$(dpkg-query -W -f '${Version}' libavcodec-dev 2>/dev/null); then
  echo "libavcodec-dev is not installed: scripts/install-dependencies.sh build" >&2
  exit 1
fi

# Nothing under the GPL, no encoder of video. What is listed is what the tests and the bench use.
options=(
  --disable-everything --disable-autodetect --disable-doc --disable-debug --disable-static --enable-shared
  --disable-programs --enable-ffmpeg --enable-ffprobe --disable-postproc --enable-swresample
  --enable-network --enable-zlib
  --enable-ffnvcodec --enable-cuda --enable-nvdec
  # What ours is compared with: scaling on the device, by kernels that clang compiles.
  --enable-cuda-llvm --nvccflags="--cuda-gpu-arch=sm_52 -O2"
  --enable-demuxer="mov,matroska,mpegts,h264,hevc,av1,obu,ivf,rawvideo,rtsp,sdp,rtp,concat,yuv4mpegpipe,image2,image_png_pipe,m4v,mpegvideo"
  --enable-protocol="file,pipe,tcp,udp,rtp,unix"
  --enable-decoder="h264,hevc,av1,vp9,mpeg2video,mpeg4,mjpeg,rawvideo,png,wrapped_avframe"
  --enable-parser="h264,hevc,av1,vp9,mpegvideo,mpeg4video,mjpeg,png"
  --enable-bsf="h264_mp4toannexb,hevc_mp4toannexb,extract_extradata,av1_frame_split,av1_frame_merge,vp9_superframe_split,vp9_superframe,h264_metadata,hevc_metadata,null,dump_extra,noise,setts"
  --enable-hwaccel="h264_nvdec,hevc_nvdec,av1_nvdec,vp9_nvdec,mpeg2_nvdec"
  --enable-encoder="rawvideo,png,wrapped_avframe"
  --enable-muxer="rawvideo,framemd5,framehash,hash,null,md5,image2,yuv4mpegpipe,mpegts,mp4,matroska,h264,hevc"
  --enable-filter="scale,format,hwdownload,hwupload,hwupload_cuda,scale_cuda,null,copy,crop,trim,select,fps,testsrc2,color,setpts,noise"
  --enable-indev=lavfi
)
# Another way to build is another key.
key=$({ echo "$version" && cat "${BASH_SOURCE[0]}"; } | sha256sum | cut -c 1-12)
result=$cache/ffmpeg-${version#*:}-$key

if [ -d "$result" ]; then
  echo "$result"
  exit 0
fi

for tool in dpkg-source make cc clang pkg-config; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install dpkg-dev make gcc clang pkg-config" >&2
    exit 1
  fi
done

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
log=$cache/build-ffmpeg.log
: >"$log"

{
  echo "Fetching the source of ffmpeg $version from $mirror"
  mkdir -p "$work"/apt/{lists/partial,archives/partial}
  {
    echo "deb [signed-by=$keyring] $mirror/debian $release main"
    for suite in "debian $release" "debian $release-updates" "debian-security $release-security"; do
      echo "deb-src [signed-by=$keyring] $mirror/$suite main"
    done
  } >"$work/apt/sources.list"
  apt=(-qq -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root)
  cd "$work"
  apt-get "${apt[@]}" update
  if ! apt-get "${apt[@]}" source --download-only "ffmpeg=$version"; then
    echo "$mirror has no source of ffmpeg $version: bring libavcodec-dev up to date (apt-get upgrade)"
    exit 1
  fi
  apt-get "${apt[@]}" download libffmpeg-nvenc-dev nasm
  for package in ./*.deb; do
    dpkg -x "$package" tools
  done
  dpkg-source -x ./ffmpeg_*.dsc source

  echo "Building ffmpeg $version; the compiler's messages are in $log"
  # The packages' .pc file names /usr: the headers lie in the work folder instead.
  sed -i "s|^prefix=.*|prefix=$work/tools/usr|" "$(find "$work/tools" -name ffnvcodec.pc)"
  PKG_CONFIG_PATH=$(dirname "$(find "$work/tools" -name ffnvcodec.pc)")
  export PKG_CONFIG_PATH PATH=$work/tools/usr/bin:$PATH
  cd source
  {
    # The programs and libraries find each other wherever the folder lies. configure takes the backslashes, make one dollar.
    ./configure --prefix="$work/result" --libdir="$work/result/lib" "${options[@]}" \
      --extra-ldexeflags="-Wl,-rpath,'\\\$\\\$ORIGIN/../lib'" --extra-ldsoflags="-Wl,-rpath,'\\\$\\\$ORIGIN'"
    make -j "$(nproc)"
    make install-libs install-progs
  } >>"$log" 2>&1
  cp COPYING.LGPLv2.1 "$work/result/"
  printf '%s\n' "ffmpeg $version of Debian $release, built with" "${options[@]}" >"$work/result/BUILT-WITH"
  # PNG needs it, and a host of another distribution may not have it.
  cp -L "$(ldconfig -p | sed -n 's|.*x86-64.*=> \(.*/libz\.so\.1\)$|\1|p' | head -n 1)" "$work/result/lib/"
  find "$work/result/lib" -name '*.so' -delete
  rm -rf "$work/result/lib/pkgconfig" "$work/result/share"
} >&2 || {
  tail -n 20 "$log" >&2
  exit 1
}

mv -- "$work/result" "$result"
echo "$result"
