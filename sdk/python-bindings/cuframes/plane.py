# SPDX-License-Identifier: LGPL-2.1-or-later
"""One plane of a picture, as other packages take it without a copy."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from . import _buffers, _dlpack, _names
from ._stream import stream_pointer
from ._structures import CPlane


class PlaneSource:
    """What a plane is part of: a frame that is read, or one that is written."""

    __slots__ = ()

    _structure: Any

    def _hold(self, device_stream: bool) -> object:
        """Something that keeps the memory what it is while it lives. Raises when the memory is gone already."""
        raise NotImplementedError

    def _expose(self) -> None:
        """Takes note that an address was handed out. Raises when the memory is gone already."""
        raise NotImplementedError

    def _tensor(self, plane: Plane, versioned: bool, stream: Optional[int]) -> int:
        """A DLPack tensor of a plane."""
        raise NotImplementedError


class Plane:
    """One plane of a frame: rows of samples, in main memory or on a CUDA device.

    What takes it without a copy: ``numpy.asarray(plane)`` and ``numpy.from_dlpack(plane)`` in main memory, ``torch.from_dlpack(plane)`` and
    ``cupy.from_dlpack(plane)`` anywhere they can, ``cupy.asarray(plane)`` and whatever else reads ``__cuda_array_interface__`` on a device,
    ``memoryview(plane)`` from Python 3.12 on.

    An array that was made of a plane of a :class:`Frame` keeps the frame's lease until it is gone, even if the frame is released before: it never shows
    another frame. It must not be written to: main memory is mapped read-only, and a write ends the process. Of a :class:`WritableFrame` the opposite
    holds: arrays are there to be written, until the frame is published, and not after.

    Any thread may use a plane.
    """

    __slots__ = ("_source", "_raw", "_kind", "_picture", "_itemsize", "_index", "_readonly", "_holds", "__weakref__")

    def __init__(self, source: PlaneSource, index: int, readonly: bool) -> None:
        structure = source._structure
        picture = _names.PIXEL_FORMATS[structure.pixel_format]
        self._source = source
        self._raw: CPlane = structure.planes[index]
        self._kind = picture.planes[index]
        self._picture = picture
        self._itemsize = picture.itemsize
        self._index = index
        self._readonly = readonly
        self._holds: List[object] = []

    @property
    def name(self) -> str:
        """``"y"``, ``"uv"``, ``"u"``, ``"v"``, ``"rgb"``, ``"bgr"``, ``"rgba"`` or ``"bgra"``."""
        return self._kind.name

    @property
    def index(self) -> int:
        """Place of the plane in its picture, from 0."""
        return self._index

    @property
    def shape(self) -> Tuple[int, ...]:
        """``(rows, columns)``, and for interleaved samples ``(rows, columns, samples)``: UV 2, RGB24 and BGR24 3, RGBA and BGRA 4. Of a tensor
        (``"rgbp"`` and its kin) ``(3, rows, columns)``: contiguous, what models take with one more dimension before it."""
        samples = self._kind.samples
        rows = int(self._raw.rows)
        columns = int(self._raw.row_bytes) // (self._itemsize * samples)
        if self._picture.is_tensor:
            return (3, rows // 3, columns)
        return (rows, columns) if samples == 1 else (rows, columns, samples)

    @property
    def strides(self) -> Tuple[int, ...]:
        """Bytes from one element to the next, in each dimension of the shape."""
        samples = self._kind.samples
        pitch = int(self._raw.pitch)
        if self._picture.is_tensor:
            return (pitch * (int(self._raw.rows) // 3), pitch, self._itemsize)
        return (pitch, self._itemsize) if samples == 1 else (pitch, samples * self._itemsize, self._itemsize)

    @property
    def dtype(self) -> str:
        """``"uint8"``; ``"uint16"`` for P010, whose samples are in the upper 10 bits; ``"float16"`` and ``"float32"`` for tensors of numbers."""
        return f"{'float' if self._picture.is_float else 'uint'}{8 * self._itemsize}"

    @property
    def itemsize(self) -> int:
        """Bytes of a sample."""
        return self._itemsize

    @property
    def rows(self) -> int:
        """Rows; of a tensor those of all three channels."""
        return int(self._raw.rows)

    @property
    def row_bytes(self) -> int:
        """Bytes that a row holds, without padding."""
        return int(self._raw.row_bytes)

    @property
    def pitch(self) -> int:
        """Bytes from one row to the next: a multiple of 64, but of a tensor what a row holds."""
        return int(self._raw.pitch)

    @property
    def readonly(self) -> bool:
        """Whether the plane is there to be read only."""
        return self._readonly

    @property
    def memory(self) -> str:
        """``"host"`` or ``"cuda"``."""
        return _names.word_of(_names.MEMORIES, self._source._structure.memory)

    @property
    def pointer(self) -> int:
        """Address of the first sample: in main memory, or a CUDA device pointer.

        The number keeps nothing: hold the frame while it is used. Raises :class:`FrameReleased`.
        """
        self._source._expose()
        return int(self._raw.data or 0)

    def row(self, index: int) -> memoryview:
        """The bytes of a row, without padding; main memory only. The view keeps the lease. Raises ``IndexError``, :class:`FrameReleased`, ``BufferError``."""
        self._require_host("row()")
        if not 0 <= index < self._raw.rows:
            raise IndexError(f"The plane has rows 0 to {self._raw.rows - 1}, not {index}.")
        self._hold()
        return _buffers.flat_view(self._raw.data + index * self._raw.pitch, self._raw.row_bytes, self._readonly, self)

    def memoryview(self) -> memoryview:
        """The bytes from the first sample to the last, rows ``pitch`` bytes apart with padding between them, in one dimension; main memory only, every
        version of Python. The view, and all that is sliced out of it, keeps the lease. Raises :class:`FrameReleased`, ``BufferError``."""
        self._require_host("memoryview()")
        self._hold()
        size = (self._raw.rows - 1) * self._raw.pitch + self._raw.row_bytes
        return _buffers.flat_view(self._raw.data, size, self._readonly, self)

    def tobytes(self) -> bytes:
        """A copy of the samples without padding; main memory only (:meth:`Frame.to_host` copies from a device). Raises :class:`FrameReleased`,
        ``BufferError``."""
        view = self.memoryview()
        pitch, row_bytes = self.pitch, self.row_bytes
        return b"".join(view[start:start + row_bytes] for start in range(0, self.rows * pitch, pitch))

    @property
    def __array_interface__(self) -> Dict[str, Any]:
        self._require_host("__array_interface__", AttributeError)
        return {"version": 3, **self._interface(False)}

    @property
    def __cuda_array_interface__(self) -> Dict[str, Any]:
        if self._source._structure.memory != _names.CUDA:
            raise AttributeError("This plane lies in main memory, so it has no __cuda_array_interface__; numpy.asarray(plane) takes it without a copy.")
        # A frame is complete when it is announced: there is no stream to wait for.
        return {"version": 3, "stream": None, **self._interface(True)}

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        # numpy comes here only when it found nothing that it can read, and would make an array of one object otherwise.
        raise TypeError("This plane lies in CUDA memory, which numpy cannot read; Frame.to_host() makes a copy in main memory.")

    def __dlpack_device__(self) -> Tuple[int, int]:
        """Kind and number of the device, as DLPack counts them: ``(1, 0)`` is main memory, ``(2, n)`` CUDA device n of this process."""
        structure = self._source._structure
        return (_dlpack.CUDA, structure.cuda_device) if structure.memory == _names.CUDA else (_dlpack.CPU, 0)

    def __dlpack__(
        self,
        *,
        stream: Optional[Any] = None,
        max_version: Optional[Tuple[int, int]] = None,
        dl_device: Optional[Tuple[int, int]] = None,
        copy: Optional[bool] = None,
    ) -> Any:
        """A DLPack capsule of the plane; see the Python array API.

        ``stream`` is the consumer's stream: nothing has to wait for it, as the frame is complete, but the lease ends behind the work that is in it when
        the tensor is deleted. None, 1, 2 and -1 stand for the legacy default stream here, which runs behind all per-thread default streams. Tensors of main
        memory take None only. A copy or another device is refused with ``BufferError``. Raises :class:`FrameReleased`, :class:`CudaError`.
        """
        device = self.__dlpack_device__()
        if copy:
            raise BufferError("A plane is lent, not copied: copy the array that you make of it, or use Frame.to_host().")
        if dl_device is not None and (int(dl_device[0]), int(dl_device[1])) != device:
            raise BufferError(f"The plane lies on DLPack device {device}, not {tuple(dl_device)}; Frame.to_host() makes a copy in main memory.")
        number: Optional[int] = None
        if device[0] == _dlpack.CUDA:
            if stream is None or stream == -1:
                number = 0
            elif stream == 0:
                raise BufferError("DLPack has no CUDA stream 0: 1 is the legacy default stream and 2 the per-thread one.")
            else:
                number = stream_pointer(stream)
        elif stream is not None:
            raise BufferError(f"The plane lies in main memory, where there are no streams; {stream!r} was given.")
        versioned = max_version is not None and max_version[0] >= 1
        return _dlpack.capsule_of(self._source._tensor(self, versioned, number), versioned)

    if sys.version_info >= (3, 12):

        def __buffer__(self, flags: int) -> memoryview:
            self._require_host("The buffer protocol")
            if flags & 1 and self._readonly:  # PyBUF_WRITABLE
                raise BufferError("The plane is read-only: copy it and write to the copy.")
            self._hold()
            return _buffers.shaped_view(self._raw.data, self.shape, self.strides, self._itemsize, self._readonly, self._picture.is_float)

    def __repr__(self) -> str:
        return f"<cuframes.Plane {self.name} {self.dtype} {self.shape} in {self.memory} memory>"

    def _hold(self, device_stream: bool = True) -> None:
        if not self._readonly:
            # Open now does not mean open later.
            self._holds = [self._source._hold(device_stream)]
        elif not self._holds:
            # Two threads may come here at once and hold twice: both are given back.
            self._holds.append(self._source._hold(device_stream))

    def _interface(self, on_device: bool) -> Dict[str, Any]:
        self._hold(on_device)
        return {
            "shape": self.shape,
            "strides": self.strides,
            "typestr": "|u1" if self._itemsize == 1 else f"<{'f' if self._picture.is_float else 'u'}{self._itemsize}",
            "data": (int(self._raw.data or 0), self._readonly),
        }

    def _require_host(self, what: str, kind: Any = BufferError) -> None:
        if self._source._structure.memory != _names.HOST:
            raise kind(f"{what} is for planes in main memory, and this one lies in CUDA memory: use __cuda_array_interface__ or DLPack, or Frame.to_host().")
