from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.errors import CheckpointError, RunError, SpecError
from moola_core.host.engine import ALONE
from moola_core.models.checkpoint import Pretrained, weights_of
from moola_core.models.encoders import make_encoder
from moola_core.models.multitask import MultiTask
from moola_core.specs import Finetune, Model, change
from moola_core.training.device import Device
from moola_core.training.finetune import fit_replicate
from moola_core.training.folds import make_folds
from moola_core.training.group import Group
from moola_core.training.schedule import LAST, LOWER, REST, Unfreezing, parts, phases
from tests.training.windows import make_inputs

CPU = Device("cpu", "cpu", "float32")
SMALL = {"layers": 2, "hidden": 4, "dropout": 0.5, "epochs": 6, "folds": 3, "patience": 1, "learning_rate": 1e-2}
GRADUAL = {"schedule": "gradual", "last_layer_epoch": 3, "all_epoch": 5}


@pytest.fixture(scope="module")
def inputs():
    return make_inputs(36)


def spec_of(**changes) -> Finetune:
    return change(Finetune(), SMALL | {"transfer.checkpoint": "here"} | changes)


def start_of(inputs) -> Pretrained:
    torch.manual_seed(5)
    width = inputs.x.shape[2]
    encoder = make_encoder(width, Model(layers=2, hidden=4))
    scale = (np.full(width, value, np.float32) for value in (0.5, 2.0))
    return Pretrained(weights_of(encoder), *scale, inputs.features, "here", layers=2, hidden=4)


def fit(inputs, **changes):
    spec, events = spec_of(**changes), []
    fold = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]
    return fit_replicate(spec, inputs, fold, events.append, CPU, start_of(inputs)), events


def part_of(name: str) -> str:
    model = MultiTask(3, 2, Model(layers=2, hidden=4))
    return next(part for part, names in parts(model).items() if name in names)


def test_every_parameter_is_in_one_part():
    model = MultiTask(3, 2, Model(layers=3, hidden=4, normalisation="layer", trunk_width=5, pooling="attention"))
    found = parts(model)
    names = [name for group in found.values() for name in group]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert {name.split("_l")[1][0] for name in found[LOWER]} == {"0", "1"}
    assert "encoder.normalisation.weight" in found[LAST] and "encoder.lstm.weight_hh_l2_reverse" in found[LAST]
    assert all(not name.startswith("encoder.") for name in found[REST])


def test_frozen_weights_keep_their_bits_and_the_rest_changes(inputs):
    replicate, events = fit(inputs, schedule="frozen")
    for name, weights in start_of(inputs).weights.items():
        assert np.array_equal(replicate.weights[f"encoder.{name}"], weights)
    told = [event for event in events if event.type in ("trainable", "changed")]
    assert [event.type for event in told] == ["trainable", "changed"]
    assert {part_of(name) for name in told[1].values["names"]} == {REST}
    assert (
        told[0].values["parameters"]
        == replicate.trainable_parameters
        == sum(array.size for name, array in replicate.weights.items() if not name.startswith(("encoder.", "scale.")))
    )
    assert replicate.shared_parameters == 0


def test_gradual_changes_exactly_what_each_phase_names(inputs):
    _, events = fit(inputs, **GRADUAL)
    told = [(event.type, event.epoch, event.values) for event in events if event.type in ("trainable", "changed")]
    expected = [(1, 2, {REST}), (3, 4, {REST, LAST}), (5, 6, {REST, LAST, LOWER})]
    assert len(told) == 6  # patience of one epoch waited for the last phase
    for (begun, ended), (first, last, names) in zip(zip(told[::2], told[1::2], strict=True), expected, strict=True):
        assert (begun[1], ended[1]) == (first, last)
        assert {part_of(name) for name in begun[2]["names"]} == {part_of(name) for name in ended[2]["names"]} == names
        assert set(ended[2]["names"]) == set(begun[2]["names"])
    assert told[2][2]["rates"] == {REST: 1e-2, LAST: 1e-4} and set(told[4][2]["rates"].values()) == {1e-5}


def test_a_frozen_encoder_is_deterministic_and_the_fault_makes_it_noisy(inputs):
    fold = make_folds(inputs.label, inputs.shared, spec_of().training, spec_of().faults)[0]
    x = torch.from_numpy(inputs.x[:4])
    for noisy in (False, True):
        spec = spec_of(schedule="frozen", frozen_dropout=noisy)
        group = Group(spec, inputs, [fold], CPU.using(ALONE), [start_of(inputs)])
        group.fits[0].unfreezing.begins(1)
        group.prepare()
        group.train_epoch(1, [0])
        module = group.network.module
        assert torch.equal(module.encoder(x), module.encoder(x)) != noisy
        assert module.dropout.training


