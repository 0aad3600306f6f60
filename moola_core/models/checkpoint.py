"""Weights on disk: safetensors with a description, and encoders in files from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from torch import nn

from moola_core import weight_files
from moola_core.errors import CheckpointError, SpecError
from moola_core.specs import Model, Pretrain, build


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
            f"the weights do not fit: {'; '.join(sorted(lines)[:8])}.", where=where, hint="Use the same model settings."
        )
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot be read: {error}.", where=str(path), hint="Give a safetensors file.") from None


def describe(path: str | Path) -> dict[str, Any]:
    """The description saved in a safetensors file, or next to it by older versions: feature names, classes, spec."""
    try:
        with safe_open(path, "np") as file:
            inside = (file.metadata() or {}).get("description")
        return json.loads(inside or Path(path).with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"its description cannot be read: {error}.", where=str(path), hint="Keep the .json next to the weights."
        ) from None


@dataclass(frozen=True)
class Pretrained:
    """An encoder to start from.

    Attributes
    ----------
    weights : dict of str to ndarray
        By the names of our encoder's parameters.
    mean, std : ndarray [F]
        The scale of its inputs.
    features : tuple of str or None
        Names of its inputs, where the file has them.
    source : str
        The file.
    kind, layers, hidden, normalisation
        As the settings of the model of these names; `kind` is its ``encoder``.
    window_bars : int or None
        Bars of the windows that it was trained on, where the file says so.
    notes : tuple of str
        What is to be known before it is used.
    pretraining : Pretrain or None
        How it was pre-trained, where the file says so.
    """

    weights: dict[str, np.ndarray]
    mean: np.ndarray
    std: np.ndarray
    features: tuple[str, ...] | None
    source: str
    kind: str = "bilstm"
    layers: int = 0
    hidden: int = 0
    normalisation: str = "none"
    window_bars: int | None = None
    notes: tuple[str, ...] = ()
    pretraining: Pretrain | None = None

    def notes_for(self, bars: int) -> tuple[str, ...]:
        """What is to be known before windows of `bars` bars are read with it."""
        if self.window_bars in (None, bars):
            return self.notes
        text = f"The encoder was trained on windows of {self.window_bars} bars and reads windows of {bars}."
        return (*self.notes, text)

    def check_features(self, features: tuple[str, ...]) -> None:
        """Raise CheckpointError that lists the differences when the encoder was made for other columns."""
        width = len(self.mean)
        if self.features is not None and self.features != features:
            gone, new = sorted(set(self.features) - set(features)), sorted(set(features) - set(self.features))
            lines = [f"it has {', '.join(gone)}"] * bool(gone) + [f"the run has {', '.join(new)}"] * bool(new)
            raise CheckpointError(
                f"it was trained on other features: {'; '.join(lines) or 'the same ones in another order'}.",
                where=self.source,
                hint=f"Give --set features.columns={','.join(self.features)}.",
            )
        if width != len(features):
            raise CheckpointError(
                f"it reads {width} features, the run has {len(features)}.",
                where=self.source,
                hint="Set features.columns to the ones it was trained on; the predecessor's are relativity.",
            )

    def check_model(self, model: Model) -> None:
        """Raise CheckpointError when the encoder is of another type, size or normalisation than the run's."""
        own = {name: getattr(self, name) for name in ("layers", "hidden", "normalisation")} | {"encoder": self.kind}
        apart = {name: value for name, value in own.items() if getattr(model, name) != value}
        if apart:
            theirs = ", ".join(f"{name} {value}" for name, value in apart.items())
            ours = ", ".join(f"{name} {getattr(model, name)}" for name in apart)
            raise CheckpointError(
                f"its encoder has {theirs}, the run's {ours}.",
                where=self.source,
                hint=f"Give {' '.join(f'--set model.{name}={value}' for name, value in apart.items())}.",
            )


def load_pretrained(path: str | Path, which: str = "", stated: Mapping[str, Any] | None = None) -> Pretrained:
    """The encoder in any file of tensors; `which`: its name, where the file holds more than one; `stated`: as of `weight_files.describe`.

    Raises CheckpointError when the file cannot be read, would run code elsewhere, or holds no encoder that can be used whole.
    """
    described = weight_files.describe(path, which, stated)
    encoder, features = described.encoder, described.own.get("features")
    mean, std = described.scale or (np.zeros(encoder.inputs, np.float32), np.ones(encoder.inputs, np.float32))
    names = features if features else described.columns if described.columns_stated else None
    return Pretrained(
        weight_files.weights(described),
        mean,
        std,
        tuple(map(str, names)) if names else None,
        str(path),
        encoder.kind,
        encoder.layers,
        encoder.hidden,
        encoder.normalisation,
        described.window_bars,
        described.notes,
        _pretraining(described.own),
    )


def _pretraining(own: Mapping[str, Any]) -> Pretrain | None:
    """How an encoder of this package was pre-trained; None for a file from elsewhere."""
    try:
        return build(Pretrain, own["spec"])
    except (KeyError, SpecError):
        return None
