"""Runs that cannot be read, a full disk, a store that may only be read: every page opens, and says what cannot be done."""

from __future__ import annotations

import errno
import shutil

import pytest

from moola_core import specs
from moola_core.launch import local
from moola_core.presets import preset
from moola_core.runs.queue import Queue
from moola_core.runs.store import Run, Store
from moola_core.searches import search_spec
from moola_core.specs import change
from tests.app_samples import make_comparison, make_predicted, make_pretraining, make_run
from tests.faults.disks import spoil
from tests.pages.conftest import PROJECT, button, texts

EVERY_PAGE = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))
DAMAGES = (
    "spec newer",
    "spec unknown",
    "spec garbage",
    "spec folder",
    "spec missing",
    "record garbage",
    "record folder",
    "record missing",
)
DISKS = {errno.ENOSPC: "No space left on device", errno.EROFS: "Read-only file system"}


def problems(at) -> list[str]:
    """What the page says went wrong, but for the refusal of a study that this small market's bars do not allow."""
    told = [item.value.replace("\\", "") for item in [*at.error, *at.warning]]
    return [text for text in told if not text.startswith("pre-training of")]


def run_of_each_kind(store, dataset) -> list[Run]:
    """A run of each kind of spec on the dataset, done."""
    data = specs.Data(windows=str(dataset), bars=str(dataset.with_name("bars.parquet")))
    trained = make_run(store, dataset)
    base = change(preset("quick").finetune(), {"data.windows": str(dataset)})
    asked = [
        specs.Diagnose(name="features", data=data),
        specs.Diagnose(name="doctor", figures={"f1_macro": 0.5}),
        specs.Diagnose(name="doctor", planned=base.model_dump(mode="json")),
        specs.Diagnose(name="doctor", run=trained.id),
        specs.Study(base=base, arms=(specs.Arm(name="a"), specs.Arm(name="b")), against="a"),
        specs.Compare(runs=(trained.id, trained.id)),
        specs.Plan(data=data),
        specs.Report(run=trained.id),
        specs.Investigation(data=data),
        search_spec(base),
    ]
    assert {spec.kind for spec in asked} | {"finetune", "pretrain", "predict"} == set(specs.KINDS)
    made = [Store(store).create(spec, parent=trained.id) for spec in asked]
    for run in made:
        run.update(state="done")
    return [trained, make_pretraining(store, dataset), make_predicted(trained), *made]


def copy_of(run: Run, number: int) -> Run:
    folder = run.folder.with_name(f"{run.id[:-4]}{number:04x}")
    shutil.copytree(run.folder, folder)
    return Run(folder)


def damage(run: Run, how: str) -> None:
    path = run.folder / ("run.json" if how.startswith("record") else "spec.json")
    text = path.read_text()
    path.unlink()
    if how.endswith("folder"):
        path.mkdir()
    elif not how.endswith("missing"):
        newer = '{"invented_by_a_newer_version": 1, ' + text.lstrip().removeprefix("{")
        path.write_bytes(
            {"spec newer": newer.encode(), "spec unknown": b'{"kind": "invented"}'}.get(how, b"\x80PK\x00{")
        )


