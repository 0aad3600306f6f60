"""Attribution of a run, as a part of the Results page; it is computed when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import streamlit as st

from moola_core.charts import attribution as charts
from moola_core.diagnostics.results import Attribution, Evaluation, FeatureReport
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.market.library import Dataset
from moola_core.runs.store import Run
from moola_core.sections.headlines import of_classes, of_rank
from moola_core.specs import Diagnose
from moola_core.ui import answers, loaders, progress, state, widgets, window_view
from moola_core.ui.widgets import literal

EXPECTED = "consol_proxy"


def attribution(run: Run, dataset: Dataset | None) -> None:
    """What each feature contributes to the answers of the models that did not see the window."""
    child = loaders.diagnosed_run(run, "attribution")
    if child is None:
        widgets.empty(
            "Not computed yet",
            "Exact Shapley values of every window of the first repeat, by the model that did not train on it. About a minute for the "
            "quick preset, more for larger models.",
            [("Compute it", lambda: _start(run))],
        )
        return
    if child.record.active:
        progress.follow(child, progress.bar)
        return
    found = loaders.diagnostic(child, "attribution") if child.record.state == "done" else child.record.error
    if not isinstance(found, Attribution):
        widgets.empty("This could not be computed", literal(str(found)), [("Try again", lambda: _start(run))])
        return
    look = widgets.appearance()
    output = st.segmented_control(
        "Output", found.outputs, key="output", default=found.outputs[0], required=True, label_visibility="collapsed"
    )
    evaluation = loaders.evaluation(run)
    for line in _sentences(found, output, dataset, evaluation):
        st.markdown(line)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Ranking")
        st.caption("Where the points of neighbouring features mix, their order is luck.")
        widgets.chart(charts.ranking(found, output, look), "ranking", f"Contribution of each feature to {output}")
    with right:
        st.subheader("Every window")
        st.caption("Right: pushes the output up. Blue: the feature is high in that window, orange: low.")
        widgets.chart(charts.beeswarm(found, output, look), "beeswarm", f"Contributions to {output} in every window")
    st.subheader("Where in the window")
    st.caption(
        "Mean size of each feature's contribution at each bar, by expected gradients. Where the colour is strong, the answer hangs on it."
    )
    widgets.chart(charts.course(found, output, look), "course", f"Contribution of each feature at each bar to {output}")
    st.subheader("One window")
    _one_window(run, found, output, dataset)


def _one_window(run: Run, found: Attribution, output: str, dataset: Dataset | None) -> None:
    """The sum that leads to one window's answer, beside its candles."""
    look = widgets.appearance()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = st.selectbox("Window", sorted(set(found.window_id)), key="explained", width=260)
        if st.button("Open it", icon=":material/candlestick_chart:"):
            state.open_windows(window=window)
    left, right = st.columns(2, gap="large")
    with left:
        widgets.chart(
            charts.waterfall(found, window, output, look),
            "waterfall",
            f"From the mean course to the answer for {window}",
        )
    if dataset is None or dataset.windows is None:
        return
    windows = loaders.windows_of(dataset.windows, dataset.bars)
    rows = np.flatnonzero(windows.window_id.astype(str) == window)
    if len(rows):
        predicted = answers.of_window(loaders.predictions(run), window, 0)
        shown = window_view.view(windows, int(rows[0]), dataset, predicted, strips=True)
        with right:
            widgets.chart(window_view.drawn(shown, look), "explained_candles", f"Candles and features of {window}")


def _sentences(
    found: Attribution, output: str, dataset: Dataset | None, evaluation: Evaluation | None
) -> Iterator[str]:
    """The expected rank judged, and the ranking compared with that of the correlations where a ranking can be read."""
    ranks = {row.group: row.rank for row in found.ranking if row.output == output}
    yield widgets.verdict(of_rank(found.ranking, output, EXPECTED, evaluation))
    if evaluation is None or of_classes(evaluation).outcome != SUPPORTED:
        return
    child = loaders.diagnosed(dataset, "features") if dataset else None
    report = loaders.diagnostic(child, "features") if child and child.record.state == "done" else None
    if isinstance(report, FeatureReport):
        size = {row.feature: abs(row.r) for row in report.table if row.aggregate == "window"}
        ours = sorted((name for name in ranks if name in size), key=lambda name: ranks[name])[:3]
        theirs = sorted((name for name in size if name in ranks), key=lambda name: -size[name])[:3]
        yield literal(f"First three here: {', '.join(ours)}; by correlation with the label: {', '.join(theirs)}.")


def _start(run: Run) -> None:
    loaders.launcher().submit(Diagnose(name="attribution", run=run.id), parent=run.id)
    st.rerun()
