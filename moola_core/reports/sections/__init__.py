"""The sections that a report may have, in their order. To add one: a function of the material, and a line in SECTIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moola_core import __version__
from moola_core.errors import SpecError, nearest
from moola_core.reports.blocks import Block, Cell, Number, Report, Section
from moola_core.reports.material import Material
from moola_core.reports.sections import conclusions, diagnostics, features, performance, pretraining, setting
from moola_core.reports.wording import KIND_TITLES, duration
from moola_core.runs.store import Run, now

FINETUNE, PRETRAIN = ("finetune",), ("pretrain",)
TRAINED = FINETUNE + PRETRAIN


@dataclass(frozen=True)
class Maker:
    """How a section is made: `make` gives its blocks, or the sentence that says why there are none; `kinds` of run that have it."""

    name: str
    title: str
    kinds: tuple[str, ...]
    make: Callable[[Material], Sequence[Block] | str]


SECTIONS: tuple[Maker, ...] = (
    Maker("decisions", "What it says, and what next", TRAINED, conclusions.decisions),
    Maker("targets", "Targets", FINETUNE, conclusions.targets),
    Maker("learned", "What pre-training learned", PRETRAIN, pretraining.learned),
    Maker("probe", "Can the labels be read from it?", PRETRAIN, pretraining.probe),
    Maker("metrics", "Metrics", FINETUNE, performance.metrics),
    Maker("confusion", "Confusion", FINETUNE, performance.confusion),
    Maker("folds", "What each fold answered", FINETUNE, performance.folds),
    Maker("pointers", "Pointers", FINETUNE, performance.pointers),
    Maker("calibration", "Calibration", FINETUNE, diagnostics.calibration),
    Maker("errors", "Where it is wrong", FINETUNE, diagnostics.errors),
    Maker("balance", "Balance of the tasks", FINETUNE, diagnostics.balance),
    Maker("transfer", "What became of the encoder", FINETUNE, diagnostics.transfer),
    Maker("attribution", "What the answers hang on", FINETUNE, features.attribution),
    Maker("features", "Features and labels", FINETUNE, features.features),
    Maker("shift", "Labelled windows and other bars", FINETUNE, features.shift),
    Maker("training", "Training", TRAINED, performance.training),
    Maker("asked", "What was asked", TRAINED, setting.asked),
    Maker("data", "On what data, and where", TRAINED, setting.data),
)


def names(kind: str) -> tuple[str, ...]:
    """The sections that a report of such a run may have, in order. Raises SpecError for a kind that has no report."""
    found = tuple(maker.name for maker in SECTIONS if kind in maker.kinds)
    if not found:
        raise SpecError(f"a {kind} run has no report.", mend=f"Reports are of runs that are {' or '.join(TRAINED)}.")
    return found


def build(run: Run, chosen: Sequence[str] = ()) -> Report:
    """The report of a run that has ended, with the `chosen` sections (all by default), always in their own order.

    Raises SpecError for a section that such a run cannot have, RunError for a run that is active.
    """
    return assemble(Material(run), chosen)


def assemble(material: Material, chosen: Sequence[str] = ()) -> Report:
    """As `build`, of material that the caller keeps."""
    record = material.record
    known = names(record.kind)
    for name in chosen:
        if name not in known:
            raise SpecError(f"unknown section {name!r}.", where=f"run {record.run_id}", mend=nearest(name, known))
    sections, absent = [], []
    for maker in SECTIONS:
        if maker.name not in known or (chosen and maker.name not in chosen):
            continue
        made = maker.make(material)
        if isinstance(made, str):
            absent.append((maker.title, made))
        else:
            sections.append(Section(maker.name, maker.title, tuple(made)))
    title = record.name or record.preset or "run"
    return Report(
        record.run_id, record.kind, title, _facts(material), tuple(sections), tuple(absent), now(), __version__
    )


def _facts(material: Material) -> tuple[tuple[str, Cell], ...]:
    record, stored = material.record, material.stored_record
    took = stored.number("seconds")
    facts: list[tuple[str, Cell]] = [
        ("Run", record.run_id),
        ("Kind", KIND_TITLES.get(record.kind, record.kind)),
        ("State", record.state),
        ("Preset", record.preset or "–"),
        ("Made", record.created[:16].replace("T", " ") + " UTC"),
        ("Took", Number(took.value, duration(record.seconds), took.source)),
    ]
    facts += [("Tags", ", ".join(record.tags))] if record.tags else []
    return tuple(facts)
