#!/usr/bin/env bash
# Compiles the libav shim against the FFmpeg headers of other Debian releases, in a temporary folder, without
# installing anything. Arguments: release names; default: trixie (FFmpeg 7.1) and sid (newer).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
failed=0

for release in "${@:-trixie sid}"; do
  for suite in $release; do
    dir=$work/$suite
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs" "$dir/root"
    chmod 755 "$work" "$dir" "$dir/debs"
    echo "deb [trusted=yes] $mirror $suite main" >"$dir/sources.list"
    # A status file of its own: what is installed on this machine must not decide what is downloaded.
    : >"$dir/status"
    options=(-qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$dir/lists"
      -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$dir/debs" && apt-get "${options[@]}" download \
      libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libswresample-dev)
    for package in "$dir"/debs/*.deb; do
      dpkg -x "$package" "$dir/root"
    done

    include=$(dirname "$(find "$dir/root/usr/include" -type d -name libavcodec)")
    version=$(sed -n 's/.*LIBAVCODEC_VERSION_MAJOR *\([0-9]*\)$/\1/p' "$include/libavcodec/version_major.h")
    if cc -std=c11 -Wall -Wextra -Werror -O2 -fsyntax-only -I"$include" "$root/media/shim/cuframes_av.c" "$root/media/shim/cuframes_av_mux.c"; then
      echo "ok     $suite: libavcodec $version"
    else
      echo "FAILED $suite: libavcodec $version"
      failed=1
    fi
  done
done
exit "$failed"
