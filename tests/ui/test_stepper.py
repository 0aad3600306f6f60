"""Steps are counted where they are made, so that none is lost between a press and its drawing."""

from __future__ import annotations

import random

import pytest

from moola_core.ui import stepper


@pytest.fixture
def sent(monkeypatch) -> dict:
    """What the browser says when it is asked next, in a session of its own."""
    state: dict = {}
    monkeypatch.setattr(stepper.st, "session_state", {})
    monkeypatch.setattr(stepper.st.components.v2, "component", lambda *_, **__: lambda **___: state)
    return state


def test_every_press_counts_once_however_seldom_the_page_is_drawn(sent):
    presses = [random.Random(4).choice((-1, 1, 1)) for _ in range(200)]
    assert stepper.taken() == 0
    taken = net = 0
    for i, press in enumerate(presses):
        net += press
        sent["steps"] = {"drawn": "first", "net": net}
        if i % 7 == 3:  # the page is drawn now and then
            taken += stepper.taken()
    assert taken + stepper.taken() == sum(presses)
    assert stepper.taken() == 0


def test_a_page_that_is_opened_again_counts_from_its_own_start(sent):
    sent["steps"] = {"drawn": "first", "net": 12}
    assert stepper.taken() == 12
    sent.clear()
    assert stepper.taken() == 0
    sent["steps"] = {"drawn": "second", "net": 1}
    assert stepper.taken() == 1
