"""The steps that are timed: of each engine and form, of pre-training, and the bare networks beside them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.features.catalog import names
from moola_core.host.engine import ALONE
from moola_core.host.figures import Shape
from moola_core.market.bars import bars_from_arrays
from moola_core.models.encoders import ENCODERS, encoder_class
from moola_core.specs import Finetune, Pretrain, change
from moola_core.training.device import Device, exact
from moola_core.training.folds import Fold
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.sampling import sample
from moola_core.training.pretraining.trainer import Pretrainer

BARS = 105
MOST_STEPS = 200
PRETRAINING_BARS = 20_000
STILL = {"model.dropout": 0.0, "training.jitter_std": 0.0, "training.mirrored_frac": 0.0}  # nothing is drawn
COMPARED = 2  # replicas whose gradient is compared


def step_spec(spec: Finetune, kind: str) -> Finetune:
    """The preset as its steps are timed: without statistics of spans, which are fitted before any step."""
    return change(spec, {"model.span_statistics": False, "training.device": kind})


def windows_of(spec: Finetune) -> Inputs:
    """Random windows, enough for a batch of every role."""
    random, batch = np.random.default_rng(0), spec.training.batch_size
    columns = tuple(names(spec.features.columns))
    n = 5 * batch
    start = random.uniform(0, 50, n)
    return Inputs(
        x=random.standard_normal((n, BARS, len(columns))).astype(np.float32),
        label=np.array(["a", "b"], object)[np.arange(n) % 2],
        start=start,
        end=start + random.uniform(5, 50, n),
        window_id=np.arange(n).astype(str),
        series=np.arange(n),
        first=np.zeros(n, np.int64),
        features=columns,
    )


def fold_of(repeat: int, batch: int) -> Fold:
    rows = np.arange(5 * batch)
    return Fold(repeat, 0, rows[: 4 * batch], rows[:batch], rows[-batch:], rows[:0])


def group_of(spec: Finetune, inputs: Inputs, device: Device, repeats: Sequence[int]) -> Group:
    """The fits of these repeats, made ready for their first step."""
    group = Group(spec, inputs, [fold_of(repeat, spec.training.batch_size) for repeat in repeats], device)
    for fit in group.fits:
        fit.unfreezing.begins(1)
    group.prepare()
    return group


def filled(group: Group) -> Callable[[], None]:
    """Fills the group's batch with one step's rows and draws, as an epoch does."""
    step = group.batch.step_of([torch.arange(group.spec.training.batch_size)] * len(group.fits))
    return lambda: group.batch.fill(step, encoder_in_eval_mode=False)


def step_of(group: Group) -> Callable[[], Any]:
    """One step of all fits as an epoch takes it: rows and draws, then the step, which on a card may be captured."""
    fill, take = filled(group), group.steps[group.fits[0].splits(1, 1)]

    def step() -> None:
        fill()
        take()

    return step


@contextmanager
def arithmetic(device: Device) -> Iterator[None]:
    """One thread on a CPU, as fits have, and the precision on a card."""
    before = torch.get_num_threads()
    if device.kind == "cpu":
        torch.set_num_threads(1)
    try:
        with exact(device):
            yield
    finally:
        torch.set_num_threads(before)


def gradients(spec: Finetune, inputs: Inputs, device: Device, count: int) -> Tensor:
    """Of the first few of so many fits, with nothing drawn: what a step's losses and gradients are [fits, 2 + columns].

    The losses are those of the step as it is run, captured where it is.
    """
    group = group_of(change(spec, STILL), inputs, device, range(count))
    fill = filled(group)
    fill()
    _, _, flat, _ = group.gradients(False)
    fill()
    losses = group.steps[min(group.steps)]()[0][:, 1:3]
    return torch.cat([losses, flat], dim=1)[:COMPARED].detach().double().cpu()


def error_of(own: Tensor, reference: Tensor) -> float:
    """How far losses and gradients are from the reference's, as a share of its length; the largest of the fits."""
    own, reference = own[: len(reference)], reference[: len(own)]
    shares = [
        (own[:, part] - reference[:, part]).norm(dim=1) / reference[:, part].norm(dim=1).clamp(min=1e-12)
        for part in (slice(0, 2), slice(2, None))
    ]
    return float(torch.stack(shares).nan_to_num(nan=torch.inf).max())


