"""What a file of weights says of itself, read without torch and without running any code in it: shapes, and a description."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from moola_core.errors import UNREADABLE

LONGEST_HEADER = 1 << 26
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch's files before 1.6: pickles one after another
_UNREADABLE = (*UNREADABLE, pickle.UnpicklingError)

Shapes = dict[str, tuple[int, ...]]


def shapes(path: Path) -> Shapes:
    """The shapes of the tensors in a safetensors file, or of the model's in a file of torch; none where it cannot be read."""
    try:
        if path.suffix == ".safetensors":
            return {name: tuple(item["shape"]) for name, item in _header(path).items() if name != "__metadata__"}
        content = _torch_content(path)
        state = content.get("model_state_dict", content) if isinstance(content, dict) else {}
        return {str(name): value.shape for name, value in state.items() if isinstance(value, _Tensor)}
    except _UNREADABLE:
        return {}


def description(path: Path) -> dict[str, Any]:
    """The description in a safetensors file, or next to it; empty where there is none."""
    for read in (lambda: _header(path)["__metadata__"]["description"], path.with_suffix(".json").read_bytes):
        try:
            content = json.loads(read())
        except _UNREADABLE:
            continue
        if isinstance(content, dict):
            return content
    return {}


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length)) if length <= LONGEST_HEADER else None
    if not isinstance(header, dict):
        raise ValueError("no header")
    return header


def _torch_content(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
            with archive.open(names[0]) as file:
                return _Reader(file).load()
    with path.open("rb") as file:
        if _Reader(file).load() != _LEGACY_MAGIC:
            raise ValueError("no file of torch")
        _Reader(file).load(), _Reader(file).load()  # the version of the protocol, and of the machine
        return _Reader(file).load()


class _Tensor:
    """Stands for a tensor: its shape alone."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __setstate__(self, _: object) -> None:
        """Nothing of the state is kept."""


class _Nothing:
    """Stands for every other object that the file names; takes whatever is done to it and does nothing."""

    def __new__(cls, *_: object, **__: object) -> _Nothing:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Nothing is kept."""

    def __setstate__(self, _: object) -> None:
        """Nothing is kept."""

    def __setitem__(self, _: object, __: object) -> None:
        """Nothing is kept."""

    def append(self, _: object) -> None:
        """Nothing is kept."""


class _Names(dict):
    """Stands for an OrderedDict, whose attributes are not kept."""

    def __setstate__(self, _: object) -> None:
        """Only the items count."""


def _rebuilt(_storage: object, _offset: object, size: Any, *_: object) -> _Tensor:
    return _Tensor(tuple(int(length) for length in size))


def _parameter(data: Any, *_: object) -> Any:
    return data


class _Reader(pickle.Unpickler):
    """Reads the pickle in a file of torch; whatever it names becomes one of the stand-ins above."""

    def __init__(self, file: BinaryIO | Any) -> None:
        super().__init__(file, encoding="latin-1")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Names
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return _rebuilt
        return _parameter if (module, name) == ("torch._utils", "_rebuild_parameter") else _Nothing

    def persistent_load(self, _: object) -> None:
        return None
