#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Measures the images that docker/build.sh has built with buildah, and prints their sizes as a table.
#
#   docker/sizes.sh [--readme]        --readme: writes the table into README.md
#
# "Download" is what a registry sends: the layers, compressed with gzip. "Of it Debian" is the base, which all of them share.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"
if [ -z "${CUFRAMES_SIZES_INSIDE-}" ]; then
  exec env CUFRAMES_SIZES_INSIDE=1 unshare --mount --propagation private -- "$root/docker/sizes.sh" "$@"
fi
# shellcheck source=docker/storage.sh
. docker/storage.sh
storage_begin
work=$(mktemp -d)
trap 'rm -rf -- "$work"; storage_end' EXIT

# Megabytes of an image: on disk, and compressed.
measure() { # image
  local disk layer
  rm -rf -- "$work/image"
  buildah push --quiet "$1" "oci:$work/image:x"
  disk=0
  for layer in $(python3 -c 'import json, sys
blob = lambda digest: json.load(open(sys.argv[1] + "/blobs/" + digest.replace(":", "/")))
manifest = blob(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])
print(*(sys.argv[1] + "/blobs/" + layer["digest"].replace(":", "/") for layer in manifest["layers"]))' "$work/image"); do
    disk=$((disk + $(gzip -dc <"$layer" | wc -c)))
  done
  echo "$(((disk + 500000) / 1000000)) $((($(du -sb "$work/image/blobs" | cut -f 1) + 500000) / 1000000))"
}

version=$(sdk/CuFrames.Native/package/stage.sh --version)
read -r debian debian_download < <(measure localhost/cuframes-bases/debian:bookworm-slim)
{
  echo '| image | on disk | download | of it Debian |'
  echo '|---|---:|---:|---:|'
  for image in "daemon:$version" "ffmpeg:$version-ffmpeg8.1" "python:$version"; do
    read -r disk download < <(measure "localhost/cuframes/$image")
    kind=
    if buildah inspect --type image "localhost/cuframes/$image" | grep -q '(--minimal)"'; then
      kind=', --minimal'
    fi
    # shellcheck disable=SC2016 # Markdown's code
    printf '| `cuframes/%s`%s | %s MB | %s MB | %s MB, %s MB |\n' "$image" "$kind" "$disk" "$download" "$debian" "$debian_download"
  done
} >"$work/table"
cat "$work/table"
if [ "${1-}" = --readme ]; then
  python3 - "$work/table" <<'END'
import re, sys
table = open(sys.argv[1]).read()
text = open("README.md").read()
new, count = re.subn(r"(<!-- docker/sizes\.sh --readme -->\n).*?(?=\n\n)", lambda match: match[1] + table.rstrip("\n"), text, flags=re.S)
assert count == 1, "README.md has no place for the table"
open("README.md", "w").write(new)
END
fi
