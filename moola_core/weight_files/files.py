"""Any file of tensors, told by its first bytes: safetensors, torch, numpy. No code in a file is run, and torch is not needed."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.errors import UNREADABLE, CheckpointError
from moola_core.weight_files.pickles import ActingFile, content_of_bytes
from moola_core.weight_files.tensors import NUMPY, Tensor, decoded, named
from moola_core.weight_files.torch_files import content_of_zip

LONGEST_HEADER = 1 << 26
OF_SAFETENSORS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"}
OF_SAFETENSORS |= {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "C64": "complex64"}
OF_SAFETENSORS |= {
    f"{sign}{bits}": f"{kind}{bits}" for sign, kind in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}
FORMATS = {b"\x89HDF": "HDF5", b"GGUF": "GGUF", b"\x08": "ONNX", b"PAR1": "Parquet", b"\x1f\x8b": "gzip"}


@dataclass(frozen=True)
class Contents:
    """What a file of tensors holds.

    Attributes
    ----------
    form : str
        ``"safetensors"``, ``"torch"``, ``"torch (before 1.6)"``, ``"pickle"`` or ``"numpy"``.
    tensors : dict of str to Tensor
        By the keys that lead to them, joined by dots.
    more : dict of str to Any
        What stands beside the tensors: plain values of the file, or its metadata.
    """

    form: str
    tensors: dict[str, Tensor]
    more: Mapping[str, Any] = field(default_factory=dict)


def form_of(path: Path) -> str:
    """Which form of file of tensors this is by its first bytes; empty for every other file, also for one that cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
        if start[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                members = archive.namelist()
            if any(name.split("/")[-1] == "data.pkl" for name in members):
                return "torch"
            return "numpy" if members and all(name.endswith(".npy") for name in members) else ""
        if len(start) > 8 and struct.unpack("<Q", start[:8])[0] <= LONGEST_HEADER and start[8:9] == b"{":
            return "safetensors"
        return "pickle" if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05" else ""
    except UNREADABLE:
        return ""


def read(path: str | Path) -> Contents:
    """All tensors in the file, whose numbers are read when they are asked for.

    Raises
    ------
    CheckpointError
        When there is no such file, it is none of these forms, it is damaged, or it would run code in another program.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("no such checkpoint.", where=str(path), hint="Give a run's id or a file.")
    form = form_of(path)
    if not form:
        raise CheckpointError(
            f"cannot be read: {_why_no_form(path)}.",
            where=str(path),
            hint="Give a file that torch.save or safetensors wrote.",
        )
    try:
        contents = _READERS[form](path)
        if form in ("pickle", "torch"):  # a state may name one tensor twice; each name counts
            return Contents(form, dict(named(contents)), contents if isinstance(contents, Mapping) else {})
        return contents
    except ActingFile as error:
        raise CheckpointError(
            f"refused: it names {error}, so that opening it elsewhere could run code.",
            where=str(path),
            hint="Get the file from its author again, or save its weights alone, as safetensors.",
        ) from None
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise unreadable(path, error) from None


def unreadable(path: str | Path, error: Exception) -> CheckpointError:
    """The error for a file that is damaged or cut off."""
    lines = str(error).splitlines()
    why = lines[0][:200].rstrip(".") if lines else type(error).__name__
    hint = "Copy or download it again; it must be a file that torch.save or safetensors wrote."
    return CheckpointError(f"cannot be read: {why}.", where=str(path), hint=hint)


def _why_no_form(path: Path) -> str:
    start = path.read_bytes()[:64] if path.stat().st_size < 1 << 20 else path.open("rb").read(64)
    if not start:
        return "it is empty"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the file itself; fetch it with git lfs pull"
    if start.lstrip()[:1] == b"<":
        return "it is a page of HTML, such as the one in place of a download"
    if start[:4] == b"PK\x03\x04":
        return "it is a damaged or cut off zip archive, or one that torch did not write"
    name = next((name for magic, name in FORMATS.items() if start.startswith(magic) and len(start) > 8), "")
    return (
        f"it is a file of {name}"
        if name
        else "it is neither a file of torch nor of safetensors nor of numpy, or it is damaged"
    )


def _safetensors(path: Path) -> Contents:
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    start = 8 + length

    def tensor(name: str, item: Any) -> Tensor:
        shape, dtype = tuple(map(int, item["shape"])), OF_SAFETENSORS.get(item["dtype"], str(item["dtype"]))
        begin, end = item["data_offsets"]
        if not 0 <= begin <= end or start + end > size:
            raise ValueError(f"{name} ends at byte {start + end} and the file has {size}")

        def numbers() -> Any:
            with path.open("rb") as file:
                file.seek(start + begin)
                return decoded(file.read(end - begin), dtype).reshape(shape)

        return Tensor(shape, dtype, numbers)

    more = header.pop("__metadata__", None)
    return Contents("safetensors", {name: tensor(name, item) for name, item in header.items()}, more or {})


def _numpy(path: Path) -> Contents:
    def tensor(name: str) -> Tensor:
        with np.load(path, allow_pickle=False) as archive:
            shape, kind = archive[name].shape, archive[name].dtype

        def numbers() -> Any:
            with np.load(path, allow_pickle=False) as archive:
                return archive[name]

        return Tensor(shape, kind.name if kind.name in NUMPY else str(kind), numbers)

    with np.load(path, allow_pickle=False) as archive:
        names = list(archive.files)
    return Contents("numpy", {name: tensor(name) for name in names})


def _pickled(path: Path) -> Any:
    return content_of_bytes(path.read_bytes())


_READERS: dict[str, Any] = {"safetensors": _safetensors, "numpy": _numpy, "torch": content_of_zip, "pickle": _pickled}
