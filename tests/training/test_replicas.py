"""Many fits at once against one after another: the same steps, the same random draws, the same events."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.errors import RunError
from moola_core.features.catalog import names
from moola_core.features.matrix import price_path
from moola_core.models.checkpoint import Pretrained, weights_of
from moola_core.models.encoders import make_encoder
from moola_core.specs import Model, change
from moola_core.training import replicas
from moola_core.training.batches import Step
from moola_core.training.device import Device
from moola_core.training.finetune import fit_all, fit_replicate
from moola_core.training.folds import make_folds
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs
from moola_core.training.replicas import fit_replicas
from tests.estimators.windows import make_windows
from tests.training.windows import make_inputs, make_spec

SLOW_RATE = 3e-4


def where(device):
    return Device(device, device, "float32")


def same_draws(device):
    """Settings without which the engines could not agree: on a card they draw the same distributions, not the same numbers."""
    return {} if device == "cpu" else {"dropout": 0.0, "jitter_std": 0.0}


def folds_of(inputs, spec):
    return make_folds(inputs.label, inputs.shared, spec.training, spec.faults)


def some_inputs(n=30):
    """Folds of unequal size, and windows without a pointer."""
    inputs = make_inputs(n)
    inputs.start[::5] = inputs.end[::5] = np.nan
    return inputs


def both(spec, device, inputs=None, start=None, count=None):
    """Each fold's fit and events by both engines."""
    inputs = some_inputs() if inputs is None else inputs
    folds = folds_of(inputs, spec)[:count]
    told: tuple[list, list] = ([], [])
    alone = [fit_replicate(spec, inputs, fold, told[0].append, where(device), start) for fold in folds]
    found = fit_replicas(spec, inputs, folds, told[1].append, where(device), () if start is None else (start,))
    return alone, sorted(found, key=lambda r: (r.repeat, r.fold)), told


def furthest(one, other):
    return max(float(np.abs(one.weights[name] - other.weights[name]).max()) for name in one.weights)


def start_for(inputs, **settings):
    torch.manual_seed(3)
    model = Model(**settings)
    weights, scale = weights_of(make_encoder(2, model)), (np.full(2, value, np.float32) for value in (0.5, 2.0))
    sizes = {name: getattr(model, name) for name in ("layers", "hidden", "normalisation")}
    return Pretrained(weights, *scale, inputs.features, "test", model.encoder, **sizes)


