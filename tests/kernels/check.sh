#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Checks that test_kernels.ptx is what test_kernels.cu compiles to, where a clang with the NVPTX target is installed; what
# does not depend on a compiler is checked everywhere. No CUDA toolkit is needed.
#
#   tests/kernels/check.sh            checks
#   tests/kernels/check.sh --update   compiles and writes test_kernels.ptx

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
    -Xclang +ptx60 -O2 -S -Wall -Wextra -Werror -Wno-unknown-cuda-version -o - test_kernels.cu
}

if [ "${1-}" = --update ]; then
  [ -n "$compiler" ] || { echo "clang 14 is needed to write test_kernels.ptx" >&2; exit 1; }
  compile >test_kernels.ptx.new && mv test_kernels.ptx.new test_kernels.ptx
  exit
fi

failed=0
for kernel in spin hang fill write_one copy checksum; do
  grep -Eq "^\.visible \.entry $kernel\(" test_kernels.ptx || { echo "test_kernels.ptx has no entry $kernel" >&2; failed=1; }
done
grep -Eq '^\.version 6\.0$' test_kernels.ptx || { echo "test_kernels.ptx is not PTX 6.0" >&2; failed=1; }
grep -Eq '^\.target sm_52$' test_kernels.ptx || { echo "test_kernels.ptx is not for sm_52" >&2; failed=1; }
grep -q 'globaltimer' test_kernels.ptx || { echo "spin reads no clock" >&2; failed=1; }
grep -q 'ld\.volatile\.' test_kernels.ptx || { echo "hang does not read its flag again and again" >&2; failed=1; }

if [ -n "$compiler" ]; then
  compile | diff - test_kernels.ptx || { echo "test_kernels.ptx is not what test_kernels.cu compiles to: ./check.sh --update" >&2; failed=1; }
else
  echo "clang 14 is not installed: test_kernels.ptx was not compared with its source"
fi
exit "$failed"
