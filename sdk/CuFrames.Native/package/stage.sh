#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Puts beside the library what programs are built with: headers, pkg-config file, CMake package. The version is the header's.
#
#   sdk/CuFrames.Native/package/stage.sh OUTPUT | --version
#
# scripts/build-native.sh calls it. --version prints the version and does nothing else.

set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
header=$here/../include/cuframes.h

part() {
  sed -nE "s/^#define CUFRAMES_VERSION_$1 ([0-9]+)$/\1/p" "$header"
}

major=$(part MAJOR)
version=$major.$(part MINOR).$(part PATCH)

case ${1-} in
  --version)
    echo "$version"
    exit 0
    ;;
  '' | -*)
    echo "usage: $0 OUTPUT | --version" >&2
    exit 2
    ;;
esac

mkdir -p -- "$1/include" "$1/lib/pkgconfig" "$1/lib/cmake/cuframes"
# Left alone when they are the same: what is compiled with them is not compiled again.
install -C -m 644 -- "$here/../include/cuframes.h" "$here/../include/cuframes.hpp" "$1/include/"

fill() { # template, result
  sed -e "s/@VERSION@/$version/g" -e "s/@MAJOR@/$major/g" -- "$here/$1" >"$2"
  chmod 644 -- "$2"
}

fill cuframes.pc.in "$1/lib/pkgconfig/cuframes.pc"
fill cuframesConfig.cmake.in "$1/lib/cmake/cuframes/cuframesConfig.cmake"
fill cuframesConfigVersion.cmake.in "$1/lib/cmake/cuframes/cuframesConfigVersion.cmake"
