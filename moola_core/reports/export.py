"""A run's report as a file, made in a process of its own, so that neither a slow browser nor a large run can hold up the caller."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core import errors
from moola_core.errors import MoolaError, ReportError, SpecError, nearest
from moola_core.reports.formats import FORMATS, TIMEOUT_S
from moola_core.runs.store import Run

PROJECT = Path(__file__).resolve().parents[2]


def export(
    run: Run, format: str, out: str | Path, sections: Sequence[str] = (), timeout_s: float = TIMEOUT_S, kind: str = ""
) -> list[Path]:
    """Write the report of `run` to the file `out` and return the files written: `out`, and next to Markdown its pictures.

    sections: names from `sections.names`, all by default; kind: "doctor" for what the doctor found in the run, by default the run's
    own. Raises SpecError for an unknown format, kind or section, RunError while the
    run is active, ReportError when Chromium is missing where the format needs it, or when it takes longer than `timeout_s`.
    """
    out = check(format, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"cannot be written: {error.strerror}.", where=str(out), hint="Choose another place."
        ) from None
    asked = {
        "folder": str(run.folder.resolve()),
        "format": format,
        "out": str(out),
        "sections": list(sections),
        "kind": kind,
    }
    answer = _ask(asked, timeout_s)
    return [Path(path) for path in answer["files"]]


def check(format: str, out: str | Path) -> Path:
    """The whole path of the file. Raises SpecError for an unknown format, ReportError where a folder lies in its place."""
    if format not in FORMATS:
        raise SpecError(f"unknown format {format!r}.", hint=nearest(format, FORMATS))
    out = Path(out).resolve()
    if out.is_dir():
        raise ReportError("is a folder.", where=str(out), hint="Name a file in it.")
    return out


def _ask(asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "moola_core.reports", json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
        encoding="utf-8",
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ReportError(
            f"was not done after {timeout_s:g} s.", where=asked["out"], hint="Choose fewer sections, or take html."
        ) from None
    finally:
        _end(process)
    if process.returncode or not out:
        last = (err.strip().splitlines() or ["no output"])[-1]
        raise ReportError(
            f"could not be made: {last}", where=asked["out"], hint="Take another format, or fewer sections."
        )
    answer = json.loads(out)
    if "error" in answer:
        raise _rebuilt(answer["error"])
    return answer


def _end(process: subprocess.Popen) -> None:
    """End what is left of the process and of the browser that it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _rebuilt(error: dict[str, str]) -> MoolaError:
    kind = getattr(errors, error["kind"])
    return kind(error["what"], where=error["where"], hint=error["hint"])
