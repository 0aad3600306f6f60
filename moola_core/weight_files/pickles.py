"""Pickles read without running anything that they name: every object but tensors becomes a stand-in that only keeps its state.

The files of torch before 1.6 are rows of pickles.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np

from moola_core.weight_files.tensors import BITS, NUMPY, Tensor, decoded, strided

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch's files before 1.6
ITEM_BYTES = {name: int(kind[2:]) for name, kind in (NUMPY | BITS).items()} | {"": 1}

# Pickles that name one of these act on the machine when another program opens them; no checkpoint does. This is a courtesy to
# whoever opens the file next: here nothing that a file names is ever looked up.
ACTING = {
    "asyncio",
    "bdb",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "ftplib",
    "http",
    "imp",
    "importlib",
    "marshal",
    "nt",
    "os",
    "pdb",
    "pip",
    "posix",
    "pty",
    "pydoc",
    "requests",
    "runpy",
    "shutil",
    "smtplib",
    "socket",
    "subprocess",
    "sys",
    "telnetlib",
    "tempfile",
    "timeit",
    "urllib",
    "webbrowser",
}
HARMLESS_BUILTINS = {
    "set",
    "frozenset",
    "slice",
    "range",
    "complex",
    "bytearray",
    "bytes",
    "object",
    "dict",
    "list",
    "tuple",
    "str",
    "int",
    "float",
    "bool",
    "type",
    "getattr",
    "Ellipsis",
    "NotImplemented",
}
STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "",
}


class ActingFile(Exception):
    """The file names something that would act on the machine."""


class StandIn:
    """An object of any class: its name and its state."""

    def __init__(self, name: str) -> None:
        self.name, self.state = name, {}  # type: str, dict[Any, Any]

    def build(self, state: Any) -> None:
        """What pickle does with the state of an object that has no way of its own."""
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.state |= part

    # A file may use an object as a dict, a list or a set.
    def __setitem__(self, key: Any, value: Any) -> None:
        self.state[key] = value

    def append(self, value: Any) -> None:
        self.state[len(self.state)] = value

    add = append

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)


class Name:
    """A class or function that the file names; calling it gives a stand-in."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *arguments: Any) -> Any:
        stand_in = StandIn(f"{self.module}.{self.name}")
        for i, argument in enumerate(arguments):
            if isinstance(argument, Tensor | Array | dict | list | tuple | StandIn):
                stand_in.state[f"argument{i}"] = argument
        return stand_in


class Storage:
    """The numbers of one or more tensors: their type and how to read their bytes."""

    def __init__(self, dtype: str, data: Callable[[], bytes | memoryview], big_endian: bool = False) -> None:
        self.dtype, self.data, self.big_endian = dtype, data, big_endian

    def numbers(self, dtype: str) -> np.ndarray:
        return decoded(self.data(), dtype, self.big_endian)


class Reader(pickle._Unpickler):  # the one in Python: that in C reserves as much memory as a file asks for
    """Reads one pickle. `storage` gives the Storage for a persistent id."""

    def __init__(self, file: BinaryIO | Any, storage: Callable[[Any], Any]) -> None:
        super().__init__(file, encoding="latin-1")
        self.storage = storage

    def persistent_load(self, key: Any) -> Any:
        return self.storage(key)

    def find_class(self, module: str, name: str) -> Any:
        builtin = module in ("builtins", "__builtin__")
        if module.split(".")[0] in ACTING or (builtin and name not in HARMLESS_BUILTINS):
            raise ActingFile(f"{module}.{name}")
        return KNOWN.get((module, name)) or Name(module, name)

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError("it uses a registry of pickle's that is not in the file")

    def load_build(self) -> None:
        state = self.stack.pop()  # type: ignore[attr-defined]
        target = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(target, StandIn | Array | NumberType):
            target.build(state)

    def load_newobj(self) -> None:
        arguments = self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1] = _made(self.stack[-1], arguments)  # type: ignore[attr-defined]

    def load_newobj_ex(self) -> None:
        self.stack.pop()  # type: ignore[attr-defined]
        self.load_newobj()

    def load_reduce(self) -> None:
        arguments = self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1] = _made(self.stack[-1], arguments)  # type: ignore[attr-defined]

    def _instantiate(self, kind: Any, arguments: Any) -> None:
        self.append(_made(kind, tuple(arguments)))  # type: ignore[attr-defined]

    dispatch: ClassVar[dict[int, Any]] = pickle._Unpickler.dispatch | {
        pickle.BUILD[0]: load_build,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        pickle.REDUCE[0]: load_reduce,
    }


