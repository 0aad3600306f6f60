"""What the answers hang on, which features carry the label, and how far the labelled windows are from other bars."""

from __future__ import annotations

from functools import partial

from moola_core.charts import attribution as attribution_charts
from moola_core.charts import correlation as charts
from moola_core.charts import shift as shift_charts
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.sections import headlines
from moola_core.sections.blocks import Block, Chart, Figure, Figures, Table, Text
from moola_core.sections.context import ReportContext, Result
from moola_core.sections.diagnostics import of_run
from moola_core.targets import NOTABLE_R

MOST_FOREIGN = 6
SHIFT_TITLES = {"bars": "Against the other bars", "left_out": "Against the grades left out"}


def attribution(context: ReportContext) -> list[Block] | str:
    """Mean contribution of each feature to each output, every window's values, and where in the window they count."""
    result = of_run(context, "attribution")
    if isinstance(result, str):
        return result
    found, drawn = result.value, result.value
    evaluation = context.result("evaluation")
    classes = headlines.of_classes(evaluation.value) if evaluation else None
    unsure = classes is not None and classes.outcome != SUPPORTED
    blocks: list[Block] = [Text(f"{classes.text} Read no ranking off it.", warning=True)] if classes and unsure else []
    blocks += [
        Text(
            f"Exact grouped Shapley values of the out-of-fold models, {len(found.window_id):,} answers; "
            f"the contributions add up to the answer within {found.additivity_error:.0e}."
        )
    ]
    rows = {(row.group, row.output): (row, i) for i, row in enumerate(found.ranking)}
    for i, output in enumerate(drawn.outputs):
        blocks.append(
            Chart(
                f"ranking_{i}",
                found.outputs[i],
                partial(attribution_charts.ranking, drawn, output),
                half=len(found.outputs) > 1 and i > 0,
            )
        )
    first = drawn.outputs[0]
    blocks.append(
        Chart("beeswarm", "Every window", partial(attribution_charts.beeswarm, drawn, first),
              "Right: pushes the output up. Blue: the feature is high in that window, orange: low."),
    )  # fmt: skip
    if drawn.course.size:
        draw = partial(attribution_charts.course, drawn, first)
        blocks.append(Chart("course", "Where in the window", draw, "Dark: the answer hangs on it."))
    table = tuple(
        (group, *(result.number("ranking", rows[group, output][1], "mean") for output in found.outputs))
        for group in sorted(found.groups, key=lambda name: rows[name, found.outputs[0]][0].rank)
    )
    return [*blocks, Table("Mean size of the contribution", ("Feature", *found.outputs), table)]


def of_windows(context: ReportContext, name: str) -> Result | str:
    """The diagnostic of the run's windows; why there is none, or how to have it."""
    result = context.result(name)
    if result is None:
        return f"It was not computed for these windows. Ask for it: moola diagnose {name} --windows FILE --bars FILE."
    return result.why_not or result


def features(context: ReportContext) -> list[Block] | str:
    """Which features carry the label: the whole window's means, the researcher's rule and the false discoveries side by side."""
    result = of_windows(context, "features")
    if isinstance(result, str):
        return result
    found = result.value
    kept = [(i, row) for i, row in enumerate(found.table) if row.aggregate == "window"]
    flagged, sure = sum(abs(row.r) > NOTABLE_R for _, row in kept), sum(row.q < 0.05 for _, row in kept)
    blocks: list[Block] = [
        Text(
            f"{flagged} of {len(kept)} pass the rule |r| > {NOTABLE_R:g}; features of no use do so in a quarter to a half of such tables.",
            f"{sure} of {len(kept)} features hold against all {len(found.table)} tests (q < 0.05).",
        )
    ]
    positives = list(dict.fromkeys(row.positive for row in result.value.table))
    for k, positive in enumerate(positives):
        rows = [row for row in result.value.table if row.aggregate == "window" and row.positive == positive]
        draw = partial(charts.correlations, rows)
        blocks.append(Chart(f"correlations_{k}", "Correlation with the label", draw, "Filled: q < 0.05."))
        blocks.append(_correlations(result, [i for i, row in enumerate(result.value.table) if row in rows]))
    expected = tuple(
        (row.text, headlines.of_expectation(row).headline, *(result.number("expectations", i, name) for name in ("actual", "low", "high")))
        for i, row in enumerate(found.expectations)
    )  # fmt: skip
    note = "yes or no where the 95% interval of r lies on one side of what is expected."
    blocks += [Table("As expected?", ("Expected", "Met", "r", "from", "to"), expected, note)] if expected else []
    wrong = tuple(
        (row.feature, row.remark, result.number("columns", i, "std", form=".4f"))
        for i, row in enumerate(found.columns)
        if row.remark
    )
    return [*blocks, *([Table("Columns to look at", ("Feature", "What is wrong", "std"), wrong)] if wrong else [])]  # fmt: skip


