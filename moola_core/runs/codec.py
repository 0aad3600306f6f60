"""Strict JSON: numpy, dataclasses, paths and times at any depth; a number that is not finite becomes null."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from moola_core.specs.aliases import RESULT_FIELDS, RESULT_VALUES

_OLD_FIELDS = {new: old for old, new in RESULT_FIELDS.items()}


def stored_key(values: Mapping[str, Any], field: str) -> str:
    """The key under which `values`, as they were written, hold a field: its name, or what it was called before."""
    old = _OLD_FIELDS.get(field)
    return old if old is not None and field not in values and old in values else field


def dumps(value: Any, indent: int | None = None) -> str:
    """`value` as JSON text that every parser accepts. Raises TypeError that names the type it cannot write."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes) -> Any:
    return json.loads(text)


def load_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object from text.

    Raises
    ------
    ValueError
        When the text is not JSON, or is JSON of another kind.
    """
    try:
        value = loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def plain(value: Any) -> Any:
    """`value` as dicts, lists, texts, numbers, booleans and None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return (
            [plain(item) for item in value.tolist()] if value.dtype.kind not in "Mm" else [str(item) for item in value]
        )
    if isinstance(value, np.datetime64 | datetime | date):
        return str(value) if isinstance(value, np.datetime64) else value.isoformat()
    if isinstance(value, np.generic):
        return plain(value.item())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _container(value)


def _container(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _key(key: Any) -> str:
    if isinstance(key, bool | float | np.floating) or not isinstance(key, str | int | np.integer):
        raise TypeError(f"{type(key).__name__} cannot be a key in JSON")
    return str(key)


def restore(kind: Any, value: Any) -> Any:
    """A result from the plain values that it was written as.

    Parameters
    ----------
    kind : type
        A dataclass, or the type of one of its fields.
    value : Any
        Plain values, as `plain` makes them.

    Returns
    -------
    object
        An instance of `kind`. Arrays are made of lists (null is nan), tuples of lists. Fields that a newer version added are
        passed over; a field that is missing is None, or what its old name holds, and words that were renamed are read as those
        of now (`specs.aliases`).
    """
    options = [option for option in get_args(kind) if option is not type(None)] if _optional(kind) else [kind]
    kind = options[0]
    if value is None:
        return np.array([]) if kind is np.ndarray else None
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _kinds(kind)
        stored = {name: value.get(stored_key(value, name)) for name in hints}
        stored |= {
            name: words.get(stored[name], stored[name]) for name, words in RESULT_VALUES.items() if name in stored
        }
        return kind(**{name: restore(hints[name], stored[name]) for name in hints})
    if kind is np.ndarray:
        array = np.array(value)
        return array.astype(float) if array.dtype == object else array
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        each = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        return tuple(restore(item, part) for item, part in zip(each, value, strict=True))
    if get_origin(kind) is dict:
        return {key: restore(get_args(kind)[1], part) for key, part in value.items()}
    return value


# Python evaluates the annotations anew each time, and a comparison restores thousands of values of a few kinds.
@lru_cache(None)
def _kinds(kind: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind)
