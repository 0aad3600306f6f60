"""The History page: what is listed, and decisions that are added, amended and superseded there."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from moola_core.market.windows import load_windows
from moola_core.runs import Store, decisions
from moola_core.runs.decisions import Decision
from tests.app_samples import make_everything, make_run
from tests.pages.conftest import button, texts


@pytest.fixture
def content(dataset) -> str:
    return load_windows(dataset).trainable()[0].content_hash


def plain(at) -> str:
    return texts(at).replace("\\", "")


def listed(at) -> list[str]:
    """The events in their order."""
    return [
        one.value.replace("\\", "") for one in at.markdown if one.value.startswith(":material/") and "**" in one.value
    ]


def test_no_data_and_an_empty_store_say_what_to_do(show):
    assert "No labelled windows here" in texts(show("history", data=False))
    at = show("history")
    assert "Nothing yet" in texts(at) and button(at, "Set up a run") and button(at, "Add a decision")


def test_runs_stand_with_their_outcome_and_parts_under_their_study(show, dataset, store):
    made = make_everything(store, dataset)
    at = show("history")
    events = listed(at)
    assert not at.error and any("**Study: transfer.**" in one for one in events) and "1 run in it" in plain(at)
    assert any("Macro F1" in one for one in events)
    assert not any(one.key == f"open-{made['arm'].id}" for one in at.button), "an arm is not listed alone"
    next(one for one in at.button if one.key == f"open-{made['comparison'].id}").click().run()
    assert at.session_state["study"] == made["comparison"].id


def test_a_failed_run_is_a_part_of_the_history(show, dataset, store):
    make_run(store, dataset, "failed")
    assert any("It failed: " in one and "the card went away" in one for one in listed(show("history")))


def test_events_are_filtered_by_kind(show, dataset, store, content):
    make_everything(store, dataset)
    decisions.add(Store(store), Decision("keep it", data={"windows": content}))
    at = show("history")
    group = next(group for group in at.button_group if group.key == "events")
    assert "Decision (1)" in group.options and "Plan (1)" in group.options
    group.set_value(["decision"]).run()
    assert [one for one in listed(at) if "keep it" in one] == listed(at)


def test_a_long_history_comes_in_pages(show, dataset, store, content):
    for i in range(25):
        decisions.add(Store(store), Decision(f"number {i}", data={"windows": content}))
    at = show("history")
    assert len(listed(at)) == 20 and "number 24" in listed(at)[0]
    button(at, "Show 5 more").click().run()
    assert len(listed(at)) == 25


def draw_form(windows: str, amends: str = "", supersedes: str = ""):
    """The body of the dialog, which Streamlit's test runner cannot keep open."""
    from pathlib import Path

    import streamlit as st

    from moola_core.market.library import Dataset
    from moola_core.runs import decisions
    from moola_core.runs.timeline import entries
    from moola_core.ui import loaders, timeline_sections

    known = {one.id: one for one in decisions.listed(loaders.store())}
    every = entries(loaders.store(), lambda record: True, set())
    dataset = Dataset("demo", Path(windows), None)
    if timeline_sections.decision_form(dataset, every, known.get(amends), known.get(supersedes)):
        st.success("kept")


def keep(dataset, text: str, **earlier: str) -> AppTest:
    at = AppTest.from_function(draw_form, kwargs={"windows": str(dataset), **earlier}, default_timeout=60).run()
    at.text_area(key="decision_text").set_value(text)
    at.text_area(key="decision_reason").set_value("it hurts" if not earlier else "")
    return at


def test_a_decision_is_added_amended_and_superseded(show, dataset, store, content):
    run = make_run(store, dataset)
    at = show("history")
    button(at, "Add a decision").click().run()
    assert at.text_area(key="decision_text") and button(at, "Keep the decision")
    at = keep(dataset, "Abandoned *masked* pre-training")
    at.text_input(key="decision_who").set_value("Ada")
    at.multiselect(key="decision_runs").set_value([run.id])
    button(at, "Keep the decision").click().run()
    (first,) = decisions.listed(Store(store))
    assert at.success and (first.text, first.reason) == ("Abandoned *masked* pre-training", "it hurts")
    assert first.runs == (run.id,) and first.data["windows"] == content and first.who == "Ada"
    at = show("history")
    assert any("Abandoned *masked* pre-training. Because: it hurts." in one for one in listed(at))
    assert any(one.key == f"rests-{first.id}-{run.id}" for one in at.button)
    button(at, "Amend").click().run()
    assert "Amends: Abandoned" in plain(at)

    button(keep(dataset, "for this year's bars", amends=first.id), "Keep the decision").click().run()
    button(keep(dataset, "Tried contrastive", supersedes=first.id), "Keep the decision").click().run()
    last, note, _ = decisions.listed(Store(store))
    assert note.amends == first.id and last.supersedes == first.id
    at = show("history")
    struck = [one for one in listed(at) if "~~" in one]
    assert len(struck) == 2 and all("Abandoned" in one or "this year" in one for one in struck), (
        "the amendment falls too"
    )
    assert sum("**Superseded" in one and "Tried contrastive" in one for one in listed(at)) == 2
    assert not any(one.key == f"supersede-{first.id}" for one in at.button)


def test_what_is_missing_is_said_in_the_form(show, dataset, store, content):
    first = decisions.add(Store(store), Decision("one", data={"windows": content}))
    decisions.add(Store(store), Decision("two", supersedes=first.id))
    show("history")  # the environment
    at = button(keep(dataset, "  "), "Keep the decision").click().run()
    assert "a decision needs a text" in texts(at) and not at.success
    at = button(keep(dataset, "three", supersedes=first.id), "Keep the decision").click().run()
    assert "is superseded already" in plain(at) and not at.exception and len(decisions.listed(Store(store))) == 2


def test_a_decision_that_cannot_be_read_is_named_and_the_others_stay(show, dataset, store, content):
    good = decisions.add(Store(store), Decision("good", data={"windows": content}))
    bad = decisions.add(Store(store), Decision("bad", data={"windows": content}))
    (store / "decisions" / f"{bad.id}.json").write_text("{", encoding="utf-8")
    at = show("history")
    assert f"It cannot be read: {bad.id}.json" in plain(at) and any("good" in one for one in listed(at))
    assert not any(one.key == f"amend-{bad.id}" for one in at.button)
    assert any(one.key == f"amend-{good.id}" for one in at.button)


def test_text_of_decisions_is_shown_as_it_is(show, dataset, store, content):
    decisions.add(Store(store), Decision("# <b>$x$</b> :red[y]\n\n~~z~~", "[a](http://b)", data={"windows": content}))
    at = show("history")
    (shown,) = listed(at)
    assert "# <b>$x$</b> :red[y] ~~z~~. Because: [a](http://b)." in shown
    raw = next(one.value for one in at.markdown if "red" in one.value)
    assert r"\<b\>" in raw and r"\:red\[y\]" in raw and r"\~\~z" in raw
