# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every version of Python has to do, without packages: run by test_versions.py.

    every_version.py DIRECTORY
"""

import asyncio
import gc
import sys

import cuframes
import dlpack

directory = sys.argv[1]
data = bytes(range(94)) * 62 + bytes(reversed(range(94))) * 31


def held():
    gc.collect()
    return subscriber.info.held_frames


with cuframes.Publisher("a", "nv12", 94, 62, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
    publisher.publish(data, pts=7)
    frame = subscriber.next()
    assert frame.pts == 7 and frame.to_host() == data and frame.uv.shape == (31, 47, 2)
    assert frame.y.tobytes() + frame.uv.tobytes() == data

    # The capsule, consumed and not.
    with dlpack.Tensor(frame.uv.__dlpack__(max_version=(1, 0))) as tensor:
        assert tensor.pointer == frame.uv.pointer and tensor.shape == (31, 47, 2) and tensor.flags == 1
    del tensor
    frame.uv.__dlpack__()

    views = [frame.y.memoryview(), frame.y.row(1)]
    if sys.version_info >= (3, 12):
        shaped = memoryview(frame.uv)
        assert (shaped.shape, shaped.strides, shaped.format, shaped.readonly) == ((31, 47, 2), (frame.uv.pitch, 2, 1), "B", True)
        assert shaped.tobytes() == data[94 * 62:] and shaped[30, 46, 1] == data[-1] and not shaped.c_contiguous
        views += [shaped, memoryview(frame.y)]
        del shaped
        import inspect
        try:
            frame.y.__buffer__(inspect.BufferFlags.WRITABLE)
            raise SystemExit("a plane that is read could be written")
        except BufferError:
            pass
    else:
        try:
            memoryview(frame.uv)
            raise SystemExit("there is no buffer protocol before 3.12")
        except TypeError:
            pass
    copies = [view.tobytes() for view in views]
    frame.release()
    del frame
    while views:
        for _ in range(30):
            publisher.publish(bytes(94 * 93))
        assert [view.tobytes() for view in views] == copies and held() == 1
        views.pop()
        copies.pop()
    assert held() == 0

    # An open frame is written by the same interfaces.
    with publisher.frame() as picture:
        for plane in picture.planes:
            for row in range(plane.rows):
                plane.row(row)[:] = bytes([row]) * 94
        if sys.version_info >= (3, 12):
            view = memoryview(picture.y)
            assert not view.readonly
            view[0, 0] = 200
            del view
        kept = picture.y
    if sys.version_info >= (3, 12):
        try:
            memoryview(kept)
            raise SystemExit("a published frame could be written")
        except cuframes.FrameReleased:
            pass
    del kept
    with subscriber.next() as frame:
        wanted = bytearray(b"".join(bytes([row]) * 94 for row in range(62)) + b"".join(bytes([row]) * 94 for row in range(31)))
        if sys.version_info >= (3, 12):
            wanted[0] = 200
        assert frame.to_host() == wanted

    async def read():
        waiting = asyncio.ensure_future(subscriber.next_async())
        await asyncio.sleep(0.05)
        publisher.publish(data)
        with await waiting as later:
            assert later.to_host() == data
        try:
            await subscriber.next_async(0.05)
            raise SystemExit("there was a frame")
        except TimeoutError:
            pass

    asyncio.run(read())
    try:
        subscriber.next(0.05)
        raise SystemExit("there was a frame")
    except TimeoutError as error:
        assert isinstance(error, cuframes.TimedOut)
    assert held() == 0

print("ok", sys.version.split()[0])