def reference(spec: Finetune, inputs: Inputs, kind: str) -> Tensor:
    """Losses and gradients of fits one after another in float32."""
    device, each = Device(kind, kind, "float32", ALONE), []
    with arithmetic(device):
        for repeat in range(COMPARED):
            group = group_of(change(spec, STILL), inputs, device, [repeat])
            filled(group)()
            losses, _, flat, _ = group.gradients(False)
            each.append(torch.cat([losses, flat], dim=1).detach().double().cpu())
    return torch.cat(each)


def timed(step: Callable[[], Any], kind: str, least_s: float) -> float:
    """Median seconds of a step, after one to warm up, over at least three steps and `least_s` seconds."""
    seconds: list[float] = []
    ends = time.perf_counter() + least_s
    for count in range(MOST_STEPS):
        started = time.perf_counter()
        step()
        if kind == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        if count >= 3 and time.perf_counter() > ends:
            break
    return statistics.median(seconds[1:])


def bare_step(shape: Shape, inputs: int, device: Device) -> Callable[[], None]:
    """Forward and backward of the bare network of one fit: cuDNN's or oneDNN's own LSTM, else the convolutions alone."""
    network = _bare(shape, inputs).to(device.kind).train()
    x = torch.randn(shape.batch_size, shape.window_bars, inputs, device=device.kind)

    def step() -> None:
        network.zero_grad(set_to_none=True)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.precision == "bf16"):
            out = network(x)
        (out[0] if isinstance(out, tuple) else out).sum().backward()

    return step


def recurs(shape: Shape) -> bool:
    """Whether the encoder has a recurrence, of which there are several forms."""
    stacked = ENCODERS.resolve(shape.encoder).stacked
    return stacked is not None and stacked.recurrent


def _bare(shape: Shape, inputs: int) -> nn.Module:
    if recurs(shape):
        return nn.LSTM(inputs, shape.hidden, shape.layers, batch_first=True, bidirectional=True)
    # Dropout and normalisation are counted to what the product adds.
    from moola_core.specs import Model

    model = Model(encoder=shape.encoder, layers=shape.layers, hidden=shape.hidden, dropout=0.0, normalisation="none")
    return encoder_class(model)(inputs, model)


def pretrainer(spec: Pretrain, device: Device) -> Pretrainer:
    """Of a walk of random prices."""
    rng = np.random.default_rng(0)
    close = 15000 + np.cumsum(rng.integers(-8, 9, PRETRAINING_BARS)) * 0.25
    opened = np.r_[close[0], close[:-1]]
    wicks = rng.integers(0, 5, (2, PRETRAINING_BARS)) * 0.25
    ohlc = np.stack([opened, np.maximum(opened, close) + wicks[0], np.minimum(opened, close) - wicks[1], close], axis=1)
    minutes = np.arange(PRETRAINING_BARS) * np.timedelta64(60, "s")
    bars = bars_from_arrays(np.datetime64("2024-01-01", "ns") + minutes, ohlc)
    own = change(spec, {"features.state": "per_window", "training.device": device.kind})
    windows_seen = sample(bars, own, np.empty(0, np.int64))
    windows = BarWindows(bars, None, own.features, BARS, device.kind)
    windows.fit_scale(windows_seen.train)
    return Pretrainer(own, windows, windows_seen, device, lambda event: None)


def pretraining_step(trainer: Pretrainer) -> Callable[[], Any]:
    """One optimiser step, its windows gathered."""
    rng, draw = np.random.default_rng(1), trainer.draw(1, 0)
    trainer.network.train()

    def step() -> Tensor:
        rows = np.sort(rng.choice(trainer.sample.train, trainer.batch, replace=False))
        return trainer.step(trainer.objective.prepare(rows, draw))

    return step


def first_gradient(spec: Pretrain, device: Device) -> Tensor:
    """Loss and gradient of a first batch [1, 2 + parameters], without dropout; the loss stands twice, as `error_of` reads two."""
    trainer = pretrainer(change(spec, {"model.dropout": 0.0}), device)
    trainer.network.train()  # cuDNN has no backward pass of a recurrence in eval mode
    batch = trainer.objective.prepare(trainer.sample.train[: trainer.batch], trainer.draw(1, 0))
    loss = trainer.accumulate(batch)
    flat = [parameter.grad.flatten() for parameter in trainer.network.parameters() if parameter.grad is not None]
    return torch.cat([loss[None], loss[None], *flat]).detach().double().cpu()[None]
