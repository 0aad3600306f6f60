"""Files of known truth: which are read right, asked about, refused, or wrong in silence.

    .venv/bin/python benchmarks/files.py FOLDER [--only TEXT]

FOLDER holds index.json, a list of {kind, file, tz, bars, note}, and for each file `<file>.truth.parquet`: of bars `time`, open, high,
low, close; of labels `start_time`, label, expansion_start, expansion_end. A question is answered in every way that it offers until the
result is the truth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.windows import load_windows
from moola_core.specs import ReadOptions, build

PRICES = ["open", "high", "low", "close"]
MOST_ROUNDS = 3


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("folder", type=Path)
    args.add_argument("--only", default="")
    given = args.parse_args()
    index = json.loads((given.folder / "index.json").read_text(encoding="utf-8"))
    rows = [score(given.folder, entry) for entry in index if given.only in entry["file"]]
    for row in rows:
        print(
            f"{row['file'][:40]:40s} {row['first']:8s} {row['questions']:2d} {row['answered']:8s} {row['seconds']:5.2f}  {row['why'][:150]}"
        )
    count = lambda key, value: sum(row[key] == value for row in rows)  # noqa: E731
    print(
        f"{len(rows)} files: {count('first', 'right')} right at once, {count('first', 'asked')} asked, {count('first', 'refused')} refused, "
        f"{count('first', 'WRONG')} wrong in silence; right once answered {count('answered', 'right')}; "
        f"most questions of a file {max(row['questions'] for row in rows)}"
    )
    asked = sum(row["questions"] for row in rows)
    print(
        f"{asked} questions, {sum(row['needed'] for row in rows)} with answers that lead to different bars or windows"
    )
    sys.exit(count("first", "WRONG") + count("answered", "WRONG") > 0)


def score(folder: Path, entry: dict) -> dict:
    """How the file is read without an answer, and with the answers that it asks for."""
    started = time.perf_counter()
    truth = pd.read_parquet(folder / f"{entry['file']}.truth.parquet")
    first = attempt(folder, entry, {}, {})
    seconds = time.perf_counter() - started
    row = {"file": entry["file"], "seconds": seconds, "questions": 0, "needed": 0, "answered": "", "why": ""}
    row["first"], row["why"] = verdict(first, entry, truth)
    row["answered"] = row["first"]
    if row["first"] == "asked":
        row |= answer(folder, entry, truth)
    return row


def answer(folder: Path, entry: dict, truth: pd.DataFrame) -> dict:
    """Tries answers until the truth comes out; counts the questions, and those whose answers differ in what they lead to."""
    states = [({}, {}, [])]  # the answers for the file and for its bars, and the questions so far
    outcomes: dict[str, set] = {}
    best, why, questions = "refused", "", []
    for _ in range(MOST_ROUNDS):
        later = []
        for own, bars, asked in states:
            result = attempt(folder, entry, own, bars)
            if not isinstance(result, OpenQuestions):
                kind, _ = verdict(result, entry, truth)
                for key, value in [*own.items(), *bars.items()]:
                    outcomes.setdefault(key, set()).add((str(value), print_of(result)))
                if kind == "right" and best != "right":
                    best, why, questions = kind, str([own, bars]), asked
                continue
            of_bars = entry["kind"] == "labels" and result.where.endswith(str(entry["bars"]))
            options = [[(q.id, value) for value in q.answers] for q in result.questions]
            questions = questions or [q.id for q in result.questions]
            why = why or " ".join(q.question for q in result.questions)
            for choice in itertools.product(*options):
                new = dict(choice)
                later.append((own | ({} if of_bars else new), bars | (new if of_bars else {}), [*asked, *new]))
        states = later
    needed = sum(len({seen for _, seen in outcomes.get(name, set())}) > 1 for name in questions)
    return {"answered": best, "why": why, "questions": len(questions), "needed": needed}


def print_of(result: object) -> str:
    if isinstance(result, DataError):
        return f"refused {result.what}"
    return result.content_hash + str(getattr(result, "start_time", ""))


def attempt(folder: Path, entry: dict, own: dict, bars: dict) -> object:
    """The bars or windows, or the error; the time zone of the index is that of the file."""
    reading = build(ReadOptions, {"tz": entry["tz"]} | own)
    try:
        if entry["kind"] == "bars":
            return load_bars(folder / entry["file"], reading)
        frame = load_bars(folder / entry["bars"], build(ReadOptions, bars)) if entry["bars"] else None
        return load_windows(folder / entry["file"], reading, frame)
    except DataError as error:
        return error


def verdict(result: object, entry: dict, truth: pd.DataFrame) -> tuple[str, str]:
    if isinstance(result, OpenQuestions):
        return "asked", ""
    if isinstance(result, DataError):
        return "refused", str(result.what)
    return (right_bars if entry["kind"] == "bars" else right_windows)(result, entry, truth)


def right_bars(bars: object, entry: dict, truth: pd.DataFrame) -> tuple[str, str]:
    times = pd.DatetimeIndex(truth["time"]).tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
    if len(bars) != len(times) or (bars.time != times).any():
        return "WRONG", f"{len(bars)} bars from {bars.time[0]}, not {len(times)} from {times[0]}"
    if not np.allclose(bars.ohlc, truth[PRICES].to_numpy(float), rtol=0, atol=1e-6):
        return "WRONG", "other prices"
    notes = " ".join(bars.report.warnings)
    for word in ("jump", "filler"):
        if f"{word} must be named" in entry["note"] and word not in notes:
            return "WRONG", f"names no {word}"
    if "roll at bar 300" in entry["note"] and bars.rolls.tolist() != [300]:
        return "WRONG", f"rolls {bars.rolls.tolist()}"
    return "right", notes


def right_windows(windows: object, entry: dict, truth: pd.DataFrame) -> tuple[str, str]:
    truth = truth.reset_index(drop=True)
    if len(windows) != len(truth):
        return "WRONG", f"{len(windows)} windows, not {len(truth)}"
    if windows.label.tolist() != truth["label"].tolist():
        return "WRONG", "other labels"
    times = pd.DatetimeIndex(truth["start_time"]).tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
    if not (entry["bars"] is None or (windows.start_time == times).all()):
        return "WRONG", f"starts {windows.start_time[:2]}, not {times[:2]}"
    for name, value in (("expansion_start", windows.start), ("expansion_end", windows.end)):
        if truth[name].isna().all():
            continue
        if not np.array_equal(value, pd.to_numeric(truth[name]).to_numpy(float), equal_nan=True):
            return "WRONG", f"{name} {value[:4]}, not {truth[name].tolist()[:4]}"
    return "right", " ".join(windows.report.warnings)


if __name__ == "__main__":
    main()
