#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the images by docker/build.sh and runs each as a container: in PID, IPC, network, UTS and mount namespaces of its own, on a root that cannot be
# written, without capabilities. What they share is a volume with sockets. The last line reads "N passed, N failed, N skipped".
#
#   tests/docker/check.sh
#
# Needs root and scripts/install-dependencies.sh test. What it starts, mounts and stores ends with it.

set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
cd -- "$root"
give_up() {
  echo "$1" >&2
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || give_up "$0 makes containers, for which it needs to be root, or sudo without a password."
  exec sudo -n --preserve-env=DEBIAN_MIRROR,http_proxy,https_proxy,NUGET_PACKAGES,SSL_CERT_FILE "PATH=$PATH" "HOME=$HOME" "$root/tests/docker/check.sh"
fi

# First what has no need of namespaces: the images.
if [ -z "${CUFRAMES_IMAGES_INSIDE-}" ]; then
  for tool in buildah podman crun debootstrap ffmpeg openssl; do
    command -v "$tool" >/dev/null || give_up "$tool is missing: scripts/install-dependencies.sh test"
  done
  docker/build.sh --with buildah --minimal daemon ffmpeg python || give_up 'An image could not be built.'
  # All that is mounted ends with this script, and all that is started: the first process of a PID namespace takes the others with it.
  exec env CUFRAMES_IMAGES_INSIDE=1 unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- "$root/tests/docker/check.sh"
fi

# Where containers may not have control groups of their own, they begin in a tree that they may look at.
umount --recursive /sys/fs/cgroup 2>/dev/null || : # mounted or not
mount -t cgroup2 none /sys/fs/cgroup

# shellcheck source=docker/storage.sh
. docker/storage.sh
storage_wait --shared

work=$(mktemp -d)
mkdir -- "$work/etc" "$work/video" "$work/tests" "$work/temporary"
cp -- tests/docker/hash_frames.py "$work/tests/"
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/containers"
runroot = "$work/run"
[storage.options]
additionalimagestores = ["$root/artifacts/containers/images"]
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf

podman=(podman --runtime crun --events-backend=file --cgroup-manager=cgroupfs --tmpdir "$work/temporary" --log-level=fatal)
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  "${podman[@]}" rm --force --all --time 0 >/dev/null 2>&1 || :
  # In a PID namespace of our own this ends podman's helpers, which else would go on writing. Then what they mounted, the last first.
  [ $$ -ne 1 ] || kill -KILL -1 2>/dev/null || :
  findmnt --raw --noheadings --output TARGET | grep -F "$work/" | tac | xargs --no-run-if-empty umount --lazy
  rm -rf --one-file-system -- "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Limits are said because raising them again may not be allowed here. Read-only means read-only: no tmpfs that nobody asked for.
start=(run --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --read-only --read-only-tmpfs=false
  --cap-drop=all --security-opt=no-new-privileges --pull=never)
# No network at all; namespaces of their own they have anyway.
alone=("${start[@]}" --network=none)
version=$(sdk/CuFrames.Native/package/stage.sh --version)
daemon_image=localhost/cuframes/daemon:$version
ffmpeg_image=localhost/cuframes/ffmpeg:$version-ffmpeg8.1
python_image=localhost/cuframes/python:$version

passed=0 failed=0
check() { # what, command...
  local what=$1 status
  shift
  # Not as a condition: there, no failure of a step would end the check.
  set +e
  (set -e; "$@") >"$work/log" 2>&1
  status=$?
  set -e
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' "$work/log"
  fi
}

# Waits for a condition; the patience is for a busy machine.
until_true() { # command...
  local end=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      "$@"
      return
    fi
    sleep 0.2
  done
}

inside() { # container, command...
  "${podman[@]}" exec "$@"
}

process_of() { # container
  "${podman[@]}" inspect --format '{{.State.Pid}}' "$1"
}

# ------------------------------------------------------------------------------------------------------------ what is in them

# The files of an image, without starting anything of it.
see() { # image
  "${podman[@]}" rm --force --time 0 seen >/dev/null 2>&1 || : # there or not
  "${podman[@]}" create --cgroups=disabled --network=none --pull=never --name seen "$1" >/dev/null
  mounted=$("${podman[@]}" mount seen)
}

lacks_tools() {
  local name found=0
  for name in dotnet gcc cc clang ld make nasm csc.dll MSBuild.dll; do
    ! find "$mounted/" -xdev \( -type f -o -type l \) -name "$name" | grep . || found=1
  done
  [ "$found" -eq 0 ]
}

lacks_certificates() {
  # One certificate of this machine, by a line of it.
  local line
  line=$(sed -n 3p /etc/ssl/certs/ca-certificates.crt)
  [ "${#line}" -eq 64 ]
  ! grep -rlF -- "$line" "$mounted/etc" "$mounted/usr/share" "$mounted/usr/local" "$mounted/tmp" "$mounted/root" "$mounted/var"
}

has_nothing_left() {
  ! find "$mounted"/{tmp,root,var/tmp,var/lib/apt/lists,run} -xdev -type f | grep . | grep -v -e '/root/\.bashrc$' -e '/root/\.profile$'
}

has_no_raised_rights() {
  ! find "$mounted/" -xdev -type f -perm /6000 | grep .
}

has_licences() { # file...
  local file
  for file in "$@"; do
    [ -s "$mounted/usr/share/doc/cuframes/$file" ] || { echo "no $file"; return 1; }
  done
}

is_labelled() { # image
  "${podman[@]}" image inspect "$1" >"$work/inspect.json"
  python3 - "$work/inspect.json" "$version" <<'END'
import json, sys
labels = json.load(open(sys.argv[1]))[0]["Labels"]
for name in "title", "description", "version", "revision", "licenses":
    assert labels["org.opencontainers.image." + name], name
assert labels["org.opencontainers.image.version"] == sys.argv[2]
assert len(labels["org.opencontainers.image.revision"]) == 40
END
}

declares_health_check() {
  "${podman[@]}" image inspect --format '{{json .HealthCheck}} {{json .Config.User}}' "$daemon_image" | tee /dev/stderr |
    grep -F '["CMD","/usr/bin/cuframesd","--health"]' | grep -F '"cuframes:cuframes"'
}

# The library that libav is linked with, and every other one, is there.
finds_libraries() {
  "${podman[@]}" "${alone[@]}" --rm --entrypoint /bin/sh "$daemon_image" -c \
    'ldd /usr/lib/cuframes/*/libcuframes_av.so /usr/lib/x86_64-linux-gnu/libav*.so.* /usr/lib/x86_64-linux-gnu/libswscale.so.* /usr/lib/cuframes/*/*.so' >"$work/ldd"
  grep -q libgnutls "$work/ldd"
  ! grep 'not found' "$work/ldd"
}


for image in "$daemon_image" "$ffmpeg_image" "$python_image"; do
  name=${image#localhost/}
  see "$image"
  check "$name: no compiler, no SDK" lacks_tools
  check "$name: no certificate of the machine that built it" lacks_certificates
  check "$name: nothing left over from its making" has_nothing_left
  check "$name: labels" is_labelled "$image"
  check "$name: its licence and that of .NET" has_licences LICENSE
  case $name in
    cuframes/daemon*)
      check "$name: licences of libav and .NET, and where the source is" has_licences libav/COPYING.LGPLv2.1 libav/SOURCE licences/dotnet-LICENSE.txt licences/dotnet-ThirdPartyNotices.txt
      check "$name: no program has more rights than its user" has_no_raised_rights
      ;;
    cuframes/python*) check "$name: no program has more rights than its user" has_no_raised_rights ;;
  esac
