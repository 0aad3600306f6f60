"""What the predictions depend on, which features carry the label, and how far the labelled windows are from other bars."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from moola_core.charts import attribution as attribution_charts
from moola_core.charts import correlation as charts
from moola_core.charts import shift as shift_charts
from moola_core.diagnostics.results import Attribution, Domain, FeatureReport, FeatureShift, Shift
from moola_core.diagnostics.results.attribution import POINTER_OUTPUTS
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.features.catalog import FEATURES, PRICE_PATH
from moola_core.sections import headlines
from moola_core.sections.blocks import (
    Block,
    Chart,
    Choice,
    Columns,
    Figure,
    Figures,
    Number,
    Row,
    Table,
    Text,
    WindowLinks,
)
from moola_core.sections.context import ReportContext, Result, diagnostic
from moola_core.targets import NOTABLE_R

MOST_FOREIGN = 6
# The researcher expects this feature to rank first where this class is one of those to be told apart.
EXPECTED, EXPECTED_OF = "consol_proxy", "consolidation"
STATISTICS = (
    "This model reads prices, so the groups are its own statistics: those named span decide where the expansion is, those named class "
    "which class the window has."
)
LEVELS = " Blue: the feature is high in that window, orange: low."
NO_COURSE = "Where in the window the inputs count is computed for networks alone."
TOO_FEW_BARS = "There are too few bars away from the labelled windows to compare them with. Give more bars."
FIRST_BARS = "A state that starts anew at each window is unlike itself in the first bars. Pre-train and fine-tune with the same state."
SHIFT_TITLES = {"bars": "Against the other bars", "left_out": "Against the grades left out"}


def attribution(context: ReportContext) -> list[Block] | str:
    """Mean contribution of each group of inputs to each output, every window's values, and where in the window they count."""
    result = diagnostic(context, "attribution")
    if isinstance(result, str):
        return result
    attributions: Attribution = result.value
    evaluation = context.result("evaluation")
    classes = headlines.of_classes(evaluation.value) if evaluation else None
    sure = classes is not None and classes.outcome == SUPPORTED
    blocks: list[Block] = []
    if classes and not sure:
        blocks.append(Text(f"{classes.text} No ranking is read off it.", warning=True))
    blocks.append(Text(_how(attributions)))
    of_features = _are_features(attributions.groups)
    if not of_features:
        blocks.append(Text(STATISTICS))
    if not attributions.course.size:
        blocks.append(Text(NO_COURSE))
    correlated = context.result("features") if sure else None
    report = correlated.value if correlated and not correlated.why_not else None
    options = tuple(
        (output, tuple(_contributions(context, attributions, output, report))) for output in attributions.outputs
    )
    rows = {(row.group, row.output): (row, i) for i, row in enumerate(attributions.ranking)}
    table: tuple[Row, ...] = tuple(
        (group, *(result.number("ranking", rows[group, output][1], "mean") for output in attributions.outputs))
        for group in sorted(attributions.groups, key=lambda name: rows[name, attributions.outputs[0]][0].rank)
    )
    return [
        *blocks,
        _bases(result),
        Choice("output", "Output", options, every=True),
        Table(
            "Mean size of the contribution", ("Feature" if of_features else "Statistics", *attributions.outputs), table
        ),
    ]


def _how(attributions: Attribution) -> str:
    """How the values were computed, and how exact they are."""
    values = f"Grouped Shapley values of the out-of-fold models, {len(attributions.window_id):,} predictions; "
    values += f"base value and contributions add up to the prediction within {attributions.additivity_error:.0e}. "
    if attributions.background is None:
        return f"{values}A left-out feature takes its average over the training windows, as in versions before."
    if not attributions.background:
        return f"{values}They are exact. Left-out statistics are at their means over the candidate spans, or medians over the training windows."
    error = max((_relative_error(attributions, output) for output in attributions.outputs), default=0.0)
    exact = (
        "They are exact"
        if error == 0
        else f"The Monte Carlo error of a mean size is at most {error:.1%} of the largest"
    )
    return f"{values}A left-out feature takes the values of {attributions.background} training windows of the fold, stratified by class. {exact}."


