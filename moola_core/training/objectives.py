"""The losses of the two tasks, and the ways to add them."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.errors import SpecError
from moola_core.specs import Loss

CLASS, POINTER = 0, 1
DWA_TEMPERATURE = 2.0
LOG_VARIANCE_LIMIT = 12.0  # σ between 1/403 and 403: far beyond what losses imply, and far from where exp overflows


def class_loss(logits: Tensor, target: Tensor, focal_gamma: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """Mean cross-entropy, nats; with gamma above 0 the focal loss (Lin et al. 2017).

    logits [..., b, C], target [..., b] → [...]; weight [..., b]: 0 for rows that are not there.
    """
    if focal_gamma == 0 and weight is None and target.ndim == 1:
        return functional.cross_entropy(logits, target)
    entropy = functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)
    if focal_gamma > 0:
        entropy = (1 - torch.exp(-entropy)) ** focal_gamma * entropy
    return entropy.mean(-1) if weight is None else (entropy * weight).sum(-1) / weight.sum(-1).clamp(min=1)


def pointer_loss(pointer: Tensor, target: Tensor, huber_delta: float) -> Tensor:
    """Mean Huber loss of (center, length) [..., b, 2] over the rows whose target is known (not nan) → [...]; 0 when none is."""
    known = ~torch.isnan(target[..., 0])
    safe = torch.where(known[..., None], target, pointer.detach())
    loss = functional.huber_loss(pointer, safe, delta=huber_delta, reduction="none").mean(-1)
    return loss.sum(-1) / known.sum(-1).clamp(min=1)


WEIGHTINGS: dict[str, type[Weighting]] = {}


class Weighting(nn.Module):
    """How the two tasks' losses become the terms that are added; a subclass says by which name the spec asks for it.

    What it learns are its parameters, of any names and shapes; what it remembers from epoch to epoch belongs in buffers. The replica
    engine trains many fits with one copy of the module, so `forward` must depend on nothing else that changes and must draw no random
    numbers. Attributes that are no buffers may change in `end_epoch`, but the replica engine then builds its steps anew, which is slow
    on a card.
    """

    rate: float | None = None
    """Learning rate of the parameters; loss.log_variance_rate where it is None. There is no weight decay on them."""

    def __init_subclass__(cls, name: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if name:
            WEIGHTINGS[name] = cls

    def __init__(self, loss: Loss | None = None) -> None:
        """loss: the settings of the spec."""
        super().__init__()

    def forward(self, losses: Tensor) -> Tensor:
        """losses [2] (class, pointer) → weighted terms [2]."""
        raise NotImplementedError

    def end_epoch(self, means: tuple[float, float]) -> None:
        """Take notice of an epoch's mean losses."""

    def limit(self) -> Tensor | None:
        """Called after each step: keep the parameters within their bounds, in place. Returns whether a bound was reached, a tensor of
        one bool, or None where there are no bounds."""
        return None

    def sigmas(self) -> Tensor | None:
        """σ of class and pointer [2] where they are learned: the one place that says what σ is."""
        return None

    def learned(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def remembered(self) -> dict[str, Tensor]:
        """What is kept from step to step and is not trained, by name."""
        fixed = {name: p.detach() for name, p in self.named_parameters() if not p.requires_grad}
        return fixed | dict(self.named_buffers())

    @torch.no_grad()
    def after_step(self, like: Tensor) -> Tensor:
        """Apply `limit`; σ of class and pointer and whether a bound was reached [3], nan where there is none, of the type of `like`."""
        reached, sigmas = self.limit(), self.sigmas()
        if reached is None and sigmas is None:
            return like.new_full((3,), torch.nan)
        first = like.new_full((2,), torch.nan) if sigmas is None else torch.as_tensor(sigmas).to(like)
        second = like.new_full((), torch.nan) if reached is None else torch.as_tensor(reached).to(like)
        return torch.cat([first, second.reshape(1)])


class Fixed(Weighting, name="fixed"):
    """λ · loss."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor([loss.lambda_class, loss.lambda_pointer]))

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses


class Uncertainty(Weighting, name="uncertainty"):
    """Kendall, Gal and Cipolla 2018, s = log σ²: exp(−s)·L + s/2 for the class, ½·exp(−s)·L + s/2 for the pointer.

    s is kept within ±12 after each step and never clamped in `forward`: a clamped s has no gradient and would never come back.
    """

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(2))
        self.factor: Tensor
        self.register_buffer("factor", torch.tensor([1.0, 0.5]))

    def forward(self, losses: Tensor) -> Tensor:
        s = self.log_variance
        return self.factor * torch.exp(-s) * losses + 0.5 * s

    @torch.no_grad()
    def limit(self) -> Tensor:
        reached = self.log_variance.abs().amax() >= LOG_VARIANCE_LIMIT
        self.log_variance.copy_(self.log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))
        return reached

    def sigmas(self) -> Tensor:
        return torch.exp(0.5 * self.log_variance.detach())


class Equal(Weighting, name="equal"):
    """Each loss over its mean in the first epoch, so that both start at 1."""

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.scale: Tensor
        self.known: Tensor
        self.register_buffer("scale", torch.ones(2))
        self.register_buffer("known", torch.tensor(False))

    def forward(self, losses: Tensor) -> Tensor:
        return losses / self.scale

    def end_epoch(self, means: tuple[float, float]) -> None:
        if not self.known:
            self.scale.copy_(torch.tensor([max(value, 1e-8) for value in means]))
            self.known.fill_(True)


class DynamicAverage(Weighting, name="dwa"):
    """DWA (Liu, Johns and Davison 2019): weights 2·softmax(r / T), r the ratio of the last two epochs' losses."""

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.weight: Tensor
        self.before: Tensor
        self.register_buffer("weight", torch.ones(2))
        self.register_buffer("before", torch.full((2,), torch.nan))  # the last epoch's losses

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses

    def end_epoch(self, means: tuple[float, float]) -> None:
        before = self.before.tolist()
        self.before.copy_(torch.tensor(means))
        if not any(math.isnan(loss) for loss in before):
            rates = [math.exp(a / max(b, 1e-8) / DWA_TEMPERATURE) for a, b in zip(means, before, strict=True)]
            self.weight.copy_(torch.tensor([2 * rate / sum(rates) for rate in rates]))


def make_weighting(loss: Loss) -> Weighting:
    """The weighting that the spec names. Raises SpecError for one that the two engines would train differently."""
    if loss.weighting not in WEIGHTINGS:
        raise SpecError(
            f"no class of training/objectives.py has the name {loss.weighting!r}.",
            where="loss.weighting",
            mend=f"Known: {', '.join(WEIGHTINGS)}.",
        )
    found = WEIGHTINGS[loss.weighting](loss)
    wrong = _broken_rule(found)
    if wrong:
        raise SpecError(wrong, where=f"loss.weighting={loss.weighting}", mend="See the docstring of Weighting.")
    return found


def _broken_rule(weighting: Weighting) -> str:
    """Which rule for `forward` a weighting breaks; empty for none."""
    tried, random = copy.deepcopy(weighting), torch.get_rng_state()
    plain = plain_state(tried)
    terms = tried(torch.ones(2))
    if terms.shape != (2,):
        return f"forward gives terms of shape {list(terms.shape)}, not [2]."
    if not torch.equal(random, torch.get_rng_state()):
        torch.set_rng_state(random)
        return "forward draws random numbers, which the two engines would draw in different orders."
    if plain_state(tried) != plain:
        return "forward changes an attribute that is no buffer, which the replicas of a fit would share."
    return ""


def plain_state(module: nn.Module) -> bytes:
    """The attributes of a module and its parts that are neither parameters nor buffers, in a form that can be compared."""
    usual = vars(nn.Module()).keys()
    return b"".join(
        _frozen(name, value)
        for part in module.modules()
        for name, value in sorted(vars(part).items())
        if name not in usual
    )


def _frozen(name: str, value: Any) -> bytes:
    try:
        return pickle.dumps((name, value))
    except (pickle.PicklingError, TypeError, AttributeError):  # such as a function made on the spot
        return f"{name}={value!r}".encode()
