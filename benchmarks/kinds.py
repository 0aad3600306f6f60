"""What the doctor finds of the kinds of faults in `fault_kinds.py`.

    .venv/bin/python benchmarks/kinds.py --half choosing [--again] [--budget SECONDS] [--folder DIR]

Each kind is planted in a `quick` run on one of two demo markets of that half, in turn, next to runs of the same settings without a fault (HEALTHY), and the
score of its fits on windows of a market that nothing was planted in is measured. Runs that are done are kept in the folder and not made
again; --again asks the doctor as it is now about the runs that are there. With a budget the doctor makes experiments too, and a
setting that it names is the cause where the fault was planted by that setting. Rules are chosen on `choosing`; `counted` is counted once, and so are `unseen`, after it `new`, `third`, `fourth`, `fifth`, `sixth`, `seventh`, `eighth` and `ninth`, kinds that were written without a look at
the doctor (`unseen_kinds.py`, `new_kinds.py`, `third_kinds.py`, `fourth_kinds.py`, `fifth_kinds.py`, `sixth_kinds.py`, `seventh_kinds.py`, `eighth_kinds.py`, `ninth_kinds.py`), each on both of its markets.

Prints one line for each kind, with the place at which its cause is named (`named_causes.py`), and writes FOLDER/HALF.jsonl, one line for each run. A fault that the reading of the data refuses counts as
detected, without a cause.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from doctor import made
from eighth_kinds import KINDS as EIGHTH_KINDS
from fault_kinds import KINDS, Kind, halves
from fifth_kinds import KINDS as FIFTH_KINDS
from fourth_kinds import KINDS as FOURTH_KINDS
from later_named_causes import EIGHTH, NINTH, SEVENTH, SIXTH
from named_causes import FIFTH, FOURTH, NAMED, NEW, THIRD, TRAINING, UNSEEN
from new_kinds import KINDS as NEW_KINDS
from ninth_kinds import KINDS as NINTH_KINDS
from seventh_kinds import KINDS as SEVENTH_KINDS
from sixth_kinds import KINDS as SIXTH_KINDS
from third_kinds import KINDS as THIRD_KINDS
from unseen_kinds import KINDS as UNSEEN_KINDS

from moola_core.diagnostics.predict import Job, combine, predict_sequential
from moola_core.errors import MoolaError
from moola_core.examination import examine
from moola_core.features.matrix import window_matrix
from moola_core.launch.worker import doctor
from moola_core.market import demo
from moola_core.market.windows import Windows
from moola_core.metrics import Predictions, measure
from moola_core.presets import preset
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.specs import change

BARS = 60_000
COLUMNS = {"features.columns": ("relativity", "price_path")}
# One process, so that a planted step of training is the one that is taken.
BASE = {"training.repeats": 1, "training.processes": 1, **COLUMNS}
PRE = {"objective.name": "masked", "training.epochs": 10, "sampling.stride_bars": 52, **COLUMNS}
# What experiments find where no setting is at fault.
BY_TITLE = {
    "Training itself is at fault": TRAINING,
    "It does not learn a few windows by heart": "by heart",
    "The evaluation leaks": "leak",
    "A part of the labels is at fault": "mended labels",
    "The pointers are at fault": "mended pointers",
    "The prices of windows are at fault": "mended prices",
}
CONTRACTS = ("data", "labels", "evaluation")
HEALTHY = 3  # runs without a fault on each market, of other seeds of training
BLIND = {
    "unseen": UNSEEN_KINDS,
    "new": NEW_KINDS,
    "third": THIRD_KINDS,
    "fourth": FOURTH_KINDS,
    "fifth": FIFTH_KINDS,
    "sixth": SIXTH_KINDS,
    "seventh": SEVENTH_KINDS,
    "eighth": EIGHTH_KINDS,
    "ninth": NINTH_KINDS,
}
BLIND_KINDS = [kind for kinds in BLIND.values() for kind in kinds]
BY_NAME = {kind.name: kind for kind in (*KINDS, *BLIND_KINDS)}
# A kind of the first list that is planted by settings is named by any of them; where they are the fault in a blind set, its causes hold them.
SETTINGS = {
    kind.name: tuple(
        f"setting {name}" for name in kind.settings | (kind.pretrain or {}) if not name.startswith("faults.")
    )
    for kind in KINDS
} | {kind.name: () for kind in BLIND_KINDS}
BETTER = {
    "auroc": (1, 0.01),
    "center_mae_bars": (-1, 0.25),
}  # 1 where higher is better, and the least spread of healthy runs
FRESH = (900_001, 900_002)  # seeds of the markets whose windows are predicted


@dataclass(frozen=True)
class Market:
    """A demo market: its seed, how strongly its patterns show, and how many windows are labelled."""

    seed: int
    clarity: float
    windows: int

    @property
    def name(self) -> str:
        return f"{self.seed}-{self.clarity:g}-{self.windows}"


MARKETS = {
    "choosing": (Market(1, 3.0, 140), Market(2, 1.0, 174)),
    "unseen": (Market(301, 2.0, 174), Market(302, 1.0, 200)),
    "new": (Market(401, 2.0, 174), Market(402, 1.0, 200)),
    "third": (Market(501, 2.0, 174), Market(502, 1.0, 200)),
    "fourth": (Market(601, 2.0, 174), Market(602, 1.0, 200)),
    "fifth": (Market(701, 2.0, 174), Market(702, 1.0, 200)),
    "sixth": (Market(801, 2.0, 174), Market(802, 1.0, 200)),
    "seventh": (Market(901, 2.0, 174), Market(902, 1.0, 200)),
    "eighth": (Market(1001, 2.0, 174), Market(1002, 1.0, 200)),
    "ninth": (Market(1101, 2.0, 174), Market(1102, 1.0, 200)),
    "counted": (Market(201, 3.0, 174), Market(202, 1.0, 200)),
}


@dataclass(frozen=True)
class Trial:
    """A kind of fault, None for none, in a market; seed: of the training."""

    kind: Kind | None
    market: Market
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind.name if self.kind else 'healthy'} | {self.market.name} | {self.seed}"


def trials(half: str) -> Iterator[Trial]:
    """The runs of one half, those without a fault first."""
    for market in MARKETS[half]:
        yield from (Trial(None, market, seed) for seed in range(HEALTHY))
    if half in BLIND:
        own = list(enumerate(BLIND[half]))
        yield from (Trial(kind, MARKETS[half][(i + turn) % 2], 0) for turn in (0, 1) for i, kind in own)
        return
    kinds = [kind for kind in KINDS if kind.name in halves()[half]]
    for i, kind in enumerate(kinds):
        yield Trial(kind, MARKETS[half][i % len(MARKETS[half])], 0)


def files_of(folder: Path, trial: Trial) -> dict[str, str]:
    """The trial's files of bars and windows, made once."""
    plain = folder / "markets" / trial.market.name / "healthy"
    if not (plain / "truth.json").is_file():
        market = trial.market
        demo.write_demo(plain, demo.make_demo("helpful", BARS, market.windows, market.seed, market.clarity))
    place = plain
    if trial.kind is not None and trial.kind.files is not None:
        place = plain.with_name(trial.kind.name.replace(" ", "-"))
        place.mkdir(exist_ok=True)
        frames = [pd.read_parquet(plain / f"{name}.parquet") for name in ("bars", "windows")]
        frames[1]["features"] = [np.stack(one).tolist() for one in frames[1]["features"]]
        rng = np.random.default_rng((trial.market.seed, zlib.crc32(trial.kind.name.encode())))
        for name, frame in zip(("bars", "windows"), trial.kind.files(*frames, rng), strict=True):
            frame.to_parquet(place / f"{name}.parquet")
    return {"data.windows": str(place / "windows.parquet"), "data.bars": str(place / "bars.parquet")}


