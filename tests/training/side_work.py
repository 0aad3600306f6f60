"""Work for processes beside the tests': each marks how far it has come, and waits to be killed. It imports no torch, so it starts at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

from moola_core.errors import DataError
from moola_core.training.processes import process_map, take_part

SECONDS = 120


def mark(path: str) -> None:
    Path(path).touch()
    time.sleep(SECONDS)


class SlowToSend:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        mark(self.path)
        return str, ()


def answer_slowly(ballast: bytes, path: str):
    """An answer whose sending takes for ever."""
    return SlowToSend(path)


def work(ballast: bytes, path: str) -> None:
    mark(path)


class SlowToLoad:
    """Reading this is what importing a slow module is."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return mark, (self.path,)

    def __call__(self, item: object) -> None:
        raise AssertionError("it was never loaded")


def square(item: int) -> int:
    return item**2


def tell(item: int, emit) -> int:
    for step in range(3):
        emit((item, step))
    return item


class Unsendable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail(item: str) -> None:
    raise {"data": DataError("no such column.", hint="Name it."), "value": ValueError("odd"), "odd": Unsendable(1, 2)}[
        item
    ]


def count_for(seconds: float) -> float:
    """Work that keeps a processor busy for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return seconds


def processes_within(most: int) -> tuple[int, set[int]]:
    """Where four items are worked on by a process that may start so many: the ids of the processes."""
    take_part(most)
    return most, set(process_map(own_id, range(4), 4))


def own_id(_: int) -> int:
    time.sleep(0.2)  # or the first might do it all
    return os.getpid()
