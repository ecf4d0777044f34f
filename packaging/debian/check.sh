#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs the Debian packages of artifacts/packages in a Debian 12 that runs systemd as its first process, by the commands of README.md as they stand
# there, and tries what a user and an administrator rely on: packaging/debian/check-inside.sh. The last line reads "N passed, N failed, N skipped".
#
# Needs root. The system has namespaces of its own for processes, mounts, network, IPC, names and control groups; no network reaches it. scripts/check-packages.sh calls this.

set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
cd -- "$root"

give_up() {
  echo "$1" >&2
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}

# The n-th block of commands of README's section "Install on Debian".
block() { # n
  sed -n '/^## Install on Debian$/,/^## /p' README.md | awk -v wanted="$1" '
    $0 == "```sh" { inside = ++count == wanted; next }
    $0 == "```" { inside = 0 }
    inside { print }'
}

# What the packages need of Debian, which apt must find without a network. The first of alternatives.
mapfile -t dependencies < <(for file in artifacts/packages/*.deb; do dpkg-deb -f "$file" Depends; done | tr ',' '\n' | sed -E 's/^ +//; s/ .*//' | grep -v '^libcuframes' | sort -u)
if ! cache=$(scripts/bare-debian.sh systemd,sudo "${dependencies[@]}"); then
  give_up 'There is no bare Debian 12.'
fi

work=$(mktemp -d)
group=
clean() {
  # Whatever is left of the system has ended with its first process; a control group may take a moment to notice.
  if [ -n "$group" ]; then
    for _ in $(seq 50); do
      # shellcheck disable=SC2016 # the inner shell's variable
      unshare --mount bash -c 'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup &&
        find "/sys/fs/cgroup/$0" -depth -type d -exec rmdir {} +' "$group" 2>/dev/null && break
      sleep 0.1
    done
  fi
  rm -rf --one-file-system -- "$work"
}
trap clean EXIT
chmod 755 "$work"
bare=$work/root
mkdir -- "$bare"
tar -C "$bare" --numeric-owner -xf "$cache"

# Questions are answered, and nothing waits for the disk: this system is thrown away.
echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false"; Dpkg::Use-Pty "false";' >"$bare/etc/apt/apt.conf.d/90test"
echo force-unsafe-io >"$bare/etc/dpkg/dpkg.cfg.d/90test"
echo 'anna ALL=(ALL) NOPASSWD: ALL' >"$bare/etc/sudoers.d/anna"
chroot "$bare" useradd --create-home --shell /bin/bash anna
chroot "$bare" useradd --create-home --shell /bin/bash bert

test=$bare/test
mkdir -p -- "$test/artifacts"
cp -r -- artifacts/packages "$test/artifacts/"
cp -- "$here/check-inside.sh" "$here/check-manual.py" "$test/"
block 1 >"$test/install.sh"
block 2 >"$test/look.sh"
if [ ! -s "$test/install.sh" ] || [ ! -s "$test/look.sh" ]; then
  give_up 'README.md has no two blocks of commands in its section "Install on Debian".'
fi
chown -R --reference="$bare/home/anna" "$test"

cat >"$bare/etc/systemd/system/check.service" <<'UNIT'
[Unit]
Description=The test
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=400
ExecStart=/test/check-inside.sh
ExecStopPost=/bin/systemctl --no-block exit
StandardOutput=file:/test/output
StandardError=inherit
UNIT
mkdir -p "$bare/etc/systemd/system/default.target.wants"
ln -s ../check.service "$bare/etc/systemd/system/default.target.wants/check.service"

# In a mount namespace of its own, which goes on with the system: a control group, then the other namespaces.
group=cuframes-check-$$
status=0
# In this process group, so that who ends the test ends the system too.
# shellcheck disable=SC2016 # the inner shells' variables
timeout --foreground --kill-after=10 420 unshare --mount bash -euc '
  umount -R /sys/fs/cgroup 2>/dev/null || :
  mount -t cgroup2 none /sys/fs/cgroup
  mkdir "/sys/fs/cgroup/$2"
  echo $$ >"/sys/fs/cgroup/$2/cgroup.procs"
  exec unshare --cgroup --pid --ipc --uts --net --mount --fork --kill-child bash -euc '\''
    cd "$1"
    mount --bind . .
    cd "$1"
    mount -t proc proc proc
    mount -t tmpfs -o mode=755 tmpfs sys
    mkdir -p sys/fs/cgroup
    mount -t cgroup2 none sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=755 tmpfs dev
    for node in null zero full random urandom; do
      : >"dev/$node"
      mount --bind "/dev/$node" "dev/$node"
    done
    mkdir dev/shm dev/pts
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    # Programs that ask whether they are in a container are told so.
    exec env -i container=check PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd --log-target=journal
  '\'' bash "$1"
' bash "$bare" "$group" </dev/null >"$work/console" 2>&1 || status=$?

if [ ! -s "$test/output" ] || ! tail -n 1 "$test/output" | grep -Eq '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'; then
  cat "$work/console" "$test/output" >&2 2>/dev/null || :
  give_up "The test inside did not come to its end; systemd ended with status $status."
fi
cat "$test/output"
tail -n 1 "$test/output" | grep -q ' 0 failed,'
