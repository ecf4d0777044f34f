#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs in the bare system that packaging/debian/check.sh boots, as a service of its systemd.

# Much is handed on in single quotes to shells of other users, and to functions that wait.
# shellcheck disable=SC2016

set -u
export LC_ALL=C.UTF-8 HOME=/root PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin
cd /test || exit 1
passed=0 failed=0

check() { # what, command...
  local what=$1
  shift
  if "$@" >/tmp/log 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' /tmp/log
  fi
}

# Waits for a condition; a machine that is busy may take its time.
until_true() { # command...
  local end=$((SECONDS + 60))
  while [ $SECONDS -lt $end ]; do
    if "$@" >/tmp/wait 2>&1; then
      return 0
    fi
    sleep 0.1
  done
  echo "In vain: $*"
  cat /tmp/wait
  systemctl status --no-pager --lines=30 cuframesd
  return 1
}

property() { # name: a property of the service, as systemd has it
  systemctl show --value --property "$1" cuframesd
}

as() { # user, commands: in a session of its own, as after a login
  runuser --login "$1" --command "cd /test && { $2; }"
}

sees_pattern() { # directory of the sockets
  CUFRAMES_DIR=$1 cuframes ls --json | tee /dev/stderr | grep -q '"key":"pattern","state":"live"'
}

is_new_process() { # number of the old one
  [ "$(property ActiveState)" = active ] && [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ]
}

echo "$(systemctl --version | head -n 1), Debian $(cat /etc/debian_version)"
check 'systemd is the first process' grep -qx systemd /proc/1/comm
check 'there is neither CuFrames nor .NET' sh -c '! command -v cuframes && ! command -v dotnet && ! getent group cuframes'

# ------------------------------------------------------------------------------------------------------------ installation

check 'the commands of README install the packages' as anna 'bash -eux install.sh'
check 'all four are there' sh -c "[ \"\$(dpkg-query -W -f '\${db:Status-Status} ' cuframes libcuframes0 libcuframes-dev python3-cuframes)\" = 'installed installed installed installed ' ]"
check 'every file has the sum that its package says' dpkg --verify cuframes libcuframes0 libcuframes-dev python3-cuframes
check 'the service runs, and begins at boot' sh -c '[ "$(systemctl is-active cuframesd)" = active ] && [ "$(systemctl is-enabled cuframesd)" = enabled ]'
check 'it has told systemd how it is' sh -c 'systemctl show --property=StatusText cuframesd | tee /dev/stderr | grep -q "1 .*live"'

process_is_confined() {
  local status
  status=/proc/$(property MainPID)/status
  cat "$status"
  grep -Eq "^Uid:(\s+$(id -u cuframes)){4}$" "$status" && grep -Eq "^Gid:(\s+$(getent group cuframes | cut -d: -f3)){4}$" "$status" &&
    grep -Eq '^NoNewPrivs:\s+1$' "$status" && grep -Eq '^CapEff:\s+0{16}$' "$status" && grep -Eq '^CapBnd:\s+0{16}$' "$status" && grep -Eq '^Seccomp:\s+2$' "$status" &&
    [ "$(id -u cuframes)" -ne 0 ]
}
check 'its process is that of the user cuframes, without capabilities, with a filter of system calls' process_is_confined
check 'its user is in the group video, for the nodes of a GPU' sh -c 'id -nG cuframes | grep -qw video'
check '/run/cuframes belongs to it' sh -c '[ "$(stat -c "%U %G %a" /run/cuframes)" = "cuframes cuframes 755" ]'
check 'what it keeps is in a folder of its own' sh -c '[ "$(stat -c "%U %G %a" /var/lib/cuframes)" = "cuframes cuframes 700" ]'
check 'only root and the group look into /etc/cuframes' sh -c '[ "$(stat -c "%U %G %a" /etc/cuframes)" = "root cuframes 750" ] && ! runuser -u bert -- ls /etc/cuframes'
check 'systemd finds nothing wrong with the unit' sh -c '[ -z "$(systemd-analyze verify --man=no /lib/systemd/system/cuframesd.service 2>&1 | grep -F cuframesd | tee /dev/stderr)" ]'
# 0 is confined in every way that systemd knows, 10 not at all; 9.6 is what a unit without any of it has.
check 'systemd-analyze security: an exposure of 4.0 at most' sh -c 'systemd-analyze security --no-pager --threshold=40 cuframesd'
tail -n 1 /tmp/log

