"""Label Studio exports: one task a window, its class and its expansion from one annotation."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from moola_core.errors import DataError
from moola_core.market import tables
from moola_core.market.checks import SHOWN
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import Reading

FROM_DATA = ("start_time", "end_time", "grade", "source")
_POINTER = re.compile(r"expansion|pointer", re.IGNORECASE)
_DISAGREE = "their annotations give different classes, and ground truth does not decide"
_UNRELATED = "they hold several regions, and it is not clear which give the class and which the expansion"
_SEVERAL = "one annotation gives several classes"
_NO_CLASS = "they hold an expansion and no class"
_FIX = {
    _DISAGREE: "Mark one annotation of each task as ground truth, or delete the others.",
    _UNRELATED: "Export one task for each window, with one region for the class and one named expansion that overlaps it.",
    _SEVERAL: "Give each task one class.",
    _NO_CLASS: "Give each task a choice or a region with its class.",
}


class _UnclearTask(Exception):
    """A task that can be understood in more than one way; the argument is the rule that it breaks."""


@dataclass(frozen=True)
class _Region:
    """A labelled stretch of the series. choice: the class that was chosen for this region alone, or an empty string."""

    key: str
    parent: str
    label: str
    start: Any
    end: Any
    choice: str

    @property
    def is_pointer(self) -> bool:
        return bool(_POINTER.search(self.label))

    def touches(self, other: _Region, relations: set[frozenset[str]]) -> bool:
        """Whether the two belong together: by a relation, as parent and child, or because they overlap in time."""
        if frozenset((self.key, other.key)) in relations or self.parent == other.key or other.parent == self.key:
            return True
        try:
            first, last, start, end = (_moment(value) for value in (self.start, self.end, other.start, other.end))
        except (TypeError, ValueError):
            return False
        return first <= end and start <= last


@READERS.register("label_studio")
class LabelStudio(Reader):
    """A JSON export of Label Studio, whose fields are fixed."""

    suffixes = (".json",)
    holds = ("labels",)
    maps_columns = False

    def header(self, path: Path) -> Header:
        table, _ = self.labels(path, Reading(repair="drop"))
        return Header([str(column) for column in table.columns], len(table))

    def table(self, path: Path) -> pd.DataFrame:
        return self.labels(path, Reading())[0]

    def labels(self, path: Path, reading: Reading) -> tuple[pd.DataFrame, list[str]]:
        """One row for each labelled task, and notes on what was left out or decided.

        A skipped annotation is no label, and one marked as ground truth goes before all others. Raises DataError with the count
        and the first tasks where annotators disagree or regions cannot be told apart; with repair `drop` such tasks are left out.
        """
        rows: list[dict[str, Any]] = []
        unclear: dict[str, list[str]] = defaultdict(list)
        skipped, several_spans = [], []
        for number, task in enumerate(_tasks(path)):
            name = str(task.get("id", number))
            annotations = [item for item in _list(task.get("annotations")) if isinstance(item, dict)]
            kept = [item for item in annotations if not (item.get("was_cancelled") or item.get("skipped"))]
            if annotations and not kept:
                skipped.append(name)
            try:
                row, several = _agreed(kept)
            except _UnclearTask as error:
                unclear[str(error)].append(name)
                continue
            data = task.get("data")
            if row is None or not isinstance(data, dict):
                continue
            several_spans += [name] * several
            own = {key: data[key] for key in FROM_DATA if key in data}
            rows.append({"window_id": str(data.get("window_id", name))} | row | own)
        notes = _answer(unclear, reading, str(path))
        if skipped:
            notes.append(f"{_named(skipped)} were skipped by the annotators and have no label.")
        if several_spans:
            notes.append(
                f"{_named(several_spans)} have several annotations with one class and different expansions; the last is used."
            )
        if not any("start_time" in row or "end_time" in row for row in rows):
            raise DataError(
                "no annotated task with a start_time in its data.",
                where=str(path),
                hint="Give each task data.start_time and a choice.",
            )
        return pd.DataFrame(rows), notes

    def write(self, table: pd.DataFrame, path: Path) -> None:
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        tasks = [_task(number, row) for number, row in enumerate(rows, start=1)]
        path.write_text(json.dumps(tasks, indent=1, default=str), encoding="utf-8")


def _task(number: int, row: dict[Any, Any]) -> dict[str, Any]:
    """A task with one annotation: its class as a choice, its expansion as a region, its grade as a choice of its own."""
    results: list[dict[str, Any]] = [_choice("label", row["label"])]
    if row.get("expansion_start") is not None:
        span = {"start": row["expansion_start"], "end": row["expansion_end"], "timeserieslabels": ["expansion"]}
        results.append({"id": "expansion", "type": "timeserieslabels", "from_name": "expansion", "value": span})
    if row.get("grade") is not None:
        results.append(_choice("grade", row["grade"]))
    data = {name: row[name] for name in ("window_id", "start_time", "end_time", "source") if row.get(name) is not None}
    return {"id": number, "data": data, "annotations": [{"result": results}]}


def _choice(control: str, value: Any) -> dict[str, Any]:
    return {"id": control, "type": "choices", "from_name": control, "value": {"choices": [str(value)]}}


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"cannot be read as JSON: {error}.", where=str(path), hint="Export it from Label Studio as JSON."
        ) from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError(
            "not a Label Studio export, which is a list of tasks.",
            where=str(path),
            hint="Export it from Label Studio as JSON.",
        )
    return tasks


def _answer(unclear: dict[str, list[str]], reading: Reading, where: str) -> list[str]:
    """Notes on the tasks left out, where the reading drops what is bad; raises DataError otherwise."""
    lines = [f"{_named(names)} cannot be used: {rule}." for rule, names in unclear.items()]
    if lines and reading.repair != "drop":
        fixes = " ".join(_FIX[rule] for rule in unclear)
        raise DataError(" ".join(lines), where=where, hint=f"{fixes} With --repair drop these tasks are left out.")
    return lines


def _named(names: list[str]) -> str:
    listed = f"{', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}"
    return f"{len(names)} task{'s' if len(names) > 1 else ''} (id {listed})"


def _agreed(annotations: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, bool]:
    """The row that a task's annotations give, None without a label, and whether one of several expansions was taken."""
    truth = [item for item in annotations if item.get("ground_truth")]
    rows = [row for item in (truth or annotations) if (row := _row(_list(item.get("result")))) is not None]
    if not rows:
        return None, False
    if len({row["label"] for row in rows}) > 1:
        raise _UnclearTask(_DISAGREE)
    return rows[-1], any(row != rows[-1] for row in rows)


