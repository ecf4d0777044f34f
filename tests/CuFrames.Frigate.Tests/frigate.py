#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does to ffmpeg what the NVR Frigate (0.18) does to it, and reports how that went.

It reads a configuration in Frigate's format, composes the command lines that Frigate composes, reads the detector's frames
from their pipes, keeps Frigate's watchdog over the processes, looks at each finished segment of the recording, and runs
Frigate's ffprobe calls with their time-outs. Only what concerns ffmpeg is read of the configuration; nothing is detected.

Needs Python 3.9 and, for a configuration in YAML rather than JSON, python3-yaml.

Standard output is one JSON object:
    {"began": T, "ended": T, "libavformat": 61,
     "cameras": {NAME: {
        "detect": {"frames", "distinct", "unknown", "first", "last", "largest_rate", "gaps": [[T, T]]},
        "restarts": [{"at": T, "role": "detect" | "record", "reason": "exited" | "stalled" | "rate" | "stale", "status"}],
        "segments": [{"name", "start": T, "duration", "frames", "first", "last", "unknown", "jumps", "largest_step", "sounds", "sound_largest_step", "faults": [TEXT]}],
        "probes": [{"at": T, "call", "path", "seconds", "status", "faults": [TEXT]}],
        "log": {ROLE: the end of what its ffmpeg said}}}}
