"""What is usual in healthy runs: the table of reference ranges that the doctor's vital signs are compared with.

    .venv/bin/python benchmarks/vitals.py [--part reference|counted|market|time] [--runs N] [--folder DIR]

Healthy runs are drawn at random: presets `quick` and `recommended`, 60 to 240 windows, demo markets of several worlds and clarities, and
rules and simulated hands that label bars, some of them with wrong classes and scattered pointers. Runs that are done are kept in the folder.
`reference` writes the table of the product; `counted` draws other markets and labellers, and prints the share of runs in which the doctor
raises something. `market` writes what sound presets do on the demo market that the doctor's experiments are made on. `time` makes a new run of each of these presets and prints
which share of it the signs take, and which the doctor with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import labellers
import numpy as np
from kinds import BASE, PRE, made

from moola_core.diagnostics import vitals
from moola_core.diagnostics.doctor import known_market
from moola_core.diagnostics.doctor.suspects import SOUND
from moola_core.diagnostics.vitals.ranges import TABLE
from moola_core.errors import MoolaError
from moola_core.launch import worker
from moola_core.launch.worker import doctor
from moola_core.market import demo
from moola_core.market.frames import windows_frame, write_windows
from moola_core.market.windows import windows_from_arrays
from moola_core.presets import preset
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune, change

SIZES = (60, 100, 140, 174, 240)
HANDS = {"reference": labellers.TUNING, "counted": labellers.COUNTED}
SEEDS = {"reference": 10_000, "counted": 50_000}
BARS_A_WINDOW = 330
LEAST_BARS = 60_000


@dataclass(frozen=True)
class Healthy:
    """One healthy run: its number, the market and the labels, and how it is trained."""

    number: int
    seed: int
    windows: int
    clarity: float
    world: str
    hand: labellers.Hand | None
    preset: str
    changes: dict[str, Any]
    pretrained: bool

    @property
    def name(self) -> str:
        return f"healthy {self.seed}"


def drawn(part: str, number: int) -> Healthy:
    """The healthy run of that number, the same at every call."""
    rng = np.random.default_rng((SEEDS[part], number))
    by_hand = rng.random() < 0.35
    kind = "quick" if rng.random() < 0.85 else "recommended"
    changes: dict[str, Any] = dict(BASE) if kind == "quick" else {"training.repeats": 1, "training.processes": 1}
    if kind == "quick" and rng.random() < 0.3:
        del changes["features.columns"]
    if rng.random() < 0.15:
        changes["training.repeats"] = 2
    return Healthy(
        number,
        SEEDS[part] + number,
        int(rng.choice(SIZES[:3] if kind == "recommended" else SIZES)),
        float(rng.choice([0.5, 1.0, 1.0, 3.0, 3.0])),
        str(rng.choice(["helpful", "helpful", "neutral", "harmful"])),
        HANDS[part][int(rng.integers(len(HANDS[part])))] if by_hand else None,
        kind,
        changes,
        kind == "quick" and "features.columns" in changes and rng.random() < 0.15,
    )


def files_of(folder: Path, one: Healthy) -> dict[str, str]:
    """The files of the run's bars and windows, made once."""
    place = folder / "markets" / str(one.seed)
    if not (place / "truth.json").is_file():
        bars = max(LEAST_BARS, BARS_A_WINDOW * one.windows)
        market = demo.make_demo(one.world, bars, one.windows, one.seed, one.clarity)  # type: ignore[arg-type]
        demo.write_demo(place, market)
        if one.hand is not None:
            _labelled(market, one, one.hand).to_parquet(place / "windows.parquet")
    return {"data.windows": str(place / "windows.parquet"), "data.bars": str(place / "bars.parquet")}


def _labelled(market: demo.Demo, one: Healthy, hand: labellers.Hand) -> Any:
    """The frame of windows of the market's bars that the hand has labelled, in the order of time."""
    bars, rng = market.bars, np.random.default_rng(one.seed)
    firsts = rng.permutation(np.arange(0, len(bars) - 105, 105))
    firsts = firsts[[bars.time[i + 104] - bars.time[i] == np.timedelta64(104, "m") for i in firsts]]
    labels = labellers.label(bars.ohlc, firsts, hand, one.seed, one.windows)
    order = np.argsort(labels.first)
    windows = windows_from_arrays(
        labels.prices[order],
        np.array(labellers.CLASSES)[labels.label[order]],
        expansion_start=labels.start[order],
        expansion_end=labels.end[order],
        start_time=bars.time[labels.first[order]],
    )
    return windows_frame(windows)


def run_of(folder: Path, one: Healthy) -> Run:
    """The finished run."""
    store, files = Store(folder), files_of(folder, one)
    changes = one.changes | files | {"training.seed": one.seed}
    if one.pretrained:
        before = change(preset("quick").pretrain(), PRE | files | {"training.seed": one.seed})
        changes["transfer.checkpoint"] = made(store, before, f"start {one.seed}").id
    spec: Finetune = change(preset(one.preset).finetune(), changes)
    return made(store, spec, one.name)


