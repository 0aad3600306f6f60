"""What is chosen from the figures of hosts that do not exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moola_core.host.choices import PRETRAINING, TOLERANCE, fastest, pretraining_precision, pretraining_row, shape_of
from moola_core.host.engine import REPLICAS, SEQUENTIAL
from moola_core.host.figures import Figures, Hardware, Row
from moola_core.presets import preset
from moola_core.specs import change
from moola_core.training.device import Device
from moola_core.training.engine import choose_engine
from tests.training.windows import make_spec

BARS, FITS = 105, 50
SPEC = make_spec(hidden=32, processes=0)
SHAPE = shape_of(SPEC, BARS)


def row(engine, step_ms, at_once=1, processes=1, form="products", precision="float32", error=1e-6, **others):
    return Row(SHAPE, engine, form, precision, True, at_once, processes, step_ms / 1000, error, **others)


def host(kind, *rows, cores=16):
    return Figures(Hardware(kind, "imaginary", "", cores, 80.0), {}, "2026-11-26T00:00:00+00:00", 1.0, False, rows)


ALONE = row(SEQUENTIAL, 8)
FAST_CARD = host("cuda", ALONE, row(REPLICAS, 4, 25), row(REPLICAS, 5, 50), row(REPLICAS, 3, 50, form="on_chip"))
SMALL_CARD = host("cuda", ALONE, row(REPLICAS, 4, 5), Row(SHAPE, REPLICAS, "products", "float32", True, 50, 1, None))
WRONG_KERNEL = host("cuda", ALONE, row(REPLICAS, 1, 50, form="on_chip", error=0.3), row(REPLICAS, 5, 50))
MANY_CORES = host(
    "cpu", row(SEQUENTIAL, 30), row(SEQUENTIAL, 33, processes=2), row(SEQUENTIAL, 40, processes=64), cores=64
)
SLOW_GRAPHS = host("cuda", row(SEQUENTIAL, 0.01), row(REPLICAS, 5, 50))
LOW = host(
    "cuda",
    row(REPLICAS, 5, 50),
    row(REPLICAS, 4, 50, precision="tf32", error=5e-4),
    row(REPLICAS, 2, 50, precision="bf16", error=9e-3),
)
DEFAULT = {"cuda": (REPLICAS, "products", 0, 0, ""), "cpu": (SEQUENTIAL, "products", 0, 0, "")}


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (FAST_CARD, (REPLICAS, "on_chip", 50, 0, "float32")),
        (SMALL_CARD, (REPLICAS, "products", 5, 0, "float32")),
        (WRONG_KERNEL, (REPLICAS, "products", 50, 0, "float32")),
        (MANY_CORES, (SEQUENTIAL, "products", 0, 64, "float32")),
        (SLOW_GRAPHS, (SEQUENTIAL, "products", 0, 1, "float32")),
        (LOW, (REPLICAS, "products", 50, 0, "tf32")),
    ],
    ids=["fast card", "small card", "wrong kernel", "64 cores", "slow replicas", "low precision"],
)
def test_the_fastest_of_the_right_ways_is_chosen(figures, expected):
    device = Device(figures.hardware.kind, "imaginary", "float32")
    engine = choose_engine(SPEC, device, FITS, figures, BARS)
    assert (engine.name, engine.form, engine.at_once, engine.processes, engine.precision) == expected
    assert "Measured on this host" in engine.why
    usable = [one for one in figures.rows if one.step_s and one.error <= TOLERANCE]
    assert fastest(figures, SPEC, BARS, FITS).seconds(FITS) == min(one.seconds(FITS) for one in usable)
    default = choose_engine(SPEC, device, FITS)
    assert (default.name, default.form, default.at_once, default.processes, default.precision) == DEFAULT[device.kind]


def test_memory_of_a_fit_goes_with_the_engine_and_grows_with_the_network():
    figures = host("cuda", ALONE, replace(row(REPLICAS, 5, 50), memory_mb=1000.0))
    device = Device("cuda", "imaginary", "float32")
    assert choose_engine(SPEC, device, FITS, figures, BARS).fit_mb == pytest.approx(20)
    larger = make_spec(hidden=40, processes=0)
    expected = 20 * shape_of(larger, BARS).work / SHAPE.work
    assert choose_engine(larger, device, FITS, figures, BARS).fit_mb == pytest.approx(expected)
    slow = host("cpu", row(SEQUENTIAL, 1), replace(row(REPLICAS, 50, 5), memory_mb=100.0))
    asked = make_spec(hidden=32, processes=0, engine="replicas")
    assert choose_engine(asked, Device("cpu", "cpu", "float32"), FITS, slow, BARS).fit_mb == pytest.approx(20)
    assert choose_engine(SPEC, device, FITS, FAST_CARD, BARS).fit_mb == 0  # of a measuring of before


def test_few_fits_take_the_way_that_is_fastest_for_few():
    few = host("cuda", row(SEQUENTIAL, 8), row(REPLICAS, 5, 5), row(REPLICAS, 30, 50))
    assert fastest(few, SPEC, BARS, 3).at_once == 5
    assert fastest(few, SPEC, BARS, 50).at_once == 50
    slow = host("cuda", row(SEQUENTIAL, 2), row(REPLICAS, 5, 5))
    assert fastest(slow, SPEC, BARS, 1).engine == SEQUENTIAL


def test_what_the_user_asks_for_holds():
    def engine_for(figures, **settings):
        return choose_engine(
            make_spec(hidden=32, processes=0, **settings), Device("cuda", "imaginary", "float32"), FITS, figures, BARS
        )

    assert engine_for(FAST_CARD, engine="sequential").name == SEQUENTIAL
    assert engine_for(LOW, precision="bf16").precision == "bf16"
    assert engine_for(LOW, precision="float32").precision == "float32"
    cpu = choose_engine(make_spec(hidden=32, processes=2), Device("cpu", "cpu", "float32"), FITS, MANY_CORES, BARS)
    assert cpu.processes == 2


@pytest.mark.parametrize(
    "settings", [{"hidden": 32, "model.encoder": "tcn"}, {"hidden": 256}, {"hidden": 32, "batch_size": 128}]
)
def test_figures_of_other_shapes_choose_nothing(settings):
    assert fastest(FAST_CARD, make_spec(**settings), BARS, FITS) is None


def test_figures_of_a_near_shape_do():
    assert fastest(FAST_CARD, make_spec(hidden=40), BARS, FITS) is not None


def test_figures_of_another_kind_of_device_are_not_used():
    engine = choose_engine(SPEC, Device("cpu", "cpu", "float32"), FITS, FAST_CARD, BARS)
    assert engine.name == SEQUENTIAL and "Measured" not in engine.why


def test_pretraining_takes_the_fastest_arithmetic_that_is_close_enough():
    rows = [
        row("pretraining", ms, precision=name, error=error)
        for ms, name, error in ((4, "float32", 0.0), (3, "tf32", 1e-3), (2, "bf16", 1e-2))
    ]
    assert pretraining_precision(host("cuda", *rows), SPEC.model) == "bf16"
    rows[2] = replace(rows[2], error=0.2)
    assert pretraining_precision(host("cuda", *rows), SPEC.model) == "tf32"
    assert pretraining_precision(host("cuda", *rows), make_spec(hidden=64).model) == ""
    assert fastest(host("cuda", *rows), SPEC, BARS, FITS) is None


def test_a_pretraining_is_as_fast_as_the_nearest_that_was_measured():
    def measured(hidden, batch, precision="float32", step_ms=10.0, error=0.0):
        shape = replace(SHAPE, hidden=hidden, pointer="", batch_size=batch)
        return Row(shape, PRETRAINING, "", precision, False, 1, 1, step_ms / 1000, error)

    rows = (
        measured(32, 64),
        measured(32, 512),
        measured(32, 512, "bf16", 5),
        measured(128, 64),
        measured(36, 512, "tf32", 1, error=0.5),
    )
    figures = host("cuda", ALONE, *rows)
    asked = preset("quick").pretrain()
    spec = change(asked, {"model.encoder": "bilstm", "model.layers": 1, "model.hidden": 36, "training.batch_size": 400})
    assert pretraining_row(figures, spec) == rows[2]  # the faster of the two that are near
    assert pretraining_row(figures, change(spec, {"training.batch_size": 90})) == rows[0]
    assert pretraining_row(figures, change(spec, {"model.hidden": 400})) is None
    assert pretraining_row(figures, change(spec, {"model.encoder": "tcn"})) is None
