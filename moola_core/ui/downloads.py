"""Data and predictions as files: what was understood, in one form, and tasks of Label Studio."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from moola_core.launch import predicted_files
from moola_core.launch.confinement import confine
from moola_core.market import frames
from moola_core.market.library import Dataset
from moola_core.outgoing import file_name
from moola_core.runs.store import Run
from moola_core.ui import loaders


def of_dataset(dataset: Dataset) -> None:
    """Buttons that download the bars and the windows of a dataset as they were understood. Raises DataError when a file is refused."""
    bars = loaders.bars_of(dataset.bars) if dataset.bars else None
    windows = loaders.windows_of(dataset.windows, dataset.bars) if dataset.windows else None
    named = file_name(dataset.name)
    with st.container(horizontal=True):
        if bars is not None:
            _button(
                "Bars as Parquet", f"{named}-bars.parquet", lambda: frames.as_bytes(frames.bars_frame(bars), ".parquet")
            )
        if windows is None:
            return
        _button(
            "Windows as Parquet",
            f"{named}-windows.parquet",
            lambda: frames.as_bytes(frames.windows_frame(windows), ".parquet"),
        )
        if ((windows.position >= 0) | ~np.isnat(windows.start_time)).all():
            _button(
                "Windows for Label Studio",
                f"{named}-tasks.json",
                lambda: frames.as_bytes(frames.tasks(windows, bars), ".json"),
            )


def of_predictions(child: Run) -> None:
    """Buttons that download a run's predictions as a table, and as tasks of Label Studio where the times of all windows are known."""
    with st.container(horizontal=True):
        table = loaders.table(child, "predicted")
        timed = "start_time" in table and bool(table["start_time"].notna().all())
        for title, ending in (("Parquet", ".parquet"), ("CSV", ".csv"), *[("tasks of Label Studio", ".json")] * timed):
            _button(f"Predictions as {title}", f"predictions-{child.id}{ending}", _maker(child, ending))


def _maker(child: Run, ending: str) -> Callable[[], bytes]:
    def make() -> bytes:
        confine(child.spec, loaders.folders())
        return frames.as_bytes(predicted_files.content(child, ending), ending)

    return make


def _button(title: str, name: str, make: Callable[[], bytes]) -> None:
    """A button whose file is made when it is pressed."""
    st.download_button(title, make, name, key=f"download_{name}", on_click="ignore", icon=":material/download:")
