"""What an estimate begins with, from figures of hosts that do not exist."""

from __future__ import annotations

import pytest

from moola_core.host.choices import PRETRAINING
from moola_core.host.engine import SEQUENTIAL
from moola_core.host.figures import FIT, Figures, Hardware, Row, Shape, Speed
from moola_core.launch.estimate.base import MEASURED_FIT, TUNED, of_pretraining, of_run
from moola_core.presets import preset
from moola_core.specs import change

SIZE = 174, 105


def host(rows=(), load=0.0, **fits):
    speeds = tuple(Speed(FIT.format(name), seconds, "s") for name, seconds in fits.items())
    hardware = Hardware("cpu", "imaginary", "", 2, 16.0)
    return Figures(hardware, {}, "2026-11-27T00:00:00+00:00", 1.0, True, tuple(rows), speeds=speeds, load=load)


def simple(name):
    return change(preset("quick").finetune(), {"estimator": name})


def test_a_simple_model_takes_what_it_took_on_this_host():
    measured = of_run(simple("extra_trees"), SIZE, 10, host(extra_trees=0.9))
    assert (measured.fits_s, measured.source) == (pytest.approx(9.0), TUNED)
    assert of_run(simple("extra_trees"), (348, 105), 5, host(extra_trees=0.9)).fits_s == pytest.approx(9.0)
    assert of_run(simple("extra_trees"), SIZE, 10, host(extra_trees=0.9, load=4.0)).fits_s == pytest.approx(4.5)


def test_one_that_was_not_measured_is_as_much_slower_as_the_others_were():
    figures = host(
        extra_trees=3 * MEASURED_FIT["extra_trees"][0], locate_then_classify=3 * MEASURED_FIT["locate_then_classify"][0]
    )
    without, with_figures = (of_run(simple("quant"), SIZE, 2, one) for one in (None, figures))
    assert with_figures.fits_s == pytest.approx(3 * without.fits_s) and not with_figures.from_host


def test_a_pretraining_takes_what_its_steps_took_on_this_host():
    spec = change(preset("quick").pretrain(), {"model.encoder": "bilstm"})
    model, batch = spec.model, spec.training.batch_size
    shape = Shape("bilstm", model.layers, model.hidden, "", batch, spec.sampling.window_bars)
    figures = host([Row(shape, PRETRAINING, "", "float32", False, 1, 1, 0.05, 0.0)])
    measured = of_pretraining(spec, 100 * batch, 3, figures)
    assert (measured.fits_s, measured.source) == (pytest.approx(100 * 3 * 0.05), TUNED)
    assert not of_pretraining(spec, 100 * batch, 3, host()).from_host


def test_simple_models_that_take_long_are_fitted_in_several_processes():
    alone, two = (change(simple("extra_trees"), {"training.processes": count}) for count in (1, 2))
    figures = host(extra_trees=1.0)
    assert of_run(alone, SIZE, 50, figures).fits_s == pytest.approx(50.0)
    assert of_run(two, SIZE, 50, figures).fits_s == pytest.approx(2 + 24 + 3)
    assert of_run(two, SIZE, 10, figures).fits_s == pytest.approx(10.0), "not worth the start"


def test_a_network_that_was_not_measured_is_as_much_slower_than_the_table_as_others_were():
    spec = change(preset("quick").finetune(), {"model.hidden": 200, "training.processes": 1})
    shape = Shape("bilstm", 1, 32, "regression", 29, 105)
    slow, fast = (host([Row(shape, SEQUENTIAL, "", "float32", False, 1, 1, step_s, 0.0)]) for step_s in (0.1, 0.02))
    assert of_run(spec, SIZE, 5, slow).fits_s == pytest.approx(5 * of_run(spec, SIZE, 5, fast).fits_s)
    assert not of_run(spec, SIZE, 5, slow).from_host
