from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moola_core.errors import StoreError
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue

ROOT = Path(__file__).parents[2]
ANY = ("auto", "cpu", "cuda")
SPEC = preset("quick").finetune()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def put(store, priority=0, needs="auto"):
    run = store.create(SPEC, queue={"priority": priority, "needs": needs})
    Queue(store.root).add(run.record)
    return run.id


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=6))
def test_first_in_first_out_within_a_priority(tmp_path_factory, priorities):
    store = Store(tmp_path_factory.mktemp("queue"))
    queue = Queue(store.root)
    ids = [put(store, priority) for priority in priorities]
    wanted = [ids[i] for i in sorted(range(len(ids)), key=lambda i: (-priorities[i], i))]
    assert [entry.run_id for entry in queue.entries()] == wanted
    taken = []
    while (run_id := queue.take("cpu", ANY)) is not None:
        taken.append(run_id)
        queue.release(run_id)
    assert taken == wanted


def test_a_clock_that_is_set_back_changes_no_order(store, monkeypatch):
    from moola_core.runs import store as module

    first = put(store)
    monkeypatch.setattr(module, "utcnow_iso", lambda: "1999-01-01T00:00:00.000+00:00")
    second = put(store)
    assert [entry.run_id for entry in Queue(store.root).entries()] == [first, second]


def test_a_worker_holds_one_run_and_others_take_the_next(store):
    queue, ids = Queue(store.root), [put(store) for _ in range(3)]
    assert [queue.take("cuda:0", ANY), queue.take("cuda:0", ANY)] == [ids[0], ids[0]]
    assert queue.take("cuda:1", ANY) == ids[1]
    queue.put_back(ids[0])
    assert queue.take("cuda:2", ANY) == ids[0]
    assert not queue.withdraw(ids[0]) and queue.withdraw(ids[2]) and not queue.withdraw(ids[2])


def test_a_worker_takes_only_what_its_device_can_do(store):
    queue, card, cpu = Queue(store.root), put(store, 3, "cuda"), put(store, 0, "cpu")
    assert queue.take("cpu", ("cpu",)) == cpu and queue.take("cuda:0", ANY) == card


def test_a_pause_begins_nothing_and_ends(store):
    queue, first, second = Queue(store.root), put(store), put(store)
    queue.take("cpu", ANY)
    queue.pause()
    assert queue.paused and queue.take("cpu", ANY) == first and queue.take("cuda:0", ANY) is None
    queue.pause(False)
    assert queue.take("cuda:0", ANY) == second


def test_a_waiting_run_can_be_let_go_first(store):
    queue, first, second = Queue(store.root), put(store), put(store)
    assert queue.prioritise(second, 1) and queue.take("cpu", ANY) == second
    assert not queue.prioritise(second, 2) and queue.take("cuda:0", ANY) == first


@pytest.mark.parametrize("damage", ["deleted", "garbage", "torn", "columns"])
def test_the_queue_is_rebuilt_from_the_folders(store, damage):
    queue = Queue(store.root)
    taken, low, high = put(store), put(store), put(store, 2)
    queue.take("cpu", ANY)  # the one of the highest priority
    assert queue.entries()[0].run_id == high
    store.open(high).update(state="running", process=identity() | {"worker": "cpu"})
    with sqlite3.connect(queue.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    if damage == "deleted":
        queue.path.unlink()
    elif damage == "garbage":
        queue.path.write_bytes(b"not a database at all" * 500)
    elif damage == "torn":
        queue.path.write_bytes(queue.path.read_bytes()[:4096] + b"\xff" * 12000)
    else:
        with sqlite3.connect(queue.path) as connection:
            connection.execute("DROP TABLE entries")
            connection.execute("CREATE TABLE entries (a, b)")
        connection.close()
    found = [(entry.run_id, entry.worker) for entry in queue.entries()]
    assert found == [(high, "cpu"), (taken, ""), (low, "")]


def test_a_run_whose_submitter_was_killed_before_it_was_queued_is_found(store):
    queue, first = Queue(store.root), put(store)
    orphan = store.create(SPEC, queue={"priority": 0, "needs": "auto"})
    queue.catch_up()
    queue.catch_up()
    assert [entry.run_id for entry in queue.entries()] == [first, orphan.id]


def test_a_worker_leaves_only_an_empty_queue(store):
    queue, left = Queue(store.root), []
    run_id = put(store)
    assert not queue.leave(ANY, lambda: left.append(1)) and left == []
    queue.withdraw(run_id)
    assert queue.leave(ANY, lambda: left.append(1)) and left == [1]


def test_an_unusable_queue_says_so(store):
    put(store)
    path = Queue(store.root).path
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="queue"):
        Queue(store.root).entries()


SUBMIT = """
import sys
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.queue import Queue
store = Store(sys.argv[1])
sys.stdin.read()  # all begin at once
for _ in range(3):
    run = store.create(preset("quick").finetune(), queue={"priority": 0, "needs": "auto"})
    Queue(store.root).add(run.record)
"""


@pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_many_submitters_at_once(store, count):
    """Each a process of its own, on a store that none of them has made."""
    command = [sys.executable, "-c", SUBMIT, str(store.root)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(count)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        process.wait(200)
        assert process.returncode == 0, process.stderr.read().decode()
        process.stderr.close()
    entries = Queue(store.root).entries()
    assert len(entries) == 3 * count and {entry.run_id for entry in entries} == {r.run_id for r in store.runs()}
