"""Planted faults: what the switches of `spec.faults` do to windows and to an encoder before training."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from moola_core.specs import Finetune
from moola_core.training import seeds
from moola_core.training.inputs import Inputs

NOISE_STD = 3.0  # so large that an LSTM's gates are shut or wide open whatever it reads


def inject_faults(inputs: Inputs, spec: Finetune) -> Inputs:
    """The windows with the data faults of the spec: flipped labels, shuffled bars, a feature filled at one bar only, exchanged pointers."""
    faults = spec.faults
    rng = seeds.generator(spec.training.seed, 0, 0, seeds.PLANTED)
    if faults.flipped_labels > 0:
        inputs = dataclasses.replace(inputs, label=_flipped(inputs, faults.flipped_labels, rng))
    if faults.shuffled_bars:
        order = rng.permuted(np.tile(np.arange(inputs.window_bars), (len(inputs.x), 1)), axis=1)
        prices = inputs.prices
        inputs = dataclasses.replace(
            inputs,
            x=np.take_along_axis(inputs.x, order[:, :, None], axis=1),
            prices=None if prices is None else np.take_along_axis(prices, order[:, :, None], axis=1),
        )
    if faults.single_position:
        x = inputs.x.copy()
        x[:, :-1, -1] = 0.0
        inputs = dataclasses.replace(inputs, x=x)
    if faults.shuffled_pointers:
        order = rng.permutation(len(inputs.x))
        inputs = dataclasses.replace(inputs, start=inputs.start[order], end=inputs.end[order])
    return inputs


def _flipped(inputs: Inputs, share: float, rng: np.random.Generator) -> np.ndarray:
    """Labels [n] of which `share` are moved on to another class."""
    label, classes = inputs.label.copy(), np.array(inputs.classes, object)
    rows = rng.choice(len(label), round(share * len(label)), replace=False)
    step = rng.integers(1, len(classes), len(rows))
    label[rows] = classes[(inputs.target[rows] + step) % len(classes)]
    return label


@torch.no_grad()
def randomise_weights(encoder: nn.Module, seed: int) -> None:
    """Replace every weight of the encoder by the same noise in every fit."""
    draw = torch.Generator().manual_seed(seeds.torch_seed(seed, 0, 0, seeds.PLANTED))
    for parameter in encoder.parameters():
        noise = NOISE_STD * torch.randn(parameter.shape, generator=draw)
        parameter.copy_(noise.to(parameter.device))
