"""What to do next, from what the store and the data hold: one sentence of fact, one of advice, and the button for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moola_core import studies
from moola_core.diagnostics.results import (
    CalibrationReport,
    Comparison,
    Evaluation,
    Interval,
    PlanReport,
    PretrainReport,
    SearchResult,
    Verdict,
)
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, Claim
from moola_core.errors import SpecError
from moola_core.metrics import title
from moola_core.runs.record import Record
from moola_core.sections import comparison_text
from moola_core.sections.blocks import Link, Step, Text
from moola_core.sections.headline import Headline
from moola_core.sections.headlines import of_majority, of_pretraining
from moola_core.sections.scores import of_each, of_targets
from moola_core.specs import assignment


@dataclass(frozen=True)
class Advice:
    """`fact` is what was seen, `step` what to do; the button `label` opens `page` with `values` set, and `command` does the same in a
    terminal, where one does.

    claims: where the fact judges, the intervals and thresholds that it rests on.
    """

    fact: str
    step: str
    label: str
    page: str
    values: tuple[tuple[str, str], ...] = ()
    claims: tuple[Claim, ...] = ()
    command: str = ""

    @property
    def block(self) -> Step:
        """The advice as the last block of a conclusion."""
        text = Text(f"{self.fact} {self.step}", "Next.", claims=self.claims)
        return Step(text, Link(self.label, self.page, self.values), self.command)


def next_step(
    record: Record | None, evaluation: Evaluation | None, pinned: bool, calibration: CalibrationReport | None = None
) -> Advice:
    """The one thing to do next about the latest run of a dataset whose windows can be read."""
    if record is None:
        return Advice(
            "No run on this dataset yet.",
            "Start with the quick preset: a small model, cross-validated, in a minute or two.",
            "Set up a quick run",
            "launch",
            (("preset", "quick"),),
        )
    if record.state != "done":
        return _of_state(record)
    if evaluation is None:
        return Advice("The latest run has no result.", "Launch it again.", "Set up a run", "launch")
    return _of_result(record, evaluation, pinned) or _of_targets(evaluation, calibration)


def after_pretraining(record: Record, learned: PretrainReport | None) -> Advice:
    """The one thing to do next about a pre-training run."""
    if record.state != "done":
        return _of_state(record)
    if learned is None:
        return Advice("The run has no result.", "Launch it again.", "Set up a run", "launch", (("kind", "pretrain"),))
    learning = of_pretraining(learned)
    if learning.outcome == SUPPORTED:
        return Advice(
            "It learned its own task. Whether that helps with the labels, only a comparison can tell.",
            "Fine-tune from this run, and compare it with the same run from scratch.",
            "Fine-tune from this run",
            "launch",
            (("kind", "finetune"), ("checkpoint", record.run_id)),
            learning.claims,
        )
    return Advice(
        "An encoder that learned nothing cannot help."
        if learning.outcome == OPPOSED
        else "Whether this encoder learned anything cannot be told.",
        "Pre-train longer, on more bars, or with another objective before you fine-tune from it.",
        "Set up a run",
        "launch",
        (("kind", "pretrain"),),
        learning.claims,
    )


def after_comparison(record: Record, comparison: Comparison | None, spec: Any = None) -> Advice:
    """The one thing to do next about a study or a comparison; spec: the study's, for the command of another one."""
    if record.state != "done":
        return _of_state(record)
    if comparison is None:
        return Advice("The comparison left no result.", "Start it again.", "Go to Compare", "compare")
    if comparison.no_verdict:
        return Advice(comparison.no_verdict, "Compare runs of the same windows and folds.", "Go to Compare", "compare")
    rows = comparison_text.of_networks(comparison)
    if rows and all(row.verdict == "hurts" for row in rows) and comparison.name == "transfer":
        return Advice(
            "Every way to transfer this encoder hurts.",
            f"Keep {comparison.against}, and see whether another pre-training objective serves the labels.",
            "Set up the study of objectives",
            "compare",
            (("new_study", "objectives"), ("study_name", "objectives")),
            of_verdicts(rows),
            _command(spec, "objectives"),
        )
    beaten = comparison_text.beaten(comparison) if comparison.better_baselines else None
    if beaten is not None and beaten.outcome == SUPPORTED:
        return Advice(
            f"{comparison.better_baselines[0]} is the best so far.",
            f"Use it until a network beats it. See what the doctor found in {comparison.against}.",
            "Ask the doctor",
            "doctor",
            _run_of(comparison, comparison.against),
            beaten.claims,
            f"moola doctor {dict(_run_of(comparison, comparison.against))['run']}",
        )
    helping = sorted((row for row in rows if row.verdict == "helps"), key=lambda row: -row.delta)
    if helping:
        inert = [row for _, row in comparison_text.against_placebo(comparison, comparison.deciding)]
        inert = [row for row in inert if row.arm == helping[0].arm and row.verdict != "helps"]
        doubt = f" It is not shown to be better than its {inert[0].against}." if inert else ""
        return Advice(
            f"{helping[0].arm} helps.{doubt}",
            "Pin its run as the baseline, and start the next runs from its settings.",
            "Choose a run to pin",
            "runs",
            _run_of(comparison, helping[0].arm),
            of_verdicts([*helping[:1], *inert]),
        )
    open_ = [row for row in rows if row.verdict == "undecided"]
    if open_:
        return _of_undecided(open_, comparison, spec)
    own = _run_of(comparison, comparison.against)
    return Advice("No arm helps.", f"Keep {comparison.against}.", "See its run", "runs", own, of_verdicts(rows))


