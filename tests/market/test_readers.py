"""The contract that every registered file format keeps; a new one is tested by being registered."""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError, SpecError
from moola_core.market.bars import load_bars
from moola_core.market.library import columns_of, datasets, find_files, recognise
from moola_core.market.readers import READERS, Header, Reader, read_header, read_labels, read_table, write_table
from moola_core.market.tables import rename
from moola_core.market.windows import load_windows
from moola_core.specs import ReadOptions

CASES = [
    pytest.param(
        name,
        ending,
        marks=pytest.mark.skipif(bool(reader.needs) and not find_spec(reader.needs[0]), reason="optional package"),
    )
    for name, reader in READERS.items()
    for ending in reader.suffixes
]
HOLDING = [
    pytest.param(*case.values, kind, marks=case.marks) for case in CASES for kind in READERS[case.values[0]].holds
]
BARS = 400


@pytest.fixture(scope="module")
def tables(demo):
    """A table of bars and one of labels, of the same market."""
    bars = demo.bars
    prices = {name: bars.ohlc[:BARS, i] for i, name in enumerate(("open", "high", "low", "close"))}
    rows = np.arange(20)
    starts = demo.windows.position[rows]
    return {
        "bars": pd.DataFrame({"time": pd.DatetimeIndex(bars.time[:BARS], tz="UTC").astype(str), **prices}),
        "labels": pd.DataFrame(
            {
                "window_id": [f"w{i}" for i in rows],
                "label": demo.windows.label[rows].astype(str),
                "start_time": pd.DatetimeIndex(bars.time[starts], tz="UTC").astype(str),
                "expansion_start": rows + 10.0,
                "expansion_end": rows + 15.0,
                "grade": "A",
            }
        ),
    }


@pytest.mark.parametrize(("name", "ending", "kind"), HOLDING)
def test_a_table_that_is_written_is_read_back_and_the_header_agrees_with_it(tables, tmp_path, name, ending, kind):
    path, table = tmp_path / f"file{ending}", tables[kind]
    READERS[name]().write(table, path)
    again = read_table(path) if kind == "bars" else read_labels(path, ReadOptions())[0]
    if kind == "bars" and not READERS[name].maps_columns:  # names, times and prices in a form of its own
        assert np.array_equal(load_bars(path).ohlc, table[["open", "high", "low", "close"]])
    else:
        pd.testing.assert_frame_equal(again[list(table)].reset_index(drop=True), table, check_dtype=False)
    header, raw = read_header(path), read_table(path)
    named = rename(pd.DataFrame(columns=header.columns), ReadOptions()).columns
    assert set(named) == set(rename(raw, ReadOptions()).columns)
    assert header.rows in (None, len(raw))
    file = recognise(path)
    assert (file.kind, file.rows) == (kind, header.rows)
    assert columns_of(path) == (header.columns if READERS[name].maps_columns else [])


@pytest.mark.parametrize(("name", "ending"), CASES)
def test_what_is_read_does_not_depend_on_the_format(demo, tables, tmp_path, name, ending):
    path = tmp_path / f"file{ending}"
    for kind in READERS[name].holds:
        READERS[name]().write(tables[kind], path)
        if kind == "bars":
            read = load_bars(path)
            assert np.array_equal(read.time, demo.bars.time[:BARS])
            assert np.array_equal(read.ohlc, demo.bars.ohlc[:BARS])
        else:
            windows = load_windows(path, ReadOptions(), demo.bars)
            assert windows.label.tolist() == tables["labels"]["label"].tolist()
            assert windows.start.tolist() == tables["labels"]["expansion_start"].tolist()
            assert windows.grade.tolist() == tables["labels"]["grade"].tolist()


def damaged(content: bytes, rng: np.random.Generator, turned: int):
    """The bytes of a file after what may happen to them: cut short, overwritten, replaced, bits turned so many times."""
    yield b""
    yield rng.bytes(300)
    yield bytes(300)
    yield content[: len(content) // 2]
    yield content[:-7]
    yield content[10:]
    yield content[: len(content) // 3] + rng.bytes(40) + content[len(content) // 3 + 40 :]
    for _ in range(turned):
        data = bytearray(content)
        for at in rng.integers(0, len(data), 8):
            data[at] ^= 1 << int(rng.integers(0, 8))
        yield bytes(data)


@pytest.mark.parametrize("turned", [3, pytest.param(12, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("name", "ending", "kind"), HOLDING)
def test_a_damaged_file_is_answered_with_a_sentence(demo, tables, tmp_path, name, ending, kind, turned):
    path = tmp_path / f"file{ending}"
    READERS[name]().write(tables[kind], path)
    content, sentences = path.read_bytes(), []
    for data in damaged(content, np.random.default_rng(0), turned):
        path.write_bytes(data)
        assert recognise(path).why
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load_bars(path) if kind == "bars" else load_windows(path, ReadOptions(), demo.bars)
            except DataError as error:
                sentences.append(str(error))
                assert error.what.endswith(".") and error.hint and str(path) in str(error)
                assert "\n" not in error.what and "Error(" not in error.what
    assert len(sentences) >= 3, "an empty file, noise and zeros are no tables in any format"


def test_an_unknown_ending_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "bars.docx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"unknown kind of file\. Known endings: .*\.parquet.*\.csv\.gz"):
        read_table(tmp_path / "bars.docx")
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")


class TabSeparated(Reader):
    suffixes = (".tabs",)

    def header(self, path, reading):
        return Header(list(pd.read_csv(path, sep="\t", nrows=0).columns))

    def table(self, path, reading):
        return pd.read_csv(path, sep="\t")

    def write(self, table, path):
        table.to_csv(path, sep="\t", index=False)


class Pairs(Reader):
    """A JSON file of [start_time, label] pairs under a key: another format with the ending of Label Studio."""

    suffixes = (".json",)
    holds = ("labels",)

    def header(self, path, reading):
        return Header(["start_time", "label"], len(json.loads(path.read_text())["pairs"]))

    def table(self, path, reading):
        return pd.DataFrame(json.loads(path.read_text())["pairs"], columns=["start_time", "label"])

    def write(self, table, path):
        path.write_text(json.dumps({"pairs": table[["start_time", "label"]].to_numpy().tolist()}))


def test_a_registered_format_is_found_recognised_and_loaded_without_any_other_change(demo, tables, tmp_path):
    labels = tables["labels"]
    READERS.register("tabs")(TabSeparated)
    READERS.register("pairs")(Pairs)
    try:
        write_table(tables["bars"], tmp_path / "bars.tabs")
        write_table(labels, tmp_path / "tasks.json")
        Pairs().write(labels, tmp_path / "pairs.json")
        assert {file.path.name: file.kind for file in find_files(tmp_path)} == {
            "bars.tabs": "bars",
            "tasks.json": "labels",
            "pairs.json": "labels",
        }
        assert all(dataset.bars.name == "bars.tabs" for dataset in datasets(tmp_path))
        assert len(load_bars(tmp_path / "bars.tabs")) == BARS
        for name in ("tasks.json", "pairs.json"):
            assert load_windows(tmp_path / name, ReadOptions(), demo.bars).label.tolist() == labels["label"].tolist()
    finally:
        READERS.remove("tabs")
        READERS.remove("pairs")


def test_a_format_without_suffixes_is_refused_by_its_name():
    with pytest.raises(SpecError, match="file format Nameless: it has no suffixes"):

        class Nameless(Reader):
            """A format that forgot them."""
