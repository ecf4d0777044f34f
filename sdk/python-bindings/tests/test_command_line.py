# SPDX-License-Identifier: LGPL-2.1-or-later
"""python -m cuframes, and the examples."""

import json
import os
import re
import signal
import subprocess
import sys
import threading

import cuframes
import numpy
import pytest
import support
from cuframes import _picture

# Even, because libswscale places chroma samples of odd sizes in another way; those are compared with the equations.
WIDTH, HEIGHT = 646, 362


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "cuframes", *arguments], capture_output=True, text=True, timeout=support.PATIENCE, env={**os.environ, "PYTHONPATH": str(support.PACKAGE)},
        **options)


def ffmpeg(*arguments, data=b""):
    return subprocess.run(["ffmpeg", "-v", "error", *arguments, "-"], input=data, capture_output=True, check=True).stdout


def pixels(png):
    """R, G and B of a PNG file, as ffmpeg reads it."""
    return numpy.frombuffer(ffmpeg("-f", "png_pipe", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", data=png), numpy.uint8)


@pytest.fixture
def stream(runtime_directory):
    """A stream with a frame each 10 ms."""
    stop = threading.Event()
    threads = []

    def start(key, pixel_format, width, height, data=None, **facts):
        publisher = cuframes.Publisher(key, pixel_format, width, height, rate=100, source="a test", colour_matrix=facts.pop("colour_matrix", 2), colour_range=facts.pop("colour_range", "unknown"))

        def publish():
            with publisher:
                while not stop.wait(0.01):
                    if data is None:
                        support.publish(publisher)
                    else:
                        publisher.publish(data, **facts)

        threads.append(threading.Thread(target=publish))
        threads[-1].start()
        support.wait_until(lambda: publisher.info.head > 0, "the first frame is published")
        return publisher

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def test_ls(stream, runtime_directory):
    assert run("ls").stderr == f"No stream is published in {runtime_directory}.\n"
    assert json.loads(run("ls", "--json").stdout) == {"directory": runtime_directory, "streams": []}
    stream("one", "nv12", 94, 62)
    epoch = stream("two", "gray8", 64, 48).info.epoch
    done = run("ls")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split()[:5] == ["KEY", "STATE", "FORMAT", "SIZE", "FPS"]
    assert [line.split()[:5] for line in lines[1:]] == [["one", "live", "nv12", "94x62", "100.0"], ["two", "live", "gray8", "64x48", "100.0"]]
    told = json.loads(run("ls", "--json").stdout)
    assert [each["key"] for each in told["streams"]] == ["one", "two"] and told["streams"][1]["epoch"] == f"{epoch:016x}"
    assert told["streams"][0]["format"]["pixel_format"] == "nv12" and told["streams"][0]["error"] is None


def test_watch(stream, runtime_directory):
    stream("one", "nv12", 94, 62)
    lines = [json.loads(line) for line in run("watch", "one", "--seconds", "1.3", "--json").stdout.splitlines()]
    assert [line["type"] for line in lines] == ["interval"] * (len(lines) - 1) + ["total"]
    total = lines[-1]
    assert total["frames"] == sum(line["frames"] for line in lines[:-1]) > 0 and total["state"] == "live" and total["format"] == "nv12 94x62"
    assert 0 < total["latency_us"]["p50"] <= total["latency_us"]["p99"] <= total["latency_us"]["max"]
    done = run("watch", "one", "--seconds", "0.5", "--delivery", "in-order")
    assert re.match(r"live +nv12 94x62 +[0-9.]+ fps", done.stdout) and done.stdout.splitlines()[-1].startswith("all ")
    none = run("watch", "nobody", "--seconds", "0.2", "--json")
    assert none.returncode == 5 and json.loads(none.stdout.splitlines()[-1])["error"]["code"] == 26


def test_watch_ends_with_control_c(stream, runtime_directory):
    stream("one", "gray8", 64, 48)
    with subprocess.Popen([sys.executable, "-m", "cuframes", "watch", "one", "--json"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(support.PACKAGE)}) as process:
        assert json.loads(process.stdout.readline())["type"] == "interval"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().splitlines()
        assert json.loads(rest[-1])["type"] == "total" and process.wait(support.PATIENCE) == 0


PIXEL_FORMATS = {"nv12": "nv12", "i420": "yuv420p", "p010": "p010le", "rgb24": "rgb24", "bgr24": "bgr24", "rgba": "rgba", "bgra": "bgra"}
MATRICES = {1: "bt709", 6: "bt601", 9: "bt2020"}


@pytest.fixture(scope="module")
def source():
    """A picture with every colour and with edges."""
    return ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate=1", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24")


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize("pixel_format", ["nv12", "i420", "p010"])
def test_snapshot_has_the_colours_that_ffmpeg_gives(stream, tmp_path, source, pixel_format, colour_range, matrix):
    raw = ["-f", "rawvideo", "-s", f"{WIDTH}x{HEIGHT}", "-pix_fmt"]
    data = ffmpeg(*raw, "rgb24", "-i", "-", "-vf", f"scale=out_color_matrix={MATRICES[matrix]}:out_range={colour_range}", "-f", "rawvideo", "-pix_fmt", PIXEL_FORMATS[pixel_format], data=source)
    # libswscale takes a sample of chroma for both columns and rows with this flag, as we do.
    wanted = numpy.frombuffer(ffmpeg(
        *raw, PIXEL_FORMATS[pixel_format], "-i", "-", "-vf", f"scale=in_color_matrix={MATRICES[matrix]}:in_range={colour_range}:flags=neighbor+accurate_rnd+full_chroma_int", "-f",
        "rawvideo", "-pix_fmt", "rgb24", data=data), numpy.uint8)
    stream("one", pixel_format, WIDTH, HEIGHT, data, colour_matrix=matrix, colour_range=colour_range)
    path = tmp_path / "picture.png"
    done = run("snapshot", "one", str(path))
    assert done.returncode == 0 and f"{WIDTH}x{HEIGHT}" in done.stdout, done.stderr
    found = pixels(path.read_bytes())
    difference = numpy.abs(found.astype(int) - wanted)
    # Rounding of one conversion is not that of the other; that of P010 to 8 bits comes before in ours.
    assert difference.max() <= (1 if pixel_format != "p010" else 3), difference.max()
    assert difference.mean() < 0.6


@pytest.mark.parametrize("width,height", [(1, 1), (2, 2), (3, 5), (65, 33), (64, 720)])
@pytest.mark.parametrize("matrix", [1, 2, 5, 7, 9])
@pytest.mark.parametrize("is_full_range", [False, True])
def test_colours_follow_the_equations_at_any_size(width, height, matrix, is_full_range):
    red, blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}[matrix if matrix != 2 else 1 if height >= 720 else 5]
    random = numpy.random.default_rng(width + height)
    columns, rows = (width + 1) // 2, (height + 1) // 2
    y, u, v = (random.integers(0, 256, shape, numpy.uint8) for shape in ((height, width), (rows, columns), (rows, columns)))
    luma = y / 255 if is_full_range else (y - 16.0) / 219
    first, second = (((each - 128.0) / (255 if is_full_range else 224)).repeat(2, 0).repeat(2, 1)[:height, :width] for each in (u, v))
    r = luma + 2 * (1 - red) * second
    b = luma + 2 * (1 - blue) * first
    g = (luma - red * r - blue * b) / (1 - red - blue)
    for pixel_format, data in (
            ("i420", y.tobytes() + u.tobytes() + v.tobytes()), ("nv12", y.tobytes() + numpy.stack([u, v], -1).tobytes()),
            ("p010", b"".join((each.astype(numpy.uint16) << 8).tobytes() for each in (y, numpy.stack([u, v], -1))))):
        picture = _picture.picture_of(data, pixel_format, width, height, matrix, is_full_range)
        for found, wanted in zip(picture[2:], (r, g, b)):
            found = numpy.frombuffer(found, numpy.uint8).reshape(height, width)
            # G's chroma terms are rounded to a quarter of a level.
            assert numpy.abs(found - numpy.clip(wanted * 255, 0, 255)).max() < 0.64


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24", "rgba", "bgra"])
def test_snapshot_of_packed_formats_is_exact(stream, tmp_path, source, pixel_format):
    data = ffmpeg("-f", "rawvideo", "-s", f"{WIDTH}x{HEIGHT}", "-pix_fmt", "rgb24", "-i", "-", "-f", "rawvideo", "-pix_fmt", pixel_format, data=source)
    stream("one", pixel_format, WIDTH, HEIGHT, data, rotation=1, pts=5)
    path = tmp_path / "picture.png"
    told = json.loads(run("snapshot", "one", str(path), "--json").stdout)
    assert (told["width"], told["height"], told["rotated_degrees"], told["format"], told["pts_ns"]) == (HEIGHT, WIDTH, 90, pixel_format, 5)
    wanted = numpy.rot90(numpy.frombuffer(source, numpy.uint8).reshape(HEIGHT, WIDTH, 3), -1)
    assert told["bytes"] == path.stat().st_size
    numpy.testing.assert_array_equal(pixels(path.read_bytes()).reshape(WIDTH, HEIGHT, 3), wanted)


