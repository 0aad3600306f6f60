"""The parts of the Report page: which sections, which format, the file, and the preview."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from moola_core.launch import report_files
from moola_core.reports.formats import FORMATS
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections import registry
from moola_core.sections.context import ReportContext
from moola_core.sections.formatting import size
from moola_core.sections.registry import SECTIONS, known
from moola_core.specs import Report, build
from moola_core.ui import guard, loaders, progress, render, state, widgets
from moola_core.ui.widgets import escape_markdown

# A page takes one file at a time, so Markdown and its pictures come zipped.
ENDINGS = {"md": "md.zip"}


def title_of(name: str) -> str:
    """The title of the section called `name`."""
    return SECTIONS[name].title


def offer(run: Run, kind: str = "") -> None:
    """A report of the run as a file, on another page than its own."""
    state.send_again(state.SECTIONS_OF[ReportContext(run, kind).kind])
    with st.popover("Report as a file", icon=":material/description:"):
        make_file(run, choose_sections(run, kind), kind)


def choose_sections(run: Run, kind: str = "") -> list[str]:
    """The sections that the file is to have; all at first. kind: as in `export`."""
    context = ReportContext(run, kind)
    may, key = list(known(context)), state.SECTIONS_OF[context.kind]
    state.choose_several(key, may, may)
    selected = st.pills("Sections of the file", may, selection_mode="multi", key=key, format_func=title_of)
    state.write_query_params((key,), {key: state.SEPARATOR.join(may)})
    return [name for name in may if name in selected]


def make_file(run: Run, sections: Sequence[str], kind: str = "") -> None:
    """Choose a format, make the file, download it. It is made by a run of its own, which *Runs* lists as a part of this one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = next(iter(FORMATS))
        state.init_state(state.REPORT_FORMAT, list(FORMATS), first)
        format = st.selectbox(
            "Format", list(FORMATS), format_func=FORMATS.__getitem__, key=state.REPORT_FORMAT, width=160
        )
        state.write_query_params((state.REPORT_FORMAT,), {state.REPORT_FORMAT: first})
        file = f"{kind}-{run.id}" if kind else run.id
        asked = {"run": run.id, "about": kind, "format": format, "sections": list(sections), "file": file}
        spec = build(Report, asked, "report")
        made = _newest(run, spec)
        record = made.record if made is not None else None
        if st.button(
            "Make the file",
            icon=":material/description:",
            type="primary",
            disabled=not sections or (record is not None and record.active),
        ):
            loaders.launcher().submit(spec, report_files.name_of(spec), parent=run.id)
            st.rerun()
    if not sections:
        st.caption("Choose at least one section.")
    elif made is not None and record is not None:
        progress.follow(made, record, _state_of_report)


def _newest(run: Run, spec: Report) -> Run | None:
    """The newest run that makes, or made, exactly this report."""
    reports = [one for one in loaders.listed_runs() if one.kind == spec.kind and one.parent == run.id]
    opened = (loaders.store().open(one.run_id) for one in reports if not one.unreadable)
    return next((one for one in opened if one.spec == spec), None)


def _state_of_report(made: Run, record: Record) -> None:
    """How far the report is; once it is done, the file."""
    if record.active:
        progress.bar(made, record)
    elif record.state == "done":
        download(made, record)
    else:
        st.error(escape_markdown(record.error or f"It is {record.state}."), icon=":material/error:")


def download(made: Run, record: Record) -> None:
    """The button that downloads a report that is done."""
    with guard.explained():
        files = report_files.files(made)
        contents = {name: path.read_bytes() for name, path in files.items()}
        name, first = next(iter(contents.items()))
        data = widgets.zipped(contents) if len(contents) > 1 else first
        ending = name.rpartition(".")[2]
        name = f"{name.removesuffix(ending)}{ENDINGS.get(ending, ending)}"
        st.download_button(
            f"Download {escape_markdown(name)} ({size(len(data))})",
            data,
            name,
            key=f"report_file_{made.id}",
            on_click="ignore",
            icon=":material/download:",
            help=f"Made {widgets.format_time(record.ended)}.",
        )


def preview(run: Run, sections: Sequence[str], kind: str = "") -> None:
    """One of the sections as the file will have it, or why it will not."""
    if not sections:
        return
    state.init_state(state.PREVIEW, list(sections), sections[0])
    name = st.selectbox("Preview", list(sections), key=state.PREVIEW, format_func=title_of, width=320)
    state.write_query_params((state.PREVIEW,), {state.PREVIEW: sections[0]})
    report = registry.build(run, [name], kind)
    for section in report.sections:
        st.header(section.title)
        render.section(section)
    for title, why in report.absent:
        widgets.empty_state(f"{title}: not in this report", escape_markdown(why))
