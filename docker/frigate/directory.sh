#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the folder that is mounted into Frigate's image as it comes: bin/ffmpeg, bin/ffprobe, and the library that they load. It is the folder
# of the image cuframes/ffmpeg, so that it runs on Debian 12 whatever this machine has.
#
#   docker/frigate/directory.sh OUTPUT [--ffmpeg VERSION] [--minimal] [--with docker|buildah]
#
# The options are those of docker/build.sh. OUTPUT is replaced if it is such a folder. Prints OUTPUT.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: $0 OUTPUT [--ffmpeg VERSION] [--minimal] [--with docker|buildah]" >&2
  exit 2
fi
output=$(realpath -m -- "$1")
shift
if [ -e "$output" ] && [ ! -e "$output/bin/ffprobe" ]; then
  echo "$output exists and holds no ffprobe: it is not replaced. Remove it, or name another folder." >&2
  exit 1
fi
folder=/usr/lib/ffmpeg/cuframes

# The image is named by what built it, so that it is looked for where that put it.
if [ -z "${CUFRAMES_DIRECTORY_IMAGE-}" ]; then
  image=$("$root/docker/build.sh" ffmpeg "$@" | tail -n 1)
  if command -v docker >/dev/null && docker image inspect "$image" >/dev/null 2>&1; then
    mkdir -p -- "$(dirname -- "$output")"
    work=$(mktemp -d "$output.XXXXXX")
    container=$(docker create "$image")
    trap 'docker rm --force "$container" >/dev/null; rm -rf -- "$work"' EXIT
    docker cp --quiet "$container:$folder" "$work/new"
  else
    exec env CUFRAMES_DIRECTORY_IMAGE="$image" unshare --mount --propagation private -- "${BASH_SOURCE[0]}" "$output"
  fi
else
  # What the storage mounts ends with this script.
  # shellcheck source=docker/storage.sh
  . "$root/docker/storage.sh"
  storage_begin
  mkdir -p -- "$(dirname -- "$output")"
  work=$(mktemp -d "$output.XXXXXX")
  container=$(buildah from --pull-never "$CUFRAMES_DIRECTORY_IMAGE")
  trap 'buildah rm "$container" >/dev/null; storage_end; rm -rf -- "$work"' EXIT
  cp -a -- "$(buildah mount "$container")$folder" "$work/new"
fi
chmod 755 -- "$work/new"
rm -rf -- "$output"
mv -- "$work/new" "$output"
echo "$output"
