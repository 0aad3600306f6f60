"""Tensors as they lie in a file: a shape, a type of number and the bytes, read when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Each type of number that torch and safetensors store, under numpy's name or, where numpy has none, under torch's.
NUMPY = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "<i1",
    "uint8": "<u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "bool": "|b1",
    "complex64": "<c8",
    "complex128": "<c16",
}
BITS = {"bfloat16": "<u2", "float8_e4m3fn": "<u1", "float8_e5m2": "<u1"}
FLOATS = ("float64", "float32", "float16", *BITS)
DEEPEST = 40


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        As torch calls it, without ``torch.``.
    read : callable
        Gives the numbers as an array of `shape`; those that numpy has no type for as float32. Raises ValueError when the file
        holds fewer bytes than the tensor needs.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]

    def array(self) -> np.ndarray:
        """The numbers as float32, as a model holds them."""
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is then refused by name
            return np.array(self.read(), np.float32, order="C")


def decoded(data: bytes | memoryview, dtype: str, big_endian: bool = False) -> np.ndarray:
    """The numbers [n] that the bytes stand for. Raises ValueError for an unknown type, and for half a number at the end."""
    kind = NUMPY.get(dtype) or BITS.get(dtype)
    if kind is None:
        raise ValueError(f"the type {dtype} is not known")
    numbers = np.frombuffer(data, kind.replace("<", ">") if big_endian else kind)
    if dtype == "bfloat16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return _eight_bits(dtype)[numbers] if dtype in BITS else numbers


def _eight_bits(dtype: str) -> np.ndarray:
    """The value of each byte: sign, exponent, mantissa (Micikevicius et al. 2022); e4m3fn has no infinity."""
    code = np.arange(256)
    width = 3 if dtype == "float8_e4m3fn" else 2
    bias = 7 if width == 3 else 15
    exponent, mantissa = (code & 127) >> width, code & (2**width - 1)
    small = np.ldexp(mantissa / 2.0**width, 1 - bias)
    value = np.where(exponent == 0, small, np.ldexp(1 + mantissa / 2.0**width, exponent - bias))
    if width == 3:
        value[(code & 127) == 127] = np.nan
    else:
        value[exponent == 31] = np.where(mantissa[exponent == 31] == 0, np.inf, np.nan)
    return np.where(code & 128, -value, value).astype(np.float32)


def strided(flat: np.ndarray, offset: int, shape: Sequence[int], stride: Sequence[int]) -> np.ndarray:
    """A view of `flat` [n] as torch's strides give it. Raises ValueError where it would reach beyond the numbers that are there."""
    if (
        any(length < 0 for length in shape)
        or any(step < 0 for step in stride)
        or offset < 0
        or len(shape) != len(stride)
    ):
        raise ValueError("a shape or a stride is negative or missing")
    if math.prod(shape) == 0:
        return np.zeros(shape, flat.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if last >= len(flat):
        raise ValueError(f"the tensor needs {last + 1} numbers and the file holds {len(flat)}")
    steps = [step * flat.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(flat[offset:], tuple(shape), steps, writeable=False)


def named(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Each tensor in nested content, with the keys that lead to it joined by dots."""
    if isinstance(content, Tensor):
        yield path, content
        return
    if getattr(content, "tensor", None) is not None:  # an array of numpy
        yield path, content.tensor
        return
    if depth > DEEPEST:
        return
    if isinstance(content, Mapping):
        items: Any = content.items()
    elif isinstance(content, list | tuple):
        items = enumerate(content)
    else:
        state = getattr(content, "state", None)
        items = state.items() if isinstance(state, Mapping) else ()
    for key, value in items:
        step = "" if key in ("_parameters", "_buffers", "_modules") else str(key)
        yield from named(value, f"{path}.{step}" if path and step else path or step, depth + 1)
