"""What was asked, on what data, and where it ran."""

from __future__ import annotations

import json
from typing import Any

from moola_core.reports.blocks import Block, Cell, Number, Table, Text
from moola_core.reports.material import ABSENT, Material, Stored
from moola_core.specs import settings


def asked(material: Material) -> list[Block]:
    """Every setting of the spec that is not about files."""
    stored = Stored(material.run, "spec.json", material.spec.model_dump(mode="json"))
    rows = tuple(
        (name, _value(stored, name, value))
        for name, value in settings(material.spec).items()
        if not name.startswith("data.")
    )
    return [Table("", ("Setting", "Value"), rows, "The spec as it was asked for; it never changes.")]


def _value(stored: Stored, name: str, value: Any) -> Cell:
    if value is None or value in ("", ()):
        return ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return stored.number(*name.split("."), form="g" if isinstance(value, float) else "d")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def data(material: Material) -> list[Block]:
    """The files with their hashes, what was counted in them, and the host that computed."""
    record, stored = material.record, material.stored_record
    files = [(name, path) for name in ("windows", "bars") if (path := getattr(material.spec.data, name))]
    hashes = tuple((name, value) for name, value in record.data_hashes.items())
    counted = tuple(
        _counted(stored, name) for name in record.counts if not isinstance(record.counts[name], dict | list)
    )
    labels = tuple(
        (str(name), stored.number("counts", "labels", name, form=",d")) for name in record.counts.get("labels", {})
    )
    blocks: list[Block] = [Table("Files", ("Data", "File"), tuple(files))]
    blocks += [Table("Hashes (SHA-256)", ("Of", "Hash"), hashes, "Two runs are comparable when those of windows and folds are equal.")] if hashes else []  # fmt: skip
    blocks += [Table("Counted", ("What", "Count"), counted)] if counted else []
    blocks += [Table("Labels", ("Class", "Windows"), labels)] if labels else []
    names = record.counts.get("features")
    blocks += [Text(", ".join(map(str, names)), "Features.")] if names else []
    return [*blocks, Table("Computed", ("What", "Value"), _host(material))]


def _counted(stored: Stored, name: str) -> tuple[Cell, Cell]:
    value = stored.get("counts", name)
    form = ",d" if isinstance(value, int) else ".3f"
    return name.replace("_", " "), stored.number("counts", name, form=form)


def _host(material: Material) -> tuple[tuple[Cell, Cell], ...]:
    record, stored = material.record, material.stored_record
    commit = f"{record.commit}{' with changes' if record.dirty else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    seed = stored.number("seed", form="d")
    rows: list[tuple[Cell, Cell]] = [
        ("Started", record.started), ("Ended", record.ended), ("Host", record.host), ("Device", record.device),
        ("Seed", seed), ("Commit", commit), ("Versions", versions),
    ]  # fmt: skip
    return tuple(
        (name, value) for name, value in rows if (value.value is not None if isinstance(value, Number) else value)
    )
