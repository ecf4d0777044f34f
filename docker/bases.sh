#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the images that others begin with, where none can be had from a registry: a Debian 12 from debootstrap, as slim as the one of that name, and
# the .NET SDK that is installed here. docker/build.sh calls it with the storage of the images set up.
#
#   docker/bases.sh
#
# Makes localhost/cuframes-bases/debian and localhost/cuframes-bases/dotnet, unless they are there. The Debian is kept in artifacts/cache.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"
mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT

# Makes an image of an archive, or of a folder in a place.
commit() { # image, what, where
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$2" "$3" >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd /bin/bash "$container"
  buildah commit --quiet --rm "$container" "$1" >/dev/null
}

debian=localhost/cuframes-bases/debian:bookworm-slim
if ! buildah inspect --type image "$debian" >/dev/null 2>&1; then
  cache=artifacts/cache/debian-12-slim.tar
  if [ ! -e "$cache" ]; then
    echo "Making a Debian 12 from $mirror" >&2
    if ! command -v debootstrap >/dev/null; then
      echo 'debootstrap is missing: scripts/install-dependencies.sh test' >&2
      exit 1
    fi
    if ! debootstrap --variant=minbase bookworm "$work/debian" "$mirror/debian" >"$work/log" 2>&1; then
      tail -n 20 "$work/log" >&2
      echo "debootstrap could not make a Debian 12 from $mirror/debian; DEBIAN_MIRROR names another one." >&2
      exit 1
    fi
    # What the slim images leave out too, now and whenever a package is installed. Copyrights stay.
    printf '%s\n' 'path-exclude /usr/share/doc/*' 'path-include /usr/share/doc/*/copyright' 'path-exclude /usr/share/man/*' \
      'path-exclude /usr/share/info/*' 'path-exclude /usr/share/locale/*' 'path-exclude /usr/share/lintian/*' >"$work/debian/etc/dpkg/dpkg.cfg.d/docker"
    find "$work/debian/usr/share/doc" -mindepth 2 \( -type f -o -type l \) ! -name copyright -delete
    find "$work/debian/usr/share/doc" -type d -empty -delete
    rm -rf -- "$work"/debian/usr/share/{man,info,locale,lintian}/* "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/cache/apt/*.bin \
      "$work"/debian/var/lib/apt/lists/* "$work"/debian/var/log/* "$work"/debian/var/cache/debconf/*-old "$work"/debian/var/lib/dpkg/*-old
    # What every Debian has, and nothing of this machine.
    rm -f -- "$work"/debian/etc/{resolv.conf,hostname,machine-id}
    printf '%s\n' 'deb http://deb.debian.org/debian bookworm main' 'deb http://deb.debian.org/debian bookworm-updates main' \
      'deb http://deb.debian.org/debian-security bookworm-security main' >"$work/debian/etc/apt/sources.list"
    # No service is started where an image is made.
    printf '%s\n' '#!/bin/sh' 'exit 101' >"$work/debian/usr/sbin/policy-rc.d"
    chmod 755 "$work/debian/usr/sbin/policy-rc.d"
    mkdir -p -- "$(dirname -- "$cache")"
    tar -C "$work/debian" --numeric-owner --exclude='./dev/*' -cf "$cache.$$" .
    mv -- "$cache.$$" "$cache"
  fi
  commit "$debian" "$cache" /
fi

# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh
dotnet=localhost/cuframes-bases/dotnet:$(dotnet --version)
if ! buildah inspect --type image "$dotnet" >/dev/null 2>&1; then
  commit "$dotnet" "$(dirname -- "$(realpath -- "$(command -v dotnet)")")" /usr/share/dotnet
fi
echo "$debian"
echo "$dotnet"
