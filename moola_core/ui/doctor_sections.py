"""What the doctor found; the form for reported figures; the badge of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import streamlit as st

from moola_core.diagnostics.results import Diagnosis
from moola_core.diagnostics.results.doctor import EXAMPLE, FIGURES, SEVERITIES
from moola_core.runs import codec
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.formatting import REPORT_OF
from moola_core.specs import Diagnose, parse
from moola_core.specs.aliases import RESULT_VALUES
from moola_core.ui import loaders, render, state, widgets
from moola_core.ui.widgets import escape_markdown

LOOKS = {
    "critical": ("red", "block"),
    "error": ("orange", "error"),
    "warning": ("yellow", "warning"),
    "info": ("blue", "info"),
}
ENCODER = ("inputs", "layers", "hidden")
FIGURE = "figure_"


def badge_of(record: Record) -> str:
    """The worst severity in the run and how many such findings, as plain words; empty when the doctor was not run with it.

    From the record, for tables of many runs; from its findings where it is of an older version.
    """
    if record.facts.doctor is not None:
        renamed = RESULT_VALUES["severity"]
        return _in_words({renamed.get(name, name): count for name, count in record.facts.doctor.items()})
    folder = loaders.store().runs_folder / record.run_id
    report = loaders.diagnosis(Run(folder)) if (folder / "results" / "doctor.json").is_file() else None
    return "" if report is None else _in_words(_counts(report))


def _counts(report: Diagnosis) -> Counter[str]:
    return Counter(finding.severity for finding in report.findings)


def _worst(counts: Mapping[str, int]) -> str:
    return next((name for name in SEVERITIES if counts.get(name)), "")


def _in_words(counts: Mapping[str, int]) -> str:
    worst = _worst(counts)
    if not worst:
        return "healthy"
    return f"{counts[worst]} {worst}{'s' if worst in ('error', 'warning') and counts[worst] > 1 else ''}"


def badge_line(run: Run) -> None:
    """The worst severity and how many such findings, with a way to them; nothing when the doctor was not run."""
    report = loaders.diagnosis(run)
    if report is None:
        return
    counts = _counts(report)
    colour, icon = LOOKS.get(_worst(counts), ("green", "check"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":{colour}-badge[:material/{icon}: doctor: {_in_words(counts)}]", width="content")
        if counts and st.button("See why", key=f"doctor_{run.id}", type="tertiary", icon=":material/stethoscope:"):
            state.open_page("doctor", **{state.RUN: run.id, state.VIEW: "run"})


def diagnosis(run: Run) -> None:
    """What the doctor found in the run, or where the run asked it."""
    context = ReportContext(run, "doctor")
    render.sections(context, ("doctor", "findings", "experiments", "vitals", "weak_slices"))
    render.folded(context, "remarks")
    render.folded(context, "not_judged")


def plan_line(asked: Run) -> None:
    """Which run was looked at before its launch, and when, with a way to another."""
    spec = parse(asked.spec.planned)
    data = spec.data.windows if spec.kind == "finetune" else spec.data.bars
    what, name = REPORT_OF[spec.kind], escape_markdown(f"{spec.preset or spec.kind} on {PurePath(data).name}")
    st.caption(
        f"{what[0].upper()}{what[1:]}: {name}, looked at {widgets.format_time(asked.record.created)}. Nothing was trained."
    )
    if st.button("Set up a run", icon=":material/rocket_launch:"):
        state.open_page("launch")


def figures_form(planned: dict[str, Any]) -> None:
    """Figures of a report with no run behind it: typed, from a file, or the example's. planned: the spec that fixes start from."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        loaded = st.file_uploader("JSON of metrics (cv_summary.json also works)", type=["json"], key="figures_file")
        if st.button("Fill in the example", icon=":material/history:"):
            for name, value in codec.loads(EXAMPLE.read_text(encoding="utf-8")).items():
                st.session_state[f"{FIGURE}{name}"] = typed(value)
    with st.form("figures"):
        columns = st.columns(3)
        texts = {
            name: columns[i % 3].text_input(meaning, key=f"{FIGURE}{name}", placeholder="not given")
            for i, (name, meaning) in enumerate(FIGURES.items())
        }
        asked = st.form_submit_button("Check these figures", type="primary", icon=":material/stethoscope:")
    if not asked:
        return
    try:
        figures = codec.load_object(loaded.getvalue()) if loaded is not None else figures_of(texts)
    except ValueError as error:
        st.error(f"These figures cannot be read: {escape_markdown(str(error))}.", icon=":material/error:")
        return
    if not figures:
        st.error("Give at least one figure.", icon=":material/error:")
        return
    loaders.launcher().submit(Diagnose(name="doctor", figures=figures, planned=planned))
    st.rerun()


def typed(value: Any) -> str:
    """A figure as it is typed into the form."""
    parts = list(value.values()) if isinstance(value, dict) else value
    return ", ".join(str(part) for part in parts) if isinstance(parts, list) else str(parts)


def figures_of(texts: dict[str, str]) -> dict[str, Any]:
    """What was typed, as figures: numbers, lists where there are commas, words. Raises ValueError for a number that is none."""
    figures: dict[str, Any] = {}
    for name, text in texts.items():
        text = text.strip()
        if not text:
            continue
        if name == "ece_convention":
            figures[name] = text
        elif name == "encoder" or "," in text:
            parts = [json.loads(part) for part in text.split(",")]
            figures[name] = dict(zip(ENCODER, parts, strict=True)) if name == "encoder" else parts
        else:
            figures[name] = json.loads(text)
    return figures