def _relative_error(attributions: Attribution, output: str) -> float:
    """The largest Monte Carlo error of a mean size, as a share of the largest mean size."""
    rows = [row for row in attributions.ranking if row.output == output]
    largest = max(row.mean for row in rows)
    return max(row.error or 0.0 for row in rows) / largest if largest else 0.0


def _bases(result: Result) -> Table:
    """What the models predict without any input, on average, and how far the rankings of the fits agree."""
    attributions: Attribution = result.value
    base, full = attributions.empty.mean(0), attributions.full.mean(0)
    rows: tuple[Row, ...] = tuple(
        (
            output,
            Number(float(base[k]), f"{base[k]:.3f}"),
            Number(float(full[k]), f"{full[k]:.3f}"),
            result.number("agreement", k, form=".2f"),
        )
        for k, output in enumerate(attributions.outputs)
    )
    note = (
        "Base value: mean prediction with every input left out, from which contributions start. Agreement: Spearman's correlation between the "
        "rankings of two fits, mean over pairs; near 0 the order is that of chance."
    )
    return Table(
        "Where contributions start", ("Output", "Base value", "Mean prediction", "Agreement of the fits"), rows, note
    )


def _are_features(groups: tuple[str, ...]) -> bool:
    """Whether the groups are features, and not statistics of a model's own."""
    return set(groups) <= {feature.name for feature in FEATURES} | {feature.group for feature in PRICE_PATH}


def _contributions(
    context: ReportContext, attributions: Attribution, output: str, report: FeatureReport | None
) -> Iterator[Block]:
    """What one output depends on: the ranking, every window, and where in the window; first what was expected of the class."""
    if output not in POINTER_OUTPUTS:
        yield from _expected(context, attributions, output, report)
    number = attributions.outputs.index(output)
    ranking = Chart(
        f"ranking_{number}",
        output,
        partial(attribution_charts.ranking, attributions, output),
        "Overlapping points: the order is not reliable.",
    )
    windows = Chart(
        f"beeswarm_{number}",
        f"{output}: every window",
        partial(attribution_charts.beeswarm, attributions, output),
        "Right: pushes the output up." + (LEVELS if attributions.level.any() else ""),
    )
    yield Columns(((ranking,), (windows,)))
    if attributions.course.size:
        yield Chart(
            f"course_{number}",
            f"{output}: where in the window",
            partial(attribution_charts.course, attributions, output),
            "Mean size of each feature's contribution at each bar, by expected gradients. Dark: matters most.",
        )


def _expected(
    context: ReportContext, attributions: Attribution, output: str, report: FeatureReport | None
) -> Iterator[Block]:
    """The expected rank judged, and the first features next to those that correlate most with the label."""
    evaluation = context.result("evaluation")
    if evaluation and EXPECTED_OF in evaluation.value.classes:
        verdict = headlines.of_rank(attributions.ranking, output, EXPECTED, evaluation.value)
        if verdict.headline:
            yield verdict.block
    if report is not None:
        ranks = {row.group: row.rank for row in attributions.ranking if row.output == output}
        size = {row.feature: abs(row.r) for row in report.table if row.aggregate == "window"}
        ours = sorted((name for name in ranks if name in size), key=lambda name: ranks[name])[:3]
        theirs = sorted((name for name in size if name in ranks), key=lambda name: -size[name])[:3]
        if ours:
            yield Text(f"First three here: {', '.join(ours)}; by correlation with the label: {', '.join(theirs)}.")


