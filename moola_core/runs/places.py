"""Where the files that a spec names lie: as named, or elsewhere on a machine that the run was carried to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def moved(value: Any, places: Mapping[str, str]) -> Any:
    """A spec's plain values with each text that names a moved file replaced by its place."""
    if isinstance(value, dict):
        return {key: moved(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, places) for inner in value]
    return places.get(value, value) if isinstance(value, str) else value


def data_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The files of windows and bars of a spec's plain values, or of a study's base; those that it names."""
    base = values.get("base")
    data = (base if isinstance(base, dict) else values).get("data")
    return {name: data[name] for name in ("windows", "bars") if data.get(name)} if isinstance(data, dict) else {}
