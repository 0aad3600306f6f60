import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from moola_core.training.device import Device
from moola_core.training.events import Event
from moola_core.training.finetune import fit_all, fit_replicate
from moola_core.training.folds import make_folds
from moola_core.training.processes import side_by_side
from tests.training.windows import make_inputs, make_spec


def folds_of(inputs, spec):
    return make_folds(inputs.label, inputs.shared, spec.training, spec.faults)


def fit(inputs, spec, device, which=0, emit=lambda event: None):
    where = Device(device, device, "float32")
    return fit_replicate(spec, inputs, folds_of(inputs, spec)[which], emit, where)


def pooled(inputs, spec):
    replicates = sorted(
        fit_all(spec, inputs, folds_of(inputs, spec), lambda event: None), key=lambda r: (r.repeat, r.fold)
    )
    rows = np.concatenate([replicate.test for replicate in replicates])
    return rows, np.concatenate([replicate.probabilities for replicate in replicates]), replicates


def test_it_learns_what_is_there_and_nothing_from_shuffled_labels(device):
    inputs = make_inputs(60)
    spec = make_spec(epochs=12, device=device)
    rows, probabilities, _ = pooled(inputs, spec)
    answer = np.array(inputs.classes)[probabilities.argmax(1)]
    assert f1_score(inputs.label[rows].astype(str), answer, average="macro") > 0.9
    rows, probabilities, _ = pooled(inputs, make_spec(epochs=12, device=device, shuffled_labels=True))
    answer = np.array(inputs.classes)[probabilities.argmax(1)]
    assert accuracy_score(inputs.label[rows].astype(str), answer) < 0.75


@pytest.mark.parametrize("others", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_the_same_seed_gives_the_same_bits_here_and_in_other_processes(monkeypatch, others):
    """However many: each takes seconds to load torch, so the short form has one."""

    def fewer(function, items, processes, emit):
        return side_by_side(function, items, min(processes, others), emit)

    monkeypatch.setattr("moola_core.training.finetune.side_by_side", fewer)
    inputs = make_inputs(30)
    alone = pooled(inputs, make_spec(epochs=2, processes=1))
    elsewhere = pooled(inputs, make_spec(epochs=2, processes=2))
    other = pooled(inputs, make_spec(epochs=2, processes=1, seed=18))
    assert np.array_equal(alone[1], elsewhere[1])
    assert not np.array_equal(alone[1], other[1])
    for a, b in zip(alone[2], elsewhere[2], strict=True):
        assert np.array_equal(a.start_pred, b.start_pred)
        assert all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)
        assert all(np.array_equal(a.steps[name], b.steps[name], equal_nan=True) for name in a.steps)


def test_replicates_do_not_depend_on_what_ran_before(device):
    """On a card but for rounding: the order of its sums depends on how many fits are trained together."""
    engine = (
        "sequential" if device == "cpu" else "replicas"
    )  # a run that is resumed goes on with the engine that it began with
    inputs, spec = make_inputs(30), make_spec(epochs=2, device=device, precision="float32", engine=engine)
    whole = {(r.repeat, r.fold): r.probabilities for r in fit_all(spec, inputs, folds_of(inputs, spec), lambda e: None)}
    rest = list(fit_all(spec, inputs, folds_of(inputs, spec)[2:], lambda e: None))
    assert [(r.repeat, r.fold) for r in rest] == [(0, 2)]
    np.testing.assert_allclose(rest[0].probabilities, whole[0, 2], rtol=0, atol=0 if device == "cpu" else 1e-4)


def test_standardisation_is_fitted_on_training_windows_alone(device):
    inputs, spec = make_inputs(40), make_spec(epochs=1, device=device)
    fold = folds_of(inputs, spec)[0]
    replicate = fit(inputs, spec, device)
    own = inputs.x[fold.train].reshape(-1, 2)
    assert np.allclose(replicate.weights["scale.mean"], own.mean(0), atol=1e-5)
    assert np.allclose(replicate.weights["scale.std"], own.std(0), atol=1e-5)
    plain = fit(inputs, make_spec(epochs=1, standardise=False), device)
    assert (plain.weights["scale.mean"] == 0).all() and (plain.weights["scale.std"] == 1).all()


