#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Watches a daemon with 100 cameras and 300 readers, and lets 1,000 cameras come and go. Ends with status 0 if the daemon stayed as it was: calls were
# answered in time, memory, descriptors and threads are flat, no frame was wrong or missed, and nothing is left of cameras that are gone.
#
#   benchmarks/operate.sh [--minutes N] [--quick] [--json] [--output DIRECTORY]
#
#   --minutes  how long it is watched before cameras come and go; default: 30
#   --quick    one minute and 100 cameras that come and go: shows that nothing is left and every frame is right, and proves nothing about time
#   --json     prints summary.json instead of summary.md
#   --output   where results go; default: benchmarks/results/DATE-MACHINE-operate
#
# Progress goes to standard error, the report to standard output.

set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
if [ -z "${CUFRAMES_BUILT-}" ]; then
  # shellcheck source=scripts/require-dotnet.sh
  . scripts/require-dotnet.sh
  dotnet build -c Release daemon/CuFrames.Daemon.csproj -v q --nologo >&2
  dotnet build -c Release benchmarks/CuFrames.Benchmarks.csproj -v q --nologo >&2
fi
exec benchmarks/bin/Release/net10.0/CuFrames.Benchmarks --only operate "$@"
