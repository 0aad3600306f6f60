"""What suggests that a file is not what it seems: another scale, several instruments, filler, labels that contradict."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market.checks import SHOWN
from moola_core.market.nearness import nearly_equal
from moola_core.market.questions import Asking, Question
from moola_core.specs import ReadOptions

FILLER_BARS = 30
SHORTEST_NAME = 4  # letters from which a class may be a misspelling of another
SERIES_FRAC = 0.05


def filler(ohlc: np.ndarray, volume: np.ndarray | None) -> np.ndarray | None:
    """Which bars [n] stand in long runs without any movement or volume, which vendors put where the market was closed; None: none."""
    flat = (ohlc == ohlc[:, :1]).all(axis=1) & (True if volume is None else np.nan_to_num(volume) == 0)
    edges = np.flatnonzero(np.diff(np.r_[False, flat, False]))
    first, after = edges[::2], edges[1::2]
    for start, end in zip(first, after, strict=True):
        if end - start < FILLER_BARS:
            flat[start:end] = False
    return flat if flat.any() else None


def filler_notes(time: np.ndarray, flat: np.ndarray | None, volume: np.ndarray | None) -> list[str]:
    """A note on the bars that `filler` gives."""
    if flat is None:
        return []
    runs = int((np.diff(np.r_[0, flat.astype(np.int8)]) > 0).sum())
    still = "" if volume is None else " of volume 0"
    return [
        f"{int(flat.sum())} flat bars{still} in {runs} long runs, the first from {str(time[flat][0])[:16]} UTC, are filler "
        "for a closed market; pre-training leaves them out."
    ]


def refuse_two_series(twice: np.ndarray, ohlc: np.ndarray, where: str) -> None:
    """Raise DataError when many bars have the time of the bar before and other prices: dropping one of each would mix two series.

    twice [n] bool: bars with the time of the bar before.
    """
    other = twice[1:] & (ohlc[1:] != ohlc[:-1]).any(axis=1)
    if other.sum() > SERIES_FRAC * len(twice):
        raise DataError(
            f"{int(other.sum())} bars have the time of the bar before and other prices: it holds several instruments.",
            where=where,
            hint="Name the column that tells them apart with --column contract=<name in the file>, or keep the rows of one.",
        )


def drop_many(count: int, rows: int, listed: str) -> Question:
    """The question whether more bad rows than a few are to be dropped."""
    return Question(
        "repair",
        f"{count} of {rows} rows are bad ({listed}), which is more than a few.",
        {"drop-many": f"read the other {rows - count} rows", "refuse": "refuse the file"},
        "--repair",
    )


def joined_spellings(label: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels [n] with classes that differ only by case, spaces or hyphens joined under the most frequent spelling, and a note."""
    names, sizes = np.unique(label.astype(str), return_counts=True)
    size = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    folded = pd.Series(names).str.casefold().str.replace(r"[\s_-]+", "", regex=True)
    joined: dict[str, str] = {}
    notes = []
    for spellings in pd.Series(names).groupby(folded).agg(list):
        if len(spellings) > 1 and spellings[0]:
            most = max(spellings, key=size.__getitem__)
            joined |= dict.fromkeys(spellings, most)
            listed = ", ".join(f"{name} ({size[name]})" for name in spellings)
            notes.append(f"The classes {listed} differ only in their spelling and are joined as {most}.")
    kept = sorted({joined.get(name, name) for name in names.tolist()})
    notes += [
        f"The classes {one} ({size[one]}) and {other} ({size[other]}) differ by one letter. If they are one class: --class {rare}={usual}."
        for one, other in combinations(kept, 2)
        if _differ_by_a_letter(one, other)
        for rare, usual in [sorted((one, other), key=size.__getitem__)]
    ]
    return np.array([joined.get(text, text) for text in label], object), notes


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Whether one letter is added, left out or another; not in short names, and not where it is a number."""
    short, long = sorted((one, other), key=len)
    if len(short) < SHORTEST_NAME or len(long) - len(short) > 1:
        return False
    same = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = short[same:] if len(short) < len(long) else short[same + 1 :]
    return rest == long[same + 1 :] and not long[same : same + 1].isdigit()


def list_nearly_equal(window_id: np.ndarray, label: np.ndarray, prices: np.ndarray) -> list[str]:
    """A note on windows that are nearly equal, those with different labels first."""
    pairs = nearly_equal(prices)
    if not pairs:
        return []
    against = [pair for pair in pairs if label[pair[0]] != label[pair[1]]]
    listed = [*against, *(pair for pair in pairs if label[pair[0]] == label[pair[1]])][:SHOWN]
    named = ", ".join(
        f"{window_id[a]} and {window_id[b]}" + (f" ({label[a]} and {label[b]})" if label[a] != label[b] else "")
        for a, b in listed
    )
    first = f", {len(against)} of them with different labels" if against else ""
    return [
        f"{len(pairs)} pairs of windows are nearly equal: the same prices but for a constant or a tick{first}. They share a fold. First "
        f"{named}."
    ]


def given_twice(
    label: np.ndarray, prices: np.ndarray, kept: np.ndarray, reading: ReadOptions, asking: Asking
) -> tuple[np.ndarray, int, list[str]]:
    """Which windows [n] stay where some have the same prices [n, K, 4] and different labels, how many these are, and a note; asks which label counts.

    kept [n] bool: the windows that are looked at.
    """
    stay = np.ones(len(label), bool)
    content = pd.Series([hash(window.tobytes()) for window in np.ascontiguousarray(prices)])
    content[~kept] = -np.arange(1, len(content) + 1)[~kept]
    different = (pd.Series(label.astype(str)).groupby(content).transform("nunique") > 1).to_numpy() & kept
    if not different.any():
        return stay, 0, []
    contradicting = int(different.sum())
    note = f"{contradicting} windows have the prices of another window and a different label"
    if reading.twice is None and reading.annotator != "all":
        answers = {
            "keep": "keep all as they are; training cannot fit both labels",
            "first": "the label that comes first in the file counts",
            "last": "the label that comes last in the file counts",
            "drop": "leave these windows out",
        }
        asking.ask(Question("twice", f"{note}.", answers, "--twice"))
    if reading.twice in ("first", "last"):
        stay = ~(content.duplicated(keep=reading.twice).to_numpy() & different)
    elif reading.twice == "drop":
        stay = ~different
    done = {"first": "the first counts", "last": "the last counts", "drop": "they are left out"}
    return stay, contradicting, [f"{note}; {done.get(reading.twice or '', 'training cannot fit both')}."]