def run_of(folder: Path, trial: Trial) -> Run:
    """The trial's run, with the fault planted while it is trained."""
    store, files, kind = Store(folder), files_of(folder, trial), trial.kind
    changes = BASE | files | {"training.seed": 1000 * trial.market.seed + trial.seed}
    if kind is None:
        return made(store, change(preset("quick").finetune(), changes), trial.name)
    if kind.pretrain is not None:
        before = change(preset("quick").pretrain(), PRE | files | {"training.seed": trial.market.seed} | kind.pretrain)
        start = made(store, before, f"start {trial.market.name} {json.dumps(kind.pretrain)}")
        changes["transfer.checkpoint"] = start.id
    with kind.patched():
        return made(store, change(preset("quick").finetune(), changes | kind.settings), trial.name)


@cache
def fresh(clarity: float) -> Windows:
    """Windows of markets in which nothing was planted, in one table."""
    parts = [demo.make_demo("helpful", BARS, 180, seed, clarity).windows.trainable()[0] for seed in FRESH]
    arrays = [name for name, value in vars(parts[0]).items() if isinstance(value, np.ndarray)]
    joined = parts[0].select(np.r_[np.arange(len(parts[0])), np.zeros(len(parts[1]), int)])
    for name in arrays:
        getattr(joined, name)[len(parts[0]) :] = getattr(parts[1], name)
    return joined


