"""The parts of the Report page: which sections, which format, the file, and the preview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.reports.export import export
from moola_core.reports.formats import FORMATS
from moola_core.runs.files import scratch
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.formatting import size
from moola_core.sections.registry import SECTIONS, build, known
from moola_core.ui import render, state, widgets
from moola_core.ui.widgets import escape_markdown

MADE = "report_made"
# A page takes one file at a time, so Markdown and its pictures come zipped.
ENDINGS = {"md": "md.zip"}


def title_of(name: str) -> str:
    """The title of the section called `name`."""
    return SECTIONS[name].title


def offer(run: Run, kind: str = "") -> None:
    """A report of the run as a file, on another page than its own."""
    with st.popover("Report as a file", icon=":material/description:"):
        make_file(run, choose_sections(run, kind), kind)


def choose_sections(run: Run, kind: str = "") -> list[str]:
    """The sections that the file is to have; all at first. kind: as in `export`."""
    context = ReportContext(run, kind)
    may = list(known(context))
    selected = st.pills(
        "Sections of the file",
        may,
        selection_mode="multi",
        default=may,
        key=f"sections_{context.kind}",
        format_func=title_of,
    )
    return [name for name in may if name in selected]


def make_file(run: Run, sections: Sequence[str], kind: str = "") -> None:
    """Choose a format, make the file, download it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = next(iter(FORMATS))
        state.init_state(state.REPORT_FORMAT, list(FORMATS), first)
        format = st.selectbox(
            "Format", list(FORMATS), format_func=FORMATS.__getitem__, key=state.REPORT_FORMAT, width=160
        )
        state.write_query_params((state.REPORT_FORMAT,), {state.REPORT_FORMAT: first})
        wanted = _Wanted(run.id, format, tuple(sections), kind)
        if st.button("Make the file", icon=":material/description:", type="primary", disabled=not sections):
            with st.spinner("Making the file"):
                _make(run, wanted)
        made = st.session_state.get(MADE)
        if made and made[0] == wanted:
            name = f"{kind + '-' if kind else ''}{run.id}.{ENDINGS.get(format, format)}"
            label = f"Download {name} ({size(len(made[1]))})"
            st.download_button(label, made[1], name, key="report_file", on_click="ignore", icon=":material/download:")
    if not sections:
        st.caption("Choose at least one section.")


class _Wanted(NamedTuple):
    """The file that was asked for."""

    run_id: str
    format: str
    sections: tuple[str, ...]
    kind: str


def _make(run: Run, wanted: _Wanted) -> None:
    st.session_state.pop(MADE, None)
    try:
        with scratch() as folder:
            files = export(run, wanted.format, folder / f"report.{wanted.format}", wanted.sections, kind=wanted.kind)
            contents = {path.relative_to(folder.resolve()).as_posix(): path.read_bytes() for path in files}
            st.session_state[MADE] = (wanted, widgets.zipped(contents) if len(files) > 1 else files[0].read_bytes())
    except MoolaError as error:
        widgets.show_error(error)


def preview(run: Run, sections: Sequence[str], kind: str = "") -> None:
    """One of the sections as the file will have it, or why it will not."""
    if not sections:
        return
    state.init_state(state.PREVIEW, list(sections), sections[0])
    name = st.selectbox("Preview", list(sections), key=state.PREVIEW, format_func=title_of, width=320)
    state.write_query_params((state.PREVIEW,), {state.PREVIEW: sections[0]})
    report = build(run, [name], kind)
    for section in report.sections:
        st.header(section.title)
        render.section(section)
    for title, why in report.absent:
        widgets.empty_state(f"{title}: not in this report", escape_markdown(why))
