#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs README's section "Containers" as it stands there, command by command, and looks at what the containers are and do.

`docker compose` is tests/compose/compose.py here, and the scripts get `--minimal`, for an FFmpeg that is built in less time; nothing else is replaced. The camera is an RTSP server in a network namespace of its
own, Frigate is a stand-in (tests/compose/standin). Everything happens in namespaces of this run (mounts, processes, network, IPC), which
end with it, and in a folder below artifacts/.

    tests/compose/check.py [--keep]       --keep leaves the folder, for a look at it

The last line is "N passed, N failed, N skipped".
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "artifacts" / "compose-test"
TREE = WORK / "tree"
STATE = WORK / "state"
RUNNER = HERE / "compose.py"
PICTURE = "640x360"
PATIENCE = 120
STAND_IN = "localhost/cuframes-test"


class Failed(Exception):
    """Something is not as it should be; the text says what was found."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


def output(*command, **options):
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    expect(result.returncode == 0, f"{' '.join(map(str, command))} ended with status {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def wait_for(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        expect(time.monotonic() < end, f"waited {patience} s for {what() if callable(what) else what}")
        time.sleep(0.2)


# ------------------------------------------------------------------------------------------------------------ the camera


class Camera:
    """A real RTSP server at 192.0.2.10, in a network namespace that containers reach through the machine, as one in the house."""

    def __init__(self):
        clip = WORK / "camera.mp4"
        output(
            "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size={PICTURE}:rate=10:duration=6", "-f", "lavfi", "-i",
            "sine=frequency=500:sample_rate=16000:duration=6", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "10",
            "-c:a", "aac", "-shortest", clip)
        rows = output("ffmpeg", "-nostdin", "-v", "error", "-i", clip, "-map", "0:v", "-pix_fmt", "yuv420p", "-f", "framehash", "-hash", "sha256", "-")
        self.pictures = [line.split(",")[-1].strip() for line in rows.splitlines() if line and line[0] != "#"]
        expect(len(set(self.pictures)) == 60, "the clip's pictures are not 60 different ones")
        output("ip", "netns", "add", "camera")
        output("ip", "link", "add", "camera", "type", "veth", "peer", "name", "eth0", "netns", "camera")
        output("ip", "address", "add", "192.0.2.1/24", "dev", "camera")
        output("ip", "link", "set", "camera", "up")
        for words in ("link set lo up", "address add 192.0.2.10/24 dev eth0", "link set eth0 up", "route add default via 192.0.2.1"):
            output("ip", "-n", "camera", *words.split())
        self.connections = self.open = 0
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", "camera", sys.executable, str(ROOT / "tests/CuFrames.TestKit/rtsp_server.py"), str(clip), "--address", "192.0.2.10", "--port", "554",
             "--audio", "aac", "--repeat-seconds", "1800"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        wait_for(lambda: self.ready.is_set() or self.process.poll() is not None, "the RTSP server")
        expect(self.ready.is_set(), "the RTSP server did not start")

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready.set()
            elif event["event"] in ("connected", "closed"):
                self.connections, self.open = event["connections"], event["open"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


# --------------------------------------------------------------------------------------------------- what is left behind


def outside():
    """What containers could leave on the machine, in the namespaces of this run."""
    return {
        "containers": output("podman", "ps", "--all", "--format", "{{.Names}}").split(),
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "processes": sorted(filter(None, (command_of(pid) for pid in os.listdir("/proc") if pid.isdigit()))),
        "port 8971": [line for line in Path("/proc/net/tcp").read_text().splitlines() if f":{8971:04X} 00000000:0000 0A" in line],
    }


def command_of(pid):
    """The command line of a process; nothing: it has ended, also while it is looked at, or is the kernel's."""
    try:
        is_zombie = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        return "" if is_zombie else Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


# ------------------------------------------------------------------------------------------------- looks into containers


def container(name):
    return json.loads(output("podman", "container", "inspect", f"cuframes-{name}-1"))[0]


