#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compiles libcuframes.so ahead of time and stages what C, C++ and Python programs need. Does nothing when what is staged is newer than all it is
# made of, so that tests and benchmarks may call it freely; several may at the same time.
#
#   scripts/build-native.sh [OUTPUT]     default: artifacts/native
#
#   OUTPUT/lib/libcuframes.so.0.1.0      with the links libcuframes.so.0 and libcuframes.so
#   OUTPUT/lib/pkgconfig, OUTPUT/lib/cmake/cuframes
#   OUTPUT/include/cuframes.h, cuframes.hpp

set -eu -o pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
output=${1:-$root/artifacts/native}
mkdir -p -- "$output" "$root/artifacts"
output=$(cd -- "$output" && pwd)
cd -- "$root"

project=sdk/CuFrames.Native
build=$root/artifacts/native-build

# One build at a time in this clone.
exec 9>"$root/artifacts/native-build.lock"
flock 9

version=$("$project/package/stage.sh" --version)
library=$output/lib/libcuframes.so.$version
binary=$build/libcuframes.so

# Whether a file is older than anything that it is made of. Deleted sources show in the time of their folder.
is_outdated() { # file, find arguments...
  local file=$1
  shift
  [ ! -e "$file" ] || [ -n "$(find "$@" \( -name bin -o -name obj \) -prune -o -newer "$file" -print -quit)" ]
}

if is_outdated "$binary" Directory.Build.props Directory.Packages.props global.json scripts/build-native.sh protocol sdk/CuFrames.Interop \
  sdk/CuFrames.Client "$project/Internal" "$project/shim" "$project"/*.cs "$project"/*.csproj "$project/include/cuframes.h"; then
  # shellcheck source=scripts/require-dotnet.sh
  . scripts/require-dotnet.sh
  # Folders of its own for what is compiled: an ordinary build of the solution may run at the same time.
  log=$build.log
  if ! dotnet publish "$project/CuFrames.Native.csproj" --configuration Release --artifacts-path "$build" \
    -p:BuildNativeLibrary=true -warnaserror --nologo -verbosity:quiet >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi

  published=$(find "$build/publish" -name CuFrames.Native.so -print -quit)
  if [ -z "$published" ]; then
    echo "scripts/build-native.sh: the compiler ended well, and there is no CuFrames.Native.so under $build/publish; see $log" >&2
    exit 1
  fi
  cp -- "$published" "$binary.new"
  mv -f -- "$binary.new" "$binary"
fi

if ! cmp -s -- "$binary" "$library"; then
  # Renamed into place: a program that runs keeps its library, and one that starts sees no half of it.
  mkdir -p -- "$output/lib"
  cp -- "$binary" "$library.new"
  mv -f -- "$library.new" "$library"
fi
ln -sfn -- "libcuframes.so.$version" "$output/lib/libcuframes.so.0"
ln -sfn -- libcuframes.so.0 "$output/lib/libcuframes.so"
"$project/package/stage.sh" "$output"
