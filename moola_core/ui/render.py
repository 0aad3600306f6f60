"""Any section on a page."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from moola_core.sections.blocks import (
    Block,
    Chart,
    Choice,
    Columns,
    Command,
    Figures,
    Section,
    Table,
    Text,
    WindowLinks,
    lines,
    shown,
)
from moola_core.ui import widgets
from moola_core.ui.widgets import literal


def section(made: Section | str, title: str = "Nothing to show") -> None:
    """Draw the section, or under the `title` the sentence that says why there is none."""
    if isinstance(made, str):
        widgets.empty(title, literal(made))
    else:
        _blocks(made.name, made.blocks)


def _blocks(name: str, blocks: Iterable[Block]) -> None:
    """The blocks under each other; charts of half the width two in a line."""
    for line in lines(blocks):
        if isinstance(line[0], Chart) and line[0].half:
            for place, chart in zip(st.columns(2, gap="large"), line, strict=False):
                with place:
                    _block(name, chart)
        else:
            _block(name, line[0])


def _block(name: str, block: Block) -> None:
    if isinstance(block, Text):
        _text(block)
    elif isinstance(block, Figures):
        widgets.figures({one.title: (shown(one.number), one.note) for one in block.items})
    elif isinstance(block, Table):
        _table(block)
    elif isinstance(block, Command):
        st.caption(literal(block.title))
        st.code(block.line, language="bash", wrap_lines=True)
    elif isinstance(block, Chart):
        _heading(block.title)
        widgets.chart(block.draw(widgets.appearance()), f"{name}-{block.name}", block.title)
        _note(block.note)
    elif isinstance(block, WindowLinks):
        _heading(block.table.title)
        widgets.window_links(dict(block.links), f"{name}-{block.name}")
        _note(block.table.note)
    elif isinstance(block, Choice):
        _blocks(name, block.options[_chosen(name, block)][1])
    elif isinstance(block, Columns):
        for place, inner in zip(st.columns(len(block.columns), gap="large"), block.columns, strict=True):
            with place:
                _blocks(name, inner)
    else:
        raise TypeError(f"a page cannot show a {type(block).__name__}")


def _text(block: Text) -> None:
    if block.title:
        st.markdown(f"##### {literal(block.title)}")
    text = f"**{literal(block.strong)}** {literal(block.text)}" if block.strong else literal(block.text)
    if block.warning:
        st.warning(text, icon=":material/warning:")
    else:
        st.markdown(text)


def _chosen(name: str, block: Choice) -> int:
    if len(block.options) < 2:
        return 0
    texts = [text for text, _ in block.options]
    return st.selectbox(
        block.title, range(len(texts)), key=f"{name}-{block.name}", format_func=texts.__getitem__, width=260
    )


def _table(block: Table) -> None:
    _heading(block.title)
    rows = [[literal(shown(cell)) for cell in row] for row in block.rows]
    st.table(
        pd.DataFrame(rows, columns=[literal(name) for name in block.columns]), border="horizontal", hide_index=True
    )
    _note(block.note)


def _heading(title: str) -> None:
    if title:
        st.markdown(f"**{literal(title)}**")


def _note(text: str) -> None:
    if text:
        st.caption(literal(text))
