"""Checkpoint files as other programs write them, each with the output that its encoder gives or the reason for which it is refused.

Written apart from the readers: torch's own layers give the outputs, and torch, safetensors, numpy and pickle write the files.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

PREFIXES = (
    "",
    "encoder.",
    "module.encoder.",
    "_orig_mod.encoder.",
    "module._orig_mod.model.encoder.",
    "model.backbone.lstm.",
    "net.0.",
    "encoder/",
    "ema.module.feature_extractor.rnn.",
    "lstm.",
    "Größe.encoder.",
)
NESTINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "bare": lambda state: state,
    "model_state_dict": lambda state: {"epoch": 3, "model_state_dict": state, "metrics": {"mae": np.float64(0.1)}},
    "state_dict": lambda state: {
        "state_dict": state,
        "hyper_parameters": {"lr": 1e-3},
        "pytorch-lightning_version": "2.4",
    },
    "deep": lambda state: {"checkpoint": {"nets": {"student": {"params": state}}}},
    "list": lambda state: [{"step": 1}, state],
}
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
FORMS = ("zip", "legacy", "pickle", "safetensors", "numpy")


@dataclass(frozen=True)
class Expected:
    """`output` [1, 9, width] on `x` [1, 9, inputs], or the words of a refusal."""

    x: torch.Tensor | None = None
    output: torch.Tensor | None = None
    settings: dict[str, Any] | None = None
    refused: str = ""


class Reference(nn.Module):
    """An LSTM with the normalisation that may follow it."""

    def __init__(self, inputs: int, hidden: int, layers: int, normalisation: str = "none") -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True, bidirectional=True)
        self.normalisation: nn.Module = nn.Identity()
        if normalisation == "layer":
            self.normalisation = nn.LayerNorm(2 * hidden)
        if normalisation == "batch":
            self.normalisation = nn.BatchNorm1d(2 * hidden)
            self.normalisation.running_mean.normal_()
            self.normalisation.running_var.uniform_(0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lstm(x)[0]
        if isinstance(self.normalisation, nn.BatchNorm1d):
            return self.normalisation(y.transpose(1, 2)).transpose(1, 2)
        return self.normalisation(y)


def trained(module: nn.Module) -> nn.Module:
    """The module with weights beyond those that torch draws."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5).add_(0.05 * torch.randn_like(parameter))
    return module.eval()


def cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Round the module's numbers to the type, as a file of that type holds them."""
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype).float())


def write(path: Path, content: Any, form: str) -> None:
    """Write nested content; safetensors and numpy hold flat names alone."""
    if form in ("zip", "legacy"):
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    elif form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        flat = dict(_flat(content))
        if form == "safetensors":
            save_file(flat, path)
        else:
            with path.open("wb") as file:
                np.savez(file, **{name: tensor.numpy() for name, tensor in flat.items()})


def _flat(content: Any, path: str = "") -> Any:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, torch.Tensor):
            yield name, value.contiguous().clone()
        else:
            yield from _flat(value, name)