T is a time of the wall clock in seconds. A gap is a time of more than --gap seconds without a frame. `unknown` counts pictures that
are none of --pictures, `jumps` those that do not follow on the one before them there, `first` and `last` are numbers of pictures there;
all are null without that option.
"""

import argparse
import collections
import glob
import hashlib
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

# Frigate's limits, in seconds.
NO_FRAME = 20
RATE_WINDOW = 10
RATE_EXCESS = 10
RATE_TIMES = 3
END_PATIENCE = 30
RETRY = 10
STALE_SEGMENT = 120
RECORD_GRACE = 90
LONGEST_SEGMENT = 600
PROBE_PATIENCE = 6
KEY_FRAME_TIME = 20
KEY_FRAME_GAP = 4

GLOBAL_ARGUMENTS = "-hide_banner -loglevel warning -threads 2"
RTSP_INPUT = [
    *("-user_agent", "FFmpeg Frigate/0.18.0"), *("-avoid_negative_ts", "make_zero"), *("-fflags", "+genpts+discardcorrupt"),
    *("-rtsp_transport", "tcp"), *("-timeout", "10000000"), *("-use_wallclock_as_timestamps", "1"),
]  # fmt: skip
INPUT_PRESETS = {
    "preset-rtsp-generic": RTSP_INPUT,
    "preset-rtsp-restream": [*RTSP_INPUT[:2], *RTSP_INPUT[6:10]],
}
HWACCEL_PRESETS = {
    "preset-nvidia": (
        "-hwaccel_device 0 -hwaccel cuda -hwaccel_output_format cuda",
        "-r {fps} -vf fps={fps},scale_cuda=w={width}:h={height},hwdownload,format=nv12",
    ),
}
SCALE = "-r {fps} -vf fps={fps},scale={width}:{height}"
SEGMENT = "-f segment -segment_time 10 -segment_format mp4 -reset_timestamps 1 -strftime 1"
RECORD_PRESETS = {
    "preset-record-generic": f"{SEGMENT} -c copy -an",
    "preset-record-generic-audio-aac": f"{SEGMENT} -c:v copy -c:a aac",
    "preset-record-generic-audio-copy": f"{SEGMENT} -c copy",
}
DETECT_OUTPUT = "-threads 2 -f rawvideo -pix_fmt yuv420p"
SEGMENT_NAME = "%Y%m%d%H%M%S%z"

FFMPEG_KEYS = {"path", "global_args", "hwaccel_args", "input_args", "output_args", "retry_interval"}


class ConfigurationError(Exception):
    """What is wrong with the configuration, for the user."""


def arguments_of(value, presets, what):
    """Arguments as a list: given as such, as one text, or by the name of a preset."""
    if isinstance(value, str):
        if value.startswith("preset-"):
            if value not in presets:
                raise ConfigurationError(f"{what}: found '{value}'. Known here: {', '.join(sorted(presets))}.")
            value = presets[value]
        if isinstance(value, str):
            return shlex.split(value)
    return [str(argument) for argument in value]


def check_keys(found, known, what):
    unknown = set(found) - known
    if unknown:
        raise ConfigurationError(f"{what}: does not know {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}.")


class Camera:
    """The command lines of one camera."""

    def __init__(self, name, configuration, everywhere, program, cache):
        ffmpeg = {**everywhere.get("ffmpeg", {}), **configuration["ffmpeg"]}
        check_keys(ffmpeg, FFMPEG_KEYS | {"inputs"}, f"cameras.{name}.ffmpeg")
        detect = {**everywhere.get("detect", {}), **configuration.get("detect", {})}
        record = {**everywhere.get("record", {}), **configuration.get("record", {})}
        missing = {"width", "height"} - set(detect)
        if missing:
            raise ConfigurationError(f"cameras.{name}.detect: {' and '.join(sorted(missing))} must be there.")
        self.name = name
        self.width, self.height, self.fps = int(detect["width"]), int(detect["height"]), int(detect.get("fps", 5))
        self.retry = float(ffmpeg.get("retry_interval", RETRY))
        self.records = bool(record.get("enabled", False))
        self.processes = []
        inputs = ffmpeg["inputs"]
        for number, source in enumerate(inputs):
            check_keys(source, {"path", "roles", "input_args", "hwaccel_args", "global_args"}, f"cameras.{name}.ffmpeg.inputs[{number}]")
            roles = set(source["roles"])
            if len(inputs) == 1:
                roles |= {"detect", "record"}
            command = self.command({**ffmpeg, **{key: value for key, value in source.items() if value}}, roles, program, cache)
            if command:
                self.processes.append((roles, source["path"], command))
        if sum("detect" in roles for roles, _, _ in self.processes) != 1:
            raise ConfigurationError(f"cameras.{name}.ffmpeg.inputs: exactly one must have the role detect.")

    def command(self, ffmpeg, roles, program, cache):
        outputs = ffmpeg.get("output_args", {})
        hwaccel = ffmpeg.get("hwaccel_args", "auto")
        is_preset = isinstance(hwaccel, str) and hwaccel in HWACCEL_PRESETS
        output = []
        if "record" in roles and self.records:
            output += arguments_of(outputs.get("record", "preset-record-generic-audio-aac"), RECORD_PRESETS, f"{self.name}: output_args.record")
            output.append(os.path.join(cache, f"{self.name}@{SEGMENT_NAME}.mp4"))
        if "detect" in roles:
            scale = HWACCEL_PRESETS[hwaccel][1] if is_preset else SCALE
            output += scale.format(fps=self.fps, width=self.width, height=self.height).split()
            output += arguments_of(outputs.get("detect", DETECT_OUTPUT), {}, f"{self.name}: output_args.detect") + ["pipe:"]
        if not output:
            return None
        decode = []
        if "detect" in roles and hwaccel not in ("auto", ""):
            presets = {preset: values[0] for preset, values in HWACCEL_PRESETS.items()}
            decode = arguments_of(hwaccel, presets, f"{self.name}: hwaccel_args")
        return [
            program,
            *arguments_of(ffmpeg.get("global_args", GLOBAL_ARGUMENTS), {}, f"{self.name}: global_args"),
            *decode,
            *arguments_of(ffmpeg.get("input_args", "preset-rtsp-generic"), INPUT_PRESETS, f"{self.name}: input_args"),
            "-i",
            ffmpeg["path"],
            *output,
        ]


class Rate:
    """Events a second over the last ten seconds, as Frigate counts them."""

    def __init__(self):
        self.began = time.time()
        self.events = collections.deque(maxlen=1000)

    def update(self):
        self.events.append(time.time())

    def value(self):
        now = time.time()
        while self.events and self.events[0] < now - RATE_WINDOW:
            self.events.popleft()
        return len(self.events) / (min(now - self.began, RATE_WINDOW) or 1)


class Known:
    """Digests of pictures in the order in which they follow each other, again and again."""

    def __init__(self, digests):
        self.numbers = {digest.lower(): number for number, digest in enumerate(digests)}

    def judge(self, digests):
        """How many are unknown, and how many do not follow on the one before."""
        numbers = [self.numbers.get(digest) for digest in digests]
        following = zip(numbers, numbers[1:])
        return (
            sum(number is None for number in numbers),
            sum(one is not None and other is not None and other != (one + 1) % len(self.numbers) for one, other in following),
        )


class Capture(threading.Thread):
    """Reads frames from one ffmpeg until that ends. What it sees is added to the camera's account."""

    def __init__(self, process, camera, account):
        super().__init__(daemon=True)
        self.process, self.camera, self.account = process, camera, account
        self.waiting_since = time.time()
        self.rate = 0

    def run(self):
        size = self.camera.width * self.camera.height * 3 // 2
        rate = Rate()
        while True:
            self.rate = rate.value()
            self.waiting_since = time.time()
            frame = self.process.stdout.read(size)
            if len(frame) != size:
                if self.process.poll() is not None:
                    return
                # The pipe is closed, so the process is about to end.
                time.sleep(0.05)
                continue
            rate.update()
            self.account.add(frame, rate.value())


