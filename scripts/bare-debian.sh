#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes a bare Debian 12 with some packages, as a tar file in artifacts/cache, once. Prints the file's path; all else goes to standard error.
#
#   scripts/bare-debian.sh PACKAGE,PACKAGE,... [DEPENDENCY...]
#
# Packages of the second kind are not installed, only fetched, with all that they need: apt-get install finds them there without a network.
#
# Needs root and debootstrap. Debian's packages come from the mirror that apt uses here, or DEBIAN_MIRROR.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
packages=$1
shift
cache=$root/artifacts/cache/debian-12-$(printf '%s\n' "$packages" "$@" | sha256sum | head -c 12).tar
if [ -e "$cache" ]; then
  echo "$cache"
  exit 0
fi
if ! command -v debootstrap >/dev/null; then
  echo "debootstrap is missing: scripts/install-dependencies.sh test" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
bare=$work/root
# shellcheck disable=SC2016 # $(REPO_URI) is apt's own.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null | head -n 1)}
echo "Making a bare Debian 12 from ${mirror:=http://deb.debian.org/debian}" >&2
if ! debootstrap --variant=minbase --include="$packages" bookworm "$bare" "$mirror" >"$work/log" 2>&1; then
  tail -n 20 "$work/log" >&2
  echo "debootstrap could not make a Debian 12 from $mirror; DEBIAN_MIRROR names another one." >&2
  exit 1
fi
rm -rf -- "$bare"/var/cache/apt/archives/*.deb "$bare"/var/lib/apt/lists/*
if [ $# -gt 0 ]; then
  cp -- /etc/resolv.conf /etc/hosts "$bare/etc/"
  if ! { chroot "$bare" apt-get update && chroot "$bare" apt-get install --download-only --yes --no-install-recommends "$@"; } >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    echo "apt-get could not fetch $* from $mirror; DEBIAN_MIRROR names another one." >&2
    exit 1
  fi
fi
mkdir -p -- "$(dirname -- "$cache")"
tar -C "$bare" --numeric-owner -cf "$cache.$$" .
mv -- "$cache.$$" "$cache"
echo "$cache"
