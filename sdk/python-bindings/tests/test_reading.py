# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading frames in main memory."""

import gc
import threading
import time

import checker
import cuframes
import numpy
import pytest
import stamp
import support
from cuframes import _structures


@pytest.mark.parametrize("pixel_format,width,height", support.FORMATS)
@pytest.mark.parametrize("language", ["python", "c#"])
def test_every_byte_of_every_format_from_another_process(peers, directory, language, pixel_format, width, height):
    peer = peers("publish", "--key", "a", "--format", f"{pixel_format}:{width}x{height}", "--frames", 20, "--start-on-go", 1, "--lossless-ms", 20000, language=language)
    peer.expect("ready")
    with cuframes.Subscriber("a", directory=directory, delivery="lossless", timeout=support.PATIENCE) as subscriber:
        peer.send("go")
        for sequence in range(1, 21):
            with subscriber.next() as frame:
                assert (frame.sequence, frame.missed) == (sequence, 0)
                assert (frame.pixel_format, frame.width, frame.height, frame.memory, frame.cuda_device) == (pixel_format, width, height, "host", None)
                assert checker.fault_of(frame) is None
                picture = stamp.picture_of(support.number(frame), pixel_format, width, height)
                for plane, wanted in zip(frame.planes, picture):
                    dtype = numpy.dtype(support.dtype_of(pixel_format))
                    for array in (numpy.asarray(plane), numpy.from_dlpack(plane)):
                        assert array.dtype == dtype and array.shape == plane.shape and array.strides == plane.strides
                        assert array.__array_interface__["data"] == (plane.pointer, True)
                        assert numpy.ascontiguousarray(array).tobytes() == wanted.tobytes()
                    assert b"".join(plane.row(row) for row in range(plane.rows)) == wanted.tobytes()
                    assert plane.tobytes() == wanted.tobytes()
                    assert len(plane.memoryview()) == (plane.rows - 1) * plane.pitch + plane.row_bytes
                whole = b"".join(wanted.tobytes() for wanted in picture)
                assert frame.to_host() == whole
                target = numpy.zeros(len(whole), numpy.uint8)
                assert frame.to_host(target) is target and target.tobytes() == whole
    peer.exit()


def test_shapes_and_names(directory):
    wanted = {
        "nv12": {"y": (33, 65), "uv": (17, 33, 2)}, "p010": {"y": (33, 65), "uv": (17, 33, 2)}, "i420": {"y": (33, 65), "u": (17, 33), "v": (17, 33)},
        "gray8": {"y": (33, 65)}, "rgb24": {"rgb": (33, 65, 3)}, "bgr24": {"bgr": (33, 65, 3)}, "rgba": {"rgba": (33, 65, 4)}, "bgra": {"bgra": (33, 65, 4)},
        "rgbp": {"rgb": (3, 33, 65)}, "bgrp": {"bgr": (3, 33, 65)}, "rgbp_f16": {"rgb": (3, 33, 65)}, "bgrp_f16": {"bgr": (3, 33, 65)},
        "rgbp_f32": {"rgb": (3, 33, 65)}, "bgrp_f32": {"bgr": (3, 33, 65)},
    }
    names = {name for shapes in wanted.values() for name in shapes}
    with cuframes.Publisher("a", directory=directory, memory_limit=64 << 20) as publisher, cuframes.Subscriber(
            "a", directory=directory, timeout=support.PATIENCE) as subscriber:
        for pixel_format, shapes in wanted.items():
            publisher.configure(pixel_format, 65, 33)
            support.publish(publisher)
            with subscriber.next() as frame:
                assert frame.pixel_format == pixel_format
                assert {plane.name: plane.shape for plane in frame.planes} == shapes
                for name in names:
                    if name in shapes:
                        plane = getattr(frame, name)
                        assert plane.shape == shapes[name] and plane.pointer == frame.planes[plane.index].pointer
                        assert plane.dtype == support.dtype_of(pixel_format)
                    else:
                        with pytest.raises(AttributeError, match="has no plane"):
                            getattr(frame, name)


