"""Events are read once as they are written; of a large file a sample, from its first line to its last."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.presets import preset
from moola_core.runs import Store, event_file
from moola_core.runs.epochs import EpochReader, epoch_columns
from moola_core.runs.event_file import EventReader, tail
from tests.app_samples import epoch_events, monitored_values


@pytest.fixture
def run(tmp_path):
    return Store(tmp_path / "artifacts").create(preset("quick").finetune())


def numbered(count: int, start: int = 0) -> list[dict]:
    return [{"type": "log", "values": {"message": f"é{i}"}} for i in range(start, start + count)]


def messages(events: list[dict]) -> list[str]:
    return [event["values"]["message"] for event in events]


def test_each_event_is_read_once_and_a_line_that_is_being_written_is_left(run):
    reader = EventReader(run.folder)
    assert reader.read() == [] and tail(run.folder, 100) == [] and event_file.size_of(run.folder) == 0
    run.append_events(numbered(3))
    assert messages(reader.read()) == ["é0", "é1", "é2"] and reader.read() == []
    line = run.folder / "events.jsonl"
    with line.open("ab") as file:
        file.write(b'{"type": "log", "values": {"mess')
    assert reader.read() == []
    with line.open("ab") as file:
        file.write('age": "é3"}}\n'.encode())
    assert messages(reader.read()) == ["é3"]


def test_a_file_that_was_replaced_is_read_from_its_start(run):
    reader = EventReader(run.folder)
    run.append_events(numbered(4))
    reader.read()
    run.keep_events(lambda event: event["values"]["message"] != "é1")
    events, from_start = reader.read_from_start()
    assert from_start and messages(events) == ["é0", "é2", "é3"]


@pytest.mark.parametrize("count", [400, 3_000])
def test_of_a_large_file_whole_lines_are_sampled_evenly_to_its_end(run, monkeypatch, count):
    monkeypatch.setattr(event_file, "WHOLE_BYTES", 20_000)
    monkeypatch.setattr(event_file, "SAMPLED_BYTES", 10_000)
    monkeypatch.setattr(event_file, "BLOCK_BYTES", 1_000)
    run.append_events(numbered(count))
    size = event_file.size_of(run.folder)
    reader = EventReader(run.folder)
    numbers = [int(text[1:]) for text in messages(reader.read())]
    assert reader.share == pytest.approx(10_000 / size) and numbers[0] == 0 and numbers[-1] == count - 1
    assert numbers == sorted(set(numbers)) and 0.5 * reader.share < len(numbers) / count < 1.2 * reader.share
    assert max(np.diff(numbers)) < count / 5
    run.append_events(numbered(2, count))
    assert messages(reader.read()) == [f"é{count}", f"é{count + 1}"], "what is new is read as a whole"


def test_the_tail_holds_the_newest_events(run):
    run.append_events(numbered(500))
    text = messages(tail(run.folder, 2_000))
    assert text[-1] == "é499" and 10 < len(text) < 100 and messages(tail(run.folder, 10**9)) == messages(numbered(500))


def test_epochs_are_the_same_read_at_once_or_as_they_come(run):
    events, reader = epoch_events(), EpochReader(run)
    for i in range(0, len(events), 7):
        run.append_events(events[i : i + 7])
        grown = reader.columns()
    whole = epoch_columns(run)
    assert grown.keys() == whole.keys() and all(
        np.array_equal(grown[k], whole[k], equal_nan=k not in ("split",)) for k in whole if k != "split"
    )
    assert list(grown["split"]) == list(whole["split"])
    rows = [event for event in events if event["type"] == "epoch"]
    kept = np.isfinite(whole["loss"])
    assert whole["loss_class"][kept].tolist() == [event["values"]["loss_class"] for event in rows]
    assert whole["epoch"][kept].tolist() == [event["epoch"] for event in rows]


def test_monitored_metrics_are_columns_a_class_each(run):
    run.append_events(epoch_events())
    columns = epoch_columns(run)
    at = np.flatnonzero(np.isfinite(columns["f1_macro"]))
    assert len(at) and all(columns["epoch"][at] % 2 == 0) and np.isnan(columns["loss"][at]).all()
    wanted = monitored_values(2)
    first = {name: columns[name][at[0]] for name in ("f1_macro", "ece", "conflict_rate")}
    assert first == {name: wanted[name] for name in first}
    assert columns["recall.retracement"][at[0]] == 0.6 and "hit_at_3" not in columns
