#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a program with one copy of each direction on the double of the driver, behind the counter, and looks at the counts.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
make --silent -C "$here/../fakecuda" >&2
cp "$here/bin/libcuda.so.1" "$folder/"
ln -s "$here/../fakecuda/bin/libcuda.so.1" "$folder/libcuda_real.so"
cc -Wall -Wextra -Werror -o "$folder/program" "$here/check_program.c" -ldl
LD_LIBRARY_PATH=$folder CUDACOUNT_FILE=$folder/counts.json "$folder/program"
for direction in HtoD DtoD DtoH; do
  grep -q "\"$direction\": {\"count\": 1, \"bytes\": 4096}" "$folder/counts.json" || {
    echo "The counter says something else of $direction:" >&2
    cat "$folder/counts.json" >&2
    exit 1
  }
done
echo "cudacount: every direction counted"
