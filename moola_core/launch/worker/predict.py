"""A run's models on new windows: the rows in predicted.parquet, the summary in results/predicted.json."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from moola_core.diagnostics.fitted import classes_of
from moola_core.diagnostics.predict import (
    Job,
    LabelledScores,
    NoveltyDetector,
    best_apart,
    combine,
    predict_batched,
    predict_sequential,
    stretches,
)
from moola_core.diagnostics.results import Expansion, Predicted
from moola_core.diagnostics.results.predictions import UNUSUAL_LEVEL
from moola_core.errors import DataError, RunError
from moola_core.features.matrix import bar_matrix, window_matrix
from moola_core.launch.worker.labelled import load_labelled
from moola_core.launch.worker.relay import EventWriter, ProgressCallback
from moola_core.market.bars import Bars, contains_break, load_bars, shares_bars
from moola_core.market.windows import Windows, load_windows, overlap
from moola_core.runs.facts import needed
from moola_core.runs.joined import parts_of
from moola_core.runs.predictions import STATED, UNUSUAL, is_class
from moola_core.runs.store import Run, Store
from moola_core.specs import Predict
from moola_core.training import processes
from moola_core.training.device import asking_device
from moola_core.training.pretraining.bar_windows import BarWindows

CHUNK = 1000
CARD_CHUNK = 10_000  # every fit's weights are read anew for each
FEW = 1500  # starting processes takes longer than asking so few windows


@dataclass(frozen=True, eq=False)
class PredictionRequest:
    """The windows to ask about: their features and prices, their first bars where they lie in bars, and the table's first columns."""

    x: np.ndarray
    prices: np.ndarray
    first: np.ndarray
    bars: Bars | None
    columns: dict[str, Any]


def work(run: Run, listen: ProgressCallback | None) -> None:
    """Ask the models as the spec says."""
    spec, started = run.spec, time.monotonic()
    about = Store(run.store_root).open(spec.run)
    if about.record.kind != "finetune" or about.record.state != "done":
        raise RunError(
            f"is a {about.record.kind} run that is {about.record.state}.",
            where=f"run {about.id}",
            hint="Give a fine-tuning run that is done.",
        )
    asked, columns = _predicted(run, about, listen)
    novelty, training = _novelty(run, about, asked)
    if novelty is not None:
        distance = novelty.distance(asked.x)
        columns |= {"distance": distance, "out_of_distribution": distance > novelty.threshold}
    run.write_table("predicted", asked.columns | columns)
    run.write_result("predicted", _summary(about, spec, asked, columns, training, time.monotonic() - started))


def _predicted(
    run: Run, about: Run, listen: ProgressCallback | None
) -> tuple[PredictionRequest, dict[str, np.ndarray]]:
    """The windows, and what the run's models predict of them: where it joins two runs, the classes of one and the expansions of the other."""
    ask = of_windows if run.spec.data.windows else of_bars
    parts = parts_of(about)
    if not parts:
        asked = ask(run, about)
        return asked, ensemble(run, about, asked, listen, LabelledScores(about))
    of_class, of_pointers = parts
    asked = ask(run, of_class)
    same = of_pointers.spec.features == of_class.spec.features
    classes = ensemble(run, of_class, asked, listen, None)
    other = asked if same else ask(run, of_pointers)
    pointers = ensemble(run, of_pointers, other, listen, LabelledScores(about))
    located = {"start_pred", "end_pred", "center_std", UNUSUAL} | (
        set() if is_class(STATED, classes_of(about)) else {STATED}
    )
    kept = {name: column for name, column in classes.items() if name not in located}
    return asked, kept | {name: column for name, column in pointers.items() if name in located}


def of_windows(run: Run, about: Run) -> PredictionRequest:
    """The windows of a file, labelled or not."""
    data, features = run.spec.data, about.spec.features
    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    windows = load_windows(data.windows, data.windows_reading, bars, labelled=False)
    _check_length(windows.bars, about, data.windows)
    columns = {"window_id": windows.window_id.astype(str), "label": windows.label.astype(str)}
    columns["start_time"] = windows.start_time
    x = window_matrix(windows, features, bars, run.store_root / "cache")
    return PredictionRequest(x, windows.prices, windows.position, bars, columns)


def of_bars(run: Run, about: Run) -> PredictionRequest:
    """Windows of the bars at the spec's stride; none spans a gap or a roll."""
    data, features = run.spec.data, about.spec.features
    bars, length = load_bars(data.bars, data.bars_reading), needed(about.record.facts.window_bars, "window_bars")
    first = np.arange(0, len(bars) - length + 1, run.spec.stride)
    first = first[~contains_break(bars.breaks, first, length)]
    if not len(first):
        raise DataError(
            f"no {length} bars in a row without a gap.", where=data.bars, hint="Give more bars, or a larger max_gap."
        )
    matrix = bar_matrix(bars, length, run.store_root / "cache") if features.state == "streaming" else None
    x = BarWindows(bars, matrix, features, length).raw(first).numpy()
    prices = sliding_window_view(bars.ohlc, length, axis=0)[first].transpose(0, 2, 1)
    return PredictionRequest(x, prices, first, bars, {"first_bar": first, "start_time": bars.time[first]})


