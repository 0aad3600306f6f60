"""Every section is drawn by every renderer: a page, each file format, a terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from moola_core.charts import theme
from moola_core.reports.formats import document, html, markdown
from moola_core.sections import text
from moola_core.sections.blocks import (
    Block,
    Card,
    Chart,
    Choice,
    Columns,
    Command,
    Figure,
    Figures,
    Launch,
    Link,
    Links,
    Number,
    Section,
    Step,
    Supported,
    Table,
    Text,
    Values,
    WindowLinks,
    flat,
)
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import SECTIONS, assemble, known, make
from moola_core.specs import Diagnose

RUNS = (
    "full_run",
    "pretrained",
    "study_run",
    "plan_run",
    "investigation_run",
    "search_run",
    "figures_run",
    "predict_run",
)


def sections(run):
    kinds = ("", "doctor") if run.record.kind == "finetune" else ("",)
    contexts = [ReportContext(run, kind) for kind in kinds]
    made = {name: make(name, context) for context in contexts for name in known(context)}
    return [section for section in made.values() if not isinstance(section, str)]


def words(section, most_rows: int | None = None) -> list[str]:
    """A word of each block that any drawing of it must have; of a table, of its first rows."""
    found = []
    for block in flat(section.blocks):
        if isinstance(block, Text):
            found += [block.text or block.strong]
        elif isinstance(block, Figures):
            found += [one.title for one in block.items]
        elif isinstance(block, Table):
            found += [
                *block.columns,
                *(cell.shown for row in block.rows[:most_rows] for cell in row if isinstance(cell, Number)),
            ]
        elif isinstance(block, Command):
            found.append(block.line)
        else:
            found.append(block.title)
    return [word for word in found if word]


def plain(drawn: str) -> str:
    return re.sub(r"[^\w.]", "", drawn)


def draw_page(section):
    from moola_core.ui import render

    render.section(section)


@pytest.mark.parametrize("name", RUNS)
def test_every_section_is_drawn_in_files_and_in_a_terminal(request, name):
    run = request.getfixturevalue(name)
    context = ReportContext(run)
    report = assemble(context)
    for section in sections(run):
        one = replace(report, sections=(Section(section.name, section.title, tuple(flat(section.blocks))),))
        drawn = {
            "terminal": text.render(section),
            "md": re.sub(r"\\(.)", r"\1", markdown.render(one, "x")),
            "json": document.render(one, context),
        }
        for renderer, output in drawn.items():
            seen = plain(output.replace('\\"', '"'))
            for word in words(section, text.MOST_ROWS if renderer == "terminal" else None):
                as_is = word.replace("<", "&lt;").replace(">", "&gt;")
                assert plain(word) in seen or plain(as_is) in seen, f"{section.name} in {renderer}: {word}"
        assert len(html.render(one)) > 1000, f"{section.name} in html"


def test_every_section_is_drawn_on_a_page(full_run):
    for section in sections(full_run):
        at = AppTest.from_function(draw_page, kwargs={"section": section}, default_timeout=60).run()
        assert not at.exception, f"{section.name} on a page: {at.exception}"
        assert at.get("plotly_chart") or at.table or at.dataframe or at.markdown, f"{section.name} on a page"


def test_links_choices_and_columns_are_drawn_everywhere():
    link = WindowLinks("doubts", (("w1", "Window w1"),), Table("Doubts", ("Window",), (("w1",),)))
    choice = Choice("fold", "Fold", (("one", (Text("First fold."),)), ("two", (Text("Second fold."),))))

    section = Section("sample", "Sample", (Columns(((link,), (choice,))),))
    at = AppTest.from_function(draw_page, kwargs={"section": section}, default_timeout=60).run()
    assert [button.label for button in at.button] == ["Window w1"] and at.button_group[0].label == "Fold"
    assert "First fold" in at.markdown[-1].value
    at.button_group[0].set_value(1).run()
    assert "Second fold" in at.markdown[-1].value
    many = Choice("fold", "Fold", tuple((str(n), (Text(f"Fold {n}."),)) for n in range(9)))
    at = AppTest.from_function(draw_page, kwargs={"section": Section("sample", "Sample", (many,))}).run()
    at.selectbox[0].select(7).run()
    assert "Fold 7" in at.markdown[-1].value
    for options in (choice.options, choice.options[:1]):
        fewer = Section("sample", "Sample", (replace(choice, options=options),))
        at = AppTest.from_function(draw_page, kwargs={"section": fewer}, default_timeout=60)
        at.session_state["sample-fold"] = 7
        at.run()
        assert not at.exception and "First fold" in at.markdown[-1].value and at.session_state["sample-fold"] == 0
    assert text.render(section) == "Doubts\nWindow\nw1\n\nFirst fold."
    every = replace(choice, every=True)
    assert [block.text for block in flat((every,)) if isinstance(block, Text)] == ["First fold.", "Second fold."]


TABLE = Table("Some table", ("Column of words",), (("a cell",),), "A note.")
# A block of each kind, and a word that every drawing of it has.
BLOCKS = {
    Text: (Text("A paragraph."), "A paragraph"),
    Figures: (Figures((Figure("Large figure", Number(0.5, "0.500")),)), "Large figure"),
    Table: (TABLE, "Column of words"),
    Chart: (Chart("drawn", "Chart of lines", lambda look: theme.figure(look, 200)), "Chart of lines"),
    Command: (Command("To see more", "moola runs"), "moola runs"),
    Step: (Step(Text("Go on."), Link("Go there", "runs"), command="moola runs"), "Go on."),
    Supported: (Supported(Text("It rests on a run."), "20260131-120000-000-0a0a", None), "It rests on a run"),
    Links: (Links((Link("Go there", "runs"),)), "Go there"),
    Launch: (
        Launch(Diagnose(name="doctor", figures={"accuracy": 0.5}), "Fix", "", Command("Run it", "moola doctor X")),
        "Run it",
    ),
    Values: (Values("How it was decided", {"outputs": 3}), "How it was decided"),
    Card: (Card("one", (Text("In a frame."),)), "In a frame"),
    WindowLinks: (WindowLinks("doubts", (("w1", "a cell"),), TABLE), "a cell"),
    Choice: (Choice("fold", "Fold", (("one", (Text("First fold."),)),)), "First fold"),
    Columns: (Columns(((Text("On the left."),), (Text("On the right."),))), "On the right"),
}


ON_PAGES = (Links, Values)  # nothing that a file or a terminal could show


def on_page(section) -> str:
    at = AppTest.from_function(draw_page, kwargs={"section": section}, default_timeout=60).run()
    assert not at.exception, at.exception
    drawn = [*at.markdown, *at.metric, *at.code, *at.button, *at.caption, *at.expander]
    tables = [table.value.to_csv() for table in (*at.table, *at.dataframe)]
    return "\n".join([*(f"{getattr(one, 'label', '')} {getattr(one, 'value', '')}" for one in drawn), *tables])


@pytest.mark.parametrize("kind", get_args(Block), ids=lambda kind: kind.__name__)
def test_every_kind_of_block_has_every_renderer(kind, full_run):
    assert kind in BLOCKS, f"give a {kind.__name__} in BLOCKS here"
    block, word = BLOCKS[kind]
    section = Section("sample", "Sample", (block,))
    context = ReportContext(full_run)
    one = replace(assemble(context, ["targets"]), sections=(replace(section, blocks=tuple(flat(section.blocks))),))
    drawings = {
        "page": on_page(section),
        "terminal": text.render(section),
        "html": html.render(one),
        "md": markdown.render(one, "x").replace("\\", ""),
        "json": document.render(one, context),
    }
    for renderer, drawn in drawings.items():
        assert (word in drawn) == (renderer == "page" or kind not in ON_PAGES), f"{renderer}, {kind.__name__}"


def test_every_section_is_made_of_one_of_the_runs_here(request):
    made = {section.name for name in RUNS for section in sections(request.getfixturevalue(name))}
    assert made == set(SECTIONS), (
        "give the samples in tests/app_samples.py what the section needs, and see that its result is called so in RESULTS"
    )


def test_a_block_without_a_renderer_is_named():

    with pytest.raises(TypeError, match="a terminal cannot show a str"):
        text.render(Section("sample", "Sample", ("words",)))


def test_every_section_has_a_title_and_a_kind():
    for name, section in SECTIONS.items():
        assert section.title, f"{name} has no title"
        assert section.kinds, f"{name} is in no kind of report"
        assert section.make.__doc__, f"the function of {name} has no docstring"
