"""`python -m moola_core.reports REQUEST`: the process that makes one report. REQUEST and the answer are JSON objects."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError
from moola_core.reports.formats import archive, chromium, document, html, markdown
from moola_core.runs.files import replacing, scratch
from moola_core.runs.store import Run
from moola_core.sections.blocks import Report
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import assemble

LOOK_S = 0.5


def main(text: str) -> int:
    """Make the report that the request asks for, and answer with the files written or with the user's error."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        answer: dict[str, Any] = {"files": [str(path) for path in write(json.loads(text))]}
    except MoolaError as error:
        answer = {"error": {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}}
    sys.stdout.write(json.dumps(answer))
    return 0


def _end_with(parent: int) -> None:
    """End this process and the browser that it started once nobody waits for the report any more."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def write(asked: dict[str, Any]) -> list[Path]:
    """Write the report; returns the paths of its files."""
    out, format = Path(asked["out"]), asked["format"]
    if format in ("pdf", "md", "zip"):
        chromium.find()  # before the work, not after it
    context = ReportContext(Run(Path(asked["folder"])), asked["kind"])
    report = assemble(context, asked["sections"])
    files = content(report, context, format, out.stem)
    for name, data in files.items():
        path = out if name == out.stem else out.parent / name
        with replacing(path) as draft:
            draft.write_bytes(data)
    return [out if name == out.stem else out.parent / name for name in files]


def content(report: Report, context: ReportContext, format: str, stem: str) -> dict[str, bytes]:
    """The bytes of the report under `stem`; those of Markdown's pictures under `STEM_files/NAME.png`."""
    if format == "html":
        return {stem: html.render(report).encode()}
    if format == "pdf":
        return {stem: printed(html.render(report))}
    if format == "json":
        return {stem: document.render(report, context).encode()}
    if format == "md":
        return marked(report, stem)
    return {stem: packed(report, context)}


def marked(report: Report, stem: str) -> dict[str, bytes]:
    """The Markdown under `stem`, and its pictures."""
    folder = f"{stem}_files"
    pictures = {f"{folder}/{name}": data for name, data in markdown.pictures(report).items()}
    return {stem: markdown.render(report, folder).encode(), **pictures}


def printed(page: str) -> bytes:
    """The page as PDF."""
    with scratch() as folder:
        out = folder / "report.pdf"
        chromium.print_pdf(page, out)
        return out.read_bytes()


def packed(report: Report, context: ReportContext) -> bytes:
    """Everything in one archive."""
    page, marks = html.render(report), marked(report, "report")
    formats = {"report.html": page.encode(), "report.pdf": printed(page), "report.md": marks.pop("report"), **marks}
    formats["report.json"] = document.render(report, context).encode()
    with scratch() as folder:
        out = folder / "report.zip"
        archive.pack(out, report, context, formats)
        return out.read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
