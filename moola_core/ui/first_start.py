"""The first start: a demo market and a quick run on it, so that no page is empty."""

from __future__ import annotations

import importlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import streamlit as st

from moola_core.errors import MoolaError
from moola_core.host.garbage import keep_what_is_loaded
from moola_core.launch import demo
from moola_core.runs.record import Record
from moola_core.runs.store import Store
from moola_core.ui import loaders
from moola_core.ui.places import data_folder, store_folder

# Where it could not be prepared, such as on a full disk, every page says so at first and is then left alone for this long.
AGAIN_S = 60.0
_again: dict[tuple[str, str], float] = {}
ROOMS = (
    "charts.windows",
    "charts.curves",
    "charts.evaluation",
    "ui.launching",
    "ui.result_sections",
    "ui.windows_viewer",
)


def prepare() -> None:
    """Once a server: with an empty store, make the demo market and start a demo run. MOOLA_DEMO=off leaves it out."""
    places = str(data_folder()), str(store_folder())
    if os.environ.get("MOOLA_DEMO", "on").lower() in ("off", "0", "no") or time.monotonic() < _again.get(places, 0.0):
        return
    try:
        _prepare(*places)
    except (MoolaError, OSError):
        _again[places] = time.monotonic() + AGAIN_S
        raise


def load_ahead() -> None:
    """Load what the pages need before the first visitor: their modules at once, the feature kernels and the list of runs in threads."""
    for room in ROOMS:
        importlib.import_module(f"moola_core.{room}")
    keep_what_is_loaded()  # after each run of the script Streamlit looks for garbage among all that there is
    threading.Thread(target=_load_kernels, daemon=True).start()
    threading.Thread(target=_read_ahead, daemon=True).start()


def _list_runs() -> list[Record]:
    """The first listing reads every record and spec; thousands of them take seconds."""
    return Store(store_folder()).runs(include_archived=True)


def _read_ahead() -> None:
    """List the runs, and read what the first page shows: the data that is selected without a link, and the newest run's results."""
    with suppress(MoolaError, OSError):  # every page says what is wrong
        done = [one for one in _list_runs() if one.kind == "finetune" and one.state == "done" and not one.unreadable]
        dataset = next(iter(loaders.available_datasets()), None)
        if dataset is not None:
            loaders.content_of_windows(dataset)
        for record in done[:1]:
            run = loaders.store().open(record.run_id)
            loaders.evaluation(run)
            loaders.calibration(run)


def _load_kernels() -> None:
    from moola_core.features.relativity import relativity
    from moola_core.features.zigzag import swings

    flat = np.ones((12, 4))
    relativity(flat, 12)
    swings(flat)
    keep_what_is_loaded()


# A cached resource is made once a server and under a lock: two tabs do not start two runs.
@st.cache_resource(show_spinner="First start: making a demo market and a demo run")
def _prepare(data: str, store: str) -> str | None:
    own = Store(store)
    if own.runs(include_archived=True) or demo.removed(own):
        return None
    return demo.start(own, Path(data), demo.STEPS[0])