done
"${podman[@]}" rm --force --time 0 seen >/dev/null
check 'the health check is declared, and the user' declares_health_check
check 'every library of the daemon is there' finds_libraries

# ------------------------------------------------------------------------------------------------------------------ the daemon

# A clip of which each frame is another one; this machine's ffmpeg is what it is compared with.
ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=4 -pix_fmt yuv420p -c:v libx264 -g 25 -movflags +faststart "$work/video/clip.mp4"
ffmpeg -nostdin -v error -i "$work/video/clip.mp4" -f framemd5 "$work/reference"
# One that lasts until a reader in another container has begun, for where it is played once.
ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=30 -pix_fmt yuv420p -c:v libx264 -g 25 -movflags +faststart "$work/video/long.mp4"
ffmpeg -nostdin -v error -i "$work/video/long.mp4" -f framemd5 "$work/long-reference"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/video/key.pem" -out "$work/video/certificate.pem" 2>"$work/log"
cat >"$work/etc/cuframes.yaml" <<'END'
cameras:
  pattern: { source: "test:nv12@640x360@25" }
  clip: { source: /srv/video/clip.mp4, loop: true }
  lost: { source: "rtsp://127.0.0.1:1/" }
END
chmod -R a+rX "$work"

volume=(--volume "sockets:/run/cuframes")
run_daemon() {
  "${podman[@]}" "${alone[@]}" --detach --name daemon "${volume[@]}" --volume state:/var/lib/cuframes --volume "$work/etc:/etc/cuframes:ro" --volume "$work/video:/srv/video:ro" "$daemon_image"
  until_true is_live
}
is_live() {
  inside daemon cuframes ls --json | grep -E '"key":"clip","state":"live"|"key":"clip".*"state":"live"'
}
is_healthy() {
  "${podman[@]}" healthcheck run daemon
}

