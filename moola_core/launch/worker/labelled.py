"""What a spec names: the labelled windows, ready to be trained on or looked at, and the encoder that a run begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moola_core.errors import DataError
from moola_core.features.matrix import window_matrix
from moola_core.market.bars import Bars, load_bars
from moola_core.market.windows import Windows, load_windows
from moola_core.models.checkpoint import Pretrained, load_pretrained
from moola_core.runs.checkpoints import resolve
from moola_core.runs.store import Run
from moola_core.specs import Data, Features


@dataclass(frozen=True, eq=False)
class Labelled:
    """The windows that take part, all windows, the bars if given, and what a model reads of the former: x [n, K, F]."""

    kept: Windows
    every: Windows
    bars: Bars | None
    x: np.ndarray


def load_labelled(data: Data, features: Features, cache: Path | None = None) -> Labelled:
    """What the data gives; cache: a folder for the bars' matrix. Raises DataError, also when no window takes part."""
    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    every = load_windows(data.windows, data.windows_reading, bars)
    kept, left_out = every.trainable(data.grades_left_out)
    if not len(kept):
        raise DataError(
            f"all {left_out} windows are of a grade that is left out.",
            where=data.windows,
            mend="Leave out fewer: data.grades_left_out.",
        )
    return Labelled(kept, every, bars, window_matrix(kept, features, bars, cache))


def start_of(run: Run) -> Pretrained | None:
    """The encoder that the run's fits begin with; None from scratch."""
    transfer = run.spec.transfer
    return None if transfer.schedule == "none" else load_pretrained(resolve(transfer.checkpoint, run.store_root))
