"""Short diagnostics begin in a lane of their own while a long run holds the device, and what waits says for what."""

from __future__ import annotations

import threading

import psutil
import pytest

from moola_core import studies
from moola_core.launch import device_worker, devices, local, waiting
from moola_core.launch.device_worker import DeviceWorker
from moola_core.launch.devices import Lock
from moola_core.launch.estimate.remaining import Remaining
from moola_core.launch.local import LocalLauncher
from moola_core.runs.queue import Queue
from moola_core.sections.waiting_text import sentence
from moola_core.specs import Compare, Data, Diagnose, Predict
from tests.launch.test_device_worker import SPEC, STAND_IN, store, submit, until  # noqa: F401

WINDOWS = Data(windows="w.parquet")
ID = "20260101-000000-000-0000"


@pytest.fixture
def begin(store):  # noqa: F811
    """begin(device): a worker of it in a thread, stopped at the end."""
    begun = []

    def start(device):
        worker = DeviceWorker(store, device)
        worker.command, worker.grace_s = STAND_IN, 0.5
        thread = threading.Thread(target=worker.serve)
        thread.start()
        begun.append((worker, thread))

    yield start
    for worker, thread in begun:
        worker.stop()
        thread.join(60)


@pytest.mark.parametrize(
    ("spec", "short"),
    [
        (Diagnose(name="features", data=WINDOWS), True),
        (Diagnose(name="doctor", run=ID), True),
        (Diagnose(name="attribution", run=ID), False),
        (Diagnose(name="power", data=WINDOWS), False),
        (Compare(runs=(ID, ID)), True),
        (Predict(run=ID, data=WINDOWS), False),
        (SPEC, False),
        (studies.study("losses", "quick", {"windows": "w.parquet"}), False),
    ],
)
def test_what_takes_seconds_is_short(spec, short):
    assert (devices.needed(spec) == devices.SHORT) is short
    worker = devices.can_do(devices.SHORT)
    assert (devices.needed(spec) in worker) is short and devices.needed(spec) in devices.can_do(
        devices.default_device()
    )


def ask_for_a_diagnostic(store):  # noqa: F811
    return store.open(LocalLauncher(store).submit(Diagnose(name="features", data=WINDOWS)))


def test_a_short_run_begins_while_a_long_one_holds_the_device(store, begin):  # noqa: F811
    long = submit(store, "waits")
    begin(devices.default_device())
    until(lambda: long.record.state == "running")
    short, after = ask_for_a_diagnostic(store), submit(store)
    assert local.needs_a_lane(Queue(store.root).entries())
    begin(devices.SHORT)
    until(lambda: short.record.state == "done")
    assert long.record.state == "running" and after.record.state == "queued", "the lane begins nothing else"
    (long.folder / "go").touch()
    until(lambda: after.record.state == "done")


def test_without_memory_for_two_the_short_run_waits_and_says_so(store, begin, monkeypatch):  # noqa: F811
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 10})())
    long = submit(store, "waits")
    worker = Lock(store.root, "cpu")
    assert worker.acquire() and Queue(store.root).take("cpu", ("auto", "cpu")) == long.id
    short = ask_for_a_diagnostic(store)
    begin(devices.SHORT)
    until(Lock(store.root, devices.SHORT).held)
    assert short.record.state == "queued" and waiting.waiting(short).reason == "memory"
    assert "until memory is free" in sentence(waiting.waiting(short))
    Queue(store.root).release(long.id)
    until(lambda: short.record.state == "done")  # alone it begins, however little memory there is
    worker.release()


def test_what_waits_says_for_what_and_for_how_long(store, monkeypatch):  # noqa: F811
    monkeypatch.setattr(devices, "default_device", lambda: "cpu")
    first, second, third = submit(store, name="slow one"), submit(store), submit(store)
    assert waiting.waiting(first).reason == "worker" and sentence(waiting.waiting(first)) == "It begins in a moment."
    assert sentence(waiting.waiting(third)) == "2 other runs begin before it."
    Queue(store.root).take("cpu", ("auto",))
    monkeypatch.setattr(waiting, "remaining", lambda run: Remaining(240.0, 120.0, 400.0))
    assert waiting.waiting(first) is None, "it has been taken"
    assert sentence(waiting.waiting(second)) == (
        "It waits for the run slow one, which takes about 4 min 00 s more (2 min 00 s to 6 min 40 s)."
    )
    assert sentence(waiting.waiting(third)).endswith(", and for 1 other run before it.")
    Queue(store.root).pause()
    assert "paused" in sentence(waiting.waiting(third))


def test_the_lane_has_a_worker_only_where_a_short_run_waits_behind_another(store, monkeypatch):  # noqa: F811
    asked = []
    monkeypatch.setattr(local, "ensure_worker", lambda root, device="": asked.append(device))
    ask_for_a_diagnostic(store)
    assert asked == [""]
    submit(store)
    ask_for_a_diagnostic(store)
    assert asked[-1] == devices.SHORT
    monkeypatch.setattr(local, "_looked", {})
    asked.clear()
    local.ensure_workers(store.root)
    assert devices.SHORT in asked
    assert psutil.virtual_memory().total > device_worker.SHORT_RUN_BYTES
