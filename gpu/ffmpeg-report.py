#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the report of a GPU run of the parts machine, ffmpeg-tests, ffmpeg and others of run-gpu-short.

    gpu/ffmpeg-report.py RESULTS [RESULTS...] TARGET

RESULTS are folders that run-gpu-short has filled, the newest last; TARGET is a folder below benchmarks/results. It gets the JSON files, the
single samples, the logs of what failed or was measured, and README.md, in which every figure comes from these files. Needs Python 3.9 and nothing else.
"""

import json
import pathlib
import shutil
import statistics
import sys

# What the result says of a suite, in the words of docs/ffmpeg.md; by the beginning of a test's name.
MEANINGS = {
    "NvdecTests.Frames_of_a_stream": "frames decoded by NVDEC, published by one version and read by the same or another, scaled by scale_cuda or not, are those of the same filters without a stream",
    "NvdecFrigateTests.Frigates_lines": "Frigate's `preset-nvidia` lines, unchanged, on the daemon's hardware frames; its ffprobe call",
    "NvdecCopyTests.A_publisher_copies": "copies, kernels and decoders, counted as each process calls the driver",
    "NvdecLoopTests.A_frame_is_given_back": "a ring of two to four slots, a publisher without a pace: every picture read through two scale_cuda is whole, because a slot is given back behind the kernels",
    "NvdecLoopTests.Ten_bits": "HEVC Main 10, P010",
    "NvdecLoopTests.A_reader_goes_on": "a source that changes its size again and again",
    "NvdecKillTests.Killed_readers": "readers killed with SIGKILL leave no lease and no device memory",
    "NvdecKillTests.A_reader_of_killed_publishers": "a reader outlives publishers killed with SIGKILL and keeps no device memory",
}


def short(name):
    """A test's name without namespaces."""
    head, bracket, rest = name.partition("(")
    return ".".join(head.split(".")[-2:]) + bracket + rest


def tests_of(part, result):
    lines = []
    for suite in result["suites"]:
        names = {short(name): seconds for name, seconds in suite["testSeconds"].items()}
        failed = {short(failure["test"]): failure["text"] for failure in suite["failures"]}
        skipped = {short(skip["test"]): skip["text"] for skip in suite["skipped"]}
        lines.append(f"- **{part}**, {suite['suite']}: {suite['passed']} passed, {len(failed)} failed, {len(skipped)} skipped, in {suite['seconds']:.0f} s.")
        for begin, meaning in MEANINGS.items():
            rows = [name for name in names if name.startswith(begin)]
            if rows:
                good = len([name for name in rows if name not in failed])
                lines.append(f"  - {meaning}: {good} of {len(rows)} passed.")
        for kind, entries in (("Failed", failed), ("Skipped", skipped)):
            for name, text in entries.items():
                lines.append(f"  - {kind}: `{name}`: {' '.join(text.split())[:400]}")
    return lines


