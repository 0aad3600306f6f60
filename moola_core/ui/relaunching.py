"""A run launched again: as it was, or on the Launch page with its settings, with what went wrong put right where that is known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.market.library import Dataset
from moola_core.presets import available
from moola_core.runs.record import FIT, Record, run_of
from moola_core.runs.references import RESULTS
from moola_core.runs.store import Run
from moola_core.specs import change, settings_diff
from moola_core.ui import guard, launching, loaders, owners, settings_form, state
from moola_core.ui.widgets import escape_markdown

# Causes outside of the settings: once they are gone, the run goes on where it stopped.
OUTSIDE = re.compile(
    r"no space|disk|memory and disk|could be started|cannot be written|cannot be read|no such file|is not there|permission",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fix:
    """What the first button of a failed run says, and the settings that it changes."""

    label: str
    changes: dict[str, Any]


def _slower(spec: Any) -> Fix:
    rate = float(f"{spec.training.learning_rate / 3:.2g}")
    return Fix(f"Launch again with a learning rate of {rate:g}", {"training.learning_rate": rate})


def _smaller(spec: Any) -> Fix:
    size = max(1, spec.training.batch_size // 2)
    return Fix(f"Launch again with batches of {size}", {"training.batch_size": size})


FIXES: dict[str, Callable[[Any], Fix]] = {"loss is not a number": _slower, "Out of memory": _smaller}


def fix_of(record: Record, spec: Any) -> Fix | None:
    """What would put a failed run right; None where the cause lies outside of its settings."""
    if record.state != "failed" or record.kind not in loaders.TRAINED:
        return None
    for words, fix in FIXES.items():
        if words in record.error:
            return fix(spec)
    return None if OUTSIDE.search(record.error) else Fix("Change its settings and launch again", {})


def launch_values(run: Run, record: Record, changes: dict[str, Any]) -> dict[str, Any] | None:
    """What the Launch page is given for a run like this one with some changes; None where it cannot say all of its settings."""
    spec, dataset = run.spec, _dataset_of(record)
    if dataset is None or record.kind not in loaders.TRAINED:
        return None
    preset = spec.preset if spec.preset in available() else "quick"
    values: dict[str, Any] = {state.KIND: record.kind, state.PRESET: preset, state.DATASET: dataset.name}
    checkpoint, model = "", ""
    if record.kind == "finetune":
        own = spec.transfer.checkpoint
        checkpoint, model = (run_of(own) if FIT.fullmatch(own) else own), spec.estimator
        values |= {state.CHECKPOINT: checkpoint or None, state.MODEL: model}
    try:
        base = launching.base_spec(record.kind, preset, dataset, checkpoint, model)
    except MoolaError:  # what it started from is gone
        return None
    wanted = change(spec, changes)
    differing = settings_diff(base, wanted)
    typed = {name: after for name, (_, after) in differing.items() if name in settings_form.fields(record.kind)}
    beyond = [name for name in differing if name not in typed and not name.startswith("data.") and name != "preset"]
    if beyond:
        return None
    return values | {state.SETTINGS: json.dumps(typed), state.RUN_NAME: record.name, state.RUN_TAGS: list(record.tags)}


def offer(run: Run, record: Record) -> None:
    """The button that launches the run again: on the Launch page where that can say its settings, else as it was."""
    if record.unreadable or record.active:
        return
    if record.kind in loaders.TRAINED and launch_values(run, record, {}) is not None:
        if st.button("Launch again like this", icon=":material/replay:", key="launch_again"):
            state.open_page("launch", **(launch_values(run, record, {}) or {}))
        return
    with st.popover("Launch again", icon=":material/replay:"):
        st.markdown("A new run with the same settings on the same files begins, or waits in the queue.")
        if st.button("Start it again", type="primary", key="start_again"):
            with guard.explained():
                # What is about a run stays with it; an arm launched again stands for itself.
                parent = record.parent if record.kind in RESULTS else None
                again = loaders.launcher().submit(run.spec, record.name, record.note, record.tags, parent)
                state.open_page("runs", **{state.ROW: again})


def offer_fix(run: Run, record: Record) -> bool:
    """The first button of a failed run, which launches it again put right; whether there is one."""
    fix = fix_of(record, run.spec)
    values = launch_values(run, record, fix.changes) if fix else None
    if fix is None or values is None:
        return False
    if st.button(escape_markdown(fix.label), icon=":material/build:", key="fix", type="primary"):
        state.open_page("launch", **values)
    return True


def _dataset_of(record: Record) -> Dataset | None:
    name = owners.datasets_of([record]).get(record.run_id)
    return next((dataset for dataset in loaders.available_datasets() if dataset.name == name), None)
