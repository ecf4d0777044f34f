#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compiles the C and C++ sides of the benchmark "languages" into artifacts/benchmarks. scripts/build-native.sh makes what they need.
set -eu
cd "$(dirname "$0")/../.."
native=artifacts/native
out=artifacts/benchmarks
mkdir -p "$out"
flags="-O2 -Wall -Wextra -Werror -I$native/include -L$native/lib -Wl,-rpath,$PWD/$native/lib"
# shellcheck disable=SC2086 # one word for each flag
${CC:-gcc} -std=gnu11 -o "$out/languages-c" benchmarks/Languages/languages.c $flags -lcuframes
# shellcheck disable=SC2086
${CXX:-g++} -std=c++17 -o "$out/languages-cpp" benchmarks/Languages/languages.cpp $flags -lcuframes
