"""What travels is checked whole before anything is added, and is added whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from moola_core.cli import main
from moola_core.errors import StoreError
from moola_core.presets import preset
from moola_core.runs import unpack as unpacking
from moola_core.runs.decisions import Decision, add
from moola_core.runs.pack import pack
from moola_core.runs.store import Store
from moola_core.runs.unpack import unpack
from moola_core.specs import change

Change = Callable[[str, bytes], bytes | None]


@pytest.fixture
def parcel(tmp_path) -> tuple[Path, list[str]]:
    """Three runs, each the parent of the next, their file of windows and a decision about it, packed; the file is gone then."""
    store, windows = Store(tmp_path / "from"), tmp_path / "w.parquet"
    windows.write_bytes(b"windows")
    spec = change(preset("quick").finetune(), {"data.windows": str(windows)})
    runs = [store.create(spec)]
    runs += [store.create(spec, parent=runs[0].id)]
    runs += [store.create(spec, parent=runs[1].id)]
    for run in runs:
        run.update(state="done", data_hashes={"windows": "abc"})
    add(store, Decision("Keep these.", data={"windows": "abc"}))
    ids = [run.id for run in runs]
    pack(store, ids, tmp_path / "runs.zip")
    windows.unlink()
    return tmp_path / "runs.zip", ids


def repacked(file: Path, change: Change, more: dict[str, bytes] | None = None) -> Path:
    """The packed file with other content and a manifest that agrees with it: change(name, content); None leaves a part out."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
        manifest = json.loads(archive.read("manifest.json"))
    kept = {name: made for name, content in parts.items() if (made := change(name, content)) is not None} | (more or {})
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in kept.items()
    }
    out = file.with_name("changed.zip")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in kept.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return out


def of_record(of: str, **values: object) -> Change:
    """Other values in the run's record."""
    name = f"runs/{of}/run.json"
    return lambda part, content: (
        content if part != name else json.dumps(json.loads(content) | values).encode("utf-8", "surrogatepass")
    )


def nothing_was_added(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file() or path.name.endswith(".tmp")]


def test_a_file_that_would_fill_the_disk_is_refused_before_a_byte_is_written(parcel, tmp_path):
    file, ids = parcel
    bomb = repacked(file, lambda _, content: content, {f"runs/{ids[0]}/log.txt": bytes(100 << 20)})
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(StoreError, match="would become"):
        unpack(bomb, Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert nothing_was_added(tmp_path / "here")


def test_more_than_the_disk_has_room_for_is_refused(parcel, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match="are free"):
        unpack(parcel[0], Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert nothing_was_added(tmp_path / "here")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("spec.json", b'{"kind": "invented"}', "this version cannot read"),
        ("spec.json", b"[" * 100_000, "no record"),
        ("run.json", b"[]", "no record"),
        ("run.json", b'{"name": "\\ud800"}', "no record"),
        ("run.json", None, "missing"),
        ("spec.json", None, "missing"),
    ],
    ids=["spec unknown", "spec deep", "record list", "record half a character", "record gone", "spec gone"],
)
def test_one_run_that_is_none_keeps_all_out(parcel, tmp_path, name, content, words):
    file, ids = parcel
    bad = repacked(file, lambda part, old: content if part == f"runs/{ids[2]}/{name}" else old)
    with pytest.raises(StoreError, match=words):
        unpack(bad, Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert nothing_was_added(tmp_path / "here")


@pytest.mark.parametrize("at", range(5))
def test_whatever_step_fails_nothing_is_added(parcel, tmp_path, monkeypatch, at):
    real, calls = Path.replace, []

    def replace(path: Path, target: Path) -> Path:
        if "here" in path.parts and not path.name.startswith((".places", ".run.json")):
            calls.append(path)
            if len(calls) == at + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(StoreError, match="No space left"):
        unpack(parcel[0], Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert len(calls) == at + 1 and nothing_was_added(tmp_path / "here")
    monkeypatch.setattr(Path, "replace", real)
    whole = unpack(parcel[0], Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert sorted(whole.added) == sorted(parcel[1]) and len(whole.data) == len(whole.decisions) == 1


def test_wrong_ids_and_parents_in_a_circle_are_put_right_and_named(parcel, tmp_path, capsys):
    file, (first, second, third) = parcel
    changed = repacked(file, of_record(first, parent=third, run_id="../../x"))
    changed = shutil.copy(changed, tmp_path / "once.zip")
    changed = repacked(
        Path(changed), of_record(third, parent="../up", process={"pid": 1}, queue={"cluster": "http://x"})
    )
    store = Store(tmp_path / "here")
    assert main(["unpack", str(changed), "--store", str(store.root), "--data", str(tmp_path / "d")]) == 0
    said = capsys.readouterr().out
    assert said.count("Put right: ") == 2 and "'../../x'" in said and "'../up'" in said
    records = {run_id: store.open(run_id).record for run_id in parcel[1]}
    assert [records[one].parent for one in (first, second, third)] == [third, first, None]
    assert all(json.loads((store.runs_folder / one / "run.json").read_text())["run_id"] == one for one in records)
    assert records[third].process == records[third].queue == {}


def test_of_a_circle_of_parents_one_link_is_cut(parcel, tmp_path):
    file, (first, second, third) = parcel
    made = unpack(repacked(file, of_record(first, parent=third)), Store(tmp_path / "here"), tmp_path / "d")
    store, line, at = Store(tmp_path / "here"), [], third
    assert len(made.repaired) == 1 and made.repaired[0].startswith(f"run {first}")
    while at:
        line.append(at)
        at = store.open(at).record.parent
    assert line == [third, second, first]


def test_too_many_parts_and_names_with_control_characters_are_refused(parcel, tmp_path, monkeypatch):
    file, ids = parcel
    odd = repacked(file, lambda _, content: content, {f"runs/{ids[0]}/a\x1b[2Jb": b""})
    with pytest.raises(StoreError, match="places outside"):
        unpack(odd, Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    monkeypatch.setattr(unpacking, "MOST_PARTS", 3)
    with pytest.raises(StoreError, match="more than 3 parts"):
        unpack(file, Store(tmp_path / "here" / "s"), tmp_path / "here" / "d")
    assert nothing_was_added(tmp_path / "here")
