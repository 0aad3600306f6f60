"""Which encoder of a file is meant, and whether its numbers are those of a training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from moola_core.errors import CheckpointError
from moola_core.weight_files.encoders import DECODER_WORD, ENCODER_WORD, Encoder, encoders_in
from moola_core.weight_files.files import Contents
from moola_core.weight_files.questions import CheckpointQuestion, Question
from moola_core.weight_files.tensors import Tensor

UNTRAINED = 0.9  # share of the bound of torch's random weights that the largest of a few hundred of them exceeds


def select(contents: Contents, which: str, where: str) -> Encoder:
    """The one encoder of the file, or the one that is asked for."""
    candidates = encoders_in(contents.tensors)
    if which:
        wanted = which.strip(".")
        named = [one for one in candidates if one.prefix == wanted]
        named = named or [one for one in candidates if f".{one.prefix}.".startswith(f".{wanted}.")]
        candidates = named or [one for one in candidates if f".{one.prefix}".endswith(f".{wanted}")]
    if not candidates:
        what = f"no encoder called {which}" if which else "no encoder: neither an LSTM nor a TCN as moola writes it"
        raise CheckpointError(
            f"it holds {what}; it holds {_contents(contents.tensors)}.",
            where=where,
            hint="Give a pre-trained BiLSTM or TCN.",
        )
    fit = _likely(_distinct(candidates, contents.tensors))
    if len(fit) > 1 and any(not one.fault for one in fit):
        listed = "; ".join(f"{one.prefix} ({one.title})" for one in fit[:6])
        question = f"it holds {len(fit)} encoders: {listed}. Which one is to be taken?"
        raise CheckpointQuestion(
            Question("transfer.encoder_name", question, tuple(one.prefix for one in fit if not one.fault)), where
        )
    if fit[0].fault:
        faults = "; ".join(dict.fromkeys(f"{one.prefix or 'its encoder'}: {one.fault}" for one in fit[:3]))
        raise CheckpointError(
            f"its encoder cannot be used. {faults}.",
            where=where,
            hint="Give a pre-trained BiLSTM or TCN of moola's kind.",
        )
    return fit[0]


def _likely(candidates: list[Encoder]) -> list[Encoder]:
    """Without those that are called decoders and, where others are called encoders, those that are not."""
    kept = [one for one in candidates if not DECODER_WORD.search(one.prefix.lower())] or candidates
    return [one for one in kept if ENCODER_WORD.search(one.prefix.lower())] or kept


def _distinct(candidates: list[Encoder], tensors: Mapping[str, Tensor]) -> list[Encoder]:
    """Each encoder once, under its shortest name: a file may hold the same weights in two places."""
    kept: list[tuple[Encoder, list[bytes]]] = []
    for one in sorted(candidates, key=lambda one: (len(one.prefix), one.prefix)):
        if one.fault:
            kept.append((one, [one.prefix.encode()]))
            continue
        content = [ours.encode() + tensors[one.names[ours]].array().tobytes() for ours in sorted(one.names)]
        if all(content != other for _, other in kept):
            kept.append((one, content))
    return [one for one, _ in kept]


def judge(encoder: Encoder, arrays: Mapping[str, np.ndarray], where: str) -> list[str]:
    """Notes about the weights. Raises CheckpointError for numbers that no training leaves."""
    hint = "Give a checkpoint of a training that ended well."
    for name, array in arrays.items():
        wrong = int((~np.isfinite(array)).sum())
        if wrong:
            what = f"{wrong} of {array.size} numbers in {encoder.names[name]} are not finite."
            raise CheckpointError(what, where=where, hint=hint)
        if name.endswith("running_var") and (array < 0).any():
            raise CheckpointError(f"{encoder.names[name]} holds negative variances.", where=where, hint=hint)
    matrices = {name: array for name, array in arrays.items() if array.ndim > 1}
    same = [encoder.names[name] for name, array in matrices.items() if array.size > 1 and np.ptp(array) == 0]
    if len(same) == len(matrices):
        kind = "zero" if not any(array.any() for array in matrices.values()) else "of one value each"
        raise CheckpointError(
            f"all weights of its encoder are {kind}: it was never trained, or they were lost.", where=where, hint=hint
        )
    notes = [f"All numbers in {', '.join(same[:3])} are the same."] if same else []
    return notes + (
        ["Its weights look as torch draws them at random: it was probably never trained."]
        if _untrained(encoder, arrays)
        else []
    )


def _untrained(encoder: Encoder, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether all weights lie within the bound of torch's random ones, ±1/√hidden for an LSTM, and fill it."""
    own = [array for name, array in arrays.items() if name.startswith("lstm.")]
    if not own:
        return False
    bound = 1 / np.sqrt(encoder.hidden)
    largest = [float(np.abs(array).max()) for array in own]
    return max(largest) <= bound * 1.004 and min(largest) >= bound * UNTRAINED**4 and max(largest) >= bound * UNTRAINED


def of_a_class(contents: Contents, own: Mapping[str, Any]) -> Encoder | None:
    """The encoder of a class that only its author's code knows, as a file of this package describes it."""
    spec = own.get("spec")
    model = spec.get("model") if isinstance(spec, Mapping) else None
    if not isinstance(model, Mapping) or model.get("encoder", "bilstm") in ("bilstm", "tcn"):
        return None
    names = {name.removeprefix("encoder."): name for name in contents.tensors if name.startswith("encoder.")}
    inputs = len(own.get("features") or ())
    return Encoder("encoder", model["encoder"], model["layers"], model["hidden"], inputs, model["normalisation"], names)


def _contents(tensors: Mapping[str, Tensor]) -> str:
    """What else the file holds, in a few words."""
    if not tensors:
        return "no tensors"
    kinds = {
        "a transformer": r"in_proj_weight|self_attn|q_proj",
        "layers of single steps (LSTMCell or GRUCell)": r"weight_[ih]h$",
    }
    kinds |= {
        "quantised layers": r"_packed_params",
        "the joined weights of a sharded model (flat_param)": r"flat_param",
    }
    kind = next((kind for kind, words in kinds.items() if any(re.search(words, name) for name in tensors)), "")
    if not kind and any(len(tensor.shape) in (3, 4) for tensor in tensors.values()):
        kind = "convolutions"
    listed = ", ".join(sorted(tensors)[:6])
    return f"{kind} ({listed})" if kind else f"{len(tensors)} tensors: {listed}"
