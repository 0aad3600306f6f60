"""The form with the questions that a file leaves open: each answer with what follows from it, on candles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import available_timezones

import streamlit as st

from moola_core.charts.windows import View, candles
from moola_core.errors import MoolaError
from moola_core.market.questions import OpenQuestions, Question
from moola_core.specs import ReadOptions, build
from moola_core.ui import widgets

NOTES = 4
SHOWN_ANSWERS = 3


@dataclass(frozen=True)
class Preview:
    """What the file looks like under a reading: a sentence, notes, and a stretch of candles."""

    summary: str
    notes: tuple[str, ...]
    view: View


def answered(
    preview: Callable[[ReadOptions], Preview], reading: ReadOptions, name: str
) -> tuple[ReadOptions, Preview] | None:
    """The reading with the answers to all questions of the file, and its preview; None while one is open, which the form then shows.

    preview: what the file looks like under a reading, or OpenQuestions; name: of the file, for the keys of the widgets.
    """
    asked: set[str] = set()
    while True:
        try:
            return reading, preview(reading)
        except OpenQuestions as error:
            if asked.issuperset(question.id for question in error.questions):
                raise  # an answer that does not answer
            asked |= {question.id for question in error.questions}
            answers = {question.id: _ask(question, name) for question in error.questions}
            if None in answers.values():
                for question in error.questions:
                    if answers[question.id] is None:
                        _compare(preview, reading, question, error.questions)
                return None
            reading = build(ReadOptions, reading.model_dump() | answers)


def show(preview: Preview) -> None:
    """The file as it is read."""
    st.markdown(f":green-badge[:material/check: readable] {widgets.escape_markdown(preview.summary)}")
    for note in preview.notes[:NOTES]:
        st.caption(widgets.escape_markdown(note))
    widgets.chart(candles(preview.view, widgets.appearance(), 260), "read_preview", "Candles of the file as it is read")


def _ask(question: Question, name: str) -> str | None:
    key = f"answer_{question.id}_{name}"
    text = widgets.escape_markdown(question.question)
    if question.id == "tz":
        zones = [*question.answers, *sorted(available_timezones() - set(question.answers))]
        return st.selectbox(text, zones, index=None, key=key, placeholder="Choose a time zone")
    return st.radio(
        text,
        list(question.answers),
        index=None,
        key=key,
        captions=[widgets.escape_markdown(meaning) for meaning in question.answers.values()],
    )


def _compare(
    preview: Callable[[ReadOptions], Preview], reading: ReadOptions, question: Question, others: Sequence[Question]
) -> None:
    """The first answers next to each other, with what the file looks like under each of them."""
    rest = {other.id: next(iter(other.answers)) for other in others if other.id != question.id}
    values = list(question.answers)[:SHOWN_ANSWERS]
    for place, value in zip(st.columns(len(values)), values, strict=True):
        with place:
            st.markdown(f"**{widgets.escape_markdown(value)}**")
            try:
                seen = preview(build(ReadOptions, reading.model_dump() | rest | {question.id: value}))
            except MoolaError as error:
                st.caption(widgets.escape_markdown(error.what))
                continue
            st.caption(widgets.escape_markdown(seen.summary))
            label = f"Candles of the file if the answer is {value}"
            widgets.chart(candles(seen.view, widgets.appearance(), 200), f"compare_{question.id}_{value}", label)
