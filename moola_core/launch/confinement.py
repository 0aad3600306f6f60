"""Files that a visitor of the app may name: those in the configured data folders and in the store, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core.errors import SpecError
from moola_core.runs.record import run_of

FIELDS = ("windows", "bars", "checkpoint")


def confine(spec: Any, folders: Sequence[Path]) -> None:
    """Raise SpecError when the spec names a file outside of `folders`: by its path, by steps upwards, or through a link."""
    for name, text in _named(spec.model_dump(mode="json")):
        if text and not run_of(text):
            inside(text, folders, name)


def inside(path: str | Path, folders: Sequence[Path], where: str = "") -> Path:
    """The path with its links followed. Raises SpecError when that is in none of `folders`."""
    try:
        real = Path(path).resolve()
        within = any(real.is_relative_to(Path(folder).resolve()) for folder in folders)
    except (OSError, ValueError, RuntimeError):  # a zero byte, or links in a circle
        within = False
    if not within:
        raise SpecError(
            f"{str(path)!r} is not in the data folder or the store.",
            where=where,
            hint="Put the file there, or start the app with MOOLA_DATA set to its folder.",
        )
    return real


def _named(value: Any, name: str = "") -> list[tuple[str, str]]:
    """The file fields of a spec with their dotted names, also where an arm's changes or a search's choices name them with dots."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _named(inner, f"{name}.{key}" if name else key)]
    if isinstance(value, list):
        return [pair for inner in value for pair in _named(inner, name)]
    field = name.removesuffix(".choices").rpartition(".")[2]
    return [(name, value)] if isinstance(value, str) and field in FIELDS else []
