"""Each planted fault does what its description says, and nothing is planted where none is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.models.encoders import make_encoder
from moola_core.specs import Model
from moola_core.training.device import Device
from moola_core.training.fault_injection import inject_faults, randomise_weights
from moola_core.training.finetune import fit_replicate
from tests.training.test_finetune import fit
from tests.training.test_schedule import GRADUAL, spec_of, start_of
from tests.training.test_schedule import fit as fit_from
from tests.training.windows import make_inputs, make_spec

CPU = Device("cpu", "cpu", "float32")


@pytest.fixture(scope="module")
def inputs():
    return make_inputs(40, classes=3)


def test_without_a_fault_the_windows_are_left_alone(inputs):
    assert inject_faults(inputs, make_spec()) is inputs


def test_the_asked_share_of_labels_is_flipped_to_other_classes(inputs):
    found = inject_faults(inputs, make_spec(flipped_labels=0.25))
    assert (found.label != inputs.label).sum() == 10 and set(found.classes) == set(inputs.classes)
    assert found.target[found.label != inputs.label].tolist() != inputs.target[found.label != inputs.label].tolist()
    again, other = (
        inject_faults(inputs, make_spec(flipped_labels=0.25)),
        inject_faults(inputs, make_spec(flipped_labels=0.25, seed=3)),
    )
    assert np.array_equal(found.label, again.label) and not np.array_equal(found.label, other.label)


def test_bars_are_shuffled_within_each_window(inputs):
    found = inject_faults(inputs, make_spec(shuffled_bars=True))
    assert not np.array_equal(found.x, inputs.x)
    for before, after in zip(inputs.x, found.x, strict=True):
        rows = np.lexsort(before.T), np.lexsort(after.T)
        assert np.array_equal(before[rows[0]], after[rows[1]]), "whole bars move"


def test_the_last_feature_is_kept_at_the_last_bar_only(inputs):
    found = inject_faults(inputs, make_spec(single_position=True))
    assert not found.x[:, :-1, -1].any() and np.array_equal(found.x[:, -1], inputs.x[:, -1])
    assert np.array_equal(found.x[:, :, :-1], inputs.x[:, :, :-1]) and inputs.x[:, :-1, -1].any()


def test_a_temperature_divides_the_logits(device):
    inputs = make_inputs(30, signal=0.3)
    plain, boasting = (fit(inputs, make_spec(temperature=value, device=device), device) for value in (1.0, 0.3))
    odds = [np.log(found.probabilities[:, 1] / found.probabilities[:, 0]) for found in (plain, boasting)]
    assert np.allclose(odds[1], odds[0] / 0.3, rtol=1e-6)
    assert np.array_equal(plain.weights["class_head.linear.weight"], boasting.weights["class_head.linear.weight"])


def test_noise_takes_the_place_of_the_encoder_in_every_fit_alike():
    inputs = make_inputs(36)
    found, _ = fit_from(inputs, schedule="frozen", noise_encoder=True)
    start = start_of(inputs)
    encoder = make_encoder(inputs.x.shape[2], Model(layers=2, hidden=4))
    randomise_weights(encoder, spec_of().training.seed)
    for name, weights in encoder.state_dict().items():
        assert np.array_equal(found.weights[f"encoder.{name}"], weights.numpy())
        assert not np.array_equal(found.weights[f"encoder.{name}"], start.weights[name])


def test_nothing_is_unfrozen_although_the_schedule_says_so():
    inputs = make_inputs(36)
    start = start_of(inputs)
    for schedule in (GRADUAL, {"schedule": "full"}):
        found, events = fit_from(inputs, **schedule, nothing_unfrozen=True)
        assert all(np.array_equal(found.weights[f"encoder.{name}"], value) for name, value in start.weights.items())
        assert not any("encoder" in name for e in events if e.type == "changed" for name in e.values["names"])
        _, events = fit_from(inputs, **schedule)
        assert any("encoder" in name for e in events if e.type == "changed" for name in e.values["names"])


def test_dropout_in_a_frozen_encoder_is_measured_and_measuring_changes_nothing(monkeypatch):
    inputs = make_inputs(36)

    def noise(**changes):
        found, events = fit_from(inputs, **changes)
        return found, [event.values["encoder_noise"] for event in events if event.type == "trainable"]

    assert noise(schedule="frozen")[1] == [0.0]
    left_on, measured = noise(schedule="frozen", frozen_dropout=True)
    assert measured[0] > 0.1 and noise(schedule="full")[1] == [None]
    monkeypatch.setattr("moola_core.training.group.Group.encoder_noise", lambda self, on: [None] * len(on))
    assert np.array_equal(left_on.probabilities, noise(schedule="frozen", frozen_dropout=True)[0].probabilities)


def test_gradients_that_were_added_back_are_measured_as_not_applied():
    inputs = make_inputs(30, signal=0.5)
    changes = {"pcgrad": True, "device": "cpu"}
    plain, faulty = (
        fit(inputs, make_spec(**changes, accumulated_gradients=on), "cpu").steps["unapplied"] for on in (False, True)
    )
    assert plain.max() < 1e-5 and np.median(faulty) > 0.9


def test_how_far_the_weights_moved_is_told(inputs):
    def moved(rate: float) -> float:
        events: list = []
        spec = make_spec(learning_rate=rate, weight_decay=0)
        fit(inputs, spec, "cpu", emit=events.append)
        return next(e.values["moved"] for e in events if e.type == "replicate_finished")

    assert moved(0.0) == 0.0 and 0 < moved(1e-6) < 0.01 < moved(0.02)


def test_a_fit_without_faults_gives_no_flag(inputs):
    found = fit_replicate(make_spec(), inputs, _fold(inputs), lambda event: None, CPU)
    assert np.isnan(found.steps["unapplied"]).any() and np.nanmax(found.steps["unapplied"]) < 1e-5


def _fold(inputs):
    from moola_core.training.folds import make_folds

    spec = make_spec()
    return make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]


def test_exchanged_pointers_stay_whole_and_belong_to_other_windows():
    inputs = make_inputs(40)
    planted = inject_faults(inputs, make_spec(shuffled_pointers=True))
    pairs = [sorted(zip(one.start.tolist(), one.end.tolist(), strict=True)) for one in (inputs, planted)]
    assert pairs[0] == pairs[1] and not np.array_equal(planted.start, inputs.start)
    assert np.array_equal(planted.x, inputs.x) and np.array_equal(planted.label, inputs.label)
