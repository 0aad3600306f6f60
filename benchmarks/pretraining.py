"""Does pre-training help a model that works, which objective, by how much, and at how many labels?

Per set of windows (demo worlds `helpful` and `neutral`, and your own windows where pre-training leaves out what each fold tests): the preset
`network` without the span model's statistics, from scratch, from an encoder of each objective (schedule full), and from the placebo of each.
With fewer labels the same folds are tested and the same encoders used; training and validation windows are thinned.

    python benchmarks/pretraining.py [--windows FILE --bars FILE --tz ZONE] [--sets SET ...] [--objectives NAME ...]
        [--epochs 80] [--pretrain-epochs 20] [--repeats 3] [--market-bars 100000] [--folder DIR]

One JSON line for each set, number of labels and objective. What is done is kept in the folder and goes on where it was when it is started again
with the same arguments.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moola_core import studies
from moola_core.launch import worker
from moola_core.launch.worker import compare
from moola_core.market.demo import make_demo, write_demo
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.specs import Arm, Study
from moola_core.specs.choices import OBJECTIVES

RESULT = Path(__file__).parent / "results" / "pretraining.jsonl"
WORLDS, MARKET_SEED, WINDOWS = ("helpful", "neutral"), 31, 174
LABELS = (174, 60)
SCRATCH = studies.SCRATCH
METRICS = ("auroc", "f1_macro", "hit_at_3")


def data_of(name: str, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The files of a set, and what pre-training may see of its labelled windows."""
    if name == "own":
        readings = {"windows_reading": {}, "bars_reading": {"tz": args.tz} if args.tz else {}}
        return {"windows": args.windows, "bars": args.bars} | readings, "per_fold"
    folder = Path(args.folder) / name
    if not (folder / "windows.parquet").exists():
        write_demo(folder, make_demo(name, bars=args.market_bars, windows=WINDOWS, seed=MARKET_SEED))
    return {"windows": str(folder / "windows.parquet"), "bars": str(folder / "bars.parquet")}, "exclude"


def twin(objective: str) -> str:
    return f"placebo of {objective}"