def test_runs_of_any_kind_that_cannot_be_read_touch_no_page_and_are_listed_with_the_reason(show, dataset, store):
    sound = make_run(store, dataset, name="Sound run")
    kinds = run_of_each_kind(store, dataset)
    broken = [copy_of(run, number) for number, run in enumerate(run for _ in DAMAGES for run in kinds)]
    for i, run in enumerate(broken):
        damage(run, DAMAGES[i // len(kinds)])
    for run in kinds:
        damage(run, "spec newer")
    at = show("overview", run=sound.id)
    for page in EVERY_PAGE:
        at.switch_page(f"pages/{page}.py").run()
        assert not at.exception and not problems(at), (page, problems(at))
    at.switch_page("pages/runs.py").run()
    assert f"{len(broken) + len(kinds)} runs cannot be read" in [group.label for group in at.expander]
    assert "Sound run" in set(at.dataframe[0].value["name"])
    reasons = {record.run_id: record.unreadable for record in Store(store).runs()}
    assert all(reasons[run.id] for run in [*broken, *kinds]) and not reasons[sound.id]
    newest = max(broken, key=lambda run: run.id)
    assert reasons[newest.id].split(":")[0] in texts(at)
    at.button(key=f"delete_{newest.id}").click().run()
    assert not at.exception and not at.error and not newest.folder.exists()


@pytest.mark.parametrize(("number", "pages"), [(errno.ENOSPC, EVERY_PAGE), (errno.EROFS, ["launch", "results"])])
def test_every_page_opens_on_a_disk_that_is_full_or_may_only_be_read(show, dataset, store, monkeypatch, number, pages):
    run = make_run(store, dataset, name="Kept run")
    lost = make_run(store, dataset, "running", name="Died of it")
    lost.update(process={"pid": 2**22 + 1, "started": 1.0, "boot": "another"})
    spoil(monkeypatch, store, number)
    at = show("overview", run=run.id)
    for page in [*pages, "runs"]:
        at.switch_page(f"pages/{page}.py").run()
        assert not at.exception and not problems(at), (page, problems(at))
    table = at.dataframe[0].value
    assert set(table["name"]) == {"Kept run", "Died of it"} and set(table["state"]) == {"done", "lost"}


@pytest.mark.parametrize("number", DISKS)
def test_starting_a_run_where_nothing_can_be_written_is_a_sentence(show, dataset, store, monkeypatch, number):
    Store(store).runs_folder.mkdir(parents=True)
    spoil(monkeypatch, store, number)
    at = show("launch")
    for label in ("Start the run", "Check before launch"):
        button(at, label).click().run()
        assert not at.exception and DISKS[number] in at.error[0].value
        assert "MOOLA_STORE" in texts(at).replace("\\", "") and at.title[0].value == "Launch"
    assert Store(store).runs() == []


def test_every_button_of_a_run_that_may_only_be_read_is_answered_with_a_sentence(show, dataset, store, monkeypatch):
    run = make_run(store, dataset, "failed", name="Kept run")
    spoil(monkeypatch, store, errno.EROFS)
    at = show("runs")
    for label in ("Resume", "Pin as baseline", "Archive", "Delete for good"):
        button(at, label).click().run()
        assert not at.exception and any(DISKS[errno.EROFS] in text for text in problems(at)), label
        assert run.folder.is_dir() and "Traceback" not in texts(at) and at.button_group, label


def test_the_queue_of_a_full_disk_is_shown_and_pausing_it_is_a_sentence(show, dataset, store, monkeypatch):
    monkeypatch.setattr(local, "ensure_worker", lambda root, device="": None)
    local.LocalLauncher(Store(store)).submit(change(preset("quick").finetune(), {"data.windows": str(dataset)}))
    assert len(Queue(store).entries()) == 1
    spoil(monkeypatch, store, errno.ENOSPC)
    at = show("runs")
    assert "1 run in the queue" in texts(at)
    at.button(key="pause").click().run()
    assert not at.exception and any("disk is full" in text for text in problems(at))


def test_a_run_that_died_of_the_full_disk_is_deleted_there(show, dataset, store, monkeypatch):
    run = make_run(store, dataset, "running")
    run.update(process={"pid": 2**22 + 1, "started": 1.0, "boot": "another"})
    spoil(monkeypatch, store, errno.ENOSPC)
    at = show("runs")
    at.button(key="delete_now").click().run()
    assert not at.exception and not at.error and not run.folder.exists() and "No runs yet" in texts(at)


def test_a_first_start_that_cannot_write_says_so_and_opens(show, store, monkeypatch, tmp_path):
    store.mkdir()
    spoil(monkeypatch, tmp_path, errno.ENOSPC)
    at = show("overview", data=False)
    monkeypatch.setenv("MOOLA_DEMO", "on")
    at.run()
    assert not at.exception and DISKS[errno.ENOSPC] in at.error[0].value and "No data yet" in texts(at)


def test_a_comparison_that_is_torn_is_explained_on_its_page_alone(show, dataset, store):
    base = change(preset("quick").finetune(), {"data.windows": str(dataset)})
    study = Store(store).create(specs.Study(base=base, arms=(specs.Arm(name="a"), specs.Arm(name="b")), against="a"))
    study.write_result("comparison", make_comparison())
    study.update(state="done")
    (study.folder / "results" / "comparison.json").write_text('{"arms": [1, 2]}')
    make_run(store, dataset)
    at = show("compare")
    assert "not what this version of moola writes" in texts(at)
    assert not show("results").error