def test_the_head_is_as_wide_as_the_classes_unless_a_fault_is_planted():
    inputs = make_inputs(36, classes=3)
    assert fit(inputs, make_spec(epochs=1), "cpu").weights["class_head.linear.weight"].shape[0] == 3
    wide = fit(inputs, make_spec(epochs=1, extra_output=1), "cpu")
    assert wide.weights["class_head.linear.weight"].shape[0] == 4
    assert wide.probabilities.shape[1] == 3 and (wide.probabilities.sum(1) < 1).all()


def test_the_predecessors_head_has_16775_trainable_parameters_over_a_frozen_encoder():
    from moola_core.models.multitask import MultiTask
    from moola_core.specs import Model

    model = MultiTask(12, 3, Model(layers=2, hidden=128, trunk_width=64))
    assert sum(p.numel() for p in model.encoder.parameters()) == 540_672
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)
    assert model.count_trainable() + 2 == 16_775  # with the two log variances


@pytest.mark.parametrize("tasks", ["class", "pointers"])
def test_one_task_alone_has_no_other_outputs(tasks):
    replicate = fit(make_inputs(30), make_spec(epochs=1, tasks=tasks), "cpu")
    assert (replicate.probabilities is None) == (tasks == "pointers")
    assert (replicate.start_pred is None) == (tasks == "class")
    assert replicate.shared_parameters == 0


def test_null_pointers_train_the_class_alone():
    inputs = make_inputs(30)
    inputs.start[::2] = np.nan
    inputs.end[::2] = np.nan
    replicate = fit(inputs, make_spec(epochs=2), "cpu")
    assert np.isfinite(replicate.start_pred).all() and np.isfinite(replicate.steps["loss_pointer"]).all()


def test_early_stopping_keeps_the_best_epochs_weights():
    events: list[Event] = []
    inputs, spec = make_inputs(40, signal=0.0), make_spec(epochs=30, patience=3, learning_rate=0.05)
    replicate = fit(inputs, spec, "cpu", emit=events.append)
    validation = [event.values["loss"] for event in events if event.type == "epoch" and event.split == "validation"]
    assert replicate.best_epoch == int(np.argmin(validation)) + 1
    assert replicate.epochs == len(validation) < 30
    assert replicate.epochs - replicate.best_epoch == 3


def test_events_say_what_happened():
    events: list[Event] = []
    fit(make_inputs(30), make_spec(epochs=4, pcgrad=True), "cpu", emit=events.append)
    kinds = [event.type for event in events]
    assert kinds[0] == "replicate_started" and kinds[-1] == "replicate_finished"
    monitors = [event for event in events if event.type == "monitor"]
    assert [event.epoch for event in monitors] == [2, 4]
    wanted = {
        "f1_macro",
        "recall",
        "center_mae_bars",
        "length_mae_bars",
        "hit_at_3",
        "hit_at_5",
        "sigma_ratio",
        "ece",
        "aucpr",
    }
    assert wanted | {"conflict_rate", "projection_rate"} <= monitors[0].values.keys()


def test_pcgrad_logs_every_step_and_plain_training_only_samples():
    inputs = make_inputs(30)
    with_it = fit(inputs, make_spec(epochs=4, pcgrad=True, pcgrad_threshold=0.0), "cpu").steps
    without = fit(inputs, make_spec(epochs=4), "cpu").steps
    assert np.isfinite(with_it["cosine"]).all() and np.array_equal(with_it["conflict"], with_it["projected"])
    assert 0 < np.isfinite(without["cosine"]).sum() < len(without["cosine"]) / 2
    assert np.isfinite(without["loss"]).all()


def test_a_frozen_threshold_never_projects():
    steps = fit(make_inputs(30), make_spec(epochs=3, pcgrad=True, pcgrad_threshold=-1.0), "cpu").steps
    assert steps["projected"].sum() == 0