def study_of(name: str, args: argparse.Namespace) -> Study:
    """All objectives and their placebos on one set, with all labels."""
    data, labelled = data_of(name, args)
    changes = {
        "epochs": args.epochs,
        "patience": max(8, args.epochs // 5),
        "repeats": args.repeats,
        "pretrain.epochs": args.pretrain_epochs,
        "pretrain.labelled": labelled,
        "pretrain.stride_bars": args.stride,
        "pretrain.batch": args.pretrain_batch,
    }
    base = studies.study("objectives", "network", data, changes)
    arms = [Arm(name=SCRATCH, changes={"transfer.schedule": "none"})]
    for objective in args.objectives:
        own = {"objective.name": objective}
        arms.append(Arm(name=objective, changes={"transfer.schedule": "full"}, pretraining=own))
        shuffled = own | {"sampling.shuffled": True}
        arms.append(Arm(name=twin(objective), changes={"transfer.schedule": "full"}, pretraining=shuffled))
    return base.model_copy(update={"name": name, "arms": tuple(arms), "against": SCRATCH})


def thinned(run: Run, labels: int) -> Study:
    """The arms of a finished study from the same encoders, trained on fewer labels."""
    spec, store, arms = run.spec, Store(run.store_root), []
    for arm in run.result("comparison")["arms"]:
        own = store.open(arm["run_id"]).spec.transfer
        named = {f"transfer.{key}": value for key, value in own.model_dump().items() if key in COPIED}
        arms.append(Arm(name=arm["name"], changes=named | {"training.train_size": labels / WINDOWS}))
    return Study(name=f"{spec.name} {labels}", base=spec.base, arms=tuple(arms), against=SCRATCH)


COPIED = ("checkpoint", "more_checkpoints", "fold_checkpoints", "schedule")


def finished(spec: Study, store: Store) -> Run:
    """The study carried out; one of the same spec that was begun goes on."""
    for record in store.runs("study"):
        run = store.open(record.run_id)
        if run.spec == spec:
            if record.state != "done":
                worker.resume(run)
            return run
    run = store.create(spec, name=spec.name)
    worker.run(run)
    return run


def learned(run: Run, arm: str) -> dict[str, float]:
    """Means over the pre-trainings of an arm: the held-out score of their own task, that without learning, and the windows trained on."""
    store = Store(run.store_root)
    spec = store.open(next(row["run_id"] for row in run.result("comparison")["arms"] if row["name"] == arm)).spec
    rows = []
    for reference in spec.transfer.encoders:
        encoder = store.open(reference)
        result = encoder.result("learned")
        own = (result["masked_mae"], min(result["trivial"].values() or [0.0])) if result["trivial"] else None
        first = own or tuple(result["measures"][0][key] for key in ("value", "trivial"))
        rows.append((*first, encoder.record.counts["train"]))
    value, trivial, windows = np.mean(rows, axis=0)
    return {"score": value, "without_learning": trivial, "windows": windows, "pretrainings": len(rows)}


def lines(name: str, labels: int, run: Run, whole: Run, objectives: list[str]) -> Iterator[dict[str, Any]]:
    """What the study says of each objective: next to scratch (Holm over the objectives), its placebo next to scratch, and the two of them."""
    store, arms = Store(run.store_root), run.result("comparison")["arms"]
    runs = {arm["name"]: store.open(arm["run_id"]) for arm in arms}
    placebos = {objective: twin(objective) for objective in objectives if objective in runs and twin(objective) in runs}
    made = compare.build(name, runs, SCRATCH, (run.spec.margin, run.spec.seed), placebos)
    metrics = {arm.name: {m: arm.metrics.get(m) for m in METRICS} for arm in made.arms}

    def verdicts(arm: str, against: str) -> dict[str, Any]:
        rows = [v for v in made.verdicts if (v.arm, v.against) == (arm, against) and v.metric in METRICS]
        return {v.metric: {"delta": v.delta, "low": v.low, "high": v.high, "verdict": v.verdict} for v in rows}

    for objective, placebo in placebos.items():
        yield {
            "set": name,
            "labels": labels,
            "objective": objective,
            "epochs": run.spec.base.training.epochs,
            "repeats": run.spec.base.training.repeats,
            "pretrain_epochs": whole.spec.pretrain.training.epochs,
            "saw": made.saw,
            "learned": learned(whole, objective),
            "scores": {SCRATCH: metrics[SCRATCH], objective: metrics[objective], "placebo": metrics[placebo]},
            "against_scratch": verdicts(objective, SCRATCH),
            "placebo_against_scratch": verdicts(placebo, SCRATCH),
            "against_placebo": verdicts(objective, placebo),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows")
    parser.add_argument("--bars")
    parser.add_argument("--tz", default="")
    parser.add_argument("--sets", nargs="+", choices=(*WORLDS, "own"))
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--pretrain-epochs", type=int, default=20)
    parser.add_argument("--pretrain-batch", type=int, default=64)
    parser.add_argument("--stride", type=int, default=26)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--market-bars", type=int, default=100_000)
    parser.add_argument("--folder", default="artifacts/pretraining")
    parser.add_argument("--out", default=str(RESULT))
    args = parser.parse_args()
    store = Store(Path(args.folder) / "store")
    for name in args.sets or (*WORLDS, *(["own"] if args.windows else [])):
        started, whole = time.perf_counter(), finished(study_of(name, args), store)
        for labels in LABELS:
            run = whole if labels == WINDOWS else finished(thinned(whole, labels), store)
            for line in lines(name, labels, run, whole, args.objectives):
                line["seconds"] = time.perf_counter() - started
                _keep(Path(args.out), line)


def _keep(path: Path, line: dict[str, Any]) -> None:
    """Write the line in the place of an older one of the same cell, and print it."""
    cell = ("set", "labels", "objective", "epochs", "repeats", "pretrain_epochs")
    text = codec.dumps(line).replace("\n", " ")
    known = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [row for row in known if [json.loads(row)[key] for key in cell] != [line[key] for key in cell]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*kept, json.dumps(json.loads(text))]) + "\n", encoding="utf-8")
    auroc = line["against_scratch"].get("auroc") or {}
    print(
        line["set"],
        line["labels"],
        line["objective"],
        {key: round(v, 3) for key, v in auroc.items() if key != "verdict"},
    )


if __name__ == "__main__":
    main()
