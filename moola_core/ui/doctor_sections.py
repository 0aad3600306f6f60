"""Findings of the doctor, evidence next to each; the form for reported figures; the badge of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from moola_core.diagnostics.results import Diagnosis, Finding
from moola_core.diagnostics.results.doctor import EXAMPLE, FIGURES, SEVERITIES
from moola_core.runs import codec
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.specs import Diagnose, parse, settings_diff
from moola_core.specs.aliases import RESULT_VALUES
from moola_core.ui import loaders, state, widgets
from moola_core.ui.widgets import escape_markdown

LOOKS = {"critical": ("red", "block"), "error": ("orange", "error"), "info": ("blue", "info")}
PLACES = {
    "evaluation": ("results", {state.SECTION: "Metrics"}),
    "calibration": ("results", {state.SECTION: "Calibration"}),
    "balance": ("results", {state.SECTION: "Balance"}),
    "errors": ("results", {state.SECTION: "Errors"}),
    "learned": ("results", {}),
    "features": ("features", {state.VIEW: "features"}),
    "shift": ("features", {state.VIEW: "shift"}),
}
ENCODER = ("inputs", "layers", "hidden")
FIGURE = "figure_"


def badge_of(record: Record) -> str:
    """The worst severity in the run and how many such findings, as plain words; empty when the doctor was not run with it.

    From the record, for tables of many runs; from its findings where it is of an older version.
    """
    if "doctor" in record.counts:
        renamed = RESULT_VALUES["severity"]
        return _in_words({renamed.get(name, name): count for name, count in record.counts["doctor"].items()})
    run = loaders.store().open(record.run_id)
    report = loaders.diagnosis(run) if (run.folder / "results" / "doctor.json").is_file() else None
    return "" if report is None else _in_words(_counts(report))


def _counts(report: Diagnosis) -> Counter[str]:
    return Counter(finding.severity for finding in report.findings)


def _worst(counts: Mapping[str, int]) -> str:
    return next((name for name in SEVERITIES if counts.get(name)), "")


def _in_words(counts: Mapping[str, int]) -> str:
    worst = _worst(counts)
    if not worst:
        return "healthy"
    return f"{counts[worst]} {worst}{'s' if worst == 'error' and counts[worst] > 1 else ''}"


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


def diagnosis(report: Diagnosis, run: Run | None = None) -> None:
    """All findings, causes before symptoms, then what could not be judged."""
    invalidated = sorted({name for finding in report.findings for name in finding.invalidates})
    if not report.findings:
        st.markdown(f":green-badge[:material/check: healthy] {len(report.passed)} checks passed.")
    if invalidated:
        st.warning(
            f"Do not read yet: {', '.join(invalidated)}. The findings below say why.", icon=":material/visibility_off:"
        )
    titles = {finding.check: finding.title for finding in report.findings}
    for finding in report.findings:
        _finding(finding, titles, run)
    with st.expander(f"{len(report.passed)} checks passed, {len(report.not_judged)} could not be judged"):
        st.markdown(f"Passed: {', '.join(name.replace('_', ' ') for name in report.passed) or 'none'}.")
        for why, checks in report.reasons().items():
            st.markdown(f"- **{checks}**: {escape_markdown(why)}")


def _finding(finding: Finding, titles: dict[str, str], run: Run | None) -> None:
    (colour, icon), meaning = LOOKS[finding.severity], SEVERITIES[finding.severity]
    with st.container(border=True, key=f"finding_{finding.check}"):
        left, right = st.columns([3, 2], gap="large")
        with left:
            st.markdown(
                f":{colour}-badge[:material/{icon}: {finding.severity}] **{escape_markdown(finding.title)}**",
                help=meaning,
            )
            st.markdown(escape_markdown(finding.summary))
            if finding.explained_by:
                st.caption(
                    f"Look first at: {', '.join(escape_markdown(titles[name]) for name in finding.explained_by)}."
                )
            st.markdown(escape_markdown(finding.advice))
        with right:
            _evidence(finding, run)
        _fix(finding, run)
        with st.expander("How this was decided"):
            _why(finding)


def _evidence(finding: Finding, run: Run | None) -> None:
    """The numbers, and the windows or the diagnostic that show them."""
    rows = _rows(finding.evidence)
    if rows:
        st.dataframe(
            pd.DataFrame(rows, columns=["evidence", "value"]), hide_index=True, key=f"evidence_{finding.check}"
        )
    windows = [str(name) for name in finding.evidence.get("windows") or []][:3]
    widgets.window_links({name: name for name in windows}, f"window_{finding.check}")
    if finding.diagnostic in PLACES and run is not None:
        page, values = PLACES[finding.diagnostic]
        if st.button("Show chart", key=f"shows_{finding.check}", type="tertiary", icon=":material/query_stats:"):
            state.open_page(page, **(values | {state.RUN: run.id}))


def _rows(evidence: dict[str, Any]) -> list[tuple[str, str]]:
    """Evidence as names and texts; nested numbers each get a row, lists one."""
    rows = []
    for name, value in evidence.items():
        title = name.replace("_", " ")
        if isinstance(value, dict):
            rows += [(f"{title}, {key}", _text(part)) for key, part in value.items()]
        elif name != "windows" and value is not None:
            rows.append((title, _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _fix(finding: Finding, run: Run | None) -> None:
    """The run that fixes or settles it: what it changes, and the button that starts it."""
    if finding.spec is None:
        return
    spec = parse(finding.spec)
    changes = settings_diff(run.spec, spec) if run is not None and run.spec.kind == spec.kind else {}
    listed = "; ".join(
        f"{escape_markdown(name)} {escape_markdown(str(before))} → **{escape_markdown(str(after))}**"
        for name, (before, after) in changes.items()
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Launch this", key=f"launch_{finding.check}", icon=":material/play_arrow:"):
            parent = run.id if run is not None and spec.kind == "diagnose" else None
            made = loaders.launcher().submit(spec, f"fix: {finding.title}", finding.summary, ("doctor",), parent)
            if spec.kind == "diagnose":
                page, values = PLACES.get(spec.name, ("results", {}))
                state.open_page(page, **(values | {state.RUN: spec.run}))
            state.open_page("runs", **{state.RUN: made})
        st.caption(listed or f"A {spec.kind} run on the same data.")


def _why(finding: Finding) -> None:
    """The whole evidence as it is stored, and what the check stands on."""
    st.json(finding.evidence)
    st.caption(f"Check `{finding.check}`. `docs/methods.md` gives the rule, its thresholds and its source.")


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
