"""What the steps of the fits read: rows, and random draws of each fit's own streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from moola_core.models.encoders import dropout_shapes
from moola_core.models.multitask import Terms
from moola_core.models.replicas import Drawn
from moola_core.training import seeds
from moola_core.training.device import Device, own_random_state
from moola_core.training.fit import Fit
from moola_core.training.inputs import Inputs
from moola_core.training.mirror import draw
from moola_core.training.terms import stacked


@dataclass(frozen=True, eq=False)
class Rows:
    """Row numbers [R, m] of each fit's windows, and which are there [R, m] (1 or 0): fits have different numbers of them."""

    index: Tensor
    present: Tensor

    @classmethod
    def of(cls, rows: Sequence[Tensor], width: int, device: str) -> Rows:
        """From each fit's own rows, padded with row 0."""
        index, present = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width)
        for r, own in enumerate(rows):
            index[r, : len(own)], present[r, : len(own)] = own, 1.0
        return cls(index.to(device), present.to(device))

    def copy_(self, other: Rows) -> None:
        self.index.copy_(other.index, non_blocking=True)
        self.present.copy_(other.present, non_blocking=True)


class Step(NamedTuple):
    """Rows of one step; live [R, 1]: 1 for the fits that have some; sizes: how many each has."""

    rows: Rows
    live: Tensor
    sizes: Sequence[int]


