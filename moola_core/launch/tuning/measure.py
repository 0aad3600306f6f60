"""What is measured, in which order, and until when."""

from __future__ import annotations

import dataclasses
import gc
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from moola_core.features.matrix import window_matrix
from moola_core.host import figures
from moola_core.host.choices import PRETRAINING, TOLERANCE, shape_of
from moola_core.host.engine import ALONE, FORM, REPLICAS, SEQUENTIAL, Engine
from moola_core.host.figures import Figures, Hardware, Row, Shape, Speed
from moola_core.launch.host import alone, driver
from moola_core.launch.tuning import simple_models, steps
from moola_core.market.demo import make_demo
from moola_core.models.recurrence import available
from moola_core.presets import PRESETS
from moola_core.specs import Features, Finetune, Pretrain
from moola_core.training.capture import out_of_memory
from moola_core.training.device import Device, exact
from moola_core.training.memory import Peak
from moola_core.training.pretraining.trainer import threads_of_step
from moola_core.training.processes import side_by_side

BUDGET_S = {True: 22.0, False: 170.0}  # quick or not; starting and the last timing take the rest of 30 and 180
LEAST_S = {True: 0.3, False: 0.6}  # of each timing
# To make a trainer and time its steps: at all, and for each window of a batch.
PRETRAINING_S = {"cpu": (1.5, 0.03), "cuda": (2.0, 0.0)}
START_PROCESSES_S = 6.0  # before a second process takes its first step
FIRST_COUNT = {"cpu": 5, "cuda": 25}
MORE_COUNTS = {"cpu": (10,), "cuda": (50, 100, 200)}
WORSE = 0.8  # more at once are not tried once they are this much slower a fit
Say = Callable[[str], None]
WAITS = "Another process measures this host; this one waits for it."


class _Clock:
    """How much of the time that measuring may take is left."""

    def __init__(self, budget_s: float) -> None:
        self.started, self.budget_s = time.monotonic(), budget_s

    def left(self) -> float:
        return self.budget_s - self.spent()

    def spent(self) -> float:
        return time.monotonic() - self.started


class _Measured:
    """A shape, and what it is measured on. right: losses and gradients of fits one after another in float32, once they are known."""

    def __init__(self, shape: Shape, spec: Finetune) -> None:
        self.shape, self.spec, self.inputs = shape, spec, steps.windows_of(spec)
        self.right: Tensor | None = None


