"""What investigations conclude of worlds whose truth is known.

    python benchmarks/investigations.py [--part counted|again|choosing] [--worlds N ...] [--budget 300] [--folder DIR]

18 worlds: pre-training helps, hurts or does neither × a fault in the data, in the settings or none × classes that the prices show well or hardly. The
seeds of the counted part chose no rule, and its faults are drawn from the half of `fault_kinds.py` that no rule was made on. What is done is kept in the
folder, so that the benchmark can be stopped at any time. The truth is measured on 2,000 windows of a new market of the same world, with the
same fault in its files: a score is the mean over the fits of a run.

Held to: the sign of pre-training never wrong, and named in 5 of 6 of the worlds where it makes .15 or more; the fault named in 9 of 12, none
accused in 5 of 6 without one; right on the network in 15 of 18; the true score of the recommended model in its stated interval in 16 of 18.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fault_kinds import KINDS, Kind, halves
from named_causes import NAMED
from safetensors.numpy import load_file, save_file

from moola_core.diagnostics.predict import Job, combine, predict_sequential
from moola_core.diagnostics.results import InvestigationReport
from moola_core.features.matrix import window_matrix
from moola_core.investigation.causes import NOTE, SYMPTOMS, diagnosis_of, looked_at
from moola_core.investigation.known import comparison_of
from moola_core.investigation.question import QUESTIONS
from moola_core.investigation.verdicts import rows_of
from moola_core.launch import worker
from moola_core.market import demo
from moola_core.market.windows import Windows, load_windows
from moola_core.metrics import Predictions, measure
from moola_core.presets import preset
from moola_core.runs.codec import restore
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Investigation, change

BARS, FRESH, TEACHING = 100_000, 2_000, 3_000
WINDOWS = {"helps": 90, "hurts": 200, "neither": 174}  # with fewer labels there is more to be gained
TEACHING_CLARITY = 2.0
# The seed of the first world's market, which the others follow, and of the draw of faults; "again" for a count after a change.
PARTS = {"choosing": (801, 26), "counted": (1301, 26), "again": (1401, 27)}
# How well prices show the classes: such that a difference of pre-training, where it is made, is large enough to be seen.
CLARITY = {
    ("helps", "well"): 0.9,
    ("helps", "hardly"): 0.75,
    ("hurts", "well"): 1.1,
    ("hurts", "hardly"): 0.8,
    ("neither", "well"): 1.0,
    ("neither", "hardly"): 0.3,
}
PRETRAINING = ("helps", "hurts", "neither")
FAULT = ("data", "settings", "none")
SHOWN = ("well", "hardly")
MARGIN, LARGE = 0.02, 0.15
RESULTS = Path(__file__).parent / "results"
# The market, and what the user's own pre-training is.
KINDS_OF_PRETRAINING: dict[str, tuple[demo.World, dict[str, Any]]] = {
    "helps": ("helpful", {"transfer.schedule": "frozen"}),
    "hurts": ("harmful", {"transfer.schedule": "frozen", "pretrain.objective.name": "masked"}),
    "neither": ("neutral", {"transfer.schedule": "full"}),
}


@dataclass(frozen=True)
class World:
    """One world: its number, what pre-training is made to do, where the fault lies, how well the prices show the classes, and the fault."""

    number: int
    pretraining: str
    fault: str
    shown: str
    kind: Kind | None
    seed: int

    @property
    def name(self) -> str:
        fault = self.kind.name if self.kind else "no fault"
        return f"{self.number}: {self.pretraining}, {fault}, classes shown {self.shown}"


def worlds(part: str) -> list[World]:
    """All worlds of the part; the faults are drawn from those of its half whose cause something names and that files or settings plant."""
    own = halves()["choosing" if part == "choosing" else "counted"]
    able = [kind for kind in KINDS if kind.name in own and NAMED[kind.name] and kind.pretrain is None]
    pools = {
        "data": [kind for kind in able if kind.files is not None and not kind.settings],
        "settings": [kind for kind in able if kind.files is None and kind.settings],
    }
    first, draw = PARTS[part]
    rng = np.random.default_rng(draw)
    drawn = {name: [pool[i] for i in np.resize(rng.permutation(len(pool)), 6)] for name, pool in pools.items()}
    made = []
    for number, (pretraining, fault, shown) in enumerate(product(PRETRAINING, FAULT, SHOWN)):
        kind = drawn[fault].pop() if fault in drawn else None
        made.append(World(number, pretraining, fault, shown, kind, first + number))
    return made


def market(place: Path, world: World, windows: int, seed: int) -> dict[str, str]:
    """Files of a market of this world, with its fault; made once."""
    paths = {name: place / f"{name}.parquet" for name in ("windows", "bars")}
    if not all(path.is_file() for path in paths.values()):
        bars, clarity = max(BARS, 330 * windows), CLARITY[world.pretraining, world.shown]
        demo.write_demo(place, demo.make_demo(KINDS_OF_PRETRAINING[world.pretraining][0], bars, windows, seed, clarity))
        if world.kind is not None and world.kind.files is not None:
            frames = [pd.read_parquet(paths[name]) for name in ("bars", "windows")]
            frames[1]["features"] = [np.stack(one).tolist() for one in frames[1]["features"]]
            rng = np.random.default_rng((seed, zlib.crc32(world.kind.name.encode())))
            for name, frame in zip(("bars", "windows"), world.kind.files(*frames, rng), strict=True):
                frame.to_parquet(paths[name])
    return {name: str(path) for name, path in paths.items()}


def taught(folder: Path, world: World, settings: dict[str, Any]) -> str:
    """An encoder that helps: trained on many labelled windows of another market of the same grammar."""
    path = folder / "taught.safetensors"
    if not path.is_file():
        place = folder / "teaching"
        if not (place / "windows.parquet").is_file():
            demo.write_demo(place, demo.make_demo("helpful", 330 * TEACHING, TEACHING, 7_000, TEACHING_CLARITY))
        own = {name: value for name, value in settings.items() if name.startswith("features.")}
        spec = change(preset("quick").finetune(), own | {"data.windows": str(place / "windows.parquet"), "repeats": 1})
        run = Store(folder / "teaching-store").create(spec)
        worker.run(run)
        weights = load_file(next(iter(run.replicates().values())) / "weights.safetensors")
        save_file({name: value for name, value in weights.items() if name.startswith(("encoder.", "scale."))}, path)
    return str(path)


def investigated(folder: Path, world: World, budget_s: float) -> Run:
    """The investigation of the world, carried out or gone on with."""
    store, name = Store(folder / "store"), f"world {world.number}"
    known = next((record for record in store.runs("investigation") if record.name == name), None)
    if known is None:
        files = market(folder / f"world-{world.number}", world, WINDOWS[world.pretraining], world.seed)
        changes = dict(KINDS_OF_PRETRAINING[world.pretraining][1])
        changes |= world.kind.settings if world.kind is not None else {}
        checkpoint = taught(folder, world, changes) if world.pretraining == "helps" else ""
        spec = Investigation(
            preset="quick",
            data=Data(**files),
            changes=changes,
            checkpoint=checkpoint,
            budget_s=budget_s,
            seed=world.seed,
        )
        run = store.create(spec, name)
    else:
        run = store.open(known.run_id)
    if run.record.state != "done":
        (worker.run if run.record.state == "queued" else worker.resume)(run)
    return run


def true_scores(run: Run, windows: Windows) -> dict[str, float]:
    """Each metric of the run's fits on fresh windows, the mean over the fits."""
    classes = tuple(run.record.facts.labels)
    x = window_matrix(windows, run.spec.features)
    outputs = predict_sequential(Job(run.folder, 0, x, windows.prices))
    target = np.searchsorted(np.array(classes), windows.label.astype(str))
    rows = []
    for fit in range(len(run.replicates())):
        columns = combine(_one(outputs, fit), classes, windows.bars)
        p = np.stack([columns[f"p_{name}"] for name in classes], axis=1)
        span = np.stack([columns["start_pred"], columns["end_pred"]], axis=1) if "start_pred" in columns else None
        truth = np.stack([windows.start, windows.end], axis=1).astype(float)
        predictions = Predictions(classes, target, p, span, truth, windows.bars)
        rows.append(measure(predictions, names=["auroc", "f1_macro", "hit_at_3", "joint_at_3"]))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _one(outputs: Any, fit: int) -> Any:
    """The outputs of one fit alone."""
    parts = {f.name: getattr(outputs, f.name) for f in fields(outputs)}
    own = {name: value[fit : fit + 1] for name, value in parts.items() if isinstance(value, np.ndarray) and value.ndim}
    return replace(outputs, **own)


