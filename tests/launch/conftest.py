"""Runs that are really made, each with few trees and draws beside it, those of a module's fixtures too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moola_core.launch.worker import ahead, labelled, pretrain
from moola_core.market import windows
from moola_core.market.bars import Bars
from moola_core.market.settings import load_reading
from tests.conftest import smaller_diagnostics


@pytest.fixture(autouse=True, scope="package")
def quick_doctor() -> Iterator[None]:
    with smaller_diagnostics():
        yield


@pytest.fixture(autouse=True, scope="package")
def windows_are_read_once() -> Iterator[None]:
    """Each run reads its windows several times, and most tests have runs of the same few files."""
    kept: dict[tuple[Any, ...], windows.Windows] = {}

    def read(path: str | Path, reading: Any = None, bars: Bars | None = None, **more: bool) -> windows.Windows:
        if not Path(path).is_file():
            return windows.load_windows(path, reading, bars, **more)  # with its sentence
        file, options = Path(path).stat(), (reading or load_reading(path)).model_dump_json()
        key = (
            str(path),
            file.st_mtime_ns,
            file.st_size,
            file.st_ino,
            options,
            bars and bars.content_hash,
            *more.items(),
        )
        if key not in kept:
            kept[key] = windows.load_windows(path, reading, bars, **more)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (ahead, labelled, pretrain):
            patch.setattr(module, "load_windows", read)
        yield
