"""The random streams of a fit, and what a step does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moola_core.errors import DataError
from moola_core.host.engine import ALONE
from moola_core.models.checkpoint import put_weights
from moola_core.models.heads import to_bars
from moola_core.models.multitask import MultiTask
from moola_core.specs import change
from moola_core.training import seeds
from moola_core.training.device import Device
from moola_core.training.finetune import fit_all, fit_replicate
from moola_core.training.fit import Fit
from moola_core.training.folds import make_folds
from moola_core.training.group import Group
from tests.training.windows import make_inputs, make_spec

CPU = Device("cpu", "cpu", "float32")


def fit(inputs, spec, which=0):
    return fit_replicate(spec, inputs, fold_of(inputs, spec, which), lambda event: None, CPU)


def fold_of(inputs, spec, which=0):
    return make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[which]


def plan_of(inputs, spec):
    return Fit(spec, inputs, fold_of(inputs, spec))


def group_of(inputs, spec):
    """A group of one, ready for its first step."""
    group = Group(spec, inputs, [fold_of(inputs, spec)], CPU.using(ALONE))
    group.fits[0].unfreezing.begins(1)
    group.prepare()
    return group


def test_streams_of_seed_repeat_fold_and_purpose_all_differ():
    keys = [(s, r, f, w) for s in (1, 2) for r in range(3) for f in range(3) for w in range(6)]
    assert len({seeds.torch_seed(*key) for key in keys}) == len(keys)


def test_fitting_leaves_the_callers_random_state_and_threads_alone():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(make_inputs(30), make_spec(epochs=1, dropout=0.5))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_fit_does_not_depend_on_the_callers_random_state():
    inputs, spec = make_inputs(30), make_spec(epochs=2, dropout=0.5, layers=2, jitter_std=0.1)
    torch.manual_seed(1)
    first = fit(inputs, spec)
    torch.manual_seed(2)
    np.random.default_rng().standard_normal(3)
    assert np.array_equal(first.probabilities, fit(inputs, spec).probabilities)


def test_dropout_draws_the_same_whatever_jitter_and_weights_draw():
    inputs, masks = make_inputs(30), []
    for jitter, trunk in ((0.0, 0), (0.1, 7)):
        group = group_of(inputs, make_spec(epochs=1, dropout=0.5, jitter_std=jitter, trunk_width=trunk))
        drawn: list[torch.Tensor] = []
        group.network.module.dropout.register_forward_hook(
            lambda module, given, out, drawn=drawn: drawn.append(out == 0)
        )
        group.train_epoch(1, [0])
        masks.append(torch.cat(drawn))
    assert masks[0].float().mean() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(*masks)


def test_the_initial_weights_do_not_depend_on_dropout_or_jitter():
    inputs = make_inputs(30)
    plain, other = (plan_of(inputs, make_spec(dropout=d, jitter_std=j)) for d, j in ((0.0, 0.0), (0.5, 0.2)))
    for a, b in zip(plain.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_jitter_is_added_to_the_standardised_inputs_in_training_alone():
    inputs = make_inputs(30)
    group = group_of(inputs, make_spec(jitter_std=0.25))
    seen: list[torch.Tensor] = []
    group.network.module.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    rows = torch.from_numpy(group.fits[0].fold.train)
    group.batch.fill(group.batch.step_of([rows[: group.batch.most]]), False)
    group.step(False)
    group.predict_inner()
    plain = [group.windows.scaled(own)[0] for own in (group.batch.rows, group.validation)]
    assert float((seen[0] - plain[0]).std()) == pytest.approx(0.25, rel=0.1)
    assert torch.equal(seen[1], plain[1])


def test_a_learning_rate_of_zero_changes_nothing():
    group = group_of(make_inputs(30), make_spec(learning_rate=0.0, log_variance_lr=0.0))
    before = group.stacked.matrix.clone()
    group.train_epoch(1, [0])
    assert torch.equal(group.stacked.matrix, before)


def test_the_test_windows_are_predicted_with_the_best_epochs_weights():
    inputs, spec = make_inputs(40, signal=0.3), make_spec(epochs=20, patience=4, learning_rate=0.05)
    replicate, model = fit(inputs, spec), MultiTask(inputs.x.shape[2], 2, spec.model).eval()
    assert replicate.best_epoch < replicate.epochs
    put_weights(model, {name: w for name, w in replicate.weights.items() if not name.startswith("scale.")})
    x = (inputs.x[replicate.test] - replicate.weights["scale.mean"]) / replicate.weights["scale.std"]
    with torch.no_grad():
        probabilities = model(torch.from_numpy(x)).logits.softmax(1).numpy()
    assert np.allclose(probabilities, replicate.probabilities, atol=1e-6)


def test_sigma_moves_at_its_own_rate():
    inputs = make_inputs(30)
    still, moved = (
        fit(inputs, make_spec(epochs=3, learning_rate=0.0, log_variance_lr=rate)).steps for rate in (0.0, 0.1)
    )
    assert (still["sigma_class"] == 1).all() and (still["sigma_pointer"] == 1).all()
    assert moved["sigma_pointer"][-1] < 0.9


def test_shuffled_labels_leave_test_rows_alone_and_keep_their_counts():
    inputs = make_inputs(40)
    plan = plan_of(inputs, make_spec(shuffled_labels=True))
    target, train, test = plan.targets(), plan.fold.train, plan.fold.test
    assert np.array_equal(target[test], inputs.target[test])
    assert not np.array_equal(target[train], inputs.target[train])
    assert np.array_equal(np.sort(target), np.sort(inputs.target))


def test_every_training_window_is_seen_once_an_epoch_in_a_new_order():
    inputs = make_inputs(40)
    plan = plan_of(inputs, make_spec())
    orders = [torch.cat(plan.batches()).tolist() for _ in range(2)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(plan.fold.train)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("engine", ["sequential", "replicas"])
def test_batches_of_one_window_train_on_every_window(engine):
    inputs, spec = make_inputs(20), make_spec(batch=1, epochs=2, engine=engine)
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    for one in fit_all(spec, inputs, folds, lambda event: None):
        fold = next(fold for fold in folds if fold.fold == one.fold)
        assert len(one.steps["loss"]) == 2 * len(fold.train)
        assert np.isfinite(one.steps["loss"]).all()


def test_a_last_batch_of_one_window_is_left_out():
    inputs = make_inputs(20)
    plan = plan_of(inputs, make_spec(batch=2))
    plan.fold = replace(plan.fold, train=np.arange(7))
    assert [len(batch) for batch in plan.batches()] == [2, 2, 2]


@pytest.mark.parametrize("engine", ["sequential", "replicas"])
def test_batch_normalisation_of_a_fold_with_one_training_window_is_refused_before_any_fit(engine):
    inputs, events = make_inputs(20), []
    spec = make_spec(normalisation="batch", engine=engine)
    folds = list(make_folds(inputs.label, inputs.shared, spec.training, spec.faults))
    folds[-1] = replace(folds[-1], train=folds[-1].train[:1])
    with pytest.raises(DataError, match="one training window"):
        next(fit_all(spec, inputs, folds, events.append))
    assert not events
    assert len(list(fit_all(change(spec, {"normalisation": "layer"}), inputs, folds, events.append))) == len(folds)


def test_pointers_come_back_in_bars_and_inside_the_window():
    bars = to_bars(np.array([[0.5, 0.2], [0.02, 0.5], [0.99, 0.9]]), 100)
    assert bars[0] == pytest.approx([40, 60])
    assert bars.min() == 0 and bars.max() == 99


def test_bf16_trains_on_a_card(device):
    if device != "cuda":
        pytest.skip("needs --device cuda")
    inputs, spec = make_inputs(30), make_spec(epochs=3, device="cuda")
    fold = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]
    replicate = fit_replicate(spec, inputs, fold, lambda event: None)
    assert np.isfinite(replicate.probabilities).all() and np.isfinite(replicate.steps["loss"]).all()
