"""Runs in one file, to be carried to another machine: everything that they need, with a hash of each part. `unpack` adds them there."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from moola_core.errors import StoreError
from moola_core.runs import codec, decisions, references
from moola_core.runs.files import replacing
from moola_core.runs.mirror import files_of
from moola_core.runs.store import Store

MANIFEST = "manifest.json"
VERSION = 1
CHUNK = 1 << 20
SIDECARS = (".moola.json",)
FORMED = (".parquet", ".safetensors", ".gz", ".zst", ".zip")  # squeezed already: not worth another try


@dataclass(frozen=True)
class Packed:
    """What was packed: run ids, how many files, their bytes, what the runs name that was not there, and how many decisions about their data."""

    runs: tuple[str, ...]
    files: int
    bytes: int
    missing: tuple[str, ...]
    decisions: int = 0


@dataclass
class _Contents:
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def pack(store: Store, run_ids: Iterable[str], out: Path, with_data: bool = True) -> Packed:
    """Write runs, and what they rest on, to one ZIP file.

    Parameters
    ----------
    store : Store
        Where the runs are.
    run_ids : iterable of str
        The runs; those that they need, and the diagnostics and predictions made of them, are taken along.
    out : Path
        The file to write.
    with_data : bool, default True
        Whether the files of windows and bars that their specs name are taken along.

    Returns
    -------
    Packed

    Raises
    ------
    RunError
        When one of the runs is not there.
    StoreError
        When `out` cannot be written.
    """
    included, lost = references.together(store, run_ids)
    contents = _Contents(missing=lost)
    try:
        with replacing(out) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for run_id in included:
                run = store.open(run_id)
                for path in files_of(run):
                    _put(archive, path, f"runs/{run_id}/{path.relative_to(run.folder).as_posix()}", contents)
                folder = Path(str(run.record.queue.get("folder", "")))
                for name in references.files(run) if with_data else ():
                    _put_data(archive, name, folder / run.places.get(name, name), contents)
            own = decisions.packed(store, _windows_of(store, included))
            manifest = {"version": VERSION, "runs": included, "decisions": own, **vars(contents)}
            archive.writestr(MANIFEST, codec.dumps(manifest, indent=1))
    except FileNotFoundError as error:
        raise StoreError(
            f"{error.filename} went away while it was packed.", where=str(out), hint="Pack again."
        ) from None
    total = sum(item["bytes"] for item in contents.files.values())
    return Packed(tuple(included), len(contents.files), total, tuple(contents.missing), len(own))


def _windows_of(store: Store, run_ids: Iterable[str]) -> set[str]:
    """The content hashes of the windows of the runs."""
    records = [store.open(run_id).record for run_id in run_ids]
    return {record.data_hashes["windows"] for record in records if "windows" in record.data_hashes}


def _put(archive: zipfile.ZipFile, path: Path, name: str, contents: _Contents) -> None:
    entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in FORMED else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
        contents.files[name] = copy_parts(source, target)


def _put_data(archive: zipfile.ZipFile, named: str, path: Path, contents: _Contents) -> None:
    """A file that a spec names, with the settings or the description next to it; once, however many runs name it."""
    if named in contents.data or named in contents.missing:
        return
    if not path.is_file():
        contents.missing.append(named)
        return
    folder = f"data/{file_hash(path)[:16]}"
    contents.data[named] = f"{folder}/{path.name}"
    sidecars = [path.with_name(path.name + end) for end in SIDECARS]
    sidecars += [path.with_suffix(".json")] if path.suffix == ".safetensors" else []
    for one in (path, *(other for other in sidecars if other.is_file())):
        if f"{folder}/{one.name}" not in contents.files:
            _put(archive, one, f"{folder}/{one.name}", contents)


def copy_parts(source: IO[bytes], target: IO[bytes] | None, most: int | None = None) -> dict[str, Any]:
    """Copy and count; stops once there is more than `most`, which is more than was packed."""
    digest, count = hashlib.sha256(), 0
    while (most is None or count <= most) and (block := source.read(CHUNK)):
        digest.update(block)
        count += len(block)
        if target is not None:
            target.write(block)
    return {"sha256": digest.hexdigest(), "bytes": count}


def file_hash(path: Path) -> str:
    with path.open("rb") as source:
        return str(copy_parts(source, None)["sha256"])
