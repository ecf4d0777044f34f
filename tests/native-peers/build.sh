#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the peers in C and C++ into artifacts/native-peers: c-peer, cpp-peer and c-leaks, and with the address sanitizer c-peer-address and
# cpp-peer-address. They find the library of scripts/build-native.sh beside them, in ../native/lib. Does nothing for what is up to date.
#
#   tests/native-peers/build.sh [OUTPUT]

set -eu -o pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
output=${1-$root/artifacts/native-peers}
native=${CUFRAMES_NATIVE-$root/artifacts/native}

if [ ! -e "$native/lib/libcuframes.so" ]; then
  echo "$native/lib/libcuframes.so is missing: run scripts/build-native.sh first." >&2
  exit 1
fi

mkdir -p -- "$output"
make --silent -C "$here" OUT="$output" NATIVE="$native"