class Windows:
    """The labelled windows on the device, once for all fits: raw x [n, K, F], pointers [n, 2], each fit's scale, class numbers and terms."""

    def __init__(self, inputs: Inputs, fits: Sequence[Fit], device: str) -> None:
        self.x, self.pointer = torch.from_numpy(inputs.x).to(device), torch.from_numpy(inputs.pointer).to(device)
        self.mean, self.std, self.target = (
            torch.stack([torch.from_numpy(array) for array in arrays]).to(device)
            for arrays in zip(*((fit.mean, fit.std, fit.targets()) for fit in fits), strict=True)
        )
        self.terms = stacked([fit.terms for fit in fits], device)

    def scaled(self, rows: Rows) -> Tensor:
        """The windows as each fit reads them: [R, m, K, F]."""
        return (self.x[rows.index] - self.mean[:, None, None]) / self.std[:, None, None]

    def targets(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Class numbers [R, m] and pointers [R, m, 2], nan for rows that are not there."""
        pointer = self.pointer[rows.index].masked_fill(rows.present[..., None] == 0, torch.nan)
        return self.target.gather(1, rows.index), pointer

    def added(self, rows: Rows) -> Terms:
        """What is added to the scores of these windows by each fit: [R, m, ...]."""
        fit = torch.arange(len(rows.index), device=rows.index.device)[:, None]
        return self.terms.each(lambda part: part[fit, rows.index])

    def select(self, rows: Tensor) -> None:
        """Go on with these fits alone."""
        self.mean, self.std, self.target = self.mean[rows], self.std[rows], self.target[rows]
        self.terms = self.terms.each(lambda part: part[rows])


class Batch:
    """One step's rows, and the draws for them.

    live [R, 1]: 1 for the fits that have rows in this step. masks: dropout's zeros and ones, [R, ...] in the encoder's own shapes inside of it and
    [R, B, width] before the heads; `windows` says which axis of each is that of the windows. noise [R, B, K, F]; flipped [R, B]: the windows that are mirrored. Draws are made a fit and a step at a time:
    no fit's depend on the others, and on a CPU they are the same bits however many there are.

    fixed: whether steps are captured, so that the same tensors are filled anew for each step; else a step is as wide as its longest batch.
    draws: whether dropout is drawn here, and not by the network; graphs: whether steps may be captured.
    """

    def __init__(self, fits: Sequence[Fit], on: Device, draws: bool, graphs: bool = True) -> None:
        self.on, device = on, on.kind
        spec, inputs = fits[0].spec, fits[0].inputs
        bars, features = inputs.x.shape[1:]
        self.fixed, self.most = (
            device == "cuda" and draws and graphs,
            max(min(spec.training.batch_size, len(f.fold.train)) for f in fits),
        )
        count = len(fits)
        self.rows = Rows.of([torch.zeros(0, dtype=torch.long)] * count, self.most, device)
        self.live = torch.zeros(count, 1, device=device)
        self.kept = 1 - spec.model.dropout
        shapes = dropout_shapes(spec.model, bars) if draws and self.kept < 1 else []
        self.windows = [shape.index(None) for shape in shapes]
        self.masks = [
            torch.zeros(count, *(self.most if size is None else size for size in shape), device=device)
            for shape in shapes
        ]
        self.noise = torch.zeros(count, self.most, bars, features, device=device) if spec.training.jitter_std else None
        self.mirrors = [fit.mirrors for fit in fits]
        self.mirrored_frac = spec.training.mirrored_frac
        self.flipped = torch.zeros(count, self.most, dtype=torch.bool, device=device) if any(self.mirrors) else None
        self.dropout, self.jitter = (
            [torch.Generator(device).manual_seed(seeds.torch_seed(*fit.key, which)) for fit in fits]
            for which in (seeds.DROPOUT, seeds.AUGMENTATION)
        )

    @property
    def width(self) -> int:
        """Rows of this step, those that are not there included."""
        return self.rows.index.shape[1]

    def drawn(self, encoder_in_eval_mode: bool) -> Drawn:
        """What the step's pass is given."""
        masks = zip(self.masks, self.windows, strict=True)
        factors = [mask.narrow(axis + 1, 0, self.width) / self.kept for mask, axis in masks]
        last = factors[-1] if factors else None
        return Drawn((), last) if encoder_in_eval_mode else Drawn(factors[:-1], last, self.rows.present)

    def next_drawn(self, counted: Tensor) -> Drawn:
        """What the next pass over rows [R, m] would be given; the streams go on, so they belong in `kept_streams`."""
        masks = []
        for mask, axis in zip(self.masks[:-1], self.windows, strict=False):
            shape = list(mask.shape)
            shape[axis + 1] = counted.shape[1]
            masks.append(mask.new_zeros(shape))
        for r, stream in enumerate(self.dropout):
            for mask in masks:
                mask[r].bernoulli_(self.kept, generator=stream)
        return Drawn([mask / self.kept for mask in masks], None, counted)

    @contextmanager
    def kept_streams(self) -> Iterator[None]:
        """Leave the streams of dropout where they are: measuring must not change what is trained."""
        before = [stream.get_state() for stream in self.dropout]
        with own_random_state(self.on):
            yield
        for stream, state in zip(self.dropout, before, strict=True):
            stream.set_state(state)

    def clear(self) -> None:
        """No rows: a step then changes nothing."""
        self.rows.present.zero_()
        self.live.zero_()

    def step_of(self, rows: Sequence[Tensor]) -> Step:
        """A step's rows on the device, from each fit's own."""
        sizes, device = [len(own) for own in rows], self.live.device.type
        live = torch.tensor([[float(size > 0)] for size in sizes]).to(device)
        return Step(Rows.of(rows, self.most if self.fixed else max(sizes), device), live, sizes)

    def fill(self, step: Step, encoder_in_eval_mode: bool) -> None:
        """Take a step's rows, and draw for the fits that have some; the host waits for nothing."""
        self.live.copy_(step.live, non_blocking=True)
        if self.fixed:
            self.rows.copy_(step.rows)
        else:
            self.rows = step.rows
        for r, size in enumerate(step.sizes):
            if size:
                self._draw(r, size, -1 if encoder_in_eval_mode else 0)

    def _draw(self, r: int, size: int, first: int) -> None:
        """The draws of one fit, those of dropout from the `first` mask on."""
        for mask, axis in zip(self.masks[first:], self.windows[first:], strict=True):
            mask[r].narrow(axis, 0, size).bernoulli_(self.kept, generator=self.dropout[r])
        if self.flipped is not None and self.mirrors[r]:
            self.flipped[r, :size] = draw(self.mirrored_frac, size, self.jitter[r])
        if self.noise is not None:
            self.noise[r, :size].normal_(generator=self.jitter[r])
