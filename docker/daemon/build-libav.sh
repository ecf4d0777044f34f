#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds libav for the daemon's image and installs it below a folder: from the source of the Debian release that it runs in, security updates
# included, with what cameras and files send and without Debian's hundred libraries for everything else. Called by the Dockerfile, as root, where
# apt's lists have sources.
#
#   build-libav.sh FOLDER

set -euo pipefail
export LC_ALL=C.UTF-8

folder=$1
options=(
  --disable-everything --disable-autodetect --disable-programs --disable-doc --disable-debug --disable-static --enable-shared
  --disable-avdevice --disable-avfilter --disable-postproc --disable-swresample
  # rtsps and https. GnuTLS is in every Debian, because apt needs it.
  --enable-network --enable-gnutls --enable-zlib
  # AV1 in software: FFmpeg's own decoder of it needs a GPU.
  --enable-libdav1d
  # Opened at run time, if the host has a driver.
  --enable-ffnvcodec --enable-cuda --enable-nvdec
  --enable-hwaccel="h264_nvdec,hevc_nvdec,av1_nvdec,vp8_nvdec,vp9_nvdec,mpeg1_nvdec,mpeg2_nvdec,mpeg4_nvdec,mjpeg_nvdec,vc1_nvdec"
  # Everything that can be read without another library, and what of it says how it is coded.
  --enable-demuxers --enable-parsers --enable-bsfs
  --enable-protocol="async,cache,concat,concatf,crypto,data,file,ftp,hls,http,httpproxy,https,mmsh,mmst,pipe,rtmp,rtmpt,rtmps,rtp,srtp,subfile,tcp,tls,udp,udplite,unix"
  --enable-decoder="libdav1d,h264,hevc,av1,vp8,vp9,mpeg1video,mpeg2video,mpeg4,msmpeg4v3,h263,h263p,flv,mjpeg,png,vc1,wmv3,theora,prores,dnxhd,ffv1,ffvhuff,huffyuv,rawvideo"
  # Sound is passed on as it is. A decoder is asked where a container does not say what is in it.
  --enable-decoder="aac,aac_latm,ac3,eac3,mp1,mp2,mp3,opus,vorbis,flac,alac,dca,wmav2,speex,amrnb,amrwb,g723_1,g729,adpcm_g722,adpcm_g726,adpcm_g726le,adpcm_ima_wav,adpcm_ms,pcm_alaw,pcm_mulaw,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s32le,pcm_u8,pcm_f32le"
  --enable-encoder="png,mjpeg"
  --enable-muxer="mp4,mov,matroska,mpegts"
)

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd -- "$work"
# apt has checked the source by Debian's keys, so the developer's own signature does not matter. apt's user may not write here.
apt-get -qq -o APT::Sandbox::User=root source --download-only ffmpeg
dpkg-source --no-check -x ./ffmpeg_*.dsc source
version=$(sed -n 's/^Version: //p' ./ffmpeg_*.dsc)
cd source
./configure --prefix=/usr --libdir=/usr/lib/x86_64-linux-gnu --shlibdir=/usr/lib/x86_64-linux-gnu --pkgconfigdir=/usr/lib/x86_64-linux-gnu/pkgconfig "${options[@]}" >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
make -j "$(nproc)" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
make install-libs install-headers DESTDIR="$folder" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }

licences=$folder/usr/share/doc/cuframes/libav
mkdir -p -- "$licences"
cp COPYING.LGPLv2.1 LICENSE.md "$licences/"
{
  echo "libavcodec, libavformat, libavutil and libswscale of FFmpeg $version, built from Debian's source package ffmpeg of that version"
  echo '(apt-get source ffmpeg, https://snapshot.debian.org/package/ffmpeg/), not changed, under the LGPL 2.1 or later, with'
  printf '  %s\n' "${options[@]}"
} >"$licences/SOURCE"
