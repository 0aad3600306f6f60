"""What the steps of many fits read: rows and random draws of each fit's own streams, in tensors that stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moola_core.models.encoders import encoder_class
from moola_core.models.multitask import Terms
from moola_core.training import seeds
from moola_core.training.inputs import Inputs
from moola_core.training.loop import Loop
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


class Windows:
    """The labelled windows on the device, once for all fits: raw x [n, K, F], pointers [n, 2], each fit's scale, class numbers and terms."""

    def __init__(self, inputs: Inputs, loops: Sequence[Loop], device: str) -> None:
        self.x, self.pointer = torch.from_numpy(inputs.x).to(device), torch.from_numpy(inputs.pointer).to(device)
        self.mean, self.std, self.target = (
            torch.stack([torch.from_numpy(array) for array in arrays]).to(device)
            for arrays in zip(*((loop.mean, loop.std, loop.targets()) for loop in loops), strict=True)
        )
        self.terms = stacked([loop.terms for loop in loops], device)

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
    """One step's rows, and the draws for them: the same tensors are filled anew for each step.

    live [R, 1]: 1 for the fits that have rows in this step. masks: dropout's zeros and ones, [R, K, B, 2 · hidden] inside the encoder and
    [R, B, width] before the heads; noise [R, B, K, F]; flipped [R, B]: the windows that are mirrored. Draws are made a fit and a step at a time, in the shapes and the order of the
    sequential path: no fit's depend on the others, and on a CPU they are the same bits.
    """

    def __init__(self, loops: Sequence[Loop], device: str) -> None:
        spec, inputs = loops[0].spec, loops[0].inputs
        bars, features = inputs.x.shape[1:]
        self.width = max(min(spec.training.batch, len(loop.fold.train)) for loop in loops)
        count, kind = len(loops), encoder_class(spec.model)
        self.rows = Rows.of([torch.zeros(0, dtype=torch.long)] * count, self.width, device)
        self.live = torch.zeros(count, 1, device=device)
        self.kept = 1 - spec.model.dropout
        inside = kind.stacked.dropout_shapes(spec.model, bars, self.width) if kind.stacked else []
        shapes = [*inside, (self.width, kind.width_of(spec.model))]
        self.masks = [torch.zeros(count, *shape, device=device) for shape in shapes if self.kept < 1]
        self.noise = torch.zeros(count, self.width, bars, features, device=device) if spec.training.jitter_std else None
        self.mirrors = [loop.mirrors for loop in loops]
        self.mirrored_frac = spec.training.mirrored_frac
        self.flipped = torch.zeros(count, self.width, dtype=torch.bool, device=device) if any(self.mirrors) else None
        self.dropout, self.jitter = (
            [torch.Generator(device).manual_seed(seeds.torch_seed(*loop.key, which)) for loop in loops]
            for which in (seeds.DROPOUT, seeds.AUGMENTATION)
        )

    def dropped(self, encoder_in_eval_mode: bool) -> list[Tensor]:
        """Factors of dropout; those before the heads alone when the encoder rests."""
        return [mask / self.kept for mask in (self.masks[-1:] if encoder_in_eval_mode else self.masks)]

    def between(self, width: int, times: int) -> Iterator[list[Tensor]]:
        """Factors between the layers for so many windows, as the next passes would draw them; the streams stay where they are."""
        streams = [torch.Generator(g.device).set_state(g.get_state()) for g in self.dropout]
        for _ in range(times):
            masks = [mask.new_zeros(*mask.shape[:2], width, mask.shape[3]) for mask in self.masks[:-1]]
            for r, stream in enumerate(streams):
                for mask in masks:
                    mask[r].bernoulli_(self.kept, generator=stream)
            yield [mask / self.kept for mask in masks]

    def clear(self) -> None:
        """No rows: a step then changes nothing."""
        self.rows.present.zero_()
        self.live.zero_()

    def fill(self, rows: Rows, live: Tensor, sizes: Sequence[int], encoder_in_eval_mode: bool) -> None:
        """Take a step's rows, and draw for the fits that have some (sizes)."""
        self.rows.copy_(rows)
        self.live.copy_(live, non_blocking=True)
        for r, size in enumerate(sizes):
            if size == 0:
                continue
            for mask in self.masks[-1:] if encoder_in_eval_mode else self.masks:
                mask[r][..., :size, :].bernoulli_(self.kept, generator=self.dropout[r])
            if self.flipped is not None and self.mirrors[r]:
                self.flipped[r, :size] = draw(self.mirrored_frac, size, self.jitter[r])
            if self.noise is not None:
                self.noise[r, :size].normal_(generator=self.jitter[r])