def _of_undecided(open_: Sequence[Verdict], comparison: Comparison, spec: Any) -> Advice:
    """What to do where the difference of some arm cannot be told: more repeats or labels, or something that differs more."""
    again = (("new_study", comparison.name), ("study_name", comparison.name)) if _named(spec) else ()
    row = next((row for row in open_ if row.repeats_needed), None)
    if row is not None and row.repeats_needed is not None:
        more = row.repeats_needed - comparison.repeats
        step = f"Run it again with {row.repeats_needed} repeats, {more} more than there are."
        command = _command(spec, comparison.name, {"training.repeats": row.repeats_needed})
        return Advice(f"{row.arm} is undecided.", step, "Set up the study", "compare", again, command=command)
    row = next((row for row in open_ if row.labels_needed), None)
    if row is not None and row.labels_needed is not None:
        step = f"Label about {row.labels_needed - comparison.common:,} more windows, and run it again."
        return Advice(f"{row.arm} is undecided.", step, "See the windows", "windows")
    step = "More of the same would not settle it: compare something that differs more."
    return Advice(f"{open_[0].arm} is undecided.", step, "Set up a study", "compare")


def _named(spec: Any) -> bool:
    """Whether the comparison is a study that can be asked for by its name."""
    return getattr(spec, "kind", "") == "study" and spec.name != "own"


def _command(spec: Any, study: str, more: Mapping[str, Any] | None = None) -> str:
    """The command of a study on the same data with the same settings; empty where the comparison was none, or a study of one's own."""
    if not _named(spec):
        return ""
    data = spec.base.data
    files = "".join(
        f" --{kind} {shlex.quote(str(file))}" for kind in ("windows", "bars") if (file := getattr(data, kind))
    )
    preset = f" --preset {spec.base.preset}" if spec.base.preset else ""
    try:
        asked = studies.asked(spec)
    except SpecError:  # a preset of the user's own that is not there any more: there is no command that begins with it
        return ""
    changes = [assignment(name, value) for name, value in (asked | dict(more or {})).items()]
    return " ".join([f"moola study {study}{files}{preset}", *changes])


def _run_of(comparison: Comparison, name: str) -> tuple[tuple[str, str], ...]:
    """The run of an arm, for the page that is opened with it."""
    return tuple(("run", arm.run_id) for arm in comparison.arms if arm.name == name)


def of_verdicts(rows: Sequence[Verdict]) -> tuple[Claim, ...]:
    """What verdicts in one metric rest on."""
    return tuple(
        Claim(f"{title(row.metric)} of {row.arm} less that of {row.against}", Interval(row.delta, row.low, row.high))
        for row in rows
    )


def after_plan(record: Record, report: PlanReport | None) -> Advice:
    """The one thing to do next about a plan."""
    if record.state != "done":
        return _of_state(record)
    failed = [row for row in report.decisions if row.branch == "failed"] if report else []
    if failed:
        return Advice(
            f"{failed[0].study} failed: {failed[0].reason}",
            "Correct that and start the plan again; a study of it can also be started alone.",
            "Read the log",
            "runs",
        )
    adopted = [row.adopts for row in report.decisions if row.adopts] if report else []
    if adopted:
        return Advice(
            f"The plan took over: {', '.join(adopted)}.",
            "Start the next runs from these settings.",
            "Set up a run",
            "launch",
        )
    return Advice("The plan changed nothing.", "Keep the settings that it started from.", "Set up a run", "launch")