def random_file(rng: np.random.Generator, folder: Path) -> tuple[Path, Expected]:
    """A file of a random make that holds one encoder that can be used, with what is to be read from it."""
    torch.manual_seed(int(rng.integers(2**31)))
    inputs, hidden, layers = int(rng.choice([12, 12, 4, 7])), int(rng.integers(4, 11)), int(rng.integers(1, 4))
    normalisation = str(rng.choice(["none", "none", "layer", "batch"]))
    form, dtype = str(rng.choice(FORMS)), DTYPES[int(rng.integers(len(DTYPES)))]
    if form in ("numpy", "legacy") and dtype not in (torch.float32, torch.float64, torch.float16):
        dtype = torch.float32  # numpy has no other, nor had the torch of that time
    reference = trained(Reference(inputs, hidden, layers, normalisation))
    cast(reference, dtype)
    prefix = PREFIXES[int(rng.integers(len(PREFIXES)))]
    module, separator = (prefix[:-1], prefix[-1:]) if prefix else ("", "")
    inside = normalisation != "none"
    if inside:  # the layers need a module of their own beside the normalisation
        module, separator = (f"{module}.rnn" if module else "rnn"), "."
    state = {f"{module}{separator}{name}": tensor.to(dtype) for name, tensor in reference.lstm.state_dict().items()}
    outer = module.rpartition(".")[0]
    for name, tensor in reference.normalisation.state_dict().items():
        own = tensor.to(dtype) if tensor.is_floating_point() else tensor
        state[f"{outer}.norm.{name}" if outer else f"norm.{name}"] = own
    state |= {name: tensor.to(dtype) for name, tensor in _others(rng).items()}
    content: Any = NESTINGS[str(rng.choice(list(NESTINGS)))](state)
    if isinstance(content, dict) and rng.random() < 0.3 and form in ("zip", "legacy", "pickle") and "epoch" in content:
        content["optimizer_state_dict"] = stepped(reference)
    path = folder / f"generated{int(rng.integers(1 << 40))}{rng.choice(['.pt', '.ckpt', '.bin', '.safetensors', ''])}"
    write(path, content, form)
    x = torch.randn(1, 9, inputs)
    with torch.no_grad():
        output = reference(x)
    settings = {
        "model.layers": layers,
        "model.hidden": hidden,
        "model.normalisation": normalisation,
        "model.encoder": "bilstm",
    }
    return path, Expected(x, output, settings)


