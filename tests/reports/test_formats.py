from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from markdown_it import MarkdownIt

from moola_core.reports.formats import document, html, markdown
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import assemble, build
from tests.reports.conftest import HOSTILE, WINDOW
from tests.sections.test_registry import numbers

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())


class Page(HTMLParser):
    """What a parser makes of a page: tags with attributes, the text, the data of <data>, and the source of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.texts, self.scripts, self.values = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if tag == "script":
            self.scripts.append((found.get("type", ""), ""))
        if tag == "data":
            self.values.append(found["value"])

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script" and not self.scripts[-1][1]:
            self.scripts[-1] = (self.scripts[-1][0], data)
        else:
            self.texts.append(data)


def test_html_holds_one_plotly_and_no_address(full_run):
    page = Page(html.render(build(full_run)))
    kinds = [kind for kind, _ in page.scripts]
    assert kinds == ["application/json", "", ""]
    assert sum("plotly.js v" in text[:200] for _, text in page.scripts) == 1
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form")
        assert not attributes.get("src") and attributes.get("href", "#").startswith("#")


def test_html_refuses_every_script_but_its_own_two(full_run):
    text = html.render(build(full_run, ["targets"]))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert "default-src &#39;none&#39;" in policy and policy.count("sha256-") == 2
    assert "unsafe-inline" not in policy.split("script-src")[1] and "unsafe-eval" not in policy


def test_html_numbers_are_the_stored_ones_in_full(full_run):
    report = build(full_run)
    shown = Page(html.render(report)).values
    assert shown == [str(number.value) for number in numbers(report) if number.value is not None]


def test_text_from_data_is_escaped_in_html(hostile_run):
    page = Page(html.render(build(hostile_run)))
    assert len(page.scripts) == 3 and not any("alert" in text for kind, text in page.scripts if not kind)
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any(tag == "img" for tag, _ in page.tags)
    said = " ".join(page.texts)
    for text in (*HOSTILE.values(), WINDOW):
        assert text in said  # shown as it is
    figures = json.loads(page.scripts[0][1])
    told = json.dumps(figures)
    assert "&lt;script&gt;alert" in told and "<script" not in told and "<img" not in told


def test_text_from_data_is_escaped_in_markdown(hostile_run):
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render(build(hostile_run), "f"))
    page = Page(rendered)
    tags = {tag for tag, _ in page.tags}
    assert tags <= {"h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "img", "blockquote"}
    assert all(attributes["src"].startswith("f/") for tag, attributes in page.tags if tag == "img")
    said = " ".join(page.texts)
    for text in (*HOSTILE.values(), WINDOW):
        assert text in said


def test_markdown_tables_hold_target_actual_and_gap(full_run):
    text = markdown.render(build(full_run, ["targets", "decisions"]), "f")
    metric = full_run.result("evaluation")["metrics"]["f1_macro"]["mean"]
    (row,) = [line for line in text.splitlines() if line.startswith("| Macro F1")]
    assert f"| {metric:.3f} |" in row and "&gt; 0.6" in row
    assert "| Target | Wanted | Actual | from | to | Gap | Gap, % | Met |" in text and "**Next.**" in text


@pytest.mark.parametrize(
    "name",
    [
        "full_run",
        "pretrained",
        "hostile_run",
        "study_run",
        "hostile_study",
        "figures_run",
        "plan_run",
        "search_run",
        "investigation_run",
        "predict_run",
    ],
)
def test_json_keeps_to_the_published_schema(request, name):
    context = ReportContext(request.getfixturevalue(name))
    report = assemble(context)
    found = json.loads(document.render(report, context))
    jsonschema.validate(found, SCHEMA)
    assert [section["name"] for section in found["sections"]] == [section.name for section in report.sections]
    assert found["runs"][0]["record"]["run_id"] == context.run.id
    if name in ("full_run", "hostile_run"):
        assert len(found["runs"]) == 4  # attribution, features and shift are of other runs


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("sections"),
        lambda found: found.update(extra=1),
        lambda found: found["sections"][0]["blocks"][0].update(type="poem"),
        lambda found: found["sections"][1]["blocks"][0]["rows"][0].append(0.5),
    ],
)
def test_the_schema_refuses_what_is_no_report(full_run, spoil):
    context = ReportContext(full_run)
    found = json.loads(document.render(assemble(context, ["decisions", "targets"]), context))
    spoil(found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)
