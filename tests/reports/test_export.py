from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from moola_core.cli import main
from moola_core.errors import MoolaError, ReportError, RunError, SpecError
from moola_core.reports import export as exporting
from moola_core.reports.export import export
from moola_core.runs.store import Run


def test_html_and_json_need_no_chromium(full_run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for format in ("html", "json"):
        out = tmp_path / "there" / f"r.{format}"
        assert export(full_run, format, out, ["decisions", "targets"]) == [out]
        assert out.stat().st_size > 1000
    assert json.loads(out.read_text())["run_id"] == full_run.id
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("format", ["pdf", "md", "zip"])
def test_a_missing_chromium_is_said_with_the_command_that_installs_it(full_run, tmp_path, monkeypatch, format):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match=r"no Chromium is installed.*apt-get install.*html or json"):
        export(full_run, format, tmp_path / "r", ["targets"])
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_takes_too_long_is_ended_with_what_it_started(full_run, tmp_path, monkeypatch):
    browser, mark = tmp_path / "chromium", tmp_path / "pid"
    browser.write_text(f"#!/bin/sh\necho $$ > {mark}\nexec sleep 600\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    # So long that the process surely comes to start the browser, which then hangs.
    monkeypatch.setattr(exporting.subprocess.Popen, "communicate", _once_there(mark))
    with pytest.raises(ReportError, match=r"was not done after 0\.1 s"):
        export(full_run, "pdf", tmp_path / "r.pdf", ["targets"], timeout_s=0.1)
    pid = int(mark.read_text())
    until = time.monotonic() + 10
    while _alive(pid):
        assert time.monotonic() < until, "the browser outlived the report"
        time.sleep(0.05)
    assert not (tmp_path / "r.pdf").exists()


def _once_there(mark):
    """Popen.communicate that waits for the file `mark` before it begins to count."""
    plain = subprocess.Popen.communicate

    def communicate(self, input=None, timeout=None):
        until = time.monotonic() + 60
        while timeout and not (mark.exists() and mark.read_text()):
            assert time.monotonic() < until
            time.sleep(0.02)
        return plain(self, input, timeout)

    return communicate


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_errors_of_the_other_process_arrive_as_they_are(full_run, tmp_path):
    with pytest.raises(SpecError, match="Did you mean metrics"):
        export(full_run, "html", tmp_path / "r.html", ["metrcs"])
    with pytest.raises(SpecError, match="Did you mean html"):
        export(full_run, "htm", tmp_path / "r.html")
    with pytest.raises(ReportError, match="is a folder"):
        export(full_run, "html", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        export(full_run, "html", tmp_path / "file" / "r.html", ["targets"])
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        export(Run(tmp_path / "gone"), "html", tmp_path / "r.html")


def test_a_torn_result_is_a_sentence_and_no_traceback(tmp_path, full_run):
    root = tmp_path / "store"
    shutil.copytree(full_run.store_root, root)
    torn = Run(root / "runs" / full_run.id)
    (torn.folder / "results" / "evaluation.json").write_text('{"classes": ["a"')
    with pytest.raises(MoolaError) as caught:
        export(torn, "html", tmp_path / "r.html", ["metrics"])
    assert "evaluation.json" in str(caught.value) and "Traceback" not in str(caught.value)
    export(torn, "html", tmp_path / "r.html")  # what can be read is in a report of everything, and why the rest is not
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "evaluation.json cannot be read" in text and "Configuration" in text and "Traceback" not in text


def test_the_command_writes_the_file_and_says_so(capsys, full_run, tmp_path):
    where = ["report", full_run.id, "--store", str(full_run.store_root), "--out", str(tmp_path / "r.json")]
    assert main([*where, "--format", "json", "--sections", "targets, metrics", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run_id"] == full_run.id and told["files"] == [str(tmp_path / "r.json")]
    assert told["bytes"] == (tmp_path / "r.json").stat().st_size and told["seconds"] > 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert [section["name"] for section in found["sections"]] == ["targets", "metrics"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--format": "docx"}, "Known: html, pdf, md, json, zip"),
        ({"--sections": "metrcs"}, "Did you mean metrics"),
        ({"report": "20260101-000000-000-aaaa"}, "no run 20260101-000000-000-aaaa"),
        ({"report": "../../etc"}, "is not a run id"),
    ],
)
def test_bad_input_is_a_sentence_and_status_2(capsys, full_run, tmp_path, change, words):
    asked = {
        "report": full_run.id,
        "--store": str(full_run.store_root),
        "--format": "html",
        "--out": str(tmp_path / "r"),
    }
    status = main([part for pair in (asked | change).items() for part in pair])
    out, err = capsys.readouterr()
    assert status == 2 and out == "" and words in err and err.count("\n") == 1
