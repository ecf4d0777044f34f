# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames in CUDA memory as arrays of CuPy, without a copy."""

import unittest

import numpy

import support

try:
    import cupy
except ImportError:
    cupy = None

# Of a processor clock of 2 GHz some 3 s.
BUSY_CYCLES = 6_000_000_000

SPIN = r"""
extern "C" __global__ void spin(long long cycles) {
  long long start = clock64();
  while (clock64() - start < cycles) {
  }
}
"""


def has_gpu():
    """Whether CuPy and a GPU are there."""
    try:
        return cupy is not None and cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


@unittest.skipUnless(has_gpu(), "CuPy with a GPU is not there")
class CupyTest(support.GpuTest):
    framework = "cupy"

    def setUp(self):
        # What the tests use is loaded before, because loading a kernel may wait for those that run.
        self.spin = cupy.RawKernel(SPIN, "spin")
        self.spin((1,), (1,), (numpy.int64(1000),))
        cupy.zeros((8, 8), cupy.uint8).copy()
        cupy.ascontiguousarray(cupy.zeros((8, 16), cupy.uint8)[:, :8])
        cupy.cuda.Device().synchronize()

    def test_arrays_share_the_memory_of_planes(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        self.assertTrue(publisher.publish()["shares"])
        with subscriber.next() as frame:
            for plane in frame.planes:
                for array in (cupy.asarray(plane), cupy.from_dlpack(plane)):
                    self.assertEqual(array.data.ptr, plane.pointer)
                    self.assertEqual(array.shape, plane.shape)
                    self.assertEqual(array.strides, plane.strides)
                    self.assertEqual(array.dtype, numpy.uint8)
                    self.assertEqual(array.device.id, frame.cuda_device)
                    self.check_plane(cupy.asnumpy(array), "nv12", plane.name, frame.sequence)
            self.check_host(frame)

    def test_packed_and_ten_bit_formats(self):
        for pixel_format, name in (("rgb24", "rgb"), ("p010", "y"), ("p010", "uv")):
            with self.subTest(pixel_format=pixel_format, plane=name):
                publisher = self.start(pixel_format)
                subscriber = self.read(publisher)
                self.assertTrue(publisher.publish()["shares"])
                with subscriber.next() as frame:
                    plane = getattr(frame, name)
                    array = cupy.asarray(plane)
                    self.assertEqual(array.data.ptr, plane.pointer)
                    self.check_plane(cupy.asnumpy(array), pixel_format, name, frame.sequence)
                    self.check_host(frame)
                subscriber.close()

    def test_results_equal_those_of_the_cpu(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        for _ in range(5):
            publisher.publish()
            with subscriber.next() as frame:
                luma, chroma = cupy.asarray(frame.y), cupy.asarray(frame.uv)
                histogram = cupy.asnumpy(cupy.bincount(luma.reshape(-1).astype(cupy.int64), minlength=256))
                sums = cupy.asnumpy(chroma.astype(cupy.int64).sum(axis=(0, 1)))
                picture = numpy.frombuffer(frame.to_host(), numpy.uint8)
                size = frame.width * frame.height
                numpy.testing.assert_array_equal(histogram, numpy.bincount(picture[:size], minlength=256))
                numpy.testing.assert_array_equal(sums, picture[size:].reshape(-1, 2).astype(numpy.int64).sum(axis=0))
                self.check_host(frame)

    def test_an_array_that_outlives_its_frame_keeps_the_lease(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        sequence, pointer = frame.sequence, frame.y.pointer
        one, other = cupy.asarray(frame.y), cupy.from_dlpack(frame.y)
        frame.release()
        for array in (one, other):
            for _ in range(3 * support.SLOTS):
                publisher.publish()
                with subscriber.next() as later:
                    self.assertNotEqual(later.y.pointer, pointer)
            self.check_plane(cupy.asnumpy(array), "nv12", "y", sequence)
        del array, one
        publisher.publish(3 * support.SLOTS)
        self.check_plane(cupy.asnumpy(other), "nv12", "y", sequence)
        del other
        cupy.cuda.Device().synchronize()
        self.check_slot_is_used_again(publisher, subscriber, pointer)
        self.check_nothing_is_held(publisher, subscriber)

    def test_release_with_a_stream_holds_the_slot_until_its_work_is_done(self):
        for fence in ("stream", "event"):
            with self.subTest(fence=fence):
                publisher = self.start()
                subscriber = self.read(publisher, fences=("cpu", fence))
                publisher.publish()
                frame = subscriber.next()
                self.assertEqual(subscriber.info.release_fence, fence, subscriber.info.release_fence_reason)
                sequence, pointer = frame.sequence, frame.y.pointer
                stream = cupy.cuda.Stream(non_blocking=True)
                with stream:
                    array = cupy.asarray(frame.y)
                    self.spin((1,), (1,), (numpy.int64(BUSY_CYCLES),))
                    copy = array.copy()
                frame.release(stream=stream)
                # Also after it: the array is one more owner, and the stream was named.
                del array
                self.check_slot_is_held(publisher, subscriber, pointer, lambda: not stream.done)
                stream.synchronize()
                self.check_plane(cupy.asnumpy(copy), "nv12", "y", sequence)
                self.check_slot_is_used_again(publisher, subscriber, pointer)
                self.check_nothing_is_held(publisher, subscriber)
                subscriber.close()

    def test_a_deleted_array_holds_the_slot_until_its_consumers_stream_is_done(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        sequence, pointer = frame.sequence, frame.y.pointer
        stream = cupy.cuda.Stream(non_blocking=True)
        with stream:
            array = cupy.from_dlpack(frame.y)
            self.spin((1,), (1,), (numpy.int64(BUSY_CYCLES),))
            copy = array.copy()
        del array
        frame.release()
        self.check_slot_is_held(publisher, subscriber, pointer, lambda: not stream.done)
        stream.synchronize()
        self.check_plane(cupy.asnumpy(copy), "nv12", "y", sequence)
        self.check_slot_is_used_again(publisher, subscriber, pointer)
        self.check_nothing_is_held(publisher, subscriber)

    def test_the_example_computes_without_a_copy(self):
        self.check_example("read_cupy.py")
