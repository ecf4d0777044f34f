#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the tests of the Python package with Debian's Python, numpy and pytest, on the double of the CUDA driver. What they need is built where it is missing:
# libcuframes.so (or name one in $CUFRAMES_LIBRARY), the peer in C# and the double. Arguments go to pytest; without any it runs tests. The last line reads "N passed, N failed,
# N skipped".

set -u -o pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=$(cd -- "$here/../.." && pwd) || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf -- "$scratch"' EXIT

fail() {
  echo "$*"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}

if [ -z "${CUFRAMES_LIBRARY-}" ]; then
  "$root/scripts/build-native.sh" >"$scratch/build" 2>&1 || { cat "$scratch/build"; fail "libcuframes.so cannot be built."; }
  export CUFRAMES_LIBRARY=$root/artifacts/native/lib/libcuframes.so.0
fi
make --silent -C "$root/tests/fakecuda" >"$scratch/build" 2>&1 || { cat "$scratch/build"; fail "The double of the CUDA driver cannot be built."; }
peer=$root/tests/CuFrames.TestPeer
if [ ! -x "$peer/bin/Release/net10.0/CuFrames.TestPeer" ]; then
  dotnet build --configuration Release --nologo --verbosity quiet "$peer/CuFrames.TestPeer.csproj" >"$scratch/build" 2>&1 ||
    { cat "$scratch/build"; fail "The peer in C# cannot be built."; }
fi

mkdir "$scratch/cuda" || exit 1
export LD_LIBRARY_PATH=$root/tests/fakecuda/bin FAKECUDA_DIR=$scratch/cuda PYTHONDONTWRITEBYTECODE=1
unset CUDA_VISIBLE_DEVICES PYTHONPATH CUFRAMES_DIR
cd -- "$here" || exit 1
/usr/bin/python3 -m pytest -q -p no:cacheprovider "${@:-tests}"
