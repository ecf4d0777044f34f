#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Checks that rendition.ptx is what rendition.cu compiles to, where a clang with the NVPTX target is installed; what
# does not depend on a compiler is checked everywhere. No CUDA toolkit is needed.
#
#   media/kernels/check.sh            checks
#   media/kernels/check.sh --update   compiles and writes rendition.ptx

set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1

compiler=''
for candidate in clang-14 clang; do
  # Another version writes other text for the same code: only the one that wrote the file can be compared with.
  if [ "$("$candidate" -dumpversion 2>/dev/null | cut -d. -f1)" = 14 ]; then
    compiler=$candidate
    break
  fi
done

# sm_52 and PTX 6.0: every driver since CUDA 9 takes them, for every device since Maxwell.
compile() {
  "$compiler" -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_52 -Xclang -target-feature \
    -Xclang +ptx60 -O2 -S -Wall -Wextra -Werror -Wno-unknown-cuda-version -o - rendition.cu
}

if [ "${1-}" = --update ]; then
  [ -n "$compiler" ] || { echo "clang 14 is needed to write rendition.ptx" >&2; exit 1; }
  compile >rendition.ptx.new && mv rendition.ptx.new rendition.ptx
  exit
fi

failed=0
grep -Eq '^\.visible \.entry rendition\(' rendition.ptx || { echo "rendition.ptx has no entry rendition" >&2; failed=1; }
grep -Eq '^\.version 6\.0$' rendition.ptx || { echo "rendition.ptx is not PTX 6.0" >&2; failed=1; }
grep -Eq '^\.target sm_52$' rendition.ptx || { echo "rendition.ptx is not for sm_52" >&2; failed=1; }
# What a thread adds up stays in registers: local memory lies in device memory.
if grep -q '\.local' rendition.ptx; then echo "rendition.ptx has local memory" >&2; failed=1; fi

if [ -n "$compiler" ]; then
  compile | diff - rendition.ptx || { echo "rendition.ptx is not what rendition.cu compiles to: ./check.sh --update" >&2; failed=1; }
else
  echo "clang 14 is not installed: rendition.ptx was not compared with its source"
fi
exit "$failed"
