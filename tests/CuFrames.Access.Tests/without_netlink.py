# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program in which socket(AF_NETLINK) fails with EAFNOSUPPORT, as RestrictAddressFamilies= of a systemd unit does it.

    without_netlink.py PROGRAM [ARGUMENT...]
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

# linux/prctl.h, linux/seccomp.h, linux/audit.h, linux/bpf_common.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
# Places in struct seccomp_data: the call's number, the low half of its first argument.
NUMBER, FIRST = 0, 16
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


program = b"".join([
    instruction(LOAD, NUMBER),
    instruction(JUMP_IF_EQUAL, SOCKET, 0, 3),
    instruction(LOAD, FIRST),
    instruction(JUMP_IF_EQUAL, socket.AF_NETLINK, 0, 1),
    instruction(RETURN, FAIL),
    instruction(RETURN, ALLOW),
])
text = ctypes.create_string_buffer(program, len(program))
instructions = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(instructions))):
    if libc.prctl(*arguments, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")

try:
    socket.socket(socket.AF_NETLINK)
    sys.exit("the filter does nothing")
except OSError as error:
    assert error.errno == errno.EAFNOSUPPORT, error
os.execvp(sys.argv[1], sys.argv[1:])
