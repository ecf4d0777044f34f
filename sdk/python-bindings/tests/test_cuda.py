# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames in CUDA memory, on the double of the driver: its device pointers are addresses of this process, so that they can be looked at here."""

import ctypes
import json
import os
import subprocess
import sys
import threading

import checker
import cuframes
import device
import dlpack
import numpy
import pytest
import stamp
import support
from cuframes import _picture


class Blocker:
    """A stream that comes to nothing until it is let go."""

    def __init__(self, context):
        self._driver = device.Driver(context)
        self.stream = self._driver.stream()
        self._address, self._flag = self._driver.pinned(8)
        self._flag[:] = 0
        pointer = ctypes.c_uint64()
        self._driver.call("cuMemHostGetDevicePointer_v2", ctypes.byref(pointer), self._address, 0)
        self._driver.call("cuStreamWaitValue64_v2", self.stream, pointer, ctypes.c_uint64(1), 0)

    def let_go(self):
        self._flag[0] = 1
        self._driver.call("cuStreamSynchronize", self.stream)

    def close(self):
        self.let_go()
        self._driver.call("cuStreamDestroy_v2", self.stream)
        self._driver.call("cuMemFreeHost", self._address)


class Stage:
    """A publisher and a subscriber in CUDA memory. Handles of events and of legacy memory cannot be opened by the process that made them: with a peer the publisher
    is in another one."""

    def __init__(self, directory, pixel_format="nv12", memory="cuda", peer=None, **options):
        self.peer = peer
        self.publisher = self._writer = None
        if peer:
            peer.expect("ready")
            peer.ask("open", "open")
        else:
            self.publisher = cuframes.Publisher("a", pixel_format, 94, 62, memory=memory, directory=directory, slots=4, max_slots=4)
            self._writer = device.DeviceWriter(self.publisher.info.cuda_context)
        self.subscriber = cuframes.Subscriber("a", directory=directory, leases=4, timeout=90, **options)
        self._blockers = []

    def publish(self, count=1):
        if self.peer:
            assert self.peer.ask(f"publish {count}", "publish")["published"] == count
            return
        info = self.publisher.info
        for sequence in range(info.head + 1, info.head + 1 + count):
            with self.publisher.frame(stream=self._writer.stream.value) as frame:
                self._writer.write(frame, stamp.number_of(info.epoch, sequence))
                frame.pts = stamp.pts_of(sequence)
                frame.source_packet = sequence

    def try_publish(self):
        """Publishes if a slot is free: the device's work that ends leases may lag behind on a busy machine."""
        try:
            if self.peer:
                if self.peer.ask("publish 1", "publish")["published"] == 1:
                    return True
            else:
                self.publish()
                return True
        except cuframes.Dropped:
            pass
        # Looking for a frame ends the leases whose work is done.
        with pytest.raises(cuframes.TimedOut):
            self.subscriber.next(timeout=0)
        return False

    def blocker(self):
        self._blockers.append(Blocker(self.subscriber.info.cuda_context))
        return self._blockers[-1]

    def slot_is_held(self, pointer, wanted):
        """While rings of frames are published: the slot at the pointer is not used."""
        for _ in range(12):
            support.wait_until(self.try_publish, "a slot is free")
            with self.subscriber.next() as frame:
                assert frame.planes[0]._raw.data != pointer
                assert checker.fault_of(frame) is None
        assert bytes_at(pointer, 62, 94, 128) == wanted

    def slot_is_used_again(self, pointer):
        def is_used():
            support.wait_until(self.try_publish, "a slot is free")
            with self.subscriber.next() as frame:
                return frame.planes[0]._raw.data == pointer

        support.wait_until(is_used, "the slot is used again")
        support.wait_until(lambda: support.held(self.subscriber) == 0 or self._turn(), "nothing is held")

    def _turn(self):
        support.wait_until(self.try_publish, "a slot is free")
        self.subscriber.next().release()

    def close(self):
        for blocker in self._blockers:
            blocker.close()
        self.subscriber.close()
        if self.publisher:
            self._writer.close()
            self.publisher.close()


def bytes_at(pointer, rows, row_bytes, pitch):
    """What lies at a device pointer of the double."""
    return b"".join(ctypes.string_at(pointer + row * pitch, row_bytes) for row in range(rows))


@pytest.fixture
def stage(directory, peers):
    stages = []

    def make(pixel_format="nv12", memory="cuda", **options):
        peer = None
        if memory == "cuda-ipc" or "event" in options.get("fences", ()):
            peer = peers("publisher", "--key", "a", "--format", f"{pixel_format}:94x62", "--memory", memory, "--slots", 4, "--max-slots", 4)
        stages.append(Stage(directory, pixel_format, memory, peer, **options))
        return stages[-1]

    yield make
    for each in stages:
        each.close()