class Account:
    """The frames of one camera."""

    def __init__(self, gap, known):
        self.gap, self.known = gap, known
        self.frames = self.unknown = 0
        self.first = self.last = None
        self.digests = set()
        self.gaps = []
        self.largest_rate = 0

    def add(self, frame, rate):
        now = time.time()
        digest = hashlib.sha256(frame).hexdigest()
        self.frames += 1
        self.digests.add(digest)
        if self.known and digest not in self.known.numbers:
            self.unknown += 1
        if self.last is None:
            self.first = now
        elif now - self.last > self.gap:
            self.gaps.append([self.last, now])
        self.last = now
        self.largest_rate = max(self.largest_rate, rate)

    def report(self):
        return {
            "frames": self.frames,
            "distinct": len(self.digests),
            "unknown": self.unknown if self.known else None,
            "first": self.first,
            "last": self.last,
            "largest_rate": round(self.largest_rate, 2),
            "gaps": self.gaps,
        }


class Watchdog(threading.Thread):
    """Starts a camera's processes and keeps Frigate's rules over them."""

    def __init__(self, camera, options, pictures, stop):
        super().__init__(daemon=True)
        self.camera, self.options, self.stop = camera, options, stop
        self.account = Account(options.gap, pictures)
        self.restarts = []
        self.capture = None
        self.detect = None
        self.recorder = None
        self.last_segment = 0
        self.last_valid_segment = 0
        self.grace_until = time.time() + RECORD_GRACE

    def log_of(self, role):
        return os.path.join(self.options.logs, f"{self.camera.name}.{role}.log")

    def popen(self, command, role, **more):
        with open(self.log_of(role), "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True, **more)

    def start_detect(self):
        command = next(command for roles, _, command in self.camera.processes if "detect" in roles)
        size = self.camera.width * self.camera.height * 3 // 2
        self.detect = self.popen(command, "detect", stdout=subprocess.PIPE, bufsize=size * 10)
        self.capture = Capture(self.detect, self.camera, self.account)
        self.capture.start()

    def start_recorder(self):
        for roles, _, command in self.camera.processes:
            if "detect" not in roles:
                self.recorder = self.popen(command, "record", stdout=subprocess.DEVNULL)

    @staticmethod
    def end(process):
        process.terminate()
        try:
            process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def note(self, role, reason, status):
        self.restarts.append({"at": time.time(), "role": role, "reason": reason, "status": status})

    def restart_detect(self, reason):
        if reason != "exited":
            # The capture goes on reading meanwhile, so that a full pipe does not keep ffmpeg from ending.
            self.end(self.detect)
        self.capture.join()
        self.detect.stdout.close()
        self.note("detect", reason, self.detect.returncode)
        self.start_detect()

    def restart_recorder(self, reason):
        self.end(self.recorder)
        self.note("record", reason, self.recorder.returncode)
        self.start_recorder()

    def segments_are_stale(self, now):
        if now < self.grace_until:
            return False
        return now > (self.last_segment or now - 1) + STALE_SEGMENT or now > (self.last_valid_segment or now - 1) + STALE_SEGMENT

    def run(self):
        self.start_detect()
        self.start_recorder()
        last_restart = time.time()
        self.stop.wait(self.camera.retry)
        times = 0
        while not self.stop.wait(1):
            now = time.time()
            may_restart = now - last_restart >= self.camera.retry
            reason = None
            if not self.capture.is_alive():
                reason = "exited"
            elif self.capture.rate >= self.camera.fps + RATE_EXCESS:
                times += 1
                if times == RATE_TIMES:
                    times = 0
                    reason = "rate"
            elif now - self.capture.waiting_since > NO_FRAME:
                reason = "stalled"
            else:
                times = 0
            if reason and may_restart:
                self.restart_detect(reason)
                last_restart = now
            if self.recorder:
                if self.segments_are_stale(now) and may_restart:
                    self.restart_recorder("stale")
                    self.grace_until = now + RECORD_GRACE
                    last_restart = now
                elif self.recorder.poll() is not None:
                    self.restart_recorder("exited")
        for process in filter(None, [self.detect, self.recorder]):
            self.end(process)
        self.capture.join()

    def open_files(self):
        """Files that this camera's processes have open."""
        for process in filter(None, [self.detect, self.recorder]):
            try:
                for entry in os.scandir(f"/proc/{process.pid}/fd"):
                    yield os.readlink(entry.path)
            except OSError:
                continue  # it has ended

    def log_tail(self, role):
        try:
            with open(self.log_of(role), encoding="utf-8", errors="replace") as log:
                return log.read()[-4000:]
        except FileNotFoundError:
            return ""


class Segments(threading.Thread):
    """Looks at segments when they are finished, and removes them, as Frigate takes them out of its cache."""

    def __init__(self, watchdogs, options, tools, pictures, ended):
        super().__init__(daemon=True)
        self.watchdogs = {watchdog.camera.name: watchdog for watchdog in watchdogs}
        self.options, self.tools, self.pictures, self.ended = options, tools, pictures, ended
        self.segments = {name: [] for name in self.watchdogs}
        # Finished segments wait there: on a busy machine their examination, which Frigate does not make, must not look like a recorder that stands still.
        self.finished = queue.Queue()
        self.examiner = threading.Thread(target=self.examine_all, daemon=True)

    def run(self):
        self.examiner.start()
        seen = set()
        while not self.ended.wait(5):
            self.look(seen)
        self.look(seen)
        self.finished.put(None)
        self.examiner.join()

    def look(self, seen):
        for path in sorted(set(glob.glob(os.path.join(self.options.cache, "*.mp4"))) - seen):
            camera, _, date = os.path.basename(path)[: -len(".mp4")].rpartition("@")
            watchdog = self.watchdogs.get(camera)
            if not watchdog:
                continue
            start = time.mktime(time.strptime(date[:14], "%Y%m%d%H%M%S"))
            watchdog.last_segment = max(watchdog.last_segment, start)
            # Asked after the file was seen: what nobody has open now is finished.
            if path in set(watchdog.open_files()):
                continue
            seen.add(path)
            watchdog.last_valid_segment = max(watchdog.last_valid_segment, start)
            self.finished.put((path, camera, start))

    def examine_all(self):
        while item := self.finished.get():
            path, camera, start = item
            segment = self.examine(path, self.pictures.get(camera, {}).get("record"))
            self.segments[camera].append({"name": os.path.basename(path), "start": start, **segment})
            if segment["faults"] and self.options.keep:
                os.replace(path, os.path.join(self.options.keep, os.path.basename(path)))
            else:
                os.remove(path)

    def examine(self, path, known):
        faults = []
        answer = subprocess.run(
            [f"{self.tools}/ffprobe", "-v", "error", "-print_format", "json", "-show_entries", "format=duration:stream=codec_type", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        try:
            facts = json.loads(answer.stdout)
        except json.JSONDecodeError:
            facts = {}
        duration = float(facts.get("format", {}).get("duration", -1))
        kinds = [stream.get("codec_type") for stream in facts.get("streams", [])]
        if answer.stderr:
            faults.append(answer.stderr)
        if not 0 < duration < LONGEST_SEGMENT or "video" not in kinds:
            faults.append(f"{duration} s with {kinds}")
        # Every picture and every sound, decoded; and their times.
        answer = subprocess.run(
            [
                *(f"{self.tools}/ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-copyts", "-i", path, "-map", "0:v:0", "-map", "0:a?"),
                *("-fps_mode", "passthrough", "-enc_time_base:v", "-1", "-pix_fmt", "yuv420p", "-c:v", "rawvideo", "-c:a", "pcm_s16le", "-f", "framehash", "-hash", "sha256", "-"),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode or answer.stderr:
            faults.append(f"{answer.returncode}: {answer.stderr[-2000:]}")
        units, rows = {}, {0: [], 1: []}
        for line in answer.stdout.splitlines():
            unit = re.match(r"#tb (\d): (\d+)/(\d+)", line)
            if unit:
                units[int(unit[1])] = int(unit[2]) / int(unit[3])
            elif not line.startswith("#"):
                stream, _, pts, length, _, digest = (field.strip() for field in line.split(","))
                unit = units[int(stream)]
                rows[int(stream)].append((int(pts) * unit, int(length) * unit, digest))
        pictures, sounds = rows[0], rows[1]
        unknown, jumps = Known(known).judge([digest for _, _, digest in pictures]) if known else (None, None)
        if any(other[0] <= one[0] for one, other in zip(pictures, pictures[1:])):
            faults.append("the times of the pictures do not grow")
        numbers = Known(known).numbers if known else {}
        return {
            "duration": duration,
            "frames": len(pictures),
            "first": numbers.get(pictures[0][2]) if pictures else None,
            "last": numbers.get(pictures[-1][2]) if pictures else None,
            "unknown": unknown,
            "jumps": jumps,
            "largest_step": round(max([other[0] - one[0] for one, other in zip(pictures, pictures[1:])], default=0), 4),
            "sounds": len(sounds),
            "sound_largest_step": round(max([other[0] - one[0] - one[1] for one, other in zip(sounds, sounds[1:])], default=0), 4),
            "faults": faults,
        }


class Probes(threading.Thread):
    """Frigate's ffprobe calls for every input, again and again."""

    ENTRIES = "stream=codec_long_name,width,height,bit_rate,duration,display_aspect_ratio,avg_frame_rate"

    def __init__(self, cameras, options, ffprobe, stop):
        super().__init__(daemon=True)
        self.cameras, self.options, self.ffprobe, self.stop = cameras, options, ffprobe, stop
        self.probes = {camera.name: [] for camera in cameras}

    def run(self):
        while not self.stop.wait(self.options.probe_every):
            for camera in self.cameras:
                for roles, path, _ in camera.processes:
                    self.look(camera, roles, path)

    def look(self, camera, roles, path):
        transport = ["-rtsp_transport", "tcp"] if path.startswith("rtsp:") else []
        self.probe(camera, "streams", path, [*transport, "-timeout", "1000000", "-print_format", "json", "-show_entries", self.ENTRIES, "-loglevel", "error"], self.check_streams)
        self.probe(camera, "rw_timeout", path, ["-rw_timeout", "5000000", "-print_format", "json", "-show_entries", self.ENTRIES, "-loglevel", "error"], self.check_streams)
        if "record" in roles:
            self.probe(
                camera, "key frames", path,
                ["-loglevel", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,dts_time,flags", "-read_intervals", f"%+{KEY_FRAME_TIME}", "-print_format", "json"],
                self.check_key_frames, KEY_FRAME_TIME + PROBE_PATIENCE,
            )  # fmt: skip

    def probe(self, camera, call, path, arguments, check, patience=PROBE_PATIENCE):
        if self.stop.is_set():
            return
        at = time.time()
        with subprocess.Popen([self.ffprobe, *arguments, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                output, errors = process.communicate(timeout=patience)
                faults = [errors] if process.returncode else check(json.loads(output))
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
                # The key frames of a live stream are read until time is up.
                faults = [f"killed after {patience} s {errors}"]
        self.probes[camera.name].append(
            {"at": at, "call": call, "path": path, "seconds": round(time.time() - at, 3), "status": process.returncode, "faults": faults}
        )

    @staticmethod
    def check_streams(answer):
        streams = answer.get("streams", [])
        return [] if any(stream.get("width") and stream.get("height") for stream in streams) else [f"no picture in {streams}"]

    @staticmethod
    def check_key_frames(answer):
        times = [float(packet.get("pts_time", packet.get("dts_time", "nan"))) for packet in answer.get("packets", []) if "K" in packet["flags"]]
        gaps = [round(other - one, 3) for one, other in zip(times, times[1:])]
        if len(times) < 2:
            return [f"{len(times)} key frames among {len(answer.get('packets', []))} packets"]
        return [f"key frames are up to {max(gaps)} s apart"] if max(gaps) > KEY_FRAME_GAP else []


def read_configuration(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError(f"{path} is not JSON, and YAML needs python3-yaml.") from error
    return yaml.safe_load(text)


def libavformat_of(program):
    """What Frigate looks for when it starts."""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libavformat\s+(\d+)", answer)
    if not found:
        raise ConfigurationError(f"{program} -version does not name libavformat.")
    return int(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", help="Frigate's configuration, YAML or JSON")
    parser.add_argument("--seconds", type=float, help="end after that time; without it at SIGTERM or SIGINT")
    parser.add_argument("--path", help="folder with bin/ffmpeg and bin/ffprobe, instead of ffmpeg.path")
    parser.add_argument("--tools", help="folder with bin/ffmpeg and bin/ffprobe that look at the segments; default: the same")
    parser.add_argument("--cache", help="folder for segments; default: one that is removed at the end")
    parser.add_argument("--logs", help="folder for what ffmpeg says; default: the folder for segments")
    parser.add_argument("--keep", help="folder for segments with faults; default: none is kept")
    parser.add_argument("--pictures", help='JSON file: {CAMERA: {"detect": [SHA-256...], "record": [SHA-256...]}}, in the order of the pictures')
    parser.add_argument("--probe-every", type=float, default=30, metavar="SECONDS", help="pause between two rounds of ffprobe (default: %(default)s)")
    parser.add_argument("--gap", type=float, default=2, metavar="SECONDS", help="longest time between frames that is not reported (default: %(default)s)")
    parser.add_argument("--commands", action="store_true", help="print the command lines as JSON, and end")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="frigate-cache-") as folder:
        options.cache = options.cache or folder
        options.logs = options.logs or options.cache
        configuration = read_configuration(options.configuration)
        everywhere = {key: configuration.get(key) or {} for key in ("ffmpeg", "detect", "record")}
        check_keys(everywhere["ffmpeg"], FFMPEG_KEYS, "ffmpeg")
        path = options.path or everywhere["ffmpeg"].get("path")
        if not path or not os.path.isabs(path):
            raise ConfigurationError(f"ffmpeg.path: found '{path}'. Here it must be a folder's absolute path; --path is another way to say it.")
        program = f"{path}/bin/ffmpeg"
        cameras = [
            Camera(name, camera, everywhere, program, options.cache)
            for name, camera in configuration["cameras"].items()
            if camera.get("enabled", True)
        ]
        if options.commands:
            print(json.dumps({camera.name: [command for _, _, command in camera.processes] for camera in cameras}, indent=1))
            return

        pictures = {}
        if options.pictures:
            with open(options.pictures, encoding="utf-8") as file:
                pictures = json.load(file)
        version = libavformat_of(program)
        stop, ended = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        began = time.time()
        watchdogs = [Watchdog(camera, options, Known(pictures[camera.name]["detect"]) if camera.name in pictures else None, stop) for camera in cameras]
        segments = Segments(watchdogs, options, f"{options.tools or path}/bin", pictures, ended)
        probes = Probes(cameras, options, f"{path}/bin/ffprobe", stop)
        threads = [*watchdogs, segments, probes]
        for thread in threads:
            thread.start()
        stop.wait(options.seconds)
        stop.set()
        for watchdog in watchdogs:
            watchdog.join()
        probes.join()
        ended.set()
        segments.join()
        report = {
            watchdog.camera.name: {
                "detect": watchdog.account.report(),
                "restarts": watchdog.restarts,
                "segments": segments.segments[watchdog.camera.name],
                "probes": probes.probes[watchdog.camera.name],
                "log": {role: watchdog.log_tail(role) for role in ("detect", "record")},
            }
            for watchdog in watchdogs
        }
        print(json.dumps({"began": began, "ended": time.time(), "libavformat": version, "cameras": report}))


if __name__ == "__main__":
    try:
        main()
    except ConfigurationError as problem:
        sys.exit(f"frigate.py: {problem}")
