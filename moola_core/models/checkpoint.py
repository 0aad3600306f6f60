"""Weights on disk: safetensors with a description, and the predecessor's files. No code in a file is run."""

from __future__ import annotations

import _codecs
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from safetensors import SafetensorError, safe_open
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
    """An encoder to start from: its weights by name, the scale [F] of its inputs, and their names where the file has them."""

    weights: dict[str, np.ndarray]
    mean: np.ndarray
    std: np.ndarray
    features: tuple[str, ...] | None
    source: str

    def check_features(self, features: tuple[str, ...]) -> None:
        """Raise CheckpointError that lists the differences when the encoder was made for other columns."""
        width = len(self.mean)
        if self.features is not None and self.features != features:
            gone, new = sorted(set(self.features) - set(features)), sorted(set(features) - set(self.features))
            lines = [f"it has {', '.join(gone)}"] * bool(gone) + [f"the run has {', '.join(new)}"] * bool(new)
            raise CheckpointError(
                f"it was trained on other features: {'; '.join(lines) or 'the same ones in another order'}.",
                where=self.source,
                hint=f"Set features.columns to {list(self.features)}.",
            )
        if width != len(features):
            raise CheckpointError(
                f"it reads {width} features, the run has {len(features)}.",
                where=self.source,
                hint="Set features.columns to the ones it was trained on; the predecessor's are relativity.",
            )

    def check_size(self, layers: int, hidden: int) -> None:
        """Raise CheckpointError when the encoder is of another size."""
        width = self.weights["lstm.weight_hh_l0"].shape[1]
        depth = sum(name.startswith("lstm.weight_hh_l") and not name.endswith("_reverse") for name in self.weights)
        if (depth, width) != (layers, hidden):
            raise CheckpointError(
                f"its encoder is {depth}×{width}, the run's is {layers}×{hidden}.",
                where=self.source,
                hint=f"Set model.layers={depth} and model.hidden={width}.",
            )


# What the predecessor's files hold besides tensors: numpy's numbers, under the names of numpy 1 and 2.
_NUMPY_NUMBERS: list[Any] = [
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
    np.dtypes.Int64DType,
    scalar,
    (scalar, "numpy.core.multiarray.scalar"),
    _codecs.encode,
]


def load_pretrained(path: str | Path) -> Pretrained:
    """The encoder in a file of ours (.safetensors) or of the predecessor's (.pt, .pth).

    Raises CheckpointError when the file cannot be read, would run code, or holds no encoder.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("no such checkpoint.", where=str(path), hint="Give a run's id or a file.")
    if path.suffix == ".safetensors":
        return _ours(path)
    return _predecessors(path)


def _ours(path: Path) -> Pretrained:
    arrays = load_weights(path)
    weights = _encoder_of(arrays, path)
    width = weights["lstm.weight_ih_l0"].shape[1]
    names = describe(path).get("features") if path.with_suffix(".json").is_file() else None
    return Pretrained(
        weights,
        arrays.get("scale.mean", np.zeros(width, np.float32)),
        arrays.get("scale.std", np.ones(width, np.float32)),
        tuple(names) if names else None,
        str(path),
    )


def _predecessors(path: Path) -> Pretrained:
    """Their encoder is the LSTM itself, its inputs as they are."""
    try:
        with torch.serialization.safe_globals(_NUMPY_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), str(error))
        raise CheckpointError(
            f"refused, for reading it could run code: {reason.strip()[:200]}",
            where=str(path),
            hint="Save its weights alone, as safetensors or with torch.save(model.state_dict()).",
        ) from None
    except Exception as error:  # noqa: BLE001 - on spoilt bytes torch's unpickler raises whatever it runs into
        raise CheckpointError(
            f"cannot be read: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}.",
            where=str(path),
            hint="Give a file that torch.save or safetensors wrote.",
        ) from None
    state = content.get("model_state_dict", content) if isinstance(content, dict) else {}
    arrays = {str(name): value.float().numpy() for name, value in state.items() if isinstance(value, torch.Tensor)}
    renamed = {
        name.replace("encoder.", "encoder.lstm.", 1)
        if name.startswith(("encoder.weight_", "encoder.bias_"))
        else name: a
        for name, a in arrays.items()
    }
    weights = _encoder_of(renamed, path)
    width = weights["lstm.weight_ih_l0"].shape[1]
    return Pretrained(weights, np.zeros(width, np.float32), np.ones(width, np.float32), None, str(path))


def _encoder_of(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    weights = {name.removeprefix("encoder."): array for name, array in arrays.items() if name.startswith("encoder.")}
    if "lstm.weight_ih_l0" not in weights:
        names = ", ".join(sorted(arrays)[:6]) or "no tensors"
        raise CheckpointError(
            f"encoder.weight_ih_l0 is missing; it holds {names}.",
            where=str(path),
            hint="Give a pre-trained BiLSTM encoder.",
        )
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0"):
        if name not in weights or weights[name].ndim != 2:
            raise CheckpointError(
                f"encoder.{name.removeprefix('lstm.')} is not a matrix.",
                where=str(path),
                hint="Give a pre-trained BiLSTM encoder.",
            )
    return weights
