# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks what a reader takes: every byte of every frame, the order, and the count of missed frames."""

from __future__ import annotations

import time
from typing import Any, List, Optional

import numpy

import cuframes
import stamp

MOST_FAULTS = 5


class Checker:
    """Counts as FrameChecker of the C# tests does."""

    def __init__(self) -> None:
        self.frames = self.missed = self.torn = self.lost = self.repeated = self.out_of_order = self.missed_wrong = self.epochs = 0
        self.last = 0
        self.faults: List[str] = []
        self._epoch = 0

    @property
    def is_clean(self) -> bool:
        return self.torn + self.lost + self.repeated + self.out_of_order + self.missed_wrong == 0

    def count(self, frame: cuframes.Frame) -> None:
        """A frame's place in the stream."""
        self.frames += 1
        self.missed += frame.missed
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self.epochs += 1
        elif frame.sequence == self.last:
            self.repeated += 1
            self._note(f"frame {frame.sequence} came twice")
        elif frame.sequence < self.last:
            self.out_of_order += 1
            self._note(f"frame {frame.sequence} came after {self.last}")
        elif frame.sequence != self.last + 1 + frame.missed:
            self.missed_wrong += 1
            self._note(f"frame {frame.sequence} came after {self.last} and says that {frame.missed} were missed")
        self.last = frame.sequence

    def verify(self, frame: cuframes.Frame, dwell: float = 0) -> None:
        """Looks at all of a held frame."""
        if dwell:
            time.sleep(dwell)  # A slow reader is what is simulated.
        try:
            fault = fault_of(frame)
            frame.check()
        except cuframes.FrameLost as error:
            # Its content means nothing.
            self.note_lost(str(error))
            return
        self.note_torn(fault)

    def note_torn(self, fault: Optional[str]) -> None:
        if fault:
            self.torn += 1
            self._note(fault)

    def note_lost(self, text: str) -> None:
        self.lost += 1
        self._note(text)

    def _note(self, fault: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)


def metadata_fault_of(frame: cuframes.Frame) -> Optional[str]:
    """None when what is told of a frame is that of this frame."""
    if frame.pts != stamp.pts_of(frame.sequence) or frame.source_packet != frame.sequence or frame.publish_time == 0:
        return f"frame {frame.sequence}: its metadata are those of frame {frame.source_packet}"
    return None


def content_fault_of(frame: cuframes.Frame) -> Optional[str]:
    """None when every byte of a frame is right: in main memory where it lies, of a device in a copy."""
    if frame.memory == "host":
        planes = [stamp.rows_of(plane) for plane in frame.planes]
    else:
        planes = stamp.split(numpy.frombuffer(frame.to_host(), numpy.uint8), frame.pixel_format, frame.width, frame.height)
    return stamp.find_fault(planes, stamp.number_of(frame.epoch, frame.sequence), frame.pixel_format, frame.width, frame.height)


def fault_of(frame: Any) -> Optional[str]:
    """None when all of a frame is right."""
    return metadata_fault_of(frame) or content_fault_of(frame)
