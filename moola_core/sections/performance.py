"""What the predictions are worth, and how the training went."""

from __future__ import annotations

import math
from functools import partial

from moola_core.charts import curves
from moola_core.charts import evaluation as charts
from moola_core.metrics import shown_in
from moola_core.sections import headlines
from moola_core.sections.blocks import Block, Cell, Chart, Number, Row, Table, Text
from moola_core.sections.context import ABSENT, ReportContext, Result

NO_RESULT = "The run left no evaluation."


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
        rows.append(
            (text, result.number(*path, "mean"), _spread(result, path, repeats), result.number("majority", name))
        )
    spread = f"{repeats} repeats of the cross-validation" if repeats > 1 else "one repeat, so no spread is known"
    columns = ("Metric", "Mean", "Spread", "Most frequent class")
    note = f"Pooled out of fold over {evaluation.windows} windows; {spread}."
    drawn = result.value
    verdicts = (headlines.of_classes(drawn), headlines.of_majority(drawn)) if drawn.metrics.get("accuracy") else ()
    return [
        *(Text(verdict.rest, verdict.headline) for verdict in verdicts),
        Chart(
            "metrics",
            "Mean and each repeat",
            lambda look: charts.metric_spread(*charts.metric_rows(drawn), drawn.majority, "most frequent class", look),
        ),
        Table("", columns, tuple(rows), note),
    ]


def _spread(result: Result, path: tuple[str, ...], repeats: int) -> Cell:
    number = result.number(*path, "std")
    return Number(number.value, f"± {number.shown}", number.source) if repeats > 1 and number.source else ABSENT


def confusion(context: ReportContext) -> list[Block] | str:
    """The counts of true and predicted classes, all repeats added up where that is stored."""
    result = context.result("evaluation")
    if not result:
        return NO_RESULT
    if not result.value.confusions:
        return "No class was predicted: this run trains the pointers alone."
    matrix = result.value.confusions[0]
    rows: tuple[Row, ...] = tuple(
        (str(true), *(result.number("confusions", 0, "counts", i, j, form=",d") for j in range(len(matrix.classes))))
        for i, true in enumerate(matrix.classes)
    )
    columns = ("True class", *(f"predicted {name}" for name in matrix.classes))
    which = "All repeats, added up." if matrix.repeat is None else f"Repeat {matrix.repeat + 1}."
    return [
        Chart("confusion", "True and predicted class", partial(charts.confusion, result.value.confusions[0])),
        Table("", columns, rows, f"{which} Counts of windows."),
    ]


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
        else Text("No fold predicted only one class.")
    )
    drawn = result.value
    draw = partial(charts.fold_shares, drawn.fold_shares, drawn.classes)
    return [summary, Chart("folds", "Share of each predicted class", draw)]


def pointers(context: ReportContext) -> list[Block] | str:
    """Pointer errors in bars and hits, next to those of a constant pointer."""
    result = context.result("evaluation")
    if not result:
        return NO_RESULT
    if not result.get("metrics", "center_mae_bars"):
        return "The run has no pointer head, or no window has an expansion."
    drawn, baseline = result.value, result.value.pointer_baseline
    repeats = len(drawn.by_repeat)
    rows = tuple(
        (
            metric.heading,
            result.number("metrics", metric.name, "mean"),
            _spread(result, ("metrics", metric.name), repeats),
            result.number("pointer_baseline", metric.name),
        )
        for place in ("errors", "hits", "pointers")
        for metric in shown_in(place)
        if result.get("metrics", metric.name)
    )
    constant = charts.constant_pointer(baseline)
    note = "The constant pointer is the median of the other folds."
    verdict = headlines.of_pointers(result.value)
    return [
        Text(verdict.rest, verdict.headline),
        Chart("errors", "Mean error, bars", partial(charts.pointer_errors, drawn.by_repeat, drawn.pointer_baseline)),
        Chart(
            "hits",
            "Center hit",
            partial(charts.metric_spread, charts.hit_titles(), drawn.by_repeat, constant, "constant pointer"),
        ),
        Table("", ("Pointer", "Mean", "Spread", "Constant pointer"), rows, note),
    ]


def training(context: ReportContext) -> list[Block] | str:
    """Losses, σ and gradient conflict over the epochs."""
    epochs = context.epochs
    if not len(epochs["epoch"]):
        return "No epochs were recorded."
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
    note = "" if loss.pcgrad else " PCGrad is off: conflict was measured now and then, nothing was projected."
    return [Text(f"A thin line is one fit, the bold one their median.{note}"), *drawn]
