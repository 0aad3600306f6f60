"""Reports as runs of their own: the file is in the folder of a run that is part of the one it is of, so that it is listed, found again
and deleted like everything else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from moola_core.errors import ReportError, RunError, SpecError, StoreError
from moola_core.reports.export import check, export
from moola_core.reports.formats import FORMATS, TIMEOUT_S
from moola_core.runs.files import replacing
from moola_core.runs.liveness import identity
from moola_core.runs.store import Run, Store, utcnow_iso
from moola_core.specs import Report, build

FOLDER = "report"
NAMES = {"": "Report as {}", "doctor": "Findings of the doctor as {}"}


def name_of(spec: Report) -> str:
    """What the run of a report is called."""
    return NAMES[spec.about].format(FORMATS[spec.format])


def make(run: Run) -> list[Path]:
    """Make the file that the run's spec asks for, in the run's folder; Markdown's pictures are next to it."""
    spec = run.spec
    about = Store(run.store_root).open(spec.run)
    out = run.folder / FOLDER / f"{spec.file}.{spec.format}"
    return export(about, spec.format, out, spec.sections, spec.timeout_s, spec.about)


def files(run: Run) -> dict[str, Path]:
    """The files of a report that is done, by their names, the report itself first. Raises ReportError where it is gone."""
    spec, folder = run.spec, run.folder / FOLDER
    first = folder / f"{spec.file}.{spec.format}"
    if not first.is_file():
        raise ReportError("is gone.", where=str(first), hint="Make the report again.")
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path != first)
    return {path.relative_to(folder).as_posix(): path for path in (first, *others)}


def write(
    about: Run,
    format: str,
    out: str | Path,
    sections: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
    kind: str = "",
) -> list[Path]:
    """As `export`, and the store keeps a copy as a run that is part of `about`; one that cannot be written keeps none."""
    out = check(format, out)
    asked = {
        "run": about.id,
        "about": kind,
        "format": format,
        "sections": list(sections),
        "file": out.stem,
        "timeout_s": timeout_s,
    }
    with _listed(about, build(Report, asked, "report")) as run:
        made = export(about, format, out, sections, timeout_s, kind)
        if run is not None:
            with suppress(StoreError):  # the file that was asked for is there
                _copy(run, out, made)
    return made


@contextmanager
def _listed(about: Run, spec: Report) -> Iterator[Run | None]:
    """A run that this process carries out inside; None where the store cannot be written."""
    store = Store(about.store_root)
    try:
        run = store.create(spec, name_of(spec), parent=about.id)
        run.claim(("queued",), state="running", started=utcnow_iso(), process=identity())
    except StoreError:
        yield None
        return
    started = time.monotonic()
    try:
        yield run
    except BaseException as error:
        _end(run, started, "failed" if isinstance(error, Exception) else "cancelled", str(error) or "Cancelled.")
        if isinstance(error, SpecError | RunError):  # it cannot be asked of this run, so it was never begun
            store.delete(run.id)
        raise
    _end(run, started, "done")


def _end(run: Run, started: float, state: str, error: str = "") -> None:
    with suppress(StoreError):  # it is then found to be lost
        run.claim(("running",), state=state, error=error, ended=utcnow_iso(), seconds=time.monotonic() - started)


def _copy(run: Run, out: Path, made: Sequence[Path]) -> None:
    """Copy the files into the run's folder."""
    spec = run.spec
    for path in made:
        inside = Path(f"{spec.file}.{spec.format}") if path == out else path.relative_to(out.parent)
        with replacing(run.folder / FOLDER / inside) as draft:
            shutil.copyfile(path, draft)
