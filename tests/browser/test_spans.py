"""A run of a model that finds the expansion: its scores on the window page, the walk through its predictions over bars."""

from __future__ import annotations

import pytest

from moola_core.ui import viewers
from tests.app_samples import make_predicted, make_span_run
from tests.browser.conftest import until


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
    legend = tab.page.locator(".viewer ul.legend li")
    assert {"start", "end", "inside", "runners-up, fainter"} <= set(legend.all_inner_texts())
    stated = spans.predictions.query("window_id == @window and repeat == 0")["p_span"].item()
    assert (
        f"Stated probability of a center within 3 bars: {stated:.2f}" in tab.page.locator(".viewer .facts").inner_text()
    )
    box = tab.page.locator(".viewer .chart").bounding_box()
    assert box["height"] == 520
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    pointed = tab.page.locator(".viewer .pointed")
    until(lambda: pointed.inner_text().startswith("bar "), 10)
    bar = int(pointed.inner_text().split(" ")[1])  # noqa: F841 - the query below reads it
    per_bar = spans.table("per_bar", [window]).to_pandas().query("repeat == 0 and bar == @bar").iloc[0]
    start, inside, end = (per_bar[f"p_{name}"] for name in ("start", "inside", "end"))
    assert pointed.inner_text().endswith(f"start {start:.2f}, inside {inside:.2f}, end {end:.2f}")
    tab.page.get_by_text("Probability of each bar", exact=True).click()
    until(lambda: not {"start", "end", "inside"} & set(legend.all_inner_texts()), 20)
    assert tab.page.locator(".viewer .chart").bounding_box()["height"] == 380


BANDS = """async (script) => {
    const { Bands, CandlestickSeries, placeOf, startChart } = await import(new URL(script, document.baseURI).href);
    const place = document.body.appendChild(document.createElement("div"));
    place.style.cssText = "position:fixed;left:0;top:0;width:600px;height:300px;background:#fff";
    const chart = startChart(place, { muted: "#888888", grid: "#dddddd" }, {});
    const series = chart.addSeries(CandlestickSeries), bands = new Bands();
    series.setData(Array.from({ length: 105 }, (_, i) => ({ time: 60 * i, open: 1, high: 2, low: 0, close: 1 })));
    series.attachPrimitive(bands);
    chart.timeScale().fitContent();
    bands.show([{ first: 40.5, last: 60.25, fill: "#ff0000" }]);
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn, 300))));
    const shot = chart.takeScreenshot(), row = shot.getContext("2d").getImageData(0, 20, shot.width, 1).data;
    const red = Array.from({ length: shot.width }, (_, x) => x).filter((x) => row[4 * x] > 200 && row[4 * x + 1] < 60);
    const scale = chart.timeScale(), spacing = scale.options().barSpacing, ratio = shot.width / 600;
    const between = [40.5, 60.25].map((bar) => placeOf(scale, bar));
    place.remove();
    return { red: [red[0] / ratio, red.at(-1) / ratio], spacing, between, bars: [40, 41].map((bar) => scale.logicalToCoordinate(bar)) };
}"""


def test_a_network_that_points_between_bars_has_its_band_there(full, open_tab):
    tab = open_tab(full.address)
    tab.open("windows")
    drawn = tab.page.evaluate(BANDS, f".{viewers.ADDRESS}/chart.js")
    first, second = drawn["bars"]
    assert drawn["between"][0] == pytest.approx((first + second) / 2, abs=1)
    assert drawn["between"][1] - drawn["between"][0] == pytest.approx(19.75 * drawn["spacing"], abs=1.5)
    edges = [drawn["between"][0] - drawn["spacing"] / 2, drawn["between"][1] + drawn["spacing"] / 2]
    assert drawn["red"] == pytest.approx(edges, abs=2.5)


def test_the_next_expansion_is_a_key_away(full, spans, open_tab):
    tab = open_tab(full.address)
    tab.open(f"predict?run={spans.id}")
    tab.wait_for("1 of 2 expansions have a stated probability of at least 0.80", 60)
    slider = tab.page.get_by_role("slider", name="Least stated probability")
    slider.focus()
    for _ in range(6):
        slider.press("ArrowLeft")
    tab.wait_for("Expansion 1 of 2")
    told = tab.page.locator(".viewer > p").first
    assert told.inner_text().startswith("consolidation with 0.80")
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("ArrowRight")
    assert tab.place() == "Expansion 2 of 2"
    assert told.inner_text().startswith("retracement with 0.80")
    assert "Stated probability of a center within 3 bars: 0.60" in told.inner_text()
    tab.page.wait_for_url(lambda url: "expansion=700" in url)
    tab.page.get_by_role("button", name="Next").click()
    assert tab.place() == "Expansion 1 of 2"
