# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For the check.sh of a folder with CUDA kernels, which sources it in that folder: compiles NAME.cu, and compares what comes of it
# with NAME.ptx, where a clang with the NVPTX target is installed. No CUDA toolkit is needed.
#
#   check_ptx NAME [--update]     checks what every file must have and be; with --update it writes NAME.ptx and ends the script
#   require_entries NAME ENTRY...
#   fail TEXT                     notes that a check has failed; $failed is 0 or 1
#   end_ptx_check                 ends the script with what was found

failed=0
compiler=''
for candidate in clang-14 clang; do
  # Another version writes other text for the same code: only the one that wrote the file can be compared with.
  if [ "$("$candidate" -dumpversion 2>/dev/null | cut -d. -f1)" = 14 ]; then
    compiler=$candidate
    break
  fi
done

fail() {
  echo "$*" >&2
  failed=1
}

# sm_52 and PTX 6.0: every driver since CUDA 9 takes them, for every device since Maxwell.
compile_ptx() { # name
  "$compiler" -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_52 -Xclang -target-feature \
    -Xclang +ptx60 -O2 -S -Wall -Wextra -Werror -Wno-unknown-cuda-version -o - "$1.cu"
}

check_ptx() { # name, --update
  if [ "${2-}" = --update ]; then
    [ -n "$compiler" ] || { echo "clang 14 is needed to write $1.ptx" >&2; exit 1; }
    compile_ptx "$1" >"$1.ptx.new" && mv "$1.ptx.new" "$1.ptx"
    exit
  fi
  grep -Eq '^\.version 6\.0$' "$1.ptx" || fail "$1.ptx is not PTX 6.0"
  grep -Eq '^\.target sm_52$' "$1.ptx" || fail "$1.ptx is not for sm_52"
  if [ -n "$compiler" ]; then
    compile_ptx "$1" | diff - "$1.ptx" || fail "$1.ptx is not what $1.cu compiles to: ./check.sh --update"
  else
    echo "clang 14 is not installed: $1.ptx was not compared with its source"
  fi
}

require_entries() { # name, entries...
  local name=$1 entry
  shift
  for entry; do
    grep -Eq "^\.visible \.entry $entry\(" "$name.ptx" || fail "$name.ptx has no entry $entry"
  done
}

end_ptx_check() {
  exit "$failed"
}
