# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishing frames in main memory."""

from fractions import Fraction

import checker
import cuframes
import numpy
import pytest
import stamp
import support


@pytest.mark.parametrize("language", ["python", "c#"])
def test_readers_in_other_processes_see_every_byte(peers, directory, language):
    with cuframes.Publisher("a", "nv12", 94, 62, directory=directory, lossless_timeout=20, readers="everyone") as publisher:
        reader = peers("read", "--key", "a", "--delivery", "lossless", "--leases", 4, "--hold", 3, language=language)
        reader.expect("ready")
        support.wait_until(lambda: publisher.info.subscribers == 1, "the reader is there")
        for pixel_format, width, height in support.FORMATS:
            publisher.configure(pixel_format, width, height)
            support.publish(publisher, 20)
        summary = reader.ask("finish", "summary")
        assert summary["frames"] == 20 * len(support.FORMATS) and summary["missed"] == 0
        assert not any(summary[fault] for fault in ("torn", "lost", "repeated", "outOfOrder", "missedWrong", "faults", "violations"))
        reader.exit()


@pytest.mark.parametrize("pixel_format,width,height", support.FORMATS)
def test_publish_copies_planes_or_a_whole_picture(directory, pixel_format, width, height):
    with cuframes.Publisher("a", pixel_format, width, height, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        epoch = publisher.info.epoch
        for sequence in (1, 2, 3):
            planes = stamp.picture_of(stamp.number_of(epoch, sequence), pixel_format, width, height)
            if sequence == 1:
                given = planes
            elif sequence == 2:
                given = [b"".join(plane.tobytes() for plane in planes)]
            else:
                # Not in one piece in memory, and of the dtype and shape that readers see.
                given = [numpy.repeat(plane, 2, axis=0)[::2] for plane in planes]
            assert publisher.publish(*given, pts=stamp.pts_of(sequence), source_packet=sequence) == sequence
            with subscriber.next() as frame:
                assert checker.fault_of(frame) is None


def test_publish_refuses_what_does_not_fit(directory):
    with cuframes.Publisher("a", "nv12", 64, 48, directory=directory) as publisher:
        for planes in ((), (bytes(64 * 48),), (bytes(64 * 48), bytes(64 * 24 - 1)), (bytes(64 * 72 + 1),), (bytes(1),) * 3):
            with pytest.raises(ValueError, match="planes of"):
                publisher.publish(*planes)
        for facts, error in (({"size": 1}, TypeError), ({"sequence": 1}, TypeError), ({"pts": 2**63}, ValueError), ({"rotation": 4}, ValueError), ({"picture_type": "b"}, ValueError)):
            with pytest.raises(error):
                publisher.publish(bytes(64 * 72), **facts)
        assert publisher.info.published == 0
        assert publisher.publish(bytes(64 * 72)) == 1


def test_an_exception_abandons_the_frame(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory) as subscriber:
        with pytest.raises(ZeroDivisionError):
            with publisher.frame() as picture:
                1 / 0
        assert picture.sequence is None and not picture.is_open
        picture = publisher.frame()
        picture.abandon()
        with publisher.frame() as picture:
            picture.abandon()
        publisher.frame()  # Let go of at once.
        with pytest.raises(TimeoutError):
            subscriber.next(0)
        with publisher.frame() as picture:
            assert picture.publish() == 1
        assert subscriber.next(5).sequence == 1


def test_a_published_frame_is_not_written_to_any_more(directory):
    with cuframes.Publisher("a", "nv12", 64, 48, directory=directory) as publisher:
        with publisher.frame() as picture:
            plane = picture.y
            assert not plane.readonly and numpy.asarray(plane).flags.writeable and not plane.memoryview().readonly
            # The tensor of an open frame can be written, too, where numpy lets one.
            assert numpy.from_dlpack(plane).shape == plane.shape
        for use in (lambda: numpy.asarray(plane), plane.memoryview, lambda: plane.row(0), lambda: plane.pointer, plane.__dlpack__, picture.publish, picture.abandon):
            with pytest.raises(cuframes.FrameReleased, match="published as 1"):
                use()
        assert "published as 1" in repr(picture)


def test_dropped_frames_are_told(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory, slots=2, max_slots=2, max_leases=2) as publisher:
        with cuframes.Subscriber("a", directory=directory, delivery="in-order", timeout=90) as subscriber:
            support.publish(publisher, 2)
            frames = [subscriber.next(), subscriber.next()]
            assert publisher.begin() is None
            assert publisher.publish(bytes(64 * 48)) is None
            with pytest.raises(cuframes.Dropped) as raised:
                with publisher.frame():
                    pytest.fail("the block of a dropped frame ran")
            assert raised.value.code == 1005 and raised.value.message
            assert publisher.info.dropped == 3 and publisher.info.published == 2 and publisher.info.held_slots == 2
            assert [checker.fault_of(frame) for frame in frames] == [None, None]
            frames.clear()
            support.publish(publisher)


def test_states_and_figures(directory):
    with cuframes.Publisher("a", directory=directory, slots=4, max_slots=4, program="me", source="a test") as publisher:
        assert publisher.info.format is None and publisher.info.head == 0 and publisher.key == "a"
        with pytest.raises(cuframes.WrongState):
            publisher.begin()
        publisher.configure("nv12", 64, 48, rate=Fraction(30000, 1001), colour_matrix=9, colour_range="full")
        with cuframes.Subscriber("a", directory=directory, leases=3, delivery="in-order", program="reader") as subscriber:
            support.publish(publisher, 3)
            frame = subscriber.next(5)
            info = publisher.info
            assert (info.head, info.published, info.dropped, info.slots, info.subscribers, info.held_slots) == (3, 3, 0, 4, 1, 1)
            assert info.format == cuframes.Format("nv12", 64, 48, 30000 / 1001, 9, "full") and info.state == "live"
            assert info.socket_path == f"{directory}/a.sock" and info.cuda_device is None and info.segment_bytes > 4 * 64 * 72
            found, = publisher.subscribers()
            assert (found.program, found.delivery, found.granted_leases, found.held_leases, found.taken, found.lag) == ("reader", "in-order", 3, 1, 1, 2)
            frame.release()
            publisher.set_state("source-lost", "the cable")
            support.wait_until(lambda: subscriber.info.state == "source-lost", "the state is known")
            stream, = cuframes.list_streams(directory)
            assert (stream.key, stream.state, stream.state_text, stream.program, stream.source) == ("a", "source-lost", "the cable", "me", "a test")
            assert stream == cuframes.probe("a", directory) and stream.format == info.format and stream.error_code == 0
            with pytest.raises(cuframes.InvalidArgument):
                publisher.set_state("gone")


def test_many_subscribers_are_all_told(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        subscribers = [cuframes.Subscriber("a", directory=directory, program=f"number {index}") for index in range(20)]
        support.wait_until(lambda: len(publisher.subscribers()) == 20, "all are known")
        assert {each.program for each in publisher.subscribers()} == {f"number {index}" for index in range(20)}
        for subscriber in subscribers:
            subscriber.close()


def test_what_cannot_be_published(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        with pytest.raises(cuframes.AlreadyPublished) as raised:
            cuframes.Publisher("a", "gray8", 64, 48, directory=directory)
        assert raised.value.code == 7
        with publisher.frame():
            with pytest.raises(cuframes.WrongState):
                publisher.begin()
            with pytest.raises(cuframes.WrongState):
                publisher.configure("gray8", 32, 32)
        for wrong in (("gray7", 64, 48), ("gray8", 0, 48), ("gray8", 64, 16385), ("gray8", -1, 48), ("gray8", 2**32 + 64, 48)):
            with pytest.raises(cuframes.InvalidArgument):
                publisher.configure(*wrong)
        publisher.configure("gray8", 32, 32)
    for options in (
            {"memory": "disk"}, {"slots": 1}, {"slots": -1}, {"max_leases": 65}, {"readers": "nobody"}, {"rate": -1}, {"lease_timeout": -1}, {"program": "a\0"},
            {"colour_range": "wide"}, {"colour_matrix": 256}):
        with pytest.raises(ValueError):
            cuframes.Publisher("b", "gray8", 64, 48, **{"directory": directory, **options})
    for some in ({"pixel_format": "gray8"}, {"width": 3}, {"pixel_format": "gray8", "height": 3}):
        with pytest.raises(ValueError):
            cuframes.Publisher("b", directory=directory, **some)
    with pytest.raises(cuframes.Closed):
        publisher.begin()
    assert publisher.is_closed


def test_events_of_a_publisher(directory):
    events = []
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory, on_event=events.append) as publisher:
        with cuframes.Subscriber("a", directory=directory):
            support.wait_until(lambda: publisher.info.subscribers == 1, "the subscriber is there")
        support.wait_until(lambda: publisher.info.subscribers == 0, "the subscriber is gone")
        support.wait_until(lambda: len(events) >= 2, "both are told")
    assert [event.kind for event in events] == ["subscriber-joined", "subscriber-left"]
    assert events[0].subscriber_id == events[1].subscriber_id != 0 and all(event.text for event in events)


def test_an_exception_in_an_event_is_reported_and_harms_nothing(directory, monkeypatch):
    reports = []
    monkeypatch.setattr("sys.unraisablehook", reports.append)

    def fail(_event):
        raise ArithmeticError("on purpose")

    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
        with cuframes.Subscriber("a", directory=directory, wait_for_stream=True, on_event=fail) as subscriber:
            support.publish(publisher)
            subscriber.next(5).release()
    assert [type(report.exc_value) for report in reports] == [ArithmeticError]


def test_the_log_can_be_had_and_be_given_back(directory):
    lines = []
    cuframes.set_log(lambda level, line: lines.append((level, line)), "information")
    try:
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory), cuframes.Subscriber("a", directory=directory):
            pass
        count = len(lines)
        assert all(level in ("error", "warning", "information") and line for level, line in lines)
    finally:
        cuframes.set_log(None)
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory), cuframes.Subscriber("a", directory=directory):
        pass
    assert len(lines) == count
    with pytest.raises(ValueError):
        cuframes.set_log(None, "loud")
