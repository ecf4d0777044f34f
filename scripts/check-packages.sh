#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the packages, installs them in a bare Debian 12 with nothing but Debian's own packages and no network, and runs there what users run: the
# examples of README.md as they stand in it, and those of the archive, built with pkg-config and with CMake. Then the Debian packages, in a system
# with systemd: packaging/debian/check.sh. The last line reads "N passed, N failed, N skipped".
#
#   scripts/check-packages.sh
#
# Needs root (or sudo without a password) and debootstrap. Debian's packages come from the mirror that apt uses here, or DEBIAN_MIRROR. The bare
# system is kept in artifacts/cache; the one that is tested is thrown away.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"

give_up() {
  echo "$1" >&2
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}

# Set when this script runs itself again as root: what is compiled stays the user's.
same=${CUFRAMES_PACKAGES_SAME-}
if [ -z "$same" ]; then
  scripts/build-packages.sh
  # Made again, elsewhere, a little later: the same bytes.
  again=$(mktemp -d)
  trap 'rm -rf -- "$again"' EXIT
  scripts/build-packages.sh "$again" >/dev/null
  same=1
  for file in artifacts/packages/*; do
    cmp -- "$file" "$again/$(basename -- "$file")" || same=0
  done
  rm -rf -- "$again"
fi

if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    give_up "scripts/check-packages.sh makes a Debian root, for which it needs to be root, or sudo without a password."
  fi
  exec sudo -n --preserve-env=DEBIAN_MIRROR,http_proxy,https_proxy env CUFRAMES_PACKAGES_SAME="$same" "$root/scripts/check-packages.sh"
fi
# ------------------------------------------------------------------------------------------------------------ a bare Debian 12

if ! cache=$(scripts/bare-debian.sh g++,make,pkg-config,cmake,python3-venv); then
  give_up 'There is no bare Debian 12.'
fi
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
chmod 755 "$work"
bare=$work/root
mkdir -- "$bare"
tar -C "$bare" --numeric-owner -xf "$cache"

# ------------------------------------------------------------------------------------------------------------ what is tested

# The first block of a language in README's section "C, C++, Python".
block() { # language
  sed -n '/^## C, C++, Python$/,/^## /p' README.md | awk -v start="\`\`\`$1" '
    $0 == start { inside = 1; next }
    inside && $0 == "```" { exit }
    inside { print }'
}

test=$bare/test
mkdir -p -- "$test/artifacts" "$test/checkers" "$test/hidden"
cp -r -- artifacts/packages "$test/artifacts/"
block cpp >"$test/readme.cpp"
block python >"$test/readme.py"
block sh >"$test/readme.sh"

cat >"$test/run" <<'INSIDE'
#!/bin/bash
# Runs in the bare system.
set -u
export LC_ALL=C.UTF-8 HOME=/root PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin
cd /test || exit 1
passed=0 failed=0

check() { # what, command...
  local what=$1
  shift
  if "$@" >/test/log 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' /test/log
  fi
}

# Runs a program that goes on until it is stopped, and checks its lines.
lines_of() { # checker, command...
  local checker=$1 status
  shift
  timeout --signal=INT --kill-after=5 4 "$@" >/test/lines 2>/test/errors
  status=$?
  cat /test/lines /test/errors
  # It ran until it was told to stop: timeout says 124. Python says what interrupted it.
  [ "$status" -eq 124 ] || { echo "It ended by itself, with status $status."; return 1; }
  python3 /test/checkers/"$checker" /test/lines
}

# A program that ends by itself.
lines_of_whole() { # checker, command...
  local checker=$1
  shift
  timeout 20 "$@" >/test/lines || { echo "It ended with status $?."; return 1; }
  cat /test/lines
  python3 /test/checkers/"$checker" /test/lines
}

cat >checkers/bytes.py <<'END'
# Lines of README's examples: the size, and the first byte of the picture, which publish.c makes one more with each frame.
import re, sys
lines = open(sys.argv[1]).read().splitlines()
numbers = [re.fullmatch(r"640x360, first byte (\d+)", line) for line in lines]
assert len(lines) >= 10, f"{len(lines)} lines"
assert all(numbers), "another line than expected"
steps = [(int(b[1]) - int(a[1])) % 256 for a, b in zip(numbers, numbers[1:])]
# The newest frame is what is read: on a busy machine some are skipped, but none comes twice.
assert all(1 <= step <= 128 for step in steps), steps
END

cat >checkers/means.py <<'END'
# Lines of read.c and read.cpp: the mean of publish.c's pattern, which follows from the frame's number.
import re, sys
*lines, last = open(sys.argv[1]).read().splitlines()
assert len(lines) == 30, f"{len(lines)} lines"
numbers = []
for line in lines:
    found = re.fullmatch(r"frame (\d+): 640x360 nv12, mean of the first plane (\d+\.\d{3})", line)
    assert found, line
    number = int(found[1])
    assert not numbers or number > numbers[-1], f"frame {number} is out of order"
    numbers.append(number)
    # publish.c counts from 0, frames are numbered from 1; it drops none, as nobody holds one for long.
    diagonals = [min(d, 359, 998 - d) + 1 if d < 999 else 0 for d in range(999)]
    expected = sum(((d + number - 1) % 256) * count for d, count in enumerate(diagonals)) / (640 * 360)
    assert abs(expected - float(found[2])) < 0.001, f"{line}: expected {expected:.3f}"
# On a busy machine the ring may go by between two frames; then that is said.
assert last == f"30 frames read, {numbers[-1] - numbers[0] - 29} missed", last
END

name=$(basename artifacts/packages/libcuframes-*.tar.gz .tar.gz)

check 'made again, all packages have the same bytes' grep -qx 1 /test/same
check 'there is no .NET' sh -c '! command -v dotnet && ! find / -xdev \( -name "libhostfxr*" -o -name "libcoreclr*" \) | grep .'
check 'the commands of README install both' sh -e readme.sh
check 'the library needs nothing beyond glibc' sh -c 'ldd /usr/local/lib/libcuframes.so.0 && ! ldd /usr/local/lib/libcuframes.so.0 | grep "not found"'
check 'pkg-config knows the version' sh -c "[ libcuframes-\$(pkg-config --modversion cuframes)-linux-x86_64 = $name ]"
examples=/usr/local/share/doc/libcuframes/examples
check 'examples/c is built with pkg-config' make -C "$examples/c" OUT=/test
check 'examples/cpp is built with CMake' sh -ec "cmake -S $examples/cpp -B /test/cmake && cmake --build /test/cmake"
check 'examples/cpp is built with pkg-config' sh -c "g++ -std=c++17 -o /test/read-cpp $examples/cpp/read.cpp \$(pkg-config --cflags --libs cuframes)"
check "README's C++ example is built" sh -c 'g++ -std=c++17 -o /test/readme-cpp /test/readme.cpp $(pkg-config --cflags --libs cuframes)'

# Again where it does not lie in a system folder.
mv /usr/local/lib/libcuframes* /usr/local/include/cuframes.* /test/hidden/ && ldconfig
check 'the archive may lie anywhere: pkg-config' sh -ec "mkdir -p /opt/c && tar -xf artifacts/packages/$name.tar.gz -C /opt && rm -rf /usr/local/lib/pkgconfig/cuframes.pc &&
  PKG_CONFIG_PATH=/opt/$name/lib/pkgconfig make -C $examples/c OUT=/opt/c && ldd /opt/c/read | grep -F 'libcuframes.so.0 => /opt/$name/lib/'"
check 'the archive may lie anywhere: CMake' sh -ec "rm -rf /usr/local/lib/cmake/cuframes &&
  cmake -S $examples/cpp -B /opt/cmake -DCMAKE_PREFIX_PATH=/opt/$name && cmake --build /opt/cmake && ldd /opt/cmake/read | grep -F 'libcuframes.so.0 => /opt/$name/lib/'"
mv /test/hidden/libcuframes* /usr/local/lib/ && mv /test/hidden/cuframes.* /usr/local/include/ && ldconfig

# The same from Debian's folders: all that the archive brought is out of the way.
mkdir /test/aside && mv /usr/local/lib/libcuframes* /usr/local/include/cuframes.* /test/aside/ && ldconfig
check 'libcuframes0 and libcuframes-dev are installed' sh -ec 'dpkg --install artifacts/packages/libcuframes0_*.deb artifacts/packages/libcuframes-dev_*.deb'
debian=/usr/share/doc/libcuframes-dev/examples
check 'examples/c is built with pkg-config, from libcuframes-dev' sh -ec "mkdir /opt/debian && make -C $debian/c OUT=/opt/debian && ldd /opt/debian/read | grep -E 'libcuframes.so.0 => (/usr)?/lib/x86_64-linux-gnu/'"
check 'examples/cpp is built with CMake, from libcuframes-dev' sh -ec "cmake -S $debian/cpp -B /opt/debian/cmake && cmake --build /opt/debian/cmake && ldd /opt/debian/cmake/read | grep -E 'libcuframes.so.0 => (/usr)?/lib/x86_64-linux-gnu/'"
check 'a package made with it would depend on libcuframes0' grep -Fx "libcuframes 0 libcuframes0 (>= $(dpkg-deb -f artifacts/packages/libcuframes0_*.deb Version))" /var/lib/dpkg/info/libcuframes0:amd64.shlibs
check 'they are removed' dpkg --purge libcuframes-dev libcuframes0
mv /test/aside/libcuframes* /usr/local/lib/ && mv /test/aside/cuframes.* /usr/local/include/ && ldconfig

# As the daemon's service does at its start: a publisher makes sockets in the runtime directory, and not the directory.
mkdir /run/cuframes
/test/publish cam1 >/test/publish.log 2>&1 &
publisher=$!
published() {
  for _ in $(seq 100); do
    grep -q publishing /test/publish.log && return
    sleep 0.1
  done
  cat /test/publish.log
  return 1
}
check 'examples/c/publish.c publishes' published
check 'examples/c/read.c reads what publish.c publishes' lines_of_whole means.py /test/read cam1 30
check 'examples/cpp/read.cpp does, built with CMake' lines_of_whole means.py /test/cmake/read cam1 30
check 'examples/cpp/read.cpp does, built with pkg-config' lines_of_whole means.py /test/read-cpp cam1 30
check 'the one that was built elsewhere does' lines_of_whole means.py /opt/c/read cam1 30
check "README's C++ example prints each frame" lines_of bytes.py /test/readme-cpp
check "README's Python example prints each frame" lines_of bytes.py env PYTHONUNBUFFERED=1 /test/venv/bin/python /test/readme.py
check 'python -m cuframes ls lists the stream' sh -c '/test/venv/bin/python -m cuframes ls | grep -E "cam1 .*640x360"'
printf '%s\n' 'import cuframes, fractions, time' 'publisher = cuframes.PacketPublisher("cam2")' \
  'track = publisher.add_track(cuframes.PacketTrack("video", "h264", fractions.Fraction(1, 90000)))' \
  'for number in range(30):' '    publisher.publish(track, bytes(number), pts=number, key=number == 0)' 'time.sleep(60)' >/test/packets.py
/test/venv/bin/python /test/packets.py &
packets=$!
check 'examples/c/packets.c reads what the Python package publishes' sh -c '/test/packets cam2 30 | grep -Fx "30 packets read, 0 missed"'
kill -KILL "$packets"
wait "$packets" 2>/dev/null || : # killed, as meant
rm -f /run/cuframes/cam2*
kill -TERM "$publisher"
wait "$publisher"
check 'publish.c ends on SIGTERM, and says how many frames it published' grep -Eq '^[0-9]{2,} frames published, 0 dropped$' /test/publish.log
check 'no stream is left' sh -c '[ -z "$(ls /run/cuframes/*.sock 2>/dev/null)" ]'

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
INSIDE
chmod 755 "$test/run"

echo "$same" >"$test/same"

# Namespaces of its own: what is mounted and started in it ends with it, and there is no network.
unshare --mount --net --pid --ipc --fork --kill-child --root="$bare" --mount-proc /test/run | tee "$work/archive" || :
packaging/debian/check.sh | tee "$work/debian" || :

# Either has said what failed; the last lines are added up.
tail -q -n 1 "$work/archive" "$work/debian" | awk '
  /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { parts++; passed += $1; failed += $3; skipped += $5 }
  END { failed += 2 - parts; print passed " passed, " failed " failed, " skipped " skipped"; exit failed > 0 }'