@pytest.mark.parametrize("memory", ["cuda", "cuda-ipc"])
@pytest.mark.parametrize("pixel_format", ["nv12", "p010", "i420", "rgb24", "bgra", "gray8"])
def test_the_cuda_array_interface_tells_the_frames_memory(stage, pixel_format, memory):
    it = stage(pixel_format, memory)
    it.publish()
    with it.subscriber.next() as frame:
        assert (frame.memory, frame.cuda_device) == ("cuda", 0)
        assert it.subscriber.info.cuda_context and it.subscriber.info.cuda_device_uuid.startswith("GPU-")
        for plane, wanted in zip(frame.planes, stamp.picture_of(support.number(frame), pixel_format, 94, 62)):
            told = plane.__cuda_array_interface__
            assert (told["version"], told["stream"], told["shape"], told["strides"]) == (3, None, plane.shape, plane.strides)
            assert told["typestr"] == ("<u2" if pixel_format == "p010" else "|u1")
            pointer, readonly = told["data"]
            assert readonly is True and pointer == plane.pointer
            assert bytes_at(pointer, plane.rows, plane.row_bytes, plane.pitch) == wanted.tobytes()
            assert plane.__dlpack_device__() == (2, 0)
        assert frame.to_host() == b"".join(plane.tobytes() for plane in stamp.picture_of(support.number(frame), pixel_format, 94, 62))


def test_what_is_for_main_memory_is_refused(stage):
    it = stage()
    it.publish()
    with it.subscriber.next() as frame:
        assert not hasattr(frame.y, "__array_interface__")
        with pytest.raises(TypeError, match="to_host"):
            numpy.asarray(frame.y)
        for use in (frame.y.memoryview, frame.y.tobytes, lambda: frame.y.row(0)):
            with pytest.raises(BufferError, match="CUDA memory"):
                use()
        for arguments in ({"copy": True}, {"dl_device": (1, 0)}, {"dl_device": (2, 1)}, {"stream": 0}):
            with pytest.raises(BufferError):
                frame.y.__dlpack__(**arguments)
        with pytest.raises(TypeError):
            frame.y.__dlpack__(stream="one")
        with pytest.raises(TypeError):
            frame.release(stream="one")
        assert not frame.is_released


@pytest.mark.parametrize("versioned", [False, True])
def test_dlpack_tensors_tell_the_frames_memory(stage, versioned):
    it = stage()
    it.publish()
    with it.subscriber.next() as frame:
        for plane in frame.planes:
            with dlpack.Tensor(plane.__dlpack__(stream=1, max_version=(1, 0) if versioned else None)) as tensor:
                assert tensor.is_versioned == versioned and tensor.device == (2, 0) and tensor.pointer == plane.pointer
                assert tensor.shape == plane.shape and tensor.strides == plane.strides and tensor.dtype == (1, 8, 1)
                assert not versioned or tensor.flags == 1


@pytest.mark.parametrize("fence", ["cpu", "stream", "event"])
def test_release_with_a_stream_holds_the_slot_until_its_work_is_done(stage, fence):
    it = stage(fences=("cpu", fence))
    it.publish()
    frame = it.subscriber.next()
    assert it.subscriber.info.release_fence == fence
    pointer, wanted = frame.y.pointer, bytes_at(frame.y.pointer, 62, 94, 128)
    blocker = it.blocker()
    if fence == "cpu":
        # Such a release waits itself, with the GIL let go.
        thread = threading.Thread(target=frame.release, args=(blocker.stream.value,))
        thread.start()
        it.slot_is_held(pointer, wanted)
        assert thread.is_alive()
        blocker.let_go()
        thread.join()
    else:
        frame.release(blocker.stream.value)
        it.slot_is_held(pointer, wanted)
        assert support.held(it.subscriber) == 1
        blocker.let_go()
    it.slot_is_used_again(pointer)


class TorchStream:
    def __init__(self, pointer):
        self.cuda_stream = pointer


class CupyStream:
    def __init__(self, pointer):
        self.ptr = pointer


class CudaStream:
    def __init__(self, pointer):
        self._pointer = pointer

    def __cuda_stream__(self):
        return 0, self._pointer


@pytest.mark.parametrize("kind", [int, TorchStream, CupyStream, CudaStream, ctypes.c_void_p])
def test_streams_of_all_kinds_are_honoured(stage, kind):
    it = stage()
    it.publish()
    frame = it.subscriber.next()
    pointer, wanted = frame.y.pointer, bytes_at(frame.y.pointer, 62, 94, 128)
    blocker = it.blocker()
    frame.release(stream=kind(blocker.stream.value))
    it.slot_is_held(pointer, wanted)
    blocker.let_go()
    it.slot_is_used_again(pointer)


@pytest.mark.parametrize("is_frame_first", [False, True])
def test_a_deleted_tensor_holds_the_slot_until_its_consumers_stream_is_done(stage, is_frame_first):
    it = stage()
    it.publish()
    frame = it.subscriber.next()
    pointer, wanted = frame.planes[0]._raw.data, bytes_at(frame.planes[0]._raw.data, 62, 94, 128)
    blocker = it.blocker()
    tensor = dlpack.Tensor(frame.y.__dlpack__(stream=blocker.stream.value, max_version=(1, 1)))
    if is_frame_first:
        frame.release()
        it.slot_is_held(pointer, wanted)
        tensor.delete()
    else:
        tensor.delete()
        frame.release()
    it.slot_is_held(pointer, wanted)
    blocker.let_go()
    it.slot_is_used_again(pointer)


