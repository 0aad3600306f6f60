"""Files of torch: zip archives (also those of TorchScript), the older row of pickles, and plain pickles."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

from moola_core.weight_files.pickles import STORAGES, Name, Reader, Storage
from moola_core.weight_files.tensors import BITS, NUMPY

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch's files before 1.6
ITEM_BYTES = {name: int(kind[2:]) for name, kind in (NUMPY | BITS).items()} | {"": 1}


def content_of_zip(path: Path) -> Any:
    """What torch.save or torch.jit.save wrote, with tensors in the place of tensors."""
    with zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"), None)
        if pickled is None:
            raise ValueError("the archive holds no data.pkl, which torch writes")
        folder = pickled.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        big = order in archive.namelist() and archive.read(order).strip() == b"big"
        content = archive.read(pickled)

    def storage(key: Any) -> Storage:
        _, kind, name = key[:3]

        def data() -> bytes:
            with zipfile.ZipFile(path) as archive:
                return archive.read(f"{folder}data/{name}")

        return Storage(_dtype(kind), data, big)

    return Reader(io.BytesIO(content), storage).load()


def content_of_bytes(data: bytes) -> Any:
    """What the bytes of a file of torch before 1.6, or of a plain pickle, hold."""
    file = io.BytesIO(data)
    kept: dict[Any, Storage] = {}

    def storage(key: Any) -> Any:
        if key[0] == "module":  # a class with its source
            return key[1]
        _, kind, name, _, _, view = (*key, None)[:6]
        whole = kept.setdefault(name, Storage(_dtype(kind), bytes))
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


def _dtype(kind: Any) -> str:
    """The type of number of a storage. Raises UnpicklingError for one that is not known."""
    name = kind.name if isinstance(kind, Name) else str(kind)
    if name not in STORAGES:
        raise pickle.UnpicklingError(f"it holds numbers of the kind {name}, such as those of a quantised model")
    return STORAGES[name]
