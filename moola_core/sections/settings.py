"""Configuration, data and environment."""

from __future__ import annotations

import json
from typing import Any

from moola_core.sections.blocks import Block, Cell, Number, Table, Text
from moola_core.sections.context import ABSENT, ReportContext, Stored
from moola_core.specs import Finetune, SpecModel, settings
from moola_core.specs.choices import IMPORTED

OWN_SECTIONS = ("arms", "figures", "planned", "space")


def asked(context: ReportContext) -> list[Block] | str:
    """Every setting of the spec that is not about files; arms and reported figures have sections of their own."""
    if getattr(context.spec, "estimator", "") == IMPORTED:
        return "The predictions were imported: nothing is known of the settings behind them."
    stored = Stored(context.run, "spec.json", context.spec.model_dump(mode="json"))
    values, fields = settings(context.spec), settings(type(context.spec))
    for name in [name for name, value in values.items() if isinstance(value, SpecModel)]:
        part = values.pop(name)
        values |= settings(part, f"{name}.")
        fields |= settings(type(part), f"{name}.")
    quiet = [name for name, value in values.items() if ".faults." in f".{name}" and value == fields[name].default]
    shared = [
        name for name, value in values.items() if name.startswith("pretrain.") and values.get(_of_base(name)) == value
    ]
    rows = tuple(
        (name, _value(stored, name, value))
        for name, value in values.items()
        if ".data." not in f".{name}" and name not in (*OWN_SECTIONS, *quiet, *shared) and _read(context.spec, name)
    )
    note = "The spec as it was asked for; it never changes."
    note += " Faults that are not planted are left out." if quiet else ""
    note += " So are settings of the pre-training that are those of the base." if shared else ""
    return [Table("", ("Setting", "Value"), rows, note)]


def _read(spec: Any, name: str) -> bool:
    """Whether the run's model reads the setting; of a run of another kind, always."""
    return not isinstance(spec, Finetune) or spec.reads(name)


def _of_base(name: str) -> str:
    return f"base.{name.removeprefix('pretrain.')}"


def _value(stored: Stored, name: str, value: Any) -> Cell:
    if value is None or value in ("", ()):
        return ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return stored.number(*name.split("."), form="g" if isinstance(value, float) else "d")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def data(context: ReportContext) -> list[Block] | str:
    """The files with their hashes, what was counted in them, and the host that computed."""
    record, stored = context.record, context.stored_record
    asked = getattr(getattr(context.spec, "base", context.spec), "data", None)
    files = [(name, path) for name in ("windows", "bars") if (path := getattr(asked, name, ""))]
    hashes = tuple((name, value) for name, value in _hashes(context).items())
    counted = tuple(_counted(stored, name) for name in record.facts.numbers())
    labels = tuple((name, stored.number("counts", "labels", name, form=",d")) for name in record.facts.labels)
    blocks: list[Block] = [Table("Files", ("Data", "File"), tuple(files))] if files else []
    blocks += (
        [
            Table(
                "Hashes (SHA-256)",
                ("Of", "Hash"),
                hashes,
                "Two runs are comparable when those of windows and folds are equal.",
            )
        ]
        if hashes
        else []
    )
    blocks += [Table("Counted", ("What", "Count"), counted)] if counted else []
    blocks += [Table("Labels", ("Class", "Windows"), labels)] if labels else []
    blocks += [Text(", ".join(record.facts.features), "Features.")] if record.facts.features else []
    host = _host(context)
    return [*blocks, *([Table("Computed", ("What", "Value"), host)] if host else [])] or "Nothing of it was recorded."


def _hashes(context: ReportContext) -> dict[str, str]:
    """Of the run's data; of its first arm's, which all share, where it has none of its own."""
    if context.record.data_hashes or context.kind not in ("study", "compare"):
        return context.record.data_hashes
    result = context.result("comparison")
    first = context.other(result.value.arms[0].run_id) if result and result.value.arms else None
    return first.record.data_hashes if first is not None else {}


def _counted(stored: Stored, name: str) -> tuple[Cell, Cell]:
    value = stored.get("counts", name)
    form = ",d" if isinstance(value, int) else ".3f"
    return name.replace("_", " "), stored.number("counts", name, form=form)


def _host(context: ReportContext) -> tuple[tuple[Cell, Cell], ...]:
    record, stored = context.record, context.stored_record
    commit = f"{record.commit}{' with changes' if record.dirty else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    seed = stored.number("seed", form="d")
    rows: list[tuple[Cell, Cell]] = [
        ("Started", record.started),
        ("Ended", record.ended),
        ("Host", record.host),
        ("Device", record.device),
        ("Engine", " – ".join(filter(None, (record.facts.engine, record.facts.engine_why)))),
        ("Seed", seed),
        ("Commit", commit),
        ("Versions", versions),
    ]
    return tuple(
        (name, value) for name, value in rows if (value.value is not None if isinstance(value, Number) else value)
    )
