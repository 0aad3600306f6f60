"""A run of a model that finds the expansion: its scores on the window page, the walk through its predictions over bars."""

from __future__ import annotations

import pytest

from tests.app_samples import make_predicted, make_span_run
from tests.browser.conftest import until

MARKS = """name => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot._fullData)
    .filter(trace => trace.name === name && trace.visible === true).map(trace => [trace.yaxis, trace.y.length])"""
DRAWN = """() => document.querySelectorAll('.js-plotly-plot .shapelayer path').length"""
LEGEND = """() => [...document.querySelectorAll('.js-plotly-plot .legend2text')].map(item => item.textContent)"""
SCORES = {"inside", "start", "end", "runners-up"}


@pytest.fixture(scope="module")
def spans(full):
    windows = full.data / "demo" / "windows.parquet"
    run = make_span_run(full.store, windows, name="Spans in the browser")
    make_predicted(run, windows.with_name("bars.parquet"))
    return run


def test_the_window_page_draws_spans_runners_up_and_the_probability_of_each_bar(full, spans, open_tab):
    window = spans.predictions["window_id"].iloc[0]
    tab = open_tab(full.address)
    tab.open(f"windows?run={spans.id}&window={window}&repeat=0")
    tab.wait_for("Stated probability of a center", 60)
    until(lambda: set(tab.page.evaluate(LEGEND)) >= SCORES, 20)
    for name in ("inside", "start", "end"):
        assert tab.page.evaluate(MARKS, name) == [["y3", 105]]
    assert tab.page.evaluate(DRAWN) == 3, "the true expansion, the predicted one and a runner-up"
    stated = spans.predictions.query("window_id == @window and repeat == 0")["p_span"].item()
    assert tab.page.locator(".js-plotly-plot .annotation-text", has_text=f"{stated:.2f}").count() == 1
    tab.page.get_by_text("Probability of each bar", exact=True).click()
    tab.settle()
    assert not set(tab.page.evaluate(LEGEND)) & SCORES and tab.page.evaluate(DRAWN) == 2


def test_the_next_expansion_is_a_key_away(full, spans, open_tab):
    tab = open_tab(full.address)
    tab.open(f"predict?run={spans.id}")
    tab.wait_for("1 of 2 expansions have a stated probability of at least 0.80", 60)
    slider = tab.page.get_by_role("slider", name="Least stated probability")
    slider.focus()
    for _ in range(6):
        slider.press("ArrowLeft")
    tab.wait_for("Expansion 1 of 2")
    assert "consolidation with 0.80" in tab.text()
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("ArrowRight")
    tab.wait_for("Expansion 2 of 2")
    assert "retracement with 0.80" in tab.text() and "Stated probability of a center within 3 bars: 0.60" in tab.text()
    tab.page.get_by_role("button", name="Next").click()
    tab.wait_for("Expansion 1 of 2")
