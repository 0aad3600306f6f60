"""Whether training does what its settings say: batches, inputs, losses, gradients and steps of one fit, next to what they are by definition.

Each is computed a second time by other means: scales, losses and steps with NumPy, gradients as differences of the loss. What differs is at
fault whatever the data are, so that no healthy range is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from moola_core.host.engine import ALONE
from moola_core.models.checkpoint import Pretrained
from moola_core.models.multitask import Outputs
from moola_core.specs import Faults, Finetune, change
from moola_core.training import by_property
from moola_core.training.by_definition import (
    ALIKE,
    LEAST_ORDER,
    AdamW,
    Deviation,
    apart,
    cross_entropy,
    differ,
    huber,
    in_order,
    mixing,
    of_folds,
    share_apart,
)
from moola_core.training.device import Device, own_random_state, seed_torch, torch_on_one_thread
from moola_core.training.folds import Fold, make_folds
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs
from moola_core.training.schedule import LAST, LOWER, WEIGHTING

EPOCHS, STEPS = 3, 3  # whose batches and updates are looked at
ASKED = 8  # windows that are asked about together and alone
CLASS, POINTER, BOTH = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)  # which tasks are looked at
SEED = 0  # of dropout, so that a pass can be made again
IN_ORDER, SEPARATED = 4.0, -4.0  # standard deviations of chance
LEAST_WEIGHT = 0.05  # size of a weight where all are zero
SHORTER = (1.0, 0.1, 0.02)  # steps of a difference: where the loss is curved, the longest misleads
SLOPE = (0.6, 1.6)  # difference of the loss along the gradient, over the gradient's length
FAR, RISE = 0.03, 2e-3  # how far a difference goes: of the size of the weights, and of the loss
MEASURABLE = 1e-5  # of the loss, that float32 shows
FAR_START, LEAST_LOSS = 2.0, 1e-3  # times the loss of a constant, which is small where all windows are alike
STEP_ALIKE = 0.02  # of the learning rate


def deviations(spec: Finetune, inputs: Inputs, start: Pretrained | None = None) -> tuple[Deviation, ...]:
    """Where the first fit of a run differs from what its settings say, in the order in which training comes to it; empty for nowhere.

    Planted faults of the settings and statistics that are added to the scores are left out, and training goes on the CPU, one network alone.
    Raises DataError where the windows cannot be divided.
    """
    plain = change(spec.model_copy(update={"faults": Faults()}), {"model.span_statistics": False})
    folds = make_folds(inputs.label, inputs.shared, plain.training, plain.faults)
    device = Device("cpu", "cpu", "float32").using(ALONE)
    with own_random_state(device), torch_on_one_thread(device):
        group = Group(plain, inputs, [folds[0]], device, [start])
        audit = _Audit(group)
        group.fits[0].unfreezing.begins(1)
        group.prepare()
        deviating = list[Deviation]()
        try:
            deviating.extend(audit.all(folds))
        except RuntimeError:
            if not deviating:  # what differs may be why the rest cannot be looked at
                raise
        return tuple(deviating)


class _Audit:
    """The parts of a fit, each looked at before the next changes it; `rows` are the windows of its batch."""

    def __init__(self, group: Group) -> None:
        self.group, self.rows = group, np.zeros(0, int)

    def all(self, folds: Sequence[Fold]) -> Iterator[Deviation]:
        """What differs; a part that builds on one that differs is still looked at."""
        yield from of_folds(folds, len(self.group.fits[0].inputs.label))
        batches = [self.group.fits[0].batches() for _ in range(EPOCHS)]
        yield from self.of_batches(batches)
        self.take(batches[0][0])
        yield from self.of_start()
        losses = list(self.of_first_losses())
        for rows in batches[0]:  # up to the first batch that is not what it should be
            self.take(rows)
            given = [*self.of_inputs(), *self.of_targets()]
            if given:
                yield from given
                break
        for part in (self.of_network, self.of_loss, self.of_gradient):
            yield from part()
        before = self.group.windows.x.clone()
        yield from self.of_steps([batch for epoch in batches for batch in epoch][:STEPS])
        yield from by_property.of_stored(before, self.group)
        yield from losses  # what differs elsewhere may be why

    def take(self, rows: Tensor) -> None:
        """Let the group's batch be these windows."""
        batch = self.group.batch
        batch.fill(batch.step_of([rows]), self.group.fits[0].encoder_in_eval_mode)
        self.rows = rows.numpy()

    def of_batches(self, epochs: Sequence[Sequence[Tensor]]) -> Iterator[Deviation]:
        """Each training window once an epoch, in another random order each time."""
        fit = self.group.fits[0]
        train, target = np.sort(fit.fold.train), fit.inputs.target
        orders = [torch.cat(list(epoch)).numpy() for epoch in epochs]
        used = [np.unique(order, return_counts=True) for order in orders]
        foreign = np.setdiff1d(np.concatenate([rows for rows, _ in used]), train)
        if len(foreign):
            yield Deviation(
                "batches", f"{len(foreign)} windows that are not of the fold's training part are trained on"
            )
        missing = min(len(np.setdiff1d(train, rows)) for rows, _ in used)
        if missing > 1:  # a last batch of one window may be left out
            yield Deviation("batches", f"{missing} of {len(train)} training windows are in no batch of an epoch")
        if max(counts.max() for _, counts in used) > 1:
            yield Deviation("batches", "some windows are in more than one batch of an epoch")
        if len(train) > 2 * LEAST_ORDER and all(np.array_equal(orders[0], other) for other in orders[1:]):
            yield Deviation("batches", "the windows are trained on in the same order in every epoch")
        elif min(abs(in_order(order)) for order in orders) > IN_ORDER:
            yield Deviation("batches", "the windows are trained on in the order of the file")
        if max(mixing(target[order]) for order in orders) < SEPARATED:
            yield Deviation("batches", "the windows are trained on class by class")

    def of_start(self) -> Iterator[Deviation]:
        """Weights that are drawn, or a checkpoint's."""
        fit = self.group.fits[0]
        weights = {name: own.numpy() for name, own in fit.model.state_dict().items()}
        flat = [name for name, own in weights.items() if own.ndim > 1 and own.size > 1 and np.ptp(own) == 0]
        if flat:
            yield Deviation("start", f"all weights of {_some(flat)} are alike")
        if fit.start is not None:
            own = {f"encoder.{name}": value for name, value in fit.start.weights.items()}
            off = [name for name, value in own.items() if name in weights and not np.allclose(weights[name], value)]
            if off:
                yield Deviation("start", f"{len(off)} of {len(own)} tensors of the encoder are not the checkpoint's")

    def of_first_losses(self) -> Iterator[Deviation]:
        """Losses near those of a constant, where the encoder's scale is not a checkpoint's own."""
        fit = self.group.fits[0]
        if fit.start is not None:
            return
        losses = self.answer(True, torch.from_numpy(fit.fold.train))[1]
        constant = (float(np.log(max(len(fit.inputs.classes), 2))), fit.constant_pointer_loss)
        for name, loss, usual in zip(("class", "pointer"), losses, constant, strict=True):
            if loss > FAR_START * max(usual, LEAST_LOSS):
                yield Deviation(
                    "start", f"the {name} loss begins at {loss:.3g}, that of a constant answer is {usual:.3g}"
                )

    def of_inputs(self) -> Iterator[Deviation]:
        """Windows less their training windows' mean, over their deviation, and the noise that the settings ask for."""
        group, fit = self.group, self.group.fits[0]
        x = fit.inputs.x.astype(float)
        mean, std = np.zeros(x.shape[2]), np.ones(x.shape[2])
        if fit.start is not None:
            mean, std = fit.start.mean, fit.start.std
        elif fit.spec.features.standardise:
            mean, std = x[fit.fold.train].mean((0, 1)), x[fit.fold.train].std((0, 1))
        std = np.where(std > 1e-8, std, 1.0)
        wanted = (x[self.rows] - mean) / std
        with torch.no_grad():
            measured = group.windows.scaled(group.batch.rows)[0].numpy()
        trained = group.windows.scaled(group.batch.rows)
        for where, own in (("in training", trained[0].detach().numpy()), ("in prediction", measured)):
            off = apart(own, wanted)
            if off > ALIKE:
                yield Deviation(
                    "inputs",
                    f"{where} the inputs differ from the standardised windows at {share_apart(own, wanted)} of the values",
                )
        batch = group.batch
        noisy = group._noisy(trained)[0].detach().numpy()
        wanted = trained[0].detach().numpy()
        if batch.noise is not None:
            wanted = wanted + fit.spec.training.jitter_std * batch.noise[0, : len(wanted)].numpy()
        still = np.ones(len(wanted), bool) if batch.flipped is None else ~batch.flipped[0, : len(wanted)].numpy()
        if still.any() and apart(noisy[still], wanted[still]) > ALIKE:
            yield Deviation("inputs", "training changes the inputs in a way that no setting asks for")

    def of_targets(self) -> Iterator[Deviation]:
        """The classes and pointers of the windows themselves."""
        inputs, group = self.group.fits[0].inputs, self.group
        target, pointer = group.windows.targets(group.batch.rows)
        if not np.array_equal(target[0].numpy(), inputs.target[self.rows]):
            yield Deviation("targets", "in training the classes are not those of the windows")
        if not np.allclose(pointer[0].numpy(), inputs.pointer[self.rows], equal_nan=True):
            yield Deviation("targets", "in training the pointers are not those of the windows")

    def answer(self, eval_mode: bool, rows: Tensor | None = None, seed: int = SEED) -> tuple[Outputs, np.ndarray]:
        """What the network says of the batch, or of rows, and the two losses; with the same dropout at each call of one seed."""
        group = self.group
        own = group.batch.rows if rows is None else group.rows_of([rows.numpy()])
        seed_torch(seed)
        drawn = None if eval_mode else group.batch.drawn(group.fits[0].encoder_in_eval_mode)
        x = group.windows.scaled(own)
        outputs = group.network.forward(x.transpose(1, 2), drawn, group.windows.added(own))
        return outputs, group.losses(group.windows, outputs, own)[0].detach().numpy()

    def of_network(self) -> Iterator[Deviation]:
        """In prediction a window's answer is its own, the same each time, and rests on every bar and column."""
        group, rows = self.group, torch.from_numpy(self.rows[:ASKED])
        with torch.no_grad():
            together, again = (by_property.parts_of(self.answer(True, rows, seed)[0]) for seed in (SEED, SEED + 1))
            each = [by_property.parts_of(self.answer(True, one)[0]) for one in rows.split(1)]
        alone = [torch.cat(parts, 1) for parts in zip(*each, strict=True)]
        if differ(together, again):
            yield Deviation(
                "network", "the network answers differently each time that it is asked about the same windows"
            )
        elif differ(together, alone):
            yield Deviation(
                "network", "what the network says of a window depends on the windows that it is asked about together"
            )
        yield from by_property.of_reach(group, int(self.rows[0]))
        with torch.no_grad():
            outputs = by_property.numbers_of(self.answer(True, torch.from_numpy(group.fits[0].fold.train))[0])
            trained = by_property.numbers_of(self.answer(False)[0])
        yield from by_property.of_outputs(outputs)
        for numbers in (outputs, trained):
            yield from by_property.of_zeros(numbers)
        yield from by_property.of_heads(group, dict(_columns(group)), lambda: self.answer(True, rows)[0])
        yield from by_property.of_reading(group, lambda: by_property.parts_of(self.answer(True, rows)[0]))

    def of_loss(self) -> Iterator[Deviation]:
        """Cross-entropy of the outputs at the windows' classes, and the Huber loss of center and length."""
        fit = self.group.fits[0]
        for train, where in ((True, "in training"), (False, "in prediction")):
            with torch.set_grad_enabled(train):
                outputs, losses = self.answer(eval_mode=not train)
            wanted = [float("nan")] * 2
            if outputs.logits is not None:
                wanted[0] = cross_entropy(
                    outputs.logits[0].detach().numpy(), fit.inputs.target[self.rows], fit.spec.loss.focal_gamma
                )
            if outputs.pointer is not None and outputs.spans is None:
                wanted[1] = huber(
                    outputs.pointer[0].detach().numpy(), fit.inputs.pointer[self.rows], fit.spec.loss.huber_delta
                )
            for name, own, right in zip(("class", "pointer"), losses, wanted, strict=True):
                if abs(own - right) > ALIKE * max(abs(right), ALIKE):
                    yield Deviation("loss", f"{where} the {name} loss is {own:.4g}, by its definition {right:.4g}")

    def _gradient(self, split: bool) -> np.ndarray:
        """The gradient of the batch, from the state that the weighting has now."""
        with self._unchanged():
            return self.group.gradients(split)[2][0].detach().numpy().copy()

    @torch.no_grad()
    def _loss(self) -> float:
        """The sum of the weighted losses of the batch, from the state that the weighting has now."""
        with self._unchanged():
            return float(self.group.weighted()[1].double().sum())

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """With the same dropout each time; what a pass remembers is as before when it ends."""
        kept = [
            {name: own.clone() for name, own in held.items()}
            for held in (self.group.weightings.remembered, self.group.stacked.buffers)
        ]
        seed_torch(SEED)
        yield
        for before, held in zip(kept, (self.group.weightings.remembered, self.group.stacked.buffers), strict=True):
            for name, value in before.items():
                held[name].copy_(value)

    def of_gradient(self) -> Iterator[Deviation]:
        """Along the gradient of each module the loss rises by the gradient's length; a tensor without one does not change it."""
        group = self.group
        own, missing, wrong = group.active, list[str](), list[str]()
        # Where the class is read around the span, its loss deliberately moves its own head and the encoder, and not the span.
        for tasks, module in ((POINTER, ""), (CLASS, "class_head")) if group.spec.model.aligns else ((BOTH, ""),):
            group.active = own * torch.tensor(tasks)
            self._slopes(module, missing, wrong)
        group.active = own
        if missing:
            yield Deviation("gradient", f"{_some(missing)} get no gradient, though the loss depends on them")
        if wrong:
            yield Deviation(
                "gradient",
                f"a step along the gradient does not change the loss by the length of the gradient but by this times it: {_some(wrong)}",
            )

    def _slopes(self, only: str, missing: list[str], wrong: list[str]) -> None:
        """Note the tensors that get no gradient, and the modules (those whose names begin with `only`) whose gradient is not the loss's."""
        rng, at, modules = np.random.default_rng(SEED), 0, dict[str, np.ndarray]()
        self._gradient(False)  # what is never set back to zero shows in the second
        flat = self._gradient(False)
        gradient = np.zeros(self.group.stacked.matrix.shape[1])
        for name, columns in _columns(self.group):
            own = np.arange(columns.start, columns.stop)
            gradient[own], at = flat[at : at + len(own)], at + len(own)
            module = name.rpartition(".")[0]
            if module == WEIGHTING or not module.startswith(only):
                continue
            lost = not gradient[own].any() and name not in missing
            if lost and abs(self._rise(own, rng.standard_normal(len(own)), np.inf)[0]) > MEASURABLE:
                missing.append(name)
            modules[module] = np.concatenate([modules.get(module, own[:0]), own])
        slopes = {module: self._slope(own, gradient[own]) for module, own in modules.items()}
        wrong += [f"{module} {slope:.2f}" for module, slope in slopes.items() if slope is not None]

    def _slope(self, columns: np.ndarray, gradient: np.ndarray) -> float | None:
        """Rise of the loss along the gradient over its length, where that is not 1 however short the step; None where it is, or nothing can be measured."""
        length, slope = float(np.linalg.norm(gradient)), None
        for shorter in SHORTER:
            rise, by = self._rise(columns, gradient, shorter * RISE / max(length, MEASURABLE))
            if 2 * by * length < MEASURABLE:
                return None
            slope = rise / (2 * by * length)
            if SLOPE[0] < slope < SLOPE[1]:
                return None
        return slope

    def _rise(self, columns: np.ndarray, along: np.ndarray, most: float) -> tuple[float, float]:
        """By how much the loss is higher a step along these columns than the same step back, and how long the step is: `most` at most."""
        matrix, direction = self.group.stacked.matrix, along / max(float(np.linalg.norm(along)), 1e-30)
        size = max(float(matrix[0, columns].norm()), LEAST_WEIGHT * np.sqrt(len(columns)))
        by, kept, losses = min(FAR * size, most), matrix.clone(), []
        for sign in (1, -1):
            matrix[0, columns] = kept[0, columns] + torch.from_numpy(sign * by * direction).float()
            losses.append(self._loss())
        matrix.copy_(kept)
        return losses[0] - losses[1], by

    def of_steps(self, batches: Sequence[Tensor]) -> Iterator[Deviation]:
        """Steps are AdamW's with the gradient, held to its limit, at each part's rate; running statistics follow."""
        group, fit = self.group, self.group.fits[0]
        split = fit.splits(1, 0) and fit.projection.on
        wanted = {
            part: AdamW(self.weights_of(part), group.rates[part].learning, group.rates[part].decay)
            for part in group.trained
        }
        buffers = {name: own.clone() for name, own in group.stacked.buffers.items()}
        for number, rows in enumerate(batches, 1):
            self.take(rows)
            gradients = self._held(wanted, self._gradient(split))
            seed_torch(SEED)
            group.step(split)
            for part, own in wanted.items():
                own.step(gradients[part])
                off = float(np.abs(self.weights_of(part) - own.weights).max())
                if off > STEP_ALIKE * own.rate + ALIKE**2:
                    steps = "step" if number == 1 else "steps"
                    yield Deviation(
                        "step",
                        f"after {number} {steps} the {part} is up to {off:.2g} from where AdamW puts it at a rate of {own.rate:.2g}",
                    )
                    return
        means = [name for name in buffers if name.endswith("running_mean")]
        still = all(torch.equal(buffers[name], group.stacked.buffers[name]) for name in means)
        if means and still and not fit.encoder_in_eval_mode:
            yield Deviation("statistics", "the means of batch normalisation stay where they began")

    def weights_of(self, part: str) -> np.ndarray:
        """The present weights of a part of the network, flat."""
        columns = self.group.stacked.columns[part]
        return self.group.stacked.matrix[0, columns].double().numpy().copy()

    def _held(self, parts: Mapping[str, AdamW], flat: np.ndarray) -> dict[str, np.ndarray]:
        """Each part's gradient, pulled towards a pre-trained encoder and held to the limit of the norm."""
        group, at, gradients = self.group, 0, dict[str, np.ndarray]()
        for part, own in parts.items():
            gradients[part], at = flat[at : at + len(own.weights)].astype(float), at + len(own.weights)
            if group.anchor is not None and part in (LOWER, LAST):
                anchor = group.anchor[0, group.stacked.columns[part]].double().numpy()
                gradients[part] += group.spec.transfer.l2_sp * (own.weights - anchor)
        network = [own for part, own in gradients.items() if part != WEIGHTING]
        norm = float(np.sqrt(sum(float(np.square(own).sum()) for own in network)))
        held = min(1.0, group.spec.training.max_grad_norm / (norm + 1e-6))
        return {part: own if part == WEIGHTING else held * own for part, own in gradients.items()}


def _columns(group: Group) -> Iterator[tuple[str, slice]]:
    """The tensors that train, and their columns of the matrix, in the order of the gradient."""
    for part in group.trained:
        at = group.stacked.columns[part].start
        for name in group.stacked.parts[part]:
            size = group.stacked.shapes[name].numel()
            yield name, slice(at, at + size)
            at += size


def _some(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