def test_one_replica_is_the_sequential_path_over_fifty_steps(device):
    spec = make_spec(hidden=12, dropout=0.0, epochs=25, learning_rate=SLOW_RATE)
    alone, found, _ = both(spec, device, count=1)
    assert len(found[0].steps["loss"]) == 50
    assert furthest(alone[0], found[0]) < 1e-5
    for name, column in alone[0].steps.items():
        np.testing.assert_allclose(found[0].steps[name], column, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(found[0].probabilities, alone[0].probabilities, atol=1e-5)
    np.testing.assert_allclose(found[0].start_pred, alone[0].start_pred, atol=1e-3)
    assert found[0].inner["center_mae_bars"] == pytest.approx(alone[0].inner["center_mae_bars"], abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"pcgrad": True, "pcgrad_threshold": 0.3},
        {"layers": 2, "jitter_std": 0.1, "weighting": "dwa", "trunk_width": 5},
        {"weighting": "equal", "focal_gamma": 1.0, "train_size": 0.7, "normalisation": "layer"},
        {"tasks": "class", "normalisation": "batch", "pooling": "last"},
        {"tasks": "pointers", "weighting": "fixed", "pointer_weight": 3.0},
        {"pointer": "span", "class_input": "aligned", "pcgrad": True, "jitter_std": 0.1},
        {"encoder": "tcn", "layers": 2, "normalisation": "layer", "batch_size": 7},
        {"encoder": "inception", "layers": 2, "normalisation": "batch", "batch_size": 7},
        {"shuffled_labels": True, "extra_output": 1, "pcgrad": True, "accumulated_gradients": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_takes_the_same_steps_and_the_same_draws_as_the_sequential_path(settings, device):
    alone, found, told = both(make_spec(learning_rate=SLOW_RATE, **settings | same_draws(device)), device)
    for one, other in zip(alone, found, strict=True):
        assert furthest(one, other) < 1e-5
        assert (one.best_epoch, one.epochs, one.shared_parameters) == (
            other.best_epoch,
            other.epochs,
            other.shared_parameters,
        )
        assert list(one.weights) == list(other.weights)
        for name, column in one.steps.items():
            np.testing.assert_allclose(other.steps[name], column, atol=1e-4, err_msg=name)

    def key(event):
        return event.repeat, event.fold, event.type, event.epoch or 0, event.split or ""

    ours, theirs = (sorted(events, key=key) for events in told)
    assert [key(event) for event in ours] == [key(event) for event in theirs]
    for a, b in zip(ours, theirs, strict=True):
        if a.type in ("trainable", "changed"):
            assert a.values == b.values
        if a.type == "monitor":
            close = {name: value for name, value in b.values.items() if name != "recall"}
            assert {name: a.values[name] for name in close} == pytest.approx(close, abs=1e-2)
            assert set(a.values) == set(b.values) and a.values.get("recall") == b.values.get("recall")


SPANS = {
    "pointer": "span",
    "class_input": "aligned",
    "span_statistics": True,
    "features.columns": ["price_path"],
}


def priced_inputs(n: int) -> Inputs:
    """Windows of prices, which a network with the span model's statistics reads."""
    windows = make_windows(n, bars=30)
    return Inputs(
        price_path(windows.prices),
        np.array(["a", "b"], object)[windows.target],
        *windows.span.T,
        np.arange(n).astype(str).astype(object),
        np.zeros(n, np.int64),
        np.arange(n) * 60,
        names(("price_path",)),
    )


@pytest.mark.parametrize(
    "own", [pytest.param({}, marks=pytest.mark.soak), {"mirrored_frac": 0.5, "jitter_std": 0.1}, {"tasks": "pointers"}]
)
def test_terms_are_added_alike_and_kept_with_the_weights(own, device):
    inputs = priced_inputs(30)
    inputs.start[:2] = inputs.end[:2] = np.nan
    alone, found, _ = both(make_spec(learning_rate=SLOW_RATE, **SPANS | own | same_draws(device)), device, inputs)
    for one, other in zip(alone, found, strict=True):
        assert furthest(one, other) < 1e-5 and list(one.weights) == list(other.weights)
        np.testing.assert_allclose(one.spans.p_span, other.spans.p_span, atol=1e-4)
        assert any(name.startswith("statistics.") for name in one.weights)


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "frozen"},
        {"schedule": "frozen", "frozen_dropout": True},
        {"schedule": "gradual", "last_layer_epoch": 2, "all_epoch": 4},
        {"schedule": "full", "l2_sp": 0.3},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_transfer_schedules_are_carried_out_for_every_replica(settings, device):
    settings = settings | same_draws(device)
    spec = make_spec(layers=2, hidden=4, learning_rate=SLOW_RATE, checkpoint="given", pcgrad=True, **settings)
    inputs = some_inputs()
    start = start_for(inputs, layers=2, hidden=4)
    alone, found, told = both(spec, device, inputs, start)
    for one, other in zip(alone, found, strict=True):
        assert furthest(one, other) < 1e-5
        assert (one.trainable_parameters, one.shared_parameters) == (
            other.trainable_parameters,
            other.shared_parameters,
        )
        if settings["schedule"] == "frozen":
            assert all(np.array_equal(other.weights[f"encoder.{name}"], w) for name, w in start.weights.items())
    changed = [[event.values["names"] for event in events if event.type == "changed"] for events in told]
    assert sorted(changed[0]) == sorted(changed[1]) and changed[0]


def test_stopped_replicas_are_left_alone_and_the_others_go_on(device):
    """Stopping at different epochs, and fewer at a time from then on, changes no replica's outcome."""
    spec = make_spec(epochs=14, patience=2, learning_rate=0.05, repeats=2, dropout=0.0)
    inputs = make_inputs(36, signal=0.2)
    alone, found, _ = both(spec, device, inputs)
    assert len({one.epochs for one in alone}) > 2
    for one, other in zip(alone, found, strict=True):
        assert (one.epochs, one.best_epoch) == (other.epochs, other.best_epoch)
        np.testing.assert_allclose(other.probabilities, one.probabilities, atol=2e-3)


def test_a_replica_that_is_not_live_keeps_its_bits(device):
    inputs, spec = some_inputs(), make_spec(dropout=0.0, normalisation="batch")
    group = Group(spec, inputs, folds_of(inputs, spec), where(device))
    for fit in group.fits:
        fit.unfreezing.begins(1)
    group.prepare()
    before, buffers = group.stacked.matrix.clone(), {n: b.clone() for n, b in group.stacked.buffers.items()}
    group.train_epoch(1, [0, 2])
    assert torch.equal(group.stacked.matrix[1], before[1])
    assert all(torch.equal(group.stacked.buffers[name][1], buffer[1]) for name, buffer in buffers.items())
    assert not torch.equal(group.stacked.matrix[0], before[0])
    assert (group.optimizer.mean[1] == 0).all() and (group.optimizer.mean[2] != 0).any()


def test_a_replicas_draws_do_not_depend_on_its_neighbours(device):
    inputs, spec = some_inputs(), make_spec(dropout=0.5, jitter_std=0.2, layers=2)
    seen = []
    for rows in (slice(0, 3), slice(2, 3)):
        group = Group(spec, inputs, folds_of(inputs, spec)[rows], where(device))
        for fit in group.fits:
            fit.unfreezing.begins(1)
        group.prepare()
        group.train_epoch(1, range(len(group.fits)))
        size = len(group.fits[-1].batches()[0])
        seen.append(
            [mask[-1][..., :size, :].clone() for mask in (*group.batch.masks, group.batch.noise.transpose(1, 2))]
        )
    assert len(seen[0]) == 3
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    assert float(seen[0][0].mean()) == pytest.approx(0.5, abs=0.05)


def test_they_learn_what_is_there_with_dropout(device):
    inputs = make_inputs(60)
    spec = make_spec(epochs=12, device=device, engine="replicas", dropout=0.3)
    found = list(fit_all(spec, inputs, folds_of(inputs, spec), lambda event: None))
    rows = np.concatenate([one.test for one in found])
    answer = np.concatenate([one.probabilities for one in found]).argmax(1)
    assert (answer == inputs.target[rows]).mean() > 0.9
    assert sorted(rows) == list(range(60))


def test_a_group_that_is_out_of_memory_is_halved(monkeypatch):
    inputs, spec = some_inputs(), make_spec(epochs=2)
    tried, events = [], []
    step = Group.step

    def short(self, split):
        tried.append(len(self.fits))
        if len(self.fits) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, split)

    monkeypatch.setattr(Group, "step", short)
    found = list(fit_replicas(spec, inputs, folds_of(inputs, spec), events.append, where("cpu")))
    assert sorted(one.fold for one in found) == [0, 1, 2] and set(tried) == {3, 1}
    said = [event.values["message"] for event in events if event.type == "log"]
    assert said == ["Out of GPU memory: 1 fits at a time from here on."]
    monkeypatch.setattr(Group, "step", lambda self, split: (_ for _ in ()).throw(torch.OutOfMemoryError("full")))
    with pytest.raises(torch.OutOfMemoryError):
        list(fit_replicas(spec, inputs, folds_of(inputs, spec), events.append, where("cpu")))


