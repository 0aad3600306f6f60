"""Packed runs into a store: the whole file is checked before anything is added, and then all of it is added or nothing."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from moola_core import specs
from moola_core.errors import MoolaError, StoreError
from moola_core.runs import codec, decisions, references
from moola_core.runs.files import flush
from moola_core.runs.liveness import give_up
from moola_core.runs.pack import CHUNK, MANIFEST, VERSION, copy_parts, file_hash
from moola_core.runs.places import PLACES
from moola_core.runs.record import RUN_ID
from moola_core.runs.store import Run, Store

PART = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}")
# What reading a spoilt ZIP file raises: a bit of it may also ask for encryption, or for a way of packing that is unknown.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)
# Beyond these no runs were packed. Events shrink to a thirtieth; what shrinks to a thousandth was made to fill a disk.
MOST_PARTS, MOST_MANIFEST_BYTES, MOST_RATIO, RATIO_FROM_BYTES = 500_000, 1 << 28, 200, 1 << 26
SPARE_BYTES = 1 << 24


@dataclass(frozen=True)
class Unpacked:
    """Run ids that were added, those that were there already and stay as they are, the data files that were written, the ids of
    decisions that were added, and sentences about ids that were wrong and were put right."""

    added: tuple[str, ...]
    there: tuple[str, ...]
    data: tuple[str, ...]
    decisions: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


def unpack(file: Path, store: Store, data: Path) -> Unpacked:
    """Add the runs of a packed file to a store.

    A run that is in the store already stays as it is, so doing it twice changes nothing. A run that was under way is lost, and
    can be resumed. A run whose record names another id, or parents in a circle, is added with the id of its folder and without that
    parent.

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
        When the file is no pack, is damaged, or holds more than the disk has room for; then nothing is added.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _read_manifest(archive, file)
            _check_sizes(archive, manifest, file, (store.root, data))
            _check_parts(archive, manifest, file)
            with _Unpacking(archive, manifest, store, data).whole() as one:
                one.prepare(file)
                one.add()
                kept = decisions.unpack(store, manifest.get("decisions"))
    except DAMAGED as error:
        raise _damaged(file, str(error).rstrip(".")) from None
    except OSError as error:
        raise StoreError(
            f"cannot be unpacked: {error.strerror or error}.", where=str(file), hint="Check the path, space and rights."
        ) from None
    there = [run_id for run_id in manifest["runs"] if run_id not in one.drafts]
    return Unpacked(tuple(one.drafts), tuple(there), tuple(map(str, one.written)), tuple(kept), tuple(one.repaired))


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise _damaged(file, f"its {MANIFEST} is larger than any")
        manifest = codec.load_object(archive.read(MANIFEST))
        version, runs = int(manifest["version"]), list(dict.fromkeys(manifest["runs"]))
        data = dict(manifest["data"])
        sizes = {name: (int(part["bytes"]), str(part["sha256"])) for name, part in dict(manifest["files"]).items()}
    except (KeyError, ValueError, TypeError):
        raise StoreError("is not a file that `moola pack` wrote.", where=str(file), hint="Pack again.") from None
    if version > VERSION:
        raise StoreError("was packed by a newer version.", where=str(file), hint="Update moola here.")
    sound = all(_sound(name) for name in sizes) and all(isinstance(r, str) and RUN_ID.fullmatch(r) for r in runs)
    if not sound or any(place not in sizes for place in data.values()):
        raise _damaged(file, "it names places outside of the store")
    files = {name: {"sha256": digest, "bytes": size} for name, (size, digest) in sizes.items()}
    return {**manifest, "runs": runs, "data": data, "files": files}


def _sound(name: str) -> bool:
    """runs/ID/… or data/HASH/NAME, with no step upwards."""
    parts = PurePosixPath(name).parts
    if len(parts) < 3 or any(not PART.fullmatch(part) or part in (".", "..") for part in parts):
        return False
    if parts[0] == "data":
        return len(parts) == 3 and bool(re.fullmatch(r"[0-9a-f]{16}", parts[1]))
    return parts[0] == "runs" and bool(RUN_ID.fullmatch(parts[1]))


def _check_sizes(archive: zipfile.ZipFile, manifest: Mapping[str, Any], file: Path, places: tuple[Path, Path]) -> None:
    """How much there is, by the manifest and by the archive's own list, before a byte of it is unpacked."""
    files = manifest["files"]
    if len(files) > MOST_PARTS or len(archive.namelist()) != len(set(archive.namelist())):
        raise _damaged(file, f"it names more than {MOST_PARTS:,} parts, or one of them twice")
    stated = sum(part["bytes"] for part in files.values())
    listed = sum(entry.file_size for entry in archive.infolist())
    total, size = max(stated, listed), file.stat().st_size
    if min((part["bytes"] for part in files.values()), default=0) < 0:
        raise _damaged(file, "it states sizes below 0")
    if total > max(MOST_RATIO * size, RATIO_FROM_BYTES):
        raise _damaged(file, f"{size:,} bytes would become {total:,}, which no packed runs do")
    for place in places:
        free = shutil.disk_usage(_existing(place)).free
        if total + SPARE_BYTES > free:
            raise StoreError(
                f"holds {total:,} bytes, and {free:,} are free.", where=str(place), hint="Free some space on that disk."
            )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.resolve()
    return next(one for one in (folder, *folder.parents) if one.exists())


