"""Reports that the store keeps: a run each, part of the run that the report is of."""

from __future__ import annotations

import json

import pytest

from moola_core.cli import main
from moola_core.errors import MoolaError, ReportError, StoreError
from moola_core.launch import report_files, worker
from moola_core.runs.families import families
from moola_core.runs.store import Store
from moola_core.specs import Report
from tests.app_samples import make_data, make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "artifacts", make_data(tmp_path / "data"))


def reports(run):
    return [one for one in Store(run.store_root).runs() if one.kind == "report"]


def test_the_command_writes_the_file_and_the_store_keeps_a_copy(run, tmp_path, capsys):
    out = tmp_path / "mine.json"
    asked = ["report", run.id, "--format", "json", "--out", str(out), "--sections", "targets"]
    assert main([*asked, "--store", str(run.store_root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == run.id
    (record,) = reports(run)
    assert (record.state, record.parent, record.name) == ("done", run.id, "Report as JSON")
    (family,) = families(Store(run.store_root).runs())
    assert family.whole.run_id == run.id and [part.record.run_id for part in family.parts] == [record.run_id]
    files = report_files.files(Store(run.store_root).open(record.run_id))
    assert list(files) == ["mine.json"] and files["mine.json"].read_bytes() == out.read_bytes()
    out.unlink()
    files["mine.json"].unlink()
    with pytest.raises(ReportError, match="is gone"):
        report_files.files(Store(run.store_root).open(record.run_id))


def test_a_worker_makes_the_same_file(run, tmp_path):
    store = Store(run.store_root)
    made = store.create(Report(run=run.id, format="json", sections=("targets",), file="mine"), parent=run.id)
    worker.run(made)
    report_files.write(run, "json", tmp_path / "mine.json", ["targets"])
    (one,) = report_files.files(made).values()
    wanted, ours = json.loads((tmp_path / "mine.json").read_text()), json.loads(one.read_text())
    assert ours["sections"] == wanted["sections"] and ours["run_id"] == wanted["run_id"] == run.id


def test_pictures_are_kept_next_to_their_markdown(run, tmp_path, monkeypatch):
    def drawn(about, format, out, sections, timeout_s, kind):
        picture = out.parent / f"{out.stem}_files" / "one.png"
        picture.parent.mkdir()
        picture.write_bytes(b"a picture")
        out.write_text("text")
        return [out, picture]

    monkeypatch.setattr(report_files, "export", drawn)
    report_files.write(run, "md", tmp_path / "mine.md")
    (record,) = reports(run)
    files = report_files.files(Store(run.store_root).open(record.run_id))
    assert [(name, path.read_text()) for name, path in files.items()] == [
        ("mine.md", "text"),
        ("mine_files/one.png", "a picture"),
    ]


def test_what_the_run_cannot_be_asked_leaves_nothing_and_a_failure_is_listed(run, tmp_path, monkeypatch):
    with pytest.raises(MoolaError, match="unknown section"):
        report_files.write(run, "html", tmp_path / "r.html", ["metrcs"])
    assert reports(run) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="no Chromium"):
        report_files.write(run, "pdf", tmp_path / "r.pdf", ["targets"])
    (record,) = reports(run)
    assert record.state == "failed" and "no Chromium is installed" in record.error


def test_of_a_store_that_cannot_be_written_the_file_is_made_all_the_same(run, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("cannot be written: no space.", where="artifacts", hint="Make room.")

    monkeypatch.setattr(Store, "create", refuse)
    assert report_files.write(run, "json", tmp_path / "r.json", ["targets"]) == [tmp_path / "r.json"]
    monkeypatch.undo()
    assert reports(run) == []
