# SPDX-License-Identifier: LGPL-2.1-or-later
"""A consumer of DLPack capsules, as a framework is one."""

import ctypes

from cuframes._dlpack import DLManagedTensor, DLManagedTensorVersioned

_python = ctypes.pythonapi
_python.PyCapsule_GetPointer.restype = ctypes.c_void_p
_python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_python.PyCapsule_GetName.restype = ctypes.c_char_p
_python.PyCapsule_GetName.argtypes = [ctypes.py_object]
_python.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

# The capsule does not copy its name.
_USED = {b"dltensor": b"used_dltensor", b"dltensor_versioned": b"used_dltensor_versioned"}


class Tensor:
    """A tensor that was taken out of its capsule. delete() lets go of the GIL while the deleter runs."""

    def __init__(self, capsule):
        name = _python.PyCapsule_GetName(capsule)
        self.is_versioned = name == b"dltensor_versioned"
        self._address = _python.PyCapsule_GetPointer(capsule, name)
        assert _python.PyCapsule_SetName(capsule, next(used for known, used in _USED.items() if known == name)) == 0
        kind = DLManagedTensorVersioned if self.is_versioned else DLManagedTensor
        managed = kind.from_address(self._address)
        tensor = managed.tensor
        self.flags = managed.flags if self.is_versioned else None
        self.version = (managed.major, managed.minor) if self.is_versioned else None
        self.pointer = tensor.data + tensor.byte_offset
        self.device = (tensor.device_type, tensor.device_id)
        self.dtype = (tensor.type_code, tensor.type_bits, tensor.type_lanes)
        self.shape = tuple(tensor.shape[index] for index in range(tensor.ndim))
        self.strides = tuple(tensor.strides[index] * (tensor.type_bits // 8) for index in range(tensor.ndim))
        self._deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(managed.deleter)

    def delete(self):
        if self._address is not None:
            self._deleter(self._address)
            self._address = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()
