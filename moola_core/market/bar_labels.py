"""Files that label every bar: runs of equal labels become windows, where the user says so."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import times
from moola_core.market.bars import Bars
from moola_core.market.questions import Asking, Question
from moola_core.market.stamps import one_bar
from moola_core.specs import ReadOptions

LEAST_ROWS = 20
NO_LABEL = {"", "0", "0.0", "none", "nan", "null", "no", "false", "-", "background", "unlabelled", "unlabeled"}


def as_windows(table: pd.DataFrame, bars: Bars, reading: ReadOptions, asking: Asking) -> pd.DataFrame:
    """`table` as it is, unless most rows follow each other bar by bar: then one row for each run of equal labels.

    What a point of a series without a class is called, such as 0, makes no window. Asks before it makes windows of runs.
    """
    if "start_time" not in table or "end_time" in table or len(table) < LEAST_ROWS:
        return table
    moments, _ = times.parse_times(table["start_time"], reading, asking.where, asking)
    step = np.diff(moments).astype("timedelta64[ns]").astype(float) / 1e9
    if np.mean(step == bars.interval_s) < 0.5:
        return table
    label = table["label"].astype("str").str.strip().fillna("").to_numpy(object)
    edges = np.flatnonzero(np.r_[True, (label[1:] != label[:-1]) | (step != bars.interval_s)])
    kept = np.array([label[i].casefold() not in NO_LABEL for i in edges])
    after = np.r_[edges[1:], len(label)]
    names = sorted({str(label[i]) for i in edges[kept]})
    if len(names) < 2:
        raise DataError(
            f"it labels single bars with {', '.join(sorted({*map(str, label)} - {''})[:5])}, and windows need two or more classes.",
            where=asking.where,
            hint="Give one row a window: its start_time, its end_time or length, and its class.",
        )
    if reading.bar_labels is None:
        asking.ask(
            Question(
                "bar_labels",
                f"Each of its rows labels a single bar. Runs of equal labels ({int(kept.sum())} of {', '.join(names[:5])}) can become windows.",
                {"runs": "one window for each run of equal labels"},
                "--bar-labels",
            )
        )
    starts = pd.Series(moments[edges[kept]]).dt.tz_localize("UTC")
    ends = pd.Series(moments[after[kept] - 1] + one_bar(bars.interval_s)).dt.tz_localize("UTC")
    return pd.DataFrame({"start_time": starts, "end_time": ends, "label": label[edges[kept]]})
