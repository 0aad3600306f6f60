"""Whether a study can answer its question at all: what its arms need is counted and compared before the first of them is trained."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from moola_core.errors import CheckpointError, DataError, SpecError
from moola_core.features.catalog import names
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.launch.worker.labelled import check_fit, encoder_of
from moola_core.market.ahead import held_out, refuse_pretraining, refuse_without_pointers
from moola_core.market.bars import Bars, load_bars
from moola_core.market.windows import Windows, load_windows
from moola_core.specs import Data, Finetune, Pretrain, Study, spec_hash
from moola_core.studies import SHARED


def refuse(spec: Study, root: Path) -> dict[str, int]:
    """Raise a MoolaError that says why arms of the study could not be trained, and which settings would change that.

    root: the folder of the store, in which checkpoints are looked for. Returns how many windows take part and how many bars are pre-trained
    on, as far as files are named.
    """
    for encoder, arms in spec.pretrainings():
        for name in arms:
            _refuse_misfit(encoder, spec.spec_of(name, "encoder"), name)
    for arm in spec.arms:
        first = spec.first_of(arm.name)
        if first is not None:
            _refuse_misfit(first, spec.spec_of(arm.name, "encoder"), arm.name)
        elif arm.pretraining is None:
            _refuse_checkpoint(spec.spec_of(arm.name), arm.name, root)
    read = _Reader()
    base, sizes = spec.base.data, dict[str, int]()
    if base.windows:
        windows = read.windows(base)
        refuse_without_pointers(spec, windows)
        sizes["windows"] = len(windows.trainable(base.exclude_grades)[0])
    pretrainings = FoldPretrainings(spec, root / "cache")
    for encoder, arms in spec.pretrainings():
        if encoder.data.bars:
            labelled = read.windows(encoder.data) if encoder.data.windows else None
            bars, ids = read.bars(encoder.data), partial(pretrainings.ids, arms)
            sizes["bars"] = len(bars)
            own = ids() if labelled is not None and spec.per_fold(arms[0]) else ()
            try:
                refuse_pretraining(encoder, arms, bars, held_out(spec, encoder, labelled, own))
            except DataError:
                if labelled is None or own:
                    raise
                # The refusal offers one pre-training for each fold too, for which the folds are made.
                refuse_pretraining(encoder, arms, bars, held_out(spec, encoder, labelled, ids()))
    return sizes


def _refuse_misfit(encoder: Pretrain | Finetune, tuned: Finetune, arm: str) -> None:
    """The encoder that the study pre-trains for an arm, or that is fitted before it, has the arm's columns and sizes."""
    pairs = {f"model.{name}": (getattr(encoder.model, name), getattr(tuned.model, name)) for name in SHARED}
    pairs["features.columns"] = (names(encoder.features.columns), names(tuned.features.columns))
    apart = [f"{name} {before} and {after}" for name, (before, after) in pairs.items() if before != after]
    if apart:
        raise SpecError(
            f"its encoder would not fit: in {'pre-training' if encoder.kind == 'pretrain' else 'the run before it'} and in the arm, {'; '.join(apart)}.",
            where=f"arm {arm}",
            hint="Give both the same value; what the arm does not set is the base's, in pre-training unless pretrain.KEY says otherwise.",
        )


def _refuse_checkpoint(spec: Finetune, arm: str, root: Path) -> None:
    """The checkpoint that an arm starts from is there, and its encoder fits."""
    if not spec.is_network:
        return
    try:
        start = encoder_of(spec, root)
        if start is not None:
            check_fit(start, spec, names(spec.features.columns))
    except CheckpointError as error:
        raise CheckpointError(error.what, where=f"arm {arm}, {error.where}", hint=error.hint) from None


class _Reader:
    """Reads each file once, however many arms ask for it."""

    def __init__(self) -> None:
        self._bars: dict[str, Bars] = {}
        self._windows: dict[str, Windows] = {}

    def bars(self, data: Data) -> Bars:
        key = spec_hash(data)
        if key not in self._bars:
            self._bars[key] = load_bars(str(data.bars), data.bars_reading)
        return self._bars[key]

    def windows(self, data: Data) -> Windows:
        key = spec_hash(data)
        if key not in self._windows:
            bars = self.bars(data) if data.bars else None
            self._windows[key] = load_windows(data.windows, data.windows_reading, bars)
        return self._windows[key]
