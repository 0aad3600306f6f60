"""An audit finds nothing in training as it is, whatever its settings, and names the part in which a fault is planted."""

import dataclasses
from unittest.mock import patch

import numpy as np
import pytest
import torch

from moola_core.diagnostics.doctor.training_code import PARTS
from moola_core.models.encoders.bilstm import BiLSTM
from moola_core.models.heads import ClassHead, PointerHead
from moola_core.models.pooling import Pooling
from moola_core.training import batches, fit, folds, group, stacked
from moola_core.training.audit import deviations
from moola_core.training.by_definition import AdamW
from moola_core.training.by_property import of_features
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.stacked import RowAdamW
from tests.training.test_replicas import SPANS, priced_inputs
from tests.training.windows import make_inputs, make_spec

SETTINGS = {
    "plain": {},
    "no dropout, plain sums": {"dropout": 0.0, "weighting": "equal"},
    "focal, DWA, projected": {"focal_gamma": 2.0, "weighting": "dwa", "pcgrad": True},
    "noise, averaged": {"jitter_std": 0.3, "averaging": 0.9},
    "attention, two layers, batch norm": {"pooling": "attention", "layers": 2, "normalisation": "batch"},
    "last bar, trunk, layer norm": {"pooling": "last", "trunk_width": 5, "normalisation": "layer"},
    "TCN of spans": {"encoder": "tcn", "pointer": "span", "class_input": "aligned"},
    "Inception, one task": {"encoder": "inception", "tasks": "class"},
    "pointers alone": {"tasks": "pointers", "pointer": "soft_argmax"},
    "no scale, part of the labels": {"standardise": False, "train_size": 0.6},
    "a window a step": {"batch_size": 1},
    "a high rate, much decay": {"learning_rate": 0.5, "weight_decay": 0.5, "max_grad_norm": 0.01},
    "planted faults of settings": {"extra_output": 1, "shuffled_labels": True, "test_fold_selection": True},
}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_nothing_differs_where_training_is_as_it_is(changes):
    assert deviations(make_spec(**changes), make_inputs(45, classes=3)) == ()


def test_nothing_differs_in_a_network_with_statistics_and_mirrored_windows():
    spec = make_spec(**SPANS | {"mirrored_frac": 0.5})
    assert spec.model.adds_statistics and deviations(spec, priced_inputs(40)) == ()


def replaced(owner, name, make):
    return patch.object(owner, name, make(getattr(owner, name)))


def trained_on_too(original):
    return lambda *given: tuple(
        dataclasses.replace(f, train=np.sort(np.r_[f.train, f.validation])) for f in original(*given)
    )


def clipped(original):
    return lambda windows, rows: original(windows, rows).clamp(0, 1)


def first_bars(original):
    return lambda windows, rows: original(windows, rows) * (torch.arange(12) < 5)[:, None]


def exchanged(original):
    def faulty(windows, rows):
        target, pointer = original(windows, rows)
        return target.flip(1), pointer

    return faulty


def among_windows(original):
    return lambda pooling, sequence: original(pooling, sequence) + sequence.mean((0, 1))


def ever_other(original):
    return lambda pooling, sequence: original(pooling, sequence) * (1 + torch.rand(()))


def in_pieces(original):
    """The recurrence begins anew every five bars."""
    return lambda encoder, x: torch.cat([original(encoder, piece) for piece in x.split(5, 1)], 1)


def adds_up(original):
    def faulty(head, pooled, sequence):
        center = original(head, pooled, sequence)[:, :1]
        return torch.cat([center, 1 - center], 1)

    return faulty


def never_negative(original):
    return lambda head, pooled: torch.relu(original(head, pooled))


def dropped(original):
    def faulty(head, pooled, sequence):
        outputs = original(head, pooled, sequence)
        return torch.nn.functional.dropout(outputs, 0.5, head.training)

    return faulty


def in_place(original):
    def faulty(windows, rows):
        if torch.is_grad_enabled():
            windows.x = windows.x + 0.3 * torch.randn_like(windows.x)
        return original(windows, rows)

    return faulty


def cut_off(original):
    def faulty(own, *given):
        original(own, *given)
        own.weights = [
            weight.detach().clone().requires_grad_() if name.startswith("encoder.") else weight
            for name, weight in zip(own.names, own.weights, strict=True)
        ]

    return faulty


def changed(by):
    def make(original):
        def faulty(*given):
            flat, measured = original(*given)
            return by(flat), measured

        return faulty

    return make


def zeroed(original):
    def faulty(own, *given, **named):
        original(own, *given, **named)
        with torch.no_grad():
            for parameter in own.model.parameters():
                parameter.zero_()

    return faulty


def slower(original):
    def faulty(optimizer, own, part, gradient, rate, live):
        slow = float(0.5 ** optimizer.steps[part].max())
        original(optimizer, own, part, gradient, rate._replace(learning=rate.learning * slow), live)

    return faulty