def _correlations(result: Result, places: list[int]) -> Table:
    """The rows of the result's table at `places`, all of one class."""
    found = result.value
    numbers = ("r", "r_low", "r_high", "auc", "auc_middle")
    rows = tuple(
        (found.table[i].feature, *(result.number("table", i, name) for name in numbers), result.chance("table", i, "p"), result.chance("table", i, "q"),
         result.number("table", i, "sign_stability", form=".0%"), result.number("table", i, "std", form=".4f"))
        for i in places
    )  # fmt: skip
    columns = ("Feature", "r", "from", "to", "AUC", "AUC, middle", "p", "q", "Same sign", "std")
    note = (
        f"Means over {charts.AGGREGATE_TITLES['window']}, {found.windows} windows; positive r goes with {found.table[places[0]].positive}. "
        f"p by exchanging {found.groups} groups of windows that share bars, {found.permutations:,} times; q by Benjamini and Hochberg."
    )
    return Table("", columns, rows, note)


def shift(context: ReportContext) -> list[Block] | str:
    """Whether the labelled windows can be told from other bars, feature by feature, and the first bars beside the rest."""
    result = of_windows(context, "shift")
    if isinstance(result, str):
        return result
    found, blocks = result.value, list[Block]()
    if found.domain is not None:
        verdict = headlines.of_domain(found.domain)
        blocks += [
            Text(verdict.rest, verdict.headline),
            Figures((
                Figure("AUROC", result.number("domain", "auc", form=".2f"), "of a classifier, cross-validated"),
                Figure("No difference: from", result.number("domain", "null_low", form=".2f"), f"{found.domain.draws} shuffles"),
                Figure("to", result.number("domain", "null_high", form=".2f"), "95% of them"),
                Figure("Windows", result.number("counts", "labelled", form=",d"), "labelled"),
                Figure("Others", result.number("counts", "bars", form=",d"), "of the other bars"),
            )),
            Table("What it goes by", ("Number", "Weight"),
                  tuple((row[0], result.number("domain", "drivers", i, 1)) for i, row in enumerate(found.domain.drivers))),
            Table("The most foreign labelled windows", ("Window", "Told with"),
                  tuple((row.window_id, result.number("domain", "foreign", i, "probability")) for i, row in enumerate(found.domain.foreign[:MOST_FOREIGN]))),
        ]  # fmt: skip
    else:
        blocks.append(Text("There are too few bars away from the labelled windows to compare them with."))
    for kind, title in SHIFT_TITLES.items():
        rows = getattr(found, kind)
        if rows:
            blocks.append(
                Chart(f"distances_{kind}", title, partial(shift_charts.distances, getattr(result.value, kind)))
            )
            names = ("ks", "low", "high", "p", "psi", "mean", "other_mean")
            table = tuple(
                (row.feature, *(result.number(kind, i, name) for name in names)) for i, row in enumerate(rows)
            )
            blocks.append(Table("", ("Feature", "KS", "from", "to", "p", "PSI", "Mean", "Theirs"), table))
    draw = partial(shift_charts.first_bars, found.first_bars)
    note = "A state that starts anew at each window is unlike itself in the first bars."
    return [*blocks, Chart("first_bars", "The first bars of a window", draw, note)]