def _row(results: list[Any]) -> dict[str, Any] | None:
    """Label, expansion and grade of one annotation; None when nothing is labelled in it."""
    results = [item for item in results if isinstance(item, dict)]
    choices: dict[str, list[str]] = defaultdict(list)  # by the id of their region, or of the choice itself
    grades = []
    for item in results:
        names = [str(choice) for choice in _list(_value(item).get("choices"))]
        if str(item.get("from_name", "")).lower() in tables.ALIASES["grade"]:
            grades += names
        else:
            choices[str(item.get("id", ""))] += names
    regions = [_region(item, choices) for item in results if _list(_value(item).get("timeserieslabels"))]
    relations = {
        frozenset((str(item.get("from_id")), str(item.get("to_id"))))
        for item in results
        if item.get("type") == "relation"
    }
    classes = {name for names in choices.values() for name in names}
    if len(classes) > 1:
        raise _UnclearTask(_SEVERAL)
    if not classes and not regions:
        return None
    label, pointer = _label_and_pointer(regions, next(iter(classes), ""), relations)
    span = (pointer.start, pointer.end) if pointer else (None, None)
    row = {"label": label, "expansion_start": span[0], "expansion_end": span[1]}
    return row | {"grade": grades[0]} if grades else row


def _region(item: dict[str, Any], choices: dict[str, list[str]]) -> _Region:
    value, key = _value(item), str(item.get("id", ""))
    own = choices.get(key) if key else None
    label = str(value["timeserieslabels"][0])
    return _Region(
        key, str(item.get("parentID") or ""), label, value.get("start"), value.get("end"), own[0] if own else ""
    )


def _label_and_pointer(
    regions: list[_Region], choice: str, relations: set[frozenset[str]]
) -> tuple[str, _Region | None]:
    """The class and the region of the expansion, which belong together whatever the order in which they were drawn.

    A region named expansion is the pointer; any other gives the class, and is the pointer too where it is the only one.
    """
    pointers = [region for region in regions if region.is_pointer]
    patterns = [region for region in regions if not region.is_pointer]
    if len(pointers) > 1 or (len(patterns) > 1 and not pointers):
        raise _UnclearTask(_UNRELATED)
    if not pointers:
        return choice or patterns[0].label, patterns[0] if patterns else None
    pointer = pointers[0]
    owners = [region for region in patterns if region.choice] if choice else patterns
    if owners and not pointer.choice:
        owners = [region for region in owners if region.touches(pointer, relations)]
        if not owners:
            raise _UnclearTask(_UNRELATED)
    labels = {choice} if choice else {region.label for region in owners}
    if not labels:
        raise _UnclearTask(_NO_CLASS)
    if len(labels) > 1:
        raise _UnclearTask(_SEVERAL)
    return labels.pop(), pointer


def _value(item: dict[str, Any]) -> dict[str, Any]:
    value = item.get("value")
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(value: Any) -> float:
    """A place in time, from a number or from text."""
    return float(value) if isinstance(value, int | float) else float(pd.Timestamp(value).value)