def mean(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.fmean(values) if values else None


def spread(rows, key, form):
    values = [row[key] for row in rows if row.get(key) is not None]
    if not values:
        return "?"
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def points_of(rows):
    points = {}
    for row in rows:
        points.setdefault((row["version"], row["cameras"], row["readers"]), {}).setdefault(row["side"], []).append(row)
    return points


COLUMNS = (
    ("CPU cores", "cpu_cores", "{:.3f}", 10), ("VRAM MiB", "vram_mib", "{:.0f}", 9), ("decoders", "decoders", "{:.0f}", 9), ("NVDEC", "nvdec", "{:.3f}", 7),
    ("frames/s", "frames_per_second", "{:.1f}", 9), ("on device", "device_to_device", "{:.2f}", 10), ("to host", "device_to_host", "{:.2f}", 8),
    ("to device", "host_to_device", "{:.2f}", 10), ("kernels", "launches", "{:.2f}", 8),
)


def table_of(points):
    lines = [
        " " * 45 + "".join(" " * column[3] for column in COLUMNS[:5]) + "  copies of planes per camera frame",
        f"{'FFmpeg':7}{'cameras':>8}{'readers':>8}  {'side':20}" + "".join(f"{column[0]:>{column[3]}}" for column in COLUMNS),
    ]
    for (version, cameras, readers), sides in points.items():
        for side, rows in sides.items():
            cells = "".join(f"{'?' if mean(rows, key) is None else form.format(mean(rows, key)):>{width}}" for _, key, form, width in COLUMNS)
            lines.append(f"{version:7}{cameras:8}{readers:8}  {side:20}{cells}")
    return ["    " + line.rstrip() for line in lines]


def sentences_of(points):
    lines = []
    for (version, cameras, readers), sides in points.items():
        if not {"cuframes", "ffmpeg"} <= set(sides):
            continue
        ours, theirs = sides["cuframes"], sides["ffmpeg"]
        count = cameras * readers
        cpu = mean(ours, "cpu_cores") / mean(theirs, "cpu_cores")
        memory = mean(ours, "vram_mib") / mean(theirs, "vram_mib") if mean(theirs, "vram_mib") else None
        lines.append(
            f"- FFmpeg {version}, {cameras} {'camera' if cameras == 1 else 'cameras'}, {readers} {'process' if readers == 1 else 'processes'} each: CPU {spread(ours, 'cpu_cores', '{:.3f}')} cores "
            f"(of that cuframesd {spread(ours, 'daemon_cpu_cores', '{:.3f}')}) against {spread(theirs, 'cpu_cores', '{:.3f}')}, **{cpu:.2f} of it**; "
            f"device memory {spread(ours, 'vram_mib', '{:.0f}')} MiB (of that cuframesd {spread(ours, 'daemon_vram_mib', '{:.0f}')}) against {spread(theirs, 'vram_mib', '{:.0f}')}, "
            f"**{'?' if memory is None else format(memory, '.2f')} of it**; NVDEC decoders {spread(ours, 'decoders', '{:.0f}')} against {spread(theirs, 'decoders', '{:.0f}')} for {count} {'process' if count == 1 else 'processes'}."
        )
        if mean(ours, "daemon_vram_mib") is not None:
            reader = (mean(ours, "cpu_cores") - mean(ours, "daemon_cpu_cores")) / count
            decoder = mean(theirs, "cpu_cores") / count
            daemon = mean(ours, "daemon_cpu_cores") / cameras
            enough = f"the daemon's {daemon:.4f} cores for a camera are made up for by {daemon / (decoder - reader):.1f} readers of it" if decoder > reader else "no number of readers makes up for the daemon"
            lines.append(
                f"  - For each process: a reader needs {reader:.4f} cores and {(mean(ours, 'vram_mib') - mean(ours, 'daemon_vram_mib')) / count:.0f} MiB, an ffmpeg that decodes {decoder:.4f} cores and "
                f"{mean(theirs, 'vram_mib') / count:.0f} MiB; {enough}."
            )
        if "cuframes-rendition" in sides:
            host = sides["cuframes-rendition"]
            share = mean(host, "vram_mib") / mean(theirs, "vram_mib") if mean(theirs, "vram_mib") else None
            lines.append(
                f"  - Read as a rendition in main memory (cuframes-rendition), where {spread(host, 'processes_with_driver', '{:.0f}')} of {spread(host, 'processes', '{:.0f}')} processes loads the driver: {spread(host, 'cpu_cores', '{:.3f}')} cores, "
                f"**{mean(host, 'cpu_cores') / mean(theirs, 'cpu_cores'):.2f} of it**; {spread(host, 'vram_mib', '{:.0f}')} MiB, **{'?' if share is None else format(share, '.2f')} of it**."
            )
    copies = [row for sides in points.values() for row in sides.get("cuframes", [])]
    if copies:
        lines.append(
            f"- Readers of the daemon's frames copied {spread(copies, 'readers_device_to_device', '{:.3f}')} planes per camera frame on the device and {spread(copies, 'host_to_device', '{:.3f}')} to it; all that is copied there "
            f"on this side ({spread(copies, 'device_to_device', '{:.2f}')}) is the daemon's one copy of each frame into its ring, two planes."
        )
        said = {(row["decoders"], row["daemon_decoders"]) for row in copies}
        lines.append("- The daemon's log names as many decoders as were counted." if all(counted == named for counted, named in said)
                     else f"- Decoders counted and decoders that the daemon's log names differ: {sorted(said)}.")
    ratios = {
        point: {key: mean(sides["cuframes"], key) / mean(sides["ffmpeg"], key) for key in ("cpu_cores", "vram_mib", "decoders") if mean(sides["ffmpeg"], key)}
        for point, sides in points.items() if {"cuframes", "ffmpeg"} <= set(sides)
    }
    for key, what in (("cpu_cores", "CPU"), ("vram_mib", "Device memory"), ("decoders", "Decoders")):
        less = [point for point, ratio in ratios.items() if ratio.get(key, 1) < 1]
        more = [point for point, ratio in ratios.items() if ratio.get(key, 1) > 1]
        names = {True: less, False: more}
        text = "; ".join(
            f"{'less' if fewer else 'more'} than decoding in each process with " + ", ".join(f"{cameras} x {readers} ({version}: {ratios[version, cameras, readers][key]:.2f})" for version, cameras, readers in names[fewer])
            for fewer in (True, False) if names[fewer])
        lines.append(f"- **{what}**, by cameras x processes each: {text or 'the same everywhere'}.")
    if any(ratio.get("vram_mib", 0) > 1 for ratio in ratios.values()):
        lines.append(
            "- **Device memory is not saved by readers that are CUDA programs**: each has a context of its own, which weighs as much as a decoder with its surfaces. Where memory is short, a rendition in main memory "
            "(`memory: host`) spares each reader the context: [measured in the part cameras](../2026-11-21-h200-renditions/README.md)."
        )
    return lines


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    *sources, target = (pathlib.Path(argument) for argument in arguments)
    target.mkdir(parents=True, exist_ok=True)
    found = {}
    for source in sources:
        for path in sorted(source.glob("*.json")):
            found[path.stem] = path
    results = {name: json.loads(path.read_text()) for name, path in found.items()}
    if not results:
        print(f"There is no result in {', '.join(map(str, sources))}.", file=sys.stderr)
        return 1
    for name, path in found.items():
        shutil.copy(path, target / path.name)
        log = path.with_suffix(".log")
        if log.exists():
            shutil.copy(log, target / log.name)
        raw = path.parent / f"{name}-raw"
        for sample in sorted(raw.glob("*")) if raw.is_dir() else []:
            (target / "raw").mkdir(exist_ok=True)
            shutil.copy(sample, target / "raw" / sample.name)
    for source in sources:
        if (source / "machine.log").exists():
            shutil.copy(source / "machine.log", target / "machine.log")

    first = next(iter(results.values()))
    commits = {}
    for name, result in results.items():
        commit = next((line.removeprefix("commit ") for line in result.get("bundle") or [] if line.startswith("commit ")), result.get("commit") or "?")
        commits.setdefault(commit[:7] + commit[40:], []).append(name)
    made_of = "; ".join("{} ({})".format(commit, ", ".join(names)) for commit, names in commits.items())
    machine = next((result["machine"] for result in results.values() if result.get("machine")), None)
    devices = {result["uuid"] for result in results.values() if result.get("uuid")}
    where = "" if len(devices) < 2 else f"The folders are of {len(devices)} machines of this kind. "
    text = [f"# ffmpeg on one {first['device']}, driver {first['driver']}, {first['date'][:10]}", ""]
    text += [
        f"Made on a virtual machine{'' if machine is None else ' with {} cores'.format(machine['cores'])} by archives of `gpu/build-bundle.sh`, of {made_of}: "
        f"`run-gpu-short FOLDER {' '.join(found)}`. {where}The JSON files have each figure, test and command, raw/ the single samples, the logs what was printed. `gpu/ffmpeg-report.py` wrote this page from them.", "",
    ]
    tests = {name: result for name, result in results.items() if "suites" in result}
    if tests:
        text += ["## Tests", ""]
        for part, result in tests.items():
            text += tests_of(part, result)
        text.append("")
    if "ffmpeg" in results.get("ffmpeg", {}):
        figures = results["ffmpeg"]["ffmpeg"]
        points = points_of(figures["rows"])
        text += [
            "## Readers of one daemon, and as many ffmpegs that decode", "",
            f"Cameras of 1080p H.264 at {figures['rate']} frames per second. Each ffmpeg process makes of its camera what Frigate's detector wants: `{figures['detector']}`. Side cuframes: cuframesd decodes each camera once into "
            "device memory, and every ffmpeg reads with `-hwaccel cuda -hwaccel_output_format cuda -f cuframes`. Side ffmpeg: every ffmpeg decodes the file by NVDEC. Side cuframes-rendition: cuframesd also scales the pictures that the "
            "detector wants, once, and downloads them into a ring in main memory; the ffmpegs read that and have no CUDA. Means of the repetitions; the sides took turns.", "",
            *table_of(points), "", *sentences_of(points), "",
        ]
    for name, result in results.items():
        for part, about in result.get("parts", {}).items():
            if about.get("not_measured"):
                text.append(f"The part {part} was not measured: {about['not_measured']}")
    (target / "README.md").write_text("\n".join(text).rstrip() + "\n")
    print(target / "README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
