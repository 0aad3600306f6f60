"""A small dataset and run folders made by hand, for the tests of charts, ui, pages and the app in a browser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from moola_core import studies
from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.correlation import Permutations, feature_report, with_expectations
from moola_core.diagnostics.doctor import Case, examine
from moola_core.diagnostics.doctor.conclusions import sentence
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.gates import contradictions, gates
from moola_core.diagnostics.pointing import pointing
from moola_core.diagnostics.results import (
    ArmFacts,
    Attribution,
    Balance,
    BestTrial,
    Comparison,
    Decision,
    Diagnosis,
    Difference,
    Expansion,
    FeatureError,
    FeatureReport,
    Interval,
    LabelCurve,
    LayerChange,
    NotJudged,
    PlanReport,
    Predicted,
    PretrainReport,
    Probe,
    ProbeGap,
    ProbeScore,
    Rank,
    Reconstruction,
    Sampled,
    SearchResult,
    Selection,
    Shift,
    TaskBalance,
    Transferred,
    Trial,
    Verdict,
    WindowDifference,
)
from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain, UsualScore
from moola_core.diagnostics.results.vitals import VitalSign
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.diagnostics.shift import shift
from moola_core.diagnostics.slices import errors
from moola_core.features.catalog import names
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.windows import load_windows
from moola_core.models.checkpoint import weights_of
from moola_core.models.encoders import make_encoder
from moola_core.overlap import Overlap
from moola_core.presets import preset
from moola_core.runs.facts import Facts, ReadLabels
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Diagnose, Investigation, Plan, Predict, change
from tests.investigation_samples import make_investigation

CLASSES = ("consolidation", "retracement")
FOLDS, REPEATS, EPOCHS = 5, 2, 4
WITHOUT_TRAINING = "this model is not trained by steps of gradient descent."
# Facts in which the doctor finds something.
FACTS = {
    "outputs": 3,
    "n_classes": 2,
    "n_windows": 60,
    "fold_largest_share": [1.0] * 5,
    "shared_bars_share": 0.2,
    "folds_mind_bars": False,
    "shared_bars_windows": ["demo_0001"],
    "gradient_ratio": 0.01,
}


def make_data(folder: Path, name: str = "demo", seed: int = 3) -> Path:
    """A demo market of 60 trainable windows under `folder`/`name`; returns the file of windows."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, content in _demo(seed).items():
        (folder / name / file).write_bytes(content)
    return folder / name / "windows.parquet"


@cache
def _demo(seed: int) -> dict[str, bytes]:
    """The files of a demo market by their names, made once."""
    with TemporaryDirectory() as folder:
        write_demo(Path(folder), make_demo("helpful", bars=20_000, windows=60, seed=seed))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def make_diagnosis(run: Run) -> Diagnosis:
    """What the doctor says of a run with findings, one unusual vital sign and one weak part of the windows."""
    ids = tuple(run.predictions["window_id"].astype(str).unique()[:12])
    words = {"reason": "Rows were filled down.", "advice": "Look at the rows in their order.", "windows": ids}
    signs = (
        VitalSign(
            "flat", "data", "Bars that do not move", "%", 41.0, 0.0, 9.5, 1.0, 4.2, True, detail="12 windows", **words
        ),
        VitalSign("runs", "labels", "Runs of one class", "", 0.4, -4.0, 5.0, 0.5, 0.1, False, detail="", **words),
    )
    slices = (
        WeakSlice("grade B", "class", 12, 0.49, 0.8, 0.003, ids),
        WeakSlice("Mondays", "pointer", 14, 6.0, 5.5, 0.7, ids),
    )
    planted = change(run.spec, {"faults.extra_output": 1})
    made = examine(Case("finetune", FACTS, planted, run.id))
    unmeasured = (NotJudged("gradient_size", "No step was recorded."),)
    return replace(made, vitals=signs, slices=slices, unmeasured=unmeasured, experiments=make_experiments())


