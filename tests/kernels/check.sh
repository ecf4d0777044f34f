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
# shellcheck source=scripts/check-ptx.sh
. ../../scripts/check-ptx.sh

check_ptx test_kernels "$@"
require_entries test_kernels spin hang fill write_one copy checksum
grep -q 'globaltimer' test_kernels.ptx || fail "spin reads no clock"
grep -q 'ld\.volatile\.' test_kernels.ptx || fail "hang does not read its flag again and again"
end_ptx_check
