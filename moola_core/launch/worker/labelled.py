"""What a spec names: the labelled windows, ready to be trained on or looked at, and the encoder that a run begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moola_core.errors import DataError
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.market.bars import Bars, load_bars
from moola_core.market.windows import Windows, bar_spans, load_windows
from moola_core.models.checkpoint import Pretrained, load_pretrained, put_weights
from moola_core.models.encoders import make_encoder
from moola_core.runs import source_fits
from moola_core.runs.checkpoints import resolve
from moola_core.runs.facts import Facts
from moola_core.runs.folds import place_columns
from moola_core.runs.store import Run
from moola_core.specs import Data, Features, Finetune
from moola_core.specs.aliases import STORED_SPLITS
from moola_core.training.fault_injection import inject_faults
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs


@dataclass(frozen=True, eq=False)
class Labelled:
    """The windows that take part, all windows, the bars if given, and what a model reads of the former: x [n, K, F]."""

    trainable: Windows
    all: Windows
    bars: Bars | None
    x: np.ndarray


def load_labelled(data: Data, features: Features, cache: Path | None = None) -> Labelled:
    """What the data gives; cache: a folder for the bars' matrix. Raises DataError, also when no window takes part."""
    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    windows = load_windows(data.windows, data.windows_reading, bars)
    trainable, left_out = windows.trainable(data.exclude_grades)
    if not len(trainable):
        raise DataError(
            f"all {left_out} windows are of a grade that is left out.",
            where=data.windows,
            hint="Leave out fewer: data.exclude_grades.",
        )
    return Labelled(trainable, windows, bars, window_matrix(trainable, features, bars, cache))


def check_unchanged(run: Run, hashes: Mapping[str, str]) -> None:
    """Raise DataError when an interrupted run would go on with other data than it began with."""
    before = run.record.data_hashes
    changed = [name for name, value in hashes.items() if before.get(name, value) != value]
    if changed:
        raise DataError(
            f"the {' and '.join(changed)} are not those that the run began with.",
            where=f"run {run.id}",
            hint="Put the old files back and resume it, or launch a new run.",
        )


def encoder_of(spec: Finetune, root: Path) -> Pretrained | None:
    """The encoder that fits of the spec begin with, in the store at `root`; None from scratch."""
    return next(_encoders(spec, root), None)


def starts_of(run: Run) -> tuple[Pretrained, ...]:
    """Every encoder that the run's fits begin with, in the order of `transfer.encoder_of`; none from scratch."""
    return tuple(_encoders(run.spec, run.store_root))


def _encoders(spec: Finetune, root: Path) -> Iterator[Pretrained]:
    for reference in spec.transfer.encoders:
        path = resolve(reference, root)
        yield load_pretrained(path, spec.transfer.encoder_name, source_fits.description_in(path))


def check_fit(start: Pretrained, spec: Finetune, features: tuple[str, ...]) -> None:
    """Raise CheckpointError, with the differences, when fits of the spec that read these features cannot begin with the encoder."""
    start.check_features(features)
    start.check_model(spec.model)
    put_weights(make_encoder(len(features), spec.model), start.weights, start.source)


def load_inputs(spec: Finetune, cache: Path) -> tuple[Labelled, Inputs, dict[str, str], Facts]:
    """The labelled windows, what training reads of them, the hashes of the data, and the facts of the windows."""
    material = load_labelled(spec.data, spec.features, cache)
    windows, bars = material.trainable, material.bars
    hashes = {"windows": windows.content_hash} | ({"bars": bars.content_hash} if bars is not None else {})
    labels, sizes = np.unique(windows.label.astype(str), return_counts=True)
    features = names(spec.features.columns)
    facts = Facts(
        windows=len(windows),
        left_out=len(material.all) - len(windows),
        window_bars=windows.bars,
        features=features,
        labels=dict(zip(labels.tolist(), sizes.tolist(), strict=True)),
    )
    inputs = inject_faults(inputs_of(windows, material.x, features), spec)
    return dataclasses.replace(material, x=inputs.x), inputs, hashes, facts


def inputs_of(windows: Windows, x: np.ndarray, features: tuple[str, ...]) -> Inputs:
    """The windows as training reads them, with what models read of them, x [n, K, F]."""
    series, first = bar_spans(windows)
    return Inputs(
        x, windows.label, windows.start, windows.end, windows.window_id, series, first, features, windows.prices
    )


def fold_columns(folds: Sequence[Fold], inputs: Inputs) -> dict[str, np.ndarray]:
    """The columns of folds.parquet; series, first and window_bars: which windows share bars."""
    rows = [
        (fold.repeat, fold.fold, i, STORED_SPLITS.get(role, role))
        for fold in folds
        for role in ("train", "validation", "test", "purged")
        for i in getattr(fold, role)
    ]
    repeat, number, index, role = (np.array(column) for column in zip(*rows, strict=True))
    return {
        "repeat": repeat,
        "fold": number,
        "window_id": inputs.window_id[index].astype(str),
        "role": role,
        **place_columns(inputs.shared, index),
    }