def pid_of(name):
    pid = container(name)["State"]["Pid"]
    expect(pid > 0, f"{name} does not run")
    return pid


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def mounts_of(pid):
    """Target: (device and root of what is mounted there, whether the mount or its file system is read-only, file system)."""
    result = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        fields = before.split()
        result[fields[4]] = (f"{fields[2]} {fields[3]}", "ro" in fields[5].split(",") or "ro" in after.split()[2].split(","), after.split()[0])
    return result


def check_daemon():
    pid = pid_of("cuframesd")
    status = status_of(pid)
    expect(status["Uid"].split() == ["2850"] * 4 and status["Gid"].split() == ["2850"] * 4, f"the daemon's user is {status['Uid']}, its group {status['Gid']}")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[kind], 16) == 0, f"the daemon has capabilities: {kind} {status[kind]}")
    expect(status["NoNewPrivs"].strip() == "1", "the daemon may gain privileges")
    expect(status["NSpid"].split()[-1] == "1", f"the daemon is process {status['NSpid']}, with something between it and the engine")
    expect(Path(f"/proc/{pid}/comm").read_text().strip() == "cuframesd", f"process 1 is {Path(f'/proc/{pid}/comm').read_text()}")
    mounts = mounts_of(pid)
    writable = sorted(target for target, (_, is_read_only, kind) in mounts.items() if not is_read_only and not is_kernels(target, kind))
    expect(writable == ["/run/cuframes", "/tmp", "/var/lib/cuframes"], f"the daemon may write to {writable}")
    # root of this machine has every right but the one that the mount takes away.
    for path in ("/", "/etc", "/etc/cuframes", "/var/tmp", "/usr/bin"):
        with contextlib.suppress(FileNotFoundError):
            try:
                Path(f"/proc/{pid}/root{path}/written").write_text("")
            except OSError as error:
                expect(error.errno == 30, f"{path}: {error}")
            else:
                raise Failed(f"{path} of the daemon's container can be written")
    sockets = os.stat(f"/proc/{pid}/root/run/cuframes")
    expect((sockets.st_uid, sockets.st_gid) == (2850, 2850), f"the volume belongs to {sockets.st_uid}:{sockets.st_gid}")


def is_kernels(target, kind):
    """Mounts that every container has of its own: kernel interfaces, and the engine's files for names and hosts."""
    return kind in ("proc", "sysfs", "devpts", "mqueue", "cgroup2", "cgroup") or target == "/dev" or target.startswith(("/dev/", "/proc/")) or target in (
        "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv")


def check_apart(names):
    """Namespaces of their own, and nothing shared but the sockets."""
    pids = {name: pid_of(name) for name in names}
    pids["the machine"] = os.getpid()
    for kind in ("pid", "ipc", "net", "mnt", "uts"):
        spaces = {name: os.readlink(f"/proc/{pid}/ns/{kind}") for name, pid in pids.items()}
        expect(len(set(spaces.values())) == len(spaces), f"{kind} namespaces are shared: {spaces}")
    shared_memory = {name: os.stat(f"/proc/{pid}/root/dev/shm").st_dev for name, pid in pids.items()}
    expect(len(set(shared_memory.values())) == len(shared_memory), f"/dev/shm is shared: {shared_memory}")
    mounts = {name: mounts_of(pid) for name, pid in pids.items() if name != "the machine"}
    for one in mounts:
        for other in mounts:
            if one < other:
                theirs = {what: target for target, (what, _, kind) in mounts[other].items() if kind not in ("proc", "sysfs", "cgroup2", "cgroup")}
                both = sorted(target for target, (what, _, kind) in mounts[one].items() if what in theirs and not is_kernels(target, kind))
                expected = ["/run/cuframes"] if {"cuframesd", "frigate"} == {one, other} else []
                expect(both == expected, f"{one} and {other} share {both}")


def streams():
    """What `cuframes ls` in the daemon's container says, by key."""
    text = output(RUNNER, "-f", TREE / "docker/compose/daemon.yaml", "exec", "cuframesd", "cuframes", "ls", "--json")
    return {stream["key"]: stream for stream in json.loads(text)["streams"]}


