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
    Card,
    Chart,
    Choice,
    Columns,
    Command,
    Figures,
    Launch,
    Link,
    Links,
    Number,
    Section,
    Step,
    Supported,
    Table,
    Text,
    Values,
    WindowLinks,
    lines,
    shown,
)
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.registry import SECTIONS, make
from moola_core.ui import guard, loaders, state, widgets
from moola_core.ui.widgets import escape_markdown

MOST_ROWS, MOST_PIXELS = 12, 470  # a longer table scrolls
MOST_SEGMENTS = 5  # more options are chosen from a list


def section(made: Section | str, title: str = "Nothing to show") -> None:
    """Draw the section, or under the `title` the sentence that says why there is none."""
    if isinstance(made, str):
        widgets.empty_state(title, escape_markdown(made))
    else:
        _blocks(made.name, made.blocks)


def sections(context: ReportContext, names: Iterable[str], absent: bool = False) -> None:
    """Each of the sections that there is something to show in, under its title. absent: also why there is nothing, where that is so."""
    for name in names:
        with guard.explained():
            made = make(name, context)
            if not isinstance(made, str):
                st.header(made.title)
                section(made)
            elif absent:
                st.header(SECTIONS[name].title)
                _note(made)


def folded(context: ReportContext, name: str) -> None:
    """The section under its title, which opens it."""
    with st.expander(SECTIONS[name].title):
        section(make(name, context))


def _blocks(name: str, blocks: Iterable[Block]) -> None:
    """The blocks under each other, what they rest on folded below them; charts of half the width two in a line."""
    every = list(blocks)
    behind = [block for block in every if isinstance(block, Text) and block.behind]
    _under_each_other(name, [block for block in every if not (isinstance(block, Text) and block.behind)])
    if behind:
        with st.expander("What this rests on"):
            _under_each_other(f"{name}-behind", behind)


def _under_each_other(name: str, blocks: Iterable[Block]) -> None:
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
        _links(f"{name}-step-{place}", Links((block.link,)))
    elif isinstance(block, Supported):
        _supported(f"{name}-run-{place}", block)
    elif isinstance(block, Links):
        _links(f"{name}-links-{place}", block)
    elif isinstance(block, Figures):
        widgets.figures({one.title: (shown(one.number), one.note) for one in block.items})
    elif isinstance(block, Table):
        _table(f"{name}-{place}", block)
    elif isinstance(block, Command):
        st.caption(escape_markdown(block.title))
        st.code(block.line, language="bash", wrap_lines=True)
    elif isinstance(block, Chart):
        _heading(block.title)
        _chart(f"{name}-{block.name}", block)
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
    elif isinstance(block, Card):
        with st.container(border=True, key=f"{name}-{block.name}"):
            _blocks(f"{name}-{block.name}", block.blocks)
    elif isinstance(block, Launch):
        _launch(f"{name}-launch-{place}", block)
    elif isinstance(block, Values):
        with st.expander(block.title):
            st.json(block.values)
            _note(block.note)
    else:
        raise TypeError(f"a page cannot show a {type(block).__name__}")


def _text(block: Text) -> None:
    if block.title:
        st.markdown(f"### {escape_markdown(block.title)}")
    text = (
        f"**{escape_markdown(block.strong)}** {escape_markdown(block.text)}"
        if block.strong
        else escape_markdown(block.text)
    )
    if block.warning:
        st.warning(text, icon=":material/warning:")
    else:
        st.markdown(text)


def _supported(key: str, block: Supported) -> None:
    """The sentence, and at the end of its line the way to its run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _text(block.text)
        if block.link is not None and st.button(
            block.link.text, key=key, type="tertiary", icon=":material/arrow_forward:"
        ):
            _open(block.link)


def _chart(key: str, block: Chart) -> None:
    figure = block.draw(widgets.appearance())
    if block.links is None:
        widgets.chart(figure, key, block.title)
        return
    links = block.links.items
    alt = f"{block.title}. {'; '.join(link.text for link in links)}"
    clicked = widgets.chart(figure, key, alt, on_select="rerun", selection_mode="points")
    points = clicked["selection"]["points"] if clicked else []
    if points:
        del st.session_state[key]  # the browser would send the same click again when it comes back
        _open(links[points[0]["point_index"]])
    _links(f"{key}-links", block.links)


def _links(key: str, block: Links) -> None:
    with st.popover(block.title, icon=":material/grid_view:") if block.title else st.container(horizontal=True):
        for number, link in enumerate(block.items):
            icon = f":material/{'candlestick_chart' if link.page == 'windows' else 'arrow_forward'}:"
            look: Any = "tertiary" if block.title else "secondary"
            if st.button(escape_markdown(link.text), key=f"{key}-{number}", type=look, icon=icon):
                _open(link)


def _launch(key: str, block: Launch) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Launch this", key=key, icon=":material/play_arrow:"):
            made = loaders.launcher().submit(block.spec, block.name, block.note, block.tags, block.parent)
            _open(block.opens or Link("", "runs", ((state.RUN, made),)))
        _note(block.command.title)


def _open(link: Link) -> None:
    go = state.open_windows if link.page == "windows" else partial(state.open_page, link.page)
    go(**dict(link.values))


def _selected_option(name: str, block: Choice) -> int:
    key, texts = f"{name}-{block.name}", [text for text, _ in block.options]
    look: dict[str, Any] = {"key": key, "format_func": texts.__getitem__, "persist_state": "session"}
    state.choose_option(key, len(texts))
    if len(texts) < 2:
        return 0
    if len(texts) <= MOST_SEGMENTS:
        return st.segmented_control(block.title, range(len(texts)), required=True, wrap=True, **look) or 0
    return st.selectbox(block.title, range(len(texts)), width=260, **look)


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
