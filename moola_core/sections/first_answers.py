"""What the first page says of a dataset: is there a model that meets the targets, does pre-training help, what is wrong.

Each is one sentence with its run, from the best evidence that the store has: an investigation, then a study, then single runs of the user's
own, never an arm of a study. What nothing answers yet has the button that tests it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from moola_core.diagnostics.gates import best_of
from moola_core.diagnostics.results import CalibrationReport, Comparison, Diagnosis, Evaluation, Interval, Verdict
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.metrics import title
from moola_core.runs.record import Record
from moola_core.sections import advice, comparison_text
from moola_core.sections.blocks import Block, Link, Step, Supported, Text
from moola_core.sections.formatting import counted, interval
from moola_core.sections.investigation import HEADS
from moola_core.sections.scores import of_targets

INVESTIGATE = Link("Investigate", "investigate")
TRANSFER = Link("Test it: the transfer study", "compare", (("new_study", "transfer"), ("study_name", "transfer")))
GRAVE = ("critical", "error")
DOES = {
    "helps": "helps",
    "hurts": "hurts",
    "equivalent": "makes no difference that matters",
    "undecided": "is undecided",
}
# By the best verdict on the ways to transfer that a study compared.
IN_SHORT = {
    "helps": "It helps in at least one way to transfer.",
    "undecided": "Whether it helps cannot be told.",
    "equivalent": "It does not help: there is no difference that matters.",
    "hurts": "It hurts in each way to transfer.",
}


@dataclass(frozen=True)
class Judged:
    """A run of the user's own with what was measured of it."""

    record: Record
    evaluation: Evaluation
    calibration: CalibrationReport | None = None
    diagnosis: Diagnosis | None = None


@dataclass(frozen=True)
class Evidence:
    """What the store holds about a dataset.

    investigated: the conclusion of its newest investigation, the first sentence of each kind, and when that ended; study: its newest
    transfer study that is done; runs: the user's own finished runs, newest first.
    """

    investigated: dict[str, Supported | Text] = field(default_factory=dict)
    investigated_at: str = ""
    study: tuple[Record, Comparison] | None = None
    runs: Sequence[Judged] = ()


def first_answers(evidence: Evidence) -> list[Block]:
    """One sentence for each question that a user asks first."""
    stated = evidence.investigated
    blocks: list[Block] = [stated["model"]] if "model" in stated else []
    blocks.append(stated["target"] if "target" in stated else _targets(evidence.runs))
    blocks.append(_pretraining(evidence))
    blocks.append(stated["cause"] if "cause" in stated else _wrong(evidence.runs))
    return [*blocks, stated["next"]] if "next" in stated else blocks


def _targets(runs: Sequence[Judged]) -> Block:
    """Of the newest run that meets every target, else of the newest run."""
    judged = [(run, of_targets(run.evaluation, run.calibration)) for run in runs]
    if not judged:
        text = Text("Not tested yet: no run of this dataset is done.", HEADS["target"])
        return Step(text, Link("Test it: a quick run", "launch", (("preset", "quick"),)))
    run, headline = next(((run, one) for run, one in judged if one.outcome == SUPPORTED), judged[0])
    others = f" It is the newest of {len(runs)} runs, none of which meets them all." if len(runs) > 1 else ""
    if headline.outcome == SUPPORTED:
        others = (
            f" It is one of {len(runs)} runs, and the best of several looks better than it is." if len(runs) > 1 else ""
        )
    return _of_run(Text(headline.text + others, HEADS["target"], claims=headline.claims), run.record)


def _pretraining(evidence: Evidence) -> Block:
    """Of the investigation or of the transfer study, whichever ended last."""
    stated, study = evidence.investigated.get("pretraining"), evidence.study
    newer = study is not None and str(study[0].ended or study[0].created) > evidence.investigated_at
    if stated is not None and not newer:
        return stated
    if study is None:
        return Step(Text("Whether it helps was not tested yet on this dataset.", HEADS["pretraining"]), TRANSFER)
    record, comparison = study
    rows = comparison_text.of_networks(comparison)
    best = best_of(row.verdict for row in rows)
    row = next((row for row in rows if row.verdict == best), None)
    if comparison.no_verdict or row is None:
        text = comparison.no_verdict or "The study has no verdict on a network."
    else:
        lines = (line for line in comparison_text.answer(comparison) if line.startswith(f"{row.arm} "))
        others = f" {counted(len(rows) - 1, 'other way')} to transfer: see the study." if len(rows) > 1 else ""
        text = f"{IN_SHORT[best]} {next(lines, _verdict(row))}{others}"
    sentence = Text(text, HEADS["pretraining"], claims=advice.of_verdicts(rows))
    return Supported(sentence, record.run_id, Link("The study", "compare", (("study", record.run_id),)))


def _verdict(row: Verdict) -> str:
    """What the study says of an arm, where its stored answer says nothing of it."""
    return f"{row.arm} {DOES[row.verdict]}: {title(row.metric)} {interval(Interval(row.delta, row.low, row.high), '+.3f')} against {row.against}."


def _wrong(runs: Sequence[Judged]) -> Block:
    """The gravest finding of the doctor in the newest run that it examined."""
    examined = next((run for run in runs if run.diagnosis is not None), None)
    if examined is None or examined.diagnosis is None:
        if not runs:
            return Step(Text("Not tested yet: the doctor needs a run that is done.", HEADS["cause"]), INVESTIGATE)
        link = Link("Ask the doctor", "doctor", (("run", runs[0].record.run_id),))
        return Step(Text("Not tested yet: the doctor did not examine the newest run.", HEADS["cause"]), link)
    findings = [one for one in examined.diagnosis.findings if one.severity in GRAVE and not one.explained_by]
    link = Link("Doctor", "doctor", (("run", examined.record.run_id),))
    if not findings:
        text = "The doctor found no critical fault and no error in the newest run that it examined."
        return Supported(Text(text, HEADS["cause"]), examined.record.run_id, link)
    first = findings[0]
    more = f" {len(findings) - 1} more: see the doctor." if len(findings) > 1 else ""
    text = f"{first.title}: {first.summary}{more}"
    return Supported(Text(text, HEADS["cause"], claims=first.claims or ()), examined.record.run_id, link)


def _of_run(text: Text, record: Record) -> Supported:
    return Supported(text, record.run_id, Link(f"Run {record.run_id[-4:]}", "results", (("run", record.run_id),)))
