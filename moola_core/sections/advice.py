"""What to do next, from what the store and the data hold: one sentence of fact, one of advice, and the button for it."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results import Comparison, Evaluation, PlanReport, PretrainReport
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED
from moola_core.runs.record import Record
from moola_core.sections import comparison_text
from moola_core.sections.headlines import of_majority, of_pretraining
from moola_core.targets import judge


@dataclass(frozen=True)
class Advice:
    """`fact` is what was seen, `step` what to do; the button `label` opens `page` with `values` set."""

    fact: str
    step: str
    label: str
    page: str
    values: tuple[tuple[str, str], ...] = ()


def next_step(record: Record | None, evaluation: Evaluation | None, pinned: bool) -> Advice:
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
    return _of_result(record, evaluation, pinned)


def after_pretraining(record: Record, learned: PretrainReport | None) -> Advice:
    """The one thing to do next about a pre-training run."""
    if record.state != "done":
        return _of_state(record)
    if learned is None:
        return Advice("The run has no result.", "Launch it again.", "Set up a run", "launch", (("kind", "pretrain"),))
    task = of_pretraining(learned).outcome
    if task == SUPPORTED:
        return Advice(
            "It learned its own task. Whether that helps with the labels, only a comparison can tell.",
            "Fine-tune from this run, and compare it with the same run from scratch.",
            "Fine-tune from this run",
            "launch",
            (("kind", "finetune"), ("checkpoint", record.run_id)),
        )
    return Advice(
        "An encoder that learned nothing cannot help."
        if task == OPPOSED
        else "Whether this encoder learned anything cannot be told.",
        "Pre-train longer, on more bars, or with another objective before you fine-tune from it.",
        "Set up a run",
        "launch",
        (("kind", "pretrain"),),
    )


def after_comparison(record: Record, comparison: Comparison | None) -> Advice:
    """The one thing to do next about a study or a comparison."""
    if record.state != "done":
        return _of_state(record)
    if comparison is None:
        return Advice("The comparison left no result.", "Start it again.", "Go to Compare", "compare")
    if comparison.no_verdict:
        return Advice(comparison.no_verdict, "Compare runs of the same windows and folds.", "Go to Compare", "compare")
    if comparison.beaten_by and comparison_text.beaten(comparison).outcome == SUPPORTED:
        return Advice(
            f"{comparison.beaten_by[0]} is the best so far.",
            f"Use it until a network beats it. See what the doctor found in {comparison.against}.",
            "Ask the doctor",
            "doctor",
        )
    rows = [row for _, row in comparison_text.in_order(comparison, comparison.deciding)]
    networks = {arm.name for arm in comparison_text.networks(comparison)}
    rows = [row for row in rows if row.arm in networks]
    helping = sorted((row for row in rows if row.verdict == "helps"), key=lambda row: -row.delta)
    if helping:
        return Advice(
            f"{helping[0].arm} helps.",
            "Pin its run as the baseline, and start the next runs from its settings.",
            "Choose a run to pin",
            "runs",
        )
    open_ = [row for row in rows if row.verdict == "undecided"]
    if open_:
        needed = next((text for row in open_ if (text := comparison_text.settles(row))), "")
        step = (
            f"Sample size needed: {needed}."
            if needed
            else "More of the same would not settle it: compare something that differs more."
        )
        return Advice(f"{open_[0].arm} is undecided.", step, "Set up a study", "compare")
    return Advice("No arm helps.", f"Keep {comparison.against}.", "See its run", "runs")


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


def _of_result(record: Record, evaluation: Evaluation, pinned: bool) -> Advice:
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
            "Try the recommended preset, which standardises the features and trains longer."
            if record.preset != "recommended"
            else "Look at the wrong windows: are the labels what you meant?",
            "Set up a recommended run" if record.preset != "recommended" else "See the wrong windows",
            "launch" if record.preset != "recommended" else "windows",
            (("preset", "recommended"),) if record.preset != "recommended" else (("outcome", "wrong"),),
        )
    if record.preset == "quick":
        return Advice(
            better.text if predicted else "The quick run is done.",
            "Launch the recommended preset: a larger model and five repeats, so that the spread can be judged.",
            "Set up a recommended run",
            "launch",
            (("preset", "recommended"),),
        )
    if not pinned:
        return Advice(
            "There is a result, and no baseline to compare later runs with.",
            "Pin the run that you trust as the baseline.",
            "Choose a run to pin",
            "runs",
        )
    return _of_targets(evaluation)


def _of_targets(evaluation: Evaluation) -> Advice:
    missed = [row for row in judge(evaluation.metrics) if row.met is False]
    if not missed:
        return Advice(
            "Every target is met.",
            "See in which windows the model is still wrong.",
            "See the wrong windows",
            "windows",
            (("outcome", "wrong"),),
        )
    worst = max(missed, key=lambda row: row.gap_percent or 0.0)
    if worst.target.metric.task == "pointer":
        return Advice(
            f"{len(missed)} targets are missed; furthest off is: {worst.target.title.lower()}.",
            "Look at the windows with the largest pointer error.",
            "See these windows",
            "windows",
            (("order", "error"),),
        )
    return Advice(
        f"{len(missed)} targets are missed; furthest off is: {worst.target.title.lower()}.",
        "Look at the windows that the model finds least likely to be what they are labelled.",
        "See these windows",
        "windows",
        (("order", "unsure"),),
    )
