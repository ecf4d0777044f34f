#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Shows CuFrames at work, on a fresh Debian or Ubuntu with the .NET SDK: installs what is missing, builds, and starts an
# RTSP camera, the daemon, and readers. What happens then is in demo/.

set -u -o pipefail

usage() {
  cat <<'TEXT'
usage: ./demo.sh [--seconds N] [--keep] [--json]

  --seconds N  read frames for N seconds, at least 5; default: 20
  --keep       go on until Ctrl-C
  --json       the last line of standard output is one JSON object, progress goes to standard error

Exits with 0 if every frame was what it must be, every stream ran, and the slots of the killed reader came back.
TEXT
}

for argument in "$@"; do
  case $argument in
    -h | --help)
      usage
      exit 0
      ;;
  esac
done

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
cd -- "$root" || exit 1
scripts/install-dependencies.sh demo || exit 1
# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh

# Two demos at the same time must not build into the same folders at the same time.
mkdir -p artifacts || exit 1
echo "Building (the first time takes a minute)" >&2
if ! log=$(flock artifacts/demo-build.lock \
  dotnet build demo/CuFrames.Demo.csproj --configuration Release --nologo --verbosity quiet 2>&1 </dev/null); then
  echo "$log" >&2
  exit 1
fi

exec demo/bin/Release/net10.0/CuFrames.Demo --repository "$root" "$@"