def row_of(folder: Path, world: World, budget_s: float) -> dict[str, Any]:
    """What the investigation of a world says, next to the truth."""
    run = investigated(folder, world, budget_s)
    report = restore(InvestigationReport, run.result("investigation"))
    files = market(folder / f"fresh-{world.number}", world, FRESH, world.seed + 10_000)
    fresh, _ = load_windows(files["windows"]).trainable(("D",))
    store, scores = Store(run.store_root), {}
    for run_id in {report.best.run_id if report.best else "", *_arms(store, report)} - {""}:
        scores[run_id] = true_scores(store.open(run_id), fresh)
    return {
        "world": world.number,
        "name": world.name,
        "pretraining": _pretraining(store, report, scores),
        "fault": _fault(store, run, world),
        "network": _network(store, report, scores),
        "score": _score(report, scores),
        "spent_s": report.spent_s,
        "steps": [(step.question, step.answer, round(step.seconds)) for step in report.steps],
        "conclusion": [one.text for one in report.conclusion],
    }


def _study(store: Store, report: InvestigationReport, question: str) -> dict[str, str]:
    """The arms of the last study that a question made, with their runs; empty where it was not asked."""
    step = next((one for one in reversed(report.steps) if one.question == question and one.state != "cut"), None)
    run = store.open(step.run_id) if step is not None and step.run_id else None
    if run is None or run.record.kind != "study" or run.record.state != "done":
        return {}
    return {arm["name"]: arm["run_id"] for arm in run.result("comparison")["arms"]}


