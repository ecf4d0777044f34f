# SPDX-License-Identifier: LGPL-2.1-or-later
"""Closes what is open when the interpreter ends, so that readers and publishers are told, and no thread of the library calls Python afterwards."""

from __future__ import annotations

import atexit
import weakref
from typing import Any

_open: Any = weakref.WeakSet()


def close_at_exit(closable: Any) -> None:
    """Has ``close()`` called when the interpreter ends, if the object is still there."""
    _open.add(closable)


@atexit.register
def _close_all() -> None:
    for closable in list(_open):
        closable.close()