# ------------------------------------------------------------------------------------------------------------ readers

check 'the commands of README show the stream, in the next session' as anna 'bash -eux look.sh'
cp /tmp/log /tmp/looked
check 'and that all is well' sh -c 'cat /tmp/looked; grep -E "^pattern .*640x360" /tmp/looked && grep -E "^ok .*streams: 2 published, 1 live" /tmp/looked'
tells() { # command: whether what it says names the remedy
  as bert "$1" >/tmp/told 2>&1
  cat /tmp/told
  grep -F 'sudo usermod --append --groups cuframes bert, then log in again' /tmp/told
}
check 'cuframes ls tells a user who is not in the group what to do' tells 'cuframes ls'
check 'cuframes doctor does' tells 'cuframes doctor'
check 'cuframes watch says that access is denied' sh -c "runuser -l bert -c 'cuframes watch pattern --seconds 5' 2>&1 | tee /dev/stderr | grep -q 'ACCESS_DENIED'"
check 'Python lists the stream' as anna 'python3 -m cuframes ls | tee /dev/stderr | grep -E "pattern .*640x360"'
check 'Python reads ten frames in a row' as anna "python3 -c '
import cuframes, itertools
with cuframes.Subscriber(\"pattern\", delivery=\"in-order\") as frames:
    numbers = [frame.sequence for frame in itertools.islice(frames, 10)]
print(numbers)
assert numbers == list(range(numbers[0], numbers[0] + 10))
'"
check 'the Python package uses the library of libcuframes0' as anna "python3 -c '
import cuframes
cuframes.Subscriber(\"pattern\").close()
assert any(\"/usr/lib/x86_64-linux-gnu/libcuframes.so.0\" in line for line in open(\"/proc/self/maps\"))
'"
# ------------------------------------------------------------------------------------------------------------ the control API

control_answers() {
  # The code that makes messages and JSON must be there in a program of which the unused parts were cut away.
  as anna "cuframes events --past 1000 --once --json" | tee /dev/stderr | grep -F '"name":"ready"' || return 1
  as anna 'cuframes watch pattern --seconds 20 --json' >/tmp/watched &
  until_true reader_is_listed
  cat /tmp/readers
}
reader_is_listed() {
  as anna 'cuframes readers pattern --json' >/tmp/readers && grep -F '"stream":"pattern"' /tmp/readers
}
reader_is_evicted() {
  local number
  number=$(python3 -c 'import json; print(json.load(open("/tmp/readers"))["readers"][0]["id"])')
  as anna "cuframes evict pattern $number --reason 'a test of the package' --json" && journalctl --quiet --no-pager --unit cuframesd | grep -F 'a test of the package'
  wait
}
check 'a member of the group asks the daemon what happens and who reads' control_answers
check 'and disconnects a reader, which is in the log' reader_is_evicted
adds_camera() {
  as anna 'cuframes camera add yard test:nv12@64x48@5 --set slots=4 --json && cuframes camera list --json && cuframes top --count 1 --json && cuframes log-level --json'
  until_true runs_camera
  [ "$(stat -c '%U %a' /var/lib/cuframes/cameras.yaml)" = 'cuframes 600' ]
}
runs_camera() {
  as anna 'cuframes camera show yard --json' | tee /dev/stderr | grep -F '"state":"live"'
}
removes_camera() {
  as anna 'cuframes camera remove yard --json' && ! as anna 'cuframes camera show yard'
}
check 'adds a camera, which the service keeps' adds_camera
check 'which is there after a restart' sh -c 'systemctl restart cuframesd'
check 'and runs' until_true runs_camera
check 'and removes it' removes_camera
# Of the addresses in /proc/net: 0100007F is 127.0.0.1, and 211C the port 8476.
listening() {
  local process inodes
  process=$(property MainPID)
  inodes=$(find "/proc/$process/fd" -lname 'socket:*' -printf '%l\n' | tr -cd '0-9\n')
  cat "/proc/$process"/net/{tcp,tcp6,udp,udp6} | awk 'NR == FNR { own[$1]; next } $10 in own && ($4 == "0A" || $4 == "07") { print $2 }' <(echo "$inodes") -
}
listens_here_only() {
  [ "$(listening | tee /dev/stderr)" = 0100007F:211C ]
}
check 'the service listens on the loopback and nowhere else' until_true listens_here_only
asks_web() { # user, path
  as "$1" "python3 -c 'import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:8476$2\").read(100000).decode())'"
}
check 'it says that it is alive, to everybody' asks_web bert /health/live
check 'a member of the group reads its metrics' bash -c "$(declare -f asks_web as); asks_web anna /metrics | tee /dev/stderr | grep -F '# TYPE cuframes'"
check 'and its dashboard' bash -c "$(declare -f asks_web as); asks_web anna / | tee /dev/stderr | grep -Fi '<html'"
check 'nobody else does either' bash -c "$(declare -f asks_web as); ! asks_web bert /metrics"
check 'nobody else does' bash -c '! runuser --login bert --command "cuframes readers" >/tmp/told 2>&1 && cat /tmp/told && grep -F "may not" /tmp/told'
check 'the manual pages name what the programs know, and nothing else' python3 check-manual.py
# shellcheck disable=SC2016 # bash's own, inside
check 'bash completes commands and options' bash -c '. /usr/share/bash-completion/completions/cuframes
  complete_line() { COMP_LINE=$1 COMP_POINT=${#1}; read -ra COMP_WORDS <<<"$1"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _cuframes; echo "$1: ${COMPREPLY[*]}"; }
  complete_line "cuframes sta"; [ "${COMPREPLY[*]}" = stat ] || exit 1
  complete_line "/usr/bin/cuframes record front x.mp4 --seg"; [ "${COMPREPLY[*]}" = --segment ] || exit 1
  complete_line "cuframesd --ch"; [ "${COMPREPLY[*]}" = --check ]'

# ------------------------------------------------------------------------------------------------------------ the service, in good times and bad

# What a container has: the folder of the sockets as it was when the container was started.
mkdir /mnt/sockets
mount --bind /run/cuframes /mnt/sockets

# A shell's background jobs ignore SIGINT, and what they start would inherit that.
env --default-signal=INT setpriv --reuid=anna --regid=anna --init-groups cuframes watch pattern --json >/tmp/watch 2>/tmp/watch.errors &
watch=$!
has_read() { # frames
  python3 - "$1" <<'END'
import json, sys
taken = sum(json.loads(line)["frames"] for line in open("/tmp/watch") if '"interval"' in line and line.endswith("\n"))
sys.exit(taken < int(sys.argv[1]))
END
}
frames_read() {
  python3 -c 'import json; print(sum(json.loads(line)["frames"] for line in open("/tmp/watch") if "\"interval\"" in line and line.endswith("\n")))'
}
check 'a reader reads' until_true has_read 5

old=$(property MainPID)
kill -KILL "$old"
check 'after kill -9 systemd starts it again' until_true is_new_process "$old"
before=$(frames_read)
check 'and the reader goes on by itself' until_true has_read $((before + 15))

reloads() { journalctl --quiet --no-pager --unit cuframesd | grep -c SIGHUP; }
has_reloaded() { [ "$(reloads)" -gt "$1" ]; }
before=$(reloads)
old=$(property MainPID)
check 'systemctl reload' systemctl reload cuframesd
check 'has it read the configuration again' until_true has_reloaded "$before"
check 'as the same process' [ "$(property MainPID)" = "$old" ]

old=$(property MainPID)
kill -STOP "$old"
check 'one that hangs is ended by the watchdog, and started again' until_true is_new_process "$old"
check 'for that reason' sh -c 'journalctl --quiet --no-pager --unit cuframesd | tee /dev/stderr | grep "Watchdog timeout"'

if [ "$(property MainPID)" = "$old" ]; then
  kill -CONT "$old"
fi

check 'systemctl restart' systemctl restart cuframesd
check 'who has the folder mounted sees the streams of the next start' until_true sees_pattern /mnt/sockets
check 'systemctl stop takes no longer than its 5 s' bash -c 'timeout 6 systemctl stop cuframesd && [ "$(systemctl show --value --property Result cuframesd)" = success ]'
check 'no socket is left' sh -c '[ -d /run/cuframes ] && ! ls /run/cuframes/*.sock'
check 'it starts again' systemctl start cuframesd
check 'and is seen in the mounted folder' until_true sees_pattern /mnt/sockets
before=$(frames_read)
check 'the reader has survived all of it' until_true has_read $((before + 5))
kill -INT "$watch"
wait "$watch"
check 'and ends in order' [ $? -eq 0 ]
umount /mnt/sockets

cp /etc/cuframes/cuframes.yaml /tmp/good.yaml
echo 'camera: {}' >>/etc/cuframes/cuframes.yaml
systemctl restart cuframesd 2>/dev/null
failed_once() { systemctl show --property ActiveState,ExecMainStatus,NRestarts cuframesd | tee /dev/stderr | sort | tr '\n' ' ' | grep -Fx 'ActiveState=failed ExecMainStatus=2 NRestarts=0 '; }
check 'a configuration that does not hold is not tried again and again' until_true failed_once
check 'and the log says which line it is' sh -c 'journalctl --quiet --no-pager --unit cuframesd | tail -n 20 | grep -F "/etc/cuframes/cuframes.yaml:"'

# ------------------------------------------------------------------------------------------------------------ upgrade, removal

check 'an upgrade with such a configuration succeeds' apt-get install --reinstall ./artifacts/packages/cuframes_*.deb
sed 's/^  pattern:/  picture:/' /tmp/good.yaml >/etc/cuframes/cuframes.yaml
systemctl reset-failed cuframesd
check 'an upgrade' apt-get install --reinstall ./artifacts/packages/cuframes_*.deb
check 'keeps the configuration' grep -q '^  picture:' /etc/cuframes/cuframes.yaml
check 'and starts the service with it' until_true sh -c 'cuframes ls --json | grep -q "\"key\":\"picture\",\"state\":\"live\""'
systemctl disable --now cuframesd 2>/dev/null
check 'an upgrade of a service that is switched off' apt-get install --reinstall ./artifacts/packages/cuframes_*.deb
check 'leaves it so' sh -c '[ "$(systemctl is-enabled cuframesd)" = disabled ] && [ "$(systemctl is-active cuframesd)" = inactive ]'
systemctl enable --now cuframesd 2>/dev/null
check 'it can be switched on again' until_true sh -c '[ "$(systemctl is-active cuframesd)" = active ]'

check 'apt-get remove' apt-get remove cuframes
check 'ends the service and keeps the configuration' sh -c '! pgrep -x cuframesd 2>/dev/null && [ -z "$(grep -lsx cuframesd /proc/[0-9]*/comm)" ] && [ ! -e /run/cuframes ] && [ -e /etc/cuframes/cuframes.yaml ] && [ ! -e /usr/lib/cuframes ]'
check 'apt-get purge' apt-get purge cuframes libcuframes0 libcuframes-dev python3-cuframes
left() {
  find / -xdev \( -path /test -o -path /proc -o -path /sys \) -prune -o -name '*cuframes*' ! -path '/var/log/*' ! -path '/var/cache/*' -print
}
check 'leaves no file' sh -c "[ -z \"\$($(declare -f left); left | tee /dev/stderr)\" ]"
check 'the system has no failed unit, and systemd is well' sh -c '[ -z "$(systemctl list-units --failed --no-legend cuframes\*)" ]'

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
