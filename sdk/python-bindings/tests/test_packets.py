# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packets: publishing and reading in place, losses, ends, memory."""

import asyncio
import gc
import select
import signal
import threading
import time
from fractions import Fraction

import cuframes
import pytest
import support

VIDEO = cuframes.PacketTrack("video", "h264", Fraction(1, 90000), 640, 360, Fraction(30000, 1001), Fraction(4, 3), reorder_delay=2, colour_matrix=1, colour_range="limited",
                             chroma_location=0, field_order="progressive", rotation=1, extradata=bytes(range(40)))
AUDIO = cuframes.PacketTrack("audio", "aac", Fraction(1, 48000), sample_rate=48000, channels=2, channel_layout=3, samples_per_packet=1024, initial_padding=2112,
                             language="deu", extradata=b"\x11\x90")


def number_of(sequence):
    return 1 if sequence % 3 == 2 else 0


def data_of(sequence):
    return bytes((sequence * 131 + index * 7) & 0xFF for index in range(sequence * 7919 % 1500))


def publisher_of(directory, key="p", **options):
    publisher = cuframes.PacketPublisher(key, directory=directory, byte_capacity=65536, max_packets=1024, **options)
    assert [publisher.add_track(VIDEO), publisher.add_track(AUDIO)] == [0, 1]
    return publisher


def publish(publisher, count=1):
    for _ in range(count):
        sequence = publisher.info.head + 1
        assert publisher.publish(
            number_of(sequence), data_of(sequence), pts=sequence * 3600, dts=None if sequence % 5 == 0 else sequence * 3600 - 7200, duration=3600,
            key=sequence % 30 == 1, flags=cuframes.PacketFlags.DISPOSABLE if sequence % 7 == 0 else 0, arrival_time=sequence * 1000, capture_time=sequence + 5) == sequence


