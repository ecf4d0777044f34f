#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Checks the patched FFmpeg from inside: its own tests of CuFrames (make fate-cuframes), its documentation (makeinfo without a warning, the
# manual pages), and that options, documentation and docs/ffmpeg.md say the same.
#
#   ffmpeg-filter/check.sh [VERSION...]        all versions if none is named
#
# Needs libcuframes (scripts/build-native.sh) and texinfo. The last line reads "N passed, N failed, 0 skipped".

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
library=${CUFRAMES_LIBRARY_DIR:-$root/artifacts/native/lib}
if [ $# -eq 0 ]; then
  set -- 5.1 7.1 8.1
fi
for tool in makeinfo pod2man; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install texinfo perl" >&2
    exit 1
  fi
done
if [ ! -e "$library/libcuframes.so.0" ]; then
  echo "$library/libcuframes.so.0 is missing: scripts/build-native.sh" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
passed=0 failed=0

# One check with what it says when it fails.
check() { # name, command...
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $name"
    sed 's/^/     /' "$work/output"
  fi
}

fate() { # tree, test
  LD_LIBRARY_PATH=$library timeout 300 make --silent -C "$1" "$2"
}

# HTML of everything that includes our sections, without a message.
html() { # tree, page
  local messages
  if ! messages=$(makeinfo --html --no-split -I "$1/doc" -D config-not-all -o "$work/$2.html" "$1/doc/$2.texi" 2>&1) || [ -n "$messages" ]; then
    echo "makeinfo says: $messages"
    return 1
  fi
}

# The manual page that Debian would make.
manual() { # tree, page, sections...
  local tree=$1 page=$2 section
  shift 2
  perl "$tree/doc/texi2pod.pl" -Dconfig-not-all=yes -Dconfig-all=yes -I"$tree/doc" "$tree/doc/$page.texi" "$work/$page.pod" || return 1
  pod2man --errors=die --section 1 "$work/$page.pod" "$work/$page.1" || return 1
  for section; do
    if ! grep -q "^\.S[HS] \"\?$section\"\?\$" <(sed 's/\\&//g; s/\\_/_/g' "$work/$page.1"); then
      echo "$page.1 has no section $section"
      return 1
    fi
  done
}

for version; do
  tree=$("$here/build.sh" "$version" --minimal --tree)/source
  # Nobody builds in the tree meanwhile.
  exec {lock}>"$here/.cache/lock-$version-minimal"
  flock "$lock"
  mapfile -t tests < <(make --silent -C "$tree" fate-list | grep '^fate-cuframes-')
  check "$version: there are tests" test "${#tests[@]}" -gt 0
  for test in "${tests[@]}"; do
    check "$version: $test" fate "$tree" "$test"
  done

  check "$version: tables of options" make --silent -C "$tree" doc/avoptions_format.texi doc/avoptions_codec.texi
  check "$version: ffmpeg-formats.html" html "$tree" ffmpeg-formats
  check "$version: ffmpeg-filters.html" html "$tree" ffmpeg-filters
  check "$version: ffmpeg-formats.1" manual "$tree" ffmpeg-formats cuframes cuframes_packets
  check "$version: ffmpeg-filters.1" manual "$tree" ffmpeg-filters cuda_ipc_export
  check "$version: options" python3 "$here/check_options.py" "$tree/ffmpeg" "$here/src/doc" "$root/docs/ffmpeg.md"
  exec {lock}>&-
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