def _others(rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """What stands beside an encoder: heads, a decoder, numbers of the loss."""
    all_of_them = {
        "decoder.weight": torch.randn(12, 6),
        "decoder.bias": torch.randn(12),
        "log_sigma": torch.zeros(()),
        "head.classifier.weight": torch.randn(2, 16),
        "decoder.lstm.weight_ih_l0": torch.randn(16, 9),
        "projector.0.weight": torch.randn(5, 5),
    }
    return {name: tensor for name, tensor in all_of_them.items() if rng.random() < 0.4}


def stepped(module: nn.Module) -> dict[str, Any]:
    """The state of an optimiser after a step."""
    optimiser = torch.optim.AdamW(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    kept = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimiser.step()
    module.load_state_dict(kept)
    return optimiser.state_dict()


def _lstm(**changes: Any) -> nn.LSTM:
    return trained(nn.LSTM(12, 8, 2, **{"batch_first": True, "bidirectional": True} | changes))  # type: ignore[return-value]


def _state(module: nn.Module, prefix: str = "encoder.") -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _with(changes: dict[str, Any]) -> dict[str, Any]:
    return _state(_lstm()) | changes


def _without(*names: str) -> dict[str, Any]:
    return {name: tensor for name, tensor in _state(_lstm()).items() if name not in names}


FIRST_WEIGHT = "encoder.weight_ih_l0"


class Opens:
    """Would open a page when it is unpickled."""

    def __reduce__(self) -> Any:
        import webbrowser

        return webbrowser.open, ("about:blank",)


class Prints:
    def __reduce__(self) -> Any:
        return print, ("opened",)


def refused_contents() -> dict[str, tuple[Any, str]]:
    """Contents of torch files that are refused, with words of the reason."""
    return _other_networks() | _incomplete() | _spoilt_numbers() | _ambiguous() | _no_weights()


def _other_networks() -> dict[str, tuple[Any, str]]:
    """Networks of other kinds."""
    return {
        "gru": (_state(trained(nn.GRU(12, 8, 2, bidirectional=True))), "GRU"),
        "plain recurrent": (_state(trained(nn.RNN(12, 8, 2, bidirectional=True))), "plain recurrent network"),
        "one direction": (_state(_lstm(bidirectional=False)), "in one direction"),
        "no bias": (_state(_lstm(bias=False)), "without biases"),
        "projections": (_state(_lstm(proj_size=3)), "projections"),
        "cell": (_state(nn.LSTMCell(12, 8)), "single steps"),
        "transformer": (_state(nn.TransformerEncoderLayer(12, 2)), "a transformer"),
        "convolutions": (_state(nn.Conv1d(12, 8, 3)), "convolutions"),
        "linear": (_state(nn.Linear(12, 8)), r"no encoder.*encoder\.bias"),
    }


def _incomplete() -> dict[str, tuple[Any, str]]:
    """LSTMs that lack something, or whose parts do not fit each other."""
    parametrised = nn.utils.parametrizations.weight_norm(_lstm(), "weight_hh_l0")
    return {
        "missing layer": (_without(FIRST_WEIGHT), "weight_ih_l0 is missing"),
        "missing bias": (_without("encoder.bias_hh_l1_reverse"), "bias_hh_l1_reverse is missing"),
        "missing way": (
            _without(*(f"encoder.{kind}_l1_reverse" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))),
            "are missing",
        ),
        "middle layer missing": (
            {
                name: tensor
                for name, tensor in _state(trained(nn.LSTM(12, 8, 3, bidirectional=True))).items()
                if "_l1" not in name
            },
            "are missing",
        ),
        "other width": (_with({"encoder.weight_ih_l1": torch.randn(32, 15)}), "32×15 and 32×16 is expected"),
        "other hidden": (_with({"encoder.weight_hh_l0": torch.randn(32, 7)}), "no recurrent layer|contradict"),
        "vector": (_with({FIRST_WEIGHT: torch.randn(384)}), "no matrix"),
        "weight norm": (_state(parametrised), "rewritten"),
        "old weight norm": (
            {
                name.replace("weight_hh_l0", "weight_hh_l0_v") if name.endswith("hh_l0") else name: t
                for name, t in _with({"encoder.weight_hh_l0_g": torch.ones(32, 1)}).items()
            },
            "rewritten|missing",
        ),
    }


def _spoilt_numbers() -> dict[str, tuple[Any, str]]:
    """Weights that cannot be those of a network that was trained."""
    holed = _state(_lstm())
    holed["encoder.bias_hh_l1"][3] = float("nan")
    endless = _state(_lstm())
    endless["encoder.weight_hh_l0"][0, 0] = float("inf")
    return {
        "integers": ({name: (tensor * 50).to(torch.int8) for name, tensor in _state(_lstm()).items()}, "int8"),
        "complex": ({name: tensor.to(torch.complex64) for name, tensor in _state(_lstm()).items()}, "complex64"),
        "not a number": (holed, r"1 of 32 numbers in encoder\.bias_hh_l1 are not finite"),
        "infinite": (endless, r"encoder\.weight_hh_l0 are not finite"),
        "too large for float32": (
            _with({FIRST_WEIGHT: torch.full((32, 12), 1e300, dtype=torch.float64)}),
            "not finite",
        ),
        "zeros": (
            {name: torch.zeros_like(tensor) for name, tensor in _state(_lstm()).items()},
            "zero: it was never trained",
        ),
        "ones": ({name: torch.ones_like(tensor) for name, tensor in _state(_lstm()).items()}, "of one value each"),
        "spoilt scale": (_with({"scale.mean": torch.zeros(12), "scale.std": torch.zeros(12)}), "scale of its inputs"),
        "negative variance": (
            _state(_lstm(), "lstm.")
            | {f"norm.{kind}": -torch.ones(16) for kind in ("weight", "bias", "running_mean", "running_var")},
            "negative variances",
        ),
    }


def _ambiguous() -> dict[str, tuple[Any, str]]:
    """Files that do not say which of two things they mean."""
    return {
        "two encoders": (
            _state(_lstm(), "teacher.encoder.") | _state(_lstm(), "student.encoder."),
            "2 encoders: .*Which",
        ),
        "averaged and not": ({"state_dict": _state(_lstm()), "ema_state_dict": _state(_lstm())}, "2 encoders"),
        "more in the encoder": (
            _state(_lstm(), "encoder.lstm.") | {"encoder.projection.weight": torch.randn(5, 16)},
            "holds more than",
        ),
        "inputs normalised": (
            _state(_lstm(), "lstm.") | {"input_norm.weight": torch.ones(12), "input_norm.bias": torch.zeros(12)},
            "inputs are normalised",
        ),
        "two normalisations": (
            _state(_lstm(), "lstm.")
            | {f"{name}.{kind}": torch.randn(16) for name in ("norm1", "norm2") for kind in ("weight", "bias")},
            "which normalisation",
        ),
    }


def _no_weights() -> dict[str, tuple[Any, str]]:
    """Files without weights of an encoder, and such as would run code."""
    return {
        "empty": ({}, "no tensors"),
        "numbers": ({"loss": 0.3, "names": ["a"]}, "no tensors"),
        "number": (3, "no tensors"),
        "acts": (_with({"other": Opens()}), "could run code"),
        "prints": (_with({"other": Prints()}), "could run code"),
        "only an optimiser": (
            {"optimizer": {"state": {"encoder.weight_ih_l0": {"exp_avg": torch.randn(32, 12)}}}},
            "no encoder",
        ),
    }


def spoilt_files(whole: bytes) -> dict[str, tuple[bytes, str]]:
    """Bytes that are no checkpoint, or no longer one, with words of the reason."""
    return {
        "empty": (b"", "it is empty"),
        "text": (b"hello, this is no checkpoint", "neither a file of torch"),
        "page": (b"<!DOCTYPE html><html>404</html>", "page of HTML"),
        "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "Git LFS"),
        "cut off": (whole[: len(whole) // 2], "damaged or cut off"),
        "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        "gguf": (b"GGUF" + bytes(100), "GGUF"),
        "header too long": (b"\xff" * 7 + b"\x00" + b"{}" * 8, "neither"),
        "half a header": ((64).to_bytes(8, "little") + b'{"a": {"dtype": "F32"', "cannot be read"),
        "half a pickle": (pickle.dumps({"encoder.weight_ih_l0": list(range(100))})[:60], "cannot be read"),
    }


class Wrapped(nn.Module):
    """A network as a user writes one: an encoder, a pooling and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(12, 8, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x)[0].mean(1))


def _saved(content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def wrapped_files(network: Wrapped) -> dict[str, Callable[[Path], Any]]:
    """The network as programs save it, each with how the file is written."""
    state = network.state_dict()
    wide = {name: torch.cat([tensor, tensor])[: len(tensor)] for name, tensor in state.items()}  # views of more numbers
    turned = {name: tensor.t().contiguous().t() if tensor.ndim == 2 else tensor for name, tensor in state.items()}
    averaged = torch.optim.swa_utils.AveragedModel(network)
    named = {"state": {name: {"exp_avg": tensor + 1, "exp_avg_sq": tensor**2} for name, tensor in state.items()}}
    return {
        "whole module": _saved(network),
        "whole module in a dict": _saved({"model": network, "epoch": 2}),
        "whole module before 1.6": lambda path: torch.save(network, path, _use_new_zipfile_serialization=False),
        "averaged model": _saved(averaged.state_dict()),
        "averaged module": _saved(averaged),
        "two copies of the same": _saved({"model": state, "best_model": dict(state)}),
        "script": lambda path: torch.jit.script(network).save(str(path)),
        "trace": lambda path: torch.jit.trace(network, torch.zeros(1, 5, 12)).save(str(path)),
        "parameters": _saved({name: nn.Parameter(tensor) for name, tensor in state.items()}),
        "arrays of numpy": _saved({name: tensor.numpy() for name, tensor in state.items()}),
        "pickled arrays": lambda path: path.write_bytes(
            pickle.dumps({name: tensor.numpy() for name, tensor in state.items()})
        ),
        "arrays of the other byte order": _saved(
            {name: tensor.numpy().astype(">f4") for name, tensor in state.items()}
        ),
        "arrays in columns": _saved({name: np.asfortranarray(tensor.numpy()) for name, tensor in state.items()}),
        "parts of larger tensors": _saved(wide),
        "turned": _saved(turned),
        "an optimiser that names parameters": _saved({"model": state, "optim": named}),
        "settings of a training framework": _saved(
            {
                "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
                "hyper_parameters": argparse.Namespace(path=Path("a"), lr=1e-3),
                "callbacks": {"best": {1: {2, 3}}},
            }
        ),
        "protocol 4": lambda path: torch.save(state, path, pickle_protocol=4),
        "half of it": _saved({name: tensor.double() for name, tensor in state.items()}),
    }
