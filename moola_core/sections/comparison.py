"""Arms side by side: what each reaches, how sure the differences are, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from moola_core.charts import comparison as charts
from moola_core.diagnostics.results import Comparison, Verdict, WindowDifference
from moola_core.metrics import shown_in, title
from moola_core.runs.epochs import epoch_columns
from moola_core.sections import comparison_text
from moola_core.sections.blocks import Block, Cell, Chart, Choice, Columns, Number, Row, Table, Text, WindowLinks
from moola_core.sections.conclusions import gap
from moola_core.sections.context import ABSENT, ReportContext, Result
from moola_core.sections.formatting import counted, duration, probability
from moola_core.targets import judge

MAIN = "f1_macro"
LISTED = 5
HALF_NAME = 24  # letters of an arm's name next to a chart of half the width
DESCRIBE = "These describe; the deciding metric decides."
COLUMNS = 4  # arms in one table of differences: more would not fit a page
NO_RESULT = "The comparison left no result."


def arms(context: ReportContext) -> list[Block] | str:
    """What every arm reaches: simple models that beat the network first, then by macro F1."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    comparison: Comparison = result.value
    order = sorted(
        range(len(comparison.arms)),
        key=lambda i: (
            comparison.arms[i].name not in comparison.better_baselines,
            -(result.get("arms", i, "metrics", MAIN) or 0.0),
        ),
    )
    shown = [one for one in shown_in("arms") if any(arm.metrics.get(one.name) is not None for arm in comparison.arms)]
    reached: tuple[Row, ...] = tuple(
        (
            comparison.arms[i].name,
            *(result.number("arms", i, "metrics", metric.name, form=f".{metric.digits}f") for metric in shown),
            *(_whole(result, i, name) for name in ("trainable_parameters", "best_epoch", "epochs")),
        )
        for i in order
    )
    columns = ("Arm", *(metric.heading for metric in shown), "Parameters", "Best epoch", "Epochs")
    note = f"Means over {counted(comparison.repeats, 'repeat')}, each pooled out of fold over {comparison.windows} windows."
    if comparison.better_baselines:
        note = f"First, what is ahead of every network: {', '.join(comparison.better_baselines)}. {note}"
    return [
        *([Text(comparison_text.best_arm(comparison))] if comparison.selection else []),
        Chart("arms", "Macro F1 of every arm and repeat", partial(charts.arms, comparison.arms)),
        Table("", columns, reached, note),
    ]


def _whole(result: Result, i: int, name: str) -> Cell:
    number = result.number("arms", i, name, form=",.0f")
    return number if number.value is not None else ABSENT


