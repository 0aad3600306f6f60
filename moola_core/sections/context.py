"""What a report is made from: a run's record, spec and stored results, and those of the runs that are about it."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from moola_core.diagnostics.results import RESULTS
from moola_core.errors import RunError
from moola_core.runs import codec
from moola_core.runs.epochs import epoch_columns
from moola_core.runs.record import Record, stored
from moola_core.runs.store import Run, Store
from moola_core.sections.blocks import Number
from moola_core.sections.formatting import likelihood, probability
from moola_core.specs.choices import IMPORTED, JOINED

DATA_DIAGNOSTICS = ("features", "shift")  # belong to labelled windows, not to a run
ABSENT = "–"


class Stored:
    """A JSON file of a run's folder, and its numbers with the place at which they are stored."""

    def __init__(self, run: Run, file: str, values: dict[str, Any]) -> None:
        self.run, self.file, self.values = run, file, values

    def get(self, *path: str | int) -> Any:
        """The value at the path; None where there is none."""
        value: Any = self.values
        for step in path:
            if isinstance(value, dict):
                value = value.get(codec.stored_key(value, str(step)))
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def number(self, *path: str | int, form: str = ".3f") -> Number:
        """The number at the path, read in the format `form`; a dash where there is none."""
        value = self.get(*path)
        if value is None or isinstance(value, str | dict | list) or not math.isfinite(value):
            return Number(None, ABSENT)
        # JSON pointers (RFC 6901) write ~ and / of a key so.
        place = "/".join(step.replace("~", "~0").replace("/", "~1") for step in self._keys(path))
        return Number(value, format(value, form), f"{self.run.id}/{self.file}#/{place}")

    def _keys(self, path: tuple[str | int, ...]) -> list[str]:
        """The path as it stands in the file, where a field may have the name that it had before."""
        keys: list[str] = []
        for at, step in enumerate(path):
            holder = self.get(*path[:at])
            keys.append(codec.stored_key(holder, str(step)) if isinstance(holder, dict) else str(step))
        return keys

    def likelihood(self, *path: str | int) -> Number:
        """The probability at the path, never read as certain."""
        number = self.number(*path)
        return number if number.value is None else Number(number.value, likelihood(number.value), number.source)

    def chance(self, *path: str | int) -> Number:
        """The p-value at the path, read as such: never 0."""
        number = self.number(*path)
        return number if number.value is None else Number(number.value, probability(number.value), number.source)


class Result(Stored):
    """A stored result: its values, or the sentence that says why there are none."""

    def __init__(self, run: Run, name: str) -> None:
        super().__init__(run, f"results/{name}.json", run.result(name))
        self.name = name

    @property
    def why_not(self) -> str:
        return str(self.values.get("why_not", ""))

    @cached_property
    def value(self) -> Any:
        """The result as its dataclass."""
        return codec.restore(RESULTS[self.name], self.values)


