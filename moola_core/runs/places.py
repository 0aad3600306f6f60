"""Where a run lies in its store; and where the files that its spec names lie: as named, or elsewhere on another machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from moola_core.errors import RunError
from moola_core.runs.record import RUN_ID

PLACES = "places.json"


def folder_of(root: Path, run_id: str) -> Path:
    """The run's folder, whatever it holds. Raises RunError for a name that is no run id, for a link, and when there is none."""
    if not RUN_ID.fullmatch(str(run_id)):
        raise RunError(
            f"{run_id!r} is not a run id.", hint="Ids look like 20260131-120000-000-1a2b; `moola runs` lists them."
        )
    folder = root / "runs" / run_id
    if folder.is_symlink():
        raise RunError("is a link out of the store.", where=f"run {run_id}", hint="Move the folder itself there.")
    if not folder.is_dir():
        raise RunError(
            f"no run {run_id} in {root}.", hint="`moola runs` lists what is there; --store chooses another store."
        )
    return folder


def moved(value: Any, places: Mapping[str, str]) -> Any:
    """A spec's plain values with each text that names a moved file replaced by its place."""
    if isinstance(value, dict):
        return {key: moved(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, places) for inner in value]
    return places.get(value, value) if isinstance(value, str) else value


@lru_cache(maxsize=1024)
def real_path(path: str) -> str:
    """The path with its links followed; runs share few, and asking the disk for each would be slow."""
    return os.path.realpath(path)


def same_file(path: str, other: str) -> bool:
    """Whether both paths lead to one file, through links or not; an empty one leads to none."""
    return bool(path) and real_path(path) == real_path(other)


def data_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The files of windows and bars of a spec's plain values, or of a study's base; those that it names."""
    base = values.get("base")
    data = (base if isinstance(base, dict) else values).get("data")
    return {name: data[name] for name in ("windows", "bars") if data.get(name)} if isinstance(data, dict) else {}