def _check_length(length: int, about: Run, where: str) -> None:
    wanted = needed(about.record.facts.window_bars, "window_bars")
    if length != wanted:
        raise DataError(
            f"windows of {length} bars; the run's have {wanted}.", where=where, hint="Cut them to the same length."
        )


def ensemble(
    run: Run, about: Run, asked: PredictionRequest, listen: ProgressCallback | None, labelled: LabelledScores | None
) -> dict[str, np.ndarray]:
    """The combined predictions of the windows, with progress in the record of `run`."""
    x, prices = asked.x, asked.prices
    classes, length = classes_of(about), x.shape[1]
    device = asking_device(about.spec.training) if about.spec.is_network else "cpu"
    chunk = CHUNK if device == "cpu" else CARD_CHUNK
    jobs = [Job(about.folder, i, x[i : i + chunk], prices[i : i + chunk]) for i in range(0, len(x), chunk)]
    progress: dict[str, Any] = {"done": 0, "total": len(x), "epochs": 1, "unit": "windows"}
    relay, parts = EventWriter(run, progress, listen), []
    results = processes.process_map(predict_sequential, jobs, 1 if len(x) < FEW else 2)
    for part in results if device == "cpu" else map(partial(predict_batched, device=device), jobs):
        parts.append((part.first, combine(part, classes, length, labelled)))
        progress["done"] = min(progress["done"] + chunk, len(x))
        relay.beat()
    relay.flush()
    ordered = [columns for _, columns in sorted(parts, key=lambda part: part[0])]
    return {name: np.concatenate([columns[name] for columns in ordered]) for name in ordered[0]}


def _novelty(run: Run, about: Run, asked: PredictionRequest) -> tuple[NoveltyDetector | None, int]:
    """The out-of-distribution detector, and how many windows share bars with the run's own; a warning without its data."""
    try:
        material = load_labelled(about.spec.data, about.spec.features, run.store_root / "cache")
    except DataError as error:
        run.update(warnings=(*run.record.warnings, f"Out-of-distribution windows could not be detected: {error}"))
        return None, 0
    return NoveltyDetector(material.x, overlap(material.trainable)), _shared(about, material.trainable, asked)


def _shared(about: Run, kept: Windows, asked: PredictionRequest) -> int:
    if asked.bars is None:
        known = set(kept.window_id.astype(str))
        return sum(name in known for name in asked.columns["window_id"])
    spec = about.spec.data
    located = load_windows(spec.windows, spec.windows_reading, asked.bars).position
    inside = asked.first[asked.first >= 0]
    return int(shares_bars(inside, kept.bars, np.sort(located[located >= 0]), kept.bars).sum())


def _summary(
    about: Run, spec: Predict, asked: PredictionRequest, columns: dict[str, np.ndarray], training: int, seconds: float
) -> Predicted:
    classes, over_bars = classes_of(about), not spec.data.windows
    predicted = columns.get("predicted")
    counts = {} if predicted is None else {name: int((predicted == name).sum()) for name in classes}
    return Predicted(
        classes,
        len(asked.x),
        len(about.replicates()),
        asked.x.shape[1],
        counts,
        float(columns["agreement"].mean()) if "agreement" in columns else None,
        int(columns["out_of_distribution"].sum()) if "out_of_distribution" in columns else None,
        training,
        over_bars,
        spec.stride,
        seconds,
        _expansions(asked, columns, classes) if over_bars else (),
        int((columns[UNUSUAL] <= UNUSUAL_LEVEL).sum()) if UNUSUAL in columns else None,
    )


def _expansions(
    asked: PredictionRequest, columns: dict[str, np.ndarray], classes: tuple[str, ...]
) -> tuple[Expansion, ...]:
    if "start_pred" not in columns or "predicted" not in columns or asked.bars is None:
        return ()
    span = np.stack([columns["start_pred"], columns["end_pred"]], axis=1)
    probability = np.stack([columns[f"p_{name}"] for name in classes], axis=1)
    times, bars = asked.bars.time, len(asked.bars)
    stated = None if is_class(STATED, classes) else columns.get(STATED)
    length = asked.x.shape[1]
    rows: list[tuple[Any, ...]]
    if stated is None:
        rows = list(stretches(asked.first, span, probability, length, bars))
    else:
        unusual = columns.get(UNUSUAL)
        best = best_apart(asked.first, span, stated, probability, length)
        rows = [(*row, None if unusual is None else float(unusual[i])) for *row, i in best]
    return tuple(
        Expansion(a, b, str(times[a])[:19], str(times[b])[:19], classes[label], *rest) for a, b, label, *rest in rows
    )
