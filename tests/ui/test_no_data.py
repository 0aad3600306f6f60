"""Pages without data say which files are read, and have the button that reads one."""

from __future__ import annotations

import pytest

from moola_core.market.readers import READERS
from moola_core.ui import no_data
from tests.pages.conftest import button, dataset, show, store, texts  # noqa: F401 - fixtures

NAMES = (
    "overview",
    "windows",
    "features",
    "launch",
    "investigate",
    "history",
    "compare",
    "results",
    "doctor",
    "predict",
    "report",
    "runs",
)


def test_every_ending_that_is_read_is_named():
    for name in READERS:
        for ending in READERS[name].suffixes:
            packed = ending.endswith((".gz", ".gzip", ".zst", ".zip"))
            assert packed or f"`{ending}`" in no_data.formats(), ending


@pytest.mark.parametrize("page", NAMES)
def test_a_page_without_data_names_the_files_that_are_read_and_reads_one(show, page):  # noqa: F811
    at = show(page, data=False)
    assert "`.parquet`" in texts(at) and "one row a bar" in texts(at) and "--" not in texts(at)
    button(at, "Read a new file").click().run()
    assert not at.exception and "come back" in texts(at)


def test_a_file_that_leaves_questions_open_has_the_button_that_asks_them(show, tmp_path):  # noqa: F811
    folder = tmp_path / "asked"
    folder.mkdir()
    rows = [f"2024-02-05 18:{minute:02d},100,101,99,100.5" for minute in range(60)]
    (folder / "bars.csv").write_text("\n".join(["time,open,high,low,close", *rows]), encoding="utf-8")
    for page in ("overview", "launch"):
        at = show(page, data=folder)
        said = "\n".join([texts(at), *(one.value for one in at.warning)])
        assert "carry no time zone" in said and "--tz" not in said
        button(at, "Answer the questions").click().run()
        assert not at.exception and any("no time zone" in box.label for box in at.selectbox)


def test_a_file_that_cannot_be_read_as_it_is_has_the_button_that_sets_how(show, tmp_path):  # noqa: F811
    folder = tmp_path / "asked"
    folder.mkdir()
    rows = [f"2024-02-05 18:{minute:02d}Z,100,101,99,100.5" for minute in range(60)]
    (folder / "bars.csv").write_text("\n".join(["when,open,high,low,close", *rows]), encoding="utf-8")
    at = show("overview", data=folder)
    assert "no column for time" in "\n".join([texts(at), *(one.value for one in at.error)])
    button(at, "Set how this file is read").click().run()
    assert not at.exception and any(box.value == str(folder / "bars.csv") for box in at.selectbox)
