"""What is chosen from a host's figures: of the ways that give the right numbers, the fastest."""

from __future__ import annotations

import numpy as np

from moola_core.host.engine import REPLICAS, Engine
from moola_core.host.figures import Figures, Row, Shape, work_of
from moola_core.specs import Finetune, Model, Pretrain

# How far a step's gradient may be from the float32 one of a fit alone. Forms of the same arithmetic differ by 1e-6 to 1e-5, TF32 by about 5e-4;
# bf16's 5e-3 and more is not taken unasked.
TOLERANCE = 2e-3
PRETRAINING_TOLERANCE = 3e-2  # of a step of pre-training, whose numbers are not compared with those of another engine
NEAR = 2.0  # figures serve a shape of up to so many times the work
AUTO = "auto"
PRETRAINING = "pretraining"  # in place of an engine, in the rows of its steps


def shape_of(spec: Finetune, window_bars: int) -> Shape:
    """The shape of the spec's network and step."""
    model = spec.model
    return Shape(model.encoder, model.layers, model.hidden, model.pointer, spec.training.batch_size, window_bars)


def rows_for(figures: Figures, shape: Shape) -> list[Row]:
    """The rows of the measured shape that is nearest in work; none where none is near, or the encoder was not measured."""
    fits = [row for row in figures.rows if row.engine != PRETRAINING]
    shapes = {row.shape for row in fits if row.shape.encoder == shape.encoder}
    if not shapes:
        return []
    away = {one: abs(np.log(one.work / shape.work)) + 1e-9 * (one.pointer != shape.pointer) for one in shapes}
    nearest = min(shapes, key=lambda one: (away[one], one.title))
    return [row for row in fits if row.shape == nearest] if away[nearest] <= np.log(NEAR) else []


def admissible(row: Row, precision: str = AUTO) -> bool:
    """Whether the row was measured, gives the right numbers, and has the precision that is asked for."""
    if row.reason or row.step_s is None:
        return False
    if precision != AUTO:
        return row.precision == precision
    return row.error is not None and row.error <= TOLERANCE


def pretraining_precision(figures: Figures, model: Model) -> str:
    """The arithmetic in which this model's pre-training was fastest, among those that were measured to be close enough; empty where none was."""
    same = (model.encoder, model.layers, model.hidden)
    wanted = [row for row in _pretrainings(figures) if (row.shape.encoder, row.shape.layers, row.shape.hidden) == same]
    return min(wanted, key=lambda row: row.step_s or np.inf).precision if wanted else ""


def pretraining_row(figures: Figures, spec: Pretrain) -> Row | None:
    """The measured pre-training that is nearest in work and batch, of the precision that it takes; None where none is near."""
    model, batch = spec.model, spec.training.batch_size
    work = work_of(model.layers, model.hidden)
    rows = {
        row: (
            abs(np.log(work_of(row.shape.layers, row.shape.hidden) / work)),
            abs(np.log(row.shape.batch_size / batch)),
        )
        for row in _pretrainings(figures)
        if row.shape.encoder == model.encoder
    }
    near = [row for row, (away, _) in rows.items() if away <= np.log(NEAR)]
    return min(near, key=lambda row: (rows[row], row.step_s), default=None)


def _pretrainings(figures: Figures) -> list[Row]:
    """Those that were measured and whose numbers are close enough."""
    return [
        row
        for row in figures.rows
        if row.engine == PRETRAINING
        and row.step_s is not None
        and not row.reason
        and row.error is not None
        and row.error <= PRETRAINING_TOLERANCE
    ]


def fastest(figures: Figures, spec: Finetune, window_bars: int, fits: int) -> Row | None:
    """The row by which so many fits take the least time, among those that the spec's settings allow."""
    training = spec.training
    rows = [row for row in rows_for(figures, shape_of(spec, window_bars)) if admissible(row, training.precision)]
    if training.engine != AUTO:
        rows = [row for row in rows if row.engine == training.engine]
    if training.processes:
        rows = [row for row in rows if row.engine == REPLICAS or row.processes == training.processes]
    return min(rows, key=lambda row: (row.seconds(fits), row.fits_in_a_step), default=None)


def memory_of_fit(row: Row) -> float:
    """Millions of bytes of each fit of a step of many; 0 where that was not measured."""
    return (row.memory_mb or 0.0) / row.at_once


def memory_for(figures: Figures, shape: Shape) -> float:
    """The most that a fit of many at once took in any way that was measured for such a network, in millions of bytes; 0 where none was."""
    rows = [row for row in rows_for(figures, shape) if row.engine == REPLICAS and row.memory_mb]
    return max((memory_of_fit(row) * shape.work / row.shape.work for row in rows), default=0.0)


def engine_of(row: Row, fits: int, work: float | None = None) -> Engine:
    """The engine that the row stands for; work: of the network's step, by which memory grows, where it is not the measured one's."""
    each = row.seconds(fits) / fits * 1000
    return Engine(
        row.engine,
        f"Measured on this host: {row.how} takes {each:.3g} ms for a step of each of {fits} fits, the least of all that was measured.",
        row.form,
        row.precision,
        row.at_once if row.engine == REPLICAS else 0,
        row.processes if row.engine != REPLICAS else 0,
        row.graphs,
        memory_of_fit(row) * (work or row.shape.work) / row.shape.work if row.engine == REPLICAS else 0.0,
    )
