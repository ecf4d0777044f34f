#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Publishes cuframesd and cuframes for machines without .NET: each folder holds the program with the part of .NET that it uses.
#
#   scripts/build-programs.sh OUTPUT
#
#   OUTPUT/cuframesd/cuframesd    with everything that it needs but libav
#   OUTPUT/cuframes/cuframes      the same; files that both have are hard links
#   OUTPUT/licences/              the licences of .NET
#
# Prints OUTPUT. libcuframes_av.so beside the programs is compiled against the libav that pkg-config finds, and needs that version of it.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -ne 1 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: $0 OUTPUT" >&2
  exit 2
fi
output=$(realpath -m -- "$1")
cd -- "$root"
# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh

mkdir -p -- "$output" artifacts
work=$(mktemp -d artifacts/programs.XXXXXX)
trap 'rm -rf -- "$work"' EXIT

for project in daemon/CuFrames.Daemon.csproj cli/CuFrames.Cli.csproj; do
  # Folders of its own for what is compiled: an ordinary build of the solution may run at the same time.
  if ! dotnet publish "$project" --configuration Release -p:BuildStandalone=true -p:DebugType=none -warnaserror --nologo -verbosity:quiet \
    --artifacts-path "$work" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
  fi
done

mv -- "$work"/publish/CuFrames.Daemon/* "$work/cuframesd"
mv -- "$work"/publish/CuFrames.Cli/* "$work/cuframes"
for program in cuframesd cuframes; do
  # What serves debuggers, tracers and garbage collectors that nobody chose, and the documentation of libraries for compilers.
  rm -f -- "$work/$program"/{libmscordaccore.so,libmscordbi.so,libcoreclrtraceptprovider.so,createdump,libclrgc.so,libclrgcexp.so} "$work/$program"/*.xml
  find "$work/$program" -type f -exec chmod 644 {} +
  chmod 755 "$work/$program/$program"
done
for file in "$work"/cuframes/*; do
  name=${file##*/}
  if cmp -s -- "$file" "$work/cuframesd/$name"; then
    # Not symbolic ones: the runtime looks for its library beside the file that a link leads to, and each program has one of its own.
    ln -f -- "$work/cuframesd/$name" "$file"
  fi
done

mkdir -- "$work/licences"
for name in LICENSE.txt ThirdPartyNotices.txt; do
  cp -- "$(dirname -- "$(realpath -- "$(command -v dotnet)")")/$name" "$work/licences/dotnet-$name"
done
for name in cuframesd cuframes licences; do
  rm -rf -- "${output:?}/$name"
  mv -- "$work/$name" "$output/"
done
echo "$output"
