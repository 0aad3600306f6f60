"""The registry of sections, in their order, and the report made of them. To add one: a function of the context, and a line here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from moola_core import __version__
from moola_core.errors import UNREADABLE, MoolaError, SpecError, nearest, unexpected
from moola_core.registry import Registry
from moola_core.runs.store import Run, utcnow_iso
from moola_core.sections import (
    answer,
    comparison,
    conclusions,
    diagnostics,
    doctor,
    error_rates,
    experiments,
    features,
    investigation,
    performance,
    plan,
    predictions,
    pretraining,
    search,
    settings,
    timeline,
    vitals,
    weak_slices,
)
from moola_core.sections.blocks import Block, Cell, Number, Report, Section, flat
from moola_core.sections.context import ReportContext
from moola_core.sections.formatting import KIND_TITLES, REPORT_OF, duration
from moola_core.specs.choices import JOINED

LOG = logging.getLogger(__name__)
FINETUNE, PRETRAIN = ("finetune",), ("pretrain",)
TRAINED = FINETUNE + PRETRAIN
COMPARED, PLAN, DOCTOR, PREDICTED = ("study", "compare"), ("plan",), ("doctor",), ("predict",)
INVESTIGATION, SEARCH = ("investigation",), ("search",)
EXAMINED = TRAINED + COMPARED
ALL = EXAMINED + PLAN + INVESTIGATION + SEARCH + DOCTOR + PREDICTED


@dataclass(frozen=True)
class SectionSpec:
    """How a section is made.

    Attributes
    ----------
    name, title : str
        What the section is called in commands and on screen.
    kinds : tuple of str
        The kinds of report that have it, keys of `formatting.REPORT_OF`.
    make : callable
        Takes a `ReportContext` and returns the section's blocks, or the sentence that says why there are none.
    """

    name: str
    title: str
    kinds: tuple[str, ...]
    make: Callable[[ReportContext], Sequence[Block] | str]


SECTIONS: Registry[SectionSpec] = Registry("section", "moola.sections")
for _section in (
    SectionSpec("decisions", "Conclusion and next step", TRAINED, conclusions.decisions),
    SectionSpec("answer", "Conclusion and next step", COMPARED, answer.answer),
    SectionSpec("plan", "Conclusion and next step", PLAN, plan.answer),
    SectionSpec("conclusion", "Conclusion", INVESTIGATION, investigation.conclusion),
    SectionSpec("use", "Use it", INVESTIGATION, investigation.use),
    SectionSpec("questions", "Questions and answers", INVESTIGATION, investigation.steps),
    SectionSpec("reasons", "Why these questions, in this order", INVESTIGATION, investigation.reasons),
    SectionSpec("models", "Models that were measured", INVESTIGATION, investigation.models),
    SectionSpec("rules", "Your own rules", INVESTIGATION, investigation.gates),
    SectionSpec("windows_next", "Windows to label next", INVESTIGATION, investigation.windows_next),
    SectionSpec("unasked", "Questions that were not asked, and why", INVESTIGATION, investigation.unasked),
    SectionSpec("searched", "Conclusion and next step", SEARCH, search.searched),
    SectionSpec("trials", "Trials", SEARCH, search.trials),
    SectionSpec("space", "What was tried", SEARCH, search.space),
    SectionSpec("targets", "Targets", FINETUNE, conclusions.targets),
    SectionSpec("arms", "Arms", COMPARED, comparison.arms),
    SectionSpec("differences", "Differences", COMPARED, comparison.differences),
    SectionSpec("gaps", "Targets", COMPARED, comparison.targets),
    SectionSpec("labels", "What would more labels buy?", COMPARED, comparison.labels),
    SectionSpec("gains", "Windows that changed most", COMPARED, comparison.gains),
    SectionSpec("other_metrics", "In other metrics", COMPARED, comparison.metrics),
    SectionSpec("curves", "Learning curves", COMPARED, comparison.curves),
    SectionSpec("differs", "What differs", COMPARED, comparison.differs),
    SectionSpec("error_rates", "How often is such a verdict wrong?", COMPARED, error_rates.rates),
    SectionSpec("steps", "Decisions", PLAN, plan.decisions),
    SectionSpec("studies", "What the studies found", PLAN, plan.studies),
    SectionSpec("gates", "Gates", PLAN, plan.gates),
    SectionSpec("doctor", "What the doctor says", EXAMINED + DOCTOR, doctor.summary),
    SectionSpec("findings", "Findings, causes first", DOCTOR, doctor.findings),
    SectionSpec("remarks", "Usual, but good to know", DOCTOR, doctor.remarks),
    SectionSpec("vitals", "Vital signs", DOCTOR, vitals.vital_signs),
    SectionSpec("weak_slices", "Where in the data", DOCTOR, weak_slices.weak_slices),
    SectionSpec("experiments", "Experiments", DOCTOR, experiments.experiments),
    SectionSpec("not_judged", "What could not be judged", DOCTOR, doctor.not_judged),
    SectionSpec("figures", "The figures that were given", DOCTOR, doctor.figures),
    SectionSpec("predicted", "Predictions", PREDICTED, predictions.predicted),
    SectionSpec("learned", "What pre-training learned", PRETRAIN, pretraining.learned),
    SectionSpec("probe", "Can the labels be read from it?", PRETRAIN, pretraining.probe),
    SectionSpec("metrics", "Metrics", FINETUNE, performance.metrics),
    SectionSpec("confusion", "Confusion", FINETUNE, performance.confusion),
    SectionSpec("folds", "Predicted classes by fold", FINETUNE, performance.folds),
    SectionSpec("pointers", "Pointers", FINETUNE, performance.pointers),
    SectionSpec("pointing", "How far the pointers are off", FINETUNE, performance.pointing),
    SectionSpec("calibration", "Calibration", FINETUNE, diagnostics.calibration),
    SectionSpec("errors", "Where it is wrong", FINETUNE, diagnostics.errors),
    SectionSpec("balance", "Balance of the tasks", FINETUNE, diagnostics.balance),
    SectionSpec("transfer", "Encoder transfer", FINETUNE, diagnostics.transfer),
    SectionSpec("attribution", "Feature attribution (SHAP)", FINETUNE, features.attribution),
    SectionSpec("features", "Features and labels", FINETUNE, features.features),
    SectionSpec("shift", "Labelled windows and other bars", FINETUNE, features.shift),
    SectionSpec("training", "Training", TRAINED, performance.training),
    SectionSpec("runs", "The arms' runs", COMPARED, comparison.runs),
    SectionSpec("asked", "Configuration", ALL, settings.asked),
    SectionSpec("data", "Data and environment", ALL, settings.data),
    SectionSpec("history", "What was run and decided on these windows", COMPARED + PLAN, timeline.history),
):
    SECTIONS.add(_section.name, _section)


def names(kind: str) -> tuple[str, ...]:
    """The sections that a report of such a kind may have, in order. Raises SpecError for a kind that has no report."""
    matches = tuple(name for name, section in SECTIONS.items() if kind in section.kinds)
    if not matches:
        raise SpecError(f"a {kind} run has no report.", hint=f"Reports are of: {', '.join(REPORT_OF)}.")
    return matches


def build(run: Run, selected: Sequence[str] = (), kind: str = "") -> Report:
    """The report of a run that has ended, with the `selected` sections (all by default), always in their own order.

    kind: "doctor" for what the doctor found in it, by default the run's own kind. Raises SpecError for a section or a kind that such
    a run cannot have, RunError for a run that is active.
    """
    return assemble(ReportContext(run, kind), selected)


def assemble(context: ReportContext, selected: Sequence[str] = ()) -> Report:
    """As `build`, of context that the caller keeps. A section that cannot be read is absent, with why; where none can, that is raised."""
    record = context.record
    may = known(context)
    for name in selected:
        if name not in may:
            raise SpecError(f"unknown section {name!r}.", where=f"run {record.run_id}", hint=nearest(name, may))
    sections, absent = [], []
    unreadable: MoolaError | None = None
    for name in may:
        if selected and name not in selected:
            continue
        try:
            made = make(name, context)
        except MoolaError as error:  # of this section alone: the others are there
            unreadable = unreadable or error
            made = str(error)
        if isinstance(made, str):
            absent.append((SECTIONS[name].title, made))
        else:
            sections.append(replace(made, blocks=tuple(flat(made.blocks))))
    if unreadable and not sections:
        raise unreadable
    title = (
        record.name or record.preset or (_examined(context) if context.doctor_request is context.run else "") or "run"
    )
    return Report(
        record.run_id, context.kind, title, _facts(context), tuple(sections), tuple(absent), utcnow_iso(), __version__
    )


def make(name: str, context: ReportContext) -> Section | str:
    """The section called `name`, or the sentence that says why there is none."""
    try:
        blocks = SECTIONS[name].make(context)
    except MoolaError:
        raise
    except UNREADABLE as error:
        readable = unexpected(error, f"run {context.run.id}, {SECTIONS[name].title}")
        LOG.exception("The section %s of run %s could not be made.", name, context.run.id)
        raise readable from error
    return blocks if isinstance(blocks, str) else Section(name, SECTIONS[name].title, tuple(blocks))


def known(context: ReportContext) -> tuple[str, ...]:
    """The sections of the context's kind of report, which must be one that such a run can have."""
    own = context.record.kind
    if context.kind != own and not (context.kind in DOCTOR and (own in EXAMINED or context.doctor_request is not None)):
        raise SpecError(
            f"a {own} run has no report of kind {context.kind!r}.",
            where=f"run {context.run.id}",
            hint=f"Its kinds are: {', '.join(kind for kind in (own, *DOCTOR) if kind in ALL)}.",
        )
    possible = names(context.kind)
    # Of figures alone nothing else was asked; of a run no figures were given.
    left_out = "asked" if getattr(context.spec, "figures", {}) else "figures"
    return tuple(name for name in possible if name != left_out)


def _examined(context: ReportContext) -> str:
    figures = getattr(context.spec, "figures", {})
    return str(figures.get("about") or "Reported figures") if figures else "What is planned"


def _facts(context: ReportContext) -> tuple[tuple[str, Cell], ...]:
    record, stored = context.record, context.stored_record
    took = stored.number("seconds")
    facts: list[tuple[str, Cell]] = [
        ("Run", record.run_id),
        ("Kind", KIND_TITLES.get(record.kind, record.kind)),
        ("State", record.state),
        ("Preset", record.preset or "–"),
        ("Made", record.created[:16].replace("T", " ") + " UTC"),
        ("Took", Number(took.value, duration(record.seconds), took.source)),
    ]
    model = getattr(context.spec, "estimator", "")
    facts += [("Model", model.replace("_", " "))] if model else []
    if model == JOINED:
        facts += [("Classes of", context.spec.join.class_run), ("Expansions of", context.spec.join.pointer_run)]
    facts += [("Tags", ", ".join(record.tags))] if record.tags else []
    return tuple(facts)
