#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the Debian packages, for the release of Debian or Ubuntu that this runs on: cuframes, libcuframes0, libcuframes-dev, python3-cuframes.
#
#   packaging/debian/build.sh OUTPUT
#
# scripts/build-packages.sh calls it. It takes the library from artifacts/native and the Python package from the wheel in OUTPUT, and prints the four files.
# The same sources and compilers give the same bytes; SOURCE_DATE_EPOCH is the time of all files.

set -euo pipefail
export LC_ALL=C.UTF-8
umask 022

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
if [ $# -ne 1 ]; then
  echo "usage: $0 OUTPUT" >&2
  exit 2
fi
output=$(realpath -m -- "$1")
: "${SOURCE_DATE_EPOCH:?the time of the files; scripts/build-packages.sh sets it}"
cd -- "$root"

for tool in dpkg-deb dpkg-shlibdeps dpkg-gencontrol; do
  if ! command -v "$tool" >/dev/null; then
    echo "packaging/debian/build.sh: $tool is missing: scripts/install-dependencies.sh build" >&2
    exit 1
  fi
done

version=$(sdk/CuFrames.Native/package/stage.sh --version)
architecture=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
if [ "$architecture" != amd64 ]; then
  echo "packaging/debian/build.sh: packages are made for amd64, and this machine is $architecture." >&2
  exit 1
fi

# ------------------------------------------------------------------------------------------------------------ the programs

# With the runtime inside, as Debian has none. Folders of its own for what is compiled: an ordinary build of the solution may run at the same time.
# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh
build=$root/artifacts/debian-build
mkdir -p -- "$build"
exec 9>"$build.lock"
flock 9
for project in daemon/CuFrames.Daemon.csproj cli/CuFrames.Cli.csproj; do
  if ! dotnet publish "$project" --configuration Release --runtime linux-x64 --self-contained --artifacts-path "$build" \
    -warnaserror --nologo -verbosity:quiet >"$build.log" 2>&1 9>&-; then
    cat "$build.log" >&2
    exit 1
  fi
done

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
chmod 755 "$work"
mkdir -- "$work/debian"
cp -- "$here/control" "$work/debian/control"
# The form that dpkg's tools read version and time from. What changed is in CHANGELOG.md.
printf 'cuframes (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md of this version.\n\n -- %s  %s\n' "$version" \
  "$(sed -n 's/^Maintainer: //p' "$here/control")" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" >"$work/debian/changelog"

document() { # package: its folder under /usr/share/doc, with what every package has there
  local folder=$work/$1/usr/share/doc/$1
  mkdir -p -- "$folder"
  cp -- "$here/copyright" "$folder/copyright"
  gzip -9 -n <"$work/debian/changelog" >"$folder/changelog.gz"
}

# ------------------------------------------------------------------------------------------------------------ cuframes

tree=$work/cuframes
mkdir -p -- "$tree"/usr/{bin,lib/cuframes,lib/systemd/system,lib/sysusers.d,lib/tmpfiles.d,share/bash-completion/completions,share/man/man1,share/man/man8} \
  "$tree/etc/cuframes"
# Both programs share one runtime: what is in both folders is the same.
cp -r -- "$build"/publish/CuFrames.Cli/release_linux-x64/. "$tree/usr/lib/cuframes/"
cp -r -- "$build"/publish/CuFrames.Daemon/release_linux-x64/. "$tree/usr/lib/cuframes/"
# Documentation for compilers, and a tracing provider that would need LTTng.
rm -- "$tree"/usr/lib/cuframes/*.xml "$tree/usr/lib/cuframes/libcoreclrtraceptprovider.so"
ln -s ../lib/cuframes/cuframesd "$tree/usr/bin/cuframesd"
ln -s ../lib/cuframes/cuframes "$tree/usr/bin/cuframes"
cp -- daemon/cuframesd.service "$tree/usr/lib/systemd/system/"
cp -- "$here/cuframes.sysusers" "$tree/usr/lib/sysusers.d/cuframes.conf"
cp -- "$here/cuframes.tmpfiles" "$tree/usr/lib/tmpfiles.d/cuframes.conf"
cp -- "$here/cuframes.yaml" "$tree/etc/cuframes/"
cp -- "$here/cuframes.bash-completion" "$tree/usr/share/bash-completion/completions/cuframes"
ln -s cuframes "$tree/usr/share/bash-completion/completions/cuframesd"
gzip -9 -n <"$here/man/cuframes.1" >"$tree/usr/share/man/man1/cuframes.1.gz"
gzip -9 -n <"$here/man/cuframesd.8" >"$tree/usr/share/man/man8/cuframesd.8.gz"
document cuframes
mkdir -- "$tree/usr/share/doc/cuframes/examples"
cp -- docs/cli.md docs/configuration.md docs/control.md docs/gpu.md docs/taps.md "$tree/usr/share/doc/cuframes/"
cp -- daemon/cuframes.example.yaml "$tree/usr/share/doc/cuframes/examples/"

# ------------------------------------------------------------------------------------------------------------ libcuframes0, libcuframes-dev

tree=$work/libcuframes0
mkdir -p -- "$tree/usr/lib/$multiarch"
cp -- "artifacts/native/lib/libcuframes.so.$version" "$tree/usr/lib/$multiarch/"
ln -s "libcuframes.so.$version" "$tree/usr/lib/$multiarch/libcuframes.so.0"
document libcuframes0

tree=$work/libcuframes-dev
library=$tree/usr/lib/$multiarch
mkdir -p -- "$tree/usr/include" "$library/pkgconfig" "$library/cmake/cuframes"
cp -- artifacts/native/include/cuframes.h artifacts/native/include/cuframes.hpp "$tree/usr/include/"
ln -s libcuframes.so.0 "$library/libcuframes.so"
# In the archive these are relative to themselves, which is one folder less deep than Debian's.
sed -e '/^# Relative to this file/d' -e 's|^prefix=.*|prefix=/usr|' -e "s|^libdir=.*|libdir=\${prefix}/lib/$multiarch|" artifacts/native/lib/pkgconfig/cuframes.pc >"$library/pkgconfig/cuframes.pc"
cp -- artifacts/native/lib/cmake/cuframes/cuframesConfigVersion.cmake "$library/cmake/cuframes/"
sed -e 's|/\.\./\.\./\.\."|/../../../.."|' -e "s|lib/libcuframes\.so|lib/$multiarch/libcuframes.so|" artifacts/native/lib/cmake/cuframes/cuframesConfig.cmake \
  >"$library/cmake/cuframes/cuframesConfig.cmake"
document libcuframes-dev
examples=$tree/usr/share/doc/libcuframes-dev/examples
mkdir -p -- "$examples/c" "$examples/cpp"
cp -- docs/c-api.md "$tree/usr/share/doc/libcuframes-dev/"
cp -- examples/c/*.c examples/c/Makefile "$examples/c/"
cp -- examples/cpp/*.cpp examples/cpp/CMakeLists.txt "$examples/cpp/"

# ------------------------------------------------------------------------------------------------------------ python3-cuframes

tree=$work/python3-cuframes
wheel=$(find "$output" -maxdepth 1 -name 'cuframes-*.whl' -print -quit)
if [ -z "$wheel" ]; then
  echo "packaging/debian/build.sh: there is no wheel in $output; scripts/build-packages.sh makes it." >&2
  exit 1
fi
mkdir -p -- "$tree/usr/lib/python3/dist-packages"
python3 -m zipfile -e "$wheel" "$tree/usr/lib/python3/dist-packages"
# Debian's packages of the library and of Python's metadata: without a library of its own, and without pip's record of files.
rm -r -- "$tree"/usr/lib/python3/dist-packages/cuframes/_lib
find "$tree/usr/lib/python3/dist-packages" -path '*.dist-info/*' ! -name METADATA -delete
document python3-cuframes
mkdir -- "$tree/usr/share/doc/python3-cuframes/examples"
cp -- docs/python.md "$tree/usr/share/doc/python3-cuframes/"
cp -- examples/python/*.py "$tree/usr/share/doc/python3-cuframes/examples/"

# ------------------------------------------------------------------------------------------------------------ licences of the runtimes

licences() { # package, folder of the runtime's package
  cp -- "$2/LICENSE.TXT" "$work/$1/usr/share/doc/$1/LICENSE.dotnet"
  cp -- "$2/THIRD-PARTY-NOTICES.TXT" "$work/$1/usr/share/doc/$1/THIRD-PARTY-NOTICES.dotnet"
}
packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}
runtime=$(sed -nE '/"name": "Microsoft.NETCore.App"/{n;s/.*"version": "([^"]+)".*/\1/p}' "$work/cuframes/usr/lib/cuframes/cuframesd.runtimeconfig.json")
licences cuframes "$packages/microsoft.netcore.app.runtime.linux-x64/$runtime"
framework=$(sed -nE 's|.*<NativeTargetFramework>net([0-9]+).*|\1|p' sdk/CuFrames.Native/CuFrames.Native.csproj)
licences libcuframes0 "$(find "$packages/runtime.linux-x64.microsoft.dotnet.ilcompiler" -mindepth 1 -maxdepth 1 -name "$framework.*" | sort -V | tail -n 1)"

