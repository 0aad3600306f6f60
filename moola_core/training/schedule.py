"""Which parameters train, at which rate, from which epoch on: from scratch, frozen, gradually unfrozen, or all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from moola_core.errors import RunError
from moola_core.models.multitask import MultiTask
from moola_core.specs import Finetune

LOWER, LAST, REST = "encoder, lower layers", "encoder, last layer", "pooling, trunk and heads"
WEIGHTING = "weighting"  # the part of what the weighting learns, and the prefix of its names


@dataclass(frozen=True)
class Phase:
    """From `first_epoch` on: the learning rate of each part of the network that trains; a part that is not named is frozen."""

    first_epoch: int
    rates: dict[str, float]

    @property
    def encoder_frozen(self) -> bool:
        """Whether no part of the encoder trains."""
        return not {LOWER, LAST} & self.rates.keys()


def phases(spec: Finetune) -> tuple[Phase, ...]:
    """The phases of the spec's schedule, the first from epoch 1 on; of two that begin together the later one holds."""
    scheduled = _phases(spec)
    if spec.faults.nothing_unfrozen:
        return tuple(Phase(phase.first_epoch, {REST: phase.rates[REST]}) for phase in scheduled)
    return scheduled


def _phases(spec: Finetune) -> tuple[Phase, ...]:
    transfer, rate = spec.transfer, spec.training.learning_rate
    if transfer.schedule == "frozen":
        return (Phase(1, {REST: rate}),)
    if transfer.schedule == "gradual":
        return (
            Phase(1, {REST: rate}),
            Phase(transfer.last_layer_epoch, {REST: rate, LAST: transfer.last_layer_lr}),
            Phase(transfer.all_epoch, dict.fromkeys((REST, LAST, LOWER), transfer.all_lr)),
        )
    encoder = rate * (transfer.encoder_lr_scale if transfer.schedule == "full" else 1.0)
    return (Phase(1, {LOWER: encoder, LAST: encoder, REST: rate}),)


def parts(model: MultiTask) -> dict[str, dict[str, nn.Parameter]]:
    """The network's parameters by part and name; the encoder's normalisation goes with its last layer."""
    *lower, _ = model.encoder.layers()
    below = {f"encoder.{name}" for layer in lower for name in layer}
    named: dict[str, dict[str, nn.Parameter]] = {LOWER: {}, LAST: {}, REST: {}}
    for name, parameter in model.named_parameters():
        named[LOWER if name in below else LAST if name.startswith("encoder.") else REST][name] = parameter
    return named


class Unfreezing:
    """Carries out a schedule on a network and proves that it did: frozen weights must keep their bits."""

    def __init__(self, spec: Finetune, model: MultiTask) -> None:
        self.model, self.parts, self.phases = model, parts(model), phases(spec)
        self.phase = self.phases[0]
        self.before: dict[str, np.ndarray] = {}
        for phase in self.phases:
            if not any(self.parts[part] for part in phase.rates):
                raise RunError(
                    f"the schedule trains no parameter from epoch {phase.first_epoch} on.",
                    where="transfer.schedule",
                    hint="Choose another schedule, or a model that has the parts that it names.",
                )

    @property
    def last_change(self) -> int:
        """The epoch from which on nothing more is unfrozen."""
        return self.phases[-1].first_epoch

    def begins(self, epoch: int) -> bool:
        """Whether a phase begins with this epoch; it is then in force."""
        started = [phase for phase in self.phases if phase.first_epoch == epoch]
        for phase in started:
            self.phase = phase
            for part, parameters in self.parts.items():
                for parameter in parameters.values():
                    parameter.requires_grad_(part in phase.rates)
                    parameter.grad = None
            self.before = self._weights()
        return bool(started)

    def ends(self, epoch: int, last: bool) -> bool:
        """Whether the phase in force ends with this epoch."""
        return last or any(phase.first_epoch == epoch + 1 for phase in self.phases)

    def trainable(self) -> list[str]:
        """Names of the parameters that train now."""
        return [name for part in self.phase.rates for name in self.parts[part]]

    def changed(self) -> list[str]:
        """Names of the parameters that the phase has changed. Raises RunError when a frozen one is among them."""
        now = self._weights()
        moved = [name for name, weights in now.items() if not np.array_equal(weights, self.before[name])]
        wrong = sorted(set(moved) - set(self.trainable()))
        if wrong:
            raise RunError(
                f"frozen weights changed: {', '.join(wrong[:5])}.",
                where="transfer.schedule",
                hint="Report this: it is a fault.",
            )
        return moved

    def moved(self, before: Mapping[str, np.ndarray]) -> float:
        """How far the weights that train now have come from `before`: root mean square of the change over that of `before`."""
        now, names = self._weights(), self.trainable()
        change, size = (
            sum(float(np.square(part).sum()) for part in parts)
            for parts in ((now[name] - before[name] for name in names), (before[name] for name in names))
        )
        return float(np.sqrt(change / max(size, 1e-30)))

    def _weights(self) -> dict[str, np.ndarray]:
        return {name: parameter.detach().cpu().numpy().copy() for name, parameter in self.model.named_parameters()}
