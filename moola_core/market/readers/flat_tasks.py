"""Label Studio's JSON-MIN and CSV exports: one row an annotation, its controls as columns, brought into the form of tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from moola_core.errors import DataError
from moola_core.market.tables import LABEL_NAMES

META = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "task_id", "project"}
DATA = {"window_id", "start_time", "end_time", "source", "csv", "url", "text", "image", "series", "timeseries", "ts"}
MOST_CLASSES = 12


def is_export(values: Any) -> bool:
    """Whether the values of a JSON file are tasks of Label Studio, or its flat rows."""
    if not isinstance(values, list) or not values or not all(isinstance(row, dict) for row in values):
        return False
    return any("annotations" in row for row in values) or any(
        is_regions(cell) for row in values for cell in row.values()
    )


def is_regions(cell: Any) -> bool:
    """Whether a cell holds labelled regions of a series."""
    return isinstance(cell, list) and any(isinstance(item, dict) and "timeserieslabels" in item for item in cell)


def decoded(cell: Any) -> Any:
    """A cell of the CSV export: regions and choices stand in it as JSON."""
    if isinstance(cell, str) and cell.startswith(("[{", '{"choices"')):
        try:
            return json.loads(cell)
        except json.JSONDecodeError:
            return cell
    return cell


def tasks_of_rows(rows: Sequence[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The rows as tasks, each with its annotations; which column is the class is seen in the values.

    Raises DataError when several columns may be the class.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    regions = [name for name in names if any(is_regions(row.get(name)) for row in rows)]
    choices = [name for name in names if name not in regions and _is_choice(name, [row.get(name) for row in rows])]
    grades = [name for name in choices if name.lower() in LABEL_NAMES["grade"]]
    classes = [name for name in choices if name not in grades]
    usual = [name for name in classes if name.lower() in LABEL_NAMES["label"]]
    classes = classes if len(classes) < 2 else usual[:1]
    if not classes and len(choices) > len(grades):
        raise DataError(
            f"several columns may be the class: {', '.join(name for name in choices if name not in grades)}.",
            where=where,
            hint="Keep one of them, or call it label.",
        )
    tasks: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        key = str(row.get("id", row.get("task_id", number)))
        data = {name: row[name] for name in names if name in row and name not in {*regions, *choices, *META}}
        task = tasks.setdefault(key, {"id": key, "data": data, "annotations": []})
        results: list[dict[str, Any]] = []
        for name in (*classes, *grades):
            cell = row.get(name)
            labelled = cell.get("choices", []) if isinstance(cell, dict) else [cell] if cell not in (None, "") else []
            results += (
                [{"id": name, "type": "choices", "from_name": name, "value": {"choices": labelled}}] if labelled else []
            )
        for name in regions:
            for i, value in enumerate(row.get(name) or []):
                results.append({"id": f"{name}{i}", "type": "timeserieslabels", "from_name": name, "value": value})
        task["annotations"].append({"completed_by": row.get("annotator", ""), "result": results})
    return list(tasks.values())


def _is_choice(name: str, cells: Sequence[Any]) -> bool:
    """Whether a column holds one of a few words in each row, as a choice does."""
    filled = [cell for cell in cells if cell not in (None, "") and cell == cell]
    if name in META | DATA or not filled:
        return False
    if all(isinstance(cell, dict) and "choices" in cell for cell in filled):
        return True
    words = {cell for cell in filled if isinstance(cell, str)}
    return len(words) > 0 and all(isinstance(cell, str) for cell in filled) and len(words) <= MOST_CLASSES