def score_of(run: Run, clarity: float) -> dict[str, float]:
    """AUROC of the class, and the mean error of the center in bars, of the run's fits on fresh windows."""
    windows = fresh(clarity)
    classes = tuple(run.record.facts.labels)
    outputs = predict_sequential(Job(run.folder, 0, window_matrix(windows, run.spec.features), windows.prices))
    columns = combine(outputs, classes, windows.bars)
    score = {}
    if set(classes) == set(windows.classes) and f"p_{classes[0]}" in columns:
        p = np.stack([columns[f"p_{name}"] for name in classes], axis=1)
        target = np.searchsorted(np.array(classes), windows.label.astype(str))
        score["auroc"] = float(measure(Predictions(classes, target, p), names=["auroc"])["auroc"])
    if "start_pred" in columns:
        off = (columns["start_pred"] + columns["end_pred"] - windows.start - windows.end) / 2
        score["center_mae_bars"] = float(np.abs(off).mean())
    return score


def examined(run: Run, budget_s: float) -> dict[str, Any]:
    """What the doctor says of the run now, after experiments within the budget if there is one, and in how many seconds."""
    started = time.perf_counter()
    diagnosis = examine(run, budget=budget_s) if budget_s else doctor.examined(run)
    return {
        "findings": [vars(finding) | {"claims": None} for finding in diagnosis.findings],
        "not_judged": len(diagnosis.not_judged),
        "experiments": codec.plain(diagnosis.experiments),
        "doctor_s": time.perf_counter() - started,
    }


def row_of(folder: Path, trial: Trial, budget_s: float) -> dict[str, Any]:
    """One line of the result: the run, what the doctor says, and the score on fresh windows."""
    kind = trial.kind
    row = {"trial": trial.name, "kind": kind and kind.name, "stage": kind and kind.stage, "market": trial.market.name}
    try:
        run = run_of(folder, trial)
    except MoolaError as error:
        return row | {"refused": str(error), "findings": []}
    row |= {"run": run.id, "score": score_of(run, trial.market.clarity)}
    return row | asked_again(Store(folder), row, budget_s)


def asked_again(store: Store, row: dict[str, Any], budget_s: float) -> dict[str, Any]:
    """What the doctor says of the row's run now; what is wrong with the code is wrong in experiments too."""
    with BY_NAME[row["kind"]].patched() if row["kind"] else nullcontext():
        return examined(store.open(row["run"]), budget_s)


def rows_of(folder: Path, half: str, again: bool, budget_s: float) -> list[dict[str, Any]]:
    """The lines of one half; those that are missing are made and added to the file."""
    kept = folder / f"{half}{'-budget' if budget_s else ''}.jsonl"
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.is_file() else []
    if again:
        store = Store(folder)
        rows = [row | asked_again(store, row, budget_s) if "run" in row else row for row in rows]
        kept.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
    done = {row["trial"] for row in rows}
    for trial in trials(half):
        if trial.name not in done:
            rows.append(row_of(folder, trial, budget_s))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1], default=str) + "\n")
    return rows


def named_in(row: dict[str, Any], experiments: bool = True) -> list[str]:
    """What is named, first to last: the checks with a finding above a note, and in their place the vital signs of those of a stage.

    experiments: with what they add.
    """
    names = []
    for one in row["findings"]:
        if one["severity"] != "info" and (experiments or one["check"] != "experiments"):
            names += parts_of(one)
    return list(dict.fromkeys(names))


