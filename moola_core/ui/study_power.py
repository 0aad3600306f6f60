"""What a study that is being set up would find: a line on the form, from the newest measurement of the dataset."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Power
from moola_core.market.library import Dataset
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections import power_text
from moola_core.specs import Diagnose, Study
from moola_core.ui import guard, loaders, progress
from moola_core.ui.widgets import escape_markdown


def line(spec: Study, dataset: Dataset) -> None:
    """The smallest difference that the study would find, and the room to help; a button where it was not measured yet."""
    run = loaders.diagnosed(dataset, "power")
    record = run.record if run is not None else None
    if run is not None and record is not None and record.active:
        progress.follow(run, record, _waiting)
        return
    measured = loaders.diagnostic(run, "power") if run is not None and record and record.state == "done" else None
    if isinstance(measured, Power):
        for text in power_text.lines(measured, power_text.design_of(spec, measured.windows)):
            st.caption(escape_markdown(text))
        return
    if record is not None:
        st.caption(escape_markdown(record.error or "What it would find could not be measured."))
    st.button(
        "What difference would it find?",
        icon=":material/query_stats:",
        help="Fits quick models to the labelled windows, in half a minute.",
        on_click=guard.callback(_measure),
        args=(spec,),
    )


def _waiting(run: Run, record: Record) -> None:
    st.caption("Measuring what the study would find …")


def _measure(spec: Study) -> None:
    base = spec.base
    asked = Diagnose(name="power", data=base.data, features=base.features, folds=base.training.folds)
    loaders.launcher().submit(asked)
