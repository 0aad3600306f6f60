"""Labelled windows that are known to lie in bars which were given alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moola_core.errors import MoolaError
from moola_core.market import library
from moola_core.market.bars import Bars
from moola_core.market.unlabelled import as_windows
from moola_core.market.windows import Windows, load_windows

NOTHING_KNOWN = (
    "No labelled windows were given and none are known for these bars, so none could be left out of pre-training "
    "(sampling.labelled). Give them with data.windows (--windows FILE), or put their file next to the bars."
)


@dataclass(frozen=True, eq=False)
class Known:
    """The files whose labelled windows lie in some bars, with these windows; and files that could not be read, with the reason."""

    files: dict[Path, Windows]
    unread: dict[Path, str]

    def first(self, window_bars: int) -> np.ndarray:
        """First bars of windows of `window_bars` bars that cover all labelled ones, sorted."""
        return first_bars(list(self.files.values()), window_bars)

    def notes(self, excluded: bool) -> list[str]:
        """Notes for somebody who pre-trains on the bars; excluded: whether labelled windows are to be left out."""
        names = ", ".join(str(path) for path in self.files)
        if not excluded:
            return (
                [f"Pre-training sees the bars of the labelled windows in {names}, without their labels."]
                if names
                else []
            )
        unread = [f"Labelled windows of {path} cannot be left out: {why}" for path, why in self.unread.items()]
        if names:
            return [*unread, f"No labelled windows were given; those of {names} lie in these bars and are left out."]
        return [*unread, NOTHING_KNOWN]


def first_bars(located: list[Windows], window_bars: int) -> np.ndarray:
    """First bars of windows of `window_bars` bars that cover the labelled windows which were located in the bars, sorted."""
    parts = [as_windows(one.position[one.position >= 0], one.bars, window_bars) for one in located]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def known_windows(bars: Bars, path: str | Path, folder: str | Path) -> Known:
    """What lies in the bars of the file at `path`, among the files under the data `folder` and those next to the bars.

    Windows with prices are found by these wherever they are. Labels without prices are cut from the bars that they belong to, so those
    count that the library puts together with these bars.
    """
    path, files, unread = Path(path), dict[Path, Windows](), dict[Path, str]()
    own = path.resolve()
    for file, together in _label_files(own, Path(folder)).items():
        try:
            windows = load_windows(file, None, bars)
        except MoolaError as error:
            if together:
                unread[file] = error.what
            continue
        if (windows.position >= 0).any():
            files[file] = windows
    return Known(files, unread)


def _label_files(bars: Path, folder: Path) -> dict[Path, bool]:
    """Files of labelled windows that may belong to the bars, and whether the library puts the two together."""
    places = [folder, *([] if bars.is_relative_to(folder.resolve()) else [bars.parent])]
    files: dict[Path, bool] = {}
    for place in places:
        for dataset in library.datasets(place) if place.is_dir() else ():
            if dataset.windows is None:
                continue
            together = dataset.bars is not None and dataset.bars.resolve() == bars
            if together or library.recognise(dataset.windows).kind == "windows":
                files[dataset.windows.resolve()] = together
    return files