def parts_of(finding: dict[str, Any]) -> list[str]:
    """What a finding names: vital signs of a stage, settings that experiments found at fault, or its own check."""
    if finding["check"].startswith("unusual_"):
        return list(finding["evidence"]["signs"])
    if finding["check"] == "training_code":
        return [f"code {part}" for part in finding["evidence"]["parts"]]
    if finding["check"] in ("far_settings", "first_grades_excluded"):
        return [f"setting {name.removeprefix('pretrain.')}" for name in finding["evidence"]["settings"]]
    if finding["check"] == "experiments" and not finding["evidence"].get("settings"):
        return [BY_TITLE.get(finding["title"], finding["check"])]
    return [f"setting {name}" for name in finding["evidence"].get("settings", ())] or [finding["check"]]


def causes_of(kind: str) -> tuple[str, ...]:
    """What names the cause of a kind: checks, vital signs, and the settings that plant it."""
    return *(NAMED | UNSEEN | NEW | THIRD | FOURTH | FIFTH | SIXTH | SEVENTH | EIGHTH | NINTH)[kind], *SETTINGS[kind]


def judged(rows: list[dict[str, Any]], experiments: bool) -> list[dict[str, Any]]:
    """Of each faulty run: whether it counts, whether something was raised, and the place at which its cause is named (0 for none).

    A fault counts where the score on fresh windows is worse than that of the healthy runs of its market by more than twice their spread (at
    least 0.02 of AUROC or half a bar), or where it lies in the data, the labels or the evaluation, whose contracts are stated.
    """
    healthy = [row for row in rows if row["kind"] is None]
    table = []
    for row in rows:
        if row["kind"] is None:
            continue
        names, causes = named_in(row, experiments), causes_of(row["kind"])
        place = next((i + 1 for i, name in enumerate(names) if name in causes), 0)
        same = [other["score"] for other in healthy if other["market"] == row["market"]]
        counts = row["stage"] in CONTRACTS or worse_in(row.get("score") or {}, same) is not None
        raised = bool(names) or "refused" in row
        table.append({"kind": row["kind"], "counts": counts, "raised": raised, "place": place, "names": names})
    return table


def worse_in(score: dict[str, float], healthy: list[dict[str, float]]) -> str | None:
    """The first metric in which a score is worse than those of healthy runs by more than their noise; None for none."""
    for name, (sign, least) in BETTER.items():
        own = np.array([sign * one[name] for one in healthy])
        if sign * score.get(name, -sign * np.inf) < own.mean() - 2 * max(own.std(ddof=1), least):
            return name
    return None


def show(rows: list[dict[str, Any]]) -> None:
    """The table, and shares over the faults that count and over all; where there were experiments, without and with them."""
    tried = any(row.get("experiments") for row in rows)
    for experiments in (False, True) if tried else (False,):
        print("with experiments" if experiments else "without experiments")
        show_judged(judged(rows, experiments))
        healthy = [row for row in rows if row["kind"] is None]
        raised = sum(bool(named_in(row, experiments)) for row in healthy)
        print(f"healthy: {raised} of {len(healthy)} with a finding above info")
    seconds = [row["doctor_s"] for row in rows if "doctor_s" in row]
    print(f"the doctor took {np.median(seconds):.1f} s in the median, {max(seconds):.1f} s at most")


def show_judged(table: list[dict[str, Any]]) -> None:
    """A line for each faulty run, and the shares."""
    for one in table:
        place = one["place"] or ("-" if causes_of(one["kind"]) else "none to name")
        print(
            f"{one['kind']:<46} {'' if one['counts'] else 'no effect':<10} {place!s:<13} {', '.join(one['names'][:4])}"
        )
    for title, own in (("that count", [one for one in table if one["counts"]]), ("in all", table)):
        shares = [
            np.mean([one["raised"] for one in own]),
            np.mean([0 < one["place"] <= 3 for one in own]),
            np.mean([one["place"] == 1 for one in own]),
        ]
        print(
            f"{len(own)} {title}: raised {shares[0]:.2f}, cause in the first three {shares[1]:.2f}, first {shares[2]:.2f}"
        )


def main() -> None:
    """Make what is missing, judge, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--half", choices=tuple(MARKETS), default="choosing")
    arguments.add_argument("--folder", type=Path, default=Path("artifacts/benchmark-kinds"))
    arguments.add_argument("--again", action="store_true", help="ask the doctor anew about the runs that are there")
    arguments.add_argument("--budget", type=float, default=0.0, help="seconds of experiments for each run")
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    show(rows_of(given.folder, given.half, given.again, given.budget))


if __name__ == "__main__":
    main()
