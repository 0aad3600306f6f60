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
    examples: (first bar, truth [K, F], guess [K, F], hidden [K]) of some windows.
    """

    model: np.ndarray
    covered: np.ndarray
    feature_mean: np.ndarray
    carry_forward: np.ndarray
    noise_floor: np.ndarray
    examples: tuple[tuple[int, np.ndarray, np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Measure:
    """One figure of the validation windows beside what needs no learning; `better` says which way is good."""

    name: str
    value: float
    trivial: float
    better: str


@torch.no_grad()
def masked_error(trainer: Pretrainer) -> MaskedError:
    """The reconstruction's errors on the validation windows."""
    pretext = trainer.pretext
    assert isinstance(pretext, Masked)
    trainer.network.eval()
    draw = trainer.draw(0, VALIDATION)
    windows = pretext.windows
    width = len(windows.features)
    sums, count = torch.zeros(4, width, dtype=torch.float64, device=windows.device), 0.0
    examples: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
    for rows in trainer.valid_parts:
        batch = pretext.prepare(rows, draw)
        truth, counted = batch["x"], batch["counted"]
        guess = pretext.reconstruct(batch).float()
        answers = (guess, pretext.network(truth, batch["hidden"]).float(), torch.zeros_like(truth), carried(batch))
        sums += torch.stack([((answer - truth).abs() * counted[:, :, None]).double().sum((0, 1)) for answer in answers])
        count += float(counted.sum())
        for i in range(min(EXAMPLES - len(examples), len(rows))):
            pair = [(part[i] * windows.std + windows.mean).cpu().numpy() for part in (truth, guess)]
            examples.append((int(rows[i]), pair[0], pair[1], batch["hidden"][i].cpu().numpy()))
    model, covered, mean, carry = (sums / max(count, 1) * windows.std.double()).cpu().numpy()
    floor = np.full(width, trainer.spec.training.jitter_std * NOISE_MEAN)
    return MaskedError(model, covered, mean, carry, floor, tuple(examples))


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
    loss, right, chance, count = 0.0, 0, 0.0, 0
    for rows in trainer.valid_parts:
        batch = pretext.prepare(rows, draw)
        first, second = pretext.network(batch["first"]), pretext.network(batch["second"])
        loss += float(nt_xent(first, second, pretext.objective.temperature).sum()) / 2
        right += int(((first @ second.T).argmax(1).cpu() == torch.arange(len(rows))).sum())
        chance += math.log(max(2 * len(rows) - 1, 1)) * len(rows)
        count += len(rows)
    parts = len(trainer.valid_parts)
    return (
        Measure("NT-Xent, nats", loss / count, chance / count, "lower"),
        Measure("other view found first", right / count, parts / count, "higher"),
    )


def _outcomes(pretext: Outcome, trainer: Pretrainer, draw: torch.Generator) -> tuple[Measure, ...]:
    known = outcomes(pretext.windows, trainer.sample.train, pretext.objective)
    share = np.clip(np.bincount(known, minlength=3) / len(known), 1e-6, 1)
    loss, base, right, common, count = 0.0, 0.0, 0, 0, 0
    for rows in trainer.valid_parts:
        batch = pretext.prepare(rows, draw)
        logits = pretext.network(batch["x"]).float()
        target = batch["outcome"]
        loss += float(torch.nn.functional.cross_entropy(logits, target, reduction="sum"))
        base -= float(np.log(share[target.cpu().numpy()]).sum())
        right += int((logits.argmax(1) == target).sum())
        common += int((target == int(share.argmax())).sum())
        count += len(rows)
    return (
        Measure("log loss of the outcome, nats", loss / count, base / count, "lower"),
        Measure("accuracy of the outcome", right / count, common / count, "higher"),
    )


def representations(trainer: Pretrainer, x: np.ndarray) -> dict[str, np.ndarray]:
    """What the pre-trained encoder, and the same one with random weights, make of windows x [n, K, F] in raw units: [n, 2 · hidden]."""
    windows, spec = trainer.pretext.windows, trainer.spec
    scaled = (torch.from_numpy(x).to(windows.device) - windows.mean) / windows.std
    torch.manual_seed(spec.training.seed)
    untrained = make_encoder(x.shape[2], spec.model).to(windows.device)
    trained = trainer.network.get_submodule("encoder")
    assert isinstance(trained, Encoder)
    return {
        "pre-trained": represent(trained, scaled).cpu().numpy(),
        "random weights": represent(untrained, scaled).cpu().numpy(),
    }