def make_experiments() -> Experiments:
    """Two settings that differ from a preset's, one of which restores most of the score, and one that there was no time for."""
    both = {"training.learning_rate": [0.2, 0.005], "model.hidden": [4, 32]}
    gain = MetricGain("auroc", 0.61, 0.82, Interval(0.21, 0.09, 0.33))
    some = MetricGain("auroc", 0.61, 0.79, Interval(0.18, 0.05, 0.31))
    first = {"training.learning_rate": both["training.learning_rate"]}
    tried = (
        Experiment("all settings that differ", both, "20260101-000000-000-aaaa", (gain,), Interval(0.82, 0.74, 0.9)),
        Experiment("training.learning_rate", first, "20260101-000000-000-bbbb", (some,), Interval(0.79, 0.7, 0.88)),
        Experiment(
            "the settings of quick and no others",
            {},
            "20260101-000000-000-cccc",
            (),
            Interval(0.8, 0.74, 0.86),
            where="a demo market",
            usual=Interval(0.81, 0.72, 0.89),
            pointers=(UsualScore("center_mae_bars", 15.3, Interval(15.4, 14.5, 16.4)),),
        ),
    )
    own = Experiments(
        "quick", both, tried, ("training.learning_rate",), 0.86, "auroc", 24.0, 300.0, ("a demo market",), ""
    )
    return replace(own, conclusion=sentence(own))


CLASS_ALONE = Sampled(Interval(0.51, 0.47, 0.55), (), 60.0)  # macro F1 of the class alone in the sample plans


def make_everything(root: Path, windows: Path) -> dict[str, Run]:
    """A run with findings and an attribution, an arm of a study, the study, a plan, a shift and an encoder, all of the windows."""
    run, arm = make_run(root, windows, name="Mine"), make_run(root, windows, name="An arm")
    run.write_result("doctor", make_diagnosis(run))
    store, data = Store(root), run.spec.data
    study = store.create(studies.study("transfer", "quick", data.model_dump()), name="transfer")
    arm.update(parent=study.id)
    compared = make_comparison()
    compared = replace(compared, arms=tuple(replace(one, run_id=arm.id) for one in compared.arms))
    plan = store.create(Plan(preset="quick", data=data), name="plan")
    step = Decision(
        "transfer", "ran", "Does pre-training help?", "undecided.", "", study.id, "a rule", run.record.created
    )
    asked = store.create(Investigation(preset="quick", data=data), name="investigation")
    found = {
        "investigation": (asked, make_investigation(study.id, arm.id)),
        "comparison": (study, compared),
        "plan": (plan, PlanReport((step,), gates(CLASS_ALONE, "undecided"), contradictions())),
        "attribution": (store.create(Diagnose(name="attribution", run=run.id), parent=run.id), make_attribution()),
        "shift": (store.create(Diagnose(name="shift", data=data)), make_shift()),
    }
    for name, (one, result) in found.items():
        one.write_result(name, result)
        one.update(state="done")
    return {name: one for name, (one, _) in found.items()} | {
        "run": run,
        "arm": arm,
        "encoder": make_pretraining(root, windows),
    }


def make_run(root: Path, windows: Path, state: str = "done", name: str = "A run", constant: bool = False) -> Run:
    """A run folder on the file of windows, in any end state; `constant` answers one class in every window."""
    files = {"data.windows": str(windows), "data.bars": str(windows.with_name("bars.parquet"))}
    run = Store(root).create(change(preset("quick").finetune(), files), name=name, note="by hand", tags=("made",))
    if state == "queued":
        return run
    run.update(state="running", started=run.record.created, progress={"done": 3, "total": FOLDS * REPEATS})
    run.append_events(epoch_events())
    if state == "failed":
        run.update(state="failed", error="the card went away: [cuda:0] $lost", ended=run.record.created, seconds=3.0)
        (run.folder / "log.txt").write_text("Traceback: the card went away\n")
    if state == "done":
        _finish(run, windows, constant)
    return run


_MEASURED: dict[tuple[bytes, Any], tuple[Any, dict[str, Any]]] = {}


