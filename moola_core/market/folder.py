"""Where the user's data lies, and what lies there that is no data. Light: presets are read without pandas."""

from __future__ import annotations

import os
from pathlib import Path

OWN_PRESETS = "presets"


def data_folder() -> Path:
    """The folder of bars and labelled windows: MOOLA_DATA, or `data`."""
    return Path(os.environ.get("MOOLA_DATA") or "data")


def presets_folder() -> Path:
    """The folder of the user's own presets, one JSON file each."""
    return data_folder() / OWN_PRESETS


def is_preset(path: Path, folder: Path) -> bool:
    """Whether a file under the data folder is one of the user's presets, and so no table."""
    return path.suffix == ".json" and path.parent == folder / OWN_PRESETS
