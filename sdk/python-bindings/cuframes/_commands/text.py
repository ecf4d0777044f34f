# SPDX-License-Identifier: LGPL-2.1-or-later
"""How figures and tables are written for people."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, List, Optional, Sequence

_COLOURS = {
    "live": "32", "source-lost": "33", "starting": "33", "waiting": "33", "ended": "31", "unavailable": "31",
}


def is_terminal() -> bool:
    """Whether colours and redrawing make sense."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb" and "NO_COLOR" not in os.environ


def say_json(value: Any) -> None:
    """One line of JSON."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """Aligned lines. A heading that begins with ``#`` has numbers, aligned to the right. Columns in which no row has anything are left out."""
    used = [column for column in range(len(headings)) if not rows or any(row[column] for row in rows)]
    widths = {column: max(len(headings[column].lstrip("#")), *(len(row[column]) for row in rows)) if rows else len(headings[column]) for column in used}
    lines = []
    for number, row in enumerate([[heading.lstrip("#") for heading in headings], *rows]):
        cells = []
        for column in used:
            text = row[column].rjust(widths[column]) if headings[column].startswith("#") else row[column].ljust(widths[column])
            colour = "1" if number == 0 else _COLOURS.get(row[column])
            cells.append(f"\x1b[{colour}m{text}\x1b[0m" if colour and is_terminal() else text)
        lines.append("  ".join(cells).rstrip())
    return lines


def rate(value: Optional[float]) -> str:
    """Frames per second."""
    return "-" if value is None else f"{value:.1f}"


def size_of(count: float) -> str:
    """Bytes with the unit that suits them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            break
        count /= 1024
    else:
        unit = "TiB"
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def duration(microseconds: Optional[float]) -> str:
    """A duration with the unit that suits it."""
    if microseconds is None:
        return "-"
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    if microseconds < 100_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds / 1000:.0f} ms" if microseconds < 10_000_000 else f"{microseconds / 1e6:.1f} s"