def _once(windows: Path, how: Any, make: Callable[[], tuple[Any, dict[str, Any]]]) -> tuple[Any, dict[str, Any]]:
    """What `make` gives: made once for each content of a file of windows, wherever it lies."""
    key = hashlib.sha256(windows.read_bytes()).digest(), how
    if key not in _MEASURED:
        _MEASURED[key] = make()
    return _MEASURED[key]


def _measured(windows: Path, constant: bool) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Predictions of the windows, and what is measured of them."""
    predictions = make_predictions(windows, constant)
    return predictions, {
        "evaluation": evaluate(predictions, 105, {0: 0.9, 1: 0.95}),
        "calibration": calibrations(predictions),
        "pointing": pointing(predictions),
        "errors": errors(predictions, load_windows(windows)),
    }


def _finish(run: Run, windows: Path, constant: bool) -> None:
    predictions, found = _once(windows, constant, partial(_measured, windows, constant))
    run.write_table("predictions", {name: predictions[name].to_numpy() for name in predictions})
    run.write_table("steps", step_columns())
    for name, result in found.items():
        run.write_result(name, result)
    run.write_result("transfer", make_transfer() if not constant else {"why_not": "no transfer to look at."})
    run.write_result("balance", make_balance() if not constant else {"why_not": "only one task was trained."})
    done = FOLDS * REPEATS
    run.update(
        state="done", progress={"done": done, "total": done}, ended=run.record.created, seconds=12.0, device="cpu"
    )


def make_span_run(root: Path, windows: Path, name: str = "Spans") -> Run:
    """A finished run of `locate_then_classify`, with the tables of its spans."""
    files = {"data.windows": str(windows), "data.bars": str(windows.with_name("bars.parquet"))}
    spec = change(preset("recommended").finetune(), files | {"training.repeats": REPEATS})
    run = Store(root).create(spec, name=name)
    tables, measured = _once(windows, "spans", partial(_of_spans, windows))
    for table, rows in tables.items():
        run.write_table(table, {column: rows[column].to_numpy() for column in rows})
    for result, value in measured.items():
        run.write_result(result, value)
    facts = Facts(label_noise=ReadLabels((0.5, 1.0), (0.02, 0.05)))
    run.update(state="done", ended=run.record.created, seconds=9.0, device="cpu", facts=facts)
    return run


def _of_spans(windows: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Tables of predictions that state a probability of each span, and what is measured of them."""
    predictions = make_predictions(windows)
    predictions[["start_pred", "end_pred"]] = predictions[["start_pred", "end_pred"]].round()
    close = (predictions["start_pred"] - predictions["start_true"]).abs() <= 3
    predictions["p_span"] = np.where(close, 0.8, 0.4)
    return {"predictions": predictions, **span_tables(predictions)}, {
        "evaluation": evaluate(predictions, 105),
        "calibration": calibrations(predictions),
        "pointing": pointing(predictions),
        "errors": errors(predictions, load_windows(windows)),
        "balance": {"why_not": WITHOUT_TRAINING},
        "transfer": {"why_not": WITHOUT_TRAINING},
    }