# What /proc of this machine says about the first process of a container.
is_confined() { # container, uid
  local process status
  process=$(process_of "$1")
  status=$(cat "/proc/$process/status")
  echo "$status" | grep -Ex "Uid:	$2	$2	$2	$2"
  echo "$status" | grep -Ex 'NoNewPrivs:	1'
  for set in CapInh CapPrm CapEff CapBnd CapAmb; do
    echo "$status" | grep -Ex "$set:	0000000000000000"
  done
}
has_own_namespaces() { # container, another process
  local process kind
  process=$(process_of "$1")
  for kind in pid ipc net uts mnt; do
    [ "$(readlink "/proc/$process/ns/$kind")" != "$(readlink "/proc/$2/ns/$kind")" ] || { echo "the $kind namespace is shared"; return 1; }
  done
}
has_one_process() { # container
  # Its own view: threads are no processes. exec of ls is one more.
  [ "$(inside "$1" sh -c 'ls -d /proc/[0-9]*' | wc -l)" -le 3 ]
  inside "$1" readlink /proc/1/exe | grep -Fx /usr/lib/cuframes/cuframesd/cuframesd
}
cannot_write() { # container
  # Every folder there is, but what the kernel makes.
  # shellcheck disable=SC2016 # the container's shell
  inside "$1" sh -c 'find / -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -type d -print | while read -r folder; do
    if touch "$folder/.written" 2>/dev/null; then echo "$folder"; rm -f "$folder/.written"; fi; done' >"$work/writable" 2>"$work/unreadable"
  cat "$work/writable"
  # It looks into the volume, and nowhere else into something that can be written.
  grep -Fx /run/cuframes "$work/writable"
  grep -Fx /var/lib/cuframes "$work/writable"
  ! grep -v -e '^/run/cuframes' -e '^/var/lib/cuframes' "$work/writable"
}
owns_volume() {
  [ "$(inside daemon stat --format '%u:%g %a' /run/cuframes)" = '2850:2850 755' ]
}
is_ill_while_stopped() {
  local process status=0 text
  process=$(process_of daemon)
  kill -STOP "$process"
  text=$(is_healthy 2>&1) && status=0 || status=$?
  kill -CONT "$process"
  echo "$text"
  [ "$status" -eq 1 ]
  until_true is_healthy
}
health_has_a_line() {
  inside daemon cuframesd --health >"$work/health"
  cat "$work/health"
  [ "$(wc -l <"$work/health")" -eq 1 ]
  grep -E '^healthy: 3 of 3 cameras answer in /run/cuframes: pattern live; clip live; lost source lost ' "$work/health"
  inside daemon cuframesd --health --json | python3 -c 'import json, sys; report = json.load(sys.stdin); assert report["healthy"] is True and len(report["cameras"]) == 3'
}

check 'the daemon starts on a root that cannot be written, and publishes' run_daemon
check 'a named volume belongs to its user' owns_volume
check 'it is no root, without capabilities or the way to more' is_confined daemon 2850
check 'its namespaces are its own' has_own_namespaces daemon self
check 'it is the only process of its container, without a shell around it' has_one_process daemon
check 'nothing but the volumes can be written' cannot_write daemon
check 'a lost camera does not make it ill, and is named in one line' health_has_a_line
check 'its health check passes' is_healthy
check 'its health check fails while it is stopped, and passes afterwards' is_ill_while_stopped

