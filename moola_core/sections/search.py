"""A search over settings: what its pick is expected to reach, whether that is more than the settings as they are, and every trial."""

from __future__ import annotations

from typing import Any

from moola_core.diagnostics.results import BestTrial, Interval, SearchResult, Verdict
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, Claim
from moola_core.diagnostics.results.search import COMPLETE, FAILED, PRUNED
from moola_core.metrics import METRICS, better
from moola_core.sections import advice
from moola_core.sections.blocks import Block, Figure, Figures, Link, Links, Number, Row, Table, Text
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.formatting import duration
from moola_core.sections.headline import Headline, judges
from moola_core.specs import Dimension, Search

NO_RESULT = "The search left no trial."
LINKED = 5


def searched(context: ReportContext) -> list[Block]:
    """What to expect of the pick, its score as measured, the verdict against the settings as they are, and the next step."""
    record, result = context.record, context.result("search")
    texts: list[Block] = [Text(record.error, f"The search is {record.state}.", warning=True)] if record.error else []
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    report: SearchResult | None = result.value if result else None
    judged = Headline("")
    if report is not None and result is not None and report.best is not None:
        best, form = report.best, f".{METRICS[report.metric].digits}f"
        low, high = (result.number("best", name, form=form) for name in ("low", "high"))
        expected = Figure(
            "Expected on new windows",
            result.number("best", "expected", form=form),
            f"95% interval {low.shown} to {high.shown}",
        )
        raw = Figure(
            "As measured", result.number("best", "measured", form=form), f"too good: picked among {best.of} trials"
        )
        judged = of_search(report)
        texts += [Figures((expected, raw) if best.of > 1 else (expected,)), Text(pick(best), "The pick.")]
        texts.append(judged.block if judged.headline else Text(judged.rest, "No comparison."))
    if report is not None:
        texts.append(Text(course(report), "The trials."))
    if record.note:
        texts.append(Text(record.note, "Note."))
    return [*texts, advice.after_search(record, report, judged).block]


def pick(best: BestTrial) -> str:
    """Which trial was picked, and what its scores mean."""
    metric = METRICS[best.metric]
    what = f"Trial {best.number} ({best.model.replace('_', ' ')}: {written(best.settings)})"
    expected = f"{metric.text(best.expected)} ({metric.text(best.low)} to {metric.text(best.high)})"
    if best.of == 1:
        return f"{what} is the one trial with a score. {metric.title}: {expected} is to be expected on new windows."
    return (
        f"{what} came out on top of {best.of} trials by {metric.title}: {metric.text(best.measured)} as measured. Whatever comes out on top "
        f"owes part of that to luck; {expected} is to be expected of it on new windows. In {best.share:.0%} of the draws of windows it was picked."
    )


@judges
def of_search(report: SearchResult) -> Headline:
    """Whether the pick is better than the settings as they are, by an interval that allows for the pick."""
    best, row = report.best, report.default
    if best is not None and best.of == 1:
        return Headline("", "No other trial has a score, so nothing is compared.")
    if best is not None and best.number == 0:
        rest = f"They came out on top of {best.of} trials."
        return Headline("No other settings came out above the settings as they are.", rest)
    if best is None or row is None:
        return Headline("", "The settings as they are have no score, so nothing is compared with them.")
    metric, gain = METRICS[report.metric], _gain(row)
    about = f"{metric.title} of trial {best.number} less that of the settings as they are"
    claims = tuple(Claim(f"gain in {about}", gain, than) for than in (0.0, row.margin))
    rest = (
        f"{metric.title}: difference {row.delta:+.3f} ({row.low:+.3f} to {row.high:+.3f}). A choice among {best.of} trials was made; the interval "
        f"allows for it as one of {report.compared} comparisons with the settings as they are (Holm)."
    )
    if row.verdict == "helps" and claims[0].outcome == SUPPORTED:
        return Headline("The picked settings are better than the settings as they are.", rest, SUPPORTED, claims)
    if row.verdict == "hurts" and claims[0].outcome == OPPOSED:
        return Headline("The picked settings are worse than the settings as they are.", rest, OPPOSED, claims)
    if row.verdict == "equivalent" and claims[1].outcome == OPPOSED:
        return Headline(
            "The picked settings and the settings as they are make no difference that matters.", rest, OPPOSED, claims
        )
    headline = "Whether the picked settings are better than the settings as they are cannot be told."
    return Headline(headline, rest, OPEN, claims)


