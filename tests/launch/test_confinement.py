"""What a visitor of the app may name, and what not."""

from __future__ import annotations

import pytest

from moola_core.errors import SpecError
from moola_core.launch.confinement import confine, inside
from moola_core.launch.local import LocalLauncher
from moola_core.presets import preset
from moola_core.runs.store import Store
from moola_core.searches import search_spec
from moola_core.specs import Study, build, change


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "windows.parquet").write_bytes(b"w")
    (tmp_path / "secret.parquet").write_bytes(b"s")
    (tmp_path / "data" / "link.parquet").symlink_to(tmp_path / "secret.parquet")
    (tmp_path / "data" / "inner.parquet").symlink_to(tmp_path / "data" / "windows.parquet")
    (tmp_path / "data" / "round.parquet").symlink_to(tmp_path / "data" / "round.parquet")
    (tmp_path / "data-of-others").mkdir()
    return tmp_path / "data"


def test_files_of_the_folder_are_allowed_links_inside_it_too(folder):
    assert inside(folder / "windows.parquet", [folder]) == folder / "windows.parquet"
    assert inside(folder / "inner.parquet", [folder]) == folder / "windows.parquet"
    assert inside(folder / "not-there-yet.parquet", [folder])


@pytest.mark.parametrize(
    "name",
    [
        "../secret.parquet",
        "/etc/passwd",
        "link.parquet",
        "../data-of-others/x",
        "round.parquet",
        "a\0b",
        "x/../../secret.parquet",
    ],
)
def test_no_way_out(folder, name):
    with pytest.raises(SpecError, match="not in the data folder or the store"):
        inside(folder / name, [folder])


@pytest.mark.parametrize("field", ["data.windows", "data.bars", "transfer.checkpoint"])
def test_every_file_field_of_a_spec_is_held(folder, field):
    spec = change(preset("quick").finetune(), {"data.windows": str(folder / "windows.parquet")})
    confine(spec, [folder])
    with pytest.raises(SpecError, match=field):
        confine(change(spec, {field: "/etc/passwd"}), [folder])


def test_the_choices_of_a_search_name_no_other_file(folder):
    base = change(preset("quick").finetune(), {"data.windows": str(folder / "windows.parquet")})
    space = {"model.dropout": {"low": 0.0, "high": 0.5}}
    confine(search_spec(base, space), [folder])
    files = {"transfer.checkpoint": {"choices": ["", "/etc/passwd"]}}
    with pytest.raises(SpecError, match="not in the data folder or the store"):
        confine(search_spec(base, space | files), [folder])


def test_an_arm_of_a_study_names_no_other_file(folder):
    base = change(preset("quick").finetune(), {"data.windows": str(folder / "windows.parquet")})
    arms = [{"name": "a"}, {"name": "b", "changes": {"data.windows": "/etc/passwd"}}]
    study = build(Study, {"base": base.model_dump(), "arms": arms, "against": "a"})
    with pytest.raises(SpecError, match="/etc/passwd"):
        confine(study, [folder])


def test_the_launcher_of_the_app_makes_no_run_of_a_foreign_file(folder, tmp_path):
    store = Store(tmp_path / "artifacts")
    launcher = LocalLauncher(store, [folder])
    with pytest.raises(SpecError):
        launcher.submit(change(preset("quick").finetune(), {"data.windows": str(tmp_path / "secret.parquet")}))
    assert store.runs() == []


def test_a_run_from_elsewhere_is_not_resumed_on_a_foreign_file_by_the_app(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.ensure_worker", lambda root, device="": None)
    store = Store(tmp_path / "artifacts")
    run = store.create(change(preset("quick").finetune(), {"data.windows": str(tmp_path / "secret.parquet")}))
    run.update(state="failed")
    with pytest.raises(SpecError, match="not in the data folder"):
        LocalLauncher(store, [folder]).resume(run.id)
    assert run.record.state == "failed"
    run.write_places({str(tmp_path / "secret.parquet"): str(folder / "link.parquet")})
    with pytest.raises(SpecError, match="not in the data folder"):
        LocalLauncher(store, [folder]).resume(run.id)
    LocalLauncher(store).resume(run.id)  # on the command line any file may be named
    assert run.record.state == "queued"
