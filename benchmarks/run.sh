#!/bin/sh
# Builds what is measured, runs the benchmarks, prints the table and writes benchmarks/results/. --help says what can be chosen.
set -eu
cd "$(dirname "$0")/.."
dotnet build -c Release daemon/CuFrames.Daemon.csproj -v q --nologo >&2
dotnet build -c Release benchmarks/CuFrames.Benchmarks.csproj -v q --nologo >&2
scripts/build-native.sh >&2
benchmarks/Languages/build.sh >&2
exec dotnet benchmarks/bin/Release/net10.0/CuFrames.Benchmarks.dll "$@"
