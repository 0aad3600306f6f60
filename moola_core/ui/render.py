"""Any section on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from moola_core.sections.blocks import (
    Block,
    Chart,
    Choice,
    Columns,
    Command,
    Figures,
    Number,
    Section,
    Step,
    Table,
    Text,
    WindowLinks,
    lines,
    shown,
)
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.registry import make
from moola_core.ui import state, widgets
from moola_core.ui.widgets import escape_markdown

MOST_ROWS, MOST_PIXELS = 12, 470  # a longer table scrolls
MOST_SEGMENTS = 5  # more options are chosen from a list


def section(made: Section | str, title: str = "Nothing to show") -> None:
    """Draw the section, or under the `title` the sentence that says why there is none."""
    if isinstance(made, str):
        widgets.empty_state(title, escape_markdown(made))
    else:
        _blocks(made.name, made.blocks)


def sections(context: ReportContext, names: Iterable[str]) -> None:
    """Each of the sections that there is something to show in, under its title."""
    for name in names:
        made = make(name, context)
        if not isinstance(made, str):
            st.subheader(made.title)
            section(made)


def _blocks(name: str, blocks: Iterable[Block]) -> None:
    """The blocks under each other; charts of half the width two in a line."""
    for number, line in enumerate(lines(blocks)):
        if isinstance(line[0], Chart) and line[0].half:
            for place, chart in zip(st.columns(2, gap="large"), line, strict=False):
                with place:
                    _block(name, chart, number)
        else:
            _block(name, line[0], number)


def _block(name: str, block: Block, place: int) -> None:
    if isinstance(block, Text):
        _text(block)
    elif isinstance(block, Step):
        _text(block.text)
        if st.button(block.label, key=f"{name}-step-{place}", icon=":material/arrow_forward:"):
            state.open_page(block.page, **dict(block.values))
    elif isinstance(block, Figures):
        widgets.figures({one.title: (shown(one.number), one.note) for one in block.items})
    elif isinstance(block, Table):
        _table(f"{name}-{place}", block)
    elif isinstance(block, Command):
        st.caption(escape_markdown(block.title))
        st.code(block.line, language="bash", wrap_lines=True)
    elif isinstance(block, Chart):
        _heading(block.title)
        widgets.chart(block.draw(widgets.appearance()), f"{name}-{block.name}", block.title)
        _note(block.note)
    elif isinstance(block, WindowLinks):
        _heading(block.table.title)
        widgets.window_links(dict(block.links), f"{name}-{block.name}", block.run_id)
        _note(block.table.note)
    elif isinstance(block, Choice):
        selected = _selected_option(name, block)
        _blocks(f"{name}-{block.name}-{selected}", block.options[selected][1])
    elif isinstance(block, Columns):
        columns = st.columns(len(block.columns), gap="large")
        for number, (column, inner) in enumerate(zip(columns, block.columns, strict=True)):
            with column:
                _blocks(f"{name}-{place}-{number}", inner)
    else:
        raise TypeError(f"a page cannot show a {type(block).__name__}")


def _text(block: Text) -> None:
    if block.title:
        st.markdown(f"##### {escape_markdown(block.title)}")
    text = (
        f"**{escape_markdown(block.strong)}** {escape_markdown(block.text)}"
        if block.strong
        else escape_markdown(block.text)
    )
    if block.warning:
        st.warning(text, icon=":material/warning:")
    else:
        st.markdown(text)


def _selected_option(name: str, block: Choice) -> int:
    if len(block.options) < 2:
        return 0
    texts = [text for text, _ in block.options]
    key, places = f"{name}-{block.name}", range(len(texts))
    if len(texts) <= MOST_SEGMENTS:
        return st.segmented_control(
            block.title, places, key=key, format_func=texts.__getitem__, default=0, required=True
        )
    return st.selectbox(block.title, places, key=key, format_func=texts.__getitem__, width=260)


def _table(key: str, block: Table) -> None:
    """Figures in a table that sorts and downloads as CSV, words in one that wraps."""
    _heading(block.title)
    if any(isinstance(cell, Number) for row in block.rows for cell in row):
        titles = {str(i): title for i, title in enumerate(block.columns)}
        height: Any = "content" if len(block.rows) <= MOST_ROWS else MOST_PIXELS
        st.dataframe(_frame(block), key=key, hide_index=True, column_config=titles, height=height, placeholder=ABSENT)
    else:
        rows = [[escape_markdown(shown(cell)) for cell in row] for row in block.rows]
        named = pd.DataFrame(rows, columns=[escape_markdown(name) for name in block.columns])
        st.table(named, border="horizontal", hide_index=True)
    _note(block.note)


def _frame(block: Table) -> Styler:
    """The stored numbers, which sort and download, shown as they are read. Columns are numbered: two may have one title."""
    columns: dict[str, list[Any]] = {}
    texts: dict[str, Callable[[Any], str]] = {}
    for i in range(len(block.columns)):
        cells = [row[i] for row in block.rows]
        numbers = [cell for cell in cells if isinstance(cell, Number)]
        if len(numbers) < len(cells):
            columns[str(i)] = [shown(cell) for cell in cells]
        else:
            columns[str(i)] = [math.nan if cell.value is None else cell.value for cell in numbers]
            texts[str(i)] = partial(_read, {cell.value: cell.shown for cell in numbers})
    return pd.DataFrame(columns).style.format(texts)


def _read(texts: dict[float | int | None, str], value: float) -> str:
    return texts[None if math.isnan(value) else value]


def _heading(title: str) -> None:
    if title:
        st.markdown(f"**{escape_markdown(title)}**")


def _note(text: str) -> None:
    if text:
        st.caption(escape_markdown(text))