def test_memory_that_is_short_at_the_start_leaves_no_fit_told_twice(monkeypatch):
    inputs, spec, events = some_inputs(), make_spec(epochs=1, repeats=2), []
    prepare = Group.prepare

    def short(self, emit=None):
        if len(self.fits) > 2:
            raise RuntimeError("CUDA error: out of memory")
        prepare(self, emit)

    monkeypatch.setattr(Group, "prepare", short)
    found = list(fit_replicas(spec, inputs, folds_of(inputs, spec), events.append, where("cpu")))
    begun = [(event.repeat, event.fold) for event in events if event.type == "replicate_started"]
    assert len(found) == 6 and sorted(begun) == sorted({(one.repeat, one.fold) for one in found})
    assert [event.values["message"][:22] for event in events if event.type == "log"] == [
        "Out of GPU memory: 3 f",
        "Out of GPU memory: 1 f",
    ]


def test_more_fits_than_fit_at_once_come_in_turns(monkeypatch):
    monkeypatch.setitem(replicas.MOST_AT_A_TIME, "cpu", 2)
    inputs, spec = some_inputs(), make_spec(epochs=1)
    alone, found, _ = both(spec, "cpu", inputs)
    assert [one.fold for one in found] == [0, 1, 2]
    assert all(furthest(a, b) < 1e-5 for a, b in zip(alone, found, strict=True))


