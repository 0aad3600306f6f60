"""The researcher's targets next to the latest run and the pinned baseline."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.diagnostics.results import CalibrationReport, Evaluation, Interval
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED
from moola_core.sections.scores import of_target, target_interval
from moola_core.targets import Judgement, judge
from moola_core.ui.widgets import escape_markdown

Run = tuple[Evaluation, CalibrationReport | None]


def targets_table(latest: Run | None, baseline: Run | None) -> None:
    """Target, actual with its interval and gap of each; a column pair for the latest run and one for the baseline, where there are any."""
    classes = next((result[0].classes for result in (latest, baseline) if result is not None), ())
    judged = judge({}, classes)
    columns = {
        "Target": [row.target.title for row in judged],
        "Wanted": [escape_markdown(row.target.wanted) for row in judged],
    }
    for name, result in (("Latest run", latest), ("Baseline", baseline)):
        if result is not None:
            evaluation, calibration = result
            rows = judge(evaluation.metrics, classes)
            intervals = [target_interval(evaluation, row.target, calibration) for row in rows]
            columns[name] = [_actual(*pair) for pair in zip(rows, intervals, strict=True)]
            columns[f"{name}: gap" if latest and baseline else "Gap"] = [
                _gap(*pair) for pair in zip(rows, intervals, strict=True)
            ]
    st.table(pd.DataFrame(columns), border="horizontal", hide_index=True)


BADGES = {SUPPORTED: ("green", "check"), OPPOSED: ("orange", "close")}


def _actual(row: Judgement, interval: Interval | None) -> str:
    if row.actual is None:
        return "–"
    ends = f" ({interval.low:.3f} to {interval.high:.3f})" if interval else ""
    colour, icon = BADGES.get(of_target(row, interval).outcome, ("grey", "question_mark"))
    return f":{colour}-badge[:material/{icon}: {row.actual:.3f}{ends}]"


def _gap(row: Judgement, interval: Interval | None) -> str:
    if row.gap is None or row.gap_percent is None:
        return "–"
    verdict = of_target(row, interval)
    if verdict.outcome == SUPPORTED:
        return "met"
    return f"{row.gap:.3f} ({row.gap_percent:.0f}%)" if row.gap else verdict.headline
