"""What a pre-training run learned."""

from __future__ import annotations

from functools import partial

from moola_core.charts import pretraining as charts
from moola_core.diagnostics.results import PretrainReport, Reconstruction
from moola_core.sections import headlines
from moola_core.sections.blocks import Block, Chart, Choice, Columns, Figure, Figures, Row, Table, Text
from moola_core.sections.context import ReportContext, Result
from moola_core.specs.pretrain import SAW

SHOWN = ("close_norm", "range_z", "dist_prev_SH")
LEFT_OUT = {
    "over_gaps": "over gaps",
    "filler": "with filler bars",
    "labelled": "sharing bars with labelled windows",
    "between": "across the split",
    "not_active": "not active",
    "not_similar": "not similar",
}


def learned(context: ReportContext) -> list[Block] | str:
    """Errors at hidden bars next to those of predictors that learn nothing, feature by feature, and a window rebuilt."""
    result = context.result("learned")
    if not result:
        return "The run left no result."
    report: PretrainReport = result.value
    verdict = headlines.of_pretraining(report)
    blocks: list[Block] = [verdict.block, _figures(result, report)]
    gone = [f"{report.counts[name]:,} {title}" for name, title in LEFT_OUT.items() if report.counts.get(name)]
    blocks += [Text(f"Left out: {', '.join(gone)}.")] if gone else []
    blocks += [Text(SAW[report.saw])] if report.saw else []
    if report.features:
        rows: tuple[Row, ...] = tuple(
            (
                row.name,
                row.unit,
                *(
                    result.number("features", i, name, form=".4f")
                    for name in ("model", "feature_mean", "carry_forward", "noise_floor")
                ),
            )
            for i, row in enumerate(report.features)
        )
        columns = ("Feature", "Unit", "Error", "Feature mean", "Last bar", "Noise floor")
        note = "Left of the dotted line: better than always predicting the feature's mean."
        chart = Chart("errors", "Error at hidden bars", partial(charts.errors, report.features), note)
        blocks.append(Columns(((chart,), (Table("", columns, rows),))))
    if report.examples:
        windows = tuple((one.start_time, (_rebuilt(report, one),)) for one in report.examples)
        blocks.append(Choice("example", "Window", windows))
    return blocks


def _rebuilt(report: PretrainReport, example: Reconstruction) -> Choice:
    """A window's features and what was made of their hidden bars: some together, then each."""
    names = [row.name for row in report.features]
    together = [name for name in SHOWN if name in names] or names[: len(SHOWN)]
    title = f"The window of {example.start_time} UTC, rebuilt"
    options = tuple(
        (", ".join(shown), (Chart("rebuilt", title, partial(charts.reconstruction, example, names, shown)),))
        for shown in (together, *([name] for name in names))
    )
    return Choice("features", "Features", options)


def _figures(result: Result, report: PretrainReport) -> Figures:
    items = [
        Figure("Windows", result.number("counts", "train", form=",d"), "to train on"),
        Figure("To validate", result.number("counts", "valid", form=",d"), "windows"),
    ]
    if report.masked_mae is not None:
        items += [
            Figure("Masked error", result.number("masked_mae", form=".4f"), "mean over the features"),
            Figure("Feature mean", result.number("trivial", "feature_mean", form=".4f"), "always predicting it"),
            Figure("Last visible bar", result.number("trivial", "carry_forward", form=".4f"), "carried forward"),
        ]
    if report.noise_floor:
        items.append(Figure("Noise floor", result.number("noise_floor", form=".4f"), "what noise leaves to anyone"))
    for i, measure in enumerate(report.measures):
        trivial = result.number("measures", i, "trivial").shown
        items.append(
            Figure(
                measure.name[:1].upper() + measure.name[1:],
                result.number("measures", i, "value"),
                f"without learning {trivial}",
            )
        )
    items.append(Figure("Best epoch", result.number("best_epoch", form="d"), "lowest validation loss"))
    return Figures(tuple(items))


def probe(context: ReportContext) -> list[Block] | str:
    """A linear probe on the encoder, on one of random weights, and on the raw features."""
    result = context.result("learned")
    if not result or not result.value.probe:
        return "It needs labelled windows: give them to the pre-training run."
    verdict = headlines.of_probe(result.value.probe)
    return [verdict.block, *probed(result, "probe")]


def probed(result: Result, *path: str) -> list[Block]:
    """The probe at the path of the result, drawn and as a table."""
    scores = result.get(*path, "scores")
    rows = tuple(
        (
            row["representation"],
            *(
                result.number(*path, "scores", i, *place)
                for place in (("mean",), ("interval", "low"), ("interval", "high"), ("std",))
            ),
        )
        for i, row in enumerate(scores)
    )
    note = (
        f"A linear probe on {result.get(*path, 'windows')} labelled windows, cross-validated: AUROC among the windows of a fold, "
        "95% interval over windows and repeats, standard deviation over the repeats. Chance is 0.50."
    )
    draw = partial(charts.probe, result.value.probe)
    return [
        Chart("probe", "What a linear probe reads", draw),
        Table("", ("Representation", "AUROC", "from", "to", "Spread"), rows, note),
    ]
