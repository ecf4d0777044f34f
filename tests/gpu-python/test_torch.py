# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames in CUDA memory as tensors of PyTorch, without a copy."""

import unittest

import support

try:
    import torch
except ImportError:
    torch = None

# Of a processor clock of 2 GHz some 3 s.
BUSY_CYCLES = 6_000_000_000


@unittest.skipUnless(torch is not None and torch.cuda.is_available(), "PyTorch with a GPU is not there")
class TorchTest(support.GpuTest):
    framework = "torch"

    def setUp(self):
        # What the tests use is loaded before, because loading a kernel may wait for those that run.
        warm = torch.zeros((8, 8), dtype=torch.uint8, device="cuda")
        torch.cuda._sleep(1000)
        warm.clone()
        torch.cuda.synchronize()

    def test_tensors_share_the_memory_of_planes(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        self.assertTrue(publisher.publish()["shares"])
        with subscriber.next() as frame:
            for plane in frame.planes:
                tensor = torch.from_dlpack(plane)
                self.assertEqual(tensor.data_ptr(), plane.pointer)
                self.assertEqual(tuple(tensor.shape), plane.shape)
                self.assertEqual(tensor.stride(), tuple(stride // plane.itemsize for stride in plane.strides))
                self.assertEqual(tensor.dtype, torch.uint8)
                self.assertEqual(tensor.device, torch.device("cuda", frame.cuda_device))
                self.check_plane(tensor.cpu().numpy(), "nv12", plane.name, frame.sequence)
            self.check_host(frame)

    def test_packed_and_ten_bit_formats(self):
        for pixel_format, name in (("rgb24", "rgb"), ("p010", "y"), ("p010", "uv")):
            with self.subTest(pixel_format=pixel_format, plane=name):
                publisher = self.start(pixel_format)
                subscriber = self.read(publisher)
                self.assertTrue(publisher.publish()["shares"])
                with subscriber.next() as frame:
                    plane = getattr(frame, name)
                    tensor = torch.from_dlpack(plane)
                    self.assertEqual(tensor.data_ptr(), plane.pointer)
                    self.check_plane(tensor.cpu().numpy(), pixel_format, name, frame.sequence)
                    self.check_host(frame)
                subscriber.close()

    def test_results_equal_those_of_the_cpu(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        for _ in range(5):
            publisher.publish()
            with subscriber.next() as frame:
                luma = torch.from_dlpack(frame.y)
                chroma = torch.from_dlpack(frame.uv)
                histogram = torch.bincount(luma.reshape(-1).to(torch.int64), minlength=256).cpu()
                sums = chroma.to(torch.int64).sum(dim=(0, 1)).cpu()
                picture = torch.frombuffer(frame.to_host(), dtype=torch.uint8)
                size = frame.width * frame.height
                self.assertTrue(torch.equal(histogram, torch.bincount(picture[:size].to(torch.int64), minlength=256)))
                self.assertTrue(torch.equal(sums, picture[size:].reshape(-1, 2).to(torch.int64).sum(dim=0)))
                self.check_host(frame)

    def test_a_tensor_that_outlives_its_frame_keeps_the_lease(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        sequence, pointer = frame.sequence, frame.y.pointer
        tensor = torch.from_dlpack(frame.y)
        frame.release()
        for _ in range(3 * support.SLOTS):
            publisher.publish()
            with subscriber.next() as other:
                self.assertNotEqual(other.y.pointer, pointer)
        self.check_plane(tensor.cpu().numpy(), "nv12", "y", sequence)
        del tensor
        torch.cuda.synchronize()
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
                # A tensor of the default stream, which is idle: it does not hold the slot for the other stream's work.
                tensor = torch.from_dlpack(frame.y)
                stream = torch.cuda.Stream()
                with torch.cuda.stream(stream):
                    torch.cuda._sleep(BUSY_CYCLES)
                    copy = tensor.clone()
                del tensor
                frame.release(stream=stream)
                self.check_slot_is_held(publisher, subscriber, pointer, lambda: not stream.query())
                stream.synchronize()
                self.check_plane(copy.cpu().numpy(), "nv12", "y", sequence)
                self.check_slot_is_used_again(publisher, subscriber, pointer)
                self.check_nothing_is_held(publisher, subscriber)
                subscriber.close()

    def test_a_deleted_tensor_holds_the_slot_until_its_consumers_stream_is_done(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        sequence, pointer = frame.sequence, frame.y.pointer
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            tensor = torch.from_dlpack(frame.y)
            torch.cuda._sleep(BUSY_CYCLES)
            copy = tensor.clone()
        del tensor
        frame.release()
        self.check_slot_is_held(publisher, subscriber, pointer, lambda: not stream.query())
        stream.synchronize()
        self.check_plane(copy.cpu().numpy(), "nv12", "y", sequence)
        self.check_slot_is_used_again(publisher, subscriber, pointer)
        self.check_nothing_is_held(publisher, subscriber)

    def test_a_release_without_the_stream_does_not_hold_the_slot(self):
        """The other tests would pass as well if every slot were held while a stream is busy: it is not."""
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        pointer = frame.y.pointer
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            torch.cuda._sleep(BUSY_CYCLES)
        frame.release()
        self.check_slot_is_used_again(publisher, subscriber, pointer)
        self.assertFalse(stream.query(), "The stream's work ended too early for this test: nothing was shown.")
        stream.synchronize()

    def test_the_default_stream_is_waited_for_without_being_named(self):
        publisher = self.start()
        subscriber = self.read(publisher)
        publisher.publish()
        frame = subscriber.next()
        sequence, pointer = frame.sequence, frame.y.pointer
        tensor = torch.from_dlpack(frame.y)
        busy = torch.cuda.Event()
        torch.cuda._sleep(BUSY_CYCLES)
        copy = tensor.clone()
        busy.record()
        del tensor
        frame.release()
        # Nothing is read meanwhile: what is read here is released behind the same stream.
        publisher.publish(3 * support.SLOTS)
        self.assertEqual(publisher.info()["held"], 1)
        self.assertFalse(busy.query(), "The stream's work ended too early for this test: nothing was shown.")
        torch.cuda.synchronize()
        self.check_plane(copy.cpu().numpy(), "nv12", "y", sequence)
        self.check_slot_is_used_again(publisher, subscriber, pointer)

    def test_the_example_computes_without_a_copy(self):
        self.check_example("read_torch.py")
