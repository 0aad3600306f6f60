"""What the doctor tried within a budget: each fitting next to the run as it is."""

from __future__ import annotations

from moola_core.diagnostics.results import Diagnosis
from moola_core.diagnostics.results.experiments import Experiment, UsualScore
from moola_core.diagnostics.results.interval import Claim, Interval
from moola_core.metrics import METRICS
from moola_core.sections.blocks import Block, Command, Row, Table, Text
from moola_core.sections.context import ReportContext
from moola_core.sections.doctor import diagnosis


def experiments(context: ReportContext) -> list[Block] | str:
    """The conclusion, and a line for each experiment; how to have some where none were made."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    if report.experiments is None:
        if report.kind != "finetune" or not report.about:
            return "Experiments are made with a cross-validated run."
        text = "No experiments were made. They fit the run again with settings set back, and say which one restores the score."
        return [Text(text), Command("Find the cause by experiments", f"moola doctor {report.about} --budget 5m")]
    own = report.experiments
    claims = tuple(Claim(f"gain in {gain.metric}", gain.interval) for one in own.tried for gain in one.gains)
    rows: tuple[Row, ...] = tuple(row for one in own.tried for row in _rows(one))
    spent = f"{own.seconds:.0f} s of fitting, of {own.budget_s:.0f} s allowed; settings are compared with those of {own.reference}."
    blocks: list[Block] = [Text(own.conclusion, claims=claims), Text(spent)]
    if rows:
        columns = ("Fitted with", "Windows", "Metric", "Run as it is", "So", "Gain")
        blocks.append(
            Table(
                "",
                columns,
                rows,
                "A gain is positive where the metric is better. Intervals hold 98.75% each, since two metrics are looked at, each more than once; of a mended copy 99.4%.",
            )
        )
    if own.untried:
        blocks.append(Text(f"{', '.join(own.untried)}. Give a larger budget.", "No time for:"))
    return blocks


def _rows(one: Experiment) -> list[Row]:
    """A line for each metric; one line for what has no run to be compared with, or could not be fitted."""
    title = one.title + (f": {', '.join(one.changes)}" if len(one.changes) > 3 else "")
    first = (title, one.where or "the run's own")
    if one.why_not:
        return [(*first, one.why_not, "", "", "")]
    if not one.gains:
        own = one.auroc
        reach = f" ({own.low:.2f} to {own.high:.2f})" if own is not None and own.low < own.high else ""
        usual = "" if one.usual is None else _usual(one.usual)
        ranking = (*first, METRICS["auroc"].title, usual, "" if own is None else f"{own.value:.2f}{reach}", "")
        return [ranking, *(_of_pointers(score) for score in one.pointers or ())]
    return [
        (
            *(first if i == 0 else ("", "")),
            METRICS[gain.metric].title,
            f"{gain.own:.2f}",
            f"{gain.other:.2f}",
            f"{gain.interval.value:+.2f} ({gain.interval.low:+.2f} to {gain.interval.high:+.2f})",
        )
        for i, gain in enumerate(one.gains)
    ]


def _usual(usual: Interval) -> str:
    return f"usual: {usual.low:.2f} to {usual.high:.2f}"


def _of_pointers(score: UsualScore) -> Row:
    """A line under that of the ranking."""
    return ("", "", METRICS[score.metric].title, _usual(score.usual), f"{score.value:.2f}", "")