def span_tables(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of each prediction two spans, the predicted one and one 20 bars earlier, and the probabilities of the bars that follow from them."""
    keys, bars = ["repeat", "fold", "window_id"], np.arange(105)
    best = predictions[keys].assign(start=predictions["start_pred"], end=predictions["end_pred"])
    best = best.assign(rank=0, p=predictions["p_span"])
    other = best.assign(rank=1, start=best["start"] - 20, end=best["end"] - 20, p=1 - best["p"])
    spans = pd.concat([best, other], ignore_index=True).astype({"start": int, "end": int})
    parts = []
    for (repeat, fold, window_id), rows in spans.groupby(keys):
        start, end, p = (rows[name].to_numpy()[:, None] for name in ("start", "end", "p"))
        scores = {"p_start": start == bars, "p_end": end == bars, "p_inside": (start <= bars) & (bars <= end)}
        columns = {name: (p * where).sum(0) for name, where in scores.items()}
        parts.append(pd.DataFrame({"repeat": repeat, "fold": fold, "window_id": window_id, "bar": bars, **columns}))
    return {"per_bar": pd.concat(parts, ignore_index=True), "spans": spans}


def make_transfer() -> Transferred:
    """An encoder that a probe reads better than random weights, changed more in its second layer."""
    names = {"pre-trained": 0.8, "random weights": 0.6, "raw features": 0.7, "fine-tuned": 0.82}
    scores = tuple(
        ProbeScore(name, value, 0.01, (value - 0.01, value + 0.01), Interval(value, value - 0.08, value + 0.08))
        for name, value in names.items()
    )
    gaps = tuple(
        ProbeGap(a, b, Interval(names[a] - names[b], names[a] - names[b] - 0.1, names[a] - names[b] + 0.1))
        for a, b in permutations(names, 2)
    )
    layers = (LayerChange(1, 0.97, 0.95, 0.99, 0.6, 0.02), LayerChange(2, 0.90, 0.85, 0.95, 0.5, 0.05))
    return Transferred("20260101-000000-000-0000", "full", Probe(60, scores, gaps), {"pre-trained": -0.6}, layers)


def make_predicted(run: Run, bars: Path | None = None) -> Run:
    """What the run's models said: of the bars every 20 of them, in two expansions, or of its own windows."""
    data = Data(bars=str(bars)) if bars else Data(windows=run.spec.data.windows)
    child = Store(run.store_root).create(Predict(run=run.id, data=data, stride=20), parent=run.id)
    generator, n = np.random.default_rng(11), 60
    likely = generator.uniform(0.5, 1, n)
    answer = np.array(CLASSES)[np.arange(n) % 2]
    p = {f"p_{name}": np.where(answer == name, likely, 1 - likely) for name in CLASSES}
    named = {"first_bar": np.arange(n) * 20} if bars else {"window_id": [f"w{i}" for i in range(n)]}
    named["start_time"] = np.datetime64("2026-01-05T09:00", "ns") + np.arange(n) * np.timedelta64(20, "m")
    pointers = {
        "start_pred": np.full(n, 40.0),
        "end_pred": np.full(n, 60.0),
        "out_of_distribution": np.arange(n) % 5 == 0,
    }
    stated = {} if run.spec.is_network else {"p_span": likely}
    child.write_table("predicted", {**named, **p, "predicted": answer, "agreement": likely, **pointers, **stated})
    found = tuple(
        Expansion(a, a + 20, "2026-01-05T10:00:00", "2026-01-05T10:20:00", name, 0.8, 0.7, *((q, u) if stated else ()))
        for a, name, q, u in zip((200, 700), CLASSES, (0.95, 0.6), (0.4, 0.03), strict=True)
    )
    counts = dict.fromkeys(CLASSES, n // 2)
    result = Predicted(CLASSES, n, 10, 105, counts, 0.8, 12, 5, bars is not None, 20, 1.0, found if bars else ())
    child.write_result("predicted", result)
    child.update(state="done")
    return child


def make_balance() -> Balance:
    """A balance in which the pointer task gets almost no gradient."""
    tasks = (
        TaskBalance("class", 0.7, 0.3, 0.6, 1.0, 0.98, 0.8),
        TaskBalance("pointer", 0.02, 0.005, 0.005, 1.0, 0.95, 0.004),
    )
    counts = np.arange(20)
    return Balance(
        "uncertainty",
        tasks,
        0.97,
        (0.5, 2.0),
        0.12,
        0.005,
        np.linspace(-1, 1, 21),
        counts,
        190,
        400,
        0.5,
        0.0,
        False,
        0.0,
        11776,
    )


def make_features(windows: Path) -> FeatureReport:
    """Three features beside the labels of the file of windows."""
    table = load_windows(windows).trainable(("D",))[0]
    x = np.random.default_rng(4).normal(size=(len(table), 20, 3)).astype(np.float32)
    x[:, :, 2] = 0.0
    x[:, :, 0] += (table.label == CLASSES[0])[:, None]
    names = ("consol_proxy", "range_z", "body_pct")
    return with_expectations(
        feature_report(x, table.label, table.start, names, Overlap.none(len(table)), Permutations(200))
    )


def make_attribution() -> Attribution:
    """Two features' contributions to two outputs in 30 windows."""
    values = np.random.default_rng(8).normal(size=(30, 2, 2)) * [[1.0], [0.3]]
    names, outputs = ("consol_proxy", "range_z"), ("logit of retracement over consolidation", "center, bars")
    sizes = np.abs(values).mean(0)
    ranking = tuple(
        Rank(name, output, float(sizes[i, k]), (float(sizes[i, k]) * 0.9, float(sizes[i, k]) * 1.1), i + 1)
        for k, output in enumerate(outputs)
        for i, name in enumerate(names)
    )
    ids = tuple(f"demo_{i:04d}" for i in range(30))
    level = np.random.default_rng(9).normal(size=(30, 2))
    course = np.random.default_rng(10).uniform(size=(2, 105, 2))
    return Attribution(
        1, ids, names, outputs, values, np.zeros((30, 2)), values.sum(1), level, ranking, 1e-7, names, course
    )


@cache
@cache
def make_shift() -> Shift:
    """Labelled windows that can be told from the other bars by one feature."""
    generator = np.random.default_rng(6)
    labelled, others = generator.normal(size=(60, 30, 2)), generator.normal(size=(100, 30, 2))
    labelled[:, :, 0] += 0.6
    names = np.array([f"demo_{i:04d}" for i in range(60)])
    with patch.multiple("moola_core.diagnostics.shift", DRAWS=50, NULL_DRAWS=10):
        return shift(
            labelled, names, Overlap.none(60), ("consol_proxy", "range_z"), {"bars": others, "left_out": others[:40]}
        )


def make_learned() -> PretrainReport:
    """What a pre-training run of two features left."""
    rows = tuple(FeatureError(name, "ATR", 0.2, 0.2, 0.4, 0.5, 0.0) for name in ("close_norm", "range_z"))
    generator = np.random.default_rng(3)
    truth, guess = generator.normal(size=(2, 12, 2))
    hidden = (np.arange(12) >= 5) & (np.arange(12) < 10)
    probe = Probe(
        60,
        (
            ProbeScore("pre-trained", 0.7, 0.1, (0.6, 0.8), Interval(0.7, 0.55, 0.85)),
            ProbeScore("random weights", 0.6, 0.1, (0.5, 0.7), Interval(0.6, 0.45, 0.75)),
        ),
        (ProbeGap("pre-trained", "random weights", Interval(0.1, -0.05, 0.25)),),
    )
    counts = {"in_bars": 300, "over_gaps": 20, "labelled": 60, "between": 2, "train": 200, "valid": 18}
    examples = (Reconstruction("2024-01-02T10:00:00", truth, guess, hidden),)
    trivial = {"feature_mean": 0.4, "carry_forward": 0.5}
    return PretrainReport(
        "masked", 3, rows, 0.2, 0.2, trivial, 0.0, (), examples, probe, counts, Interval(0.2, 0.15, 0.25)
    )


def make_pretraining(root: Path, windows: Path, result: PretrainReport | None = None) -> Run:
    """A finished pre-training run on the bars beside the file of windows."""
    files = {"data.bars": str(windows.with_name("bars.parquet")), "data.windows": str(windows)}
    run = Store(root).create(change(preset("quick").pretrain(), files), name="Pre-trained")
    for epoch in range(1, EPOCHS + 1):
        for split in ("train", "valid"):
            run.append_events(
                [{"type": "epoch", "epoch": epoch, "split": split, "values": {"loss": 1 / epoch, "lr": 1e-3}}]
            )
    columns = names(run.spec.features.columns)
    encoder = make_encoder(len(columns), run.spec.model)
    run.write_checkpoint(
        "best",
        {f"encoder.{name}": array for name, array in weights_of(encoder).items()},
        {"features": list(columns), "spec": run.spec.model_dump(mode="json")},
    )
    found = result or make_learned()
    run.write_result("learned", found)
    run.update(
        state="done",
        seconds=9.0,
        facts=Facts(**found.counts),
        progress={"done": 10, "total": 10, "unit": "epochs"},
        device="cpu",
        started=run.record.created,
        ended=run.record.created,
    )
    return run


def make_predictions(windows: Path, constant: bool = False) -> pd.DataFrame:
    """Out-of-fold predictions of the windows that are not of grade D, right in about two of three."""
    table = pd.read_parquet(windows)
    table = table[table["grade"] != "D"]
    generator = np.random.default_rng(5)
    parts = []
    for repeat in range(REPEATS):
        truth = (table["label"] == CLASSES[1]).to_numpy(float)
        p = np.clip(0.5 + 0.25 * (2 * truth - 1) + generator.normal(0, 0.3, len(table)), 0.02, 0.98)
        p = np.full(len(table), 0.9) if constant else p
        off = generator.normal(0, 6, len(table))
        parts.append(
            pd.DataFrame(
                {
                    "repeat": repeat,
                    "fold": generator.permutation(len(table)) % FOLDS,
                    "window_id": table["window_id"].astype(str).to_numpy(),
                    "label": table["label"].to_numpy(),
                    "predicted": np.where(p > 0.5, CLASSES[1], CLASSES[0]),
                    "p_consolidation": 1 - p,
                    "p_retracement": p,
                    "start_true": table["expansion_start"].to_numpy(float),
                    "end_true": table["expansion_end"].to_numpy(float),
                    "start_pred": table["expansion_start"].to_numpy(float) + off,
                    "end_pred": table["expansion_end"].to_numpy(float) + off,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def epoch_events() -> list[dict]:
    """What training says of every fit's epochs."""
    events: list[dict] = []
    for repeat in range(REPEATS):
        for fold in range(FOLDS):
            place = {"repeat": repeat, "fold": fold, "epoch": None, "split": None}
            events.append({"type": "replicate_started", **place, "values": {"train": 38, "test": 12}})
            for epoch in range(1, EPOCHS + 1):
                values = {"loss": 1 / epoch, "loss_class": 0.7 / epoch, "loss_pointer": 0.02 / epoch}
                sigma = {"sigma_class": 1.0 + 0.01 * epoch, "sigma_pointer": 1.0 - 0.01 * epoch, "lr": 0.005}
                at = {"repeat": repeat, "fold": fold, "epoch": epoch}
                events.append({"type": "epoch", **at, "split": "train", "values": values | sigma})
                events.append({"type": "epoch", **at, "split": "validation", "values": values})
                if epoch % 2 == 0:
                    events.append({"type": "monitor", **at, "split": "validation", "values": monitored_values(epoch)})
            events.append({"type": "replicate_finished", **place, "values": {"seconds": 1.25, "best_epoch": 3}})
    return events


def monitored_values(epoch: int) -> dict[str, Any]:
    """What a fit says of its validation windows after an epoch."""
    values = {"f1_macro": 0.4 + 0.05 * epoch, "recall": dict(zip(CLASSES, (0.5, 0.6), strict=True)), "aucpr": 0.55}
    values |= {"ece": 0.2 - 0.01 * epoch, "center_mae_bars": 9.0 - epoch, "length_mae_bars": 12.0, "hit_at_3": None}
    return values | {"sigma_ratio": 0.97, "conflict_rate": 0.5, "projection_rate": 0.25}


def step_columns() -> dict[str, np.ndarray]:
    """Columns of steps.parquet: conflict measured in every second step."""
    repeat, fold, epoch, step = (
        part.ravel()
        for part in np.meshgrid(range(REPEATS), range(FOLDS), range(1, EPOCHS + 1), range(2), indexing="ij")
    )
    conflict = np.where(step == 0, (fold % 2).astype(float), np.nan)
    return {
        "repeat": repeat,
        "fold": fold,
        "epoch": epoch,
        "step": step,
        "conflict": conflict,
        "projected": np.where(step == 0, 0.0, np.nan),
    }


def make_comparison() -> Comparison:
    """A transfer study in which full helps, frozen hurts, gradual is undecided, and a simple model wins."""
    scores = {"from scratch": 0.52, "frozen": 0.40, "gradual": 0.54, "full": 0.66, "logistic on aggregates": 0.75}
    arms = tuple(
        ArmFacts(
            name,
            f"20260101-000000-000-000{i}",
            "logistic" if "logistic" in name else "network",
            {
                "f1_macro": value,
                "auroc": value,
                "recall": {"consolidation": value, "retracement": value},
                "center_mae_bars": 16.0,
            },
            (value - 0.01, value + 0.01),
            9_000 + i,
            12.0,
            20.0,
            10,
            30.0,
            "done",
        )
        for i, (name, value) in enumerate(scores.items())
    )
    words = {"frozen": "hurts", "gradual": "undecided", "full": "helps", "logistic on aggregates": "helps"}
    verdicts = tuple(
        make_verdict(name, metric, better, word, scores[name] - 0.52)
        for metric, better in (
            ("auroc", "higher"),
            ("f1_macro", "higher"),
            ("ece", "lower"),
            ("recall consolidation", "higher"),
        )
        for name, word in words.items()
    )
    pair = make_verdict("logistic on aggregates", "auroc", "higher", "helps", 0.09)
    verdicts += (replace(pair, against="full", low=0.02, high=0.16, p_helps=0.99, p_hurts=0.01, p=0.01, p_holm=0.01),)
    gains = tuple(WindowDifference(f"demo_{i:04d}", CLASSES[i % 2], 0.5 - i / 20, 1.0) for i in range(20))
    differs = (Difference("transfer.schedule", {name: name for name in list(scores)[:4]}),)
    return Comparison(
        "transfer",
        "from scratch",
        60,
        60,
        2,
        arms,
        verdicts,
        differs,
        dict.fromkeys(words, gains),
        "A simple model beats every network: logistic on aggregates reaches 0.750, the best network 0.660.",
        ("logistic on aggregates",),
        "",
        LabelCurve((35, 70, 139), ((0.4, 0.5), (0.5, 0.6), (0.6, 0.7)), ((139, 0.65, 0.6, 0.7), (278, 0.7, 0.6, 0.8))),
        Selection("f1_macro", "logistic on aggregates", 0.75, Interval(0.7, 0.6, 0.8), dict.fromkeys(scores, 0.2)),
    )


def make_search(run_id: str = "20260101-000000-000-0000", word: str = "helps", delta: float = 0.1) -> SearchResult:
    """A search of five trials: the second came out on top, one was pruned and one failed. word, delta: of its verdict."""
    rows = ((0.3, "complete", 0.55), (0.12345, "complete", 0.65), (0.6, "pruned", None), (0.9, "failed", None))
    reasons = {"pruned": "It was pruned after 3 of 10 fits.", "failed": "The loss is not a number."}
    trials = tuple(
        Trial(i, {"model.dropout": value}, run_id, state, score, 4.0 + i, (0.5, 0.52), reasons.get(state, ""))
        for i, (value, state, score) in enumerate((*rows, (0.2, "complete", 0.6)))
    )
    best = BestTrial(1, run_id, "network", {"model.dropout": 0.12345}, "f1_macro", 0.65, 0.6, 0.5, 0.7, 3, 0.71)
    verdict = replace(make_verdict("1", "f1_macro", "higher", word, delta), against="0", decides=False)
    return SearchResult("f1_macro", trials, best, verdict, 2, "All 5 trials were made.", 31.0)


def make_verdict(arm: str, metric: str, better: str, word: str, delta: float) -> Verdict:
    """A verdict against training from scratch, with an interval of ±0.04; 400 labels would settle an undecided one."""
    return Verdict(
        arm=arm,
        against="from scratch",
        metric=metric,
        better=better,
        delta=delta,
        low=delta - 0.04,
        high=delta + 0.04,
        level=0.95,
        verdict=word,
        p_helps=0.9,
        p_hurts=0.03,
        p=0.04,
        p_holm=0.05,
        resolvable=0.11,
        margin=0.02,
        labels_needed=400 if word == "undecided" else None,
        repeats_needed=None,
        p_within=0.07,
        equivalence=0.04,
        pretraining_share=0.2,
        decides=metric == "auroc",
        together_low=delta - 0.05,
        together_high=delta + 0.05,
    )
