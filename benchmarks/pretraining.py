"""Does pre-training help a model that works, which objective, by how much, and at how many labels?

Per set of windows (demo worlds `helpful` and `neutral`, a hand that labels the first of them, and your own windows, where pre-training leaves
out what each fold tests): the preset `network` without the span model's statistics, from scratch, from an encoder of each objective (schedule
full), and from the placebo of each. With fewer labels the same folds are tested and the same encoders used; training and validation windows
are thinned. Each objective is a study of its own, so that several can run at a time; the verdicts are corrected over all of a set (Holm).

    python benchmarks/pretraining.py [--windows FILE --bars FILE --tz ZONE] [--sets SET ...] [--objectives NAME ...]
        [--epochs 80] [--pretrain-epochs 20] [--repeats 3] [--market-bars 300000] [--folder DIR] [--processes 1] [--count]

One JSON line for each set, number of labels and objective. What is done is kept in the folder and goes on where it was when it is started again
with the same arguments; --count writes the lines of what is done.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from labellers import COUNTED, Hand, label
from models import windows_of

from moola_core import studies
from moola_core.launch import worker
from moola_core.launch.worker import compare
from moola_core.market.demo import Demo, make_demo, write_demo
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.specs import Arm, Study
from moola_core.specs.choices import OBJECTIVES

RESULT = Path(__file__).parent / "results" / "pretraining.jsonl"
WORLDS, MARKET_SEED, WINDOWS = ("helpful", "neutral"), 31, 174
HAND: Hand = COUNTED[2]  # the first of the hands that no choice was made on
SETS = (*WORLDS, "hand")
SCRATCH = studies.SCRATCH
METRICS = ("auroc", "f1_macro", "hit_at_3")
PLACEBO = "placebo"


def hand_made(demo: Demo) -> Demo:
    """The demo's bars with the windows that the hand labels."""
    bars = demo.bars.ohlc
    rng = np.random.default_rng(MARKET_SEED)
    firsts = rng.permutation(np.arange(0, len(bars) - 105, 105))
    return Demo(demo.bars, windows_of(label(bars, firsts, HAND, 2)), {})


