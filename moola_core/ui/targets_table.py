"""The researcher's targets beside the latest run and the pinned baseline."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Evaluation
from moola_core.targets import Judgement, judge


def targets_table(latest: Evaluation | None, baseline: Evaluation | None) -> None:
    """Target, actual and gap of each; a column pair for the latest run and one for the baseline, where there are any."""
    columns = [(name, result) for name, result in (("latest", latest), ("baseline", baseline)) if result is not None]
    head = ["Target", "Wanted"]
    for name, _ in columns:
        head += [f"{name.capitalize()} run", "Gap"]
    judged = [judge(result.metrics) for _, result in columns]
    lines = ["| " + " | ".join(head) + " |", "|:--|:--|" + ":--|:--|" * len(columns)]
    for i, row in enumerate(judge({})):
        wanted = f"{row.target.text} {row.target.unit}".strip().replace("<", "\\<").replace(">", "\\>")
        cells = [row.target.title, wanted]
        for (_, result), rows in zip(columns, judged, strict=True):
            cells += [_actual(rows[i], result), _gap(rows[i])]
        lines.append("| " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))


def _actual(row: Judgement, result: Evaluation) -> str:
    if row.actual is None:
        return "–"
    std = (result.metrics.get(row.target.metric) or {}).get("std")
    spread = f" ± {std:.3f}" if std and len(result.by_repeat) > 1 else ""
    colour, icon = ("green", "check") if row.met else ("orange", "close")
    return f":{colour}-badge[:material/{icon}: {row.actual:.3f}{spread}]"


def _gap(row: Judgement) -> str:
    if row.gap is None or row.gap_percent is None:
        return "–"
    return "met" if row.met else f"{row.gap:.3f} ({row.gap_percent:.0f}%)"