def runs(folder: Path, part: str, count: int) -> Iterator[tuple[Healthy, Run]]:
    """The first `count` healthy runs of that part."""
    for number in range(count):
        one = drawn(part, number)
        try:
            yield one, run_of(folder, one)
        except MoolaError as error:
            print(f"{one.name} failed: {error}")


def values_of(folder: Path, run: Run) -> tuple[str, dict[str, float]]:
    """Whose ranges the run's signs belong to, and their values by name; kept in the folder, for the signs that there are."""
    kept = folder / "values" / f"{run.id}.json"
    if kept.is_file():
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known["signs"] == list(vitals.SIGNS):
            return known["model"], known["values"]
    evidence = doctor.evidence_of(run)
    readings, _ = vitals.measure(evidence)
    values = {name: reading.value for name, reading in readings.items()}
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(
        json.dumps({"signs": list(vitals.SIGNS), "model": evidence.model, "values": values}), encoding="utf-8"
    )
    return evidence.model, values


def raised(run: Run) -> list[tuple[str, str, str]]:
    """The findings above a note."""
    findings = doctor.examined(run).findings
    return [(one.check, one.severity, one.title) for one in findings if one.severity != "info"]


def on_known_market(folder: Path, count: int) -> dict[str, dict[str, list[float]]]:
    """AUROC and pointer errors of `count` fits of each sound preset, by other seeds, on the market that is the same for everybody."""
    path = folder / "known.parquet"
    values: dict[str, dict[str, list[float]]] = {metric: {name: [] for name in SOUND} for metric in known_market.LEVELS}
    folder.mkdir(parents=True, exist_ok=True)
    write_windows(known_market.windows(), path)
    for name in SOUND:
        for seed in range(count):
            changes = {
                "data.windows": str(path),
                "data.exclude_grades": (),
                "training.repeats": 1,
                "training.seed": seed,
            }
            run = made(Store(folder), change(preset(name).finetune(), changes), f"known {name} {seed}")
            evaluation = run.result("evaluation")
            for metric, own in values.items():
                score = (
                    evaluation["auroc_within_folds"]["value"]
                    if metric == "auroc"
                    else evaluation["metrics"][metric]["mean"]
                )
                own[name].append(round(score, 4))
            print(name, seed, [own[name][-1] for own in values.values()], flush=True)
    return values


def shares_of_time(folder: Path, name: str) -> dict[str, float]:
    """Seconds of a new run of the preset on a demo market, in one process, and the shares of them that the signs and all of the doctor take."""
    files = folder / "markets" / "time"
    demo.write_demo(files, demo.make_demo("helpful", LEAST_BARS, 174, SEEDS["counted"]))
    data = {"data.windows": str(files / "windows.parquet"), "data.bars": str(files / "bars.parquet")}
    run = Store(folder).create(change(preset(name).finetune(), data | {"training.processes": 1}))
    measured, examined = _Timed(vitals.measure), _Timed(doctor.examined)
    with patch.object(vitals, "measure", measured), patch.object(doctor, "examined", examined):
        every = _Timed(worker.run)
        every(run)
    return {
        "seconds": every.seconds,
        "signs": measured.seconds / every.seconds,
        "doctor": examined.seconds / every.seconds,
    }


class _Timed:
    """A function that notes how long its calls take."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return self.function(*given, **named)
        finally:
            self.seconds += time.perf_counter() - started


def main() -> None:
    """Make the runs that are missing; write the table, or count the runs in which something is raised."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--part", choices=(*SEEDS, "market", "time"), default="reference")
    arguments.add_argument("--runs", type=int, default=120)
    arguments.add_argument("--folder", type=Path, default=Path("artifacts/benchmark-vitals"))
    given = arguments.parse_args()
    if given.part == "time":
        for name in SOUND:
            took = shares_of_time(given.folder, name)
            print(
                f"{name}: {took['seconds']:.1f} s, signs {took['signs']:.1%}, doctor {took['doctor']:.1%}", flush=True
            )
        return
    if given.part == "market":
        table = on_known_market(given.folder, given.runs)
        known_market.TABLE.write_text(json.dumps(table) + "\n", encoding="utf-8")
        return
    if given.part == "reference":
        rows = [values_of(given.folder, run) for _, run in runs(given.folder, given.part, given.runs)]
        table = vitals.table_of(rows)
        TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        print(f"{table['runs']} healthy runs, limit {table['limit']}")
        return
    every = [(one, raised(run)) for one, run in runs(given.folder, given.part, given.runs)]
    for one, what in every:
        if what:
            print(f"{one.name}, {one.preset}, {one.windows} windows: {what}")
    print(f"{sum(bool(what) for _, what in every)} of {len(every)} healthy runs with a finding above info")


if __name__ == "__main__":
    main()