def features(context: ReportContext) -> list[Block] | str:
    """Which features carry the label: the researcher's rule and the false discoveries side by side, then each feature by class."""
    result = diagnostic(context, "features")
    if isinstance(result, str):
        return result
    report: FeatureReport = result.value
    known = [name for name in charts.AGGREGATE_TITLES if any(row.aggregate == name for row in report.table)]
    options = tuple((charts.AGGREGATE_TITLES[name], tuple(_aggregate(result, name))) for name in known)
    return [Choice("aggregate", "Mean over", options), *_expectations(result), *_shapes(report)]


def _aggregate(result: Result, name: str) -> Iterator[Block]:
    """The correlations of one mean of each feature with each class."""
    report: FeatureReport = result.value
    kept = [row for row in report.table if row.aggregate == name]
    flagged, sure = sum(abs(row.r) > NOTABLE_R for row in kept), sum(row.q < 0.05 for row in kept)
    yield Text(
        f"{flagged} of {len(kept)} pass the rule |r| > {NOTABLE_R:g}; uninformative features do so in a quarter to a half of such tables.",
        f"{sure} of {len(kept)} features significant after correction for {len(report.table)} tests (q < 0.05).",
    )
    if name == "before_expansion":
        yield Text("This mean reads the pointer, which belongs to the label: it explains, but no model has it.")
    options = []
    for k, positive in enumerate(dict.fromkeys(row.positive for row in kept)):
        places = [i for i, row in enumerate(report.table) if row.aggregate == name and row.positive == positive]
        draw = partial(charts.correlations, [report.table[i] for i in places])
        chart = Chart(f"correlations_{k}", "Correlation with the label", draw, "Filled: q < 0.05.")
        options.append((positive, (Columns(((chart,), (_correlations(result, places),))),)))
    yield Choice("positive", "Class", tuple(options), every=True)


def _expectations(result: Result) -> Iterator[Block]:
    """What the researcher expected, and what is wrong with a column whatever the labels."""
    report: FeatureReport = result.value
    expected: tuple[Row, ...] = tuple(
        (
            row.text,
            headlines.of_expectation(row).headline,
            *(result.number("expectations", i, name) for name in ("actual", "low", "high")),
        )
        for i, row in enumerate(report.expectations)
    )
    if expected:
        note = "yes or no where the 95% interval of r lies on one side of what is expected."
        yield Table("As expected?", ("Expected", "Met", "r", "from", "to"), expected, note)
    wrong = tuple(
        (row.feature, row.remark, result.number("columns", i, "std", form=".4f"))
        for i, row in enumerate(report.columns)
        if row.remark
    )
    if wrong:
        yield Table("Columns to look at", ("Feature", "What is wrong", "std"), wrong)
    else:
        yield Text("Every column varies, at every bar, on a scale that a network can read.")


def _shapes(report: FeatureReport) -> Iterator[Block]:
    """One feature by class, and all features among each other."""
    options = []
    for name in report.features:
        by_class = Chart(
            "distribution",
            f"{name} by class",
            partial(charts.distribution, report, name),
            "Window means: the more the shapes overlap, the less the feature separates the classes.",
        )
        course = Chart(
            "course",
            f"{name} over the window",
            partial(charts.course, report, name),
            "Mean at each bar, ± 2 standard errors: where the bands part, the classes differ.",
        )
        options.append((name, (Columns(((by_class,), (course,))),)))
    yield Choice("feature", "Feature", tuple(options), page_only=True)
    note = "Near 1 or −1 two columns say the same; leaving one out changes little, and their order is arbitrary."
    yield Chart("among", "Features among each other", partial(charts.among, report), note)