def test_pictures_are_turned_clockwise():
    array = numpy.random.default_rng(1).integers(0, 256, (5, 7, 3), numpy.uint8)
    picture = _picture.Picture(7, 5, *(array[:, :, channel].tobytes() for channel in range(3)))
    for turns in range(4):
        turned = _picture.turned(picture, turns)
        wanted = numpy.rot90(array, -turns)
        assert (turned.height, turned.width) == wanted.shape[:2]
        assert [plane for plane in turned[2:]] == [wanted[:, :, channel].tobytes() for channel in range(3)]


def test_grey_follows_its_range():
    ramp = bytes(range(256))
    assert _picture.picture_of(ramp, "gray8", 256, 1, 2, True).green == ramp
    limited = _picture.picture_of(ramp, "gray8", 256, 1, 2, False).green
    assert (limited[0], limited[16], limited[126], limited[235], limited[255]) == (0, 0, 128, 255, 255)


def test_snapshot_keeps_what_is_there(stream, tmp_path):
    stream("one", "gray8", 64, 48)
    path = tmp_path / "picture.png"
    path.write_bytes(b"mine")
    done = run("snapshot", "one", str(path))
    assert done.returncode == 2 and "--force" in done.stderr and path.read_bytes() == b"mine"
    assert run("snapshot", "one", str(path), "--force").returncode == 0 and path.read_bytes().startswith(b"\x89PNG")
    for wrong in (str(tmp_path), str(tmp_path / "no" / "picture.png")):
        assert run("snapshot", "one", wrong).returncode == 2
    assert run("snapshot", "nobody", str(tmp_path / "other.png")).returncode == 3
    assert os.listdir(tmp_path) == ["picture.png"]


