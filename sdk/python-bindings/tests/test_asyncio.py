# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting in an event loop."""

import asyncio
import select
import threading
import time

import checker
import cuframes
import pytest
import support


def test_four_cameras_in_one_loop(peers, directory):
    cameras = [peers("publish", "--key", f"camera{index}", "--format", "nv12:94x62", "--frames", 150, "--fps", 150, "--start-on-go", 1, "--lossless-ms", 20000,
                     language="python" if index % 2 else "c#") for index in range(4)]
    for camera in cameras:
        camera.expect("ready")
    threads = set()

    async def read(subscriber):
        look = checker.Checker()
        async for frame in subscriber:
            with frame:
                look.count(frame)
                look.verify(frame)
                threads.add(threading.get_ident())
                if frame.sequence == 150:
                    return look

    async def read_all():
        subscribers = [cuframes.Subscriber(f"camera{index}", directory=directory, delivery="lossless", timeout=support.PATIENCE) for index in range(4)]
        for camera in cameras:
            camera.send("go")
        result = await asyncio.gather(*map(read, subscribers))
        for subscriber in subscribers:
            subscriber.close()
        return result

    for look in asyncio.run(read_all()):
        assert look.is_clean and look.frames == 150 and look.missed == 0, look.faults
    assert threads == {threading.get_ident()}
    for camera in cameras:
        camera.exit()


def test_cancelling_loses_no_frame(peers, directory):
    peer = peers("publish", "--key", "a", "--format", "gray8:64x48", "--frames", 150, "--fps", 100, "--start-on-go", 1, "--lossless-ms", 20000)
    peer.expect("ready")

    async def read():
        look = checker.Checker()
        cancelled = 0
        with cuframes.Subscriber("a", directory=directory, delivery="lossless") as subscriber:
            peer.send("go")
            while look.last < 150:
                task = asyncio.ensure_future(subscriber.next_async())
                # Mostly in the middle of the wait for the next frame, which comes after 10 ms: on a busy machine, too, it is not there already.
                done, _ = await asyncio.wait([task], timeout=0.001)
                if not done:
                    task.cancel()
                    cancelled += 1
                    try:
                        frame = await task
                    except asyncio.CancelledError:
                        continue
                else:
                    frame = task.result()
                with frame:
                    look.count(frame)
                    look.verify(frame)
        return look, cancelled

    look, cancelled = asyncio.run(read())
    assert look.is_clean and look.frames == 150 and look.missed == 0, look.faults
    assert cancelled > 30
    peer.exit()


def test_time_outs_in_a_loop(directory):
    async def read():
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=0.1) as subscriber:
            for wait, call in ((0, lambda: subscriber.next_async(0)), (0.05, lambda: subscriber.next_async(0.05)), (0.1, subscriber.next_async)):
                start = time.monotonic()
                with pytest.raises(TimeoutError):
                    await call()
                assert time.monotonic() - start >= wait * 0.99
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(subscriber.next_async(float("inf")), 0.05)
            support.publish(publisher)
            with await subscriber.next_async() as frame:
                assert checker.fault_of(frame) is None

    asyncio.run(read())


def test_the_loop_goes_on_while_a_task_waits(directory):
    async def read():
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory) as subscriber:
            waiting = asyncio.ensure_future(subscriber.next_async())
            for _ in range(20):
                await asyncio.sleep(0.001)
            with pytest.raises(cuframes.Busy):
                await subscriber.next_async()
            support.publish(publisher)
            (await waiting).release()

    asyncio.run(read())


@pytest.mark.parametrize("end", ["interrupt", "close"])
@pytest.mark.parametrize("is_other_thread", [False, True])
def test_the_iteration_ends_when_it_is_interrupted_or_closed(directory, end, is_other_thread):
    async def read():
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory), cuframes.Subscriber("a", directory=directory) as subscriber:
            if is_other_thread:
                threading.Timer(0.1, getattr(subscriber, end)).start()
            else:
                asyncio.get_running_loop().call_later(0.1, getattr(subscriber, end))
            async for _ in subscriber:
                pytest.fail("there is no frame")

    asyncio.run(asyncio.wait_for(read(), support.PATIENCE))


def test_it_connects_again_in_a_loop(peers, directory):
    arguments = ("publish", "--key", "a", "--format", "nv12:94x62", "--fps", 200)
    peer = peers(*arguments)
    first = int(peer.expect("ready")["epoch"])

    async def read():
        with cuframes.Subscriber("a", directory=directory) as subscriber:
            descriptor = subscriber.fileno()
            is_killed = False
            async for frame in subscriber:
                with frame:
                    assert checker.fault_of(frame) is None
                    if frame.epoch != first:
                        assert subscriber.fileno() == descriptor
                        return
                if not is_killed:
                    peer.kill()
                    is_killed = True
                    peers(*arguments)

    asyncio.run(asyncio.wait_for(read(), support.PATIENCE))


def test_the_descriptor_serves_poll(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, delivery="in-order") as subscriber:
        poll = select.poll()
        poll.register(subscriber, select.POLLIN)
        for count in (1, 3, 1):
            with pytest.raises(TimeoutError):
                subscriber.next(0)
            assert poll.poll(0) == []
            support.publish(publisher, count)
            assert poll.poll(10000) == [(subscriber.fileno(), select.POLLIN)]
            for _ in range(count):
                with subscriber.next(0) as frame:
                    assert checker.fault_of(frame) is None