def _made(kind: Any, arguments: Any) -> Any:
    """What calling one of the names in the file stands for."""
    if not isinstance(kind, Name) and kind not in KNOWN.values():
        return StandIn("object")
    return kind(*arguments) if isinstance(arguments, tuple) else kind()


class Array:
    """An array of numpy as it is pickled; a Tensor once its state is there."""

    def __init__(self, *_: Any) -> None:
        self.tensor: Tensor | None = None

    def build(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        shape = tuple(int(length) for length in shape)
        if not isinstance(dtype, NumberType) or not isinstance(data, bytes | str) or dtype.kind[:1] not in "fiubc":
            return
        kind = np.dtype(dtype.order + dtype.kind)
        raw = data.encode("latin-1") if isinstance(data, str) else data

        def read() -> np.ndarray:
            return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")

        self.tensor = Tensor(shape, kind.name, read)


class NumberType:
    """A dtype of numpy as it is pickled: its kind, and then the order of its bytes."""

    def __init__(self, kind: Any = "", *_: Any) -> None:
        self.kind, self.order = str(kind), "="

    def build(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *more: Any) -> Tensor:
    """torch._utils._rebuild_tensor, _v2 and _v3; the last names the type, of which the storage then says nothing."""
    named_type = next((one.name for one in more if isinstance(one, Name) and one.module == "torch"), "")
    shape, steps = tuple(int(length) for length in size), tuple(int(step) for step in stride)
    dtype = named_type or storage.dtype
    return Tensor(shape, dtype, lambda: strided(storage.numbers(dtype), int(offset), shape, steps))


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _from_type(function: Any, _kind: Any, arguments: Any, _state: Any) -> Any:
    return _made(function, arguments)


def _from_numpy(array: Any, *_: Any) -> Any:
    return array


def _ordered(items: Any = (), *_: Any) -> dict[Any, Any]:
    return dict(items) if isinstance(items, list | tuple | dict) else {}


def _default_dict(*_: Any) -> dict[Any, Any]:
    return {}


def _text(text: Any, encoding: Any = "latin-1", *_: Any) -> Any:
    return text.encode("latin-1") if isinstance(text, str) and encoding in ("latin-1", "latin1") else text


def content_of_bytes(data: bytes) -> Any:
    """What the bytes of a file of torch before 1.6, or of a plain pickle, hold."""
    file = io.BytesIO(data)
    kept: dict[Any, Storage] = {}

    def storage(key: Any) -> Any:
        if key[0] == "module":  # a class with its source
            return key[1]
        _, kind, name, _, _, view = (*key, None)[:6]
        whole = kept.setdefault(name, Storage(dtype_of(kind), bytes))
        if not view:
            return whole
        _, offset, size = view
        return Storage(whole.dtype, lambda: _viewed(whole, offset, size))

    content = Reader(file, storage).load()
    if content != LEGACY_MAGIC:
        return content
    for _ in range(2):  # the version of the protocol, and of the machine
        Reader(file, storage).load()
    content = Reader(file, storage).load()
    place = io.BytesIO(data[file.tell() :])
    for key in Reader(place, storage).load():
        (numbers,) = struct.unpack("<q", place.read(8))
        dtype = kept[key].dtype if key in kept else "float32"
        held = place.read(numbers * ITEM_BYTES[dtype]) if numbers >= 0 else b""
        if key in kept:
            kept[key].data = lambda held=held: held  # type: ignore[misc]
    return content


def _viewed(whole: Storage, offset: int, size: int) -> bytes:
    each = ITEM_BYTES[whole.dtype]
    return bytes(whole.data()[offset * each : (offset + size) * each])


def dtype_of(kind: Any) -> str:
    """The type of number of a storage. Raises UnpicklingError for one that is not known."""
    name = kind.name if isinstance(kind, Name) else str(kind)
    if name not in STORAGES:
        raise pickle.UnpicklingError(f"it holds numbers of the kind {name}, such as those of a quantised model")
    return STORAGES[name]


def _storage_in(data: Any) -> Any:
    return content_of_bytes(bytes(data))


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _default_dict,
    ("builtins", "dict"): _ordered,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _from_numpy,
    ("torch._tensor", "_rebuild_from_type_v2"): _from_type,
    ("torch.storage", "_load_from_bytes"): _storage_in,
    ("_codecs", "encode"): _text,
    ("numpy", "dtype"): NumberType,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Array for core in ("core", "_core")},
}
