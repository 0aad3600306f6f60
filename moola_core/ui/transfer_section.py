"""What became of the pre-trained encoder, as a part of the Results page."""

from __future__ import annotations

import streamlit as st

from moola_core.charts import learned as learned_charts
from moola_core.charts import transfer as charts
from moola_core.diagnostics.results import Transferred
from moola_core.runs.store import Run
from moola_core.sections.headlines import of_probe
from moola_core.ui import loaders, widgets
from moola_core.ui.widgets import literal


def transfer(run: Run) -> None:
    """What a linear probe reads before and after fine-tuning, and how far each layer changed."""
    found = loaders.diagnostic(run, "transfer")
    if not isinstance(found, Transferred):
        widgets.empty("No transfer to look at", literal(found))
        return
    look = widgets.appearance()
    st.markdown(widgets.verdict(of_probe(found.probe)))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("What a linear probe reads")
        st.caption(
            "AUROC of a logistic regression on frozen representations, out of fold among the windows of a fold. Chance is 0.50."
        )
        widgets.chart(
            learned_charts.probe(found.probe, look), "probe", "AUROC of a linear probe on each representation"
        )
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.logme.items())
        st.caption(f"LogME, a second opinion without folds (higher is better): {told}.")
    with right:
        st.subheader("How far fine-tuning changed the encoder")
        st.caption(
            "1: the layer sees the windows as before. At the cross nothing is left but what any encoder shares. Bars span the folds."
        )
        widgets.chart(charts.layers(found.layers, look), "layers", "Similarity of each layer before and after")
        moved = ", ".join(f"layer {row.layer} by {row.moved:.1%}" for row in found.layers)
        st.caption(f"Weights moved: {moved} of their size.")