def after_search(record: Record, report: SearchResult | None, judged: Headline) -> Advice:
    """The one thing to do next about a search; judged: what was said of its pick against the settings as they are."""
    if record.active:
        return _of_state(record)
    again = f"moola search --resume {record.run_id}"
    if record.state != "done" and report is not None and report.trials:
        step = "Go on with it: its trials are kept."
        return Advice(f"The search is {record.state}.", step, "Go to the runs", "runs", command=again)
    if report is None or report.best is None:
        return _of_state(record) if record.state != "done" else Advice(*NO_SCORE, "Go to the runs", "runs")
    best = report.best
    opened = (f"Open trial {best.number}", "results", (("run", best.run_id),), judged.claims)
    if judged.outcome == SUPPORTED:
        step = f"Start the next runs from the settings of trial {best.number}."
        return Advice("The picked settings are better than the settings as they are.", step, *opened)
    if best.of == 1:
        step = "Search again with a larger budget, or with fewer repeats in each trial (training.repeats)."
        return Advice("One trial has a score.", step, *opened)
    if best.number == 0:
        return Advice("The settings as they are came out on top.", "Keep them.", *opened)
    step = "Keep them until more labels or repeats decide, or search among fewer settings."
    return Advice("The settings as they are were not shown to be worse.", step, *opened)


NO_SCORE = ("No trial has a score.", "See what the trials failed with.")


def _of_state(record: Record) -> Advice:
    if record.active:
        return Advice("A run is being computed.", "Watch its progress and its curves.", "Follow it", "runs")
    if record.state == "cancelled":
        return Advice(
            "The latest run was cancelled.", "Launch it again when you want its result.", "Set up a run", "launch"
        )
    why = f" Error: {record.error}" if record.error else ""
    return Advice(
        f"The latest run {'failed' if record.state == 'failed' else 'was lost with its process'}.{why}",
        "Read the end of its log, then launch it again.",
        "Read the log",
        "runs",
    )


def _of_result(record: Record, evaluation: Evaluation, pinned: bool) -> Advice | None:
    """What comes before the targets; None where that is settled."""
    constant = sum(share.constant for share in evaluation.fold_shares)
    if constant:
        return Advice(
            f"In {constant} of {len(evaluation.fold_shares)} folds the latest run predicted one class for every window.",
            "Its averages hide that. Look at the predicted classes of each fold before any other figure.",
            "See the folds",
            "results",
        )
    predicted = evaluation.metrics.get("accuracy") is not None
    better = of_majority(evaluation)
    if predicted and better.outcome in (OPPOSED, OPEN):
        return Advice(
            better.text,
            "Try the recommended preset: the model that was best where its settings were selected, with five repeats."
            if record.preset != "recommended"
            else "Look at the wrong windows: are the labels what you meant?",
            "Set up a recommended run" if record.preset != "recommended" else "See the wrong windows",
            "launch" if record.preset != "recommended" else "windows",
            (("preset", "recommended"),) if record.preset != "recommended" else (("outcome", "wrong"),),
            better.claims,
        )
    if record.preset == "quick":
        return Advice(
            better.text if predicted else "The quick run is done.",
            "Launch the recommended preset: the model that was best where its settings were selected, with five repeats that show the spread.",
            "Set up a recommended run",
            "launch",
            (("preset", "recommended"),),
            better.claims if predicted else (),
        )
    if not pinned:
        return Advice(
            "There is a result, and no baseline to compare later runs with.",
            "Pin the run that you trust as the baseline.",
            "Choose a run to pin",
            "runs",
        )
    return None


def _of_targets(evaluation: Evaluation, calibration: CalibrationReport | None) -> Advice:
    each, counted = of_each(evaluation, calibration), of_targets(evaluation, calibration)
    if counted.outcome == SUPPORTED:
        return Advice(
            "Every target is met.",
            "See in which windows the model is still wrong.",
            "See the wrong windows",
            "windows",
            (("outcome", "wrong"),),
            counted.claims,
        )
    if not each:
        return Advice("No target could be judged.", "See what the run predicted.", "See its windows", "windows")
    missed = [row for row, verdict in each if verdict.outcome == OPPOSED]
    worst = max(missed or [row for row, _ in each], key=lambda row: row.gap_percent or 0.0)
    fact = (
        f"{counted.headline} Furthest off is: {worst.target.title.lower()}."
        if worst.gap
        else f"{counted.headline} More labelled windows narrow the intervals."
    )
    pointer = worst.target.metric.task == "pointer"
    return Advice(
        fact,
        "Look at the windows with the largest pointer error."
        if pointer
        else "Look at the windows that the model finds least likely to be what they are labelled.",
        "See these windows",
        "windows",
        (("order", "error" if pointer else "unsure"),),
        counted.claims,
    )
