"""What is polled of a run that goes on."""

from __future__ import annotations

import pytest
import streamlit as st

from moola_core.runs.store import Store
from moola_core.ui import guard, progress
from tests.app_samples import make_run


class Redrawn(Exception):
    pass


@pytest.fixture
def looked(monkeypatch, demo_files, tmp_path):
    """looked(state): a run in this state, and the looks at it that a page makes which was drawn when it was still running."""
    monkeypatch.setenv("MOOLA_STORE", str(tmp_path))
    monkeypatch.setattr(guard.st, "rerun", lambda scope: (_ for _ in ()).throw(Redrawn(scope)))
    made: dict = {}
    monkeypatch.setattr(guard, "fragment", lambda look, run_every: made.update(look=look, every=run_every) or look)

    def start(state: str):
        run = make_run(tmp_path, demo_files["windows"], "running")
        drawn = run.record
        run.update(state=state)
        states: list[str] = []
        progress.follow(Store(tmp_path).open(run.id), drawn, lambda run, record: states.append(record.state))
        return made["look"], made["every"], states

    return start


def test_a_run_that_ended_while_its_page_was_drawn_draws_the_page_again(looked):
    look, every, states = looked("cancelled")
    assert every is not None and states == ["cancelled"]
    with pytest.raises(Redrawn):
        look()


def test_a_run_that_goes_on_is_drawn_at_each_look(looked):
    look, every, states = looked("running")
    look()
    assert every is not None and states == ["running", "running"]


def test_an_open_dialog_is_not_closed_by_a_run_that_ended(looked, monkeypatch):
    look, _, states = looked("done")
    monkeypatch.setitem(st.session_state, guard.DIALOG, True)
    look()
    assert states == ["done", "done"]
    guard.closed()
    with pytest.raises(Redrawn):
        look()


def test_a_run_whose_process_was_stopped_says_so(monkeypatch, demo_files, tmp_path):
    monkeypatch.setenv("MOOLA_STORE", str(tmp_path))
    monkeypatch.setattr(progress, "standing", lambda run, record: "Its process (pid 7) was stopped by a signal.")
    run = make_run(tmp_path, demo_files["windows"], "running")
    warned: list[str] = []
    monkeypatch.setattr(progress.st, "warning", lambda text, icon: warned.append(text))
    progress.bar(run, run.record)
    assert warned == ["Its process (pid 7) was stopped by a signal."]
