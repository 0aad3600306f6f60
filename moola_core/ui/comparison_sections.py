"""The parts of the Compare page: the answer, the forest, the arms, what differs, and where the gains are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import comparison as charts
from moola_core.diagnostics.results import ArmFacts, Comparison, Gain, Verdict
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.errors import RunError
from moola_core.market.library import Dataset
from moola_core.metrics import title as metric_title
from moola_core.sections import comparison_text
from moola_core.sections.formatting import probability
from moola_core.targets import judge, targets
from moola_core.ui import loaders, widgets
from moola_core.ui.widgets import literal

LISTED = 5


def answer(found: Comparison) -> None:
    """The verdict in words, the simple models first where they win."""
    if found.beaten_by:
        verdict = comparison_text.beaten(found)
        show = st.error if verdict.outcome == SUPPORTED else st.warning
        show(literal(verdict.text), icon=":material/priority_high:")
    told = comparison_text.answer(found)
    if told:
        st.markdown("\n".join(f"- {literal(line)}" for line in told.split("\n")))
    rule = comparison_text.rule(found)
    if rule:
        st.caption(literal(rule))


def verdicts(found: Comparison) -> None:
    """Forest and table of one metric."""
    metrics = comparison_text.metrics(found)
    if not metrics:
        return
    st.subheader("Differences")
    metric = st.selectbox("Metric", metrics, format_func=metric_title, key="compared_metric", width=320)
    rows = [row for _, row in comparison_text.in_order(found, metric)]
    st.caption(literal(comparison_text.drawn(found)))
    name = f"Differences in {metric_title(metric)} with intervals"
    widgets.chart(charts.forest(rows, widgets.appearance()), "forest", name)
    shown = [row for row in found.verdicts if row.metric == metric]
    widgets.table(pd.DataFrame([_row(row) for row in shown]).set_index("arm"), "verdicts")
    note = comparison_text.undecided(rows)
    if note:
        st.caption(note)


def _row(row: Verdict) -> dict[str, object]:
    return {
        "arm": row.arm, "against": row.against, "verdict": row.verdict, "difference": row.delta, "from": row.low, "to": row.high,
        "p helps": row.p_helps, "p hurts": row.p_hurts, "p (Holm)": probability(row.p_holm),
        "strict p": probability(row.strict_p) if row.strict_p is not None else "–", "finds from": row.resolvable,
        "would settle it": comparison_text.settles(row) or "–",
    }  # fmt: skip


def arms(found: Comparison) -> None:
    """Every arm's macro F1, and the targets."""
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        st.subheader("Arms")
        widgets.chart(charts.arms(found.arms, widgets.appearance()), "arms", "Macro F1 of every arm and repeat")
    with right:
        st.subheader("Targets")
        st.table(_targets(comparison_text.networks(found)), border="horizontal", hide_index=True)


def _targets(rows: list[ArmFacts]) -> pd.DataFrame:
    """Gap to each target, a column an arm."""
    classes = dict.fromkeys(label for arm in rows for label in arm.metrics.get("recall") or ())
    table: dict[str, list[str]] = {"Target": [literal(f"{target.title} {target.text}") for target in targets(classes)]}
    for arm in rows:
        table[literal(arm.name)] = [_gap(row) for row in judge(arm.metrics, classes)]
    return pd.DataFrame(table)


def _gap(row) -> str:
    if row.actual is None:
        return "–"
    return (
        f":green[{row.actual:.3f} met]" if row.met else f"{row.actual:.3f}, gap {row.gap:.3f} ({row.gap_percent:.0f}%)"
    )


def labels(found: Comparison) -> None:
    """What more labels would buy."""
    if found.label_curve is None:
        return
    st.subheader("What would more labels buy?")
    st.caption(comparison_text.more_labels(found.label_curve))
    widgets.chart(charts.labels(found.label_curve, widgets.appearance()), "labels", "Macro F1 by number of labels")


def differences(found: Comparison) -> None:
    """Settings and facts in which the networks differ."""
    if not found.differences:
        return
    st.subheader("What differs")
    st.caption(comparison_text.DIFFERS)
    frame = pd.DataFrame([{"what": row.name, **row.values} for row in found.differences]).set_index("what")
    widgets.table(frame, "differences")


def curves(found: Comparison) -> None:
    """Inner loss by epoch of every network."""
    epochs = {}
    for arm in comparison_text.networks(found):
        try:
            columns = loaders.epochs(loaders.store().open(arm.run_id))
        except RunError:  # it was deleted since
            continue
        if len(columns.get("epoch", ())):
            epochs[arm.name] = columns
    if epochs:
        st.subheader("Learning curves")
        st.caption(comparison_text.LEARNING)
        widgets.chart(charts.learning(epochs, widgets.appearance()), "learning", "Inner loss by epoch for every arm")


def gains(found: Comparison, dataset: Dataset | None) -> None:
    """The windows on which an arm gained or lost most; each opens its candles."""
    if not found.gains:
        return
    st.subheader("Where are the gains?")
    arm = st.selectbox("Arm", list(found.gains), key="gaining", width=320)
    rows = found.gains[arm]
    st.caption(f"{literal(comparison_text.gained(found))} Open a window to see why.")
    left, right = st.columns(2, gap="large")
    run_id = next(one.run_id for one in found.arms if one.name == arm)
    up, down = comparison_text.ends(rows, LISTED)
    for column, title, places in ((left, "Gained most", up), (right, "Lost most", down)):
        with column:
            st.markdown(f"**{title}**")
            widgets.window_links(
                {rows[i].window_id: _gained(rows[i]) for i in places}, title.split()[0].lower(), run_id
            )


def _gained(row: Gain) -> str:
    center = "" if row.center_gain_bars is None else f", center {row.center_gain_bars:+.1f} bars better"
    return f"{row.window_id} ({row.label}): {row.gain:+.2f}{center}"
