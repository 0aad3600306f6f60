"""A report as ZIP: every other format, the charts' numbers, the run's own files, and a manifest of hashes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from moola_core.charts.data import to_csv
from moola_core.reports.formats.html import key
from moola_core.runs.store import Run
from moola_core.sections.blocks import Report, charts
from moola_core.sections.context import ReportContext

FILES = (
    "spec.json",
    "run.json",
    "events.jsonl",
    "steps.parquet",
    "folds.parquet",
    "predictions.parquet",
    "log.txt",
)
MANIFEST = "manifest.json"


def pack(path: Path, report: Report, context: ReportContext, formats: dict[str, bytes]) -> None:
    """Write the archive: `formats` by name, charts/*.csv, runs/RUN/…, where every source in the report leads, and the manifest."""
    listed = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _contents(report, context, formats):
            archive.writestr(name, content)
            listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        archive.writestr(MANIFEST, json.dumps({"run_id": report.run_id, "files": listed}, indent=1) + "\n")


def _contents(report: Report, context: ReportContext, formats: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    yield from formats.items()
    for section in report.sections:
        for chart in charts(section):
            yield f"charts/{key(section.name, chart)}.csv", to_csv(chart.draw("light")).encode()
    for run in context.runs():
        for path in _files(run):
            yield f"runs/{run.id}/{path.relative_to(run.folder).as_posix()}", path.read_bytes()


def _files(run: Run) -> list[Path]:
    """The run's files but for weights, which are large and which no report shows."""
    files = [run.folder / name for name in FILES]
    results = sorted((run.folder / "results").glob("*.json")) if (run.folder / "results").is_dir() else []
    return [path for path in (*files, *results) if path.is_file()]
