"""Every way to add the two losses trains alike in both engines: those that the spec knows, and any that a contributor adds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from moola_core.errors import SpecError
from moola_core.host.engine import ALONE
from moola_core.specs import change
from moola_core.specs.choices import WEIGHTINGS as CHOICES
from moola_core.training.device import Device
from moola_core.training.finetune import fit_replicate
from moola_core.training.folds import make_folds
from moola_core.training.group import Group
from moola_core.training.replicas import fit_replicas
from moola_core.training.weightings import WEIGHTINGS, Weighting, make_weighting
from tests.training.windows import make_inputs, make_spec

KNOWN = tuple(WEIGHTINGS)
EPOCHS = 3


class Product(Weighting):
    """No constant times a loss: the geometric mean of both."""

    def forward(self, losses):
        return torch.stack([(losses.prod() + 1e-4).sqrt(), losses.new_zeros(())])


class Affine(Weighting):
    """Learned parameters of several shapes and names, one of them not trained, and a rate and a bound of their own."""

    rate = 0.05

    def __init__(self, loss):
        super().__init__()
        self.mix = nn.Linear(2, 2)
        self.gate = nn.Parameter(torch.tensor(0.3))
        self.fixed = nn.Parameter(torch.tensor([[2.0], [0.5]]), requires_grad=False)

    def forward(self, losses):
        return torch.nn.functional.softplus(self.mix(losses.log1p()) + self.fixed[:, 0] * losses) * self.gate.exp()

    def limit(self):
        reached = self.gate.abs() >= 0.35
        self.gate.copy_(self.gate.clamp(-0.35, 0.35))
        return reached


class Ramp(Weighting):
    """State in attributes that are no buffers, which each epoch changes, differently in every fit."""

    def __init__(self, loss):
        super().__init__()
        self.history = []
        self.factor = 1.0

    def forward(self, losses):
        return losses**2 * self.factor

    def end_epoch(self, means):
        self.history.append(means)
        self.factor = 1.0 + len(self.history) * means[0]


class Running(Weighting):
    """A buffer that `forward` assigns anew at each step, and a parameter that the end of an epoch sets back."""

    def __init__(self, loss):
        super().__init__()
        self.register_buffer("mean", torch.ones(2))
        self.power = nn.Parameter(torch.ones(2))

    def forward(self, losses):
        self.mean = 0.8 * self.mean + 0.2 * losses.detach()
        return (losses / self.mean) ** self.power

    def end_epoch(self, means):
        with torch.no_grad():
            self.power[0] = 1.0 + means[1]

    def sigmas(self):
        return self.power.detach().exp()


class Branching(Weighting):
    """`forward` looks at a value, which torch.vmap cannot."""

    def __init__(self, loss):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 1.0]))

    def forward(self, losses):
        return losses * self.scale if losses[0] > 0.55 else losses**2 * self.scale[1]


OWN = {kind.__name__.lower(): kind for kind in (Product, Affine, Ramp, Running, Branching)}


@pytest.fixture(autouse=True)
def registered():
    for name, kind in OWN.items():
        WEIGHTINGS.add(name, kind)
    yield
    for name in OWN:
        WEIGHTINGS.remove(name)


def test_every_weighting_has_a_sentence_and_every_sentence_a_weighting():
    assert set(KNOWN) == set(CHOICES), f"in one of specs/choices.py and the registry alone: {set(KNOWN) ^ set(CHOICES)}"


def spec_of(name, **settings):
    settings = {"dropout": 0.0, "learning_rate": 3e-4, "log_variance_lr": 0.02, "pointer_weight": 3.0} | settings
    spec = make_spec(**settings)
    return spec.model_copy(update={"loss": spec.loss.model_copy(update={"weighting": name})})


def unequal_inputs():
    inputs = make_inputs(34)
    inputs.start[::5] = inputs.end[::5] = np.nan
    return inputs


def run_epochs(group):
    """The group after a few epochs, and the rows of STEP_COLUMNS of each of its fits."""
    tables = [[] for _ in group.fits]
    for epoch in range(1, EPOCHS + 1):
        if sum(fit.unfreezing.begins(epoch) for fit in group.fits):
            group.prepare()
        for r, table in group.train_epoch(epoch, range(len(tables))).items():
            tables[r].append(table)
    return group, [np.concatenate(one) for one in tables]


def both_engines(spec, device):
    """What both engines make of the same fits after a few epochs: weights and what the weighting learned, by name; steps of each."""
    inputs, where = unequal_inputs(), Device(device, device, "float32")
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    alone = [run_epochs(Group(spec, inputs, [fold], where.using(ALONE))) for fold in folds]
    group, found = run_epochs(Group(spec, inputs, folds, where))
    apart = {}
    for r, (one, _) in enumerate(alone):
        assert set(one.stacked.views) == set(group.stacked.views)
        for name, parameter in one.stacked.views.items():
            difference = parameter[0].detach() - group.stacked.views[name][r].detach()
            apart[name] = max(apart.get(name, 0.0), float(difference.abs().max()))
        for name, tensor in one.fits[0].weighting.remembered().items():
            torch.testing.assert_close(group.fits[r].weighting.remembered()[name], tensor, atol=1e-5, rtol=1e-5)
    return apart, ([steps[0] for _, steps in alone], found), group


@pytest.mark.parametrize(
    ("name", "pcgrad"),
    [
        pytest.param(name, pcgrad, id=f"{name}-{'projected' if pcgrad else 'added'}", marks=marks)
        for name in (*KNOWN, *OWN)
        for pcgrad in (False, True)
        for marks in [pytest.mark.soak if pcgrad and name in OWN else ()]
    ],
)
def test_every_weighting_trains_alike_in_both_engines(name, pcgrad, device):
    apart, (alone, together), group = both_engines(spec_of(name, pcgrad=pcgrad), device)
    # Measured on a card: 1.1e-6, in the bias of the pointers; nothing else is further than 5e-7.
    limit = 1e-6 if device == "cpu" else 5e-6
    assert max(apart.values()) < limit, {name: far for name, far in apart.items() if far >= limit}
    one_by_one = name in ("ramp", "branching")  # a module for each fit is slower, and only for those that need it
    assert len(group.weightings.modules) == (3 if one_by_one else 1)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4, rtol=1e-4)
        assert len(one) >= 6


@pytest.mark.parametrize("name", ["dwa", pytest.param("ramp", marks=pytest.mark.soak), "running"])
def test_fits_that_stop_early_leave_the_weightings_of_the_others_alone(name, device):
    """Half of the fits stop, the others go on as a smaller group."""
    inputs, where = unequal_inputs(), Device(device, device, "float32")
    spec = spec_of(name, epochs=12, patience=1, learning_rate=0.03, repeats=2)
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    alone = [fit_replicate(spec, inputs, fold, lambda event: None, where) for fold in folds]
    found = list(fit_replicas(spec, inputs, folds, lambda event: None, where))
    assert len({one.epochs for one in alone}) > 2
    for one, other in zip(alone, sorted(found, key=lambda r: (r.repeat, r.fold)), strict=True):
        assert (one.epochs, one.best_epoch) == (other.epochs, other.best_epoch)
        np.testing.assert_allclose(other.steps["loss"], one.steps["loss"], atol=1e-3)
        assert other.sigma_ratio == (None if name != "running" else pytest.approx(one.sigma_ratio, rel=1e-3))


def test_the_record_the_steps_and_the_monitor_give_the_same_sigma_and_say_that_a_limit_was_reached(device):
    """Without any pointer the pointer's loss is 0, and log σ² falls without end."""
    inputs, where, monitors = make_inputs(30), Device(device, device, "float32"), []
    inputs.start[:] = inputs.end[:] = np.nan
    spec = spec_of("uncertainty", log_variance_lr=1.0, epochs=8)
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    alone = [fit_replicate(spec, inputs, fold, monitors.append, where) for fold in folds]
    together = sorted(fit_replicas(spec, inputs, folds, monitors.append, where), key=lambda r: r.fold)
    said = {(e.fold, e.epoch): e.values["sigma_ratio"] for e in monitors if e.type == "monitor"}
    for one, other in zip(alone, together, strict=True):
        ratio = one.steps["sigma_pointer"] / one.steps["sigma_class"]
        assert one.sigma_ratio == pytest.approx(ratio[-1]) == said[one.fold, 8]
        assert one.steps["sigma_pointer"].min() == pytest.approx(np.exp(-6)) == one.steps["sigma_pointer"][-1]
        assert one.at_limit and other.at_limit and other.sigma_ratio == pytest.approx(one.sigma_ratio, rel=1e-4)
        first = int(one.steps["at_limit"].argmax())
        assert 10 <= first <= 13 and not one.steps["at_limit"][:first].any()
    tame = fit_replicate(change(spec, {"epochs": 1}), inputs, folds[0], lambda event: None, where)
    assert tame.at_limit is False
    assert fit_replicate(spec_of("fixed"), inputs, folds[0], lambda event: None, where).at_limit is None


class Dice(Weighting):
    def forward(self, losses):
        return losses * torch.rand(2)


class Counting(Weighting):
    calls = 0

    def forward(self, losses):
        self.calls += 1
        return losses * self.calls


class Scalar(Weighting):
    def forward(self, losses):
        return losses.sum()


@pytest.mark.parametrize(("kind", "why"), [(Dice, "random"), (Counting, "no buffer"), (Scalar, "shape")])
def test_a_weighting_that_the_engines_would_train_differently_is_refused(kind, why):
    before = torch.get_rng_state()
    with pytest.raises(SpecError, match=why):
        make_weighting(spec_of(f"{__name__}:{kind.__name__}").loss)
    assert torch.equal(before, torch.get_rng_state())
