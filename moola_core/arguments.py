"""Arguments of public functions: taken as arrays, lists, data frames or tensors, or refused with their name and shape."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from moola_core.errors import DataError, SpecError, nearest


def numeric(value: Any, name: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """An array of float64.

    Parameters
    ----------
    value : array-like
        Of numbers; also a data frame, a series or a tensor on any device.
    name : str
        What the message calls it.
    shape : tuple of int or str
        Each length as it must be, or its name where any will do.

    Returns
    -------
    ndarray of float64, of that shape

    Raises
    ------
    DataError
        When it holds no numbers or has another shape; the message says which argument, its shape and the expected one.
    """
    array = _array(value, name)
    wanted = ", ".join(map(str, shape))
    if array.dtype == object and array.ndim < len(shape):
        raise DataError(f"{name} is ragged: its rows differ in length.", where=name, hint=f"Give shape ({wanted}).")
    fits = array.ndim == len(shape) and all(
        isinstance(length, str) or length == own for length, own in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise DataError(f"{name} has shape {array.shape}.", where=name, hint=f"Give shape ({wanted}).")
    if array.dtype.kind not in "fiu":
        array = _as_numbers(array, name)
    return np.ascontiguousarray(array, np.float64)


def column(value: Any, name: str, length: int) -> list[Any]:
    """One entry for each of `length` rows, as a list.

    Raises
    ------
    DataError
        When it is a single value or has another length or more dimensions; the message says which argument, its shape and the expected
        one.
    """
    if isinstance(value, str | bytes | Mapping) or not (hasattr(value, "__iter__") or hasattr(value, "__array__")):
        raise DataError(f"{name} is {_type(value)}.", where=name, hint=f"Give a sequence of {length} values.")
    if hasattr(value, "tolist") and not hasattr(value, "columns") and getattr(value, "ndim", 1) == 1:
        entries = value.detach().cpu().tolist() if hasattr(value, "detach") else list(value)
    elif hasattr(value, "shape") or hasattr(value, "columns"):
        raise DataError(f"{name} has shape {tuple(np.shape(value))}.", where=name, hint=f"Give shape ({length},).")
    else:
        entries = list(value)
        if any(isinstance(entry, list | tuple | np.ndarray) for entry in entries):
            raise DataError(f"{name} holds sequences.", where=name, hint=f"Give shape ({length},).")
    if len(entries) != length:
        raise DataError(f"{name} has shape ({len(entries)},).", where=name, hint=f"Give shape ({length},).")
    return entries


def names_of_classes(value: Any, name: str, length: int) -> list[str]:
    """Classes as text: texts, whole numbers and truth values. Raises DataError for missing ones and for fractions."""
    entries = column(value, name, length)
    texts = []
    for i, entry in enumerate(entries):
        missing = entry is None or entry != entry or str(entry) in ("<NA>", "NaT")
        if missing or (isinstance(entry, numbers.Real) and not isinstance(entry, bool | np.bool_) and entry % 1 != 0):
            what = "missing" if missing else f"{entry}, which is no class"
            raise DataError(
                f"{name} is {what} in row {i}.", where=name, hint="Give a text or a whole number for each window."
            )
        if isinstance(entry, float | np.floating):
            entry = int(entry)
        texts.append(entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry))
    return texts


def refuse_unknown(given: Iterable[str], known: Iterable[str], function: str) -> None:
    """Raise SpecError for the first keyword that the function has not."""
    listed = list(known)
    for name in given:
        if name not in listed:
            raise SpecError(f"{function} has no argument {name}.", where=name, hint=nearest(name, listed))


def both_or_neither(given: Mapping[str, Any], first: str, second: str) -> None:
    """Raise SpecError where one of two arguments is given that only make sense together."""
    lone = [name for name in (first, second) if given.get(name) is not None]
    if len(lone) == 1:
        raise SpecError(
            f"{lone[0]} is given alone.", where=lone[0], hint=f"Give both {first} and {second}, or neither."
        )


def a_path(value: Any, name: str) -> str:
    """A path. Raises SpecError for anything else, such as a data frame."""
    if not isinstance(value, str | os.PathLike):
        raise SpecError(f"{name} is {_type(value)}.", where=name, hint="Give the path of a file.")
    return os.fspath(value)


def whole(value: Any, name: str, least: int, most: int) -> int:
    """A whole number within bounds. Raises SpecError for anything else."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) <= most:
        raise SpecError(f"{name} is {value!r}.", where=name, hint=f"Give a whole number from {least} to {most}.")
    return int(value)


UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration_s(value: Any, name: str) -> float:
    """Seconds of a length of time, a number of seconds or a text such as 90s, 30m or 2h. Raises SpecError for anything else."""
    text = str(value).strip().lower()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text)
    seconds = float(match[1]) * UNITS_S[match[2] or "s"] if match else 0.0
    if isinstance(value, bool) or not seconds:
        raise SpecError(f"{value!r} is no length of time.", where=name, hint="Write it as 90s, 30m or 2h.")
    return seconds


def a_kind(value: Any, kind: type, name: str, hint: str) -> Any:
    """The value, if it is of the kind. Raises SpecError that names what it is."""
    if not isinstance(value, kind):
        raise SpecError(f"{name} is {_type(value)}.", where=name, hint=hint)
    return value


def _array(value: Any, name: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of torch, which numpy cannot read on a device or while it is differentiated
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    try:
        array = (
            np.ma.filled(np.ma.asarray(value).astype(float), np.nan)
            if isinstance(value, np.ma.MaskedArray)
            else np.asarray(value)
        )
    except ValueError:  # rows of different lengths
        raise DataError(
            f"{name} is ragged: its rows differ in length.", where=name, hint="Give rows of one length."
        ) from None
    except TypeError:
        raise DataError(f"{name} is {_type(value)}.", where=name, hint="Give an array of numbers.") from None
    return array


def _as_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """Objects that are all numbers or missing, such as those of pandas; texts, truth values and complex numbers are none."""
    if array.dtype == object:
        flat = [np.nan if entry is None or str(entry) == "<NA>" else entry for entry in array.ravel()]
        if all(isinstance(entry, numbers.Real) and not isinstance(entry, bool | np.bool_) for entry in flat):
            return np.array(flat, np.float64).reshape(array.shape)
    kind = {"U": "text", "S": "text", "b": "truth values", "c": "complex numbers", "M": "times", "m": "durations"}
    raise DataError(
        f"{name} holds {kind.get(array.dtype.kind, 'other things than numbers')}.",
        where=name,
        hint="Give an array of numbers.",
    )


def _type(value: Any) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def pairs(texts: Iterable[str], where: str) -> dict[str, str]:
    """``name=value`` texts as a dict.

    Raises
    ------
    SpecError
        For one without an equals sign; `where` says what it was given as.
    """
    given = list(texts)
    wrong = [text for text in given if "=" not in text]
    if wrong:
        raise SpecError(f"{wrong[0]!r} has no equals sign.", where=where, hint=f"Write {where} name=value.")
    return dict(text.split("=", 1) for text in given)