class Measuring:
    """One measuring of one device.

    Parameters
    ----------
    hardware : Hardware
    quick : bool
        Measure only what matters most.
    say : callable
        Is told what is measured.
    """

    def __init__(self, hardware: Hardware, quick: bool, say: Say = lambda text: None) -> None:
        self.hardware, self.quick, self.say = hardware, quick, say
        self.kind, self.clock = hardware.kind, _Clock(BUDGET_S[quick])
        self.rows: list[Row] = []
        self.floors: dict[str, float] = {}
        self.speeds: list[Speed] = []
        self.left_out: list[str] = []
        self.load = os.getloadavg()[0] / hardware.cores

    def figures(self) -> Figures:
        """Measure, and give back the figures: what matters most comes first."""
        shapes = [_Measured(shape, spec) for shape, spec in presets_by_shape(self.kind).items()]
        for own in shapes:
            self._alone(own)
        right = [own for own in shapes if own.right is not None]
        if self.kind == "cpu":  # where many fits at once have never been the fastest
            self._side_by_side(right)
            self._simple_models()
            self._pretraining()
        best = {own: self._forms(own, FIRST_COUNT[self.kind]) for own in right}
        if self.kind == "cuda":
            self._simple_models()
            self._pretraining()
        counts = MORE_COUNTS[self.kind][: 1 if self.quick else None]
        best = {own: self._counts(own, row, counts) for own, row in best.items()}
        for own, row in best.items():
            if self.kind == "cuda" and row is not None:
                self._variants(own, row)
        self._features()
        return Figures(
            self.hardware,
            figures.software(driver() if self.kind == "cuda" else ""),
            datetime.now(UTC).isoformat(timespec="seconds"),
            round(self.clock.spent(), 1),
            self.quick,
            tuple(self.rows),
            self.floors,
            tuple(self.speeds),
            tuple(self.left_out),
            round(self.load, 2),
        )

    def _may(self, what: str, needs_s: float = 0.0) -> bool:
        """Whether there is time for it; what there is none for is noted."""
        if self.clock.left() > needs_s:
            self.say(what)
            return True
        self.left_out.append(what)
        return False

    def _alone(self, own: _Measured) -> None:
        """One fit after another, the bare network beside it, and the numbers that all other ways have to give."""
        if not self._may(f"{own.shape.title}, one fit after another"):
            return
        device = Device(self.kind, self.hardware.name, "float32")
        with steps.arithmetic(device):
            bare = steps.bare_step(own.shape, own.inputs.x.shape[2], device)
            self.floors[own.shape.title] = steps.timed(bare, self.kind, LEAST_S[self.quick])
        own.right = steps.reference(own.spec, own.inputs, self.kind)
        self._row(own, Engine(SEQUENTIAL, "", precision="float32"), 1)

    def _forms(self, own: _Measured, count: int) -> Row | None:
        """Each form of the recurrence, the first number of fits at once."""
        names = [FORM if steps.recurs(own.shape) else ""]
        if self.kind == "cuda" and names[0]:
            names = available(own.shape.hidden, None)
        title = f"{own.shape.title}, {count} fits at once"
        return _best(
            [
                self._row(own, Engine(REPLICAS, "", name, "float32"), count)
                for name in names
                if self._may(f"{title}, {name}".removesuffix(", "), self._needs(own, count))
            ]
        )

    def _needs(self, own: _Measured, count: int) -> float:
        """About how many seconds it takes to time so many fits at once on a CPU, where one step of all is as long as all of them."""
        alone = next((row.step_s for row in self.rows if row.shape == own.shape and row.engine == SEQUENTIAL), None)
        return 8 * count * alone if self.kind == "cpu" and alone else 0.0

    def _counts(self, own: _Measured, best: Row | None, counts: Sequence[int]) -> Row | None:
        """More fits at once, until that no longer pays or memory is short."""
        for count in counts:
            if best is None or _best([row for row in self.rows if row.shape == own.shape]) != best:
                return best  # fits one after another are faster
            if not self._may(f"{own.shape.title}, {count} fits at once", self._needs(own, count)):
                return best
            more = self._row(own, Engine(REPLICAS, "", best.form, best.precision), count)
            if more.step_s is None or more.steps_per_s < WORSE * best.steps_per_s:
                return best
            best = _best([best, more])
        return best

    def _variants(self, own: _Measured, best: Row) -> None:
        """Other arithmetic, and steps without a graph, for the best number of fits."""
        variants = [Engine(REPLICAS, "", best.form, "tf32")]
        if not self.quick:
            variants.append(Engine(REPLICAS, "", best.form, "bf16"))
            variants.append(Engine(REPLICAS, "", best.form, "float32", graphs=False))
        for engine in variants:
            if self._may(f"{own.shape.title}, {engine.precision}{'' if engine.graphs else ', no graph'}"):
                self._row(own, engine, best.at_once)

    def _row(self, own: _Measured, engine: Engine, count: int) -> Row:
        """Time one way, and see that its numbers are the reference's."""
        right = own.right
        assert right is not None, "the reference comes first"
        device = Device(self.kind, self.hardware.name, engine.precision, engine)
        blank = Row(own.shape, engine.name, engine.form, engine.precision, engine.graphs, count, 1, None)

        def measure() -> Row:
            peak = Peak(self.kind)
            with steps.arithmetic(device):
                error = steps.error_of(steps.gradients(own.spec, own.inputs, device, count), right)
                step = steps.step_of(steps.group_of(own.spec, own.inputs, device, range(count)))
                seconds = steps.timed(step, self.kind, LEAST_S[self.quick])
            reason = (
                "" if error <= TOLERANCE else f"Its gradient is {error:.1e} from float32's; {TOLERANCE:.0e} is allowed."
            )
            memory = peak.mb() if engine.name == REPLICAS else None
            return dataclasses.replace(blank, step_s=seconds, error=error, reason=reason, memory_mb=memory)

        return self._kept(blank, measure)

    def _kept(self, blank: Row, measure: Callable[[], Row]) -> Row:
        """The row that is measured, kept; where that fails the blank one, with the reason."""
        try:
            row = measure()
        except Exception as failure:  # whatever a form, a compiler or a driver raises: that way is left out
            if isinstance(failure, AssertionError):  # a mistake of ours
                raise
            row = dataclasses.replace(blank, reason=_why(failure))
        self.rows.append(row)
        gc.collect()
        if self.kind == "cuda":
            torch.cuda.empty_cache()
        return row

    def _side_by_side(self, shapes: Sequence[_Measured]) -> None:
        """Fits one after another in several processes, which share the processor."""
        alone = {row.shape: row for row in self.rows if row.engine == SEQUENTIAL and row.step_s}
        specs = {own.shape: own.spec for own in shapes if own.shape in alone}
        for processes in _process_counts(self.hardware.cores, self.quick):
            needs = START_PROCESSES_S + 2 * len(specs) * LEAST_S[self.quick]
            if not specs or not self._may(f"{processes} processes", needs):
                return
            work = partial(_seconds_of_each, specs, 2 * LEAST_S[self.quick])
            every = list(side_by_side(work, range(processes), processes))
            for shape in specs:
                seconds = sum(one[shape.title] for one in every) / processes
                self.rows.append(dataclasses.replace(alone[shape], processes=processes, step_s=seconds))

    def _pretraining(self) -> None:
        """Steps of the presets' pre-trainings, in each arithmetic, next to the gradient in float32."""
        first_s, window_s = PRETRAINING_S[self.kind]
        for title, spec in sorted(pretrainings(self.quick).items(), key=lambda one: one[1].training.batch_size):
            right: list[Tensor] = []
            for precision in ("float32",) if self.kind == "cpu" else ("float32", "tf32", "bf16"):
                if not self._may(f"pre-training {title}, {precision}", first_s + window_s * spec.training.batch_size):
                    break
                self._pretraining_row(spec, precision, right)

    def _pretraining_row(self, spec: Pretrain, precision: str, right: list[Tensor]) -> None:
        """One arithmetic; `right` takes the first gradient, which the others are compared with."""
        model, batch_size = spec.model, spec.training.batch_size
        shape = Shape(model.encoder, model.layers, model.hidden, "", batch_size, steps.BARS)
        blank = Row(shape, PRETRAINING, "", precision, False, 1, 1, None)
        device = Device(self.kind, self.hardware.name, precision)

        def measure() -> Row:
            with exact(device), threads_of_step(spec, device):
                right.append(steps.first_gradient(spec, device))
                step = steps.pretraining_step(steps.pretrainer(spec, device))
                seconds = steps.timed(step, self.kind, LEAST_S[self.quick])
            return dataclasses.replace(blank, step_s=seconds, error=steps.error_of(right[-1], right[0]))

        self._kept(blank, measure)

    def _simple_models(self) -> None:
        """One fit of each, which takes the processor where networks are on a card too."""
        for name, needs_s in (simple_models.QUICK if self.quick else simple_models.ALL).items():
            if self._may(f"a fit of {name}", needs_s):
                self.speeds.append(Speed(figures.FIT.format(name), simple_models.seconds_of_fit(name), "s"))

    def _features(self) -> None:
        """The features of labelled windows."""
        if not self._may("features", 1.0):
            return
        windows = make_demo("helpful", 12_000, 30, 7).windows
        window_matrix(windows, Features())  # compiles
        seconds = steps.timed(lambda: window_matrix(windows, Features()), "cpu", LEAST_S[self.quick])
        self.speeds.append(Speed("features", len(windows) / seconds, "windows a second"))


