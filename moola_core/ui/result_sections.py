"""The parts of the Performance page."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import streamlit as st

from moola_core.runs.store import Run
from moola_core.sections.blocks import Chart, Section
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import SECTIONS, make
from moola_core.ui import loaders, render


def results(run: Run) -> None:
    """The evaluation of the predictions, and how the training went."""
    context = ReportContext(run)
    render.sections(context, ("metrics",), absent=True)
    left, right = st.columns(2, gap="large")
    with left:
        render.sections(context, ("confusion",), absent=True)
    with right:
        render.sections(context, ("folds",), absent=True)
    render.sections(context, ("pointers", "pointing"), absent=True)
    st.header(SECTIONS["training"].title)
    files = (loaders.stamp(run.folder / "events.jsonl"), loaders.stamp(run.folder / "steps.parquet"))
    render.section(_training(run, run.id, files), "No training curves")


# Six figures take plotly a tenth of a second, and a finished run's never change.
@st.cache_resource(max_entries=16, show_spinner=False)
def _training(_run: Run, run_id: str, files: tuple[loaders.Stamp, ...]) -> Section | str:
    made = make("training", ReportContext(_run))
    if isinstance(made, str):
        return made
    drawn = (replace(one, draw=cache(one.draw)) if isinstance(one, Chart) else one for one in made.blocks)
    return replace(made, blocks=tuple(drawn))