def check(packet, sequence):
    data = data_of(sequence)
    assert packet.sequence == sequence and packet.data == data and packet.data.readonly and bytes(packet) == data and len(packet) == len(data)
    packet.check()
    assert packet.is_valid and packet.track_number == number_of(sequence) and packet.kind == ("audio" if number_of(sequence) else "video")
    assert packet.is_key == (sequence % 30 == 1) and bool(packet.flags & cuframes.PacketFlags.KEY) == packet.is_key
    assert bool(packet.flags & cuframes.PacketFlags.DISPOSABLE) == (sequence % 7 == 0)
    assert packet.pts == sequence * 3600 and packet.dts == (None if sequence % 5 == 0 else sequence * 3600 - 7200) and packet.duration == 3600
    assert packet.arrival_time == sequence * 1000 and packet.capture_time == sequence + 5 and packet.publish_time > 0
    assert packet.time_base == (AUDIO if number_of(sequence) else VIDEO).time_base and packet.position == (packet.epoch, sequence)
    assert packet.track_sequence == ((sequence + 1) // 3 if number_of(sequence) else sequence - (sequence + 1) // 3)
    return packet


def test_everything_arrives(directory):
    with publisher_of(directory, source="here") as publisher, cuframes.PacketSubscriber("p", directory=directory, timeout=support.PATIENCE) as subscriber:
        expected = VIDEO
        for sequence in range(1, 2001):
            if sequence % 400 == 0:
                expected = cuframes.PacketTrack("video", "hevc", VIDEO.time_base, sequence, extradata=bytes([sequence & 0xFF]))
                publisher.set_parameters(0, expected)
            publish(publisher)
            packet = check(subscriber.next(), sequence)
            assert packet.missed == 0 and packet.epoch == publisher.info.epoch
            if packet.kind == "video":
                number = 1 + sequence // 400
                assert packet.track == cuframes.PacketTrack(**{**vars(expected), "number": 0, "parameters": number})
                assert packet.track.extradata == expected.extradata
            else:
                assert packet.track == cuframes.PacketTrack(**{**vars(AUDIO), "number": 1, "parameters": 1})
        assert check(subscriber.find(2000), 2000).track is packet.track
        info = subscriber.info
        assert (info.is_connected, info.state, info.tracks, info.taken, info.missed, info.byte_capacity, info.source) == (True, "live", 2, 2000, 0, 65536, "here")
        assert [track.number for track in subscriber.tracks] == [0, 1] and subscriber.tracks[0].codec == "hevc"
        with pytest.raises(TimeoutError):
            subscriber.next(0)
        reader = publisher.subscribers()[0]
        assert (reader.taken, reader.lag, reader.missed) == (2000, 0, 0)
        assert "Packet 2000" in repr(packet) and "'p'" in repr(subscriber)


def test_starts(directory):
    with publisher_of(directory) as publisher:
        publish(publisher, 100)
        oldest = publisher.info.oldest
        first_key = next(sequence for sequence in range(oldest, 101) if sequence % 30 == 1)
        for options, first in (({}, 91), ({"start": "oldest-key"}, first_key), ({"after": (publisher.info.epoch, 97)}, 98), ({"after": (1, 97)}, 91)):
            with cuframes.PacketSubscriber("p", directory=directory, timeout=support.PATIENCE, **options) as subscriber:
                check(subscriber.next(), first)
        with cuframes.PacketSubscriber("p", directory=directory, timeout=support.PATIENCE, start="next") as subscriber:
            publish(publisher)
            check(subscriber.next(), 101)
        with pytest.raises(cuframes.InvalidArgument):
            cuframes.PacketSubscriber("p", directory=directory, start="middle")


def test_losses_are_told_and_old_views_are_no_fault(directory):
    with publisher_of(directory) as publisher, cuframes.PacketSubscriber("p", directory=directory, timeout=support.PATIENCE) as subscriber:
        publish(publisher, 7)
        packets = [check(subscriber.next(), sequence) for sequence in range(1, 8)]
        view = packets[3].data
        publish(publisher, 1000)
        for packet in packets:
            assert not packet.is_valid
            with pytest.raises(cuframes.PacketLost):
                packet.check()
            with pytest.raises(cuframes.PacketLost):
                bytes(packet)
        assert len(view) == len(data_of(4)) and view.tobytes() != data_of(4)
        assert subscriber.find(3) is None and subscriber.find(1008) is None
        oldest = publisher.info.oldest
        key = next(sequence for sequence in range(oldest, 1008) if sequence % 30 == 1)
        assert check(subscriber.next(), key).missed == key - 8
        lost_sound = (key + 1) // 3 - 2
        assert subscriber.info.missed_on_track[:2] == (key - 8 - lost_sound, lost_sound)


def test_views_outlive_packet_subscriber_and_publisher(directory):
    publisher = publisher_of(directory)
    publish(publisher, 5)
    subscriber = cuframes.PacketSubscriber("p", directory=directory, timeout=support.PATIENCE)
    packets = [check(subscriber.next(), sequence) for sequence in range(1, 6)]
    views = [packet.data for packet in packets]
    kept = packets[0]
    publisher.close()
    publisher = publisher_of(directory)
    publish(publisher)
    again = check(subscriber.next(), 1)
    assert again.epoch != kept.epoch and subscriber.info.reconnects == 1 and not kept.is_valid and again.is_valid
    views.append(again.data)
    subscriber.close()
    subscriber.close()
    publisher.close()
    del packets, subscriber, again
    gc.collect()
    assert [view.tobytes() for view in views] == [data_of(sequence) for sequence in (1, 2, 3, 4, 5, 1)]
    assert kept.data == data_of(1) and not kept.is_valid
    with pytest.raises(cuframes.PacketLost):
        bytes(kept)


def maps():
    with open("/proc/self/maps") as file:
        return sum("cuframes-packets" in line for line in file)


def test_memory_goes_with_its_last_user(directory):
    before = maps()
    publisher = publisher_of(directory)
    publish(publisher, 3)
    assert maps() == before + 1
    subscriber = cuframes.PacketSubscriber("p", directory=directory)
    packet = subscriber.next(support.PATIENCE)
    view = packet.data
    assert maps() == before + 2
    publisher.close()
    assert maps() == before + 1
    subscriber.close()
    del packet, subscriber
    gc.collect()
    assert maps() == before + 1 and view == data_of(1)
    del view
    gc.collect()
    assert maps() == before


def test_the_end_is_told(directory):
    publisher = publisher_of(directory)
    publish(publisher, 3)
    subscriber = cuframes.PacketSubscriber("p", directory=directory, reconnect=False, timeout=support.PATIENCE)
    publisher.close()
    assert [packet.sequence for packet in subscriber] == [1, 2, 3]
    with pytest.raises(cuframes.Disconnected):
        subscriber.next()
    subscriber.close()
    with pytest.raises(cuframes.Closed):
        subscriber.next()
    with pytest.raises(cuframes.Closed):
        subscriber.info
    with pytest.raises(cuframes.Closed):
        publisher.publish(0, b"x")


def test_waiting_in_a_thread_and_being_interrupted(directory):
    with publisher_of(directory) as publisher, cuframes.PacketSubscriber("p", directory=directory) as subscriber:
        taken = []
        reader = threading.Thread(target=lambda: taken.extend(packet.sequence for packet in subscriber))
        reader.start()
        for _ in range(20):
            publish(publisher)
            time.sleep(0.002)
        support.wait_until(lambda: len(taken) == 20, "all packets")
        subscriber.interrupt()
        reader.join(support.PATIENCE)
        assert not reader.is_alive() and taken == list(range(1, 21))


def test_in_an_event_loop(directory):
    async def read(key, count):
        with cuframes.PacketSubscriber(key, directory=directory, timeout=support.PATIENCE) as subscriber:
            sequence = 0
            async for packet in subscriber:
                sequence += 1
                check(packet, sequence)
                if sequence == count:
                    return sequence

    async def write(publishers):
        for _ in range(200):
            for publisher in publishers:
                publish(publisher)
            await asyncio.sleep(0.001)

    async def everything(publishers):
        return await asyncio.gather(read("a", 200), read("b", 200), write(publishers))

    with publisher_of(directory, "a") as first, publisher_of(directory, "b") as second:
        assert asyncio.run(everything([first, second]))[:2] == [200, 200]


def test_descriptor(directory):
    with publisher_of(directory) as publisher, cuframes.PacketSubscriber("p", directory=directory) as subscriber:
        for sequence in range(1, 50):
            timer = threading.Timer(0.001, publish, [publisher])
            timer.start()
            while True:
                try:
                    packet = subscriber.next(0)
                    break
                except cuframes.TimedOut:
                    assert select.select([subscriber], [], [], support.PATIENCE)[0]
            timer.join()
            check(packet, sequence)


def test_a_relay_and_other_buffers(directory):
    with publisher_of(directory, "from") as first, publisher_of(directory, "to") as second:
        with cuframes.PacketSubscriber("from", directory=directory, timeout=support.PATIENCE) as middle:
            with cuframes.PacketSubscriber("to", directory=directory, timeout=support.PATIENCE) as end:
                publish(first)
                packet = middle.next()
                # In place, as a view, into the other ring.
                assert second.publish(packet.track_number, packet.data, pts=packet.pts, dts=packet.dts, duration=packet.duration, flags=packet.flags,
                                      arrival_time=packet.arrival_time, capture_time=packet.capture_time) == 1
                check(end.next(), 1)
                assert second.publish(0, bytearray(b"abc")) == 2 and second.publish(1, memoryview(b"abcdef")[::2]) == 3 and second.publish(0, b"") == 4
                assert [bytes(end.next()) for _ in range(3)] == [b"abc", b"ace", b""]
                assert end.find(4).pts is None and bool(end.find(4))


def test_refusals(directory):
    with publisher_of(directory) as publisher:
        with pytest.raises(cuframes.AlreadyPublished):
            publisher_of(directory)
        with pytest.raises(cuframes.PacketTooLarge):
            publisher.publish(0, bytes(40000))
        assert publisher.info.too_large == 1
        with pytest.raises(cuframes.InvalidArgument):
            publisher.publish(2, b"x")
        for wrong in (
                cuframes.PacketTrack("film", "h264", Fraction(1, 25)), cuframes.PacketTrack("video", "x" * 33, Fraction(1, 25)),
                cuframes.PacketTrack("video", "x" * 60, Fraction(1, 25)), cuframes.PacketTrack("video", "h264", Fraction(0)),
                cuframes.PacketTrack("video", "h264", Fraction(1, 25), extradata=bytes(20000)), cuframes.PacketTrack("video", "h264", Fraction(1, 25), width=-1),
                cuframes.PacketTrack("video", "h264", Fraction(1, 25), language="much too long")):
            with pytest.raises(cuframes.InvalidArgument):
                publisher.add_track(wrong)
        assert publisher.info.tracks == 2
    for options in ({"byte_capacity": 1}, {"max_packets": 1000}, {"max_age": -1}):
        with pytest.raises(cuframes.InvalidArgument):
            cuframes.PacketPublisher("p", directory=directory, **options)
    with pytest.raises(cuframes.StreamNotFound):
        cuframes.PacketSubscriber("p", directory=directory)
    with pytest.raises(cuframes.InvalidArgument):
        cuframes.PacketSubscriber("a+b", directory=directory)


def test_events_states_and_evictions(directory):
    events = []
    with publisher_of(directory) as publisher:
        with cuframes.PacketSubscriber("p", directory=directory, on_event=events.append, timeout=support.PATIENCE) as subscriber:
            publisher.set_state("source-lost", "dark")
            with pytest.raises(cuframes.TimedOut):
                subscriber.next(0.1)
            assert subscriber.info.state == "source-lost"
            publisher.evict(publisher.subscribers()[0].subscriber_id, "go")
            publish(publisher)
            check(subscriber.next(), 1)
            assert subscriber.info.evictions == 1
            assert [(event.kind, event.text) for event in events if event.kind in ("source-lost", "evicted")] == [("source-lost", "dark"), ("evicted", "go")]


def test_ctrl_c_ends_a_wait(directory):
    done = support.run_python("""
import os, signal, sys, threading, cuframes
with cuframes.PacketPublisher("p", directory=sys.argv[1]), cuframes.PacketSubscriber("p", directory=sys.argv[1]) as subscriber:
    try:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
        subscriber.next()
    except KeyboardInterrupt:
        print("interrupted")
""", directory)
    assert done.stdout == "interrupted\n"


def test_a_killed_publisher_is_replaced(directory):
    code = """
import sys, time, cuframes, test_packets
publisher = test_packets.publisher_of(sys.argv[1])
while True:
    test_packets.publish(publisher)
    # The ring has some eighty packets: a reader that is held up for less than their time finds what it has taken whole.
    time.sleep(0.01)
"""
    import os
    import subprocess
    import sys

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(support.PACKAGE), str(support.ROOT / "tests" / "native-peers" / "python"), os.path.dirname(__file__)])}
    with cuframes.PacketSubscriber("p", directory=directory, wait_for_stream=True, timeout=support.PATIENCE) as subscriber:
        last = views = None
        for run in range(3):
            process = subprocess.Popen([sys.executable, "-c", code, directory], env=environment)
            epoch = None if last is None else last.epoch
            while last is None or last.epoch == epoch:
                last = subscriber.next()
            for _ in range(100):
                packet = subscriber.next()
                assert packet.epoch == last.epoch and packet.sequence == last.sequence + packet.missed + 1
                last = check(packet, packet.sequence)
            views = (views or []) + [(last.sequence, last.data)]
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert [bytes(view) for _, view in views] == [data_of(sequence) for sequence, _ in views]
        assert subscriber.info.reconnects == 2
