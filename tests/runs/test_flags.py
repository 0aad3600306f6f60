from __future__ import annotations

import pytest

from moola_core.errors import SpecError, StoreError
from moola_core.runs import flags
from moola_core.runs.flags import MOST_LETTERS, Flag, Labelled


@pytest.fixture
def windows(tmp_path) -> Labelled:
    return Labelled("content", str(tmp_path / "windows.parquet"))


def kept(root, windows) -> dict[str, tuple[bool, str]]:
    return {name: (one.flagged, one.comment) for name, one in flags.of(root, windows).items()}


def test_flags_and_comments_are_kept_until_they_are_taken_away(tmp_path, windows):
    assert flags.of(tmp_path, windows) == {}
    flags.note(tmp_path, windows, {"a": Flag(True), "b": Flag(False, "late"), "c": Flag(True, "x")})
    flags.note(tmp_path, windows, {"c": Flag(), "b": Flag(True, "late")})
    assert kept(tmp_path, windows) == {"a": (True, ""), "b": (True, "late")}
    assert all(one.time for one in flags.of(tmp_path, windows).values())


def test_a_moved_file_and_a_corrected_one_keep_their_flags_and_another_has_none(tmp_path, windows):
    flags.note(tmp_path, windows, {"a": Flag(True)})
    moved = Labelled("content", str(tmp_path / "elsewhere.parquet"))
    corrected = Labelled("another content", windows.file)
    assert kept(tmp_path, moved) == kept(tmp_path, corrected) == {"a": (True, "")}
    assert flags.of(tmp_path, Labelled("another content", moved.file)) == {}
    # What is noted after the correction goes on with the same list, and is found by the new content alone too.
    flags.note(tmp_path, corrected, {"b": Flag(True)})
    assert set(flags.of(tmp_path, Labelled("another content", moved.file))) == {"a", "b"}
    assert len(list((tmp_path / "flags").iterdir())) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"contents": 3, "file": "", "windows": {}}', '{"windows": {"a": 1}}'])
def test_a_torn_file_is_named_and_not_written_over(tmp_path, windows, text):
    flags.note(tmp_path, windows, {"a": Flag(True)})
    path = next((tmp_path / "flags").glob("*.json"))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be read"):
        flags.of(tmp_path, windows)
    with pytest.raises(StoreError, match="cannot be read"):
        flags.note(tmp_path, windows, {"b": Flag(True)})
    assert path.read_text(encoding="utf-8") == text


def test_comments_that_cannot_be_kept_are_refused(tmp_path, windows):
    for comment in ("x" * (MOST_LETTERS + 1), "\ud800"):
        with pytest.raises(SpecError):
            flags.note(tmp_path, windows, {"a": Flag(True, comment)})
    assert flags.of(tmp_path, windows) == {}
