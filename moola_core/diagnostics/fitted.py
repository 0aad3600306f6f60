"""The networks and estimators that a run's fits kept, ready to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.errors import CheckpointError
from moola_core.estimators import ESTIMATORS, Estimator, storage
from moola_core.estimators.spans.terms import PREFIX, SpanTerms
from moola_core.features.matrix import standardised_path
from moola_core.models.checkpoint import load_weights, put_weights
from moola_core.models.encoders import encoder_class
from moola_core.models.multitask import MultiTask, Outputs, Terms
from moola_core.models.replicas import Replicas
from moola_core.runs.store import ESTIMATOR_FILE, Run
from moola_core.specs import Model
from moola_core.specs.choices import IMPORTED, JOINED

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class FittedModel(Generic[Network]):
    """A network in eval mode with the scale [F] of its inputs."""

    model: Network
    mean: np.ndarray
    std: np.ndarray

    def scaled(self, x: np.ndarray) -> Tensor:
        """x [n, K, F] in the features' units as the network reads it."""
        return torch.from_numpy(((x - self.mean) / self.std).astype(np.float32))


class WithTerms(nn.Module):
    """A network that adds the span model's terms to its scores, as a function of its standardised inputs alone.

    The terms are no part of the gradient: only what the encoder adds is.
    """

    def __init__(
        self, model: MultiTask, terms: SpanTerms, mean: np.ndarray, std: np.ndarray, features: Sequence[str]
    ) -> None:
        super().__init__()
        self.model, self.terms, self.features = model, terms, features
        self.mean, self.std = mean, std
        self.encoder, self.class_head, self.pointer_head = model.encoder, model.class_head, model.pointer_head

    def forward(self, x: Tensor) -> Outputs:
        terms = self.terms(standardised_path(x.detach().cpu().numpy(), self.mean, self.std, self.features))
        return self.model(x, Terms.of(terms.spans, terms.logits).each(lambda part: part.to(x.device)))


class StackedModels:
    """The networks of R fits on a device, evaluated all at once where their encoder allows it: one alone leaves a GPU almost idle."""

    def __init__(self, fits: Sequence[FittedModel[MultiTask | WithTerms]], model: Model, device: str) -> None:
        self.fits, self.device = fits, device
        self.network: Replicas | None = None
        if encoder_class(model).stacked is None or model.adds_statistics:
            for fit in fits:
                fit.model.to(device)
            return
        states = [fit.model.state_dict() for fit in fits]
        self.network = Replicas(
            model, {name: torch.stack([one[name] for one in states]).to(device) for name in states[0]}
        )

    def __call__(self, x: Tensor) -> Outputs:
        """x [R, b, K, F], each fit's windows as it reads them → logits [R, b, outputs] and pointers [R, b, 2], on the device."""
        if self.network is not None:
            return self.network.forward(x.to(self.device).transpose(1, 2))
        each = [fit.model(own) for fit, own in zip(self.fits, x.to(self.device), strict=True)]
        parts = ([getattr(one, name) for one in each] for name in ("logits", "pointer", "spans"))
        return Outputs(*(None if own[0] is None else torch.stack(own) for own in parts))


def classes_of(run: Run) -> tuple[str, ...]:
    """The classes in the order of the models' outputs."""
    return tuple(sorted(run.record.facts.labels))


def load_estimator(run: Run, repeat: int, fold: int) -> Estimator:
    """The estimator that a finished fit kept. Raises CheckpointError when there is none, or it cannot be read."""
    if run.spec.estimator == IMPORTED:
        raise CheckpointError(
            "its predictions were imported, without the models that made them.",
            where=f"run {run.id}",
            hint="Choose a run that was trained here.",
        )
    if run.spec.estimator == JOINED:
        join = run.spec.join
        raise CheckpointError(
            "it joins two runs, each with models of its own.",
            where=f"run {run.id}",
            hint=f"Choose {join.class_run} for what its classes rest on, or {join.pointer_run} for what its expansions rest on.",
        )
    folder = run.replicates().get((repeat, fold))
    if folder is None or not (folder / ESTIMATOR_FILE).is_file():
        raise CheckpointError(
            f"its {run.spec.estimator} model was not kept.",
            where=f"run {run.id}",
            hint="Run it again from its spec: `moola rerun RUN`.",
        )
    return storage.load(folder / ESTIMATOR_FILE, ESTIMATORS.resolve(run.spec.estimator))


def load_fitted(run: Run, repeat: int, fold: int) -> FittedModel[MultiTask | WithTerms]:
    """The network that a finished fit kept. Raises CheckpointError when its weights do not fit the run's spec."""
    spec, facts = run.spec, run.record.facts
    if not spec.is_network:
        raise CheckpointError(
            f"its model, {spec.estimator}, is no network.", where=f"run {run.id}", hint="Choose a run of a network."
        )
    weights = load_weights(run.replicates()[(repeat, fold)] / "weights.safetensors")
    mean, std = weights.pop("scale.mean"), weights.pop("scale.std")
    statistics = {name: weights.pop(name) for name in list(weights) if name.startswith(PREFIX)}
    model = MultiTask(len(facts.features), len(facts.labels) + spec.faults.extra_output, spec.model)
    put_weights(model, weights, f"run {run.id}, repeat {repeat}, fold {fold}")
    if statistics:
        terms = SpanTerms.from_arrays(statistics)
        return FittedModel(WithTerms(model, terms, mean, std, facts.features).eval(), mean, std)
    return FittedModel(model.eval(), mean, std)
