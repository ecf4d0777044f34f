# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formats that are arrays (3, height, width): what models take."""

import struct
import zlib

import numpy
import pytest

import cuframes
from cuframes import _picture
import dlpack
import support

TENSORS = ("rgbp", "bgrp", "rgbp_f16", "bgrp_f16", "rgbp_f32", "bgrp_f32")


@pytest.mark.parametrize("pixel_format", TENSORS)
def test_an_array_goes_through_as_it_is(directory, pixel_format):
    dtype = support.dtype_of(pixel_format)
    random = numpy.random.default_rng(5)
    with cuframes.Publisher("a", pixel_format, 33, 20, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=support.PATIENCE) as subscriber:
        for number in range(3):
            array = (random.normal(size=(3, 20, 33)) if "_f" in pixel_format else random.integers(0, 256, (3, 20, 33))).astype(dtype)
            if number < 2:
                publisher.publish(array if number == 0 else array[:, ::-1][:, ::-1])
            else:
                with publisher.frame() as picture:
                    numpy.asarray(picture.planes[0])[...] = array
            with subscriber.next() as frame:
                (plane,) = frame.planes
                assert (plane.name, plane.shape, plane.dtype, plane.itemsize) == (pixel_format[:3], (3, 20, 33), dtype, array.itemsize)
                assert plane.strides == array.strides and plane.pitch == plane.row_bytes == 33 * array.itemsize and plane.rows == 60
                for found in (numpy.asarray(plane), numpy.from_dlpack(plane)):
                    assert found.dtype == array.dtype and found.shape == array.shape and found.flags.c_contiguous and not found.flags.writeable
                    assert numpy.array_equal(found, array) and found.__array_interface__["data"][0] == plane.pointer
                assert frame.to_host() == array.tobytes() == plane.tobytes()
                with dlpack.Tensor(plane.__dlpack__(max_version=(1, 0))) as tensor:
                    assert tensor.dtype == (2 if "_f" in pixel_format else 1, 8 * array.itemsize, 1) and tensor.shape == (3, 20, 33)


@pytest.mark.parametrize("pixel_format", TENSORS)
def test_tensors_of_an_open_frame_say_their_type(directory, pixel_format):
    with cuframes.Publisher("a", pixel_format, 33, 20, directory=directory) as publisher, publisher.frame() as picture:
        (plane,) = picture.planes
        for version in (None, (1, 0)):
            with dlpack.Tensor(plane.__dlpack__(max_version=version)) as tensor:
                assert tensor.dtype == (2 if "_f" in pixel_format else 1, 8 * plane.itemsize, 1) and tensor.shape == (3, 20, 33)
        picture.abandon()


def test_names_are_told_apart_from_other_formats(directory):
    with pytest.raises(cuframes.InvalidArgument, match="rgbp_f16"):
        cuframes.Publisher("a", "rgbp-f64", 33, 20, directory=directory)
    with cuframes.Publisher("a", "RGBP_F32", 33, 20, directory=directory) as publisher, publisher.frame() as picture:
        assert picture.pixel_format == "rgbp_f32"
        picture.abandon()


@pytest.mark.parametrize("pixel_format", TENSORS)
def test_a_png_shows_the_smallest_number_black_and_the_largest_white(pixel_format):
    array = numpy.array([[[0, 255]], [[51, 102]], [[204, 153]]], numpy.uint8)
    given = array if "_f" not in pixel_format else (array.astype("float64") * 2 - 100).astype(support.dtype_of(pixel_format))
    picture = _picture.picture_of(given.tobytes(), pixel_format, 2, 1, 0, True)
    channels = (picture.red, picture.green, picture.blue) if pixel_format.startswith("r") else (picture.blue, picture.green, picture.red)
    assert [list(channel) for channel in channels] == [[0, 255], [51, 102], [204, 153]]
    png = _picture.png_of(picture)
    start = png.index(b"IDAT")
    (size,) = struct.unpack(">I", png[start - 4:start])
    assert len(zlib.decompress(png[start + 4:start + 4 + size])) == 7


def test_a_png_of_what_is_no_number():
    numbers = numpy.array([[[numpy.nan, numpy.inf]], [[-numpy.inf, 2]], [[4, 3]]], numpy.float32)
    assert _picture.picture_of(numbers.tobytes(), "rgbp_f32", 2, 1, 0, True)[2:] == (bytes([0, 255]), bytes([0, 0]), bytes([255, 128]))