def data_of(name: str, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The files of a set, and what pre-training may see of its labelled windows."""
    if name == "own":
        readings = {"windows_reading": {}, "bars_reading": {"tz": args.tz} if args.tz else {}}
        return {"windows": args.windows, "bars": args.bars} | readings, "per_fold"
    folder = Path(args.folder) / name
    if not (folder / "truth.json").exists():  # the last file that is written
        demo = make_demo("neutral" if name == "neutral" else "helpful", args.market_bars, WINDOWS, MARKET_SEED)
        write_demo(folder, hand_made(demo) if name == "hand" else demo)
    return {"windows": str(folder / "windows.parquet"), "bars": str(folder / "bars.parquet")}, "exclude"


def study_of(name: str, objective: str, args: argparse.Namespace) -> Study:
    """An objective and its placebo on one set, with the largest number of labels."""
    data, labelled = data_of(name, args)
    changes = {
        "epochs": args.epochs,
        "patience": max(8, args.epochs // 5),
        "repeats": args.repeats,
        "pretrain.epochs": args.pretrain_epochs,
        "pretrain.labelled": labelled,
        "pretrain.stride_bars": args.stride,
        "pretrain.batch_size": args.pretrain_batch,
        "training.train_size": max(args.labels) / WINDOWS,
    }
    base = studies.study("objectives", "network", data, changes)
    own = {"objective.name": objective}
    starts = {SCRATCH: None, objective: own, PLACEBO: own | {"sampling.shuffled": True}}
    arms = tuple(
        Arm(name=arm, changes={"transfer.schedule": "full" if start else "none"}, pretraining=start or {})
        for arm, start in starts.items()
    )
    return base.model_copy(update={"name": f"{name} {objective}", "arms": arms, "against": SCRATCH})


def thinned(run: Run, labels: int) -> Study:
    """The arms of a finished study from the same encoders, trained on fewer labels."""
    spec, store, arms = run.spec, Store(run.store_root), []
    for arm in run.result("comparison")["arms"]:
        own = store.open(arm["run_id"]).spec.transfer
        named = {f"transfer.{key}": value for key, value in own.model_dump().items() if key in COPIED}
        arms.append(Arm(name=arm["name"], changes=named | {"training.train_size": labels / WINDOWS}))
    return Study(name=f"{spec.name} {labels}", base=spec.base, arms=tuple(arms), against=SCRATCH)


COPIED = ("checkpoint", "more_checkpoints", "fold_checkpoints", "schedule")


def kept(spec: Study, store: Store) -> Run | None:
    """The run of the study, finished or not; None where it was not begun."""
    runs, wanted = (store.open(record.run_id) for record in store.runs("study")), spec.model_dump_json()
    return next((run for run in runs if run.spec.model_dump_json() == wanted), None)


def finished(spec: Study, store: Store) -> Run:
    """The study carried out; one of the same spec that was begun goes on."""
    run = kept(spec, store)
    if run is None:
        run = store.create(spec, name=spec.name)
        worker.run(run)
    elif run.record.state != "done":
        worker.resume(run)
    return run


def carry_out(args: argparse.Namespace, job: tuple[str, str]) -> tuple[str, str]:
    """The studies of one objective on one set, at all numbers of labels; gives back the job."""
    store = store_of(args)
    whole = finished(study_of(*job, args), store)
    for labels in args.labels:
        if labels != max(args.labels):
            finished(thinned(whole, labels), store)
    return job


def store_of(args: argparse.Namespace) -> Store:
    return Store(Path(args.folder) / "store")


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
        rows.append((*first, encoder.record.facts.train))
    value, trivial, windows = np.mean(rows, axis=0)
    return {"score": value, "without_learning": trivial, "windows": windows, "pretrainings": len(rows)}


def lines(name: str, labels: int, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the finished studies of a set say: next to scratch (Holm over the objectives), the placebos next to scratch, and the two of them."""
    store, runs, studied = store_of(args), {}, {}
    for objective in args.objectives:
        whole = kept(study_of(name, objective, args), store)
        if whole is None or whole.record.state != "done":
            continue
        run = whole if labels == max(args.labels) else kept(thinned(whole, labels), store)
        if run is None or run.record.state != "done":
            continue
        studied[objective] = whole
        for arm in run.result("comparison")["arms"]:
            runs[f"{PLACEBO} of {objective}" if arm["name"] == PLACEBO else arm["name"]] = store.open(arm["run_id"])
    if not studied:
        return
    placebos = {objective: f"{PLACEBO} of {objective}" for objective in studied}
    spec = next(iter(studied.values())).spec
    made = compare.build(name, runs, SCRATCH, spec.margin, spec.seed, placebos)
    metrics = {arm.name: {m: arm.metrics.get(m) for m in METRICS} for arm in made.arms}

    def verdicts(arm: str, against: str) -> dict[str, Any]:
        rows = [v for v in made.verdicts if (v.arm, v.against) == (arm, against) and v.metric in METRICS]
        return {v.metric: {"delta": v.delta, "low": v.low, "high": v.high, "verdict": v.verdict} for v in rows}

    for objective, placebo in placebos.items():
        yield {
            "set": name,
            "labels": labels,
            "objective": objective,
            "epochs": spec.base.training.epochs,
            "repeats": spec.base.training.repeats,
            "pretrain_epochs": studied[objective].spec.pretrain.training.epochs,
            "saw": made.saw,
            "device": runs[objective].record.device,
            "learned": learned(studied[objective], objective),
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
    parser.add_argument("--sets", nargs="+", choices=(*SETS, "own"))
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    parser.add_argument("--labels", type=int, nargs="+", default=(WINDOWS, 60))
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--pretrain-epochs", type=int, default=20)
    parser.add_argument("--pretrain-batch", type=int, default=64)
    parser.add_argument("--stride", type=int, default=26)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--market-bars", type=int, default=300_000)
    parser.add_argument("--processes", type=int, default=1, help="studies at a time")
    parser.add_argument("--count", action="store_true", help="only write the lines of what is done")
    parser.add_argument("--folder", default="artifacts/pretraining")
    parser.add_argument("--out", default=str(RESULT))
    args = parser.parse_args()
    sets = args.sets or (*SETS, *(["own"] if args.windows else []))
    jobs = [(name, objective) for name in sets for objective in args.objectives]
    for name in sets:
        data_of(name, args)
    if not args.count:
        store_of(args).runs()  # the index is made before several look
        with ProcessPoolExecutor(args.processes, multiprocessing.get_context("spawn")) as pool:
            for name, objective in pool.map(partial(carry_out, args), jobs):
                print(name, objective, "done", flush=True)
                if objective == args.objectives[-1]:  # the sets before it are written should the rest never end
                    _keep_lines(name, args)
        return
    for name in sets:
        _keep_lines(name, args)


def _keep_lines(name: str, args: argparse.Namespace) -> None:
    for labels in args.labels:
        for line in lines(name, labels, args):
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