def check_live(camera, connections):
    """
    The camera is live by one connection, the given one since it began to serve. A later one is right only when the daemon says that it has lost the one before; what it
    said is shown. Returns how many there were.
    """
    wait_for(lambda: streams().get("front", {}).get("state") == "live", "the camera's stream")
    stream = streams()["front"]
    expect((stream["width"], stream["height"]) == (640, 360), f"the camera's stream is {stream}")

    # What the server says of its connections comes on a way of its own.
    wait_for(lambda: camera.connections >= connections and camera.open == 1,
             lambda: f"one connection, the {connections}.: the camera was connected to {camera.connections} times, {camera.open} connections are open", 30)
    if camera.connections > connections:
        said = output(RUNNER, "-f", TREE / "docker/compose/daemon.yaml", "logs", "cuframesd")
        lost = [line for line in said.splitlines() if "camera-lost" in line]
        expect(lost, f"the camera was connected to {camera.connections} times instead of {connections}, and the daemon said nothing of a loss:\n{said}")
        print(f"      connection {camera.connections} instead of {connections}: {lost[-1]}")
    return camera.connections


# --------------------------------------------------------------------------------------------------------- the stand-in


class Recording:
    """Segments that were begun in the cache of Frigate's container."""

    def __init__(self):
        self.seen = []

    def look(self):
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(f"/proc/{pid_of('frigate')}/root/tmp/cache")):
                if name.endswith(".mp4") and name not in self.seen:
                    self.seen.append(name)
        return len(self.seen)

    def wait(self, count):
        wait_for(lambda: self.look() >= count, lambda: f"{count} segments, found {self.seen}\n{container('frigate')['State']}")


def check_report(restarts_of_daemon, daemon_said):
    """Frigate's report, after its container has ended. daemon_said: the daemon's log, for the case that it tells why."""
    path = STATE / "cuframes/volumes/media/report.json"
    expect(path.exists() and path.stat().st_size > 0, "Frigate's stand-in wrote no report")
    report = json.loads(path.read_text())["cameras"]["front"]
    detect, segments, probes = report["detect"], report["segments"], report["probes"]
    summary = json.dumps({key: value for key, value in report.items() if key != "segments"}, indent=1) + f"\nThe daemon said:\n{daemon_said}"
    expect(detect["frames"] >= 60, f"{detect['frames']} frames were detected on:\n{summary}")
    expect(detect["unknown"] == 0, f"{detect['unknown']} of {detect['frames']} frames are none of the camera's:\n{summary}")
    expect(detect["distinct"] >= 10, f"only {detect['distinct']} different frames")
    expect(len(detect["gaps"]) <= restarts_of_daemon, f"frames stayed away {len(detect['gaps'])} times:\n{summary}")
    expect(report["restarts"] == [], f"Frigate's watchdog started ffmpeg again:\n{summary}")
    expect(len(segments) >= 2, f"{len(segments)} segments")
    for segment in segments:
        expect(segment["faults"] == [] and segment["frames"] > 0 and segment["unknown"] == 0, f"a segment is bad: {segment}")
        expect(segment["sounds"] > 0, f"a segment has no sound: {segment}")
    jumps = sum(segment["jumps"] for segment in segments)
    expect(jumps <= restarts_of_daemon, f"pictures of the recording do not follow each other, {jumps} times: {segments}")
    expect(len(probes) > 0 and all(probe["faults"] == [] for probe in probes) or restarts_of_daemon and any(not probe["faults"] for probe in probes),
           f"ffprobe: {[probe for probe in probes if probe['faults']]}")
    print(f"      {detect['frames']} frames, all the camera's; {len(segments)} segments with {sum(s['frames'] for s in segments)} pictures, "
          f"no fault; {len(probes)} probes; largest gaps {detect['gaps']}")


# ------------------------------------------------------------------------------------------------------------- the test


class Suite:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, function, *arguments):
        began = time.monotonic()
        try:
            function(*arguments)
        except Exception as error:  # whatever it is, it is that check's failure, and the others go on
            self.failed += 1
            print(f"FAIL  {what}\n      " + (str(error) if isinstance(error, Failed) else repr(error)).replace("\n", "\n      "), flush=True)
            return False
        self.passed += 1
        print(f"ok    {what} ({time.monotonic() - began:.0f} s)", flush=True)
        return True


