"""The sections that a report may have, in their order. To add one: a function of the material, and a line in SECTIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moola_core import __version__
from moola_core.errors import SpecError, nearest
from moola_core.reports.blocks import Block, Cell, Number, Report, Section
from moola_core.reports.material import Material
from moola_core.reports.sections import (
    comparison,
    conclusions,
    diagnostics,
    doctor,
    features,
    performance,
    plan,
    pretraining,
    setting,
)
from moola_core.reports.wording import KIND_TITLES, REPORT_OF, duration
from moola_core.runs.store import Run, now

FINETUNE, PRETRAIN = ("finetune",), ("pretrain",)
TRAINED = FINETUNE + PRETRAIN
COMPARED, PLAN, DOCTOR = ("study", "compare"), ("plan",), ("doctor",)
EXAMINED = TRAINED + COMPARED
ALL = EXAMINED + PLAN + DOCTOR


@dataclass(frozen=True)
class Maker:
    """How a section is made: `make` gives its blocks, or the sentence that says why there are none; `kinds` of report that have it."""

    name: str
    title: str
    kinds: tuple[str, ...]
    make: Callable[[Material], Sequence[Block] | str]


SECTIONS: tuple[Maker, ...] = (
    Maker("decisions", "What it says, and what next", TRAINED, conclusions.decisions),
    Maker("answer", "The answer, and what next", COMPARED, comparison.answer),
    Maker("plan", "What it came to, and what next", PLAN, plan.answer),
    Maker("targets", "Targets", FINETUNE, conclusions.targets),
    Maker("arms", "Arms", COMPARED, comparison.arms),
    Maker("differences", "Differences", COMPARED, comparison.differences),
    Maker("gaps", "Targets", COMPARED, comparison.targets),
    Maker("labels", "What would more labels buy?", COMPARED, comparison.labels),
    Maker("gains", "Where are the gains?", COMPARED, comparison.gains),
    Maker("other_metrics", "In other metrics", COMPARED, comparison.metrics),
    Maker("curves", "Learning curves", COMPARED, comparison.curves),
    Maker("differs", "What differs", COMPARED, comparison.differs),
    Maker("steps", "Decisions", PLAN, plan.decisions),
    Maker("studies", "What the studies found", PLAN, plan.studies),
    Maker("gates", "Gates", PLAN, plan.gates),
    Maker("doctor", "What the doctor says", EXAMINED + DOCTOR, doctor.summary),
    Maker("findings", "Findings, causes first", DOCTOR, doctor.findings),
    Maker("not_judged", "What could not be judged", DOCTOR, doctor.not_judged),
    Maker("figures", "The figures that were given", DOCTOR, doctor.figures),
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
    Maker("runs", "The arms' runs", COMPARED, comparison.runs),
    Maker("asked", "What was asked", ALL, setting.asked),
    Maker("data", "On what data, and where", ALL, setting.data),
)


def names(kind: str) -> tuple[str, ...]:
    """The sections that a report of such a kind may have, in order. Raises SpecError for a kind that has no report."""
    found = tuple(maker.name for maker in SECTIONS if kind in maker.kinds)
    if not found:
        raise SpecError(f"a {kind} run has no report.", mend=f"Reports are of: {', '.join(REPORT_OF)}.")
    return found


def build(run: Run, chosen: Sequence[str] = (), kind: str = "") -> Report:
    """The report of a run that has ended, with the `chosen` sections (all by default), always in their own order.

    kind: "doctor" for what the doctor found in it, by default the run's own kind. Raises SpecError for a section or a kind that such
    a run cannot have, RunError for a run that is active.
    """
    return assemble(Material(run, kind), chosen)


def assemble(material: Material, chosen: Sequence[str] = ()) -> Report:
    """As `build`, of material that the caller keeps."""
    record = material.record
    may = known(material)
    for name in chosen:
        if name not in may:
            raise SpecError(f"unknown section {name!r}.", where=f"run {record.run_id}", mend=nearest(name, may))
    sections, absent = [], []
    for maker in SECTIONS:
        if maker.name not in may or (chosen and maker.name not in chosen):
            continue
        made = maker.make(material)
        if isinstance(made, str):
            absent.append((maker.title, made))
        else:
            sections.append(Section(maker.name, maker.title, tuple(made)))
    title = record.name or record.preset or (_examined(material) if material.asked is material.run else "") or "run"
    return Report(
        record.run_id, material.kind, title, _facts(material), tuple(sections), tuple(absent), now(), __version__
    )


def known(material: Material) -> tuple[str, ...]:
    """The sections of the material's kind of report, which must be one that such a run can have."""
    own = material.record.kind
    if material.kind != own and not (material.kind in DOCTOR and (own in EXAMINED or material.asked is not None)):
        raise SpecError(
            f"a {own} run has no report of kind {material.kind!r}.",
            where=f"run {material.run.id}",
            mend=f"Its kinds are: {', '.join(kind for kind in (own, *DOCTOR) if kind in ALL)}.",
        )
    found = names(material.kind)
    # Of figures alone nothing else was asked; of a run no figures were given.
    left_out = "asked" if getattr(material.spec, "figures", {}) else "figures"
    return tuple(name for name in found if name != left_out)


def _examined(material: Material) -> str:
    figures = getattr(material.spec, "figures", {})
    return str(figures.get("about") or "Reported figures") if figures else "What is planned"


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