def _gain(row: Verdict) -> Interval:
    """The difference with more as better."""
    if better(row.metric) == "higher":
        return Interval(row.delta, row.low, row.high)
    return Interval(-row.delta, -row.high, -row.low)


def course(report: SearchResult) -> str:
    """How many trials there are, how they ended, and why there are no more."""
    counts = {state: sum(trial.state == state for trial in report.trials) for state in (COMPLETE, PRUNED, FAILED)}
    parts = [f"{counts[COMPLETE]} complete"]
    parts += [f"{counts[PRUNED]} pruned, which count in no score"] if counts[PRUNED] else []
    parts += [f"{counts[FAILED]} failed"] if counts[FAILED] else []
    return f"{', '.join(parts)}, in {duration(report.spent_s)}. {report.ended}".strip()


def trials(context: ReportContext) -> list[Block] | str:
    """Every trial in a row, the highest rank first; then those that were pruned or failed, with the reason."""
    result = context.result("search")
    if not result or not result.value.trials:
        return NO_RESULT
    report: SearchResult = result.value
    metric, sign = METRICS[report.metric], 1.0 if better(report.metric) == "higher" else -1.0
    order = sorted(
        range(len(report.trials)),
        key=lambda i: (report.trials[i].score is None, -sign * (report.trials[i].score or 0.0), i),
    )
    rows: list[Row] = []
    for trial, i in ((report.trials[i], i) for i in order):
        took = result.number("trials", i, "seconds")
        rows.append(
            (
                str(trial.number),
                trial.state,
                result.number("trials", i, "score", form=f".{metric.digits}f"),
                written(trial.settings),
                Number(took.value, duration(trial.seconds), took.source),
                trial.run_id or ABSENT,
                trial.reason or ABSENT,
            )
        )
    columns = ("Trial", "It is", f"{metric.title} as measured", "Settings", "Took", "Run", "Why")
    note = "Trial 0 has the settings as they are. All trials share windows, folds and seeds."
    links = tuple(
        Link(f"Open trial {trial.number}", "results", (("run", trial.run_id),))
        for trial in (report.trials[i] for i in order[:LINKED])
        if trial.run_id
    )
    return [Table("", columns, tuple(rows), note), Links(links)]


def space(context: ReportContext) -> list[Block]:
    """The settings that were tried, each with its values and with what it was before."""
    spec: Search = context.spec
    before = spec.settings_of(spec.base)
    rows: tuple[Row, ...] = tuple((name, _values(one), _value(before[name])) for name, one in spec.space.items())
    return [Table("", ("Setting", "Values", "As it is"), rows, SAMPLERS[spec.sampler])]


SAMPLERS = {
    "tpe": "Proposed by Optuna's TPE: the first at random, then what resembles the trials that scored highest.",
    "random": "Proposed at random, evenly over the values.",
}


def _values(dimension: Dimension) -> str:
    if dimension.choices is not None:
        return ", ".join(_value(one) for one in dimension.choices)
    steps = f" in steps of {dimension.step:g}" if dimension.step is not None else ""
    return f"{dimension.low:g} to {dimension.high:g}{steps}{', even in the logarithm' if dimension.log else ''}"


def written(settings: dict[str, Any]) -> str:
    """Settings by the last part of their names, numbers in three digits."""
    return ", ".join(f"{name.rsplit('.', 1)[-1]}={_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return "+".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
