"""Label Studio exports: one task a window, its class and its expansion from one annotation."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from moola_core.errors import DataError
from moola_core.market import tables
from moola_core.market.questions import Asking
from moola_core.market.readers import annotators
from moola_core.market.readers.annotators import named
from moola_core.market.readers.flat_tasks import is_export, tasks_of_rows
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import ReadOptions

FROM_DATA = ("start_time", "end_time", "grade", "source")
_POINTER = re.compile(r"expansion|pointer", re.IGNORECASE)
_UNRELATED = "they hold several regions, and it is not clear which give the class and which the expansion"
_SEVERAL = "one annotation gives several classes"
_NO_CLASS = "they hold an expansion and no class"
_FIX = {
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
        places = self._places(other)
        if places is None:
            return False
        first, last, start, end = places
        return first <= end and start <= last

    def holds(self, other: _Region) -> bool:
        """Whether the middle of the other lies within this one."""
        places = self._places(other)
        if places is None:
            return False
        first, last, start, end = places
        return first <= (start + end) / 2 <= last or other.parent == self.key != ""

    def _places(self, other: _Region) -> tuple[float, ...] | None:
        """Where this region and the other start and end in time; None where that cannot be read."""
        try:
            return tuple(_moment(value) for value in (self.start, self.end, other.start, other.end))
        except (TypeError, ValueError):
            return None


@READERS.register("label_studio")
class LabelStudio(Reader):
    """A JSON or JSON-MIN export of Label Studio, whose fields are fixed."""

    suffixes = (".json",)
    holds = ("labels",)
    maps_columns = False

    def header(self, path: Path, reading: ReadOptions) -> Header:
        tasks = _tasks(path)
        try:
            table, _ = read_tasks(tasks, reading.model_copy(update={"repair": "drop"}), Asking(str(path)))
        except DataError:  # an export all the same; reading it says what is wrong with it
            return Header(["window_id", "label", "start_time"], len(tasks))
        return Header([str(column) for column in table.columns], len(table))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        return self.labels(path, reading)[0]

    def labels(self, path: Path, reading: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
        """One row for each labelled window, and notes on what was left out or decided.

        A task with a start_time is one window; of any other, each region that is no expansion is one. A skipped annotation is no
        label, and one marked as ground truth goes before all others. Raises DataError with the count and the first tasks whose
        regions cannot be told apart; with repair `drop` such tasks are left out.
        """
        with Asking(str(path)) as asking:
            return read_tasks(_tasks(path), reading, asking)

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
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"cannot be read as JSON: {error}.", where=str(path), hint="Export it from Label Studio as JSON."
        ) from None
    if not is_export(values):
        raise DataError(
            "not a Label Studio export, which is a list of tasks.",
            where=str(path),
            hint="Export it from Label Studio as JSON.",
        )
    return values if any("annotations" in task for task in values) else tasks_of_rows(values, str(path))


def read_tasks(tasks: list[dict[str, Any]], reading: ReadOptions, asking: Asking) -> tuple[pd.DataFrame, list[str]]:
    """One row for each window that the tasks label, and notes; where annotators disagree, asks whose labels count."""
    rows: list[dict[str, Any]] = []
    unclear: dict[str, list[str]] = defaultdict(list)
    skipped, several_spans, disagreeing = [], [], []
    people: Counter[str] = Counter()
    unanswered = reading.annotator is None
    for number, task in enumerate(tasks):
        name = str(task.get("id", number))
        annotations = [item for item in _list(task.get("annotations")) if isinstance(item, dict)]
        kept = [item for item in annotations if not (item.get("was_cancelled") or item.get("skipped"))]
        if annotations and not kept:
            skipped.append(name)
        data = task.get("data")
        if not isinstance(data, dict):
            continue
        whole = any(key in data for key in ("start_time", "end_time"))
        try:
            given = [
                (_person_of(item) or str(i), _rows_of(_list(item.get("result")), name, whole))
                for i, item in enumerate(_truth(kept), start=1)
            ]
        except _UnclearTask as error:
            unclear[str(error)].append(name)
            continue
        taken, clash, differ = annotators.agreed([one for one in given if one[1]], reading.annotator)
        if clash and unanswered:
            disagreeing.append(name)
            people.update(person for person, labelled in given if labelled)
        several_spans += [name] * differ
        if not (clash and unanswered and reading.repair != "refuse"):
            own = {key: data[key] for key in FROM_DATA if key in data}
            base = {"window_id": str(data["window_id"])} if "window_id" in data and whole else {}
            rows += [row | base | own for row in taken]
    notes = _answer(unclear, reading, asking.where)
    if disagreeing and reading.repair == "refuse":
        asking.ask(annotators.whose(disagreeing, people))
    elif disagreeing:
        notes.append(f"{named(disagreeing)} cannot be used: their annotators give different classes.")
    if skipped:
        notes.append(f"{named(skipped)} were skipped by the annotators and have no label.")
    if several_spans:
        notes.append(
            f"{named(several_spans)} have several annotations with one class and different expansions; the last is used."
        )
    asking.close()
    if not rows:
        raise DataError(
            "no annotated task with a start_time in its data, and no labelled regions.",
            where=asking.where,
            hint="Label regions of the series, or give each task data.start_time and a choice.",
        )
    return pd.DataFrame(rows), notes


def _truth(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The annotations that are marked as ground truth, or all where none is."""
    return [item for item in annotations if item.get("ground_truth")] or annotations


