"""Runs in one file, to be carried to another machine: everything that they need, with a hash of each part."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from moola_core.errors import StoreError
from moola_core.runs import codec, decisions, references
from moola_core.runs.files import flush, replacing
from moola_core.runs.liveness import give_up
from moola_core.runs.mirror import files_of
from moola_core.runs.places import PLACES
from moola_core.runs.record import RUN_ID
from moola_core.runs.store import Run, Store

MANIFEST = "manifest.json"
VERSION = 1
CHUNK = 1 << 20
PART = re.compile(r"[^/\\\x00]{1,255}")
SIDECARS = (".moola.json",)
# What reading a spoilt ZIP file raises: a bit of it may also ask for encryption, or for a way of packing that is unknown.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)
FORMED = (".parquet", ".safetensors", ".gz", ".zst", ".zip")  # squeezed already: not worth another try


@dataclass(frozen=True)
class Packed:
    """What was packed: run ids, how many files, their bytes, what the runs name that was not there, and how many decisions about their data."""

    runs: tuple[str, ...]
    files: int
    bytes: int
    missing: tuple[str, ...]
    decisions: int = 0


@dataclass(frozen=True)
class Unpacked:
    """Run ids that were added, those that were there already and stay as they are, the data files that were written, and the ids of
    decisions that were added."""

    added: tuple[str, ...]
    there: tuple[str, ...]
    data: tuple[str, ...]
    decisions: tuple[str, ...] = ()


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


def unpack(file: Path, store: Store, data: Path) -> Unpacked:
    """Add the runs of a packed file to a store.

    A run that is in the store already stays as it is, so doing it twice changes nothing. A run that was under way is lost, and
    can be resumed.

    Parameters
    ----------
    file : Path
        What `pack` wrote.
    store : Store
        Where the runs are added.
    data : Path
        A folder; files of data that are not here already go to ``unpacked`` in it.

    Returns
    -------
    Unpacked

    Raises
    ------
    StoreError
        When the file is no pack or is damaged; then nothing is added.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _read_manifest(archive, file)
            _check(archive, manifest, file)
            places, written = _take_data(archive, manifest, data)
            added, there = [], []
            for run_id in manifest["runs"]:
                if (store.runs_folder / run_id).exists():
                    there.append(run_id)
                else:
                    _take_run(archive, manifest, run_id, store, places)
                    added.append(run_id)
            kept = decisions.unpack(store, manifest.get("decisions"))
    except DAMAGED as error:
        raise _damaged(file, str(error).rstrip(".")) from None
    except OSError as error:
        raise StoreError(
            f"cannot be unpacked: {error.strerror or error}.", where=str(file), hint="Check the path, space and rights."
        ) from None
    return Unpacked(tuple(added), tuple(there), tuple(written), tuple(kept))


def _put(archive: zipfile.ZipFile, path: Path, name: str, contents: _Contents) -> None:
    entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in FORMED else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
        contents.files[name] = _copy(source, target)


def _put_data(archive: zipfile.ZipFile, named: str, path: Path, contents: _Contents) -> None:
    """A file that a spec names, with the settings or the description next to it; once, however many runs name it."""
    if named in contents.data or named in contents.missing:
        return
    if not path.is_file():
        contents.missing.append(named)
        return
    folder = f"data/{_hash(path)[:16]}"
    contents.data[named] = f"{folder}/{path.name}"
    sidecars = [path.with_name(path.name + end) for end in SIDECARS]
    sidecars += [path.with_suffix(".json")] if path.suffix == ".safetensors" else []
    for one in (path, *(other for other in sidecars if other.is_file())):
        if f"{folder}/{one.name}" not in contents.files:
            _put(archive, one, f"{folder}/{one.name}", contents)


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        manifest = codec.load_object(archive.read(MANIFEST))
        version, names, runs = int(manifest["version"]), list(manifest["files"]), list(manifest["runs"])
        data = dict(manifest["data"])
    except (KeyError, ValueError, TypeError):
        raise StoreError("is not a file that `moola pack` wrote.", where=str(file), hint="Pack again.") from None
    if version > VERSION:
        raise StoreError("was packed by a newer version.", where=str(file), hint="Update moola here.")
    sound = all(_sound(name) for name in names) and all(isinstance(r, str) and RUN_ID.fullmatch(r) for r in runs)
    if not sound or any(place not in manifest["files"] for place in data.values()):
        raise _damaged(file, "it names places outside of the store")
    return manifest


def _sound(name: str) -> bool:
    """runs/ID/… or data/HASH/NAME, with no step upwards."""
    parts = PurePosixPath(name).parts
    if len(parts) < 3 or any(not PART.fullmatch(part) or part in (".", "..") for part in parts):
        return False
    if parts[0] == "data":
        return len(parts) == 3 and bool(re.fullmatch(r"[0-9a-f]{16}", parts[1]))
    return parts[0] == "runs" and bool(RUN_ID.fullmatch(parts[1]))


def _check(archive: zipfile.ZipFile, manifest: Mapping[str, Any], file: Path) -> None:
    """Every part is there and is what was packed."""
    for name, wanted in manifest["files"].items():
        try:
            with archive.open(name) as source:
                actual = _copy(source, None, int(wanted["bytes"]))
        except KeyError:
            raise _damaged(file, f"{name} is missing") from None
        if actual != wanted:
            raise _damaged(file, f"{name} is not what was packed")


def _take_data(archive: zipfile.ZipFile, manifest: Mapping[str, Any], data: Path) -> tuple[dict[str, str], list[str]]:
    """Where each file that a spec names lies here; and which were written for that."""
    places, written = {}, []
    for named, name in manifest["data"].items():
        if Path(named).is_file() and _hash(Path(named)) == manifest["files"][name]["sha256"]:
            continue
        folder = PurePosixPath(name).parent
        for part in [part for part in manifest["files"] if PurePosixPath(part).parent == folder]:
            target = data / "unpacked" / folder.name / PurePosixPath(part).name
            if not target.is_file():
                with archive.open(part) as source, replacing(target) as draft, draft.open("wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
                written.append(str(target))
        places[named] = str((data / "unpacked" / folder.name / PurePosixPath(name).name).resolve())
    return places, written


def _take_run(
    archive: zipfile.ZipFile, manifest: Mapping[str, Any], run_id: str, store: Store, places: Mapping[str, str]
) -> None:
    folder = store.runs_folder / run_id
    draft = Run(folder.with_name(f".{run_id}.{os.getpid()}.tmp"))
    shutil.rmtree(draft.folder, ignore_errors=True)
    try:
        for name in manifest["files"]:
            parts = PurePosixPath(name).parts
            if parts[:2] == ("runs", run_id):
                target = draft.folder.joinpath(*parts[2:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
                flush(target)
        own = {named: places[named] for named in references.files(draft) if named in places}
        (draft.folder / PLACES).unlink(missing_ok=True)  # those of the machine that it comes from
        if own:
            draft.write_places(own)
        give_up(draft, "It had not ended when it was packed.")
        draft.folder.replace(folder)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)


def _copy(source: IO[bytes], target: IO[bytes] | None, most: int | None = None) -> dict[str, Any]:
    """Copy and count; stops once there is more than `most`, which is more than was packed."""
    digest, count = hashlib.sha256(), 0
    while (most is None or count <= most) and (block := source.read(CHUNK)):
        digest.update(block)
        count += len(block)
        if target is not None:
            target.write(block)
    return {"sha256": digest.hexdigest(), "bytes": count}


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return str(_copy(source, None)["sha256"])


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(f"the packed file is damaged: {why}.", where=str(file), hint="Pack or copy it again.")