def forgetful(original):
    def faulty(optimizer, *given):
        optimizer.mean.zero_()
        original(optimizer, *given)

    return faulty


FAULTS = {
    "validation in training": ("folds", folds, "_made", trained_on_too),
    "half of an epoch": ("batches", Fit, "batches", lambda original: lambda own: original(own)[:1]),
    "sorted by class": (
        "batches",
        Fit,
        "batches",
        lambda original: (
            lambda own: [torch.cat(sorted(torch.cat(original(own)).split(1), key=lambda row: own.targets()[row]))]
        ),
    ),
    "never shuffled": ("batches", Fit, "batches", lambda original: lambda own: [torch.cat(original(own)).sort()[0]]),
    "all zero": ("start", Fit, "__init__", zeroed),
    "clipped": ("inputs", batches.Windows, "scaled", clipped),
    "the first bars alone": ("network", batches.Windows, "scaled", first_bars),
    "scale of all": (
        "inputs",
        fit,
        "scale_of",
        lambda original: lambda *given: (original(*given)[0] + 0.1, original(*given)[1]),
    ),
    "augmented": ("inputs", Group, "_noisy", lambda original: lambda own, x: original(own, x).flip(1)),
    "labels exchanged": ("targets", batches.Windows, "targets", exchanged),
    "windows mixed": ("network", Pooling, "forward", among_windows),
    "columns averaged": (
        "network",
        BiLSTM,
        "forward",
        lambda original: lambda own, x, *given: original(own, x.mean(-1, keepdim=True).expand_as(x), *given),
    ),
    "at random": ("network", Pooling, "forward", ever_other),
    "in pieces of five bars": ("network", BiLSTM, "forward", in_pieces),
    "center and length that add up": ("network", PointerHead, "forward", adds_up),
    "scores that cannot be negative": ("network", ClassHead, "forward", never_negative),
    "answers dropped in training": ("network", PointerHead, "forward", dropped),
    "noise that piles up": ("inputs", batches.Windows, "scaled", in_place),
    "softmax twice": (
        "loss",
        group,
        "class_loss",
        lambda original: lambda logits, *given: original(torch.softmax(logits, -1), *given),
    ),
    "a loss in bars": ("loss", group, "located_loss", lambda original: lambda *given: 105 * original(*given)),
    "cut off": ("gradient", Group, "prepare", cut_off),
    "uphill": ("gradient", Group, "_gradients", changed(torch.neg)),
    "noise": ("gradient", Group, "_gradients", changed(lambda flat: flat + 3 * flat.std() * torch.randn_like(flat))),
    "an epsilon of one": ("step", stacked, "EPSILON", lambda original: 1.0),
    "a rate by batch": ("step", RowAdamW, "update", slower),
    "no momentum": ("step", RowAdamW, "update", forgetful),
    "never a step": ("step", Group, "_update", lambda original: lambda *given: None),
    "statistics": (
        "statistics",
        group.Single,
        "_end",
        lambda original: lambda *given: None,
    ),
}


@pytest.mark.parametrize(("part", "owner", "name", "make"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_code_is_found_in_its_part(part, owner, name, make, monkeypatch):
    monkeypatch.setattr(folds, "_kept", {})
    with replaced(owner, name, make):
        different = deviations(make_spec(normalisation="batch"), make_inputs(60))
    assert part in {one.part for one in different} and all(one.part in PARTS for one in different)


def test_features_that_depend_on_the_other_windows_are_told_from_those_that_do_not():
    rng = np.random.default_rng(0)
    prices = rng.normal(size=(6, 20, 4))
    alone = [prices[i : i + 1] - prices[i, 0, 0] for i in range(6)]
    assert list(of_features(np.concatenate(alone), alone)) == []
    (deviation,) = of_features(prices - prices[0, 0, 0], alone)
    assert deviation.part == "inputs" and "83%" in deviation.detail  # all but the first of the six


def test_it_leaves_random_streams_as_they_are():
    before = torch.get_rng_state()
    deviations(make_spec(), make_inputs(30))
    assert torch.equal(before, torch.get_rng_state())


def test_adamw_by_definition_is_that_of_torch():
    rng = np.random.default_rng(0)
    own = AdamW(rng.normal(size=7), 0.03, 0.2)
    weights = torch.nn.Parameter(torch.from_numpy(own.weights.copy()))
    theirs = torch.optim.AdamW([weights], lr=0.03, weight_decay=0.2)
    for _ in range(4):
        gradient = rng.normal(size=7)
        weights.grad = torch.from_numpy(gradient)
        theirs.step()
        own.step(gradient)
    np.testing.assert_allclose(own.weights, weights.detach().numpy(), rtol=1e-12)
