"""Where the app finds data and runs: the folders `data` and `artifacts`, or those that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from moola_core.market.folder import data_folder

__all__ = ["LOGO", "MARK", "data_folder", "display_path", "store_folder"]
MARK = Path(__file__).with_name("mark.svg")
LOGO = Path(__file__).with_name("logo.svg")


def store_folder() -> Path:
    """The folder of runs: MOOLA_STORE, or `artifacts`."""
    return Path(os.environ.get("MOOLA_STORE") or "artifacts")


def display_path(path: str | Path) -> str:
    """The path as a user would type it: relative to where the app runs, if it lies below."""
    path = Path(path).resolve()
    here = Path.cwd().resolve()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