def test_what_is_told_of_a_frame(directory):
    facts = {
        "pts": -1234567890123, "capture_time": 1700000000000000001, "arrival_time": 42, "source_packet": 7, "duration": 40000001, "flags": cuframes.FrameFlags(31),
        "picture_type": "bidirectional", "colour_matrix": 9, "colour_range": "full", "colour_primaries": 9, "colour_transfer": 16, "rotation": 3, "chroma_location": 1,
    }
    nothing = {
        "pts": None, "capture_time": None, "arrival_time": None, "source_packet": None, "duration": None, "flags": cuframes.FrameFlags(0), "picture_type": "unknown",
        "colour_matrix": 1, "colour_range": "limited", "colour_primaries": 1, "colour_transfer": 1, "rotation": 0, "chroma_location": None,
    }
    with cuframes.Publisher("a", "gray8", 64, 48, rate=25, colour_matrix=1, colour_range="limited", colour_primaries=1, colour_transfer=1, directory=directory,
                            program="the program", source="the source") as publisher:
        with cuframes.Subscriber("a", directory=directory, timeout=support.PATIENCE) as subscriber:
            for wanted in (facts, nothing):
                before = time.monotonic_ns()
                with publisher.frame() as picture:
                    if wanted is facts:
                        for name, value in facts.items():
                            setattr(picture, name, value)
                    assert {name: getattr(picture, name) for name in wanted} == wanted
                frame = subscriber.next()
                frame.release()
                assert {name: getattr(frame, name) for name in wanted} == wanted
                assert before <= frame.publish_time <= time.monotonic_ns()
            info = subscriber.info
            assert (info.publisher, info.source, info.state, info.memory) == ("the program", "the source", "live", "host")
            assert info.format == cuframes.Format("gray8", 64, 48, 25.0, 1, "limited", 1, 1)
            assert (info.taken, info.missed, info.held_frames, info.granted_leases) == (2, 0, 0, 2)


def test_newest_skips_and_counts_and_in_order_does_not(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory, slots=8) as publisher:
        with cuframes.Subscriber("a", directory=directory, timeout=90) as newest, cuframes.Subscriber("a", directory=directory, delivery="in-order", timeout=90) as all_of_them:
            support.publish(publisher, 3)
            assert newest.next().sequence == 3
            support.publish(publisher, 2)
            frame = newest.next()
            assert (frame.sequence, frame.missed) == (5, 1)
            assert [all_of_them.next().sequence for _ in range(5)] == [1, 2, 3, 4, 5]
            assert newest.info.missed >= 1 and all_of_them.info.missed == 0


def test_several_frames_are_held_until_leases_are_exhausted(directory):
    with cuframes.Publisher("a", "nv12", 94, 62, directory=directory, slots=8) as publisher:
        with cuframes.Subscriber("a", directory=directory, delivery="in-order", leases=4, timeout=90) as subscriber:
            support.publish(publisher, 6)
            frames = [subscriber.next() for _ in range(4)]
            assert support.held(subscriber) == 4
            with pytest.raises(cuframes.LeasesExhausted) as raised:
                subscriber.next()
            assert raised.value.code == 31 and raised.value.name == "LEASES_EXHAUSTED"
            support.publish(publisher, 30)
            assert [checker.fault_of(frame) for frame in frames] == [None] * 4
            for frame in frames:
                frame.release()
            assert support.held(subscriber) == 0
            subscriber.next().release()


def test_an_array_that_outlives_its_frame_keeps_the_lease_and_its_content(directory):
    with cuframes.Publisher("a", "nv12", 94, 62, directory=directory) as publisher:
        with cuframes.Subscriber("a", directory=directory, leases=8, timeout=90) as subscriber:
            support.publish(publisher)
            frame = subscriber.next()
            wanted = stamp.plane_of(support.number(frame), 0, 62, 94).tobytes()
            views = [
                numpy.asarray(frame.y), numpy.asarray(frame.y)[3:, 5:], numpy.from_dlpack(frame.y), frame.y.memoryview(), frame.y.memoryview()[7:9], frame.y.row(3),
                memoryview(frame.y.row(4))[2:5]]
            copies = [view.tobytes() for view in views]
            assert copies[0] == wanted
            frame.release()
            del frame
            while views:
                support.publish(publisher, 40)
                assert [view.tobytes() for view in views] == copies
                assert support.held(subscriber) == 1 and support.held(publisher) == 1
                views.pop(), copies.pop()
            assert support.held(subscriber) == 0
            # A view goes before its frame: the frame still holds.
            frame = subscriber.next()
            array = numpy.asarray(frame.uv)
            del array
            assert support.held(subscriber) == 1
            frame.release()
            assert support.held(subscriber) == 0


