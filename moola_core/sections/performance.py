"""What the predictions are worth, and how the training went."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from moola_core.charts import curves, monitoring
from moola_core.charts import evaluation as charts
from moola_core.charts import pointing as pointing_charts
from moola_core.diagnostics.results import Confusion, Evaluation, Pointing
from moola_core.metrics import shown_in
from moola_core.sections import headlines, scores
from moola_core.sections.blocks import Block, Cell, Chart, Choice, Columns, Link, Links, Number, Row, Table, Text
from moola_core.sections.context import ABSENT, ReportContext, Result, diagnostic, without_network

NO_RESULT = "The run left no evaluation."
SIGNED_NOTE = "Predicted less true, in bars: left of 0 the prediction is too early, or too short. The ends hold all larger errors."
SAMPLING = "From … to: 95% interval over windows and repeats, with windows that share bars taken together; ±: standard deviation over the repeats."
SET_COLUMNS = ("Wanted", "Both ends within, bars", "Holds the labelled span", "from", "to")
SETS_NOTE = (
    "All spans whose first and last bars both lie so close to the predicted ones: conformal sets, calibrated for each fold on the other folds, "
    "with each group of windows that share bars counted once. The distance is the median over folds."
)
CONSTANT_NOTE = "The constant pointer is the median of the other folds."


def metrics(context: ReportContext) -> list[Block] | str:
    """Every metric of 0 to 1: mean, spread, the majority class next to it."""
    result = context.result("evaluation")
    if not result:
        return NO_RESULT
    evaluation, repeats = result.value, len(result.value.by_repeat)
    titles, _ = charts.metric_rows(evaluation)
    rows = []
    for name, text in titles.items():
        kind, _, label = name.partition(" ")
        path = ("metrics", kind, label) if label else ("metrics", kind)
        ends = (result.number("sampled", name, "interval", end) for end in ("low", "high"))
        rows.append(
            (text, result.number(*path, "mean"), *ends, _spread(result, path, repeats), result.number("majority", name))
        )
    spread = f"{repeats} repeats of the cross-validation" if repeats > 1 else "one repeat, so no spread is known"
    columns = ("Metric", "Mean", "from", "to", "±", "Most frequent class")
    note = (
        f"Pooled out of fold over {evaluation.windows} windows, AUROC among the windows of a fold; {spread}. {SAMPLING}"
    )
    drawn = Chart(
        "metrics",
        "Mean and each repeat",
        partial(
            charts.metric_spread,
            *charts.metric_rows(evaluation),
            evaluation.majority,
            "most frequent class",
        ),
        "The line marks what always predicting the most frequent class would score.",
    )
    return [
        *(verdict.block for verdict in of_scores(evaluation)),
        Columns(((drawn,), (Table("", columns, tuple(rows), note),))),
    ]


def of_scores(evaluation: Evaluation) -> tuple[headlines.Headline, ...]:
    """What the predicted classes say, in the order in which pages, reports and the terminal show it; empty without a class."""
    if not evaluation.metrics.get("accuracy"):
        return ()
    return headlines.of_classes(evaluation), headlines.of_majority(evaluation), scores.of_f1(evaluation)


def _spread(result: Result, path: tuple[str, ...], repeats: int) -> Cell:
    number = result.number(*path, "std")
    return Number(number.value, f"± {number.shown}", number.source) if repeats > 1 and number.source else ABSENT


def confusion(context: ReportContext) -> list[Block] | str:
    """The counts of true and predicted classes, all repeats added up where that is stored; on a page also those of each repeat."""
    result = context.result("evaluation")
    if not result:
        return NO_RESULT
    if not result.value.confusions:
        return "No class was predicted: this run trains the pointers alone."
    shown = result.value.confusions if len(result.value.by_repeat) > 1 else result.value.confusions[:1]
    return [Choice("repeat", "Repeat", tuple(_matrix(result, place) for place in range(len(shown))))]


def _matrix(result: Result, place: int) -> tuple[str, tuple[Block, ...]]:
    """The confusions stored at that place, by what they are called; a cell opens its windows."""
    matrix: Confusion = result.value.confusions[place]
    repeat = "all" if matrix.repeat is None else str(matrix.repeat)
    rows: list[Row] = []
    links: list[Link] = []
    for i, true in enumerate(matrix.classes):
        cells = [result.number("confusions", place, "counts", i, j, form=",d") for j in range(len(matrix.classes))]
        rows.append((str(true), *cells))
        links += [
            Link(
                f"true {true}, predicted {predicted}: {cell.value}",
                "windows",
                (("true", true), ("predicted", predicted), ("repeat", repeat)),
            )
            for predicted, cell in zip(matrix.classes, cells, strict=True)
        ]
    columns = ("True class", *(f"predicted {name}" for name in matrix.classes))
    which = "all repeats, added up" if matrix.repeat is None else f"repeat {matrix.repeat + 1}"
    opened = Links(tuple(links), "Open windows of a cell")
    return which, (
        Chart("confusion", "True and predicted class", partial(charts.confusion, matrix), links=opened),
        Table("", columns, tuple(rows), f"{which.capitalize()}. Counts of windows."),
    )


def folds(context: ReportContext) -> list[Block] | str:
    """Which classes each test fold was given; folds of one class alone first of all."""
    result = context.result("evaluation")
    if not result or not result.value.fold_shares:
        return NO_RESULT if not result else "No class was predicted."
    evaluation = result.value
    constant = sum(share.constant for share in evaluation.fold_shares)
    summary = (
        Text(
            "They are marked. Averages over folds hide that.",
            f"{constant} of {len(evaluation.fold_shares)} folds predicted one class.",
            warning=True,
        )
        if constant
        else Text(no_constant_fold(evaluation))
    )
    drawn = result.value
    draw = partial(charts.fold_shares, drawn.fold_shares, drawn.classes)
    return [summary, Chart("folds", "Share of each predicted class", draw)]


def no_constant_fold(evaluation: Evaluation) -> str:
    """That no fold is constant, and that folds of a few windows may hold one class all the same."""
    by_chance = any(max(share.shares) == 1 for share in evaluation.fold_shares)
    return "No fold predicted only one class" + (" more than its few windows explain." if by_chance else ".")


def pointers(context: ReportContext) -> list[Block] | str:
    """Pointer errors in bars and hits, next to those of a constant pointer."""
    result = context.result("evaluation")
    if not result:
        return NO_RESULT
    if not result.get("metrics", "center_mae_bars"):
        return "The run has no pointer head, or no window has an expansion."
    drawn = result.value
    repeats = len(drawn.by_repeat)
    rows = tuple(
        (
            metric.heading,
            result.number("metrics", metric.name, "mean"),
            *(result.number("sampled", metric.name, "interval", end) for end in ("low", "high")),
            _spread(result, ("metrics", metric.name), repeats),
            result.number("pointer_baseline", metric.name),
        )
        for place in ("errors", "hits", "pointers")
        for metric in shown_in(place)
        if result.get("metrics", metric.name)
    )
    constant = charts.constant_pointer(drawn.pointer_baseline)
    verdict = headlines.of_pointers(drawn)
    noise = headlines.of_label_noise(context.record.facts.label_noise, context.spec.spans.scatter_bars is not None)
    return [
        verdict.block,
        *([noise.block] if noise.headline else []),
        Chart(
            "errors",
            "Mean error, bars",
            partial(charts.pointer_errors, drawn.by_repeat, drawn.pointer_baseline),
            half=True,
        ),
        Chart(
            "hits",
            "Center hit",
            partial(charts.metric_spread, charts.hit_titles(), drawn.by_repeat, constant, "constant pointer"),
            half=True,
        ),
        Table("", ("Pointer", "Mean", "from", "to", "±", "Constant pointer"), rows, f"{SAMPLING} {CONSTANT_NOTE}"),
        Links((Link("See the windows with the largest error", "windows", (("order", "error"),)),)),
    ]


def pointing(context: ReportContext) -> list[Block] | str:
    """How far the predicted expansions are off, and whether the confidence that the model states comes true."""
    result = diagnostic(context, "pointing")
    if isinstance(result, str):
        return result
    report: Pointing = result.value
    signed: tuple[Row, ...] = tuple(
        (
            error.part.capitalize(),
            *(result.number("errors", i, name, form=".1f") for name in ("median", "low", "high")),
        )
        for i, error in enumerate(report.errors)
    )
    near: tuple[Row, ...] = tuple(
        (
            f"within {one.bars} bar{'s' if one.bars > 1 else ''}",
            *(result.number("near", i, "share", name, form=".1%") for name in ("value", "low", "high")),
            result.number("near", i, "constant", form=".1%"),
        )
        for i, one in enumerate(report.near)
    )
    return [
        Columns(
            (
                (
                    Chart("signed", "Signed errors", partial(pointing_charts.signed_errors, report), SIGNED_NOTE),
                    Table("", ("Predicted less true, bars", "Median", "25%", "75%"), signed),
                ),
                (
                    Chart(
                        "within", "Centers near the true one", partial(pointing_charts.within, report), CONSTANT_NOTE
                    ),
                    Table("", ("Center", "Share", "from", "to", "Constant pointer"), near, "With 95% intervals."),
                ),
            )
        ),
        *_sets(result),
        *_confidence(result),
    ]


def _sets(result: Result) -> list[Block]:
    """How far about the predicted span the labelled one must be sought."""
    report: Pointing = result.value
    rows: tuple[Row, ...] = tuple(
        (
            f"{one.level:.0%}",
            result.number("sets", i, "radius", form=".1f"),
            *(result.number("sets", i, "coverage", name, form=".1%") for name in ("value", "low", "high")),
        )
        for i, one in enumerate(report.sets)
    )
    return [Table("Sets of spans", SET_COLUMNS, rows, SETS_NOTE)] if rows else []


def _confidence(result: Result) -> list[Block]:
    """What the model states of its expansions against what comes true: a repeat in a chart, and all in a row each."""
    report: Pointing = result.value
    verdict = headlines.of_confidence(report)
    if not report.confidence:
        return [Text(verdict.rest)]
    rows: tuple[Row, ...] = tuple(
        (
            str(one.repeat + 1),
            *(result.number("confidence", i, name, form=".1%") for name in ("stated", "hit_rate")),
            *(result.number("confidence", i, "error", name) for name in ("value", "null_median", "null_95")),
            result.chance("confidence", i, "p_value"),
        )
        for i, one in enumerate(report.confidence)
    )
    columns = ("Repeat", "Stated", "Within 3 bars", "Calibration error", "Calibrated: median", "95%", "p")
    repeats = tuple(
        (f"repeat {one.repeat + 1}", (Columns(((_stated(result, i),), (_bins(result, i),))),))
        for i, one in enumerate(report.confidence)
    )
    return [
        replace(verdict.block, title="Stated probability of the expansion"),
        Choice("repeat", "Repeat", repeats),
        Table("Each repeat", columns, rows),
    ]


def _stated(result: Result, repeat: int) -> Chart:
    row = result.value.confidence[repeat]
    return Chart(
        "stated",
        "Hit rate against stated probability",
        partial(pointing_charts.stated, row),
        f"Repeat {row.repeat + 1}. Points inside the grey bars are what a calibrated model of this size shows.",
    )


def _bins(result: Result, repeat: int) -> Table:
    """The windows in each bin, with the hit rate that a calibrated model would have there."""
    path = ("confidence", repeat, "bins")
    names = ("confidence", "accuracy", "low", "high")
    rows: tuple[Row, ...] = tuple(
        (
            f"{part.left:.1f} to {part.right:.1f}",
            result.number(*path, i, "count", form="d"),
            *(result.number(*path, i, name, form=".2f") for name in names),
        )
        for i, part in enumerate(result.value.confidence[repeat].bins)
    )
    columns = ("Stated", "Windows", "Mean stated", "Hit rate", "from", "to")
    note = "Hit rate: share of the centers within 3 bars. A calibrated model's lies from … to with probability 0.95."
    return Table("Windows in each bin", columns, rows, note)


def training(context: ReportContext) -> list[Block] | str:
    """Losses, σ, gradient conflict and the monitored metrics over the epochs."""
    epochs = context.epochs
    if not len(epochs["epoch"]):
        return without_network(context.spec, "training") or "No epochs were recorded."
    if context.record.kind == "pretrain":
        return [
            Chart("loss", "Loss", partial(curves.pretraining, epochs), half=True),
            Chart("rate", "Learning rate", partial(curves.rate, epochs), half=True),
        ]
    result, loss = context.result("evaluation"), context.spec.loss
    classes = len(result.value.classes) if result else 0
    constant = math.log(classes) if classes > 1 and loss.focal_gamma == 0 else None
    drawn = [
        Chart("class_loss", "Class loss", lambda look: curves.losses(epochs, "loss_class", look, constant), half=True),
        Chart("pointer_loss", "Pointer loss", lambda look: curves.losses(epochs, "loss_pointer", look), half=True),
        Chart("choice", "Early-stopping score", partial(curves.score, epochs), half=True),
        Chart("objective", "Training objective", partial(curves.objective, epochs), half=True),
        Chart("sigmas", "σ of the tasks", partial(curves.sigmas, epochs), half=True),
    ]
    if len(context.steps.get("epoch", ())):
        drawn.append(Chart("conflict", "Gradient conflict", partial(curves.conflict, context.steps), half=True))
    drawn += [
        Chart(f"monitored_{one.name}", f"{one.title}, on validation windows", partial(one.draw, epochs), half=True)
        for one in monitoring.monitored(epochs)
        if one.name != monitoring.CONFLICT
    ]
    note = "" if loss.pcgrad else " PCGrad is off: conflict was measured now and then, nothing was projected."
    return [Text(f"A thin line is one fit, the bold one their median.{note}"), *drawn]
