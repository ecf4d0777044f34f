#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes Generated/Control.cs from protocol/control.proto with Debian's protoc, or checks that it is what protoc makes.
#
#   control/CuFrames.Control/generate.sh [--check]

set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
protoc --csharp_out="$work" --proto_path="$here/../../protocol" control.proto
if [ "${1-}" = --check ]; then
  cmp -- "$work/Control.cs" "$here/Generated/Control.cs" || { echo "Generated/Control.cs is not what protoc makes of protocol/control.proto: run $0" >&2; exit 1; }
else
  mv -- "$work/Control.cs" "$here/Generated/Control.cs"
fi
