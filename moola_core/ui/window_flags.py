"""Windows that were flagged or commented on: the list of them, and what the viewer says of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from moola_core.market.library import Dataset
from moola_core.outgoing import for_spreadsheet
from moola_core.runs import flags
from moola_core.runs.flags import MOST_LETTERS, Flag, Labelled
from moola_core.ui import loaders
from moola_core.ui.places import store_folder

TAKEN = "flags_taken"


def labelled(dataset: Dataset) -> Labelled:
    """The windows that the dataset's flags belong to."""
    assert dataset.windows is not None
    return Labelled(loaders.windows_of(dataset.windows, dataset.bars).content_hash, str(dataset.windows))


def of(dataset: Dataset) -> dict[str, Flag]:
    """The flags of the dataset's windows by window id."""
    return flags.of(store_folder(), labelled(dataset))


def take(dataset: Dataset, report: dict[str, Any]) -> None:
    """Keep what the viewer says was flagged since it was drawn; each of it once, however often it is said."""
    drawn, listed = str(report.get("drawn")), report.get("list")
    taken = st.session_state.setdefault(TAKEN, {})
    fresh: dict[str, Flag] = {}
    last = taken.get(drawn, 0)
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, list) and len(row) == 4 and isinstance(row[0], int) and row[0] > last:
            fresh[str(row[1])] = Flag(bool(row[2]), str(row[3])[:MOST_LETTERS])
            taken[drawn] = max(taken.get(drawn, 0), row[0])
    if fresh:
        flags.note(store_folder(), labelled(dataset), fresh)


def listed(dataset: Dataset, table: pd.DataFrame) -> None:
    """The list of flagged windows, and the button that exports it."""
    rows = frame(of(dataset), table)
    if rows.empty:
        st.caption("No window is flagged. Flag one with f, and the list of them appears here.")
        return
    with st.expander(f"Flagged windows ({len(rows)})", key="flagged_windows"):
        st.dataframe(rows, hide_index=True, key="flag_list")
        st.download_button(
            "Export the list",
            rows.map(for_spreadsheet).to_csv(index=False).encode(),
            f"{dataset.name}-flagged.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def frame(noted: dict[str, Flag], table: pd.DataFrame) -> pd.DataFrame:
    """A row a noted window, in the order of the joined `table`; windows that are not in it any more come last."""
    rows = table[table["window_id"].astype(str).isin(noted)]
    ids = rows["window_id"].astype(str)
    labels = dict(zip(ids, rows["label"].astype(str), strict=True))
    predicted = {name: ", ".join(dict.fromkeys(classes)) for name, classes in zip(ids, rows["said"], strict=True)}
    return pd.DataFrame(flags.listed(noted, labels, predicted), columns=list(flags.COLUMNS))