def _arms(store: Store, report: InvestigationReport) -> list[str]:
    return [run_id for name in ("pretraining", "network") for run_id in _study(store, report, name).values()]


def _pretraining(store: Store, report: InvestigationReport, scores: dict[str, Any]) -> dict[str, Any]:
    """The true difference that pre-training makes, and what is said of it."""
    arms = _study(store, report, "pretraining")
    own = [name for name in arms if name not in ("from scratch", "placebo")]
    step = next((one for one in reversed(report.steps) if one.question == "pretraining"), None)
    answer = step.answer if step else "not asked"
    if not own:
        return {"answer": answer}
    scratch, tuned = (scores[arms[name]] for name in ("from scratch", own[0]))
    comparison = comparison_of(store.open(step.run_id))
    rows = rows_of(comparison, len(QUESTIONS["pretraining"].rounds), (comparison.deciding,))
    row = next(one for one in rows if one.arm == own[0])
    shown = {name: getattr(row, name) for name in ("delta", "low", "high", "resolvable")}
    return {"answer": answer, "true": tuned["auroc"] - scratch["auroc"]} | shown


def _fault(store: Store, run: Run, world: World) -> dict[str, Any]:
    """What was named, and whether it is the cause."""
    names: list[str] = []
    for one_run in looked_at(store, map(store.open, run.record.facts.children.values())):
        diagnosis = diagnosis_of(one_run)
        for one in diagnosis.findings if diagnosis else ():
            if one.severity != NOTE and one.check not in SYMPTOMS:
                names += list(one.evidence["signs"]) if one.check.startswith("unusual_") else [one.check]
    causes = NAMED[world.kind.name] if world.kind else ()
    return {"named": sorted(set(names)), "right": bool(set(names) & set(causes)) if world.kind else not names}


def _network(store: Store, report: InvestigationReport, scores: dict[str, Any]) -> dict[str, Any]:
    """Whether a network is truly better than the best simple model, and what is said."""
    arms = _study(store, report, "network")
    step = next((one for one in reversed(report.steps) if one.question == "network"), None)
    said = step.answer if step else "not asked"
    if not arms:
        return {"answer": said, "right": None}
    simple = next(run_id for name, run_id in arms.items() if name != "network")
    gains = {name: scores[arms["network"]][name] - scores[simple][name] for name in ("auroc", "hit_at_3")}
    needed = any(gain > MARGIN for gain in gains.values()) and all(gain > -MARGIN for gain in gains.values())
    return {"answer": said, "gains": gains, "needed": needed, "right": (said == "yes") == needed}


