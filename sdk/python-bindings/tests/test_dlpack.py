# SPDX-License-Identifier: LGPL-2.1-or-later
"""DLPack in main memory, and capsules."""

import gc
import threading

import cuframes
import dlpack
import numpy
import pytest
import stamp
import support


@pytest.fixture
def frames(directory):
    with cuframes.Publisher("a", "p010", 94, 62, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        support.publish(publisher)
        yield publisher, subscriber, subscriber.next()


@pytest.mark.parametrize("max_version,version", [(None, None), ((0, 8), None), ((1, 0), (1, 0)), ((1, 3), (1, 0)), ((2, 0), (1, 0))])
def test_tensors_tell_the_planes_memory(frames, max_version, version):
    _, subscriber, frame = frames
    for plane in frame.planes:
        with dlpack.Tensor(plane.__dlpack__(max_version=max_version, dl_device=(1, 0), copy=False)) as tensor:
            assert tensor.version == version and tensor.device == plane.__dlpack_device__() == (1, 0)
            assert tensor.pointer == plane.pointer and tensor.shape == plane.shape and tensor.strides == plane.strides and tensor.dtype == (1, 16, 1)
            assert tensor.flags in (None, 1)
    frame.release()
    assert support.held(subscriber) == 0


def test_a_tensor_keeps_the_lease_until_it_is_deleted_by_any_thread(frames):
    publisher, subscriber, frame = frames
    wanted = frame.planes[0].tobytes()
    tensor = dlpack.Tensor(frame.y.__dlpack__())
    array = numpy.from_dlpack(frame.y)
    frame.release()
    support.publish(publisher, 30)
    assert array.tobytes() == wanted and support.held(subscriber) == 1
    thread = threading.Thread(target=tensor.delete)
    thread.start()
    thread.join()
    assert array.tobytes() == wanted and support.held(subscriber) == 1
    del array
    assert support.held(subscriber) == 0


def test_a_capsule_that_nobody_consumed_gives_the_lease_back(frames):
    _, subscriber, frame = frames
    capsules = [frame.y.__dlpack__(), frame.uv.__dlpack__(max_version=(1, 0))]
    frame.release()
    assert support.held(subscriber) == 1
    capsules.pop()
    assert support.held(subscriber) == 1
    capsules.clear()
    gc.collect()
    assert support.held(subscriber) == 0


def test_what_cannot_be_is_refused(frames):
    _, subscriber, frame = frames
    for arguments in ({"stream": 1}, {"stream": -1}, {"copy": True}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            frame.y.__dlpack__(**arguments)
    assert not hasattr(frame.y, "__cuda_array_interface__")
    frame.release()
    with pytest.raises(cuframes.FrameReleased):
        frame.y.__dlpack__()
    assert support.held(subscriber) == 0


def test_tensors_of_an_open_frame_can_be_written(directory):
    with cuframes.Publisher("a", "p010", 94, 62, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        with publisher.frame() as picture:
            number = stamp.number_of(publisher.info.epoch, 1)
            for plane in picture.planes:
                for version in (None, (1, 0)):
                    with dlpack.Tensor(plane.__dlpack__(max_version=version)) as tensor:
                        assert tensor.pointer == plane.pointer and tensor.shape == plane.shape and tensor.strides == plane.strides
                        assert tensor.flags == (0 if version else None) and tensor.dtype == (1, 16, 1)
                plane.__dlpack__()  # Nobody takes it.
            support.write(picture, number)
            picture.pts, picture.source_packet = stamp.pts_of(1), 1
        with subscriber.next() as frame:
            assert frame.to_host() == b"".join(plane.tobytes() for plane in stamp.picture_of(number, "p010", 94, 62))
