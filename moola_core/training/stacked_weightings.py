"""The weightings of many fits, called as one: what each has learned and remembers stays its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from moola_core.training.fit import Fit
from moola_core.training.schedule import WEIGHTING
from moola_core.training.stacked import Stacked
from moola_core.training.weightings import Weighting, plain_state

PREFIX = f"{WEIGHTING}."


class Weightings:
    """The weightings of R fits as functions of stacked tensors.

    What they have learned are columns of the fits' matrix; `remembered` is the rest of their state, [R, *shape] by name. One module
    serves all fits through torch.vmap. Where that is impossible (its `forward` branches on a value, or attributes that are no tensors
    differ between the fits) each fit has its own module and they are called in turn, as one fit alone is.
    """

    def __init__(self, fits: Sequence[Fit], stacked: Stacked, device: str) -> None:
        self.fits, self.stacked, self.device = list(fits), stacked, device
        self.modules: list[_Called] = []
        self.remembered: dict[str, Tensor] = {}
        self.forms = [_form(fit.weighting) for fit in self.fits]
        self._build([fit.weighting for fit in self.fits])

    @property
    def learned(self) -> dict[str, Tensor]:
        return {name: self.stacked.views[name] for name in self.stacked.parts.get(WEIGHTING, ())}

    def _build(self, weightings: Sequence[Weighting]) -> None:
        """Copies on the device: one for all fits where it can serve them, else one for each."""
        held = [weighting.remembered() for weighting in weightings]
        self.remembered = {
            PREFIX + name: torch.stack([one[name].detach() for one in held]).to(self.device) for name in held[0]
        }
        self.modules = [_Called(copy.deepcopy(weightings[0])).to(self.device)]
        if len(self.fits) > 1 and (len(set(self.forms)) > 1 or not self._serves_all()):
            self.modules = [_Called(copy.deepcopy(weighting)).to(self.device) for weighting in weightings]

    @torch.no_grad()
    def _serves_all(self) -> bool:
        ones = torch.ones(len(self.fits), 2, device=self.device)
        try:
            for what in ("forward", "after_step"):
                self._call(what, self._state(copied=True), ones)
        except (RuntimeError, TypeError, ValueError, NotImplementedError):  # torch.vmap reports each in its own way
            return False
        return True

    def _state(self, copied: bool) -> dict[str, Tensor]:
        learned = {name: view.detach().clone() if copied else view for name, view in self.learned.items()}
        return learned | {name: tensor.clone() for name, tensor in self.remembered.items()}

    def _call(self, what: str, state: dict[str, Tensor], given: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A method of every fit's weighting with its row of `given` [R, 2]: what it returns, and the state that it leaves."""
        if len(self.modules) == 1 and len(given) > 1:
            return torch.vmap(partial(_call, self.modules[0], what))(state, given)
        each = [
            _call(module, what, {name: tensor[r] for name, tensor in state.items()}, given[r])
            for r, module in enumerate(self.modules)
        ]
        left = {name: torch.stack([one[name] for _, one in each]) for name in state}
        return torch.stack([result for result, _ in each]), left

    def terms(self, losses: Tensor, live: Tensor) -> Tensor:
        """losses [R, 2] → weighted terms [R, 2]; fits whose `live` [R, 1] is 0 keep their state."""
        terms, left = self._call("forward", self._state(copied=False), losses)
        self._keep(self.remembered, left, live)
        return terms

    def after_step(self, live: Tensor) -> Tensor:
        """Weighting.after_step of each fit [R, 3]."""
        columns, left = self._call("after_step", self._state(copied=True), live.expand(-1, 2))
        self._keep(self.learned | self.remembered, left, live)
        return columns

    @staticmethod
    @torch.no_grad()
    def _keep(state: Mapping[str, Tensor], left: Mapping[str, Tensor], live: Tensor) -> None:
        for name, tensor in state.items():
            rows = live.view(-1, *[1] * (tensor.ndim - 1)) > 0
            tensor.copy_(torch.where(rows, left[name].detach(), tensor))

    @torch.no_grad()
    def end_epoch(self, tables: Mapping[int, np.ndarray]) -> bool:
        """Let the weightings of the fits in `tables` take notice of their epoch's steps. Returns whether steps that were captured
        before no longer hold."""
        state = {name: tensor.detach().cpu() for name, tensor in (self.learned | self.remembered).items()}
        for r, table in tables.items():
            own = self.fits[r].weighting
            for name, tensor in (own.learned() | own.remembered()).items():
                tensor.detach().copy_(state[PREFIX + name][r])
            self.fits[r].end_epoch(table)
        rows = torch.tensor(list(tables), device=self.device)
        every = [self.fits[r].weighting for r in tables]
        for name, view in self.learned.items():
            own_name = name.removeprefix(PREFIX)
            view[rows] = torch.stack([one.learned()[own_name].detach() for one in every]).to(self.device)
        return self._remember(tables.keys(), rows)

    def _remember(self, on: Any, rows: Tensor) -> bool:
        """Take over what the weightings of the fits `on` remember; whether they have to be built anew."""
        # The weighting of a fit that has stopped is not asked again: any that is still in use may stand in its place.
        stand_in = next(iter(on))
        now = [self.fits[r if r in on else stand_in].weighting for r in range(len(self.fits))]
        forms = [_form(weighting) for weighting in now]
        if any(forms[r] != self.forms[r] for r in on):
            self.forms = forms
            self._build(now)
            return True
        for name, tensor in self.remembered.items():
            own_name = name.removeprefix(PREFIX)
            tensor[rows] = torch.stack([self.fits[r].weighting.remembered()[own_name] for r in on]).to(self.device)
        return False

    def select(self, left: Sequence[int]) -> None:
        """Go on with some of the fits alone."""
        rows = torch.tensor(left, device=self.device)
        self.fits, self.forms = [self.fits[r] for r in left], [self.forms[r] for r in left]
        self.remembered = {name: tensor[rows] for name, tensor in self.remembered.items()}
        if len(self.modules) > 1:
            self.modules = [self.modules[r] for r in left]


class _Called(nn.Module):
    """A weighting whose every method can be called with other tensors in place of its own: functional_call knows `forward` alone."""

    def __init__(self, weighting: Weighting) -> None:
        super().__init__()
        self.weighting = weighting

    def forward(self, what: str, given: Tensor) -> Tensor:
        return getattr(self.weighting, what)(given)


def _call(module: _Called, what: str, state: Mapping[str, Tensor], given: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    left = dict(state)  # functional_call puts into it what the call has assigned anew
    return functional_call(module, left, (what, given)), left


def _form(weighting: Weighting) -> tuple[bytes, tuple[tuple[str, torch.Size, torch.dtype], ...]]:
    """What must be equal for one module to serve two fits: its attributes that are no tensors, and its tensors' shapes."""
    held = weighting.remembered()
    return plain_state(weighting), tuple((name, tensor.shape, tensor.dtype) for name, tensor in held.items())