def _score(report: InvestigationReport, scores: dict[str, Any]) -> dict[str, Any]:
    """The true score of the recommended model, and whether its stated interval holds it."""
    if report.best is None:
        return {"right": None}
    best, true = report.best, scores[report.best.run_id][report.best.metric]
    stated = {"metric": best.metric, "expected": best.expected, "low": best.low, "high": best.high}
    return {"model": best.model, "true": true, "right": best.low <= true <= best.high} | stated


def right_sign(row: dict[str, Any]) -> bool | None:
    """Whether the sign of pre-training is right: named as it is, or not shown where the stated interval and size allow the truth."""
    own = row["pretraining"]
    if "true" not in own:
        return None
    if own["answer"] in ("helps", "hurts"):
        return (own["answer"] == "helps") == (own["true"] > 0)
    return abs(own["true"]) < own["resolvable"] and own["low"] <= own["true"] <= own["high"]


def show(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The table, misses named, and the counts."""
    for row in rows:
        own, score = row["pretraining"], row["score"]
        true = f"{own['true']:+.2f}" if "true" in own else "–"
        print(
            f"{row['name']}: pre-training {own['answer']} (true {true}), fault {'right' if row['fault']['right'] else 'wrong'} {row['fault']['named'][:4]}"
        )
        stated = f"{score.get('true', 0):.2f} in {score.get('low', 0):.2f}–{score.get('high', 0):.2f}"
        print(
            f"    network {row['network']['answer']} ({row['network']['right']}), score {stated} {score['right']}, {row['spent_s']:.0f} s"
        )
    large = [row for row in rows if abs(row["pretraining"].get("true", 0)) >= LARGE]
    faulty = [row for row in rows if "no fault" not in row["name"]]
    counts = {
        "worlds": len(rows),
        "sign wrong": sum(
            row["pretraining"]["answer"] in ("helps", "hurts") and right_sign(row) is False for row in rows
        ),
        "sign right or allowed": sum(right_sign(row) is True for row in rows),
        "large": len(large),
        "large named": sum(
            row["pretraining"]["answer"] in ("helps", "hurts") and bool(right_sign(row)) for row in large
        ),
        "fault named": f"{sum(row['fault']['right'] for row in faulty)} of {len(faulty)}",
        "none accused": f"{sum(row['fault']['right'] for row in rows if row not in faulty)} of {len(rows) - len(faulty)}",
        "network right": f"{sum(row['network']['right'] is True for row in rows)} of {len(rows)}",
        "score in its interval": f"{sum(row['score']['right'] is True for row in rows)} of {len(rows)}",
    }
    print(json.dumps(counts, indent=1))
    return counts


def main() -> None:
    """Carry out what is missing, count, and write the result."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, nargs="*", default=list(range(18)))
    arguments.add_argument("--budget", type=float, default=300.0)
    arguments.add_argument("--folder", type=Path, default=Path("artifacts/benchmark-investigations"))
    arguments.add_argument("--part", choices=tuple(PARTS), default="counted")
    arguments.add_argument(
        "--only", choices=("investigate", "count"), help="do the first part alone, or show what is there"
    )
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = given.folder / "rows.jsonl"
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.is_file() else []
    done = {row["world"] for row in rows}
    for world in worlds(given.part):
        if world.number in given.worlds and world.number not in done and given.only != "count":
            started = time.monotonic()
            if given.only == "investigate":
                investigated(given.folder, world, given.budget)
                continue
            rows.append(row_of(given.folder, world, given.budget))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"{world.name}: {time.monotonic() - started:.0f} s in all", flush=True)
    if not rows:
        return
    counts = show(rows)
    if given.part != "choosing":
        text = json.dumps({"budget_s": given.budget, "counts": counts, "rows": rows}, indent=1)
        name = "investigations.json" if given.part == "counted" else "investigations-again.json"
        (RESULTS / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
