"""One fit: its network, weighting and random streams, and what its outputs and losses mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from moola_core.models.checkpoint import Pretrained, put_weights
from moola_core.models.heads import to_bars
from moola_core.models.multitask import MultiTask, Outputs
from moola_core.models.spans import log_priors, predict_spans, span_loss, span_scores
from moola_core.spans.decoding import SpanPrediction
from moola_core.specs import Finetune
from moola_core.training import fault_injection, seeds
from moola_core.training.device import seed_torch
from moola_core.training.fold_data import key_of, scale_of, targets_of
from moola_core.training.folds import Fold
from moola_core.training.gradients import Projection
from moola_core.training.inputs import Inputs
from moola_core.training.losses import pointer_loss
from moola_core.training.schedule import REST, WEIGHTING, Unfreezing
from moola_core.training.terms import FitTerms, terms_of
from moola_core.training.weightings import make_weighting

STEP_COLUMNS = (
    "loss",
    "loss_class",
    "loss_pointer",
    "sigma_class",
    "sigma_pointer",
    "at_limit",
    "norm_class",
    "norm_pointer",
    "cosine",
    "conflict",
    "projected",
    "unapplied",
)
NOISE_WINDOWS = 64


class Rate(NamedTuple):
    """The learning rate and the weight decay of a part of a network."""

    learning: float
    decay: float


class Predicted(NamedTuple):
    """What a fit predicts of m windows.

    Attributes
    ----------
    probabilities : ndarray, shape (m, C), or None
    span : ndarray, shape (m, 2), or None
        Start and end in bars.
    losses : ndarray, shape (2,)
        Unweighted, of class and pointer.
    spans : SpanPrediction or None
        What scores of spans say; of the test windows alone.
    """

    probabilities: np.ndarray | None
    span: np.ndarray | None
    losses: np.ndarray
    spans: SpanPrediction | None = None


class Fit:
    """One fit, apart from its steps: all that comes from the spec's seed and the fold, on the CPU.

    `model` holds the weights that training begins with and, where a phase of the schedule ends, those that it ends with. Torch's own random
    state is left where dropout begins. terms: the fit's own, where they are known.
    """

    def __init__(
        self,
        spec: Finetune,
        inputs: Inputs,
        fold: Fold,
        start: Pretrained | None = None,
        terms: FitTerms | None = None,
    ) -> None:
        self.spec, self.inputs, self.fold = spec, inputs, fold
        self.start = start if spec.transfer.schedule != "none" else None
        self.key = key_of(spec, fold)
        seed_torch(seeds.torch_seed(*self.key, seeds.WEIGHTS))
        outputs = len(inputs.classes) + spec.faults.extra_output
        self.model = MultiTask(inputs.x.shape[2], outputs, spec.model)
        self.mean, self.std = scale_of(spec, inputs, fold, start)
        self.terms = terms_of(spec, inputs, fold, start) if terms is None else terms
        self._begin_at_labels()
        if self.start is not None:
            self.start.check_features(inputs.features)
            self.start.check_model(spec.model)
            put_weights(self.model.encoder, self.start.weights, self.start.source)
            if spec.faults.noise_encoder:
                fault_injection.randomise_weights(self.model.encoder, spec.training.seed)
        self.unfreezing = Unfreezing(spec, self.model)
        self.weighting = make_weighting(spec.loss)
        seed_torch(seeds.torch_seed(*self.key, seeds.DROPOUT))
        self.order = seeds.generator(*self.key, seeds.ORDER)
        self.active = torch.tensor([spec.model.tasks != "pointers", spec.model.tasks != "class"]).float()
        self.projection = Projection(spec.loss.pcgrad, spec.loss.pcgrad_threshold, spec.faults.accumulated_gradients)
        self.constant_pointer_loss = self._constant_pointer_loss()

    @property
    def mirrors(self) -> bool:
        """Whether windows are mirrored in training: not where no expansion says that direction is all that they would lose."""
        return self.spec.training.mirrored_frac > 0 and not np.isnan(self.inputs.pointer[self.fold.train]).all()

    def _begin_at_labels(self) -> None:
        """Let the heads begin near what is known without the encoder: the training pointers' median or distribution, or the terms."""
        train, head = torch.from_numpy(self.inputs.pointer[self.fold.train]), self.model.pointer_head
        if self.terms.fitted is not None:
            self.model.begin_small()
        elif head is not None and not train.isnan().all():
            head.init_from(train)

    def targets(self) -> np.ndarray:
        """Class numbers [n] that this fit is given."""
        return targets_of(self.spec, self.inputs, self.fold)

    def _median_pointer(self) -> list[float] | None:
        """The training windows' median center and length; None where none of them has a pointer."""
        train = self.inputs.pointer[self.fold.train]
        return None if np.isnan(train).all() else [float(value) for value in np.nanmedian(train, axis=0)]

    def _constant_pointer_loss(self) -> float:
        """The pointer loss on the validation windows of always answering the training windows' median: a unit for the loss."""
        median = self._median_pointer()
        if self.active[1] == 0 or median is None:
            return 1.0
        validation = torch.from_numpy(self.inputs.pointer[self.fold.validation])
        if self.spec.model.scores_spans:
            train = torch.from_numpy(self.inputs.pointer[self.fold.train])
            nothing = torch.zeros(len(validation), self.inputs.window_bars, 3)
            return max(float(span_loss(span_scores(nothing, *log_priors(train)), validation)), 1e-8)
        constant = torch.tensor(median, dtype=validation.dtype).expand_as(validation)
        return max(float(pointer_loss(constant, validation, self.spec.loss.huber_delta)), 1e-8)

    @property
    def pulls(self) -> bool:
        """Whether the encoder is pulled towards its start (Li, Grandvalet and Davoine 2018)."""
        return self.start is not None and self.spec.transfer.l2_sp > 0

    def rates_of_parts(self) -> dict[str, Rate]:
        """Learning rate and weight decay of each part that trains now, the weighting's own included."""
        decay = self.spec.training.weight_decay
        rates = {
            part: Rate(rate, 0.0 if self.pulls and part != REST else decay)
            for part, rate in self.unfreezing.phase.rates.items()
            if self.unfreezing.parts[part]
        }
        if self.weighting.learned():
            rate = self.spec.loss.log_variance_lr if self.weighting.rate is None else self.weighting.rate
            rates[WEIGHTING] = Rate(rate, 0.0)
        return rates

    @property
    def encoder_in_eval_mode(self) -> bool:
        """Whether the encoder is in eval mode while the rest trains."""
        return self.unfreezing.phase.encoder_frozen and not self.spec.faults.frozen_dropout

    def batches(self) -> list[Tensor]:
        """All training windows once, in this epoch's order; a last batch of one window is left out unless all batches are of one."""
        order = torch.from_numpy(self.order.permutation(self.fold.train))
        least = min(2, self.spec.training.batch_size, len(order))
        return [batch for batch in order.split(self.spec.training.batch_size) if len(batch) >= least]

    def splits(self, epoch: int, step: int) -> bool:
        """Whether a step of an epoch takes the tasks' gradients apart: always to project, else now and then to measure."""
        measured = epoch % self.spec.training.eval_every_epochs == 0 and step == 0
        return self.spec.model.tasks == "both" and (self.projection.on or measured)

    def end_epoch(self, table: np.ndarray) -> None:
        """Tell the weighting an epoch's mean losses."""
        self.weighting.end_epoch((float(table[:, 1].mean()), float(table[:, 2].mean())))

    def to_predictions(self, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
        """The network's outputs for m windows in the units of the data."""
        probabilities, span, spans = None, None, None
        if outputs.logits is not None:
            logits = outputs.logits.double() / self.spec.faults.temperature
            probabilities = torch.softmax(logits, 1)[:, : len(self.inputs.classes)].cpu().numpy()
        if outputs.spans is not None and final:
            spans = predict_spans(outputs.spans)
            span = spans.span
        elif outputs.spans is not None:  # the most probable span, which takes no time, is enough to watch training
            first, length = np.divmod(outputs.spans.flatten(1).argmax(1).cpu().numpy(), self.inputs.window_bars)
            span = np.stack([first, first + length], axis=1).astype(float)
        elif outputs.pointer is not None:
            span = to_bars(outputs.pointer.double().cpu().numpy(), self.inputs.window_bars)
        return Predicted(probabilities, span, losses, spans)

    def score(self, losses: np.ndarray, f1: float | None) -> float:
        """What selects the epoch; lower is better. Each loss is relative to that of a constant prediction."""
        if self.spec.training.monitor == "f1_macro" and f1 is not None:
            return -f1
        relative = losses / np.array([np.log(max(len(self.inputs.classes), 2)), self.constant_pointer_loss])
        return float(relative @ self.active.numpy())

    def sigmas(self) -> tuple[float, float] | None:
        """σ of class and pointer as they stand, where they are learned."""
        sigmas = self.weighting.sigmas()
        if sigmas is None:
            return None
        first, second = torch.as_tensor(sigmas).tolist()
        return first, second

    def rates(self, steps: np.ndarray) -> dict[str, Any]:
        """σ's ratio, and how often the tasks' gradients were in conflict and projected in `steps` so far [steps, columns]."""
        values: dict[str, Any] = {}
        conflict, projected = (steps[:, STEP_COLUMNS.index(name)] for name in ("conflict", "projected"))
        measured = ~np.isnan(conflict)
        sigmas = self.sigmas()
        values["sigma_ratio"] = sigmas[1] / sigmas[0] if sigmas else None
        values["conflict_rate"] = float(conflict[measured].mean()) if measured.any() else None
        values["projection_rate"] = float(projected[measured].mean()) if measured.any() else None
        return values


def noise_share(first: Tensor, second: Tensor) -> float:
    """Of two passes [m, width] over the same windows: root mean square of their difference over √2, over the standard deviation over
    the windows."""
    spread = (first - first.mean(0)).square().mean().sqrt()
    return float((first - second).square().mean().sqrt() / 2**0.5 / spread.clamp(min=1e-12))
