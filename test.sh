#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs all tests, from a fresh clone too: installs what is missing, builds in Release with warnings as errors, and runs
# every suite there is. Takes no options and asks nothing. The last line reads "N passed, N failed, N skipped", all suites
# added up; the exit status is 0 exactly if nothing failed. The output of every suite is kept in artifacts/test-logs.
#
# A suite that crashes, hangs, prints no summary or ran no test counts as one failed test.

set -u -o pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
cd -- "$root" || exit 1
logs=$root/artifacts/test-logs
# Shared by seven targets: the TLV codec, the messages, the pages, descriptors and blocks, and the calls of the control API.
fuzz_inputs=25000000

rm -rf -- "$logs"
mkdir -p -- "$logs" || exit 1

# shellcheck disable=SC2317 # called by the traps
stop() {
  # Each job passes the signal on to its suite, and timeout(1) to the suite's whole process group.
  # shellcheck disable=SC2046 # one word per process
  kill $(jobs -p) 2>/dev/null
  wait
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM

# Adds up the results of all suites and ends.
finish() {
  local passed=0 failed=0 skipped=0 p f s result
  for result in "$logs"/*.result; do
    [ -e "$result" ] || continue
    read -r p f s <"$result"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done
  if [ $((passed + failed)) -eq 0 ]; then
    failed=1
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

# The three figures "passed failed skipped" of a suite's output, or nothing.
figures_of() { # kind, log, exit status
  case $1 in
    # xunit.v3: "  Name  Total: 5, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0, Time: 0.1s"
    xunit)
      sed -nE 's/^ +[^ ]+ +Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+), Not Run: ([0-9]+),.*$/\1 \2 \3 \4 \5/p' "$2" |
        awk '{ total += $1; failed += $2 + $3; skipped += $4 + $5; passed += $1 - $3 - $4 - $5; found = 1 }
          END { if (found) print passed, failed, skipped }'
      ;;
    summary)
      tail -n 1 "$2" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p'
      ;;
    # One test for each target of the fuzz runner, if all inputs were tried and none failed.
    fuzz)
      if [ "$3" -eq 0 ] && grep -Eq "^$fuzz_inputs inputs in .* 0 failures$" <(tr -d , <"$2"); then
        echo "$(grep -cE '^[a-z-]+ +[0-9,]+ inputs +[0-9,]+ outcomes' "$2") 0 0"
      fi
      ;;
    # The exit status is all there is.
    status)
      if [ "$3" -eq 0 ]; then echo '1 0 0'; else echo '0 1 0'; fi
      ;;
  esac
}

# Runs one suite to its end, or to its time limit, and writes its figures.
suite() { # name, seconds it may take, kind, command...
  local name=$1 limit=$2 kind=$3 log=$logs/$1.log started=$SECONDS status passed failed skipped note='' child
  shift 3
  # A shell's background jobs ignore SIGINT, and what tests start would inherit that.
  timeout --kill-after=10 "$limit" env --default-signal=INT,QUIT "$@" >"$log" 2>&1 </dev/null &
  child=$!
  trap 'kill $child 2>/dev/null; exit 143' TERM
  wait "$child"
  status=$?
  read -r passed failed skipped < <(figures_of "$kind" "$log" "$status")
  if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    note="; did not end within $limit s"
  elif [ -z "${skipped-}" ]; then
    note="; ended with status $status and no summary"
  elif [ $((passed + failed + skipped)) -eq 0 ]; then
    note='; ran no test'
  elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    note="; ended with status $status"
  fi
  if [ -n "$note" ]; then
    failed=$((${failed:-0} + 1))
  fi
  echo "${passed:-0} $failed ${skipped:-0}" >"$logs/$name.result"
  {
    printf '%-5s %-30s %s passed, %s failed, %s skipped%s (%s s)\n' "$([ "$failed" -eq 0 ] && echo ok || echo FAIL)" "$name" \
      "${passed:-0}" "$failed" "${skipped:-0}" "$note" $((SECONDS - started))
    if [ "$failed" -ne 0 ]; then
      # xunit marks the first line of a failed test; the end of the output says most of anything else.
      grep -A 12 -F '[FAIL]' "$log" | head -n 120 | sed 's/^/      /'
      echo "      ... the end of $log:"
      tail -n 20 "$log" | sed 's/^/      /'
    fi
  } >"$logs/$name.report"
  # In one piece: two suites may end at the same time.
  cat "$logs/$name.report"
}

echo "Installing what is missing"
scripts/install-dependencies.sh test || finish
# shellcheck source=scripts/require-dotnet.sh
( . scripts/require-dotnet.sh ) || finish
# shellcheck source=scripts/require-dotnet.sh
. scripts/require-dotnet.sh

echo "Building"
suite build 1200 status dotnet build CuFrames.sln --configuration Release --nologo -verbosity:minimal -warnaserror &
wait
suite libcuframes 900 status bash -c 'scripts/build-native.sh && tests/native-peers/build.sh && make --silent -C tests/fakecuda' &
wait
read -r _ failed _ <"$logs/build.result"
read -r _ native_failed _ <"$logs/libcuframes.result"
if [ $((failed + native_failed)) -ne 0 ]; then
  finish
fi

# Four lanes side by side: programs that compute on one core, suites with processes, sockets and time limits, what needs FFmpeg, and what waits for most of its
# time. What only computes leaves the cores to what plays cameras in real time.
computing() {
  suite model 3600 summary nice -n 10 tests/model/check.sh
  suite format 2400 status nice -n 10 dotnet format CuFrames.sln --verify-no-changes --no-restore
  suite shellcheck 180 status nice -n 10 shellcheck -x ./*.sh .ci/run scripts/*.sh packaging/debian/*.sh benchmarks/*.sh benchmarks/Languages/*.sh sdk/CuFrames.Native/package/*.sh sdk/python-bindings/*.sh tests/native-peers/*.sh tests/model/*.sh tests/kernels/*.sh media/kernels/*.sh control/*/*.sh gpu/*.sh gpu/bundle/* ffmpeg-filter/*.sh docker/*.sh docker/*/*.sh tests/docker/*.sh tests/compose/standin/*.sh
  suite control 60 status control/CuFrames.Control/generate.sh --check
  suite kernels 300 status media/kernels/check.sh
  suite fakecuda 300 summary make --silent -C tests/fakecuda check
  suite python 2400 summary sdk/python-bindings/test.sh
  suite packages 3600 summary scripts/check-packages.sh
  suite images 3600 summary tests/docker/check.sh
  # Runs the images that the suite images has built.
  suite compose 3600 summary tests/compose/check.py
}

# What has the trait only=gpu runs from the archive that gpu/build-bundle.sh makes, on a machine that has one.
moving() {
  local project name
  for project in tests/*.Tests/*.csproj; do
    name=$(basename -- "$project" .csproj)
    case $name in
      CuFrames.Ffmpeg.Tests | CuFrames.Frigate.Tests) continue ;;
    esac
    suite "$name" 2400 xunit "tests/$name/bin/Release/net10.0/$name" -noColor -noLogo -trait- only=gpu
  done
  # A minute of what benchmarks/operate.sh watches for half an hour: 100 cameras, 300 readers, cameras that come and go.
  suite operate 600 status env CUFRAMES_BUILT=1 benchmarks/operate.sh --quick --output "$logs/operate"
}

# Three versions of FFmpeg from source, once; later runs find them. Their own tests, and their documentation. Then what runs them, and while images
# are built, inputs that hostile peers would send.
streaming() {
  suite ffmpeg 3600 summary nice -n 10 ffmpeg-filter/check.sh
  suite CuFrames.Ffmpeg.Tests 3600 xunit tests/CuFrames.Ffmpeg.Tests/bin/Release/net10.0/CuFrames.Ffmpeg.Tests -noColor -noLogo -trait- only=gpu
  suite CuFrames.Fuzz 3600 fuzz nice -n 10 tests/CuFrames.Fuzz/bin/Release/net10.0/CuFrames.Fuzz --inputs "$fuzz_inputs"
}

# Frigate's ten minutes, with the builds that the lane before makes.
waiting() {
  until [ -e "$logs/ffmpeg.result" ]; do
    sleep 1
  done
  suite CuFrames.Frigate.Tests 3600 xunit tests/CuFrames.Frigate.Tests/bin/Release/net10.0/CuFrames.Frigate.Tests -noColor -noLogo
}

demo() {
  suite demo 300 summary bash -c "./demo.sh --seconds 10 --json >'$logs/demo.stdout'
    status=\$?
    echo \"demo.sh ended with status \$status\"
    python3 tests/demo/check_result.py '$logs/demo.stdout' 10 && [ \$status -eq 0 ]"
}

computing &
moving &
streaming &
waiting &
wait
demo &
wait
finish