# Each command of cuframes writes JSON by code that the trimmed runtime must still have.
json_of() { # arguments...
  inside daemon cuframes "$@" >"$work/json"
  cat "$work/json"
  python3 -c 'import json, sys; lines = [json.loads(line) for line in open(sys.argv[1])]; assert lines and all(lines)' "$work/json"
}
check 'cuframes ls --json' json_of ls --json
check 'cuframes stat --json' json_of stat --json
check 'cuframes watch --json' json_of watch pattern --json --seconds 2
check 'cuframes snapshot --json' json_of snapshot clip /run/cuframes/clip.png --json
check 'cuframes doctor --json' json_of doctor --json
# The control API: messages and HTTP/2, on both sides in a trimmed runtime.
check 'cuframes readers --json' json_of readers --json
check 'cuframes events --json' json_of events --once --json
check 'cuframes top --json' json_of top --count 1 --json
check 'cuframes camera list --json' json_of camera list --json
keeps_camera() {
  inside daemon cuframes camera add guest test:nv12@64x48@5 --json
  until_true guest_is_live
  inside daemon cat /var/lib/cuframes/cameras.yaml | grep -F guest
  inside daemon cuframes camera remove guest --json
}
guest_is_live() {
  inside daemon cuframes camera show guest --json | grep -F '"state":"live"'
}
check 'a camera is added, kept in its volume, and removed' keeps_camera
# The web server, on the loopback of the container: asked from there, as nobody else can.
serves_web() {
  local process
  process=$(process_of daemon)
  nsenter --net="/proc/$process/ns/net" python3 -c 'import urllib.request
for path, text in ("/health/live", ""), ("/metrics", "# TYPE cuframes"), ("/", "<html"):
    answer = urllib.request.urlopen("http://127.0.0.1:8476" + path).read().decode()
    assert text in answer.lower() or text in answer, (path, answer[:200])
    print(path, len(answer))'
}
check 'health, metrics and the dashboard are served on the loopback' serves_web

# ------------------------------------------------------------------------------------------------------------------ the readers

# More than the clip has: each of its frames is seen.
frames=110
reads_with_python() { # key, frames, reference
  timeout 120 "${podman[@]}" "${alone[@]}" --rm --name "python-$1" "${volume[@]}" --volume "$work/tests:/tests:ro" "$python_image" /tests/hash_frames.py "$1" "$2" >"$work/found"
  python3 tests/docker/check_frames.py "$work/$3" "$work/found" "$2"
}
reads_with_ffmpeg() { # key, user
  timeout 120 "${podman[@]}" "${alone[@]}" --rm --name "ffmpeg-$1" --user "$2" "${volume[@]}" "$ffmpeg_image" \
    -nostdin -v error -f cuframes -i "$1" -frames:v "$frames" -fps_mode passthrough -f framemd5 pipe: >"$work/found"
  python3 tests/docker/check_frames.py "$work/reference" "$work/found" "$frames"
}
records_with_ffmpeg() {
  timeout 120 "${podman[@]}" "${alone[@]}" --rm "${volume[@]}" "$ffmpeg_image" -nostdin -v error -i cuframes_packets:clip -map 0 -c copy -frames:v "$frames" -f matroska pipe: >"$work/recorded.mkv"
  ffmpeg -nostdin -y -v error -i "$work/recorded.mkv" -f framemd5 "$work/found"
  python3 tests/docker/check_frames.py "$work/reference" "$work/found" "$(grep -vc '^#' "$work/found")"
}
is_refused() { # user
  local status=0
  timeout 120 "${podman[@]}" "${alone[@]}" --rm --user "$1" "${volume[@]}" "$ffmpeg_image" -nostdin -v error -timeout 10000000 -f cuframes -i clip -frames:v 1 -f null - || status=$?
  [ "$status" -ne 0 ]
}
start_readers() {
  "${podman[@]}" "${alone[@]}" --detach --name reader "${volume[@]}" "$python_image"
  "${podman[@]}" "${alone[@]}" --detach --name waiting "${volume[@]}" "$ffmpeg_image" -nostdin -v error -f cuframes -i nobody -f null -
  "${podman[@]}" "${alone[@]}" --detach --name decoding "${volume[@]}" "$ffmpeg_image" -nostdin -v error -f cuframes -i pattern -f null -
  until_true prints_frames
}
prints_frames() {
  "${podman[@]}" logs reader 2>&1 | grep -E '^frame [0-9]+: nv12 640x360, mean '
}
ends_in_time() { # container, seconds
  local before after
  before=$(date +%s%N)
  "${podman[@]}" stop --time 30 "$1"
  after=$(date +%s%N)
  echo "It took $(((after - before) / 1000000)) ms."
  [ $(((after - before) / 1000000)) -le $(($2 * 1000)) ]
}

