"""What a file says beside its weights: the columns and the scale of the encoder's inputs, and the length of its windows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.errors import UNREADABLE, CheckpointError
from moola_core.features.catalog import FEATURES
from moola_core.weight_files.files import Contents
from moola_core.weight_files.tensors import Tensor

LENGTH_KEYS = ("window_length", "window_bars", "window_size", "seq_len", "seq_length", "sequence_length")
COLUMN_KEYS = ("features", "feature_names", "feature_columns", "columns", "input_columns", "input_features")
MEANS, SPREADS = ("mean", "mean_", "means", "center"), ("std", "std_", "stds", "scale", "scale_", "sigma")


def own_description(contents: Contents, path: Path) -> dict[str, Any]:
    """The description in a file of this package, or next to it by older versions; empty where there is none."""
    for text in (lambda: contents.more["description"], path.with_suffix(".json").read_bytes):
        try:
            content = json.loads(text())
        except UNREADABLE:
            continue
        if isinstance(content, dict):
            return content
    return {}


def columns_of(contents: Contents, own: Mapping[str, Any], inputs: int) -> tuple[tuple[str, ...] | None, bool]:
    """Names of the inputs, and whether the file says them."""
    spec = own.get("spec")
    groups = (
        spec.get("features", {}).get("columns")
        if isinstance(spec, Mapping) and isinstance(spec.get("features"), Mapping)
        else None
    )
    if groups:
        return tuple(map(str, groups)), True
    for value in _values((own, contents.more), COLUMN_KEYS):
        if isinstance(value, Sequence) and len(value) == inputs and all(isinstance(name, str) for name in value):
            return tuple(value), True
    return (("relativity",), False) if inputs == len(FEATURES) else (None, False)


def window_bars_of(contents: Contents, own: Mapping[str, Any]) -> int | None:
    """The length of the windows that it was trained on, where the file says one."""
    lengths = {
        value for value in _values((own, contents.more), LENGTH_KEYS) if isinstance(value, int) and 10 <= value <= 500
    }
    return lengths.pop() if len(lengths) == 1 else None


def scale_of(contents: Contents, inputs: int, where: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and standard deviation of the inputs, beside the encoder in the file."""
    for mean, std in _pairs(contents, inputs):
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise CheckpointError(
                "the scale of its inputs is not finite, or not above zero.",
                where=where,
                hint="Give another checkpoint.",
            )
        return mean, std
    return None


def _pairs(contents: Contents, inputs: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    numbers: dict[str, Any] = {
        name: tensor.array for name, tensor in contents.tensors.items() if tensor.shape == (inputs,)
    }
    for path, value in _leaves(contents.more):
        if (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and len(value) == inputs
            and all(isinstance(one, int | float) for one in value)
        ):
            numbers[path] = lambda value=value: np.array(value, np.float32)
    for name, mean in numbers.items():
        match = re.fullmatch(r"(.*?[._/]|)([a-z]+_?)", name)
        if match and match[2] in MEANS:
            before = match[1]
            spread = next((numbers[f"{before}{std}"] for std in SPREADS if f"{before}{std}" in numbers), None)
            if spread is not None:
                yield mean(), spread()


def _leaves(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value in nested mappings with the keys that lead to it; the state of a stand-in is a mapping too."""
    inside = content if isinstance(content, Mapping) else getattr(content, "state", None)
    if not isinstance(inside, Mapping) or isinstance(content, Tensor) or depth > 8:
        yield path, content
        return
    for key, value in inside.items():
        yield from _leaves(value, f"{path}.{key}" if path else str(key), depth + 1)


def _values(contents: Sequence[Any], keys: Sequence[str]) -> Iterator[Any]:
    for content in contents:
        for path, value in _leaves(content):
            if path.rpartition(".")[2] in keys:
                yield value
