"""A run as it goes on: progress, time left, curves; polled from the files, so a refresh or a second tab loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from moola_core.charts import curves, monitoring
from moola_core.launch.estimate.remaining import remaining
from moola_core.launch.standing import standing
from moola_core.launch.waiting import waiting
from moola_core.runs.epochs import EpochReader
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections.context import without_network
from moola_core.sections.formatting import duration, time_range
from moola_core.sections.waiting_text import sentence
from moola_core.ui import guard, loaders, widgets
from moola_core.ui.widgets import escape_markdown, state_badge

EVERY = "1s"
ABREAST = 3


def follow(run: Run, drawn: Record, draw: Callable[[Run, Record], None]) -> None:
    """Call `draw` now and, while the run is active, every second; when its state is no longer that of `drawn` the whole page is drawn again.

    drawn: the record from which the page was drawn so far. The run may have ended since, and what stands above would stay as it was.
    """
    is_first = True

    def polled() -> None:
        nonlocal is_first
        fresh = loaders.store().open(run.id)
        record = fresh.record
        if record.state != drawn.state and not is_first:
            guard.redraw()
        is_first = False
        draw(fresh, record)

    goes_on = drawn.active or run.record.active
    guard.fragment(polled, run_every=EVERY if goes_on else None)()


def bar(run: Run, record: Record) -> None:
    """State, share done and time left of an active run."""
    done, total = int(record.progress.get("done") or 0), int(record.progress.get("total") or 0)
    share = done / total if total else 0.0
    text = (
        f"{done} of {total} {record.progress.get('unit', 'fits')}"
        if total
        else ("waiting in the queue" if record.state == "queued" else "starting")
    )
    st.markdown(
        f"{state_badge(record.state)} **{escape_markdown(record.name or widgets.started_from(record) or run.id)}**"
    )
    st.progress(min(share, 1.0), text=text + _epoch(record) + time_left(run))
    reason = waiting(run) if record.state == "queued" else None
    if reason is not None:
        st.caption(f":material/hourglass_empty: {escape_markdown(sentence(reason))}")
    stands = standing(run, record)
    if stands:
        st.warning(escape_markdown(stands), icon=":material/pause_circle:")


def _epoch(record: Record) -> str:
    """The epoch of the newest fit, of as many as it may have."""
    epoch, every = record.progress.get("epoch"), record.progress.get("epochs")
    return f", epoch {epoch} of {every}" if epoch and every and record.progress.get("unit", "fits") == "fits" else ""


def time_left(run: Run) -> str:
    """How long the run still takes, with the limits that hold in 8 cases of 10; empty where nothing is known yet."""
    left = remaining(run)
    if left is None:
        return ""
    return f", {duration(left.seconds)} left ({time_range(left.low, left.high)})"


def live_curves(run: Run) -> None:
    """Losses, σ (or the learning rate) and the monitored metrics by epoch, as far as the run has come."""
    epochs = _epochs_of(run).columns()
    if not len(epochs.get("epoch", ())):
        absent = without_network(run.spec, "training")
        st.caption(escape_markdown(absent) or "The curves appear with the first epoch.")
        return
    share = _epochs_of(run).share
    if share < 1:
        st.caption(f"Drawn from a sample of {share:.0%} of the events, since there are very many.")
    drawn = list(_drawn(run.id, loaders.stamp(run.folder / "events.jsonl"), widgets.appearance()).items())
    for first in range(0, len(drawn), ABREAST):
        for column, (title, figure) in zip(st.columns(ABREAST), drawn[first : first + ABREAST], strict=False):
            with column:
                st.markdown(f"**{title}**")
                widgets.chart(figure, f"live_{title}_{run.id}", f"{title} by epoch")


@st.cache_resource(max_entries=16, show_spinner=False)
def _drawn(run_id: str, events: loaders.Stamp, look: str) -> dict[str, go.Figure]:
    run = loaders.store().open(run_id)
    epochs = _epochs_of(run).columns()
    if run.record.kind == "pretrain":
        return {"Loss": curves.pretraining(epochs, look), "Learning rate": curves.rate(epochs, look)}
    return {
        "Class loss": curves.losses(epochs, "loss_class", look),
        "Pointer loss": curves.losses(epochs, "loss_pointer", look),
        "σ of the tasks": curves.sigmas(epochs, look),
    } | {one.title: one.draw(epochs, look) for one in monitoring.monitored(epochs)}


def _epochs_of(run: Run) -> EpochReader:
    return _epoch_reader(str(run.folder))


# Of a run that goes on, only what is new is read at each look. One session's script may look while another's does.
@st.cache_resource(max_entries=16, show_spinner=False)
def _epoch_reader(folder: str) -> EpochReader:
    return EpochReader(Run(Path(folder)))
