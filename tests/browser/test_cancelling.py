"""Cancel and Resume at each moment of a run's life, with no reload of the page."""

from __future__ import annotations

import subprocess

import pytest

from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue
from moola_core.runs.store import Store
from tests.app_samples import epoch_events, make_run
from tests.browser.conftest import until

NAME = "Lives through it"
MOMENTS = {
    "queued": (lambda run: run.update(state="queued"), "waiting in the queue"),
    "starting": (lambda run: run.update(state="running"), "starting"),
    "first epoch": (lambda run: _train(run, 3, 0), "0 of 10 fits, epoch 1 of 30"),
    "last fold": (lambda run: _train(run, None, 9), "9 of 10 fits, epoch 1 of 30"),
}


def _train(run, events: int | None, done: int) -> None:
    run.append_events(epoch_events()[:events])
    run.update(state="running", progress={"done": done, "total": 10, "epoch": 1, "epochs": 30})


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(("queued", "first epoch"), id="short"),
        pytest.param(tuple(MOMENTS), id="every", marks=pytest.mark.soak),
    ],
)
def test_cancel_and_resume_at_every_moment_without_reload(full, open_tab, moments):
    """A process that sleeps stands in for the training; the paused queue keeps the resumed run from beginning."""
    run = make_run(full.store, full.data / "demo" / "windows.parquet", "queued", name=NAME)
    queue, tab = Queue(full.store), open_tab(full.address)
    queue.pause()
    process = subprocess.Popen(["sleep", "600"])
    try:
        run.update(process=identity(process.pid))
        tab.open(f"runs?run={run.id}")
        for moment in moments:
            reach, text = MOMENTS[moment]
            process.kill()
            process.wait()
            process = subprocess.Popen(["sleep", "600"])
            queue.release(run.id)
            (run.folder / "cancel").unlink(missing_ok=True)
            run.update(process=identity(process.pid), queue={}, progress={}, error="")
            reach(run)
            tab.wait_for(text)
            assert tab.page.title().startswith(f"Runs · {NAME}") and tab.query()["run"] == run.id
            tab.page.get_by_role("button", name="Cancel", exact=True).click()
            tab.page.get_by_role("button", name="Cancel the run").click()
            assert process.wait(30) != 0, moment
            run.update(state="cancelled")
            tab.page.get_by_role("button", name="Resume", exact=True).click()
            until(lambda: run.record.state == "queued" and bool(run.record.queue), 30)
            tab.wait_for("The queue is paused: it begins after the queue is resumed.")
    finally:
        process.kill()
        process.wait()
        queue.release(run.id)
        run.update(state="cancelled")
        Store(full.store).delete(run.id)
        queue.pause(False)
        full.end_worker()