def test_usage():
    assert run().returncode == 2 and run("dance").returncode == 2
    assert run("--version").stdout == f"cuframes {cuframes.__version__}\n" and "snapshot" in run("--help").stdout


def example(name, *arguments):
    return subprocess.run([sys.executable, str(support.ROOT / "examples" / "python" / name), *arguments], capture_output=True, text=True, timeout=support.PATIENCE,
                          env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})


def test_the_numpy_example_reads_without_a_copy(stream):
    data = bytes(range(256)) * 12
    stream("one", "gray8", 64, 48, data)
    done = example("read_numpy.py", "one", "--frames", "5", "--check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gray8 64x48, mean 127.50\n") == 5 and done.stdout.count("the same memory") == 5 and "a copy" not in done.stdout


def test_the_asyncio_example_reads_four_cameras(stream):
    for index in range(4):
        stream(f"camera{index}", "nv12", 94, 62)
    done = example("read_asyncio.py", *(f"camera{index}" for index in range(4)), "--frames", "20")
    assert done.returncode == 0, done.stderr
    for index in range(4):
        assert len(re.findall(f"^camera{index}: frame [0-9]+ nv12 94x62", done.stdout, re.MULTILINE)) == 20


def test_the_packets_example_prints_each_packet(directory):
    import zlib
    from fractions import Fraction

    with cuframes.PacketPublisher("one", directory=directory) as publisher:
        publisher.add_track(cuframes.PacketTrack("video", "h264", Fraction(1, 90000), 64, 48, extradata=b"abc"))
        for sequence in range(1, 11):
            publisher.publish(0, bytes([sequence]) * sequence, pts=sequence, key=sequence == 1)
        done = subprocess.run([sys.executable, str(support.ROOT / "examples" / "python" / "read_packets.py"), "one", "10"], capture_output=True, text=True,
                              timeout=support.PATIENCE, env={**os.environ, "PYTHONPATH": str(support.PACKAGE), "CUFRAMES_DIR": directory})
    lines = [f"packet {sequence}: track 0, {sequence} bytes{', key' if sequence == 1 else ''}, pts {sequence}, crc {zlib.crc32(bytes([sequence]) * sequence):08x}"
             for sequence in range(1, 11)]
    assert done.stdout.splitlines() == ["track 0: video h264 64x48, 3 bytes of extradata", *lines, "10 packets read, 0 missed"], done.stderr
