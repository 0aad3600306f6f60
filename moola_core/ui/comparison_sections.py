"""The parts of the Compare page: the answer, the forest, the arms, what differs, and where the gains are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import comparison as charts
from moola_core.diagnostics.results import ArmFacts, Comparison, Gain, Verdict
from moola_core.errors import RunError
from moola_core.market.library import Dataset
from moola_core.reports.wording import probability
from moola_core.targets import judge
from moola_core.ui import loaders, widgets
from moola_core.ui.widgets import literal

TITLES = {
    "f1_macro": "Macro F1", "ece": "ECE", "center_mae_bars": "Center error, bars", "joint_at_3": "Class right and center within 3 bars",
}  # fmt: skip
LISTED = 5
RULE_HIGH, RULE_LOW = 0.50, 0.30


def answer(found: Comparison) -> None:
    """The verdict in words, the simple models first where they win."""
    if found.beaten_by:
        st.error(
            "A simple model beats every network. Mend that before you tune anything else.",
            icon=":material/priority_high:",
        )
    st.markdown(literal(found.sentence))
    scratch = next((arm for arm in found.arms if arm.name == found.against), None)
    score = scratch.metrics.get("f1_macro") if scratch else None
    if found.name == "transfer" and score is not None:
        said = "negative transfer" if score > RULE_HIGH else "the architecture" if score < RULE_LOW else "neither"
        st.caption(
            f"The rule of the plan reads the baseline alone: {score:.3f} points to {said} (above {RULE_HIGH:.2f} negative transfer, below "
            f"{RULE_LOW:.2f} architecture). A coin flip scores 0.50 ± 0.04 on two classes, so do not decide by it."
        )


def verdicts(found: Comparison) -> None:
    """Forest and table of one metric."""
    metrics = list(dict.fromkeys(row.metric for row in found.verdicts))
    if not metrics:
        return
    st.subheader("Differences")
    metric = st.selectbox("Metric", metrics, format_func=_title, key="compared_metric", width=320)
    networks = {arm.name for arm in found.arms if arm.model == "network"}
    own = [row for row in found.verdicts if row.metric == metric and row.against == found.against]
    rows = [row for row in own if row.arm in networks] + [row for row in own if row.arm not in networks]
    st.caption(
        f"Each arm less {literal(found.against)}, over {found.common} windows and {found.repeats} repeats. Grey: too small to matter. "
        "Intervals allow for several arms (Holm); simple models count apart."
    )
    widgets.chart(
        charts.forest(rows, widgets.appearance()), "forest", f"Differences in {_title(metric)} with intervals"
    )
    shown = [row for row in found.verdicts if row.metric == metric]
    widgets.table(pd.DataFrame([_row(row) for row in shown]).set_index("arm"), "verdicts")
    if any(row.verdict == "undecided" for row in rows):
        least = max(row.resolvable for row in rows)
        st.caption(
            f"This design finds differences from {least:.2f} on (four times in five). The strict reading is Nadeau and Bengio's t test, "
            "which misses most real differences: where it agrees, be sure."
        )


def _title(metric: str) -> str:
    kind, _, name = metric.partition(" ")
    return TITLES.get(metric) or f"{'F1' if kind == 'f1' else 'Recall'} of {name}"


def _row(row: Verdict) -> dict[str, object]:
    needed = [f"{row.labels_needed:,} labels"] if row.labels_needed else []
    needed += [f"{row.repeats_needed} repeats"] if row.repeats_needed else []
    return {
        "arm": row.arm, "against": row.against, "verdict": row.verdict, "difference": row.delta, "from": row.low, "to": row.high,
        "p helps": row.p_helps, "p hurts": row.p_hurts, "p (Holm)": probability(row.p_holm),
        "strict p": probability(row.strict_p) if row.strict_p is not None else "–", "finds from": row.resolvable,
        "would settle it": " or ".join(needed) or "–",
    }  # fmt: skip


def arms(found: Comparison) -> None:
    """Every arm's macro F1, and the targets."""
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        st.subheader("Arms")
        widgets.chart(charts.arms(found.arms, widgets.appearance()), "arms", "Macro F1 of every arm and repeat")
    with right:
        st.subheader("Targets")
        st.table(_targets(found.arms), border="horizontal", hide_index=True)


def _targets(rows: tuple[ArmFacts, ...]) -> pd.DataFrame:
    """Gap to each target, a column an arm; the networks alone."""
    networks = [arm for arm in rows if arm.model == "network"]
    judged = {
        arm.name: judge(
            {name: value if isinstance(value, dict) else {"mean": value} for name, value in arm.metrics.items()}
        )
        for arm in networks
    }
    first = judge({})
    table: dict[str, list[str]] = {"Target": [f"{row.target.title} {row.target.text}" for row in first]}
    for name, found in judged.items():
        table[literal(name)] = [_gap(row) for row in found]
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
    now, then = found.label_curve.ahead[0], found.label_curve.ahead[-1]
    st.caption(
        f"From {now[0]} to {then[0]} labels macro F1 would go from {now[1]:.2f} to {then[1]:.2f} ({then[2]:.2f} to {then[3]:.2f}) if the error goes "
        "on falling with the square root of the labels. The band leaves out how wrong that may be."
    )
    widgets.chart(charts.labels(found.label_curve, widgets.appearance()), "labels", "Macro F1 by number of labels")


def differences(found: Comparison) -> None:
    """Settings and facts in which the networks differ."""
    if not found.differences:
        return
    st.subheader("What differs")
    st.caption("Only what is compared should differ. Unequal sizes or epochs are another explanation of a difference.")
    frame = pd.DataFrame([{"what": row.name, **row.values} for row in found.differences]).set_index("what")
    widgets.table(frame, "differences")


def curves(found: Comparison) -> None:
    """Inner loss by epoch of every network."""
    epochs = {}
    for arm in found.arms:
        if arm.model != "network":
            continue
        try:
            columns = loaders.epochs(loaders.store().open(arm.run_id))
        except RunError:  # it was deleted since
            continue
        if len(columns.get("epoch", ())):
            epochs[arm.name] = columns
    if epochs:
        st.subheader("Learning curves")
        st.caption(
            "Median inner loss over the fits, with their middle half. Losses of different weightings cannot be compared."
        )
        widgets.chart(charts.learning(epochs, widgets.appearance()), "learning", "Inner loss by epoch for every arm")


def gains(found: Comparison, dataset: Dataset | None) -> None:
    """The windows on which an arm gained or lost most; each opens its candles."""
    if not found.gains:
        return
    st.subheader("Where are the gains?")
    arm = st.selectbox("Arm", list(found.gains), key="gaining", width=320)
    rows = found.gains[arm]
    st.caption(
        f"Change in the probability of the true class against {literal(found.against)}, mean over repeats. Open a window to see why."
    )
    left, right = st.columns(2, gap="large")
    run_id = next(one.run_id for one in found.arms if one.name == arm)
    for column, title, chosen in ((left, "Gained most", rows[:LISTED]), (right, "Lost most", rows[-LISTED:][::-1])):
        with column:
            st.markdown(f"**{title}**")
            widgets.window_links({row.window_id: _gained(row) for row in chosen}, title.split()[0].lower(), run_id)


def _gained(row: Gain) -> str:
    center = "" if row.center_gain_bars is None else f", center {row.center_gain_bars:+.1f} bars better"
    return f"{row.window_id} ({row.label}): {row.gain:+.2f}{center}"