def commands_of_readme():
    """The indented lines of the section, joined where one ends with a backslash."""
    text = (ROOT / "README.md").read_text()
    section = re.search(r"^## Containers\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    expect(section, "README has no section 'Containers'")
    lines = [line.strip() for line in section[1].splitlines() if line.startswith("    ")]
    return [re.sub(r"\s+#.*", "", line) for line in lines if not line.startswith("#")]


class Shell:
    """Runs the text's commands, one after the other, in the folder where the one before ended."""

    def __init__(self):
        self.folder = TREE

    def run(self, command):
        answer = WORK / "folder"
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'{command}\npwd >"$ANSWER"'], cwd=self.folder, env={**os.environ, "ANSWER": str(answer)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect(result.returncode == 0, f"{command} ended with status {result.returncode}:\n{result.stdout}")
        self.folder = Path(answer.read_text().strip())
        return result.stdout


def prepare_tree():
    """A checkout in which the text's commands may write: docker/compose is a copy, the scripts are those of the repository."""
    for folder in ("docker/compose", "docker/frigate", "bin"):
        (TREE / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "docker/compose", TREE / "docker/compose", dirs_exist_ok=True, ignore=shutil.ignore_patterns("ffmpeg"))
    for script in ("docker/build.sh", "docker/frigate/directory.sh"):
        # An FFmpeg with what Frigate's lines need: all of it would take a quarter of an hour, once more.
        (TREE / script).write_text(f'#!/bin/sh\nexec {ROOT / script} "$@" --minimal\n')
        (TREE / script).chmod(0o755)
    # The only replacement: `docker compose` is the runner. Nothing else of docker is here, so that docker/build.sh takes buildah.
    docker = TREE / "bin/docker"
    docker.write_text(f'#!/bin/sh\nif [ "${{1-}}" != compose ]; then echo "no Docker engine here" >&2; exit 1; fi\nshift\nexec {RUNNER} "$@"\n')
    docker.chmod(0o755)
    os.environ["PATH"] = f"{TREE / 'bin'}:{os.environ['PATH']}"


def storage():
    """podman's storage: images of docker/build.sh are read where they are, containers are this run's own."""
    (WORK / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{WORK / "containers"}"\nrunroot = "/run/containers/storage"\n'
        f'[storage.options]\nadditionalimagestores = ["{ROOT / "artifacts/containers/images"}"]\n')
    # Without a systemd and with the rights that CI has: limits as they are, no cgroups.
    limits = [f'"{name}={soft}:{hard}"' for name, (soft, hard) in (
        ("nofile", resource.getrlimit(resource.RLIMIT_NOFILE)), ("nproc", resource.getrlimit(resource.RLIMIT_NPROC)))]
    (WORK / "containers.conf").write_text(
        f'[containers]\ncgroups = "disabled"\ndefault_ulimits = [{", ".join(limits)}]\nlog_driver = "k8s-file"\n'
        '[engine]\nevents_logger = "none"\nruntime = "crun"\ncgroup_manager = "cgroupfs"\n')
    os.environ.update(CONTAINERS_STORAGE_CONF=str(WORK / "storage.conf"), CONTAINERS_CONF=str(WORK / "containers.conf"), COMPOSE_STATE=str(STATE))


def namespaces():
    """What the run has for itself, as a machine has it after it was started."""
    output("umount", "--recursive", "/sys/fs/cgroup")
    output("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    output("mount", "-t", "tmpfs", "none", "/run")
    output("ip", "link", "set", "lo", "up")
    # A mount point that stays: the first network namespace with a name makes it.
    output("ip", "netns", "add", "first")
    output("ip", "netns", "delete", "first")


class WalkThrough:
    """The commands of the text, and what is looked at behind each of them."""

    def __init__(self, camera, before):
        self.camera, self.before = camera, before
        self.shell = Shell()
        self.recording = None
        self.daemon_said = ""
        self.connections = 0
        daemon, frigate = "docker compose -f daemon.yaml", "docker compose -f frigate.yaml"
        both = f"{frigate} -f frigate-directory.yaml"
        self.steps = [
            ("docker/build.sh daemon ffmpeg python", None),
            ("cd docker/compose", None),
            (f"{daemon} up -d --wait", self.daemon_is_up),
            (f"{daemon} exec cuframesd cuframes ls", self.listed),
            (f"{daemon} run --rm reader", self.read),
            (f"{daemon} down --volumes", self.nothing_is_left),
            ("../build.sh frigate", None),
            (f"{frigate} up -d --wait", self.frigate_is_up),
            (f"{frigate} restart cuframesd", self.frigate_goes_on),
            (f"{frigate} logs frigate", self.frigate_logged),
            (f"{frigate} down", self.frigate_has_ended),
            ("../frigate/directory.sh ffmpeg", self.directory_is_made),
            (f"{both} up -d --wait", self.unmodified_frigate_is_up),
            (f"{both} down --volumes", self.nothing_is_left),
        ]

    def daemon_is_up(self, _):
        self.connections += 1
        check_daemon()
        self.connections = check_live(self.camera, self.connections)

    def listed(self, text):
        expect(re.search(r"^front .*live.*640x360", text, re.MULTILINE), f"cuframes ls says\n{text}")

    def read(self, text):
        frames = re.findall(r"^frame \d+: .*640x360", text, re.MULTILINE)
        expect(len(frames) >= 50, f"the reader says\n{text}")
        self.connections = check_live(self.camera, self.connections)
        expect(not Path("/run/netns/cuframes-reader-run").exists(), "the reader's network namespace is left")

    def nothing_is_left(self, _):
        wait_for(lambda: self.camera.open == 0, "the end of the connection to the camera")

        def differences():
            after = outside()
            return {key: [sorted(set(before) - set(after[key])), sorted(set(after[key]) - set(before))] for key, before in self.before.items() if after[key] != before}

        # The engine's own helpers end a moment after the container that they were for.
        wait_for(lambda: not differences(), lambda: f"the end of what is gone and new after down: {json.dumps(differences(), indent=1)}")
        expect(not (STATE / "cuframes").exists(), f"volumes are left: {[str(path) for path in (STATE / 'cuframes').rglob('*')][:5]}")

    def frigate_is_up(self, _):
        self.connections += 1
        check_daemon()
        check_apart(["cuframesd", "frigate", "mqtt"])
        mount = mounts_of(pid_of("frigate"))["/run/cuframes"]
        expect(mount[1], "Frigate may write into the volume with the sockets")
        self.recording = Recording()
        self.recording.wait(3)
        self.connections = check_live(self.camera, self.connections)
        # Decoded once and connected to once, whoever reads. Now and then Frigate's ffprobe is one more reader for a moment.
        wait_for(lambda: streams()["front@detect"]["subscribers"] == 1, lambda: f"one reader of the rendition: {streams()['front@detect']}")

    def frigate_goes_on(self, _):
        self.connections += 1
        check_daemon()
        self.connections = check_live(self.camera, self.connections)
        self.recording.wait(self.recording.look() + 3)
        self.connections = check_live(self.camera, self.connections)
        self.daemon_said = self.logs_of_daemon("frigate.yaml")

    def frigate_logged(self, text):
        expect("MQTT: connected" in text, f"Frigate's stand-in says\n{text}")

    def frigate_has_ended(self, _):
        check_report(restarts_of_daemon=1, daemon_said=self.daemon_said)
        expect((STATE / "cuframes/volumes/media").is_dir(), "down without --volumes took the recordings")

    def directory_is_made(self, _):
        folder = self.shell.folder / "ffmpeg"
        found = sorted(path.name for path in (folder / "bin").iterdir())
        expect(found == ["ffmpeg", "ffprobe"], f"bin has {found}")

    def unmodified_frigate_is_up(self, text):
        image = container("frigate")["ImageName"]
        expect(image.startswith(os.environ["FRIGATE"]), f"Frigate runs from {image}")
        mount = mounts_of(pid_of("frigate"))["/usr/lib/ffmpeg/cuframes"]
        expect(mount[1], "Frigate may write into the folder with the programs")
        self.frigate_is_up(text)
        daemon_said = self.logs_of_daemon("frigate.yaml", "frigate-directory.yaml")
        output(RUNNER, "-f", self.shell.folder / "frigate.yaml", "-f", self.shell.folder / "frigate-directory.yaml", "stop", "frigate")
        check_report(restarts_of_daemon=0, daemon_said=daemon_said)

    def logs_of_daemon(self, *files):
        return output(RUNNER, *(word for file in files for word in ("-f", self.shell.folder / file)), "logs", "cuframesd")


# ---------------------------------------------------------------------------------------------------------------- files


def variants():
    compose = TREE / "docker/compose"
    return [["daemon.yaml"], ["daemon-gpu.yaml"], ["frigate.yaml"], ["frigate-gpu.yaml"], ["frigate.yaml", "frigate-directory.yaml"], ["frigate-gpu.yaml", "frigate-directory.yaml"]], compose


def check_specification(files, folder):
    """The schema of the compose specification, in docker-compose of Debian; and the runner, which is stricter."""
    arguments = [word for file in files for word in ("-f", folder / file)]
    output("docker-compose", *arguments, "config", "--quiet", cwd=folder)
    theirs = yaml.safe_load(output("docker-compose", *arguments, "config", cwd=folder))
    ours = yaml.safe_load(output(RUNNER, *arguments, "config", cwd=folder))
    expect(sorted(theirs["services"]) == sorted(ours["services"]), f"docker-compose finds {sorted(theirs['services'])}, the runner {sorted(ours['services'])}")
    for name, service in ours["services"].items():
        for key in ("image", "user", "read_only", "cap_drop", "security_opt", "network_mode", "deploy", "restart"):
            expect(theirs["services"][name].get(key) == service.get(key), f"{name}.{key}: docker-compose finds {theirs['services'][name].get(key)}, the runner {service.get(key)}")


def check_apart_in_text(files, folder):
    """No file asks for what readers do not need."""
    for file in files:
        text = re.sub(r"#.*", "", (folder / file).read_text())
        for word in ("ipc:", "pid:", "privileged", "network_mode: host", "/dev/shm", "cap_add", "docker.sock", "userns"):
            expect(word not in text, f"{file} has '{word}'")


def refused(arguments, what, folder):
    result = subprocess.run([str(word) for word in (RUNNER, *arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder)
    expect(result.returncode == 1 and what in result.stderr, f"expected '{what}', found status {result.returncode}: {result.stdout}{result.stderr}")


def check_gpu_is_refused(folder):
    for file in ("daemon-gpu.yaml", "frigate-gpu.yaml"):
        refused(["-f", file, "up", "-d", "--wait"], "The service cuframesd reserves a GPU", folder)
        output(RUNNER, "-f", folder / file, "down", "--volumes")


UNACCEPTED = {
    "pid: host": "services.one.pid: this key is not known",
    "ipc: host": "services.one.ipc: this key is not known",
    "network_mode: host": "Only none",
    "privileged: true": "services.one.privileged: this key is not known",
    "volumes: ['/dev/shm:/dev/shm']": "/dev/shm of the machine is not shared",
    "volumes: ['sockets:/run/cuframes']": "the volume 'sockets' is not among",
    "ports: ['8971:8971']": "Only TCP ports on loopback",
    "read_only: 'yes'": "which is not accepted",
    "image: two": "'image' stands twice",
    "depends_on: [two]": "there is no service 'two'",
    "restart: sometimes": "restart: found 'sometimes'",
    "user: ${NOBODY_SET_THIS}": "the variable NOBODY_SET_THIS is not set",
    "security_opt: ['seccomp:unconfined']": "is not known here",
    "stop_grace_period: soon": "expected a time",
    "deploy: {replicas: 2}": "services.one.deploy.replicas: this key is not known",
}


def check_runner_refuses(folder):
    for line, what in UNACCEPTED.items():
        path = folder / "refused.yaml"
        path.write_text(f"services:\n  one:\n    image: one\n    {line}\n")
        refused(["-f", path.name, "config"], what, folder)


def check_unhealthy_daemon(folder):
    """A daemon that does not start is no start of the whole: Frigate is not started, and the sentence says why."""
    broken = WORK / "broken"
    shutil.copytree(folder, broken)
    (broken / "cuframes/cuframes.yaml").write_text("cameras: [front]\n")
    result = subprocess.run([RUNNER, "-f", "frigate.yaml", "up", "-d", "--wait"], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=broken)
    running = output("podman", "ps", "--format", "{{.Names}}").split()
    output(RUNNER, "-f", broken / "frigate.yaml", "down", "--volumes")
    expect(result.returncode == 1 and "cuframes.yaml:1" in result.stderr, f"status {result.returncode}: {result.stderr}")
    expect("cuframes-frigate-1" not in running, f"running: {running}")


# ------------------------------------------------------------------------------------------------------------- the run


def inside():
    """Process 1's only child, in namespaces of its own."""
    namespaces()
    storage()
    prepare_tree()
    os.environ.update(FRIGATE=f"{STAND_IN}/frigate", MOSQUITTO=f"{STAND_IN}/mosquitto")
    suite = Suite()
    files, folder = variants()
    for names in files:
        suite.check(f"{' and '.join(names)}: the compose specification, read the same way twice", check_specification, names, folder)
        suite.check(f"{' and '.join(names)}: nothing is shared with the machine", check_apart_in_text, names, folder)
    suite.check("the runner refuses what it does not know", check_runner_refuses, folder)
    suite.check("a reservation of a GPU is refused with a sentence", check_gpu_is_refused, folder)
    camera = Camera()
    (folder / "frigate/pictures.json").write_text(json.dumps({"front": {"detect": camera.pictures, "record": camera.pictures}}))
    before = outside()
    walk = WalkThrough(camera, before)
    commands = commands_of_readme()
    if suite.check("README's commands are those that are looked at", lambda: expect(
            commands == [command for command, _ in walk.steps], f"README has\n{chr(10).join(commands)}\nand the test\n{chr(10).join(command for command, _ in walk.steps)}")):
        for command, check in walk.steps:
            if not suite.check(command, lambda: (check or (lambda _: None))(walk.shell.run(command))):
                for line in subprocess.run(["podman", "ps", "--all"], capture_output=True, text=True).stdout.splitlines():
                    print(f"      {line}")
                break
    for name in output("podman", "ps", "--all", "--quiet").split():
        output("podman", "rm", "--force", "--volumes", "--time", "5", name)
    if suite.failed == 0:
        suite.check("frigate.yaml with a configuration that is wrong: Frigate is not started", check_unhealthy_daemon, folder)
        suite.check("nothing is left of that either", walk.nothing_is_left, None)
    camera.stop()
    return suite


def prepare_images():
    """Outside, where there is a network: what the images and the stand-ins are made of. The text's commands find it there."""
    subprocess.run([ROOT / "docker/build.sh", "--with", "buildah", "--minimal", "daemon", "ffmpeg", "python"], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
    subprocess.run([HERE / "standin/build.sh"], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


def main():
    if os.environ.get("COMPOSE_TEST_INSIDE"):
        suite = inside()
        print(f"{suite.passed} passed, {suite.failed} failed, 0 skipped")
        return 1 if suite.failed else 0
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "-n", "--preserve-env=DEBIAN_MIRROR,http_proxy,https_proxy,PATH", __file__, *sys.argv[1:]])
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    try:
        if not os.environ.get("COMPOSE_TEST_IMAGES"):
            prepare_images()
        # A shell is process 1: it takes the exit status of whoever is left without a parent. Whatever ends this process ends that one, and all the others with it.
        return subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$0" "$@"; exit $?', sys.executable, __file__],
            stdin=subprocess.DEVNULL, env={**os.environ, "COMPOSE_TEST_INSIDE": "1"}, check=False).returncode
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
