"""The events of a run as they are written, without reading the file again; of a large file a sample, or its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from moola_core.runs import event_lines

# A million events are about 300 MB. Up to WHOLE all events are read; of a larger file blocks in equal distances, LEAST bytes of it.
WHOLE_BYTES, SAMPLED_BYTES, BLOCK_BYTES = 24_000_000, 12_000_000, 60_000
NAME = "events.jsonl"


class EventReader:
    """Reads the events of a run's folder; each `read` gives those that are new.

    Attributes
    ----------
    share : float
        How much of the file was read; below 1 for a sample of a large one.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.share = 1.0
        self._offset, self._file_id = 0, -1

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call. A last line that is being written is left for the next call."""
        events, _ = self.read_from_start()
        return events

    def read_from_start(self) -> tuple[list[dict[str, Any]], bool]:
        """As `read`, and whether the file was replaced meanwhile, so that these are all of its events."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                is_other = status.st_ino != self._file_id or status.st_size < self._offset
                if is_other:
                    self._file_id, self._offset, self.share = status.st_ino, 0, 1.0
                return self._new(file, status.st_size), is_other
        except FileNotFoundError:
            return [], False

    def _new(self, file: BinaryIO, size: int) -> list[dict[str, Any]]:
        if size - self._offset > WHOLE_BYTES:
            events = _sampled(file, size)
            self.share = min(SAMPLED_BYTES / size, 1.0)
            self._offset = _end_of_lines(file, size)
            return events
        file.seek(self._offset)
        text = file.read(size - self._offset)
        end = text.rfind(b"\n") + 1
        self._offset += end
        return _parsed(text[:end])


def tail(folder: Path, most_bytes: int) -> list[dict[str, Any]]:
    """The newest events, as many as `most_bytes` hold."""
    try:
        with (folder / NAME).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _block(file, max(size - most_bytes, 0), most_bytes)
    except FileNotFoundError:
        return []


def size_of(folder: Path) -> int:
    """The bytes of the events; 0 before there are any."""
    try:
        return (folder / NAME).stat().st_size
    except OSError:
        return 0


def _sampled(file: BinaryIO, size: int) -> list[dict[str, Any]]:
    """The whole lines of blocks in equal distances, from the first line to the last."""
    count = SAMPLED_BYTES // BLOCK_BYTES
    step = (size - BLOCK_BYTES) / (count - 1)
    return [event for i in range(count) for event in _block(file, round(i * step), BLOCK_BYTES)]


def _block(file: BinaryIO, start: int, length: int) -> list[dict[str, Any]]:
    """The events whose lines lie in these bytes as a whole."""
    file.seek(max(start - 1, 0))
    text = file.read(length + (1 if start else 0))
    first = text.find(b"\n") + 1 if start else 0  # the byte before tells whether a line begins at the start
    return _parsed(text[first : text.rfind(b"\n") + 1])


def _end_of_lines(file: BinaryIO, size: int) -> int:
    """Where the last whole line ends."""
    start = max(size - BLOCK_BYTES, 0)
    file.seek(start)
    return start + file.read(size - start).rfind(b"\n") + 1


def _parsed(text: bytes) -> list[dict[str, Any]]:
    return [event for line in text.split(b"\n")[:-1] if (event := event_lines.read(line)) is not None]
