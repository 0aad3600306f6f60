"""Reports as their readers have them: opened from disk, printed, unpacked."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
from collections.abc import Callable
from functools import cache, partial

import jsonschema
import pytest

from moola_core.reports.export import export
from moola_core.runs.store import Run
from tests.app_samples import make_pretraining
from tests.browser.conftest import download_report, until
from tests.reports.conftest import HOSTILE, WINDOW, make_full, make_hostile, make_study
from tests.reports.test_formats import SCHEMA

MAKERS = {
    "full": make_full,
    "hostile": make_hostile,
    "pretrained": make_pretraining,
    "study": make_study,
    "hostile study": partial(make_study, hostile=True),
}


@pytest.fixture(scope="module")
def run_of(full, tmp_path_factory) -> Callable[[str], Run]:
    """The run of that name, of the windows that the server has, made when it is first asked for."""
    root, windows = tmp_path_factory.mktemp("report") / "artifacts", full.data / "demo" / "windows.parquet"
    return cache(lambda name: MAKERS[name](root, windows))


# Charts of which a text reaches out of its place.
CUT_OFF = """() => [...document.querySelectorAll('.plot')].filter(plot => {
    const place = plot.getBoundingClientRect();
    return [...plot.querySelectorAll('text')].some(text => {
        const box = text.getBoundingClientRect();
        return box.width && (box.right > place.right + 1 || box.left < place.left - 1 || box.bottom > place.bottom + 1);
    });
}).map(plot => plot.dataset.figure)"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("full", ""),
        *(pytest.param(name, "", marks=pytest.mark.soak) for name in ("pretrained", "study", "hostile study")),
        pytest.param("full", "doctor", marks=pytest.mark.soak),
    ],
)
def test_html_opens_from_disk_asks_for_nothing_and_draws_every_chart(run_of, read, tmp_path, name, kind):
    (out,) = export(run_of(name), "html", tmp_path / "report.html", kind=kind)
    reader = read(out)
    assert reader.requests[0] == out.as_uri() and reader.fetched() == [] and reader.errors == []
    drawn = reader.page.locator("[data-figure] .main-svg").count()
    assert (
        drawn
        >= reader.page.locator("[data-figure]").count()
        >= (2 if kind else 4 if name in ("pretrained", "study", "hostile study") else 20)
    )
    if "hostile" not in name:  # its labels are longer than any chart
        assert reader.page.evaluate(CUT_OFF) == []
    fits(reader.page)


def fits(page) -> None:
    """Wait until nothing is wider than the page, on a screen and on a phone."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        until(lambda: page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, 10)


def test_texts_from_data_are_shown_and_never_run(run_of, read, tmp_path):
    (out,) = export(run_of("hostile"), "html", tmp_path / "report.html")
    reader = read(out)
    page = reader.page
    assert page.locator("h1").inner_text() == f"{WINDOW} & co"
    labels = page.locator("[data-figure=confusion-confusion] .xtick text").all_text_contents()
    assert sorted(labels) == sorted(HOSTILE.values())
    assert page.locator("main a, main img").count() == 0
    pictures = page.evaluate("[...document.querySelectorAll('svg image')].map(image => image.href.baseVal)")
    assert all(source.startswith("data:image/png") for source in pictures)  # a heatmap's own
    assert page.locator("script").count() == 3 and reader.errors == [] and reader.fetched() == []
    drawn, figures = page.locator("[data-figure] .main-svg").count(), page.locator("[data-figure]").count()
    assert drawn >= figures >= 20
    fits(page)
    # Were a text to become a script after all, the page would refuse it.
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
    }""")
    assert page.evaluate("window.ran") is None and "Content Security Policy" in reader.errors[0]


@pytest.mark.soak
def test_markdown_has_a_picture_for_each_chart(run_of, tmp_path):
    out, *pictures = export(
        run_of("full"), "md", tmp_path / "my report.md", ["targets", "metrics", "pointers", "training"]
    )
    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", out.read_text())
    assert len(named) == len(pictures) == 9
    assert [tmp_path / name.replace("%20", " ") for name in named] == sorted(
        pictures, key=lambda path: named.index(f"my%20report_files/{path.name}")
    )
    for path in pictures:
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 5000
        width, height = struct.unpack(">II", data[16:24])
        assert width in (2 * 718, 2 * 440) and height > 200


SOME = ("decisions", "targets", "metrics", "errors", "asked", "data")


@pytest.mark.parametrize(
    ("sections", "sources", "pages"),
    [(SOME, 100, (2, 12)), ((), 250, (10, 40))],
    ids=["some", "all"],
)
@pytest.mark.soak
def test_zip_has_everything_with_true_hashes_and_every_source(run_of, tmp_path, sections, sources, pages):
    (out,) = export(run_of("full"), "zip", tmp_path / "report.zip", sections)
    with zipfile.ZipFile(out) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    assert manifest["files"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in content.items()
    }
    assert {"report.html", "report.pdf", "report.md", "report.json"} <= content.keys()
    assert f"runs/{run_of('full').id}/predictions.parquet" in content
    report = json.loads(content["report.json"])
    charts = [f"{s['name']}-{b['name']}" for s in report["sections"] for b in s["blocks"] if b["type"] == "chart"]
    assert {f"charts/{name}.csv" for name in charts} | {f"report_files/{name}.png" for name in charts} <= content.keys()
    named = re.findall(r'"source": "([^"#]+)#/', content["report.json"].decode())
    assert len(named) > sources and {f"runs/{source}" for source in named} <= content.keys()
    assert content["report.pdf"].startswith(b"%PDF-") and content["report.pdf"].rstrip().endswith(b"%%EOF")
    assert pages[0] <= len(re.findall(rb"/Type /Page\b(?!s)", content["report.pdf"])) <= pages[1]
    assert b"http" not in b"".join(re.findall(rb"/URI \([^)]*\)", content["report.pdf"]))


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind", "pages"), [("study", "", (4, 14)), ("full", "doctor", (3, 12))])
def test_studies_and_findings_come_in_every_format(run_of, tmp_path, name, kind, pages):
    run = run_of(name)
    (out,) = export(run, "zip", tmp_path / "report.zip", kind=kind)
    with zipfile.ZipFile(out) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    listed = json.loads(content.pop("manifest.json"))["files"]
    assert {name: row["sha256"] for name, row in listed.items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in content.items()
    }
    jsonschema.validate(json.loads(content["report.json"]), SCHEMA)
    sources = re.findall(r'"source": "([^"#]+)#/', content["report.json"].decode())
    assert sources and {f"runs/{source}" for source in sources} <= content.keys()
    named = set(re.findall(r"\]\((report_files/[^)]+)\)", content["report.md"].decode()))
    assert named == {name for name in content if name.startswith("report_files/")} and len(named) > 1
    if kind:
        assert f"moola doctor {run.id} --launch" in content["report.md"].decode()
    assert pages[0] <= len(re.findall(rb"/Type /Page\b(?!s)", content["report.pdf"])) <= pages[1]
    assert len({name for name in content if name.endswith("/spec.json")}) == (1 if kind else 3)


def test_the_page_previews_makes_and_downloads_a_report_that_opens(full, open_tab, read, tmp_path):
    run, tab = full.second["run"], open_tab(full.address)
    tab.open(f"report?run={run.id}")
    tab.wait_for("Conclusion and next step")
    out = download_report(tab, tmp_path)
    assert out.name == f"{run.id}.html" and tab.outside == [] and tab.errors == []
    reader = read(out)
    assert reader.page.locator("h1").inner_text() == "Mine" and reader.fetched() == []
