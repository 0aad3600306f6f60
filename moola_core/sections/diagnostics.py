"""Calibration, errors, balance and transfer, as the run stored them."""

from __future__ import annotations

from functools import partial

from moola_core.charts import balance as balance_charts
from moola_core.charts import calibration as calibration_charts
from moola_core.charts import slices as slice_charts
from moola_core.charts import transfer as transfer_charts
from moola_core.diagnostics.results import CalibrationReport
from moola_core.metrics.probability import brier_title
from moola_core.sections import headlines
from moola_core.sections.blocks import (
    Block,
    Cell,
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
from moola_core.sections.pretraining import probed
from moola_core.specs.pretrain import SAW

MOST_SUSPECTS, MOST_LINKS = 10, 6


def calibration(context: ReportContext) -> list[Block] | str:
    """How well the probabilities are calibrated: a repeat in full, then all of them in a row each."""
    result = diagnostic(context, "calibration")
    if isinstance(result, str):
        return result
    report: CalibrationReport = result.value
    brier = brier_title(report.brier_convention)
    names = ("value", "low", "high", "null_median", "null_95")
    rows: tuple[Row, ...] = tuple(
        (
            str(one.repeat + 1),
            *(result.number("repeats", i, "errors", 0, name) for name in names),
            result.chance("repeats", i, "p_value"),
            result.number("repeats", i, "spiegelhalter_z", form=".2f"),
            *(result.number("repeats", i, "brier", name) for name in ("brier", "reliability", "resolution")),
        )
        for i, one in enumerate(report.repeats)
    )
    columns = ("Repeat", "ECE", "from", "to", "Calibrated: median", "95%", "p", "z", brier, "reliability", "resolution")
    note = f"ECE: {report.repeats[0].errors[0].convention}, with its 95% interval. z: calibrated if within ±1.96."
    calibrated, recalibrated = headlines.of_calibration(report), headlines.of_recalibration(report)
    repeats = tuple(
        (f"repeat {one.repeat + 1}", (_reliability(result, i), _recalibrated(result, i)))
        for i, one in enumerate(report.repeats)
    )
    return [
        calibrated.block,
        recalibrated.block,
        Table("Each repeat", columns, rows, note),
        Choice("repeat", "Repeat", repeats),
    ]


def _reliability(result: Result, repeat: int) -> Columns:
    """The reliability of one repeat, and what other conventions would say of it."""
    repeat_report = result.value.repeats[repeat]
    reliability = Chart(
        "reliability",
        "Reliability diagram",
        partial(calibration_charts.reliability, repeat_report),
        f"Repeat {repeat_report.repeat + 1}. Points inside the grey bars are what a calibrated model of this size shows.",
    )
    conventions = Chart(
        "conventions",
        "By other conventions",
        partial(calibration_charts.conventions, repeat_report.errors),
        "Each convention has its own noise: a point inside its grey bar says nothing. Means over folds look worst of all.",
    )
    return Columns(((reliability,), (conventions,)))


def _recalibrated(result: Result, repeat: int) -> Table:
    repeat_report, brier = result.value.repeats[repeat], brier_title(result.value.brier_convention)
    names = ("ece", "log_loss", "brier", "accuracy", "parameter")
    rows: tuple[Row, ...] = tuple(
        (row.method, *(result.number("repeats", repeat, "recalibrated", i, name) for name in names))
        for i, row in enumerate(repeat_report.recalibrated)
    )
    columns = ("Method", "ECE", "Log loss", brier, "Accuracy", "Temperature")
    note = f"Repeat {repeat_report.repeat + 1}; each fold by a map fitted on the others."
    return Table("Recalibrated on other folds", columns, rows, note)


def errors(context: ReportContext) -> list[Block] | str:
    """Where the run is wrong: slices, the most confident errors, possible label errors."""
    result = diagnostic(context, "errors")
    if isinstance(result, str):
        return result
    evaluation = context.result("evaluation")
    overall = (evaluation.get("metrics", "accuracy", "mean")) if evaluation else None
    report = result.value
    blocks: list[Block] = [
        Text(
            "A slice whose interval misses the dotted line differs from the rest. Among twenty slices, one does by chance."
        )
    ]
    kinds = dict.fromkeys(row.by for row in report.slices)
    options = [(slice_charts.TITLES.get(kind, kind), (_slices(result, kind, overall),)) for kind in kinds]
    blocks += [Choice("by", "By", tuple(options), every=True)] if options else []
    confident = _suspects(result, "confident", "Most confident errors", "No window was misclassified.")
    second = _suspects(result, "second_look", "Possible label errors", report.second_look_note)
    return [*blocks, Columns(((confident,), (second,)))]


def _slices(result: Result, kind: str, overall: float | None) -> Columns:
    """The slices of one kind: a chart, and its figures."""
    own = [(i, row) for i, row in enumerate(result.value.slices) if row.by == kind]
    title = slice_charts.TITLES.get(kind, kind)
    draw = partial(slice_charts.slices, [row for _, row in own], overall)
    names = ("accuracy", "low", "high", "f1_macro", "center_mae_bars", "center_low", "center_high")
    rows: tuple[Row, ...] = tuple(
        (
            row.value,
            result.number("slices", i, "n", form="d"),
            *(result.number("slices", i, name, form=".1f" if name.startswith("center") else ".3f") for name in names),
        )
        for i, row in own
    )
    columns = (title, "n", "Accuracy", "from", "to", "Macro F1", "Center error, bars", "center from", "center to")
    return Columns(((Chart(f"by_{kind}", title, draw),), (Table("", columns, rows),)))


def _suspects(result: Result, name: str, title: str, note: str) -> Block:
    suspects = getattr(result.value, name)[:MOST_SUSPECTS]
    if not suspects:
        return Text(note, f"{title}.")
    rows: tuple[Row, ...] = tuple(
        (row.window_id, row.label, row.answer, result.number(name, i, "p_answer"), result.number(name, i, "p_label"))
        for i, row in enumerate(suspects)
    )
    links = tuple(
        (row.window_id, f"{row.window_id}: {row.label}, predicted {row.answer} with {row.p_answer:.2f}")
        for row in suspects[:MOST_LINKS]
    )
    columns = ("Window", "Label", "Predicted", "p (predicted)", "p (label)")
    return WindowLinks(name, links, Table(title, columns, rows))


def balance(context: ReportContext) -> list[Block] | str:
    """What each task weighed in training."""
    result = diagnostic(context, "balance")
    if isinstance(result, str):
        return result
    report, verdict = result.value, headlines.of_balance(result.value)
    low, high = report.sigma_target
    items = [
        Figure("σ pointer / σ class", result.number("sigma_ratio", form=".2f"), f"target {low:g} to {high:g}"),
        Figure(
            "Expected at the optimum", result.number("sigma_expected", form=".2f"), "σ ratio expected at convergence"
        ),
        Figure("Pointer gradient", result.number("gradient_ratio"), "times the class's, shared parameters"),
        Figure("Conflicts", result.number("conflict_rate", form=".0%"), f"of {report.measured:,} measured steps"),
        Figure(
            "Projected",
            result.number("projection_rate", form=".0%"),
            f"PCGrad at {report.pcgrad_threshold:g}" if report.pcgrad else "PCGrad is off",
        ),
        Figure("Shared parameters", result.number("shared_parameters", form=",d"), "trained by both tasks"),
    ]
    names = ("loss_start", "loss_end", "inner_end", "sigma_start", "sigma_end", "gradient_norm")
    rows: tuple[Row, ...] = tuple(
        (task.task, *(result.number("tasks", i, name, form=".4f") for name in names))
        for i, task in enumerate(report.tasks)
    )
    columns = ("Task", "Loss, first epoch", "Loss, end", "Validation, end", "σ, start", "σ, end", "Gradient norm")
    blocks: list[Block] = [
        verdict.block,
        Figures(tuple(item for item in items if not _empty(item.number))),
        Table(
            "", columns, rows, "A small pointer loss is not a silenced task: read the errors in bars under Pointers."
        ),
    ]
    if report.measured:
        draw = partial(balance_charts.cosines, report)
        note = "Below 0 the tasks conflict; near 0 they are independent."
        blocks.append(Chart("cosines", "Gradient cosine similarity", draw, note))
    return blocks


def _empty(cell: Cell) -> bool:
    return isinstance(cell, Number) and cell.value is None


def transfer(context: ReportContext) -> list[Block] | str:
    """What a linear probe reads before and after fine-tuning, and how far each layer changed."""
    result = diagnostic(context, "transfer")
    if isinstance(result, str):
        return result
    report, verdict = result.value, headlines.of_probe(result.value.probe)
    layers: tuple[Row, ...] = tuple(
        (
            str(row.layer),
            *(result.number("layers", i, name) for name in ("cka", "low", "high", "random")),
            result.number("layers", i, "moved", form=".1%"),
        )
        for i, row in enumerate(report.layers)
    )
    logme = tuple((name, result.number("logme", name)) for name in report.logme)
    return [
        verdict.block,
        *([Text(SAW[report.saw])] if report.saw else []),
        *probed(result, "probe"),
        Chart(
            "layers",
            "How far fine-tuning changed the encoder",
            partial(transfer_charts.layers, report.layers),
            "Cross: similarity of an untrained encoder. Bars span the folds.",
        ),
        Table("", ("Layer", "CKA", "from", "to", "Random weights", "Weights moved"), layers),
        Table("LogME, a second opinion without folds", ("Representation", "LogME"), logme, "Higher is better."),
    ]