def _person_of(annotation: dict[str, Any]) -> str:
    who = annotation.get("completed_by", annotation.get("id", ""))
    return str(who.get("email") or who.get("id") if isinstance(who, dict) else who)


def _rows_of(results: list[Any], task: str, whole: bool) -> list[dict[str, Any]]:
    """The rows of one annotation: one for the `whole` task, or one for each region that is no expansion."""
    results = [item for item in results if isinstance(item, dict)]
    choices, grades = _choices(results)
    regions = [_region(item, choices) for item in results if _list(_value(item).get("timeserieslabels"))]
    if whole:
        row = _row(results, choices, regions)
        return [{"window_id": task} | row | ({"grade": grades[0]} if grades else {})] if row else []
    patterns = [region for region in regions if not region.is_pointer]
    pointers = [region for region in regions if region.is_pointer]
    own = {region.choice for region in patterns if region.choice}
    by_choice = len({region.label for region in patterns}) == 1 and len(own) > 1
    rows = []
    for number, region in enumerate(patterns):
        inside = [pointer for pointer in pointers if region.holds(pointer)]
        if len(inside) > 1:
            raise _UnclearTask(_UNRELATED)
        row = {
            "window_id": f"{task}-{region.key or number}",
            "label": region.choice if by_choice else region.label,
            "start_time": region.start,
            "end_time": region.end,
        }
        row |= {"expansion_start": inside[0].start, "expansion_end": inside[0].end} if inside else {}
        rows.append(row)
    if pointers and not patterns:
        raise _UnclearTask(_NO_CLASS)
    return rows


def _answer(unclear: dict[str, list[str]], reading: ReadOptions, where: str) -> list[str]:
    """Notes on the tasks left out, where the reading drops what is bad; raises DataError otherwise."""
    lines = [f"{named(names)} cannot be used: {rule}." for rule, names in unclear.items()]
    if lines and reading.repair == "refuse":
        fixes = " ".join(_FIX[rule] for rule in unclear)
        raise DataError(" ".join(lines), where=where, hint=f"{fixes} With --repair drop these tasks are left out.")
    return lines


def _row(results: list[dict[str, Any]], choices: dict[str, list[str]], regions: list[_Region]) -> dict[str, Any]:
    """Label and expansion of one annotation; empty when nothing is labelled in it."""
    relations = {
        frozenset((str(item.get("from_id")), str(item.get("to_id"))))
        for item in results
        if item.get("type") == "relation"
    }
    classes = {name for names in choices.values() for name in names}
    if len(classes) > 1:
        raise _UnclearTask(_SEVERAL)
    if not classes and not regions:
        return {}
    label, pointer = _label_and_pointer(regions, next(iter(classes), ""), relations)
    start, end = (pointer.start, pointer.end) if pointer else (None, None)
    return {"label": label, "expansion_start": start, "expansion_end": end}


def _choices(results: list[dict[str, Any]]) -> tuple[dict[str, list[str]], list[str]]:
    """The classes that were chosen, by the id of their region or of the choice itself, and the grades."""
    choices: dict[str, list[str]] = defaultdict(list)
    grades: list[str] = []
    for item in results:
        names = [str(choice) for choice in _list(_value(item).get("choices"))]
        if str(item.get("from_name", "")).lower() in tables.LABEL_NAMES["grade"]:
            grades += names
        else:
            choices[str(item.get("id", ""))] += names
    return choices, grades


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
