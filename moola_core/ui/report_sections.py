"""The parts of the Report page: which sections, which format, the file, and the preview."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from moola_core.errors import MoolaError
from moola_core.reports.blocks import Block, Cell, Chart, Figures, Number, Section, Table, Text
from moola_core.reports.export import export
from moola_core.reports.formats import FORMATS
from moola_core.reports.sections import SECTIONS, build, names
from moola_core.reports.wording import size
from moola_core.runs.store import Run
from moola_core.ui import state, widgets
from moola_core.ui.widgets import literal

MADE, PREVIEW = "report_made", "preview"
TITLES = {maker.name: maker.title for maker in SECTIONS}
# A page takes one file at a time, so Markdown and its pictures come zipped.
ENDINGS = {"md": "md.zip"}


def choose_sections(run: Run) -> list[str]:
    """The sections that the file is to have; all at first."""
    known = list(names(run.record.kind))
    chosen = st.pills(
        "Sections of the file", known, selection_mode="multi", default=known, key=f"sections_{run.record.kind}",
        format_func=TITLES.__getitem__,
    )  # fmt: skip
    return [name for name in known if name in chosen]


def make_file(run: Run, sections: Sequence[str]) -> None:
    """Choose a format, make the file, download it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        format = st.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="report_format", width=160)
        wanted = (run.id, format, tuple(sections))
        if st.button("Make the file", icon=":material/description:", type="primary", disabled=not sections):
            with st.spinner("Making the file"):
                _make(run, wanted)
        made = st.session_state.get(MADE)
        if made and made[0] == wanted:
            name = f"{run.id}.{ENDINGS.get(format, format)}"
            label = f"Download {name} ({size(len(made[1]))})"
            st.download_button(label, made[1], name, key="report_file", on_click="ignore", icon=":material/download:")
    if not sections:
        st.caption("Choose at least one section.")


def _make(run: Run, wanted: tuple[str, str, tuple[str, ...]]) -> None:
    _, format, sections = wanted
    st.session_state.pop(MADE, None)
    try:
        with tempfile.TemporaryDirectory(prefix="moola-") as folder:
            files = export(run, format, Path(folder) / f"report.{format}", sections)
            st.session_state[MADE] = (wanted, files[0].read_bytes() if len(files) == 1 else _zip(files, Path(folder)))
    except MoolaError as error:
        widgets.explain(error)


def _zip(files: Sequence[Path], folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder.resolve()).as_posix())
    return packed.getvalue()


def preview(run: Run, sections: Sequence[str]) -> None:
    """One of the sections as the file will have it, or why it will not."""
    if not sections:
        return
    state.choose(PREVIEW, list(sections), sections[0])
    name = st.selectbox("Preview", list(sections), key=PREVIEW, format_func=TITLES.__getitem__, width=320)
    state.publish((PREVIEW,), {PREVIEW: sections[0]})
    report = build(run, [name])
    for section in report.sections:
        st.subheader(section.title)
        _draw(section)
    for title, why in report.absent:
        widgets.empty(f"{title}: not in this report", literal(why))


def _draw(section: Section) -> None:
    """The section's blocks; charts of half the width two in a line."""
    halves: list[Chart] = []
    for block in section.blocks:
        if isinstance(block, Chart) and block.half:
            halves.append(block)
            continue
        _side_by_side(section, halves)
        halves = []
        _block(section, block)
    _side_by_side(section, halves)


def _side_by_side(section: Section, charts: Sequence[Chart]) -> None:
    for i in range(0, len(charts), 2):
        for place, chart in zip(st.columns(2, gap="large"), charts[i : i + 2], strict=False):
            with place:
                _block(section, chart)


def _block(section: Section, block: Block) -> None:
    if isinstance(block, Text):
        text = f"**{literal(block.strong)}** {literal(block.text)}" if block.strong else literal(block.text)
        if block.warning:
            st.warning(text, icon=":material/warning:")
        else:
            st.markdown(text)
    elif isinstance(block, Figures):
        widgets.figures({one.title: (_shown(one.number), one.note) for one in block.items})
    elif isinstance(block, Table):
        if block.title:
            st.markdown(f"**{literal(block.title)}**")
        rows = [[literal(_shown(cell)) for cell in row] for row in block.rows]
        st.table(
            pd.DataFrame(rows, columns=[literal(name) for name in block.columns]), border="horizontal", hide_index=True
        )
        _note(block.note)
    else:
        st.markdown(f"**{literal(block.title)}**")
        widgets.chart(block.draw(widgets.appearance()), f"{section.name}-{block.name}", block.title)
        _note(block.note)


def _note(text: str) -> None:
    if text:
        st.caption(literal(text))


def _shown(cell: Cell) -> str:
    return cell.shown if isinstance(cell, Number) else cell
