"""Shift, as a part of the Features page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import shift as charts
from moola_core.diagnostics.results import Domain, FeatureShift, Shift
from moola_core.sections.headlines import of_domain
from moola_core.ui import widgets
from moola_core.ui.widgets import figures, literal


def shift(found: Shift) -> None:
    """Labelled windows against the other bars and the grades left out; the first bars against the rest."""
    if found.domain is not None:
        _domain(found.domain, found.counts)
    else:
        st.caption("There are too few bars away from the labelled windows to compare them with. Give more bars.")
    kinds = {"the other bars": found.bars, "the grades left out": found.left_out}
    shown = {title: rows for title, rows in kinds.items() if rows}
    if shown:
        st.subheader("Feature by feature")
        title = st.segmented_control(
            "Labelled windows against", list(shown), default=next(iter(shown)), required=True, key="against"
        )
        _table(shown[title])
    st.subheader("The first bars of a window")
    st.caption(
        "A state that starts anew at each window is unlike itself in the first bars. Pre-train and fine-tune with the same state."
    )
    widgets.chart(
        charts.first_bars(found.first_bars, widgets.appearance()), "first_bars", "First bars against the rest"
    )


def _domain(domain: Domain, counts: dict[str, int]) -> None:
    st.subheader("Can the labelled windows be told from the other bars?")
    st.markdown(widgets.verdict(of_domain(domain)))
    figures(
        {
            "AUROC": (f"{domain.auc:.2f}", "of a classifier, cross-validated"),
            "If there were no difference": (
                f"{domain.null_low:.2f} to {domain.null_high:.2f}",
                f"{domain.draws} shuffles",
            ),
            "Windows": (f"{counts['labelled']:,}", f"against {counts['bars']:,} of the other bars"),
        }
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("What it goes by (weight per standard deviation, positive: larger in labelled windows).")
        widgets.table(pd.DataFrame(domain.drivers, columns=["number", "weight"]).set_index("number"), "drivers")
    with right:
        st.caption("The most foreign labelled windows. Open one to see why.")
        texts = {row.window_id: f"{row.window_id}: told with {row.probability:.2f}" for row in domain.foreign[:6]}
        widgets.window_links(texts, "foreign")


def _table(rows: tuple[FeatureShift, ...]) -> None:
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        widgets.chart(
            charts.distances(rows, widgets.appearance()), "distances", "Distance of each feature's distributions"
        )
    with right:
        names = {
            "ks": "KS",
            "low": "from",
            "high": "to",
            "p": "p",
            "psi": "PSI",
            "mean": "mean",
            "other_mean": "theirs",
        }
        frame = pd.DataFrame(
            [{"feature": row.feature, **{title: getattr(row, name) for name, title in names.items()}} for row in rows]
        )
        widgets.table(frame.set_index("feature"), "shift_table")
        st.caption(literal("PSI: below 0.1 little, above 0.25 much. p supposes windows that share no bars."))