def test_full_trains_the_encoder_at_its_share_of_the_rate(inputs):
    first = phases(spec_of(schedule="full", encoder_lr_scale=0.25))[0]
    assert first.rates == {LOWER: 2.5e-3, LAST: 2.5e-3, REST: 1e-2}
    _, events = fit(inputs, schedule="full")
    changed = next(event for event in events if event.type == "changed")
    assert {part_of(name) for name in changed.values["names"]} == {REST, LAST, LOWER}


def test_l2_sp_holds_the_encoder_near_its_start(inputs):
    def moved(**changes) -> float:
        replicate, _ = fit(inputs, schedule="full", encoder_lr_scale=1.0, patience=None, monitor="loss", **changes)
        origin = start_of(inputs).weights
        return sum(float(((replicate.weights[f"encoder.{n}"] - w) ** 2).sum()) for n, w in origin.items())

    assert moved(l2_sp=10.0) < 0.5 * moved()


def test_l2_sp_adds_the_gradient_of_its_penalty(inputs):
    spec = spec_of(schedule="full", l2_sp=0.3)
    fold = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]
    group = Group(spec, inputs, [fold], CPU.using(ALONE), [start_of(inputs)])
    group.fits[0].unfreezing.begins(1)
    group.prepare()
    given, names = {}, [name for name in group.stacked.shapes if name.startswith("encoder.")]
    group.stacked.matrix += 0.1
    group.spec = change(spec, {"max_grad_norm": 1e6})
    group.optimizer.update = lambda stacked, part, piece, rate, live: given.update({part: piece.clone()})
    weights = [group.stacked.views[name].detach().clone().requires_grad_() for name in names]
    origin = [torch.from_numpy(start_of(inputs).weights[name.removeprefix("encoder.")]) for name in names]
    penalty = 0.15 * sum(((weight[0] - own) ** 2).sum() for weight, own in zip(weights, origin, strict=True))
    group._update(torch.zeros(1, sum(weight.numel() for weight in group.weights)))
    slow = torch.cat([grad.flatten() for grad in torch.autograd.grad(penalty, weights)])
    assert torch.allclose(torch.cat([given[LOWER], given[LAST]], dim=1)[0], slow, atol=1e-6)
    assert (given[REST] == 0).all()


def test_a_pretrained_encoder_goes_on_with_its_own_scale(inputs):
    replicate, _ = fit(inputs, schedule="full")
    assert (replicate.weights["scale.mean"] == 0.5).all() and (replicate.weights["scale.std"] == 2.0).all()
    scratch, _ = fit(inputs, schedule="none")
    assert not (scratch.weights["scale.std"] == 2.0).any()


def test_what_does_not_fit_is_refused(inputs):
    with pytest.raises(CheckpointError, match="its encoder has layers 2, the run's layers 1"):
        fit(inputs, schedule="full", layers=1)
    with pytest.raises(SpecError, match=r"needs transfer\.checkpoint"):
        spec_of(schedule="frozen", **{"transfer.checkpoint": ""})
    with pytest.raises(SpecError, match=r"before all_epoch \(21\), and that within training.epochs \(6\)"):
        spec_of(schedule="gradual")


def test_a_schedule_that_matches_no_parameter_is_an_error(monkeypatch):
    model = MultiTask(3, 2, Model(layers=2, hidden=4))
    monkeypatch.setattr("moola_core.training.schedule.parts", lambda model: {LOWER: {}, LAST: {}, REST: {}})
    with pytest.raises(RunError, match="trains no parameter from epoch 1"):
        Unfreezing(spec_of(), model)


def test_a_frozen_weight_that_changes_is_found(inputs):
    spec = spec_of(schedule="frozen")
    model = MultiTask(3, 2, Model(layers=2, hidden=4))
    unfreezing = Unfreezing(spec, model)
    unfreezing.begins(1)
    with torch.no_grad():
        model.encoder.lstm.weight_hh_l0[0, 0] += 1
    with pytest.raises(RunError, match=r"frozen weights changed: encoder\.lstm\.weight_hh_l0"):
        unfreezing.changed()
