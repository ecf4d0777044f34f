#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds FFmpeg with CuFrames: the filter cuda_ipc_export and the demuxers cuframes and cuframes_packets. The source is
# Debian's, the patches are in patches/VERSION, the code that they register is in src/. Installs nothing: sources, nasm and
# NVIDIA's headers are fetched with apt-get into ffmpeg-filter/.cache and unpacked there.
#
#   ffmpeg-filter/build.sh VERSION [--minimal] [--tree]        VERSION is 5.1, 7.1 or 8.1
#
# --minimal builds what the tests and Frigate's command lines need, in a few minutes on two cores. Without it everything is built
# that FFmpeg has without other libraries, and TLS: half an hour.
# Prints the folder of the result as its only line on standard output; a second call prints at once. In it are bin/ffmpeg and
# bin/ffprobe, lib/, where both look for libcuframes.so.0 before they look where the system has its libraries, and share/doc/.
# Both run wherever the C library is at least that of the machine that built them, and need no other library.
# --tree prints the tree that it was built in instead, for FFmpeg's own tests (check.sh).

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
header=$root/sdk/CuFrames.Native/include/cuframes.h
cache=$here/.cache
mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

kind=full
wants_tree=false
version=
usage="usage: $0 5.1|7.1|8.1 [--minimal] [--tree]"
for argument; do
  case $argument in
    --minimal) kind=minimal ;;
    --tree) wants_tree=true ;;
    5.1 | 7.1 | 8.1) version=$argument ;;
    *) echo "$usage, found '$argument'" >&2; exit 64 ;;
  esac
done
[ -n "$version" ] || { echo "$usage" >&2; exit 64; }
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
libraries=(zlib1g-dev)
if [ "$kind" = minimal ]; then
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
else
  # rtsps and https. OpenSSL 3 is under the Apache licence, which goes with the LGPL 2.1 of a build without GPL parts; Debian has it as a
  # static library. Mbed TLS asks for version 3 of the LGPL, and GnuTLS brings libraries that there are only to be linked at run time.
  options+=(--enable-openssl)
  libraries+=(libssl-dev)
fi

# Another way to build is another key. What the patches and the options make can be built further in the same tree when only the code
# beside them changes; the tree is kept for that, and for FFmpeg's own tests.
sum_of() {
  find "$@" -type f -print0 | sort -z | xargs -0 sha256sum
}
tree_key=$({ printf '%s\n' "${options[@]}"; cd "$here" && sum_of build.sh "patches/$version"; } | sha256sum | cut -c 1-12)
key=$({ echo "$tree_key"; cd "$here" && sum_of src/compat src/libav* && sha256sum <"$header"; } | sha256sum | cut -c 1-12)
result=$cache/ffmpeg-$version-$key
tree=$cache/tree-$version-$kind-$tree_key
print() {
  if $wants_tree; then echo "$tree"; else echo "$result"; fi
  exit 0
}
if [ -d "$result" ] && ! $wants_tree; then
  print
fi

# One build of a kind at a time: the second finds what the first has made.
mkdir -p "$cache"
exec {lock}>"$cache/lock-$version-$kind"
flock "$lock"
if [ -d "$result" ] && ! $wants_tree; then
  print
fi

log=$cache/build-$version-$kind.log
: >"$log"
work=$(mktemp -d "$cache/build.XXXXXX")
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
  apt-get "${apt[@]}" download "libffmpeg-nvenc-dev/$headers" nasm "${libraries[@]}"
  for package in ./*.deb; do
    dpkg -x "$package" "$tree/tools"
  done
  dpkg-source -x ./ffmpeg_*.dsc "$tree/source"
}

# Unpacks, patches and configures. A tree is not moved afterwards: configure writes down where things lie.
make_tree() {
  rm -rf -- "$cache/tree-$version-$kind"-*
  mkdir -p "$tree"
  fetch
  cd "$tree/source"
  for patch in "$here/patches/$version"/*.patch; do
    patch --strip 1 --fuzz 0 --forward <"$patch"
  done
  copy_code
  export PKG_CONFIG_PATH
  PKG_CONFIG_PATH=$(find "$tree/tools/usr" -type d -name pkgconfig | paste -sd:)
  # The packages' .pc files name /usr: what they describe lies in the tree instead. Without the links of shared libraries the
  # static ones are linked.
  find "$tree/tools/usr" -name '*.pc' -exec sed -i "s|^prefix=.*|prefix=$tree/tools/usr|" {} +
  find "$tree/tools/usr/lib" -name '*.so' -delete
  # The library is found wherever the folder lies. configure takes the backslashes, make one dollar.
  ./configure --prefix=/usr --extra-version=cuframes --pkg-config-flags=--static "${options[@]}" \
    --extra-ldexeflags="-Wl,--enable-new-dtags,-rpath,'\\\$\\\$ORIGIN/../lib'" >>"$log" 2>&1
  touch "$tree/configured"
}

# Only what differs: the rest need not be compiled again.
copy_code() {
  local file target
  while IFS= read -r -d '' file; do
    target=$tree/source/${file#"$here/src/"}
    if ! cmp -s "$file" "$target"; then
      mkdir -p "$(dirname -- "$target")"
      cp "$file" "$target"
    fi
  done < <(find "$here/src" -type f -print0)
  cmp -s "$header" "$tree/source/compat/cuframes/cuframes.h" || cp "$header" "$tree/source/compat/cuframes/"
}

{
  export PATH=$tree/tools/usr/bin:$PATH
  echo "Building FFmpeg $version; the compiler's messages are in $log"
  if [ -e "$tree/configured" ]; then copy_code; else make_tree; fi
  cd "$tree/source"
  make -j "$(nproc)" >>"$log" 2>&1
  if [ ! -d "$result" ]; then
    make install-progs BINDIR="$work/result/bin" >>"$log" 2>&1
    mkdir -p "$work/result"/{lib,share/doc}
    cp COPYING.LGPLv2.1 "$work/result/share/doc/"
    for library in "${libraries[@]}"; do
      cp "$tree/tools/usr/share/doc/$library/copyright" "$work/result/share/doc/COPYING.${library%-dev}"
    done
    {
      printf '%s\n' "FFmpeg $version of Debian $release with CuFrames, built with" "${options[@]}"
      echo "needs $(objdump -T "$work/result/bin/ffmpeg" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1) or newer, and no other library"
    } >"$work/result/share/doc/BUILT-WITH"
    mv -T -- "$work/result" "$result"
  fi
} >&2

print