def _check_parts(archive: zipfile.ZipFile, manifest: Mapping[str, Any], file: Path) -> None:
    """Every part is there and is what was packed, and each run has a record and a spec that this version reads."""
    for name, wanted in manifest["files"].items():
        try:
            with archive.open(name) as source:
                actual = copy_parts(source, None, wanted["bytes"])
        except KeyError:
            raise _damaged(file, f"{name} is missing") from None
        if actual != wanted:
            raise _damaged(file, f"{name} is not what was packed")
    for run_id in manifest["runs"]:
        for name in ("run.json", "spec.json"):
            _check_object(archive, manifest, f"runs/{run_id}/{name}", file)


def _check_object(archive: zipfile.ZipFile, manifest: Mapping[str, Any], name: str, file: Path) -> None:
    if name not in manifest["files"]:
        raise _damaged(file, f"{name} is missing")
    try:
        values = codec.load_object(archive.read(name))
        codec.dumps(values).encode()
        if name.endswith("spec.json"):
            specs.parse(values, name)
    except MoolaError as error:
        raise StoreError(
            f"holds a run that this version cannot read: {error.what}",
            where=f"{file}, {name}",
            hint="Update moola here, or pack it with this version.",
        ) from None
    except ValueError as error:
        raise _damaged(file, f"{name} is no record: {error}") from None


@dataclass
class _Unpacking:
    """Drafts of everything that is to be added, renamed into their places one after another; taken back when one cannot be."""

    archive: zipfile.ZipFile
    manifest: Mapping[str, Any]
    store: Store
    data: Path
    drafts: dict[str, Run] = field(default_factory=dict)
    moves: list[tuple[Path, Path]] = field(default_factory=list)
    moved: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @contextmanager
    def whole(self) -> Iterator[_Unpacking]:
        try:
            yield self
        except BaseException:
            for place in reversed(self.moved):
                _remove(place)
            raise
        finally:
            for draft, _ in self.moves:
                _remove(draft)

    def prepare(self, file: Path) -> None:
        """Write the drafts: where a later step fails, nobody has seen any of them."""
        places = self._data()
        for run_id in self.manifest["runs"]:
            folder = self.store.runs_folder / run_id
            if os.path.lexists(folder):
                continue
            draft = Run(folder.with_name(f".{run_id}.{os.getpid()}.tmp"))
            self.moves.append((draft.folder, folder))
            self.drafts[run_id] = draft
            _remove(draft.folder)
            self._write(run_id, draft, places)
        self._repair()

    def add(self) -> None:
        for draft, place in self.moves:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(place)
            self.moved.append(place)

    def _write(self, run_id: str, draft: Run, places: Mapping[str, str]) -> None:
        for name in self.manifest["files"]:
            parts = PurePosixPath(name).parts
            if parts[:2] == ("runs", run_id):
                self._copy(name, draft.folder.joinpath(*parts[2:]))
        stated = codec.load_object((draft.folder / "run.json").read_bytes()).get("run_id")
        if stated != run_id:
            self.repaired.append(f"run {run_id}: its record said {str(stated)[:40]!r} for its id.")
        own = {named: places[named] for named in references.files(draft) if named in places}
        (draft.folder / PLACES).unlink(missing_ok=True)  # those of the machine that it comes from
        if own:
            draft.write_places(own)
        give_up(draft, "It had not ended when it was packed.")

    def _copy(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.archive.open(name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK)
        flush(target)

    def _data(self) -> dict[str, str]:
        """Where each file that a spec names will lie here; those that are not here get a draft."""
        places = {}
        for named, name in self.manifest["data"].items():
            if _is_here(named, self.manifest["files"][name]["sha256"]):
                continue
            folder = PurePosixPath(name).parent
            for part in [part for part in self.manifest["files"] if PurePosixPath(part).parent == folder]:
                target = self.data / "unpacked" / folder.name / PurePosixPath(part).name
                draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
                if not target.is_file() and (draft, target) not in self.moves:
                    self.moves.append((draft, target))
                    self.written.append(target)
                    self._copy(part, draft)
            places[named] = str((self.data / "unpacked" / folder.name / PurePosixPath(name).name).resolve())
        return places

    def _repair(self) -> None:
        """Ids as the folders have them, no parents in a circle, and nothing of processes and queues of another machine."""
        for run_id, draft in self.drafts.items():
            parent = draft.record.parent
            if parent is not None and (not RUN_ID.fullmatch(parent) or self._circles(run_id)):
                self.repaired.append(f"run {run_id}: {parent[:40]!r} cannot be its parent, and was left out.")
                parent = None
            draft.update(run_id=run_id, parent=parent, process={}, queue={})

    def _circles(self, run_id: str) -> bool:
        """Whether the line of the run's parents, among these and those in the store, leads back to it."""
        met, at = {run_id}, self._parent(run_id)
        while at and at not in met:
            met.add(at)
            at = self._parent(at)
        return at == run_id

    def _parent(self, run_id: str) -> str | None:
        run = self.drafts.get(run_id) or Run(self.store.runs_folder / run_id)
        try:
            return run.record.parent if RUN_ID.fullmatch(run_id) else None
        except MoolaError:
            return None


def _is_here(named: str, sha256: str) -> bool:
    try:
        return Path(named).is_file() and file_hash(Path(named)) == sha256
    except (OSError, ValueError):  # a name that is none, or a file that may not be read
        return False


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(f"the packed file is damaged: {why}.", where=str(file), hint="Pack or copy it again.")
