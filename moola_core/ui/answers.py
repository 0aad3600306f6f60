"""What is known of the chosen data, on the first page: the answers of its newest investigation, or the way to one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import streamlit as st

from moola_core.market.library import Dataset
from moola_core.sections.blocks import Block, Supported, Text
from moola_core.sections.context import ReportContext
from moola_core.sections.investigation import HEADS
from moola_core.sections.registry import make
from moola_core.ui import loaders, render, state
from moola_core.ui.widgets import format_time

FIRST = ("model", "target", "pretraining", "cause", "next")


def draw(dataset: Dataset) -> None:
    """One sentence for each question that a user asks first, each with its run."""
    if dataset.windows is None:
        return
    st.subheader("Answers")
    done = (run for run in loaders.investigations(dataset) if run.record.state == "done")
    newest = next(done, None)
    if newest is None:
        st.caption(
            "Which model to use, how sure that is, whether pre-training helps, what is wrong and what comes next was not investigated yet. "
            "One button does it, in as much time as you give it."
        )
        if st.button("Go to Investigate", icon=":material/travel_explore:"):
            state.open_page("investigate")
        return
    st.caption(f"Of the investigation of {format_time(newest.record.ended or newest.record.created)}.")
    made = make("conclusion", ReportContext(newest))
    render.section(made if isinstance(made, str) else replace(made, name="answers", blocks=first_of_each(made.blocks)))
    if st.button("Read the whole conclusion", icon=":material/travel_explore:"):
        state.open_page("investigate", investigation=newest.id)


def first_of_each(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The first sentence of each kind of a conclusion, in the order in which a user asks."""
    first: dict[str, Block] = {}
    for block in blocks:
        text = block.text if isinstance(block, Supported) else block
        if isinstance(text, Text):
            first.setdefault(text.strong, block)
    return tuple(first[HEADS[kind]] for kind in FIRST if HEADS[kind] in first)