def presets_by_shape(kind: str) -> dict[Shape, Finetune]:
    """The presets' networks, each shape once."""
    specs = [preset.finetune() for preset in PRESETS.values() if preset.finetune().is_network]
    shapes: dict[Shape, Finetune] = {}
    for spec in specs:
        own = steps.step_spec(spec, kind)
        shapes.setdefault(shape_of(own, steps.BARS), own)
    return shapes


def pretrainings(quick: bool) -> dict[str, Pretrain]:
    """The presets' pre-trainings, each model once; the largest are left for a full measuring."""
    each: dict[tuple, tuple[str, Pretrain]] = {}
    for name, preset in PRESETS.items():
        spec = preset.pretrain()
        if not (quick and spec.training.batch_size > 256):
            model = spec.model
            each.setdefault((model.encoder, model.layers, model.hidden, spec.training.batch_size), (name, spec))
    return dict(each.values())


def _process_counts(cores: int, quick: bool) -> list[int]:
    counts = [2**power for power in range(1, 7) if 2**power < cores] + ([cores] if cores > 1 else [])
    return counts[-1:] if quick else counts


def _seconds_of_each(shapes: dict[Shape, Finetune], least_s: float, _: int) -> dict[str, float]:
    """Seconds of a step of each shape, one fit alone, while other processes do the same."""
    device, seconds = Device("cpu", "cpu", "float32", ALONE), {}
    for shape, spec in shapes.items():
        with steps.arithmetic(device):
            group = steps.group_of(spec, steps.windows_of(spec), device, [0])
            seconds[shape.title] = steps.timed(steps.step_of(group), "cpu", least_s)
    return seconds


def _best(rows: Sequence[Row]) -> Row | None:
    usable = [row for row in rows if not row.reason and row.step_s]
    return max(usable, key=lambda row: row.steps_per_s, default=None)


def _why(failure: Exception) -> str:
    if isinstance(failure, RuntimeError) and out_of_memory(failure):
        return "There is not enough memory."
    lines = str(failure).strip().splitlines()
    return f"It failed: {type(failure).__name__}{': ' + lines[0][:200] if lines else ''}"


def tune(store: Path, hardware: Hardware, quick: bool, say: Say = lambda text: None) -> tuple[Figures, Path]:
    """Measure the device and keep its figures in the store; a measuring that is killed leaves the file as it was."""
    with alone(store, partial(say, WAITS)):
        measured = Measuring(hardware, quick, say).figures()
        return measured, figures.write(store, measured)
