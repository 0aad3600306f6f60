"""Files of torch that are zip archives, also those of TorchScript."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from moola_core.weight_files.pickles import Reader, Storage, dtype_of


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

        return Storage(dtype_of(kind), data, big)

    return Reader(io.BytesIO(content), storage).load()
