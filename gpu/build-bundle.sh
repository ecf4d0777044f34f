#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes one archive that runs the GPU tests and the GPU bench on a machine that has an NVIDIA driver, glibc 2.36 or newer, and
# nothing else of what CuFrames needs: no .NET, no FFmpeg, no compiler. Tests of Python take the host's Python, with its numpy,
# PyTorch and CuPy.
#
#   gpu/build-bundle.sh [OUTPUT.tar.xz]        default: gpu/cuframes-gpu.tar.xz, which git ignores
#   gpu/build-bundle.sh --overlay native [OUTPUT.tar.xz]        default: gpu/cuframes-gpu-native.tar.xz
#
# There: tar -xf cuframes-gpu.tar.xz && cuframes-gpu/run-gpu-tests && cuframes-gpu/run-gpu-bench; cuframes-gpu/run-gpu-short FOLDER NAME...
# runs parts of both on a machine whose time is short.
# An overlay has only libcuframes, the programs and tests around it, and what runs them; it is unpacked over a whole archive, also
# an older one, and replaces these parts of it.
# What is slow to make (FFmpeg, clips) is kept in gpu/.cache.

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
is_overlay=false
default=$here/cuframes-gpu.tar.xz
if [ "${1-}" = --overlay ] && [ "${2-}" = native ]; then
  is_overlay=true
  default=$here/cuframes-gpu-native.tar.xz
  shift 2