def differences(context: ReportContext) -> list[Block] | str:
    """The forest and the verdicts, those of the deciding metric first."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    comparison: Comparison = result.value
    first = (comparison.deciding, MAIN)
    names = sorted(comparison_text.metrics(comparison), key=lambda name: (name != first[0], name != first[1]))
    if not names:
        return comparison.no_verdict or "Nothing was compared."
    options = tuple((_named(name, comparison), tuple(_differences(result, name))) for name in names)
    return [Text(comparison_text.drawn(comparison)), Choice("metric", "Metric", options)]


def _named(metric: str, comparison: Comparison) -> str:
    decides = any(row.decides for row in comparison.verdicts) and metric == comparison.deciding
    return f"{title(metric)} (decides)" if decides else title(metric)


def _differences(result: Result, metric: str) -> Iterator[Block]:
    """The verdicts of one metric, drawn and in a row each, and what this design could show."""
    comparison: Comparison = result.value
    pairs = comparison_text.in_order(comparison, metric)
    rows = [row for _, row in pairs]
    yield Chart("forest", f'{title(metric)}: difference from "{comparison.against}"', partial(charts.forest, rows))
    yield _verdicts(result, pairs)
    against = comparison_text.against_placebo(comparison, metric)
    if against:
        yield _verdicts(result, against, "Against its placebo, which was pre-trained on the same bars in random order.")


def _verdicts(result: Result, pairs: Sequence[tuple[int, Verdict]], note: str = "") -> Table:
    table: tuple[Row, ...] = tuple(
        (
            row.arm,
            row.verdict,
            *(result.number("verdicts", i, name, form="+.3f") for name in ("delta", "low", "high")),
            *(_chance(result, i, name) for name in ("p_helps", "p_within", "p_hurts")),
            _chance(result, i, "p_holm"),
            result.number("verdicts", i, "resolvable", form=".2f"),
            comparison_text.settles(row, result.value) or ABSENT,
        )
        for i, row in pairs
    )
    columns = (
        "Arm",
        "Verdict",
        "Difference",
        "from",
        "to",
        "P(helps)",
        "P(no difference that matters)",
        "P(hurts)",
        "p (Holm)",
        "Minimum detectable difference",
        "Would settle it",
    )
    return Table("", columns, table, note)


def _chance(result: Result, i: int, name: str) -> Number:
    number = result.number("verdicts", i, name)
    return number if number.value is None else Number(number.value, probability(number.value), number.source)


def metrics(context: ReportContext) -> list[Block] | str:
    """The verdicts in every other metric: forests, and a row each."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    comparison: Comparison = result.value
    names = [name for name in comparison_text.metrics(comparison) if name != comparison.deciding]
    if not names:
        return comparison.no_verdict or "Nothing else was compared."
    half = max(len(arm.name) for arm in comparison.arms) <= HALF_NAME
    blocks: list[Block] = []
    rows: list[Row] = []
    for k, name in enumerate(names):
        pairs = comparison_text.in_order(comparison, name)
        drawn = partial(charts.forest, [row for _, row in pairs])
        blocks.append(Chart(f"forest_{k}", title(name), drawn, half=half))
        rows += [
            (
                title(name),
                row.arm,
                row.verdict,
                *(result.number("verdicts", i, part, form="+.3f") for part in ("delta", "low", "high")),
                _chance(result, i, "p_holm"),
            )
            for i, row in pairs
        ]
    columns = ("Metric", "Arm", "Verdict", "Difference", "from", "to", "p (Holm)")
    return [*blocks, Table("", columns, tuple(rows), f'Difference from "{comparison.against}". {DESCRIBE}')]


def targets(context: ReportContext) -> list[Block] | str:
    """What each network reaches of the targets, the gap in its own unit and in percent of the bound."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    rows: list[Row] = []
    networks = {i: judge(arm.metrics) for i, arm in enumerate(result.value.arms) if arm.model == "network"}
    for target in dict.fromkeys(row.target for judged in networks.values() for row in judged):
        for i, judged in networks.items():
            row = next((one for one in judged if one.target == target and one.actual is not None), None)
            if row is not None:
                actual = result.number("arms", i, "metrics", *target.path)
                rows.append((target.title, target.wanted, result.value.arms[i].name, actual, *gap(row)))
    if not rows:
        return "No network was compared."
    columns = ("Target", "Wanted", "Arm", "Actual", "Gap", "Gap, %")
    note = "Actual: mean over the repeats, each pooled out of fold. Gap: of this estimate; each run's own report has its interval."
    return [Table("", columns, tuple(rows), note)]


def labels(context: ReportContext) -> list[Block] | str:
    """What more labels would buy."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    curve = result.value.label_curve
    if curve is None:
        return "It needs arms that differ in the share of labels alone: moola study labels."
    repeats = tuple(f"Repeat {i + 1}" for i in range(max(map(len, curve.scores))))
    measured: tuple[Row, ...] = tuple(
        (
            result.number("label_curve", "labels", i, form=",d"),
            *(result.number("label_curve", "scores", i, j) for j in range(len(repeats))),
        )
        for i in range(len(curve.labels))
    )
    band = (2, 3) if len(repeats) > 1 else ()
    ahead: tuple[Row, ...] = tuple(
        (
            result.number("label_curve", "ahead", i, 0, form=",d"),
            *(result.number("label_curve", "ahead", i, j) for j in (1, *band)),
        )
        for i in range(len(curve.ahead))
    )
    return [
        Text(comparison_text.more_labels(curve)),
        Chart("labels", "Macro F1 by number of labels", partial(charts.labels, curve)),
        Table("Measured", ("Labels", *repeats), measured),
        Table("If it goes on so", ("Labels", "Macro F1", *(("from", "to") if band else ())), ahead),
    ]


