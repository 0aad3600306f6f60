"""What the launcher promises before any process begins: queueing, files that may be named, workers that are looked after."""

from __future__ import annotations

import time

import pytest

from moola_core.errors import RunError, SpecError
from moola_core.launch import local
from moola_core.launch.devices import Lock, default_device
from moola_core.launch.local import LocalLauncher, ensure_worker, ensure_workers
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue
from moola_core.specs import Arm, Study, change

SPEC = preset("quick").finetune()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


@pytest.fixture
def asked(monkeypatch):
    """The devices for which a worker was asked."""
    devices: list[str] = []
    monkeypatch.setattr(local, "ensure_worker", lambda root, device="": devices.append(device))
    return devices


def test_a_submitted_run_waits_and_a_worker_is_asked_for(store, asked):
    run_id = LocalLauncher(store).submit(change(SPEC, {"training.device": "cuda"}), name="a", priority=2)
    (entry,) = Queue(store.root).entries()
    assert (entry.run_id, entry.priority, entry.needs) == (run_id, 2, "cuda") and asked == [""]
    assert store.open(run_id).record.waits


def test_what_ended_or_goes_on_is_not_resumed(store, asked):
    launcher = LocalLauncher(store)
    run = store.open(launcher.submit(SPEC))
    for state in ("queued", "running", "done"):
        run.update(state=state, process=identity())
        with pytest.raises(RunError, match=f"is {state}"):
            launcher.resume(run.id)
    run.update(state="lost", error="It died.")
    launcher.resume(run.id)
    assert run.record.waits and run.record.error == "" and len(Queue(store.root).entries()) == 1


def test_part_of_a_study_is_not_cancelled_alone(store, asked):
    study, arm = store.create(SPEC), None
    arm = store.create(SPEC, parent=study.id)
    for run in (study, arm):
        run.update(state="running", process=identity())
    with pytest.raises(RunError, match="is part of study"):
        LocalLauncher(store).cancel(arm.id)


def test_a_visitor_names_files_of_the_data_folder_and_the_store_alone(store, asked, tmp_path):
    data, secret = tmp_path / "data", tmp_path / "secret.parquet"
    data.mkdir()
    secret.write_bytes(b"")
    (data / "mine.parquet").write_bytes(b"")
    (data / "link.parquet").symlink_to(secret)
    (data / "circle").symlink_to(data / "circle")
    launcher = LocalLauncher(store, [data])
    launcher.submit(change(SPEC, {"data.windows": str(data / "mine.parquet")}))
    launcher.submit(change(SPEC, {"transfer.checkpoint": "20260101-000000-000-aaaa", "transfer.schedule": "full"}))
    outside = [str(secret), f"{data}/../secret.parquet", str(data / "link.parquet"), "/etc/passwd", "a\0b", "~/x"]
    before = len(store.runs())
    for path in [*outside, str(data / "circle" / "x"), str(tmp_path / "data-other" / "x")]:
        for name in ("data.windows", "data.bars"):
            with pytest.raises(SpecError, match="is not in the data folder"):
                launcher.submit(change(SPEC, {name: path}))
    with pytest.raises(SpecError, match=r"transfer\.checkpoint"):
        launcher.submit(change(SPEC, {"transfer.checkpoint": str(secret), "transfer.schedule": "full"}))
    arms = (Arm(name="a"), Arm(name="b", changes={"transfer.checkpoint": str(secret), "transfer.schedule": "full"}))
    with pytest.raises(SpecError, match="is not in the data folder"):
        launcher.submit(Study(base=SPEC, arms=arms, against="a"))
    assert len(store.runs()) == before


def test_a_worker_is_started_where_runs_wait_and_leaves_when_idle(store, monkeypatch):
    monkeypatch.setattr(local, "IDLE_S", 0.1)
    monkeypatch.setattr(local, "LOOK_S", 0.0)
    ensure_workers(store.root)
    assert not (store.root / "workers").exists()
    run = store.create(SPEC, queue={"priority": 0, "needs": "auto"})
    Queue(store.root).add(run.record)
    Queue(store.root).pause()
    ensure_workers(store.root)
    assert not (store.root / "workers").exists()
    Queue(store.root).withdraw(run.id)
    ensure_worker(store.root)
    lock, until = Lock(store.root, default_device()), time.monotonic() + 200
    log = lock.path.with_suffix(".log")
    while not (log.is_file() and "Worker of" in log.read_text()) or lock.held():
        assert time.monotonic() < until
        time.sleep(0.1)
