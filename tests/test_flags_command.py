"""`moola flags`: the flags of the Windows page on the command line."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from moola_core.cli import main
from moola_core.market.windows import load_windows
from moola_core.runs import flags
from moola_core.runs.flags import Labelled
from tests.app_samples import make_run


@pytest.fixture
def windows(demo_files, tmp_path):
    path = tmp_path / "data" / "windows.parquet"
    path.parent.mkdir()
    shutil.copy(demo_files["windows"], path)
    shutil.copy(demo_files["bars"], path.with_name("bars.parquet"))
    return path


@pytest.fixture
def call(capsys, tmp_path):
    def run(*arguments) -> tuple[int, dict, str]:
        status = main([*map(str, ("flags", *arguments)), "--json", "--store", str(tmp_path / "artifacts")])
        out, err = capsys.readouterr()
        return status, json.loads(out), err

    return run


def test_flags_are_added_listed_in_the_order_of_the_file_written_and_taken_away(call, windows, tmp_path):
    ids = [str(name) for name in load_windows(windows).window_id]
    at = ("--windows", windows)
    call(*at, "--add", ids[7], "--comment", "=SUM(A1)")
    status, said, _ = call(*at, "--add", ids[7], "--add", ids[2], "--out", tmp_path / "list.csv")
    rows = said["flags"]
    assert status == 0 and [row["window_id"] for row in rows] == [ids[2], ids[7]]
    assert [row["comment"] for row in rows] == ["", "=SUM(A1)"] and all(row["flagged"] for row in rows)
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["window_id"] for row in written] == [ids[2], ids[7]] and written[1]["comment"] == "'=SUM(A1)"
    kept = flags.of(tmp_path / "artifacts", Labelled(load_windows(windows).content_hash, ""))
    assert set(kept) == {ids[2], ids[7]}, "the page shows the same"
    assert [row["window_id"] for row in call(*at, "--remove", ids[7])[1]["flags"]] == [ids[2]]


def test_a_run_gives_its_windows_and_what_it_predicts_of_them(call, windows, tmp_path):
    run = make_run(tmp_path / "artifacts", windows)
    rows = run.predictions
    name = str(rows["window_id"].iloc[0])
    mine = rows[rows["window_id"].astype(str) == name]
    (row,) = call(run.id, "--add", name)[1]["flags"]
    assert row["label"] == mine["label"].iloc[0] and set(row["predicted"].split(", ")) == set(mine["predicted"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a run or a file of labelled windows is needed"),
        (("--add", "demo_0003x"), "Did you mean demo_0003?"),
        (("--remove", "nothing like it"), "Ids look like demo_0000."),
        (("--comment", "late"), "Name one with --add WINDOW."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(call, windows, arguments, words):
    at = ("--windows", windows) if arguments else ()
    status, said, err = call(*at, *arguments)
    assert status == 2 and words in err and said["error"]["kind"] == "SpecError"