def gains(context: ReportContext) -> list[Block] | str:
    """The windows on which an arm gained or lost most: simple models that win first, then networks."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    comparison: Comparison = result.value
    shown = dict.fromkeys(
        [*comparison.better_baselines, *(arm.name for arm in comparison_text.networks(comparison)), *comparison.gains]
    )
    names = [name for name in shown if comparison.gains.get(name)]
    if not names:
        return comparison.no_verdict or "No window was predicted by two arms."
    options = tuple((name, (_gains(result, name),)) for name in names)
    return [Text(comparison_text.window_differences(comparison)), Choice("arm", "Arm", options, every=True)]


def _gains(result: Result, arm: str) -> Columns:
    rows: tuple[WindowDifference, ...] = result.value.gains[arm]
    run_id = next((one.run_id for one in result.value.arms if one.name == arm), None)
    sides = []
    for name, places in zip(("gained", "lost"), comparison_text.ends(rows, LISTED), strict=True):
        table: tuple[Row, ...] = tuple(
            (
                rows[i].window_id,
                rows[i].label,
                result.number("gains", arm, i, "gain", form="+.2f"),
                result.number("gains", arm, i, "center_gain_bars", form="+.1f"),
            )
            for i in places
        )
        shown = Table(f"{arm}: {name} most", ("Window", "Class", "Change", "Center, bars"), table)
        links = tuple((rows[i].window_id, _gained(rows[i])) for i in places)
        sides.append((WindowLinks(name, links, shown, run_id),))
    return Columns(tuple(sides))


def _gained(row: WindowDifference) -> str:
    center = (
        ""
        if row.center_gain_bars is None
        else f", center {abs(row.center_gain_bars):.1f} bars {'worse' if row.center_gain_bars < 0 else 'better'}"
    )
    return f"{row.window_id} ({row.label}): {row.gain:+.2f}{center}"


def curves(context: ReportContext) -> list[Block] | str:
    """Validation loss by epoch of every network."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    epochs = {}
    for arm in comparison_text.networks(result.value):
        run = context.other(arm.run_id)
        columns = epoch_columns(run) if run is not None else {}
        if len(columns.get("epoch", ())):
            epochs[arm.name] = columns
    if not epochs:
        return "No epochs of the arms are in this store."
    return [Chart("learning", "Validation loss by epoch", partial(charts.learning, epochs), comparison_text.LEARNING)]


def differs(context: ReportContext) -> list[Block] | str:
    """Settings and facts in which the networks differ."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    rows, names = result.value.differences, [arm.name for arm in comparison_text.networks(result.value)]
    if not rows:
        return "The networks differ in no setting."
    return [Text(comparison_text.DIFFERS), *_side_by_side(rows, names)]


def _side_by_side(rows: Sequence, names: Sequence[str]) -> Iterator[Table]:
    for at in range(0, len(names), COLUMNS):
        some = names[at : at + COLUMNS]
        yield Table(
            "", ("Setting", *some), tuple((row.name, *(row.values.get(name, ABSENT) for name in some)) for row in rows)
        )


def runs(context: ReportContext) -> list[Block] | str:
    """Each arm's run, what it changes of the study's base, and how long it took."""
    result = context.result("comparison")
    if not result:
        return NO_RESULT
    changes = {arm.name: arm.changes | _pretraining(arm.pretraining) for arm in getattr(context.spec, "arms", ())}
    rows: list[Row] = []
    for i, arm in enumerate(result.value.arms):
        context.other(arm.run_id)  # its record and spec go with the report
        took = result.number("arms", i, "seconds")
        changed = ", ".join(f"{name}={_setting_text(value)}" for name, value in changes.get(arm.name, {}).items())
        rows.append(
            (arm.name, arm.run_id, arm.state, Number(took.value, duration(arm.seconds), took.source), changed or ABSENT)
        )
    note = "The ZIP and the JSON hold the whole spec of each." if rows else ""
    return [Table("", ("Arm", "Run", "State", "Took", "What it changes"), tuple(rows), note)]


def _pretraining(changes: dict | None) -> dict:
    """The arm's own pre-training as settings: that it has one, and what it changes of it."""
    if changes is None:
        return {}
    return {f"pretrain.{name}": value for name, value in changes.items()} or {"pretrain": "as the study's"}


def _setting_text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value) if value != "" else "none"
