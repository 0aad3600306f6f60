"""Texts from anyone's data on their way to a terminal, to a spreadsheet and into the names of files."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moola_core.charts.data import to_csv
from moola_core.cli import main
from moola_core.launch import predicted_files
from moola_core.market.frames import as_bytes
from moola_core.market.readers.text import Text
from moola_core.outgoing import file_name, for_spreadsheet, for_terminal, from_spreadsheet, json_for_terminal
from moola_core.presets import preset
from moola_core.runs.store import Store
from moola_core.specs import ReadOptions

HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31mred\r\u202egpj.exe\x7f\ud800"
texts = st.text(st.characters(codec=None), max_size=30)


@given(texts)
def test_no_control_character_reaches_a_terminal(text):
    shown = for_terminal(text)
    assert all(letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs") for letter in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert "\n" not in for_terminal(text, one_line=True)
    assert json.loads(json_for_terminal(json.dumps({"a": text}, ensure_ascii=False))) == {"a": text}


def test_what_is_no_control_character_stays():
    assert for_terminal("Überprüfung €\n\t👩‍🔬 − 5 %") == "Überprüfung €\n\t👩‍🔬 − 5 %"


def is_number(cell: str) -> bool:
    return (
        re.fullmatch(r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d+|inf|infinity|nan)(e[+-]?\d+)?\s*", cell, re.IGNORECASE) is not None
    )


@given(texts)
def test_no_cell_is_a_formula_and_every_cell_comes_back(text):
    cell = for_spreadsheet(text)
    assert from_spreadsheet(cell) == text or text.startswith("'")
    assert isinstance(cell, str) and (cell[:1] not in tuple("=+-@\t\r") or is_number(cell))


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x")', "@SUM(A1)", "+1+1", "-2+3", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(cell):
    assert for_spreadsheet(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-5", "+3.2", -5, 2.5, None, "a=1", "", "-1e-3"])
def test_numbers_and_other_texts_stay(cell):
    assert for_spreadsheet(cell) == cell


def test_the_csv_of_a_chart_and_of_predictions_holds_no_formula(tmp_path):
    chart = go.Figure(go.Scatter(x=["=1+1", "b"], y=[-1.0, 2.0], name="@trace"))
    rows = list(csv.DictReader(io.StringIO(to_csv(chart))))
    assert [row["x"] for row in rows] == ["'=1+1", "b"] and rows[0]["trace"] == "'@trace" and rows[0]["y"] == "-1.0"
    table = pd.DataFrame({"window_id": ["=1+1", "b", "'c", "-"], "label": ["+a", "-2", "x", "@"], "p": [-0.5, 1, 0, 1]})
    written = tmp_path / "p.csv"
    written.write_bytes(as_bytes(table, ".csv"))
    raw = list(csv.DictReader(io.StringIO(written.read_text())))
    assert [row["window_id"] for row in raw] == ["'=1+1", "b", "'c", "'-"] and raw[0]["p"] == "-0.5"
    assert Text().table(written, ReadOptions()).to_dict("list") == table.to_dict("list")
    assert ".csv" in predicted_files.ENDINGS


def test_names_of_runs_obey_no_terminal(tmp_path, capsys):
    run = Store(tmp_path).create(preset("quick").finetune(), name=f"a\nb {HOSTILE[:-1]}")
    run.update(state="done")
    assert main(["runs", "--store", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("\n") == 2 and not set(shown) & set(HOSTILE[:-1]) & set("\x1b\x07\x9b\r\u202e\x7f")
    assert main(["runs", "--store", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)[0]["name"] == run.record.name and "\x9b" not in printed
    assert main(["compare", "\x1b[2J", "--store", str(tmp_path)]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        (["compare", "20260101-000000-000-0000"], 2, "RunError"),
        (["check", "/nowhere.csv"], 2, "DataError"),
        (["submit", "/nowhere.json"], 2, "SpecError"),
        (["runs", "--unknown"], 2, "SpecError"),
        (["report", "--format"], 2, "SpecError"),
    ],
)
def test_a_failure_with_json_is_an_object_with_its_error(words, status, kind, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["moola", *words, "--json"])
    try:
        ended = main()
    except SystemExit as end:
        ended = int(end.code or 0)
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert ended == status == error["exit_status"] and error["kind"] == kind and error["what"] and told.err
    assert error["hint"]


def test_memory_that_runs_out_is_a_sentence(tmp_path, capsys, monkeypatch):
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Store, "runs", short)
    assert main(["runs", "--store", str(tmp_path), "--json"]) == 1
    told = capsys.readouterr()
    assert "out of memory" in told.err and json.loads(told.out)["error"]["hint"]


@given(texts)
def test_any_text_gives_a_safe_name_of_a_file(text):
    name = file_name(text)
    assert Path(name).name == name and name[0] not in ".-" and len(name) <= 80 and for_terminal(name) == name
    assert not set(name) & set('/\\:*?"<>| \n')


def test_a_name_still_says_what_it_is():
    assert (
        file_name("NQ 1 min (2024)") == "NQ_1_min_2024"
        and file_name("../..") == "moola"
        and file_name("März") == "März"
    )
