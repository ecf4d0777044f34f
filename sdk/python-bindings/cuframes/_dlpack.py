# SPDX-License-Identifier: LGPL-2.1-or-later
"""DLPack capsules. Layouts and names are those of dlpack.h (https://dmlc.github.io/dlpack/latest/).

Deleters are C code, of the library or of libc: a consumer may call them from any thread, also without the GIL.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, py_object
from typing import Any, Tuple

CPU = 1
CUDA = 2

# The version that a versioned tensor says it follows.
VERSION = (1, 0)

_NAME = b"dltensor"
_VERSIONED_NAME = b"dltensor_versioned"


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("type_code", c_uint8),
        ("type_bits", c_uint8),
        ("type_lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class DLManagedTensor(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", c_void_p), ("deleter", c_void_p)]


class DLManagedTensorVersioned(ctypes.Structure):
    _fields_ = [("major", c_uint32), ("minor", c_uint32), ("context", c_void_p), ("deleter", c_void_p), ("flags", c_uint64), ("tensor", DLTensor)]


_python = ctypes.PyDLL(None)
_new = _python.PyCapsule_New
_new.restype = py_object
_new.argtypes = [c_void_p, c_char_p, c_void_p]
# These take the capsule's address: as an object it would be kept alive, and a capsule that is going away cannot be.
_is_valid = _python.PyCapsule_IsValid
_is_valid.restype = c_int
_is_valid.argtypes = [c_void_p, c_char_p]
_pointer_of = _python.PyCapsule_GetPointer
_pointer_of.restype = c_void_p
_pointer_of.argtypes = [c_void_p, c_char_p]

_libc = ctypes.CDLL(None)
_malloc = _libc.malloc
_malloc.restype = c_void_p
_malloc.argtypes = [c_size_t]
_free_address = ctypes.cast(_libc.free, c_void_p).value
_deleter_type = ctypes.CFUNCTYPE(None, c_void_p)


def _forget(
    capsule: int, is_valid: Any = _is_valid, pointer_of: Any = _pointer_of, names: Tuple[bytes, bytes] = (_NAME, _VERSIONED_NAME),
    kinds: Any = (DLManagedTensor, DLManagedTensorVersioned), deleter_type: Any = _deleter_type,
) -> None:
    # Runs when a capsule goes away. One that was consumed has another name by then. All that is used here is bound now, because modules may be empty
    # when the last capsules go away.
    for name, kind in zip(names, kinds):
        if is_valid(capsule, name):
            address = pointer_of(capsule, name)
            deleter_type(kind.from_address(address).deleter)(address)


_destructor = ctypes.PYFUNCTYPE(None, c_void_p)(_forget)
# For the same reason it is never freed.
ctypes.pythonapi.Py_IncRef(py_object(_destructor))
_destructor_address = ctypes.cast(_destructor, c_void_p).value


def capsule_of(tensor: int, versioned: bool) -> Any:
    """A capsule that owns a managed tensor."""
    return _new(tensor, _VERSIONED_NAME if versioned else _NAME, _destructor_address)


def new_tensor(pointer: int, device: Tuple[int, int], shape: Tuple[int, ...], strides: Tuple[int, ...], itemsize: int, versioned: bool, is_float: bool = False) -> int:
    """A managed tensor of memory that it does not own, writable, in one piece of memory that free() gives back.

    ``strides`` are in bytes.
    """
    kind: Any = DLManagedTensorVersioned if versioned else DLManagedTensor
    size = ctypes.sizeof(kind)
    dimensions = len(shape)
    address = _malloc(size + 2 * 8 * dimensions)
    if not address:
        raise MemoryError("No memory for a DLPack tensor.")
    numbers = c_int64 * dimensions
    lengths = numbers.from_address(address + size)
    steps = numbers.from_address(address + size + 8 * dimensions)
    lengths[:] = list(shape)
    steps[:] = [stride // itemsize for stride in strides]
    managed = kind.from_address(address)
    ctypes.memset(address, 0, size)
    if versioned:
        managed.major, managed.minor = VERSION
    managed.deleter = _free_address
    tensor = managed.tensor
    tensor.data = pointer
    tensor.device_type, tensor.device_id = device
    tensor.ndim = dimensions
    tensor.type_code, tensor.type_bits, tensor.type_lanes = 2 if is_float else 1, 8 * itemsize, 1  # kDLFloat, kDLUInt
    tensor.shape = ctypes.cast(lengths, POINTER(c_int64))
    tensor.strides = ctypes.cast(steps, POINTER(c_int64))
    return int(address)
