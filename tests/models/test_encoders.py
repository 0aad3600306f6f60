"""The contract that every registered encoder keeps; a new one is tested by being registered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.func import functional_call

from moola_core.errors import SpecError
from moola_core.models.checkpoint import put_weights, weights_of
from moola_core.models.encoders import ENCODERS, Encoder, dropout_shapes, encoder_class, make_encoder
from moola_core.specs import Model
from moola_core.specs.choices import ENCODERS as CHOICES
from moola_core.training.device import Device
from moola_core.training.engine import choose_engine
from moola_core.training.finetune import fit_replicate
from moola_core.training.folds import make_folds
from tests.training.windows import make_inputs, make_spec

NORMALISATIONS = ("none", "layer", "batch")


class MovingAverage(Encoder):
    """A user's own encoder, named in a spec by its class."""

    def build(self, inputs, model):
        self.linear = torch.nn.Linear(inputs, self.width)

    def sequence(self, x):
        return [self.linear((x + x.roll(1, 1)) / 2)]

    def layers(self):
        return [["linear.weight", "linear.bias"]]


EVERY = [*ENCODERS, f"{__name__}:MovingAverage"]


def small(name: str, **settings) -> Model:
    return Model(encoder=name, hidden=4, layers=2, dropout=0.0, **settings)


def test_every_encoder_has_a_sentence_and_every_sentence_an_encoder():
    assert set(ENCODERS) == set(CHOICES), (
        f"in one of specs/choices.py and the registry alone: {set(ENCODERS) ^ set(CHOICES)}"
    )


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_it_gives_its_width_at_every_bar_and_the_same_again_in_eval_mode(name, normalisation):
    encoder = make_encoder(3, small(name, normalisation=normalisation)).eval()
    x = torch.randn(5, 17, 3)
    assert encoder(x).shape == (5, 17, encoder.width) and encoder.width == encoder_class(small(name)).width_of(
        small(name)
    )
    assert torch.equal(encoder(x), encoder(x))
    assert torch.allclose(encoder.sequence(x)[-1], encoder.output(x), atol=1e-6)
    assert all(mean.shape[0] == 5 for mean in encoder.layer_means(x, batch=2))


@pytest.mark.parametrize(("name", "layers", "bars"), [("tcn", 2, 41), ("inception", 1, 115), ("inception", 2, 229)])
def test_a_convolutional_encoder_sees_as_many_bars_as_its_description_says(name, layers, bars):
    x = torch.rand(1, 301, 3, requires_grad=True)
    encoder = make_encoder(3, Model(encoder=name, hidden=4, layers=layers, dropout=0.0)).eval()
    with torch.no_grad():  # with weights above 0 no unit is at rest, whatever was drawn
        for weights in encoder.parameters():
            weights.abs_()
    encoder(x)[0, 150].sum().backward()
    seen = torch.nonzero(x.grad.abs().sum(2)[0]).ravel()
    assert (int(seen[0]), int(seen[-1])) == (150 - bars // 2, 150 + bars // 2)
    if name == "inception":
        assert str(bars) in CHOICES[name]


@pytest.mark.parametrize("name", EVERY)
def test_its_layers_divide_its_parameters_and_all_of_them_are_trained(name):
    encoder = make_encoder(3, small(name, normalisation="layer"))
    names = [parameter for layer in encoder.layers() for parameter in layer]
    own = [parameter for parameter, _ in encoder.named_parameters() if not parameter.startswith("normalisation.")]
    assert sorted(names) == sorted(own) and len(encoder.layers()) == len(encoder.sequence(torch.randn(2, 9, 3)))
    (encoder(torch.randn(4, 21, 3)) * torch.randn(4, 21, encoder.width)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


@pytest.mark.parametrize("name", EVERY)
def test_its_weights_survive_a_checkpoint(name):
    first, second = (make_encoder(3, small(name, normalisation="batch")) for _ in range(2))
    put_weights(second, weights_of(first))
    x = torch.randn(2, 11, 3)
    assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_many_at_once_give_what_each_gives_alone(name, normalisation):
    model = small(name, normalisation=normalisation)
    kind = encoder_class(model)
    if kind.stacked is None:
        pytest.skip("it has no form for many at once")
    alone = [make_encoder(3, model).train() for _ in range(2)]
    x = torch.randn(2, 5, 9, 3)
    states = [one.state_dict() for one in alone]
    weights = {f"encoder.{part}": torch.stack([state[part] for state in states]).clone() for part in states[0]}
    statistics = torch.ones(2, 5)
    together = kind.stacked(model, weights, None, "products").encode(x.transpose(1, 2), (), statistics)
    for r, one in enumerate(alone):
        expected = functional_call(one, dict(one.named_parameters()) | dict(one.named_buffers()), (x[r],))
        assert torch.allclose(together[r].transpose(0, 1), expected, atol=1e-5)
    assert all(shape.count(None) == 1 for shape in dropout_shapes(model, 9))


def test_fits_of_an_encoder_without_a_form_for_many_at_once_are_trained_one_after_another(monkeypatch):
    monkeypatch.setattr(ENCODERS.resolve("tcn"), "stacked", None)
    engine = choose_engine(make_spec(**{"model.encoder": "tcn"}), Device("cuda", "card", "float32"), 50)
    assert engine.name == "sequential" and "no form for many fits" in engine.why


@pytest.mark.parametrize("name", EVERY)
def test_a_fit_with_it_learns_what_is_there(name):
    inputs = make_inputs(40)
    changes = {"model.encoder": name, "model.layers": 1, "epochs": 12, "learning_rate": 1e-2}
    spec = make_spec(**changes)
    fold = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]
    replicate = fit_replicate(spec, inputs, fold, lambda event: None, Device("cpu", "cpu", "float32"))
    assert (replicate.probabilities.argmax(1) == inputs.target[fold.test]).mean() > 0.7
    assert np.isfinite(replicate.probabilities).all()


def test_an_encoder_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match="Did you mean bilstm"):
        Model(encoder="bi-lstm")
    with pytest.raises(SpecError, match="cannot be imported"):
        make_encoder(3, Model(encoder="no_such_package:Encoder"))
    with pytest.raises(SpecError, match="is no encoder"):
        make_encoder(3, Model(encoder="collections:Counter"))
