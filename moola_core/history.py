"""Decisions about a data set, from Python: what `moola decide` and the History page do."""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core.arguments import a_path, refuse_unknown
from moola_core.errors import SpecError
from moola_core.runs import decisions as kept
from moola_core.runs.decisions import Decision
from moola_core.runs.places import same_file
from moola_core.runs.store import Store
from moola_core.specs import Data

STORE = "artifacts"
File = str | Path


def decide(
    text: str,
    windows: File | None = None,
    bars: File | None = None,
    *,
    because: str = "",
    runs: Sequence[str] = (),
    store: File = STORE,
    **options: str,
) -> Decision:
    """Keep a decision about a data set, such as that masked pre-training is abandoned.

    Parameters
    ----------
    text : str
        What was decided.
    windows, bars : str or Path, optional
        Files of labelled windows and, where these are cut from them, of bars. Not needed where `runs`, `supersedes` or `amends` says
        what it is about.
    because : str, optional
        Why.
    runs : sequence of str, optional
        Ids of the runs that it rests on.
    store : str or Path, default "artifacts"
        Folder of the runs.
    **options
        ``supersedes`` or ``amends``: the id of an earlier decision that this one takes the place of, or adds to. ``who``: who decided;
        the user of this process unless given.

    Returns
    -------
    Decision

    Raises
    ------
    SpecError, DataError, RunError
        When the text is empty, or a file, a run or the earlier decision is not there; the message says how to fix it.
    """
    refuse_unknown(options, ("supersedes", "amends", "who"), "decide")
    decision = Decision(
        text,
        because,
        runs=tuple(runs),
        who=options.get("who", "") or user(),
        supersedes=options.get("supersedes", ""),
        amends=options.get("amends", ""),
    )
    return keep(Store(store), decision, _data(windows, bars))


def decisions(windows: File | None = None, bars: File | None = None, *, store: File = STORE) -> list[Decision]:
    """The decisions about a data set, newest first.

    Parameters
    ----------
    windows, bars : str or Path, optional
        As of :func:`decide`; without them the decisions about all data.
    store : str or Path, default "artifacts"
        Folder of the runs.

    Returns
    -------
    list of Decision
        Superseded ones too: their ids are the `supersedes` of others. One whose file cannot be read says why in `unreadable`.
    """
    data = _data(windows, bars)
    return kept.listed(Store(store)) if data is None else about(Store(store), data)


def keep(store: Store, decision: Decision, data: Data | None = None) -> Decision:
    """Add the decision about the data, or about that of the runs which it rests on."""
    contents, files = kept.data_of_runs(store, decision.runs)
    if data is not None:
        windows = windows_of(data)
        ours = {windows.content_hash, (trained := windows.trainable(data.exclude_grades)[0].content_hash)}
        if contents.get("windows", trained) not in ours and not same_file(files.get("windows", ""), data.windows):
            raise SpecError(
                "the runs that it rests on were made on other windows.",
                where=data.windows,
                hint="Name runs of these windows, or leave out one of both.",
            )
        contents |= {"windows": trained}
        files |= {name: str(value) for name in ("windows", "bars") if (value := getattr(data, name))}
    return kept.add(store, dataclasses.replace(decision, data=contents, files=files))


def about(store: Store, data: Data) -> list[Decision]:
    """The decisions about the data: the content of its windows, wherever they lie, or the file, whatever is in it now."""
    return kept.listed(store, contents_of(data), (data.windows,))


def contents_of(data: Data) -> frozenset[str]:
    """The content hashes by which runs and decisions name the data: of the windows that take part in training, and of all."""
    windows = windows_of(data)
    return frozenset({windows.content_hash, windows.trainable()[0].content_hash})


def user() -> str:
    """The name of the user of this process; empty where the system does not know it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _data(windows: File | None, bars: File | None) -> Data | None:
    from moola_core.market.settings import load_reading

    given = {"windows": windows, "bars": bars}
    files = {name: str(Path(a_path(file, name)).resolve()) for name, file in given.items() if file is not None}
    if "windows" not in files:
        return None
    return Data(**files, **{f"{name}_reading": load_reading(path) for name, path in files.items()})


def windows_of(data: Data) -> Any:
    """The labelled windows of the data, located in its bars where it has some. Raises DataError."""
    from moola_core.market.bars import load_bars
    from moola_core.market.windows import load_windows

    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    return load_windows(data.windows, data.windows_reading, bars)
