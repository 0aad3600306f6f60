"""What is known of the chosen data, on the first page: one sentence for each question that a user asks first, each with its run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from moola_core.diagnostics.results import Comparison
from moola_core.market.library import Dataset
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections.blocks import Block, Section, Supported, Text
from moola_core.sections.context import ReportContext
from moola_core.sections.first_answers import Evidence, Judged, first_answers
from moola_core.sections.investigation import HEADS
from moola_core.sections.registry import make
from moola_core.ui import loaders, render, state

MOST_RUNS = 20  # the newest are read; older ones answer nothing that these do not


def draw(dataset: Dataset, own: Sequence[Record]) -> None:
    """The answers of the best evidence in the store; own: the user's own cross-validated runs, newest first."""
    if dataset.windows is None:
        return
    st.header("Answers")
    newest = next((run for run in loaders.investigations(dataset) if run.record.state == "done"), None)
    stated = _stated(newest) if newest else {}
    evidence = Evidence(
        stated,
        str(newest.record.ended or newest.record.created) if newest else "",
        _study(dataset),
        [judged for record in own[:MOST_RUNS] if (judged := _judged(record)) is not None],
    )
    render.section(Section("answers", "Answers", tuple(first_answers(evidence))))
    if newest is not None:
        if st.button("Read the whole conclusion", icon=":material/travel_explore:"):
            state.open_page("investigate", investigation=newest.id)
    elif st.button("Investigate all of it", icon=":material/travel_explore:"):
        state.open_page("investigate")


def _stated(run: Run) -> dict[str, Supported | Text]:
    """The first sentence of each kind of the investigation's conclusion."""
    made = make("conclusion", ReportContext(run))
    return {} if isinstance(made, str) else first_of_each(made.blocks)


def first_of_each(blocks: Iterable[Block]) -> dict[str, Supported | Text]:
    """The first sentence of each kind of a conclusion."""
    kinds = {head: kind for kind, head in HEADS.items()}
    first: dict[str, Supported | Text] = {}
    for block in blocks:
        text = block.text if isinstance(block, Supported) else block
        if isinstance(block, Supported | Text) and isinstance(text, Text) and text.strong in kinds:
            first.setdefault(kinds[text.strong], block)
    return first


def _study(dataset: Dataset) -> tuple[Record, Comparison] | None:
    """The newest transfer study of the dataset that is done."""
    for run in loaders.comparisons(dataset):
        if run.spec.kind == "study" and run.spec.name == "transfer" and run.record.state == "done":
            comparison = loaders.diagnostic(run, "comparison")
            if isinstance(comparison, Comparison):
                return run.record, comparison
    return None


def _judged(record: Record) -> Judged | None:
    if record.state != "done":
        return None
    run = loaders.store().open(record.run_id)
    evaluation = loaders.evaluation(run)
    return None if evaluation is None else Judged(record, evaluation, loaders.calibration(run), loaders.diagnosis(run))
