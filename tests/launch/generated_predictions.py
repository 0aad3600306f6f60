"""Tables of predictions as other programs write them, each with the rows that they stand for or the reason for a refusal.

Written apart from the readers: a table in our columns comes first, and is then written in another form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core.launch.worker.imported import PredictionReading
from moola_core.market.windows import Windows

CLASSES = ("consolidation", "retracement")
P = [f"p_{name}" for name in CLASSES]
SPAN = ["start_pred", "end_pred"]


@dataclass
class Made:
    """A file, what its writer would answer, and the rows in our columns that it stands for."""

    path: Path
    truth: pd.DataFrame
    answers: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-6
    bars_off: float = 1e-6
    has_probabilities: bool = True


def truth_of(windows: Windows, rng: np.random.Generator, repeats: int, folds: int) -> pd.DataFrame:
    """Out-of-fold predictions of every window: probabilities with three digits, whole bars."""
    parts = []
    for repeat in range(repeats):
        p = rng.integers(20, 980, len(windows)) / 1000
        start = rng.integers(0, windows.bars // 2, len(windows))
        parts.append(
            pd.DataFrame(
                {
                    "window_id": windows.window_id.astype(str),
                    "repeat": repeat,
                    "fold": rng.permutation(np.arange(len(windows)) % folds),
                    P[0]: p,
                    P[1]: 1 - p,
                    "start_pred": start.astype(float),
                    "end_pred": (start + rng.integers(1, windows.bars // 2, len(windows))).astype(float),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def random_file(rng: np.random.Generator, windows: Windows, folder: Path) -> Made:
    """A file of a random make."""
    truth = truth_of(windows, rng, int(rng.choice([1, 1, 2])), int(rng.choice([2, 4, 5])))
    made = Made(folder / "theirs", truth)
    table = truth.copy()
    for step in (_drop_windows, _probabilities, _pointers, _labels, _folds, _ids, _names):
        table = step(table, made, windows, rng)
    if rng.random() < 0.5:
        table = table.sample(frac=1, random_state=int(rng.integers(1 << 31)))
        table = table[list(rng.permutation(table.columns))]
    _write(table, made, rng)
    return made


def _drop_windows(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    if rng.random() < 0.3:  # a window is missing in one repeat, and so counts in none
        lost = table["window_id"].iloc[0]
        table = table[(table["window_id"] != lost) | (table["repeat"] > 0)]
        made.truth = made.truth[made.truth["window_id"] != lost]
    return table


def _probabilities(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    form = rng.choice(["plain", "percent", "signs", "logits", "one", "class", "logarithms", "one percent", "comma"])
    p = table[P]
    if form in ("percent", "one percent"):
        table[P] = 100 * p
    if form == "signs":
        table[P] = p.map("{:.1%}".format)
    if form == "comma":
        table[P] = p.map(lambda value: f"{value:.3f}".replace(".", ","))
    if form == "logits":
        table[P] = np.log(p).add(rng.normal(0, 3, len(p)), axis=0)
        made.answers["logits"] = True
    if form == "logarithms":
        table[P] = np.log(p)
        made.answers["logits"] = True
    if form in ("one", "one percent"):
        table = table.drop(columns=P[int(rng.integers(2))])
    if form == "class":
        answer = np.where(p[P[0]] >= p[P[1]], *CLASSES)
        table = table.drop(columns=P).assign(predicted=answer)
        made.has_probabilities = False
    made.tolerance = 1e-3 if form == "signs" else 1e-6
    return table


def _pointers(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    form = rng.choice(["bars", "fractions", "center", "center fractions", "times", "none", "missing"])
    start, end = table["start_pred"], table["end_pred"]
    if form == "fractions":
        table[SPAN] = table[SPAN] / windows.bars
    if form.startswith("center"):
        scale = windows.bars if "fractions" in form else 1
        table = table.drop(columns=SPAN).assign(
            center_pred=(start + end) / 2 / scale, length_pred=(end - start) / scale
        )
    if form == "times":
        first = pd.Series(windows.start_time, index=windows.window_id.astype(str))[table["window_id"]].to_numpy()
        for name in SPAN:
            moment = first + (table[name].to_numpy() * windows.interval_s * 1e9).astype("timedelta64[ns]")
            table[name] = pd.Series(moment, index=table.index).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "none":
        table = table.drop(columns=SPAN)
        made.truth = made.truth.assign(start_pred=np.nan, end_pred=np.nan)
    if form == "missing":  # one end is missing in one repeat, so that the window has no pointer in any
        lost = table["window_id"].iloc[-1]
        table.loc[(table["window_id"] == lost) & (table["repeat"] == 0), "end_pred"] = np.nan
        made.truth = made.truth.copy()
        made.truth.loc[made.truth["window_id"] == lost, SPAN] = np.nan
    return table


def _labels(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    if rng.random() < 0.3:
        label = pd.Series(windows.label.astype(str), index=windows.window_id.astype(str))
        table = table.assign(y_true=label[table["window_id"]].to_numpy())
    return table


def _folds(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    form = rng.choice(["numbers", "letters", "names", "floats", "from one", "none"])
    if form == "letters":
        table["fold"] = table["fold"].map(lambda fold: "ABCDE"[fold])
    if form == "names":
        table["fold"] = table["fold"].map(lambda fold: f"fold {fold}")
    if form == "floats":
        table["fold"] = table["fold"].astype(float)
    if form == "from one":
        table["fold"] = table["fold"] + 1
    if form == "none":
        table = table.drop(columns="fold")
        made.truth = made.truth.assign(fold=0)
        made.answers["folds"] = str(rng.choice(["out-of-fold", "in-sample"]))
    if table["repeat"].nunique() == 1 and rng.random() < 0.5:
        table = table.drop(columns="repeat")
    elif rng.random() < 0.3:
        table["repeat"] = table["repeat"].map(lambda repeat: f"seed {repeat}")
    return table


def _ids(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    return table.assign(window_id=table["window_id"].map(lambda name: f" {name} ")) if rng.random() < 0.2 else table


def _names(table: pd.DataFrame, made: Made, windows: Windows, rng: np.random.Generator) -> pd.DataFrame:
    form = rng.choice(["ours", "upper", "proba", "behind", "bare", "mapped"])
    if form == "upper":
        return table.rename(columns=lambda name: name.upper().replace("_", " "))
    if form == "proba":
        return table.rename(
            columns=dict(zip(P, (f"proba_{name}" for name in CLASSES), strict=True))
            | {"predicted": "y_pred", "window_id": "Sample ID"}
        )
    if form == "behind":
        return table.rename(
            columns=dict(zip(P, (f"{name}_prob" for name in CLASSES), strict=True))
            | {"fold": "cv_fold", "predicted": "Predicted Class"}
        )
    if form == "bare":
        return table.rename(columns=dict(zip(P, CLASSES, strict=True)))
    if form == "mapped":
        renamed = {name: f"column {i}" for i, name in enumerate(table.columns) if name not in ("y_true",)}
        made.answers["columns"] = dict(renamed.items())
        return table.rename(columns=renamed)
    return table


def _write(table: pd.DataFrame, made: Made, rng: np.random.Generator) -> None:
    form = str(rng.choice([".csv", ".parquet", ".jsonl", ".npz", ".tsv"]))
    made.path = made.path.with_suffix(form)
    if form in (".csv", ".tsv"):
        table.to_csv(made.path, index=bool(rng.integers(2)), sep="\t" if form == ".tsv" else ",")
    elif form == ".parquet":
        table.reset_index(drop=True).to_parquet(made.path)
    elif form == ".jsonl":
        table.to_json(made.path, orient="records", lines=True)
    else:
        columns = {str(name): table[name].to_numpy() for name in table}
        np.savez(made.path, **{n: v.astype(str) if v.dtype == object else v for n, v in columns.items()})


Spoil = Callable[[pd.DataFrame], pd.DataFrame]
REFUSED: dict[str, tuple[Spoil, str]] = {
    "logits": (lambda t: t.assign(**{P[0]: np.linspace(-3, 4, len(t)), P[1]: 0.7}), "look like logits.*--logits"),
    "logarithms": (
        lambda t: t.assign(**{name: np.log(t[name]) for name in P}),
        "logarithms of probabilities.*--logits",
    ),
    "independent scores": (lambda t: t.assign(**{P[0]: 0.9, P[1]: 0.8}), "independent scores"),
    "no folds": (lambda t: t.drop(columns="fold"), "--folds out-of-fold .* --folds in-sample"),
    "no ids": (lambda t: t.drop(columns="window_id"), "--in-order"),
    "other labels": (lambda t: t.assign(label=CLASSES[0]), "another label than the window"),
    "unknown class": (
        lambda t: t.drop(columns=P).assign(predicted="sideways"),
        r"class that the windows have not \(sideways\).*--class",
    ),
    "numbered classes": (lambda t: t.rename(columns={P[0]: "p_0", P[1]: "p_1"}).drop(columns=SPAN), "--map"),
    "start alone": (lambda t: t.drop(columns="end_pred"), "start_pred alone"),
    "reversed": (lambda t: t.assign(start_pred=50.0, end_pred=20.0), "ends before it starts"),
    "far away": (lambda t: t.assign(end_pred=5000.0), "no bar number"),
    "words": (lambda t: t.assign(end_pred="late"), "no bar number"),
    "infinite": (lambda t: t.assign(**{P[0]: np.inf}), "not finite"),
    "half a row": (lambda t: t.assign(**{P[0]: [np.nan, *t[P[0]][1:]]}), "some classes alone"),
    "nobody": (lambda t: t.assign(window_id=["nobody", *t["window_id"][1:]]), "no window that takes part.*nobody"),
    "twice": (lambda t: pd.concat([t, t.iloc[:1]]), "twice in one repeat"),
    "no window in all repeats": (lambda t: t.assign(repeat=np.arange(len(t))), "no window is predicted in all"),
    "one class left": (lambda t: t[t["window_id"].isin(t["window_id"][:1])].assign(fold=[0]), "of one class"),
    "unrelated": (lambda t: t[["window_id", "fold"]].assign(colour="red"), "no column of it is"),
}


def answers_of(made: Made) -> PredictionReading:
    return PredictionReading(**made.answers)
