"""The parts of the Performance page."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from moola_core.charts import curves, evaluation
from moola_core.diagnostics.results import Confusion, Evaluation
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext, without_network
from moola_core.sections.performance import OVER_REPEATS, SAMPLING, no_constant_fold, of_scores
from moola_core.sections.registry import SECTIONS, make
from moola_core.sections.scores import sampled_of
from moola_core.ui import loaders, render, state, widgets
from moola_core.ui.widgets import escape_markdown

CELL = "confusion_cell"


def results(run: Run, result: Evaluation) -> None:
    """The evaluation of the predictions, and how the training went."""
    st.subheader("Metrics")
    metrics(result)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Confusion")
        confusion(result, loaders.predictions(run))
    with right:
        st.subheader("Predicted classes by fold")
        fold_shares(result)
    st.subheader("Pointers")
    pointers(run, result)
    st.subheader("Training")
    training(run, result)


def metrics(result: Evaluation) -> None:
    """Every 0-to-1 metric: its mean, a dot a repeat, and the majority class next to it."""
    repeats = len(result.by_repeat)
    spread = f"{repeats} repeats of the cross-validation" if repeats > 1 else "one repeat, so no spread is known"
    st.caption(
        f"Pooled out of fold over {result.windows} windows, AUROC among the windows of a fold; {spread}. {SAMPLING} The line marks "
        "what always predicting the most frequent class would score."
    )
    for verdict in of_scores(result):
        st.markdown(widgets.verdict(verdict))
    titles, rows = evaluation.metric_rows(result)
    figure = evaluation.metric_spread(titles, rows, result.majority, "majority class", widgets.appearance())
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        widgets.chart(figure, "metrics", "Metrics: mean and each repeat, with the majority class marked")
    with right:
        st.table(_table(result, titles, rows), border="horizontal", hide_index=True)


def confusion(result: Evaluation, predictions: pd.DataFrame | None) -> None:
    """The confusion matrix; a click on a cell opens its windows."""
    matrix = _choose_confusion(result)
    if matrix is None:
        st.caption("No class was predicted: this run trains the pointers alone.")
        return
    selected = widgets.chart(
        evaluation.confusion(matrix, widgets.appearance()),
        CELL,
        _in_words(matrix),
        on_select="rerun",
        selection_mode="points",
    )
    points = selected["selection"]["points"] if selected else []
    if points:
        true, predicted, *_ = points[0]["customdata"]
        del st.session_state[CELL]
        open_cell(matrix, matrix.classes[int(true)], matrix.classes[int(predicted)])
    _cell_buttons(matrix)


def open_cell(matrix: Confusion, true: str, predicted: str) -> None:
    """Go to the windows of one cell."""
    repeat = "all" if matrix.repeat is None else str(matrix.repeat)
    state.open_windows(**{state.TRUE: true, state.PREDICTED: predicted, state.REPEAT: repeat})


def fold_shares(result: Evaluation) -> None:
    """Which classes each test fold was given, constant folds first of all."""
    constant = sum(share.constant for share in result.fold_shares)
    if constant:
        st.warning(
            f"{constant} of {len(result.fold_shares)} folds predicted one class for every window (⚠). "
            "The averages above hide that.",
            icon=":material/warning:",
        )
    else:
        st.caption(f"Share of each predicted class. {no_constant_fold(result)}")
    figure = evaluation.fold_shares(result.fold_shares, result.classes, widgets.appearance())
    widgets.chart(figure, "folds", "Share of predicted classes in each test fold")


def pointers(run: Run, result: Evaluation) -> None:
    """Pointer errors next to those of a constant pointer, how far they are off, and whether stated confidence comes true."""
    if not result.metrics.get("center_mae_bars"):
        st.caption("This run has no pointer head, or no window has an expansion.")
        return
    context = ReportContext(run)
    render.section(make("pointers", context))
    if st.button("See the windows with the largest error", icon=":material/arrow_forward:"):
        state.open_windows(order="error")
    st.subheader(SECTIONS["pointing"].title)
    render.section(make("pointing", context), "Not computed yet")


def training(run: Run, result: Evaluation) -> None:
    """Losses, σ and gradient conflict over the epochs."""
    if not len(loaders.epochs(run).get("epoch", ())):
        st.caption(escape_markdown(without_network(run.spec, "training")) or "No epochs were recorded.")
        return
    st.caption("A thin line is one fit, the bold one their median.")
    constant = math.log(len(result.classes)) if len(result.classes) > 1 and run.spec.loss.focal_gamma == 0 else None
    files = (loaders.stamp(run.folder / "events.jsonl"), loaders.stamp(run.folder / "steps.parquet"))
    drawn = _curves(run.id, files, widgets.appearance(), constant)
    for place, (title, figure) in zip((*st.columns(3), *st.columns(3)), drawn.items(), strict=False):
        with place:
            st.markdown(f"**{title}**")
            widgets.chart(figure, f"curve_{title}", f"{title} by epoch")
    if not run.spec.loss.pcgrad:
        st.caption("PCGrad is off: conflict was measured now and then, nothing was projected.")


# Six figures take plotly a tenth of a second, and a finished run's never change.
@st.cache_resource(max_entries=16, show_spinner=False)
def _curves(run_id: str, files: tuple[loaders.Stamp, ...], look: str, constant: float | None) -> dict[str, go.Figure]:
    run = loaders.store().open(run_id)
    epochs, steps = loaders.epochs(run), loaders.steps(run)
    drawn = {
        "Class loss": curves.losses(epochs, "loss_class", look, constant),
        "Pointer loss": curves.losses(epochs, "loss_pointer", look),
        "Early-stopping score": curves.score(epochs, look),
        "Training objective": curves.objective(epochs, look),
        "σ of the tasks": curves.sigmas(epochs, look),
    }
    return drawn | ({"Gradient conflict": curves.conflict(steps, look)} if len(steps.get("epoch", ())) else {})


def _table(result: Evaluation, titles: dict[str, str], rows: list[dict[str, Any]]) -> pd.DataFrame:
    lines = []
    for name, title in titles.items():
        kind, _, label = name.partition(" ")
        stored = result.metrics[kind][label] if label else result.metrics[kind]
        spread = "± " + _number(stored.get("std")) if len(rows) > 1 else "–"
        sampled = sampled_of(result, name)
        ends = (f"{sampled.interval.low:.3f} to {sampled.interval.high:.3f}",) if sampled else ("–",)
        lines.append(
            (escape_markdown(title), _number(stored.get("mean")), *ends, spread, _number(result.majority.get(name)))
        )
    return pd.DataFrame(lines, columns=["", "Mean", "95% interval", OVER_REPEATS, "Majority"])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _choose_confusion(result: Evaluation) -> Confusion | None:
    known = {"all" if row.repeat is None else str(row.repeat): row for row in result.confusions}
    if not known:
        return None
    if len(result.by_repeat) < 2:
        return next(iter(known.values()))
    state.init_state(state.MATRIX, list(known), next(iter(known)))
    name = st.selectbox(
        "Repeat",
        list(known),
        key=state.MATRIX,
        format_func=lambda key: "all repeats, added up" if key == "all" else f"repeat {int(key) + 1}",
        persist_state="session",
        width=220,
    )
    return known[name]


def _cell_buttons(matrix: Confusion) -> None:
    """The same cells as buttons, for the keyboard and for screen readers."""
    with st.popover("Open windows of a cell", icon=":material/grid_view:"):
        for i, true in enumerate(matrix.classes):
            for j, predicted in enumerate(matrix.classes):
                if st.button(
                    escape_markdown(f"true {true}, predicted {predicted}: {matrix.counts[i, j]}"),
                    key=f"cell_{i}_{j}",
                    type="tertiary",
                ):
                    open_cell(matrix, true, predicted)


def _in_words(matrix: Confusion) -> str:
    cells = [
        f"true {true}, predicted {predicted}: {matrix.counts[i, j]}"
        for i, true in enumerate(matrix.classes)
        for j, predicted in enumerate(matrix.classes)
    ]
    return "Confusion matrix. " + "; ".join(cells)
