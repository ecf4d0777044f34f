#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs the Debian packages that CuFrames needs and that are not there yet. Asks nothing. This is the one list of them.
#
#   scripts/install-dependencies.sh build | demo | test
#
# Without the right to install (root, or sudo without a password) it prints the command that would help and exits 1.
# Prints to standard error only.

set -u -o pipefail

say() {
  echo "$*" >&2
}

# To build: a C compiler and the headers of libav, for the shim in media/shim; make, for the libraries of the tests; dpkg-dev, for the packages.
packages=(gcc make libc6-dev dpkg-dev pkg-config libavformat-dev libavcodec-dev libavutil-dev libswscale-dev)

# For the demo: ffmpeg makes the clip and decodes it for comparison; GStreamer's RTSP server plays it as a camera would.
# qtdemux and rtph264pay are in "good", h264parse in "bad".
demo=(ffmpeg python3 python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad)

# For the tests: g++ and clang compile the headers as C++, and the peers in C++; spin checks the model of the lease protocol,
# util-linux has unshare and prlimit, strace counts system calls, shellcheck reads the scripts. The Python package is tested with
# pytest and numpy, the packages in a system that debootstrap makes, where pkg-config and cmake build the examples. Chromium shows the
# MJPEG tap.
# dpkg-dev, patch and Debian's keys fetch and patch FFmpeg's source, texinfo reads its documentation. buildah makes the images of docker/, podman and crun start them.
# The compose files are read with python3-yaml and checked by docker-compose, which has the schema of the specification; ip makes their networks.
# protoc makes the messages of the control API, grpcio is its independent client; prometheus has promtool, which reads metrics and alert rules.
tests=(g++ clang cmake spin util-linux strace shellcheck debootstrap python3-pytest python3-numpy python3-venv python3-pip mypy chromium dpkg-dev patch debian-archive-keyring valgrind
  buildah crun podman docker-compose iproute2 python3-yaml texinfo protobuf-compiler python3-grpcio python3-protobuf prometheus)

case ${1-} in
  build) ;;
  demo) packages+=("${demo[@]}") ;;
  test) packages+=("${demo[@]}" "${tests[@]}") ;;
  *)
    say "usage: $0 build | demo | test"
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "This is no Debian or Ubuntu: these packages, or what they are called here, have to be installed by hand:"
  say "  ${packages[*]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  # shellcheck disable=SC2016 # ${Status} is dpkg-query's own variable.
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing+=("$package")
  fi
done

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    say "Packages are missing and this user may not install them. Run:"
    say "  sudo apt-get install --no-install-recommends ${missing[*]}"
    exit 1
  fi
  as_root=(sudo -n)
fi

install_missing() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" </dev/null 2>&1
}

say "Installing ${missing[*]}"
# The lists of a fresh machine are empty or old: they are fetched only if the first attempt fails for want of them.
if ! output=$(install_missing); then
  if ! output=$("${as_root[@]}" apt-get update --quiet -o DPkg::Lock::Timeout=300 2>&1 && install_missing); then
    say "$output"
    say "apt-get could not install: ${missing[*]}"
    exit 1
  fi
fi
