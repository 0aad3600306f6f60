"""What a host was measured to do: one source for the terminal and the app."""

from __future__ import annotations

from functools import partial

from moola_core.charts import host as charts
from moola_core.host.choices import PRETRAINING
from moola_core.host.figures import Figures, Row
from moola_core.sections.blocks import Block, Cell, Chart, Number, Table, Text
from moola_core.sections.formatting import duration

TITLE = "What this host does"
COLUMNS = ("Network", "How", "ms a step and fit", "Fits a second", "× bare", "MB a fit", "Error", "May be chosen")
BUSY = 0.5  # processes a core before measuring, above which figures say that they contain other work
FIT_STEPS = 240  # 60 epochs of 4 steps


def blocks(figures: Figures) -> tuple[Block, ...]:
    """What was measured, on what, and what is chosen from it."""
    hardware = figures.hardware
    kind = "a quick measuring" if figures.quick else "a full measuring"
    versions = ", ".join(f"{name} {version}" for name, version in figures.software.items() if version)
    head = Text(
        f"{hardware.name}, {hardware.cores} cores, {hardware.memory_gb:.0f} GB; {versions}. "
        f"{figures.made}, {kind} of {duration(figures.seconds)}."
        + (
            f" Other work kept this host busy then ({figures.load:.1f} processes a core)."
            if figures.load > BUSY
            else ""
        )
    )
    training = [row for row in figures.rows if row.engine != PRETRAINING]
    pretraining = [row for row in figures.rows if row.engine == PRETRAINING]
    made: list[Block] = [head]
    if training:
        made.append(
            Table(
                "Steps of fits",
                COLUMNS,
                tuple(_training(figures, row) for row in sorted(training, key=_order)),
                "A fit is counted as 240 steps. × bare: next to the step of the bare network, one alone. Error: how far losses and gradients are "
                "from those of one fit after another in float32, as a share of their length. MB a fit: the most memory that each of many fits at once took.",
            )
        )
        made.append(Chart("host", "Steps a second over fits at once", partial(charts.throughput, figures)))
    if pretraining:
        columns = ("Network", "Arithmetic", "Windows a second", "Error", "Note")
        made.append(Table("Pre-training", columns, tuple(map(_pretraining, pretraining))))
    made += [
        Text(f"{speed.name.capitalize()}: {speed.value:,.{0 if speed.value >= 100 else 2}f} {speed.unit}.")
        for speed in figures.speeds
    ]
    if figures.left_out:
        made.append(Text(f"{'; '.join(figures.left_out)}.", strong="Not measured, since the time was over:"))
    return tuple(made)


def _order(row: Row) -> tuple[str, float]:
    return row.shape.title, -row.steps_per_s


def _number(value: float | None, form: str) -> Cell:
    return "–" if value is None else Number(value, format(value, form))


def _training(figures: Figures, row: Row) -> tuple[Cell, ...]:
    each = None if row.step_s is None else row.step_s / row.fits_in_a_step
    floor = figures.floors.get(row.shape.title)
    return (
        row.shape.title,
        row.how,
        _number(None if each is None else 1000 * each, ".3g"),
        _number(None if each is None else 1 / each / FIT_STEPS, ".3g"),
        _number(None if each is None or floor is None else each / floor, ".2f"),
        _number(None if row.memory_mb is None else row.memory_mb / row.at_once, ",.0f"),
        _number(row.error, ".0e"),
        row.reason or "yes",
    )


def _pretraining(row: Row) -> tuple[Cell, ...]:
    return (
        f"{row.shape.title}, batch {row.shape.batch_size}",
        row.precision,
        _number(row.shape.batch_size / row.step_s if row.step_s else None, ",.0f"),
        _number(row.error, ".0e"),
        row.reason or "–",
    )
