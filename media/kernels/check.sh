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
# shellcheck source=scripts/check-ptx.sh
. ../../scripts/check-ptx.sh

check_ptx rendition "$@"
require_entries rendition rendition
# What a thread adds up stays in registers: local memory lies in device memory.
if grep -q '\.local' rendition.ptx; then fail "rendition.ptx has local memory"; fi
end_ptx_check
