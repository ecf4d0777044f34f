#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the images of CuFrames.
#
#   docker/build.sh [IMAGE...] [--ffmpeg VERSION] [--minimal] [--with docker|buildah]
#
#   IMAGE        daemon, ffmpeg, python; all of them without. frigate: Frigate's image ($FRIGATE, default ghcr.io/blakeblackshear/frigate:stable) and
#                the folder of the image ffmpeg, which is built before
#   --ffmpeg     the version of FFmpeg: 5.1, 7.1 or 8.1 (default)
#   --minimal    an FFmpeg with what the tests need
#   --with       docker: docker build, with bases from the registries. buildah: without a Docker engine and without registries; bases come
#                from debootstrap and from the .NET SDK of this machine, images lie in artifacts/containers. Default: docker, if an engine answers.
#
# Prints the names of the images. DEBIAN_MIRROR names another mirror than http://deb.debian.org. buildah needs root. Certificates that this machine
# trusts are lent to the builds (SSL_CERT_FILE names others) and are in no image.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"
here=docker

usage() {
  echo "$1" >&2
  echo "usage: $0 [daemon] [ffmpeg] [python] [frigate] [--ffmpeg 5.1|7.1|8.1] [--minimal] [--with docker|buildah]" >&2
  exit 2
}

arguments=("$@")
images=() ffmpeg=8.1 minimal='' with=''
while [ $# -gt 0 ]; do
  case $1 in
    daemon | ffmpeg | python) images+=("$1") ;;
    frigate) images+=(ffmpeg frigate) ;;
    --ffmpeg)
      ffmpeg=${2-}
      case $ffmpeg in 5.1 | 7.1 | 8.1) ;; *) usage "--ffmpeg: found '$ffmpeg'" ;; esac
      shift
      ;;
    --minimal) minimal=--minimal ;;
    --with)
      with=${2-}
      case $with in docker | buildah) ;; *) usage "--with: found '$with'" ;; esac
      shift
      ;;
    *) usage "found '$1'" ;;
  esac
  shift
done
[ ${#images[@]} -gt 0 ] || images=(daemon ffmpeg python)
if [ -z "$with" ]; then
  with=buildah
  if command -v docker >/dev/null && docker version >/dev/null 2>&1; then
    with=docker
  fi
fi

version=$(sdk/CuFrames.Native/package/stage.sh --version)
options=(--build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)")
[ -z "${DEBIAN_MIRROR-}" ] || options+=(--build-arg "DEBIAN_MIRROR=$DEBIAN_MIRROR")
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
[ ! -e "$certificates" ] || options+=(--secret "id=certificates,src=$certificates")

if [ "$with" = docker ]; then
  build() { # arguments...
    DOCKER_BUILDKIT=1 docker build "${options[@]}" "$@" >&2
  }
else
  if ! command -v buildah >/dev/null; then
    echo 'buildah is missing: scripts/install-dependencies.sh test. With a Docker engine: --with docker.' >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo 'buildah lays down files of many users here: run this as root, or --with docker.' >&2
    exit 1
  fi
  # What the storage mounts ends with this script, and what commands of a build have started and left.
  if [ -z "${CUFRAMES_BUILD_INSIDE-}" ]; then
    exec env CUFRAMES_BUILD_INSIDE=1 unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- "$root/docker/build.sh" "${arguments[@]}"
  fi
  unset CUFRAMES_BUILD_INSIDE
  # shellcheck source=docker/storage.sh
  . "$here/storage.sh"
  storage_begin
  trap storage_end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mapfile -t bases < <("$here/bases.sh")
  [ ${#bases[@]} -eq 2 ] || exit 1
  options+=(--build-arg "DEBIAN=${bases[0]}" --build-arg "DOTNET=${bases[1]}")
  nuget=${NUGET_PACKAGES:-$HOME/.nuget/packages}
  mkdir -p -- "$nuget"
  # Packages are fetched once for this machine and its images.
  options+=(--volume "$nuget:/nuget")
  build() { # arguments...
    # The format of Docker, because the other one has no health check.
    buildah build --format docker --layers --pull-never "${options[@]}" "$@" >&2
  }
fi

for image in "${images[@]}"; do
  name=cuframes/$image:$version
  arguments=()
  if [ "$image" = ffmpeg ]; then
    name+=-ffmpeg$ffmpeg
    arguments+=(--build-arg "FFMPEG=$ffmpeg" --build-arg "MINIMAL=$minimal")
    if [ "$with" = buildah ]; then
      mkdir -p ffmpeg-filter/.cache
      # What was built outside of the image is the same: the cache names things by what they are made of.
      arguments+=(--build-arg "SOURCE=$root" --volume "$(realpath ffmpeg-filter/.cache):$root/ffmpeg-filter/.cache")
    fi
  fi
  if [ "$image" = frigate ]; then
    frigate=${FRIGATE:-ghcr.io/blakeblackshear/frigate:stable}
    [ "$with" = docker ] || buildah pull --quiet --policy missing "$frigate" >&2
    arguments+=(--build-arg "FRIGATE=$frigate" --build-arg "FFMPEG_IMAGE=cuframes/ffmpeg:$version-ffmpeg$ffmpeg")
  fi
  build "${arguments[@]}" --file "$here/$image/Dockerfile" --tag "$name" .
  echo "$name"
done
