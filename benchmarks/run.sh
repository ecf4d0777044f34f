#!/bin/sh
# Runs the benchmarks, prints the table and writes benchmarks/results/. --help says what can be chosen.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
-h | --help)
  sed -n 's/^          //p' benchmarks/Running/RunOptions.cs | sed -n '/^  *--/p'
  exit 0
  ;;
esac
if command -v nice >/dev/null && [ "${CUFRAMES_BENCHMARKS_BUILD:-yes}" = yes ]; then
  dotnet build -c Release benchmarks/CuFrames.Benchmarks.csproj -v q --nologo >&2
  dotnet build -c Release daemon/CuFrames.Daemon.csproj -v q --nologo >&2
fi
exec dotnet benchmarks/bin/Release/net10.0/CuFrames.Benchmarks.dll "$@"
