#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes what users install: the library for C and C++ as an archive, the wheel for Python, and on Debian and its kin the packages cuframes,
# libcuframes0, libcuframes-dev and python3-cuframes.
#
#   scripts/build-packages.sh [OUTPUT]        default: artifacts/packages
#
# The last lines name the files. The same sources and compilers give the same bytes: times are those of the last commit, or
# SOURCE_DATE_EPOCH.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
output=$(realpath -m -- "${1:-$root/artifacts/packages}")
cd -- "$root"

scripts/build-native.sh artifacts/native >&2

package=sdk/CuFrames.Native/package
version=$($package/stage.sh --version)
name=libcuframes-$version-linux-$(uname -m)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y sdk/CuFrames.Native/include/cuframes.h)}"
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
doc=$work/$name/share/doc/libcuframes
mkdir -p -- "$output" "$work/$name" "$doc/examples/c" "$doc/examples/cpp"

cp -a artifacts/native/lib artifacts/native/include "$work/$name/"
cp LICENSE docs/c-api.md "$doc/"
# The sources, and not what somebody has built beside them.
cp examples/c/*.c examples/c/Makefile "$doc/examples/c/"
cp examples/cpp/*.cpp examples/cpp/CMakeLists.txt "$doc/examples/cpp/"
sed "s/@VERSION@/$version/g" "$package/INSTALL" >"$doc/INSTALL"
# The library has .NET's runtime in it, which is under the MIT licence.
framework=$(sed -nE 's|.*<NativeTargetFramework>net([0-9]+).*|\1|p' sdk/CuFrames.Native/CuFrames.Native.csproj)
runtime=$(find "${NUGET_PACKAGES:-$HOME/.nuget/packages}/runtime.linux-x64.microsoft.dotnet.ilcompiler" -mindepth 1 -maxdepth 1 -name "$framework.*" | sort -V | tail -n 1)
cp "$runtime/LICENSE.TXT" "$doc/LICENSE.dotnet"
cp "$runtime/THIRD-PARTY-NOTICES.TXT" "$doc/THIRD-PARTY-NOTICES.dotnet"

# Only what belongs in it, with rights that do not depend on this user's umask.
find "$work/$name" -type d -exec chmod 755 {} +
find "$work/$name" -type f -exec chmod 644 {} +

archive=$output/$name.tar.gz
tar -C "$work" --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9 -n >"$archive.part"
mv -- "$archive.part" "$archive"

rm -f -- "$output"/cuframes-*.whl
python3 sdk/python-bindings/build-wheel.py --library artifacts/native/lib/libcuframes.so.0 --output "$output" >&2

wheels=("$output"/cuframes-*.whl)
if [ ! -e "${wheels[0]}" ]; then
  echo "sdk/python-bindings/build-wheel.py made no wheel in $output" >&2
  exit 1
fi
debs=''
if command -v dpkg >/dev/null; then
  debs=$(packaging/debian/build.sh "$output")
else
  echo "This is no Debian: no .deb is made." >&2
fi
echo "$archive"
printf '%s\n' "${wheels[@]}" ${debs:+"$debs"}
