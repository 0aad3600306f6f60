"""Fits that the store holds already: what studies, searches and investigations ask for twice is fitted once.

A fit is the same when its settings, its windows, its encoder, the code and the versions are. How many repeats a run has is no setting of a
fit, so a run of more repeats takes over those of one with fewer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from moola_core.errors import MoolaError
from moola_core.runs.facts import TakenOver
from moola_core.runs.files import remove
from moola_core.runs.fits import settings_of_fits
from moola_core.runs.references import ancestors
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune

SHARING = ("study", "investigation", "search")
ENCODER = "checkpoint"
MOST_READ = 500


def adopt(run: Run, hashes: Mapping[str, str]) -> None:
    """Take over finished fits of another run where they are the fits that this one, a part of a study, would make.

    hashes: of the windows and encoders that the run reads. A run that has fits of its own goes on with those alone.
    """
    if run.replicates() or not any(above.record.kind in SHARING for above in ancestors(run)):
        return
    most: tuple[Run, dict[tuple[int, int], Path]] | None = None
    for other in _alike(run, hashes):
        fits = _same_fits(run.spec, hashes, other)
        if len(fits) > len(most[1] if most else ()):
            most = other, fits
    if most is not None:
        _take_over(run, *most)


def _alike(run: Run, hashes: Mapping[str, str]) -> Iterator[Run]:
    """Runs of the same model on the same windows, by the same code on this host, the newest first."""
    ours = run.record
    where = (ours.host, ours.commit, ours.dirty, ours.versions, ours.seed, ours.model)
    data = {name: value for name, value in hashes.items() if not name.startswith(ENCODER)}
    records = [record for record in Store(run.store_root).runs(kind="finetune") if record.run_id != run.id]
    for record in records[:MOST_READ]:
        theirs = (record.host, record.commit, record.dirty, record.versions, record.seed, record.model)
        same_data = all(record.data_hashes.get(name) == value for name, value in data.items())
        if theirs == where and same_data and not record.active and not record.unreadable:
            yield Run(run.folder.with_name(record.run_id))


def _same_fits(spec: Finetune, hashes: Mapping[str, str], other: Run) -> dict[tuple[int, int], Path]:
    """The folders of the other run's fits that are fits of the spec, by (repeat, fold)."""
    try:
        theirs, kept, fits = other.spec, other.record.data_hashes, other.replicates()
    except MoolaError:  # a run that cannot be read has nothing to take over
        return {}
    if settings_of_fits(theirs) != settings_of_fits(spec):
        return {}

    def encoder(one: Finetune, known: Mapping[str, str], fit: tuple[int, int]) -> str:
        return known.get(f"{ENCODER}{one.transfer.encoder_of(*fit) or ''}", "") if one.transfer.encoders else ""

    return {
        fit: folder
        for fit, folder in fits.items()
        if fit[0] < spec.training.repeats and encoder(theirs, kept, fit) == encoder(spec, hashes, fit)
    }


def _take_over(run: Run, other: Run, fits: Mapping[tuple[int, int], Path]) -> None:
    """Link the folders of the fits, copy what they told, and compute the others as those were computed."""
    theirs = other.record.facts
    run.append_events([event for event in other.events() if (event.get("repeat"), event.get("fold")) in fits])
    facts = replace(
        run.record.facts,
        engine=theirs.engine,
        engine_why=theirs.engine_why,
        engine_settings=theirs.engine_settings,
        taken_over=TakenOver(other.id, len(fits)),
    )
    run.update(facts=facts)
    for folder in fits.values():
        draft = run.folder / "replicates" / f".{folder.name}.{os.getpid()}.tmp"
        draft.parent.mkdir(exist_ok=True)
        shutil.copytree(folder, draft, copy_function=_link)
        if not (draft.with_name(folder.name)).exists():
            draft.replace(draft.with_name(folder.name))
        else:
            remove(draft)


def _link(source: str, target: str) -> None:
    """The file under a second name; a copy where the file system has no second names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
