"""What a weighting of the two losses is, the rules that both engines need it to keep, and the registry of all of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import torch
from torch import Tensor, nn

from moola_core.errors import SpecError
from moola_core.registry import Registry
from moola_core.specs import Loss


class Weighting(nn.Module):
    """How the two tasks' losses become the terms that are added.

    What it learns are its parameters, of any names and shapes; what it remembers from epoch to epoch belongs in buffers. The replica
    engine trains many fits with one copy of the module, so `forward` must depend on nothing else that changes, and neither it
    nor `end_epoch` may draw from torch's own generator. Attributes that are no buffers may change in `end_epoch`, but the replica engine then builds its steps anew, which is slow
    on a card.
    """

    rate: float | None = None
    """Learning rate of the parameters; loss.log_variance_lr where it is None. There is no weight decay on them."""

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


WEIGHTINGS: Registry[type[Weighting]] = Registry("weighting", "moola.weightings")


def make_weighting(loss: Loss) -> Weighting:
    """The weighting that the spec names. Raises SpecError for one that the two engines would train differently."""
    kind = WEIGHTINGS.resolve(loss.weighting)
    if not (isinstance(kind, type) and issubclass(kind, Weighting)):
        raise SpecError(
            f"{loss.weighting} is no weighting.",
            where="loss.weighting",
            hint="Derive it from moola_core.training.weightings.Weighting.",
        )
    weighting = kind(loss)
    wrong = _broken_rule(weighting)
    if wrong:
        raise SpecError(wrong, where=f"loss.weighting={loss.weighting}", hint="See the docstring of Weighting.")
    return weighting


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