def _correlations(result: Result, places: list[int]) -> Table:
    """The rows of the result's table at `places`, all of one mean and one class."""
    report: FeatureReport = result.value
    spans, areas = ("r", "r_low", "r_high"), ("auc", "auc_middle")
    rows: tuple[Row, ...] = tuple(
        (
            report.table[i].feature,
            "●" if abs(report.table[i].r) > NOTABLE_R else "",
            *(result.number("table", i, name) for name in spans),
            result.chance("table", i, "q"),
            result.chance("table", i, "p"),
            *(result.number("table", i, name) for name in areas),
            result.number("table", i, "sign_stability", form=".0%"),
            result.number("table", i, "std", form=".4f"),
            result.number("table", i, "n", form="d"),
        )
        for i in places
    )
    rule = f"> {NOTABLE_R:g}"
    columns = ("Feature", rule, "r", "from", "to", "q", "p", "AUC", "AUC, middle", "Same sign", "std", "n")
    first = report.table[places[0]]
    note = (
        f"Means over {charts.AGGREGATE_TITLES[first.aggregate]}, {report.windows} windows; positive r goes with {first.positive}. "
        f"p by exchanging {report.groups} groups of windows that share bars, {report.permutations:,} times; q by Benjamini and Hochberg. "
        "AUC, middle: AUC of the distance from the median."
    )
    return Table("", columns, rows, note)


def shift(context: ReportContext) -> list[Block] | str:
    """Whether the labelled windows can be told from other bars, feature by feature, and the first bars next to the rest."""
    result = diagnostic(context, "shift")
    if isinstance(result, str):
        return result
    report: Shift = result.value
    options = [
        (title, (_distances(result, kind, title),)) for kind, title in SHIFT_TITLES.items() if getattr(report, kind)
    ]
    return [
        *(_domain(result, report.domain) if report.domain else [Text(TOO_FEW_BARS)]),
        *([Choice("against", "Labelled windows", tuple(options), every=True)] if options else []),
        Chart(
            "first_bars", "The first bars of a window", partial(shift_charts.first_bars, report.first_bars), FIRST_BARS
        ),
    ]


def _domain(result: Result, domain: Domain) -> Iterator[Block]:
    """Whether a classifier tells the labelled windows from the other bars, and by what."""
    verdict = headlines.of_domain(domain)
    yield verdict.block
    yield Figures(
        (
            Figure("AUROC", result.number("domain", "auc", form=".2f"), "of a classifier, cross-validated"),
            Figure("No difference: from", result.number("domain", "null_low", form=".2f"), f"{domain.draws} shuffles"),
            Figure("to", result.number("domain", "null_high", form=".2f"), "95% of them"),
            Figure("Windows", result.number("counts", "labelled", form=",d"), "labelled"),
            Figure("Others", result.number("counts", "bars", form=",d"), "of the other bars"),
        )
    )
    weights = tuple((row[0], result.number("domain", "drivers", i, 1)) for i, row in enumerate(domain.drivers))
    note = "Weight per standard deviation; positive: larger in labelled windows."
    foreign = domain.out_of_distribution[:MOST_FOREIGN]
    rows = tuple(
        (row.window_id, result.number("domain", "out_of_distribution", i, "probability"))
        for i, row in enumerate(foreign)
    )
    links = tuple((row.window_id, f"{row.window_id}: probability {row.probability:.2f}") for row in foreign)
    table = Table("Most out-of-distribution labelled windows", ("Window", "Probability"), rows)
    yield Columns(
        (
            (Table("Weights of the classifier", ("Number", "Weight"), weights, note),),
            (WindowLinks("foreign", links, table),),
        )
    )


def _distances(result: Result, kind: str, title: str) -> Columns:
    """How far the labelled windows are from one kind of others, feature by feature."""
    names = ("ks", "low", "high", "p", "psi", "mean", "other_mean")
    rows: tuple[FeatureShift, ...] = getattr(result.value, kind)
    table: tuple[Row, ...] = tuple(
        (row.feature, *(result.number(kind, i, name) for name in names)) for i, row in enumerate(rows)
    )
    columns = ("Feature", "KS", "from", "to", "p", "PSI", "Mean", "Theirs")
    note = "PSI: below 0.1 little, above 0.25 much. p supposes windows that share no bars."
    chart = Chart(f"distances_{kind}", title, partial(shift_charts.distances, rows))
    return Columns(((chart,), (Table("", columns, table, note),)))
