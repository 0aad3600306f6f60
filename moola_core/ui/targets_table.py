"""The researcher's targets next to the latest run and the pinned baseline."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.diagnostics.results import Evaluation
from moola_core.targets import Judgement, at, judge
from moola_core.ui.widgets import escape_markdown


def targets_table(latest: Evaluation | None, baseline: Evaluation | None) -> None:
    """Target, actual and gap of each; a column pair for the latest run and one for the baseline, where there are any."""
    classes = next((result.classes for result in (latest, baseline) if result is not None), ())
    judged = judge({}, classes)
    columns = {
        "Target": [row.target.title for row in judged],
        "Wanted": [escape_markdown(row.target.wanted) for row in judged],
    }
    for name, result in (("Latest run", latest), ("Baseline", baseline)):
        if result is not None:
            rows = judge(result.metrics, classes)
            columns[name] = [_actual(row, result) for row in rows]
            columns[f"{name}: gap"] = [_gap(row) for row in rows]
    st.table(pd.DataFrame(columns), border="horizontal", hide_index=True)


def _actual(row: Judgement, result: Evaluation) -> str:
    if row.actual is None:
        return "–"
    std = (at(result.metrics, row.target) or {}).get("std")
    spread = f" ± {std:.3f}" if std and len(result.by_repeat) > 1 else ""
    colour, icon = ("green", "check") if row.met else ("orange", "close")
    return f":{colour}-badge[:material/{icon}: {row.actual:.3f}{spread}]"


def _gap(row: Judgement) -> str:
    if row.gap is None or row.gap_percent is None:
        return "–"
    return "met" if row.met else f"{row.gap:.3f} ({row.gap_percent:.0f}%)"
