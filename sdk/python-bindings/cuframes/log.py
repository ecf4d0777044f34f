# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library has to say besides errors."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from . import _names
from ._library import started_library
from ._structures import LogCallback

_gate = threading.Lock()
_callback: Any = None


def set_log(function: Optional[Callable[[str, str], object]], level: str = "warning") -> None:
    """Has ``function(level, line)`` called for each line that the library logs, up to a level: ``"error"``, ``"warning"`` or ``"information"``. None: not any more,
    which is how it begins.

    The function is called by any thread, also by threads of the library; it must return soon and must not use CuFrames. Its exceptions go to
    ``sys.unraisablehook``. Any thread may call ``set_log``::

        logger = logging.getLogger("cuframes")
        cuframes.set_log(lambda level, line: logger.log(logging.ERROR if level == "error" else logging.WARNING, line))
    """
    global _callback
    highest = _names.number_of(_names.LOG_LEVELS, level, "level")
    loaded = started_library()
    if function is None:
        made: Any = LogCallback()
    else:
        tell = function

        def write(_user: Optional[int], number: int, text: Optional[bytes]) -> None:
            tell(_names.word_of(_names.LOG_LEVELS, number), text.decode("utf-8", "replace") if text else "")

        made = LogCallback(write)
    with _gate:
        loaded.check(loaded.set_log(made, None, highest))
        # The one before is not called any more when set_log has returned.
        _callback = made
