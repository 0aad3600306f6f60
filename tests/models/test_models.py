"""Shapes, shared parameters, and weights on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from moola_core.errors import CheckpointError
from moola_core.models.checkpoint import describe, load_weights, put_weights, weights_of
from moola_core.models.encoders import make_encoder
from moola_core.models.heads import PointerHead, PositionHead
from moola_core.models.multitask import MultiTask
from moola_core.models.pooling import Pooling
from moola_core.specs import Model


@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
@pytest.mark.parametrize("layers", [1, 2])
def test_encoder_gives_both_directions_at_every_bar(layers, normalisation):
    encoder = make_encoder(12, Model(hidden=6, layers=layers, normalisation=normalisation))
    assert encoder(torch.randn(3, 17, 12)).shape == (3, 17, 12)
    assert encoder.width == 12


def test_the_predecessors_encoder_has_its_parameter_count():
    lstm = make_encoder(12, Model(hidden=128, layers=2)).lstm
    assert sum(p.numel() for p in lstm.parameters()) == 540_672


def test_mean_pooling_is_the_mean_and_attention_is_a_weighted_one():
    sequence = torch.randn(2, 9, 4)
    assert torch.equal(Pooling("mean", 4)(sequence), sequence.mean(1))
    constant = sequence[:, :1].expand(-1, 9, -1)
    torch.testing.assert_close(Pooling("attention", 4)(constant), constant[:, 0])


def test_last_pooling_takes_each_direction_where_it_ends():
    encoder = make_encoder(3, Model(hidden=5))
    x = torch.randn(2, 7, 3)
    _, (hidden, _) = encoder.lstm(x)
    torch.testing.assert_close(Pooling("last", 10)(encoder(x)), torch.cat([hidden[0], hidden[1]], 1))


@pytest.mark.parametrize("pooling", ["mean", "last", "attention"])
@pytest.mark.parametrize("classes", [2, 3])
def test_heads_are_as_wide_as_the_classes_and_the_pointer_is_a_fraction(classes, pooling):
    outputs = MultiTask(4, classes, Model(hidden=6, pooling=pooling))(100 * torch.randn(5, 11, 4))
    assert outputs.logits.shape == (5, classes)
    assert outputs.pointer.shape == (5, 2)
    assert (outputs.pointer >= 0).all() and (outputs.pointer <= 1).all()


@pytest.mark.parametrize(("tasks", "absent"), [("class", "pointer"), ("pointers", "logits")])
def test_a_task_that_is_not_trained_has_no_head_and_shares_nothing(tasks, absent):
    model = MultiTask(4, 2, Model(hidden=6, tasks=tasks))
    assert getattr(model(torch.randn(2, 5, 4)), absent) is None
    assert model.shared() == {}


def test_shared_parameters_are_those_that_both_losses_reach():
    model = MultiTask(4, 2, Model(hidden=6, trunk_width=5, pooling="attention", dropout=0))
    outputs = model(torch.randn(3, 5, 4))
    names = dict(model.named_parameters())
    reached = [
        {
            name
            for name, grad in zip(
                names, torch.autograd.grad(loss, names.values(), retain_graph=True, allow_unused=True), strict=True
            )
            if grad is not None
        }
        for loss in (outputs.logits.sum(), outputs.pointer.sum())
    ]
    assert model.shared().keys() == reached[0] & reached[1]


def test_a_frozen_encoder_without_trunk_shares_nothing():
    model = MultiTask(4, 2, Model(hidden=6))
    model.encoder.requires_grad_(False)
    assert model.shared() == {}
    assert model.count_trainable() == 2 * (12 * 2 + 2)
    assert all(name.startswith(("class_head", "pointer_head")) for name in model.trainable())


def test_the_predecessors_trainable_count_with_trunk_and_frozen_encoder():
    model = MultiTask(12, 3, Model(hidden=128, layers=2, trunk_width=64))
    model.encoder.requires_grad_(False)
    assert model.count_trainable() == 16_448 + 195 + 130


def test_weights_go_to_disk_and_back(tmp_path):
    model, other = MultiTask(4, 2, Model(hidden=6)), MultiTask(4, 2, Model(hidden=6))
    save_file(weights_of(model), tmp_path / "w.safetensors")
    (tmp_path / "w.json").write_text(json.dumps({"classes": ["a", "b"]}))
    put_weights(other, load_weights(tmp_path / "w.safetensors"))
    for name, array in weights_of(other).items():
        assert np.array_equal(array, weights_of(model)[name])
    assert describe(tmp_path / "w.safetensors") == {"classes": ["a", "b"]}


def test_weights_are_a_copy_that_training_does_not_change():
    model = MultiTask(4, 2, Model(hidden=6))
    weights = weights_of(model)
    before = weights["class_head.linear.weight"].copy()
    with torch.no_grad():
        model.class_head.linear.weight.add_(1)
    assert np.array_equal(weights["class_head.linear.weight"], before)


def test_weights_that_do_not_fit_are_listed():
    small, large = MultiTask(4, 2, Model(hidden=6)), MultiTask(4, 3, Model(hidden=6, trunk_width=5))
    with pytest.raises(CheckpointError) as error:
        put_weights(large, weights_of(small), "mine.safetensors")
    assert "trunk.0.weight is missing" in str(error.value)
    assert "class_head.linear.bias is (2,), wanted (3,)" in str(error.value)
    assert "mine.safetensors" in str(error.value)


@pytest.mark.parametrize("text", [None, "not a tensor file"])
def test_an_unreadable_file_of_weights_is_named(tmp_path, text):
    path = tmp_path / "w.safetensors"
    if text:
        path.write_text(text)
    with pytest.raises(CheckpointError, match=r"w\.safetensors"):
        load_weights(path)
    with pytest.raises(CheckpointError, match="description"):
        describe(path)


@pytest.mark.parametrize(("head", "center"), [(PointerHead(6), 0.4), (PositionHead(6, 6), None)])
def test_a_pointer_begins_at_the_constant_answer(head, center):
    head.init_from(torch.tensor([[0.3, 0.08], [0.4, 0.08], [0.5, 0.2], [torch.nan, torch.nan]]))
    start = head(torch.zeros(2, 6), torch.zeros(2, 10, 6))
    assert start[:, 1].tolist() == pytest.approx([0.08, 0.08])
    assert center is None or start[:, 0].tolist() == pytest.approx([center, center])
    head.init_from(torch.tensor([[0.0, 1.0]]))
    assert torch.isfinite(head.linear.bias).all()
