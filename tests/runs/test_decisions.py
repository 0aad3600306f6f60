"""Decisions: kept append-only, superseded and amended, and never in each other's way."""

from __future__ import annotations

import json
import threading

import pytest

from moola_core.errors import RunError, SpecError, StoreError
from moola_core.presets import preset
from moola_core.runs import Store, decisions
from moola_core.runs.decisions import Decision
from moola_core.runs.pack import pack
from moola_core.runs.unpack import unpack

DATA = {"windows": "abc"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def decide(store, text, **fields):
    return decisions.add(store, Decision(text, **{"data": DATA} | fields))


def test_a_decision_is_read_as_it_was_written(store):
    run = store.create(preset("quick").finetune())
    made = decide(
        store,
        "Abandoned masked pre-training — 放弃",
        reason="It hurts\nby 0.05.",
        files={"windows": "data/w.parquet"},
        runs=(run.id,),
        who="Ada",
    )
    assert decisions.listed(store) == [made] and made.id and made.time.endswith("+00:00")
    (path,) = (store.root / "decisions").iterdir()
    assert path.stem == made.id and json.loads(path.read_text(encoding="utf-8"))["text"] == made.text
    assert "放弃" in path.read_text(encoding="utf-8"), "as text that people can read, and no draft is left"


def test_decisions_are_listed_newest_first_and_by_the_content_of_their_data(store):
    first, second = decide(store, "one"), decide(store, "two", data={"windows": "other"})
    third = decide(store, "three", data={"windows": "abc", "bars": "bars"})
    assert [one.text for one in decisions.listed(store)] == ["three", "two", "one"]
    assert decisions.listed(store, {"abc"}) == [third, first] and decisions.listed(store, {"other"}) == [second]
    assert decisions.listed(store, {"bars"}) == [third] and decisions.listed(store, set()) == []
    assert decisions.listed(Store(store.root / "nowhere")) == []


def test_what_is_superseded_stays_and_its_amendments_fall_with_it(store):
    first = decide(store, "freeze")
    note = decide(store, "but not the last layer", amends=first.id, data={})
    further = decide(store, "nor the first", amends=note.id, data={})
    assert note.data == DATA, "about the data of what it amends"
    assert decisions.superseded(decisions.listed(store)) == {}
    assert (note.amends, further.amends) == (first.id, note.id)
    last = decide(store, "train all of it", supersedes=first.id, data={})
    assert decisions.superseded(decisions.listed(store)) == {first.id: last.id, note.id: last.id, further.id: last.id}
    assert [one.text for one in decisions.listed(store)] == ["train all of it", "nor the first", note.text, "freeze"]
    with pytest.raises(SpecError, match=f"superseded already.*{last.id}"):
        decide(store, "again", supersedes=first.id)
    with pytest.raises(SpecError, match="superseded already"):
        decide(store, "again", amends=note.id)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"text": "  "}, "needs a text"),
        ({"text": "x", "data": {}}, "none is named"),
        ({"text": "x" * 10_001}, "bytes long"),
        ({"text": "half \ud83d"}, "half a character"),
        ({"text": "x", "supersedes": "20260101-000000-000-0000"}, "no decision"),
        ({"text": "x", "amends": "../../etc/passwd"}, "no decision"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(store, fields, problem):
    with pytest.raises(SpecError, match=problem):
        decisions.add(store, Decision(**{"data": DATA} | fields))
    assert decisions.listed(store) == []


def test_a_decision_follows_one_that_is_there_about_the_same_data(store):
    first = decide(store, "one")
    with pytest.raises(SpecError, match="about other data"):
        decide(store, "two", supersedes=first.id, data={"windows": "other"})
    with pytest.raises(SpecError, match="not both"):
        decide(store, "two", supersedes=first.id, amends=first.id)
    with pytest.raises(RunError, match="no run"):
        decide(store, "two", runs=("20260101-000000-000-0000",))
    with pytest.raises(RunError, match="not a run id"):
        decide(store, "two", runs=("../runs",))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b'{"text": 3}',
        b'{"text": ""}',
        b'{"text": "x", "runs": [1]}',
        b'{"text": "x", "data": []}',
        b'{"text": "half \\ud83d"}',
        b"[" * 200_000,
    ],
    ids=["empty", "garbage", "a list", "a number", "no text", "numbers for runs", "a list for data", "half", "endless"],
)
def test_one_that_cannot_be_read_is_listed_and_breaks_no_other(store, damage):
    good, bad = decide(store, "good"), decide(store, "bad")
    (store.root / "decisions" / f"{bad.id}.json").write_bytes(damage)
    (store.root / "decisions" / "notes.json").write_text("{}", encoding="utf-8")
    broken, whole = decisions.listed(store, {"abc"})
    assert whole == good and broken.id == bad.id and f"{bad.id}.json" in broken.unreadable
    assert broken.time[:10] == bad.time[:10], "it keeps its place in time"
    assert decide(store, "next", supersedes=good.id).supersedes == good.id
    with pytest.raises(SpecError, match="no decision"):
        decide(store, "next", supersedes=bad.id)


