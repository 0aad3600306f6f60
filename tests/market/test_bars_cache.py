"""A large file is read once: then its bars come from the cache, until its content, its reading or the code changes."""

import os
from dataclasses import fields

import numpy as np
import pytest

from moola_core.market import bars_cache, sources
from moola_core.market.bars import load_bars
from moola_core.market.settings import save_reading
from moola_core.specs import ReadOptions
from tests.market.test_bars import frame, write

READING = ReadOptions(tz="UTC", stamp="start", max_gap_bars=60)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file of bars with a gap, a roll and volumes, which counts as large."""
    monkeypatch.setattr(bars_cache, "LEAST_BYTES", 0)
    monkeypatch.setenv("MOOLA_CACHE", str(tmp_path / "cache"))
    table = frame(400)
    table.loc[200:, "timestamp"] += np.timedelta64(300, "m")
    table["contract"] = ["NQH4"] * 300 + ["NQM4"] * 100
    return write(table, tmp_path / "b.csv")


def opened(monkeypatch):
    """The paths that are read, from now on."""
    seen, read = [], sources.read

    def counted(path, *rest):
        seen.append(path)
        return read(path, *rest)

    monkeypatch.setattr(sources, "read", counted)
    return seen


def test_bars_from_the_cache_are_those_of_the_file(path, monkeypatch):
    first = load_bars(path, READING)
    seen = opened(monkeypatch)
    again = load_bars(path, READING)
    assert not seen and again.rolls.tolist() == [300] and len(again.gaps) == 1
    for field in fields(first):
        a, b = getattr(first, field.name), getattr(again, field.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name
    assert again.content_hash == first.content_hash and again.ohlc.flags["C_CONTIGUOUS"]


def test_another_content_reading_or_place_is_read_anew(path, monkeypatch):
    load_bars(path, READING)
    seen = opened(monkeypatch)
    assert (
        load_bars(path, READING.model_copy(update={"session": ("09:30", "16:00")})).report
        != load_bars(path, READING).report
    )
    assert len(seen) == 1
    before, status = load_bars(path, READING), path.stat()
    path.write_text(path.read_text().replace("100.0", "100.5", 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_bars(path, READING).content_hash != before.content_hash, "its time of change says nothing"
    save_reading(path, READING.model_copy(update={"tz": "Asia/Tokyo"}))
    assert load_bars(path).time[0] != before.time[0]


@pytest.mark.parametrize("fault", ["damaged", "a file in its place", "no room"])
def test_a_cache_that_cannot_be_used_is_passed_over(path, tmp_path, monkeypatch, fault):
    first = load_bars(path, READING)
    (kept,) = (tmp_path / "cache").glob("*.arrow")
    kept.write_bytes(kept.read_bytes()[:100])
    if fault == "a file in its place":
        monkeypatch.setenv("MOOLA_CACHE", str(kept))
    if fault == "no room":

        def full(*args, **options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pyarrow.feather.write_feather", full)
    assert load_bars(path, READING).content_hash == first.content_hash
    assert not list((tmp_path / "cache").glob("*.part"))


def test_what_was_not_used_for_longest_goes_first(path, tmp_path, monkeypatch):
    load_bars(path, READING)
    (oldest,) = (tmp_path / "cache").glob("*.arrow")
    os.utime(oldest, (1, 1))
    monkeypatch.setattr(bars_cache, "MOST_BYTES", oldest.stat().st_size)
    load_bars(path, READING.model_copy(update={"max_gap_bars": 20}))
    (left,) = (tmp_path / "cache").glob("*.arrow")
    assert left != oldest


def test_small_files_are_not_kept(path, tmp_path, monkeypatch):
    monkeypatch.setattr(bars_cache, "LEAST_BYTES", 1 << 20)
    load_bars(path, READING)
    assert not (tmp_path / "cache").exists()