def test_a_loss_that_is_not_a_number_is_an_error():
    inputs = some_inputs()
    inputs.x[:] = np.inf
    spec = make_spec(engine="replicas", standardise=False)
    with pytest.raises(RunError, match="not a number from epoch 1"):
        list(fit_all(spec, inputs, folds_of(inputs, spec), lambda event: None))


def test_fitting_leaves_the_callers_random_state_alone():
    inputs, spec = some_inputs(), make_spec(epochs=1, engine="replicas")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(fit_all(spec, inputs, folds_of(inputs, spec), lambda event: None))
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_are_captured_on_a_card(device):
    if device != "cuda":
        pytest.skip("needs --device cuda")
    inputs, spec = some_inputs(), make_spec(pcgrad=True, dropout=0.5, layers=2)
    group = Group(spec, inputs, folds_of(inputs, spec), where(device))
    for fit in group.fits:
        fit.unfreezing.begins(1)
    before = group.stacked.matrix.clone()
    group.prepare()
    assert group.failure == "" and group.ask is not None
    assert all(one.graph is not None for one in (*group.steps.values(), group.ask))
    assert torch.equal(group.stacked.matrix, before)  # warming up leaves no trace
    group.train_epoch(1, range(len(group.fits)))
    assert not torch.equal(group.stacked.matrix, before)


def test_a_step_on_a_card_waits_for_nothing(device):
    if device != "cuda":
        pytest.skip("needs --device cuda")
    inputs, spec = some_inputs(), make_spec(pcgrad=True, dropout=0.5, jitter_std=0.1)
    group = Group(spec, inputs, folds_of(inputs, spec), where(device))
    for fit in group.fits:
        fit.unfreezing.begins(1)
    group.prepare()
    group.train_epoch(1, range(len(group.fits)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        group.step(True)
        group.steps[True]()
        group.batch.fill(Step(group.batch.rows, group.batch.live, [4] * len(group.fits)), encoder_in_eval_mode=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_bf16_stays_within_the_spread_of_seeds(device):
    """The losses of the last epoch in bf16 lie among those that other seeds reach."""
    if device != "cuda":
        pytest.skip("needs --device cuda")
    inputs = make_inputs(60, signal=0.5)
    spec = make_spec(epochs=8, hidden=16, repeats=4)
    folds = folds_of(inputs, spec)
    ends = {}
    for name, precision, seed in (("exact", "float32", 17), ("low", "bf16", 17), ("other", "float32", 18)):
        chosen = change(spec, {"training.seed": seed})
        found = fit_replicas(chosen, inputs, folds, lambda event: None, Device(device, device, precision))
        order = sorted(found, key=lambda r: (r.repeat, r.fold))
        ends[name] = np.array([one.steps["loss"][-2:].mean() for one in order])
    assert np.abs(ends["low"] - ends["exact"]).mean() < np.abs(ends["other"] - ends["exact"]).mean()
