"""What a pre-training objective is, what it measures on validation windows, and the registry of all objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.errors import SpecError
from moola_core.models.encoders import Encoder
from moola_core.registry import Registry
from moola_core.specs import Pretrain
from moola_core.specs.objectives import ObjectiveRules
from moola_core.training.pretraining.bar_windows import BarWindows

Batch: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class ReconstructionErrors:
    """Mean absolute error at hidden bars for each feature [F], in its own units, all on the same hidden bars.

    model: as it was trained; masked_input: with the hidden bars surely replaced in the input (the same, unless the target was
    visible); feature_mean: of always answering the training mean; carry_forward: of answering the last visible bar;
    noise_floor [F]: what noise in the windows leaves to anyone who does not see it.
    gains [n]: of each validation window in turn, the error (mean over features) of the better trivial predictor less the model's,
    such that their mean is that of the whole.
    examples: (first bar, truth [K, F], guess [K, F], hidden [K]) of some windows.
    """

    model: np.ndarray
    masked_input: np.ndarray
    feature_mean: np.ndarray
    carry_forward: np.ndarray
    noise_floor: np.ndarray
    gains: np.ndarray
    examples: tuple[tuple[int, np.ndarray, np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class ValidationMeasure:
    """One figure of the validation windows, with that of a trivial answer; `better` is ``"higher"`` or ``"lower"``.

    gains [n]: of each validation window in turn, by how much it is better; their mean is that of the whole.
    """

    name: str
    value: float
    trivial: float
    better: str
    gains: np.ndarray


@dataclass(frozen=True)
class Validation:
    """What an objective's network does on the validation windows: measures, the first one the most telling, or errors of a reconstruction."""

    measures: tuple[ValidationMeasure, ...] = ()
    errors: ReconstructionErrors | None = None


class PretrainingObjective(ABC):
    """What pre-training asks of the encoder: a network, the batches that it is trained on, their loss, and how well it does.

    Parameters
    ----------
    spec : Pretrain
        The settings; those of the objective are ``self.settings``.
    windows : BarWindows
        Gathers the windows at any first bars.

    Attributes
    ----------
    rules : ObjectiveRules
        Its sentence, and what it needs of settings and bars. A built-in objective takes them from ``specs/objectives.py``.
    compares_windows : bool
        Whether the loss of a window depends on the other windows of its batch. Then the losses of parts of a batch do not add up to
        that of the whole, and the log has a message when memory forces the batch into parts.
    network : torch.nn.Module
        What is trained; its encoder is the attribute ``encoder``.
    """

    rules: ClassVar[ObjectiveRules]
    compares_windows: ClassVar[bool] = False

    def __init__(self, spec: Pretrain, windows: BarWindows) -> None:
        self.spec, self.settings, self.windows = spec, spec.objective, windows
        self.network = self.make_network(len(windows.features))

    @abstractmethod
    def make_network(self, inputs: int) -> nn.Module:
        """The network for `inputs` features of a bar, with its encoder as the attribute ``encoder``."""

    @abstractmethod
    def prepare(self, first: np.ndarray, draw: torch.Generator) -> Batch:
        """The batch of the windows at bars `first` [m]: tensors whose first dimension is m. All chance comes from `draw`."""

    @abstractmethod
    def count(self, batch: Batch) -> Tensor:
        """How many losses the batch has, a tensor of one number; those of parts of a batch add up."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The sum of the batch's losses."""

    @abstractmethod
    def evaluate(self, batches: Iterable[tuple[np.ndarray, Batch]], train: np.ndarray) -> Validation:
        """How well the network does, next to an answer that needs no learning.

        Parameters
        ----------
        batches : iterable of (ndarray of int, Batch)
            The validation windows in turn: their first bars and what :meth:`prepare` makes of them. To be gone through once.
        train : ndarray of int
            First bars of the training windows, for a trivial answer that is taken from them.

        Returns
        -------
        Validation
            At least one measure, or the errors of a reconstruction.
        """


OBJECTIVES: Registry[type[PretrainingObjective]] = Registry("objective", "moola.objectives")


def make_objective(spec: Pretrain, windows: BarWindows) -> PretrainingObjective:
    """The objective that the spec names, its network on the windows' device.

    Raises SpecError when there is no such objective, it is incomplete, or the other settings do not suit it.
    """
    name = spec.objective.name
    kind = OBJECTIVES.resolve(name)
    if not (isinstance(kind, type) and issubclass(kind, PretrainingObjective)):
        raise SpecError(
            f"{name} is no pre-training objective.",
            where="objective.name",
            hint="Derive it from moola_core.training.pretraining.objectives.PretrainingObjective.",
        )
    problem = kind.rules.problem(spec)
    if problem:
        raise SpecError(f"{problem}.", where="objective.name", hint="Change one of the two settings.")
    objective = kind(spec, windows)
    if not isinstance(getattr(objective.network, "encoder", None), Encoder):
        raise SpecError(
            f"the network of {name} has no encoder to fine-tune from.",
            where="objective.name",
            hint="Keep what make_encoder gives as its attribute encoder.",
        )
    objective.network.to(windows.device)
    return objective