# ------------------------------------------------------------------------------------------------------------ put together

# Rights that depend neither on this user's umask nor on the rights that NuGet gave its files.
find "$work" -mindepth 2 -type d -exec chmod 755 {} +
find "$work" -mindepth 2 -type f -exec chmod 644 {} +
chmod 755 "$work"/cuframes/usr/lib/cuframes/{cuframes,cuframesd,createdump}

cd -- "$work"
for package in cuframes libcuframes0 libcuframes-dev python3-cuframes; do
  mkdir -- "$package/DEBIAN"
  for file in "$here/$package"/*; do
    [ -e "$file" ] || continue
    case ${file##*/} in
      *inst | *rm) install -m 755 -- "$file" "$package/DEBIAN/" ;;
      *) install -m 644 -- "$file" "$package/DEBIAN/" ;;
    esac
  done
  if [ "$package" = libcuframes0 ]; then
    echo "libcuframes 0 libcuframes0 (>= $version)" >"$package/DEBIAN/shlibs"
  fi

  mapfile -t binaries < <(find "$package" -type f \( -name '*.so*' -o -path '*/usr/lib/cuframes/cuframes*' ! -name '*.*' \))
  : >substvars
  if [ ${#binaries[@]} -gt 0 ]; then
    dpkg-shlibdeps -Tsubstvars -l"$package/usr/lib/cuframes" "${binaries[@]}" >log 2>&1 || { cat log >&2; exit 1; }
  fi
  (cd -- "$package" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  rm -f files
  dpkg-gencontrol -p"$package" -P"$package" -Tsubstvars -ffiles >log 2>&1 || { cat log >&2; exit 1; }
  find "$package" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

  file=${package}_${version}_$(sed -n 's/^Architecture: //p' "$package/DEBIAN/control").deb
  rm -f -- "$output/${package}"_*.deb
  # A tenth of the time that xz takes, for a quarter more bytes. dpkg knows it since Debian 12 and Ubuntu 22.04.
  dpkg-deb --root-owner-group -Zzstd -z12 --build "$package" "$output/$file.part" >&2
  mv -- "$output/$file.part" "$output/$file"
  echo "$output/$file"
done