def test_fields_of_newer_versions_are_passed_over_and_wrong_times_are_read_from_the_id(store):
    made = decide(store, "one")
    path = store.root / "decisions" / f"{made.id}.json"
    path.write_text(json.dumps({"text": "one", "data": DATA, "time": "yesterday", "mood": 1}), encoding="utf-8")
    (again,) = decisions.listed(store)
    assert (again.text, again.data) == ("one", DATA) and again.time[:19] == made.time[:19]


def test_a_circle_in_files_that_were_edited_ends(store):
    a, b = decide(store, "a"), decide(store, "b")
    for one, other in ((a, b), (b, a)):
        path = store.root / "decisions" / f"{one.id}.json"
        path.write_text(json.dumps({"text": "x", "data": DATA, "amends": other.id}), encoding="utf-8")
    assert decisions.superseded(decisions.listed(store)) == {}


def test_of_two_who_supersede_one_decision_at_once_the_second_is_told(store):
    first = decide(store, "one")
    outcomes: list[str] = []

    def supersede(text):
        try:
            outcomes.append(decide(store, text, supersedes=first.id).id)
        except SpecError as error:
            outcomes.append(f"refused: {error.what}")

    threads = [threading.Thread(target=supersede, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not one.startswith("refused") for one in outcomes) == 1 and len(decisions.listed(store)) == 2


def test_a_store_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        decide(Store(tmp_path / "file"), "one")


def test_what_runs_are_about(store):
    one, two = store.create(preset("quick").finetune()), store.create(preset("quick").finetune())
    one.update(data_hashes={"windows": "abc", "folds": "f"}, data={"windows": "/d/w.parquet"})
    two.update(data_hashes={"windows": "abc", "bars": "b"})
    assert decisions.data_of_runs(store, [one.id, two.id]) == (
        {"windows": "abc", "bars": "b"},
        {"windows": "/d/w.parquet"},
    )
    two.update(data_hashes={"windows": "other"})
    with pytest.raises(SpecError, match="different windows"):
        decisions.data_of_runs(store, [one.id, two.id])


def test_decisions_travel_with_the_runs_on_their_windows(store, tmp_path):
    run, other = store.create(preset("quick").finetune()), Store(tmp_path / "other")
    run.update(state="done", data_hashes={"windows": "abc", "bars": "b"})
    first = decide(store, "freeze", runs=(run.id,), who="Ada")
    second = decide(store, "train", supersedes=first.id)
    decide(store, "about others", data={"windows": "other", "bars": "b"})
    (store.root / "decisions" / "20260101-000000-000-0000.json").write_text("{", encoding="utf-8")
    packed = pack(store, [run.id], tmp_path / "runs.zip")
    assert packed.decisions == 2
    unpacked = unpack(tmp_path / "runs.zip", other, tmp_path / "data")
    assert set(unpacked.decisions) == {first.id, second.id} and decisions.listed(other) == [second, first]
    assert unpack(tmp_path / "runs.zip", other, tmp_path / "data").decisions == (), "twice changes nothing"


def test_what_a_pack_holds_for_decisions_is_checked(store):
    good = {"id": "20260101-000000-000-0001", "text": "one", "data": DATA}
    bad = [
        3,
        {"id": "../../x", "text": "one"},
        {"id": "20260101-000000-000-0002", "text": 3},
        {"id": "20260101-000000-000-0003"},
        {"id": "20260101-000000-000-0004", "text": "half \ud83d"},
    ]
    assert decisions.unpack(store, [*bad, good]) == [good["id"]]
    assert [path.name for path in (store.root / "decisions").iterdir()] == [f"{good['id']}.json"]
    assert all(decisions.unpack(store, values) == [] for values in ([], None, 3, "text", {"id": good["id"]}))