check "the Python image reads whole frames of the clip" reads_with_python clip "$frames" reference
check "the ffmpeg image reads whole frames of the clip, as root" reads_with_ffmpeg clip 0:0
check "the ffmpeg image does as another user of the daemon's group" reads_with_ffmpeg clip 1234:2850
check "a user outside of the group is refused" is_refused 1234:1234
check "the ffmpeg image records the clip's packets" records_with_ffmpeg
check 'readers go on reading' start_readers
check 'the reader is no root, without capabilities' is_confined reader 2851
check "a reader's namespaces are not the daemon's" has_own_namespaces reader "$(process_of daemon)"
check 'a reader writes nothing, the volume included' sh -c '! "$@"' sh "${podman[@]}" exec reader touch /run/cuframes/x /tmp/x /x
# Before the engine would kill them. What it takes itself on a busy machine is part of the time.
check 'the Python reader ends on its signal' ends_in_time reader 25
check 'ffmpeg ends on SIGTERM while it waits for a stream' ends_in_time waiting 25
check 'ffmpeg ends on SIGTERM while it reads' ends_in_time decoding 25

# --------------------------------------------------------------------------------------------------------------------- TLS

cat >"$work/tests/serve.py" <<'END'
import http.server, ssl
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/video/certificate.pem", "/srv/video/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
END
cat >"$work/etc/tls.yaml" <<'END'
cameras:
  # By HTTP the kernel tells a user and no groups, and the daemon's container does not know which groups the reader's user has in another one.
  secure: { source: "https://127.0.0.1:8443/long.mp4", paced: true, readers: { users: [2851], groups: [2850] } }
taps: { http: "127.0.0.1:8475" }
END
chmod a+r "$work/etc/tls.yaml" "$work/tests/serve.py" "$work/video/key.pem"
plays_tls() {
  "${podman[@]}" "${alone[@]}" --detach --name server --workdir /srv/video --volume "$work/tests:/tests:ro" --volume "$work/video:/srv/video:ro" "$python_image" /tests/serve.py
  "${podman[@]}" "${start[@]}" --network container:server --detach --name secure --volume "$work/etc:/etc/cuframes:ro" --volume secure-sockets:/run/cuframes "$daemon_image" --config /etc/cuframes/tls.yaml
  volume=(--volume secure-sockets:/run/cuframes)
  # It is played once.
  reads_with_python secure 40 long-reference
}
serves_http() {
  inside server python3 -c 'import json, urllib.request
listing = json.load(urllib.request.urlopen("http://127.0.0.1:8475/"))
assert [stream["key"] for stream in listing["streams"]] == ["secure", "secure@tile"], listing
picture = urllib.request.urlopen("http://127.0.0.1:8475/secure.jpeg").read()
assert picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9" and len(picture) > 5000, len(picture)'
}
check 'a camera over TLS: whole frames' plays_tls
check 'taps by HTTP: the listing and a picture' serves_http

# --------------------------------------------------------------------------------------------------------------------- the end

# Within two seconds, and what the engine takes, which may be more on a busy machine. It would kill after thirty.
check 'the daemon ends on SIGTERM' ends_in_time daemon 15
leaves_nothing() {
  [ "$("${podman[@]}" inspect --format '{{.State.ExitCode}}' daemon)" = 0 ]
  "${podman[@]}" logs daemon 2>&1 | tail -n 1 | grep -F '[103 stopped]'
  local folder
  folder=$("${podman[@]}" volume inspect --format '{{.Mountpoint}}' sockets)
  ! find "$folder" -name '*.sock' | grep .
}
check 'it ended well, said so, and left no socket' leaves_nothing

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