@pytest.mark.parametrize("is_frame_first", [False, True])
def test_an_array_keeps_the_lease_and_then_the_named_stream_does(stage, is_frame_first):
    it = stage()
    it.publish()
    frame = it.subscriber.next()
    plane = frame.y
    pointer = plane.__cuda_array_interface__["data"][0]
    wanted = bytes_at(pointer, 62, 94, 128)
    blocker = it.blocker()
    if is_frame_first:
        frame.release(blocker.stream.value)
        it.slot_is_held(pointer, wanted)
        del plane
    else:
        del plane
        frame.release(blocker.stream.value)
    it.slot_is_held(pointer, wanted)
    blocker.let_go()
    del frame
    it.slot_is_used_again(pointer)


@pytest.mark.parametrize("export", ["pointer", "__cuda_array_interface__", "__dlpack__"])
def test_without_a_stream_the_default_stream_is_waited_for(stage, export):
    """The legacy default stream waits for a blocking stream that waits for us."""
    it = stage()
    it.publish()
    frame = it.subscriber.next()
    plane = frame.y
    pointer, wanted = plane._raw.data, bytes_at(plane._raw.data, 62, 94, 128)
    made = getattr(plane, export)
    tensor = dlpack.Tensor(made()) if export == "__dlpack__" else None
    driver = device.Driver(it.subscriber.info.cuda_context)
    address, flag = driver.pinned(8)
    flag[:] = 0
    target = ctypes.c_uint64()
    driver.call("cuMemHostGetDevicePointer_v2", ctypes.byref(target), address, 0)
    driver.call("cuStreamWaitValue64_v2", None, target, ctypes.c_uint64(1), 0)
    try:
        if tensor:
            tensor.delete()
        del plane, made
        frame.release()
        for _ in range(12):
            it.publish()
        assert support.held(it.subscriber) == 1 and support.held(it.publisher) == 1
        assert bytes_at(pointer, 62, 94, 128) == wanted
    finally:
        flag[0] = 1
    it.slot_is_used_again(pointer)
    driver.call("cuMemFreeHost", address)


def test_a_frame_of_which_nothing_was_taken_is_released_at_once(stage):
    it = stage()
    it.publish()
    frame = it.subscriber.next()
    blocker = it.blocker()
    frame.release()
    assert support.held(it.subscriber) == 0
    blocker.let_go()


def test_tensors_are_deleted_by_threads_without_the_gil(stage):
    it = stage()
    for _ in range(50):
        support.wait_until(it.try_publish, "a slot is free")
        with it.subscriber.next() as frame:
            tensors = [dlpack.Tensor(plane.__dlpack__(stream=2, max_version=(1, 0))) for plane in frame.planes]
            threads = [threading.Thread(target=tensor.delete) for tensor in tensors]
            for thread in threads:
                thread.start()
        for thread in threads:
            thread.join()
    support.wait_until(lambda: support.held(it.subscriber) == 0 or it._turn(), "nothing is held")


def test_planes_of_an_open_frame_can_be_written_by_any_interface(stage):
    it = stage()
    with it.publisher.frame() as picture:
        told = picture.y.__cuda_array_interface__
        assert told["data"] == (picture.y.pointer, False)
        with dlpack.Tensor(picture.uv.__dlpack__(stream=1, max_version=(1, 0))) as tensor:
            assert tensor.pointer == picture.uv.pointer and tensor.flags == 0 and tensor.device == (2, 0)
            assert tensor.shape == (31, 47, 2) and tensor.strides == picture.uv.strides
        for pointer, rows in ((told["data"][0], 62), (tensor.pointer, 31)):
            for row in range(rows):
                ctypes.memset(pointer + row * told["strides"][0], row, 94)
    with it.subscriber.next() as frame:
        assert frame.to_host() == b"".join(bytes([row]) * 94 for row in range(62)) + b"".join(bytes([row]) * 94 for row in range(31))
    with pytest.raises(cuframes.InvalidArgument, match="torch"):
        it.publisher.publish(bytes(94 * 62), bytes(94 * 31))


def test_a_snapshot_of_a_stream_in_cuda_memory(stage, directory, tmp_path):
    it = stage()
    it.publish()
    path = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, "-m", "cuframes", "snapshot", "a", str(path), "--json"], capture_output=True, text=True, timeout=support.PATIENCE,
        env={**os.environ, "CUFRAMES_DIR": directory, "PYTHONPATH": str(support.PACKAGE)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["memory"], told["sequence"], told["format"]) == ("cuda", 1, "nv12")
    data = b"".join(plane.tobytes() for plane in stamp.picture_of(stamp.number_of(it.publisher.info.epoch, 1), "nv12", 94, 62))
    assert path.read_bytes() == _picture.png_of(_picture.picture_of(data, "nv12", 94, 62, 2, False))