def test_a_frame_that_nobody_has_is_released(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        support.publish(publisher)
        frame = subscriber.next()
        array = numpy.asarray(frame.y)
        del frame
        gc.collect()
        assert support.held(subscriber) == 1
        del array
        assert support.held(subscriber) == 0
        support.publish(publisher)
        planes = subscriber.next().planes
        assert support.held(subscriber) == 1
        assert checker.stamp.rows_of(planes[0]).shape == (48, 64)
        del planes
        assert support.held(subscriber) == 0


def test_a_released_frame_raises_and_can_still_be_described(directory):
    with cuframes.Publisher("a", "nv12", 94, 62, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        support.publish(publisher)
        frame = subscriber.next()
        plane = frame.y
        assert frame.is_valid and not frame.is_released
        frame.release()
        frame.release()
        assert not frame.is_valid and frame.is_released
        assert (frame.sequence, frame.width, plane.shape) == (1, 94, (62, 94))
        for use in (
                lambda: numpy.asarray(plane), lambda: numpy.from_dlpack(plane), lambda: plane.row(0), lambda: plane.memoryview(), lambda: plane.tobytes(),
                lambda: plane.pointer, lambda: plane.__array_interface__, lambda: frame.uv.__dlpack__(), lambda: frame.to_host(), lambda: frame.check()):
            with pytest.raises(cuframes.FrameReleased):
                use()
        assert issubclass(cuframes.FrameReleased, BufferError)
        assert support.held(subscriber) == 0


def test_a_frame_keeps_its_subscriber(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        subscriber = cuframes.Subscriber("a", directory=directory, timeout=90)
        support.publish(publisher)
        frame = subscriber.next()
        del subscriber
        gc.collect()
        assert publisher.info.subscribers == 1
        support.publish(publisher, 40)
        assert frame.is_valid and checker.fault_of(frame) is None
        array = numpy.asarray(frame.y)
        del frame
        assert publisher.info.subscribers == 1
        del array
        support.wait_until(lambda: publisher.info.subscribers == 0, "the subscriber is gone")


def test_frames_of_a_closed_subscriber_stay_mapped_and_are_lost(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        subscriber = cuframes.Subscriber("a", directory=directory, timeout=90)
        support.publish(publisher)
        frame = subscriber.next()
        array = numpy.asarray(frame.y)
        subscriber.close()
        subscriber.close()
        assert array.sum() >= 0 and subscriber.is_closed
        assert checker.fault_of(frame) is None and frame.is_valid, "nothing was published since"
        # Until then the publisher keeps the frame for its reader.
        support.wait_until(lambda: publisher.info.subscribers == 0, "the publisher knows that the subscriber is gone")
        support.publish(publisher, 40)
        with pytest.raises(cuframes.FrameLost):
            frame.check()
        assert not frame.is_valid
        frame.release()
        for use in (subscriber.next, subscriber.fileno, lambda: subscriber.info, subscriber.interrupt):
            with pytest.raises(cuframes.Closed):
                use()
        assert list(subscriber) == []


def test_arrays_cannot_be_written(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        support.publish(publisher)
        with subscriber.next() as frame:
            for array in (numpy.asarray(frame.y), numpy.from_dlpack(frame.y)):
                with pytest.raises(ValueError):
                    array[0, 0] = 1
            for view in (frame.y.row(0), frame.y.memoryview()):
                with pytest.raises(TypeError):
                    view[0] = 1
            assert frame.y.readonly
            with pytest.raises(IndexError):
                frame.y.row(48)
            with pytest.raises(cuframes.InvalidArgument):
                frame.to_host(bytearray(64 * 48 - 1))


def test_time_outs(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        with cuframes.Subscriber("a", directory=directory, timeout=0.25) as subscriber:
            for wait, call in ((0, lambda: subscriber.next(0)), (0.13, lambda: subscriber.next(0.13)), (0.25, subscriber.next), (0.25, lambda: next(subscriber))):
                start = time.monotonic()
                with pytest.raises(TimeoutError) as raised:
                    call()
                assert time.monotonic() - start >= wait
                assert isinstance(raised.value, cuframes.TimedOut) and (raised.value.code, raised.value.name) == (26, "TIMED_OUT")
            for wrong in (-1, float("nan")):
                with pytest.raises(ValueError):
                    subscriber.next(wrong)
            support.publish(publisher)
            subscriber.next(float("inf")).release()


def test_options_that_make_no_sense(directory):
    for options in (
            {"delivery": "fast"}, {"leases": 0}, {"leases": 65}, {"fences": "gpu"}, {"directory": "a\0b"}, {"program": "a\0b"}, {"timeout": -1}):
        with pytest.raises(cuframes.InvalidArgument):
            cuframes.Subscriber("a", **{"directory": directory, **options})
    for key in ("", "a/b", "a\0b", "x" * 300):
        with pytest.raises(cuframes.InvalidArgument):
            cuframes.Subscriber(key, directory=directory)
    with pytest.raises(cuframes.StreamNotFound) as raised:
        cuframes.Subscriber("nobody", directory=directory)
    assert raised.value.code == 6 and "nobody" in str(raised.value)


def test_a_stream_that_is_not_there_yet_is_waited_for(directory):
    with cuframes.Subscriber("a", directory=directory, wait_for_stream=True, timeout=90) as subscriber:
        with pytest.raises(TimeoutError):
            subscriber.next(0.05)
        assert subscriber.info.memory == "" and not subscriber.info.is_connected
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
            support.publish(publisher)
            with subscriber.next() as frame:
                assert checker.fault_of(frame) is None


def test_it_connects_again_when_the_publisher_was_killed(peers, directory):
    events = []
    arguments = ("publish", "--key", "a", "--format", "nv12:94x62", "--fps", 200)
    peer = peers(*arguments)
    first = int(peer.expect("ready")["epoch"])
    with cuframes.Subscriber("a", directory=directory, timeout=support.PATIENCE, on_event=events.append) as subscriber:
        with subscriber.next() as frame:
            assert frame.epoch == first
        peer.kill()
        second = int(peers(*arguments).expect("ready")["epoch"])
        frame = subscriber.next()
        while frame.epoch == first:
            frame = subscriber.next()
        assert frame.epoch == second and checker.fault_of(frame) is None
        assert subscriber.info.reconnects == 1
    assert [event.kind for event in events] == ["connected", "disconnected", "connected"]
    assert events[1].code == 27 and events[1].text and events[1].epoch == first


def test_without_reconnecting_the_end_is_told(peers, directory):
    peer = peers("publish", "--key", "a", "--format", "gray8:64x48", "--fps", 200)
    peer.expect("ready")
    with cuframes.Subscriber("a", directory=directory, reconnect=False, timeout=support.PATIENCE) as subscriber:
        subscriber.next().release()
        peer.kill()
        with pytest.raises(cuframes.Disconnected) as raised:
            while True:
                subscriber.next().release()
        assert raised.value.code == 27
    with cuframes.Publisher("b", "gray8", 64, 48, directory=directory) as publisher:
        subscriber = cuframes.Subscriber("b", directory=directory, reconnect=False, timeout=support.PATIENCE, delivery="in-order")
        support.publish(publisher, 3)
    frames = 0
    for frame in subscriber:
        frames += 1
        frame.release()
    assert frames <= 3
    with pytest.raises(cuframes.Disconnected):
        subscriber.next()
    subscriber.close()


def test_eviction_takes_the_frame(directory):
    events = []
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory, slots=2, max_slots=2, lease_timeout=0.1, max_leases=2) as publisher:
        with cuframes.Subscriber("a", directory=directory, delivery="in-order", leases=2, timeout=90, on_event=events.append) as subscriber:
            support.publish(publisher, 2)
            frames = [subscriber.next(), subscriber.next()]
            assert all(frame.is_valid for frame in frames)
            for _ in range(3):
                support.wait_until(lambda: publisher.publish(bytes(64 * 48)) is not None, "a frame is published")
            for frame in frames:
                with pytest.raises(cuframes.FrameLost) as raised:
                    frame.check()
                assert raised.value.code == 24 and not frame.is_valid
                frame.release()
            support.wait_until(lambda: publisher.publish(bytes(64 * 48)) is not None, "a frame is published")
            with subscriber.next() as frame:
                assert frame.is_valid
            assert subscriber.info.evictions == 1
    assert [event.kind for event in events][:2] == ["connected", "evicted"] and events[1].code == 13


def test_an_operators_eviction_is_told_without_reconnecting(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        with cuframes.Subscriber("a", directory=directory, reconnect=False, program="the victim", timeout=90) as subscriber:
            support.wait_until(lambda: publisher.subscribers(), "the subscriber is known")
            found = publisher.subscribers()[0]
            assert found.program == "the victim" and found.delivery == "newest" and found.granted_leases == 2
            publisher.evict(found.subscriber_id, "for the test")
            with pytest.raises(cuframes.Evicted, match="for the test") as raised:
                subscriber.next()
            assert raised.value.code == 18
        with pytest.raises(cuframes.InvalidArgument):
            publisher.evict(4711)


def test_the_format_changes_in_between(peers, directory):
    formats = ["nv12:94x62", "i420:65x33", "p010:94x62", "rgb24:33x9"]
    peer = peers("publish", "--key", "a", "--format", ",".join(formats), "--frames", 200, "--cycle-every", 20, "--start-on-go", 1, "--lossless-ms", 20000)
    peer.expect("ready")
    seen = set()
    look = checker.Checker()
    with cuframes.Subscriber("a", directory=directory, delivery="lossless", leases=3, timeout=support.PATIENCE) as subscriber:
        peer.send("go")
        for frame in subscriber:
            with frame:
                look.count(frame)
                look.verify(frame)
                seen.add(frame.pixel_format)
            if frame.sequence == 200:
                break
    assert look.is_clean and look.frames == 200 and len(seen) == 4, look.faults
    peer.exit()


def test_interrupt_ends_a_wait_and_an_iteration(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory) as subscriber:
        threading.Timer(0.1, subscriber.interrupt).start()
        with pytest.raises(cuframes.Interrupted):
            subscriber.next()
        threading.Timer(0.1, subscriber.interrupt).start()
        assert list(subscriber) == []
        subscriber.interrupt()
        with pytest.raises(cuframes.Interrupted):
            subscriber.next()
        support.publish(publisher)
        subscriber.next().release()
        threading.Timer(0.1, subscriber.close).start()
        assert list(subscriber) == []


def test_waiting_lets_other_threads_run(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory) as subscriber:
        # One wait in one piece, longer than next() makes them: if it kept the GIL, nobody could publish what ends it.
        structure = _structures.CFrame(_structures.ctypes.sizeof(_structures.CFrame))
        codes = []
        waiting = threading.Event()

        def wait():
            waiting.set()
            codes.append(subscriber._next(subscriber._handle, 20_000_000_000, structure))

        waiter = threading.Thread(target=wait)
        waiter.start()
        waiting.wait()
        time.sleep(0.2)  # Into the wait.
        support.publish(publisher)
        waiter.join()
        assert codes == [0] and structure.sequence == 1
        subscriber._library.frame_release(structure)


def test_one_thread_at_a_time_takes(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory), cuframes.Subscriber("a", directory=directory) as subscriber:
        def wait():
            while True:
                try:
                    subscriber.next()
                except cuframes.Busy:
                    # This thread came second.
                    continue
                except cuframes.Interrupted:
                    return

        waiter = threading.Thread(target=wait)
        waiter.start()
        with pytest.raises(cuframes.Busy):
            while True:
                try:
                    subscriber.next(0)
                except TimeoutError:
                    # The other thread is not in its call yet, or between two slices of it.
                    pass
        subscriber.interrupt()
        waiter.join()


def test_threads_that_release_the_same_frame_release_it_once(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        for _ in range(200):
            support.publish(publisher)
            frame = subscriber.next()
            array = numpy.asarray(frame.y)
            gate = threading.Barrier(3)

            def release():
                gate.wait()
                frame.release()

            threads = [threading.Thread(target=release) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert support.held(subscriber) == 1, "the array's lease was taken"
            del array
            assert support.held(subscriber) == 0


def test_threads_look_at_and_release_frames_that_one_takes(directory):
    look = []
    with cuframes.Publisher("a", "nv12", 94, 62, directory=directory, slots=8) as publisher:
        with cuframes.Subscriber("a", directory=directory, delivery="in-order", leases=4, timeout=90) as subscriber:
            free = threading.Semaphore(4)

            def work(frame):
                look.append(checker.fault_of(frame))
                frame.release()
                free.release()

            threads = []
            for _ in range(100):
                support.publish(publisher)
                free.acquire()
                threads.append(threading.Thread(target=work, args=(subscriber.next(),)))
                threads[-1].start()
            for thread in threads:
                thread.join()
            assert support.held(subscriber) == 0
    assert look == [None] * 100