fi
if [ $# -gt 1 ] || [[ ${1-} = -* ]]; then
  echo "usage: $0 [--overlay native] [OUTPUT.tar.xz]" >&2
  exit 64
fi
output=$(realpath -m -- "${1:-$default}")
most_bytes=$((50 * 1024 * 1024))

"$root/scripts/install-dependencies.sh" demo
cd -- "$root"
# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh

mkdir -p "$here/.cache"
work=$(mktemp -d "$here/.cache/bundle.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
bundle=$work/cuframes-gpu
mkdir -p "$bundle/apps"

# Puts projects into the archive. They are built together first: what they share is looked at once, and not again for each of them.
publish() { # projects...
  local project name
  echo "Building $# projects"
  python3 -c '
import json, os, sys
json.dump({"solution": {"path": os.path.abspath("CuFrames.sln"), "projects": [name.replace("/", chr(92)) for name in sys.argv[2:]]}}, open(sys.argv[1], "w"))
' "$work/bundle.slnf" "$@"
  dotnet build "$work/bundle.slnf" --configuration Release --nologo -verbosity:quiet
  for project; do
    name=$(sed -nE 's|.*<AssemblyName>(.*)</AssemblyName>.*|\1|p' "$project")
    name=${name:-$(basename -- "$project" .csproj)}
    echo "Publishing $name"
    dotnet publish "$project" --configuration Release --no-build --no-self-contained --output "$bundle/apps/$name" --nologo -verbosity:quiet
  done
}

# Programs without .NET: libcuframes, what is compiled against it, and Python.
add_native() {
  local file
  scripts/build-native.sh
  tests/native-peers/build.sh
  mkdir -p "$bundle"/{native/lib,native-peers,python,python-tests}
  cp -a artifacts/native/lib/libcuframes.so* "$bundle/native/lib/"
  cp -a artifacts/native/include "$bundle/native/"
  for file in c-peer cpp-peer; do
    strip -o "$bundle/native-peers/$file" "artifacts/native-peers/$file"
  done
  cp -a sdk/python-bindings/cuframes tests/native-peers/python/*.py "$bundle/python/"
  cp -a tests/gpu-python/. "$bundle/python-tests/"
  cp -a examples/python "$bundle/python-tests/examples"
  # A library inside the package would be taken before the one that is to be tested.
  rm -rf "$bundle/python/cuframes/_lib"
  find "$bundle/python" "$bundle/python-tests" -name __pycache__ -prune -exec rm -rf {} +
}

# Deletes files of a .NET framework and takes them off its list: the host refuses to start when a file is listed and missing.
prune() { # folder of the framework, patterns of files...
  local folder=$1
  shift
  (cd "$folder" && find . -maxdepth 1 -type f -printf '%P\n' | while IFS= read -r file; do
    for pattern in "$@"; do
      # shellcheck disable=SC2053 # the right side is a pattern
      if [[ $file = $pattern ]]; then
        rm -- "$file"
        echo "$file"
      fi
    done
  done) | python3 -c '
import json, pathlib, sys
removed = set(sys.stdin.read().split())
path, = pathlib.Path(sys.argv[1]).glob("*.deps.json")
listed = json.loads(path.read_text())
for target in listed["targets"].values():
    for library in target.values():
        for kind in ("runtime", "native"):
            for name in removed & library.get(kind, {}).keys():
                del library[kind][name]
path.write_text(json.dumps(listed, indent=2))
' "$folder"
}

add_runtime() {
  local installed runtime file framework
  runtime=$(sed -nE 's/.*"version": "([^"]+)".*/\1/p' "$bundle/apps/cuframesd/cuframesd.runtimeconfig.json" | head -n 1)
  installed=$(dirname -- "$(readlink -f -- "$(command -v dotnet)")")
  # The newest of the same major version is what the host would choose.
  version=$(basename -- "$(find "$installed/shared/Microsoft.NETCore.App" -mindepth 1 -maxdepth 1 -name "${runtime%%.*}.*" | sort -V | tail -n 1)")
  mkdir -p "$bundle/dotnet/host/fxr" "$bundle/dotnet/shared"
  cp -a "$installed/dotnet" "$bundle/dotnet/"
  cp -a "$installed/host/fxr/$version" "$bundle/dotnet/host/fxr/"
  # ASP.NET Core is there for the daemon's taps over HTTP.
  for framework in Microsoft.NETCore.App Microsoft.AspNetCore.App; do
    if grep -qF "\"$framework\"" "$bundle/apps/cuframesd/cuframesd.runtimeconfig.json"; then
      mkdir "$bundle/dotnet/shared/$framework"
      cp -a "$installed/shared/$framework/$version" "$bundle/dotnet/shared/$framework/"
    fi
  done
  # What only debuggers, tracers and another garbage collector need, and libraries that nothing here uses.
  prune "$bundle/dotnet/shared/Microsoft.NETCore.App/$version" createdump libclrgc.so libclrgcexp.so libcoreclrtraceptprovider.so \
    libmscordaccore.so libmscordbi.so 'Microsoft.VisualBasic*.dll' System.Private.DataContractSerialization.dll System.Data.Common.dll \
    System.Net.Mail.dll System.Net.HttpListener.dll System.Threading.Tasks.Dataflow.dll System.Transactions.Local.dll System.Formats.Tar.dll
  if [ -d "$bundle/dotnet/shared/Microsoft.AspNetCore.App" ]; then
    prune "$bundle/dotnet/shared/Microsoft.AspNetCore.App/$version" 'Microsoft.AspNetCore.Mvc*' 'Microsoft.AspNetCore.Razor*' \
      'Microsoft.AspNetCore.Components*' 'Microsoft.AspNetCore.SignalR*' 'Microsoft.AspNetCore.*Identity*' 'Microsoft.Extensions.Identity*' \
      'Microsoft.AspNetCore.Server.HttpSys*' 'Microsoft.AspNetCore.Server.IIS*' 'Microsoft.AspNetCore.Http.Connections*' \
      'Microsoft.AspNetCore.DataProtection*' 'Microsoft.AspNetCore.Antiforgery*' 'Microsoft.AspNetCore.*Caching*' 'Microsoft.AspNetCore.Rewrite*' \
      'Microsoft.AspNetCore.HttpLogging*' 'Microsoft.AspNetCore.Authentication.[BCOG]*' 'Microsoft.AspNetCore.Cryptography*' \
      'System.Security.Cryptography.*' System.Formats.Cbor.dll 'Microsoft.JSInterop*'
  fi
  for file in LICENSE.txt ThirdPartyNotices.txt; do
    if [ -e "$installed/$file" ]; then
      cp "$installed/$file" "$bundle/dotnet/"
    fi
  done
  # .NET needs the first two to start and the others for hashes and random numbers; a bare host has none of them.
  mkdir "$bundle/lib"
  for file in libstdc++.so.6 libgcc_s.so.1 libssl.so.3 libcrypto.so.3; do
    cp -L "$(ldconfig -p | sed -nE "s|^\s*${file//+/\\+} .*x86-64.* => (.*)|\1|p" | head -n 1)" "$bundle/lib/"
  done
}

if $is_overlay; then
  publish gpu/CuFrames.GpuTests/*.csproj tests/CuFrames.Native.Tests/*.csproj
else
  ffmpeg=$(gpu/build-ffmpeg.sh)
  clips=$(gpu/build-clips.sh)
  projects=()
  for project in tests/CuFrames.TestPeer daemon cli conformance-tests gpu/CuFrames.GpuTests benchmarks/CuFrames.GpuBench; do
    projects+=("$project"/*.csproj)
  done
  # Every suite with a test that asks for a GPU. run-gpu-tests runs all suites that it finds.
  for project in tests/*.Tests; do
    if grep -rqE --include='*.cs' 'Trait\("needs", *"gpu"\)' "$project"; then
      projects+=("$project"/*.csproj)
    fi
  done
  publish "${projects[@]}"
  echo "Adding .NET, FFmpeg, clips"
  add_runtime
  for patches in 5.1 7.1 8.1; do
    patched=$(ffmpeg-filter/build.sh "$patches" --minimal)
    mkdir -p "$bundle/ffmpeg-builds/$patches"
    cp -a "$patched/." "$bundle/ffmpeg-builds/$patches/"
  done
  cp -a "$ffmpeg" "$bundle/ffmpeg"
  gpu/build-scale-cuda.sh "$ffmpeg" "$bundle/ffmpeg/bin/scale-cuda"
  cp -a "$clips" "$bundle/clips"
fi
echo "Adding libcuframes and Python"
add_native
if ! $is_overlay; then
  for folder in "$bundle"/ffmpeg-builds/*/lib; do
    cp "$bundle/native/lib/libcuframes.so.0" "$folder/"
  done
fi
cp gpu/bundle/* "$bundle/"
{
  echo "commit $(git rev-parse HEAD)$(git diff --quiet HEAD -- || echo ' with changes')"
  echo "built $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  if ! $is_overlay; then
    echo ".NET $version"
    head -n 1 "$ffmpeg/BUILT-WITH"
  fi
} >"$bundle/VERSION$(if $is_overlay; then echo -native; fi)"

# Symbols and documentation are most of what nobody needs there.
find "$bundle/apps" -type f \( -name '*.pdb' -o -name '*.xml' \) -delete
# One file for all copies of the same content.
(cd "$bundle" && find . -type f -links 1 -size +0 -exec sha256sum {} + | sort) | while read -r sum file; do
  if [ "$sum" = "${last_sum-}" ]; then
    ln -f -- "$bundle/$last_file" "$bundle/$file"
  else
    last_sum=$sum last_file=$file
  fi
done

echo "Checking what it needs of the host"
newest=2.36
while IFS= read -r -d '' file; do
  if [ "$(head -c 4 -- "$file" | tail -c 3 | tr -d '\0')" != ELF ]; then
    continue
  fi
  needed=$(objdump -p "$file" 2>/dev/null | grep -oE 'GLIBC_[0-9]+\.[0-9.]+' | sed 's/GLIBC_//' | sort -V | tail -n 1 || true)
  if [ -n "$needed" ] && [ "$(printf '%s\n' "$needed" "$newest" | sort -V | tail -n 1)" != "$newest" ]; then
    echo "$file needs glibc $needed; the bundle promises to run with $newest" >&2
    exit 1
  fi
done < <(find "$bundle" -type f -size +1k -print0)

echo "Packing"
mkdir -p -- "$(dirname -- "$output")"
tar -C "$work" --owner=0 --group=0 --numeric-owner --sort=name -cf - cuframes-gpu | xz --x86 --lzma2=preset=9 >"$output.part"
mv -- "$output.part" "$output"
bytes=$(stat -c %s -- "$output")
echo "$output: $(((bytes + 1048575) / 1048576)) MiB packed, $(du -sm "$bundle" | cut -f 1) MiB unpacked"
if [ "$bytes" -gt "$most_bytes" ]; then
  echo "The archive is larger than $((most_bytes / 1048576)) MiB." >&2
  exit 1
fi
