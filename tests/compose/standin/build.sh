#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the stand-ins for the images of Frigate and of an MQTT broker, beside those of docker/build.sh, whose bases it needs.
# Prints their names.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
if [ -z "${CUFRAMES_BUILD_INSIDE-}" ]; then
  exec env CUFRAMES_BUILD_INSIDE=1 unshare --mount --propagation private -- "$root/tests/compose/standin/build.sh"
fi
unset CUFRAMES_BUILD_INSIDE
cd -- "$root"
# shellcheck source=docker/storage.sh
. docker/storage.sh
storage_begin
trap storage_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mapfile -t bases < <(docker/bases.sh)
options=(--build-arg "DEBIAN=${bases[0]}")
[ -z "${DEBIAN_MIRROR-}" ] || options+=(--build-arg "DEBIAN_MIRROR=$DEBIAN_MIRROR")
for name in frigate mosquitto; do
  image=localhost/cuframes-test/$name
  buildah build --format docker --layers --pull-never "${options[@]}" --target "$name" --file tests/compose/standin/Dockerfile --tag "$image" . >&2
  echo "$image"
done
