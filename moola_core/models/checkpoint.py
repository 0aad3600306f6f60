"""Weights on disk: safetensors with a description beside them. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import nn

from moola_core.errors import CheckpointError


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """A module's state as numpy arrays, copied."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def put_weights(module: nn.Module, weights: Mapping[str, np.ndarray], where: str = "checkpoint") -> None:
    """Load `weights` into `module`. Raises CheckpointError that lists what is missing, unknown or of another shape."""
    own = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    theirs = {name: tuple(array.shape) for name, array in weights.items()}
    lines = [f"{name} is missing" for name in own.keys() - theirs.keys()]
    lines += [f"{name} is unknown" for name in theirs.keys() - own.keys()]
    lines += [
        f"{name} is {theirs[name]}, wanted {own[name]}"
        for name in own.keys() & theirs.keys()
        if own[name] != theirs[name]
    ]
    if lines:
        raise CheckpointError(
            f"the weights do not fit: {'; '.join(sorted(lines)[:8])}.", where=where, mend="Use the same model settings."
        )
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot be read: {error}.", where=str(path), mend="Give a safetensors file.") from None


def describe(path: str | Path) -> dict[str, Any]:
    """The description saved beside a safetensors file: feature names, classes, spec."""
    try:
        return json.loads(Path(path).with_suffix(".json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"its description cannot be read: {error}.", where=str(path), mend="Keep the .json beside the weights."
        ) from None
