"""The parts of the Features page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import correlation as charts
from moola_core.diagnostics.results import FeatureReport
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED
from moola_core.sections.headlines import of_expectation
from moola_core.targets import NOTABLE_R
from moola_core.ui import widgets
from moola_core.ui.widgets import literal

SHOWN = {
    "feature": "feature", "r": "r", "r_low": "from", "r_high": "to", "auc": "AUC", "auc_middle": "AUC, middle", "p": "p", "q": "q",
    "sign_stability": "same sign", "std": "std", "n": "n",
}  # fmt: skip


def table(report: FeatureReport) -> None:
    """Which features carry the label, with the researcher's rule and the rate of false discoveries side by side."""
    st.subheader("Which features carry the label?")
    positives = list(dict.fromkeys(row.positive for row in report.table))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        aggregate = st.segmented_control(
            "Mean over",
            list(charts.AGGREGATE_TITLES),
            format_func=lambda name: charts.AGGREGATE_TITLES[name],
            key="aggregate",
            default="window",
            required=True,
        )
        positive = st.selectbox("Class", positives, key="positive", width=220) if len(positives) > 1 else positives[0]
    rows = [row for row in report.table if row.aggregate == aggregate and row.positive == positive]
    flagged, found = sum(abs(row.r) > NOTABLE_R for row in rows), sum(row.q < 0.05 for row in rows)
    st.markdown(
        f"{flagged} of {len(rows)} features pass the rule |r| > 0.15; **{found} hold against all {len(report.table)} tests** (q < 0.05). "
        "Features of no use pass the rule in a quarter to a half of such tables."
    )
    if aggregate == "before_expansion":
        st.caption("This aggregate reads the pointer, which belongs to the label: it explains, but no model has it.")
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        widgets.chart(
            charts.correlations(rows, widgets.appearance()),
            "correlations",
            "Correlation of each feature with the label",
        )
    with right:
        shown = pd.DataFrame([{title: getattr(row, name) for name, title in SHOWN.items()} for row in rows])
        shown.insert(1, "> 0.15", ["●" if abs(row.r) > NOTABLE_R else "" for row in rows])
        widgets.table(shown.set_index("feature"), "feature_table")
        st.caption(
            f"p by exchanging {report.groups} groups of windows that share bars, {report.permutations:,} times; q by Benjamini and Hochberg. "
            "AUC, middle: of the distance from the median."
        )


def expectations(report: FeatureReport) -> None:
    """What the researcher expected, and what is wrong with a column whatever the labels."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("As expected?")
        for row in report.expectations:
            verdict = of_expectation(row)
            colour, icon = {SUPPORTED: ("green", "check"), OPPOSED: ("orange", "close")}.get(
                verdict.outcome, ("gray", "help")
            )
            st.markdown(
                f":{colour}-badge[:material/{icon}: {verdict.headline}] {literal(row.text)}: {literal(verdict.rest)}"
            )
    with right:
        st.subheader("Columns")
        wrong = [fact for fact in report.columns if fact.remark]
        if not wrong:
            st.caption("Every column varies, at every bar, on a scale that a network can read.")
        for fact in wrong:
            st.markdown(
                f":orange-badge[:material/warning: {literal(fact.feature)}] {literal(fact.remark)} (std {fact.std:.4f})"
            )


def shapes(report: FeatureReport) -> None:
    """One feature by class, over the window, and all features among each other."""
    look = widgets.appearance()
    st.subheader("One feature")
    feature = st.selectbox("Feature", report.features, key="feature", width=260)
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("Window means by class: the more the shapes lie over each other, the less it tells.")
        widgets.chart(charts.distribution(report, feature, look), "distribution", f"{feature} by class")
    with right:
        st.caption("Mean at each bar, ± 2 standard errors: where the bands part, the classes differ.")
        widgets.chart(charts.course(report, feature, look), "course", f"{feature} over the window by class")
    st.subheader("Features among each other")
    st.caption(
        "Near 1 or −1 two columns say the same; leaving one out changes little, and a ranking between them is luck."
    )
    widgets.chart(charts.among(report, look), "among", "Correlation between features")
