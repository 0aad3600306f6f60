"""`moola decide`, and the same in Python: about a file of windows wherever it lies."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

import moola_core as moola
from moola_core.cli import main
from moola_core.errors import SpecError
from moola_core.market.windows import load_windows
from tests.app_samples import make_run


@pytest.fixture
def files(demo_files, tmp_path):
    windows = tmp_path / "data" / "windows.parquet"
    windows.parent.mkdir()
    shutil.copy(demo_files["windows"], windows)
    return windows, tmp_path / "artifacts"


def call(capsys, *arguments):
    status = main([str(argument) for argument in ("decide", *arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_decisions_are_kept_superseded_and_listed_on_the_command_line(capsys, files):
    windows, store = files
    at = ("--store", store)
    status, out, _ = call(
        capsys,
        "abandoned masked pre-training",
        "--because",
        "it hurts",
        "--windows",
        windows,
        "--who",
        "Ada",
        *at,
        "--json",
    )
    first = json.loads(out)
    assert (
        status == 0
        and first["who"] == "Ada"
        and first["data"] == {"windows": load_windows(windows).trainable()[0].content_hash}
    )
    assert call(capsys, "tried contrastive", "--supersedes", first["id"], *at)[0] == 0
    status, out, _ = call(capsys, "--list", "--windows", windows, *at, "--json")
    rows = json.loads(out)["decisions"]
    assert status == 0 and [row["text"] for row in rows] == ["tried contrastive", "abandoned masked pre-training"]
    assert rows[1]["superseded_by"] == rows[0]["id"] and rows[0]["superseded_by"] == ""
    out = call(capsys, "--list", *at)[1]
    assert f"Superseded by {rows[0]['id']}." in out and "Because: it hurts" in out and "Ada" in out


def test_a_file_that_moved_keeps_its_decisions(files):
    windows, store = files
    made = moola.decide("one", windows, because="two", store=store)
    moved = windows.rename(windows.with_name("elsewhere.parquet"))
    assert moola.decisions(moved, store=store) == [made] == moola.decisions(store=store)
    assert made.files == {"windows": str(windows)}


def test_a_decision_rests_on_runs_and_is_about_their_data(capsys, files):
    windows, store = files
    run = make_run(store, windows)
    run.update(data_hashes={"windows": load_windows(windows).trainable()[0].content_hash})
    made = moola.decide("keep it", runs=[run.id], store=store)
    assert made.runs == (run.id,) and moola.decisions(windows, store=store) == [made]
    assert moola.decide("and these", windows, runs=[run.id], store=store).data == made.data
    run.update(data_hashes={"windows": "of others"}, data={"windows": "/elsewhere/w.parquet"})
    with pytest.raises(SpecError, match="made on other windows"):
        moola.decide("keep it", windows, runs=[run.id], store=store)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "needs a text"),
        (("x",), "none is named"),
        (("x", "--windows", "nowhere.parquet"), "nowhere.parquet"),
        (("x", "--run", "nine"), "not a run id"),
        (("x", "--supersedes", "nine"), "no decision 'nine'"),
        (("x", "--list"), "--list only lists"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_status_2(capsys, tmp_path, arguments, problem):
    status, out, err = call(capsys, *arguments, "--store", tmp_path / "s")
    assert status == 2 and problem in err and "Traceback" not in err and not out


def test_an_empty_store_says_how_to_begin(capsys, tmp_path):
    status, out, _ = call(capsys, "--list", "--store", tmp_path / "s")
    assert status == 0 and "There are no decisions" in out and "moola decide" in out
    assert json.loads(call(capsys, "--list", "--store", tmp_path / "s", "--json")[1]) == {"decisions": []}


def test_an_unknown_argument_names_the_nearest():
    with pytest.raises(SpecError, match="supersedes"):
        moola.decide("x", supersede="y")


def test_a_file_that_is_labelled_further_keeps_its_decisions_and_they_can_be_superseded(files):
    windows, store = files
    first = moola.decide("one", windows, store=store)
    table = pd.read_parquet(windows)
    table.iloc[:-5].to_parquet(windows)
    assert moola.decisions(windows, store=store) == [first]
    second = moola.decide("two", windows, supersedes=first.id, store=store)
    assert second.data != first.data and moola.decisions(windows, store=store) == [second, first]
    table.to_parquet(windows.with_name("other.parquet"))
    assert moola.decisions(windows.with_name("other.parquet"), store=store) == [first], "the old content elsewhere"


def test_the_history_is_printed_newest_first(capsys, files):
    windows, store = files
    run = make_run(store, windows)
    first = moola.decide("froze the encoder", windows, store=store)
    moola.decide("trained all of it", supersedes=first.id, store=store)
    for at in ((), ("--json",)):
        assert main(["history", "--windows", str(windows), "--store", str(store), *at]) == 0
    out = capsys.readouterr().out
    found = json.loads(out[out.index("{") :])["events"]
    assert [event["kind"] for event in found] == ["decision", "decision", "finetune"] and found[2]["id"] == run.id
    assert found[1]["superseded_by"] == found[0]["id"] and "Macro F1" in found[2]["outcome"]
    assert f"[superseded by {found[0]['id']}]" in out and out.index("trained all") < out.index("froze the encoder")
    assert main(["history", "--windows", str(windows), "--store", str(store / "none")]) == 0
    assert "Nothing was run" in capsys.readouterr().out
    assert main(["history", "--windows", "nowhere.parquet"]) == 2
