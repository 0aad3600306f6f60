"""A decision is added and superseded in the dialog of the History page, as a user does it."""

from __future__ import annotations

from moola_core.runs import Store, decisions


def _keep(tab, text: str, reason: str = "") -> None:
    tab.page.get_by_label("What was decided").fill(text)
    tab.page.get_by_label("Because").fill(reason)
    tab.page.get_by_role("button", name="Keep the decision").click()  # a text that was just typed counts
    tab.page.get_by_role("dialog").wait_for(state="detached", timeout=20_000)
    tab.settle()


def test_a_decision_is_added_and_superseded(full, open_tab):
    tab = open_tab(full.address)
    tab.open("history?dataset=second")
    tab.wait_for("Study: transfer", 60)
    tab.page.get_by_role("button", name="Add a decision").click()
    _keep(tab, "Froze the encoder", "there are few windows")
    tab.wait_for("Froze the encoder. Because: there are few windows.")
    tab.page.get_by_role("button", name="Supersede").first.click()
    tab.wait_for("Supersedes: Froze the encoder")
    _keep(tab, "Trained all of it")
    last, first = decisions.listed(Store(full.store))
    assert last.supersedes == first.id and last.data == first.data != {}
    assert tab.page.locator("s, del").first.inner_text() == "Froze the encoder. Because: there are few windows."
    tab.page.get_by_role("button", name="Open").first.click()
    tab.wait_for("Performance", 60)
