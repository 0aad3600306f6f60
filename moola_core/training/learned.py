"""What pre-training has learned, measured on validation windows beside what needs no learning."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moola_core.models.contrastive import nt_xent
from moola_core.models.encoders import Encoder, make_encoder, represent
from moola_core.training.pretexts import Masked, Outcome, TwoViews, outcomes
from moola_core.training.pretrain import Pretrainer
from moola_core.training.seeds import VALIDATION

EXAMPLES = 6
NOISE_MEAN = math.sqrt(2 / math.pi)  # mean size of a standard normal number


@dataclass(frozen=True, eq=False)
class MaskedError:
    """Mean absolute error at hidden bars for each feature [F], in its own units, all on the same hidden bars.

    model: as it was trained; covered: with the hidden bars surely replaced in the input (the same, unless the target was
    visible); feature_mean: of always answering the training mean; carry_forward: of answering the last visible bar;
    noise_floor [F]: what noise in the windows leaves to anyone who does not see it.
    gains [n]: of each validation window in turn, the error (mean over features) of the better trivial predictor less the model's,
    such that their mean is that of the whole.
    examples: (first bar, truth [K, F], guess [K, F], hidden [K]) of some windows.
    """

    model: np.ndarray
    covered: np.ndarray
    feature_mean: np.ndarray
    carry_forward: np.ndarray
    noise_floor: np.ndarray
    gains: np.ndarray
    examples: tuple[tuple[int, np.ndarray, np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Measure:
    """One figure of the validation windows beside what needs no learning; `better` says which way is good.

    gains [n]: of each validation window in turn, by how much it is better; their mean is that of the whole.
    """

    name: str
    value: float
    trivial: float
    better: str
    gains: np.ndarray


@torch.no_grad()
def masked_error(trainer: Pretrainer) -> MaskedError:
    """The reconstruction's errors on the validation windows."""
    pretext = trainer.pretext
    assert isinstance(pretext, Masked)
    trainer.network.eval()
    draw = trainer.draw(0, VALIDATION)
    windows = pretext.windows
    width = len(windows.features)
    parts: list[Tensor] = []
    counts: list[Tensor] = []
    examples: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
    for rows in trainer.valid_parts:
        batch = pretext.prepare(rows, draw)
        truth, counted = batch["x"], batch["counted"]
        guess = pretext.reconstruct(batch).float()
        answers = (guess, pretext.network(truth, batch["hidden"]).float(), torch.zeros_like(truth), carried(batch))
        parts.append(torch.stack([((one - truth).abs() * counted[:, :, None]).double().sum(1) for one in answers]))
        counts.append(counted.double().sum(1))
        for i in range(min(EXAMPLES - len(examples), len(rows))):
            pair = [(part[i] * windows.std + windows.mean).cpu().numpy() for part in (truth, guess)]
            examples.append((int(rows[i]), pair[0], pair[1], batch["hidden"][i].cpu().numpy()))
    # [4, n, F] sums of errors over the hidden bars of each window, and [n] the number of these bars
    sums, count = (torch.cat(parts, 1) * windows.std.double()).cpu().numpy(), torch.cat(counts).cpu().numpy()
    whole = max(count.sum(), 1)
    model, covered, mean, carry = sums.sum(1) / whole
    floor = np.full(width, trainer.spec.training.jitter_std * NOISE_MEAN)
    trivial = 2 if mean.mean() <= carry.mean() else 3
    gain = (sums[trivial] - sums[0]).mean(1)
    gains = gain.sum() / whole + (gain - count * gain.sum() / whole) * len(count) / whole
    return MaskedError(model, covered, mean, carry, floor, gains, tuple(examples))


def carried(batch: dict[str, Tensor]) -> Tensor:
    """Each bar's last visible bar [m, K, F]; 0, the mean, where none came before."""
    x, hidden = batch["x"], batch["hidden"]
    bars = torch.arange(x.shape[1], device=x.device).expand(hidden.shape)
    last = torch.where(hidden, -1, bars).cummax(1).values
    return torch.where((last < 0)[:, :, None], 0.0, x.gather(1, last.clamp(min=0)[:, :, None].expand_as(x)))


@torch.no_grad()
def measures(trainer: Pretrainer) -> tuple[Measure, ...]:
    """What the other objectives' networks can do on the validation windows."""
    trainer.network.eval()
    pretext, draw = trainer.pretext, trainer.draw(0, VALIDATION)
    if isinstance(pretext, TwoViews):
        return _views(pretext, trainer, draw)
    if isinstance(pretext, Outcome):
        return _outcomes(pretext, trainer, draw)
    return ()


def _views(pretext: TwoViews, trainer: Pretrainer, draw: torch.Generator) -> tuple[Measure, ...]:
    # of each window: the loss over its two views, whether the other view was found, and both by guessing
    rows_of: list[np.ndarray] = []
    for rows in trainer.valid_parts:
        batch, n = pretext.prepare(rows, draw), len(rows)
        first, second = pretext.network(batch["first"]), pretext.network(batch["second"])
        loss = nt_xent(first, second, pretext.objective.temperature).double().cpu().numpy().reshape(2, n).mean(0)
        found = ((first @ second.T).argmax(1).cpu() == torch.arange(n)).numpy()
        rows_of.append(np.stack([loss, found, np.full(n, math.log(max(2 * n - 1, 1))), np.full(n, 1 / n)]))
    loss, found, guessed, chance = np.concatenate(rows_of, axis=1)
    return (
        Measure("NT-Xent, nats", float(loss.mean()), float(guessed.mean()), "lower", guessed - loss),
        Measure("other view found first", float(found.mean()), float(chance.mean()), "higher", found - chance),
    )


def _outcomes(pretext: Outcome, trainer: Pretrainer, draw: torch.Generator) -> tuple[Measure, ...]:
    known = outcomes(pretext.windows, trainer.sample.train, pretext.objective)
    share = np.clip(np.bincount(known, minlength=3) / len(known), 1e-6, 1)
    rows_of: list[np.ndarray] = []
    for rows in trainer.valid_parts:
        batch = pretext.prepare(rows, draw)
        logits, target = pretext.network(batch["x"]).float(), batch["outcome"]
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="none").double().cpu().numpy()
        right, true = (logits.argmax(1) == target).cpu().numpy(), target.cpu().numpy()
        rows_of.append(np.stack([loss, -np.log(share[true]), right, true == share.argmax()]))
    loss, base, right, common = np.concatenate(rows_of, axis=1)
    return (
        Measure("log loss of the outcome, nats", float(loss.mean()), float(base.mean()), "lower", base - loss),
        Measure("accuracy of the outcome", float(right.mean()), float(common.mean()), "higher", right - common),
    )


def representations(trainer: Pretrainer, x: np.ndarray, draw: int = 0) -> dict[str, np.ndarray]:
    """What the pre-trained encoder, and the same one with random weights, make of windows x [n, K, F] in raw units: [n, 2 · hidden].

    draw: which random weights.
    """
    windows, spec = trainer.pretext.windows, trainer.spec
    scaled = (torch.from_numpy(x).to(windows.device) - windows.mean) / windows.std
    torch.manual_seed(spec.training.seed + draw)
    untrained = make_encoder(x.shape[2], spec.model).to(windows.device)
    trained = trainer.network.get_submodule("encoder")
    assert isinstance(trained, Encoder)
    return {
        "pre-trained": represent(trained, scaled).cpu().numpy(),
        "random weights": represent(untrained, scaled).cpu().numpy(),
    }
