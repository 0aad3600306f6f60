"""A second copy of the runs in another folder, brought up to date at each completed step: for hosts that may end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from moola_core.errors import MoolaError, StoreError
from moola_core.runs.files import replacing
from moola_core.runs.liveness import HEARTBEAT
from moola_core.runs.references import needs
from moola_core.runs.store import Run, Store

VARIABLE = "MOOLA_MIRROR"
RECORD = "run.json"


def folder() -> Path | None:
    """The mirror that MOOLA_MIRROR names; it is laid out as a store, and opens as one."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def step(run: Run) -> None:
    """Bring the mirror, if there is one, up to date with the run and what it rests on.

    A mirror that cannot be written costs the run a warning, and nothing else.
    """
    into = folder()
    if into is None or into.resolve() == run.store_root.resolve():
        return
    store = Store(run.store_root)
    try:
        for run_id in sorted(needs(run)):
            try:
                other = store.open(run_id)
            except MoolaError:
                continue
            copy(other, into)
        copy(run, into)
    except (StoreError, OSError) as error:
        warning = f"The mirror {into} could not be written: "
        if not any(text.startswith(warning) for text in run.record.warnings):
            reason = error.what if isinstance(error, StoreError) else error.strerror
            run.update(warnings=(*run.record.warnings, f"{warning}{reason}"))


def copy(run: Run, into: Path) -> int:
    """Copy what has changed since the last time, the record last; how many files. Each file and each fit appears whole."""
    target = into / "runs" / run.id
    copied = 0
    for fit in run.replicates().values():
        copied += _copy_fit(fit, target / "replicates" / fit.name)
    for path in files_of(run):
        inside = path.relative_to(run.folder)
        place = target / inside
        if inside.parts[0] != "replicates" and _stamp(path) != _stamp(place):
            with replacing(place) as draft:
                shutil.copy2(path, draft)
            copied += 1
    return copied


def _copy_fit(fit: Path, place: Path) -> int:
    if place.is_dir():
        return 0
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(fit, draft)
    draft.replace(place)
    return len(list(place.iterdir()))


def files_of(run: Run) -> list[Path]:
    """The run's files, the record last; no drafts, no links, and no sign of life, which a copy has not."""
    paths = [
        path
        for path in sorted(run.folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(run.folder).parts)
        and path.relative_to(run.folder).parts[0] not in (HEARTBEAT, RECORD)
    ]
    return [*paths, run.folder / RECORD]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