class ReportContext:
    """Everything that a report of `run` may show.

    kind: what the report is of, a key of `formatting.REPORT_OF`; by default the run's own kind. `doctor` is what the doctor found in
    the run, also the kind of a run that asked it; of one that asked about another run, the report is about that one. computed: a run about it whose
    results come before all others. Raises RunError while the run is active.
    """

    def __init__(self, run: Run, kind: str = "", computed: Run | None = None) -> None:
        self.doctor_request = run if _is_doctor_request(run) else None
        if self.doctor_request is not None:
            kind = kind or "doctor"
            run = Store(run.store_root).open(run.spec.run) if run.spec.run and run.record.state == "done" else run
        self.run, self.record, self.spec = run, run.record, run.spec
        self.kind = kind or self.record.kind
        if self.record.active:
            raise RunError(f"is {self.record.state}.", where=f"run {run.id}", hint="Report it when it has ended.")
        self._computed = computed
        self._results: dict[str, Result | None] = {}
        self._others: dict[str, Run] = {}

    @cached_property
    def stored_record(self) -> Stored:
        return Stored(self.run, "run.json", codec.plain(stored(self.record)))

    @cached_property
    def epochs(self) -> dict[str, np.ndarray]:
        return epoch_columns(self.run)

    @cached_property
    def steps(self) -> dict[str, np.ndarray]:
        """Columns of the steps; empty where none were kept."""
        if not (self.run.folder / "steps.parquet").is_file():
            return {}
        table = self.run.steps
        return {str(name): table[name].to_numpy() for name in table}

    @cached_property
    def baseline(self) -> bool:
        """Whether a run on the same windows, this or another, is pinned as the baseline."""
        ours = self.record.data_hashes.get("windows")
        return any(
            record.pinned and record.data_hashes.get("windows") == ours for record in self._store.runs("finetune")
        )

    def result(self, name: str) -> Result | None:
        """The result called `name`, of the run itself or of the newest finished run that is about it; None where there is none."""
        if name not in self._results:
            own = (run for run in (self._computed, self.run) if run is not None and self._holds(run, name))
            holder = next(own, None)
            if holder is None or name == "doctor":
                # The doctor may have been asked again since, with the checks as they are now.
                holder = self._answered(name) or self._diagnosed(name) or holder
            self._results[name] = Result(holder, name) if holder else None
        return self._results[name]

    def result_of(self, run: Run, name: str) -> Result | None:
        """A result that another run of the same store left itself; None where it has none."""
        return Result(run, name) if self._holds(run, name) else None

    def runs(self) -> list[Run]:
        """The run, then the others whose results were asked for and found."""
        others = {result.run.id: result.run for result in self._results.values() if result} | self._others
        others.pop(self.run.id, None)
        return [self.run, *others.values()]

    def other(self, run_id: str) -> Run | None:
        """Another run of the same store, such as a study's arm; None where it was deleted since."""
        try:
            self._others[run_id] = self._store.open(run_id)
        except RunError:
            return None
        return self._others[run_id]

    @cached_property
    def _store(self) -> Store:
        return Store(self.run.store_root)

    @cached_property
    def _diagnoses(self) -> list[tuple[Record, Run]]:
        records = self._store.runs("diagnose")
        return [(record, self._store.open(record.run_id)) for record in records if record.state == "done"]

    def _answered(self, name: str) -> Run | None:
        """The run that asked the doctor and that the report was asked of, if this is what it asked."""
        return (
            self.doctor_request if self.doctor_request is not None and self._holds(self.doctor_request, name) else None
        )

    def _diagnosed(self, name: str) -> Run | None:
        for record, run in self._diagnoses:
            if not self._holds(run, name):
                continue
            if name in DATA_DIAGNOSTICS:
                ours = self.record.data_hashes.get("windows")
                if ours and record.data_hashes.get("windows") == ours:
                    return run
            elif record.parent == self.run.id:
                return run
        return None

    @staticmethod
    def _holds(run: Run, name: str) -> bool:
        return (run.folder / "results" / f"{name}.json").is_file()


# What only the training of a network has, and where to look instead.
OF_NETWORKS = {
    "balance": "so there are no task weights, σ or gradients to balance. Metrics and Pointers show how good it is at either task",
    "transfer": "so there is no encoder to transfer. Start a network from a checkpoint to see what pre-training does",
    "training": "so there are no epochs and no curves. Metrics and Pointers show how good it is",
}


def without_network(spec: Any, name: str) -> str:
    """Why a cross-validated run has no section of this name: its model is no network; empty where it may have one."""
    if name == "attribution" and getattr(spec, "estimator", "") == IMPORTED:
        return (
            "The predictions were imported, so there is no model to ask. Features shows which columns carry the labels."
        )
    if name == "attribution" and getattr(spec, "estimator", "") == JOINED:
        return (
            f"The run joins two others, each with a model of its own to ask. See the attribution of {spec.join.class_run} for the classes and "
            f"of {spec.join.pointer_run} for the expansions."
        )
    if name not in OF_NETWORKS or spec.kind != "finetune" or spec.is_network:
        return ""
    what = {
        IMPORTED: "The predictions were imported",
        JOINED: "The run joins two others and trains nothing itself",
    }.get(spec.estimator, f"The model {spec.estimator} is no network")
    return f"{what}, {OF_NETWORKS[name]}."


def diagnostic(context: ReportContext, name: str) -> Result | str:
    """The diagnostic of the run or of its windows; why there is none, or how to have it."""
    absent = without_network(context.spec, name)
    if absent:
        return absent
    result = context.result(name)
    if result is not None:
        return result.why_not or result
    if name in DATA_DIAGNOSTICS:
        return f"It was not computed for these windows. Ask for it: moola diagnose {name} --windows FILE --bars FILE."
    return f"It was not computed. Ask for it: moola diagnose {name} --run {context.run.id}."


def _is_doctor_request(run: Run) -> bool:
    return run.record.kind == "diagnose" and run.spec.name == "doctor"
