"""Is the data sound? Large figures of windows and bars, and what their checks found."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.errors import MoolaError
from moola_core.market.bars import Bars
from moola_core.market.library import Dataset
from moola_core.market.windows import Windows
from moola_core.specs import Data
from moola_core.ui import loaders
from moola_core.ui.widgets import escape_markdown, figures


def problem(dataset: Dataset) -> MoolaError | None:
    """Why a file of the dataset cannot be read; None where all can."""
    try:
        if dataset.bars:
            loaders.bars_of(dataset.bars)
        if dataset.windows:
            loaders.windows_of(dataset.windows, dataset.bars)
    except MoolaError as error:
        return error
    return None


def data_health(dataset: Dataset) -> None:
    """Figures and findings of the dataset. Raises DataError when a file is refused."""
    bars = loaders.bars_of(dataset.bars) if dataset.bars else None
    windows = loaders.windows_of(dataset.windows, dataset.bars) if dataset.windows else None
    zone = loaders.exchange_zone(dataset)
    figures((_of_windows(windows) if windows is not None else {}) | (_of_bars(bars, zone) if bars is not None else {}))
    notes = [
        *(windows.report.warnings if windows is not None else ()),
        *(bars.report.warnings if bars is not None else ()),
    ]
    if windows is None:
        st.info("Bars alone: to train, put labelled windows next to them.", icon=":material/label_off:")
    if windows is not None and bars is not None and (windows.position >= 0).all():
        st.markdown(f":green-badge[:material/check: found] All {len(windows):,} windows were found in the bars.")
    if not notes:
        st.markdown(":green-badge[:material/check: sound] Every check passed.")
    for note in notes:
        st.markdown(f":orange-badge[:material/info: note] {escape_markdown(note)}")


def _of_windows(windows: Windows) -> dict[str, tuple[str, str]]:
    kept, left_out = windows.trainable(Data().exclude_grades)
    counts = Counter(kept.label)
    shares = " · ".join(f"{count} {name}" for name, count in counts.most_common())
    answer = {"Windows to train on": (f"{len(kept):,}", shares)}
    if left_out:
        answer["Left out"] = (f"{left_out:,}", "grade " + ", ".join(Data().exclude_grades))
    answer["Window length"] = (f"{windows.bars} bars", f"{int(kept.has_pointer.sum())} with an expansion")
    return answer


def _of_bars(bars: Bars, zone: str) -> dict[str, tuple[str, str]]:
    first, last = (day(time, zone) for time in (bars.time[0], bars.time[-1]))
    holes = f"{len(bars.gaps)} gaps" if bars.gaps else "no gaps"
    return {
        "Bars": (f"{len(bars):,}", f"of {bars.interval_s / 60:g} min, {holes}"),
        "Period": (first, f"to {last}"),
    }


def day(time: np.datetime64, zone: str) -> str:
    """The date in the exchange's zone."""
    return pd.Timestamp(time, tz="UTC").tz_convert(zone).strftime("%d %b %Y")
